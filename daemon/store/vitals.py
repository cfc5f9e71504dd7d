"""How the work stands: what waits, what is owed, what was given up. For `status` and the metrics, who only look.

What comes in: nothing. What goes out: counts and the age of the oldest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.store.base import Database
from daemon.store.tables import unstamp
from daemon.words import MailStatus, NoticeState


@dataclass(frozen=True, slots=True)
class Heap:
    """How many wait, and since when the oldest does."""

    count: int = 0
    oldest: datetime | None = None


class Vitals:
    """What an operator asks first."""

    def __init__(self, base: Database) -> None:
        self._base = base

    def damage(self) -> str:
        """Return what is wrong with the database file itself, or ""; PostgreSQL looks after that by itself."""
        if not self._base.sqlite:
            return ""
        said = [str(row[0]) for row in self._base.rows("PRAGMA quick_check(5)")]
        return "" if said == ["ok"] else "; ".join(said)

    def waiting(self) -> dict[str, Heap]:
        """Return for each mailbox the mails that are kept but not handled; the age is of those that came by now.

        Mails that were there before us, and are imported quietly, are old and yet not late.
        """
        sql = """SELECT mailbox, COUNT(*), MIN(CASE WHEN quiet = ? THEN received_at END) FROM mail WHERE status = ?
         GROUP BY mailbox"""
        return {r[0]: _heap(r[1:]) for r in self._base.rows(sql, (False, str(MailStatus.RECEIVED)))}

    def owed(self) -> Heap:
        """Return the mails that are still to be sent."""
        sql = "SELECT COUNT(*), MIN(created_at) FROM notice WHERE state = ?"
        return _heap(self._base.one(sql, (str(NoticeState.OWED),)))

    def mails(self) -> dict[tuple[str, str], int]:
        """Return how many mails of which mailbox have which status."""
        sql = "SELECT mailbox, status, COUNT(*) FROM mail GROUP BY mailbox, status"
        return {(str(m), str(s)): int(n) for m, s, n in self._base.rows(sql)}


def _heap(row: tuple[int, str | None]) -> Heap:
    return Heap(int(row[0]), unstamp(row[1]) if row[1] else None)
