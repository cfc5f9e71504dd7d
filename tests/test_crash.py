"""Nothing is lost and nothing happens twice, wherever the process dies.

Four ways to die: kill -9 after each mail of the story, at a seeded moment of the round; every single database statement,
IMAP filing and SMTP hand-over of a round raising once; a SIGKILL at every N-th write and sync that the kernel sees; and
the order of things, since no recovery helps if the server's copy goes before ours is safe.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import peewee as pw
import pytest
import structlog

from daemon import app, log
from daemon.config import load_config
from daemon.errors import UnreachableError
from daemon.intake import mailbox
from daemon.intake.mailbox import Mailbox, MailboxUnreachableError
from daemon.intake.reader import ReadsHere
from daemon.notify.postman import Postman
from daemon.spool import Incoming
from daemon.store import Store
from daemon.views import ticket_whole
from tests.desk import BEIJING, Sent, reply, write
from tests.forks import Forks, forks
from tests.office import ROOT, Office
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.smtp_sink import SmtpSink
from tests.story import MAILS, MAILS_OUT, STEPS, WANG, ZHANG, Step, Story, check_the_end, kinds, notices

pytestmark = pytest.mark.servers

SEEDS = range(int(os.environ.get("TICKETD_CRASH_SEEDS", "2")))
ODD = ("attempts", "last_reply")
"""What a repeated try may change in the picture of a notice."""


@dataclass(frozen=True)
class Servers:
    dovecot: Dovecot
    forks: Forks


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with running_dovecot() as dovecot, forks() as helper:
        yield Servers(dovecot, helper)


def an_office(servers: Servers, sink: SmtpSink, folder: Path, user: str) -> Office:
    return Office(folder=folder, dovecot=servers.dovecot, sink=sink, user=user, forks=servers.forks)


@dataclass(frozen=True)
class Straight:
    """How the story ends undisturbed, and how long each of its rounds took."""

    tickets: dict[int, dict[str, Any]]
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def straight(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Straight:
    with SmtpSink() as sink:
        place = an_office(servers, sink, tmp_path_factory.mktemp("straight"), "straight")
        seconds: dict[str, float] = {}

        def timed(_: Any, step: Step) -> list[Sent]:
            sent = place.round(**step.later)
            seconds[step.name] = place.last_seconds
            return sent

        Story().play(place, timed)
        return Straight({n: place.ticket(n) for n in (1, 2)}, seconds)


# --- kill -9 after each mail ---


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_after_every_mail_the_story_ends_the_same(
    seed: int, servers: Servers, straight: Straight, tmp_path: Path
) -> None:
    dice, killed = random.Random(seed), list[str]()
    with SmtpSink() as sink:
        place = an_office(servers, sink, tmp_path, f"killed{seed}")

        def killed_then_again(_: Any, step: Step) -> list[Sent]:
            if place.killed_round(straight.seconds[step.name] * dice.uniform(0.2, 1), **step.later):
                killed.append(f"{step.name}: {where_it_stands(place, sink)}")
            return place.round()

        Story().play(place, killed_then_again)
        print(f"\nseed {seed}: {len(killed)} of {len(STEPS)} rounds were killed at work", *killed, sep="\n  ")
        assert killed, "a test in which nothing was killed proves nothing"
        check_the_end({n: place.ticket(n) for n in (1, 2)})
        assert same_as(straight, place)
        nothing_twice(place, sink)


def where_it_stands(place: Office, sink: SmtpSink) -> dict[str, Any]:
    """Return what the dead process left: mails by status, notices by state, mails in INBOX, mails at the sink."""
    with closing(sqlite3.connect(place.database)) as db:
        has_tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'notice'").fetchone()[0]
        mails, notices = (
            dict(db.execute(f"SELECT {c}, count(*) FROM {t} GROUP BY 1").fetchall()) if has_tables else {}
            for c, t in (("status", "mail"), ("state", "notice"))
        )
    return {"mails": mails, "notices": notices, "inbox": place.folder_sizes()["INBOX"], "sink": len(sink.mails)}


def same_as(straight: Straight, place: Office) -> bool:
    """Whether every ticket is to the letter what it is without a crash, but for how often a mail was offered."""
    found = {n: place.ticket(n) for n in (1, 2)}
    assert without_tries(found) == without_tries(straight.tickets)
    return True


def without_tries(tickets: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {
        number: {**t, "notices": [{k: v for k, v in n.items() if k not in ODD} for n in t["notices"]]}
        for number, t in tickets.items()
    }


def nothing_twice(place: Office, sink: SmtpSink) -> None:
    """Fail if a mail of ours left more than twice or in two wordings, or if something was owed twice."""
    bytes_of: dict[str, set[bytes]] = {}
    times = Counter[str]()
    for sent in place.everything():
        times[sent.mail.message_id] += 1
        bytes_of.setdefault(sent.mail.message_id, set()).add(sent.raw)
    copies = {i: n for i, n in times.items() if n > 1}
    print(f"  {len(sink.mails)} mails at the sink, {len(copies)} of them a second copy")
    assert len(times) == MAILS_OUT, "every notice arrived, and nothing else did"
    assert max(times.values()) <= 2
    assert all(len(wordings) == 1 for wordings in bytes_of.values())
    assert place.folder_sizes() == {"INBOX": 0, "Handled": MAILS, "Quarantine": 0}
    nothing_owed_twice(place.database)


def nothing_owed_twice(database: Path) -> None:
    """Look into the tables with no code of ours."""
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        owed = db.execute("SELECT count(*) FROM notice GROUP BY ticket, template, recipient, cause").fetchall()
        assert set(owed) == {(1,)}
        assert db.execute("SELECT DISTINCT state FROM notice").fetchall() == [("sent",)]
        assert db.execute("SELECT DISTINCT status, filed FROM mail").fetchall() == [("handled", 1)]
        gaps = db.execute("SELECT ticket FROM event GROUP BY ticket HAVING max(seq) <> count(*)").fetchall()
        assert gaps == []


# --- every single call of a round fails once ---


class Died(BaseException):
    """The process is gone: nothing of ours may catch this."""


class Ports:
    """Counts every call to the world outside and lets the N-th one fail, before or after it had its effect."""

    def __init__(self) -> None:
        self.links: list[Mailbox] = []
        self.names: list[str] = []
        self.rest()

    def rest(self) -> None:
        """Let everything through again."""
        self.fail(0, lambda _: Died(), after=False)

    def fail(self, at: int, error: Callable[[str], BaseException], *, after: bool) -> None:
        self.at, self.error, self.after = at, error, after
        self.names.clear()

    @property
    def calls(self) -> int:
        return len(self.names)

    def through(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def passed(*args: Any, **more: Any) -> Any:
            self.names.append(name)
            now = self.calls == self.at
            if now and not self.after:
                raise self.error(name)
            result = call(*args, **more)
            if now:
                raise self.error(name)
            return result

        return passed


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    """Our ways out of the process, wrapped; reading stays in this process, and rules are loaded but once."""
    all_of_them = Ports()
    for owner, name in ((pw.Database, "execute_sql"), (Mailbox, "file"), (Postman, "send"), (Incoming, "keep")):
        wrapped = all_of_them.through(f"{owner.__name__}.{name}", getattr(owner, name))
        monkeypatch.setattr(owner, name, wrapped)
    monkeypatch.setattr(app, "Mailbox", lambda *args: _remembered(Mailbox(*args), all_of_them.links))
    monkeypatch.setattr(app, "ReadsInChild", ReadsHere)
    monkeypatch.setattr(mailbox, "LARGE", 1000)  # so that a mail need not have a megabyte to become a file
    monkeypatch.setattr(app, "load_rulebook", _once(app.load_rulebook))
    monkeypatch.setattr(app, "open_renderer", _once(app.open_renderer))
    log.configure("critical")
    yield all_of_them
    structlog.reset_defaults()


def _remembered(link: Mailbox, links: list[Mailbox]) -> Mailbox:
    links.append(link)
    return link


def _once(make: Callable[..., Any]) -> Callable[..., Any]:
    made: list[Any] = []

    def first(*args: Any) -> Any:
        if not made:
            made.append(make(*args))
        return made[0]

    return first


def weather(name: str) -> BaseException:
    """What such a call may raise when its server is gone."""
    if name.startswith("Mailbox"):
        return MailboxUnreachableError("the line is cut", "transport")
    return OSError(28, "No space left on device") if name.startswith("Incoming") else pw.OperationalError("gone")


@dataclass
class Scene:
    """A state before one mail, to go back to as often as needed, and how a straight round leaves it."""

    place: Office
    ports: Ports
    mail: EmailMessage
    calls: list[str] = field(default_factory=list)
    straight: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = self.place.folder / "state"
        self.before = self.place.folder / "before"
        shutil.copytree(self.state, self.before)
        self._go_back()
        assert self._round() == 0
        self.calls = list(self.ports.names)
        self.straight = self._seen()
        assert set(self.straight["copies"].values()) == {1}

    def dies_at(self, number: int, *, after: bool) -> None:
        """Let the process die at this call, start it again, and expect that nobody can tell."""
        self._go_back()
        self._fails(number, lambda _: Died(), after=after)
        assert self._round() == 0
        seen = self._seen()
        copies, expected = seen.pop("copies"), {k: v for k, v in self.straight.items() if k != "copies"}
        assert seen == expected
        assert set(copies) == set(self.straight["copies"])
        assert sum(copies.values()) <= len(copies) + 1, "one death, one second copy at most"

    def weathers(self, number: int, *, after: bool) -> None:
        """Let this call find its server gone, and expect that a round a minute later makes up for it."""
        self._go_back()
        self._fails(number, weather, after=after)
        assert self._round(later=timedelta(minutes=1)) == 0
        seen = self._seen()
        assert {n: gist(t) for n, t in seen["tickets"].items()} == {
            n: gist(t) for n, t in self.straight["tickets"].items()
        }
        assert (seen["inbox"], set(seen["copies"])) == (0, set(self.straight["copies"]))
        assert sum(seen["copies"].values()) <= len(seen["copies"]) + 1

    def _go_back(self) -> None:
        shutil.rmtree(self.state)
        shutil.copytree(self.before, self.state)
        self.place.sink.mails.clear()
        self.filed = self.place.folder_sizes()["Handled"]
        self.place.arrives(self.mail)
        self.ports.rest()

    def _round(self, later: timedelta = timedelta(0)) -> int:
        return app.run_once(load_config(self.place.folder / "ticketd.toml"), self.place.now + later)

    def _fails(self, number: int, error: Callable[[str], BaseException], *, after: bool) -> None:
        self.ports.fail(number, error, after=after)
        with contextlib.suppress(Died, UnreachableError):
            self._round()
        assert self.ports.calls >= number, "the fault was met"
        for link in self.ports.links:
            link.close()
        self.ports.links.clear()
        self.ports.rest()

    def _seen(self) -> dict[str, Any]:
        """Return all that can be seen from outside: at the IMAP server, at the SMTP server, by the commands."""
        sent = self.place.everything()
        copies = Counter(m.mail.message_id for m in sent)
        assert len({(m.mail.message_id, m.raw) for m in sent}) == len(copies), "copies are the same to the byte"
        nothing_owed_twice(self.place.database)
        self.ports.rest()
        sizes = self.place.folder_sizes()
        tickets = {t["number"]: t for t in self._tickets()}
        handled = sizes["Handled"] - self.filed
        return {"copies": copies, "inbox": sizes["INBOX"], "handled": handled, "tickets": without_tries(tickets)}

    def _tickets(self) -> list[dict[str, Any]]:
        store = Store("sqlite:///ticketd.db", self.state)
        found = [ticket_whole(t, store, BEIJING) for t in store.register.tickets()]
        store.close()
        return found


def gist(ticket: dict[str, Any]) -> tuple[str, list[str], list[tuple[str, str, str]]]:
    return ticket["state"], kinds(ticket), notices(ticket)


def _report(story: Story) -> EmailMessage:
    return STEPS[0].write(story)  # type: ignore[misc,return-value]


def _report_with_log(_: Story) -> EmailMessage:
    mail = write(ZHANG, "VPN 连不上，日志见附件。")
    mail.add_attachment(b"line of a log\n" * 100, maintype="application", subtype="octet-stream", filename="vpn.log")
    return mail


def _command(story: Story) -> EmailMessage:
    return reply(story.last("wang.wei"), WANG, "#受理\n#进展 正在更换证书。\n#挂起 客户 请提供日志")


SCENES: dict[str, tuple[int, Callable[[Story], EmailMessage]]] = {
    "a new incident": (0, _report),
    "a large new incident": (0, _report_with_log),
    "a command": (1, _command),
}
"""Name → (steps of the story that go before, the mail whose round fails)."""


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest, servers: Servers, ports: Ports, tmp_path: Path) -> Iterator[Scene]:
    before, mail = SCENES[request.param]
    with SmtpSink() as sink:
        place = an_office(
            servers, sink, tmp_path, f"scene{list(SCENES).index(request.param)}{request.node.originalname[-7:]}"
        )
        story = Story()
        place.round()  # the folders and tables are there
        for step in STEPS[:before]:
            place.arrives(step.write(story))  # type: ignore[misc]
            story.sent += place.round()
        yield Scene(place=place, ports=ports, mail=mail(story))


def test_dying_at_any_call_changes_nothing_in_the_end(scene: Scene) -> None:
    for number in numbers(scene):
        scene.dies_at(number, after=True)
    for number in [n for n in numbers(scene) if scene.calls[n - 1] != "Database.execute_sql"]:
        scene.dies_at(number, after=False)


def test_any_call_that_fails_for_a_while_is_made_up_for(scene: Scene) -> None:
    for number in numbers(scene):
        if scene.calls[number - 1] != "Postman.send":  # it never raises: its Fates have tests of their own
            scene.weathers(number, after=scene.calls[number - 1] == "Mailbox.file")


def numbers(scene: Scene) -> range:
    """Return which calls are to fail: all, or those until the file is kept where the mail is large."""
    kept = scene.calls.index("Incoming.keep") + 8 if "Incoming.keep" in scene.calls else len(scene.calls)
    return range(1, kept + 1)


# --- the order of things ---


def test_the_servers_are_only_touched_once_it_is_committed(
    servers: Servers, ports: Ports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A connection of its own sees what is committed and nothing else: it looks whenever a server is about to change."""
    filed: list[tuple[str, int, bool]] = []
    offered: list[tuple[str, bytes]] = []
    with SmtpSink() as sink:
        place = an_office(servers, sink, tmp_path, "order")

        def look(sql: str) -> list[Any]:
            with closing(sqlite3.connect(place.database)) as db:
                return db.execute(sql).fetchall()

        def file(link: Mailbox, uids: Any, where: Any, *, uidvalidity: int) -> set[int]:
            filed.extend(
                look("SELECT m.status, m.uid, r.content IS NOT NULL FROM mail m LEFT JOIN raw r ON r.mail = m.id")
            )
            return real_file(link, uids, where, uidvalidity=uidvalidity)

        def send(postman: Postman, mail: Any, at_the_end: Any) -> Any:
            offered.extend(look("SELECT recipient, content FROM notice WHERE content IS NOT NULL AND state = 'owed'"))
            assert (mail.to, mail.content) in offered, "its words were committed before it went out"
            return real_send(postman, mail, at_the_end)

        real_file, real_send = Mailbox.file, Postman.send
        monkeypatch.setattr(Mailbox, "file", file)
        monkeypatch.setattr(Postman, "send", send)
        place.arrives(STEPS[0].write(Story()))  # type: ignore[misc]
        assert app.run_once(load_config(place.folder / "ticketd.toml"), place.now) == 0
        assert filed == [("handled", 1, 1)] and len(offered) >= 2 and len(sink.mails) == 2


