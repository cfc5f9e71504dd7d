"""From a duty to its mails: the lists of a day, the follow-up of a week, the report of a month (procedure §9).

What comes in: what is owed, tickets with what is expected next, and the books. What goes out: Parcels, that is a Notice
each with the numbers of the tickets that it speaks of. A list of one ticket belongs to it: an answer lands there. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.duties import Entry, Owed, place_of
from daemon.notify.notice import FOLLOW_UP, Notice
from daemon.notify.notices import Recipient, Scene, keyword_facts, notice_to, recipients, ticket_facts
from daemon.ticket import Ticket
from daemon.words import Duty, State, Verb, Visibility

_LONGEST_ACTION = 300
_PM = ("pm",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A mail owed by a duty, with the numbers of its tickets; `ticket` is the one that it belongs to, 0 for none."""

    notice: Notice
    tickets: tuple[int, ...]
    ticket: int = 0


def parcels_for(item: Owed, entries: Iterable[Entry], scene: Scene, now: datetime) -> tuple[Parcel, ...]:
    """Return the mails of one duty at one place, one for each reader; nothing to tell gives no mail."""
    there = [e for e in entries if _place(e.ticket, scene) == item.place]
    return tuple(_MAKERS[item.duty](item, there, scene, now))


@dataclass(frozen=True, slots=True)
class ReportReader:
    """Who gets the monthly report, and about which customers: none named means about all of them."""

    to: Recipient
    customers: tuple[str, ...]


def report_readers(scene: Scene) -> tuple[ReportReader, ...]:
    """Return who gets the monthly report: project managers about their customers, others about all."""
    every = (*scene.rulebook.customers, "")
    readers: dict[str, tuple[Recipient, list[str]]] = {}
    for customer in every:
        belonging = Ticket(number=0, customer=customer)
        for to in recipients(scene.rulebook.duties.audience_of(Duty.KPI_REPORT), belonging, scene):
            readers.setdefault(to.address, (to, []))[1].append(customer)
    return tuple(ReportReader(to, () if len(c) == len(every) else tuple(c)) for to, c in readers.values())


def report_parcel(item: Owed, reader: ReportReader, report: Mapping[str, Any], scene: Scene) -> Parcel:
    """Return the mail with a report that is counted already."""
    facts = {"ticket": None, "report": report, "late_for": item.due_at.isoformat() if item.late else ""}
    return Parcel(
        notice=notice_to("kpi_report", reader.to, None, facts, scene, Visibility.INTERNAL), tickets=(), ticket=0
    )


def proposal_parcels(item: Owed, proposed: Sequence[Mapping[str, Any]], scene: Scene) -> tuple[Parcel, ...]:
    """Return the mails to the service desk about rules that people kept correcting; nothing proposed gives no mail."""
    if not proposed:
        return ()
    facts = {"ticket": None, "proposals": list(proposed), "late_for": item.due_at.isoformat() if item.late else ""}
    numbers = tuple(sorted({n for p in proposed for n in p["tickets"]}))
    desk = recipients(("desk",), Ticket(number=0), scene)
    return tuple(
        Parcel(notice=notice_to("rule_proposals", to, None, facts, scene, Visibility.INTERNAL), tickets=numbers)
        for to in desk
    )


def _place(ticket: Ticket, scene: Scene) -> str:
    calendar = scene.rulebook.calendar_of(ticket.customer)
    return place_of(calendar) if calendar else ""


Grouped = list[tuple[Recipient, list[Entry]]]


def _by_reader(audience: Sequence[str], entries: Iterable[Entry], scene: Scene) -> Grouped:
    """Return who is to be told, each with their tickets in the order given."""
    readers: dict[str, tuple[Recipient, list[Entry]]] = {}
    for entry in entries:
        for to in recipients(audience, entry.ticket, scene):
            readers.setdefault(to.address, (to, []))[1].append(entry)
    return list(readers.values())


