"""Emergency plans: starting one, its tasks and who answers for them, asking after what is overdue (procedure §11).

What comes in: what stands behind the keyword, a Ticket, who commands, or the clock. What goes out: Events or a Refusal.
A running plan is frozen into its event: later changes to the file do not change the tasks that people have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from daemon.actors import Actor, Refusal, in_charge, relations
from daemon.emergency import UNDONE, Task
from daemon.errors import nearest
from daemon.events import (
    Event,
    Graded,
    PlanActivated,
    PlanEnded,
    PlanProposed,
    PlanTask,
    Routed,
    TaskBlocked,
    TaskDone,
    TaskOverdue,
    TaskStarted,
    TaskUnanswered,
)
from daemon.intake import arguments
from daemon.intake.keywords import fold
from daemon.rulebook import Plan, Rulebook
from daemon.ticket import Ticket, after
from daemon.words import TaskState, Who

RULE = "rule"
"""Who starts a plan that starts by itself, as history names it."""


def activate(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Start the plan that is named, or (`off`) end those that run."""
    over, rest = arguments.ending_in(argument)
    if over:
        return _end(rest, ticket, actor)
    word, reason = arguments.first_word(argument)
    known = {fold(name): p for p in actor.rulebook.plans.values() for name in (p.key, *p.name.values(), *p.aliases)}
    plan = known.get(fold(argument)) or known.get(fold(word))
    if plan is None:
        near = nearest(word, known)
        return Refusal(code="no_such_plan", detail=", ".join(actor.rulebook.plans), near=near)
    if any(p.key == plan.key and p.active for p in ticket.plans):
        return Refusal(code="plan_runs", detail=plan.key)
    return _started(plan, actor.name, reason if fold(argument) not in known else "", ticket, actor.now)


