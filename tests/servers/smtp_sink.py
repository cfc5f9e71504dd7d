"""A real SMTP server on loopback that keeps what it is given and misbehaves when told to.

`with SmtpSink() as sink:` … `sink.port`, `sink.mails`; faults are set as attributes while it runs:
`sink.refuse["x@y"] = "550 5.1.1 no such user"` (RCPT), `sink.answer_mail`, `sink.answer_data` (a reply line to
give instead of 250), and `sink.fault`, one of FAULTS.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import warnings
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

FAULTS = ("", "refuse-connection", "mute", "mute-after-dot", "cut-greeting", "cut-mail", "cut-before-dot",
          "cut-after-dot", "goodbye-mail", "cut-after-rcpt-refusal")  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """One mail as the server took it: envelope, bytes as received, and on which connection (counted from 1)."""

    mail_from: str
    rcpt_tos: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...]
    connection: int


class SmtpSink:
    """Runs aiosmtpd in a thread of its own; `tls` is "none", "implicit" or "starttls"."""

    def __init__(self, *, tls: str = "none", cert: tuple[str, str] | None = None, login: tuple[str, str] | None = None,
                 pipelining: bool = True, smtputf8: bool = True, port: int = 0) -> None:  # fmt: skip
        self.mails: list[Taken] = []
        self.logins: list[str] = []
        self.connections = 0
        self.commands: list[str] = []
        self.refuse: dict[str, str] = {}
        self.answer_mail = ""
        self.answer_data = ""
        self.slow_seconds = 0.0
        self.fault = ""
        self.port = port
        self.tls, self.login, self.pipelining, self.smtputf8 = tls, login, pipelining, smtputf8
        self._transports: list[asyncio.Transport] = []
        self._context = _context(cert) if cert else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> SmtpSink:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.AbstractServer:
        context = self._context if self.tls == "implicit" else None
        return await self._loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=context, backlog=100)

    async def _stop(self) -> None:
        self._server.close()
        for transport in self._transports:
            transport.abort()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0.01)

    def _protocol(self) -> asyncio.Protocol:
        self.connections += 1
        if self.fault in ("mute", "cut-greeting"):
            return _Silent(self._transports, cut=self.fault == "cut-greeting")
        return _Server(self, self.connections)

    # -- the handler: hooks that aiosmtpd calls --

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        last = [responses[-1]]
        return responses[:-1] + (["250-PIPELINING"] if self.pipelining else []) + last

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.fault == "cut-mail":
            server.transport.abort()
        if self.fault == "goodbye-mail":
            await server.push("421 4.3.2 shutting down")
            server.transport.close()
        if self.answer_mail:
            return self.answer_mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            if self.fault == "cut-after-rcpt-refusal":
                await server.push(self.refuse[address])
                server.transport.close()
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: _Server, session: Session, envelope: Envelope) -> str:
        if self.answer_data:
            return self.answer_data
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.mails.append(
            Taken(
                envelope.mail_from or "", tuple(envelope.rcpt_tos), content, tuple(envelope.mail_options), server.number
            )
        )
        if self.fault == "cut-after-dot":
            server.transport.abort()
        if self.fault == "mute-after-dot":
            await asyncio.sleep(3600)
        if self.slow_seconds:
            await asyncio.sleep(self.slow_seconds)
        return "250 OK kept"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=self.login == (data.login.decode(), data.password.decode()), handled=False)


class _Server(SMTP):
    def __init__(self, sink: SmtpSink, number: int) -> None:
        login: dict[str, Any] = {}
        if sink.login:
            login = {
                "authenticator": sink.authenticate,
                "auth_required": True,
                "auth_require_tls": sink.tls == "starttls",
            }
        starttls = sink._context if sink.tls == "starttls" else None
        with warnings.catch_warnings():  # it does not know that the line may be TLS from its first byte
            warnings.simplefilter("ignore", UserWarning)
            super().__init__(
                sink,
                hostname="sink.test",
                enable_SMTPUTF8=sink.smtputf8,
                tls_context=starttls,
                loop=sink._loop,
                **login,
            )
        self.sink, self.number = sink, number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.sink._transports.append(transport)
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:
        if self.sink.fault == "cut-before-dot":
            await self.push("354 go on")
            await self._reader.read(50)
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class _Silent(asyncio.Protocol):
    """Takes the connection and says nothing, or hangs up at once."""

    def __init__(self, transports: list[asyncio.Transport], *, cut: bool) -> None:
        self._transports, self._cut = transports, cut

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transports.append(transport)
        if self._cut:
            transport.close()


def _context(cert: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    return context
