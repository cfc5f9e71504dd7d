"""What time a report is about: the words of an operator as two moments.

What comes in: `2026-11`, `2026-W47`, `2026-11-01..2026-11-15`, and the service's zone. What goes out: a Period of aware
UTC moments, from the first one up to and without the last. Days begin and end at local midnight, so a day with a clock
change has its real length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from daemon.errors import TicketdError

_DAY = r"\d{4}-\d{2}-\d{2}"
PERIODS = "2026-11 (a month), 2026-W47 (a week), 2026-11-23 (a day), 2026 (a year), 2026-11-01..2026-11-15"
_DECEMBER = 12


class PeriodError(TicketdError):
    """What was written for a period is none; the message says what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` up to and without `end`; `until` is where knowledge ends: `end`, or now in a running period.

    `first` and `last` are the local days, both within it; `name` is how it was written.
    """

    name: str
    first: date
    last: date
    start: datetime
    end: datetime
    until: datetime

    def holds(self, moment: datetime | None) -> bool:
        """Whether this moment lies in the part of the period that is known."""
        return moment is not None and self.start <= moment < self.until

    @property
    def over(self) -> bool:
        """Whether nothing more can happen in it."""
        return self.until == self.end


def period_of(text: str, zone: str, now: datetime) -> Period:
    """Return the period that `text` names, "" being this month so far. Raises PeriodError for what is none."""
    where = ZoneInfo(zone)
    name = text.strip() or now.astimezone(where).strftime("%Y-%m")
    first, last = _days(name)
    if last < first:
        raise PeriodError(f"period '{name}' ends before it begins; write the earlier day first")
    start, end = _midnight(first, where), _midnight(last + timedelta(days=1), where)
    if start >= now:
        raise PeriodError(f"period '{name}' begins in the future: nothing has happened in it yet")
    return Period(name=name, first=first, last=last, start=start, end=end, until=min(end, now.astimezone(UTC)))


def _days(name: str) -> tuple[date, date]:
    try:
        first, last = _span(name)
        first - timedelta(days=1), last + timedelta(days=1)  # the calendar ends there, wherever on earth one is
        return first, last
    except (ValueError, OverflowError) as e:
        raise PeriodError(f"'{name}' is no period ({e}); write {PERIODS}") from e


def _span(name: str) -> tuple[date, date]:
    """Return the first and the last day. Raises ValueError."""
    if found := re.fullmatch(rf"({_DAY})\.\.({_DAY})", name):
        return date.fromisoformat(found[1]), date.fromisoformat(found[2])
    if re.fullmatch(_DAY, name):
        return date.fromisoformat(name), date.fromisoformat(name)
    if found := re.fullmatch(r"(\d{4})-[Ww](\d{2})", name):
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return monday, monday + timedelta(days=6)
    if found := re.fullmatch(r"(\d{4})-(\d{2})", name):
        return _month(int(found[1]), int(found[2]))
    if re.fullmatch(r"\d{4}", name):
        return date(int(name), 1, 1), date(int(name), _DECEMBER, 31)
    raise ValueError("it is not written like one")


def _month(year: int, month: int) -> tuple[date, date]:
    first = date(year, month, 1)
    following = date(year + 1, 1, 1) if month == _DECEMBER else date(year, month + 1, 1)
    return first, following - timedelta(days=1)


def _midnight(day: date, where: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=where).astimezone(UTC)
