"""Whether what somebody wants is within their contract, and what follows if they insist (procedure §1, SP 4.1.5).

What comes in: a customer's contract, the category and the day; or the Ticket that was refused. What goes out: Events. A
refusal by contract is never the last word: who answers it is passed on to sales, once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from daemon.events import Assigned, Event, Insisted, Rejected, ScopeDoubted
from daemon.rulebook import Contract, Customer
from daemon.ticket import Ticket
from daemon.words import Outside, State

UNKNOWN, EXPIRED, NOT_BEGUN, NOT_COVERED = "unknown_customer", "expired", "not_begun", "not_covered"


def outside(customer: Customer | None, category: str, day: date, unknown: Outside) -> tuple[str, Outside]:
    """Return why this is outside what was agreed ("" if it is within), and what is to be done then."""
    if customer is None:
        return ("", Outside.ACCEPT) if unknown is Outside.ACCEPT else (UNKNOWN, unknown)
    contract = customer.contract
    why = _outside_contract(contract, category, day) if contract else ""
    return (why, contract.outside) if contract and why else ("", Outside.ACCEPT)


def _outside_contract(contract: Contract, category: str, day: date) -> str:
    if contract.until and day > contract.until:
        return EXPIRED
    if contract.since and day < contract.since:
        return NOT_BEGUN
    covered = not contract.services or any(f"{category}/".startswith(f"{s}/") for s in contract.services)
    return "" if covered else NOT_COVERED


def contract_state(contract: Contract | None, day: date) -> str:
    """Return how a contract stands on this day, in the words of rules."""
    if contract is None:
        return "none"
    why = _outside_contract(replace(contract, services=()), "", day)
    return {EXPIRED: "expired", NOT_BEGUN: "not begun"}.get(why, "in force")


def scope_events(why: str, then: Outside, ticket: Ticket) -> tuple[Event, ...]:
    """Return what follows for a new ticket that is outside: a refusal, or a question to the desk.

    A monitoring tool cannot insist, so what it reports is never refused without a person.
    """
    if not why:
        return ()
    if then is Outside.REFUSE and not ticket.by_tool:
        return (Rejected(reason="", why=why),)
    return (ScopeDoubted(why=why, team=ticket.team, line=ticket.line, assignee=ticket.assignee),)


def insistence(ticket: Ticket, by: str, at: datetime) -> tuple[Event, ...]:
    """Return that the requester wants it all the same; once for each refusal, and not after the last word."""
    refused = ticket.state is State.OUT_OF_SCOPE and ticket.insisted_at is None and not ticket.scope_final
    return (Insisted(by=by, at=at, why=ticket.scope_why, reason=ticket.scope_reason),) if refused else ()


def settled(ticket: Ticket, by: str, reason: str) -> tuple[Event, ...]:
    """Return that what was doubted is within the agreement: it goes where the rules would have sent it."""
    if not ticket.scope_to:
        return ()
    team, line, assignee = ticket.scope_to
    return (Assigned(team=team, line=int(line), assignee=assignee, by=by, reason=reason),)
