"""A whole office in one folder: real configuration, real servers, the real daemon, and a clock that we turn.

What comes in: what people write and what time it is. What goes out: a chronicle of what they got, and the mails as
files. Every round is the daemon's own: IMAP in, the story of daemon.flow, SMTP out.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from daemon import app, flow
from daemon.clock import Clock
from daemon.config import Config, load_config, shipped, starter_config
from daemon.demo.chronicle import IN_TIME, TOO_LATE, Change, Scene, Shown, Summary, in_words, side_of
from daemon.demo.programs import Draft, Program
from daemon.demo.servers import HOST, Arrived, MailServers, owner
from daemon.errors import TicketdError
from daemon.intake.letter import Letter, read_letter
from daemon.intake.mailbox import Mailbox
from daemon.notify.envelope import new_key_line
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Postman
from daemon.routing.loader import load_rulebook
from daemon.spool import Spool
from daemon.ticket import Ticket

SERVICE = "support@example.com"
OPERATOR = "root@example.com"
PASSWORD = "demo"
ZONE = ZoneInfo("Asia/Shanghai")


class BrokenPromiseError(TicketdError):
    """Something that must be true after a scene is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who writes: under which name and address, and with which mail program."""

    name: str
    address: str
    program: Program


class DayClock(Clock):
    """A clock that stands where it was put, until it is told to run on in real time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._at, self._since = at, 0.0

    def turn(self, at: datetime) -> None:
        """Let it be this late."""
        self._at = at

    def run(self) -> None:
        """From now on, let time pass as it does."""
        self._since = self.monotonic()

    def now(self) -> datetime:
        """Return the moment in the story."""
        return self._at + timedelta(seconds=self.monotonic() - self._since) if self._since else self._at


