"""`ticketd status` and the watchdog: alive, or says so; and nobody is fooled by a process that merely exists."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon import __version__, app, flow
from daemon.app import Daemon
from daemon.cli import run_command
from daemon.clock import Clock
from daemon.config import starter_config
from daemon.disk import Room
from daemon.notify.postman import Fate
from daemon.pulse import Loop, Pulse, Signs, loops_of, read_signs, write_signs
from daemon.spool import Spool
from tests.desk import TestDesk, to, write
from tests.servers.dovecot import PASSWORD
from tests.servers.fake_imap import running_fake
from tests.test_json_docs import example, shape

ZHANG = "张三 <zhang.san@huaxin.example>"
PATIENCE = 20.0


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path, now=Clock().now())


@pytest.fixture
def status(desk: TestDesk, capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def ask(*args: str) -> tuple[int, Any]:
        capfd.readouterr()
        code = run_command(["--config", str(desk.folder / "ticketd.toml"), "--log-level", "error", "status", *args])
        said = capfd.readouterr().out
        return code, json.loads(said) if "--json" in args else said

    return ask


@pytest.fixture
def running(desk: TestDesk) -> Iterator[None]:
    with (desk.folder / "state" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def says(desk: TestDesk, *, ok: timedelta = timedelta(seconds=5), at: timedelta = timedelta(), **known: Any) -> None:
    """Let the daemon have said that its mailbox's server answered so long ago."""
    now = Clock().now() - at
    if "trouble" in known:
        known["trouble_since"] = now - known.pop("trouble_since")
    loops = (
        Loop(name="handling", last_sign=now),
        Loop(name="mailbox support", last_sign=now, last_ok=now - ok, **known),
    )
    signs = Signs(version=__version__, pid=7, started=now - timedelta(hours=2), at=now, rules=1, loops=loops)
    write_signs(desk.folder / "state", signs)


@pytest.mark.usefixtures("running")
def test_all_is_well(desk: TestDesk, status: Callable[..., Any]) -> None:
    says(desk)
    code, said = status("--json")
    assert (code, said["well"], said["troubles"], said["running"]) == (0, True, [], True)
    assert said["mailboxes"][0]["name"] == "support" and 5 <= said["mailboxes"][0]["last_ok_seconds"] < 60
    code, text = status()
    assert code == 0 and "all is well" in text and "its server answered" in text


@pytest.mark.usefixtures("running")
def test_the_documented_example_has_the_keys_of_the_real_thing(desk: TestDesk, status: Callable[..., Any]) -> None:
    says(desk)
    assert set(shape(example("status --json"))) == set(shape(status("--json")[1]))


def test_who_does_not_run_is_not_well(desk: TestDesk, status: Callable[..., Any]) -> None:
    says(desk)
    code, said = status("--json")
    assert (code, said["troubles"]) == (1, ["ticketd is not running: start it"])


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"ok": timedelta(minutes=40)}, "mailbox support: its server has not answered a command in good order for 40 min"),
        ({"at": timedelta(minutes=5)}, "gives no sign of life since 5 min"),
        ({"trouble": "Connection refused", "trouble_since": timedelta(minutes=30)},
         "mailbox support: in trouble for 30 min: Connection refused"),
    ],
)  # fmt: skip
def test_a_process_that_merely_exists_is_not_well(
    desk: TestDesk, status: Callable[..., Any], known: dict[str, Any], words: str
) -> None:
    says(desk, **known)
    code, said = status("--json")
    assert code == 1 and len(said["troubles"]) == 1 and words in said["troubles"][0]


@pytest.mark.usefixtures("running")
def test_a_mailbox_that_never_answered_since_the_start_is_trouble(desk: TestDesk, status: Callable[..., Any]) -> None:
    now = Clock().now()
    write_signs(desk.folder / "state", Signs(version="1", pid=7, started=now - timedelta(hours=1), at=now))
    code, said = status("--json")
    assert code == 1 and said["mailboxes"][0]["last_ok_at"] is None
    assert "since ticketd was started" in said["troubles"][0]


@pytest.mark.usefixtures("running")
def test_what_waits_is_owed_and_was_set_aside_is_counted(desk: TestDesk, status: Callable[..., Any]) -> None:
    says(desk)
    desk.clock.at -= timedelta(hours=2)
    desk.sink.fates["zhang.san@huaxin.example"] = Fate(outcome="temporary", code=451, text="later")
    desk.receives(write(ZHANG, "VPN 连不上。"))
    desk.arrives(write(ZHANG, "打印机卡纸。", subject="打印机"))
    desk.arrives(b"", uid=77)
    desk.desk.store.base.run("UPDATE mail SET status = 'quarantined' WHERE uid = 77")
    desk.desk.store.base.run("UPDATE notice SET state = 'dead' WHERE id = (SELECT MAX(id) FROM notice)")
    code, said = status("--json")
    assert code == 1
    assert (said["backlog"], said["quarantine"], said["dead"]) == (1, 1, 1)
    assert said["mailboxes"][0]["backlog"] == 1 and said["mailboxes"][0]["oldest_seconds"] >= 7200
    assert said["owed"]["mails"] >= 1 and said["owed"]["oldest_seconds"] >= 7200
    told = " | ".join(said["troubles"])
    assert "1 mails wait to be handled, the oldest for 2 h" in told
    assert "mails are owed, the oldest for 2 h" in told and "quarantine list" in told


