"""A small scripted IMAP server for the faults that a real one cannot make on demand.

What comes in: mails, capabilities and a script of answers. What goes out: a server on loopback that behaves until
the script says otherwise, and a log of the commands it was given. It knows only what ticketd says to a server.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

EVERYTHING = "IMAP4rev1 LITERAL+ IDLE MOVE UIDPLUS NAMESPACE AUTH=PLAIN"
MUTE_SECONDS = 20.0
"""A mute server hangs up at last, so that a test that waits for ever fails instead."""

Answer = Callable[["Session", str, str], None]


class HangUpError(Exception):
    """Ends a session without a word."""


@dataclass
class FakeMail:
    """A mail in a folder; `size` is what the server claims."""

    raw: bytes
    size: int
    flags: set[str] = field(default_factory=set)
    date: str = "01-Jan-2026 08:00:00 +0800"


class FakeImap:
    """The server: folders of mails, a script of answers, and a log of what was asked."""

    def __init__(self, *mails: bytes, capabilities: str = EVERYTHING, permanent_flags: str = r"\Deleted \*"):
        """Put the mails into INBOX as UIDs 1, 2, …"""
        self.capabilities = capabilities
        self.permanent_flags = permanent_flags
        self.uidvalidity = 7
        self.delimiter = "/"
        self.folders: dict[str, dict[int, FakeMail]] = {"INBOX": {}}
        self.log: list[str] = []
        self.greeting: Answer = says("* OK ready")
        self.sessions: set[Session] = set()
        self.accepted = 0
        self._script: dict[str, list[Answer]] = defaultdict(list)
        self._always: dict[str, Answer] = {}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.host, self.port = self._socket.getsockname()
        for raw in mails:
            self.put(raw)

    @property
    def inbox(self) -> dict[int, FakeMail]:
        """The mails in INBOX by UID."""
        return self.folders["INBOX"]

    def put(self, raw: bytes, size: int | None = None, folder: str = "INBOX") -> int:
        """Put a mail into a folder and return its UID."""
        mails = self.folders[folder]
        uid = max(mails, default=0) + 1
        mails[uid] = FakeMail(raw, len(raw) if size is None else size)
        return uid

    def next(self, command: str, *answers: Answer) -> None:
        """Answer the next calls of a command in these ways, and normally after that."""
        self._script[command].extend(answers)

    def always(self, command: str, answer: Answer) -> None:
        """Answer every call of a command in this way."""
        self._always[command] = answer

    def normally(self) -> None:
        """Forget the script."""
        self._script.clear()
        self._always.clear()

    def asked(self, command: str) -> list[str]:
        """Return the calls of a command so far, without their tags."""
        return [line for line in self.log if line.upper().startswith(command)]

    def answer_for(self, command: str) -> Answer | None:
        """Return the scripted answer, and use it up."""
        return self._script[command].pop(0) if self._script[command] else self._always.get(command)

    def start(self) -> None:
        """Accept connections until stopped."""
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self) -> None:
        """Close every connection and wait for the threads."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for session in list(self.sessions):
            session.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            session = Session(self, sock)
            self.sessions.add(session)
            thread = threading.Thread(target=session.run, daemon=True)
            thread.start()
            self._threads.append(thread)


