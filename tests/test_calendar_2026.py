"""China's working days of 2026, written down day by day, and the nights on which Berlin turns its clocks.

The year is copied by hand from the State Council's notice of 4 November 2025 (国办发明电〔2025〕7号), not made from the
rule file: a slip in either of the two shows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML

from daemon.closing import silence_begins
from daemon.config import shipped
from daemon.events import AnswerAwaited, ClockStarted
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Calendar, Rulebook
from daemon.sla import clock_events
from daemon.ticket import Ticket
from daemon.words import Severity, State
from daemon.workhours import day_hours, working_between
from tests.desk import ROOT

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")

# A letter for each day: w worked · - weekend · H holiday · M weekend, worked to make up for a holiday.
YEAR = {
    1: "HHHMwwwww--wwwww--wwwww--wwwww-",
    2: "-wwwww--wwwwwMHHHHHHHHHwwwwM",
    3: "-wwwww--wwwww--wwwww--wwwww--ww",
    4: "wwwHHHwwww--wwwww--wwwww--wwww",
    5: "HHHHHwwwM-wwwww--wwwww--wwwww--",
    6: "wwwww--wwwww--wwwwHHHwwwww--ww",
    7: "www--wwwww--wwwww--wwwww--wwwww",
    8: "--wwwww--wwwww--wwwww--wwwww--w",
    9: "wwww--wwwww--wwwww-MwwwwHHHwww",
    10: "HHHHHHHwwM-wwwww--wwwww--wwwww-",
    11: "-wwwww--wwwww--wwwww--wwwww--w",
    12: "wwww--wwwww--wwwww--wwwww--wwww",
}
NOTICE = """
元旦:1月1日(周四)至3日(周六)放假调休,共3天。1月4日(周日)上班。
春节:2月15日(周日)至23日(周一)放假调休,共9天。2月14日(周六)、2月28日(周六)上班。
清明节:4月4日(周六)至6日(周一)放假,共3天。
劳动节:5月1日(周五)至5日(周二)放假调休,共5天。5月9日(周六)上班。
端午节:6月19日(周五)至21日(周日)放假,共3天。
中秋节:9月25日(周五)至27日(周日)放假,共3天。
国庆节:10月1日(周四)至7日(周三)放假调休,共7天。9月20日(周日)、10月10日(周六)上班。
"""


@pytest.fixture(scope="module")
def book() -> Rulebook:
    return load_rulebook(shipped("rules"))


def days() -> list[tuple[date, str]]:
    return [(date(2026, month, n), kind) for month, kinds in YEAR.items() for n, kind in enumerate(kinds, 1)]


def test_the_year_as_written_down_is_a_year_and_says_what_the_notice_says() -> None:
    """The letters agree with the almanac and with the sums in the notice: 33 days off, 6 made up for."""
    assert [day for day, _ in days()] == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    kinds = [kind for _, kind in days()]
    assert (kinds.count("H"), kinds.count("M")) == (3 + 9 + 3 + 5 + 3 + 3 + 7, 6)
    for day, kind in days():
        assert (kind in "-M") <= (day.weekday() >= 5) and (kind == "w") <= (day.weekday() < 5), day
        if kind == "M":
            weekday = "周六" if day.weekday() == 5 else "周日"
            assert f"{day.month}月{day.day}日({weekday})" in NOTICE, day


@pytest.mark.parametrize("month", YEAR)
def test_the_shipped_calendar_is_worked_on_exactly_these_days(book: Rulebook, month: int) -> None:
    business = book.calendars["business"]
    for day, kind in days():
        if day.month != month:
            continue
        midnight = datetime.combine(day, time(0), SHANGHAI)
        worked = working_between(business, "Asia/Shanghai", midnight, midnight + timedelta(days=1))
        assert worked == timedelta(hours=8 if kind in "wM" else 0), (day, kind)
        begin = midnight.replace(hour=9), midnight.replace(hour=18)
        assert day_hours(business, "Asia/Shanghai", day) == (begin if kind in "wM" else None), (day, kind)


def test_the_rule_file_names_no_day_that_the_notice_does_not() -> None:
    entry = YAML(typ="safe").load((ROOT / "rules" / "calendars.yaml").read_text("utf-8"))["calendars"]["business"]
    assert sorted(str(d) for d in entry["workdays"]) == [str(d) for d, kind in days() if kind == "M"]
    named: set[date] = set()
    for line in entry["holidays"]:
        first, _, last = str(line).partition(" to ")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last or first):
            named.add(day)
            day += timedelta(days=1)
    assert sorted(named) == [d for d, kind in days() if kind == "H"]


# --- Berlin: 29 March, 02:00 becomes 03:00; 25 October, 03:00 becomes 02:00 ---

OFFICE = Calendar(
    key="business", zone="Europe/Berlin",
    week={n: ((time(9), time(12)), (time(13), time(18))) for n in range(5)},
)  # fmt: skip
SUNDAYS = pytest.mark.parametrize("sunday", [date(2026, 3, 29), date(2026, 10, 25)], ids=["spring", "autumn"])


def on(sunday: date, days: int, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(sunday + timedelta(days=days), time(hour, minute), BERLIN)


def started(book: Rulebook, ticket: Ticket, at: datetime) -> dict[str, ClockStarted]:
    events = clock_events(ticket, book, "Europe/Berlin", at)
    return {e.clock: e for e in events if isinstance(e, ClockStarted)}


def step(clock: ClockStarted, percent: int) -> datetime:
    return next(s.due_at for s in clock.steps if s.percent == percent and not s.every)


@pytest.fixture
def berlin(book: Rulebook) -> Rulebook:
    return replace(book, calendars={**book.calendars, "business": OFFICE})


@SUNDAYS
def test_steps_on_a_business_calendar_keep_the_hours_of_the_place(berlin: Rulebook, sunday: date) -> None:
    """16 working hours from Friday 13:00: 5 that day, 8 on Monday, and 3 on Tuesday; 12 are over on Monday at 17:00."""
    ticket = Ticket(number=1, state=State.ASSIGNED, severity=Severity.MEDIUM, length=1)
    resolve = started(berlin, ticket, on(sunday, -2, 13))["resolve"]
    assert step(resolve, 75) == on(sunday, 1, 17)
    assert resolve.due_at == on(sunday, 2, 12)


@SUNDAYS
def test_steps_round_the_clock_count_hours_that_pass(berlin: Rulebook, sunday: date) -> None:
    """Four hours from midnight end at 05:00 by the wall clock in spring and at 03:00 in autumn."""
    ticket = Ticket(number=1, state=State.ASSIGNED, severity=Severity.CRITICAL, length=1)
    resolve = started(berlin, ticket, on(sunday, 0, 0))["resolve"]
    turned = 1 if sunday.month == 3 else -1
    assert resolve.due_at == on(sunday, 0, 4 + turned)
    assert resolve.due_at - on(sunday, 0, 0).astimezone(UTC) == timedelta(hours=4)
    assert working_between(berlin.calendars["always"], "UTC", on(sunday, 0, 0), on(sunday, 1, 0)) == timedelta(
        hours=24 - turned
    )
    assert [step(resolve, p).astimezone(BERLIN).hour for p in (25, 75)] == [1, 3 + turned]


@SUNDAYS
def test_silence_lasts_to_the_end_of_the_third_working_day_there(berlin: Rulebook, sunday: date) -> None:
    solved = Ticket(number=1, state=State.RESOLVED, length=1)
    (wait,) = silence_begins(solved, berlin, "Europe/Berlin", on(sunday, -2, 15))
    assert isinstance(wait, AnswerAwaited)
    assert (wait.remind_at, wait.close_at) == (on(sunday, 2, 9), on(sunday, 3, 18))
    assert wait.remind_at.astimezone(BERLIN).utcoffset() != on(sunday, -2, 15).utcoffset()
