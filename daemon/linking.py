"""Tying records together: which may be linked, and what happening on one means for the others (procedure §7, §8).

What comes in: the number or words behind a keyword, the ticket, who asks. What goes out: Events of this ticket, or a
Refusal; and, by `spread`, the Events of the records linked to it. This file alone knows what a link obliges to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from daemon.actors import Actor, Refusal, of_ours
from daemon.events import (
    Event,
    Linked,
    MajorUpdated,
    NewsShared,
    ParentEnded,
    ParentSolved,
    ProgressTold,
    SolutionGiven,
    StateChanged,
    Unlinked,
    Woken,
)
from daemon.intake import arguments
from daemon.intake.keywords import fold
from daemon.lifecycle import next_state
from daemon.ticket import Ticket
from daemon.words import JOINED, OTHER_END, HoldReason, Kind, LinkKind, State, Verb, domain_of

MOST_RELATED = 20
"""So many records may be named by one #related."""
_OVER = frozenset({State.ARCHIVED, State.CANCELLED, State.OUT_OF_SCOPE})
_NO_PARENT = frozenset({"none", "no", "off", "-", "无", "没有", "取消"})
_MERGES: Mapping[Verb, LinkKind] = {Verb.MERGE: LinkKind.MERGED_INTO, Verb.DUPLICATE: LinkKind.DUPLICATE_OF}
_SAME_CASE = frozenset(_MERGES.values())
_ENDS: Mapping[State, str] = {
    State.RESOLVED: "solved", State.PENDING_REVIEW: "solved", State.ARCHIVED: "solved",
    State.CANCELLED: "cancelled", State.OUT_OF_SCOPE: "out_of_scope",
}  # fmt: skip
_ASKED = (State.RESOLVED, State.PENDING_REVIEW)
NAMES_ANOTHER = frozenset({LinkKind.SPLIT_INTO, LinkKind.PROBLEM, LinkKind.CHANGE})
"""The links by which a new record may be opened."""

Found = Callable[[int], Ticket | None]
"""The record of a number, as it is after all that this mail has done so far; None where there is none."""


# --- what each keyword does: (argument, ticket, actor) → events or a refusal ---


def merged(verb: Verb) -> Callable[[str, Ticket, Actor], tuple[Event, ...] | Refusal]:
    """Return the deed that ends a ticket because it is the same case as another one."""

    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        if ticket.in_alarm:
            return Refusal(code="major_first")
        target = _case_of(argument, ticket, actor) if ticket.number else Refusal(code="opens_now")
        if isinstance(target, Refusal):
            return target
        new = next_state(ticket.state, verb, ticket.kind) or ticket.state
        return (
            Linked(link=_MERGES[verb], ticket=target.number, by=actor.name),
            StateChanged(verb=verb, old=ticket.state, new=new, by=actor.name),
        )

    return deed


def _case_of(argument: str, ticket: Ticket, actor: Actor) -> Ticket | Refusal:
    """Return the ticket under which this case is handled from now on, wherever the one that was named has gone."""
    target = _one_named(argument, ticket, actor)
    if isinstance(target, Refusal):
        return target
    end = follow(target, {**actor.related, ticket.number: ticket}.get)
    if end.number == ticket.number:
        return Refusal(code="own_number")
    if not end.case:
        return Refusal(code="other_kind", detail=str(end.number))
    if not same_customer(ticket, end):
        return Refusal(code="other_customer", detail=str(end.number))
    if end.state in _OVER:
        return Refusal(code="link_over", detail=str(end.number))
    return Refusal(code="has_children") if ticket.linked(LinkKind.CHILD) else end


def follow(ticket: Ticket, found: Found) -> Ticket:
    """Return the ticket under which this case is handled by now; a circle, which must not be, ends where it closes."""
    seen = {ticket.number}
    while ticket.moved_to and ticket.moved_to not in seen and (following := found(ticket.moved_to)):
        ticket = following
        seen.add(ticket.number)
    return ticket


def same_customer(one: Ticket, other: Ticket) -> bool:
    """Whether what is on one ticket may be told to the requester of the other."""
    if one.customer or other.customer:
        return one.customer == other.customer
    return one.requester == other.requester or domain_of(one.requester) == domain_of(other.requester) != ""


