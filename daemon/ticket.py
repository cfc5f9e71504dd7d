"""A ticket is what its events say it is: the fold.

What comes in: a Ticket and Events. What goes out: the Ticket afterwards. Nothing else may make or change a Ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from daemon.emergency import MajorEvent, MajorRun, PlanEvent, PlanRun, Task, major_after, plans_after, tasks_after
from daemon.events import (
    AlertRecovered,
    AlertRepeated,
    AnswerAwaited,
    ApprovalAsked,
    ApprovalOwed,
    Assigned,
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    Corrected,
    DueStep,
    EscalationAcknowledged,
    EscalationAsked,
    Event,
    FollowedBy,
    FollowUpAsked,
    Graded,
    HandedUp,
    Insisted,
    Linked,
    MajorDeclared,
    MajorUpdated,
    MessageAdded,
    Opened,
    ParentSolved,
    ProgressTold,
    Queued,
    Rated,
    Recalled,
    RecordedFor,
    Rejected,
    Reminded,
    RemindersSilenced,
    Returned,
    Routed,
    RulesApplied,
    ScopeDoubted,
    SolutionGiven,
    StateChanged,
    StepReached,
    Undone,
    Unlinked,
)
from daemon.lifecycle import OPEN_STATES
from daemon.words import CASES, JOINED, HoldReason, Kind, Level, LinkKind, Severity, State, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of wall-clock time in which a clock ran; `until` is None while it runs.

    `calendar` and `zone` say how it was counted, where that has changed since ("": as the clock counts now).
    """

    since: datetime
    until: datetime | None = None
    calendar: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One promise being measured. It runs while its last segment is open; `met` is None until it stopped.

    Who has acknowledged its reminders hears none before `quiet_until`.
    """

    name: str
    target: timedelta
    calendar: str
    due_at: datetime
    segments: tuple[Segment, ...]
    steps: tuple[DueStep, ...]
    reached: tuple[str, ...] = ()
    met: bool | None = None
    severity: int = 0
    level: str = ""
    zone: str = ""
    foreseen: bool = False
    acknowledged_by: str = ""
    quiet_until: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether time counts now."""
        return bool(self.segments) and self.segments[-1].until is None

    def has_reached(self, step: str, severity: int) -> bool:
        """Whether this step was reached; histories of old name it without its severity."""
        return step in self.reached or _step_key(step, severity) in self.reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What the clock does while a requester does not say whether it is solved: remind once, then close."""

    since: datetime
    days: int
    remind_at: datetime
    close_at: datetime
    reminded_at: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """When it is the clock's turn."""
        return self.close_at if self.reminded_at else self.remind_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Another record, and what it is to this one; `people` are the addresses that came from it.

    `requesters` are those who reported what is handled here since, whether they were on the record before or not.
    """

    kind: LinkKind
    ticket: int
    people: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who has to approve a ticket (`by`, a role or a person), where it goes then, and when they are asked again."""

    by: str
    team: str
    line: int
    assignee: str
    since: datetime
    again_at: datetime
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The current picture of one ticket; `length` is the number of its events.

    `because` says why dispatch chose its assignee; `queued_at` is since when it waits for somebody to become free, and
    `not_for` are those for whom it does not wait. `solved_with` is the parent together with which it was solved. A rule
    may have chosen its `service_level`, and variants of our `templates`; `approval_by` has to approve it, and
    `approval` says how that stands. `looks_like`: somebody else, whose looks the requester takes on.
    """

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
    because: tuple[str, ...] = ()
    queued_at: datetime | None = None
    not_for: tuple[str, ...] = ()
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
    occurred_at: datetime | None = None
    symptom: str = ""
    user: str = ""
    contact: str = ""
    place: str = ""
    region: str = ""
    service: str = ""
    error_codes: tuple[str, ...] = ()
    affected: int = 0
    order: str = ""
    alert: str = ""
    by_tool: bool = False
    alerts: int = 0
    alert_at: datetime | None = None
    alert_told_at: datetime | None = None
    alert_back_at: datetime | None = None
    recovered_at: datetime | None = None
    recovery_told_at: datetime | None = None
    service_level: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    approval_by: str = ""
    approval: Approval | None = None
    scope_why: str = ""
    scope_reason: str = ""
    scope_to: tuple[str, ...] = ()
    scope_final: bool = False
    insisted_at: datetime | None = None
    handed_up: int = 0
    liaison: str = ""
    silence: Silence | None = None
    followed_by: tuple[int, ...] = ()
    asked_at: datetime | None = None
    asked_with: tuple[int, ...] = ()
    rating: int = 0
    rating_text: str = ""
    rated_at: datetime | None = None
    looks_like: str = ""
    links: tuple[Link, ...] = ()
    solved_with: int = 0
    major: str = ""
    major_run: MajorRun | None = None
    plans: tuple[PlanRun, ...] = ()
    tasks: tuple[Task, ...] = ()
    length: int = 0

    @property
    def exists(self) -> bool:
        """Whether anything has happened to it yet."""
        return self.length > 0

    @property
    def open(self) -> bool:
        """Whether somebody still has work to do on it."""
        return self.state in OPEN_STATES or self.state is State.KNOWN_ERROR

    @property
    def next_due_at(self) -> datetime | None:
        """When the clock must look at this ticket again, or None."""
        steps = [early_or_due(s, self) for c in self.clocks if c.running for s in c.steps]
        wake = [self.hold_until] if self.state is State.ON_HOLD and self.hold_until else []
        asks = [self.silence.due_at] if self.silence else []
        chases = [self.update_chase_at] if self.update_chase_at else []
        asks += [self.approval.again_at] if self.approval and self.awaits_approval else []
        tasks = [t.chase_at for t in self.tasks if t.chase_at and self.open]
        return min(steps + wake + asks + chases + tasks, default=None)

    @property
    def awaits_approval(self) -> bool:
        """Whether nothing may be done about it until somebody has approved it."""
        held = self.state is State.ON_HOLD and self.hold_reason is HoldReason.APPROVAL
        return held and self.approval is not None

    @property
    def in_alarm(self) -> bool:
        """Whether it is a major incident now."""
        return self.major_run is not None and self.major_run.active

    @property
    def update_chase_at(self) -> datetime | None:
        """When the clock looks whether an update of the major incident is missing, or None."""
        return self.major_run.chase_at if self.major_run and self.major_run.active else None

    def clock(self, name: str) -> Clock | None:
        """Return the clock of this name, if it was ever started."""
        return next((c for c in self.clocks if c.name == name), None)

    def due(self, name: str) -> datetime | None:
        """Return when the clock of this name falls due; None while it stands still or was never started."""
        clock = self.clock(name)
        return clock.due_at if clock and (clock.running or clock.met is not None) else None

    @property
    def solved_at(self) -> datetime | None:
        """When it was solved, as far as its clock knows."""
        clock = self.clock("resolve")
        return clock.segments[-1].until if clock and clock.met is not None and clock.segments else None

    @property
    def at_work(self) -> bool:
        """Whether somebody has taken it up and is at it now."""
        return self.state is State.IN_PROGRESS

    @property
    def next_step(self) -> tuple[Clock, DueStep] | None:
        """Return the step that comes next, with its clock; reminders after a breach only where nothing else is left."""
        pending = [(c, s) for c in self.clocks if c.running for s in c.steps]
        return min(pending, key=lambda p: (p[1].every is not None, p[1].due_at), default=None)

    @property
    def case(self) -> bool:
        """Whether somebody reported it: problems and changes are records of our own, without requester and clocks."""
        return self.kind in CASES

    def linked(self, *kinds: LinkKind) -> tuple[int, ...]:
        """Return the numbers of the records that are this to it, in the order in which they were linked."""
        return tuple(x.ticket for x in self.links if x.kind in kinds)

    @property
    def moved_to(self) -> int:
        """The number under which this case is handled since it was merged, or found to be the same; else 0."""
        found = self.linked(LinkKind.MERGED_INTO, LinkKind.DUPLICATE_OF)
        return found[-1] if found and self.state is State.CANCELLED else 0

    @property
    def joined(self) -> tuple[str, ...]:
        """The others who reported the case that is handled here: the requesters of what was merged into it."""
        found = (r for x in self.links if x.kind in JOINED for r in x.requesters if r != self.requester)
        return tuple(dict.fromkeys(found))

    def reported_by(self, address: str) -> bool:
        """Whether this address reported the case that is handled here, under this number or another one."""
        return address.lower() in (self.requester, *self.joined)

    def concerns(self, address: str) -> bool:
        """Whether this address is on the record."""
        return address.lower() in {self.requester, *self.participants, *self.watchers}


def early_or_due(step: DueStep, ticket: Ticket) -> datetime:
    """Return when a step comes: early if nobody is at work by then, else when it is due."""
    early = step.forecast_at if not ticket.at_work else None
    return min(early, step.due_at) if early else step.due_at


def after(ticket: Ticket, events: Iterable[Event]) -> Ticket:
    """Return the ticket as it is once `events` have happened."""
    happened = tuple(events)
    return replace(reduce(_apply, happened, ticket), length=ticket.length + len(happened)) if happened else ticket


def _apply(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case Opened():
            return _opened(ticket, event)
        case Routed() | RulesApplied() | ApprovalAsked() | ApprovalOwed():
            return _ruled(ticket, event)
        case Rejected() | ScopeDoubted() | Insisted():
            return _outside(ticket, event)
        case Assigned() | Returned() | Queued() | Recalled():
            return _placed(ticket, event)
        case StateChanged():
            return _moved(ticket, event)
        case ProgressTold():
            return replace(ticket, answered=True)
        case MessageAdded(author=author, looks_like=looks) if looks and author == ticket.requester:
            return replace(ticket, looks_like=looks)
        case _:
            return _detail(ticket, event)


def _in_emergency(ticket: Ticket, event: MajorEvent | PlanEvent) -> Ticket:
    if isinstance(event, PlanEvent):
        return replace(ticket, plans=plans_after(ticket.plans, event), tasks=tasks_after(ticket.tasks, event))
    # An update that went to the requester is an answer to them.
    return replace(
        ticket,
        major=event.level if isinstance(event, MajorDeclared) else ticket.major,
        major_run=major_after(ticket.major_run, event),
        answered=ticket.answered or isinstance(event, MajorUpdated),
    )


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
        case HandedUp() | RecordedFor() | Corrected() | Undone() | Linked() | Unlinked() | ParentSolved():
            return _put_right(ticket, event)
        case EscalationAcknowledged(by=by):
            return replace(ticket, clocks=tuple(_acknowledged(c, by) for c in ticket.clocks))
        case (
            ClockStarted() | ClockPaused() | ClockResumed() | ClockRetimed() | ClockStopped() | StepReached()
            | RemindersSilenced() | EscalationAsked()
        ):  # fmt: skip
            return replace(ticket, clocks=_clocks(ticket.clocks, event, at_work=ticket.at_work))
        case _:
            return _afterwards(ticket, event)


def _afterwards(ticket: Ticket, event: Event) -> Ticket:
    """Apply what happens by itself, in an emergency, or once it is solved: alerts, asking, reminding, following up."""
    match event:
        case AnswerAwaited(since=since, days=days, remind_at=remind_at, close_at=close_at):
            return replace(ticket, silence=Silence(since=since, days=days, remind_at=remind_at, close_at=close_at))
        case Reminded(noticed_at=at, close_at=close_at) if ticket.silence:
            return replace(ticket, silence=replace(ticket.silence, reminded_at=at, close_at=close_at))
        case AlertRepeated() | AlertRecovered():
            return _alerted(ticket, event)
        case FollowedBy(ticket=number):
            return replace(ticket, followed_by=(*ticket.followed_by, number))
        case FollowUpAsked(at=at, together=together):
            return replace(ticket, asked_at=at, asked_with=together)
        case Rated(rating=rating, text=text, at=at):
            return replace(ticket, rating=rating, rating_text=text, rated_at=at)
        case _ if isinstance(event, MajorEvent | PlanEvent):
            return _in_emergency(ticket, event)
        case _:
            return ticket


def _linked(ticket: Ticket, e: Linked) -> Ticket:
    """Link it, and put on the record whoever came with the other one and was not there yet."""
    people = tuple(p for p in e.people if not ticket.concerns(p))
    # Histories of old do not name the requesters: it was the first of those who came.
    requesters = e.requesters or (e.people[:1] if e.link in JOINED else ())
    link = Link(kind=e.link, ticket=e.ticket, people=people, requesters=requesters)
    return replace(ticket, links=(*ticket.links, link), participants=(*ticket.participants, *people))


def _unlinked(ticket: Ticket, e: Unlinked) -> Ticket:
    gone = [x for x in ticket.links if (x.kind, x.ticket) == (e.link, e.ticket)]
    people = {p for x in gone for p in x.people}
    left = tuple(x for x in ticket.links if x not in gone)
    return replace(ticket, links=left, participants=tuple(p for p in ticket.participants if p not in people))


def _placed(ticket: Ticket, e: Assigned | Returned | Queued | Recalled) -> Ticket:
    """Apply who has it now, or that nobody has."""
    anew = replace(ticket, liaison="", because=(), queued_at=None, not_for=())
    match e:
        case Assigned():
            return replace(anew, team=e.team, line=e.line, assignee=e.assignee, because=e.because, scope_to=())
        case Returned():
            return replace(anew, team="", assignee="", line=1, returned=ticket.returned + 1)
        case Queued():
            return replace(ticket, queued_at=e.since, not_for=e.but)
        case Recalled():
            return replace(anew, team=e.team, assignee="", line=e.line)


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
        occurred_at=e.occurred_at,
        symptom=e.symptom,
        contact=e.contact,
        place=e.place,
        region=e.region,
        alert=e.alert,
        by_tool=e.by_tool,
        alerts=int(e.by_tool),
        alert_at=e.reported_at if e.by_tool else None,
        alert_told_at=e.reported_at if e.by_tool else None,
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
        service=e.service,
        place=e.place or ticket.place,
        region=e.region or ticket.region,
        order=e.order,
        affected=e.affected or ticket.affected,
        error_codes=e.error_codes,
        state=State.ASSIGNED if ticket.case and (e.team or e.assignee) else State.NEW,
    )


def _ruled(ticket: Ticket, e: Routed | RulesApplied | ApprovalAsked | ApprovalOwed) -> Ticket:
    """Apply what the rules have said, and who they asked."""
    match e:
        case Routed():
            filled = replace(_routed(ticket, e), service_level=e.level, templates=e.templates, approval_by=e.approval)
            return reduce(_with_field, e.fields.items(), filled)
        case RulesApplied(tags=tags, watchers=watchers):
            return replace(ticket, tags=(*ticket.tags, *tags), watchers=(*ticket.watchers, *watchers))
        case ApprovalAsked(audience=audience):
            asked = Approval(
                by=audience[0], team=e.team, line=e.line, assignee=e.assignee, since=e.at, again_at=e.again_at
            )
            held = replace(ticket, state=State.ON_HOLD, hold_reason=HoldReason.APPROVAL, hold_until=None)
            return replace(held, team="", assignee="", queued_at=None, approval=asked)
        case ApprovalOwed(again_at=again_at, repeat=repeat):
            owed = replace(ticket.approval, again_at=again_at, repeat=repeat) if ticket.approval else None
            return replace(ticket, approval=owed)


def _outside(ticket: Ticket, e: Rejected | ScopeDoubted | Insisted) -> Ticket:
    match e:
        case Rejected(reason=reason, why=why):
            return replace(ticket, state=State.OUT_OF_SCOPE, scope_why=why, scope_reason=reason)
        case ScopeDoubted(why=why, team=team, line=line, assignee=assignee):
            return replace(
                ticket, state=State.NEW, team="", assignee="", scope_why=why, scope_to=(team, str(line), assignee)
            )
        case Insisted(at=at):
            return replace(ticket, insisted_at=at)


def _alerted(ticket: Ticket, e: AlertRepeated | AlertRecovered) -> Ticket:
    if isinstance(e, AlertRecovered):
        return replace(ticket, recovered_at=e.at, recovery_told_at=e.at if e.told else ticket.recovery_told_at)
    return replace(
        ticket, alerts=ticket.alerts + 1, alert_at=e.at, recovered_at=None,
        alert_told_at=e.at if e.told else ticket.alert_told_at,
        alert_back_at=e.at if e.told and e.back else ticket.alert_back_at,
    )  # fmt: skip


def _moved(ticket: Ticket, e: StateChanged) -> Ticket:
    waits = e.new in (State.NEW, State.ASSIGNED)
    return replace(
        _scoped(ticket, e),
        state=e.new,
        queued_at=ticket.queued_at if waits else None,
        answered=ticket.answered or e.new is State.IN_PROGRESS,
        hold_reason=e.hold_reason,
        hold_until=e.hold_until,
        silence=None,
        solved_with=0 if e.verb is Verb.RESOLVE else ticket.solved_with,
        reopened=ticket.reopened + (e.verb in (Verb.REOPEN, Verb.REJECT)),
    )


def _scoped(ticket: Ticket, e: StateChanged) -> Ticket:
    """Note what a person decided about the scope; a refusal after the requester insisted is the last word."""
    if e.verb is Verb.IN_SCOPE:
        return replace(ticket, scope_why="", scope_reason="", scope_final=False, insisted_at=None)
    if e.verb is not Verb.OUT_OF_SCOPE:
        return ticket
    final = e.old is State.OUT_OF_SCOPE and ticket.insisted_at is not None
    return replace(ticket, scope_why="", scope_reason=e.text, scope_final=final)


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


def _put_right(
    ticket: Ticket, event: HandedUp | RecordedFor | Corrected | Undone | Linked | Unlinked | ParentSolved
) -> Ticket:
    match event:
        case ParentSolved(ticket=number):
            return replace(ticket, solved_with=number)
        case Linked():
            return _linked(ticket, event)
        case Unlinked():
            return _unlinked(ticket, event)
        case HandedUp():
            participants = (*ticket.participants, *(v for v in event.vendors if not ticket.concerns(v)))
            return replace(ticket, handed_up=ticket.handed_up + 1, liaison=event.liaison, participants=participants)
        case RecordedFor():
            return replace(
                ticket, requester=event.requester, requester_name=event.requester_name, customer=event.customer,
                language=event.language, recorded_by=event.recorded_by, by_tool=False, service_level="",
                looks_like="",
            )  # fmt: skip
        case Corrected():
            return _corrected(ticket, event)
        case Undone():
            return replace(
                ticket, answered=event.answered, reopened=event.reopened, returned=event.returned,
                handed_up=event.handed_up, liaison=event.liaison,
            )  # fmt: skip


CORRECTABLE = (
    "source", "occurred", "customer", "user", "contact", "place", "region", "symptom", "service", "error_codes",
    "affected",
)  # fmt: skip
"""The fields that a Corrected may write, by the names it uses."""
_LIST_JOINT = ", "


def in_words(ticket: Ticket, field: str) -> str:
    """Return a correctable field as the text that a Corrected holds."""
    value = ticket.occurred_at if field == "occurred" else getattr(ticket, field)
    if isinstance(value, datetime):
        return value.isoformat()
    return _LIST_JOINT.join(value) if isinstance(value, tuple) else str(value or "")


def _corrected(ticket: Ticket, event: Corrected) -> Ticket:
    written = _with_field(ticket, (event.field, event.new))
    # What a rule had chosen for it was chosen for another customer.
    return replace(written, service_level="") if event.field == "customer" else written


def _with_field(ticket: Ticket, written: tuple[str, str]) -> Ticket:
    name, new = written
    match name:
        case "occurred":
            return replace(ticket, occurred_at=datetime.fromisoformat(new) if new else None)
        case "affected":
            return replace(ticket, affected=int(new or 0))
        case "error_codes":
            return replace(ticket, error_codes=tuple(new.split(_LIST_JOINT)) if new else ())
        case _:
            text: dict[str, Any] = {name: new}
            return replace(ticket, **text)


ClockEvent = (
    ClockStarted | ClockPaused | ClockResumed | ClockRetimed | ClockStopped | StepReached | RemindersSilenced
    | EscalationAsked
)  # fmt: skip


def _clocks(clocks: tuple[Clock, ...], event: ClockEvent, *, at_work: bool) -> tuple[Clock, ...]:
    if isinstance(event, ClockStarted):
        return (*(c for c in clocks if c.name != event.clock), _started(event))
    return tuple(_turned(c, event, at_work=at_work) if c.name == event.clock else c for c in clocks)


def _started(e: ClockStarted) -> Clock:
    return Clock(
        name=e.clock,
        target=e.target,
        calendar=e.calendar,
        due_at=e.due_at,
        segments=(Segment(since=e.started_at),),
        steps=e.steps,
        severity=e.severity,
        level=e.level,
        zone=e.zone,
    )


def _turned(clock: Clock, event: ClockEvent, *, at_work: bool) -> Clock:
    match event:
        case ClockPaused(at=at):
            return replace(clock, segments=_closed(clock.segments, at))
        case ClockResumed(at=at, due_at=due_at, steps=steps):
            on = replace(clock, segments=(*clock.segments, Segment(since=at)), due_at=due_at, steps=steps, met=None)
            return _kept_quiet(on)
        case ClockRetimed():
            return _retimed(clock, event)
        case ClockStopped(at=at, met=met):
            return replace(clock, segments=_closed(clock.segments, at), steps=(), met=met)
        case StepReached():
            return _reached(clock, event, at_work=at_work)
        case RemindersSilenced(until=until):
            return _kept_quiet(replace(clock, quiet_until=until, acknowledged_by=""))
        case EscalationAsked(step=name):
            asked = [s for s in clock.steps if s.name == name and s.every is None]
            return _heir_foreseen(_without(clock, asked), asked)
        case _:
            return clock


def _retimed(clock: Clock, e: ClockRetimed) -> Clock:
    """Count on by the new promise; what was used until now stays counted as it was."""
    segments = clock.segments
    if e.at is not None and (e.calendar, e.zone) != (clock.calendar, clock.zone):
        before = (replace(s, calendar=s.calendar or clock.calendar, zone=s.zone or clock.zone) for s in segments)
        segments = tuple(s for s in _closed(tuple(before), e.at) if s.until != s.since)
        segments = (*segments, Segment(since=e.at)) if clock.running else segments
    graver = 0 < e.severity < clock.severity  # whoever acknowledged it has not heard of this
    return _kept_quiet(replace(
        clock, target=e.target, calendar=e.calendar, due_at=e.due_at, steps=e.steps, segments=segments,
        severity=e.severity, level=e.level, zone=e.zone, quiet_until=None if graver else clock.quiet_until,
    ))  # fmt: skip


def _kept_quiet(clock: Clock) -> Clock:
    """Put off the reminders that would come before the end of the quiet time."""
    until = clock.quiet_until
    if until is None:
        return clock
    return replace(clock, steps=tuple(replace(s, due_at=max(s.due_at, until)) if s.every else s for s in clock.steps))


def _reached(clock: Clock, e: StepReached, *, at_work: bool) -> Clock:
    if e.again_at is not None:
        again = tuple(replace(s, due_at=e.again_at) if s.every and s.name == e.step else s for s in clock.steps)
        return replace(clock, steps=again)
    gone = [s for s in clock.steps if s.name == e.step]
    left = replace(_without(clock, gone), foreseen=clock.foreseen or e.forecast)
    return _heir_foreseen(left, gone) if at_work and not e.forecast else left


def _heir_foreseen(clock: Clock, gone: list[DueStep]) -> Clock:
    """Let the next step come early instead of one that is gone without having been foreseen."""
    at = next((s.forecast_at for s in gone if s.forecast_at), None)
    ahead = (s for s in clock.steps if at and not s.every and s.due_at > at)
    heir = None if clock.foreseen else min(ahead, key=lambda s: s.due_at, default=None)
    return replace(clock, steps=tuple(replace(s, forecast_at=at) if s is heir else s for s in clock.steps))


def _without(clock: Clock, steps: list[DueStep]) -> Clock:
    left = tuple(s for s in clock.steps if s not in steps)
    return replace(clock, steps=left, reached=(*clock.reached, *(_step_key(s.name, s.severity) for s in steps)))


def _step_key(name: str, severity: int) -> str:
    return f"{name} @{severity}" if severity else name


def _acknowledged(clock: Clock, by: str) -> Clock:
    """Note who acknowledged, until daemon.sla says how long that silences the reminders."""
    return replace(clock, acknowledged_by=by) if clock.running and any(s.every for s in clock.steps) else clock


def _closed(segments: tuple[Segment, ...], at: datetime) -> tuple[Segment, ...]:
    if not segments or segments[-1].until is not None:
        return segments
    return (*segments[:-1], replace(segments[-1], until=at))
