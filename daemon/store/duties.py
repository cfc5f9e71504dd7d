"""The book of duties: what was done for which period and for whom, and what its lists are made of.

What comes in: what was done, and for which period. What goes out: which periods are done, and tickets with the words
that say what happens next. A row of recipient "" closes its period: it is written together with the mails owed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.duties import Entry, Owed
from daemon.plain import from_plain
from daemon.store.base import Database, marks
from daemon.store.tables import stamp, unstamp
from daemon.ticket import Ticket
from daemon.words import Nature, State, Verb

_SETTLED = "duties settled"
_OPEN = (State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD)
_BACK = frozenset({Verb.REOPEN, Verb.REJECT, Verb.RETURN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One line of the book: `recipient` is "" for the period as a whole; `outcome` is sent, empty or missed."""

    duty: str
    period: str
    place: str
    recipient: str
    due_at: datetime
    done_at: datetime
    outcome: str
    tickets: tuple[int, ...]


class DutyBook:
    """Which duties were done, and the material of their lists."""

    def __init__(self, base: Database) -> None:
        self._base = base

    def since(self, now: datetime) -> datetime:
        """Return the moment up to which all that was owed is settled; at first, that is now."""
        row = self._base.one("SELECT value FROM note WHERE key = ?", (_SETTLED,))
        if row:
            return unstamp(row[0])
        self.settled(now)
        return now

    def settled(self, moment: datetime) -> None:
        """Write down that nothing is owed from before this moment."""
        sql = """INSERT INTO note (key, value, at) VALUES (?,?,?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at"""
        self._base.run(sql, (_SETTLED, stamp(moment), stamp(moment)))

    def done(self, since: datetime) -> set[tuple[str, str, str]]:
        """Return the closed periods of what fell due after this moment."""
        sql = "SELECT duty, period, place FROM duty WHERE recipient = '' AND due_at > ?"
        return {(d, p, c) for d, p, c in self._base.rows(sql, (stamp(since),))}

    def write(self, item: Owed, told: Iterable[tuple[str, Sequence[int]]], outcome: str, now: datetime) -> None:
        """Close a period, with whom was told of which tickets. A second writer fails on the key."""
        sql = """INSERT INTO duty (duty, period, place, recipient, due_at, done_at, outcome, tickets)
         VALUES (?,?,?,?,?,?,?,?)"""
        for recipient, tickets in (("", ()), *told):
            values = (*item.key, recipient, stamp(item.due_at), stamp(now), outcome, json.dumps(list(tickets)))
            self._base.run(sql, values)

    def last_done(self, duty: str, place: str) -> datetime | None:
        """Return when this duty was last done here, None if never."""
        sql = "SELECT MAX(done_at) FROM duty WHERE duty = ? AND place = ? AND recipient = '' AND outcome <> 'missed'"
        row = self._base.one(sql, (duty, place))
        return unstamp(row[0]) if row and row[0] else None

    def history(self) -> list[Done]:
        """Return the whole book, oldest first."""
        sql = """SELECT duty, period, place, recipient, due_at, done_at, outcome, tickets FROM duty
         ORDER BY done_at, duty, place, recipient"""
        return [
            Done(duty=d, period=p, place=c, recipient=r, due_at=unstamp(due), done_at=unstamp(at), outcome=o,
                 tickets=tuple(json.loads(t)))
            for d, p, c, r, due, at, o, t in self._base.rows(sql)
        ]  # fmt: skip

    # --- what the lists are made of ---

    def unsolved(self) -> list[Entry]:
        """Return every open ticket with what is expected to happen next, the most severe first."""
        return [self._entry(t) for t in self._tickets(_OPEN)]

    def awaiting_review(self) -> list[Entry]:
        """Return every ticket that waits for its review."""
        return [Entry(ticket=t) for t in self._tickets((State.PENDING_REVIEW,))]

    def closed_since(self, moment: datetime) -> list[Entry]:
        """Return the tickets archived since then whose requester was not asked for a rating yet."""
        sql = """SELECT DISTINCT ticket FROM event WHERE kind = 'StateChanged' AND at >= ? AND data LIKE ?"""
        numbers = {int(r[0]) for r in self._base.rows(sql, (stamp(moment), '%"new": "archived"%'))}
        closed = [t for n in sorted(numbers) if (t := self._ticket(n)) is not None]
        return [Entry(ticket=t) for t in closed if t.case and t.state is State.ARCHIVED and t.asked_at is None]

    def asked_since(self, moment: datetime) -> list[Entry]:
        """Return the tickets whose requester was asked for a rating, or gave one, since that moment."""
        sql = "SELECT DISTINCT ticket FROM event WHERE kind IN ('FollowUpAsked', 'Rated') AND at >= ?"
        numbers = [int(r[0]) for r in self._base.rows(sql, (stamp(moment),))]
        return [Entry(ticket=t) for n in sorted(numbers) if (t := self._ticket(n)) is not None]

    def answerable(self, ticket: Ticket) -> bool:
        """Whether its requester is a person whom our mails reach: no robot reported it, and no mail came back."""
        row = self._base.one("SELECT nature FROM message WHERE ticket = ? ORDER BY mail LIMIT 1", (ticket.number,))
        if row and row[0] != str(Nature.HUMAN):
            return False
        sql = "SELECT data FROM event WHERE ticket = ? AND kind = 'NoticeFailed'"
        failed = (json.loads(r[0]) for r in self._base.rows(sql, (ticket.number,)))
        return not any(f["permanent"] and f["address"] == ticket.requester for f in failed)

    def _tickets(self, states: Sequence[State]) -> list[Ticket]:
        sql = f"SELECT picture FROM ticket WHERE state IN ({marks(states)}) ORDER BY severity, number"
        found = (from_plain(Ticket, json.loads(r[0])) for r in self._base.rows(sql, tuple(map(str, states))))
        return [t for t in found if t.case]

    def _ticket(self, number: int) -> Ticket | None:
        row = self._base.one("SELECT picture FROM ticket WHERE number = ?", (number,))
        return from_plain(Ticket, json.loads(row[0])) if row else None

    def _entry(self, ticket: Ticket) -> Entry:
        """Return the ticket with the last words that say what comes next; what went before a reopening does not."""
        sql = """SELECT kind, data, at FROM event WHERE ticket = ? AND kind IN ('ProgressTold', 'StateChanged')
         ORDER BY seq DESC"""
        for kind, data, at in self._base.rows(sql, (ticket.number,)):
            event: dict[str, Any] = json.loads(data)
            if kind == "StateChanged" and event["verb"] in _BACK:
                break
            waits = ticket.state is State.ON_HOLD and event.get("new") == State.ON_HOLD
            if kind == "ProgressTold" or (waits and event["text"]):
                return Entry(ticket=ticket, action=event["text"], action_at=unstamp(at))
        return Entry(ticket=ticket)
