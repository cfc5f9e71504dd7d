"""The life of one ticket up to a moment, as the facts that KPIs count.

What comes in: a ticket's history and the moment at which knowledge ends. What goes out: a Life. What happened later is
left out, so that the report on a month that is over says the same whenever it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from daemon.commands import TAKEN_UP
from daemon.dispatch import DISPATCH
from daemon.events import (
    Assigned,
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    EscalationAsked,
    Event,
    FollowUpAsked,
    Linked,
    MessageAdded,
    Opened,
    Rated,
    Returned,
    Routed,
    StateChanged,
    StepReached,
    Undone,
)
from daemon.ticket import Segment, Ticket, after
from daemon.words import LinkKind, State, Verb

History = Sequence[tuple[datetime, Event]]
"""When each event was written down, and the event, oldest first."""

Worktime = Callable[[str, str, datetime, datetime], timedelta]
"""(calendar, zone, from, to) → the working time between."""

_BESIDE = (ClockPaused, ClockResumed, ClockRetimed, ClockStarted, ClockStopped, MessageAdded, StepReached)
"""What says nothing about the ticket but for its clocks, which are told apart: left out, since there is much of it."""
_REOPENING = (Verb.REOPEN, Verb.REJECT)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in one state."""

    since: datetime
    until: datetime
    state: State


@dataclass(frozen=True, slots=True)
class Outcome:
    """A promise was kept, or broken, at this moment: when the clock was stopped, or when its time ran out."""

    clock: str
    at: datetime
    kept: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What a clock measured had happened: after `clock_time` since the report, `worked` of it counted."""

    clock: str
    at: datetime
    clock_time: timedelta
    worked: timedelta


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Life:
    """Everything that KPIs ask of one ticket; `ticket` is as it was when knowledge ends, without its clocks.

    `solved`, `steps` and `rated` hold (moment, who was at work), (moment, what was reached) and (moment, points);
    `lines` those that had it, `asked` when the requester was asked for a rating, `reused` when it was solved as before.
    """

    ticket: Ticket
    reported_at: datetime
    stretches: tuple[Stretch, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    done: tuple[Done, ...] = ()
    solved: tuple[tuple[datetime, str], ...] = ()
    reopened: tuple[datetime, ...] = ()
    dispatched: tuple[datetime, ...] = ()
    returned: tuple[datetime, ...] = ()
    steps: tuple[tuple[datetime, str], ...] = ()
    asked: tuple[datetime, ...] = ()
    rated: tuple[tuple[datetime, int], ...] = ()
    lines: frozenset[int] = frozenset()
    reused: tuple[datetime, ...] = ()

    @property
    def number(self) -> int:
        """The number of the ticket."""
        return self.ticket.number


def life_of(number: int, history: History, until: datetime, worktime: Worktime) -> Life | None:
    """Return the life of this ticket up to `until`, or None where it was not reported before."""
    opened = next((e for _, e in history if isinstance(e, Opened)), None)
    if opened is None or opened.reported_at >= until:
        return None
    undone = {e.done_at for _, e in history if isinstance(e, Undone)}
    biography = _Biography(Ticket(number=number), opened.reported_at, worktime)
    for written, moment, events in _batches(history):
        if moment >= until:
            break
        if written in undone:
            biography.remember(written)
        biography.goes_on(moment, events)
    return biography.life(until)


def _batches(history: History) -> Iterator[tuple[datetime, datetime, tuple[Event, ...]]]:
    """Yield what was decided together: when it was written down, and the moment for which it counts.

    Moments never go back.
    """
    latest: datetime | None = None
    for written, group in groupby(history, key=lambda pair: pair[0]):
        events = tuple(e for _, e in group)
        moment = min([written, *_own_moments(events)])
        latest = moment if latest is None else max(latest, moment)
        yield written, latest, events


def _own_moments(events: Iterable[Event]) -> Iterator[datetime]:
    """Yield when a mail had come: after an outage that is long before it was read."""
    for event in events:
        match event:
            case Opened(reported_at=at) | ClockPaused(at=at) | ClockResumed(at=at) | ClockStopped(at=at):
                yield at


def _step_name(step: StepReached) -> str:
    """Return a step's name for counting: "resolve 75", "resolve after 60" (minutes), "resolve again" after a breach."""
    if step.repeat or step.again_at is not None:
        return f"{step.clock} again"
    if step.after is not None:
        return f"{step.clock} after {step.after.total_seconds() / 60:.0f}"
    return f"{step.clock} {step.percent}"


@dataclass(slots=True)
class _Run:
    """One clock while its story is told; `broken_at` is when the time ran out."""

    calendar: str
    zone: str
    due_at: datetime
    since: datetime | None
    segments: list[Segment] = field(default_factory=list)
    broken_at: datetime | None = None
    settled: bool = False


@dataclass(slots=True)
class _Tally:
    """What may be taken back by an undo, as far as the story is told."""

    outcomes: list[Outcome] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    solved: list[tuple[datetime, str]] = field(default_factory=list)
    reopened: list[datetime] = field(default_factory=list)
    dispatched: list[datetime] = field(default_factory=list)
    returned: list[datetime] = field(default_factory=list)
    reused: list[datetime] = field(default_factory=list)
    lines: set[int] = field(default_factory=set)
    runs: dict[str, _Run] = field(default_factory=dict)


