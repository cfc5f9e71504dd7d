"""What a rule may look at in a mail, and the tables of the fields that conditions name.

What comes in: MailFacts, the letter and what is known around it. What goes out: the texts, sizes, counts and times of a
field, each read and made comparable once per mail. Nothing here reads a file, a clock or a database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from daemon.figures import figure_in
from daemon.intake.letter import Letter
from daemon.routing.folding import half_width, with_plain_signs
from daemon.words import PROVED, Kind, Nature, Proof, Role, Severity, State, domain_of

LONGEST_LOOKED_AT = 200_000
"""How many characters of a text patterns are tried on: no mail may take its time from the others."""
CONTRACT_STATES = ("in force", "expired", "not begun", "none")
_NEW, _REPLY = "new", "reply"
_PROOFS = ("proved", "unproved", *(p.value for p in Proof))


class Text(NamedTuple):
    """A value as written, made half-width, with plain signs too, and folded for comparing.

    `written` and `alike` are the bytes that patterns are tried on: as written, and with plain signs.
    """

    shown: str
    plain: str
    signs: str
    folded: str
    written: bytes
    alike: bytes


class Finds(Protocol):
    """Reads words out of a mail for one field of the ticket."""

    @property
    def into(self) -> str:
        """The field."""

    def found(self, mail: MailFacts) -> tuple[str, ...]:
        """Return the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFacts:
    """The ticket that a mail belongs to, as conditions see it."""

    number: int
    state: State
    kind: Kind
    category: str
    team: str
    severity: Severity
    assignee: str
    customer: str
    tags: tuple[str, ...]
    opened_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class MailFacts:
    """What conditions may look at. `working` says for each calendar whether `now_local` is working time.

    `person` and `customer` are keys, "" where the sender is neither. `contract_state` is one of CONTRACT_STATES.
    `region` is that of the sender in customers.yaml. `ticket` is the one that the mail answers; `on_ticket`: it goes
    there, so that the rules for replies count. `similar` are the open incidents that are like it, looked up only where
    a rule asks. `captures` read the fields of the ticket out of it.
    """

    letter: Letter
    mailbox: str
    customer: str
    person_roles: frozenset[Role]
    now_local: datetime
    working: Mapping[str, bool]
    person: str = ""
    person_teams: tuple[str, ...] = ()
    proof: Proof = Proof.NONE
    contract: str = ""
    contract_state: str = "none"
    region: str = ""
    received_at: datetime | None = None
    ticket: TicketFacts | None = None
    on_ticket: bool = False
    similar: tuple[int, ...] = ()
    captures: tuple[Finds, ...] = ()
    simplified: bool = False
    # Hundreds of rules look at the same few fields: each is read and folded once per mail.
    _read: dict[tuple[str, str], tuple[Text, ...]] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _captured: dict[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    judged: dict[int, object] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def texts(self, name: str, header: str = "") -> tuple[Text, ...]:
        """Return every value of this field."""
        found = self._read.get((name, header))
        if found is None:
            values = self.letter.header_all(header) if header else TEXT_FIELDS[name].read(self)
            found = self._read[name, header] = tuple(self._text(value) for value in values)
        return found

    def _text(self, shown: str) -> Text:
        plain = half_width(shown)
        signs = with_plain_signs(plain, self.simplified)
        written = _as_bytes(shown)
        return Text(shown, plain, signs, signs.casefold(), written, written if signs == shown else _as_bytes(signs))

    def captured(self, into: str) -> tuple[str, ...]:
        """Return what the captures of routing.yaml find for this field of the ticket, each once."""
        if into not in self._captured:
            found = (word for capture in self.captures if capture.into == into for word in capture.found(self))
            self._captured[into] = tuple(dict.fromkeys(found))
        return self._captured[into]


def _as_bytes(text: str) -> bytes:
    return text[:LONGEST_LOOKED_AT].encode("utf-8", "replace")


# --- the tables: what may be asked ---


@dataclass(frozen=True, slots=True)
class TextField:
    """A field with text in it; `choices` are the only words that make sense, () where any does.

    `names` says which names of the rule files its words must be ("" for none), `tree` that some lie below others.
    """

    read: Callable[[MailFacts], tuple[str, ...]]
    meaning: str
    choices: tuple[str, ...] = ()
    names: str = ""
    tree: bool = False


@dataclass(frozen=True, slots=True)
class SizeField:
    """A field with sizes in bytes."""

    read: Callable[[MailFacts], tuple[int, ...]]
    meaning: str


@dataclass(frozen=True, slots=True)
class CountField:
    """A field that is a number of things, () where nobody has said how many."""

    read: Callable[[MailFacts], tuple[int, ...]]
    meaning: str


@dataclass(frozen=True, slots=True)
class AgeField:
    """A moment that something happened at, () where it is not known."""

    read: Callable[[MailFacts], tuple[datetime, ...]]
    meaning: str


@dataclass(frozen=True, slots=True)
class FlagField:
    """A question with the answer yes or no: what shows that it is so, () where it is not."""

    read: Callable[[MailFacts], tuple[str, ...]]
    meaning: str


def _recipients(mail: MailFacts) -> tuple[str, ...]:
    letter = mail.letter
    return (*(a.address for a in letter.to), *(a.address for a in letter.cc), *letter.delivered_to)


def _sender_parts(mail: MailFacts, part: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(part(a.address) for a in mail.letter.senders)


def _given(*values: str) -> tuple[str, ...]:
    return tuple(value for value in values if value)


def _of_ticket(read: Callable[[TicketFacts], tuple[str, ...]]) -> Callable[[MailFacts], tuple[str, ...]]:
    return lambda mail: tuple(filter(None, read(mail.ticket))) if mail.ticket else ()


def _proof(mail: MailFacts) -> tuple[str, ...]:
    return "proved" if mail.proof in PROVED else "unproved", mail.proof.value


def _regions(mail: MailFacts) -> tuple[str, ...]:
    return mail.captured("region") or _given(mail.region)


def _affected(mail: MailFacts) -> tuple[int, ...]:
    figures = (figure_in(word) for word in mail.captured("affected"))
    return tuple(figure for figure in figures if figure is not None)


def _moment(moment: datetime | None) -> tuple[datetime, ...]:
    # A Date header may lack the zone; it then says nothing that can be compared.
    return (moment,) if moment is not None and moment.tzinfo else ()


TEXT_FIELDS: Mapping[str, TextField] = MappingProxyType(
    {
        "sender": TextField(lambda m: _sender_parts(m, str), "an address in From"),
        "sender domain": TextField(
            lambda m: _sender_parts(m, domain_of), "what stands after the @ of an address in From", tree=True
        ),
        "sender name": TextField(
            lambda m: tuple(a.name for a in m.letter.senders), "the name beside the address in From"
        ),
        "proof": TextField(
            _proof, "how sure it is that the sender is who From says: proved (token or verified) or not", _PROOFS
        ),
        "customer": TextField(lambda m: _given(m.customer), "a key of customers.yaml", names="customers"),
        "contract": TextField(lambda m: _given(m.contract), "the number of the customer's contract"),
        "contract state": TextField(
            lambda m: (m.contract_state,), "how the customer's contract stands today", CONTRACT_STATES
        ),
        "region": TextField(_regions, "the region that a capture found in the mail, else the sender's own"),
        "person": TextField(lambda m: _given(m.person), "the sender, a key of people.yaml", names="people"),
        "person team": TextField(lambda m: m.person_teams, "a team that the sender is in", names="teams"),
        "person role": TextField(
            lambda m: tuple(sorted(m.person_roles)), "what the sender is in people.yaml", tuple(Role)
        ),
        "recipient": TextField(_recipients, "an address in To, Cc or Delivered-To"),
        "recipient domain": TextField(
            lambda m: tuple(map(domain_of, _recipients(m))), "what stands after the @ of such an address", tree=True
        ),
        "mailbox": TextField(lambda m: (m.mailbox,), "the name of the [[mailbox]] that it came in by"),
        "subject": TextField(lambda m: (m.letter.subject,), "the subject"),
        "text": TextField(
            lambda m: (m.letter.new_text,),
            "the sender's own new words; of quotes only the lines that they answered, marked >",
        ),
        "whole text": TextField(lambda m: (m.letter.text,), "the whole text, quotes and signature too"),
        "language": TextField(lambda m: (m.letter.language,), "the language of the mail: zh, en …"),
        "nature": TextField(
            lambda m: (m.letter.nature.value,), "what kind of mail it is", tuple(n.value for n in Nature)
        ),
        "attachment name": TextField(
            lambda m: tuple(a.name for a in m.letter.attachments), "the name of an attached file"
        ),
        "attachment type": TextField(
            lambda m: tuple(a.content_type for a in m.letter.attachments), "its MIME type, as image/png"
        ),
        "mail": TextField(
            lambda m: (_REPLY if m.ticket else _NEW,), "whether it belongs to a ticket that we have", (_NEW, _REPLY)
        ),
        "ticket state": TextField(
            _of_ticket(lambda t: (t.state.value,)), "the state of that ticket", tuple(s.value for s in State)
        ),
        "ticket kind": TextField(
            _of_ticket(lambda t: (t.kind.value,)), "what sort of record it is", tuple(k.value for k in Kind)
        ),
        "ticket category": TextField(
            _of_ticket(lambda t: (t.category,)), "its category, a path", names="categories", tree=True
        ),
        "ticket team": TextField(_of_ticket(lambda t: (t.team,)), "the team that has it", names="teams"),
        "ticket severity": TextField(
            _of_ticket(lambda t: (str(int(t.severity)),)), "its severity", tuple(str(int(s)) for s in Severity)
        ),
        "ticket assignee": TextField(_of_ticket(lambda t: (t.assignee,)), "who works on it", names="people"),
        "ticket customer": TextField(_of_ticket(lambda t: (t.customer,)), "whose it is", names="customers"),
        "ticket tag": TextField(_of_ticket(lambda t: t.tags), "one of its tags"),
        "ci": TextField(lambda m: m.captured("ci"), "a configuration item that a capture found in the mail"),
        "order": TextField(lambda m: m.captured("order"), "an order number that a capture found"),
        "error code": TextField(lambda m: m.captured("code"), "an error code that a capture found"),
    }
)

SIZE_FIELDS: Mapping[str, SizeField] = MappingProxyType(
    {
        "size": SizeField(lambda m: (m.letter.size,), "the size of the whole mail"),
        "attachment size": SizeField(
            lambda m: tuple(a.size for a in m.letter.attachments), "the size of an attached file"
        ),
    }
)

COUNT_FIELDS: Mapping[str, CountField] = MappingProxyType(
    {
        "attachment count": CountField(
            lambda m: (sum(not a.inline for a in m.letter.attachments),),
            "how many files are attached; pictures within the text do not count",
        ),
        "recipient count": CountField(
            lambda m: (len({address.lower() for address in _recipients(m)}),), "how many addresses it went to"
        ),
        "customers affected": CountField(_affected, "how many customers are affected, where a capture found it"),
    }
)

AGE_FIELDS: Mapping[str, AgeField] = MappingProxyType(
    {
        "date": AgeField(lambda m: _moment(m.letter.date), "the mail's own date (the header Date)"),
        "arrival": AgeField(lambda m: _moment(m.received_at), "when the mail came to us"),
        "ticket": AgeField(
            lambda m: _moment(m.ticket.opened_at if m.ticket else None), "when the ticket that it belongs to was opened"
        ),
    }
)

SIMILAR = "similar open incident"
FLAG_FIELDS: Mapping[str, FlagField] = MappingProxyType(
    {
        "ci known": FlagField(lambda m: m.captured("ci"), "a capture found a configuration item in the mail"),
        SIMILAR: FlagField(
            lambda m: tuple(f"ticket {number}" for number in m.similar),
            "an incident is open whose words are like those of this mail",
        ),
    }
)
