"""From what the rule files say to the parts of a Rulebook, one function for each file and kind of thing.

What comes in: Items, the Names met so far, and Complaints. What goes out: the dataclasses of daemon.rulebook;
what is wrong is complained of, never raised. This file alone knows the keys of the rule files
(those of routing.yaml are daemon.routing.ruling's).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from daemon.errors import did_you_mean
from daemon.rota import week_of
from daemon.routing.conditions import (
    WEEKDAYS,
    Always,
    Capture,
    Condition,
    ConditionError,
    Not,
    clock_time,
    fold,
)
from daemon.routing.items import (
    MAX_DEPTH,
    Complaints,
    Item,
    Known,
    Table,
    as_choice,
    as_duration,
    as_list,
    as_table,
    as_text,
    each,
)
from daemon.routing.ruling import capture_from, condition_from_item
from daemon.rulebook import (
    Alert,
    Announcement,
    Calendar,
    Category,
    Closing,
    Contact,
    Contract,
    Customer,
    Duties,
    DutyTime,
    Forecast,
    Keyword,
    Person,
    Rota,
    ServiceLevel,
    Step,
    Swap,
    Target,
    Team,
)
from daemon.words import (
    CASES,
    QUESTIONS,
    Dispatch,
    Duty,
    HoldReason,
    Kind,
    Level,
    LinkKind,
    OnRecovery,
    Outside,
    Risk,
    Role,
    Severity,
    State,
    Verb,
    Who,
)

_LINES_OF_SUPPORT = 9
_LONGEST_HOLIDAY = timedelta(days=366)
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
Spans = tuple[tuple[time, time], ...]

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "Opened": "a mail became a ticket",
        "Rejected": "a new mail is out of scope",
        "ScopeDoubted": "a new mail is outside the contract, and the desk is to decide",
        "RuleNotified": "a rule has somebody told of a mail",
        "ApprovalAsked": "a rule lets a new ticket wait for approval",
        "ApprovalOwed": "whoever has to approve it has not decided yet",
        "Insisted": "the requester wants what was refused: sales decides",
        "Assigned": "the ticket went to a team or a person",
        "HandedUp": "functional escalation: line 2 or a vendor took over",
        "Queued": "nobody of the team is free: the ticket waits for one of them",
        "Recalled": "its engineer was called back from it, to work on a graver one",
        "CalledIn": "somebody was called back from a lesser ticket, to work on this one",
        "Returned": "wrong queue: it went back to the desk",
        "MessageAdded": "the requester or a participant wrote again",
        "ProgressTold": "an engineer told the requester how it stands",
        "StateChanged": "the state changed; `state:` says into which, `verbs:` by which keyword",
        "Woken": "the time of a hold ran out",
        "StepReached": "a step of the escalation timetable fell due",
        "StepPassedOn": "a mail about a step did not arrive: the next in line is told instead",
        "EscalationAsked": "somebody asked for escalation",
        "Graded": "severity, impact, urgency, category or ci changed; `field:` says which",
        "RecordedFor": "a colleague's report was put in a customer's name",
        "Undone": "somebody took back what they had just done",
        "Linked": "another record was linked to it; `links:` says as what",
        "Unlinked": "a link to another record was taken away; `links:` says which",
        "NewsShared": "there is news of the case that it was merged with, or is the same as",
        "ParentSolved": "its parent was solved, and it together with that",
        "ParentEnded": "its parent came to an end: not solved, or this one waits for approval; it goes on for itself",
        "NoticeFailed": "a mail of ours did not arrive",
        "AlertRepeated": "a monitoring alert came again, and those at work are to hear of it",
        "AlertRecovered": "a monitoring tool says that its alert is over",
        "Reminded": "the requester has not said whether it is solved, and is asked once more",
        "MajorDeclared": "it is a major incident, or its warning level changed",
        "MajorUpdated": "an update on a major incident was published",
        "MajorUpdateOwed": "an update on a major incident is overdue",
        "MajorEnded": "the major incident is over",
        "PlanProposed": "an emergency plan fits the ticket",
        "PlanActivated": "an emergency plan was started",
        "TaskStarted": "it is the turn of a task of a plan",
        "TaskOverdue": "a task of a plan was not answered in time",
        "TaskUnanswered": "nor after it was asked for once more",
        "TaskDone": "a task of a plan is done",
        "TaskBlocked": "a task of a plan cannot go on",
        "PlanEnded": "an emergency plan is over",
    }
)
AUDIENCES: Mapping[str, str] = MappingProxyType(
    {
        "requester": "who reported it",
        "watchers": "those whom rules let follow the ticket",
        "participants": "everybody else on the record, as in Cc of the first mail",
        "assignee": "the engineer who works on it, if there is one",
        "assignee_or_team": "that engineer; without one the team (with `dispatch: auto` its lead); without a team the "
        "desk. Out of scope: the desk, or sales once the requester insists",
        "liaison": "who of ours answers for what a vendor has; nobody where no vendor has it",
        "former": "who had it before line 2 or a vendor took over (HandedUp)",
        "told": "everybody who had a mail about what is undone (Undone)",
        "team": "the team's address, or all its members",
        "lead": "the team's lead",
        "line2": "the engineers of line 2 with this category among their skills; without any, those of the team",
        "line3": "the vendors (role vendor) with this category among their skills, or with no skills named",
        "desk": "everybody with the role desk",
        "pm": "the customer's project manager; without one all with the role pm",
        "manager": "everybody with the role manager",
        "director": "everybody with the role director",
        "sales": "everybody with the role sales",
        "duty": "everybody with the role duty",
        "step": "those whom the step of the timetable, the reminder, the task or the rule names (StepReached …)",
        "coordinator": "who runs the emergency plans of the ticket, as the plan says",
        "doers": "those whose tasks were not done yet when the plan ended (PlanEnded)",
    }
)
_OF_AN_EVENT = ("step", "former", "told", "coordinator", "doers")
STEP_AUDIENCES = tuple(name for name in AUDIENCES if name not in _OF_AN_EVENT)
GRADES = ("severity", "impact", "urgency", "category", "ci")
RECORD = "record"
CLOCKS = (RECORD, "respond", "resolve")
_STEP_TIMES = ("percent", "after", "every")
_LINE2, _SECOND_LINE = "line2", 2
_QUIET = timedelta(hours=4)  # how long an acknowledgement silences a reminder, if nothing else is said


# --- calendars.yaml ---


def calendars_from(item: Item, known: Known, bad: Complaints) -> dict[str, Calendar]:
    """Return the calendars by their key."""
    calendars = {}
    for key, entry in as_table(item, bad, "'calendars'").items():
        known.calendars.add(entry, key, bad)
        calendars[key] = _calendar(key, entry, bad)
    return calendars


def _calendar(key: str, item: Item, bad: Complaints) -> Calendar:
    table = Table(item, ("zone", "always", "week", "holidays", "workdays"), bad, f"the calendar '{key}'")
    always = table.flag("always")
    week = None if always else table.need("week", "{mon-fri: [09:00-12:00, 13:00-18:00]}")
    holidays, workdays = _days(table, "holidays"), _days(table, "workdays")
    for day in sorted(holidays & workdays):
        bad.add(table.entries["workdays"], f"{day} is both a holiday and a working day; take it out of one list")
    return Calendar(
        key=key,
        zone=_zone(table),
        always=always,
        week=_week(week, bad) if week else {},
        holidays=holidays,
        workdays=workdays,
        where=item.where,
    )


def _zone(table: Table) -> str:
    name, item = table.text("zone"), table.get("zone")
    try:
        ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        table.bad.add(item or table.item, f"no time zone is called '{name}'; write an IANA name, as in Asia/Shanghai")
    return name


def _week(item: Item, bad: Complaints) -> dict[int, Spans]:
    week: dict[int, Spans] = {}
    for days, entry in as_table(item, bad, "'week'").items():
        spans = _spans(entry, bad)
        for day in _weekdays(days, entry, bad):
            if day in week:
                bad.add(entry, f"{WEEKDAYS[day]} has its hours already; name each day once")
            week[day] = spans
    return week


def _weekdays(text: str, item: Item, bad: Complaints) -> range:
    first, _, last = (part.strip().casefold() for part in text.partition("-"))
    known = first in WEEKDAYS and (last or first) in WEEKDAYS
    if not known or WEEKDAYS.index(last or first) < WEEKDAYS.index(first):
        bad.add(item, f"'{text}' names no weekdays; write mon, or mon-fri; the days are {', '.join(WEEKDAYS)}")
        return range(0)
    return range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1)


def _spans(item: Item, bad: Complaints) -> Spans:
    spans: list[tuple[time, time]] = []
    for entry in each(item) if item.value not in (None, []) else []:
        span = _span(entry, bad)
        if span and spans and span[0] < spans[-1][1]:
            bad.add(entry, f"{entry.shown()} begins before the span before it ends; put them in order")
        spans += [span] if span else []
    return tuple(spans)


def _span(item: Item, bad: Complaints) -> tuple[time, time] | None:
    start, _, end = str(item.value).partition("-")
    try:
        span = clock_time(start), clock_time(end)
    except ConditionError:
        bad.add(item, f"{item.shown()} is not a span of time; write it as 09:00-12:00")
        return None
    if span[0] >= span[1]:
        bad.add(item, f"{item.shown()} ends before it begins; write the earlier time first (24:00 is midnight)")
        return None
    return span


def _days(table: Table, key: str) -> frozenset[date]:
    item = table.get(key)
    return frozenset(day for i in (each(item) if item else ()) for day in _day_range(i, table.bad))


def _day_range(item: Item, bad: Complaints) -> list[date]:
    first, _, last = (part.strip() for part in str(item.value).partition(" to "))
    try:
        start = date.fromisoformat(first)
        end = date.fromisoformat(last) if last else start
    except ValueError:
        bad.add(item, f"{item.shown()} is not a date; write 2026-10-01, or 2026-10-01 to 2026-10-07")
        return []
    if not timedelta(0) <= end - start <= _LONGEST_HOLIDAY:
        bad.add(item, f"{item.shown()} is no span of days within a year; write the earlier date first")
        return []
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


# --- people.yaml ---


def people_from(item: Item, known: Known, bad: Complaints) -> dict[str, Person]:
    """Return the people by their key; `teams` of each is filled in once the teams are known."""
    people: dict[str, Person] = {}
    at: dict[str, str] = {}
    for key, entry in as_table(item, bad, "'people'").items():
        person = _person(key, entry, known, bad)
        known.people.add(entry, key, bad, person.aliases)
        _claim(person.addresses, key, entry, at, bad)
        people[key] = person
    return people


def _person(key: str, item: Item, known: Known, bad: Complaints) -> Person:
    keys = ("name", "addresses", "roles", "language", "line", "skills", "capacity", "calendar", "aliases", "absences")
    table = Table(item, keys, bad, f"the person '{key}'")
    table.need("addresses", "[name@example.com]")
    table.need("roles", "[engineer]")
    return Person(
        key=key,
        name=table.text("name", key),
        addresses=_addresses(table, "addresses") or ("",),
        roles=frozenset(table.choices("roles", Role)),
        language=table.text("language"),
        line=table.number("line", 1, 1, _LINES_OF_SUPPORT),
        skills=table.texts("skills"),
        capacity=table.number("capacity", 0, 0, 1000),
        calendar=table.reference("calendar", known.calendars),
        aliases=table.texts("aliases"),
        absences=_absences(table),
    )


def _absences(table: Table) -> tuple[tuple[date, date], ...]:
    item = table.get("absences")
    spans = (_day_range(entry, table.bad) for entry in (each(item) if item else ()))
    return tuple((days[0], days[-1]) for days in spans if days)


def _addresses(table: Table, key: str) -> tuple[str, ...]:
    item = table.get(key)
    found = [(i, as_text(i, table.bad, key).lower()) for i in (each(item) if item else ())]
    for entry, address in found:
        if address and not _ADDRESS.fullmatch(address):
            table.bad.add(entry, f"'{address}' is not an address; write it as name@example.com")
    return tuple(address for _, address in found if address)


def _claim(addresses: tuple[str, ...], key: str, item: Item, at: dict[str, str], bad: Complaints) -> None:
    """Complain of addresses that belong to somebody else already."""
    for address in addresses:
        if at.setdefault(address, key) != key:
            bad.add(
                item,
                f"'{address}' belongs to '{at[address]}' already; an address is one person's or customer's",
            )


def teams_from(item: Item, known: Known, bad: Complaints) -> dict[str, Team]:
    """Return the teams by their key."""
    teams = {}
    for key, entry in as_table(item, bad, "'teams'").items():
        team = _team(key, entry, known, bad)
        known.teams.add(entry, key, bad, team.aliases)
        teams[key] = team
    return teams


def _team(key: str, item: Item, known: Known, bad: Complaints) -> Team:
    keys = ("name", "members", "lead", "line", "address", "dispatch", "aliases")
    table = Table(item, keys, bad, f"the team '{key}'")
    return Team(
        key=key,
        name=table.by_language("name") or {"zh": key, "en": key},
        members=table.references("members", known.people),
        lead=table.reference("lead", known.people),
        line=table.number("line", 1, 1, _LINES_OF_SUPPORT),
        address="".join(_addresses(table, "address")[:1]),
        aliases=table.texts("aliases"),
        dispatch=next(iter(table.choices("dispatch", Dispatch)), Dispatch.TEAM),
    )


def with_teams(people: Mapping[str, Person], teams: Mapping[str, Team]) -> dict[str, Person]:
    """Return the people, each knowing the teams that count it as a member."""
    return {
        key: replace(person, teams=tuple(t.key for t in teams.values() if key in t.members))
        for key, person in people.items()
    }


# --- rota.yaml ---


def rota_from(item: Item, known: Known, bad: Complaints) -> dict[str, Rota]:
    """Return who is on call, by team."""
    rotas = {}
    for word, entry in as_table(item, bad, "'rota'").items():
        team = known.teams.find(entry, word, bad)
        if team:
            rotas[team] = _rota(team, entry, known, bad)
    return rotas


def _rota(team: str, item: Item, known: Known, bad: Complaints) -> Rota:
    table = Table(item, ("order", "starts", "handover", "zone", "swaps"), bad, f"the rota of '{team}'")
    table.need("order", "[somebody, somebody.else]")
    if table.get("order") and not each(table.entries["order"]):
        bad.add(table.entries["order"], f"nobody is in the rota of '{team}'; write order: [somebody, somebody.else]")
    starts, handover = table.need("starts", "2026-11-23"), table.need("handover", "mon 09:00")
    first = next(iter(_day_range(starts, bad)), None) if starts else None
    weekday, at = _handover(handover, bad) if handover else (None, time.min)
    if starts and first and weekday is not None and first.weekday() != weekday:
        cure = f"write the day of its first handover, a {WEEKDAYS[weekday]}"
        bad.add(starts, f"{first} is a {WEEKDAYS[first.weekday()]}, but the rota is handed over on another day; {cure}")
    rota = Rota(
        team=team, order=table.references("order", known.people), starts=first or date.min, handover=at,
        zone=_zone(table), where=item.where,
    )  # fmt: skip
    swaps = table.get("swaps")
    return replace(rota, swaps=_swaps(swaps, rota, known, bad)) if swaps and first else rota


def _handover(item: Item, bad: Complaints) -> tuple[int | None, time]:
    day, _, at = fold(str(item.value)).partition(" ")
    try:
        return WEEKDAYS.index(day), clock_time(at)
    except (ValueError, ConditionError):
        bad.add(item, f"{item.shown()} is no weekday with a time; write handover: mon 09:00")
        return None, time.min


def _swaps(item: Item, rota: Rota, known: Known, bad: Complaints) -> tuple[Swap, ...]:
    """Return the swaps; no day may be given to two people."""
    swaps: list[Swap] = []
    for entry in as_list(item, bad, "'swaps'"):
        swap = _swap(entry, rota, known, bad)
        other = next((s for s in swaps if swap and swap.first <= s.last and s.first <= swap.last), None)
        if swap and other:
            cure = "make the days of one of them fewer"
            bad.add(entry, f"the days from {swap.first} overlap with another swap ({other.where}); {cure}")
        elif swap:
            swaps.append(swap)
    return tuple(swaps)


def _swap(item: Item, rota: Rota, known: Known, bad: Complaints) -> Swap | None:
    table = Table(item, ("week", "days", "who", "instead_of"), bad, "a swap")
    week, days = table.get("week"), table.get("days")
    table.need("who", "somebody")
    if (week is None) == (days is None):
        bad.add(item, "a swap says when it is; write week: 2026-11-30, or days: 2026-12-24 to 2026-12-26")
        return None
    found = _day_range(week or days or item, bad)
    if not found:
        return None
    first, last = week_of(rota, found[0]) if week else (found[0], found[-1])
    who, instead_of = table.reference("who", known.people), table.reference("instead_of", known.people)
    return Swap(first=first, last=last, who=who, instead_of=instead_of, where=item.where) if who else None


def grave_from(item: Item, _known: Known, bad: Complaints) -> frozenset[Severity]:
    """Return the severities that something is done for."""
    return frozenset(s for i in each(item) if i.value not in (None, []) and (s := severity_from(i, bad)))


# --- customers.yaml ---


_CUSTOMER_KEYS = (
    "name", "addresses", "domains", "contacts", "contract", "language", "pm", "service_level", "region", "calendar",
    "zone",
)  # fmt: skip


def customers_from(item: Item, known: Known, bad: Complaints) -> dict[str, Customer]:
    """Return the customers by their key."""
    customers: dict[str, Customer] = {}
    at: dict[str, str] = {}
    for key, entry in as_table(item, bad, "'customers'").items():
        customer = _customer(key, entry, known, bad)
        known.customers.add(entry, key, bad)
        _claim((*customer.addresses, *customer.domains), key, entry, at, bad)
        customers[key] = customer
    return customers


def _customer(key: str, item: Item, known: Known, bad: Complaints) -> Customer:
    table = Table(item, _CUSTOMER_KEYS, bad, f"the customer '{key}'")
    if not any(map(table.get, ("addresses", "domains", "contacts"))):
        bad.add(item, f"the customer '{key}' has neither addresses nor domains; write domains: [example.com]")
    people, contract = table.get("contacts"), table.get("contract")
    contacts = tuple(_contact(i, bad) for i in as_list(people, bad, "'contacts'")) if people else ()
    addresses = (*_addresses(table, "addresses"), *(c.address for c in contacts if c.address))
    return Customer(
        key=key,
        name=table.text("name", key),
        addresses=tuple(dict.fromkeys(addresses)),
        domains=tuple(domain.lower().removeprefix("@") for domain in table.texts("domains")),
        language=table.text("language"),
        pm=table.reference("pm", known.people),
        service_level=table.reference("service_level", known.service_levels) or "standard",
        region=table.text("region"),
        calendar=table.reference("calendar", known.calendars),
        zone=_zone(table),
        contacts=contacts,
        contract=_contract(contract, known, bad) if contract else None,
    )


def _contact(item: Item, bad: Complaints) -> Contact:
    table = Table(item, ("name", "address", "phone", "site", "region", "language", "vip"), bad, "a contact")
    table.need("address", "name@example.com")
    return Contact(
        address="".join(_addresses(table, "address")[:1]),
        name=table.text("name"),
        phone=table.text("phone"),
        site=table.text("site"),
        region=table.text("region"),
        language=table.text("language"),
        vip=table.flag("vip"),
    )


def _contract(item: Item, known: Known, bad: Complaints) -> Contract:
    table = Table(item, ("number", "from", "until", "services", "outside"), bad, "a contract")
    since, until = _day(table, "from"), _day(table, "until")
    if since and until and until < since:
        bad.add(table.entries["until"], "the contract ends before it begins; write the later date under 'until'")
    return Contract(
        number=table.text("number"),
        since=since,
        until=until,
        services=table.references("services", known.categories),
        outside=next(iter(table.choices("outside", Outside)), Outside.REFUSE),
        where=item.where,
    )


def _day(table: Table, key: str) -> date | None:
    item = table.get(key)
    if item is None:
        return None
    try:
        return date.fromisoformat(str(item.value))
    except ValueError:
        table.bad.add(item, f"{item.shown()} is not a date; write it as 2026-12-31")
        return None


def regions_from(item: Item, known: Known, bad: Complaints) -> dict[str, tuple[str, str]]:
    """Return region → the zone and the calendar that count there."""
    regions = {}
    for name, entry in as_table(item, bad, "'regions'").items():
        table = Table(entry, ("zone", "calendar"), bad, f"the region '{name}'")
        regions[name] = _zone(table), table.reference("calendar", known.calendars)
    return regions


def in_regions(customers: Mapping[str, Customer], regions: Mapping[str, tuple[str, str]]) -> dict[str, Customer]:
    """Return the customers, each with the zone and calendar of their region where they have none of their own."""
    none = ("", "")
    at = {key: regions.get(customer.region, none) for key, customer in customers.items()}
    return {
        key: replace(c, zone=c.zone or at[key][0], calendar=c.calendar or at[key][1]) for key, c in customers.items()
    }


def region_names(customers: Mapping[str, Customer], regions: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return folded word → region: each word of the regions under `regions:` and of those that customers are in.

    A region may be called 德国 Germany: people write one of its words. What regions share means none of them.
    """
    known: dict[str, str] = {}
    for region in dict.fromkeys((*regions, *(c.region for c in customers.values() if c.region))):
        for word in {fold(region), *fold(region).split()}:
            known[word] = "" if word in known else region
    return known


