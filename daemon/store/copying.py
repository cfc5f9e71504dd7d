"""A whole copy of the database, made while others write to it, and put back where there is none.

What comes in: an open Database, a path. What goes out: one file that needs no other. This file alone knows the programs
of PostgreSQL and how a copy of SQLite is looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import StoreError
from daemon.store.base import Database
from daemon.words import MailStatus

_DAMAGED = 5


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A mail of the copy that lies in the spool: its place there and its digest."""

    path: str
    sha256: str


def copy_database(base: Database, target: Path) -> None:
    """Write a consistent copy into this file. Raises StoreError."""
    if base.sqlite:
        _copy_sqlite(base, target)
    else:
        _run_postgres("pg_dump", base, "--format=custom", "--no-owner", f"--file={target}")


def put_back(base: Database, source: Path) -> None:
    """Fill this empty PostgreSQL database from a copy; SQLite's is put in place as a file."""
    _run_postgres("pg_restore", base, "--no-owner", "--exit-on-error", "--single-transaction",
                  f"--dbname={base.db.database}", str(source))  # fmt: skip


def _copy_sqlite(base: Database, target: Path) -> None:
    with base.reading() as source, contextlib.closing(sqlite3.connect(target)) as copy:
        try:
            source.backup(copy)  # in one go: a reader in WAL sees one moment, whoever writes meanwhile
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as e:
            raise StoreError(f"the database cannot be copied: {e}") from e


def _run_postgres(program: str, base: Database, *args: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise StoreError(f"{program} is not installed; it comes with PostgreSQL's client programs (postgresql-client)")
    done = subprocess.run([found, *args], env={**os.environ, **_whereabouts(base)}, capture_output=True, text=True,
                          check=False)  # fmt: skip
    if done.returncode:
        raise StoreError(f"{program} failed: {done.stderr.strip()[:500]}")


def _whereabouts(base: Database) -> Mapping[str, str]:
    """Return where the database is, for the environment: a command line can be read by everybody."""
    names = {"user": "PGUSER", "password": "PGPASSWORD", "host": "PGHOST", "port": "PGPORT"}
    given = {names[k]: str(v) for k, v in base.db.connect_params.items() if k in names and v}
    return {"PGDATABASE": base.db.database, **given}


# --- looking at a copy of SQLite ---


def faults_of_copy(path: Path) -> list[str]:
    """Return what is wrong with a copy: its pages, and every mail in it whose bytes are not what they were."""
    with _opened(path) as copy:
        try:
            said = [str(row[0]) for row in copy.execute(f"PRAGMA integrity_check({_DAMAGED})")]
            if said != ["ok"]:
                return [f"the database is damaged: {'; '.join(said)}"]
            return [f"the bytes of mail {number} are not what they were" for number in _changed_mails(copy)]
        except sqlite3.Error as e:
            return [f"the database cannot be read: {e}"]


def files_of_copy(path: Path) -> list[KeptFile]:
    """Return the mails of a copy that lie in the spool."""
    with _opened(path) as copy:
        rows = copy.execute("SELECT DISTINCT path, sha256 FROM mail WHERE path <> ''").fetchall()
        return [KeptFile(str(path), str(sha256)) for path, sha256 in rows]


def _changed_mails(copy: sqlite3.Connection) -> Iterator[int]:
    sql = "SELECT m.id, m.sha256, r.content FROM mail m JOIN raw r ON r.mail = m.id WHERE m.status <> ?"
    for number, digest, content in copy.execute(sql, (str(MailStatus.VANISHED),)):
        if hashlib.sha256(content).hexdigest() != digest:
            yield int(number)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
        yield copy
