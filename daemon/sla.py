"""The clocks of a ticket: what is promised, what has been used, which step of the timetable is due.

What comes in: a Ticket as it is after a decision, the Rulebook and now. What goes out: clock Events. A running
timetable is frozen into its event, so that later changes to the rules never rewrite a promise in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from daemon.events import (
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    DueStep,
    Event,
    StateChanged,
    StepReached,
    Woken,
)
from daemon.lifecycle import ENDED_STATES
from daemon.rulebook import Calendar, Rulebook, ServiceLevel, Target
from daemon.ticket import Clock, Ticket
from daemon.words import State, Verb
from daemon.workhours import add_working, working_between

RESPOND, RESOLVE = "respond", "resolve"
_CLOSED = frozenset({State.OUT_OF_SCOPE, State.CANCELLED})


def clock_events(ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime) -> tuple[Event, ...]:
    """Return what must happen to the clocks so that they agree with the ticket's state, grade and contract."""
    level = service_level(ticket, rulebook)
    target = level.targets.get(ticket.severity) if level else None
    if level is None or target is None:
        return ()
    return tuple(
        event
        for name, promised in ((RESPOND, target.respond), (RESOLVE, target.resolve))
        for event in _Keeper(ticket, name, promised, target, level, rulebook, zone, now).events()
    )


def service_level(ticket: Ticket, rulebook: Rulebook) -> ServiceLevel | None:
    """Return the contract that counts for this ticket: the customer's, else the one called "standard"."""
    customer = rulebook.customers.get(ticket.customer)
    key = customer.service_level if customer else "standard"
    return rulebook.service_levels.get(key) or rulebook.service_levels.get("standard")


def steps_due(ticket: Ticket, now: datetime) -> tuple[Event, ...]:
    """Return the steps that have fallen due and, for a hold whose date has come, the wake-up."""
    steps: list[Event] = [
        StepReached(step=s.name, clock=c.name, percent=s.percent, due_at=s.due_at, noticed_at=now, audience=s.audience)
        for c in ticket.clocks
        if c.running
        for s in c.steps
        if s.due_at <= now
    ]
    if ticket.state is State.ON_HOLD and ticket.hold_until and ticket.hold_until <= now:
        steps.append(Woken(reason=str(ticket.hold_reason or ""), until=ticket.hold_until))
        steps.append(StateChanged(verb=Verb.RESUME, old=ticket.state, new=State.IN_PROGRESS, by="clock"))
    return tuple(steps)


class _Keeper:
    """Brings one clock of one ticket into line with what the ticket has become."""

    def __init__(
        self,
        ticket: Ticket,
        name: str,
        promised: timedelta,
        target: Target,
        level: ServiceLevel,
        rulebook: Rulebook,
        zone: str,
        now: datetime,
    ) -> None:
        self.ticket, self.name, self.promised, self.target = ticket, name, promised, target
        self.level, self.rulebook, self.zone, self.now = level, rulebook, zone, now
        self.clock = ticket.clock(name)

    def events(self) -> Iterator[Event]:
        wanted = self._wanted()
        if self.clock is None:
            if wanted == "running":
                yield self._start()
        elif wanted == "stopped":
            if self.clock.met is None:
                yield self._stop(self.clock)
        elif wanted == "paused":
            if self.clock.running:
                yield ClockPaused(clock=self.name, at=self.now, reason=self._why())
        else:
            yield from self._run(self.clock)

    def _wanted(self) -> str:
        state = self.ticket.state
        if state in ENDED_STATES or (self.name == RESPOND and self.ticket.answered):
            return "stopped"
        if state in _CLOSED:
            return "paused"
        waits = state is State.ON_HOLD and self.ticket.hold_reason in self.rulebook.hold_stops_clock
        return "paused" if waits else "running"

    def _why(self) -> str:
        return str(self.ticket.hold_reason or self.ticket.state)

    def _run(self, clock: Clock) -> Iterator[Event]:
        retimed = clock.target != self.promised or clock.calendar != self.target.calendar
        if clock.running and not retimed:
            return
        due, steps = self._timetable(self._used(clock), clock.reached)
        if not clock.running:
            yield ClockResumed(clock=self.name, at=self.now, due_at=due, steps=steps)
        if retimed:
            yield ClockRetimed(
                clock=self.name,
                target=self.promised,
                calendar=self.target.calendar,
                due_at=due,
                steps=steps,
                reason=f"severity {int(self.ticket.severity)}, {self.level.key}",
            )

    def _start(self) -> ClockStarted:
        due, steps = self._timetable(timedelta(0), ())
        return ClockStarted(
            clock=self.name,
            target=self.promised,
            calendar=self.target.calendar,
            started_at=self.now,
            due_at=due,
            steps=steps,
        )

    def _stop(self, clock: Clock) -> ClockStopped:
        return ClockStopped(clock=self.name, at=self.now, met=self._used(clock) <= clock.target)

    def _used(self, clock: Clock) -> timedelta:
        spans = ((s.since, s.until or self.now) for s in clock.segments)
        return sum((working_between(self._calendar(), self.zone, a, b) for a, b in spans), timedelta(0))

    def _timetable(self, used: timedelta, reached: tuple[str, ...]) -> tuple[datetime, tuple[DueStep, ...]]:
        steps = tuple(
            DueStep(name=s.name, percent=s.percent, due_at=self._at(s.percent, used), audience=s.audience)
            for s in self.level.steps
            if s.clock == self.name and self.ticket.severity in s.severities and s.name not in reached
        )
        return self._at(100, used), steps

    def _at(self, percent: int, used: timedelta) -> datetime:
        return add_working(self._calendar(), self.zone, self.now, self.promised * percent / 100 - used)

    def _calendar(self) -> Calendar:
        return self.rulebook.calendars[self.target.calendar]