def unknown_customers_from(item: Item, _known: Known, bad: Complaints) -> Outside:
    """Return what happens to reports of people whom customers.yaml does not know."""
    return (as_choice(item, Outside, bad, "unknown_customers") if item.value else None) or Outside.ACCEPT


# --- categories.yaml ---


def categories_from(item: Item, known: Known, bad: Complaints) -> dict[str, Category]:
    """Return the categories by their path; children take over what their parent says."""
    return dict(_branch(item, Category(key="", name={}), known, bad, 0))


def _branch(item: Item, parent: Category, known: Known, bad: Complaints, depth: int) -> Iterator[tuple[str, Category]]:
    if depth > MAX_DEPTH:
        bad.add(item, f"the tree is deeper than {MAX_DEPTH} levels; make it flatter")
        return
    for word, entry in as_table(item, bad, "the category tree").items():
        if "/" in word or " " in word:
            bad.add(entry, f"'{word}' may have no '/' and no space; put children under 'children:'")
        category = _category(word, entry, parent, known, bad)
        known.categories.add(entry, category.key, bad, category.aliases)
        yield category.key, category
        children = entry.value.get("children") if isinstance(entry.value, dict) else None
        if children is not None:
            yield from _branch(children, category, known, bad, depth + 1)


def _category(word: str, item: Item, parent: Category, known: Known, bad: Complaints) -> Category:
    keys = ("name", "aliases", "kind", "team", "line", "line2", "impact", "urgency", "children")
    table = Table(item, keys, bad, f"the category '{word}'")
    return Category(
        key=f"{parent.key}/{word}" if parent.key else word,
        name=table.by_language("name") or {"zh": word, "en": word},
        aliases=table.texts("aliases"),
        kind=_reported_kind(table) or parent.kind,
        team=table.reference("team", known.teams) or parent.team,
        line=table.number("line", parent.line, 1, _LINES_OF_SUPPORT),
        line2=table.reference("line2", known.teams) or parent.line2,
        impact=next(iter(table.choices("impact", Level)), parent.impact),
        urgency=next(iter(table.choices("urgency", Level)), parent.urgency),
        where=item.where,
    )


