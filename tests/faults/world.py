"""One desk with model servers around it: real flow, real store on a real file, and ports that may fail at any call.

What comes in: mails, time, a plan of faults. What goes out: evidence for the checker. A `World` starts the daemon as
systemd would, again and again; what it does in a round is what the daemon's loops do in theirs, one after the other.
"""

from __future__ import annotations

import atexit
import copy
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from daemon import app, flow, log
from daemon.backoff import Backoff
from daemon.config import Config, MailboxConfig, load_config
from daemon.errors import UnreachableError
from daemon.flow import Desk
from daemon.intake import mailbox as mailbox_module
from daemon.intake.letter import Letter
from daemon.intake.mailbox import Mailbox, MailboxUnreachableError
from daemon.intake.reader import ReadsHere
from daemon.intake.wire import Lifeline
from daemon.notify.postman import Postman
from daemon.routing.loader import load_rulebook
from daemon.store import Store
from tests.desk import prepare
from tests.faults import checker, mails
from tests.faults.checker import Delivered, Evidence
from tests.faults.ports import (
    Accepted,
    Calm,
    Change,
    Died,
    ModelBox,
    ModelClient,
    ModelSink,
    ModelSmtp,
    Plan,
    PortClock,
    Ports,
    PortSpool,
    port_chance,
    port_line,
)