@pytest.mark.usefixtures("running")
def test_old_mail_that_is_imported_quietly_is_not_late(desk: TestDesk, status: Callable[..., Any]) -> None:
    says(desk)
    desk.clock.at -= timedelta(days=90)
    desk.arrives(write(ZHANG, "alt"))
    desk.desk.store.base.run("UPDATE mail SET quiet = ?", (True,))
    code, said = status("--json")
    assert code == 0 and said["backlog"] == 1 and said["mailboxes"][0]["oldest_seconds"] is None


def test_a_database_that_cannot_be_opened_is_told_and_the_rest_too(desk: TestDesk, status: Callable[..., Any]) -> None:
    says(desk)
    desk.desk.store.close()
    for part in ("", "-wal", "-shm"):
        (desk.folder / "state" / f"ticketd.db{part}").unlink(missing_ok=True)
    (desk.folder / "state" / "ticketd.db").write_bytes(b"no database at all, but long enough to be looked at" * 9)
    code, said = status("--json")
    assert code == 1 and any("the database cannot be asked" in t for t in said["troubles"])
    assert said["mailboxes"][0]["last_ok_seconds"] is not None


@pytest.mark.usefixtures("running")
def test_a_disk_that_is_nearly_full_is_trouble(
    desk: TestDesk, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    says(desk)
    monkeypatch.setattr("daemon.health.room_in", lambda folder: Room(free=10 << 20, files=None))
    code, said = status("--json")
    assert (
        code == 1 and said["disk"] == {"free_mb": 10, "reserve_mb": 200} and "no mail is fetched" in said["troubles"][0]
    )


def test_who_only_looks_does_not_keep_the_daemon_from_starting(desk: TestDesk) -> None:
    seen, stop = [], threading.Event()

    def looks() -> None:
        while not stop.is_set():
            seen.append(app.is_running(desk.config))

    looker = threading.Thread(target=looks)
    looker.start()
    try:
        for _ in range(50):
            with app.instance_lock(desk.config):
                assert app.is_running(desk.config)
    finally:
        stop.set()
        looker.join()
    assert seen


# --- the pulse ---


def test_a_loop_that_rests_by_its_own_word_is_not_stuck_and_one_that_says_nothing_is() -> None:
    pulse = Pulse(name="mailbox x", beat=0.0, patience=100.0)
    assert not pulse.stuck(99.0) and pulse.stuck(101.0)
    pulse.troubled(200.0, "Connection refused", rest=900.0)
    assert not pulse.stuck(1190.0) and pulse.stuck(1201.0)
    pulse.troubled(1300.0, "Connection refused", rest=5.0)
    assert pulse.trouble_since == 200.0, "the trouble is as old as its first try"
    pulse.well(1400.0)
    assert (pulse.trouble, pulse.trouble_since) == ("", None)


def test_a_long_turn_is_alive_as_long_as_the_server_answers() -> None:
    last = [0.0]
    pulse = Pulse(name="mailbox x", beat=0.0, patience=100.0, answered=lambda: last[0])
    last[0] = 5000.0
    assert not pulse.stuck(5050.0) and pulse.stuck(5101.0)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    (loop,) = loops_of([pulse], now, 5060.0)
    assert loop.last_ok == now - timedelta(seconds=60)


def test_signs_that_are_damaged_or_of_another_version_are_no_signs(tmp_path: Path) -> None:
    for text in ("", "{", "[1]", '{"version": 5}'):
        (tmp_path / "pulse.json").write_text(text)
        assert read_signs(tmp_path) is None


# --- the watchdog, with the real loops ---


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield link


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """The loops in this process, on a server that answers; `_watch` is what the test does by itself."""
    monkeypatch.setattr(app, "_STUCK_AFTER", 0.5)
    monkeypatch.setattr(app, "_WAKE_SECONDS", 0.05)
    with running_fake() as fake:
        text = starter_config(imap=(fake.host, fake.port, "none")).replace("poll_seconds = 60", "poll_seconds = 0.05")
        desk = TestDesk(tmp_path / "desk", toml=text)
        (desk.folder / "imap.password").write_text(PASSWORD + "\n")
        made = Daemon(config=desk.config, desk=desk.desk, spool=Spool(tmp_path / "spool"))
        made.desk.clock = Clock()
        yield made
        made.quit()
        for thread in [t for t in threading.enumerate() if t.name in made.pulses]:
            thread.join(PATIENCE)


def starts(daemon: Daemon) -> None:
    daemon._thread("handling", daemon._handle, app._STUCK_AFTER).start()
    for mailbox in daemon.config.mailbox:
        daemon._fetcher(mailbox).start()


def feeds(daemon: Daemon, notes: socket.socket) -> bool:
    """Look after the loops once; return whether the service manager was told that all is well."""
    daemon._look_after()
    notes.setblocking(False)
    try:
        return notes.recv(4096).startswith(b"WATCHDOG=1")
    except BlockingIOError:
        return False


def until(happened: Callable[[], Any], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


@pytest.mark.parametrize("stops", ["keep_new", "file_away", "handle_waiting", "handle_tick"])
def test_the_watchdog_is_not_fed_while_a_loop_stands_still_and_is_fed_again_after(
    daemon: Daemon, notes: socket.socket, monkeypatch: pytest.MonkeyPatch, stops: str
) -> None:
    """One loop hangs in the middle of its work, as in a deadlock; all the others go on."""
    hangs, goes_on, real = threading.Event(), threading.Event(), getattr(flow, stops)

    def hanging(*args: Any, **known: Any) -> Any:
        if hangs.is_set():
            goes_on.wait(PATIENCE)
        return real(*args, **known)

    monkeypatch.setattr(flow, stops, hanging)
    starts(daemon)
    name = "handling" if stops.startswith("handle") else "mailbox support"
    until(lambda: all(p.answered() for n, p in daemon.pulses.items() if n != "handling"), "the server answers")
    assert feeds(daemon, notes)
    hangs.set()
    until(lambda: not feeds(daemon, notes), "the watchdog is not fed any more")
    assert [p.name for p in daemon.pulses.values() if p.stuck(Clock.monotonic())] == [name]
    hangs.clear()
    goes_on.set()
    until(lambda: feeds(daemon, notes), "it is fed again")


def test_the_watchdog_is_fed_while_a_server_is_away_and_that_is_said(daemon: Daemon, notes: socket.socket) -> None:
    gone = daemon.config.mailbox[0].model_copy(update={"port": 1})
    daemon.config = daemon.config.model_copy(update={"mailbox": (gone,)})
    starts(daemon)
    pulse = daemon.pulses["mailbox support"]
    until(lambda: pulse.trouble, "trouble")
    daemon._look_after()
    assert b"WATCHDOG=1\nSTATUS=mailbox support: " in notes.recv(4096)
    signs = read_signs(Path(daemon.config.service.state_dir))
    assert signs is not None and signs.pid == os.getpid()
    (loop,) = [x for x in signs.loops if x.name == "mailbox support"]
    assert loop.last_ok is None and "refused" in loop.trouble


def test_a_database_that_is_away_is_no_reason_to_kill_us(
    daemon: Daemon, notes: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(daemon)
    daemon.pulses["handling"].trouble_since = Clock.monotonic() - 3600

    def away(*_: Any) -> None:
        raise app.UnreachableError("the database does not answer")

    monkeypatch.setattr(flow, "raise_alarm", away)
    daemon._raise_alarms()
    assert feeds(daemon, notes)


# --- the reserve of the disk ---


def test_below_the_reserve_nothing_is_fetched_what_is_owed_goes_out_and_it_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [Room(free=10 << 20, files=None)]
    monkeypatch.setattr(app, "room_in", lambda folder: room[0])
    with running_fake(write(ZHANG, "VPN 连不上。").as_bytes()) as fake:
        text = starter_config(imap=(fake.host, fake.port, "none"))
        desk = TestDesk(tmp_path / "desk", toml=text)
        (desk.folder / "imap.password").write_text(PASSWORD + "\n")
        daemon = Daemon(config=desk.config, desk=desk.desk, spool=Spool(tmp_path / "spool"))
        link = app.Mailbox(desk.config.mailbox[0], daemon.spool, desk.clock.now)
        link.connect()
        with pytest.raises(app.UnreachableError, match="no mail is fetched until there is room"):
            daemon._fetch_turn(link, desk.config.mailbox[0])
        assert desk.mail_status() == []
        (alarm, *_) = to(desk.works(), "chen.jing")
        assert "only 10 MB are free" in alarm.letter.text
        room[0] = Room(free=10 << 30, files=None)
        daemon._fetch_turn(link, desk.config.mailbox[0])
        assert desk.mail_status() == [("received", "")]
        link.close()


def test_a_disk_without_inodes_is_full_and_one_without_inodes_to_count_is_not() -> None:
    assert "inodes" in Room(free=1 << 40, files=3).lacks(200)
    assert Room(free=1 << 40, files=None).lacks(200) == ""
    assert Room(free=0, files=0).lacks(0) == "", "who wants no reserve has none"
