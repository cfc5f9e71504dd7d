"""Reading in a child process: a hostile mail may hang or kill the child, never the daemon; and it overlaps with work.

What comes in: kept mails. What goes out: their Letters, or a ReadingFailedError for the mail that the child was at
when it died or fell silent. This file alone knows the child and how it is talked to: length-prefixed pickles over its
pipes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import queue
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Protocol

from daemon.errors import TicketdError
from daemon.intake.letter import Letter, read_letter, read_letter_file

SILENCE_SECONDS = 30.0
"""A child that has a mail before it and says nothing for so long is killed; ordinary mails take milliseconds."""
MEMORY_BYTES = 224 << 20
"""What a mail may take beside what the child holds anyway (some 30 MB): 256 MB in all."""
WORK_SECONDS, BYTES_A_SECOND = 5.0, 8 << 20
"""Processor time for a mail of any size, and the pace for what is large; ordinary mails take a thousandth of it."""
_OUT_OF_MEMORY = 12
_SIGNATURES = "--signatures"
_ENDS = {
    _OUT_OF_MEMORY: "reading it takes more memory than any mail should",
    -signal.SIGPROF: "reading it takes more time than any mail should",
}
_LENGTH = struct.Struct(">I")


class ReadingFailedError(TicketdError):
    """The child died or hung over this mail."""


class Readable(Protocol):
    """What can be read: a number, and either bytes or the path of a file."""

    # fmt: off
    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def content(self) -> bytes | None: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    # fmt: on


class Reads(Protocol):
    """Whoever turns kept mails into Letters."""

    def ahead(self, mails: Iterable[Readable]) -> None:
        """Begin with these mails; they will be asked for soon."""

    def letter(self, mail: Readable) -> Letter:
        """Return the Letter. Raises ReadingFailedError."""

    def close(self) -> None:
        """Let go of whatever is held."""


class ReadsHere:
    """Reads in this very process: for commands that a person watches, and for tests. `signatures`: checks them too."""

    def __init__(self, *, signatures: bool = False) -> None:
        self._signatures = signatures

    def ahead(self, mails: Iterable[Readable]) -> None:
        """Do nothing: reading takes place when asked."""

    def letter(self, mail: Readable) -> Letter:
        """Return the Letter. Raises ReadingFailedError where its file cannot be read."""
        if mail.content is not None:
            return read_letter(mail.content, thorough=False, signatures=self._signatures)
        try:
            return read_letter_file(mail.path, thorough=False, signatures=self._signatures)
        except OSError as e:
            raise ReadingFailedError(f"its file in the spool cannot be read ({e.strerror})") from e

    def close(self) -> None:
        """Hold nothing, let go of nothing."""


@dataclass
class _Child:
    """One child process with the two threads that feed it and listen to it."""

    process: subprocess.Popen[bytes]
    orders: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)
    threads: list[threading.Thread] = field(default_factory=list)
    gone: bool = False


class ReadsInChild:
    """Reads in a child process, in the order asked. For one calling thread."""

    def __init__(self, silence: float = SILENCE_SECONDS, *, signatures: bool = False) -> None:
        self._silence, self._signatures = silence, signatures
        self._changed = threading.Condition()
        self._pending: dict[int, Readable] = {}
        self._letters: dict[int, Letter] = {}
        self._failed: dict[int, str] = {}
        self._heard = 0.0
        self._child = self._start()

    def ahead(self, mails: Iterable[Readable]) -> None:
        """Begin with these mails; those already begun are left as they are."""
        with self._changed:
            for mail in mails:
                if mail.id not in self._pending and mail.id not in self._letters and mail.id not in self._failed:
                    self._order(mail)

    def letter(self, mail: Readable) -> Letter:
        """Return the Letter. Raises ReadingFailedError where the child died or hung over this mail."""
        self.ahead([mail])
        while not self._settled(mail.id):
            self._begin_anew()
        if mail.id in self._failed:
            raise ReadingFailedError(self._failed.pop(mail.id))
        return self._letters.pop(mail.id)

    def _settled(self, number: int) -> bool:
        """Wait for this mail's Letter; False where the child has died or says nothing."""
        with self._changed:
            while number not in self._letters and number not in self._failed:
                left = self._heard + self._silence - time.monotonic()
                if self._child.gone or left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def close(self) -> None:
        """End the child."""
        child = self._child
        child.orders.put(None)
        child.process.kill()
        child.process.wait()
        for thread in child.threads:
            thread.join(timeout=5)
        for pipe in (child.process.stdin, child.process.stdout):
            with contextlib.suppress(OSError):  # what was not yet written has nobody left to go to
                if pipe:
                    pipe.close()

    def _order(self, mail: Readable) -> None:
        if not self._pending:
            self._heard = time.monotonic()
        self._pending[mail.id] = mail
        self._child.orders.put(pickle.dumps((mail.id, mail.content, mail.path)))

    def _begin_anew(self) -> None:
        """Blame the mail that the child was at, and let a new child go on with the others."""
        self.close()
        with self._changed:
            culprit = next(iter(self._pending), None)
            if culprit is not None:
                ended = self._child.process.returncode
                self._failed[culprit] = _ENDS.get(ended, "the process that reads mails died or hung over it")
            left = [m for n, m in self._pending.items() if n != culprit]
            self._pending.clear()
            self._child = self._start()
            for mail in left:
                self._order(mail)

    def _start(self) -> _Child:
        process = subprocess.Popen(
            [
                sys.executable,
                *(["-P"] if sys.flags.safe_path else []),
                "-m",
                "daemon.intake.reader",
                *([_SIGNATURES] if self._signatures else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        child = _Child(process)
        child.threads = [threading.Thread(target=b, args=(child,), daemon=True) for b in (self._feed, self._listen)]
        for thread in child.threads:
            thread.start()
        self._heard = time.monotonic()
        return child

    def _feed(self, child: _Child) -> None:
        pipe = child.process.stdin
        with contextlib.suppress(OSError):  # the listener notices that the child is gone
            while pipe and (order := child.orders.get()) is not None:
                _send(pipe, order)

    def _listen(self, child: _Child) -> None:
        pipe = child.process.stdout
        while pipe and (answer := _receive(pipe)) is not None:
            number, letter = pickle.loads(answer)
            with self._changed:
                self._heard = time.monotonic()
                if self._pending.pop(number, None) is not None:
                    (self._failed if isinstance(letter, str) else self._letters)[number] = letter
                self._changed.notify_all()
        with self._changed:
            child.gone = True
            self._changed.notify_all()


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """Return one message, or None where the other side has ended."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    data = pipe.read(size)
    return data if len(data) == size else None


@dataclass(frozen=True, slots=True)
class _Order:
    id: int
    content: bytes | None
    path: str


def calm_collector() -> None:
    """Let the garbage collector pass over what was loaded at the start, and look less often: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def serve() -> None:
    """Be the child: read mails from standard input until it ends, within bounded memory."""
    limit = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    calm_collector()
    reader = ReadsHere(signatures=_SIGNATURES in sys.argv)
    try:
        while (order := _receive(sys.stdin.buffer)) is not None:
            number, content, path = pickle.loads(order)
            answer = _answer(reader, _Order(number, content, path))
            _send(sys.stdout.buffer, pickle.dumps((number, answer), pickle.HIGHEST_PROTOCOL))
    except MemoryError:
        sys.exit(_OUT_OF_MEMORY)  # whoever gave the order knows which mail it was, and takes a new child


def _answer(reader: ReadsHere, order: _Order) -> Letter | str:
    """Read one mail; SIGPROF ends this process where that takes too much processor time, however busy the machine."""
    try:
        signal.setitimer(signal.ITIMER_PROF, _work_seconds(order))
        return reader.letter(order)
    except ReadingFailedError as e:
        return str(e)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _work_seconds(order: _Order) -> float:
    size = len(order.content) if order.content is not None else _file_size(order.path)
    return WORK_SECONDS + size / BYTES_A_SECOND


def _file_size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # the reader says what is wrong with it


def _address_space() -> int:
    """Return the bytes of address space in use; what libraries map differs between systems."""
    try:
        with open("/proc/self/statm", "rb") as numbers:
            return int(numbers.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30  # no Linux: rather too much than too little


if __name__ == "__main__":
    serve()
