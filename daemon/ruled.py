"""What rules bring about beside classifying: who is told, who has to approve, which parent, what goes elsewhere.

What comes in: a Routing, the Ticket that the mail is about, and Known. What goes out: Events, a parent, or why a mail
is not passed on after all. Mails that nobody can prove may have somebody told, and words added, but raise nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from daemon.approval import approval_asked
from daemon.commands import Line
from daemon.events import Event, Graded, RuleNotified, RulesApplied, StateChanged
from daemon.intake.letter import Letter
from daemon.intake.understand import Known, PassedOn
from daemon.linking import same_customer
from daemon.notify.notice import PASSED_ON
from daemon.plans import RULE
from daemon.routing.actions import AddToParent, ForwardTo
from daemon.routing.evaluate import Routing
from daemon.routing.notes import NO_PARENT, NOT_FOR_THIS_ONE, not_done, nothing_done
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.silence import may_pass_on
from daemon.ticket import Ticket
from daemon.words import PROVED, LinkKind, State, Verb, domain_of

_GRADING = frozenset({Verb.SEVERITY, Verb.IMPACT, Verb.URGENCY})
_ENDED = (State.ARCHIVED, State.CANCELLED, State.OUT_OF_SCOPE)
_LEFT = "severity at least: "

# --- a new ticket ---


def at_first(routing: Routing, ticket: Ticket, rulebook: Rulebook, service: Service, known: Known) -> tuple[Event, ...]:
    """Return whom the rules ask for approval of a new ticket, and whom they have told of it."""
    approval = approval_asked(ticket, rulebook, service.timezone, ticket.opened_at) if ticket.opened_at else ()
    return (*approval, *_notified(routing, known, first=True))


def _notified(routing: Routing, known: Known, *, first: bool) -> tuple[RuleNotified, ...]:
    """Return whom rules have told of a mail; not for ever, where a robot hides what it is."""
    if not routing.notify or may_pass_on(known):
        return ()
    return (RuleNotified(audience=routing.notify, because=routing.notified_by, first=first),)


def parent_for(wanted: AddToParent, ticket: Ticket, open_ones: Iterable[Ticket], rulebook: Rulebook) -> Ticket | None:
    """Return the open ticket that a rule puts this one under: the one it names, or the major incident like it."""
    fits = (t for t in _meant(wanted, ticket, open_ones) if _may_hear(ticket, t, rulebook))
    return next(fits, None)


def no_parent(wanted: AddToParent, ticket: Ticket, open_ones: Iterable[Ticket], rulebook: Rulebook) -> str:
    """Return why a rule's parent is none."""
    kept = any(not _may_hear(ticket, t, rulebook) for t in _meant(wanted, ticket, open_ones))
    return NOT_FOR_THIS_ONE if kept else NO_PARENT


def _meant(wanted: AddToParent, ticket: Ticket, open_ones: Iterable[Ticket]) -> Iterator[Ticket]:
    """Yield the open tickets that the rule means: the one with its number, or major incidents about the same."""
    able = (t for t in open_ones if t.case and t.open and not t.linked(LinkKind.PARENT))
    return (t for t in able if (t.number == wanted.number if wanted.number else _about_the_same(t, ticket)))


def _about_the_same(major: Ticket, ticket: Ticket) -> bool:
    covers = bool(major.category) and f"{ticket.category}/".startswith(f"{major.category}/")
    return major.in_alarm and covers


def _may_hear(ticket: Ticket, parent: Ticket, rulebook: Rulebook) -> bool:
    """Whether what is told of a parent may be told to the requester of this ticket.

    Nobody has looked at the two: only the same customer's, or one that is our own, will do.
    """
    return parent.by_tool or rulebook.person_at(parent.requester) is not None or same_customer(ticket, parent)


def unswallowed(routing: Routing, why: str) -> Routing:
    """Return the routing of a mail that becomes a ticket although a rule ends it; its history says why."""
    ends = {"reject": routing.rejected, "drop": routing.ignored}
    said = [f"{word}: {reason}" for word, reason in ends.items() if reason]
    said += [routing.forward.describe()] if routing.forward else []
    kept = tuple(not_done(one, why) for one in said)
    return replace(routing, rejected="", ignored="", forward=None, because=(*routing.because, *kept))


class Stays(NamedTuple):
    """Why a mail is not passed on; `echo`: a robot may have written it; `storm`: the operators have to know."""

    why: str
    echo: bool = False
    storm: bool = False