def related(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Link records that have to do with each other."""
    numbers = _numbers(argument, actor)
    if isinstance(numbers, Refusal):
        return numbers
    if len(numbers) > MOST_RELATED:
        return Refusal(code="too_many_tickets", detail=str(MOST_RELATED))
    refusal = next((r for n in numbers if (r := _unknown(n, ticket, actor))), None)
    new = [n for n in numbers if n not in ticket.linked(LinkKind.RELATED)]
    if refusal or not new:
        return refusal or Refusal(code="already_linked")
    return tuple(Linked(link=LinkKind.RELATED, ticket=n, by=actor.name) for n in new)


def parent(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Put a ticket under a parent, or take it away from there."""
    former = ticket.linked(LinkKind.PARENT)
    leaves = tuple(Unlinked(link=LinkKind.PARENT, ticket=n, by=actor.name) for n in former)
    if fold(argument).strip(" .。") in _NO_PARENT:
        return leaves or Refusal(code="no_parent")
    target = _one_named(argument, ticket, actor)
    if isinstance(target, Refusal):
        return target
    if target.number in former:
        return Refusal(code="already_linked")
    if not target.case or not target.open:
        return Refusal(code="other_kind" if not target.case else "link_over", detail=str(target.number))
    if target.linked(LinkKind.PARENT) or ticket.linked(LinkKind.CHILD):
        return Refusal(code="one_generation")
    return (*leaves, Linked(link=LinkKind.PARENT, ticket=target.number, by=actor.name))


def split(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Make a ticket of its own of a second matter."""
    if not ticket.number:
        return Refusal(code="opens_now")
    return (_opening(LinkKind.SPLIT_INTO, argument, ticket, actor),)


def raised(
    link: LinkKind, kind: Kind, *, needs_text: bool
) -> Callable[[str, Ticket, Actor], tuple[Event, ...] | Refusal]:
    """Return the deed that opens a problem or a change for a ticket, or links one that is there already."""

    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        numbers, rest, _ = arguments.leading_numbers(argument, _tag(actor))
        if len(numbers) != 1 or rest:
            missing = needs_text and not argument
            return Refusal(code="needs_text") if missing else (_opening(link, argument, ticket, actor),)
        refusal = _unknown(numbers[0], ticket, actor)
        if refusal:
            return refusal
        target = actor.related[numbers[0]]
        if target.kind is not kind:
            return Refusal(code=f"no_{kind}", detail=str(target.number))
        if target.state in _OVER or target.number in ticket.linked(link):
            code = "link_over" if target.state in _OVER else "already_linked"
            return Refusal(code=code, detail=str(target.number))
        return (Linked(link=link, ticket=target.number, by=actor.name),)

    return deed


def _opening(link: LinkKind, text: str, ticket: Ticket, actor: Actor) -> Linked:
    """Return the link to a record that is still to be opened; until it has its number, that is below zero."""
    waiting = sum(x.ticket < 0 for x in ticket.links)
    return Linked(link=link, ticket=-1 - waiting, by=actor.name, text=text, opened=True)


def reused(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Take over the solution of an archived ticket, or what is known of a problem."""
    target = _one_named(argument, ticket, actor)
    if isinstance(target, Refusal):
        return target
    if target.number in ticket.linked(LinkKind.KNOWLEDGE):
        return Refusal(code="already_linked")
    if target.case and target.state is not State.ARCHIVED:
        return Refusal(code="kb_not_archived", detail=str(target.number))
    part = "solution" if target.solution or target.kind is not Kind.PROBLEM else "workaround"
    text = getattr(target, part)
    if not text:
        return Refusal(code="kb_no_solution", detail=str(target.number))
    # Words that were written for another customer are read by our own people first, and go to nobody by themselves.
    ready = same_customer(ticket, target) and not getattr(ticket, part)
    draft = () if not ready else (SolutionGiven(part=part, text=text, by=actor.name),)
    return (Linked(link=LinkKind.KNOWLEDGE, ticket=target.number, by=actor.name, text=text), *draft)


# --- numbers ---


def _one_named(argument: str, ticket: Ticket, actor: Actor) -> Ticket | Refusal:
    numbers = _numbers(argument, actor)
    if isinstance(numbers, Refusal):
        return numbers
    if len(numbers) > 1:
        return Refusal(code="needs_ticket")
    return _unknown(numbers[0], ticket, actor) or actor.related[numbers[0]]


def _numbers(argument: str, actor: Actor) -> tuple[int, ...] | Refusal:
    numbers, rest, _ = arguments.leading_numbers(argument, _tag(actor))
    said = re.sub(r"[\s,，、。.;；]", "", rest)
    return numbers if numbers and not said else Refusal(code="needs_ticket")


def _unknown(number: int, ticket: Ticket, actor: Actor) -> Refusal | None:
    """Return why nothing can be tied to this number; who is no colleague of ours does not get this far."""
    if number == ticket.number:
        return Refusal(code="own_number")
    return None if number in actor.related else Refusal(code="no_such_ticket", detail=str(number))


def _tag(actor: Actor) -> str:
    return actor.service.subject_tag if actor.service else ""


# --- what it means for the other records ---


def spread(ticket: Ticket, events: tuple[Event, ...], actor: Actor, found: Found) -> Iterator[tuple[int, Event]]:
    """Yield (number, event) for the records that these events of a ticket reach: the other end of a link, children,
    requesters of the same case, whoever waits for a change."""
    for event in events:
        match event:
            case Linked() | Unlinked():
                yield from _other_end(ticket, event, actor)
            case ProgressTold() | MajorUpdated():
                yield from _news(ticket, event, actor, found)
            case StateChanged(verb=Verb.RESOLVE | Verb.CANCEL) if ticket.kind is Kind.CHANGE:
                yield from _waiting(ticket, actor, found)
            case StateChanged() if ticket.case:
                yield from _turned(ticket, event, actor, found)


def _other_end(ticket: Ticket, event: Linked | Unlinked, actor: Actor) -> Iterator[tuple[int, Event]]:
    """Yield what the other record says of a link; one that is still to be opened says so as it is opened."""
    if event.ticket < 0:
        return
    link = OTHER_END[event.link]
    if isinstance(event, Unlinked):
        yield event.ticket, Unlinked(link=link, ticket=ticket.number, by=event.by)
        return
    merges = event.link is LinkKind.MERGED_INTO
    text = actor.report if merges else ""
    there = Linked(link=link, ticket=ticket.number, by=event.by, text=text)
    if event.link in _SAME_CASE:
        requesters = (*(() if ticket.by_tool else (ticket.requester,)), *ticket.joined)
        people = (ticket.requester, *ticket.joined, *(ticket.participants if merges else ()))
        there = replace(there, people=tuple(dict.fromkeys(people)), requesters=requesters)
    yield event.ticket, there


def _news(
    ticket: Ticket, event: ProgressTold | MajorUpdated, actor: Actor, found: Found
) -> Iterator[tuple[int, Event]]:
    """Yield the news of a ticket, as its children and the others who reported the same get them."""
    news = NewsShared(ticket=ticket.number, by=event.by, text=event.text)
    yield from _shared(ticket, news, found)
    for child in _children(ticket, actor, found):
        yield child.number, ProgressTold(by=event.by, text=event.text)
        yield from _shared(child, replace(news, ticket=child.number), found)


def _turned(ticket: Ticket, event: StateChanged, actor: Actor, found: Found) -> Iterator[tuple[int, Event]]:
    """Yield what it means for others that a ticket is solved, goes on again, or came to an end without that."""
    outcome = _outcome(event)
    solved = outcome == "solved"
    # Why somebody says that it is not solved is theirs; what we say of an end is said to all whose case it is.
    text = "" if outcome == "reopened" else event.text or (ticket.solution if solved else "")
    news = NewsShared(ticket=ticket.number, by=event.by, text=text, solved=solved, outcome=outcome)
    if outcome:
        yield from _shared(ticket, news, found)
    if event.verb is Verb.RESOLVE:
        for child in _children(ticket, actor, found):
            yield from ((child.number, e) for e in _solved(child, ticket, text, event.by))
            if not child.awaits_approval:
                yield from _shared(child, replace(news, ticket=child.number), found)
    elif event.verb in (Verb.CANCEL, Verb.OUT_OF_SCOPE):
        for child in _children(ticket, actor, found):
            yield child.number, ParentEnded(ticket=ticket.number, by=event.by, text=text, state=event.new)
    elif event.verb in (Verb.CONFIRM, Verb.REOPEN) and actor.sender.address == ticket.requester:
        yield from _answered_too(ticket, event, found)


def _outcome(event: StateChanged) -> str:
    """Return what became of a case by this: solved, cancelled, out_of_scope or reopened; "" where it goes on as it was.

    One that was merged further on is told of from there.
    """
    old, new = (_ENDS.get(state, "reopened") for state in (event.old, event.new))
    return "" if old == new or event.verb in _MERGES else new


def _shared(ticket: Ticket, news: NewsShared, found: Found) -> Iterator[tuple[int, Event]]:
    """Yield the news for each of the others who reported the case, under their own number, to each of them once."""
    told = {ticket.requester, *(ticket.watchers if news.outcome in ("", "solved") else ())}
    for one in _joined(ticket, found):
        if one.requester not in told:
            told.add(one.requester)
            yield one.number, news


def _children(ticket: Ticket, actor: Actor, found: Found) -> Iterator[Ticket]:
    """Yield the open children, where whoever acts may act for them."""
    # A vendor speaks for the ticket that they were given, not for others that hang on it.
    person = actor.sender.person
    numbers = ticket.linked(LinkKind.CHILD) if person is None or of_ours(person) else ()
    yield from (child for child in map(found, numbers) if child is not None and child.open)


def _answered_too(ticket: Ticket, event: StateChanged, found: Found) -> Iterator[tuple[int, Event]]:
    """Yield the same answer for the other tickets of the requester that they were asked about in the same mail.

    That is the mail of the first one: an answer to another number is for that alone.
    """
    first, *others = asked_together(ticket, found)
    for one in others if first.number == ticket.number else ():
        new = next_state(one.state, event.verb, one.kind)
        if new is not None:
            yield one.number, StateChanged(verb=event.verb, old=one.state, new=new, by=event.by, text=event.text)


def asked_together(ticket: Ticket, found: Found) -> tuple[Ticket, ...]:
    """Return this ticket and those of the same requester that were solved with it; the first one leads the others."""
    parent = (found(ticket.solved_with) if ticket.solved_with else ticket) or ticket
    family = (parent, *filter(None, map(found, parent.linked(LinkKind.CHILD))))
    asked = tuple(t for t in family if t.number == ticket.number or _asked_too(t, ticket, parent))
    numbers = [t.number for t in asked]
    return tuple(ticket if t.number == ticket.number else t for t in asked) if ticket.number in numbers else (ticket,)


def _asked_too(other: Ticket, ticket: Ticket, parent: Ticket) -> bool:
    together = parent.number in (other.number, other.solved_with)
    return together and other.requester == ticket.requester and other.state in _ASKED


def _joined(ticket: Ticket, found: Found) -> Iterator[Ticket]:
    """Yield every record that was merged into this one or is the same, and those that had been merged into these."""
    for one in filter(None, map(found, ticket.linked(*JOINED))):
        if one.moved_to == ticket.number:
            yield one
            yield from _joined(one, found)


def _solved(child: Ticket, ticket: Ticket, text: str, by: str) -> tuple[Event, ...]:
    """Return what solves a child together with its parent; a solution of its own stays.

    One that waits for approval goes on waiting: whoever has to approve it has not said whether it is to be done.
    """
    if child.awaits_approval:
        return (ParentEnded(ticket=ticket.number, by=by, text=text, state=State.RESOLVED),)
    new = next_state(child.state, Verb.RESOLVE, child.kind) or child.state
    given = () if child.solution or not text else (SolutionGiven(part="solution", text=text, by=by),)
    return (
        *given,
        StateChanged(verb=Verb.RESOLVE, old=child.state, new=new, by=by, text=text),
        ParentSolved(ticket=ticket.number, by=by, text=text),
    )


def _waiting(change: Ticket, actor: Actor, found: Found) -> Iterator[tuple[int, Event]]:
    """Yield the end of the hold of every incident that waits for this change."""
    for one in filter(None, map(found, change.linked(LinkKind.CHANGE_FOR))):
        if one.state is State.ON_HOLD and one.hold_reason is HoldReason.CHANGE:
            yield one.number, Woken(reason=str(one.hold_reason), until=actor.at or actor.now, change=change.number)
            yield (
                one.number,
                StateChanged(verb=Verb.RESUME, old=one.state, new=State.IN_PROGRESS, by=actor.name),
            )