class Session:
    """One connection; what a command does by default stands in the methods do_*."""

    def __init__(self, server: FakeImap, sock: socket.socket) -> None:
        self.server = server
        self.folder = "INBOX"
        self._sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = sock.makefile("rb")

    def run(self) -> None:
        """Serve until somebody hangs up."""
        try:
            self.server.greeting(self, "", "")
            while line := self.read():
                self._serve(line)
        except (HangUpError, OSError, ValueError):
            return
        finally:
            self.close()
            self._lines.close()
            self.server.sessions.discard(self)

    def read(self) -> str:
        """Return the next line of the client, "" when it is gone."""
        return self._lines.readline().decode("utf-8", "replace").rstrip("\r\n")

    def send(self, *lines: str) -> None:
        """Send lines."""
        self.send_bytes("".join(line + "\r\n" for line in lines).encode())

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._sock.sendall(data)

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def default(self, tag: str, command: str, rest: str) -> None:
        """Do what an honest server does."""
        known = getattr(self, "do_" + command.replace(" ", "_").lower(), None)
        if known is None:
            self.send(f"{tag} BAD unknown command")
        else:
            known(tag, rest)

    def _serve(self, line: str) -> None:
        tag, _, said = line.partition(" ")
        self.server.log.append(said)
        words = said.split(" ", 2)
        uid = words[0].upper() == "UID"
        command = " ".join(words[: 2 if uid else 1]).upper()
        rest = said[len(command) :].strip()
        answer = self.server.answer_for(command)
        if answer is None:
            self.default(tag, command, rest)
        else:
            answer(self, tag, rest)

    # ---- an honest server

    def do_capability(self, tag: str, rest: str) -> None:
        self.send(f"* CAPABILITY {self.server.capabilities}", f"{tag} OK done")

    def do_login(self, tag: str, rest: str) -> None:
        self.send(f"{tag} OK logged in")

    def do_authenticate(self, tag: str, rest: str) -> None:
        self.send("+ ")
        self.server.log.append("(sasl) " + self.read())
        self.send(f"{tag} OK logged in")

    def do_noop(self, tag: str, rest: str) -> None:
        self.send(f"{tag} OK done")

    def do_namespace(self, tag: str, rest: str) -> None:
        self.send(f'* NAMESPACE (("" "{self.server.delimiter}")) NIL NIL', f"{tag} OK done")

    def do_list(self, tag: str, rest: str) -> None:
        wanted = re.findall(r'"([^"]*)"', rest)[-1]
        names = [name for name in self.server.folders if name == wanted]
        self.send(*(f'* LIST () "{self.server.delimiter}" "{name}"' for name in names), f"{tag} OK done")

    def do_create(self, tag: str, rest: str) -> None:
        self.server.folders[rest.strip('"')] = {}
        self.send(f"{tag} OK done")

    def do_subscribe(self, tag: str, rest: str) -> None:
        self.send(f"{tag} OK done")

    def do_select(self, tag: str, rest: str) -> None:
        self.folder = rest.strip('"')
        self.send(
            f"* {len(self._mails)} EXISTS",
            f"* OK [UIDVALIDITY {self.server.uidvalidity}] valid",
            f"* OK [PERMANENTFLAGS ({self.server.permanent_flags})] limited",
            f"{tag} OK [READ-WRITE] done",
        )

    def do_uid_search(self, tag: str, rest: str) -> None:
        found = sorted(self._mails) if rest == "ALL" else self._uids(rest.split()[1])
        self.send(f"* SEARCH {' '.join(map(str, found))}".rstrip(), f"{tag} OK done")

    def do_uid_fetch(self, tag: str, rest: str) -> None:
        uids, _, items = rest.partition(" ")
        for uid in self._uids(uids):
            self.send_mail(uid, items)
        self.send(f"{tag} OK done")

    def do_uid_move(self, tag: str, rest: str) -> None:
        self._copy(rest)
        self._remove(self._uids(rest.split()[0]))
        self.send(f"{tag} OK done")

    def do_uid_copy(self, tag: str, rest: str) -> None:
        self._copy(rest)
        self.send(f"{tag} OK done")

    def do_uid_store(self, tag: str, rest: str) -> None:
        uids, _, flags = rest.partition(" ")
        for uid in self._uids(uids):
            self._mails[uid].flags.update(re.findall(r"[\\$]\w+", flags))
        self.send(f"{tag} OK done")

    def do_uid_expunge(self, tag: str, rest: str) -> None:
        self._remove([uid for uid in self._uids(rest) if r"\Deleted" in self._mails[uid].flags])
        self.send(f"{tag} OK done")

    def do_expunge(self, tag: str, rest: str) -> None:
        self._remove([uid for uid, mail in self._mails.items() if r"\Deleted" in mail.flags])
        self.send(f"{tag} OK done")

    def do_idle(self, tag: str, rest: str) -> None:
        self.send("+ idling")
        self.finish_idle(tag)

    def do_logout(self, tag: str, rest: str) -> None:
        self.send("* BYE see you", f"{tag} OK done")
        raise HangUpError

    def finish_idle(self, tag: str) -> None:
        """Wait for DONE and answer it, unless the script has another answer to DONE."""
        said = self.read()
        self.server.log.append(said)
        answer = self.server.answer_for("DONE")
        if answer is None:
            self.send(f"{tag} OK done")
        else:
            answer(self, tag, "")

    def send_mail(self, uid: int, items: str) -> None:
        """Send one FETCH answer with what was asked for."""
        mail = self._mails[uid]
        number = sorted(self._mails).index(uid) + 1
        head = f"* {number} FETCH (UID {uid}"
        if "RFC822.SIZE" in items:
            self.send(f'{head} RFC822.SIZE {mail.size} INTERNALDATE "{mail.date}")')
            return
        whole = mail.raw.partition(b"\r\n\r\n")[0] if "HEADER" in items else mail.raw
        part = re.search(r"<(\d+)\.(\d+)>", items)
        start, length = (int(part[1]), int(part[2])) if part else (0, len(whole))
        raw = whole[start : start + length]
        name = ("BODY[HEADER]" if "HEADER" in items else "BODY[]") + (f"<{start}>" if part else "")
        self.send_bytes(f"{head} {name} {{{len(raw)}}}\r\n".encode() + raw + b")\r\n")

    @property
    def _mails(self) -> dict[int, FakeMail]:
        return self.server.folders[self.folder]

    def _uids(self, spelt: str) -> list[int]:
        return [uid for uid in map(int, spelt.split(",")) if uid in self._mails]

    def _copy(self, rest: str) -> None:
        uids, _, folder = rest.partition(" ")
        for uid in self._uids(uids):
            self.server.put(self._mails[uid].raw, folder=folder.strip('"'))

    def _remove(self, uids: list[int]) -> None:
        for uid in uids:
            del self._mails[uid]


