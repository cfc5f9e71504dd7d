"""Reports put together: what the store keeps, counted for a period.

What comes in: a Store, the Rulebook, and what was asked for. What goes out: plain facts for the renderers beside this
file. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from daemon.errors import TicketdError, did_you_mean
from daemon.reports.facts import Heading, report_facts
from daemon.reports.kpis import Cohort
from daemon.reports.life import Worktime, life_of
from daemon.reports.period import Period
from daemon.reports.record import Cell, Header, Sources, record_facts, register_row
from daemon.reports.wording import Wording
from daemon.rulebook import Rulebook
from daemon.sla import Measure
from daemon.store import Store
from daemon.ticket import Ticket
from daemon.words import Kind
from daemon.workhours import working_between

NO_CUSTOMER = "none"
"""What to write for the tickets that belong to no customer."""


def known_customer(word: str, rulebook: Rulebook) -> str:
    """Return the key of the customer that this word means. Raises TicketdError for one that is not."""
    by_name = {c.name.casefold(): c.key for c in rulebook.customers.values()} | {NO_CUSTOMER: ""}
    if word in rulebook.customers:
        return word
    if word.casefold() in by_name:
        return by_name[word.casefold()]
    raise TicketdError(f"no customer is called '{word}'{did_you_mean(word, rulebook.customers)}; see customers.yaml")


def cohort_of(store: Store, rulebook: Rulebook, zone: str, period: Period, customers: Collection[str] = ()) -> Cohort:
    """Return every ticket that had to do with the period, of these customers or, where none is named, of all.

    Problems are counted by themselves, changes not at all: neither is something that a customer reported.
    """
    worktime = _worktime(Measure(rulebook, zone))
    lives = (
        life_of(number, history, period.until, worktime) for number, history in store.register.histories(period.start)
    )
    found = [x for x in lives if x and (not customers or x.ticket.customer in customers)]
    problems = [x for x in found if x.ticket.kind is Kind.PROBLEM]
    return Cohort([x for x in found if x.ticket.case], period, problems)


def compile_report(store: Store, wording: Wording, period: Period, heading: Heading) -> dict[str, Any]:
    """Return the report on a period as plain data; `heading` says for which customers."""
    cohort = cohort_of(store, wording.rulebook, wording.zone.key, period, heading.customers)
    return report_facts(cohort, heading, wording)


def compile_record(store: Store, wording: Wording, ticket: Ticket, header: Header, *, internal: bool) -> dict[str, Any]:
    """Return one ticket with its whole history as plain data."""
    history = [(at, event) for _, event, at, _ in store.register.events(ticket.number)]
    messages = {m["mail"]: m for m in store.register.messages(ticket.number)}
    sources = Sources(ticket=ticket, history=history, messages=messages)
    return record_facts(sources, wording, header, internal=internal)


def register_rows(store: Store, wording: Wording, period: Period | None) -> Iterator[list[Cell]]:
    """Yield a row for each ticket, or for those that were reported in the period."""
    attached = store.register.attached()
    for ticket in store.register.tickets():
        if period is None or period.holds(ticket.opened_at):
            yield register_row(ticket, attached.get(ticket.number, ()), wording)


def _worktime(measure: Measure) -> Worktime:
    """Return how working time is measured: as the clocks themselves measure it."""

    def worktime(calendar: str, zone: str, since: datetime, until: datetime) -> timedelta:
        return working_between(measure.calendar(calendar, zone), measure.zone, since, until)

    return worktime
