"""Who commands, and what they are to a ticket.

What comes in: the sender of a mail, a Ticket, the Rulebook. What goes out: relations, in the words of keywords.yaml.
This file alone knows what makes somebody assignee, team or vendor of a ticket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from daemon.intake.understand import Past, Sender
from daemon.rulebook import Keyword, Person, Rulebook
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import STAFF_ROLES, Role, Verb, Who

_ROLES: Mapping[Role, Who] = {
    Role.DESK: Who.DESK, Role.MANAGER: Who.MANAGER, Role.SALES: Who.SALES, Role.DUTY: Who.DUTY,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who commands, with which book and when; `now` is local time of the service, `at` when their mail came.

    `pasts` is what happened to the tickets on which they want to take something back, `steps_told` are the steps of
    this ticket's timetable that they were told of, oldest first. `complaints` is how many came today, and how many of
    them were escalated. `related` are the other records that they name, and those linked to the ticket, `report` are
    the words that opened it.
    """

    sender: Sender
    rulebook: Rulebook
    now: datetime
    at: datetime | None = None
    service: Service | None = None
    pasts: Mapping[int, Past] = field(default_factory=dict)
    steps_told: tuple[str, ...] = ()
    related: Mapping[int, Ticket] = field(default_factory=dict)
    report: str = ""
    complaints: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The name that history shows."""
        person = self.sender.person
        return person.key if person else self.sender.address

    def is_us(self, address: str) -> bool:
        """Whether mail to this address would come back to us."""
        return self.service is not None and self.service.owns(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a command cannot be carried out: `code` names a sentence in the templates' word lists, `detail` fills it.

    `near` is what may have been meant.
    """

    code: str
    detail: str = ""
    near: str = ""


def of_ours(person: Person | None) -> bool:
    """Whether this is one of our own people: a vendor is not."""
    return person is not None and bool(person.roles & STAFF_ROLES)


def relations(ticket: Ticket, actor: Actor) -> frozenset[Who]:
    """Return what the sender is to this ticket, in the words of keywords.yaml."""
    person, address = actor.sender.person, actor.sender.address
    found = {Who.ANYONE}
    if person and any(person in in_charge(t.who, ticket, actor.rulebook, actor.now.date()) for t in ticket.tasks):
        found.add(Who.TASK_OWNER)
    if address == ticket.requester:
        found.add(Who.REQUESTER)
    if ticket.concerns(address) or of_ours(person):
        found.add(Who.PARTICIPANT)
    return frozenset(found | (_works(person, ticket, actor.rulebook, actor.now) if person else set()))


def may_use(keyword: Keyword, ticket: Ticket, actor: Actor) -> bool:
    """Whether the sender may use this keyword on this ticket.

    Who reported a case that was merged into this one may say, like its requester, that it is not solved. That it is, or
    that it is no longer wanted, would end it for all the others who reported it: only the requester says so for it.
    """
    found = relations(ticket, actor)
    if keyword.verb is Verb.REOPEN and ticket.reported_by(actor.sender.address):
        found |= {Who.REQUESTER}
    return bool(found & set(keyword.who))


def _works(person: Person, ticket: Ticket, rulebook: Rulebook, now: datetime) -> set[Who]:
    """Return what somebody of people.yaml is to this ticket by role, team and task."""
    found = {who for role, who in _ROLES.items() if role in person.roles}
    if of_ours(person):
        found.add(Who.STAFF)
    if person.key == ticket.assignee:
        found.add(Who.ASSIGNEE)
    if person.key == ticket.liaison or _in_team(person, ticket, rulebook):
        found.add(Who.TEAM)
    if Role.VENDOR in person.roles and (Who.TEAM in found or any(map(ticket.concerns, person.addresses))):
        found.add(Who.VENDOR)
    if ticket.approval and person in _approvers(ticket.approval.by, ticket, rulebook, now.date()):
        found.add(Who.APPROVER)
    if ticket.in_alarm and ticket.major_run and ticket.major_run.owner == person.key:
        found.add(Who.DUTY)
    if person in _asked_for_sales(ticket, rulebook, now):
        found.add(Who.SALES)
    customer = rulebook.customers.get(ticket.customer)
    if Role.PM in person.roles and (customer is None or customer.pm in ("", person.key)):
        found.add(Who.PM)
    return found


