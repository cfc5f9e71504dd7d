"""One ticket's record in words, and the register of them all, a row for each.

What comes in: a Ticket, its history and messages, the Wording. What goes out: plain data for the renderers. What is for
colleagues only (notes, causes, who was told) is left out of a record unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from daemon.aftermath import aftermath
from daemon.commands import TAKEN_UP
from daemon.dispatch import DISPATCH, reason
from daemon.events import (
    AlertRepeated,
    Assigned,
    ClockPaused,
    ClockRetimed,
    ClockStopped,
    Corrected,
    Event,
    Graded,
    HandedUp,
    Linked,
    MajorDeclared,
    MajorEnded,
    MajorUpdated,
    MessageAdded,
    NewsShared,
    Opened,
    ParentEnded,
    PlanActivated,
    PlanEnded,
    ProgressTold,
    Queued,
    Rated,
    Rejected,
    Routed,
    RuleNotified,
    RulesApplied,
    SolutionGiven,
    StateChanged,
    StepReached,
    Unfree,
)
from daemon.notify.emergencies import aftermath_facts, level_name
from daemon.plans import RULE
from daemon.reports.wording import Wording
from daemon.ticket import Clock, Link, Ticket
from daemon.words import HoldReason, Verb, Visibility

Cell = str | int | float | bool | datetime | None

_UNSHOWN = frozenset({
    "clocks", "silence", "answered", "length", "message_id", "by_tool", "alert_told_at", "alert_back_at",
    "recovery_told_at", "scope_to", "major_run", "templates", "approval", "plans", "tasks", "not_for",
})  # fmt: skip
_INTERNAL_FIELDS = frozenset({
    "cause", "workaround", "watchers", "tags", "returned", "handed_up", "liaison", "symptom", "looks_like",
    "alert", "links", "solved_with", "scope_final", "service_level", "approval_by", "because", "queued_at",
})  # fmt: skip
_FOR_COLLEAGUES = frozenset({
    "Queued", "Recalled", "CalledIn", "RulesApplied", "RuleNotified", "ApprovalOwed",
    "Noted", "Returned", "HandedUp", "Woken", "EscalationAsked", "EscalationAcknowledged", "CommandsRefused",
    "AlertRepeated", "AlertRecovered", "StepReached", "StepPassedOn", "RemindersSilenced", "NoticeFailed",
    "AnswerWithheld", "Linked", "Unlinked", "ParentSolved", "ParentEnded",
    "MajorUpdateOwed", "PlanProposed", "PlanActivated", "TaskStarted", "TaskDone", "TaskBlocked",
    "TaskOverdue", "TaskUnanswered", "PlanEnded",
})  # fmt: skip
"""Kinds of events of which a customer does not hear."""
_FOR_THE_REQUESTER = frozenset({
    Verb.HOLD, Verb.RESOLVE, Verb.OUT_OF_SCOPE, Verb.CANCEL, Verb.CONFIRM, Verb.REOPEN, Verb.APPROVE,
    Verb.REFUSE,
})  # fmt: skip
"""The verbs whose words are written to the requester, or by them."""
_CLOCKED = (ClockPaused, ClockRetimed)
_RULED = (Routed, RulesApplied, RuleNotified)
"""The events whose `because` names rules, and not reasons of dispatch."""
CLOCK = "clock"
"""Who did it where time did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the store has of one ticket: (when, event), messages by mail, and files as {name, size, at, visibility}."""

    ticket: Ticket
    history: Sequence[tuple[datetime, Event]]
    messages: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands above a record: whose service, the letters before its number, when it was made."""

    service: str
    tag: str
    made_at: datetime


# --- fields: the register and the head of a record ---


def register_head(wording: Wording) -> list[str]:
    """Return the titles of the register's columns."""
    return [wording.word("field", key) for key in (*_field_names(), *_promise_names(), "attachments")]


def register_row(ticket: Ticket, attached: Iterable[str], wording: Wording) -> list[Cell]:
    """Return a ticket as one row of the register: every field of the record, and the names of its files."""
    told = [_cell(name, getattr(ticket, name), wording) for name in _field_names()]
    return [*told, *(_promise(ticket, name) for name in _promise_names()), ", ".join(attached)]


def _field_names() -> tuple[str, ...]:
    """Return the fields of a ticket, new ones of themselves."""
    return tuple(f.name for f in fields(Ticket) if f.name not in _UNSHOWN)


def _promise_names() -> tuple[str, ...]:
    return ("respond_by", "responded_at", "respond_met", "resolve_by", "resolved_at", "resolve_met")


