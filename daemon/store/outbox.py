"""The outbox: mails owed, claimed under a lease, and their fate.

What comes in: Notices, rendered bytes, fates. What goes out: notices to render and mails to send. A row is owed in the
transaction of the decision that called for it, so no mail goes out for something that did not happen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.notify.envelope import strip_tags
from daemon.notify.notice import Notice, OutgoingMail
from daemon.store.base import Database
from daemon.store.tables import stamp, unstamp
from daemon.words import NoticeState, Visibility

_OWE = """INSERT INTO notice (ticket, template, language, recipient, recipient_name, facts, visibility, automatic,
 answers, thread, stem, cause, state, attempts, created_at, next_try_at, message_id, envelope_from, last_reply)
 VALUES """
_OWED = "(?,?,?,?,?,?,?,?,?,?,?,?,'owed',0,?,?,'','','')"
_CLAIMED = """SELECT id, ticket, template, language, recipient, recipient_name, facts, visibility, automatic, answers,
 thread, created_at, attempts, message_id, envelope_from, content, handed FROM notice"""
_STEM = 120
"""So much of a subject is kept, from its end: a loop makes it longer at the beginning."""
_OPEN = "state = 'owed' AND next_try_at <= ? AND (leased_until IS NULL OR leased_until <= ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedNotice:
    """A notice with its place in the outbox; `mail` is set once it was rendered.

    `handed`: how often it was handed to the server to its last byte without our having seen what the server said to it.
    """

    id: int
    ticket: int
    created_at: datetime
    attempts: int
    notice: Notice
    mail: OutgoingMail | None
    handed: int = 0


def stem(subject: str, tag: str) -> str:
    """Return the subject as loops are recognised by it: without tags, prefixes, digits and case."""
    bare = strip_tags(subject, tag).casefold()
    return "".join(c for c in bare if not c.isdigit()).strip()


class Outbox:
    """Every mail that we owe."""

    def __init__(self, base: Database) -> None:
        self._base = base

    def owe(self, notices: Sequence[Notice], ticket: int, cause: str, subject_stem: str, now: datetime) -> None:
        """Owe these mails, inside the transaction that decided on them."""
        if not notices:
            return
        at, subject_stem = stamp(now), subject_stem[-_STEM:]
        values: list[Any] = []
        for n in notices:
            values += (ticket, n.template, n.language, n.to, n.to_name, json.dumps(n.facts, ensure_ascii=False),
                      str(n.visibility), n.automatic_answer, n.answers, json.dumps(n.references), subject_stem, cause,
                      at, at)  # fmt: skip
        self._base.run(_OWE + ",".join([_OWED] * len(notices)), values)

    def claim(self, now: datetime, lease: timedelta, limit: int) -> list[OwedNotice]:
        """Take up to `limit` mails that are due for a try; nobody else gets them before the lease ends."""
        with self._base.transaction():
            sql = f"{_CLAIMED} WHERE {_OPEN} ORDER BY next_try_at, id LIMIT ?"
            rows = self._base.rows(sql, (stamp(now), stamp(now), limit))
            if rows:
                held = f"UPDATE notice SET leased_until = ? WHERE id IN ({','.join('?' * len(rows))})"
                self._base.run(held, (stamp(now + lease), *(row[0] for row in rows)))
            return [_owed(row) for row in rows]

    def keep_words(self, rendered: Sequence[tuple[int, OutgoingMail]]) -> None:
        """Keep the bytes of rendered mails before they are sent: every try sends the same ones."""
        with self._base.transaction():
            for notice, mail in rendered:
                self._base.run(
                    "UPDATE notice SET message_id = ?, envelope_from = ?, content = ? WHERE id = ? AND content IS NULL",
                    (mail.message_id.strip("<>"), mail.envelope_from, mail.content, notice),
                )

    def handing_over(self, item: OwedNotice) -> None:
        """Note that the server is about to get the end of this mail: who dies now leaves it unknown whether it left."""
        self._base.run_soon("UPDATE notice SET handed = ? WHERE id = ?", (item.handed + 1, item.id))

    def sent(self, notice: int, reply: str, now: datetime) -> None:
        """Settle a mail as sent."""
        self._settle(notice, NoticeState.SENT, reply, None, stamp(now))

    def dead(self, notice: int, reply: str) -> None:
        """Settle a mail as undeliverable."""
        self._settle(notice, NoticeState.DEAD, reply, None, None)

    def retry(self, notice: int, reply: str, at: datetime, handed: int = 0) -> None:
        """Leave a mail for a later try. `handed`: how many copies of it may have arrived."""
        self._settle(notice, NoticeState.OWED, reply, stamp(at), None, handed)

    def give_back(self, notices: Sequence[int]) -> None:
        """End the lease on mails that were not tried, because the server could not be reached at all."""
        with self._base.transaction():
            for notice in notices:
                self._base.run("UPDATE notice SET leased_until = NULL WHERE id = ?", (notice,))

    def _settle(
        self, notice: int, state: NoticeState, reply: str, again: str | None, sent: str | None, handed: int = 0
    ) -> None:
        sql = """UPDATE notice SET state = ?, last_reply = ?, next_try_at = ?, sent_at = ?, leased_until = NULL,
         handed = ?, attempts = attempts + 1 WHERE id = ?"""
        # One statement is a transaction of its own, and cheaper without BEGIN and COMMIT around it.
        self._base.run(sql, (str(state), reply[:500], again, sent, handed, notice))

    def release_leases(self) -> None:
        """End every lease: for the moment of starting, when the instance lock proves that nobody holds one."""
        with self._base.transaction():
            self._base.run("UPDATE notice SET leased_until = NULL WHERE leased_until IS NOT NULL")

    # --- after a restore ---

    def hold(self, why: str) -> int:
        """Hold every mail that is owed, and say why; return how many."""
        sql = "UPDATE notice SET state = ?, last_reply = ?, next_try_at = NULL, leased_until = NULL WHERE state = ?"
        return int(self._base.run(sql, (str(NoticeState.HELD), why, str(NoticeState.OWED))).rowcount)

    def skip_numbers(self, count: int, now: datetime) -> None:
        """Leave out so many numbers: another life of this outbox has given them to mails that we know nothing of.

        A number stands in a mail's Message-ID, and two mails with one id are one mail to the servers of the world.
        """
        with self._base.transaction():
            first = int(self._base.one("SELECT MAX(id) FROM notice")[0] or 0)
            sql = """INSERT INTO notice (id, template, language, recipient, facts, visibility, state, created_at, cause,
             ticket, recipient_name, automatic, answers, thread, stem, attempts, message_id, envelope_from, last_reply)
             VALUES (?,'','','','{}','public',?,?,'restore',0,'',?,'','[]','',0,'','','')"""
            self._base.run(sql, (first + count, str(NoticeState.DROPPED), stamp(now), False))
            if not self._base.sqlite:
                self._base.run("SELECT setval(pg_get_serial_sequence('notice', 'id'), ?)", (first + count,))

    def in_state(self, state: NoticeState) -> list[dict[str, Any]]:
        """Return a line for every mail in this state, the oldest first."""
        sql = "SELECT id, ticket, recipient, template, created_at, last_reply FROM notice WHERE state = ? ORDER BY id"
        names = ("id", "ticket", "to", "template", "created_at", "last_reply")
        rows = self._base.rows(sql, (str(state),))
        return [{**dict(zip(names, row, strict=True)), "created_at": unstamp(row[4])} for row in rows]

    def release(self, notice: int, now: datetime) -> bool:
        """Owe a held mail again; False where there is none such."""
        sql = "UPDATE notice SET state = ?, next_try_at = ?, last_reply = '' WHERE id = ? AND state = ?"
        values = (str(NoticeState.OWED), stamp(now), notice, str(NoticeState.HELD))
        return bool(self._base.run(sql, values).rowcount)

    def drop(self, notice: int) -> bool:
        """Give a held mail up; False where there is none such."""
        sql = "UPDATE notice SET state = ? WHERE id = ? AND state = ?"
        return bool(self._base.run(sql, (str(NoticeState.DROPPED), notice, str(NoticeState.HELD))).rowcount)

    def next_try(self) -> datetime | None:
        """Return when the next mail may be tried, or None where nothing is owed."""
        row = self._base.one("SELECT MIN(next_try_at) FROM notice WHERE state = 'owed'")
        return unstamp(row[0]) if row and row[0] else None

    def get(self, notice: int) -> OwedNotice | None:
        """Return one notice, whatever its state."""
        row = self._base.one(f"{_CLAIMED} WHERE id = ?", (notice,))
        return _owed(row) if row else None

    def notices(self, ticket: int) -> list[dict[str, Any]]:
        """Return the mails written about a ticket, oldest first, with their bytes."""
        sql = """SELECT id, recipient, template, state, attempts, message_id, visibility, created_at, sent_at, content,
         last_reply FROM notice WHERE ticket = ? ORDER BY id"""
        names = ("id", "to", "template", "state", "attempts", "message_id", "visibility", "created_at", "sent_at",
                 "content", "last_reply")  # fmt: skip
        found = [dict(zip(names, row, strict=True)) for row in self._base.rows(sql, (ticket,))]
        times = ("created_at", "sent_at")
        return [{**n, **{t: unstamp(n[t]) if n[t] else None for t in times}} for n in found]

    def counts(self) -> dict[str, int]:
        """Return how many mails are in which state."""
        return {str(s): int(n) for s, n in self._base.rows("SELECT state, COUNT(*) FROM notice GROUP BY state")}


def _owed(row: Any) -> OwedNotice:
    notice = Notice(
        template=row[2], language=row[3], to=row[4], to_name=row[5], facts=json.loads(row[6]),
        visibility=Visibility(row[7]), automatic_answer=bool(row[8]), answers=row[9],
        references=tuple(json.loads(row[10])),
    )  # fmt: skip
    mail = None
    if row[15] is not None:
        mail = OutgoingMail(message_id=f"<{row[13]}>", envelope_from=row[14], to=row[4], content=bytes(row[15]))
    return OwedNotice(id=row[0], ticket=row[1], created_at=unstamp(row[11]), attempts=row[12], notice=notice, mail=mail,
                      handed=row[16])  # fmt: skip