class Office:
    """Let people write, let the daemon work, and look at what came of it."""

    def __init__(self, folder: Path, config: Config, servers: MailServers, clock: DayClock) -> None:
        """Open the daemon on this configuration; `folder` takes the mails as files."""
        self.folder, self.config, self.servers, self.clock = folder, config, servers, clock
        self.desk = app.open_desk(config, clock)
        self.link = Mailbox(config.mailbox[0], Spool(Path(config.service.state_dir) / "spool"), clock.now)
        self.postman = Postman(config.smtp)
        people = self.desk.rulebook.people.values()
        self.names = {p.key: p.name for p in people} | {p.address: p.name for p in people}
        self.scenes: list[Scene] = []
        self._seen = 0
        self._known: dict[int, int] = {}
        self.link.connect()

    def close(self) -> None:
        """Hang up everywhere."""
        self.link.close()
        self.postman.close()
        self.desk.store.close()

    @property
    def scene(self) -> Scene:
        """The scene that is played now."""
        return self.scenes[-1]

    def begin(self, at: datetime, title: str) -> None:
        """Turn the clock and open a new page of the chronicle."""
        self.clock.turn(at)
        self.scenes.append(Scene(at=at, title=title))

    # --- what people do ---

    def writes(
        self, who: Person, subject: str, words: str, *,
        answers: Letter | None = None, program: Program | None = None, envelope: str = "",
    ) -> None:  # fmt: skip
        """Let a person write to us: a new mail, or an answer to one of ours."""
        to = answers.reply_to[0].address if answers and answers.reply_to else SERVICE
        draft = Draft(name=who.name, address=who.address, to=to, subject=subject, words=words,
                      at=self.clock.now().astimezone(ZONE), answers=answers)  # fmt: skip
        mail = (program or who.program)(draft)
        self.names.setdefault(who.address, who.name)
        out = OutgoingMail(
            message_id=mail["Message-ID"], envelope_from=envelope or who.address, to=to, content=bytes(mail)
        )
        fate = self.postman.send(out)
        if fate.outcome != "sent":
            raise BrokenPromiseError(f"the mail server takes the mail of {who.name} ({fate.text})")

    def replies(self, who: Person, words: str, *, about: int, program: Program | None = None) -> None:
        """Let a person answer the last mail about this ticket that really lies in their mailbox."""
        answered = self.last_mail(who.address, about)
        self.writes(who, answered.subject, words, answers=answered, program=program)

    # --- what the daemon does ---

    def works(self) -> None:
        """Do one round of the daemon and take down what happened."""
        box = self.config.mailbox[0]
        self.link.noop()  # pymap tells of new mail at the end of a command, too late for this very one
        flow.keep_new(self.link, box.name, box.first_run, self.desk)
        while flow.handle_waiting(self.desk):
            pass
        flow.handle_tick(self.desk)
        while flow.deliver_outbox(self.desk, self.postman)[0]:
            pass
        flow.file_away(self.link, box.name, self.desk)
        self._take_down()

    def goes_on(self) -> list[Shown]:
        """Do one more round after the story; return the mails that arrived since the last one."""
        before = len(self.scene.mails)
        self.works()
        return self.scene.mails[before:]

    # --- what can be looked at ---

    def expects(self, what: str, holds: object) -> None:
        """Take down that this holds, or end the story."""
        if not holds:
            raise BrokenPromiseError(what)
        self.scene.held.append(what)

    def ticket(self, number: int) -> Ticket:
        """Return a ticket as it is now."""
        found = self.desk.store.register.ticket(number)
        if found is None:
            raise BrokenPromiseError(f"there is a ticket {number}")
        return found

    def in_time(self, number: int, clock: str) -> bool:
        """Return whether what this clock measures happened in time."""
        found = self.ticket(number).clock(clock)
        return found is not None and found.met is True

    def events(self, number: int, kind: type[Any]) -> list[Any]:
        """Return what of this kind happened to a ticket, oldest first."""
        return [e for _, e, _, _ in self.desk.store.register.events(number) if isinstance(e, kind)]

    def told(self, who: Person) -> str:
        """Return all that was written to somebody in this scene, "" where nothing was."""
        return "\n".join(f"{m.subject}\n{m.words}" for m in self.scene.mails if m.address == who.address)

    def last_mail(self, address: str, about: int) -> Letter:
        """Return the newest mail about this ticket in somebody's mailbox."""
        tag = f"[{self.desk.service.subject_tag}-{about}]"
        letters = (read_letter(m.content) for m in reversed(self.servers.arrived) if m.to == address)
        found = next((letter for letter in letters if letter.subject.startswith(tag)), None)
        if found is None:
            raise BrokenPromiseError(f"{address} has got a mail about {tag}")
        return found

    def summary(self) -> Summary:
        """Return the day in numbers."""
        mails = [m for scene in self.scenes for m in scene.mails]
        tickets = list(self.desk.store.register.tickets())
        came = sum(m.incoming for m in mails)
        sent = self.desk.store.outbox.counts().get("sent", 0)
        refused = [f"{s.at:%H:%M} INC-{c.ticket}: {c.text}" for s in self.scenes for c in s.changes if c.refused]
        return Summary(
            day=f"{self.scenes[0].at:%Y-%m-%d}",
            numbers=(("mails in 来信", str(came)), ("mails out 去信", str(sent)), ("tickets 工单", str(len(tickets))),
                     ("refused, withheld, returned 拒绝与退信", str(len(refused))),
                     ("promises kept 验证通过", str(sum(len(s.held) for s in self.scenes)))),
            columns=("ticket", "state", "severity", "response", "solution", "by", "subject"),
            tickets=tuple(self._row(t) for t in tickets),
            refused=tuple(refused),
        )  # fmt: skip

    def _row(self, ticket: Ticket) -> tuple[str, ...]:
        kept = {True: IN_TIME, False: TOO_LATE, None: "-"}
        met = [kept[clock.met] if (clock := ticket.clock(name)) else "-" for name in ("respond", "resolve")]
        return (f"INC-{ticket.number}", str(ticket.state), str(int(ticket.severity)), *met,
                self.names.get(ticket.assignee, ticket.assignee), ticket.subject)  # fmt: skip

    # --- the chronicle ---

    def _take_down(self) -> None:
        fresh = self.servers.arrived[self._seen :]
        self.scene.mails += [self._shown(mail, number) for number, mail in enumerate(fresh, self._seen + 1)]
        self._seen += len(fresh)
        for ticket in self.desk.store.register.tickets():
            self.scene.changes += self._changes(ticket)
            self._known[ticket.number] = ticket.length

    def _changes(self, ticket: Ticket) -> Iterator[Change]:
        known = self._known.get(ticket.number, 0)
        for seq, event, _, _ in self.desk.store.register.events(ticket.number):
            said = in_words(event, self.names, ZONE) if seq > known else None
            if said:
                yield Change(ticket=ticket.number, kind=said[0], text=said[1], refused=said[2])

    def _shown(self, mail: Arrived, number: int) -> Shown:
        letter = read_letter(mail.content)
        incoming = owner(mail.to) == SERVICE
        side = side_of(letter, SERVICE, mail.sender)
        sender = (letter.sender.name or letter.sender.address) if letter.sender else "?"
        return Shown(
            at=mail.at.astimezone(ZONE), side=side,
            sender=f"“{sender}”, really {mail.sender}" if side == "stranger" else sender,
            to=SERVICE if incoming else self.names.get(mail.to, mail.to), address=owner(mail.to),
            subject=letter.subject, words=letter.new_text if incoming else without_marker(letter.text),
            quoted=letter.quoted_text if incoming else "", file=self._keep(mail, letter, number), incoming=incoming,
        )  # fmt: skip

    def _keep(self, mail: Arrived, letter: Letter, number: int) -> str:
        """Write the mail as a file that any mail program opens; return its name."""
        sender = letter.sender.address if letter.sender else "nobody"
        pair = (re.sub(r"[^a-z0-9.]+", "-", a.partition("@")[0].lower()) for a in (sender, owner(mail.to)))
        name = f"{number:02d}-{mail.at.astimezone(ZONE):%H%M}-{'-to-'.join(pair)}.eml"
        (self.folder / name).write_bytes(mail.content)
        return name


