"""Who gets a ticket: skill, line, load, working hours, absence, the rota; the queue, recalls, and line 2 by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.cli import run_command
from daemon.dispatch import Staff, by_urgency, place
from daemon.notify.catalogue import TEMPLATES
from daemon.rota import on_call, stretches
from daemon.routing.check import check_rulebook
from daemon.routing.loader import load_partly, load_rulebook
from daemon.rulebook import Person, Rota, Rulebook, Swap, Team
from daemon.ticket import Ticket, after
from daemon.words import Dispatch, Role, Severity, State
from tests.desk import BEIJING, MONDAY_10AM, ROOT, Sent, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, ENGINEER, LEAD, mail_to

TRUSTED = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=example.com"}
DESK = "陈静 <chen.jing@example.com>"
OUTAGE = "各位好，全公司断网了，所有人都上不了网！"
SUNDAY = datetime(2026, 11, 22, 11, 0, tzinfo=BEIJING)
BOOK = load_rulebook(ROOT / "rules")


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    first = TestDesk(tmp_path)
    text = (first.folder / "ticketd.toml").read_text("utf-8")
    return TestDesk(tmp_path, toml=text.replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]'))


def staffed(desk: TestDesk, **changes: dict) -> None:
    """Change people: staffed(desk, wang_wei={"capacity": 1})."""
    book = desk.desk.rulebook
    people = {**book.people}
    for key, values in changes.items():
        people[key.replace("_", ".")] = replace(people[key.replace("_", ".")], **values)
    desk.desk.rulebook = replace(book, people=people)


def vpn(desk: TestDesk, n: int = 1, text: str = "VPN 今早连不上") -> list[Sent]:
    return desk.receives(write(CUSTOMER, f"{text} {n}", subject=f"VPN {n}"))


def whom(sent: list[Sent]) -> list[str]:
    return [m.to.partition("@")[0] for m in sent]


def holders(desk: TestDesk) -> list[str]:
    return [t.assignee for t in desk.desk.store.register.tickets()]


# --- who is chosen ---


@pytest.mark.procedure("5/skill", "8/assignment")
def test_one_engineer_is_chosen_and_told_why(desk: TestDesk) -> None:
    sent = vpn(desk)
    assert whom(sent) == ["zhang.san", "wang.wei"]
    assert "派给您的理由：专长 VPN 与专线，手上 0 张，上限 8 张。" in mail_to(sent, "wang.wei").letter.text
    (given_to,) = desk.events(1, "Assigned")
    assert (given_to.by, given_to.because) == ("dispatch", ("skill:network/vpn", "load:0", "capacity:8"))
    assert desk.ticket(1).because == given_to.because and desk.desk.store.register.rebuild() == []


def test_the_customer_is_not_told_why(desk: TestDesk) -> None:
    assert "上限" not in mail_to(vpn(desk), "zhang.san").letter.text


@pytest.mark.procedure("5/load")
def test_line_1_first_and_line_2_when_it_is_full(desk: TestDesk) -> None:
    staffed(desk, wang_wei={"capacity": 1})
    vpn(desk, 1), vpn(desk, 2)
    assert holders(desk) == ["wang.wei", "zhao.min"]
    assert desk.ticket(2).line == 2 and "line:2" in desk.ticket(2).because


@pytest.mark.procedure("5/skill")
def test_the_closer_skill_wins_on_the_same_line(desk: TestDesk) -> None:
    staffed(desk, wang_wei={"skills": ("network",)}, zhao_min={"line": 1, "skills": ("network/vpn",)})
    vpn(desk)
    assert holders(desk) == ["zhao.min"]


@pytest.mark.procedure("5/load")
def test_the_load_decides_between_equals(desk: TestDesk) -> None:
    staffed(desk, zhao_min={"line": 1, "skills": ("network/vpn",), "capacity": 4})
    for n in range(6):
        vpn(desk, n)
    assert holders(desk) == ["wang.wei", "zhao.min", "wang.wei", "zhao.min", "wang.wei", "wang.wei"], "eight to four"


@pytest.mark.procedure("5/hours")
def test_who_is_away_is_not_chosen(desk: TestDesk) -> None:
    away = ((date(2026, 11, 23), date(2026, 11, 25)),)
    staffed(desk, wang_wei={"absences": away})
    vpn(desk)
    assert holders(desk) == ["zhao.min"]


def test_a_vendor_is_never_chosen(desk: TestDesk) -> None:
    staffed(desk, wang_wei={"roles": frozenset({Role.VENDOR})})
    vpn(desk)
    assert holders(desk) == ["zhao.min"]


def test_a_team_that_does_not_choose_is_told_as_a_whole(desk: TestDesk) -> None:
    book = desk.desk.rulebook
    network = replace(book.teams["network"], dispatch=Dispatch.TEAM)
    desk.desk.rulebook = replace(book, teams={**book.teams, "network": network})
    sent = vpn(desk)
    assert holders(desk) == [""] and set(whom(sent)) == {"zhang.san", "wang.wei", "zhao.min"}
    assert desk.waits(hours=1) == [] and desk.ticket(1).queued_at is None


# --- the queue ---


def full_house(desk: TestDesk) -> None:
    staffed(desk, wang_wei={"capacity": 1}, zhao_min={"capacity": 1})
    vpn(desk, 1), vpn(desk, 2)


def test_when_nobody_is_free_it_waits_and_lead_and_desk_are_told_once(desk: TestDesk) -> None:
    full_house(desk)
    sent = vpn(desk, 3)
    assert whom(sent) == ["zhang.san", "zhao.min", "chen.jing"]
    told = mail_to(sent, "chen.jing")
    assert "排队等人" in told.subject and "王伟：手上 1 张，上限 1 张" in told.letter.text
    ticket = desk.ticket(3)
    assert (ticket.state, ticket.team, ticket.assignee) == (State.ASSIGNED, "network", "")
    assert ticket.queued_at is not None and desk.waits(minutes=5) == []


def test_of_the_end_of_what_waited_only_those_hear_who_heard_of_it(desk: TestDesk) -> None:
    full_house(desk)
    mail = mail_to(vpn(desk, 3), "zhang.san")
    assert whom(desk.receives(reply(mail, CUSTOMER, "#取消"))) == ["zhang.san", "zhao.min", "zhang.san"]


@pytest.mark.procedure("5/urgent_first")
def test_the_most_urgent_goes_first_as_soon_as_somebody_is_free(desk: TestDesk) -> None:
    full_house(desk)
    vpn(desk, 3)
    vpn(desk, 4, "整个部门的 VPN 都连不上，很急")
    desk.receives(write(DESK, "#级别 2 整个部门", subject="[INC-4]", **TRUSTED))
    sent = desk.receives(write(ENGINEER, "#受理\n#已解决 重启了网关", subject="[INC-1]", **TRUSTED))
    assert holders(desk)[2:] == ["", "wang.wei"]
    assert any("很急" in m.letter.text for m in sent if m.to.startswith("wang.wei")), "with what was reported"
    desk.receives(write(LEAD, "#受理\n#挂起 客户 等日志", subject="[INC-2]", **TRUSTED))
    assert holders(desk)[2] == "zhao.min", "what waits for the customer is not at hand"
    assert desk.desk.store.register.rebuild() == []


def test_the_queue_outlives_a_restart_and_nobody_gets_it_twice(tmp_path: Path, desk: TestDesk) -> None:
    full_house(desk)
    vpn(desk, 3)
    desk.desk.store.close()
    again = TestDesk(tmp_path, now=desk.clock.at + timedelta(minutes=1), toml=desk.toml)
    assert whom(again.works()) == ["wang.wei"], "the rules in the files let him have eight"
    assert again.works() == [] and len(again.events(3, "Assigned")) == 1


@pytest.mark.procedure("5/hours")
def test_at_night_it_waits_for_the_morning(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path, now=SUNDAY)
    sent = vpn(desk)
    assert whom(sent) == ["zhang.san", "zhao.min", "chen.jing"]
    assert "最早 11月23日（周一）09:00 有人上班" in mail_to(sent, "chen.jing").letter.text
    desk.clock.at = MONDAY_10AM.replace(hour=8, minute=59)
    assert "wang.wei" not in whom(desk.works())
    assert "wang.wei" in whom(desk.waits(minutes=1)) and holders(desk) == ["wang.wei"]


def test_who_gave_it_to_the_team_does_not_get_it_back(desk: TestDesk) -> None:
    staffed(desk, zhao_min={"capacity": 1})
    sent = vpn(desk, 1)
    desk.receives(write(DESK, "#转派 赵敏", subject="[INC-1]", **TRUSTED))
    vpn(desk, 2)
    sent = desk.receives(write(ENGINEER, "#转派 网络组 我这边走不开", subject="[INC-2]", **TRUSTED))
    assert desk.ticket(2).assignee == "" and desk.ticket(2).not_for == ("wang.wei",)
    assert desk.waits(minutes=2) == [] and "zhao.min" in whom(sent)
    desk.receives(write(LEAD, "#受理\n#已解决 换了证书", subject="[INC-1]", **TRUSTED))
    assert desk.ticket(2).assignee == "zhao.min"


def test_whoever_is_named_gets_it_however_full_and_absence_is_pointed_out(desk: TestDesk) -> None:
    full_house(desk)
    away = ((date(2026, 11, 23), date(2026, 11, 25)),)
    staffed(desk, zhao_min={"absences": away})
    sent = desk.receives(write(DESK, "#转派 赵敏", subject="[INC-1]", **TRUSTED))
    assert desk.ticket(1).assignee == "zhao.min"
    assert "这个人休假到 11月25日" in mail_to(sent, "chen.jing").letter.text


def test_reopened_while_its_engineer_is_away_it_goes_to_somebody_else(desk: TestDesk) -> None:
    sent = vpn(desk)
    sent = desk.receives(write(ENGINEER, "#受理\n#已解决 重启了网关", subject="[INC-1]", **TRUSTED))
    staffed(desk, wang_wei={"absences": ((date(2026, 11, 23), date(2026, 11, 25)),)})
    sent = desk.receives(reply(mail_to(sent, "zhang.san"), CUSTOMER, "还是不行，又断了。"))
    ticket = desk.ticket(1)
    assert (ticket.assignee, ticket.state) == ("zhao.min", State.ASSIGNED)
    assert ticket.because[0] == "instead:wang.wei" and "zhao.min" in whom(sent)


# --- out of hours, and the rota ---


@pytest.mark.procedure("5/rota")
def test_out_of_hours_who_is_on_call_gets_what_is_grave(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path, now=datetime(2026, 11, 28, 23, 0, tzinfo=BEIJING))
    sent = desk.receives(write(CUSTOMER, OUTAGE, subject="全公司断网"))
    assert desk.ticket(1).severity is Severity.CRITICAL and holders(desk) == ["zhao.min"]
    assert "正在值班" in next(m for m in sent if m.to.startswith("zhao.min") and "请处理" in m.subject).letter.text
    vpn(desk, 2)
    assert desk.ticket(2).assignee == "", "what is not grave lets them sleep"


ROTA = Rota(
    team="network",
    order=("zhao.min", "wang.wei"),
    starts=date(2026, 11, 23),
    handover=MONDAY_10AM.replace(hour=9).time(),
)
PEOPLE = BOOK.people


def on(rota: Rota, day: int, hour: int, month: int = 11, people=PEOPLE):
    return on_call(rota, people, "Asia/Shanghai", datetime(2026, month, day, hour, 0, tzinfo=BEIJING))


@pytest.mark.procedure("5/rota")
def test_the_week_is_handed_over_at_its_hour() -> None:
    assert on(ROTA, 23, 8) is None, "not yet"
    assert on(ROTA, 23, 9).person == "zhao.min" and on(ROTA, 30, 8).person == "zhao.min"
    assert on(ROTA, 30, 9).person == "wang.wei" and on(ROTA, 7, 9, 12).person == "zhao.min"


def test_the_handover_keeps_its_hour_when_the_clocks_change() -> None:
    rota = replace(ROTA, starts=date(2026, 10, 19), zone="Europe/Berlin")
    before = datetime.fromisoformat("2026-10-26T08:59:00+01:00")
    assert on_call(rota, PEOPLE, "UTC", before).person == "zhao.min"
    assert on_call(rota, PEOPLE, "UTC", before + timedelta(minutes=1)).person == "wang.wei"


@pytest.mark.procedure("5/rota")
def test_a_swap_lasts_from_handover_to_handover() -> None:
    rota = replace(
        ROTA, swaps=(Swap(first=date(2026, 11, 25), last=date(2026, 11, 25), who="wang.wei", instead_of="zhao.min"),)
    )
    assert [on(rota, d, h).person for d, h in ((25, 8), (25, 9), (26, 8), (26, 9))] == [
        "zhao.min",
        "wang.wei",
        "wang.wei",
        "zhao.min",
    ]
    assert on(rota, 25, 12).swapped == "zhao.min"


@pytest.mark.procedure("5/rota")
def test_who_is_away_is_stood_in_for_by_the_next() -> None:
    people = {**PEOPLE, "zhao.min": replace(PEOPLE["zhao.min"], absences=((date(2026, 11, 25), date(2026, 11, 26)),))}
    there = on(ROTA, 25, 12, people=people)
    assert (there.person, there.absent) == ("wang.wei", ("zhao.min",))
    found = list(stretches(ROTA, people, "Asia/Shanghai", MONDAY_10AM, 2))
    assert [(s.who.person, f"{s.since:%d %H:%M}") for s in found] == [
        ("zhao.min", "23 10:00"), ("wang.wei", "25 00:00"), ("zhao.min", "27 00:00"), ("wang.wei", "30 09:00")
    ]  # fmt: skip


# --- recall ---


@pytest.mark.procedure("5/recall", "8/recall")
def test_an_engineer_is_called_back_from_the_least_grave_work(desk: TestDesk) -> None:
    full_house(desk)
    desk.receives(write(ENGINEER, "#受理", subject="[INC-1]", **TRUSTED))
    sent = desk.receives(write(CUSTOMER, OUTAGE, subject="全公司断网"))
    assert holders(desk) == ["wang.wei", "", "zhao.min"], "the one that nobody had begun is put down"
    (recalled,) = desk.events(2, "Recalled")
    assert (recalled.person, recalled.ticket, recalled.severity) == ("zhao.min", 3, 1)
    (called_in,) = desk.events(3, "CalledIn")
    assert (called_in.person, called_in.ticket) == ("zhao.min", 2)
    to_engineer = next(m for m in sent if m.to.startswith("zhao.min") and "请马上处理" in m.subject)
    assert "请放下 INC-2" in to_engineer.letter.text and "上不了网" in to_engineer.letter.text
    assert not [m for m in sent if m.to.startswith("zhao.min") and "，请处理" in m.subject]
    put_down = [m for m in sent if "处理人被召回" in m.subject]
    assert sorted(whom(put_down)) == ["chen.jing", "sun.li"], "who owns it, and the desk"
    assert whom(sent).count("zhang.san") == 1, "the promise to the other customer stays"
    assert desk.ticket(2).queued_at is not None and desk.desk.store.register.rebuild() == []
    assert desk.waits(minutes=2) == []


@pytest.mark.parametrize("words", ["#关联 2\n#转派 网络组", "#拆分 全公司断网，所有人都上不了网"])
def test_a_mail_may_touch_the_very_ticket_that_somebody_is_called_back_from(desk: TestDesk, words: str) -> None:
    full_house(desk)
    desk.receives(write(ENGINEER, "#级别 1 全断\n#受理", subject="[INC-1]", **TRUSTED))
    sent = desk.receives(write(ENGINEER, words, subject="[INC-1]", message_id="<next@example.com>", **TRUSTED))
    assert desk.mail_status()[-1][0] == "handled" and any("已按您的来信更新" in m.subject for m in sent)
    assert len(desk.events(2, "Recalled")) == 1 and desk.desk.store.register.rebuild() == []


def test_nobody_is_called_back_from_work_as_grave(desk: TestDesk) -> None:
    staffed(desk, wang_wei={"capacity": 1}, zhao_min={"capacity": 1})
    for n in range(3):
        desk.receives(write(CUSTOMER, f"{OUTAGE}{n}", subject=f"全公司断网 {n}"))
    assert holders(desk) == ["wang.wei", "zhao.min", ""] and not desk.events(1, "Recalled")


@pytest.mark.procedure("5/recall")
def test_a_ticket_that_becomes_grave_while_it_waits_calls_somebody_back(desk: TestDesk) -> None:
    full_house(desk)
    vpn(desk, 3)
    desk.receives(write(DESK, "#级别 1 全公司", subject="[INC-3]", **TRUSTED))
    assert desk.ticket(3).assignee and "Recalled" in desk.history(1) + desk.history(2)
    assert holders(desk).count("") == 1


# --- line 2 by itself ---


def with_hand_up(desk: TestDesk) -> None:
    book = desk.desk.rulebook
    level = book.service_levels["standard"]
    steps = tuple(replace(s, hand_up=2) if s.clock == "resolve" and s.percent == 75 else s for s in level.steps)
    desk.desk.rulebook = replace(book, service_levels={"standard": replace(level, steps=steps)})


@pytest.mark.procedure("5/share")
def test_when_the_time_of_line_1_is_used_up_line_2_takes_over(desk: TestDesk) -> None:
    with_hand_up(desk)
    vpn(desk)
    desk.receives(write(ENGINEER, "#受理", subject="[INC-1]", **TRUSTED))
    sent = desk.waits(days=4)
    (up,) = desk.events(1, "HandedUp")
    assert (up.by, up.line, up.former) == ("clock", 2, "wang.wei")
    ticket = desk.ticket(1)
    assert (ticket.assignee, ticket.line, ticket.handed_up) == ("zhao.min", 2, 1)
    assert "一线的处理时间用完了" in next(m for m in sent if "已转二线" in m.subject).letter.text
    desk.waits(days=2)
    assert len(desk.events(1, "HandedUp")) == 1


@pytest.mark.procedure("5/line2")
def test_line_2_chooses_among_its_people(desk: TestDesk) -> None:
    vpn(desk)
    desk.receives(write(ENGINEER, "#转二线 要查防火墙", subject="[INC-1]", **TRUSTED))
    assert (desk.ticket(1).assignee, desk.ticket(1).line) == ("zhao.min", 2)


# --- properties ---

TEAM = Team(key="net", name={}, members=("a", "b", "c"), dispatch=Dispatch.AUTO)


def person(key: str, capacity: int) -> Person:
    return Person(
        key=key, name=key, addresses=(f"{key}@x.example",), roles=frozenset({Role.ENGINEER}), capacity=capacity
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=3),
    st.lists(st.tuples(st.sampled_from(list(Severity)), st.booleans()), max_size=15),
)
def test_nobody_ever_has_more_than_they_can_and_nothing_has_two(capacities: list[int], arrivals: list) -> None:
    people = {k: person(k, c) for k, c in zip("abc", capacities, strict=True)}
    book = Rulebook(people=people, teams={"net": TEAM}, recall=frozenset({Severity.CRITICAL}))
    tickets: dict[int, Ticket] = {}

    def staff() -> Staff:
        held = [t.assignee for t in tickets.values() if t.open and t.assignee]
        return Staff(rulebook=book, zone="UTC", now=MONDAY_10AM, load={k: held.count(k) for k in people})

    def given_out(ticket: Ticket) -> None:
        placement = place(ticket, staff(), tuple(tickets.values()), ticket.not_for)
        tickets[ticket.number] = after(ticket, placement.events)
        assert placement.found is bool(tickets[ticket.number].assignee)
        if placement.recalled:
            lower = placement.recalled
            assert lower.severity > ticket.severity
            tickets[lower.number] = after(lower, placement.after_recall)

    for number, (severity, solves) in enumerate(arrivals, start=1):
        given_out(Ticket(number=number, team="net", severity=severity, state=State.ASSIGNED, opened_at=MONDAY_10AM))
        if solves and (held := [t for t in tickets.values() if t.open and t.assignee]):
            tickets[held[0].number] = replace(held[0], state=State.RESOLVED)
            for waiting in by_urgency(t for t in tickets.values() if t.queued_at and t.open):
                given_out(replace(waiting))
        load = staff().load
        assert all(load[k] <= c for k, c in zip("abc", capacities, strict=True) if c)
        waiting = [t for t in tickets.values() if t.open and not t.assignee]
        assert all(t.queued_at for t in waiting)
        assert not waiting or all(c and load[k] == c for k, c in zip("abc", capacities, strict=True)), (
            "free, and one waits"
        )
        if any(t.severity is Severity.CRITICAL for t in waiting):
            assert not [t for t in tickets.values() if t.open and t.assignee and t.severity > Severity.CRITICAL]


# --- the check ---


def test_the_check_names_what_is_wrong_with_a_rota() -> None:
    outsider = replace(ROTA, order=("zhao.min", "li.na"), where="rota.yaml:3")
    idle = replace(
        ROTA,
        swaps=(
            Swap(
                first=date(2026, 11, 25),
                last=date(2026, 11, 25),
                who="zhao.min",
                instead_of="wang.wei",
                where="rota.yaml:9",
            ),
        ),
    )
    found = [str(p) for p in check_rulebook(replace(BOOK, rota={"network": outsider}), TEMPLATES)]
    assert found == [
        "rota.yaml:3: 'li.na' is on call for the team 'network', but not in it; add them to its members in people.yaml, or take them out of the rota"
    ]
    (said,) = check_rulebook(replace(BOOK, rota={"network": idle}), TEMPLATES)
    assert str(said) == "rota.yaml:9: warning: 'wang.wei' is not on call then, 'zhao.min' is; the swap does nothing"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("order: [zhao.min, wang.wei]", "order: []", "nobody is in the rota of 'network'"),
        ("order: [zhao.min, wang.wei]", "order: [zhao.mim]", "no person is called 'zhao.mim' (did you mean 'zhao.min'?)"),
        ("  network:\n", "  netwrok:\n", "no team is called 'netwrok' (did you mean 'network'?)"),
        ("starts: 2026-11-23", "starts: 2026-11-24", "2026-11-24 is a tue, but the rota is handed over on another day"),
        ("handover: mon 09:00", "handover: monday", "'monday' is no weekday with a time; write handover: mon 09:00"),
        ("swaps: []", "swaps: [{who: wang.wei}]", "a swap says when it is"),
        ("swaps: []", "swaps: [{week: 2026-12-07, who: wang.wei}, {days: 2026-12-13 to 2026-12-14, who: zhao.min}]", "overlap with another swap (rota.yaml:"),
        ("recall: [1]", "recall: [0]", "a severity is 1, 2, 3 or 4, got '0'"),
    ],
)  # fmt: skip
def test_a_broken_rota_is_named_with_its_line_and_the_cure(tmp_path: Path, old: str, new: str, expected: str) -> None:
    for path in (ROOT / "rules").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rota = tmp_path / "rota.yaml"
    text = rota.read_text("utf-8")
    assert old in text
    rota.write_text(text.replace(old, new, 1), "utf-8")
    problems = load_partly(tmp_path)[1]
    assert any(expected in p.what and p.file.endswith("rota.yaml") and p.line for p in problems), problems


def test_without_a_rota_file_nobody_is_on_call(tmp_path: Path) -> None:
    for path in (ROOT / "rules").glob("*.yaml"):
        if path.name != "rota.yaml":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    book = load_rulebook(tmp_path)
    assert (book.rota, book.out_of_hours, book.recall) == ({}, frozenset(), frozenset())


# --- what operators can look at ---


def test_the_rota_is_shown_with_its_reasons(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(desk.folder / "ticketd.toml")
    asked = ["--config", config, "rota", "network", "--weeks", "2", "--as-of", MONDAY_10AM.isoformat()]
    assert run_command([*asked, "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert [(s["person"], s["since"]) for s in said["on_call"]] == [
        ("zhao.min", "2026-11-23T10:00:00+08:00"), ("wang.wei", "2026-11-30T09:00:00+08:00")
    ]  # fmt: skip
    assert run_command([*asked, "--lang", "zh"]) == 0
    shown = capsys.readouterr().out
    assert "赵敏" in shown and "轮到" in shown and "2026-11-30 09:00" in shown
    assert run_command(["--config", config, "rota", "netwrok"]) == 1
    assert "did you mean 'network'?" in capsys.readouterr().err


# --- what those at work are told while none of them is there ---

AWAY = {"absences": ((date(2026, 11, 20), date(2026, 12, 5)),)}


def test_a_customers_words_on_a_waiting_ticket_reach_somebody_while_the_lead_is_away(desk: TestDesk) -> None:
    staffed(desk, zhao_min=AWAY)
    acknowledged, *_ = desk.receives(write(CUSTOMER, "收到可疑邮件", subject="钓鱼邮件 phishing"))
    assert desk.ticket(1).queued_at
    sent = desk.receives(reply(acknowledged, CUSTOMER, "更多邮件来了，很急！"))
    assert whom(sent) == ["zhao.min", "sun.li", "mary.jones"]  # the project managers are next in line
    assert "组长赵敏在 12月5日之前（含当天）不在，所以转给您。" in mail_to(sent, "sun.li").letter.text
    assert "很急" in mail_to(sent, "sun.li").letter.text
    assert "不在，所以转给您" not in mail_to(sent, "zhao.min").letter.text


def test_a_customers_words_reach_the_colleagues_of_an_engineer_who_is_away(desk: TestDesk) -> None:
    acknowledged, assignment = vpn(desk)
    desk.receives(reply(assignment, ENGINEER, "#受理"))
    staffed(desk, wang_wei=AWAY)
    sent = desk.receives(reply(acknowledged, CUSTOMER, "现在全断了，非常急"))
    assert whom(sent) == ["wang.wei", "zhao.min"]
    assert "处理人王伟在 12月5日之前（含当天）不在" in mail_to(sent, "zhao.min").letter.text
    html = message_from_bytes(mail_to(sent, "zhao.min").raw, policy=default).get_body(("html",))
    assert "处理人王伟在" in html.get_content()


def test_where_the_whole_line_is_away_the_desk_hears_it(desk: TestDesk) -> None:
    acknowledged, assignment = vpn(desk)
    desk.receives(reply(assignment, ENGINEER, "#受理"))
    away = ("wang_wei", "zhao_min", "sun_li", "mary_jones", "zhou_qiang", "wu_fang", "he_lei")
    staffed(desk, **dict.fromkeys(away, AWAY))
    assert whom(desk.receives(reply(acknowledged, CUSTOMER, "现在全断了"))) == ["wang.wei", "chen.jing"]


def test_nobody_else_hears_it_while_somebody_at_work_is_there(desk: TestDesk) -> None:
    staffed(desk, zhao_min=AWAY)
    acknowledged, assignment = vpn(desk)
    desk.receives(reply(assignment, ENGINEER, "#受理"))
    assert whom(desk.receives(reply(acknowledged, CUSTOMER, "还是不行"))) == ["wang.wei"]


def test_a_ticket_given_to_somebody_away_is_told_to_the_next_in_line_too(desk: TestDesk) -> None:
    _, assignment = vpn(desk)
    staffed(desk, zhao_min=AWAY)
    sent = desk.receives(reply(assignment, ENGINEER, "#转派 赵敏"))
    assert whom(sent) == ["zhao.min", "wang.wei"]  # who handed it over has the transcript
    assert "INC-1" in mail_to(sent, "wang.wei").subject