def done(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Note that a task is done; those that waited for it have their turn."""
    task, text = _task(argument, ticket, actor)
    if isinstance(task, Refusal):
        return task
    if task.state is TaskState.DONE:
        return ()
    finished = TaskDone(task=task.number, by=actor.name, at=actor.at or actor.now, text=text)
    return (finished, *_next_tasks(after(ticket, (finished,)), task.plan, actor.name, actor.now))


def blocked(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Note that a task cannot go on, and why."""
    task, text = _task(argument, ticket, actor)
    if isinstance(task, Refusal):
        return task
    if task.state is TaskState.DONE:
        return Refusal(code="task_done", detail=str(task.number))
    if not text:
        return Refusal(code="needs_reason")
    return (TaskBlocked(task=task.number, by=actor.name, text=text, at=actor.at or actor.now),)


def plans_follow(then: Ticket, events: Iterable[Event], rulebook: Rulebook, now: datetime) -> tuple[Event, ...]:
    """Return the plans that a new ticket, or one that was classified anew, calls for: each once for a ticket."""
    news = [e for e in events if isinstance(e, Routed) or (isinstance(e, Graded) and e.field in _CLASSIFYING)]
    if not news or not then.open:
        return ()
    because = {name for e in news if isinstance(e, Routed) for name in e.because}
    had = {p.key for p in then.plans}
    happened: tuple[Event, ...] = ()
    for plan in rulebook.plans.values():
        if plan.key not in had and _fits(plan, then, because):
            happened = (*happened, *_called_for(plan, after(then, happened), now))
    return happened


def tasks_due(ticket: Ticket, now: datetime, until: datetime) -> Iterator[Event]:
    """Yield what the clock does about tasks that are overdue: the owner is asked once more, then the coordinator."""
    for task in ticket.tasks if ticket.open else ():
        if task.chase_at is None or task.due_at is None or task.chase_at > until:
            continue
        if task.reminded:
            yield TaskUnanswered(task=task.number, due_at=task.due_at, noticed_at=now)
        else:
            plan = next(p for p in ticket.plans if p.key == task.plan)
            yield TaskOverdue(
                task=task.number, due_at=task.due_at, noticed_at=now, again_at=max(now, until) + plan.remind,
                audience=(task.who,),
            )  # fmt: skip


# --- starting and ending ---

_CLASSIFYING = frozenset({"category", "severity"})


def _fits(plan: Plan, ticket: Ticket, because: set[str]) -> bool:
    grave = ticket.severity <= plan.severity
    below = any(f"{ticket.category}/".startswith(f"{c}/") for c in plan.categories)
    return (below and grave) or bool(because & set(plan.rules))


def _called_for(plan: Plan, ticket: Ticket, now: datetime) -> tuple[Event, ...]:
    if plan.by_itself:
        return _started(plan, RULE, "", ticket, now)
    return (PlanProposed(plan=plan.key, name=plan.name, coordinator=plan.coordinator, at=now),)


def _started(plan: Plan, by: str, reason: str, ticket: Ticket, now: datetime) -> tuple[Event, ...]:
    """Numbers go on from those of the plans before: people name a task by its number alone."""
    first = len(ticket.tasks)
    tasks = tuple(
        PlanTask(number=first + n, what=t.what, who=t.who, within=t.within, after=tuple(first + a for a in t.after))
        for n, t in enumerate(plan.tasks, start=1)
    )
    begun = PlanActivated(
        plan=plan.key, name=plan.name, coordinator=plan.coordinator, by=by, at=now, remind=plan.remind, tasks=tasks,
        reason=reason,
    )  # fmt: skip
    return (begun, *_next_tasks(after(ticket, (begun,)), plan.key, by, now))


def _next_tasks(ticket: Ticket, key: str, by: str, now: datetime) -> tuple[Event, ...]:
    """Return the tasks that have their turn now; with none left at all the plan is over."""
    tasks = [t for t in ticket.tasks if t.plan == key]
    finished = {t.number for t in tasks if t.state is TaskState.DONE}
    if not any(t.state in UNDONE for t in tasks):
        return (PlanEnded(plan=key, by=by, at=now),) if any(p.key == key and p.active for p in ticket.plans) else ()
    return tuple(
        TaskStarted(task=t.number, at=now, due_at=now + t.within, audience=(t.who,))
        for t in tasks
        if t.state is TaskState.WAITING and set(t.after) <= finished
    )


def _end(reason: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    running = [p.key for p in ticket.plans if p.active]
    if not running:
        return Refusal(code="no_plan_runs")
    undone = {k: tuple(t.number for t in ticket.tasks if t.plan == k and t.state in UNDONE) for k in running}
    return tuple(PlanEnded(plan=k, by=actor.name, at=actor.now, reason=reason, undone=undone[k]) for k in running)


# --- which task, and whether it is theirs ---


def _task(argument: str, ticket: Ticket, actor: Actor) -> tuple[Task | Refusal, str]:
    """Return the task that the argument names, and the words after it; without a number the only one they have."""
    number, text = arguments.task_in(argument)
    current = {t.number: t for t in ticket.tasks if t.state is not TaskState.DROPPED}
    theirs = [t for t in current.values() if t.state in UNDONE and _answers_for(t, ticket, actor)]
    if number is None and len(theirs) == 1:
        return theirs[0], argument.strip()
    if number is None:
        return Refusal(code="needs_task", detail=", ".join(str(t.number) for t in theirs)), text
    if number not in current:
        return Refusal(code="no_such_task", detail=str(number)), text
    task = current[number]
    if not _runs_it(task, ticket, actor) and not _answers_for(task, ticket, actor):
        return Refusal(code="not_your_task", detail=str(number)), text
    return task, text


def _answers_for(task: Task, ticket: Ticket, actor: Actor) -> bool:
    return actor.sender.person in in_charge(task.who, ticket, actor.rulebook, actor.now.date())


def _runs_it(task: Task, ticket: Ticket, actor: Actor) -> bool:
    """Whether this is somebody who may answer for every task: duty and project managers, and who coordinates."""
    plan = next(p for p in ticket.plans if p.key == task.plan)
    coordinates = actor.sender.person in in_charge(plan.coordinator, ticket, actor.rulebook, actor.now.date())
    return coordinates or bool({Who.DUTY, Who.PM} & relations(ticket, actor))
