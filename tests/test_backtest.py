"""The back-test says of stored mail what new rules would decide: the same as the desk decides that has them."""

import random
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from daemon import flow
from daemon.backtest import Question, back_test, trial_data, trial_lines
from daemon.comparing import outcome_of
from daemon.events import Opened, Rejected, Routed, RuleNotified, ScopeDoubted, event_data
from daemon.intake.letter import read_letter
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Rulebook
from daemon.service import Trust
from daemon.ticket import Ticket, after
from tests.desk import BEIJING, ROOT, TestDesk, write

SUBJECTS = (
    "VPN 连不上", "打印机卡纸", "代开增值税发票", "[ALERT] disk full on db01", "投诉：没人理我", "网络很慢", "ERP 打不开",
    "UPS on battery", "紧急：全公司断网", "Printer again", "忘记密码", "（随便什么）", "服务器宕机", "file server down", "申请开通邮箱",
    "申请 VPN 权限", "我的电脑蓝屏", "cannot log in", "Excel 很慢", "机房温度过高",
)  # fmt: skip
TEXTS = (
    "整个部门都不能用。", "The whole office is offline.", "只有我一个人。", "错误 691，请看一下。", "勒索软件！文件被加密了。", "谢谢",
    "磁盘空间不足", "重置密码", "everybody waits", "昨天就开始了，很急。",
)  # fmt: skip
SENDERS = (
    "张三 <zhang.san@huaxin.example>", "Ann <ann@northwind.example.com>", "谁 <who@nowhere.example>",
    "王伟 <wang.wei@example.com>", "Zabbix <zabbix@monitor.example>", "经理 <manager@huaxin.example>",
)  # fmt: skip
CHANGED = (
    ("then: {category: network/vpn, team: network}", "then: {category: network/vpn, team: security, tags: [vpn]}"),
    ("subject contains: [打印机, 打印不, 卡纸, printer, paper jam]", "subject contains: [打印不, 卡纸, paper jam]"),
    ("- subject matches: '代开.{0,4}发票|办证刻章'", "- subject matches: '办证刻章'"),
    ("then: {impact: high}", "then: {impact: high, severity at least: 2}"),
    (
        "\nrules:\n",
        "\nrules:\n  - {name: 审批, when: {subject contains: [申请, Excel]}, then: {approval: manager, notify: [pm]}}\n",
    ),
)


@dataclass
class Arrival:
    """A mail and when it comes."""

    mail: EmailMessage
    after: timedelta


def generated(count: int, seed: int) -> list[Arrival]:
    chance, arrivals = random.Random(seed), []
    for n in range(count):
        headers = {"X_Priority": "1"} if chance.random() < 0.1 else {}
        sender, text = chance.choice(SENDERS), chance.choice(TEXTS)
        if "wang.wei" in sender and chance.random() < 0.5:
            text = f"#for zhang.san@huaxin.example\n{text}"
            headers["Authentication_Results"] = "mx.example.com; dmarc=pass header.from=example.com"
        mail = write(sender, f"{text} ({n})", subject=f"{chance.choice(SUBJECTS)} {n}", **headers)
        arrivals.append(Arrival(mail, timedelta(minutes=chance.choice((7, 40, 400)))))
    return arrivals


def desk_with(folder: Path, *changes: tuple[str, str]) -> TestDesk:
    """Return a desk that trusts its mail server, with rules of its own in which these words are others."""
    folder.mkdir()
    shutil.copytree(ROOT / "rules", folder / "rules")
    change(folder / "rules", *changes)
    desk = TestDesk(folder)
    desk.desk.service = trusting(desk.desk.service)
    return desk


def trusting(service):
    return replace(service, trust=Trust(authserv_ids=frozenset({"mx.example.com"})), opens_per_address_per_hour=1000)


def change(rules: Path, *changes: tuple[str, str]) -> Rulebook:
    file = rules / "routing.yaml"
    text = file.read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    return load_rulebook(rules)


def play(desk: TestDesk, arrivals: list[Arrival]) -> dict[int, dict]:
    """Let the mails come; return what was decided on each, by its number."""
    for arrival in arrivals:
        desk.clock.at += arrival.after
        desk.arrives(arrival.mail)
        flow.handle_waiting(desk.desk)
    return recorded(desk)


