"""Working time: adding to it and measuring it, across lunch breaks, holidays, make-up days and clock changes.

What comes in: a Calendar, its zone and aware datetimes. What goes out: aware UTC datetimes and durations.
Every local span is turned into UTC before any arithmetic, so a day with a clock change counts its real length.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from daemon.rulebook import Calendar

_MONDAY = 0
# A calendar without any working day within this many days is a mistake, not a promise.
_FARTHEST = timedelta(days=3660)


def add_working(calendar: Calendar, zone: str, start: datetime, amount: timedelta) -> datetime:
    """Return the UTC moment at which `amount` of working time has passed since `start`.

    An amount of zero or less gives `start` itself. Raises ValueError where the calendar never works.
    """
    if calendar.always or amount <= timedelta(0):
        return (start + max(amount, timedelta(0))).astimezone(UTC)
    left = amount
    for opens, closes in _spans_from(calendar, zone, start):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    raise ValueError(f"calendar '{calendar.key}' has no working time after {start.date()}")


def working_between(calendar: Calendar, zone: str, start: datetime, end: datetime) -> timedelta:
    """Return how much working time lies between two moments; zero where `end` is not after `start`."""
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


def _spans_from(calendar: Calendar, zone: str, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the working spans in UTC that end after `start`, the first one cut to begin there."""
    where = ZoneInfo(calendar.zone or zone)
    start = start.astimezone(UTC)
    day = start.astimezone(where).date() - timedelta(days=1)
    last = (start + _FARTHEST).date()
    while day <= last:
        for opens, closes in _spans_on(calendar, day):
            begin, end = _utc(day, opens, where), _utc(day, closes, where)
            if end > start:
                yield max(begin, start), end
        day += timedelta(days=1)


def _spans_on(calendar: Calendar, day: date) -> tuple[tuple[time, time], ...]:
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
