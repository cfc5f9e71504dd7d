"""Learning from returns: once a week the desk hears what its people keep correcting, and how to change the rules."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon import flow
from daemon.overruled import Correction, Ruled
from daemon.proposing import proposals, with_proposal
from daemon.routing.loader import RuleFiles, load_rulebook
from tests.desk import BEIJING, MONDAY_10AM, ROOT, TestDesk, reply, write
from tests.test_conversations import DESK, mail_to

BOOK = load_rulebook(ROOT / "rules")
VPN = "VPN 与专线 vpn"
SINCE = MONDAY_10AM - timedelta(days=7)
WRONG = ("VPN 被防火墙拦截", "防火墙拦了 VPN", "连 VPN 时报防火墙错误")


def ruled(number: int, subject: str, new: str = "security", at: datetime = MONDAY_10AM, sender: str = "a@x.example"):
    old = (("category", "network/vpn"), ("team", "network"))
    corrections = tuple(Correction(fact=f, old=was, new=new, at=at) for f, was in old) if new else ()
    return Ruled(number=number, at=at, because=(VPN,), subject=subject, requester=sender, corrections=corrections)


def proposed(found, since=SINCE, at_least=3):
    return proposals(found, BOOK, since, at_least)


# --- what is proposed ---


def test_words_that_tell_the_corrected_from_the_others_become_a_rule():
    found = [ruled(n, s) for n, s in enumerate(WRONG, 1)] + [ruled(9, "VPN 连不上", ""), ruled(10, "VPN 慢", "")]
    (one,) = proposed(found)
    assert (one.rule, one.tickets, one.right) == (VPN, (1, 2, 3), 2)
    assert one.changes == (("category", "network/vpn", "security"), ("team", "network", "security"))
    assert "subject mentions: [防火墙]" in one.snippet and "{category: security, team: security}" in one.snippet
    files = with_proposal(BOOK.files, one)
    book = load_rulebook(RuleFiles(Path("new"), files))
    names = [r.name for r in book.rules]
    assert names.index(VPN) > 0 and "1, 2, 3" in names[names.index(VPN) - 1] and len(names) == len(BOOK.rules) + 1


def test_where_they_come_from_tells_them_apart_if_no_word_does():
    found = [ruled(n, s, sender=f"u{n}@acme.example") for n, s in enumerate(("甲乙", "丙丁", "戊己"), 1)]
    (one,) = proposed([*found, ruled(9, "庚辛", "")])
    assert "sender domain in: [acme.example]" in one.snippet
    load_rulebook(RuleFiles(Path("new"), with_proposal(BOOK.files, one)))


def test_nothing_in_common_gives_no_snippet_but_is_told():
    found = [ruled(n, s) for n, s in enumerate(("甲乙", "丙丁", "戊己"), 1)]
    (one,) = proposed([*found, ruled(9, "庚辛", "")])
    assert one.snippet == ""


@pytest.mark.parametrize("subject", ['say "x": [1] # {a} yes', "- no: 'yes' & *all", "\\d+ 防火墙\\n", "null true 1"])
def test_whatever_stands_in_a_subject_the_snippet_can_be_read(subject):
    (one,) = proposed([ruled(n, f"防火墙 {subject}") for n in (1, 2, 3)])
    load_rulebook(RuleFiles(Path("new"), with_proposal(BOOK.files, one)))


def test_too_few_or_nothing_new_or_each_time_otherwise_is_not_told():
    alike = [ruled(n, s) for n, s in enumerate(WRONG, 1)]
    assert proposed(alike) and not proposed(alike, at_least=4)
    assert not proposed(alike, since=MONDAY_10AM + timedelta(seconds=1))
    otherwise = [
        ruled(n, s, new) for n, (s, new) in enumerate(zip(WRONG, ("security", "software", "other"), strict=True))
    ]
    assert not proposed(otherwise)


# --- the week ---


@pytest.fixture
def desk(tmp_path):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    desk = TestDesk(tmp_path)
    desk.works()  # from now on duties are owed
    return desk


def corrected(desk, subject: str, n: int) -> None:
    """The engineer returns it, and the service desk gives it to the security team."""
    sent = desk.receives(write(f"u{n} <u{n}@northwind.example.com>", f"请看一下 {n}", subject=subject))
    to_them = next(m for m in sent if "@example.com" in m.to)
    engineer = f"<{to_them.to}>"
    to_desk = mail_to(desk.receives(reply(to_them, engineer, "#退回 是防火墙的问题")), "chen.jing")
    desk.receives(reply(to_desk, DESK, "#转派 安全组\n#分类 security"))


def about_rules(sent):
    return [m for m in sent if "改派单规则的建议" in m.subject or "Proposals for the rules" in m.subject]


def next_monday(desk, week: int = 1, hour: int = 10):
    desk.clock.at = datetime(2026, 11, 23, hour, 0, tzinfo=BEIJING) + timedelta(weeks=week)
    return about_rules(desk.works())


@pytest.mark.procedure("9/rule_proposals")
def test_once_a_week_the_desk_is_told_and_nothing_is_changed(desk):
    for n, subject in enumerate(WRONG):
        corrected(desk, subject, n)
    desk.receives(write("u@northwind.example.com", "请看一下", subject="VPN 连不上"))
    before = (desk.folder / "rules" / "routing.yaml").read_bytes()
    assert not about_rules(desk.waits(days=1))
    (mail,) = next_monday(desk)
    assert mail.to == "chen.jing@example.com"
    text = mail.letter.text
    assert all(w in text for w in (VPN, "防火墙", "INC-1", "INC-3", "then: {category: security, team: security}"))
    assert "最近 4 封来信里有 3 封会变" in text and "INC-4" not in text
    assert (desk.folder / "rules" / "routing.yaml").read_bytes() == before
    assert not about_rules(desk.waits(minutes=30)) and not next_monday(desk, 2), "nothing new"
    corrected(desk, "防火墙又拦了 VPN", 7)
    (again,) = next_monday(desk, 3)
    assert "改过 4 次" in again.letter.text


def test_nothing_to_propose_sends_no_mail_but_is_done(desk):
    corrected(desk, WRONG[0], 0)
    assert not next_monday(desk)
    done = [d for d in desk.desk.store.duties.history() if d.duty == "rule_proposals"]
    assert [(d.period, d.outcome) for d in done] == [("2026-W49", "empty")]


def test_a_crash_before_the_mails_are_owed_makes_it_try_again_and_not_twice(desk, monkeypatch):
    for n, subject in enumerate(WRONG):
        corrected(desk, subject, n)
    write_down = type(desk.desk.store.duties).write

    def dies(book, item, *rest):
        if item.duty == "rule_proposals":
            raise KeyboardInterrupt
        write_down(book, item, *rest)

    monkeypatch.setattr(type(desk.desk.store.duties), "write", dies)
    with pytest.raises(KeyboardInterrupt):
        next_monday(desk)
    monkeypatch.undo()
    assert len(about_rules(desk.works())) == 1 and not about_rules(desk.waits(minutes=1))


def test_thanks_for_it_open_nothing(desk):
    for n, subject in enumerate(WRONG):
        corrected(desk, subject, n)
    (mail,) = next_monday(desk)
    desk.receives(reply(mail, DESK, "谢谢！"))
    assert len(list(desk.desk.store.register.tickets())) == 3


def test_without_the_line_in_duties_yaml_it_is_not_done(desk):
    for n, subject in enumerate(WRONG):
        corrected(desk, subject, n)
    duties = desk.desk.rulebook.duties
    times = tuple(t for t in duties.times if t.duty != "rule_proposals")
    desk.desk.rulebook = replace(desk.desk.rulebook, duties=replace(duties, times=times))
    assert not next_monday(desk)
    assert flow.do_duties(desk.desk) == 0
