"""The store: the only package that knows peewee, and the only one that opens a transaction."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from daemon.store.base import Database
from daemon.store.duties import DutyBook
from daemon.store.ledger import KeptMail, Ledger
from daemon.store.lookup import Lookup, core_of, failed_key, hint_key, moved_key
from daemon.store.outbox import Outbox, OwedNotice, stem
from daemon.store.register import Register
from daemon.store.tables import stamp
from daemon.store.versions import Versions
from daemon.store.vitals import Vitals

__all__ = ["SPOOL", "KeptMail", "OwedNotice", "Store", "core_of", "failed_key", "hint_key", "moved_key", "stem"]


SPOOL = "spool"
"""The folder of large mails within the state directory."""


class Store:
    """Everything durable: the ledger of mails, the register of tickets, the outbox, the rules, and small notes."""

    def __init__(self, url: str, folder: Path, line: type[sqlite3.Connection] = sqlite3.Connection) -> None:
        self.base = Database(url, folder, line)
        self.ledger = Ledger(self.base, folder / SPOOL)
        self.register = Register(self.base)
        self.outbox = Outbox(self.base)
        self.duties = DutyBook(self.base)
        self.versions = Versions(self.base)
        self.vitals = Vitals(self.base)
        self.lookup = Lookup(self.base, self.register, self.outbox)

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside happens, or nothing does; inside another transaction it is a savepoint."""
        return self.base.transaction()

    def note(self, key: str) -> tuple[str, str] | None:
        """Return (value, time written) of a small note, or None."""
        row = self.base.one("SELECT value, at FROM note WHERE key = ?", (key,))
        return (row[0], row[1]) if row else None

    def write_note(self, key: str, value: str, now: datetime) -> None:
        """Write a small note, over the one of that key."""
        sql = """INSERT INTO note (key, value, at) VALUES (?,?,?)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at"""
        self.base.run(sql, (key, value, stamp(now)))

    def close(self) -> None:
        """Close this thread's connection."""
        self.base.close()
