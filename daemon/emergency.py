"""A major incident and the emergency plans of one ticket, as their events have made them: a part of the fold.

What comes in: a MajorRun, PlanRuns, Tasks and one event. What goes out: the same, afterwards. daemon.ticket asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daemon.events import (
    MajorDeclared,
    MajorEnded,
    MajorUpdated,
    MajorUpdateOwed,
    PlanActivated,
    PlanEnded,
    PlanProposed,
    TaskBlocked,
    TaskDone,
    TaskOverdue,
    TaskStarted,
    TaskUnanswered,
)
from daemon.words import TaskState

MajorEvent = MajorDeclared | MajorUpdated | MajorUpdateOwed | MajorEnded
PlanEvent = (
    PlanProposed | PlanActivated | PlanEnded | TaskStarted | TaskDone | TaskBlocked | TaskOverdue | TaskUnanswered
)
UNDONE = frozenset({TaskState.WAITING, TaskState.OPEN, TaskState.BLOCKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorRun:
    """A major incident: its warning level, whose it is, since when, and by when the next update is owed.

    `chase_at` is when the clock looks after it: at first that is `due_at`. `reminded` counts the reminders since the
    last update. `ended_state` is the state that ended it, "" where somebody said so.
    """

    level: str
    owner: str
    since: datetime
    every: timedelta
    remind: timedelta
    due_at: datetime
    chase_at: datetime
    reminded: int = 0
    updates: int = 0
    ended_at: datetime | None = None
    ended_state: str = ""

    @property
    def active(self) -> bool:
        """Whether it is still going on."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """An emergency plan on this ticket; one that was only proposed has no `since`."""

    key: str
    name: Mapping[str, str]
    coordinator: str
    remind: timedelta = timedelta(0)
    since: datetime | None = None
    ended_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it was started and is not over."""
        return self.since is not None and self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of a plan; `chase_at` is when the clock asks after it, `by` and `text` are of the last answer."""

    number: int
    plan: str
    what: Mapping[str, str]
    who: str
    within: timedelta
    after: tuple[int, ...] = ()
    state: TaskState = TaskState.WAITING
    due_at: datetime | None = None
    chase_at: datetime | None = None
    reminded: int = 0
    by: str = ""
    text: str = ""


def major_after(run: MajorRun | None, event: MajorEvent) -> MajorRun | None:
    """Return the major incident as it is once this has happened."""
    if isinstance(event, MajorDeclared):
        return _declared(run, event)
    if run is None:
        return None
    match event:
        case MajorUpdated(due_at=due_at):
            return replace(run, due_at=due_at, chase_at=due_at, reminded=0, updates=run.updates + 1)
        case MajorUpdateOwed(again_at=again_at, repeat=repeat):
            return replace(run, chase_at=again_at, reminded=repeat)
        case MajorEnded(at=at, state=state):
            return replace(run, ended_at=at, ended_state=state)


def _declared(run: MajorRun | None, e: MajorDeclared) -> MajorRun:
    return MajorRun(
        level=e.level, owner=e.owner, since=run.since if run else e.at, every=e.every, remind=e.remind,
        due_at=e.due_at, chase_at=e.due_at, updates=run.updates if run else 0,
    )  # fmt: skip


def plans_after(plans: tuple[PlanRun, ...], event: PlanEvent) -> tuple[PlanRun, ...]:
    """Return the plans as they are once this has happened."""
    match event:
        case PlanProposed():
            return (*plans, PlanRun(key=event.plan, name=event.name, coordinator=event.coordinator))
        case PlanActivated():
            started = PlanRun(
                key=event.plan, name=event.name, coordinator=event.coordinator, remind=event.remind, since=event.at
            )
            return (*(p for p in plans if p.key != event.plan), started)
        case PlanEnded(plan=key, at=at):
            return tuple(replace(p, ended_at=at) if p.key == key else p for p in plans)
        case _:
            return plans


def tasks_after(tasks: tuple[Task, ...], event: PlanEvent) -> tuple[Task, ...]:
    """Return the tasks as they are once this has happened."""
    match event:
        case PlanActivated(plan=key, tasks=new):
            made = (
                Task(number=t.number, plan=key, what=t.what, who=t.who, within=t.within, after=t.after) for t in new
            )
            return (*tasks, *made)
        case PlanEnded(undone=undone):
            return tuple(_dropped(t) if t.number in undone else t for t in tasks)
        case PlanProposed():
            return tasks
        case _:
            return tuple(_turned(t, event) if t.number == event.task else t for t in tasks)


def _dropped(task: Task) -> Task:
    return replace(task, state=TaskState.DROPPED, chase_at=None)


def _turned(task: Task, event: TaskStarted | TaskDone | TaskBlocked | TaskOverdue | TaskUnanswered) -> Task:
    match event:
        case TaskStarted(due_at=due_at):
            return replace(task, state=TaskState.OPEN, due_at=due_at, chase_at=due_at)
        case TaskDone(by=by, text=text):
            return replace(task, state=TaskState.DONE, chase_at=None, by=by, text=text)
        case TaskBlocked(by=by, text=text):
            return replace(task, state=TaskState.BLOCKED, chase_at=None, by=by, text=text)
        case TaskOverdue(again_at=again_at):
            return replace(task, chase_at=again_at, reminded=task.reminded + 1)
        case TaskUnanswered():
            return replace(task, chase_at=None, reminded=task.reminded + 1)
