"""What rules bring about beside classifying: who is told, who has to approve, which parent, what goes elsewhere.

What comes in: a Routing, the Ticket that the mail is about, and Known. What goes out: Events, a parent, or why a mail
is not passed on after all. Mails that nobody can prove may have somebody told, and words added, but raise nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from daemon.approval import approval_asked
from daemon.events import Event, Graded, RuleNotified, RulesApplied
from daemon.intake.letter import Letter
from daemon.intake.understand import Known, PassedOn
from daemon.linking import same_customer
from daemon.notify.notice import PASSED_ON
from daemon.plans import RULE
from daemon.routing.actions import AddToParent, ForwardTo
from daemon.routing.evaluate import Routing
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.silence import may_pass_on
from daemon.ticket import Ticket
from daemon.words import PROVED, LinkKind, domain_of

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
    able = (t for t in open_ones if t.case and t.open and not t.linked(LinkKind.PARENT))
    fits = (t for t in able if (t.number == wanted.number if wanted.number else _of_the_same(t, ticket, rulebook)))
    return next(fits, None)


def _of_the_same(major: Ticket, ticket: Ticket, rulebook: Rulebook) -> bool:
    """Whether this is a major incident about the same, and what is told of it may be told to this requester.

    Nobody has looked at the two: only the same customer's, or one that is our own, will do.
    """
    covers = bool(major.category) and f"{ticket.category}/".startswith(f"{major.category}/")
    our_own = major.by_tool or rulebook.person_at(major.requester) is not None
    return major.in_alarm and covers and (our_own or same_customer(ticket, major))


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


def on_reply(routing: Routing, ticket: Ticket, mail: int, known: Known, rulebook: Rulebook) -> tuple[Event, ...]:
    """Return what the rules for replies do to a ticket, as it is after all else that the mail did."""
    if not routing.because and not routing.problems:
        return ()
    proved = known.proof in PROVED
    watchers = (w for w in routing.watchers if proved and not ticket.concerns(w))
    applied = RulesApplied(
        mail=mail, because=routing.because, rules=rulebook.version, problems=routing.problems,
        tags=tuple(t for t in routing.tags if t not in ticket.tags), watchers=tuple(watchers),
    )  # fmt: skip
    return (applied, *(_raised(routing, ticket) if proved else ()), *_notified(routing, known, first=False))


def _raised(routing: Routing, ticket: Ticket) -> tuple[Event, ...]:
    if not (ticket.case and ticket.open) or routing.at_least >= ticket.severity:
        return ()
    old, new = str(int(ticket.severity)), str(int(routing.at_least))
    return (Graded(field="severity", old=old, new=new, by=RULE, reason=", ".join(routing.because)),)