def _promise(ticket: Ticket, name: str) -> Cell:
    clock = next((c for c in ticket.clocks if name.startswith(c.name)), None)
    if clock is None:
        return None
    match name.rpartition("_")[2]:
        case "by":
            return clock.due_at if clock.running or clock.met is not None else None
        case "at":
            return clock.segments[-1].until if clock.met is not None and clock.segments else None
        case _:
            return clock.met


def _cell(name: str, value: object, wording: Wording) -> Cell:
    """Return a field as a cell: numbers and times as such, everything else in words."""
    if value is None or (value == 0 and name in ("follows", "solved_with", "rating", "affected", "alerts")):
        return None
    if isinstance(value, datetime) or (isinstance(value, int) and not isinstance(value, Enum)):
        return value
    return _shown(name, value, wording)


# --- one record ---


def record_facts(sources: Sources, wording: Wording, header: Header, *, internal: bool) -> dict[str, Any]:
    """Return one ticket with its whole history as plain data; words for colleagues only where `internal`."""
    ticket = sources.ticket
    return {
        "number": ticket.number,
        "ref": f"{header.tag}-{ticket.number}",
        "subject": ticket.subject,
        "service": header.service,
        "language": wording.language,
        "zone_words": wording.say("zone").format(wording.words["zone"]),
        "made_at": wording.moment(header.made_at),
        "internal": internal,
        "fields": list(_fields(ticket, wording, internal=internal)),
        "clocks": [_clock(c, wording) for c in ticket.clocks],
        "major": _major(sources, wording, internal=internal),
        "attachments": list(_attachments(sources, wording, internal=internal)),
        "history": list(_history(sources, wording, internal=internal)),
    }


def _fields(ticket: Ticket, wording: Wording, *, internal: bool) -> Iterator[tuple[str, str]]:
    for name in _field_names():
        value = getattr(ticket, name)
        if value not in (None, "", (), 0) and (internal or name not in _INTERNAL_FIELDS):
            yield wording.word("field", name), _shown(name, value, wording)


def _clock(clock: Clock, wording: Wording) -> dict[str, Any]:
    target = wording.say("clock_target", target=wording.span(clock.target), calendar=clock.calendar)
    standing = "clock_running" if clock.running else "clock_paused"
    if clock.met is not None:
        standing = "clock_kept" if clock.met else "clock_broken"
    due = wording.say("clock_due", due=wording.moment(clock.due_at))
    ran = (
        wording.say("clock_ran", since=wording.moment(s.since), until=wording.moment(s.until) or wording.say("now"))
        for s in clock.segments
    )
    known_due = clock.running or clock.met is not None
    lines = [target, *([due] if known_due else []), *ran, wording.say(standing)]
    return {"name": wording.word("clock", clock.name), "lines": lines}


def _major(sources: Sources, wording: Wording, *, internal: bool) -> dict[str, Any] | None:
    """Return the report on a major incident in words: its head, and its course; None where it was none."""
    told = aftermath(sources.ticket, sources.history)
    if told is None:
        return None
    facts = aftermath_facts(told, sources.ticket, wording.language, wording.rulebook)
    head = [
        (wording.word("field", "major"), facts["level"]),
        *((wording.say(f"major_{name}"), facts[name]) for name in ("owner", "region")),
        *((wording.say(f"major_{name}"), wording.moment(getattr(told, name))) for name in ("since", "ended_at")),
        (wording.say("major_lasted"), wording.minutes(facts["minutes"]) if told.ended_at else ""),
        (wording.say("major_updates"), wording.say("major_counted", given=told.updates, missed=told.missed)),
    ]
    course = (
        (wording.moment(p.at), wording.word("course", p.kind).format(by=f["by"], detail=f["detail"]), p.text)
        for p, f in zip(told.course, facts["course"], strict=True)
        if internal or p.public
    )
    return {
        "head": [(name, value) for name, value in head if value],
        "course": [{"at": at, "text": text, "said": said} for at, text, said in course],
    }


def _attachments(sources: Sources, wording: Wording, *, internal: bool) -> Iterator[dict[str, str]]:
    for message in sources.messages.values():
        if internal or message["visibility"] == Visibility.PUBLIC:
            for file in message["attachments"]:
                size = f"{file.get('size', 0):,} B"
                yield {"at": wording.moment(message["at"]), "name": str(file.get("name") or ""), "size": size}


# --- history in words ---


