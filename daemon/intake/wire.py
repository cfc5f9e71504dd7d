"""One connection to an IMAP server that can always be cut, and never swallows more than it was allowed.

What comes in: an address and how to secure it. What goes out: an `imaplib.IMAP4` whose commands end in time.
This file alone knows sockets; it knows nothing of mailboxes. Three faults are met here that no socket timeout
meets: a server that sends one byte now and then, one that announces a gigantic literal, and one that hangs up
in IDLE.
"""

from __future__ import annotations

import contextlib
import imaplib
import io
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any, cast

LONGEST_LINE = 16 << 20
USUAL_ALLOWANCE = 32 << 20


class Lifeline:
    """A second handle on a connection, by which another thread can end whatever waits for it.

    The handle is a duplicate: it stays good while TLS is wrapped around the socket, and shutting it down
    wakes a reader with an orderly end of file, where closing the reader's own socket could hit a stranger's
    descriptor.
    """

    def __init__(self) -> None:
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self.expired = False

    def hold(self, sock: socket.socket) -> None:
        """Remember this (plain, not yet wrapped) socket."""
        self._handle = sock.dup()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection unless the block ends in time."""
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def cut(self) -> None:
        """End the connection and let go of it; harmless when repeated."""
        with self._lock:
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)
                self._handle.close()
                self._handle = None

    def _expire(self) -> None:
        self.expired = True
        self.cut()


class Wire(imaplib.IMAP4):
    """The line protocol over one connection; `answered` is the last tagged answer: OK, NO or ""."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float,
        lifeline: Lifeline,
        context: ssl.SSLContext | None,
        only_loopback: bool,
    ) -> None:
        """Connect; with a `context` TLS comes first. Raises OSError or imaplib's errors."""
        self._lifeline, self._context, self._only_loopback = lifeline, context, only_loopback
        self.allowance = USUAL_ALLOWANCE
        self.answered = ""
        super().__init__(host, port, timeout)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), timeout)
        try:
            self._lifeline.hold(sock)
            _keep_alive(sock)
            # imapclient sends a command and its line end apart; Nagle would hold the end back for 40 ms.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._only_loopback and not _is_loopback(sock):
                raise OSError("an unencrypted connection is only made to this very machine")
            return self._secured(sock)
        except BaseException:
            sock.close()
            raise

    def _secured(self, sock: socket.socket) -> socket.socket:
        return self._context.wrap_socket(sock, server_hostname=self.host) if self._context else sock

    def read(self, size: int) -> bytes:
        """Read a literal, unless it is larger than allowed: its size is the server's word only."""
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """Read a line; a list of all UIDs is one line and may be long."""
        line = self._reader().readline(LONGEST_LINE + 1)
        self._spend(len(line))
        return line

    def take_lines(self, readable: bool) -> None:
        """Read all untagged lines that are there; raises abort when the server hung up or says BYE.

        `readable` says that the socket was reported readable: to find nothing then is the end of file. Lines
        may wait in our buffers while the socket is silent, so call once with False before waiting for it.
        """
        waiting = self._waiting()
        if readable and waiting == b"":
            raise self.abort("the server closed the connection")
        while waiting:
            self._get_response()
            waiting = self._waiting()
        self._check_bye()

    def poll(self, seconds: float) -> bool:
        """Wait until there is something to read, or for so many seconds."""
        poller = select.poll()
        poller.register(self.sock.fileno(), select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def _waiting(self) -> bytes | None:
        """Look at what can be read at once; None where TLS needs more bytes to tell."""
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            return self._reader().peek(1)
        except ssl.SSLWantReadError:
            return None
        finally:
            self.sock.settimeout(timeout)

    def _reader(self) -> io.BufferedReader:
        return cast(io.BufferedReader, self.file)

    def _spend(self, size: int) -> None:
        self.allowance -= size
        if self.allowance < 0:
            raise self.abort("the server sends more than it was asked for")

    def _command_complete(self, name: str, tag: bytes) -> tuple[str, list[Any]]:
        kind, data = super()._command_complete(name, tag)  # type: ignore[misc]
        self.answered = kind
        return kind, data

    def _log(self, line: str) -> None:
        """Keep no record of the last commands: the password is among them."""


def _is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getpeername()[0].partition("%")[0]).is_loopback


def _keep_alive(sock: socket.socket) -> None:
    """Let the kernel find a dead peer in about two minutes, even while we only listen."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
