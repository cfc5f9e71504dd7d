"""The clocks of a ticket: what is promised, what has been used, which step of the timetable is due.

What comes in: a Ticket as it is after a decision, the Rulebook and now. What goes out: clock Events. A running
timetable is frozen into its event, so that later changes to the rules never rewrite a promise in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daemon.events import (
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    DueStep,
    Event,
    NoticeFailed,
    RemindersSilenced,
    StateChanged,
    StepPassedOn,
    StepReached,
    Woken,
)
from daemon.lifecycle import ENDED_STATES
from daemon.rulebook import Calendar, Rulebook, ServiceLevel, Step, Target
from daemon.ticket import Clock, Segment, Ticket, early_or_due
from daemon.words import State, Verb
from daemon.workhours import DAY, add_working, hours_after, repeats, working_between

RESPOND, RESOLVE = "respond", "resolve"
_CLOSED = frozenset({State.OUT_OF_SCOPE, State.CANCELLED})
_NONE = timedelta(0)


def clock_events(ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime) -> tuple[Event, ...]:
    """Return what must happen to the clocks so that they agree with the ticket's state, grade and contract."""
    level = service_level(ticket, rulebook) if ticket.case else None
    target = level.targets.get(ticket.severity) if level else None
    if level is None or target is None:
        return ()
    return tuple(
        event
        for name, promised in ((RESPOND, target.respond), (RESOLVE, target.resolve))
        for event in _Keeper(ticket, name, promised, target, level, rulebook, zone, now).events()
    )


def service_level(ticket: Ticket, rulebook: Rulebook) -> ServiceLevel | None:
    """Return the contract that counts for this ticket: what a rule chose, the customer's, else "standard"."""
    customer = rulebook.customers.get(ticket.customer)
    keys = (ticket.service_level, customer.service_level if customer else "", "standard")
    return next((rulebook.service_levels[key] for key in keys if key in rulebook.service_levels), None)


def steps_due(ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime, until: datetime) -> tuple[StepReached, ...]:
    """Return the steps that have fallen due `until` then, in their order; `now` is when they are noticed.

    Of a reminder that was due several times only the last is left.
    """
    due = [(early_or_due(s, ticket), c, s) for c in ticket.clocks if c.running for s in c.steps]
    return tuple(
        _reached(clock, step, Measure(rulebook, zone), now, until, early=at < step.due_at > now)
        for at, clock, step in sorted(due, key=lambda d: d[0])
        if at <= until
    )


def waking(ticket: Ticket, until: datetime) -> tuple[Event, ...]:
    """Return the end of a hold whose date has come by then."""
    if ticket.state is not State.ON_HOLD or ticket.hold_until is None or ticket.hold_until > until:
        return ()
    return (
        Woken(reason=str(ticket.hold_reason or ""), until=ticket.hold_until),
        StateChanged(verb=Verb.RESUME, old=ticket.state, new=State.IN_PROGRESS, by="clock"),
    )


