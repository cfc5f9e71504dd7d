"""Taking back: what somebody changed by their last mail, within minutes, is as it was before.

What comes in: the ticket, its past and who asks. What goes out: Events that restore the former values, or a Refusal
that says why not. History stays: what happened, happened, and was taken back. This file alone knows what can be undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby

from daemon.actors import Actor, Refusal
from daemon.events import (
    Assigned,
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStopped,
    Corrected,
    EscalationAcknowledged,
    EscalationAsked,
    Event,
    Graded,
    HandedUp,
    Linked,
    MajorDeclared,
    MajorEnded,
    MajorUpdated,
    Noted,
    Opened,
    ParentSolved,
    PlanActivated,
    PlanEnded,
    ProgressTold,
    RecordedFor,
    Returned,
    SolutionGiven,
    StateChanged,
    TaskBlocked,
    TaskDone,
    Told,
    Undone,
    Unlinked,
)
from daemon.intake.understand import Happened, Past
from daemon.ticket import CORRECTABLE, Clock, Ticket, after, in_words
from daemon.words import JOINED, LinkKind, Verb

WINDOW = timedelta(minutes=15)
TAKEN_BACK = "taken back"
_CHANGES = (StateChanged, Assigned, HandedUp, Returned, Graded, SolutionGiven, Corrected, Linked, Unlinked)
_FOR_GOOD = (
    Opened, RecordedFor, ProgressTold, EscalationAsked, EscalationAcknowledged, MajorDeclared, MajorUpdated,
    PlanActivated, TaskDone, TaskBlocked,
)  # fmt: skip
"""What was said to somebody, or rests on it, cannot be taken back: the words are out."""
_DEEDS = (*_CHANGES, *_FOR_GOOD, MajorEnded, PlanEnded, Noted, Undone)
_GRADES = ("severity", "impact", "urgency", "category", "ci")
_PARTS = ("solution", "cause", "workaround")
_OTHER_ENDS = frozenset(
    {
        LinkKind.MERGED, LinkKind.DUPLICATE, LinkKind.CHILD, LinkKind.SPLIT_FROM, LinkKind.INCIDENT,
        LinkKind.CHANGE_FOR, LinkKind.REUSED_BY,
    }
)  # fmt: skip
"""The ends of links that were made on the other record: they are taken back there."""
_FOLLOWED = (*JOINED, LinkKind.CHILD, LinkKind.CHANGE_FOR)
"""The links along which others hear that a ticket is solved."""
_NOT_ABOUT_A_CHANGE = frozenset({"transcript", "new_reply"})


def taken_back(ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Return the events that undo what this person's last mail did to the ticket, or why that cannot be."""
    past = actor.pasts.get(ticket.number, Past())
    deeds = [list(group) for _, group in groupby(past.events, key=lambda h: h.cause)]
    at = next((n for n in reversed(range(len(deeds))) if _done_by(actor.name, deeds[n])), None)
    if at is None:
        return Refusal(code="nothing_to_undo")
    mine, later = deeds[at], [h for group in deeds[at + 1 :] for h in group]
    refusal = _why_not(mine, later, ticket, actor)
    if refusal:
        return refusal
    before = after(Ticket(number=ticket.number), [h.event for group in deeds[:at] for h in group])
    return (
        *_restored(ticket, before, actor),
        _marker(mine[0], before, past, actor),
        *(event for clock in ticket.clocks for event in _clock_restored(clock, before, mine[0])),
    )


def _done_by(name: str, group: list[Happened]) -> bool:
    return any(isinstance(h.event, _DEEDS) and getattr(h.event, "by", "") == name for h in group)


