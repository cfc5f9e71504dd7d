"""Working time, reckoned by the judge's own lights: every working stretch of the played time is written down in UTC.

What comes in: one entry of calendars.yaml and a zone. What goes out: moments and durations. Nothing here is shared with
ticketd, and nothing here may be: two clocks that are one clock agree in their mistakes.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST, _LAST = date(2025, 12, 1), date(2027, 3, 31)

Stretch = tuple[datetime, datetime]


def days_in(entry: object) -> list[date]:
    """Return the days of "2026-10-01 to 2026-10-07", or of a single date."""
    first, _, last = str(entry).partition(" to ")
    begin, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    return [begin + n * DAY for n in range((end - begin).days + 1)]


def duration(words: object) -> timedelta:
    """Return how long "15m", "4h" or "2d" is."""
    number, unit = str(words)[:-1], str(words)[-1]
    return int(number) * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": DAY}[unit]


class Hours:
    """The working time of one calendar at one place."""

    def __init__(self, entry: dict[str, Any], zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.always = bool(entry.get("always"))
        self.days: dict[date, list[Stretch]] = {}
        self._in_order: list[date] = []
        if self.always:
            return
        off = {d for line in entry.get("holidays", ()) for d in days_in(line)}
        made_up = {d for line in entry.get("workdays", ()) for d in days_in(line)}
        week = _week(entry["week"])
        for n in range((_LAST - _FIRST).days):
            day = _FIRST + n * DAY
            spans = week.get(0 if day in made_up else day.weekday(), [])
            if spans and day not in off:
                self.days[day] = [(self._utc(day, a), self._utc(day, b)) for a, b in spans]
        self._in_order = sorted(self.days)

    def _utc(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self.zone).astimezone(UTC)

    def today(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def between(self, begin: datetime, end: datetime) -> timedelta:
        """Return how much work fits between two moments."""
        if self.always:
            return max(end - begin, timedelta(0))
        inside = (min(b, end) - max(a, begin) for a, b in self._stretches(begin) if a < end)
        return sum((x for x in inside if x > timedelta(0)), timedelta(0))

    def add(self, begin: datetime, amount: timedelta) -> datetime:
        """Return when so much work is done."""
        if amount <= timedelta(0) or self.always:
            return begin + max(amount, timedelta(0))
        for a, b in self._stretches(begin):
            room = b - max(a, begin)
            if room >= amount:
                return max(a, begin) + amount
            amount -= max(room, timedelta(0))
        raise ValueError(f"no working time left after {begin}")

    def _stretches(self, begin: datetime) -> list[Stretch]:
        day, found = self.today(begin) - DAY, []
        for n in range(90):
            found += [s for s in self.days.get(day + n * DAY, ()) if s[1] > begin]
        return found

    def bounds(self, day: date) -> Stretch | None:
        """Return when work begins and ends on this day."""
        spans = self.days.get(day)
        return (spans[0][0], spans[-1][1]) if spans else None

    def working_day(self, after: date, number: int) -> date:
        """Return the so-and-so-many-th working day after this one."""
        return self._in_order[bisect_right(self._in_order, after) + number - 1]

    def daily(self, base: datetime, days: int, number: int) -> datetime:
        """Return the same time of day so many working days later; where nobody works then, the next time they do."""
        spans = self.days[self.working_day(self.today(base), days * number)]
        wanted = datetime.combine(self.today(spans[0][0]), base.astimezone(self.zone).time(), self.zone).astimezone(UTC)
        for a, b in spans:
            if wanted < b:
                return max(a, wanted)
        return spans[-1][1]


def _week(entry: dict[str, list[str]]) -> dict[int, list[tuple[time, time]]]:
    week = {}
    for names, spans in entry.items():
        first, _, last = names.partition("-")
        for n in range(_NAMES.index(first), _NAMES.index(last or first) + 1):
            week[n] = [_span(s) for s in spans]
    return week


def _span(words: str) -> tuple[time, time]:
    begin, _, end = words.partition("-")
    return time.fromisoformat(begin), time.fromisoformat(end)
