"""A desk for tests as conversations: people write, time passes, mails leave.

Real store, real rules, real templates; only the two servers are left out (they have tests of their own).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon import flow
from daemon.app import open_desk
from daemon.clock import Clock
from daemon.config import Config, load_config, starter_config
from daemon.flow import Desk
from daemon.intake.letter import Letter, RawMail, read_letter
from daemon.notify.envelope import new_key_line
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Fate

ROOT = Path(__file__).parent.parent
BEIJING = ZoneInfo("Asia/Shanghai")
MONDAY_10AM = datetime(2026, 11, 23, 10, 0, tzinfo=BEIJING)
MAILS = ROOT / "tests" / "mails"


class TurnedClock(Clock):
    """A clock that tests turn."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Sent:
    """One mail that left, as its reader sees it."""

    mail: OutgoingMail
    letter: Letter
    raw: bytes

    @property
    def to(self) -> str:
        return self.mail.to

    @property
    def subject(self) -> str:
        return self.letter.subject

    @property
    def reply_to(self) -> str:
        return self.letter.reply_to[0].address

    def __str__(self) -> str:
        return f"{self.to}: {self.subject}"


@dataclass
class CarefulPostman:
    """Takes every mail that it is not told to refuse, and keeps it."""

    sent: list[OutgoingMail] = field(default_factory=list)
    fates: dict[str, Fate] = field(default_factory=dict)

    def send(self, mail: OutgoingMail, at_the_end: Callable[[], None] | None = None) -> Fate:
        if at_the_end:
            at_the_end()
        fate = self.fates.get(mail.to)
        if fate is None:
            self.sent.append(mail)
            return Fate(outcome="sent", code=250, text="ok")
        return fate

    def close(self) -> None: ...


def prepare(folder: Path, **starter: object) -> Config:
    """Write what `ticketd init` writes, with the repository's rules and templates, and load it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = starter_config(**starter)  # type: ignore[arg-type]
    (folder / "ticketd.toml").write_text(text, "utf-8")
    for name, content in (
        ("secret", new_key_line(b"0123456789abcdef0123456789abcdef")),
        ("imap.password", "canary-password-5521"),
    ):
        path = folder / name
        path.write_text(content + "\n", "utf-8")
        path.chmod(0o600)
    for link, target in (("rules", ROOT / "rules"), ("templates", ROOT / "templates")):
        if not (folder / link).exists():
            (folder / link).symlink_to(target)
    return load_config(folder / "ticketd.toml")


@dataclass
class TestDesk:
    """Speak to the daemon the way people do."""

    __test__ = False

    folder: Path
    now: datetime = MONDAY_10AM
    sink: CarefulPostman = field(default_factory=CarefulPostman)
    uid: int = 0
    toml: str = ""

    def __post_init__(self) -> None:
        self.config = prepare(self.folder)
        if self.toml:
            path = self.folder / "ticketd.toml"
            path.write_text(self.toml, "utf-8")
            self.config = load_config(path)
        self.clock = TurnedClock(self.now)
        self.desk: Desk = open_desk(self.config, self.clock)

    # --- what people do ---

    def receives(self, mail: str | bytes | EmailMessage, *, mailbox: str = "support") -> list[Sent]:
        """Let a mail arrive (a name under tests/mails, bytes, or a message); return the mails that leave."""
        self.arrives(mail, mailbox=mailbox)
        return self.works()

    def arrives(
        self, mail: str | bytes | EmailMessage, *, mailbox: str = "support", uidvalidity: int = 1, uid: int = 0
    ) -> None:
        """Let a mail arrive and be kept, no more."""
        if isinstance(mail, str):
            mail = (MAILS / f"{mail}.eml").read_bytes()
        content = mail if isinstance(mail, bytes) else mail.as_bytes(policy=SMTP)
        self.uid += 1
        raw = RawMail(
            mailbox=mailbox, uidvalidity=uidvalidity, uid=uid or self.uid, received_at=self.clock.now(),
            size=len(content), sha256=sha256(content).hexdigest(), content=content,
        )  # fmt: skip
        self.desk.store.ledger.keep([(raw, False)])

    def waits(self, **delta: float) -> list[Sent]:
        """Let time pass; return the mails that leave."""
        self.clock.at += timedelta(**delta)
        return self.works()

    def works(self) -> list[Sent]:
        """Do one round: handle, look at the clock, deliver."""
        already = len(self.sink.sent)
        while flow.handle_waiting(self.desk):
            pass
        flow.handle_tick(self.desk)
        while flow.deliver_outbox(self.desk, self.sink)[0]:
            pass
        return [Sent(m, read_letter(m.content), m.content) for m in self.sink.sent[already:]]

    # --- what one can look at ---

    def ticket(self, number: int):
        return self.desk.store.register.ticket(number)

    def history(self, number: int) -> list[str]:
        return [type(e).__name__ for _, e, _, _ in self.desk.store.register.events(number)]

    def events(self, number: int, kind: str):
        return [e for _, e, _, _ in self.desk.store.register.events(number) if type(e).__name__ == kind]

    def mail_status(self) -> list[tuple[str, str]]:
        rows = self.desk.store.base.rows("SELECT status, reason FROM mail ORDER BY id")
        return [(s, r) for s, r in rows]


def write(
    sender: str, text: str, *, subject: str = "VPN 连不上", to: str = "support@example.com", **headers: str
) -> EmailMessage:
    """Return a plain mail as a person would write it."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = "Mon, 23 Nov 2026 10:00:00 +0800"
    given = {k.replace("_", "-").title(): v for k, v in headers.items()}
    if "Message-Id" not in given:
        digest = sha256(f"{sender}{text}{subject}{to}".encode()).hexdigest()[:16]
        mail["Message-ID"] = f"<{digest}@{re.sub('[^a-z.]', '', sender.rpartition('@')[2].lower())}>"
    for name, value in given.items():
        mail[name] = value
    mail.set_content(text)
    return mail


def reply(to: Sent, sender: str, text: str, **headers: str) -> EmailMessage:
    """Return an answer to a mail of ours, as mail programs make it: to its Reply-To, with a quote below."""
    quoted = "\n".join(f"> {line}" for line in to.letter.text.splitlines())
    body = f"{text}\n\nOn Mon, 23 Nov 2026 at 10:05, Example Support <support@example.com> wrote:\n\n{quoted}\n"
    headers.setdefault("in_reply_to", to.mail.message_id)
    headers.setdefault("references", to.mail.message_id)
    return write(sender, body, subject=f"Re: {to.subject}", to=to.reply_to, **headers)


def to(sent: list[Sent], name: str) -> list[Sent]:
    """Return the mails to somebody, by the name before the @."""
    return [m for m in sent if m.to.startswith(f"{name}@")]


def one(sent: list[Sent], name: str) -> Sent:
    """Return the only mail to somebody."""
    (mail,) = to(sent, name)
    return mail


def told(sent: list[Sent], name: str) -> str:
    """Return all that somebody was told, as text."""
    return "\n".join(m.letter.text for m in to(sent, name))
