"""The ports of the daemon to the world outside, each of which can fail at any call: store, IMAP, SMTP, clock, chance.

What comes in: a plan of which call fails how. What goes out: model servers that remember what really happened, and a
trace of every call. Nothing here decides whether what happened was right: that is the checker's.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from daemon.clock import Clock
from daemon.intake.mailbox import _Client
from daemon.spool import Incoming, Spool

KINDS = ("kill", "raise", "timeout", "effect")
PORTS = ("store", "imap", "smtp", "clock", "chance")
LASTS = 12
"""How many calls of one port a lasting fault takes with it before it is gone."""


class Died(BaseException):
    """The process is gone: nothing of ours may catch this, and nothing that it still tries has any effect."""


@dataclass(frozen=True)
class Call:
    """One call to the outside; `fault` is "" where it was let through."""

    n: int
    life: int
    port: str
    op: str
    fault: str
    at: str


class Plan(Protocol):
    """Says of each call how it fails, "" where it does not."""

    def strike(self, n: int, port: str, op: str) -> str: ...


class Calm:
    """Nothing fails."""

    def strike(self, n: int, port: str, op: str) -> str:
        return ""


@dataclass
class Strike:
    """The N-th call fails. `lasting`: what raised, so does all of its port for a while; else the same call again and again."""

    at: int
    kind: str
    lasting: bool = False
    hit: tuple[str, str] = ("", "")
    left: int = 0

    def strike(self, n: int, port: str, op: str) -> str:
        if n == self.at:
            self.hit = (port, op)
            self.left = (2 if self.kind == "kill" else LASTS) if self.lasting else 0
            return self.kind
        again = (port, op) == self.hit if self.kind in ("kill", "effect") else port == self.hit[0]
        if again and self.left:
            self.left -= 1
            return self.kind
        return ""


@dataclass
class Ports:
    """Every call goes through here; it is counted, remembered, and perhaps fails."""

    plan: Plan = field(default_factory=Calm)
    trace: list[Call] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    life: int = 1
    dead: bool = False
    lines: list[sqlite3.Connection] = field(default_factory=list)

    def begin(self, plan: Plan) -> None:
        """Count anew, under this plan."""
        self.plan = plan
        self.trace.clear()

    def fault(self, port: str, op: str) -> str:
        """Count one call and return how it fails; a kill happens here."""
        if self.dead:
            raise Died
        n = len(self.trace) + 1
        kind = self.plan.strike(n, port, op)
        self.trace.append(Call(n, self.life, port, op, kind, self.now.isoformat()))
        if kind == "kill":
            self.dead = True
            raise Died
        return kind

    def call(self, port: str, op: str, effect: Callable[[], Any], error: Callable[[str], Exception]) -> Any:
        """Do something outside; `error` makes what is raised where it fails."""
        kind = self.fault(port, op)
        if kind in ("raise", "timeout"):
            raise error(kind)
        result = effect()
        if kind == "effect":
            raise error(kind)
        return result

    def bury(self) -> None:
        """Let go of what the dead process held, as the kernel does."""
        for line in self.lines:
            sqlite3.Connection.close(line)
        self.lines.clear()
        self.dead = False
        self.life += 1


# --- the clock and chance ---


class PortClock(Clock):
    """A clock that may jump: an hour back, or two ahead; both for good."""

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._ports = ports

    def now(self) -> datetime:
        kind = self._ports.fault("clock", "now")
        if kind in ("raise", "timeout"):
            self._ports.now += timedelta(hours=-1) if kind == "raise" else timedelta(hours=2)
        read = self._ports.now
        if kind == "effect":
            self._ports.dead = True
            raise Died
        return read


def port_chance(ports: Ports) -> Callable[[], float]:
    """Return a chance that is fair, or always the least or the most."""

    def random() -> float:
        return {"raise": 0.0, "timeout": 0.999999}.get(ports.fault("chance", "random"), 0.5)

    return random


# --- the store: the database and the spool ---


def port_line(ports: Ports) -> type[sqlite3.Connection]:
    """Return a class of connections whose every statement may fail."""

    def error(kind: str) -> Exception:
        return sqlite3.OperationalError("database is locked" if kind == "timeout" else "disk I/O error")

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *params: Any) -> Any:
            op = " ".join(sql.split()[: 3 if sql.lstrip()[:6] in ("INSERT", "DELETE") else 2])
            return ports.call("store", op, lambda: super(Cursor, self).execute(sql, *params), error)

    class Line(sqlite3.Connection):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            ports.lines.append(self)

        def cursor(self, *_: Any) -> Any:
            return super().cursor(Cursor)

        def close(self) -> None:
            if not ports.dead:  # the dead close nothing: what they had not committed is gone all the same
                super().close()

    return Line


class PortSpool(Spool):
    """The spool, on a disk that may be full or broken."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        super().__init__(folder)
        self._ports = ports

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        file = _PortIncoming(self.folder, self._ports)
        try:
            yield file
        finally:
            if not self._ports.dead:
                file.discard()