def _reported_kind(table: Table) -> Kind | None:
    """Return the kind of record that mails of this category open: problems and changes are raised by keyword only."""
    kind = next(iter(table.choices("kind", Kind)), None)
    if kind is None or kind in CASES:
        return kind
    table.bad.add(table.entries["kind"], f"no mail opens a {kind}; write one of {', '.join(CASES)}")
    return None


def matrix_from(item: Item, _known: Known, bad: Complaints) -> dict[tuple[Level, Level], Severity]:
    """Return (impact, urgency) → severity; all nine must be there."""
    matrix: dict[tuple[Level, Level], Severity] = {}
    table = Table(item, tuple(Level), bad, "'matrix'")
    for impact in Level:
        row = table.need(impact, "{high: 1, medium: 2, low: 3}")
        cells = Table(row, tuple(Level), bad, f"the row 'impact {impact}'") if row else None
        for urgency in Level if cells else ():
            cell = cells.need(urgency, "1") if cells else None
            severity = severity_from(cell, bad) if cell else None
            if severity:
                matrix[impact, urgency] = severity
    return matrix


def severity_from(item: Item, bad: Complaints) -> Severity | None:
    """Return the severity that this item must be, None with a complaint if it is none."""
    text = str(item.value)
    if text in {str(int(s)) for s in Severity}:
        return Severity(int(text))
    bad.add(item, f"a severity is 1, 2, 3 or 4, got {item.shown()}")
    return None