def passed_on(failed: NoticeFailed, facts: Mapping[str, object], now: datetime) -> tuple[StepPassedOn, ...]:
    """Return that a step goes to the next in line, since the mail about it will never reach whom it was for.

    `facts` are those of that mail.
    """
    step = facts.get("step")
    if not failed.permanent or not isinstance(step, Mapping) or not step.get("told_as"):
        return ()
    due = str(step["due_at"])
    return (
        StepPassedOn(
            step=str(step["name"]), clock=str(step["clock"]), percent=int(step["percent"]),
            due_at=datetime.fromisoformat(due) if due else now, at=now, address=failed.address,
            told_as=str(step["told_as"]), asked_by=str(facts.get("asked_by", "")), reason=str(facts.get("reason", "")),
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """Measures the stretches in which a clock ran, each by the calendar that counted then. `zone` is the service's."""

    rulebook: Rulebook
    zone: str

    def calendar(self, key: str, zone: str) -> Calendar:
        """Return the calendar, in this zone if one is named; one that is no longer in the rules counts every hour."""
        found = self.rulebook.calendars.get(key) or Calendar(key=key, always=True)
        return replace(found, zone=zone) if zone else found

    def used(self, clock: Clock, now: datetime) -> timedelta:
        """Return how much of its target a clock has used by now."""
        return sum((self.length(clock, s, now) for s in clock.segments), _NONE)

    def length(self, clock: Clock, segment: Segment, now: datetime) -> timedelta:
        """Return how much working time one stretch holds."""
        calendar = self.calendar_of(clock, segment)
        return working_between(calendar, self.zone, segment.since, segment.until or now)

    def calendar_of(self, clock: Clock, segment: Segment | None = None) -> Calendar:
        """Return the calendar that a clock goes by, or went by in one of its stretches."""
        if segment is None or not segment.calendar:
            return self.calendar(clock.calendar, clock.zone)
        return self.calendar(segment.calendar, segment.zone)

    def again(self, clock: Clock, every: timedelta, now: datetime) -> tuple[int, datetime, datetime]:
        """Return how often a reminder after the breach has been due by now, when it was last, and when it is next."""
        return repeats(self.calendar_of(clock), self.zone, clock.due_at, every, now)

    def silence(self, clock: Clock, quiet: timedelta, now: datetime) -> datetime:
        """Return until when an acknowledgement counts; whole days end when work begins again."""
        calendar = self.calendar_of(clock)
        if quiet % DAY == _NONE and not calendar.always:
            return hours_after(calendar, self.zone, now, quiet // DAY)[0]
        return add_working(calendar, self.zone, now, quiet)


def _reached(
    clock: Clock, step: DueStep, measure: Measure, now: datetime, until: datetime, *, early: bool
) -> StepReached:
    reached = StepReached(
        step=step.name, clock=clock.name, percent=step.percent, due_at=step.due_at, noticed_at=now,
        audience=step.audience, severity=step.severity, after=step.after, forecast=early, hand_up=step.hand_up,
    )  # fmt: skip
    if step.every is None:
        return reached
    before = measure.again(clock, step.every, step.due_at)[0]
    times, last, following = measure.again(clock, step.every, until)
    # An acknowledgement may have put it off to a moment between two of its turns.
    due_at = max(last, step.due_at)
    return replace(reached, due_at=due_at, again_at=following, repeat=max(times, 1), missed=times - before)


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
        self.ticket, self.name, self.promised, self.level = ticket, name, promised, level
        self.rulebook, self.now = rulebook, now
        self.clock = ticket.clock(name)
        customer = rulebook.customers.get(ticket.customer)
        self.zone = customer.zone if customer else ""
        self.measure = Measure(rulebook, zone)
        by_the_day = not self.measure.calendar(target.calendar, "").always
        self.calendar = (customer.calendar if customer and by_the_day else "") or target.calendar
        self.counts = self.measure.calendar(self.calendar, self.zone)

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
            yield from self._silence(self.clock)

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
        reason = self._retimed(clock)
        if clock.running and not reason:
            return
        used = self.measure.used(clock, self.now)
        due = clock.due_at if used >= clock.target and not reason else self._at(self.promised, used)
        steps = self._steps(used, due)
        if not clock.running:
            yield ClockResumed(clock=self.name, at=self.now, due_at=due, steps=steps)
        if reason:
            yield ClockRetimed(
                clock=self.name,
                target=self.promised,
                calendar=self.calendar,
                due_at=due,
                steps=steps,
                reason=reason,
                at=self.now,
                severity=int(self.ticket.severity),
                level=self.level.key,
                zone=self.zone,
            )

    def _retimed(self, clock: Clock) -> str:
        """Return what has changed the promise, or ""."""
        severity, level = int(self.ticket.severity), self.level.key
        changes = []
        if clock.severity not in (0, severity):
            changes.append(f"severity {clock.severity} → {severity}")
        if clock.level not in ("", level):
            changes.append(f"contract {clock.level} → {level}")
        other = (clock.target, clock.calendar, clock.zone) != (self.promised, self.calendar, self.zone)
        if other and not changes:
            changes.append(f"rules of severity {severity}, {level}" if clock.level else f"severity {severity}, {level}")
        return ", ".join(changes)

    def _silence(self, clock: Clock) -> Iterator[Event]:
        quiet = max((s.quiet for s in clock.steps if s.every and s.quiet), default=None)
        if clock.acknowledged_by and quiet is not None:
            until = self.measure.silence(clock, quiet, self.now)
            yield RemindersSilenced(clock=self.name, by=clock.acknowledged_by, until=until)

    def _start(self) -> ClockStarted:
        due = self._at(self.promised, _NONE)
        return ClockStarted(
            clock=self.name,
            target=self.promised,
            calendar=self.calendar,
            started_at=self.now,
            due_at=due,
            steps=self._steps(_NONE, due),
            severity=int(self.ticket.severity),
            level=self.level.key,
            zone=self.zone,
        )

    def _stop(self, clock: Clock) -> ClockStopped:
        return ClockStopped(clock=self.name, at=self.now, met=self.measure.used(clock, self.now) <= clock.target)

    # --- the timetable from now on ---

    def _steps(self, used: timedelta, due: datetime) -> tuple[DueStep, ...]:
        severity = self.ticket.severity
        wanted = (s for s in self.level.steps if s.clock == self.name and severity in s.severities)
        left = [s for s in wanted if s.every or not self._had(s)]
        return self._foreseen([self._step(s, used, due) for s in left], used)

    def _had(self, step: Step) -> bool:
        """Whether this step was reached; what is told on record is told again only when it becomes graver."""
        severity, clock = int(self.ticket.severity), self.clock
        if clock is None or clock.has_reached(step.name, severity):
            return clock is not None
        return step.percent == 0 and step.after is None and severity >= clock.severity

    def _step(self, step: Step, used: timedelta, due: datetime) -> DueStep:
        if step.every:
            at = repeats(self.counts, self.measure.zone, due, step.every, self.now)[2]
        else:
            at = self._at(step.after if step.after is not None else self.promised * step.percent / 100, used)
        return DueStep(
            name=step.name, percent=step.percent, due_at=at, audience=step.audience, severity=int(self.ticket.severity),
            after=step.after, every=step.every, quiet=step.quiet, hand_up=step.hand_up,
        )  # fmt: skip

    def _foreseen(self, steps: list[DueStep], used: timedelta) -> tuple[DueStep, ...]:
        """Let the first step that is left when the target is as good as missed come that early; once for each clock."""
        at = None if self.clock and self.clock.foreseen else self._miss_foreseen(used)
        first = min((s for s in steps if at and not s.every and s.due_at > at), key=lambda s: s.due_at, default=None)
        return tuple(replace(s, forecast_at=at) if s is first else s for s in steps)

    def _miss_foreseen(self, used: timedelta) -> datetime | None:
        forecast = self.level.forecast
        if self.name == RESPOND:
            return self._at(self.promised * forecast.untaken / 100, used) if forecast.untaken else None
        usual = forecast.usual(self.ticket.severity, self.ticket.category)
        return self._at(self.promised - usual, used) if usual and usual < self.promised else None

    def _at(self, amount: timedelta, used: timedelta) -> datetime:
        return add_working(self.counts, self.measure.zone, self.now, amount - used)
