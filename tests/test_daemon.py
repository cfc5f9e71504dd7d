"""`ticketd run` as the process that a service manager sees: signals, watchdog, servers that go away and come back.

Nothing here measures time: what has to happen is awaited for up to PATIENCE seconds, and what must not happen is looked
for after something later has happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests import desk
from tests.desk import Sent
from tests.office import ROOT, Office, as_sent
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.smtp_sink import SmtpSink

pytestmark = pytest.mark.servers

PATIENCE = 30.0
ZHANG = "张三 <zhang.san@huaxin.example>"
WANG = "王伟 <wang.wei@example.com>"
TODAY = formatdate()


def write(sender: str, text: str, *, subject: str = "VPN 连不上") -> EmailMessage:
    """Return a mail written today: the clock is the real one, and an old mail would bring escalations with it."""
    return _dated(desk.write(sender, text, subject=subject))


def reply(to: Sent, sender: str, text: str) -> EmailMessage:
    return _dated(desk.reply(to, sender, text))


def _dated(mail: EmailMessage) -> EmailMessage:
    mail.replace_header("Date", TODAY)
    return mail


def until(happened: Callable[[], Any], what: str) -> Any:
    """Wait until something is so, and return it; fail after PATIENCE."""
    give_up = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < give_up, f"{what}: not within {PATIENCE} seconds"
        time.sleep(0.05)
    return found


def all_told(place: Office, *tickets: int) -> bool:
    """Whether all that these tickets told has gone out, and nothing besides: who hears of it differs by day and night."""
    owed = [n["state"] for t in tickets for n in place.ticket(t)["notices"]]
    return set(owed) == {"sent"} and len(owed) == len(place.sink.mails)


@dataclass
class Service:
    """A running ticketd with its log."""

    place: Office
    process: subprocess.Popen[bytes]
    log_file: Path
    notes: list[str] = field(default_factory=list)

    def log(self, event: str = "") -> list[dict[str, Any]]:
        lines = (line for line in self.log_file.read_text("utf-8").splitlines() if line.startswith("{"))
        return [e for e in map(json.loads, lines) if event in ("", e["event"])]

    def says(self, event: str) -> dict[str, Any]:
        return until(lambda: self.log(event), f"the log says {event}")[-1]

    def gets(self, to: str, *, subject: str = "", since: int = 0) -> Sent:
        def arrived() -> list[Sent]:
            sent = [as_sent(t) for t in self.place.sink.mails[since:]]
            return [m for m in sent if m.to.startswith(to) and subject in m.subject]

        return until(arrived, f"a mail to {to}")[0]

    def ends(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as server:
        yield server


@pytest.fixture
def place(dovecot: Dovecot, sink: SmtpSink, tmp_path: Path, request: pytest.FixtureRequest) -> Office:
    return Office(folder=tmp_path / "desk", dovecot=dovecot, sink=sink, user=f"d{abs(hash(request.node.name)) % 10**8}")


@contextlib.contextmanager
def service(place: Office, **environ: str) -> Iterator[Service]:
    """Run ticketd; it is killed in the end if the test did not end it."""
    log_file = place.folder / f"log{len(list(place.folder.glob('log*')))}"
    command = [a if a != "warning" else "info" for a in place.command("run")]
    with log_file.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stderr=out, env={**os.environ, **environ})
    running = Service(place, process, log_file)
    try:
        running.says("daemon.started")
        yield running
    finally:
        process.kill()
        process.wait()


def test_a_mail_is_acknowledged_while_it_listens_and_an_answer_too(place: Office) -> None:
    with service(place) as ticketd:
        place.arrives(write(ZHANG, "VPN 连不上。"))
        assert "INC-1" in ticketd.gets("zhang.san").subject
        to_us = ticketd.gets("", since=1)  # at night it waits, and the head of the team hears of it
        place.arrives(reply(to_us, f"<{to_us.to}>", "#受理"))
        assert "#受理" in ticketd.gets(to_us.to, subject="已按您的来信更新", since=2).letter.text
        until(lambda: place.folder_sizes() == {"INBOX": 0, "Handled": 2, "Quarantine": 0}, "both mails are filed")
        assert ticketd.ends() == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_with_0_and_leaves_nobody_behind(place: Office, how: int) -> None:
    with service(place) as ticketd:
        children = children_of(ticketd.process.pid)
        assert ticketd.ends(how) == 0
        assert ticketd.log("daemon.stopped")
        until(lambda: not any(Path(f"/proc/{c}").exists() for c in children), "its children are gone")


def test_killed_it_leaves_nobody_behind_and_the_next_one_may_start(place: Office) -> None:
    with service(place) as ticketd:
        place.arrives(write(ZHANG, "VPN 连不上。"))
        ticketd.gets("zhang.san")
        children = children_of(ticketd.process.pid)
        ticketd.ends(signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{c}").exists() for c in children), "its children are gone")
    with service(place) as ticketd:
        assert ticketd.ends() == 0


def children_of(pid: int) -> list[str]:
    lists = (p.read_text().split() for p in Path(f"/proc/{pid}/task").glob("*/children"))
    return [child for one in lists for child in one]


def test_a_second_one_on_the_same_state_is_refused(place: Office) -> None:
    with service(place) as ticketd:
        for args in (("run",), ("run", "--once")):
            second = place.ticketd(*args, check=False)
            assert second.returncode == 1 and "another ticketd" in second.stderr
        assert ticketd.process.poll() is None
        assert place.tickets() == [], "looking is allowed"


def test_the_service_manager_is_told(place: Office, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        notes.bind(str(path))
        notes.settimeout(PATIENCE)
        with service(place, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="180000000") as ticketd:
            assert "READY=1" in notes.recv(4096).decode().splitlines()
            first = notes.recv(4096).decode()
            assert first.startswith("WATCHDOG=1\nSTATUS=")
            assert ticketd.ends() == 0
            said = [first]
            while "STOPPING=1" not in said[-1]:
                said.append(notes.recv(4096).decode())


def test_good_rules_are_taken_over_and_bad_ones_are_not(place: Office) -> None:
    own_rules(place)
    routing = place.folder / "rules" / "routing.yaml"
    good = routing.read_text("utf-8")
    with service(place) as ticketd:
        routing.write_text(good.replace("then: {category: network/vpn, team: network}",
                                        "then: {category: network/vpn, team: security, tags: [reloaded]}"), "utf-8")  # fmt: skip
        ticketd.process.send_signal(signal.SIGHUP)
        ticketd.says("rules.reloaded")
        place.arrives(write(ZHANG, "VPN 连不上。"))
        ticketd.gets("zhang.san")
        assert place.ticket(1)["team"] == "security" and "reloaded" in place.ticket(1)["tags"]

        routing.write_text(good.replace("team: network", "team: netwrk"), "utf-8")
        ticketd.process.send_signal(signal.SIGHUP)
        kept = ticketd.says("rules.kept")
        assert any("routing.yaml:" in p and "did you mean" in p for p in kept["problems"])
        place.arrives(write(ZHANG, "VPN 又连不上。", subject="VPN 又断了"))
        ticketd.gets("zhang.san", subject="INC-2")
        assert place.ticket(2)["team"] == "security", "the last good rules still count"
        assert ticketd.ends() == 0


def test_rules_that_were_applied_count_within_seconds_and_broken_ones_do_not_keep_it_from_starting(
    place: Office,
) -> None:
    own_rules(place)
    here, other = place.folder / "rules", place.folder / "other"
    shutil.copytree(here, other)
    good = (here / "routing.yaml").read_text("utf-8")
    changed = good.replace(
        "then: {category: network/vpn, team: network}", "then: {category: network/vpn, team: security}"
    )
    (other / "routing.yaml").write_text(changed, "utf-8")
    with service(place) as ticketd:
        applied = place.ticketd("rules", "apply", str(other), "--yes", "--note", "VPN goes to security")
        assert "the running daemon has taken it up" in applied.stdout
        assert ticketd.says("rules.applied")["note"] == "VPN goes to security"
        assert (here / "routing.yaml").read_text("utf-8") == changed
        place.arrives(write(ZHANG, "VPN 连不上。"))
        ticketd.gets("zhang.san")
        assert place.ticket(1)["team"] == "security"
        assert ticketd.ends() == 0
    (here / "routing.yaml").write_text("rules: 5\n", "utf-8")
    with service(place) as ticketd:
        assert any("routing.yaml:1" in p for p in ticketd.says("rules.kept")["problems"])
        alarm = ticketd.gets("chen.jing", subject="系统告警")
        assert "routing.yaml:1" in alarm.letter.text
        place.arrives(write(ZHANG, "VPN 又连不上。", subject="VPN 又断了"))
        ticketd.gets("zhang.san", subject="INC-2")
        assert place.ticket(2)["team"] == "security", "the last rules that were in force count"
        assert ticketd.ends() == 0


def own_rules(place: Office) -> None:
    """Give this desk rules that may be changed: the others share those of the repository."""
    link = place.folder / "rules"
    source = link.resolve()
    link.unlink()
    shutil.copytree(
        source, link, ignore=shutil.ignore_patterns("tests")
    )  # the starter's tests expect the starter's rules


def test_one_mailbox_in_trouble_does_not_stop_the_other(dovecot: Dovecot, sink: SmtpSink, tmp_path: Path) -> None:
    wrong = tmp_path / "desk" / "wrong.password"
    other = f"""
