"""Two real mail servers for one machine: SMTP by aiosmtpd takes mail in, IMAP by pymap hands it out.

What comes in: mails by SMTP, from anybody to anybody. What goes out: the same mails by IMAP, each to the account of its
recipient (support+token@… belongs to support@…), and a list of all that arrived. A mailbox that is full sends its mail
back, as mail servers do. Everything lives in memory and on loopback, in one thread with an event loop of its own.
This file alone knows pymap and aiosmtpd.
"""

from __future__ import annotations

import asyncio
import threading
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session
from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.result import ProxyResultLocal
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Identity, Login
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.user import Passwords, UserMetadata
from pysasl.hashing import BuiltinHash

from daemon.demo.programs import undelivered

HOST = "127.0.0.1"
_PATIENCE = 10.0
_HASH_ROUNDS = 1000
"""Few on purpose: the password is printed on the screen anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One mail as it lies in its recipient's mailbox; `sender` is the envelope's, "" for a bounce."""

    sender: str
    to: str
    at: datetime
    content: bytes


class MailServers:
    """Run both servers while in the `with` block; every account has the same password."""

    def __init__(self, accounts: Iterable[str], password: str, now: Callable[[], datetime]) -> None:
        """Prepare accounts named by their addresses; `now` dates what arrives."""
        self.arrived: list[Arrived] = []
        self.full: set[str] = set()
        self._returns: list[Arrived] = []
        self.imap_port = self.smtp_port = 0
        self._accounts, self._password, self._now = tuple(accounts), password, now
        self._sessions: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo servers", daemon=True)

    def __enter__(self) -> MailServers:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def run_queue(self) -> int:
        """Send back what did not fit into a full mailbox; return how many mails that were."""
        mails, self._returns = self._returns, []
        for mail in mails:
            asyncio.run_coroutine_threadsafe(self._send_back(mail), self._loop).result(_PATIENCE)
        return len(mails)

    async def _start(self) -> None:
        config = _imap_config()
        config.apply_context()  # for every task that begins here, the servers' connections among them
        self._login = Login(config)
        hashed = await Passwords(config).hash_password(self._password)
        for name in self._accounts:
            self._login.users_dict[name] = UserMetadata(config, name, password=hashed)
        self._imap = IMAPServer(self._login, config)
        imap = await asyncio.start_server(self._imap_session, HOST, 0)
        smtp = await self._loop.create_server(self._smtp_session, HOST, 0)
        self._servers = (imap, smtp)
        self.imap_port, self.smtp_port = (s.sockets[0].getsockname()[1] for s in self._servers)

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _imap_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. asyncio only borrows tasks, so we hold on to it until it is done."""
        line = SocketInfo.get(writer, ProxyResultLocal(), unique_id=uuid4().bytes)
        task = self._loop.create_task(self._imap(reader, writer, line))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    def _smtp_session(self) -> SMTP:
        return SMTP(self, hostname="mail.example", enable_SMTPUTF8=True, loop=self._loop)

    # --- the hooks that aiosmtpd calls ---

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Put the mail into the mailbox of each recipient, as a mail server does on final delivery."""
        body = envelope.content if isinstance(envelope.content, bytes) else b""
        for to in envelope.rcpt_tos:
            mail = Arrived(sender=envelope.mail_from or "", to=to, at=self._now(), content=body)
            if owner(to) in self.full:
                self._returns.append(mail)
            else:
                await self._deliver(mail)
        return "250 OK"

    async def _send_back(self, mail: Arrived) -> None:
        report = undelivered(mail.content, mail.to, mail.sender, self._now())
        await self._deliver(Arrived(sender="", to=mail.sender, at=self._now(), content=report))

    async def _deliver(self, mail: Arrived) -> None:
        head = f"Return-Path: <{mail.sender}>\r\nDelivered-To: {mail.to}\r\n".encode()
        mail = replace(mail, content=head + mail.content)
        self.arrived.append(mail)
        account = owner(mail.to)
        if account in self._login.users_dict:
            async with Identity(account, self._login, None, frozenset()).new_session() as session:
                await session.append_messages("INBOX", [AppendMessage(mail.content, mail.at)])


class _ImapConfig(Config):
    @property
    def greeting(self) -> bytes:
        """Greet without asking the name service who we are, which may take seconds and needs a network."""
        return b"ticketd demo"


def _imap_config() -> Config:
    """Return pymap's settings: no TLS on loopback, no thread pool, no example mails."""
    return _ImapConfig(
        Namespace(), host=HOST, port=0, tls_enabled=False, proxy_protocol=ProxyProtocolNoop(),
        hash_context=BuiltinHash(rounds=_HASH_ROUNDS), cpu_subsystem=Subsystem.for_asyncio(),
        demo_data=False, demo_user="", demo_password="",
    )  # fmt: skip


def owner(address: str) -> str:
    """Return the address without what stands after a plus: whose mailbox it is."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
