"""What is owed at set times of a working day, week or month, by period (procedure §9).

What comes in: the Rulebook, which periods are done, since when we count, and now. What goes out: what is owed, to be
done now or noted as missed. Each duty is owed once for each period and calendar, whatever was down meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from daemon.rulebook import Calendar, DutyTime, Rulebook
from daemon.ticket import Ticket
from daemon.words import Duty
from daemon.workhours import DAY, day_hours

_WORKING_WEEK = 4
_LATE = timedelta(minutes=30)
_MORNING = timedelta(hours=3)
# Whoever was away for longer is not told how many lists of that time were missed.
_FARTHEST = timedelta(days=60)
# A month's report is owed even so.
_FARTHEST_MONTH = timedelta(days=400)
_ABOUT_ALL = frozenset({Duty.KPI_REPORT, Duty.RULE_PROPOSALS})
_WEEKLY = frozenset({Duty.FOLLOW_UP, Duty.FOLLOW_UP_RESULT, Duty.RULE_PROPOSALS})
_NEXT_MORNING = frozenset({Duty.PM_LIST, Duty.CUSTOMER_LIST})


DUTIES: Mapping[Duty, tuple[str, str]] = MappingProxyType(
    {
        Duty.ASK_ACTION: (
            "assignee, else the team",
            "tickets of theirs of which nobody knows the next step: what is it?",
        ),
        Duty.PM_LIST: ("each project manager", "their tickets not solved today: state, who, due, next step"),
        Duty.CUSTOMER_LIST: ("each requester", "their open tickets in one mail: state and next step"),
        Duty.REVIEW_LIST: ("each project manager", "what waits for review, to be answered with `#archive 12 13`"),
        Duty.FOLLOW_UP: ("each requester", "tickets archived and not asked about yet: a rating from 1 to 5, please"),
        Duty.FOLLOW_UP_RESULT: ("each project manager", "the ratings since the last result, and who did not answer"),
        Duty.KPI_REPORT: (
            "project managers (their customers), managers and directors (all)",
            "the KPIs of the month before, with charts and a CSV",
        ),
        Duty.RULE_PROPOSALS: (
            "the service desk",
            "rules that people kept correcting the same way: what to change, ready to copy, and what it would do",
        ),
    }
)
"""Whom each duty writes to, and about what (docs/duties.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A duty that has fallen due. `place` names the calendar and zone that it counts on.

    `verdict` is "now", "missed" (it is too late), or "waits" (for the next morning).
    """

    duty: Duty
    period: str
    place: str
    due_at: datetime
    verdict: str = "now"
    late: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it unique."""
        return str(self.duty), self.period, self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A ticket on a list, and what is expected to happen next: an engineer's last words, "" where nobody knows."""

    ticket: Ticket
    action: str = ""
    action_at: datetime | None = None


def place_of(calendar: Calendar) -> str:
    """Return the name of a calendar in its zone: customers at several places have the same hours at other moments."""
    return f"{calendar.key}@{calendar.zone}" if calendar.zone else calendar.key


def owed_duties(
    rulebook: Rulebook, zone: str, done: Collection[tuple[str, str, str]], since: datetime, now: datetime
) -> tuple[Owed, ...]:
    """Return every duty that fell due after `since` and is not done, in the order in which they fell due."""
    found = (
        _judged(due, calendar, zone, now)
        for time in rulebook.duties.times
        for calendar in _calendars(time, rulebook)
        for due in _due(time, calendar, zone, max(since, now - _farthest(time)), now)
        if due.key not in done
    )
    return tuple(sorted(found, key=lambda o: o.due_at))


def _farthest(time: DutyTime) -> timedelta:
    return _FARTHEST if time.month_day is None else _FARTHEST_MONTH


def _calendars(time: DutyTime, rulebook: Rulebook) -> tuple[Calendar, ...]:
    """Return each calendar that some customer's days go by, once; what is about all customers goes by our own."""
    keys = ("",) if time.duty in _ABOUT_ALL else ("", *rulebook.customers)
    used = (rulebook.calendar_of(key) for key in keys)
    return tuple({place_of(c): c for c in used if c is not None and not c.always}.values())


def _due(time: DutyTime, calendar: Calendar, zone: str, since: datetime, now: datetime) -> Iterator[Owed]:
    where = ZoneInfo(calendar.zone or zone)
    day, last = since.astimezone(where).date(), now.astimezone(where).date()
    while day <= last:
        period = _period(time, calendar, zone, day)
        hours = day_hours(calendar, zone, day) if period else None
        if hours:
            opens, closes = hours
            at = max(opens, closes - time.offset) if time.from_end else min(closes, opens + time.offset)
            if since < at <= now:
                yield Owed(duty=time.duty, period=period, place=place_of(calendar), due_at=at)
        day += DAY


def _period(time: DutyTime, calendar: Calendar, zone: str, day: date) -> str:
    """Return the period that falls due on this day, "" for none.

    A weekly duty is due on its weekday or, where that is not worked, on the next day that is, within a week; a monthly
    one likewise, and it is about the month before.
    """
    if time.month_day is not None:
        return _month_before(time.month_day, calendar, zone, day)
    if time.weekday is None:
        return day.isoformat()
    back = 0
    while (day - back * DAY).weekday() != time.weekday:
        back += 1
    meant = day - back * DAY
    if any(day_hours(calendar, zone, meant + n * DAY) for n in range(back)):
        return ""
    year, week, _ = meant.isocalendar()
    return f"{year}-W{week:02}"


def _month_before(month_day: int, calendar: Calendar, zone: str, day: date) -> str:
    """Return the month that is reported on this day, "" if it is not the first one worked since its day came."""
    first = day.replace(day=1)
    meant = day.replace(day=month_day) if day.day >= month_day else (first - DAY).replace(day=month_day)
    if any(day_hours(calendar, zone, meant + n * DAY) for n in range((day - meant).days)):
        return ""
    return f"{meant.replace(day=1) - DAY:%Y-%m}"


def _judged(due: Owed, calendar: Calendar, zone: str, now: datetime) -> Owed:
    """Return it with what becomes of it now."""
    where = ZoneInfo(calendar.zone or zone)
    day, today = due.due_at.astimezone(where).date(), now.astimezone(where).date()
    late = now - due.due_at > _LATE
    if today == day and due.duty is not Duty.ASK_ACTION:
        return replace(due, late=late)
    hours = day_hours(calendar, zone, today)
    if due.duty is Duty.ASK_ACTION:
        in_time = today == day and hours is not None and now < hours[1]
        return replace(due, late=late, verdict="now" if in_time else "missed")
    days = sum(1 for n in range(1, (today - day).days) if day_hours(calendar, zone, day + n * DAY))
    return replace(due, late=late, verdict=_some_day_later(due.duty, hours, days, now))


def _some_day_later(duty: Duty, hours: tuple[datetime, datetime] | None, days: int, now: datetime) -> str:
    """Judge what is late by a night or more, `days` working days having passed: it waits for a morning at work."""
    weekly, monthly = duty in _WEEKLY, duty is Duty.KPI_REPORT
    too_late = days >= _WORKING_WEEK if weekly else (days > 0 or duty not in _NEXT_MORNING)
    if too_late and not monthly:
        return "missed"
    if hours is None or now < hours[0]:
        return "waits"
    if weekly or monthly:
        return "now" if now <= hours[1] else "waits"
    return "now" if now <= hours[0] + _MORNING else "missed"
