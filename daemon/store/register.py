"""The register of tickets: events appended, the picture redrawn, messages beside them.

What comes in: Changes and the letter that caused them. What goes out: Tickets and their history.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from daemon.comparing import Decided
from daemon.decide import Change
from daemon.events import Event, MessageAdded, event_data, event_from
from daemon.intake.letter import Letter
from daemon.lifecycle import OPEN_STATES
from daemon.likeness import shared, telling_words
from daemon.overruled import Ruled, ruled_from
from daemon.plain import from_plain, to_plain
from daemon.store.base import Database, marks
from daemon.store.tables import stamp, unstamp
from daemon.ticket import Ticket, after
from daemon.words import CASES, HoldReason, Kind, Proof, Severity, State

_EVENT = "INSERT INTO event (ticket, seq, kind, data, at, cause) VALUES "
_COLUMNS = ("kind", "state", "severity", "category", "team", "assignee", "customer", "requester", "subject",
            "opened_at", "next_due_at", "queued_at", "length", "picture", "alert")  # fmt: skip
_DRAW = f"""INSERT INTO ticket (number, {", ".join(_COLUMNS)}) VALUES ({marks(("number", *_COLUMNS))})
 ON CONFLICT (number) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS)}"""
_MESSAGE = """INSERT INTO message (mail, ticket, message_id, sender, sender_name, recipients, at, nature, visibility,
 subject, text, attachments) VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (mail) DO NOTHING"""


_OF_RULES = ("Opened", "Routed", "RulesApplied", "Graded", "Returned", "Assigned", "HandedUp")
_ENDED_BY = re.compile(r"(?:dropped by|passed on to \S+ by) the rule '(.*?)'(?:: |$)")


_AT_ONCE = 400
"""Numbers in one query: databases bear no more than about a thousand."""


_LOOKED_AT = 300
"""So many solved tickets of a category, the latest, are compared with a new one."""
_LIKE_ENOUGH = 2
_MOST_SIMILAR = 3
_ALIKE = 3
"""How many telling words two reports share that are about the same thing."""


class Register:
    """Tickets and everything that happened to them."""

    def __init__(self, base: Database) -> None:
        self._base = base

    def next_number(self) -> int:
        """Return the number for the next ticket; to be used in the same transaction."""
        row = self._base.one("SELECT MAX(number) FROM ticket")
        return int(row[0] or 0) + 1

    def ticket(self, number: int) -> Ticket | None:
        """Return the ticket as last drawn."""
        row = self._base.one("SELECT picture FROM ticket WHERE number = ?", (number,))
        return _from_picture(row[0]) if row else None

    def tickets_of(self, numbers: Iterable[int]) -> dict[int, Ticket]:
        """Return those of these numbers that there are, as last drawn."""
        wanted = sorted(set(numbers))
        found: dict[int, Ticket] = {}
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            sql = f"SELECT number, picture FROM ticket WHERE number IN ({','.join('?' * len(some))})"
            found |= {int(number): _from_picture(picture) for number, picture in self._base.rows(sql, some)}
        return found

    def append(self, change: Change, cause: str, now: datetime) -> None:
        """Append the events to a ticket's history and redraw it. A second writer fails on (ticket, seq)."""
        if not change.events:
            return
        before, at = change.before, stamp(now)
        rows: list[Any] = []
        for seq, event in enumerate(change.events, start=before.length + 1):
            data = json.dumps(event_data(event), ensure_ascii=False)
            rows += (before.number, seq, type(event).__name__, data, at, cause)
        self._base.run(_EVENT + ",".join(["(?,?,?,?,?,?)"] * len(change.events)), rows)
        self.draw(change.now, known=before)

    def draw(self, ticket: Ticket, known: Ticket | None = None) -> None:
        """Write the ticket's row and who is on the record."""
        self._base.run(_DRAW, (ticket.number, *_row(ticket)))
        people = _on_record(ticket)
        before = _on_record(known) if known is not None and known.exists else set()
        for address in before - people:
            self._base.run("DELETE FROM participant WHERE address = ? AND ticket = ?", (address, ticket.number))
        for address in people - before:
            self._base.run(
                "INSERT INTO participant (address, ticket) VALUES (?,?) ON CONFLICT (address, ticket) DO NOTHING",
                (address, ticket.number),
            )

    def add_message(self, ticket: int, event: MessageAdded, letter: Letter, at: datetime) -> None:
        """Write down the words that the event refers to."""
        recipients = [a.address for a in (*letter.to, *letter.cc)]
        values = (event.mail, ticket, letter.message_id, event.author, event.author_name, json.dumps(recipients),
                  stamp(at), str(event.nature), str(event.visibility), letter.subject, letter.words,
                  json.dumps([asdict(a) for a in letter.attachments], ensure_ascii=False))  # fmt: skip
        self._base.run(_MESSAGE, values)

    def due(self, now: datetime, limit: int = 500) -> list[int]:
        """Return the tickets that the clock must look at, most overdue first."""
        sql = "SELECT number FROM ticket WHERE next_due_at <= ? ORDER BY next_due_at LIMIT ?"
        return [int(r[0]) for r in self._base.rows(sql, (stamp(now), limit))]

    def unasked(self, limit: int = 500) -> list[int]:
        """Return the solved tickets for which the clock does not wait: solved before there was a rule about it."""
        sql = """SELECT number FROM ticket WHERE state = ? AND next_due_at IS NULL AND kind IN (?,?)
         ORDER BY number LIMIT ?"""
        return [int(r[0]) for r in self._base.rows(sql, (str(State.RESOLVED), *map(str, CASES), limit))]

    def next_due(self) -> datetime | None:
        """Return when the clock must look next, or None."""
        row = self._base.one("SELECT MIN(next_due_at) FROM ticket")
        return unstamp(row[0]) if row and row[0] else None

    # --- what dispatch asks ---

    def load(self, people: Sequence[str], not_counted: Collection[HoldReason]) -> dict[str, int]:
        """Return how many tickets each of these people has at hand; one on hold for these reasons does not count."""
        these = marks(people)
        sql = f"""SELECT assignee, COUNT(*) FROM ticket WHERE assignee IN ({these}) AND state IN (?,?)
         GROUP BY assignee"""
        at_work = (str(State.ASSIGNED), str(State.IN_PROGRESS))
        load = {str(a): int(n) for a, n in self._base.rows(sql, (*people, *at_work))}
        sql = f"SELECT assignee, picture FROM ticket WHERE assignee IN ({these}) AND state = ?"
        for assignee, picture in self._base.rows(sql, (*people, str(State.ON_HOLD))):
            if json.loads(picture).get("hold_reason") not in not_counted:
                load[assignee] = load.get(assignee, 0) + 1
        return load

    def at_hand(self, people: Sequence[str]) -> tuple[Ticket, ...]:
        """Return the tickets that these people work on, or are about to."""
        sql = f"""SELECT picture FROM ticket WHERE assignee IN ({marks(people)}) AND state IN (?,?)
         ORDER BY number"""
        values = (*people, str(State.ASSIGNED), str(State.IN_PROGRESS))
        return tuple(_from_picture(r[0]) for r in self._base.rows(sql, values))

    def anything_queued(self) -> bool:
        """Whether any ticket waits for somebody to become free."""
        return self._base.one("SELECT 1 FROM ticket WHERE queued_at IS NOT NULL LIMIT 1") is not None

    def queued(self, teams: Sequence[str], grave: Collection[Severity], limit: int = 500) -> tuple[Ticket, ...]:
        """Return the tickets that wait for one of these teams, or are as grave as these severities."""
        sql = f"""SELECT picture FROM ticket WHERE queued_at IS NOT NULL
         AND (team IN ({marks(teams)}) OR severity IN ({marks(grave)}))
         ORDER BY severity, queued_at LIMIT ?"""
        rows = self._base.rows(sql, (*teams, *(int(s) for s in grave), limit))
        return tuple(_from_picture(r[0]) for r in rows)

    def last_event(self) -> int:
        """Return the number of the last event of all: as long as it is the same, nothing has happened."""
        row = self._base.one("SELECT MAX(id) FROM event")
        return int(row[0] or 0)

    def tickets(self) -> Iterator[Ticket]:
        """Yield every ticket as drawn, by number."""
        for row in self._base.rows("SELECT picture FROM ticket ORDER BY number"):
            yield _from_picture(row[0])

    def mine(self, address: str, assignee: str, limit: int = 50) -> tuple[Ticket, ...]:
        """Return the open tickets that this address is on the record of, or that are assigned to this person."""
        over = (str(State.ARCHIVED), str(State.CANCELLED))
        sql = """SELECT picture FROM ticket WHERE state NOT IN (?,?) AND (number IN
         (SELECT ticket FROM participant WHERE address = ?) OR (assignee = ? AND assignee <> ''))
         ORDER BY severity, number LIMIT ?"""
        return tuple(_from_picture(r[0]) for r in self._base.rows(sql, (*over, address, assignee, limit)))

    def in_alarm(self) -> tuple[Ticket, ...]:
        """Return the major incidents that are going on, the latest first."""
        sql = f"""SELECT picture FROM ticket WHERE state IN ({marks(OPEN_STATES)}) AND picture LIKE ?
         ORDER BY number DESC"""
        rows = self._base.rows(sql, (*map(str, OPEN_STATES), '%"major_run": {%'))
        return tuple(ticket for r in rows if (ticket := _from_picture(r[0])).in_alarm)

    def alerted(self, key: str) -> Ticket | None:
        """Return the last ticket of this monitoring alert."""
        row = self._base.one("SELECT picture FROM ticket WHERE alert = ? ORDER BY number DESC LIMIT 1", (key,))
        return _from_picture(row[0]) if row else None

    def events(self, number: int) -> list[tuple[int, Event, datetime, str]]:
        """Return a ticket's history as (seq, event, at, cause), oldest first."""
        sql = "SELECT seq, kind, data, at, cause FROM event WHERE ticket = ? ORDER BY seq"
        return [
            (seq, event_from(kind, json.loads(data)), unstamp(at), cause)
            for seq, kind, data, at, cause in self._base.rows(sql, (number,))
        ]

    def histories(self, since: datetime) -> Iterator[tuple[int, list[tuple[datetime, Event]]]]:
        """Yield number and history of every ticket that is unfinished, or to which something happened since then."""
        over = (str(State.RESOLVED), str(State.PENDING_REVIEW), str(State.ARCHIVED))
        sql = """SELECT ticket, at, kind, data FROM event WHERE ticket IN
         (SELECT ticket FROM event WHERE at >= ? UNION SELECT number FROM ticket WHERE state NOT IN (?,?,?))
         ORDER BY ticket, seq"""
        rows = iter(self._base.run(sql, (stamp(since), *over)))
        for number, events in groupby(rows, key=itemgetter(0)):
            yield int(number), [(unstamp(at), event_from(kind, json.loads(data))) for _, at, kind, data in events]

    def decided(self, since: datetime | None = None, limit: int = 0) -> list[Decided]:
        """Return the mails that rules have decided on since then, oldest first; of more than `limit` the newest."""
        found = sorted((*self._opened_by_mail(since), *self._turned_away(since)), key=lambda d: d.mail)
        return found[-limit:] if limit else found

    def _opened_by_mail(self, since: datetime | None) -> Iterator[Decided]:
        """Yield the mails that opened a ticket, when they did; the second event names the mail."""
        sql = """SELECT o.ticket, o.at, o.data, m.data, mail.mailbox, mail.received_at, mail.id FROM event o
         JOIN event m ON m.ticket = o.ticket AND m.seq = 2 AND m.kind = 'MessageAdded' AND m.cause = o.cause
         JOIN mail ON mail.id = CAST(SUBSTR(o.cause, 6) AS INTEGER)
         WHERE o.seq = 1 AND o.kind = 'Opened' AND o.cause LIKE 'mail:%' AND o.at >= ? ORDER BY mail.id"""
        for ticket, at, opened, message, mailbox, received_at, mail in self._base.rows(sql, (_from(since),)):
            said = json.loads(opened)
            yield Decided(
                mail=int(mail), at=unstamp(at), mailbox=mailbox, received_at=unstamp(received_at), ticket=int(ticket),
                subject=said["subject"], follows=said["follows"], proof=Proof(json.loads(message)["proof"]),
            )  # fmt: skip

    def _turned_away(self, since: datetime | None) -> Iterator[Decided]:
        """Yield the mails that rules ignored, or passed on; when they were handled is not kept, when they came is."""
        sql = """SELECT id, mailbox, received_at FROM mail WHERE received_at >= ? AND ticket = 0
         AND (reason LIKE 'dropped by the rule %' OR reason LIKE 'a rule says: %' OR reason LIKE 'passed on to %')
         ORDER BY id"""
        for mail, mailbox, received_at in self._base.rows(sql, (_from(since),)):
            at = unstamp(received_at)
            yield Decided(mail=int(mail), at=at, mailbox=mailbox, received_at=at)

    def ruled(self, since: datetime | None = None) -> Iterator[Ruled]:
        """Yield what rules have decided since then: on each ticket, with what people made of it, and on other mails."""
        sql = f"""SELECT ticket, at, kind, data FROM event WHERE kind IN ({marks(_OF_RULES)})
         AND ticket IN (SELECT ticket FROM event WHERE kind IN ('Routed', 'RulesApplied') AND at >= ?)
         ORDER BY ticket, seq"""
        rows = iter(self._base.run(sql, (*_OF_RULES, _from(since))))
        for number, events in groupby(rows, key=itemgetter(0)):
            history = [(unstamp(at), event_from(kind, json.loads(data))) for _, at, kind, data in events]
            yield from (r for r in ruled_from(int(number), history) if since is None or r.at >= since)
        sql = "SELECT received_at, reason FROM mail WHERE ticket = 0 AND received_at >= ? AND reason LIKE '%the rule %'"
        for at, reason in self._base.rows(sql, (_from(since),)):
            if ended := _ENDED_BY.match(reason):
                yield Ruled(number=0, at=unstamp(at), because=(ended[1],))

    def raw_events(self, number: int) -> list[dict[str, Any]]:
        """Return a ticket's history as plain data, as it was written."""
        sql = "SELECT seq, kind, data, at, cause FROM event WHERE ticket = ? ORDER BY seq"
        return [
            {"seq": seq, "kind": kind, "at": unstamp(at), "cause": cause, "data": json.loads(data)}
            for seq, kind, data, at, cause in self._base.rows(sql, (number,))
        ]

    def messages(self, number: int) -> list[dict[str, Any]]:
        """Return what people wrote on a ticket, oldest first."""
        sql = """SELECT message_id, sender, recipients, at, nature, visibility, text, attachments, mail
         FROM message WHERE ticket = ? ORDER BY mail"""
        return [
            {
                "direction": "in", "message_id": m, "from": sender, "to": json.loads(to), "at": unstamp(at),
                "nature": nature, "visibility": visibility, "text": text, "attachments": json.loads(attachments),
                "mail": mail,
            }
            for m, sender, to, at, nature, visibility, text, attachments, mail in self._base.rows(sql, (number,))
        ]  # fmt: skip

    def attached(self) -> dict[int, list[str]]:
        """Return the names of the files that came with each ticket, of those that have any."""
        names: dict[int, list[str]] = {}
        sql = "SELECT ticket, attachments FROM message WHERE attachments <> ? ORDER BY mail"
        for ticket, attachments in self._base.rows(sql, ("[]",)):
            names.setdefault(int(ticket), []).extend(str(a.get("name") or "") for a in json.loads(attachments))
        return names

    def story(self, number: int) -> str:
        """Return what somebody has to know who takes a ticket over: the words that opened it, and the notes since."""
        kinds = ("Noted", "ProgressTold", "Returned", "Linked")
        sql = "SELECT data FROM event WHERE ticket = ? AND kind IN (?,?,?,?) ORDER BY seq"
        notes = (json.loads(data) for (data,) in self._base.rows(sql, (number, *kinds)))
        said = [f"{n['by']}: {words}" for n in notes if (words := n.get("text") or n.get("reason", ""))]
        return "\n\n".join(filter(None, [self.report(number), *said]))

    def report(self, number: int) -> str:
        """Return the words that opened a ticket."""
        row = self._base.one("SELECT text FROM message WHERE ticket = ? ORDER BY mail LIMIT 1", (number,))
        return str(row[0]) if row else ""

    def last_words(self, number: int, sender: str) -> str:
        """Return what this address wrote on a ticket last."""
        sql = "SELECT text FROM message WHERE ticket = ? AND sender = ? ORDER BY mail DESC LIMIT 1"
        row = self._base.one(sql, (number, sender))
        return str(row[0]) if row else ""

    def similar(self, ticket: Ticket, words: str) -> tuple[Ticket, ...]:
        """Return a few archived tickets of the same category whose words are like its own, the likest first."""
        sql = "SELECT picture FROM ticket WHERE category = ? AND state = ? ORDER BY number DESC LIMIT ?"
        rows = self._base.rows(sql, (ticket.category, str(State.ARCHIVED), _LOOKED_AT))
        mine = telling_words(f"{ticket.subject} {words}")
        scored = [(_likeness(mine, ticket.ci, picture), picture) for picture in (json.loads(r[0]) for r in rows)]
        best = sorted((s for s in scored if s[0] >= _LIKE_ENOUGH), key=lambda s: -s[0])[:_MOST_SIMILAR]
        return tuple(from_plain(Ticket, picture) for _, picture in best)

    def alike(self, words: str, items: Collection[str], but: int = 0) -> tuple[int, ...]:
        """Return the open incidents that are about one of these items or whose words are like these, newest first."""
        sql = f"""SELECT picture FROM ticket WHERE kind = ? AND number <> ? AND state IN ({marks(OPEN_STATES)})
         ORDER BY number DESC LIMIT ?"""
        states = sorted(map(str, OPEN_STATES))
        rows = self._base.rows(sql, (str(Kind.INCIDENT), but, *states, _LOOKED_AT))
        mine = telling_words(words)
        pictures = (json.loads(row[0]) for row in rows)
        return tuple(int(p["number"]) for p in pictures if p.get("ci") in items or _told_alike(mine, p))

    def rebuild(self) -> list[int]:
        """Redraw every ticket from its events; return the numbers whose stored picture differed."""
        numbers = [int(r[0]) for r in self._base.rows("SELECT DISTINCT ticket FROM event ORDER BY ticket")]
        return [n for n in numbers if self._redrawn(n)]

    def _redrawn(self, number: int) -> bool:
        with self._base.transaction():
            ticket = after(Ticket(number=number), [e for _, e, _, _ in self.events(number)])
            differs = self.ticket(number) != ticket
            if differs:
                self.draw(ticket)
            return differs


