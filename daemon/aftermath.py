"""What a major incident was, told from its history: the draft of the report due when it is over (procedure §10).

What comes in: the ticket and its history. What goes out: an Aftermath in keys and times; words are put to it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.events import (
    EscalationAsked,
    Event,
    HandedUp,
    MajorDeclared,
    MajorEnded,
    MajorUpdated,
    MajorUpdateOwed,
    Opened,
    PlanActivated,
    PlanEnded,
    ProgressTold,
    StateChanged,
    TaskBlocked,
    TaskDone,
    TaskUnanswered,
)
from daemon.ticket import Ticket
from daemon.words import State, TaskState, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of the course: what (`kind`), who by key, the words, and what else names it (a level, a task).

    `public` is what the customer was told or did.
    """

    at: datetime
    kind: str
    by: str = ""
    text: str = ""
    detail: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A target, and whether it was kept: `met` is None while it is open."""

    clock: str
    target: timedelta
    due_at: datetime
    done_at: datetime | None
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The whole of it: `updates` were given, `missed` were asked for; `tasks` is (done, all) of the emergency plans."""

    level: str
    owner: str
    since: datetime
    ended_at: datetime | None
    course: tuple[Point, ...]
    promises: tuple[Promise, ...]
    updates: int
    missed: int
    tasks: tuple[int, int]


def aftermath(ticket: Ticket, history: Iterable[tuple[datetime, Event]]) -> Aftermath | None:
    """Return what is to be reported of a ticket, None where it never was a major incident."""
    run = ticket.major_run
    if run is None:
        return None
    events = list(history)
    course = sorted((p for at, e in events for p in _points(at, e)), key=lambda p: p.at)
    return Aftermath(
        level=run.level,
        owner=run.owner,
        since=run.since,
        ended_at=run.ended_at,
        course=tuple(course),
        promises=tuple(_promises(ticket)),
        updates=run.updates,
        missed=len({e.due_at for _, e in events if isinstance(e, MajorUpdateOwed)}),
        tasks=(sum(t.state is TaskState.DONE for t in ticket.tasks), len(ticket.tasks)),
    )


def _promises(ticket: Ticket) -> Iterator[Promise]:
    for clock in ticket.clocks:
        done_at = clock.segments[-1].until if clock.met is not None and clock.segments else None
        yield Promise(clock=clock.name, target=clock.target, due_at=clock.due_at, done_at=done_at, met=clock.met)


def _points(at: datetime, event: Event) -> Iterator[Point]:
    """Yield what of an event belongs into the report: nothing for most."""
    match event:
        case Opened():
            if event.occurred_at:
                yield Point(at=event.occurred_at, kind="occurred", public=True)
            by = event.requester_name or event.requester
            yield Point(at=event.reported_at, kind="reported", by=by, text=event.subject, public=True)
        case StateChanged():
            yield from _of_a_state(at, event)
        case ProgressTold(by=by, text=text):
            yield Point(at=at, kind="progress", by=by, text=text, public=True)
        case HandedUp(by=by, reason=reason, line=line):
            yield Point(at=at, kind="handed_up", by=by, text=reason, detail=str(line))
        case EscalationAsked(by=by, reason=reason):
            yield Point(at=event.at or at, kind="escalated", by=by, text=reason)
        case _:
            yield from _of_the_alarm(event)


_MOVES = {Verb.ACCEPT: "taken_up", Verb.HOLD: "on_hold", Verb.REOPEN: "reopened", Verb.REJECT: "reopened"}


def _of_a_state(at: datetime, event: StateChanged) -> Iterator[Point]:
    if event.new is State.RESOLVED:
        yield Point(at=at, kind="resolved", by=event.by, text=event.text, public=True)
    elif event.verb in _MOVES:
        yield Point(at=at, kind=_MOVES[event.verb], by=event.by, text=event.text, public=True)


def _of_the_alarm(event: Event) -> Iterator[Point]:
    match event:
        case MajorDeclared(at=at, by=by, level=level, reason=reason):
            kind = "changed" if event.old else "declared"
            yield Point(at=at, kind=kind, by=by, text=reason, detail=level, public=True)
        case MajorUpdated(at=at, by=by, text=text):
            yield Point(at=at, kind="update", by=by, text=text, public=True)
        case MajorUpdateOwed(due_at=at, repeat=1):
            yield Point(at=at, kind="missed")
        case MajorEnded(at=at, by=by, reason=reason, state=state):
            yield Point(at=at, kind="ended", by=by, text="" if state else reason, public=True)
        case _:
            yield from _of_a_plan(event)


def _of_a_plan(event: Event) -> Iterator[Point]:
    match event:
        case PlanActivated(at=at, by=by, plan=plan, reason=reason):
            yield Point(at=at, kind="plan", by=by, text=reason, detail=plan)
        case PlanEnded(at=at, by=by, plan=plan, reason=reason):
            yield Point(at=at, kind="plan_over", by=by, text=reason, detail=plan)
        case TaskDone(at=at, by=by, task=number, text=text):
            yield Point(at=at, kind="task_done", by=by, text=text, detail=str(number))
        case TaskBlocked(at=at, by=by, task=number, text=text):
            yield Point(at=at, kind="task_blocked", by=by, text=text, detail=str(number))
        case TaskUnanswered(noticed_at=at, task=number):
            yield Point(at=at, kind="task_unanswered", detail=str(number))