def without_marker(text: str) -> str:
    """Return the text of our own mail without its first line, which asks to be answered above."""
    first, _, rest = text.partition("\n")
    return (rest if first.startswith("##-") else text).strip()


@contextlib.contextmanager
def open_office(folder: Path, mails: Path, people: Iterable[Person], at: datetime) -> Iterator[Office]:
    """Set up an office in `folder` as `ticketd init` does, on servers of its own, and open it."""
    clock = DayClock(at)
    for name in ("rules", "templates"):
        shutil.copytree(shipped(name), folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    book = load_rulebook(folder / "rules")
    accounts = {SERVICE, *(p.address for p in people), *(p.address for p in book.people.values())}
    with MailServers(sorted(accounts), PASSWORD, clock.now) as servers:
        config = _configured(folder, servers)
        with app.instance_lock(config):
            office = Office(mails, config, servers, clock)
            try:
                yield office
            finally:
                office.close()


def _configured(folder: Path, servers: MailServers) -> Config:
    text = starter_config(
        imap=(HOST, servers.imap_port, "none"), smtp=(HOST, servers.smtp_port, "none"), username=SERVICE,
        address=SERVICE, name="Example Support",
    )  # fmt: skip
    text = text.replace('# operator_address = "root@example.com"', f'operator_address = "{OPERATOR}"')
    (folder / "ticketd.toml").write_text(text, "utf-8")
    for name, content in (("secret", new_key_line(secrets.token_bytes(32))), ("imap.password", PASSWORD)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content + "\n", "utf-8")
    return load_config(folder / "ticketd.toml")