# --- service_levels.yaml ---


def service_levels_from(item: Item, known: Known, bad: Complaints) -> dict[str, ServiceLevel]:
    """Return the service levels by their key; one must be called standard."""
    levels = {}
    table = as_table(item, bad, "'service_levels'")
    for key, entry in table.items():
        known.service_levels.add(entry, key, bad)
        levels[key] = _service_level(key, entry, known, bad)
    if "standard" not in table:
        bad.add(item, "there is no service level 'standard'; it counts for everybody without one of their own")
    return levels


def _service_level(key: str, item: Item, known: Known, bad: Complaints) -> ServiceLevel:
    table = Table(item, ("targets", "steps", "forecast"), bad, f"the service level '{key}'")
    targets = table.need("targets", "{1: {respond: 15m, resolve: 4h, calendar: always}, …}")
    steps, forecast = table.get("steps"), table.get("forecast")
    made = tuple(_step(i, bad) for i in as_list(steps, bad, "'steps'")) if steps else ()
    if steps:
        _step_names_differ(steps, made, bad)
    return ServiceLevel(
        key=key,
        targets=_targets(targets, known, bad) if targets else {},
        steps=made,
        forecast=_forecast(forecast, known, bad) if forecast else Forecast(),
    )


def _forecast(item: Item, known: Known, bad: Complaints) -> Forecast:
    table = Table(item, ("untaken", "typical", "categories"), bad, "'forecast'")
    typical, categories = table.get("typical"), table.get("categories")
    numbers = {str(int(s)): s for s in Severity}
    by_severity = Table(typical, list(numbers), bad, "'typical'").entries if typical else {}
    by_category = as_table(categories, bad, "'categories'") if categories else {}
    return Forecast(
        untaken=table.number("untaken", 0, 1, 99),
        typical={numbers[n]: as_duration(i, bad, "typical") for n, i in by_severity.items() if n in numbers},
        categories={known.categories.find(i, w, bad): as_duration(i, bad, w) for w, i in by_category.items()},
    )