STRACE = shutil.which("strace")
EVERY = int(os.environ.get("TICKETD_STRACE_EVERY", "0"))
"""Kill at every so many-th call of each kind; 0 is the short form, three moments of each kind."""
SYNCS = ("pwrite64", "fdatasync", "fsync")
needs_strace = pytest.mark.skipif(STRACE is None, reason="needs strace (Debian: strace)")


def traced(place: Office, log_file: Path, *options: str) -> int:
    """Do one round under strace; return its exit status, 128 + 9 when it was killed."""
    command = [str(STRACE), "-f", "-o", str(log_file), *options]
    command += place.command("run", "--once", "--as-of", place.now.isoformat())
    status = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120).returncode
    return 128 - status if status < 0 else status


@pytest.fixture
def one_report(servers: Servers, tmp_path: Path) -> Iterator[Office]:
    """An office with one report waiting; its folders and tables are there."""
    with SmtpSink() as sink:
        place = an_office(servers, sink, tmp_path / "office", f"traced{os.getpid()}")
        place.round()
        shutil.copytree(place.folder / "state", tmp_path / "before")
        place.arrives(STEPS[0].write(Story()))  # type: ignore[misc]
        yield place


@needs_strace
def test_the_disk_has_it_before_the_server_moves_it_and_killed_at_any_write_it_ends_the_same(
    one_report: Office, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    assert traced(one_report, trace, "--seccomp-bpf", "-s", "1000", "-e", f"trace={','.join(SYNCS)},sendto") == 0
    lines = trace.read_text("utf-8", "replace").splitlines()
    syncs = [i for i, line in enumerate(lines) if re.search(r"\bf(data)?sync\(", line)]
    (moved,) = [i for i, line in enumerate(lines) if "UID MOVE" in line]
    data = [i for i, line in enumerate(lines) if "DATA\\r\\n" in line]
    assert syncs[0] < data[0] < moved and any(data[-1] < s < moved for s in syncs)

    expected = seen_from_outside(one_report)
    counts = {call: sum(f" {call}(" in line for line in lines) for call in SYNCS}
    moments = [(call, n) for call, count in counts.items() for n in range(2, count + 1, EVERY or max(1, count // 3))]
    killed = [moment for moment in moments if dies_there_and_recovers(moment, one_report, tmp_path, expected)]
    print(f"\nkilled at {killed}")
    assert len(killed) >= len(moments) - 1, "rounds differ a little, so the last one may lie behind the end"


def dies_there_and_recovers(moment: tuple[str, int], place: Office, folder: Path, expected: dict[str, Any]) -> bool:
    """Let the kernel kill a round at its N-th call of this kind; return whether it did."""
    call, number = moment
    go_back(place, folder / "before")
    inject = f"inject={call}:signal=SIGKILL:when={number}"
    killed = traced(place, folder / "trace", "-e", f"trace={call}", "-e", inject) == 128 + 9
    place.round()
    found = seen_from_outside(place)
    assert found.pop("copies") <= {1, 2}
    assert found == {k: v for k, v in expected.items() if k != "copies"}, f"killed at {moment}"
    return killed


def go_back(place: Office, before: Path) -> None:
    shutil.rmtree(place.folder / "state")
    shutil.copytree(before, place.folder / "state")
    place.sink.mails.clear()
    place.seen = 0
    place.arrives(STEPS[0].write(Story()))  # type: ignore[misc]


def seen_from_outside(place: Office) -> dict[str, Any]:
    nothing_owed_twice(place.database)
    copies = Counter(m.mail.message_id for m in place.everything())
    return {"ticket": without_tries({1: place.ticket(1)}), "ids": set(copies), "copies": set(copies.values()),
            "inbox": place.folder_sizes()["INBOX"]}  # fmt: skip