class _PortIncoming(Incoming):
    def __init__(self, folder: Path, ports: Ports) -> None:
        self._ports = ports
        ports.call("store", "spool open", lambda: super(_PortIncoming, self).__init__(folder), _disk)

    def write(self, piece: bytes) -> None:
        self._ports.call("store", "spool write", lambda: super(_PortIncoming, self).write(piece), _disk)

    def keep(self) -> Any:
        return self._ports.call("store", "spool keep", lambda: super(_PortIncoming, self).keep(), _disk)


def _disk(kind: str) -> Exception:
    return OSError(5, "Input/output error") if kind == "timeout" else OSError(28, "No space left on device")


# --- IMAP ---

Observer = Callable[[str, int, int], bool]
"""(mailbox, uidvalidity, uid) → whether this mail is committed as far as a stranger can see."""


@dataclass
class Change:
    """One change at an IMAP server that was asked for; `safe`: each mail concerned was committed before."""

    n: int
    op: str
    mailbox: str
    uidvalidity: int
    uids: tuple[int, ...]
    safe: bool


@dataclass
class Held:
    """A mail in a folder at the server."""

    raw: bytes
    flags: set[bytes] = field(default_factory=set)
    at: datetime = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class ModelBox:
    """One mailbox at an IMAP server: the truth about what is where."""

    name: str
    able: frozenset[bytes] = frozenset({b"IMAP4REV1", b"MOVE", b"UIDPLUS", b"IDLE", b"NAMESPACE"})
    uidvalidity: int = 7
    next_uid: int = 1
    folders: dict[str, dict[int, Held]] = field(default_factory=lambda: {"INBOX": {}})
    keywords: bool = True
    nil: dict[int, int] = field(default_factory=dict)
    refuses_copies: int = 0
    removed: list[bytes] = field(default_factory=list)

    def deliver(self, raw: bytes, at: datetime, *flags: bytes) -> int:
        """Let a mail arrive; return its UID."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.folders["INBOX"][uid] = Held(raw, set(flags), at)
        return uid

    def number_anew(self) -> None:
        """Give every mail in the inbox a new UID under a new UIDVALIDITY, as a restore from a backup does."""
        held = list(self.folders["INBOX"].values())
        self.folders["INBOX"] = dict(enumerate(held, 1))
        self.uidvalidity, self.next_uid = self.uidvalidity + 1, len(held) + 1


class ModelClient(_Client):  # type: ignore[misc]
    """What imapclient is to the Mailbox, over a model server instead of a socket."""

    def __init__(self, box: ModelBox, ports: Ports, changes: list[Change], safe: Observer) -> None:
        self._box, self._ports, self._changes, self._safe = box, ports, changes, safe
        self._broken = False
        self._uidvalidity = 0
        self._line = SimpleNamespace(
            allowance=0, answered="", untagged_responses={}, take_lines=lambda _: self._alive(), poll=lambda _: False
        )
        self._do("connect", lambda: None)

    @property
    def wire(self) -> Any:
        return self._line

    def _alive(self) -> None:
        if self._broken:
            raise IMAPClientAbortError("socket error: EOF")

    def _do(self, op: str, effect: Callable[[], Any]) -> Any:
        self._alive()
        try:
            answer = self._ports.call("imap", op, effect, _line_error)
        except OSError:
            self._broken = True
            raise
        self._line.answered = "OK"
        return answer

    def _no(self, why: str) -> None:
        self._line.answered = "NO"
        raise IMAPClientError(f"command failed: {why}")

    def _changed(self, op: str, uids: Any) -> None:
        box, n = self._box, len(self._ports.trace)
        numbers = tuple(uids)
        safe = all(self._safe(box.name, self._uidvalidity, uid) for uid in numbers)
        self._changes.append(Change(n, op, box.name, self._uidvalidity, numbers, safe))

    @property
    def _inbox(self) -> dict[int, Held]:
        if self._uidvalidity != self._box.uidvalidity:
            raise IMAPClientAbortError("BYE: the mailbox was numbered anew")
        return self._box.folders["INBOX"]

    # what the Mailbox asks for

    def login(self, user: str, secret: str) -> None:
        self._do("LOGIN", lambda: None)

    def capabilities(self) -> Any:
        return self._do("CAPABILITY", lambda: tuple(self._box.able))

    def namespace(self) -> Any:
        return self._do("NAMESPACE", lambda: SimpleNamespace(personal=(("", "/"),)))

    def list_folders(self, directory: str = "", pattern: str = "*") -> Any:
        names = [pattern] if pattern in self._box.folders else []
        return self._do("LIST", lambda: [((), b"/", name) for name in names])

    def create_folder(self, name: str) -> None:
        self._do("CREATE", lambda: self._box.folders.setdefault(name, {}))

    def subscribe_folder(self, name: str) -> None:
        self._do("SUBSCRIBE", lambda: None)

    def select_folder(self, name: str) -> Any:
        def select() -> dict[bytes, Any]:
            self._uidvalidity = self._box.uidvalidity
            flags = (rb"\*",) if self._box.keywords else ()
            return {b"UIDVALIDITY": self._uidvalidity, b"PERMANENTFLAGS": flags, b"EXISTS": len(self._inbox)}

        return self._do("SELECT", select)

    def search(self, criteria: Any) -> list[int]:
        def found() -> list[int]:
            if criteria == "UNSEEN":
                return [uid for uid, held in self._inbox.items() if b"\\Seen" not in held.flags]
            wanted = set(map(int, criteria[1].split(","))) if isinstance(criteria, list) else None
            return sorted(uid for uid in self._inbox if wanted is None or uid in wanted)

        return self._do("SEARCH", found)

    def fetch(self, uids: Any, items: list[str]) -> dict[int, dict[bytes, Any]]:
        def fetched() -> dict[int, dict[bytes, Any]]:
            return {uid: dict(map(self._item(uid), items)) for uid in uids if uid in self._inbox}

        return self._do("FETCH", fetched)

    def _item(self, uid: int) -> Callable[[str], tuple[bytes, Any]]:
        held = self._inbox[uid]

        def one(item: str) -> tuple[bytes, Any]:
            if item == "RFC822.SIZE":
                return b"RFC822.SIZE", len(held.raw)
            if item == "INTERNALDATE":
                return b"INTERNALDATE", held.at
            if "PEEK" not in item:
                held.flags.add(b"\\Seen")
                self._changed("SEEN", [uid])
            return b"BODY[]", self._bytes(uid, item)

        return one

    def _bytes(self, uid: int, item: str) -> bytes | None:
        raw, part = self._inbox[uid].raw, re.search(r"<(\d+)\.(\d+)>", item)
        if self._box.nil.get(uid):
            self._box.nil[uid] -= 1
            return None
        raw = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if "HEADER" in item else raw
        return raw[int(part[1]) : int(part[1]) + int(part[2])] if part else raw

    def move(self, uids: Any, folder: str) -> None:
        def moved() -> None:
            self._changed("MOVE", uids)
            self._copied(uids, folder)
            for uid in uids:
                self._inbox.pop(uid, None)

        self._do("MOVE", moved)

    def copy(self, uids: Any, folder: str) -> None:
        def copied() -> None:
            if self._box.refuses_copies:
                self._box.refuses_copies -= 1
                self._no("[OVERQUOTA] the folder is full")
            self._changed("COPY", uids)
            self._copied(uids, folder)

        self._do("COPY", copied)

    def _copied(self, uids: Any, folder: str) -> None:
        target = self._box.folders.get(folder)
        if target is None:
            self._no("[TRYCREATE] no such folder")
        for uid in uids:
            if uid in self._inbox:
                target[len(target) + 1] = self._inbox[uid]

    def add_flags(self, uids: Any, flags: Any, silent: bool = False) -> None:
        def stored() -> None:
            self._changed("STORE", uids)
            for uid in uids:
                if uid in self._inbox:
                    self._inbox[uid].flags.update(f if isinstance(f, bytes) else f.encode() for f in flags)

        self._do("STORE", stored)

    def uid_expunge(self, uids: Any) -> None:
        self._do("UID EXPUNGE", lambda: self._expunged("UID EXPUNGE", uids))

    def expunge(self, uids: Any = None) -> None:
        self._do("EXPUNGE", lambda: self._expunged("EXPUNGE", tuple(self._inbox)))

    def _expunged(self, op: str, uids: Any) -> None:
        gone = [uid for uid in uids if uid in self._inbox and b"\\Deleted" in self._inbox[uid].flags]
        self._changed(op, gone)
        self._box.removed.extend(self._inbox.pop(uid).raw for uid in gone)

    def noop(self) -> None:
        self._do("NOOP", lambda: None)

    def enter_idle(self) -> bool:
        return bool(self._do("IDLE", lambda: True))

    def idle_done(self) -> None:
        self._do("DONE", lambda: None)

    def logout(self) -> None:
        self._do("LOGOUT", lambda: None)

    def shutdown(self) -> None:
        self._broken = True


def _line_error(kind: str) -> Exception:
    return TimeoutError("timed out") if kind == "timeout" else ConnectionResetError("connection reset by peer")


# --- SMTP ---


@dataclass
class Accepted:
    """A mail that the SMTP server said 250 to, or would have; `committed`: its very bytes stood in the outbox then."""

    n: int
    sender: str
    to: tuple[str, ...]
    raw: bytes
    committed: bool
    at: datetime


@dataclass
class ModelSink:
    """The SMTP server: the truth about what left. `refuses`: address → (code, how many times more)."""

    accepted: list[Accepted] = field(default_factory=list)
    refuses: dict[str, tuple[int, int]] = field(default_factory=dict)


class ModelSmtp:
    """What smtplib.SMTP is to the Postman, over a model server instead of a socket."""

    def __init__(self, sink: ModelSink, ports: Ports, committed: Callable[[bytes], bool]) -> None:
        self._sink, self._ports, self._committed = sink, ports, committed
        self._replies: list[tuple[int, bytes]] = []
        self._sender, self._to, self._data, self._dot = "", list[str](), False, False
        self.sock: Any = SimpleNamespace(
            sendall=self._sendall, settimeout=lambda _: None, getpeername=lambda: ("127.0.0.1", 25)
        )
        ports.call("smtp", "connect", lambda: None, _line_error)

    def ehlo_or_helo_if_needed(self) -> None:
        self._ports.call("smtp", "EHLO", lambda: None, _line_error)

    def has_extn(self, name: str) -> bool:
        return name in ("pipelining", "size", "8bitmime", "smtputf8")

    def _sendall(self, data: bytes) -> None:
        """Take bytes. Where this fails some of them never left: the last, and with them a final dot (see daemon)."""
        kind = self._ports.fault("smtp", "write")
        if kind in ("raise", "timeout"):
            raise _line_error(kind)
        if kind == "effect":
            self._take(data[: len(data) // 2])
            raise _line_error(kind)
        self._take(data)

    def _take(self, data: bytes) -> None:
        self._dot = self._data
        if self._data:
            self._body(data)
            return
        for line in data.split(b"\r\n")[:-1]:
            self._command(line.decode())

    def _command(self, line: str) -> None:
        verb, angle = line[:4], re.search("<(.*?)>", line)
        reply = (250, b"OK")
        if verb == "MAIL":
            self._sender, self._to = angle[1] if angle else "", []
        elif verb == "RCPT" and angle:
            code, times = self._sink.refuses.get(angle[1], (0, 0))
            if times:
                self._sink.refuses[angle[1]] = (code, times - 1)
                reply = (code, b"not now" if code < 500 else b"5.1.1 no such user")
            else:
                self._to.append(angle[1])
        elif verb == "DATA":
            self._data = bool(self._to)
            reply = (354, b"go on") if self._to else (554, b"no valid recipients")
        elif verb == "QUIT":
            reply = (221, b"bye")
        self._replies.append(reply)

    def _body(self, data: bytes) -> None:
        self._data = False
        if not data.endswith(b"\r\n.\r\n"):
            return
        raw = data[:-3].replace(b"\r\n..", b"\r\n.")
        raw = raw[1:] if raw.startswith(b"..") else raw
        n = len(self._ports.trace)
        self._sink.accepted.append(
            Accepted(n, self._sender, tuple(self._to), raw, self._committed(raw), self._ports.now)
        )
        self._replies.append((250, b"OK kept"))

    def getreply(self) -> tuple[int, bytes]:
        def reply() -> tuple[int, bytes]:
            return self._replies.pop(0) if self._replies else (-1, b"")

        return self._ports.call("smtp", "dot" if self._dot else "reply", reply, _line_error)

    def quit(self) -> None:
        self._ports.call("smtp", "QUIT", lambda: None, _line_error)

    def close(self) -> None:
        self.sock = None