def _ask_action(_item: Owed, entries: list[Entry], scene: Scene, _now: datetime) -> Iterator[Parcel]:
    """Ask those at work for the next step where nobody has said it; what waits has said for what."""
    for entry in entries:
        if entry.action or entry.ticket.state is State.ON_HOLD:
            continue
        ticket = entry.ticket
        for to in recipients(("assignee_or_team",), ticket, scene):
            useful = [k for k in scene.rulebook.keywords if k.verb in (Verb.PROGRESS, Verb.HOLD)]
            facts = {
                "ticket": ticket_facts(ticket, to.language, scene.rulebook),
                "keywords": keyword_facts(useful, to.language),
            }
            notice = notice_to("next_action", to, ticket, facts, scene, Visibility.INTERNAL)
            yield Parcel(notice=notice, tickets=(ticket.number,), ticket=ticket.number)


def _pm_list(item: Owed, entries: list[Entry], scene: Scene, now: datetime) -> Iterator[Parcel]:
    for to, theirs in _by_reader(_PM, entries, scene):
        yield _list("day_list", to, theirs, item, scene, now)


def _review_list(item: Owed, entries: list[Entry], scene: Scene, now: datetime) -> Iterator[Parcel]:
    for to, theirs in _by_reader(_PM, entries, scene):
        yield _list("review_list", to, theirs, item, scene, now)


def _customer_list(item: Owed, entries: list[Entry], scene: Scene, now: datetime) -> Iterator[Parcel]:
    for to, theirs in _by_reader(("requester",), entries, scene):
        yield _list("open_list", to, theirs, item, scene, now, public=True)


def _follow_up(item: Owed, entries: list[Entry], scene: Scene, now: datetime) -> Iterator[Parcel]:
    """Ask each requester once for all that was closed; the mail belongs to the first of them."""
    for to, theirs in _by_reader(("requester",), entries, scene):
        yield _list(FOLLOW_UP, to, theirs, item, scene, now, public=True, belongs=True)


def _follow_up_result(item: Owed, entries: list[Entry], scene: Scene, now: datetime) -> Iterator[Parcel]:
    for to, theirs in _by_reader(_PM, entries, scene):
        ratings = [e.ticket.rating for e in theirs if e.ticket.rating]
        average = f"{sum(ratings) / len(ratings):.1f}" if ratings else ""
        yield _list("follow_up_result", to, theirs, item, scene, now, answered=len(ratings), average=average)


_MAKERS: Mapping[Duty, Callable[[Owed, list[Entry], Scene, datetime], Iterator[Parcel]]] = {
    Duty.ASK_ACTION: _ask_action,
    Duty.PM_LIST: _pm_list,
    Duty.CUSTOMER_LIST: _customer_list,
    Duty.REVIEW_LIST: _review_list,
    Duty.FOLLOW_UP: _follow_up,
    Duty.FOLLOW_UP_RESULT: _follow_up_result,
}


def _list(
    template: str, to: Recipient, entries: list[Entry], item: Owed, scene: Scene, now: datetime,
    *, public: bool = False, belongs: bool = False, **more: object,
) -> Parcel:  # fmt: skip
    """Return one mail about these tickets. A requester's mail about a single ticket belongs to it."""
    home = entries[0].ticket if belongs or (public and len(entries) == 1) else None
    facts = {
        "ticket": ticket_facts(home, to.language, scene.rulebook) if home else None,
        "tickets": [_entry_facts(e, to.language, scene, now) for e in entries],
        "late_for": item.due_at.isoformat() if item.late else "",
        **more,
    }
    visibility = Visibility.PUBLIC if public else Visibility.INTERNAL
    return Parcel(
        notice=notice_to(template, to, home, facts, scene, visibility),
        tickets=tuple(e.ticket.number for e in entries),
        ticket=home.number if home else 0,
    )


def _entry_facts(entry: Entry, language: str, scene: Scene, now: datetime) -> dict[str, Any]:
    ticket = entry.ticket
    due = ticket.due("resolve")
    return {
        **ticket_facts(ticket, language, scene.rulebook),
        "action": _short(entry.action),
        "action_at": entry.action_at.isoformat() if entry.action_at else "",
        "overdue": due is not None and due < now,
        "rating": ticket.rating,
        "rating_text": _short(ticket.rating_text),
    }


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST_ACTION else line[: _LONGEST_ACTION - 1].rstrip() + "…"