def _from(since: datetime | None) -> str:
    return stamp(since) if since else ""


def _likeness(mine: frozenset[str], ci: str, picture: dict[str, Any]) -> int:
    """Return how much a solved ticket is like one with these words; one without a solution is of no use."""
    if not picture.get("solution"):
        return 0
    told = f"{picture['subject']} {picture.get('cause', '')} {picture['solution']}"
    return shared(mine, telling_words(told)) + (_LIKE_ENOUGH if ci and picture.get("ci") == ci else 0)


def _told_alike(mine: frozenset[str], picture: dict[str, Any]) -> bool:
    told = telling_words(f"{picture['subject']} {picture.get('symptom', '')}")
    return shared(mine, told) >= _ALIKE


def _on_record(ticket: Ticket) -> set[str]:
    return {ticket.requester, *ticket.participants, *ticket.watchers} - {""}


def _from_picture(picture: str) -> Ticket:
    return from_plain(Ticket, json.loads(picture))


def _row(t: Ticket) -> tuple[Any, ...]:
    return (
        str(t.kind), str(t.state), int(t.severity), t.category, t.team, t.assignee, t.customer, t.requester, t.subject,
        stamp(t.opened_at) if t.opened_at else None, stamp(t.next_due_at) if t.next_due_at else None,
        stamp(t.queued_at) if t.queued_at else None, t.length,
        json.dumps(to_plain(t), ensure_ascii=False), t.alert,
    )  # fmt: skip
