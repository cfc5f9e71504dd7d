"""From an Intent to Events: the only place where a ticket's fate is decided.

What comes in: an Intent, Known, the Rulebook, the Service and now. What goes out: a Decision, that is one Change for
each ticket concerned, and the transcript that answers commands. Pure: the same input gives the same decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import assert_never
from zoneinfo import ZoneInfo

from daemon.commands import (
    Actor,
    Line,
    Transcript,
    allowed_keywords,
    carry_out,
    unknown,
)
from daemon.events import (
    AnswerWithheld,
    CommandsRefused,
    Event,
    MessageAdded,
    NoticeFailed,
    Opened,
    Rejected,
    Routed,
    StateChanged,
)
from daemon.intake.headers import one_line
from daemon.intake.keywords import Command, find_commands, spoken
from daemon.intake.language import language_of
from daemon.intake.letter import Letter
from daemon.intake.understand import (
    Bounced,
    Enquiry,
    FailedNotice,
    FollowUp,
    Ignore,
    Intent,
    Known,
    NewIncident,
    Sender,
)
from daemon.routing.conditions import MailFacts
from daemon.routing.evaluate import Routing, route
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.silence import may_answer, may_pass_on
from daemon.sla import clock_events, steps_due
from daemon.ticket import Ticket, after
from daemon.words import PROVED, QUESTIONS, HoldReason, Kind, MailStatus, Nature, State, Verb, Visibility
from daemon.workhours import is_working

NEW = 0
"""The number of a ticket that the store has still to number."""
_LONGEST_SUBJECT = 300
_NO_SUBJECT = {"zh": "（无主题）", "en": "(no subject)"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one ticket: as it was (number NEW for one that is opened), and the events."""

    before: Ticket
    events: tuple[Event, ...]

    @cached_property
    def now(self) -> Ticket:
        """The ticket after the change."""
        return after(self.before, self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All that follows from one mail. `withheld` says why the sender gets no automatic answer ("" if they do)."""

    changes: tuple[Change, ...] = ()
    transcript: Transcript | None = None
    withheld: str = ""
    status: MailStatus = MailStatus.HANDLED
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What every decision looks at besides the mail."""

    known: Known
    rulebook: Rulebook
    service: Service
    now: datetime
    received_at: datetime
    mail: int

    @property
    def at(self) -> datetime:
        """When the mail counts as having come: clocks start and stop then, however late we look at it."""
        return self.now if self.known.late else min(self.received_at, self.now)

    @property
    def local(self) -> datetime:
        return self.now.astimezone(ZoneInfo(self.service.timezone))


def decide(
    intent: Intent,
    known: Known,
    rulebook: Rulebook,
    service: Service,
    *,
    now: datetime,
    received_at: datetime,
    mail: int,
) -> Decision:
    """Return what follows from this intent. `mail` is the number under which the mail is kept."""
    desk = _Desk(known=known, rulebook=rulebook, service=service, now=now, received_at=received_at, mail=mail)
    match intent:
        case NewIncident():
            return _open(intent, desk)
        case FollowUp(letter, ticket, commands):
            return _follow_up(letter, ticket, commands, desk)
        case Enquiry(letter, commands):
            return _enquiry(letter, commands, desk)
        case Bounced(failed):
            return Decision(changes=_bounced(failed), note="bounce of our own mail")
        case Ignore(reason, status):
            return Decision(status=status, note=reason)
        case _:
            assert_never(intent)


def tick(ticket: Ticket, rulebook: Rulebook, service: Service, now: datetime) -> Change:
    """Return what the clock brings about on one ticket: steps that are due, and waking from a hold."""
    events = steps_due(ticket, now)
    return Change(before=ticket, events=_with_clocks(ticket, events, rulebook, service, now))


# --- a new ticket ---


def _open(intent: NewIncident, desk: _Desk) -> Decision:
    letter, behalf = intent.letter, intent.behalf
    behalf = None if behalf and desk.service.owns(behalf.address) else behalf
    known = replace(desk.known, sender=behalf) if behalf else desk.known
    routing = route(facts_for_rules(letter, known, desk.rulebook, desk.service, desk.now), desk.rulebook)
    old = desk.known.quiet or desk.known.late
    if not old and desk.known.opens_by_address >= desk.service.opens_per_address_per_hour:
        flood = f"{desk.known.sender.address} opened {desk.known.opens_by_address} tickets within an hour"
        return Decision(status=MailStatus.QUARANTINED, note=flood)
    if routing.ignored:
        return Decision(status=MailStatus.IGNORED, note=f"a rule says: {routing.ignored}")
    withheld = may_answer(letter, desk.known, desk.service)
    opened = _opened(letter, intent.follows, routing, replace(desk, known=known))
    if behalf:
        opened = _for_another(opened, letter, behalf, desk)
    events: tuple[Event, ...] = (
        opened,
        # What one of ours writes above a mail that they pass on is for colleagues.
        _message(letter, Visibility.INTERNAL if behalf else Visibility.PUBLIC, desk),
        _routed(routing, desk.rulebook),
    )
    if routing.rejected:
        events = (*events, Rejected(reason=routing.rejected))
    if withheld:
        template = "scope_refused" if routing.rejected else "acknowledgement"
        events = (*events, AnswerWithheld(to=opened.requester, template=template, reason=withheld))
    ticket = Ticket(number=NEW)
    if not desk.known.quiet:
        events = _with_clocks(ticket, events, desk.rulebook, desk.service, desk.at)
    change = Change(before=ticket, events=events)
    return Decision(changes=(change,), transcript=_receipt(intent, behalf), withheld=withheld)


def _receipt(intent: NewIncident, behalf: Sender | None) -> Transcript | None:
    """Tell one of ours what became of a mail that they passed on, and of keywords that came too early."""
    lines = tuple(Line(text=c.line, outcome="refused", why="new_ticket:") for c in intent.commands)
    if not lines and behalf is None:
        return None
    return Transcript(lines=lines, applied=not lines, opened_for=behalf.address if behalf else "")


def _for_another(opened: Opened, letter: Letter, behalf: Sender, desk: _Desk) -> Opened:
    """The customer's own subject and language, not what one of ours wrote above; who passed it on is noted."""
    inner = letter.forwarded
    text, subject = (inner.text, inner.subject) if inner else ("", "")
    language = _set_by_file(behalf) or desk.service.answers_in(language_of(text, subject))
    subject = one_line(subject)[:_LONGEST_SUBJECT] or _NO_SUBJECT[language]
    return replace(opened, recorded_by=desk.known.sender.address, subject=subject, language=language)


def _opened(letter: Letter, follows: int, routing: Routing, desk: _Desk) -> Opened:
    sender, service = desk.known.sender, desk.service
    others = {a.address.lower() for a in (*letter.to, *letter.cc) if a.address and not service.owns(a.address)}
    return Opened(
        kind=Kind(routing.kind),
        subject=letter.subject[:_LONGEST_SUBJECT] or _NO_SUBJECT[_language(letter, desk)],
        requester=sender.address,
        requester_name=sender.name,
        customer=sender.customer.key if sender.customer else "",
        language=_language(letter, desk),
        reported_at=desk.received_at,
        message_id=letter.message_id,
        participants=tuple(sorted(others - {sender.address})),
        follows=follows,
        claims=desk.known.claimed,
    )


def _language(letter: Letter, desk: _Desk) -> str:
    """Return the requester's language: the contract's, else the mail's, else the service's."""
    return _set_by_file(desk.known.sender) or desk.service.answers_in(letter.language)


def _set_by_file(sender: Sender) -> str:
    return (sender.person.language if sender.person else "") or (sender.customer.language if sender.customer else "")


def _routed(routing: Routing, rulebook: Rulebook) -> Routed:
    person = rulebook.people.get(routing.assignee)
    key = routing.team or (next(iter(person.teams), "") if person else "")
    team = rulebook.teams.get(key)
    return Routed(
        category=routing.category,
        impact=routing.impact,
        urgency=routing.urgency,
        severity=routing.severity,
        team=key,
        line=routing.line or (person.line if person else 0) or (team.line if team else 1),
        assignee=routing.assignee,
        tags=tuple(routing.tags),
        watchers=tuple(_address_of(w, rulebook) for w in routing.watchers),
        ci=routing.ci,
        because=tuple(routing.because),
        rules=rulebook.version,
        problems=tuple(routing.problems),
    )


def _address_of(watcher: str, rulebook: Rulebook) -> str:
    person = rulebook.people.get(watcher)
    return person.address if person else watcher.lower()


def facts_for_rules(letter: Letter, known: Known, rulebook: Rulebook, service: Service, now: datetime) -> MailFacts:
    """Return what the conditions of the rules may look at."""
    local = now.astimezone(ZoneInfo(service.timezone))
    working = {key: is_working(c, service.timezone, now) for key, c in rulebook.calendars.items()}
    sender = known.sender
    return MailFacts(
        letter=letter,
        mailbox=known.mailbox,
        customer=sender.customer.key if sender.customer else "",
        person_roles=sender.person.roles if sender.person else frozenset(),
        now_local=local,
        working=working,
    )


# --- a mail on a ticket ---


def _follow_up(letter: Letter, ticket: Ticket, commands: tuple[Command, ...], desk: _Desk) -> Decision:
    visibility = Visibility.INTERNAL if desk.known.sender.person else Visibility.PUBLIC
    message = _message(letter, visibility, desk)
    withheld = may_answer(letter, desk.known, desk.service, commanded=bool(commands))
    if not commands:
        events = (message, *_awaited(letter, ticket, desk), *_not_passed_on(desk))
        events = _with_clocks(ticket, events, desk.rulebook, desk.service, desk.at)
        hint = _hint(letter, ticket, desk)
        return Decision(changes=(Change(before=ticket, events=events),), transcript=hint, withheld=withheld)
    transcript, events = _commanded(commands, ticket, desk)
    if _only_asks(letter, commands, desk):
        return Decision(transcript=transcript, withheld=withheld, note="an enquiry")
    events = _with_clocks(ticket, (message, *events), desk.rulebook, desk.service, desk.at)
    if transcript.applied and all(c.plain for c in commands):
        # Who wrote ordinary words is not answered like a machine; the mails about what followed say enough.
        return Decision(changes=(Change(before=ticket, events=events),), withheld=withheld)
    if withheld:
        said = AnswerWithheld(to=desk.known.sender.address, template="transcript", reason=withheld)
        events = (*events, said)
    return Decision(changes=(Change(before=ticket, events=events),), transcript=transcript, withheld=withheld)


def _hint(letter: Letter, ticket: Ticket, desk: _Desk) -> Transcript | None:
    """Tell one of ours, once for each ticket, that words without a keyword did not go to the customer."""
    known = desk.known
    if known.sender.person is None or known.hinted or letter.nature is not Nature.HUMAN or not letter.new_text.strip():
        return None
    if known.sender.address == ticket.requester:
        return None
    actor = Actor(sender=known.sender, rulebook=desk.rulebook, now=desk.local)
    return Transcript(lines=(), applied=True, kept_internal=True, allowed=allowed_keywords(ticket, actor))


def _not_passed_on(desk: _Desk) -> tuple[Event, ...]:
    why = may_pass_on(desk.known)
    return (AnswerWithheld(to="", template="new_reply", reason=why),) if why else ()


def _awaited(letter: Letter, ticket: Ticket, desk: _Desk) -> tuple[Event, ...]:
    """Return the end of a hold that waited for just this customer's answer: from now on it is our turn again."""
    known = desk.known
    waits = ticket.state is State.ON_HOLD and ticket.hold_reason is HoldReason.CUSTOMER
    answered = letter.nature is Nature.HUMAN and known.sender.address == ticket.requester and known.proof in PROVED
    if not (waits and answered):
        return ()
    return (StateChanged(verb=Verb.RESUME, old=ticket.state, new=State.IN_PROGRESS, by=known.sender.address),)


def _only_asks(letter: Letter, commands: tuple[Command, ...], desk: _Desk) -> bool:
    """Whether the mail is nothing but questions to us: then it is no message on the ticket."""
    left = find_commands(spoken(letter), desk.rulebook.keywords)[1]
    return {c.verb for c in commands} <= QUESTIONS and not left


def _commanded(commands: tuple[Command, ...], ticket: Ticket, desk: _Desk) -> tuple[Transcript, tuple[Event, ...]]:
    actor = Actor(sender=desk.known.sender, rulebook=desk.rulebook, now=desk.local)
    why_not = _no_authority(commands, ticket, desk)
    if why_not:
        return _unproved(commands, why_not, actor)
    events, lines = carry_out(commands, ticket, actor)
    applied = all(line.outcome == "done" for line in lines)
    if not applied:
        events = (_refusal(commands, "; ".join(x.why for x in lines if x.outcome != "unchanged"), actor),)
    transcript = Transcript(
        lines=lines,
        applied=applied,
        tickets=_asked(commands, ticket, desk),
        help=any(c.verb is Verb.HELP for c in commands),
        asked=any(c.verb in (Verb.STATUS, Verb.LIST) for c in commands),
        allowed=allowed_keywords(after(ticket, events), actor),
    )
    return transcript, events


def _no_authority(commands: tuple[Command, ...], ticket: Ticket, desk: _Desk) -> str:
    """Return why these commands may not even be looked at, or ""; questions need no proof but a place on the record."""
    known = desk.known
    if {c.verb for c in commands} <= QUESTIONS:
        on_record = known.sender.person or ticket.concerns(known.sender.address)
        return "" if on_record else "not_on_record"
    if known.repeated_id:
        return "repeated"
    if known.conflict:
        return "conflict"
    return "" if known.proof in PROVED else "unproved"


def _unproved(commands: tuple[Command, ...], why: str, actor: Actor) -> tuple[Transcript, tuple[Event, ...]]:
    lines = tuple(Line(text=c.line, outcome="refused", why=f"{why}:") for c in commands)
    return Transcript(lines=lines, applied=False, unproved=why), (_refusal(commands, why, actor),)


def _refusal(commands: tuple[Command, ...], why: str, actor: Actor) -> CommandsRefused:
    return CommandsRefused(by=actor.name, reason=why, commands=tuple(c.line for c in commands))


def _asked(commands: tuple[Command, ...], ticket: Ticket | None, desk: _Desk) -> tuple[Ticket, ...]:
    """Return the tickets that #status and #list ask for; everybody sees only what they may."""
    mine = desk.known.mine
    if any(c.verb is Verb.LIST for c in commands):
        return mine
    asked = [c for c in commands if c.verb is Verb.STATUS]
    named = [t for c in asked for n, t in desk.known.related.items() if str(n) in c.argument]
    visible = {t.number for t in mine} | ({ticket.number} if ticket else set())
    staff = desk.known.sender.person is not None
    if named:
        return tuple(t for t in named if staff or t.number in visible)
    return ((ticket,) if ticket else mine) if asked else ()


def _enquiry(letter: Letter, commands: tuple[Command, ...], desk: _Desk) -> Decision:
    actor = Actor(sender=desk.known.sender, rulebook=desk.rulebook, now=desk.local)
    lines = tuple(_enquired(c) for c in commands)
    transcript = Transcript(
        lines=lines,
        applied=all(x.outcome == "done" for x in lines),
        tickets=_asked(commands, None, desk),
        help=any(c.verb is Verb.HELP for c in commands),
        asked=any(c.verb in (Verb.STATUS, Verb.LIST) for c in commands),
        allowed=actor.rulebook.keywords if actor.sender.person else (),
    )
    withheld = may_answer(letter, desk.known, desk.service)
    return Decision(transcript=transcript, withheld=withheld, note="an enquiry")


def _enquired(command: Command) -> Line:
    if command.verb in QUESTIONS:
        return Line(text=command.line, outcome="done")
    if command.verb is None:
        return unknown(command)
    return Line(text=command.line, outcome="refused", why="no_ticket:")


# --- shared ---


def _message(letter: Letter, visibility: Visibility, desk: _Desk) -> MessageAdded:
    known = desk.known
    notes = [known.proof_why] if letter.nature is Nature.HUMAN and known.proof not in PROVED else []
    if known.repeated_id:
        notes.append("an earlier mail had the same Message-ID and other words")
    if known.conflict:
        notes.append("it refers to several tickets")
    if known.claimed:
        notes.append(f"its subject names ticket {known.claimed}, which its sender is not on")
    return MessageAdded(
        mail=desk.mail,
        author=known.sender.address,
        author_name=known.sender.name,
        nature=letter.nature,
        visibility=visibility,
        proof=known.proof,
        matched=known.matched,
        note="; ".join(n for n in notes if n),
    )


def _bounced(failed: tuple[FailedNotice, ...]) -> tuple[Change, ...]:
    by_ticket: Mapping[int, list[FailedNotice]] = {f.ticket.number: [] for f in failed}
    for f in failed:
        by_ticket[f.ticket.number].append(f)
    return tuple(Change(before=group[0].ticket, events=tuple(map(_failed, group))) for group in by_ticket.values())


def _failed(f: FailedNotice) -> NoticeFailed:
    return NoticeFailed(notice=f.notice, address=f.address, template=f.template, reason=f.reason, permanent=f.permanent)


def _with_clocks(
    ticket: Ticket, events: tuple[Event, ...], rulebook: Rulebook, service: Service, now: datetime
) -> tuple[Event, ...]:
    return (*events, *clock_events(after(ticket, events), rulebook, service.timezone, now))
