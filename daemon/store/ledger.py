"""The ledger of mails: which UIDs we have, their bytes, and what became of each.

What comes in: RawMails and verdicts. What goes out: kept mails to handle, and UIDs that the server may file away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.intake.identity import Signed, signed_from
from daemon.intake.letter import RawMail
from daemon.store.base import Database, marks
from daemon.store.tables import stamp, unstamp
from daemon.words import MailStatus

_FINAL = (
    MailStatus.HANDLED,
    MailStatus.DUPLICATE,
    MailStatus.IGNORED,
    MailStatus.QUARANTINED,
    MailStatus.DROPPED,
)
_KEEP = """INSERT INTO mail (mailbox, uidvalidity, uid, received_at, size, sha256, path, status, reason, attempts,
 quiet, filed, message_id, core, ticket) VALUES (?,?,?,?,?,?,?,?,?,0,?,?,'','',0)
 ON CONFLICT (mailbox, uidvalidity, uid) DO NOTHING"""
_MAIL = "SELECT id, mailbox, uidvalidity, uid, received_at, size, sha256, path, attempts, quiet, signed FROM mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMail:
    """A mail that we hold durably; exactly one of `content` and `path` is set."""

    id: int
    mailbox: str
    uidvalidity: int
    uid: int
    received_at: datetime
    size: int
    sha256: str
    attempts: int
    quiet: bool
    content: bytes | None
    path: str
    signed: Signed | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """How UIDs up to `baseline` are treated: import, ignore or import-quietly; later ones are ordinary mail."""

    baseline: int
    treat: str
    changed: bool = False


class Ledger:
    """What we know of every UID."""

    def __init__(self, base: Database, spool: Path) -> None:
        self._base, self._spool = base, spool

    def uids(self, mailbox: str, uidvalidity: int) -> set[int]:
        """Return the UIDs of this generation that have a row, whatever became of them."""
        sql = "SELECT uid FROM mail WHERE mailbox = ? AND uidvalidity = ?"
        return {int(row[0]) for row in self._base.rows(sql, (mailbox, uidvalidity))}

    def generation(
        self, mailbox: str, uidvalidity: int, uids: Sequence[int], first_run: str, now: datetime
    ) -> Generation:
        """Return how the UIDs of this generation are to be treated, written down when it is first seen.

        On the very first run the UIDs already there are treated as `first_run` says; when the server has numbered a
        known mailbox anew, they are imported quietly, and those that we have are recognised by their bytes.
        """
        sql = "SELECT uidvalidity, baseline, treat FROM mailbox_seen WHERE mailbox = ?"
        with self._base.transaction():
            seen = {int(v): Generation(int(b), t) for v, b, t in self._base.rows(sql, (mailbox,))}
            if uidvalidity not in seen:
                new = Generation(max(uids, default=0), "import-quietly" if seen else first_run, changed=bool(seen))
                self._base.run(
                    "INSERT INTO mailbox_seen (mailbox, uidvalidity, baseline, treat, since) VALUES (?,?,?,?,?)",
                    (mailbox, uidvalidity, new.baseline, new.treat, stamp(now)),
                )
                return new
        return seen[uidvalidity]

    def keep(self, mails: Iterable[tuple[RawMail, bool]]) -> int:
        """Keep these mails, each with whether it is quiet, durably in one transaction; known ones stay as they are.

        Returns how many were new. Only after this has returned may anything on the server be touched.
        """
        with self._base.transaction():
            return sum(self._keep(mail, MailStatus.RECEIVED, "", quiet=quiet) for mail, quiet in mails)

    def keep_as(self, mail: RawMail, status: MailStatus, reason: str, *, filed: bool = False) -> None:
        """Keep one mail with its fate decided: quarantined unread, vanished, or ignored as older than we are."""
        with self._base.transaction():
            self._keep(mail, status, reason, quiet=False, filed=filed)

    def _keep(self, m: RawMail, status: MailStatus, reason: str, *, quiet: bool, filed: bool = False) -> int:
        values = (m.mailbox, m.uidvalidity, m.uid, stamp(m.received_at), m.size, m.sha256, self._inside(m.path),
                  str(status), reason, quiet, filed)  # fmt: skip
        row = self._base.run(f"{_KEEP} RETURNING id", values).fetchone()
        if row is None:
            return 0
        if m.content is not None:
            self._base.run("INSERT INTO raw (mail, content) VALUES (?,?)", (row[0], m.content))
        return 1

    def _inside(self, path: str | None) -> str:
        """Return a file's place as the ledger keeps it: within the spool, so that the state directory may move."""
        return str(Path(path).resolve().relative_to(self._spool.resolve())) if path else ""

    def ignore_old(self, mailbox: str, uidvalidity: int, uids: Sequence[int], now: datetime) -> None:
        """Write down that these UIDs were there before us and are left alone by choice."""
        with self._base.transaction():
            reason = "it was there before the first run (first_run = ignore)"
            for uid in uids:
                row = (mailbox, uidvalidity, uid, stamp(now), 0, "", "", str(MailStatus.IGNORED), reason, False, True)
                self._base.run(_KEEP, row)

    def waiting(self, now: datetime, limit: int, held: Collection[int] = ()) -> list[KeptMail]:
        """Return mails still to be handled, oldest first. One that failed before comes alone, so that it cannot
        take others with it."""
        sql = f"{_MAIL} WHERE status = ? AND (retry_at IS NULL OR retry_at <= ?) ORDER BY id LIMIT ?"
        rows = self._base.rows(sql, (str(MailStatus.RECEIVED), stamp(now), limit))
        fresh = next((i for i, row in enumerate(rows) if row[8] > 0), len(rows))
        return [self._kept(row) for row in (rows[:fresh] or rows[:1]) if row[0] not in held]

    def get(self, mail: int) -> KeptMail | None:
        """Return one kept mail with its bytes."""
        row = self._base.one(f"{_MAIL} WHERE id = ?", (mail,))
        return self._kept(row) if row else None

    def _kept(self, row: Any) -> KeptMail:
        found = None if row[7] else self._base.one("SELECT content FROM raw WHERE mail = ?", (row[0],))
        content = bytes(found[0]) if found else None
        return KeptMail(
            id=row[0], mailbox=row[1], uidvalidity=row[2], uid=row[3], received_at=unstamp(row[4]), size=row[5],
            sha256=row[6], path=str(self._spool / row[7]) if row[7] else "", attempts=row[8], quiet=bool(row[9]),
            content=content, signed=signed_from(row[10]),
        )  # fmt: skip

    def attempt(self, mails: Collection[int]) -> None:
        """Count one more try for these mails, in a commit of its own, before anything risky is done with them."""
        self._base.run(f"UPDATE mail SET attempts = attempts + 1 WHERE id IN ({marks(mails)})", tuple(mails))

    def uncount(self, mails: Collection[int]) -> None:
        """Take one try back: the database failed, not the mail."""
        with self._base.transaction():
            for mail in mails:
                self._base.run("UPDATE mail SET attempts = attempts - 1 WHERE id = ? AND attempts > 0", (mail,))

    def note_signed(self, verdicts: Mapping[int, Signed]) -> None:
        """Write down what these mails' signatures were worth, for good: the first word counts."""
        for mail, signed in verdicts.items():
            self._base.run("UPDATE mail SET signed = ? WHERE id = ? AND signed = ''", (str(signed), mail))

    def signed(self, sha256: str) -> Signed | None:
        """Return what was written down of the signatures of a mail with these bytes, None where nothing was."""
        row = self._base.one("SELECT signed FROM mail WHERE sha256 = ? AND signed <> '' LIMIT 1", (sha256,))
        return signed_from(row[0]) if row else None

    def take(self, mail: int) -> bool:
        """Take a mail that still waits, inside the transaction that handles it; False where somebody else had it."""
        sql = "UPDATE mail SET status = ? WHERE id = ? AND status = ?"
        return bool(self._base.run(sql, (str(MailStatus.HANDLED), mail, str(MailStatus.RECEIVED))).rowcount)

    def finish(self, mail: int, status: MailStatus, reason: str = "", **known: Any) -> None:
        """Say what became of a mail; `known` may hold message_id, core and ticket."""
        self._base.run(
            "UPDATE mail SET status = ?, reason = ?, message_id = ?, core = ?, ticket = ? WHERE id = ?",
            (
                str(status),
                reason,
                known.get("message_id", ""),
                known.get("core", ""),
                known.get("ticket", 0),
                mail,
            ),
        )

    def put_off(self, mail: int, until: datetime, reason: str) -> None:
        """Leave a mail for a later try."""
        self._base.run("UPDATE mail SET retry_at = ?, reason = ? WHERE id = ?", (stamp(until), reason, mail))

    def to_file(self, mailbox: str, uidvalidity: int) -> dict[MailStatus, list[int]]:
        """Return the UIDs whose fate is decided and that the server has not been told to file yet."""
        sql = f"""SELECT status, uid FROM mail WHERE filed = ? AND mailbox = ? AND uidvalidity = ?
         AND status IN ({marks(_FINAL)}) ORDER BY uid"""
        found: dict[MailStatus, list[int]] = {}
        for status, uid in self._base.rows(sql, (False, mailbox, uidvalidity, *map(str, _FINAL))):
            found.setdefault(MailStatus(status), []).append(uid)
        return found

    def filed(self, mailbox: str, uidvalidity: int, uids: Iterable[int]) -> None:
        """Write down that the server has filed these UIDs, or never will."""
        with self._base.transaction():
            for uid in uids:
                self._base.run(
                    "UPDATE mail SET filed = ? WHERE mailbox = ? AND uidvalidity = ? AND uid = ?",
                    (True, mailbox, uidvalidity, uid),
                )

    def forget_filing(self, mailbox: str, uidvalidity: int) -> None:
        """Never touch UIDs of another generation: their numbers may mean other mails now."""
        with self._base.transaction():
            self._base.run(
                "UPDATE mail SET filed = ? WHERE mailbox = ? AND uidvalidity <> ? AND filed = ?",
                (True, mailbox, uidvalidity, False),
            )

    def latest(self, count: int) -> list[KeptMail]:
        """Return the newest mails that are kept with their bytes, the newest first."""
        sql = f"{_MAIL} WHERE size > 0 ORDER BY id DESC LIMIT ?"
        return [self._kept(row) for row in self._base.rows(sql, (count,))]

    def known_as(self, message_id: str) -> tuple[str, MailStatus, int] | None:
        """Return (mailbox, status, ticket) of the mail with this Message-ID, once it was handled."""
        sql = "SELECT mailbox, status, ticket FROM mail WHERE message_id = ? ORDER BY id"
        row = self._base.one(sql, (message_id.strip("<>"),))
        return (str(row[0]), MailStatus(row[1]), int(row[2])) if row else None

    def generations(self, mailbox: str) -> set[int]:
        """Return every UIDVALIDITY that this mailbox has had."""
        sql = "SELECT uidvalidity FROM mailbox_seen WHERE mailbox = ?"
        return {int(row[0]) for row in self._base.rows(sql, (mailbox,))}

    # --- quarantine ---

    def quarantined(self) -> list[dict[str, Any]]:
        """Return a line for every mail in quarantine, oldest first."""
        sql = "SELECT id, mailbox, uid, received_at, size, reason FROM mail WHERE status = ? ORDER BY id"
        names = ("id", "mailbox", "uid", "received_at", "size", "reason")
        return [
            {**dict(zip(names, row, strict=True)), "received_at": unstamp(row[3])}
            for row in self._base.rows(sql, (str(MailStatus.QUARANTINED),))
        ]

    def release(self, mail: int) -> bool:
        """Hand a quarantined mail back to be handled once more; False where there is none such."""
        sql = "UPDATE mail SET status = ?, reason = '', attempts = 0, retry_at = NULL WHERE id = ? AND status = ?"
        with self._base.transaction():
            cursor = self._base.run(sql, (str(MailStatus.RECEIVED), mail, str(MailStatus.QUARANTINED)))
            return bool(cursor.rowcount)

    def drop(self, mail: int, reason: str) -> bool:
        """Give a quarantined mail up for good; its bytes and this reason stay."""
        sql = "UPDATE mail SET status = ?, reason = ? WHERE id = ? AND status = ?"
        with self._base.transaction():
            cursor = self._base.run(sql, (str(MailStatus.DROPPED), reason, mail, str(MailStatus.QUARANTINED)))
            return bool(cursor.rowcount)

    def counts(self) -> dict[str, int]:
        """Return how many mails have which status."""
        return {str(s): int(n) for s, n in self._base.rows("SELECT status, COUNT(*) FROM mail GROUP BY status")}
