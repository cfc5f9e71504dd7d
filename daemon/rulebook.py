"""What the files under rules/ become once read: plain frozen data, no behaviour but look-ups.

The loader (daemon.routing.loader) makes a Rulebook; everything below floor 7 only reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta

from daemon.routing.actions import Action
from daemon.routing.conditions import Condition
from daemon.words import HoldReason, Level, Role, Severity, Verb, Who, domain_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """If `when` holds, do `then`; `name` appears in the ticket's history, `where` is file:line."""

    name: str
    when: Condition
    then: tuple[Action, ...]
    stop: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of ours (or of a vendor) who may command; `addresses` are lower-cased, the first is written to."""

    key: str
    name: str
    addresses: tuple[str, ...]
    roles: frozenset[Role]
    language: str = ""
    teams: tuple[str, ...] = ()
    line: int = 1
    skills: tuple[str, ...] = ()
    capacity: int = 0
    aliases: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address that we write to."""
        return self.addresses[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A group that tickets are dispatched to; `members` and `lead` are keys of people."""

    key: str
    name: Mapping[str, str]
    members: tuple[str, ...]
    lead: str = ""
    line: int = 1
    address: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Whom we serve: contacts are whole addresses or, in `domains`, everybody of a domain."""

    key: str
    name: str
    addresses: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    language: str = ""
    pm: str = ""
    service_level: str = "standard"
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """What may be written for a verb, by whom, and how it is explained (language → text)."""

    verb: Verb
    words: tuple[str, ...]
    who: tuple[Who, ...]
    help: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Working hours: weekday (0 = Monday) → spans of local time; `zone` is an IANA name, "" the service's own.

    `always` means 24×7. `holidays` are not worked whatever the weekday; `workdays` are worked as on a Monday.
    """

    key: str
    zone: str = ""
    always: bool = False
    week: Mapping[int, tuple[tuple[time, time], ...]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is promised for one severity; `calendar` is a key of Rulebook.calendars."""

    respond: timedelta
    resolve: timedelta
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the escalation timetable: at `percent` of a clock ("respond" or "resolve"), tell `audience`.

    `audience` holds the names explained in docs/rules.md (assignee, team, lead, desk, pm, manager, director, …).
    """

    name: str
    clock: str
    percent: int
    severities: tuple[Severity, ...]
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """The promises of one contract: severity → target, and the escalation steps."""

    key: str
    targets: Mapping[Severity, Target]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A node of the category tree; `key` is the path, e.g. "network" or "network/vpn".

    `team`, `line` (0: not said), `impact` and `urgency` hold where no rule sets them; children have their
    parent's unless they say otherwise.
    """

    key: str
    name: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    kind: str = "incident"
    team: str = ""
    line: int = 0
    impact: Level | None = None
    urgency: Level | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Which mail goes to whom when an event of this kind happens.

    For a StateChanged: `state` is the new state ("" for any), `verbs` what may have moved it (() for any).
    """

    event: str
    template: str
    audience: tuple[str, ...]
    state: str = ""
    verbs: tuple[Verb, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Everything that operators may change without touching code."""

    rules: tuple[Rule, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    customers: Mapping[str, Customer] = field(default_factory=dict)
    categories: Mapping[str, Category] = field(default_factory=dict)
    matrix: Mapping[tuple[Level, Level], Severity] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    service_levels: Mapping[str, ServiceLevel] = field(default_factory=dict)
    hold_stops_clock: frozenset[HoldReason] = frozenset()
    announcements: tuple[Announcement, ...] = ()
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: str = ""

    def person_at(self, address: str) -> Person | None:
        """Return the person with this address, compared without regard to case."""
        wanted = address.lower()
        return next((p for p in self.people.values() if wanted in p.addresses), None)

    def customer_at(self, address: str) -> Customer | None:
        """Return the customer that this address belongs to: by whole address first, then by domain."""
        wanted, domain = address.lower(), domain_of(address)
        by_address = next((c for c in self.customers.values() if wanted in c.addresses), None)
        return by_address or next((c for c in self.customers.values() if domain and domain in c.domains), None)

    def people_with(self, role: Role) -> tuple[Person, ...]:
        """Return everybody who has this role, in the order of people.yaml."""
        return tuple(p for p in self.people.values() if role in p.roles)