def says(*lines: str) -> Answer:
    """Answer with these lines, in which {tag} stands for the tag."""

    def answer(session: Session, tag: str, rest: str) -> None:
        session.send(*(line.replace("{tag}", tag) for line in lines))

    return answer


def sends(data: bytes, then: Answer | None = None) -> Answer:
    """Answer with these bytes, in which {tag} stands for the tag, and go on with `then`."""

    def answer(session: Session, tag: str, rest: str) -> None:
        session.send_bytes(data.replace(b"{tag}", tag.encode()))
        if then is not None:
            then(session, tag, rest)

    return answer


def after_this(command: str, then: Answer) -> Answer:
    """Do what was asked, honestly, and go on with `then` before the answer is read."""

    def answer(session: Session, tag: str, rest: str) -> None:
        session.default(tag, command, rest)
        then(session, tag, rest)

    return answer


def drips(data: bytes, pause: float) -> Answer:
    """Answer one byte at a time, which no timeout of a socket ever notices."""

    def answer(session: Session, tag: str, rest: str) -> None:
        for byte in data.replace(b"{tag}", tag.encode()):
            session.send_bytes(bytes([byte]))
            time.sleep(pause)

    return answer


def idles(*pieces: bytes) -> Answer:
    """Enter IDLE by sending these pieces, a moment apart, and wait for DONE."""

    def answer(session: Session, tag: str, rest: str) -> None:
        for piece in pieces:
            session.send_bytes(piece)
            time.sleep(0.05)
        session.finish_idle(tag)

    return answer


def mute(session: Session, tag: str, rest: str) -> None:
    """Say nothing, and read on: the link looks alive."""
    session._sock.settimeout(MUTE_SECONDS)
    while session.read():
        pass
    raise HangUpError


def hangs_up(session: Session, tag: str, rest: str) -> None:
    """Close the connection."""
    raise HangUpError


@contextlib.contextmanager
def running_fake(*mails: bytes, **options: str) -> Iterator[FakeImap]:
    """Yield a running fake, and stop it whatever happens."""
    server = FakeImap(*mails, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