MONDAY = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
PASSWORD = "canary-password-5521"
SECRETS = (PASSWORD, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
LARGE, PIECE, MOST = 4_000, 3_000, 12_000
"""So that a mail need not have megabytes to become a file, or to be too large."""
POISON, STINK = b"X-Poison: kills", b"X-Poison: raises"
PATIENCE = 140


class _NoTimers(Lifeline):
    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Nothing waits for a real server here."""
        yield


@dataclass(frozen=True)
class Snapshot:
    """A world to go back to."""

    folder: Path
    boxes: dict[str, ModelBox]
    sink: ModelSink
    truth: list[Delivered]
    now: datetime
    changes: list[Change]


class PoisonedReader(ReadsHere):
    """A reader that the whole process dies over with certain mails."""

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._ports = ports

    def letter(self, mail: Any) -> Letter:
        content = mail.content if mail.content is not None else Path(mail.path).read_bytes()
        if POISON in content[:2000]:
            self._ports.dead = True
            raise Died
        if STINK in content[:2000]:
            raise RecursionError("a bug over this mail")
        return super().letter(mail)


@cache
def _config() -> Config:
    """Write the configuration once for this process: two small mailboxes, and a border that is believed."""
    home = tempfile.mkdtemp(prefix="ticketd-faults-home-", dir=MEMORY)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    path = Path(home) / "ticketd.toml"
    prepare(Path(home))
    text = path.read_text("utf-8").replace("\nauthserv_ids = []", f'\nauthserv_ids = ["{mails.BORDER}"]')
    support = text[text.index("[[mailbox]]") : text.index("[smtp]")] + f"max_mail_bytes = {MOST}\n\n"
    second = support.replace('"support"', '"helpdesk"')
    path.write_text(text[: text.index("[[mailbox]]")] + support + second + text[text.index("[smtp]") :], "utf-8")
    return load_config(path)


@cache
def _rulebook() -> Any:
    return load_rulebook(Path(_config().paths.rules))


_renderers: dict[int, Any] = {}
_open_renderer = app.open_renderer


def _renderer_once(config: Config, service: Any, keys: Any) -> Any:
    """Open the templates once for this process: they do not change here, and parsing them takes most of the time."""
    if 0 not in _renderers:
        _renderers[0] = _open_renderer(config, service, keys)
    return _renderers[0]


@dataclass
class World:
    """The daemon, the servers, and what is known of both."""

    folder: Path
    boxes: dict[str, ModelBox] = field(default_factory=lambda: {"support": ModelBox("support")})
    sink: ModelSink = field(default_factory=ModelSink)
    truth: list[Delivered] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    ports: Ports = field(default_factory=Ports)
    strangers: frozenset[str] = frozenset({mails.EVE, mails.MALLORY})

    def __post_init__(self) -> None:
        self.config, self.rulebook = _config(), _rulebook()
        self.state = self.folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.desk: Desk | None = None
        self.log = io.StringIO()
        self.exits: list[str] = []
        self.broken = 0
        log.configure("debug")
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(self.log))

    # --- people ---

    @property
    def pen(self) -> mails.Pen:
        return mails.Pen(self.ports.now)

    def arrives(self, mail: Delivered, *flags: bytes) -> int:
        """Let a mail arrive in its mailbox."""
        self.truth.append(mail)
        return self.boxes[mail.mailbox].deliver(mail.raw, self.ports.now, *flags)

    def last(self, to: str) -> Accepted:
        """Return the newest mail of ours to somebody."""
        return next(a for a in reversed(self.sink.accepted) if a.to == (to,))

    # --- the process ---

    @property
    def database(self) -> Path:
        return self.state / "ticketd.db"

    def boot(self) -> None:
        """Start the daemon: what run_forever does before its loops."""
        self.clock = PortClock(self.ports)
        store = Store("sqlite:///ticketd.db", self.state, port_line(self.ports))
        with mock.patch.object(app, "open_renderer", _renderer_once):
            desk = app.open_desk(self.config, self.clock, (store, self.rulebook))
        desk.reader = PoisonedReader(self.ports)
        desk.store.outbox.release_leases()
        spool = PortSpool(self.state / "spool", self.ports)
        spool.sweep()
        chance = port_chance(self.ports)
        self.links = [
            (m, Mailbox(m, spool, self.clock.now, dial=self._dialled(m)), Backoff(chance))
            for m in self.config.mailbox if m.name in self.boxes
        ]  # fmt: skip
        self.waits: dict[str, datetime] = {}
        self.begun: set[str] = set()
        self.postman = Postman(self.config.smtp, self._smtp)
        self.sending = Backoff(chance)
        self.desk = desk

    def _dialled(self, settings: MailboxConfig) -> Any:
        box = self.boxes[settings.name]
        return lambda *_: ModelClient(box, self.ports, self.changes, self._safe)

    def _safe(self, mailbox: str, uidvalidity: int, uid: int) -> bool:
        return checker.mail_committed(self.database, mailbox, uidvalidity, uid)

    def _smtp(self, _: Any) -> Any:
        return ModelSmtp(self.sink, self.ports, lambda raw: checker.words_committed(self.database, raw))

    def round(self) -> None:
        """Let every loop have one turn; a process that ends is started again in the next round."""
        with _small_limits():
            try:
                if self.desk is None:
                    self.boot()
                self._turns()
            except Died:
                self._dies("killed")
            except Exception as e:
                self.exits.append(repr(e))
                self._dies("ended")

    def _turns(self) -> None:
        for settings, link, backoff in self.links:
            self._fetch(settings, link, backoff)
        self._handle()
        self._send()
        for settings, link, backoff in self.links:
            self._fetch(settings, link, backoff)

    def _fetch(self, settings: MailboxConfig, link: Mailbox, backoff: Backoff) -> None:
        """What Daemon._fetch does in one turn."""
        if self.ports.now < self.waits.get(settings.name, MONDAY - timedelta(days=9)):
            return
        try:
            if settings.name not in self.begun:  # like the daemon's loop: connected anew only after trouble
                link.connect()
                self.begun.add(settings.name)
            flow.keep_new(link, settings.name, settings.first_run, self._at_work)
            flow.file_away(link, settings.name, self._at_work)
            link.wait(0, _NEVER)
            backoff.succeeded()
        except (UnreachableError, OSError) as e:
            link.close()
            self.begun.discard(settings.name)
            kind = e.kind if isinstance(e, MailboxUnreachableError) else "transport"
            self.waits[settings.name] = self.ports.now + timedelta(seconds=backoff.failed(kind))
            self.broken += 1

    def _handle(self) -> None:
        """What Daemon._handle_turn does."""
        try:
            while flow.handle_waiting(self._at_work):
                pass
            flow.handle_tick(self._at_work)
        except UnreachableError:
            self.broken += 1

    def _send(self) -> None:
        """What Daemon._send does in one turn."""
        if self.ports.now < self.waits.get("smtp", MONDAY - timedelta(days=9)):
            return
        try:
            offered, answers = 1, True
            while offered and answers:
                offered, answers = flow.deliver_outbox(self._at_work, self.postman)
            if answers:
                self.sending.succeeded()
            else:
                self.waits["smtp"] = self.ports.now + timedelta(seconds=self.sending.failed("transport"))
        except UnreachableError:
            self.broken += 1
            try:
                self._at_work.store.outbox.release_leases()
            except UnreachableError:
                self.broken += 1

    @property
    def _at_work(self) -> Desk:
        assert self.desk is not None
        return self.desk

    def _dies(self, how: str) -> None:
        if how == "ended" and self.desk is not None:
            self.desk.store.close()
        self.ports.bury()
        self.desk = None

    def stop(self) -> None:
        """End the process in good order."""
        self._dies("ended")

    # --- time ---

    def passes(self, **delta: float) -> None:
        self.ports.now += timedelta(**delta)

    def settle(self) -> bool:
        """Work until everything rests; return whether it ever does."""
        calm = 0
        for turn in range(PATIENCE):
            self.round()
            calm = calm + 1 if self.desk is not None and checker.at_rest(self.database) and not self._left() else 0
            if calm == 2:
                return True
            self.passes(seconds=15 if turn < 8 else 180 if turn < 20 else 1200)
        return False

    def _left(self) -> bool:
        """Whether a mail is in an inbox that it should have left, or that nobody has fetched yet."""
        return any(
            _files(box) or not self._safe(box.name, box.uidvalidity, uid)
            for box in self.boxes.values() for uid in box.folders["INBOX"]
        )  # fmt: skip

    # --- going back, and looking at it ---

    def snapshot(self) -> Snapshot:
        """Stop, and keep this world to go back to."""
        self.stop()
        place = self.folder / "before"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.state, place)
        boxes, sink = copy.deepcopy((self.boxes, self.sink))
        return Snapshot(place, boxes, sink, list(self.truth), self.ports.now, list(self.changes))

    def go_back(self, to: Snapshot, plan: Plan | None = None) -> None:
        """Be again as it was then, under a plan of faults."""
        self.stop()
        shutil.rmtree(self.state)
        shutil.copytree(to.folder, self.state)
        self.boxes, self.sink = copy.deepcopy((to.boxes, to.sink))
        self.truth, self.changes = list(to.truth), list(to.changes)
        self.ports.now, self.ports.life = to.now, 1
        self.ports.begin(plan or Calm())
        self.log.seek(0)
        self.log.truncate()
        self.exits.clear()

    def story(self) -> str:
        """Return all that happened, for whoever looks into a failure."""
        calls = [
            f"{c.n:5} life {c.life} {c.at[:19]} {c.port:6} {c.op} {c.fault and '*** ' + c.fault}"
            for c in self.ports.trace
        ]
        return "\n".join(["Ends of the process:", *self.exits, "", "Calls:", *calls, "", "Log:", self.log.getvalue()])

    def evidence(self, rests: bool) -> Evidence:
        """Return all that can be seen from outside."""
        self.stop()
        return Evidence(
            database=self.database,
            spool=self.state / "spool",
            delivered=list(self.truth),
            folders={
                name: {folder: [h.raw for h in held.values()] for folder, held in box.folders.items()}
                for name, box in self.boxes.items()
            },
            accepted=list(self.sink.accepted),
            changes=list(self.changes),
            trace=list(self.ports.trace),
            removed=[raw for box in self.boxes.values() for raw in box.removed],
            filing={name for name, box in self.boxes.items() if _files(box)},
            log=self.log.getvalue(),
            secrets=SECRETS,
            never=mails.NEVER,
            strangers=self.strangers,
            quiet=rests,
            faults=any(call.fault for call in self.ports.trace),
        )


class _Never:
    """A stop that is never asked for, and that waits for nothing."""

    def is_set(self) -> bool:
        return False

    def wait(self, _: float) -> bool:
        return False


_NEVER: Any = _Never()


def _files(box: ModelBox) -> bool:
    return bool({b"MOVE", b"UIDPLUS"} & box.able)


@contextmanager
def _small_limits() -> Iterator[None]:
    with (
        mock.patch.object(mailbox_module, "LARGE", LARGE),
        mock.patch.object(mailbox_module, "PIECE", PIECE),
        mock.patch.object(mailbox_module, "Lifeline", _NoTimers),
    ):
        yield


@contextmanager
def a_world(**options: Any) -> Iterator[World]:
    """Yield a world in memory that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="ticketd-faults-", dir=MEMORY) as folder:
        world = World(Path(folder) / "world", **options)
        try:
            yield world
        finally:
            world.stop()
            structlog.reset_defaults()
