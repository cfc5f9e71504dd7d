"""The judge: what the servers know, what the database says, and whether the two can be true together.

What comes in: evidence from outside (what was delivered, what lies in which folder, what the SMTP server took, the log)
and the database file. What goes out: violations of the invariants I1 to I12 of docs/faults.md. It shares no code with
the daemon: tables are read with SQL of its own, mails with the standard library, and nothing of `daemon` is imported.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CANARY = re.compile(r"kanari-[0-9a-f]{12}")
FINAL = {"handled", "duplicate", "ignored", "quarantined", "dropped"}
MUST_BE_UNIQUE = {
    "mail": ("mailbox", "uidvalidity", "uid"),
    "event": ("ticket", "seq"),
    "message": ("mail",),
    "raw": ("mail",),
    "note": ("key",),
}
"""The keys that make a repeat harmless: without them a race writes twice what no later look can tell apart."""
ROBOTS = {"automatic", "bounce", "echo"}
HARMLESS = {"MessageAdded", "CommandsRefused", "AnswerWithheld"}
"""All that a mail may do to a ticket which its sender may not command."""
WORDS = HARMLESS | {"ProgressTold", "Noted", "NoticeFailed"}
ROBOT_MAILS = 3
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True)
class Delivered:
    """A mail that an IMAP server took for us, and what it may do.

    `kind`: report · reply · command · forbidden (its sender may not what it asks) · automatic (a robot's, never
    answered) · robot (hides what it is) · bounce · echo (our own mail) · poison · oversized.
    """

    mailbox: str
    raw: bytes
    kind: str
    canary: str = ""
    sender: str = ""
    private: bool = False


@dataclass
class Evidence:
    """All that is seen from outside. `folders`: mailbox → folder → raw mails. `accepted`, `changes`, `trace`: from the
    ports; without a trace two copies of a mail are excused by any fault."""

    database: Path
    spool: Path
    delivered: list[Delivered]
    folders: dict[str, dict[str, list[bytes]]]
    accepted: list[Any] = field(default_factory=list)
    changes: list[Any] = field(default_factory=list)
    trace: list[Any] | None = None
    removed: list[bytes] = field(default_factory=list)
    filing: set[str] = field(default_factory=set)
    log: str = ""
    secrets: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    strangers: frozenset[str] = frozenset()
    staff: str = "example.com"
    quiet: bool = True
    faults: bool = True


@dataclass(frozen=True, order=True)
class Violation:
    """What is broken: the invariant, and what was found."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