def stays_here(forward: ForwardTo, letter: Letter, known: Known, service: Service) -> Stays | None:
    """Return why a mail is not passed on, or None if it is: it must not come back to us, nor to its sender."""
    lately = known.passed_on.get(forward.address, PassedOn())
    if service.owns(forward.address):
        return Stays("it is our own address")
    if forward.address in (known.sender.address, *(a.address.lower() for a in letter.reply_to)):
        return Stays("the mail comes from there")
    if known.answered == PASSED_ON:
        return Stays("its sender answers that the one before was passed on")
    if known.late or known.quiet:
        return Stays("it was found long after it arrived")
    if known.answers_passed_on:
        return Stays("it answers one that was passed on", echo=True)
    if _same_house(forward, known, service):
        return Stays(f"the mail comes from {domain_of(forward.address)} itself", echo=lately.of_subject > 0)
    storm = _too_many(lately, service)
    return Stays(storm, echo=True, storm=True) if storm else None


def _same_house(forward: ForwardTo, known: Known, service: Service) -> bool:
    """Whether the sender is where the mail would go: a help desk there answers from another address of its own.

    Where that is our own house, everybody who reports to us may be in it.
    """
    there = domain_of(forward.address)
    return domain_of(known.sender.address) == there and there not in map(domain_of, service.own_addresses)


def _too_many(lately: PassedOn, service: Service) -> str:
    """Return which cap is reached. It looks at no header: a loop that hides what it is ends all the same."""
    caps = (
        (lately.of_sender, service.forwards_per_sender_per_day, "mails of this sender"),
        (lately.of_subject, service.forwards_per_subject_per_day, "mails about this subject"),
        (lately.total, service.forwards_per_target_per_day, "mails"),
    )
    return next((f"{n} {what} went there within a day" for n, most, what in caps if n >= most), "")


# --- a mail on a ticket that is there already ---


class Said(NamedTuple):
    """A mail on a ticket, its keywords that were carried out, what they did, and the ticket as it is after that."""

    mail: int
    known: Known
    verbs: frozenset[Verb | None]
    events: tuple[Event, ...]
    now: Ticket

    @property
    def graded(self) -> bool:
        """Whether its sender says in it how grave it is, be it as it was."""
        return bool(self.verbs & _GRADING)

    @property
    def ends(self) -> bool:
        """Whether it is the end of the ticket."""
        return any(isinstance(e, StateChanged) and e.new in _ENDED for e in self.events)


def on_reply(routing: Routing, said: Said, rulebook: Rulebook) -> tuple[Event, ...]:
    """Return what the rules for replies do to a ticket; what its people say in the same mail stands."""
    if not routing.because and not routing.problems:
        return ()
    applied = RulesApplied(mail=said.mail, because=routing.because, rules=rulebook.version, problems=routing.problems)
    if said.ends:
        names = ", ".join(routing.because)
        nothing = (nothing_done(names, "the mail ends the ticket"),) if names else ()
        return (replace(applied, because=nothing),)
    ticket, proved = said.now, said.known.proof in PROVED
    tags = tuple(t for t in routing.tags if t not in ticket.tags)
    watchers = tuple(w for w in routing.watchers if proved and not ticket.concerns(w))
    raises = proved and _would_raise(routing, ticket)
    itself = not_done(f"{_LEFT}{int(routing.at_least)}", "the mail itself says it")
    left = (itself,) if raises and said.graded else ()
    applied = replace(applied, tags=tags, watchers=watchers, because=(*routing.because, *left))
    raised = (_raised(routing, ticket),) if raises and not said.graded else ()
    return (applied, *raised, *_notified(routing, said.known, first=False))


def did(events: Iterable[Event]) -> tuple[Line, ...]:
    """Return what rules did to a ticket beside the commands of a mail, for the answer to these."""
    return tuple(line for event in events for line in _lines(event))


def _lines(event: Event) -> tuple[Line, ...]:
    match event:
        case Graded(field="severity", new=new, by=by, reason=names) if by == RULE:
            return (Line(text=names, outcome="rule", why=f"rule_raised:{new}"),)
        case RulesApplied(because=because, tags=tags, watchers=watchers):
            left = any(b.startswith(_LEFT) for b in because)
            names = ", ".join(b for b in because if not b.startswith(_LEFT))
            added = f"rule_added:{', '.join((*tags, *watchers))}"
            lines = (Line(text=names, outcome="rule", why=added),) if tags or watchers else ()
            return (*lines, Line(text=names, outcome="rule", why="rule_left")) if left else lines
        case RuleNotified(audience=audience, because=because):
            return (Line(text=", ".join(because), outcome="rule", why=f"rule_told:{', '.join(audience)}"),)
        case _:
            return ()


def _would_raise(routing: Routing, ticket: Ticket) -> bool:
    return ticket.case and ticket.open and routing.at_least < ticket.severity


def _raised(routing: Routing, ticket: Ticket) -> Graded:
    old, new = str(int(ticket.severity)), str(int(routing.at_least))
    return Graded(field="severity", old=old, new=new, by=RULE, reason=", ".join(routing.because))
