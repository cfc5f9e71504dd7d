"""What the files under rules/ become once read: plain frozen data, no behaviour but look-ups.

The loader (daemon.routing.loader) makes a Rulebook; everything below floor 7 only reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from daemon.routing.actions import Action
from daemon.routing.conditions import Capture, Condition, Finding
from daemon.words import (
    Dispatch,
    Duty,
    HoldReason,
    Level,
    LinkKind,
    LooksAt,
    Outside,
    Party,
    Proof,
    Risk,
    Role,
    Ruling,
    Severity,
    Standing,
    TokenSeen,
    Verb,
    Verdict,
    Who,
    domain_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that is attached to a mail in short; `type` is "" where its name tells."""

    name: str
    type: str = ""
    size: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A mail in short, to try rules on. What it does not say is as in any mail; `file` names a real one instead.

    The sender is written out, or is somebody of a customer, or one of our people. `at` without a zone is local.
    """

    subject: str = ""
    text: str = ""
    sender: str = ""
    customer: str = ""
    person: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Enclosure, ...] = ()
    size: int = 0
    at: datetime | None = None
    mailbox: str = ""
    proof: Proof | None = None
    file: str = ""
    where: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One row of a table of tests: a mail, and what is to become of it (a fact → what it must be)."""

    name: str
    mail: Specimen
    expect: Mapping[str, str | tuple[str, ...]]
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """If `when` holds, do `then`; `name` appears in the ticket's history, `where` is file:line.

    `looks_at` says which mails it is for: those that open a ticket, those on one that is there already, or all.
    `captures` read fields of the ticket out of a mail for which it holds.
    A rule that is `off` is kept, but not tried. It must match the `examples`, and must not match the
    `counter_examples`.
    """

    name: str
    when: Condition
    then: tuple[Action, ...]
    stop: bool = False
    looks_at: LooksAt = LooksAt.NEW
    captures: tuple[Finding, ...] = ()
    where: str = ""
    off: bool = False
    examples: tuple[Specimen, ...] = ()
    counter_examples: tuple[Specimen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One kind of mail that a monitoring tool sends. `senders` are the addresses and domains it may come from (() any).

    The named groups of `find` tell one alert from another: those in `same` make it the same one, `level` is looked up
    in `severities` (folded words), the one that `ci` names is the configuration item. What meets neither `recovery` nor
    `news` is trouble. `resolves`: its end solves the ticket. A ticket solved longer than `reopen_within` ago stays so.
    """

    name: str
    when: Condition
    senders: tuple[str, ...] = ()
    find: tuple[Capture, ...] = ()
    same: tuple[str, ...] = ()
    recovery: Condition | None = None
    news: Condition | None = None
    severities: Mapping[str, Severity] = field(default_factory=dict)
    ci: str = ""
    resolves: bool = False
    reopen_within: timedelta = timedelta(days=1)
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of ours (or of a vendor) who may command; `addresses` are lower-cased, the first is written to.

    `skills` are paths of categories, `capacity` is how many tickets they can have at hand (0: no limit), `calendar` is
    when they work ("": at any time).
    """

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
    absences: tuple[tuple[date, date], ...] = ()
    calendar: str = ""

    @property
    def address(self) -> str:
        """The address that we write to."""
        return self.addresses[0]

    def away_until(self, day: date) -> date | None:
        """Return the last day of the absence that this day falls into, None if they are there."""
        return max((last for first, last in self.absences if first <= day <= last), default=None)

    def skill_for(self, category: str) -> str:
        """Return the skill that comes closest to this category, "" where none covers it."""
        covering = (s for s in self.skills if f"{category}/".startswith(f"{s}/"))
        return max(covering, key=len, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A group that tickets are dispatched to; `members` and `lead` are keys of people.

    `dispatch` says whether one of them is chosen for each ticket, or all are told of it.
    """

    key: str
    name: Mapping[str, str]
    members: tuple[str, ...]
    lead: str = ""
    line: int = 1
    address: str = ""
    aliases: tuple[str, ...] = ()
    dispatch: Dispatch = Dispatch.TEAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """On the days from `first` to `last` of a rota, `who` is on call instead of whoever it would be.

    `instead_of` is whom they agreed it with; days on which somebody else is planned stay theirs ("": all days count).
    """

    first: date
    last: date
    who: str
    instead_of: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """Who of a team is on call: week by week in `order`, from `starts` on, handed over on that weekday at `handover`.

    A day of the rota lasts from that time of day to the same time on the next. `zone` is an IANA name, "" the
    service's own.
    """

    team: str
    order: tuple[str, ...]
    starts: date
    handover: time
    zone: str = ""
    swaps: tuple[Swap, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person at a customer: what we know of them beside their address."""

    address: str
    name: str = ""
    phone: str = ""
    site: str = ""
    region: str = ""
    language: str = ""
    vip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What was agreed with a customer: from `since` to `until`, the categories in `services` (() is everything).

    `outside` says what becomes of a report that is not part of it.
    """

    number: str = ""
    since: date | None = None
    until: date | None = None
    services: tuple[str, ...] = ()
    outside: Outside = Outside.REFUSE
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Whom we serve: known by whole addresses (those of `contacts` among them), or everybody of a domain."""

    key: str
    name: str
    addresses: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    language: str = ""
    pm: str = ""
    service_level: str = "standard"
    region: str = ""
    calendar: str = ""
    zone: str = ""
    contacts: tuple[Contact, ...] = ()
    contract: Contract | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """What may be written for a verb, by whom, and how it is explained (language → text)."""

    verb: Verb
    words: tuple[str, ...]
    who: tuple[Who, ...]
    help: Mapping[str, str]
    risk: Risk = Risk.HIGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """With what somebody comes who commands: what proves them, and what they are to us and to the ticket."""

    verdict: Verdict
    token: TokenSeen
    party: Party
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """One row of authority.yaml: which claims it is about, and what becomes of their commands by risk."""

    verdicts: frozenset[Verdict]
    tokens: frozenset[TokenSeen]
    parties: frozenset[Party]
    standings: frozenset[Standing]
    rulings: Mapping[Risk, Ruling]
    where: str = ""

    def covers(self, claim: Claim) -> bool:
        """Whether this row is about such a claim."""
        return (
            claim.verdict in self.verdicts
            and claim.token in self.tokens
            and claim.party in self.parties
            and claim.standing in self.standings
        )


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
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is promised for one severity; `calendar` is a key of Rulebook.calendars."""

    respond: timedelta
    resolve: timedelta
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the escalation timetable: at some moment of a clock ("respond" or "resolve"), tell `audience`.

    The moment is `percent` of the target; or `after` so much of its working time; or, where `every` is given, again and
    again once the target is missed. An acknowledgement silences such reminders for `quiet`. Whole days are working
    days. `audience` holds the names explained in docs/rules.md (assignee, team, lead, desk, pm, manager, director, …).
    `hand_up`: a ticket that is still with a lower line of support than this one goes there by itself (0: it does not).
    """

    name: str
    clock: str
    percent: int
    severities: tuple[Severity, ...]
    audience: tuple[str, ...]
    after: timedelta | None = None
    every: timedelta | None = None
    quiet: timedelta | None = None
    hand_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When a target is taken for as good as missed: the next step of its clock is then reached early.

    `untaken`: the percentage of the response time after which somebody should have taken it up (0: never).
    `typical`: how long solving usually takes, by severity and (first) by category; with less left, and nobody at work
    on it, it will be late.
    """

    untaken: int = 0
    typical: Mapping[Severity, timedelta] = field(default_factory=dict)
    categories: Mapping[str, timedelta] = field(default_factory=dict)

    def usual(self, severity: Severity, category: str) -> timedelta | None:
        """Return how long solving this usually takes, None where nobody has said."""
        parts = category.split("/")
        paths = ("/".join(parts[:n]) for n in range(len(parts), 0, -1))
        by_category = next((self.categories[path] for path in paths if path in self.categories), None)
        return by_category or self.typical.get(severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """The promises of one contract: severity → target, the escalation steps, and when to expect a miss."""

    key: str
    targets: Mapping[Severity, Target]
    steps: tuple[Step, ...]
    forecast: Forecast = Forecast()


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A node of the category tree; `key` is the path, e.g. "network" or "network/vpn".

    `team`, `line` (0: not said), `impact` and `urgency` hold where no rule sets them; `line2` is the team that takes
    over by #line2. Children have their parent's unless they say otherwise.
    """

    key: str
    name: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    kind: str = "incident"
    team: str = ""
    line: int = 0
    line2: str = ""
    impact: Level | None = None
    urgency: Level | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Which mail goes to whom when an event of this kind happens.

    For a StateChanged: `state` is the new state ("" for any), `verbs` what may have moved it (() for any). For a
    Graded: `field` is what changed ("" for any). For a Linked or Unlinked: `links` is what the other record is to this
    one (() for any).
    """

    event: str
    template: str
    audience: tuple[str, ...]
    state: str = ""
    verbs: tuple[Verb, ...] = ()
    field: str = ""
    links: tuple[LinkKind, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Closing by silence: after how many working days, and how many of them before that we ask once more."""

    after_days: int
    remind_days_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyTime:
    """When a duty falls due: `offset` after the working day begins or, `from_end`, before it ends.

    `weekday` (0 = Monday) is that of a weekly duty, `month_day` that of a monthly one; both None: it is done every
    working day. `audience` says whom a monthly one is for, `at_least` how often a thing must have happened to be told.
    """

    duty: Duty
    offset: timedelta
    from_end: bool
    weekday: int | None = None
    month_day: int | None = None
    audience: tuple[str, ...] = ()
    at_least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What is done by itself at set times (procedure §9); a duty without a time is not done.

    `calendar` counts for customers without one of their own; `ratings` are the words for each rating from 1 to 5.
    """

    calendar: str = ""
    closing: Closing | None = None
    times: tuple[DutyTime, ...] = ()
    ratings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def audience_of(self, duty: Duty) -> tuple[str, ...]:
        """Return whom a duty is for, where duties.yaml says so."""
        return next((t.audience for t in self.times if t.duty is duty), ())

    def at_least(self, duty: Duty) -> int:
        """Return how often something must have happened before a duty speaks of it."""
        return next((t.at_least for t in self.times if t.duty is duty), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningLevel:
    """A warning level of major incidents: how often people are told, how soon a missed update is chased.

    `limits` say from where on it is this level: `regions` counts from its limit on, everything else above it.
    """

    key: str
    name: Mapping[str, str]
    words: tuple[str, ...]
    every: timedelta
    remind: timedelta
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorRules:
    """How major incidents are run; `levels` from the gravest down, none: there are no major incidents.

    `owner` is the audience whose first person present owns one. A missed update is asked of the owner `asked` times,
    then of `then` too, ever more seldom, but at least every `widest`. `network` and `complaints` are the categories
    that count as such.
    """

    levels: tuple[WarningLevel, ...] = ()
    owner: str = "duty"
    asked: int = 2
    then: tuple[str, ...] = ()
    widest: timedelta = timedelta(days=1)
    network: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()

    def level(self, key: str) -> WarningLevel | None:
        """Return the level of this key."""
        return next((level for level in self.levels if level.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One task of a plan: what is to be done, by whom (role, team, person), within how long, after which others."""

    what: Mapping[str, str]
    who: str
    within: timedelta
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An emergency plan. It fits a ticket of these `categories` (and what is below them) that is at least that grave,
    or one that a rule of `rules` matched; it then starts `by_itself`, or is proposed to the coordinator.

    An overdue task is asked after once more `remind` later.
    """

    key: str
    name: Mapping[str, str]
    coordinator: str
    remind: timedelta
    tasks: tuple[Assignment, ...]
    aliases: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severity: Severity = Severity.LOW
    by_itself: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Everything that operators may change without touching code.

    `unused` are the lists and conditions of routing.yaml that nothing names: (place, what it is called).
    Tickets as grave as `out_of_hours` go to who is on call when nobody works; for those of `recall` somebody is called
    back from lesser work. `captures` read fields of the ticket out of every mail that opens one. `simplified`:
    traditional and simplified Chinese characters are the same to rules. `asks_similar`: some rule wants to know whether
    a similar incident is open.
    back from lesser work. `files` are the bytes that it was read from, by their names within the folder: with `version`
    they say what counted. Of the `permits` the first that covers a claim counts; where there are none, only those who
    are proved command.
    """

    rules: tuple[Rule, ...] = ()
    switched_off: tuple[Rule, ...] = ()
    unused: tuple[tuple[str, str], ...] = ()
    keywords: tuple[Keyword, ...] = ()
    permits: tuple[Permit, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    customers: Mapping[str, Customer] = field(default_factory=dict)
    categories: Mapping[str, Category] = field(default_factory=dict)
    matrix: Mapping[tuple[Level, Level], Severity] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    service_levels: Mapping[str, ServiceLevel] = field(default_factory=dict)
    hold_stops_clock: frozenset[HoldReason] = frozenset()
    next_in_line: Mapping[str, str] = field(default_factory=dict)
    rota: Mapping[str, Rota] = field(default_factory=dict)
    out_of_hours: frozenset[Severity] = frozenset()
    recall: frozenset[Severity] = frozenset()
    announcements: tuple[Announcement, ...] = ()
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    duties: Duties = Duties()
    major: MajorRules = MajorRules()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    captures: tuple[Finding, ...] = ()
    simplified: bool = False
    asks_similar: bool = False
    alerts: tuple[Alert, ...] = ()
    unknown_customers: Outside = Outside.ACCEPT
    version: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def person_at(self, address: str) -> Person | None:
        """Return the person with this address, compared without regard to case."""
        wanted = address.lower()
        return next((p for p in self.people.values() if wanted in p.addresses), None)

    def customer_at(self, address: str) -> Customer | None:
        """Return the customer that this address belongs to: by whole address first, then by domain."""
        wanted, domain = address.lower(), domain_of(address)
        by_address = next((c for c in self.customers.values() if wanted in c.addresses), None)
        return by_address or next((c for c in self.customers.values() if domain and domain in c.domains), None)

    def contact_at(self, address: str) -> Contact | None:
        """Return the contact of a customer with this address."""
        wanted, customer = address.lower(), self.customer_at(address)
        return next((c for c in customer.contacts if c.address == wanted), None) if customer else None

    def calendar_of(self, customer: str) -> Calendar | None:
        """Return the calendar of this customer's working days, in their zone: their own, else that of duties.yaml.

        A calendar that never rests has no end of the working day, so it does not count here.
        """
        known = self.customers.get(customer)
        own = self.calendars.get(known.calendar) if known else None
        found = own if own and not own.always else self.calendars.get(self.duties.calendar)
        zone = known.zone if known else ""
        return replace(found, zone=zone) if found and zone else found

    def people_with(self, role: Role) -> tuple[Person, ...]:
        """Return everybody who has this role, in the order of people.yaml."""
        return tuple(p for p in self.people.values() if role in p.roles)
