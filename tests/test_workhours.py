"""Working time against an oracle that counts minute by minute on the wall clock of the place."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config import shipped
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Calendar
from daemon.workhours import add_working, is_working, repeats, working_between

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


@pytest.mark.procedure("6/lunch")
def test_lunch_is_not_worked() -> None:
    cal = calendar("Asia/Shanghai")
    start = datetime(2026, 11, 23, 11, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert add_working(cal, "UTC", start, timedelta(hours=1)) == start + timedelta(hours=2)
    assert add_working(cal, "UTC", start, timedelta(minutes=30)) == start + timedelta(minutes=30), (
        "due at noon, not at one"
    )


@pytest.mark.procedure("6/make_up", "6/holidays")
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


# --- China's year 2026, day by day, against the notice of the State Council ---

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOTICE_OFF = ("01-01/01-03", "02-15/02-23", "04-04/04-06", "05-01/05-05", "06-19/06-21", "09-25/09-27", "10-01/10-07")
NOTICE_ON = ("01-04", "02-14", "02-28", "05-09", "09-20", "10-10")


def days_off() -> set[date]:
    spans = [tuple(date.fromisoformat(f"2026-{d}") for d in span.split("/")) for span in NOTICE_OFF]
    return {first + timedelta(days=n) for first, last in spans for n in range((last - first).days + 1)}


@pytest.mark.procedure("6/make_up", "6/holidays")
def test_every_day_of_2026_is_worked_or_not_as_the_state_council_says() -> None:
    business = load_rulebook(shipped("rules")).calendars["business"]
    off, on = days_off(), {date.fromisoformat(f"2026-{d}") for d in NOTICE_ON}
    assert len(off) == 33 and len(on) == 6
    for n in range(365):
        day = date(2026, 1, 1) + timedelta(days=n)
        expected = day in on or (day.weekday() < 5 and day not in off)
        hours = [
            h for h in range(24) if is_working(business, "Asia/Shanghai", datetime.combine(day, time(h, 30), SHANGHAI))
        ]
        assert hours == ([9, 10, 11, 13, 14, 15, 16, 17] if expected else []), day
        begin, end = (datetime.combine(day + timedelta(days=k), time(0), SHANGHAI) for k in (0, 1))
        assert working_between(business, "Asia/Shanghai", begin, end) == timedelta(hours=8 if expected else 0), day


def test_the_national_day_week_is_jumped_over_and_its_make_up_saturday_counts() -> None:
    business = load_rulebook(shipped("rules")).calendars["business"]
    start = datetime(2026, 9, 30, 17, 0, tzinfo=SHANGHAI)  # one hour before the holidays
    due = add_working(business, "Asia/Shanghai", start, timedelta(hours=1 + 8 + 8 + 2)).astimezone(SHANGHAI)
    assert due == datetime(2026, 10, 10, 11, 0, tzinfo=SHANGHAI), "Thursday 8, Friday 9 and two hours of Saturday 10"


# --- Berlin's two changes of 2026 ---

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.procedure("6/zone")
@pytest.mark.parametrize(
    ("sunday", "hours_of_the_day"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)], ids=["spring", "autumn"]
)
def test_spans_across_the_change_of_clocks_in_berlin(sunday: date, hours_of_the_day: int) -> None:
    office, round_the_clock = calendar("Europe/Berlin"), calendar("Europe/Berlin", ROUND, tuple(range(7)))
    midnight = [datetime.combine(sunday + timedelta(days=n), time(0), BERLIN).astimezone(UTC) for n in (0, 1)]
    assert working_between(round_the_clock, "UTC", *midnight) == timedelta(hours=hours_of_the_day)
    friday = datetime.combine(sunday - timedelta(days=2), time(17), BERLIN)
    monday = datetime.combine(sunday + timedelta(days=1), time(11), BERLIN)
    # Both are office hours of the place, whatever the clocks did meanwhile.
    assert add_working(office, "UTC", friday, timedelta(hours=3)) == monday
    assert working_between(office, "UTC", friday, monday) == timedelta(hours=3)
    assert monday.utcoffset() != friday.utcoffset()
    assert repeats(office, "UTC", friday, timedelta(days=1), friday)[2] == monday.replace(hour=17), (
        "the same hour there"
    )


# --- what comes again and again ---

DAILY, MON = timedelta(days=1), datetime(2026, 11, 23, 15, 0, tzinfo=SHANGHAI)


def test_daily_is_each_working_day_at_the_same_time() -> None:
    cal = calendar("Asia/Shanghai", holidays=frozenset({date(2026, 11, 25)}), workdays=frozenset({date(2026, 11, 28)}))
    seen, now = [], MON
    for _ in range(6):
        now = repeats(cal, "UTC", MON, DAILY, now)[2]
        seen.append(now.astimezone(SHANGHAI).strftime("%d %H:%M"))
    assert seen == ["24 15:00", "26 15:00", "27 15:00", "28 15:00", "30 15:00", "01 15:00"]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (MON.replace(hour=12), "24 13:00"),  # lunch: when they begin again
        (MON.replace(hour=18), "24 18:00"),  # the end of work is still of that day
        (MON.replace(hour=20), "24 18:00"),
        (MON.replace(hour=3), "24 09:00"),
    ],
)
def test_daily_outside_office_hours_is_moved_into_them(base: datetime, expected: str) -> None:
    following = repeats(calendar("Asia/Shanghai"), "UTC", base, DAILY, base)[2]
    assert following.astimezone(SHANGHAI).strftime("%d %H:%M") == expected


def test_a_half_day_ends_the_daily_turn_early() -> None:
    cal = Calendar(key="c", zone="Asia/Shanghai", week={0: OFFICE, 1: ((time(9), time(12)),), 2: OFFICE})
    times = [repeats(cal, "UTC", MON, DAILY, MON + timedelta(days=n))[2].astimezone(SHANGHAI).hour for n in (0, 1)]
    assert times == [12, 15], "and the day after it is the old hour again"


@settings(max_examples=80, deadline=None)
@given(calendars, starts, st.sampled_from([30, 60, 120, 1440, 2880]), st.integers(0, 12 * 24 * 60))
def test_counting_turns_at_once_is_counting_them_one_by_one(
    cal: Calendar, base: datetime, every: int, later: int
) -> None:
    now, each = base + later * MINUTE, every * MINUTE
    times, last, following = repeats(cal, "UTC", base, each, now)
    moment, count = base, 0
    while (turn := repeats(cal, "UTC", base, each, moment)[2]) <= now:
        moment, count = turn, count + 1
    assert (times, last.astimezone(UTC), following) == (count, moment, turn)
    assert last <= now < following