def recorded(desk: TestDesk) -> dict[int, dict]:
    found = {}
    store = desk.desk.store
    for mail, reason in store.base.rows("SELECT id, reason FROM mail WHERE ticket = 0"):
        found[mail] = {"outcome": reason}
    for ticket in store.register.tickets():
        events = [(e, cause) for _, e, _, cause in store.register.events(ticket.number)]
        opened, cause = events[0]
        first = [e for e, c in events if c == cause]
        routed = next(e for e in first if isinstance(e, Routed))
        fate = next((f"out of scope: {e.reason or e.why}" for e in first if isinstance(e, Rejected)), "opened")
        fate = next((f"the desk decides on its scope: {e.why}" for e in first if isinstance(e, ScopeDoubted)), fate)
        assert isinstance(opened, Opened)
        facts = {k: v for k, v in event_data(routed).items() if k not in ("because", "rules")}
        told = next((e.audience for e in first if isinstance(e, RuleNotified)), ())
        came = {"outcome": fate, "kind": str(opened.kind), **facts, "notify": told}
        found[int(cause.removeprefix("mail:"))] = came | waiting(after(Ticket(number=ticket.number), first))
    return found


def waiting(ticket: Ticket) -> dict:
    """Return how a ticket stands that waits for approval."""
    facts = {"state": str(ticket.state), "team": ticket.team, "line": ticket.line, "assignee": ticket.assignee}
    return facts if ticket.awaits_approval else {}


def predicted(desk: TestDesk, rulebook: Rulebook) -> dict[int, dict]:
    store = desk.desk.store
    found = {}
    for decided in store.register.decided():
        letter = read_letter(store.ledger.get(decided.mail).content)
        found[decided.mail] = dict(outcome_of(letter, decided, rulebook, desk.desk.service).facts)
    return found


def asked(desk: TestDesk, new: Rulebook, **more) -> Question:
    return Question(old=desk.desk.rulebook, new=new, service=desk.desk.service, **more)


def test_the_back_test_agrees_with_a_replay_under_the_old_rules_and_under_the_new(tmp_path):
    arrivals = generated(120, seed=7)
    old = desk_with(tmp_path / "old")
    decided = play(old, arrivals)
    assert predicted(old, old.desk.rulebook) == decided
    assert len({d["outcome"] for d in decided.values()}) >= 2 and len({d.get("category") for d in decided.values()}) > 8
    assert back_test(asked(old, old.desk.rulebook), old.desk.store).differences == ()

    new = desk_with(tmp_path / "new", *CHANGED)
    replayed = play(new, arrivals)
    assert predicted(old, new.desk.rulebook) == replayed
    trial = back_test(asked(old, new.desk.rulebook), old.desk.store)
    assert {d.decided.mail for d in trial.differences} == {m for m in decided if decided[m] != replayed[m]}
    assert 10 < len(trial.differences) < trial.mails == 120
    waiting_ones = [d for d in replayed.values() if d.get("state") == "on_hold"]
    assert len(waiting_ones) > 5 and {d["team"] for d in waiting_ones} == {""}


def test_a_mail_that_would_be_dropped_is_one_change_and_only_the_rule_that_drops_is_named(desk):
    drop = "\nrules:\n  - {name: 不收, when: {subject contains: [VPN, 打印机]}, then: {drop: 不处理}, stop: true}\n"
    trial = back_test(asked(desk, change(desk.folder / "rules", ("\nrules:\n", drop))), desk.desk.store)
    (group,) = trial_data(trial, BEIJING)["groups"]
    assert (group["fact"], group["old"], group["tickets"], group["rules"]) == ("outcome", "opened", [1, 2], ["不收"])
    assert group["new"] == "dropped by the rule '不收': 不处理"