def _why_not(mine: list[Happened], later: list[Happened], ticket: Ticket, actor: Actor) -> Refusal | None:
    done = [h.event for h in mine]
    if any(isinstance(e, Undone) for e in done):
        return Refusal(code="undone_already")
    if (actor.at or actor.now) - mine[0].at > WINDOW:
        return Refusal(code="undo_late", detail=str(int(WINDOW.total_seconds() // 60)))
    if (tied := _why_tied(done, ticket)) is not None:
        return tied
    if any(isinstance(e, _FOR_GOOD) for e in done) or not any(isinstance(e, _CHANGES) for e in done):
        return Refusal(code="undo_words")
    since = next((h.event for h in later if isinstance(h.event, (*_CHANGES, RecordedFor, ProgressTold, Undone))), None)
    if since is None:
        return None
    by = str(getattr(since, "by", ""))
    person = actor.rulebook.people.get(by)
    return Refusal(code="undo_overtaken", detail=person.name if person else by)


def _why_tied(done: list[Event], ticket: Ticket) -> Refusal | None:
    """Return why something cannot be taken back because of the records that are linked to it."""
    for event in done:
        match event:
            case Linked(opened=True, ticket=number):
                return Refusal(code="undo_opened", detail=str(number))
            case Linked(link=link, ticket=number) | Unlinked(link=link, ticket=number) if link in _OTHER_ENDS:
                return Refusal(code="undo_elsewhere", detail=str(number))
            case ParentSolved(ticket=number):
                return Refusal(code="undo_elsewhere", detail=str(number))
            case StateChanged(verb=Verb.RESOLVE) if ticket.linked(*_FOLLOWED):
                return Refusal(code="undo_followed")
    return None


def _restored(now: Ticket, before: Ticket, actor: Actor) -> Iterator[Event]:
    """Yield the events that bring the single values back, each only where it differs."""
    by = actor.name
    if (now.team, now.line, now.assignee) != (before.team, before.line, before.assignee):
        yield Assigned(team=before.team, line=before.line, assignee=before.assignee, by=by, reason=TAKEN_BACK)
    if (now.state, now.hold_reason, now.hold_until) != (before.state, before.hold_reason, before.hold_until):
        yield StateChanged(
            verb=Verb.UNDO, old=now.state, new=before.state, by=by,
            hold_reason=before.hold_reason, hold_until=before.hold_until,
        )  # fmt: skip
    yield from _links_restored(now, before, by)
    for name in _GRADES:
        old, new = getattr(now, name), getattr(before, name)
        if old != new:
            yield Graded(field=name, old=_plain(old), new=_plain(new), by=by, reason=TAKEN_BACK)
    for name in _PARTS:
        if getattr(now, name) != getattr(before, name):
            yield SolutionGiven(part=name, text=getattr(before, name), by=by)
    for name in CORRECTABLE:
        if in_words(now, name) != in_words(before, name):
            yield Corrected(field=name, old=in_words(now, name), new=in_words(before, name), by=by)


def _links_restored(now: Ticket, before: Ticket, by: str) -> Iterator[Event]:
    for link in now.links:
        if link not in before.links:
            yield Unlinked(link=link.kind, ticket=link.ticket, by=by)
    for link in before.links:
        if link not in now.links:
            yield Linked(link=link.kind, ticket=link.ticket, by=by)


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, int) else str(value)


def _marker(first: Happened, before: Ticket, past: Past, actor: Actor) -> Undone:
    """Return the event that says what was undone, and who had been told of it: each of them once."""
    told: dict[str, Told] = {}
    for one in past.told.get(first.cause, ()):
        if one.template not in _NOT_ABOUT_A_CHANGE and one.address != actor.sender.address:
            told.setdefault(one.address, one)
    return Undone(
        by=actor.name, undoes=first.cause, done_at=first.at, told=tuple(told.values()), answered=before.answered,
        reopened=before.reopened, returned=before.returned, handed_up=before.handed_up, liaison=before.liaison,
    )  # fmt: skip


# --- clocks: as though it had not happened ---


def _clock_restored(now: Clock, before: Ticket, first: Happened) -> Iterator[Event]:
    """Yield the events after which a clock counts as if it had never been stopped, paused, started or retimed."""
    was = before.clock(now.name)
    if was is None:
        return
    steps = tuple(s for s in was.steps if not now.has_reached(s.name, s.severity))
    last = now.segments[-1]
    goes_on = (was.running or was.met is None) and not now.running and (was.running or now.met is not None)
    if goes_on:
        at = last.until if was.running and last.until else first.at
        yield ClockResumed(clock=now.name, at=at, due_at=was.due_at, steps=steps)
    if not was.running and (now.running or goes_on):
        yield _halted(was, before, last.since if now.running else first.at)
    if _promise(was) != _promise(now):
        yield ClockRetimed(
            clock=was.name, target=was.target, calendar=was.calendar, due_at=was.due_at, steps=steps,
            reason=TAKEN_BACK, at=last.since, severity=was.severity, level=was.level, zone=was.zone,
        )  # fmt: skip


def _halted(was: Clock, before: Ticket, at: datetime) -> ClockPaused | ClockStopped:
    if was.met is not None:
        return ClockStopped(clock=was.name, at=at, met=was.met)
    return ClockPaused(clock=was.name, at=at, reason=str(before.hold_reason or before.state))


def _promise(clock: Clock) -> tuple[object, ...]:
    return (clock.target, clock.calendar, clock.zone, clock.severity, clock.level)