def judge(evidence: Evidence) -> list[Violation]:
    """Return everything that is wrong."""
    with closing(sqlite3.connect(f"file:{evidence.database}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        books = Books(db, evidence)
        found = [Violation(name, what) for name, look in INVARIANTS for what in look(books)]
    return sorted(set(found))


@dataclass(frozen=True)
class Count:
    """What became of a stream of mails, in numbers; `copies`: mails that left once more after their taker died."""

    lost: int
    doubled: int
    copies: int
    quarantined: int

    def __str__(self) -> str:
        return (
            f"{self.lost} lost, {self.doubled} doubled ({self.quarantined} in quarantine with a reason; "
            f"{self.copies} of our mails left a second time, byte for byte)"
        )


def count(evidence: Evidence) -> Count:
    """Count by canary: lost is what lies in no folder of the server or has no fate; doubled is what happened twice."""
    with closing(sqlite3.connect(f"file:{evidence.database}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        books = Books(db, evidence)
    held = Counter(raw for f in evidence.folders.values() for mails in f.values() for raw in mails)
    answers: dict[str, set[str]] = defaultdict(set)
    for taken in evidence.accepted:
        for to in taken.to:
            answers[to].add(message_id(taken.raw))
    fates = {m.canary: [row["status"] for row in books.rows_of(m)] for m in evidence.delivered}
    lost = [m for m in evidence.delivered if not held[m.raw] or not set(fates[m.canary]) & FINAL]
    twice = [m for m in evidence.delivered if held[m.raw] > 1 or _twice(m, fates[m.canary], answers[m.sender], books)]
    left = Counter(message_id(taken.raw) for taken in evidence.accepted)
    quarantined = sum("quarantined" in fate for fate in fates.values())
    return Count(len(lost), len(twice), sum(n - 1 for n in left.values()), quarantined)


def _twice(mail: Delivered, fate: list[str], answers: set[str], books: Books) -> bool:
    causes = {f"mail:{row['id']}" for row in books.by_canary[mail.canary]}
    opened = sum(e["kind"] == "Opened" and e["cause"] in causes for e in books.events)
    owed = sum(n["recipient"] == mail.sender and n["cause"] in causes for n in books.notices)
    return len(fate) > 1 or opened > 1 or owed > 1 or len(answers) > 1


class Books:
    """The tables, and the evidence beside them."""

    def __init__(self, db: sqlite3.Connection, evidence: Evidence) -> None:
        self.db, self.evidence = db, evidence
        self.mails = self.rows("SELECT * FROM mail ORDER BY id")
        self.raw = {m["id"]: self._bytes(m) for m in self.mails}
        self.messages = self.rows("SELECT * FROM message")
        self.events = self.rows("SELECT * FROM event ORDER BY ticket, seq")
        self.notices = self.rows("SELECT * FROM notice ORDER BY id")
        self.by_bytes: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self.by_canary: dict[str, list[Any]] = defaultdict(list)
        for mail in self.mails:
            raw = self.raw[mail["id"]]
            if raw is not None:
                self.by_bytes[mail["mailbox"], digest(raw)].append(mail)
                for canary in set(CANARY.findall(said(raw))):
                    self.by_canary[canary].append(mail)

    def rows(self, sql: str) -> list[Any]:
        return self.db.execute(sql).fetchall()

    def _bytes(self, mail: Any) -> bytes | None:
        if mail["path"]:
            path = self.evidence.spool / mail["path"]
            return path.read_bytes() if path.exists() else None
        row = self.db.execute("SELECT content FROM raw WHERE mail = ?", (mail["id"],)).fetchone()
        return bytes(row["content"]) if row else None

    def rows_of(self, mail: Delivered) -> list[Any]:
        """Return the ledger's rows of a mail: by its bytes, or by its canary where only the header was fetched."""
        if mail.kind == "oversized":
            return [m for m in self.by_canary[mail.canary] if m["mailbox"] == mail.mailbox]
        return self.by_bytes[mail.mailbox, digest(mail.raw)]

    def caused(self, mail: int) -> list[Any]:
        return [e for e in self.events if e["cause"] == f"mail:{mail}"]


# --- I1, I2: nothing is lost, and nothing is changed ---


def conserved(books: Books) -> Iterator[str]:
    """I1: every mail that the server took has one named fate, and nothing is pending."""
    once = {m.raw: m for m in books.evidence.delivered}
    copies = Counter((m.mailbox, m.raw) for m in books.evidence.delivered)
    for mail in once.values():
        for mailbox in {m.mailbox for m in books.evidence.delivered if m.raw == mail.raw}:
            rows = books.rows_of(Delivered(mailbox, mail.raw, mail.kind, mail.canary))
            if len(rows) < copies[mailbox, mail.raw]:
                yield f"lost: {mail.kind} {mail.canary} in {mailbox}: {len(rows)} rows"
        yield from _fate(mail, books)
    for raw in once.keys() - {raw for f in books.evidence.folders.values() for held in f.values() for raw in held}:
        yield f"gone from the server: {once[raw].kind} {once[raw].canary}"


def _fate(mail: Delivered, books: Books) -> Iterator[str]:
    """Yield what is wrong with what became of all the copies of one mail."""
    rows = [
        m for box in books.evidence.folders for m in books.rows_of(Delivered(box, mail.raw, mail.kind, mail.canary))
    ]
    for row in rows:
        if row["status"] not in FINAL:
            yield f"pending: {mail.kind} {mail.canary} is {row['status']}"
        if row["status"] in ("quarantined", "dropped", "ignored") and not row["reason"]:
            yield f"no reason: {mail.kind} {mail.canary} is {row['status']}"
    ends = Counter(row["status"] for row in rows)
    if mail.kind == "poison":
        if not ends["quarantined"]:
            yield f"poison {mail.canary} is not in quarantine: {dict(ends)}"
    elif ends["quarantined"] and not books.evidence.faults:
        yield f"quarantined without need: {mail.kind} {mail.canary}"
    elif rows and not (ends["quarantined"] or ends["handled"] or (mail.kind in ROBOTS and ends["ignored"])):
        yield f"swallowed: {mail.kind} {mail.canary} is {dict(ends)}, and nowhere handled"
    elif ends["handled"] and mail.kind in ("report", "reply", "oversized"):
        yield from _on_a_ticket(mail, [row for row in rows if row["status"] == "handled"], books)


def _on_a_ticket(mail: Delivered, rows: list[Any], books: Books) -> Iterator[str]:
    numbers = {row["id"] for row in rows}
    messages = [m for m in books.messages if m["mail"] in numbers]
    if not messages:
        yield f"on no ticket: {mail.kind} {mail.canary}"
        return
    shown = "".join(m["text"] + m["subject"] for m in messages)
    if mail.canary and mail.canary not in shown:
        yield f"its words are not on the ticket: {mail.canary}"
    kept = {a["sha256"] for m in messages for a in json.loads(m["attachments"])}
    if mail.kind != "oversized" and not attachments(mail.raw) <= kept:
        yield f"its file is not on the ticket: {mail.canary}"


def same_bytes(books: Books) -> Iterator[str]:
    """I2: what we hold is what the server had, and it can be had."""
    served = {(m.mailbox, digest(m.raw)) for m in books.evidence.delivered}
    large = {m.canary for m in books.evidence.delivered if m.kind == "oversized"}
    for mail in books.mails:
        raw = books.raw[mail["id"]]
        if mail["status"] == "vanished" or (mail["status"] == "ignored" and not mail["size"]):
            continue
        if raw is None:
            yield f"the bytes of mail {mail['id']} are nowhere"
        elif digest(raw) != mail["sha256"]:
            yield f"mail {mail['id']} has other bytes than its digest says"
        elif (mail["mailbox"], digest(raw)) not in served and not large & set(CANARY.findall(said(raw))):
            yield f"mail {mail['id']} is none that the server had: {raw[:60]!r}"


# --- I3: nothing happens twice ---


def once(books: Books) -> Iterator[str]:
    """I3: a mail is on one ticket once, opens one at most, commands once, and is answered once."""
    for canary in {m.canary for m in books.evidence.delivered if m.canary}:
        numbers = {m["id"] for m in books.by_canary[canary]}
        causes = {f"mail:{n}" for n in numbers}
        holding = [m for m in books.messages if canary in m["text"] or canary in m["subject"]]
        if len(holding) > 1:
            yield f"{canary} is {len(holding)} messages"
        done = Counter((e["kind"], e["ticket"]) for e in books.events if canary in e["data"] and e["cause"] in causes)
        yield from (f"{canary}: {kind} happened {n} times" for (kind, _), n in done.items() if n > 1)
        opened = [e for e in books.events if e["kind"] == "Opened" and e["cause"] in causes]
        if len(opened) > 1:
            yield f"{canary} opened {len(opened)} tickets"
        told = Counter((n["recipient"], n["template"], n["ticket"]) for n in books.notices if n["cause"] in causes)
        yield from (f"{canary}: {to} is owed {template} {n} times" for (to, template, _), n in told.items() if n > 1)


# --- I4: the server comes last ---


def after_commit(books: Books) -> Iterator[str]:
    """I4: nothing at the IMAP server is changed before our commit, and never what is not ours."""
    for change in books.evidence.changes:
        if change.op == "EXPUNGE":
            yield "a plain EXPUNGE takes along what others have marked"
        elif not change.safe:
            yield f"{change.op} of {change.mailbox} {change.uids} before it was committed"
    held = {raw for f in books.evidence.folders.values() for mails in f.values() for raw in mails}
    yield from (f"removed, and no copy anywhere: {raw[:40]!r}" for raw in books.evidence.removed if raw not in held)


# --- I5: authority ---


def by_right(books: Books) -> Iterator[str]:
    """I5: who may not, changes nothing and learns nothing."""
    for mail in books.evidence.delivered:
        outside = mail.sender in books.evidence.strangers
        if mail.kind not in ROBOTS | {"forbidden"} and not outside:
            continue
        for row in books.rows_of(mail):
            events = books.caused(row["id"])
            own = {e["ticket"] for e in events if e["kind"] == "Opened"}
            did = {e["kind"] for e in events if e["ticket"] not in own} - HARMLESS
            if mail.kind == "forbidden" and did:
                yield f"{mail.canary} of {mail.sender} did {sorted(did)} on a ticket that is not its sender's to command"
            if outside and events and {e["ticket"] for e in events} - own:
                yield f"{mail.canary} of {mail.sender}, a stranger, is on a ticket of others"
            if mail.kind in ("bounce", "echo") and own:
                yield f"{mail.kind} {mail.canary} opened a ticket"
            if mail.kind in ROBOTS and any(e["kind"] == "StateChanged" for e in events if e["ticket"] not in own):
                yield f"automatic mail {mail.canary} changed a state"
    theirs = defaultdict(set)
    for mail in books.evidence.delivered:
        theirs[mail.sender].add(mail.canary)
    for taken in books.evidence.accepted:
        for to in set(taken.to) & books.evidence.strangers:
            leaked = set(CANARY.findall(said(taken.raw))) - theirs[to]
            yield from (f"{to} was told {canary}" for canary in leaked)


# --- I6: quiet ---


def quiet(books: Books) -> Iterator[str]:
    """I6: robots are not answered without end, and all that we send says that a machine wrote it."""
    senders = defaultdict(set)
    for mail in books.evidence.delivered:
        if mail.kind in ROBOTS:
            for row in books.rows_of(mail):
                senders[f"mail:{row['id']}"].add(mail.sender)
    for notice in books.notices:
        if notice["recipient"] in senders.get(notice["cause"], ()):
            yield f"automatic mail of {notice['recipient']} was answered with {notice['template']}"
    robots = {m.sender for m in books.evidence.delivered if m.kind in ("automatic", "robot")}
    told = Counter((n["recipient"], n["ticket"]) for n in books.notices if n["recipient"] in robots and n["automatic"])
    yield from (f"{to} had {n} automatic mails about ticket {t}" for (to, t), n in told.items() if n > ROBOT_MAILS)
    in_a_day = Counter(
        (n["recipient"], n["created_at"][:10]) for n in books.notices if n["recipient"] in robots and n["automatic"]
    )
    yield from (f"{to} had {n} automatic mails on {day}" for (to, day), n in in_a_day.items() if n > ROBOT_MAILS)
    for taken in books.evidence.accepted:
        if not re.search(rb"(?im)^auto-submitted: *auto-", taken.raw.partition(b"\r\n\r\n")[0]):
            yield f"a mail to {taken.to} does not say that it is automatic"


# --- I7, I8: what is owed leaves, and nothing else does ---


def delivered(books: Books) -> Iterator[str]:
    """I7: what is owed reaches the mail server, in one wording, and twice only for a known reason."""
    copies: dict[str, list[Any]] = defaultdict(list)
    for taken in books.evidence.accepted:
        copies[message_id(taken.raw)].append(taken)
    for notice in books.notices:
        taken = copies.get(notice["message_id"], [])
        if notice["state"] == "owed" or (notice["state"] == "sent" and not taken):
            yield f"notice {notice['id']} to {notice['recipient']} is {notice['state']}, {len(taken)} copies arrived"
        if notice["state"] == "dead" and not _told_of(notice, books):
            yield f"notice {notice['id']} is dead ({notice['last_reply']}), and nobody was told"
    for name, taken in copies.items():
        if len({t.raw for t in taken}) > 1:
            yield f"{name} left in {len({t.raw for t in taken})} wordings"
        if len(taken) > 1 and not _excused(taken, books.evidence):
            yield f"{name} left {len(taken)} times without a reason"


def _told_of(notice: Any, books: Books) -> bool:
    """Whether a dead mail is on its ticket, or the operators know."""
    on_ticket = any(
        e["ticket"] == notice["ticket"] and e["kind"] == "NoticeFailed"
        and json.loads(e["data"]).get("notice") == notice["id"] for e in books.events
    )  # fmt: skip
    return on_ticket or notice["ticket"] == 0


def _excused(taken: list[Any], evidence: Evidence) -> bool:
    """Whether a fault came between each copy but the last and our next commit: then nobody could know of it."""
    if evidence.trace is None:
        return len(taken) <= 2
    lost = sum(call.fault != "" and (call.fault == "kill" or call.port != "smtp") for call in evidence.trace)
    if len(taken) > 2 + lost:  # an answer that is lost twice is no reason for a third copy
        return False
    return all(_unsettled(copy.n, evidence.trace) for copy in taken[:-1])


def _unsettled(n: int, trace: list[Any]) -> bool:
    for call in trace[n - 1 :]:
        if call.fault:
            return True
        if call.port == "store" and call.op.startswith("UPDATE notice"):
            return False  # the settlement went through, in a commit of its own
    return True


def no_phantom(books: Books) -> Iterator[str]:
    """I8: whatever left was committed before, to this very reader, and notes stay among colleagues."""
    known = {n["message_id"]: n for n in books.notices if n["message_id"]}
    notes = {m.canary for m in books.evidence.delivered if m.private}
    for taken in books.evidence.accepted:
        notice = known.get(message_id(taken.raw))
        if notice is None or not taken.committed:
            yield f"a mail to {taken.to} left that no committed row knows of"
        elif set(taken.to) != {notice["recipient"]}:
            yield f"notice {notice['id']} went to {taken.to}"
        if any(not to.endswith(f"@{books.evidence.staff}") for to in taken.to):
            yield from (f"{taken.to} was told the internal {c}" for c in notes & set(CANARY.findall(said(taken.raw))))


# --- I9, I11, I12 ---


def alive(books: Books) -> Iterator[str]:
    """I9: after the faults everything comes to rest."""
    if not books.evidence.quiet:
        yield "it does not come to rest"
    for mailbox in books.evidence.filing:
        if left := books.evidence.folders[mailbox]["INBOX"]:
            yield f"{len(left)} mails are left in the inbox of {mailbox}"


def secret(books: Books) -> Iterator[str]:
    """I11: neither secrets nor what people wrote are in the log, and no mail holds what it must never hold."""
    log = books.evidence.log
    yield from ("a secret is in the log" for word in books.evidence.secrets if word in log)
    if leaked := set(CANARY.findall(log)):
        yield f"words of a mail are in the log: {sorted(leaked)[:3]}"
    for taken in books.evidence.accepted:
        words = said(taken.raw)
        yield from (f"a mail holds {w!r}" for w in (*books.evidence.secrets, *books.evidence.never) if w in words)


def sane(books: Books) -> Iterator[str]:
    """I12: the database is whole, its keys hold, histories have no gaps, and every time is in UTC."""
    if (said := books.rows("PRAGMA integrity_check")[0][0]) != "ok":
        yield f"integrity: {said}"
    for table, columns in MUST_BE_UNIQUE.items():
        if columns not in set(_unique_keys(table, books)):
            yield f"{table} may hold the same {columns} twice"
    for row in books.rows("SELECT ticket, MAX(seq) AS last, COUNT(*) AS n FROM event GROUP BY ticket"):
        if row["last"] != row["n"]:
            yield f"the history of ticket {row['ticket']} has gaps"
    for row in books.rows("SELECT number, state, length FROM ticket"):
        past = [e for e in books.events if e["ticket"] == row["number"]]
        if len(past) != row["length"]:
            yield f"ticket {row['number']} was drawn from {row['length']} events, and has {len(past)}"
        yield from _states(row, past)
    gone = {e["ticket"] for e in books.events} - {r["number"] for r in books.rows("SELECT number FROM ticket")}
    yield from (f"ticket {number} has a history and no row" for number in gone)
    for table, column in (("mail", "received_at"), ("event", "at"), ("notice", "created_at"), ("message", "at")):
        for row in books.rows(f"SELECT {column} AS at FROM {table}"):
            if not STAMP.fullmatch(row["at"] or ""):
                yield f"{table}.{column} is not a time in UTC: {row['at']}"


def _unique_keys(table: str, books: Books) -> Iterator[tuple[str, ...]]:
    info = books.rows(f"PRAGMA table_info({table})")
    yield tuple(c["name"] for c in sorted(info, key=lambda c: c["pk"]) if c["pk"])
    for index in books.rows(f"PRAGMA index_list({table})"):
        if index["unique"]:
            yield tuple(c["name"] for c in books.rows(f"PRAGMA index_info({index['name']})"))


def _states(ticket: Any, past: list[Any]) -> Iterator[str]:
    """Yield where a ticket left a state that it was not in, as far as nothing but words came between."""
    last = ""
    for event in past:
        if event["kind"] == "StateChanged":
            data = json.loads(event["data"])
            if last and data["old"] != last:
                yield f"ticket {ticket['number']} left {data['old']}, but was {last}"
            last = data["new"]
        elif event["kind"] not in WORDS:
            last = ""
    if last and ticket["state"] != last:
        yield f"ticket {ticket['number']} is {ticket['state']}, but became {last}"


INVARIANTS: tuple[tuple[str, Callable[[Books], Iterable[str]]], ...] = (
    ("I1", conserved), ("I2", same_bytes), ("I3", once), ("I4", after_commit), ("I5", by_right), ("I6", quiet),
    ("I7", delivered), ("I8", no_phantom), ("I9", alive), ("I11", secret), ("I12", sane),
)  # fmt: skip


# --- mails, read with the standard library ---


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


_said: dict[bytes, str] = {}


def said(raw: bytes) -> str:
    """Return all words in a mail: headers, text, HTML and files, decoded."""
    key = hashlib.sha256(raw).digest()
    if key not in _said:
        if len(_said) > 20_000:
            _said.clear()
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
        words = [str(v) for v in mail.values()]
        for part in mail.walk():
            payload = None if part.is_multipart() else part.get_payload(decode=True)
            if isinstance(payload, bytes):
                words.append(payload.decode("utf-8", "replace"))
        _said[key] = "\n".join(words)
    return _said[key]


def attachments(raw: bytes) -> set[str]:
    """Return the digests of the files in a mail."""
    mail = email.message_from_bytes(raw, policy=email.policy.compat32)
    parts = [p for p in mail.walk() if p.get_content_disposition() == "attachment"]
    return {digest(p.get_payload(decode=True)) for p in parts if isinstance(p.get_payload(decode=True), bytes)}


def message_id(raw: bytes) -> str:
    found = re.search(rb"(?im)^message-id:\s*<([^>]+)>", raw.partition(b"\r\n\r\n")[0])
    return found[1].decode() if found else ""


# --- what a stranger can see while it runs ---


def mail_committed(database: Path, mailbox: str, uidvalidity: int, uid: int) -> bool:
    """Whether the bytes of a mail are committed, in the database or by a path that is."""
    sql = """SELECT 1 FROM mail LEFT JOIN raw ON raw.mail = mail.id
     WHERE mailbox = ? AND uidvalidity = ? AND uid = ? AND (path <> '' OR content IS NOT NULL)"""
    return _look(database, sql, (mailbox, uidvalidity, uid)) is not None


def words_committed(database: Path, raw: bytes) -> bool:
    """Whether the very bytes of a mail that leaves stand in the outbox."""
    return _look(database, "SELECT 1 FROM notice WHERE content = ? AND state = 'owed'", (raw,)) is not None


def at_rest(database: Path) -> bool:
    """Whether nothing waits: no mail, no notice, no filing."""
    sql = """SELECT (SELECT COUNT(*) FROM mail WHERE status = 'received' OR (filed = 0 AND status <> 'vanished'))
     + (SELECT COUNT(*) FROM notice WHERE state = 'owed')"""
    row = _look(database, sql, ())
    return row is not None and row[0] == 0


def _look(database: Path, sql: str, params: tuple[Any, ...]) -> Any:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            return db.execute(sql, params).fetchone()
    except sqlite3.OperationalError:
        return None  # there is no such file or table: then nothing is committed