[[mailbox]]
name = "sales"
host = "{dovecot.host}"
port = {dovecot.port}
tls = "none"
username = "sales"
password_file = "wrong.password"
"""
    place = Office(folder=tmp_path / "desk", dovecot=dovecot, sink=sink, user="two", extra=other)
    wrong.write_text("not this one\n")
    wrong.chmod(0o600)
    with service(place) as ticketd:
        assert "mailbox sales" in {e["loop"] for e in until(lambda: ticketd.log("loop.trouble"), "trouble")}
        place.arrives(write(ZHANG, "VPN 连不上。"))
        ticketd.gets("zhang.san")
        assert "not this one" not in ticketd.log_file.read_text("utf-8")
        assert ticketd.ends() == 0
    done = place.ticketd("run", "--once", check=False)
    assert done.returncode == 1, "a round says that one mailbox could not be read"
    assert "sales" in done.stderr


def test_mail_waits_while_the_mail_server_is_away_and_goes_out_once_it_is_back(
    dovecot: Dovecot, tmp_path: Path
) -> None:
    with SmtpSink() as first:
        port = first.port
    place = Office(folder=tmp_path / "desk", dovecot=dovecot, sink=first, user="away")
    with service(place) as ticketd:
        place.arrives(write(ZHANG, "VPN 连不上。"))
        assert ticketd.says("loop.trouble")["loop"] == "sending"
        place.sink = SmtpSink(port=port)
        with place.sink:
            ticketd.gets("zhang.san")
            until(lambda: all_told(place, 1), "all arrive")
            assert ticketd.ends() == 0
            assert all_told(place, 1), "each once"


def test_it_goes_on_after_the_imap_server_was_restarted(sink: SmtpSink, tmp_path: Path) -> None:
    with running_dovecot() as own:
        place = Office(folder=tmp_path / "desk", dovecot=own, sink=sink, user="restart")
        with service(place) as ticketd:
            place.arrives(write(ZHANG, "VPN 连不上。"))
            ticketd.gets("zhang.san")
            own.restart()
            place.arrives(write(ZHANG, "又连不上。", subject="VPN 又断了"))
            ticketd.gets("zhang.san", subject="INC-2")
            until(lambda: place.folder_sizes()["Handled"] == 2, "both are filed")
            assert ticketd.ends() == 0
        assert [t["number"] for t in place.tickets()] == [1, 2]


def test_a_mailbox_that_was_numbered_anew_brings_no_second_tickets_and_no_answers(place: Office) -> None:
    """The administrator restores the mailbox: the same mails under a new UIDVALIDITY, and one that nobody saw."""
    old = [write(ZHANG, f"VPN 连不上 {n}。", subject=f"VPN {'甲乙丙'[n]}") for n in range(3)]
    with service(place) as ticketd:
        for mail in old:
            place.arrives(mail)
        until(lambda: place.folder_sizes()["Handled"] == 3, "all are filed")
        until(lambda: all_told(place, 1, 2, 3), "all are told")
        assert ticketd.ends() == 0
    before = [place.ticket(n) for n in (1, 2, 3)]
    unseen = write(ZHANG, "这一封没有人见过。", subject="打印机卡纸")
    place.dovecot.number_anew(place.user, [m.as_bytes(policy=SMTP) for m in (*old, unseen)])
    with service(place) as ticketd:
        ticketd.says("mailbox.renumbered")
        until(lambda: place.folder_sizes() == {"INBOX": 0, "Handled": 7, "Quarantine": 0}, "the copies are filed too")
        place.arrives(write(ZHANG, "新的一封。", subject="显示器坏了"))
        ticketd.gets("zhang.san", subject="INC-5")
        assert ticketd.ends() == 0
    assert [place.ticket(n) for n in (1, 2, 3)] == before
    tickets = {t["number"]: t["subject"] for t in place.tickets()}
    assert tickets[4] == "打印机卡纸" and sorted(tickets) == [1, 2, 3, 4, 5]
    assert not [n for n in place.ticket(4)["notices"] if n["to"].startswith("zhang.san")], "old mail is not answered"
    with closing(sqlite3.connect(place.database)) as db:
        statuses = db.execute("SELECT status FROM mail ORDER BY id").fetchall()
    assert [s for (s,) in statuses].count("duplicate") == 3


def test_poison_does_not_stop_what_comes_after_it(place: Office) -> None:
    """A mail of only odd bytes, then an ordinary one: both are kept, and the second is answered."""
    with service(place) as ticketd:
        place.dovecot.deliver(
            place.user, b"\xff\xfe\x00: \x80\r\nContent-Type: multipart/mixed; boundary=\r\n\r\n" + b"\xf0" * 999
        )
        place.arrives(write(ZHANG, "VPN 连不上。"))
        ticketd.gets("zhang.san")
        until(lambda: place.folder_sizes()["INBOX"] == 0, "both are filed")
        assert ticketd.ends() == 0