def _targets(item: Item, known: Known, bad: Complaints) -> dict[Severity, Target]:
    table = Table(item, [str(int(s)) for s in Severity], bad, "'targets'")
    found: dict[Severity, Target] = {}
    for severity in Severity:
        entry = table.need(str(int(severity)), "{respond: 2h, resolve: 16h, calendar: business}")
        if entry:
            found[severity] = _target(entry, known, bad)
    return found


def _target(item: Item, known: Known, bad: Complaints) -> Target:
    table = Table(item, ("respond", "resolve", "calendar"), bad, "a target")
    respond, resolve = table.need("respond", "15m"), table.need("resolve", "4h")
    table.need("calendar", "always")
    return Target(
        respond=as_duration(respond, bad, "respond") if respond else timedelta(hours=1),
        resolve=as_duration(resolve, bad, "resolve") if resolve else timedelta(hours=1),
        calendar=table.reference("calendar", known.calendars),
    )


def _step(item: Item, bad: Complaints) -> Step:
    keys = ("name", "clock", *_STEP_TIMES, "quiet", "severities", "tell", "hand_up")
    table = Table(item, keys, bad, "a step")
    clock = table.text("clock") if table.need("clock", "respond") else "respond"
    if clock not in CLOCKS:
        cure = did_you_mean(clock, CLOCKS) or f"; write one of {', '.join(CLOCKS)}"
        bad.add(table.entries["clock"], f"'clock' knows no '{clock}'{cure}")
    _one_time_only(table, clock)
    percent, after, every = table.number("percent", 100, 0, 1000), _time(table, "after"), _time(table, "every")
    return Step(
        name=table.text("name", _usual_name(table, clock, percent)),
        clock="resolve" if clock == RECORD else clock,
        percent=0 if clock == RECORD or after else percent,
        severities=_severities(table),
        audience=audience_from(table, "tell", STEP_AUDIENCES),
        after=after,
        every=every,
        quiet=(_time(table, "quiet") or min(max(every, _QUIET), timedelta(days=1))) if every else None,
        hand_up=_hand_up(table),
    )


def _hand_up(table: Table) -> int:
    """Return the line of support to which a step hands a ticket up: only the second one takes over by itself."""
    word, item = table.text("hand_up"), table.get("hand_up")
    if item and word != _LINE2:
        table.bad.add(item, f"'hand_up' knows {_LINE2} only, got {item.shown()}; a vendor is brought in by a person")
    if item and table.get("every"):
        table.bad.add(item, "'hand_up' happens once; write it in a step with percent: or after:")
    return _SECOND_LINE if word == _LINE2 else 0


