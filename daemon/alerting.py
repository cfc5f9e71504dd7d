"""What a mail of a monitoring tool does: it opens a ticket, joins the open one, brings it back, or says it is over.

What comes in: a Sighting and the last Ticket of that alert. What goes out: a Course, and the events of those courses
that need no new ticket. Whoever works on it is told of the first one, when it is back, when it gets worse, and else
once a day: a tool that cries every minute must not become mail every minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from daemon.events import AlertRecovered, AlertRepeated, Event, Graded, SolutionGiven, StateChanged
from daemon.lifecycle import next_state
from daemon.routing.alerts import Sighting, Sign
from daemon.ticket import Ticket
from daemon.words import State, Verb

TELL_AGAIN = timedelta(days=1)
NOT_ANSWERED = "a monitoring tool is not answered"
_SOLVED = (State.RESOLVED, State.PENDING_REVIEW)
_BY_ITSELF = {"zh": "告警于 {} 自行恢复。", "en": "The alert recovered by itself at {}."}


class Course(StrEnum):
    """What becomes of such a mail."""

    OPENS = "opens"
    JOINS = "joins"
    COMES_BACK = "comes back"
    RECOVERS = "recovers"
    NOTED = "noted"
    FILED = "filed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One mail of a tool: what was sighted, in which kept mail, when; `proved`: its sender is who it says."""

    sighting: Sighting
    mail: int
    subject: str
    at: datetime
    proved: bool
    zone: str

    @property
    def by(self) -> str:
        """The name that history shows."""
        return self.sighting.alert.name


def course_of(sighting: Sighting, ticket: Ticket | None, at: datetime) -> Course:
    """Return what becomes of a mail about an alert whose last ticket is this."""
    over = ticket is None or ticket.state in (State.ARCHIVED, State.CANCELLED)
    if sighting.sign is not Sign.TROUBLE:
        known = Course.RECOVERS if sighting.sign is Sign.RECOVERY else Course.NOTED
        return Course.FILED if over else known
    if ticket is None or over:
        return Course.OPENS
    if ticket.state not in _SOLVED:
        return Course.JOINS
    solved = ticket.solved_at
    long_ago = solved is not None and at - solved > sighting.alert.reopen_within
    return Course.OPENS if long_ago else Course.COMES_BACK


def alert_events(course: Course, alarm: Alarm, ticket: Ticket) -> tuple[Event, ...]:
    """Return what such a mail does to the ticket that is there already."""
    # The case of a customer, into which the alert was merged, is moved only by a sender who is proved.
    may = alarm.proved or ticket.alert == alarm.sighting.key
    match course:
        case Course.JOINS | Course.COMES_BACK if not may:
            return (_repeated(alarm, ticket),)
        case Course.JOINS:
            return (*_worse(alarm, ticket), _repeated(alarm, ticket))
        case Course.COMES_BACK:
            return (*_reopened(alarm, ticket), *_worse(alarm, ticket), _repeated(alarm, ticket))
        case Course.RECOVERS:
            return (_recovered(alarm, ticket), *_resolved(alarm, ticket))
        case _:
            return ()


# --- the single events ---


def _worse(alarm: Alarm, ticket: Ticket) -> Iterator[Graded]:
    """Yield the higher severity that the tool reports now; it never lowers one."""
    severity = alarm.sighting.severity
    if severity is not None and severity < ticket.severity:
        yield Graded(
            field="severity", old=str(int(ticket.severity)), new=str(int(severity)), by=alarm.by, reason=alarm.subject
        )


def _repeated(alarm: Alarm, ticket: Ticket) -> AlertRepeated:
    reopens = ticket.state in _SOLVED
    back = reopens or ticket.recovered_at is not None
    severity = alarm.sighting.severity
    worse = severity is not None and severity < ticket.severity
    first_time_back = back and _long_since(ticket.alert_back_at, alarm.at)
    told = ticket.open or reopens
    told = told and (reopens or worse or first_time_back or _long_since(ticket.alert_told_at, alarm.at))
    return AlertRepeated(mail=alarm.mail, by=alarm.by, at=alarm.at, subject=alarm.subject, told=told, back=back)


def _reopened(alarm: Alarm, ticket: Ticket) -> Iterator[StateChanged]:
    """Yield the way back to work; where nobody had taken it up, somebody still has to."""
    new = next_state(ticket.state, Verb.REOPEN)
    assert new is not None, "only what is solved comes back"
    yield StateChanged(verb=Verb.REOPEN, old=ticket.state, new=new, by=alarm.by)
    if ticket.team and not (ticket.assignee and ticket.answered):
        yield StateChanged(verb=Verb.ASSIGN, old=new, new=State.ASSIGNED, by=alarm.by)


def _recovered(alarm: Alarm, ticket: Ticket) -> AlertRecovered:
    news = ticket.open and ticket.recovered_at is None
    told = news and _long_since(ticket.recovery_told_at, alarm.at)
    return AlertRecovered(
        mail=alarm.mail, by=alarm.by, at=alarm.at, subject=alarm.subject, proved=alarm.proved, told=told
    )


def _resolved(alarm: Alarm, ticket: Ticket) -> Iterator[Event]:
    """Yield that it is solved, where alerts.yaml says so and the sender is proved to be a listed one.

    What came back within a day comes and goes: that is left to people, and so is a case that it was merged into.
    """
    own = ticket.alert == alarm.sighting.key
    may = own and alarm.sighting.alert.resolves and alarm.sighting.trusted and alarm.proved
    new = next_state(ticket.state, Verb.RESOLVE)
    may = may and not ticket.awaits_approval
    if not may or not ticket.open or new is None or not _long_since(ticket.alert_back_at, alarm.at):
        return
    words = _BY_ITSELF.get(ticket.language, _BY_ITSELF["en"])
    text = words.format(f"{alarm.at.astimezone(ZoneInfo(alarm.zone)):%Y-%m-%d %H:%M}")
    yield SolutionGiven(part="solution", text=text, by=alarm.by)
    yield StateChanged(verb=Verb.RESOLVE, old=ticket.state, new=new, by=alarm.by, text=text)


def _long_since(moment: datetime | None, at: datetime) -> bool:
    return moment is None or at - moment >= TELL_AGAIN
