"""The database itself: opening, migrating, transactions. The only importer of peewee besides its neighbours here.

What comes in: a URL. What goes out: a Database in which everything inside `transaction()` happens, or nothing does.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee as pw
from playhouse.migrations import Runner

from daemon.errors import StoreError, UnreachableError
from daemon.placing import make_private
from daemon.store.tables import TABLES

MIGRATIONS = Path(__file__).parent / "migrations"
_ONE_WRITER = 0x7469636B  # "tick": the key of the advisory lock that serialises writers on PostgreSQL
_ONE_INSTANCE = 0x7469636C  # and the one that a running daemon holds


class Database:
    """One database, SQLite or PostgreSQL, seen alike. Each thread has a connection of its own."""

    def __init__(
        self, url: str, folder: Path, line: type[sqlite3.Connection] = sqlite3.Connection, *, migrate: bool = True
    ) -> None:
        """Open it and bring its schema up; without `migrate` it is left as it is, to be looked at or filled.

        `line` is how a connection to an SQLite file is made.
        """
        path = sqlite_file(url, folder)
        self.sqlite = path is not None
        self._local = threading.local()
        self.db = _open_sqlite(path, line) if path else _open_postgres(url)
        self._sql: dict[str, str] = {}
        self._claim: Any = None
        try:
            with self._weather():
                self.db.connect(reuse_if_open=True)
                if migrate:
                    self._migrate()
        except pw.DatabaseError as e:
            self.close()
            raise StoreError(f"the database cannot be used ({e}): see [database] url, or restore a backup") from e
        except BaseException:
            self.close()
            raise
        self.db.bind(TABLES, bind_refs=False, bind_backrefs=False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or nothing does. Inside another one: a savepoint."""
        if self.db.in_transaction():
            with self._weather_inside(), self.db.atomic():
                yield
            return
        with self._weather():
            self.db.connect(reuse_if_open=True)
            with self.db.atomic():
                if not self.sqlite:
                    self.db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_ONE_WRITER,))
                yield

    def run(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """Execute prepared SQL (parameters written `?` for both databases) and return the cursor.

        The hot paths use this instead of model objects, which cost several times as much per row.
        """
        if self.db.in_transaction():
            return self.db.execute_sql(self._spelt(sql), params)
        with self._weather():
            return self.db.execute_sql(self._spelt(sql), params)

    def run_soon(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Execute one statement that outlives this process from now on, and the machine a moment later.

        It costs no wait for the disk. A commit that waits makes it as durable as itself.
        """
        with self._weather():
            self.db.connect(reuse_if_open=True)
            if self.sqlite:
                # NORMAL, not OFF: what OFF leaves out while a checkpoint runs could cost the file itself.
                self.db.execute_sql("PRAGMA synchronous = NORMAL")
                self.db.execute_sql(sql, params)
                self.db.execute_sql("PRAGMA synchronous = FULL")
                return
            with self.db.atomic():
                self.db.execute_sql("SET LOCAL synchronous_commit TO off")
                self.db.execute_sql(self._spelt(sql), params)

    def one(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """Return the first row, or None."""
        return self.run(sql, params).fetchone()

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Return every row."""
        rows: list[Any] = self.run(sql, params).fetchall()
        return rows

    def insert(self, sql: str, params: Sequence[Any]) -> int:
        """Execute an INSERT and return the id of the new row."""
        return int(self.run(f"{sql} RETURNING id", params).fetchone()[0])

    def alone(self) -> bool:
        """Claim this database for this process, on PostgreSQL where a file lock on one host says nothing to others.

        The claim lives in a session of its own and ends with it, however it ends. False where somebody has it.
        """
        if self.sqlite:
            return True
        self._claim = self.db.__class__(self.db.database, **self.db.connect_params)
        with self._weather():
            cursor = self._claim.execute_sql("SELECT pg_try_advisory_lock(%s)", (_ONE_INSTANCE,))
            return bool(cursor.fetchone()[0])

    def let_go(self) -> None:
        """Give up the claim of `alone` before the process ends."""
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def tables(self) -> list[str]:
        """Return the names of the tables that are there."""
        with self._weather():
            return sorted(self.db.get_tables())

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Yield this thread's connection itself, for what SQL has no words for."""
        with self._weather():
            self.db.connect(reuse_if_open=True)
            yield self.db.connection()

    def at_work(self) -> bool:
        """Whether a running daemon has claimed this database; on SQLite its lock file says that, not we."""
        if self.sqlite:
            return False
        sql = """SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = ? AND objsubid = 1 AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        return self.one(sql, (_ONE_INSTANCE,)) is not None

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.db.is_closed():
            self.db.close()

    def _spelt(self, sql: str) -> str:
        if self.sqlite:
            return sql
        if sql not in self._sql:
            self._sql[sql] = sql.replace("%", "%%").replace("?", "%s")
        return self._sql[sql]

    @contextmanager
    def _weather(self) -> Iterator[None]:
        """Turn a lost or busy database into an UnreachableError, with the connection closed for the next try."""
        try:
            yield
        except UnreachableError:
            self.db.close()
            raise
        except (pw.OperationalError, pw.InterfaceError) as e:
            self.db.close()
            raise UnreachableError(f"the database does not answer: {_first(e)}") from e

    @contextmanager
    def _weather_inside(self) -> Iterator[None]:
        """The same inside a transaction: the outermost one closes the connection."""
        try:
            yield
        except (pw.OperationalError, pw.InterfaceError) as e:
            raise UnreachableError(f"the database does not answer: {_first(e)}") from e

    def _migrate(self) -> None:
        """Bring the schema up to this version by itself; refuse a database that a newer version has written."""
        runner = Runner(self.db, str(MIGRATIONS))
        newer = sorted(set(runner.applied()) - {m.name for m in runner.migrations()})
        if newer:
            raise StoreError(
                f"this database was written by a newer ticketd (it has migration {newer[-1]}): "
                "install that version again, or restore the backup made before the upgrade"
            )
        if any(m.applied is None for m in runner.status()):
            with self.db.atomic():
                if not self.sqlite:
                    self.db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_ONE_WRITER,))
                runner.up()


def sqlite_file(url: str, folder: Path) -> Path | None:
    """Return the file of a SQLite database; None for PostgreSQL."""
    return folder / re.sub(r"^sqlite:///?", "", url) if url.startswith("sqlite:") else None


def marks(values: Collection[object]) -> str:
    """Return the marks of a list in SQL; of nothing, a list in which nothing is found."""
    return ",".join("?" * len(values)) or "NULL"


def _first(error: BaseException) -> BaseException:
    """Return what went wrong first: a full disk also makes the rollback fail, and only that would be told."""
    while error.__context__ is not None and isinstance(error.__context__, pw.PeeweeException):
        error = error.__context__
    return error


def _open_sqlite(path: Path, line: type[sqlite3.Connection]) -> pw.SqliteDatabase:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_private(path)
    # FULL: a commit that we acted upon must survive a power cut. IMMEDIATE: a read that turns into a write would
    # otherwise fail at once with "database is locked", whatever the busy timeout.
    pragmas = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "busy_timeout": 10_000,
               "cache_size": -4_000}  # fmt: skip
    return pw.SqliteDatabase(str(path), pragmas=pragmas, lock_type="immediate", factory=line)


def _open_postgres(url: str) -> Any:
    from playhouse.db_url import connect

    try:
        return connect(url)
    except pw.ImproperlyConfigured as e:
        raise StoreError("PostgreSQL needs the driver: pip install 'ticketd[postgres]'") from e
