"""A whole office on loopback: a real Dovecot, a real SMTP server, and ticketd as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from daemon.intake.letter import read_letter
from daemon.notify.notice import OutgoingMail
from daemon.words import Nature
from tests.desk import MONDAY_10AM, Sent, prepare
from tests.forks import Ended, Forks
from tests.servers.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.servers.smtp_sink import SmtpSink

ROOT = Path(__file__).parent.parent


@dataclass
class Office:
    """Put mail in, let ticketd work, look at what came out."""

    folder: Path
    dovecot: Dovecot
    sink: SmtpSink
    user: str
    now: datetime = MONDAY_10AM
    extra: str = ""
    seen: int = 0
    forks: Forks | None = None
    last_seconds: float = 0.0
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        prepare(
            self.folder,
            imap=(self.dovecot.host, self.dovecot.port, "none"),
            smtp=("127.0.0.1", self.sink.port, "none"),
            username=self.user,
        )
        password = self.folder / "imap.password"
        password.write_text(PASSWORD + "\n", "utf-8")
        toml = self.folder / "ticketd.toml"
        toml.write_text(toml.read_text("utf-8") + self.extra, "utf-8")

    # --- mail in ---

    def arrives(self, mail: EmailMessage | bytes) -> None:
        """Deliver a mail as a mail server does: to the plus-address in To, with the sender in Return-Path."""
        raw = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP)
        letter = read_letter(raw)
        _, plus, detail = letter.to[0].address.partition("@")[0].partition("+")
        sender = "" if letter.nature is Nature.BOUNCE else letter.senders[0].address
        self.dovecot.deliver(f"{self.user}{plus}{detail}", raw, sender=sender)

    # --- the daemon ---

    def arguments(self, *args: str) -> list[str]:
        return ["--config", str(self.folder / "ticketd.toml"), "--log-level", "warning", *args]

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "daemon", *self.arguments(*args)]

    def ticketd(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str] | Ended:
        """Run one command to its end."""
        if self.forks is not None:
            done: subprocess.CompletedProcess[str] | Ended = self.forks.run(self.arguments(*args))
            self.last_seconds = done.seconds
        else:
            done = subprocess.run(
                self.command(*args), capture_output=True, text=True, cwd=ROOT, env={**os.environ, **self.environ},
                timeout=120,
            )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"ticketd {args} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def round(self, **later: float) -> list[Sent]:
        """Let time pass and do one round; return the mails that left."""
        self.now += timedelta(**later)
        self.ticketd("run", "--once", "--as-of", self.now.isoformat())
        return self.new_mails()

    def killed_round(self, after_seconds: float, **later: float) -> bool:
        """Let time pass, start a round and kill -9 it after a while; return whether it was still at work."""
        assert self.forks is not None, "an interpreter's start would take most of the time"
        self.now += timedelta(**later)
        done = self.forks.run(
            self.arguments("run", "--once", "--as-of", self.now.isoformat()), kill_after=after_seconds
        )
        if not done.killed and done.returncode:
            raise AssertionError(f"the round ended with {done.returncode}:\n{done.stderr}")
        return done.killed

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Keep ticketd running as a service does."""
        process = subprocess.Popen(self.command("run"), cwd=ROOT, env={**os.environ, **self.environ})
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    # --- what came out ---

    def new_mails(self) -> list[Sent]:
        """Return the mails that reached the SMTP server since the last look."""
        taken = self.sink.mails[self.seen :]
        self.seen = len(self.sink.mails)
        return [as_sent(t) for t in taken]

    def everything(self) -> list[Sent]:
        """Return every mail that ever reached the SMTP server, copies and all."""
        return [as_sent(t) for t in self.sink.mails]

    @property
    def database(self) -> Path:
        return self.folder / "state" / "ticketd.db"

    def tickets(self) -> list[dict[str, Any]]:
        return json.loads(self.ticketd("ticket", "list", "--json").stdout)

    def ticket(self, number: int) -> dict[str, Any]:
        return json.loads(self.ticketd("ticket", "show", str(number), "--json").stdout)

    def history(self, number: int) -> list[dict[str, Any]]:
        return json.loads(self.ticketd("ticket", "history", str(number), "--json").stdout)

    def folder_sizes(self) -> dict[str, int]:
        """Return how many mails lie in each folder; a folder that is not there holds none."""
        with self.dovecot.login(self.user) as imap:
            answers = {f: imap.status(f, "(MESSAGES)") for f in ("INBOX", "Handled", "Quarantine")}
        found = {
            f: re.search(rb"MESSAGES (\d+)", data[0]) if kind == "OK" else None for f, (kind, data) in answers.items()
        }
        return {f: int(m[1]) if m else 0 for f, m in found.items()}


def as_sent(taken: Any) -> Sent:
    letter = read_letter(taken.content)
    mail = OutgoingMail(
        message_id=f"<{letter.message_id}>", envelope_from=taken.mail_from, to=taken.rcpt_tos[0], content=taken.content
    )
    return Sent(mail, letter, taken.content)


@contextlib.contextmanager
def office(folder: Path, user: str = "support", **options: Any) -> Iterator[Office]:
    with running_dovecot() as dovecot, SmtpSink() as sink:
        yield Office(folder=folder, dovecot=dovecot, sink=sink, user=user, **options)
