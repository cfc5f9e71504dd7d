"""A ticket is what its events say it is: the fold.

What comes in: a Ticket and Events. What goes out: the Ticket afterwards. Nothing else may make or change a Ticket.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce

from daemon.events import (
    Assigned,
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    DueStep,
    Event,
    Graded,
    Opened,
    ProgressTold,
    Rejected,
    Returned,
    Routed,
    SolutionGiven,
    StateChanged,
    StepReached,
)
from daemon.lifecycle import OPEN_STATES
from daemon.words import HoldReason, Kind, Level, Severity, State, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of wall-clock time in which a clock ran; `until` is None while it runs."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One promise being measured. It runs while its last segment is open; `met` is None until it stopped."""

    name: str
    target: timedelta
    calendar: str
    due_at: datetime
    segments: tuple[Segment, ...]
    steps: tuple[DueStep, ...]
    reached: tuple[str, ...] = ()
    met: bool | None = None

    @property
    def running(self) -> bool:
        """Whether time counts now."""
        return bool(self.segments) and self.segments[-1].until is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The current picture of one ticket; `length` is the number of its events."""

    number: int
    kind: Kind = Kind.INCIDENT
    state: State = State.NEW
    subject: str = ""
    requester: str = ""
    requester_name: str = ""
    customer: str = ""
    language: str = ""
    source: str = "mail"
    opened_at: datetime | None = None
    message_id: str = ""
    category: str = ""
    impact: Level = Level.LOW
    urgency: Level = Level.MEDIUM
    severity: Severity = Severity.LOW
    team: str = ""
    line: int = 1
    assignee: str = ""
    ci: str = ""
    tags: tuple[str, ...] = ()
    watchers: tuple[str, ...] = ()
    participants: tuple[str, ...] = ()
    clocks: tuple[Clock, ...] = ()
    answered: bool = False
    solution: str = ""
    cause: str = ""
    workaround: str = ""
    hold_reason: HoldReason | None = None
    hold_until: datetime | None = None
    reopened: int = 0
    returned: int = 0
    follows: int = 0
    recorded_by: str = ""
    length: int = 0

    @property
    def exists(self) -> bool:
        """Whether anything has happened to it yet."""
        return self.length > 0

    @property
    def open(self) -> bool:
        """Whether somebody still has work to do on it."""
        return self.state in OPEN_STATES

    @property
    def next_due_at(self) -> datetime | None:
        """When the clock must look at this ticket again, or None."""
        steps = [s.due_at for c in self.clocks if c.running for s in c.steps]
        wake = [self.hold_until] if self.state is State.ON_HOLD and self.hold_until else []
        return min(steps + wake, default=None)

    def clock(self, name: str) -> Clock | None:
        """Return the clock of this name, if it was ever started."""
        return next((c for c in self.clocks if c.name == name), None)

    def due(self, name: str) -> datetime | None:
        """Return when the clock of this name falls due; None while it stands still or was never started."""
        clock = self.clock(name)
        return clock.due_at if clock and (clock.running or clock.met is not None) else None

    def concerns(self, address: str) -> bool:
        """Whether this address is on the record."""
        return address.lower() in {self.requester, *self.participants, *self.watchers}


def after(ticket: Ticket, events: Iterable[Event]) -> Ticket:
    """Return the ticket as it is once `events` have happened."""
    happened = tuple(events)
    return replace(reduce(_apply, happened, ticket), length=ticket.length + len(happened)) if happened else ticket


def _apply(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case Opened():
            return _opened(ticket, event)
        case Routed():
            return _routed(ticket, event)
        case Rejected():
            return replace(ticket, state=State.OUT_OF_SCOPE)
        case Assigned(team=team, line=line, assignee=assignee):
            return replace(ticket, team=team, line=line, assignee=assignee)
        case Returned():
            return replace(ticket, team="", assignee="", line=1, returned=ticket.returned + 1)
        case StateChanged():
            return _moved(ticket, event)
        case ProgressTold():
            return replace(ticket, answered=True)
        case _:
            return _detail(ticket, event)


def _detail(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case SolutionGiven(part="solution", text=text):
            return replace(ticket, solution=text)
        case SolutionGiven(part="cause", text=text):
            return replace(ticket, cause=text)
        case SolutionGiven(text=text):
            return replace(ticket, workaround=text)
        case Graded():
            return _graded(ticket, event)
        case ClockStarted() | ClockPaused() | ClockResumed() | ClockRetimed() | ClockStopped() | StepReached():
            return replace(ticket, clocks=_clocks(ticket.clocks, event))
        case _:
            return ticket


def _opened(ticket: Ticket, e: Opened) -> Ticket:
    return replace(
        ticket,
        kind=e.kind,
        subject=e.subject,
        requester=e.requester,
        requester_name=e.requester_name,
        customer=e.customer,
        language=e.language,
        source=e.source,
        opened_at=e.reported_at,
        message_id=e.message_id,
        participants=e.participants,
        follows=e.follows,
        recorded_by=e.recorded_by,
    )


def _routed(ticket: Ticket, e: Routed) -> Ticket:
    return replace(
        ticket,
        category=e.category,
        impact=e.impact,
        urgency=e.urgency,
        severity=e.severity,
        team=e.team,
        line=e.line,
        assignee=e.assignee,
        tags=e.tags,
        watchers=e.watchers,
        ci=e.ci,
        state=State.ASSIGNED if e.team or e.assignee else State.NEW,
    )


def _moved(ticket: Ticket, e: StateChanged) -> Ticket:
    return replace(
        ticket,
        state=e.new,
        answered=ticket.answered or e.new is State.IN_PROGRESS,
        hold_reason=e.hold_reason,
        hold_until=e.hold_until,
        reopened=ticket.reopened + (e.verb in (Verb.REOPEN, Verb.REJECT)),
    )


def _graded(ticket: Ticket, e: Graded) -> Ticket:
    match e.field:
        case "severity":
            return replace(ticket, severity=Severity(int(e.new)))
        case "impact":
            return replace(ticket, impact=Level(e.new))
        case "urgency":
            return replace(ticket, urgency=Level(e.new))
        case "category":
            return replace(ticket, category=e.new)
        case _:
            return replace(ticket, ci=e.new)


ClockEvent = ClockStarted | ClockPaused | ClockResumed | ClockRetimed | ClockStopped | StepReached


def _clocks(clocks: tuple[Clock, ...], event: ClockEvent) -> tuple[Clock, ...]:
    if isinstance(event, ClockStarted):
        return (*(c for c in clocks if c.name != event.clock), _started(event))
    return tuple(_turned(c, event) if c.name == event.clock else c for c in clocks)


def _started(e: ClockStarted) -> Clock:
    return Clock(
        name=e.clock,
        target=e.target,
        calendar=e.calendar,
        due_at=e.due_at,
        segments=(Segment(since=e.started_at),),
        steps=e.steps,
    )


def _turned(clock: Clock, event: ClockEvent) -> Clock:
    match event:
        case ClockPaused(at=at):
            return replace(clock, segments=_closed(clock.segments, at))
        case ClockResumed(at=at, due_at=due_at, steps=steps):
            return replace(clock, segments=(*clock.segments, Segment(since=at)), due_at=due_at, steps=steps, met=None)
        case ClockRetimed(target=target, calendar=calendar, due_at=due_at, steps=steps):
            return replace(clock, target=target, calendar=calendar, due_at=due_at, steps=steps)
        case ClockStopped(at=at, met=met):
            return replace(clock, segments=_closed(clock.segments, at), steps=(), met=met)
        case StepReached(step=step):
            left = tuple(s for s in clock.steps if s.name != step)
            return replace(clock, steps=left, reached=(*clock.reached, step))
        case _:
            return clock


def _closed(segments: tuple[Segment, ...], at: datetime) -> tuple[Segment, ...]:
    if not segments or segments[-1].until is not None:
        return segments
    return (*segments[:-1], replace(segments[-1], until=at))
