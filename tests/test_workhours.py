"""Working time against an oracle that counts minute by minute on the wall clock of the place."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.rulebook import Calendar
from daemon.workhours import add_working, is_working, working_between

MINUTE = timedelta(minutes=1)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo")
# Days on which clocks change, with a weekday calendar so wide that the change is inside working time.
CHANGES = {
    "Asia/Shanghai": (date(1991, 4, 14), date(1991, 9, 15)),
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "America/Sao_Paulo": (date(2018, 2, 18), date(2018, 11, 4)),
}
OFFICE = ((time(9), time(12)), (time(13), time(18)))
ROUND = ((time(0), time.max),)
NIGHT = ((time(0), time(4, 30)), (time(22), time.max))


def calendar(zone: str, spans: tuple[tuple[time, time], ...] = OFFICE, days: tuple[int, ...] = (0, 1, 2, 3, 4),
             **more: frozenset[date]) -> Calendar:  # fmt: skip
    return Calendar(key="office", zone=zone, week=dict.fromkeys(days, spans), **more)


# --- the oracle: is this very minute worked? ---


def worked(cal: Calendar, minute: datetime) -> bool:
    local = minute.astimezone(ZoneInfo(cal.zone))
    day = local.date()
    if day in cal.holidays:
        return False
    spans = cal.week.get(day.weekday(), ())
    if not spans and day in cal.workdays:
        spans = cal.week.get(0, ())
    return any(a <= local.time() and (b == time.max or local.time() < b) for a, b in spans)


def minutes_worked(cal: Calendar, start: datetime, end: datetime) -> int:
    return sum(worked(cal, start + i * MINUTE) for i in range(int((end - start) / MINUTE)))


def counted_on(cal: Calendar, start: datetime, minutes: int) -> datetime:
    moment = start
    while minutes:
        minutes -= worked(cal, moment)
        moment += MINUTE
    return moment


HOLIDAYS = frozenset({date(2026, 10, 1), date(2026, 10, 2), date(2026, 3, 30)})
MAKE_UP = frozenset({date(2026, 10, 10), date(2026, 9, 27)})
starts = st.datetimes(datetime(2026, 9, 24), datetime(2026, 10, 27)).map(
    lambda d: d.replace(second=0, microsecond=0, tzinfo=UTC)
)
springs = st.datetimes(datetime(2026, 3, 5), datetime(2026, 4, 6)).map(
    lambda d: d.replace(second=0, microsecond=0, tzinfo=UTC)
)
calendars = st.builds(
    calendar,
    st.sampled_from(ZONES),
    st.sampled_from([OFFICE, ROUND, NIGHT]),
    st.sampled_from([(0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6), (0,), (5, 6)]),
    holidays=st.just(HOLIDAYS),
    workdays=st.just(MAKE_UP),
)


@settings(max_examples=60, deadline=None)
@given(calendars, starts | springs, st.integers(0, 4 * 24 * 60))
def test_time_between_two_moments_is_what_a_minute_counter_says(cal: Calendar, start: datetime, length: int) -> None:
    end = start + length * MINUTE
    assert working_between(cal, "UTC", start, end) == minutes_worked(cal, start, end) * MINUTE


@settings(max_examples=60, deadline=None)
@given(calendars, starts | springs, st.integers(1, 12 * 60))
def test_adding_ends_where_a_minute_counter_ends(cal: Calendar, start: datetime, minutes: int) -> None:
    assert add_working(cal, "UTC", start, minutes * MINUTE) == counted_on(cal, start, minutes)


@settings(max_examples=100, deadline=None)
@given(calendars, starts | springs)
def test_a_moment_is_worked_if_its_minute_is(cal: Calendar, moment: datetime) -> None:
    assert is_working(cal, "UTC", moment) == worked(cal, moment)


@settings(max_examples=100, deadline=None)
@given(calendars, starts | springs, st.timedeltas(timedelta(0), timedelta(hours=200)))
def test_adding_and_measuring_undo_each_other(cal: Calendar, start: datetime, amount: timedelta) -> None:
    end = add_working(cal, "UTC", start, amount)
    assert working_between(cal, "UTC", start, end) == amount


@settings(max_examples=100, deadline=None)
@given(calendars, starts, st.lists(st.timedeltas(timedelta(0), timedelta(hours=90)), min_size=1, max_size=4))
def test_parts_add_up_to_the_whole(cal: Calendar, start: datetime, parts: list[timedelta]) -> None:
    edges = [start]
    for part in parts:
        edges.append(edges[-1] + part)
    pieces = [working_between(cal, "UTC", a, b) for a, b in pairwise(edges)]
    assert sum(pieces, timedelta(0)) == working_between(cal, "UTC", edges[0], edges[-1])


@pytest.mark.parametrize(("zone", "day"), [(z, d) for z, days in CHANGES.items() for d in days])
@pytest.mark.parametrize("spans", [ROUND, NIGHT])
def test_a_day_on_which_clocks_change_counts_its_real_length(
    zone: str, day: date, spans: tuple[tuple[time, time], ...]
) -> None:
    cal = calendar(zone, spans, days=tuple(range(7)))
    start = datetime.combine(day - timedelta(days=1), time(12), ZoneInfo(zone)).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time(12), ZoneInfo(zone)).astimezone(UTC)
    assert end - start != timedelta(days=2), "clocks did change"
    real = minutes_worked(cal, start, end)
    assert working_between(cal, "UTC", start, end) == real * MINUTE
    for minutes in (30, 400, real - 1, real):
        assert add_working(cal, "UTC", start, minutes * MINUTE) == counted_on(cal, start, minutes)


def test_lunch_is_not_worked() -> None:
    cal = calendar("Asia/Shanghai")
    start = datetime(2026, 11, 23, 11, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert add_working(cal, "UTC", start, timedelta(hours=1)) == start + timedelta(hours=2)
    assert add_working(cal, "UTC", start, timedelta(minutes=30)) == start + timedelta(minutes=30), (
        "due at noon, not at one"
    )


def test_a_make_up_saturday_is_worked_like_a_monday_and_a_holiday_not_at_all() -> None:
    cal = calendar("Asia/Shanghai", holidays=HOLIDAYS, workdays=MAKE_UP)
    friday = datetime(2026, 10, 9, 17, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert add_working(cal, "UTC", friday, timedelta(hours=2)) == friday + timedelta(hours=17), "Saturday 10 o'clock"
    wednesday = datetime(2026, 9, 30, 17, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    due = add_working(cal, "UTC", wednesday, timedelta(hours=2)).astimezone(ZoneInfo("Asia/Shanghai"))
    assert (due.date(), due.time()) == (date(2026, 10, 5), time(10))


def test_a_holiday_outdoes_a_make_up_day() -> None:
    day = date(2026, 10, 10)
    cal = calendar("Asia/Shanghai", holidays=frozenset({day}), workdays=frozenset({day}))
    assert not is_working(cal, "UTC", datetime(2026, 10, 10, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai")))


def test_around_the_clock_is_plain_arithmetic() -> None:
    cal = Calendar(key="always", always=True)
    start = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert add_working(cal, "Europe/Berlin", start, timedelta(hours=5)) == start + timedelta(hours=5)
    assert working_between(cal, "Europe/Berlin", start, start + timedelta(days=3)) == timedelta(days=3)


def test_nothing_to_add_is_now_and_no_way_back() -> None:
    cal, start = calendar("Asia/Shanghai"), datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert add_working(cal, "UTC", start, timedelta(0)) == start
    assert add_working(cal, "UTC", start, timedelta(hours=-3)) == start
    assert working_between(cal, "UTC", start, start - timedelta(days=3)) == timedelta(0)


def test_a_calendar_that_never_works_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(ValueError, match="no working time"):
        add_working(Calendar(key="never", zone="UTC"), "UTC", datetime(2026, 1, 1, tzinfo=UTC), MINUTE)


def test_the_zone_of_the_service_counts_where_the_calendar_names_none() -> None:
    cal = Calendar(key="office", week={0: OFFICE})
    monday = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert is_working(cal, "Asia/Shanghai", monday) and not is_working(cal, "UTC", monday)