def _usual_name(table: Table, clock: str, percent: int) -> str:
    after, every = table.get("after"), table.get("every")
    if clock == RECORD:
        return "on record"
    if after or every:
        return f"{clock} after {after.value}" if after else f"{clock} overdue, every {every.value if every else ''}"
    return f"{clock} {percent}%"


def _one_time_only(table: Table, clock: str) -> None:
    """Complain of a step without a time, with two, or with one that its clock does not go by."""
    given = [key for key in _STEP_TIMES if table.get(key)]
    if clock == RECORD and given:
        table.bad.add(table.entries[given[0]], f"what is told on record has no '{given[0]}'; take it out")
    if clock != RECORD and not given:
        table.need("percent", "100 (or after: 30m, or every: 1h for reminders once it is overdue)")
    if len(given) > 1:
        table.bad.add(table.entries[given[1]], f"a step has one time: '{given[0]}' or '{given[1]}', not both")
    if table.get("quiet") and "every" not in given:
        table.bad.add(table.entries["quiet"], "'quiet' belongs to reminders, to a step with 'every'; take it out")


def _time(table: Table, key: str) -> timedelta | None:
    item = table.get(key)
    return as_duration(item, table.bad, key) if item else None


def _severities(table: Table) -> tuple[Severity, ...]:
    item = table.get("severities")
    found = (severity_from(i, table.bad) for i in each(item)) if item else iter(Severity)
    return tuple(severity for severity in found if severity)


def _step_names_differ(item: Item, steps: tuple[Step, ...], bad: Complaints) -> None:
    """Complain of two steps of one clock and severity with one name: history could not tell them apart."""
    seen: set[tuple[str, str, Severity]] = set()
    for entry, step in zip(each(item), steps, strict=False):
        keys = {(step.name, step.clock, severity) for severity in step.severities}
        if keys & seen:
            bad.add(
                entry,
                f"the step '{step.name}' stands twice for one severity; give one of them another 'name'",
            )
        seen |= keys


