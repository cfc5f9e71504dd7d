"""The escalation timetable cell by cell: who is told at which moment, to the second, and that nobody else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemon.rulebook import Forecast
from daemon.words import Severity
from tests.desk import BEIJING, Sent
from tests.two_languages import CUSTOMER, DESK, DIRECTOR, ENGINEER, LEAD, MANAGER, PM, Office, answer, to

ROLES = {
    "zhao.min": "lead", "sun.li": "pm", "zhou.qiang": "manager", "wu.fang": "director", "zheng.hao": "sales",
    "chen.jing": "desk", "gao.feng": "vendor",
}  # fmt: skip
REPORTS = {
    1: ("全公司断网", "各位好，全公司都上不了网！", "No internet", "Hello, the whole company is offline, everybody!"),
    2: ("VPN 连不上，紧急", "我们部门都连不上。", "VPN down, urgent", "Our whole department is cut off."),
    3: ("VPN 连不上，紧急", "提示错误 691。", "VPN down, urgent", "It says error 691."),
    4: ("VPN 连不上", "提示错误 691。", "VPN down", "It says error 691."),
}
"""What a customer of the network team writes so that the rules grade it 1, 2, 3 or 4."""


class Watched(Office):
    """An office in which somebody counts the escalations."""

    escalations = 0


def reported(
    folder: Path, severity: int, language: str, now: datetime, *, forecast: bool = False
) -> tuple[Watched, list[Sent]]:
    """Return an office where an incident of this severity was just reported, and the mails about that."""
    desk = Watched(folder, language, now)
    if not forecast:
        level = replace(desk.desk.rulebook.service_levels["standard"], forecast=Forecast())
        desk.desk.rulebook = replace(desk.desk.rulebook, service_levels={"standard": level})
    zh_subject, zh_text, subject, text = REPORTS[severity]
    sent = desk.reports(zh_text, zh_subject) if language == "zh" else desk.reports(text, subject)
    assert desk.ticket(1).severity == severity and desk.ticket(1).team == "network"
    return desk, sent


def told(desk: Watched, sent: list[Sent]) -> list[str]:
    """Return who was told of a step by these mails, as "when role", in the order in which they were owed."""
    rows = desk.desk.store.base.rows("SELECT recipient FROM notice WHERE template = 'escalation' ORDER BY id")
    escalations = [r for (r,) in rows][desk.escalations :]
    desk.escalations += len(escalations)
    assert all(any(m.to == r for m in sent) for r in escalations), "owed and sent"
    return [f"{desk.clock.at:%d %H:%M:%S} {ROLES[r.partition('@')[0]]}" for r in escalations]


def lived_through(desk: Watched, sent: list[Sent], until: datetime) -> list[str]:
    """Go from one moment at which something is due to the next; return who was told of a step, and when."""
    seen = told(desk, sent)
    while (due := desk.ticket(1).next_due_at) and due <= until:
        desk.clock.at = due.astimezone(BEIJING)
        seen += told(desk, desk.works())
    return seen


CELLS = [
    pytest.param(
        1, "2026-11-23 10:00", "2026-11-23 17:00",
        [
            "23 10:00:00 lead", "23 10:00:00 pm", "23 10:00:00 manager",
            "23 10:07:30 lead", "23 10:07:30 desk",
            "23 10:15:00 pm", "23 10:15:00 manager",
            "23 11:00:00 lead",  # line 2 of the network is its lead
            "23 12:00:00 manager", "23 12:00:00 vendor",
            "23 13:00:00 director",
            "23 14:00:00 director", "23 14:00:00 sales",
            "23 15:00:00 director", "23 16:00:00 director", "23 17:00:00 director",
        ],
        id="severity 1",
        marks=pytest.mark.procedure("6/1", "6/1/record", "6/1/respond50", "6/1/respond100", "6/1/resolve25", "6/1/resolve50",
                                    "6/1/resolve75", "6/1/resolve100", "6/1/overdue")),
    pytest.param(
        1, "2026-11-28 23:50", "2026-11-29 06:00",  # a Saturday night: this one never rests
        [
            "28 23:50:00 lead", "28 23:50:00 pm", "28 23:50:00 manager",
            "28 23:57:30 lead", "28 23:57:30 desk",
            "29 00:05:00 pm", "29 00:05:00 manager",
            "29 00:50:00 lead",
            "29 01:50:00 manager", "29 01:50:00 vendor",
            "29 02:50:00 director",
            "29 03:50:00 director", "29 03:50:00 sales",
            "29 04:50:00 director", "29 05:50:00 director",
        ],
        id="severity 1, at night", marks=pytest.mark.procedure("6/1", "6/1/overdue")),
    pytest.param(
        2, "2026-11-23 10:00", "2026-11-23 22:00",
        [
            "23 10:00:00 lead", "23 10:15:00 lead", "23 10:30:00 pm",
            "23 14:00:00 pm", "23 14:00:00 lead",  # line 2 joins
            "23 16:00:00 manager",
            "23 18:00:00 manager", "23 18:00:00 director",
            "23 20:00:00 manager", "23 20:00:00 director", "23 22:00:00 manager", "23 22:00:00 director",
        ],
        id="severity 2",
        marks=pytest.mark.procedure("6/2", "6/2/record", "6/2/respond50", "6/2/respond100", "6/2/resolve25", "6/2/resolve50",
                                    "6/2/resolve75", "6/2/resolve100", "6/2/overdue")),
    pytest.param(
        3, "2026-11-23 10:00", "2026-11-27 18:00",
        [
            "23 12:00:00 lead",
            "24 15:00:00 lead", "24 15:00:00 pm",  # twelve working hours: seven on Monday, five on Tuesday
            "25 10:00:00 pm", "25 10:00:00 manager",
            "26 10:00:00 pm", "26 10:00:00 manager", "27 10:00:00 pm", "27 10:00:00 manager",
        ],
        id="severity 3",
        marks=pytest.mark.procedure("6/3", "6/3/record", "6/3/respond50", "6/3/respond100", "6/3/resolve25", "6/3/resolve50",
                                    "6/3/resolve75", "6/3/resolve100", "6/3/overdue", "6/lunch")),
    pytest.param(
        3, "2026-09-30 17:00", "2026-10-12 18:00",  # National Day until the seventh, Saturday the tenth is worked
        [
            "08 10:00:00 lead",
            "09 12:00:00 lead", "09 12:00:00 pm",
            "09 17:00:00 pm", "09 17:00:00 manager",
            "10 17:00:00 pm", "10 17:00:00 manager", "12 17:00:00 pm", "12 17:00:00 manager",
        ],
        id="severity 3, over a holiday",
        marks=pytest.mark.procedure("6/3", "6/3/overdue", "6/holidays", "6/make_up", "6/lunch")),
    pytest.param(
        4, "2026-11-23 10:00", "2026-12-02 18:00",
        [
            "23 15:00:00 lead", "26 17:00:00 lead", "30 10:00:00 pm", "01 10:00:00 pm", "02 10:00:00 pm",
        ],
        id="severity 4",
        marks=pytest.mark.procedure("6/4", "6/4/record", "6/4/respond50", "6/4/respond100", "6/4/resolve25", "6/4/resolve50",
                                    "6/4/resolve75", "6/4/resolve100", "6/4/overdue", "6/lunch")),
]  # fmt: skip


@pytest.mark.procedure("8/escalation")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("severity", "since", "until", "expected"), CELLS)
def test_a_ticket_that_nobody_touches(
    tmp_path: Path, severity: int, since: str, until: str, expected: list[str], language: str
) -> None:
    now = datetime.fromisoformat(since).replace(tzinfo=BEIJING)
    desk, sent = reported(tmp_path, severity, language, now)
    assert lived_through(desk, sent, datetime.fromisoformat(until).replace(tzinfo=BEIJING)) == expected


@pytest.mark.procedure("6/asked", "7/escalate", "8/escalation")
@pytest.mark.parametrize(
    ("language", "command"), [("zh", "#升级 整个分公司都停了"), ("en", "#escalate The whole branch stands still.")]
)
@pytest.mark.parametrize("who", [CUSTOMER, ENGINEER, DESK, PM, MANAGER])
def test_anyone_on_the_record_gets_the_next_step_at_once_with_their_words(
    tmp_path: Path, language: str, command: str, who: str
) -> None:
    desk, sent = reported(tmp_path, 4, language, datetime(2026, 11, 23, 10, 0, tzinfo=BEIJING))
    assert told(desk, sent) == []
    desk.clock.at += timedelta(minutes=5)
    sent = desk.says(who, command)
    also = [] if who is DESK else ["23 10:05:00 desk"]  # nobody is told what they have just said
    assert told(desk, sent) == ["23 10:05:00 lead", *also]
    assert command.partition(" ")[2] in to(sent, LEAD).letter.text
    assert lived_through(desk, [], datetime(2026, 11, 25, tzinfo=BEIJING)) == [], "and it does not come again"


@pytest.mark.procedure("6/late", "6/once", "6/one_mail")
@pytest.mark.parametrize(
    ("language", "late", "together"),
    [("zh", "晚了", "不再另发"), ("en", "This should have reached you on", "which fell due at the same moment")],
)
def test_after_an_outage_each_reader_has_one_mail_that_says_it_is_late(
    tmp_path: Path, language: str, late: str, together: str
) -> None:
    desk, sent = reported(tmp_path, 1, language, datetime(2026, 11, 23, 10, 0, tzinfo=BEIJING))
    told(desk, sent)
    sent = desk.waits(hours=6)
    seen = told(desk, sent)
    assert len(seen) == len(set(seen)) == 7, "everybody of the table, once"
    assert late in to(sent, PM).letter.text and together in to(sent, DIRECTOR).letter.text
    assert desk.works() == [], "and not once more"


@pytest.mark.procedure("6/acknowledged", "7/ack")
@pytest.mark.parametrize(("language", "command"), [("zh", "#知悉"), ("en", "#ack")])
def test_who_was_told_acknowledges_and_the_reminders_pause(tmp_path: Path, language: str, command: str) -> None:
    desk, sent = reported(tmp_path, 1, language, datetime(2026, 11, 23, 10, 0, tzinfo=BEIJING))
    lived_through(desk, sent, datetime(2026, 11, 23, 15, 0, tzinfo=BEIJING))
    desk.says(DIRECTOR, command)
    assert desk.events(1, "EscalationAcknowledged")[-1].by == "wu.fang"
    assert lived_through(desk, [], datetime(2026, 11, 23, 20, 0, tzinfo=BEIJING)) == [
        "23 19:00:00 director", "23 20:00:00 director",
    ]  # fmt: skip
    said = answer(desk.says(CUSTOMER, command), CUSTOMER)
    assert ("这个指令只有" if language == "zh" else "Only these may use it") in said


@pytest.mark.procedure("6/forecast")
@pytest.mark.parametrize(
    ("language", "subject", "why"),
    [("zh", "预计超时", "到现在还没有人受理"), ("en", "Probably late", "Nobody has taken it up yet")],
)
def test_what_will_be_missed_is_told_early(tmp_path: Path, language: str, subject: str, why: str) -> None:
    now = datetime(2026, 11, 23, 10, 0, tzinfo=BEIJING)
    desk, sent = reported(tmp_path, 4, language, now, forecast=True)
    told(desk, sent)
    assert desk.waits(hours=4, minutes=11) == []
    sent = desk.waits(minutes=1)  # four fifths of the four hours, lunch between
    assert told(desk, sent) == ["23 14:12:00 lead"]
    mail = to(sent, LEAD)
    assert subject in mail.subject and why in mail.letter.text


@pytest.mark.procedure("6/zone")
@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("2026-03-27 17:00", "2026-03-30 10:00"),  # the clocks go forward on Sunday the 29th
        ("2026-10-23 17:00", "2026-10-26 10:00"),  # and back on Sunday the 25th
    ],
)
def test_working_time_is_counted_where_the_customer_is(tmp_path: Path, since: str, due: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    desk = Office(tmp_path, "en", datetime.fromisoformat(since).replace(tzinfo=berlin))
    book = desk.desk.rulebook
    week = replace(book.calendars["business"], holidays=frozenset(), workdays=frozenset())
    site = replace(book.customers["huaxin"], zone="Europe/Berlin")
    desk.desk.rulebook = replace(
        book, calendars={**book.calendars, "business": week}, customers={**book.customers, "huaxin": site}
    )
    desk.reports("It says error 691.", "VPN down, urgent")
    assert desk.ticket(1).severity is Severity.MEDIUM
    assert desk.ticket(1).due("respond") == datetime.fromisoformat(due).replace(tzinfo=berlin)


@pytest.mark.procedure("6/once")
def test_a_restart_in_the_middle_forgets_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    since, noon, evening = (datetime(2026, 11, 23, hour, 30, tzinfo=BEIJING) for hour in (9, 12, 17))
    desk, sent = reported(tmp_path / "through", 1, "zh", since)
    at_one_go = lived_through(desk, sent, evening)
    desk, sent = reported(tmp_path / "twice", 1, "zh", since)
    seen = lived_through(desk, sent, noon)
    book, counted = desk.desk.rulebook, desk.escalations
    desk.desk.store.close()
    desk = Watched(tmp_path / "twice", "zh", noon)
    desk.desk.rulebook, desk.escalations = book, counted
    assert desk.works() == []
    assert seen + lived_through(desk, [], evening) == at_one_go and len(seen) < len(at_one_go)