@pytest.mark.parametrize(
    ("rule", "fact", "rules"),
    [
        (
            "{name: 新, when: {subject contains: VPN}, then: {tags: [a], team: security}}",
            "team",
            ["新"],
        ),
        ("{name: 新, when: {subject contains: VPN}, then: {tags: [a], team: security}}", "tags", ["新"]),
        ("{name: 新, when: {subject contains: VPN}, then: {severity at least: 1}}", "severity", ["新"]),
        ("{name: 新, when: {subject contains: VPN}, then: {approval: manager}}", "team", ["新"]),
        ("{name: 新, when: {subject contains: VPN}, then: {approval: manager}}", "approval", ["新"]),
        (
            "{name: 新, when: {subject contains: VPN}, then: {category: other}, stop: true}",
            "category",
            ["新", "VPN 与专线 vpn"],
        ),
        (
            "{name: 新, when: {subject contains: VPN}, stop: true, then: {tags: [a]}}",
            "category",
            ["VPN 与专线 vpn", "新"],
        ),
        ("{name: 新, when: {subject contains: VPN}, capture: {code: '(V)PN'}}", "error_codes", ["新"]),
    ],
)
def test_the_rules_that_set_a_fact_are_named_and_no_others(desk, rule, fact, rules):
    new = change(
        desk.folder / "rules",
        ("\nrules:\n", f"\nrules:\n  - {rule}\n  - {{name: 旁观, then: {{watchers: [a@b.example]}}}}\n"),
    )
    groups = trial_data(back_test(asked(desk, new), desk.desk.store), BEIJING)["groups"]
    (group,) = [g for g in groups if g["fact"] == fact and g["tickets"] == [1]]
    assert set(group["rules"]) == set(rules)


@pytest.fixture
def desk(tmp_path):
    desk = desk_with(tmp_path / "desk")
    for n, subject in enumerate(("VPN 连不上", "打印机卡纸", "Printer again", "代开增值税发票")):
        desk.clock.at += timedelta(days=1)
        desk.arrives(write(SENDERS[0], f"请看一下 {n}", subject=subject))
        flow.handle_waiting(desk.desk)
    return desk


def test_what_changes_is_grouped_with_counts_numbers_and_the_rule(desk):
    new = change(desk.folder / "rules", *CHANGED)
    trial = back_test(asked(desk, new), desk.desk.store)
    said = trial_data(trial, BEIJING)
    groups = {g["fact"]: g for g in said["groups"]}
    assert (said["mails"], said["changed"]) == (4, 3) and said["rules"]["new"] == new.version
    assert groups["category"] | {"fact": "", "kind": ""} == {
        "fact": "", "kind": "", "old": "hardware/printer", "new": "other", "count": 1, "rules": groups["category"]["rules"],
        "tickets": [3], "mails": [3],
    }  # fmt: skip
    assert "打印机 printer" in groups["category"]["rules"]
    tags = next(g for g in said["groups"] if g["fact"] == "tags")
    assert tags["new"] == "vpn" and tags["tickets"] == [1] and tags["rules"] == ["VPN 与专线 vpn"]
    fate = next(g for g in said["groups"] if g["fact"] == "outcome")
    assert (
        fate["old"].startswith("dropped by the rule")
        and fate["new"] == "opened"
        and fate["mails"] == [4]
        and fate["tickets"] == []
    )
    text = "\n".join(trial_lines(trial))
    assert "4 stored mails tried: 3 would be decided otherwise" in text
    assert "category: hardware/printer → other" in text and "mail 4" in text


def test_only_so_far_back_and_only_so_many(desk):
    new = change(desk.folder / "rules", *CHANGED)
    since = desk.now + timedelta(days=2)
    assert back_test(asked(desk, new, since=since), desk.desk.store).mails == 3
    assert [d.decided.mail for d in back_test(asked(desk, new, limit=1), desk.desk.store).differences] == [4]


def test_what_cannot_be_tried_is_named(desk):
    store = desk.desk.store
    store.base.run("DELETE FROM raw WHERE mail = ?", (1,))
    store.base.run("UPDATE raw SET content = ? WHERE mail = ?", (b"From: x\r\n\r\n", 2))
    store.base.run("UPDATE mail SET path = ? WHERE id = ?", ("aa/gone", 3))
    trial = back_test(asked(desk, desk.desk.rulebook), store)
    assert trial.mails == 1 and [(u.mail, u.ticket) for u in trial.unread] == [(1, 1), (2, 2), (3, 3)]
    whys = [u["why"] for u in trial_data(trial, BEIJING)["unread"]]
    assert "not kept" in whys[0] and "damaged" in whys[1] and "spool" in whys[2]
    assert sum("could not be tried" in line for line in trial_lines(trial)) == 3


def test_several_processes_find_the_same(tmp_path, monkeypatch):
    desk = desk_with(tmp_path / "desk")
    play(desk, generated(60, seed=3))
    new = change(desk.folder / "rules", *CHANGED)
    alone = back_test(asked(desk, new), desk.desk.store)
    monkeypatch.setattr("daemon.backtest._FEW", 0)
    monkeypatch.setattr("daemon.backtest._HANDFUL", 7)
    assert back_test(asked(desk, new), desk.desk.store, workers=2) == alone and alone.differences