def audience_from(table: Table, key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the audience names under this key; complain of those that are none of `names`."""
    item = table.need(key, "[team, lead]")
    found = [(i, as_text(i, table.bad, key)) for i in (each(item) if item else ())]
    for entry, name in found:
        if name and name not in names:
            cure = did_you_mean(name, names) or f"; write one of {', '.join(names)}"
            table.bad.add(entry, f"no audience is called '{name}'{cure}")
    return tuple(name for _, name in found if name in names)


def next_in_line_from(item: Item, _known: Known, bad: Complaints) -> dict[str, str]:
    """Return who is told of a step instead: audience → audience. It must end."""
    table = as_table(item, bad, "'next_in_line'")
    line: dict[str, str] = {}
    for name, entry in table.items():
        following = as_text(entry, bad, name)
        for word in (name, following):
            if word and word not in STEP_AUDIENCES:
                cure = did_you_mean(word, STEP_AUDIENCES) or f"; write one of {', '.join(STEP_AUDIENCES)}"
                bad.add(entry, f"no audience is called '{word}'{cure}")
        line[name] = following
        if _comes_back(name, line):
            bad.add(entry, f"'{name}' comes back to itself by way of '{following}'; end the line somewhere")
            del line[name]
    return line


def _comes_back(name: str, line: Mapping[str, str]) -> bool:
    """Whether the line that begins here comes back to its beginning. Before its last entry it never did."""
    following = line.get(name)
    while following and following != name:
        following = line.get(following)
    return following == name


def hold_reasons_from(item: Item, _known: Known, bad: Complaints) -> frozenset[HoldReason]:
    """Return the reasons for which the clock stands still."""
    found = (as_choice(i, HoldReason, bad, "hold_stops_clock") for i in each(item))
    return frozenset(reason for reason in found if reason)


# --- phrases.yaml ---

PHRASE_GROUPS = ("not_solved", "solved", "thanks", "doubt", "absent")


def phrases_from(item: Item, _known: Known, bad: Complaints) -> Mapping[str, tuple[str, ...]]:
    """Return the plain words of requesters by what they mean."""
    phrases: dict[str, tuple[str, ...]] = {}
    for group, entry in as_table(item, bad, "'phrases'").items():
        if group not in PHRASE_GROUPS:
            cure = did_you_mean(group, PHRASE_GROUPS) or f"; write one of {', '.join(PHRASE_GROUPS)}"
            bad.add(entry, f"no phrases mean '{group}'{cure}")
            continue
        phrases[group] = tuple(as_text(i, bad, f"a phrase of '{group}'") for i in each(entry))
    return phrases


# --- keywords.yaml ---


def keywords_from(item: Item, _known: Known, bad: Complaints) -> tuple[Keyword, ...]:
    """Return the keywords in the order of the file."""
    keywords: list[Keyword] = []
    taken: dict[str, tuple[Verb, int]] = {}
    for word, entry in as_table(item, bad, "'keywords'").items():
        if word not in set(Verb):
            cure = did_you_mean(word, Verb) or f"; write one of {', '.join(Verb)}"
            bad.add(entry, f"no keyword does '{word}'{cure}")
            continue
        keywords.append(_keyword(Verb(word), entry, taken, bad))
    return tuple(keywords)


def _keyword(verb: Verb, item: Item, taken: dict[str, tuple[Verb, int]], bad: Complaints) -> Keyword:
    table = Table(item, ("words", "who", "risk", "help"), bad, f"the keyword '{verb}'")
    words = table.need("words", f"[{verb}]")
    table.need("who", "[staff]")
    for entry in each(words) if words else ():
        _take_word(as_text(entry, bad, "words"), verb, entry, taken, bad)
    return Keyword(
        verb=verb, words=table.texts("words"), who=table.choices("who", Who), risk=_risk(verb, table),
        help=table.by_language("help"),
    )  # fmt: skip


def _risk(verb: Verb, table: Table) -> Risk:
    """Return the risk of a keyword; what is not said counts as high, unless the keyword only asks."""
    (risk,) = table.choices("risk", Risk)[:1] or ((Risk.ASK if verb in QUESTIONS else Risk.HIGH),)
    if risk is Risk.ASK and verb not in QUESTIONS:
        table.bad.add(table.entries["risk"], f"'{verb}' changes something: write low, medium or high")
    return risk


def _take_word(word: str, verb: Verb, item: Item, taken: dict[str, tuple[Verb, int]], bad: Complaints) -> None:
    if word.startswith(("#", "＃")) or len(word.split()) > 1:
        bad.add(item, f"'{word}' must be one word without '#': people write the # in front of it themselves")
    other, line = taken.setdefault(fold(word), (verb, item.line))
    if other != verb:
        bad.add(item, f"'{word}' already stands for {other} (line {line}); a word means one thing, choose another")


# --- announcements.yaml ---


def announcements_from(item: Item, _known: Known, bad: Complaints) -> tuple[Announcement, ...]:
    """Return the announcements in the order of the file."""
    return tuple(_announcement(entry, bad) for entry in as_list(item, bad, "'announcements'"))


def _announcement(item: Item, bad: Complaints) -> Announcement:
    table = Table(item, ("event", "state", "verbs", "field", "links", "template", "to"), bad, "an announcement")
    table.need("event", "Opened")
    table.need("template", "acknowledgement")
    event = table.text("event")
    if event and event not in EVENTS:
        cure = did_you_mean(event, EVENTS) or f"; write one of {', '.join(EVENTS)}"
        bad.add(table.entries["event"], f"no event is called '{event}'{cure}")
    for key in ("state", "verbs"):
        if table.get(key) and event != "StateChanged":
            bad.add(table.entries[key], f"'{key}' belongs to 'event: StateChanged' only; take it out")
    if table.get("links") and event not in ("Linked", "Unlinked"):
        bad.add(table.entries["links"], "'links' belongs to 'event: Linked' and 'event: Unlinked' only; take it out")
    return Announcement(
        event=event,
        template=_template(table),
        audience=audience_from(table, "to", tuple(AUDIENCES)),
        state=next(iter(table.choices("state", State)), ""),
        verbs=table.choices("verbs", Verb),
        field=_field(table, event),
        links=table.choices("links", LinkKind),
        where=item.where,
    )


def _field(table: Table, event: str) -> str:
    name = table.text("field")
    if name and event != "Graded":
        table.bad.add(table.entries["field"], "'field' belongs to 'event: Graded' only; take it out")
    elif name and name not in GRADES:
        cure = did_you_mean(name, GRADES) or f"; write one of {', '.join(GRADES)}"
        table.bad.add(table.entries["field"], f"'field' knows no '{name}'{cure}")
    return name


def _template(table: Table) -> str:
    name = table.text("template")
    if name and not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        table.bad.add(table.entries["template"], f"'{name}' is not a template's name; write it as scope_refused")
    return name


# --- alerts.yaml ---

_ALERT_KEYS = (
    "name",
    "when",
    "from",
    "find",
    "same",
    "recovery",
    "news",
    "severity",
    "ci",
    "on_recovery",
    "reopen_within",
)
_LEVEL = "level"


def alerts_from(item: Item, known: Known, bad: Complaints) -> tuple[Alert, ...]:
    """Return the kinds of alert in the order of the file."""
    alerts: dict[str, Alert] = {}
    for entry in as_list(item, bad, "'alerts'") if item.value else ():
        alert = _alert(entry, known, bad)
        if alert.name in alerts:
            bad.add(
                entry, f"another alert ({alerts[alert.name].where}) is called '{alert.name}'; names tell them apart"
            )
        alerts[alert.name] = alert
    return tuple(alerts.values())


def _alert(item: Item, known: Known, bad: Complaints) -> Alert:
    table = Table(item, _ALERT_KEYS, bad, "an alert")
    table.need("name", "Zabbix")
    when = table.need("when", "{sender name contains: zabbix}")
    find = table.need("find", "[{subject: '^problem: (?P<check>.+)'}]")
    table.need("same", "[host, check]")
    captures = tuple(c for e in (each(find) if find else ()) for c in _find(e, bad))
    alert = Alert(
        name=table.text("name"),
        when=condition_from_item(when, known, bad) if when else Not(Always()),
        senders=tuple(s.lower().removeprefix("@") for s in table.texts("from")),
        find=captures,
        same=_groups(table, "same", captures),
        recovery=_maybe_condition(table, "recovery", known),
        news=_maybe_condition(table, "news", known),
        severities=_severity_words(table, captures),
        ci=next(iter(_groups(table, "ci", captures)), ""),
        resolves=next(iter(table.choices("on_recovery", OnRecovery)), "") == OnRecovery.RESOLVE,
        reopen_within=_time(table, "reopen_within") or timedelta(days=1),
        where=item.where,
    )
    _closes_safely(table, alert)
    return alert


def _maybe_condition(table: Table, key: str, known: Known) -> Condition | None:
    item = table.get(key)
    return condition_from_item(item, known, table.bad) if item else None


def _find(item: Item, bad: Complaints) -> Iterator[Capture]:
    """Yield the patterns of one line under `find:`, which names the part of the mail that each is looked for in."""
    for name, entry in as_table(item, bad, "a line under 'find'").items():
        if name not in ("subject", "text", "whole text"):
            bad.add(entry, f"'find' does not look into '{name}'; write subject, text or whole text")
            continue
        capture = capture_from(entry, (name,), bad)
        if capture and not capture.names:
            bad.add(entry, "the pattern names nothing; write a named group: (?P<host>\\S+)")
        if capture:
            yield capture


def _groups(table: Table, key: str, captures: tuple[Capture, ...]) -> tuple[str, ...]:
    """Return the groups that are named under this key; complain of those that no pattern has."""
    known = {name for capture in captures for name in capture.names}
    item = table.get(key)
    for entry in each(item) if item else ():
        name = as_text(entry, table.bad, key)
        if name and captures and name not in known:
            cure = did_you_mean(name, known) or f"; the patterns under 'find' have {', '.join(sorted(known)) or 'none'}"
            table.bad.add(entry, f"no pattern has a group '{name}'{cure}")
    return tuple(name for name in table.texts(key) if name in known)


def _severity_words(table: Table, captures: tuple[Capture, ...]) -> dict[str, Severity]:
    item = table.get("severity")
    if item is None:
        return {}
    if not any(_LEVEL in capture.names for capture in captures):
        table.bad.add(item, f"'severity' needs a pattern with the group {_LEVEL}, as in 'severity: (?P<{_LEVEL}>\\w+)'")
    found = {word: severity_from(entry, table.bad) for word, entry in as_table(item, table.bad, "'severity'").items()}
    return {fold(word): severity for word, severity in found.items() if severity}


def _closes_safely(table: Table, alert: Alert) -> None:
    """Complain where anybody could close a ticket by a mail, or where nothing ever could."""
    if not alert.resolves:
        return
    item = table.entries["on_recovery"]
    if not alert.senders:
        cure = "write from: [the tool's address or domain]"
        table.bad.add(item, f"'on_recovery: resolve' lets a mail close tickets, so its sender must be named; {cure}")
    if alert.recovery is None:
        table.bad.add(item, "'on_recovery: resolve' needs 'recovery:', which says how such a mail is known")


# --- duties.yaml ---

_WEEKLY = frozenset({Duty.FOLLOW_UP, Duty.FOLLOW_UP_RESULT, Duty.RULE_PROPOSALS})
_MONTHLY = frozenset({Duty.KPI_REPORT})
_LAST_DAY_OF_EVERY_MONTH = 28
_REPORT_READERS = ("pm", "manager", "director", "duty", "sales", "desk")
_LONGEST_OFFSET = timedelta(hours=12)
_MOST_DAYS = 30
_RATINGS = ("1", "2", "3", "4", "5")


def duties_from(item: Item, known: Known, bad: Complaints) -> Duties:
    """Return what is done by itself at set times; what the file does not name is not done."""
    table = Table(item, ("calendar", "closing_by_silence", *Duty, "ratings"), bad, "'duties'")
    table.need("calendar", "business")
    closing, ratings = table.get("closing_by_silence"), table.get("ratings")
    named = ((duty, table.get(duty)) for duty in Duty)
    return Duties(
        calendar=table.reference("calendar", known.calendars),
        closing=_closing(closing, bad) if closing else None,
        times=tuple(_duty_time(duty, entry, bad) for duty, entry in named if entry),
        ratings=_ratings(ratings, bad) if ratings else {},
    )


def _closing(item: Item, bad: Complaints) -> Closing:
    table = Table(item, ("after_days", "remind_days_before"), bad, "'closing_by_silence'")
    table.need("after_days", "3")
    after = table.number("after_days", 3, 1, _MOST_DAYS)
    before = table.number("remind_days_before", 1 if after > 1 else 0, 0, _MOST_DAYS)
    if before >= after:
        cure = f"write a number below {after}, or more 'after_days'"
        bad.add(table.entries["remind_days_before"], f"the reminder would come before there was time to answer; {cure}")
    return Closing(after_days=after, remind_days_before=before)


def _duty_time(duty: Duty, item: Item, bad: Complaints) -> DutyTime:
    weekly, monthly = duty in _WEEKLY, duty in _MONTHLY
    counts = duty is Duty.RULE_PROPOSALS
    keys = ("before_end", "after_start", *(("weekday",) if weekly else ()), *(("day", "to") if monthly else ()),
            *(("at_least",) if counts else ()))  # fmt: skip
    table = Table(item, keys, bad, f"'{duty}'")
    end, start = table.get("before_end"), table.get("after_start")
    if (end is None) == (start is None):
        bad.add(item, f"'{duty}' needs one time; write before_end: 1h or after_start: 30m")
    offset = as_duration(end or start or Item(item.file, item.line, "1h"), bad, "before_end" if end else "after_start")
    if offset > _LONGEST_OFFSET:
        bad.add(end or start or item, "no working day is that long; write a time up to 12h")
    return DutyTime(
        duty=duty,
        offset=offset,
        from_end=end is not None,
        weekday=_weekday(table) if weekly else None,
        month_day=table.number("day", 1, 1, _LAST_DAY_OF_EVERY_MONTH) if monthly else None,
        audience=_report_readers(table) if monthly else (),
        at_least=table.number("at_least", 3, 2, 1000) if counts else 0,
    )


def _report_readers(table: Table) -> tuple[str, ...]:
    """Return whom the report is for: roles, as it is about no single ticket."""
    item = table.need("to", "[pm, manager, director]")
    for entry in each(item) if item else ():
        word = as_text(entry, table.bad, "to")
        if word and word not in _REPORT_READERS:
            cure = did_you_mean(word, _REPORT_READERS) or f"; write some of {', '.join(_REPORT_READERS)}"
            table.bad.add(entry, f"a report cannot go to '{word}'{cure}")
    return tuple(word for word in table.texts("to") if word in _REPORT_READERS)


def _weekday(table: Table) -> int:
    item = table.need("weekday", "fri")
    word = fold(table.text("weekday")) if item else "mon"
    if item and word not in WEEKDAYS:
        cure = did_you_mean(word, WEEKDAYS) or f"; write one of {', '.join(WEEKDAYS)}"
        table.bad.add(item, f"'weekday' knows no '{word}'{cure}")
    return WEEKDAYS.index(word) if word in WEEKDAYS else 0


def _ratings(item: Item, bad: Complaints) -> dict[int, tuple[str, ...]]:
    """Return rating → the words that mean it; a word may mean one rating only."""
    table = Table(item, _RATINGS, bad, "'ratings'")
    taken: dict[str, str] = {}
    for rating in _RATINGS:
        entry = table.get(rating)
        for word in each(entry) if entry else ():
            other = taken.setdefault(fold(as_text(word, bad, rating)), rating)
            if other != rating:
                bad.add(word, f"{word.shown()} already means {other}; a word means one rating, take it out of one")
    return {int(rating): table.texts(rating) for rating in _RATINGS}