def _public(event: Event) -> bool:
    """Whether a customer may read of this event at all."""
    if isinstance(event, MessageAdded):
        return event.visibility is Visibility.PUBLIC
    if isinstance(event, SolutionGiven):
        return event.part == "solution"
    if isinstance(event, StateChanged) and event.verb is Verb.RETURN:
        return False
    return type(event).__name__ not in _FOR_COLLEAGUES


def _history(sources: Sources, wording: Wording, *, internal: bool) -> Iterator[dict[str, str]]:
    """Yield what happened and what was said with it; the same words are not said twice at one moment."""
    last: tuple[datetime | None, str] = (None, "")
    for at, event in sources.history:
        if not internal and not _public(event):
            continue
        said = _words_of(event, sources) if internal or _words_are_public(event) else ""
        shown = event if internal else _without_reasons(event)
        told = {"at": wording.moment(at), "kind": type(event).__name__, "text": _sentence(shown, sources, wording)}
        yield {**told, "said": "" if (at, said) == last else said}
        last = (at, said) if said else last


def _without_reasons(event: Event) -> Event:
    """Return the event without why dispatch chose somebody: how busy or how skilled they are is for colleagues."""
    return replace(event, because=()) if isinstance(event, Assigned) else event


def _words_are_public(event: Event) -> bool:
    if isinstance(event, StateChanged):
        return event.verb in _FOR_THE_REQUESTER
    told = (
        MessageAdded
        | ProgressTold
        | NewsShared
        | SolutionGiven
        | Rejected
        | Rated
        | MajorDeclared
        | MajorUpdated
        | MajorEnded
    )
    return isinstance(event, told)


def _words_of(event: Event, sources: Sources) -> str:
    if isinstance(event, MessageAdded):
        return str(sources.messages.get(event.mail, {}).get("text", ""))
    if (isinstance(event, Assigned) and event.reason == TAKEN_UP) or isinstance(event, _CLOCKED):
        return ""
    return str(getattr(event, "text", "") or getattr(event, "reason", ""))


def _sentence(event: Event, sources: Sources, wording: Wording) -> str:
    """Return the event in words; a kind that the lists do not know is called by its name."""
    kind, variant = type(event).__name__, _variant(event)
    known: Mapping[str, str] = wording.words.get("history", {})
    pattern = known.get(f"{kind}.{variant}") or known.get(f"{kind}.{variant.partition('.')[0]}") or known.get(kind)
    return pattern.format(**_details(event, sources, wording)) if pattern else kind


def _variant(event: Event) -> str:
    """Return what else than its kind decides how an event is told, as in `StateChanged.hold.until`."""
    match event:
        case StateChanged(verb=verb, hold_until=until, own=own):
            return f"{verb}.until" if until else f"{verb}.own" if own else str(verb)
        case ClockStopped() | AlertRepeated() | Rejected():
            return _turn(event)
        case StepReached():
            return _step_variant(event)
        case Opened(recorded_by=by):
            return "recorded" if by else ""
        case Routed(team=team, assignee=assignee):
            return "to" if team or assignee else ""
        case Linked(link=link, opened=opened):
            return f"{link}.opened" if opened else str(link)
        case ParentEnded(state=state):
            return str(state)
        case _:
            return _placing_variant(event)


def _placing_variant(event: Event) -> str:
    """Return how an event is told by which a ticket comes to somebody, or to nobody."""
    match event:
        case Assigned(by=by, assignee="") if by == DISPATCH:
            return "back"
        case Assigned(because=because, reason=why):
            return "chosen" if because else "taken" if why == TAKEN_UP else ""
        case Queued(reasons=()):
            return "nobody"
        case HandedUp(vendors=vendors):
            return "vendor" if vendors else ""
        case _:
            return _emergency_variant(event)


def _emergency_variant(event: Event) -> str:
    match event:
        case MajorDeclared(old=old, threshold=threshold):
            return "reopened" if threshold == "reopened" else "changed" if old else ""
        case MajorEnded(state=state):
            return "state" if state else ""
        case PlanActivated(by=by):
            return "rule" if by == RULE else ""
        case PlanEnded(undone=undone):
            return "early" if undone else ""
        case _:
            return ""


def _turn(event: ClockStopped | AlertRepeated | Rejected) -> str:
    if isinstance(event, Rejected):
        return event.why
    if isinstance(event, AlertRepeated):
        return "back" if event.back else ""
    return "" if event.met else "broken"


def _step_variant(step: StepReached) -> str:
    if step.repeat or step.again_at:
        return "again"
    if step.forecast:
        return "forecast"
    return "after" if step.after is not None else ""


