"""From a Letter and what we know to an Intent: the one thing that a mail asks of us.

What comes in: a Letter, Known, the Rulebook. What goes out: an Intent. Nothing is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daemon.events import Event, Told
from daemon.intake.keywords import Command, find_commands, fold, is_marked, spoken
from daemon.intake.letter import Letter
from daemon.intake.lookalike import looks_like
from daemon.intake.mime import MAILS
from daemon.intake.quoting import says_forward
from daemon.intake.ratings import rating_in
from daemon.notify.notice import FOLLOW_UP, LISTS
from daemon.routing.alerts import Sighting
from daemon.rulebook import Customer, Person, Rulebook
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import (
    APPROVALS,
    PROVED,
    QUESTIONS,
    REVIEWS,
    STAFF_ROLES,
    Address,
    MailStatus,
    Matched,
    Nature,
    Proof,
    State,
    TokenSeen,
    Verb,
)

_ROBOT_LOCALS = frozenset({"mailer-daemon", "postmaster", ""})
# Nobody reads what is sent there; "-", "_" and "." in such a name say nothing.
_READ_BY_NOBODY = ("noreply", "donotreply", "nepasrepondre", "mailerdaemon", "postmaster", "bounce", "listserv")
_PLAIN_WORDS_LENGTH = 120
_RECEIPTS = ("a read receipt", "an answer to an invitation", "a delivery report without a failure")
OPENING = frozenset({Verb.FOR, Verb.SOURCE, Verb.OCCURRED})
"""What a mail that opens a ticket may say of the report in it."""
_BEGINS_WITH_NUMBER = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9]{1,9}-|[#＃])?\d")
_ONLY_NUMBERS = re.compile(r"(?:\s*(?:[A-Za-z][A-Za-z0-9]{1,9}-|#)?\d{1,9}[\s,，、]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who a letter says it is from, and what our files know of that address."""

    address: str
    name: str
    person: Person | None = None
    customer: Customer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How many automatic answers went out within an hour: to an address, to its domain, about the ticket, altogether;
    and within a day: to the address about this subject, to its domain about it."""

    address: int = 0
    domain: int = 0
    ticket: int = 0
    altogether: int = 0
    subject: int = 0
    subject_in_domain: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedNotice:
    """A mail of ours that a bounce names, proved ours; `known`: its ticket says already that it did not arrive."""

    notice: int
    ticket: Ticket
    address: str
    template: str
    reason: str
    permanent: bool
    known: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event of a ticket's history: when it was recorded, and from which mail."""

    event: Event
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What happened to a ticket, oldest first, and the mails that went out about it, by their cause."""

    events: tuple[Happened, ...] = ()
    told: Mapping[str, tuple[Told, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOn:
    """How many mails rules passed on to one address within a day: all, this sender's, and those of this subject."""

    total: int = 0
    of_sender: int = 0
    of_subject: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the database knew about a letter before anything was decided.

    `conflict`: its evidence points to several tickets. `claimed`: the number in a subject tag that was not believed.
    `repeated_id`: another mail with this Message-ID was handled before. `quiet`: nobody shall be written to.
    `answers_*` and `opens_*` count what this sender caused lately, `replies_told` how many mails about new words on
    this ticket one person had within an hour. `hinted`: the sender was told that words without a keyword stay among
    colleagues. `late`: the mail lay in the mailbox for over a day. `answered` names the template of the mail of ours
    that it replies to. `related` are the tickets that its commands name, and those linked to the ticket where that
    matters, `report` the words that opened it, `last_words` what its requester wrote last; `moved_from` is the number
    under which the mail came, where that was merged into the ticket, and `told_moved` says that its sender knows.
    `pasts` the histories of those of which something is to be taken back, `steps_told` the steps of the timetable that
    the sender was told of; each is looked up only where a command asks for it; so are `complaints`: how many came
    today, and how many of them were escalated. `parents` are the tickets that rules may put a new one under, if any
    rule does. `passed_on` counts, for each address that rules pass mails on to, how many went there lately, and
    `answers_passed_on` says that this one answers such a mail, whoever it is from. `lost`: to whom a mail that we
    passed on did not arrive, and why. `alert`: a monitoring tool wrote the mail, and `ticket` is the last one of that
    alert. `similar` are the open incidents that are like it, looked up only where a rule asks.
    `looks_like`: somebody else, whose looks the sender takes on.
    """

    sender: Sender
    proof: Proof = Proof.NONE
    proof_why: str = ""
    token: TokenSeen = TokenSeen.NONE
    ticket: Ticket | None = None
    matched: Matched = Matched.NOTHING
    conflict: bool = False
    claimed: int = 0
    repeated_id: bool = False
    own_echo: bool = False
    duplicate_of: int = 0
    failed: tuple[FailedNotice, ...] = ()
    related: Mapping[int, Ticket] = field(default_factory=dict)
    report: str = ""
    last_words: str = ""
    moved_from: int = 0
    told_moved: bool = False
    pasts: Mapping[int, Past] = field(default_factory=dict)
    steps_told: tuple[str, ...] = ()
    mine: tuple[Ticket, ...] = ()
    complaints: tuple[int, int] = (0, 0)
    answered_lately: Answered = Answered()
    opens_by_address: int = 0
    replies_told: int = 0
    answered: str = ""
    hinted: bool = False
    reopened_lately: bool = False
    quiet: bool = False
    late: bool = False
    mailbox: str = ""
    alert: Sighting | None = None
    parents: tuple[Ticket, ...] = ()
    passed_on: Mapping[str, PassedOn] = field(default_factory=dict)
    answers_passed_on: bool = False
    lost: tuple[str, str] | None = None
    received_at: datetime | None = None
    similar: tuple[int, ...] = ()
    looks_like: str = ""


@dataclass(frozen=True, slots=True)
class NewIncident:
    """A mail that opens a ticket; `follows` names an ended ticket that it continues.

    `commands` are keywords of one of ours in that mail: what it says of the report, and what is to be done at once.
    `behalf` is whose mail one of ours passed on: the ticket is theirs. `alert` is set where a monitoring tool wrote it.
    """

    letter: Letter
    follows: int = 0
    commands: tuple[Command, ...] = ()
    behalf: Sender | None = None
    alert: Sighting | None = None


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A mail on a ticket: words, commands, or both."""

    letter: Letter
    ticket: Ticket
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Alerted:
    """A mail of a monitoring tool; `ticket` is the last one of the same alert."""

    letter: Letter
    sighting: Sighting
    ticket: Ticket | None