@dataclass(slots=True)
class _Biography:
    """Tells a ticket's life, one batch of events after the other."""

    ticket: Ticket
    reported_at: datetime
    worktime: Worktime
    since: datetime | None = None
    stretches: list[Stretch] = field(default_factory=list)
    steps: list[tuple[datetime, str]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    rated: list[tuple[datetime, int]] = field(default_factory=list)
    tally: _Tally = field(default_factory=_Tally)
    before: dict[datetime, _Tally] = field(default_factory=dict)

    def goes_on(self, moment: datetime, events: tuple[Event, ...]) -> None:
        """Tell what happened together."""
        before, self.ticket = self.ticket, after(self.ticket, (e for e in events if not isinstance(e, _BESIDE)))
        if self.since is None:
            self.since = moment
        elif self.ticket.state is not before.state:
            self.stretches.append(Stretch(self.since, moment, before.state))
            self.since = moment
        undone = next((e for e in events if isinstance(e, Undone)), None)
        if undone and undone.done_at in self.before:
            self.tally = self.before[undone.done_at]
            return
        if self.ticket.team or self.ticket.assignee:
            self.tally.lines.add(self.ticket.line)
        for event in events:
            self._note(moment, event)
            self._turn(moment, event)

    def remember(self, written: datetime) -> None:
        """Keep how things stood before what was written down then, since it will be undone."""
        self.before[written] = deepcopy(self.tally)

    def life(self, until: datetime) -> Life:
        """Return what was told, with the promises that time itself has broken."""
        tally = self.tally
        for name, run in tally.runs.items():
            self._break(name, run, until)
        last = [Stretch(self.since, until, self.ticket.state)] if self.since else []
        return Life(
            ticket=self.ticket, reported_at=self.reported_at, stretches=(*self.stretches, *last),
            outcomes=tuple(tally.outcomes), done=tuple(tally.done), solved=tuple(tally.solved),
            reopened=tuple(tally.reopened), dispatched=tuple(tally.dispatched), returned=tuple(tally.returned),
            steps=tuple(self.steps), asked=tuple(self.asked), rated=tuple(self.rated), lines=frozenset(tally.lines),
            reused=tuple(tally.reused),
        )  # fmt: skip

    def _note(self, moment: datetime, event: Event) -> None:
        match event:
            case StateChanged(new=State.RESOLVED):
                self.tally.solved.append((moment, self.ticket.assignee))
            case StateChanged(verb=verb) if verb in _REOPENING:
                self.tally.reopened.append(moment)
            case Routed(team=team, assignee=assignee) if team or assignee:
                self.tally.dispatched.append(moment)
            case Assigned(reason=reason, by=by) if reason != TAKEN_UP and by != DISPATCH:
                self.tally.dispatched.append(moment)
            case Returned():
                self.tally.returned.append(moment)
            case _:
                self._note_more(moment, event)

    def _note_more(self, moment: datetime, event: Event) -> None:
        match event:
            case StepReached():
                self.steps.append((moment, _step_name(event)))
            case EscalationAsked():
                self.steps.append((moment, "asked"))
            case Linked(link=LinkKind.KNOWLEDGE):
                self.tally.reused.append(moment)
            case FollowUpAsked():
                self.asked.append(moment)
            case Rated(rating=points):
                self.rated.append((moment, points))

    # --- clocks ---

    def _turn(self, moment: datetime, event: Event) -> None:
        match event:
            case ClockStarted(clock=name, calendar=calendar, zone=zone, due_at=due, started_at=at):
                self.tally.runs[name] = _Run(calendar, zone, due, at)
            case ClockPaused(clock=name, at=at) if name in self.tally.runs:
                self._stand(name, self.tally.runs[name], at)
            case ClockResumed(clock=name, at=at, due_at=due) if name in self.tally.runs:
                self.tally.runs[name].since, self.tally.runs[name].due_at = at, due
                self.tally.runs[name].settled = self.tally.runs[name].broken_at is not None
            case ClockRetimed(clock=name) if name in self.tally.runs:
                self._promise_anew(name, event, event.at or moment)
            case ClockStopped(clock=name, at=at, met=met) if name in self.tally.runs:
                self._stop(name, at, met=met)

    def _promise_anew(self, name: str, event: ClockRetimed, moment: datetime) -> None:
        """A new grade or contract: whether its promise is kept is an open question again, if there is time left.

        What was used before counts as it was counted then.
        """
        run = self.tally.runs[name]
        running = run.since is not None
        self._stand(name, run, moment)
        run.calendar, run.zone, run.due_at = event.calendar, event.zone, event.due_at
        run.since = moment if running else None
        if event.due_at > moment:
            self._withdraw(name, run)

    def _withdraw(self, name: str, run: _Run) -> None:
        """Take back that the promise was broken."""
        if run.broken_at is not None:
            self.tally.outcomes.remove(Outcome(name, run.broken_at, kept=False))
            run.broken_at, run.settled = None, False

    def _stop(self, name: str, at: datetime, *, met: bool) -> None:
        run = self.tally.runs[name]
        self._stand(name, run, at)
        if met:  # due at the end of a working day, and done before the next one began
            self._withdraw(name, run)
        if not run.settled:
            self.tally.outcomes.append(Outcome(name, at, met))
            run.settled, run.broken_at = True, None if met else at
        self.tally.done.append(Done(name, at, at - self.reported_at, self._worked(run)))

    def _stand(self, name: str, run: _Run, at: datetime) -> None:
        self._break(name, run, at)
        if run.since is not None:
            run.segments.append(Segment(since=run.since, until=at, calendar=run.calendar, zone=run.zone))
            run.since = None

    def _break(self, name: str, run: _Run, at: datetime) -> None:
        """Note that the time of a running clock ran out before `at`: once, whenever it is stopped."""
        if run.since is not None and run.due_at < at and not run.settled:
            run.broken_at = max(run.due_at, run.since)
            run.settled = True
            self.tally.outcomes.append(Outcome(name, run.broken_at, kept=False))

    def _worked(self, run: _Run) -> timedelta:
        spans = (self.worktime(s.calendar, s.zone, s.since, s.until or s.since) for s in run.segments)
        return sum(spans, timedelta(0))
