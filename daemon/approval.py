"""Approval: a ticket that a rule lets wait until somebody has approved it, by mail (procedure §12).

What comes in: a Ticket with `approval_by`, or the words of whoever was asked. What goes out: Events, or a Refusal.
Until somebody decides it is on hold, they are asked again every working day, and nobody can take it up past them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from daemon.actors import Actor, Refusal, is_requester, others_to_approve
from daemon.events import ApprovalAsked, ApprovalOwed, Assigned, Event, StateChanged
from daemon.lifecycle import next_state
from daemon.rulebook import Rulebook
from daemon.ticket import Ticket
from daemon.words import State, Verb
from daemon.workhours import hours_after

DESK = "desk"
_ASKED_ALONE = 1
"""So often they are reminded by themselves; then the desk hears of it too."""
_WORK = frozenset({State.ASSIGNED, State.IN_PROGRESS, State.RESOLVED})


def approval_asked(ticket: Ticket, rulebook: Rulebook, zone: str, at: datetime) -> tuple[Event, ...]:
    """Return the question to whoever has to approve this ticket, if it is to be worked on and nobody was asked yet."""
    asks = ticket.approval_by and ticket.approval is None and ticket.state in (State.NEW, State.ASSIGNED)
    if not asks or ticket.scope_to:
        return ()
    again = _tomorrow(ticket, rulebook, zone, at)
    return (
        ApprovalAsked(
            audience=(ticket.approval_by,), team=ticket.team, line=ticket.line, assignee=ticket.assignee, at=at,
            again_at=again,
        ),
    )  # fmt: skip


def approval_owed(ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime, until: datetime) -> tuple[Event, ...]:
    """Return the reminder that is due by then to whoever has not decided; in the end the desk has to know."""
    asked = ticket.approval
    if asked is None or not ticket.awaits_approval or asked.again_at > until:
        return ()
    repeat = asked.repeat + 1
    return (
        ApprovalOwed(
            audience=(asked.by,) if repeat <= _ASKED_ALONE else (asked.by, DESK), since=asked.since, noticed_at=now,
            again_at=_tomorrow(ticket, rulebook, zone, now), repeat=repeat,
        ),
    )  # fmt: skip


def held_back(verb: Verb, ticket: Ticket) -> str:
    """Return why this would go past whoever has to approve the ticket first, or "": the code of a refusal."""
    if not ticket.awaits_approval or verb is Verb.APPROVE:
        return ""
    if verb in (Verb.MERGE, Verb.DUPLICATE):
        return "approval_first"
    works = verb is Verb.HOLD or next_state(ticket.state, verb, ticket.kind) in _WORK
    return "needs_approval" if works else ""


def approved(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Let a ticket go where the rules send it."""
    asked = ticket.approval
    if asked is None or not ticket.awaits_approval:
        return Refusal(code="no_approval")
    own = is_requester(actor.sender.person, actor.sender.address, ticket)
    others = others_to_approve(ticket, actor.rulebook) if own else ()
    if others:
        return Refusal(code="own_request", detail=", ".join(p.name for p in others))
    moved = replace(_decided(Verb.APPROVE, State.NEW, argument, ticket, actor), own=own)
    if not (asked.team or asked.assignee):
        return (moved,)
    given = Assigned(team=asked.team, line=asked.line, assignee=asked.assignee, by=actor.name, reason=argument)
    taken = StateChanged(verb=Verb.ASSIGN, old=State.NEW, new=State.ASSIGNED, by=actor.name)
    return (moved, given, taken)


def refused(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """End a ticket that was not approved; the requester is told why."""
    if not ticket.awaits_approval:
        return Refusal(code="no_approval")
    if not argument:
        return Refusal(code="needs_reason")
    return (_decided(Verb.REFUSE, State.CANCELLED, argument, ticket, actor),)


def _decided(verb: Verb, new: State, text: str, ticket: Ticket, actor: Actor) -> StateChanged:
    return StateChanged(verb=verb, old=ticket.state, new=new, by=actor.name, text=text)


def _tomorrow(ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime) -> datetime:
    """Return when work begins on the next working day of this customer."""
    calendar = rulebook.calendar_of(ticket.customer)
    return hours_after(calendar, zone, now, 1)[0] if calendar else now + timedelta(days=1)
