"""Working time: adding to it and measuring it, across lunch breaks, holidays, make-up days and clock changes.

What comes in: a Calendar, its zone and aware datetimes. What goes out: aware UTC datetimes and durations.
Every local span is turned into UTC before any arithmetic, so a day with a clock change counts its real length.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from daemon.rulebook import Calendar

DAY = timedelta(days=1)
_MONDAY = 0
# A calendar without any working day within this many days is a mistake, not a promise.
_FARTHEST = timedelta(days=3660)


def add_working(calendar: Calendar, zone: str, start: datetime, amount: timedelta) -> datetime:
    """Return the UTC moment at which `amount` of working time has passed since `start`.

    An amount of zero or less gives `start` itself. Raises ValueError where the calendar never works.
    """
    if calendar.always or amount <= timedelta(0):
        return start.astimezone(UTC) + max(amount, timedelta(0))
    left = amount
    for opens, closes in _spans_from(calendar, zone, start):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    raise ValueError(f"calendar '{calendar.key}' has no working time after {start.date()}")


def working_between(calendar: Calendar, zone: str, start: datetime, end: datetime) -> timedelta:
    """Return how much working time lies between two moments; zero where `end` is not after `start`."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if end <= start:
        return timedelta(0)
    if calendar.always:
        return end - start
    total = timedelta(0)
    for opens, closes in _spans_from(calendar, zone, start):
        if opens >= end:
            break
        total += min(closes, end) - opens
    return total


def is_working(calendar: Calendar, zone: str, moment: datetime) -> bool:
    """Whether people work at this moment."""
    if calendar.always:
        return True
    first = next(_spans_from(calendar, zone, moment), None)
    return first is not None and first[0] <= moment < first[1]


def next_opening(calendar: Calendar, zone: str, moment: datetime) -> datetime | None:
    """Return when people next begin to work after this moment, at which they do not; None if they never will."""
    first = next(_spans_from(calendar, zone, moment), None)
    return first[0] if first else None


def repeats(
    calendar: Calendar, zone: str, base: datetime, every: timedelta, now: datetime
) -> tuple[int, datetime, datetime]:
    """Return how often `every` has passed since `base`, when it did so last (`base` if never), and when it will next.

    An `every` of whole days counts days on which people work: the same time of day, or the end of work where that is
    earlier. Anything shorter is working time.
    """
    if every % DAY == timedelta(0) and not calendar.always:
        return _daily(calendar, zone, base, every // DAY, now)
    times = working_between(calendar, zone, base, now) // every
    last = add_working(calendar, zone, base, times * every)
    return times, last, add_working(calendar, zone, base, (times + 1) * every)


def day_hours(calendar: Calendar, zone: str, day: date) -> tuple[datetime, datetime] | None:
    """Return when people begin and end to work on this local day, None where they do not; 24×7 works all day."""
    where = ZoneInfo(calendar.zone or zone)
    spans = ((time.min, time.max),) if calendar.always else spans_on(calendar, day)
    return (_utc(day, spans[0][0], where), _utc(day, spans[-1][1], where)) if spans else None


def hours_after(calendar: Calendar, zone: str, start: datetime, days: int) -> tuple[datetime, datetime]:
    """Return when people begin and end to work on the `days`-th working day after the local day of `start`."""
    first = start.astimezone(ZoneInfo(calendar.zone or zone)).date()
    later = (day_hours(calendar, zone, first + n * DAY) for n in range(1, _FARTHEST.days))
    found = next(islice((hours for hours in later if hours), days - 1, None), None)
    if found is None:
        raise ValueError(f"calendar '{calendar.key}' has no working time after {first}")
    return found


def _daily(calendar: Calendar, zone: str, base: datetime, days: int, now: datetime) -> tuple[int, datetime, datetime]:
    wall = base.astimezone(ZoneInfo(calendar.zone or zone)).timetz()
    last = base.astimezone(UTC)
    for times, spans in enumerate(islice(_working_days(calendar, zone, base), days - 1, None, days)):
        moment = _on_day(spans, wall)
        if moment > now:
            return times, last, moment
        last = moment
    raise ValueError(f"calendar '{calendar.key}' has no working time after {base.date()}")


def _on_day(spans: list[tuple[datetime, datetime]], wall: time) -> datetime:
    """Return this time of day if people work then; else when they begin again, or at the end of their day stop."""
    local = spans[0][0].astimezone(wall.tzinfo)
    wanted = datetime.combine(local.date(), wall).astimezone(UTC)
    return next((max(wanted, opens) for opens, closes in spans if wanted < closes), spans[-1][1])


def _working_days(calendar: Calendar, zone: str, start: datetime) -> Iterator[list[tuple[datetime, datetime]]]:
    """Yield the spans of each working day after the local day of `start`, in UTC."""
    where = ZoneInfo(calendar.zone or zone)
    first = start.astimezone(where).date() + DAY
    for number in range(_FARTHEST.days):
        day = first + number * DAY
        spans = [(_utc(day, opens, where), _utc(day, closes, where)) for opens, closes in spans_on(calendar, day)]
        if spans:
            yield spans


def _spans_from(calendar: Calendar, zone: str, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the working spans in UTC that end after `start`, the first one cut to begin there."""
    where = ZoneInfo(calendar.zone or zone)
    start = start.astimezone(UTC)
    day = start.astimezone(where).date() - timedelta(days=1)
    last = (start + _FARTHEST).date()
    while day <= last:
        for opens, closes in spans_on(calendar, day):
            begin, end = _utc(day, opens, where), _utc(day, closes, where)
            if end > start:
                yield max(begin, start), end
        day += timedelta(days=1)


def spans_on(calendar: Calendar, day: date) -> tuple[tuple[time, time], ...]:
    """Return when people work on this day, as local times; nothing where they do not, or where nobody ever rests."""
    if day in calendar.holidays:
        return ()
    weekday = day.weekday()
    if day in calendar.workdays and not calendar.week.get(weekday):
        weekday = _MONDAY
    return calendar.week.get(weekday, ())


def _utc(day: date, at: time, where: ZoneInfo) -> datetime:
    """Return the moment in UTC. A span that ends at 24:00 is stored as the last instant of the day."""
    if at == time.max:
        day, at = day + timedelta(days=1), time.min
    return datetime.combine(day, at, tzinfo=where).astimezone(UTC)
