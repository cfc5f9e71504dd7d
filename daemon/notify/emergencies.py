"""What the mails about major incidents and emergency plans may speak of (docs/templates.md).

What comes in: an event, the ticket afterwards, the reader's language and the Rulebook. What goes out: plain facts, with
names for keys and times in ISO 8601. Reports use the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from daemon.aftermath import Aftermath, Point
from daemon.emergency import PlanEvent, Task
from daemon.events import (
    Event,
    MajorDeclared,
    MajorEnded,
    MajorUpdated,
    MajorUpdateOwed,
    PlanEnded,
    TaskOverdue,
    TaskStarted,
)
from daemon.rulebook import Rulebook
from daemon.ticket import Ticket

_MINUTE = timedelta(minutes=1)
_PLAN_NEWS = {
    "PlanProposed": "proposed", "PlanActivated": "started", "TaskDone": "done", "TaskBlocked": "blocked",
    "TaskUnanswered": "unanswered",
}  # fmt: skip


# --- a major incident ---


def owed_facts(event: MajorUpdateOwed) -> dict[str, Any]:
    """Return the facts of the reminder that an update is missing."""
    late = max(0, int((event.noticed_at - event.due_at) / _MINUTE))
    return {
        "due_at": event.due_at.isoformat(), "late_minutes": late, "repeat": event.repeat,
        "again_at": event.again_at.isoformat(),
    }  # fmt: skip


def alarm_facts(
    event: MajorDeclared | MajorUpdated | MajorUpdateOwed | MajorEnded, ticket: Ticket, rulebook: Rulebook
) -> dict[str, Any]:
    """Return what is new about a major incident, in one entry of `news`, and when the next update is due."""
    run = ticket.major_run
    text = str(getattr(event, "text", "") or getattr(event, "reason", ""))
    news = {"phase": _phase(event), "text": text, "by": display(str(getattr(event, "by", "")), rulebook)}
    return {"news": [news], "next_update_at": iso(run.due_at) if run and run.active else ""}


def _phase(event: Event) -> str:
    match event:
        case MajorDeclared(threshold="reopened"):
            return "reopened"
        case MajorDeclared(old=old):
            return "changed" if old else "declared"
        case MajorEnded():
            return "ended"
        case _:
            return "update"


def aftermath_facts(told: Aftermath, ticket: Ticket, language: str, rulebook: Rulebook) -> dict[str, Any]:
    """Return a report on a major incident as plain data: names for keys, times in ISO 8601."""
    customer = rulebook.customers.get(ticket.customer)
    return {
        "level": level_name(told.level, language, rulebook),
        "owner": display(told.owner, rulebook),
        "since": told.since.isoformat(),
        "ended_at": iso(told.ended_at),
        "minutes": int((told.ended_at - told.since) / _MINUTE) if told.ended_at else 0,
        "region": ticket.region or (customer.region if customer else ""),
        "course": [_point_facts(p, ticket, language, rulebook) for p in told.course],
        "promises": [
            {
                "clock": p.clock, "target_minutes": int(p.target / _MINUTE), "due_at": p.due_at.isoformat(),
                "done_at": iso(p.done_at), "met": p.met,
            }
            for p in told.promises
        ],
        "updates": told.updates,
        "missed": told.missed,
        "tasks_done": told.tasks[0],
        "tasks": told.tasks[1],
    }  # fmt: skip


def _point_facts(point: Point, ticket: Ticket, language: str, rulebook: Rulebook) -> dict[str, Any]:
    detail = point.detail
    if point.kind in ("declared", "changed"):
        detail = level_name(detail, language, rulebook)
    elif point.kind.startswith("plan"):
        detail = next((named(p.name, language) for p in ticket.plans if p.key == detail), detail)
    return {
        "at": point.at.isoformat(), "kind": point.kind, "by": display(point.by, rulebook), "text": point.text,
        "detail": detail, "public": point.public,
    }  # fmt: skip


def level_name(key: str, language: str, rulebook: Rulebook) -> str:
    """Return the name of a warning level, the key itself where the rules do not have it any more."""
    level = rulebook.major.level(key)
    return named(level.name, language) if level else key


# --- an emergency plan ---


def plan_of(event: Event, ticket: Ticket) -> str:
    """Return the key of the emergency plan that an event is about, "" for other events."""
    number = getattr(event, "task", 0)
    return next((t.plan for t in ticket.tasks if t.number == number), str(getattr(event, "plan", "")))


def plan_facts(event: PlanEvent, ticket: Ticket, language: str, rulebook: Rulebook) -> dict[str, Any]:
    """Return how a plan stands; a task that somebody is asked to do in `asked`, anything else that is new in `news`."""
    key, number = plan_of(event, ticket), getattr(event, "task", 0)
    plan = next(p for p in ticket.plans if p.key == key)
    tasks = [_task_facts(t, language, rulebook) for t in ticket.tasks if t.plan == key]
    task = next((t for t in tasks if t["number"] == number), None)
    asks = isinstance(event, TaskStarted | TaskOverdue)
    return {
        "plan": {"key": key, "name": named(plan.name, language)},
        "tasks": tasks,
        **({"asked": [task]} if asks else {"news": [_plan_news(event, task, rulebook)]}),
        "overdue": isinstance(event, TaskOverdue),
    }


def _plan_news(event: PlanEvent, task: Mapping[str, Any] | None, rulebook: Rulebook) -> dict[str, Any]:
    phase = _PLAN_NEWS.get(type(event).__name__, "")
    if isinstance(event, PlanEnded):
        phase = "ended" if event.undone else "finished"
    text = str(getattr(event, "text", "") or getattr(event, "reason", ""))
    return {"phase": phase, "task": task, "by": display(str(getattr(event, "by", "")), rulebook), "text": text}


def _task_facts(task: Task, language: str, rulebook: Rulebook) -> dict[str, Any]:
    return {
        "number": task.number, "what": named(task.what, language), "who": _called(task.who, language, rulebook),
        "state": str(task.state), "due_at": iso(task.due_at), "by": display(task.by, rulebook), "text": task.text,
    }  # fmt: skip


def _called(name: str, language: str, rulebook: Rulebook) -> str:
    """Return the name of a person or team; that of a role is for the word lists."""
    team = rulebook.teams.get(name)
    return named(team.name, language) if team else display(name, rulebook)


# --- names and times ---


def display(by: str, rulebook: Rulebook) -> str:
    """Return the name of one of ours; an address stays one."""
    person = rulebook.people.get(by)
    return person.name if person else by


def named(names: Mapping[str, str], language: str) -> str:
    """Return the name in this language, else in English, else any."""
    return names.get(language) or names.get("en") or next(iter(names.values()), "")


def iso(moment: datetime | None) -> str:
    """Return a time in ISO 8601, "" for none."""
    return moment.isoformat() if moment else ""