@dataclass(frozen=True, slots=True)
class Enquiry:
    """Commands without a ticket: questions, or orders that cannot be carried out like this."""

    letter: Letter
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Bounced:
    """Mails of ours that did not arrive."""

    failed: tuple[FailedNotice, ...]


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing is asked; the mail is kept, and `reason` says why nothing follows."""

    reason: str
    status: MailStatus = MailStatus.IGNORED


Intent = NewIncident | FollowUp | Alerted | Enquiry | Bounced | Ignore


def understand(letter: Letter, known: Known, rulebook: Rulebook) -> Intent:
    """Return the one thing this letter asks of us."""
    if known.own_echo:
        return Ignore("a mail of our own came back")
    if known.duplicate_of:
        return Ignore(f"the same mail as number {known.duplicate_of}", MailStatus.DUPLICATE)
    if letter.nature is Nature.BOUNCE and (known.failed or _from_robot(letter)):
        return _bounce(known)
    if known.alert is not None:
        return Alerted(letter, known.alert, known.ticket)
    if known.ticket is None:
        return _without_ticket(letter, known, rulebook)
    if letter.nature is not Nature.HUMAN:
        return FollowUp(letter, known.ticket, ())
    return _on_ticket(letter, known.ticket, known, rulebook)


def _bounce(known: Known) -> Intent:
    if not known.failed:
        return Ignore("a bounce, but of no mail that we sent")
    news = tuple(f for f in known.failed if not f.known)
    return Bounced(news) if news else Ignore("another bounce of a mail that is known not to have arrived")


def _without_ticket(letter: Letter, known: Known, rulebook: Rulebook) -> Intent:
    if letter.nature is not Nature.HUMAN:
        return Ignore("an automatic reply to nothing of ours") if answers_by_robot(letter) else NewIncident(letter)
    commands, left = find_commands(spoken(letter), rulebook.keywords)
    if known.answered in LISTS and not commands and not letter.attachments and not may_object(letter, rulebook):
        return Ignore("nothing but thanks for a list")
    asks = not left and not letter.attachments and all(_is_question(c, letter, rulebook) for c in commands)
    orders = _orders(commands) if known.sender.person else ()
    behalf = _behalf(letter, known, rulebook)
    if commands and (asks or _about_tickets(orders, reports=bool(left or behalf))):
        return Enquiry(letter, commands)
    return NewIncident(letter, commands=orders, behalf=behalf)


def _orders(commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """Return the commands of one of ours in a mail on no ticket, if any of them orders something."""
    marked = tuple(c for c in commands if is_marked(c.line))
    return marked if any(c.verb and c.verb not in QUESTIONS for c in marked) else ()


def _about_tickets(orders: tuple[Command, ...], reports: bool) -> bool:
    """Whether these orders are about tickets that are there already, rather than about a report in the same mail."""
    if orders and all(c.verb in REVIEWS and _BEGINS_WITH_NUMBER.match(c.argument) for c in orders):
        return True
    return bool(orders) and not reports and not any(c.verb in OPENING for c in orders)


def _behalf(letter: Letter, known: Known, rulebook: Rulebook) -> Sender | None:
    """Return whose mail one of ours forwards; only who is proved to be one of ours may open for another."""
    inner = letter.forwarded
    person = known.sender.person
    if person is None or not person.roles & STAFF_ROLES or known.proof not in PROVED:
        return None
    if inner is None or not _passes_on(letter):
        return None
    address = inner.sender.address.lower()
    teams = {team.address.lower() for team in rulebook.teams.values()}
    if not can_be_answered(address) or rulebook.person_at(address) is not None or address in teams:
        return None
    return Sender(address=address, name=inner.sender.name, customer=rulebook.customer_at(address))


def _passes_on(letter: Letter) -> bool:
    """Whether the mail inside is what it is about; an attached one may be evidence for a report of their own."""
    inner = letter.forwarded
    if inner is None or not any(a.content_type in MAILS and not a.inside for a in letter.attachments):
        return inner is not None
    return says_forward(letter.subject) or letter.subject.strip() in ("", inner.subject.strip())


def can_be_answered(address: str) -> bool:
    """Whether there is an address, and not one of a program."""
    local, at, domain = address.partition("@")
    bare = "".join(c for c in local if c.isalnum())
    return bool(local and at and domain) and not bare.startswith(_READ_BY_NOBODY)


def _is_question(command: Command, letter: Letter, rulebook: Rulebook) -> bool:
    """Whether this is surely a question to us, not a report that happens to look like one.

    "Help!" or "# List of servers that are down" must open an incident: a report lost is worse than a ticket too many.
    """
    if command.verb not in QUESTIONS or not is_marked(command.line):
        return False
    if command.verb is Verb.STATUS:
        return _ONLY_NUMBERS.fullmatch(command.argument) is not None
    words = {fold(w) for k in rulebook.keywords for w in k.words}
    subject = fold(letter.subject).lstrip("#")
    says_nothing = not subject or subject in words or subject.startswith(("re:", "回复:", "答复:"))
    return not command.argument and (command.verb is Verb.LIST or says_nothing)


def _on_ticket(letter: Letter, ticket: Ticket, known: Known, rulebook: Rulebook) -> Intent:
    asked = APPROVALS if ticket.awaits_approval and known.sender.person else frozenset()
    commands, _ = find_commands(spoken(letter), rulebook.keywords, asked)
    requester = ticket.reported_by(known.sender.address)
    if known.sender.person is None:
        commands = tuple(c for c in commands if c.verb is not None)
    if requester and not commands:
        commands = _rating(letter, known, rulebook) or _plain_words(letter, ticket, known, rulebook)
    over = ticket.state in (State.ARCHIVED, State.CANCELLED) and (known.sender.person is None or requester)
    asks_again = all(c.verb is Verb.REOPEN for c in commands)
    if over and asks_again and not _only_polite(fold(spoken(letter)), rulebook):
        return NewIncident(letter, follows=ticket.number)
    return FollowUp(letter, ticket, () if over and asks_again else commands)


def _rating(letter: Letter, known: Known, rulebook: Rulebook) -> tuple[Command, ...]:
    """Return the rating that an answer to the follow-up mail is; "5" on any other mail is none."""
    asked = known.answered == FOLLOW_UP and known.proof in PROVED and Verb.RATE in {k.verb for k in rulebook.keywords}
    rates = asked and rating_in(spoken(letter), rulebook.duties.ratings) is not None
    return (_plain(Verb.RATE, letter),) if rates else ()


def _plain_words(letter: Letter, ticket: Ticket, known: Known, rulebook: Rulebook) -> tuple[Command, ...]:
    """Return what a requester's ordinary words on a solved ticket mean, by rules/phrases.yaml.

    Confirmation and thanks must be short and nothing else; any other reply says that it is not solved. Who reported the
    same under another number is heard like the requester, but their thanks do not close it for the others.
    """
    ended = ticket.state in (State.RESOLVED, State.PENDING_REVIEW)
    if not ended or not ticket.reported_by(known.sender.address) or known.proof not in PROVED:
        return ()
    said = fold(spoken(letter))
    if not said:
        return ()
    if not _only_polite(said, rulebook):
        return (_plain(Verb.REOPEN, letter),) if _says_not_solved(said, known, rulebook) else ()
    theirs = ticket.state is State.RESOLVED and known.sender.address == ticket.requester
    confirms = theirs and _found(said, rulebook.phrases.get("solved", ()))
    return (_plain(Verb.CONFIRM, letter),) if confirms else ()


def _says_not_solved(said: str, known: Known, rulebook: Rulebook) -> bool:
    """Whether a reply that is no thank-you puts the ticket back: in so many words always, any other once a day.

    An absence notice that hides what it is would otherwise reopen the ticket as often as it is solved.
    """
    if _found(said, rulebook.phrases.get("not_solved", ())):
        return True
    return not known.reopened_lately and not _found(said, rulebook.phrases.get("absent", ()))


def may_object(letter: Letter, rulebook: Rulebook) -> bool:
    """Whether a reply says anything but thanks, that it works, or that its writer is away."""
    said = fold(spoken(letter))
    return bool(said) and not _only_polite(said, rulebook) and not _found(said, rulebook.phrases.get("absent", ()))


def _only_polite(said: str, rulebook: Rulebook) -> bool:
    """Whether a short reply says thanks or that it works, and nothing that casts doubt on it ("thanks, but …")."""
    group = rulebook.phrases.get
    if not said or len(said) > _PLAIN_WORDS_LENGTH or "?" in said or _found(said, group("not_solved", ())):
        return False
    kind = (*_found(said, group("solved", ())), *_found(said, group("thanks", ())))
    rest = said
    for phrase in sorted(kind, key=len, reverse=True):
        rest = rest.replace(phrase, " ")
    return bool(kind) and not _found(rest, group("doubt", ()))


def _found(said: str, phrases: tuple[str, ...]) -> list[str]:
    """Return the phrases that stand in the text; Latin ones only as whole words, so that "ok" is not in "broken"."""
    return [p for p in map(fold, phrases) if any(_stands_alone(said, p, at) for at in _places(said, p))]


def _places(said: str, phrase: str) -> Iterator[int]:
    at = said.find(phrase)
    while at >= 0:
        yield at
        at = said.find(phrase, at + 1)


def _stands_alone(said: str, phrase: str, at: int) -> bool:
    before, after = said[at - 1 : at], said[at + len(phrase) : at + len(phrase) + 1]
    begins = not (_latin(phrase[0]) and _latin(before))
    return begins and not (_latin(phrase[-1]) and _latin(after))


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _plain(verb: Verb, letter: Letter) -> Command:
    said = spoken(letter).strip()
    line = next((x.strip() for x in said.splitlines() if x.strip()), "")
    return Command(verb=verb, word=line[:80], argument=said, line=line[:200], plain=True)


def answers_by_robot(letter: Letter) -> bool:
    """Whether an automatic mail is an answer to some mail (a vacation notice), not news of its own (an alert)."""
    automatic = letter.header("Auto-Submitted").strip().lower()
    marks = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
    return (
        automatic.startswith("auto-replied")
        or any(letter.header(m) for m in marks)
        or (letter.nature is Nature.AUTOMATIC and bool(letter.in_reply_to or letter.references))
        or letter.nature_reason in _RECEIPTS
    )


def _from_robot(letter: Letter) -> bool:
    local = letter.sender.address.partition("@")[0] if letter.sender else ""
    return letter.return_path == "" or local in _ROBOT_LOCALS


def looks_of(letter: Letter, sender: Sender, rulebook: Rulebook, service: Service) -> str:
    """Return the address or domain of somebody else whose looks the sender takes on, or ""."""
    if len(letter.senders) != 1 or not sender.address:
        return ""
    known = () if sender.person or sender.customer else (*rulebook.addresses_and_domains(), *service.own_addresses)
    return looks_like(letter.senders[0], sender.person.addresses if sender.person else (), known)


def sender_of(letter: Letter, rulebook: Rulebook) -> Sender:
    """Return who the letter says it is from, as far as the rule files know the address."""
    address = letter.sender or Address("", "")
    if address.address.startswith("@"):
        address = Address(address.name, "")
    return Sender(
        address=address.address.lower(),
        name=address.name,
        person=rulebook.person_at(address.address) if address.address else None,
        customer=rulebook.customer_at(address.address) if address.address else None,
    )