def _asked_for_sales(ticket: Ticket, rulebook: Rulebook, now: datetime) -> tuple[Person, ...]:
    """Return who is to decide because the requester insists: sales, or who stood in for them then or does now."""
    if ticket.insisted_at is None:
        return ()
    days = (ticket.insisted_at.astimezone(now.tzinfo).date(), now.date())
    return tuple(person for day in days for person in in_charge("sales", ticket, rulebook, day))


def _in_team(person: Person, ticket: Ticket, rulebook: Rulebook) -> bool:
    team = rulebook.teams.get(ticket.team)
    return team is not None and (person.key in (*team.members, team.lead) or ticket.team in person.teams)


def people_of(name: str, ticket: Ticket, rulebook: Rulebook) -> tuple[Person, ...]:
    """Return the people whom a name stands for on this ticket: a role, a team, a person, or a hand that works on it."""
    people, team = rulebook.people, rulebook.teams.get(ticket.team)
    customer = rulebook.customers.get(ticket.customer)
    one = {"assignee": ticket.assignee, "lead": team.lead if team else "", "pm": customer.pm if customer else ""}
    if named := people.get(one.get(name, name)):
        return (named,)
    group = team if name == "team" else rulebook.teams.get(name)
    if group:
        return tuple(people[m] for m in group.members if m in people)
    return rulebook.people_with(Role(name)) if name in set(Role) else ()


def _approvers(name: str, ticket: Ticket, rulebook: Rulebook, day: date) -> tuple[Person, ...]:
    """Return those who may approve: whom the rule names, and while they are away whoever stands in for them.

    Who wants it approved does not keep the others from standing in.
    """
    own = ticket.requester if others_to_approve(ticket, rulebook) else ""
    instead = in_charge(name, ticket, rulebook, day, but=own) or rulebook.people_with(Role.DESK)
    return (*people_of(name, ticket, rulebook), *instead)


def others_to_approve(ticket: Ticket, rulebook: Rulebook) -> tuple[Person, ...]:
    """Return those whom the rule names to approve the ticket, without its requester."""
    asked = people_of(ticket.approval.by, ticket, rulebook) if ticket.approval else ()
    return tuple(p for p in asked or rulebook.people_with(Role.DESK) if ticket.requester not in p.addresses)


def is_requester(person: Person | None, address: str, ticket: Ticket) -> bool:
    """Whether this is who reported the ticket, by whichever address of theirs."""
    return ticket.requester in (address, *(person.addresses if person else ()))


def in_charge(name: str, ticket: Ticket, rulebook: Rulebook, day: date, but: str = "") -> tuple[Person, ...]:
    """Return those who answer for a name on this day: where none of them is there, the next in line.

    `but`: somebody of this address is not to do it.
    """
    while name:
        named = (p for p in people_of(name, ticket, rulebook) if but not in p.addresses)
        here = tuple(p for p in named if p.away_until(day) is None)
        if here:
            return here
        name = rulebook.next_in_line.get(name, "")
    return ()


def could_be(person: Person | None) -> frozenset[Who]:
    """Return what somebody can be to one ticket or another: for help that is asked without one."""
    known = {Who.ANYONE, Who.PARTICIPANT}
    if person is None:
        return frozenset(known | {Who.REQUESTER})
    known |= {who for role, who in {**_ROLES, Role.PM: Who.PM, Role.VENDOR: Who.VENDOR}.items() if role in person.roles}
    if of_ours(person):
        known.add(Who.STAFF)
    works = person.roles & {Role.ENGINEER, Role.VENDOR, Role.DUTY} or person.teams
    asked = {Who.TASK_OWNER, Who.APPROVER} if of_ours(person) else set()
    return frozenset(known | asked | ({Who.ASSIGNEE, Who.TEAM} if works else set()))


def usable(person: Person | None, rulebook: Rulebook) -> tuple[Keyword, ...]:
    """Return the keywords that this person may use on some ticket."""
    could = could_be(person)
    return tuple(k for k in rulebook.keywords if could & set(k.who))