def _details(event: Event, sources: Sources, wording: Wording) -> dict[str, str]:
    """Return every field of an event in words, with `by` and `to` for whoever acted and whoever got it."""
    named = (f.name for f in fields(event) if f.name != "because" or not isinstance(event, _RULED))
    details = {name: _shown(name, getattr(event, name), wording) for name in named}
    if isinstance(event, _RULED):
        details["because"] = ", ".join(event.because)
    if isinstance(event, Graded | Corrected):
        details |= {side: _shown(event.field, _moment_or(getattr(event, side)), wording) for side in ("old", "new")}
    if isinstance(event, MajorDeclared):
        details["old"] = _shown("level", event.old, wording)
    if isinstance(event, _CLOCKED):
        details["reason"] = _why_paused(str(getattr(event, "reason", "")), wording)
    if isinstance(event, Queued):
        details["reasons"] = ", ".join(_unfree(u, wording) for u in event.reasons)
    given = [details.get("assignee", ""), details.get("team", "")]
    return {**details, "by": _actor(event, sources, wording), "to": " / ".join(filter(None, given))}


def _unfree(one: Unfree, wording: Wording) -> str:
    parts = [wording.person(one.person), *([one.detail.partition("/")[0]] if one.why != "off_hours" else [])]
    return wording.word("unfree", one.why).format(*parts)


def _actor(event: Event, sources: Sources, wording: Wording) -> str:
    """Return who did it, by name where one is known."""
    key = getattr(event, "by", "") or getattr(event, "author", "") or getattr(event, "requester", "")
    if key == CLOCK:
        return wording.say("by_clock")
    ticket = sources.ticket
    name = getattr(event, "author_name", "") or (ticket.requester_name if key == ticket.requester else "")
    return name or wording.person(key)


def _why_paused(reason: str, wording: Wording) -> str:
    return wording.word("hold_reason" if reason in set(HoldReason) else "state", reason)


def _moment_or(text: str) -> object:
    """Return the moment that a corrected time was stored as, any other text as it is."""
    try:
        return datetime.fromisoformat(text) if "T" in text else text
    except ValueError:
        return text


def _shown(name: str, value: object, wording: Wording) -> str:
    """Return a value in words, by its type and by what its field is called."""
    if isinstance(value, bool):
        return wording.say("yes" if value else "no")
    if isinstance(value, datetime):
        return wording.moment(value)
    if isinstance(value, timedelta):
        return wording.span(value)
    if isinstance(value, Link):
        return f"{wording.word('link', value.kind)} {value.ticket}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_shown(name, part, wording) for part in value)
    return _named(name, "" if value is None else str(int(value) if isinstance(value, int) else value), wording)


def _named(name: str, key: str, wording: Wording) -> str:
    """Return what stands under this key in the rule files or word lists; words of people stay as they are."""
    if not key:
        return ""
    if name in _GROUPS:
        return wording.word(_GROUPS[name], key)
    namers: dict[str, Callable[[str], str]] = {
        **dict.fromkeys(("by", "author", "assignee", "person", "recorded_by", "former", "liaison"), wording.person),
        **dict.fromkeys(("team", "from_team"), wording.team),
        "category": wording.category,
        "customer": wording.customer,
        "scope_why": partial(wording.word, "scope_why"),
        "why": partial(wording.word, "scope_why"),
        **dict.fromkeys(("audience", "approval_by"), partial(_told, wording=wording)),
        "level": partial(level_name, language=wording.language, rulebook=wording.rulebook),
        "major": partial(level_name, language=wording.language, rulebook=wording.rulebook),
        "plan": partial(_plan, wording=wording),
        "because": partial(_because, wording=wording),
    }
    return namers[name](key) if name in namers else key


def _because(code: str, wording: Wording) -> str:
    """Return one of the reasons why dispatch chose somebody."""
    word, detail = reason(code, wording.language, wording.rulebook)
    return wording.word("because", word).format(detail)


def _told(name: str, wording: Wording) -> str:
    """Return an audience in words: a person, a team, or a role."""
    known = wording.rulebook
    if name in known.people:
        return wording.person(name)
    return wording.team(name) if name in known.teams and name != "team" else wording.word("audience", name)


def _plan(key: str, wording: Wording) -> str:
    plan = wording.rulebook.plans.get(key)
    return wording.named(plan.name) if plan else key


_GROUPS = {
    "state": "state", "old": "state", "new": "state", "kind": "kind", "severity": "severity", "impact": "level",
    "urgency": "level", "hold_reason": "hold_reason", "source": "source", "clock": "clock", "part": "part",
    "field": "field", "template": "template", "link": "link",
}  # fmt: skip
