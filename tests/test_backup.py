"""Backup and restore, and the drill: nothing is lost that the server still has, and nobody is told anything twice."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
import subprocess
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.backup import MANIFEST, make_backup, unpack, verify
from daemon.cli import run_command
from daemon.clock import Clock
from daemon.config import load_config
from daemon.words import NoticeState
from tests.desk import TestDesk, reply, write
from tests.office import Office, as_sent
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.smtp_sink import SmtpSink

ZHANG = "张三 <zhang.san@huaxin.example>"
ANN = "Ann Lee <ann.lee@acme.example>"
LARGE = "附件内容 " * 200_000


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    desk = TestDesk(tmp_path / "desk")
    desk.receives(write(ZHANG, "VPN 连不上。"))
    return desk


@pytest.fixture
def file(desk: TestDesk, tmp_path: Path) -> Path:
    return backup_of(desk, tmp_path / "backup.tar.gz")


def backup_of(desk: TestDesk, path: Path) -> Path:
    return make_backup(desk.config, desk.folder / "ticketd.toml", desk.desk.store, path, Clock().now())


def changed(file: Path, **members: bytes | None) -> Path:
    """Return a copy of a backup in which members (with . for _) have other bytes, or are left out."""
    target = file.with_name("changed.tar.gz")
    with tarfile.open(file, "r:gz") as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            content = old.extractfile(member).read()
            content = members.get(member.name.replace(".", "_").replace("/", "__"), content)
            if content is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    return target


# --- making and verifying ---


def test_a_backup_holds_everything_but_secrets_and_only_we_may_read_it(desk: TestDesk, file: Path) -> None:
    with tarfile.open(file, "r:gz") as tar:
        names = tar.getnames()
        everything = b"".join(tar.extractfile(m).read() for m in tar)
    assert {"ticketd.db", "config/ticketd.toml", "rules/routing.yaml", MANIFEST} <= set(names)
    assert any(n.startswith("templates/zh/") for n in names)
    assert (desk.folder / "secret").read_bytes().strip() not in everything
    assert b"canary-password-5521" not in everything
    assert file.stat().st_mode & 0o077 == 0
    assert verify(file)[1] == []
    assert [p.name for p in file.parent.iterdir() if p.name.startswith(".")] == [], "nothing half made stays"


def test_a_password_in_the_url_of_the_database_does_not_get_into_it(desk: TestDesk, tmp_path: Path) -> None:
    toml = desk.folder / "ticketd.toml"
    toml.write_text(toml.read_text().replace("sqlite:///ticketd.db", "postgresql://desk:s3cret@db/tickets"), "utf-8")
    with tarfile.open(backup_of(desk, tmp_path / "b.tar.gz"), "r:gz") as tar:
        said = tar.extractfile("config/ticketd.toml").read().decode()
    assert "s3cret" not in said and "postgresql://desk@db/tickets" in said


def test_a_folder_gets_a_file_named_by_its_time(desk: TestDesk, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    made = [backup_of(desk, tmp_path / "all")]
    assert made[0].parent == tmp_path / "all" and made[0].name.startswith("ticketd-2") and verify(made[0])[1] == []


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"rules__routing_yaml": b"rules: []\n"}, "rules/routing.yaml is not what it was"),
        ({"rules__routing_yaml": None}, "rules/routing.yaml is missing"),
        ({"ticketd_db": b"SQLite format 3\0" + b"\0" * 4096}, "ticketd.db is not what it was"),
        ({"manifest_json": None}, "has no manifest.json"),
        ({"manifest_json": b"[]"}, "cannot be read as a backup"),
    ],
)
def test_whatever_was_changed_is_found(file: Path, members: dict[str, bytes | None], words: str) -> None:
    assert words in " ".join(verify(changed(file, **members))[1])


def test_a_backup_that_was_cut_off_or_is_something_else_is_found(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) * 9 // 10):
        file.write_bytes(content[:size])
        assert verify(file)[1], size
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("readme"), io.BytesIO(b""))
    assert "no backup of ticketd" in verify(other)[1][0]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "rules/../../evil"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    bad = tmp_path / "bad.tar.gz"
    with tarfile.open(bad, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    folder = tmp_path / "into"
    folder.mkdir()
    assert "no file of ours" in unpack(bad, folder)[1][0]
    assert list(folder.iterdir()) == [] and not (tmp_path / "evil").exists()


def test_bytes_of_a_mail_that_the_disk_has_harmed_are_noticed_when_the_backup_is_made(
    desk: TestDesk, tmp_path: Path
) -> None:
    desk.desk.store.base.run("UPDATE raw SET content = ?", (b"From: somebody\r\n\r\nelse",))
    with pytest.raises(Exception, match="bytes of mail 1 are not what they were"):
        backup_of(desk, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_backup_under_way_sees_one_moment_whoever_writes_meanwhile(desk: TestDesk, tmp_path: Path) -> None:
    """Each transaction writes two notes of one value: a copy in which they differ has torn one in two."""
    store, stop, written = desk.desk.store, threading.Event(), []

    def writes() -> None:
        while not stop.is_set():
            written.append(len(written))
            with store.transaction():
                for key in ("left", "right"):
                    store.write_note(key, str(len(written)), Clock().now())
        store.close()

    writer = threading.Thread(target=writes)
    writer.start()
    try:
        seen = [pair_in(backup_of(desk, tmp_path / f"b{n}.tar.gz"), tmp_path / f"u{n}") for n in range(4)]
    finally:
        stop.set()
        writer.join()
    assert all(left == right for left, right in seen) and len(set(seen)) > 1, seen


def pair_in(file: Path, folder: Path) -> tuple[str, str]:
    folder.mkdir()
    assert unpack(file, folder)[1] == []
    with contextlib.closing(sqlite3.connect(folder / "ticketd.db")) as db:
        return tuple(
            dict(db.execute("SELECT key, value FROM note WHERE key IN ('left', 'right')")).get(k, "")
            for k in ("left", "right")
        )


# --- restoring, without servers ---


def ticketd(folder: Path, *args: str) -> int:
    return run_command(["--config", str(folder / "ticketd.toml"), "--log-level", "error", *args])


def test_nothing_is_overwritten_and_a_broken_backup_touches_nothing(
    desk: TestDesk, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = desk.folder / "state"
    desk.desk.store.close()
    assert ticketd(desk.folder, "restore", "--offline", str(file)) == 1
    assert "is there already" in capfd.readouterr().err
    shutil.rmtree(state)
    assert ticketd(desk.folder, "restore", "--offline", str(changed(file, rules__routing_yaml=None))) == 1
    assert "not whole, nothing was touched" in capfd.readouterr().err
    assert {p.name for p in state.iterdir()} <= {"lock"}
    assert ticketd(desk.folder, "restore", "--offline", str(file)) == 0
    assert ticketd(desk.folder, "ticket", "show", "1") == 0


def test_who_runs_cannot_be_restored_over(desk: TestDesk, file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from daemon.app import instance_lock

    with instance_lock(desk.config):
        assert ticketd(desk.folder, "restore", "--offline", str(file)) == 1
    assert "another ticketd is running" in capfd.readouterr().err


def test_what_was_owed_is_held_until_somebody_decides(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    desk = TestDesk(tmp_path / "desk", now=Clock().now())
    desk.arrives(write(ZHANG, "VPN 连不上。"))
    from daemon import flow

    while flow.handle_waiting(desk.desk):
        pass
    owed = desk.desk.store.outbox.counts()["owed"]
    file = backup_of(desk, tmp_path / "b.tar.gz")
    desk.desk.store.close()
    shutil.rmtree(desk.folder / "state")
    assert ticketd(desk.folder, "restore", "--offline", str(file)) == 0
    assert f"{owed} mails are held" in capfd.readouterr().out
    again = TestDesk(tmp_path / "desk", now=Clock().now() + timedelta(seconds=30))
    assert again.works() == [], "nobody is told again"
    assert ticketd(desk.folder, "outbox", "list", "--json") == 0
    held = json.loads(capfd.readouterr().out)
    assert len(held) == owed and all("held by a restore" in h["last_reply"] for h in held)
    assert ticketd(desk.folder, "status") == 1 and "held since a restore" in capfd.readouterr().out
    assert ticketd(desk.folder, "outbox", "drop", str(held[0]["id"])) == 0
    assert ticketd(desk.folder, "outbox", "drop", str(held[0]["id"])) == 1
    assert ticketd(desk.folder, "outbox", "release", "--all") == 0
    assert len(again.works()) == owed - 1, "what was released goes out, what was dropped does not"
    assert ticketd(desk.folder, "outbox", "release") == 64
    counts = again.desk.store.outbox.counts()
    assert counts[str(NoticeState.DROPPED)] == 2 and "held" not in counts


def test_a_restore_that_was_interrupted_may_not_be_started_from(
    desk: TestDesk, file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.desk.store.close()
    shutil.rmtree(desk.folder / "state")

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("daemon.restore._again", dies)
    with contextlib.suppress(KeyboardInterrupt):
        ticketd(desk.folder, "restore", "--offline", str(file))
    (desk.folder / "imap.password").write_text("x\n")
    assert ticketd(desk.folder, "run", "--once") == 1
    assert "a restore was not finished" in capfd.readouterr().err


def test_files_are_laid_out_on_a_new_machine_and_nothing_is_overwritten(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    assert run_command(["restore", "--files", str(new), str(file)]) == 0
    config = load_config(new / "ticketd.toml", check_secrets=False)
    assert (Path(config.paths.rules) / "routing.yaml").is_file() and (new / "templates" / "email" / "zh").is_dir()
    (new / "ticketd.toml").write_text("# mine\n")
    assert run_command(["restore", "--files", str(new), str(file)]) == 0
    assert (new / "ticketd.toml").read_text() == "# mine\n"


# --- the drill, on real servers ---


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


def shown(place: Office) -> dict[int, Any]:
    """What people see of every ticket: state, subject, and what happened, without times."""
    numbers = [t["number"] for t in place.tickets()]
    whole = {n: place.ticket(n) for n in numbers}
    return {n: (t["state"], t["subject"], t["assignee"], [e["kind"] for e in t["events"]]) for n, t in whole.items()}


@pytest.mark.servers
def test_the_drill(dovecot: Dovecot, tmp_path: Path) -> None:
    """Mails, a backup, more mails, the disk is lost, a restore, on it goes."""
    with SmtpSink() as sink:
        place = Office(folder=tmp_path / "desk", dovecot=dovecot, sink=sink, user="drill")
        rounds(place, write(ZHANG, "VPN 连不上。"), write(ZHANG, LARGE, subject="日志"))
        file = tmp_path / "backup.tar.gz"
        said = place.ticketd("backup", str(file)).stdout
        assert "verified" in said and "the secret file" in said
        rounds(place, write(ANN, "Hello, nobody can save an order.", subject="CRM does not save orders"))
        (notice,) = [m for m in everything(place) if m.to.startswith("ann.lee")]
        rounds(place, reply(notice, ANN, "It is error 42."), write(ZHANG, "打印机卡纸。", subject="打印机"))
        before, told = shown(place), len(sink.mails)
        place.arrives(write(ZHANG, "显示器坏了。", subject="显示器"))  # it came after the loss
        shutil.rmtree(place.folder / "state")

        said = place.ticketd("restore", str(file)).stdout
        assert "3 mails handled since then, again" in said
        assert shown(place) == before, "tickets, numbers and histories are what people know"
        assert len(sink.mails) == told
        place.ticketd("run", "--once")
        new = everything(place)[told:]
        assert {m.subject.partition("]")[0] for m in new} == {"[INC-5"}, "only the mail that nobody had answered is"
        place.ticketd("outbox", "drop", "--all")
        rounds(place, reply(notice, ANN, "Error 43 too."))
        assert "MessageAdded" in shown(place)[3][3][-2:], "answers to mails of the lost days still find their ticket"
        ids = Counter(m.mail.message_id for m in everything(place))
        assert set(ids.values()) == {1}, "no Message-ID is given twice"
        subprocess.run(place.command("rebuild"), check=True, capture_output=True)
        assert place.folder_sizes() == {"INBOX": 0, "Handled": 7, "Quarantine": 0}


def rounds(place: Office, *mails: Any) -> None:
    for mail in mails:
        place.arrives(mail)
        place.ticketd("run", "--once")


def everything(place: Office) -> list[Any]:
    return [as_sent(t) for t in place.sink.mails]


@pytest.mark.servers
def test_a_server_that_cannot_be_asked_stops_a_restore_before_it_begins(dovecot: Dovecot, tmp_path: Path) -> None:
    with SmtpSink() as sink:
        place = Office(folder=tmp_path / "desk", dovecot=dovecot, sink=sink, user="stops")
        rounds(place, write(ZHANG, "VPN 连不上。"))
        place.ticketd("backup", str(tmp_path / "b.tar.gz"))
        shutil.rmtree(place.folder / "state")
        (place.folder / "imap.password").write_text("wrong\n")
        refused = place.ticketd("restore", str(tmp_path / "b.tar.gz"), check=False)
        assert refused.returncode == 1 and "login" in refused.stderr
        assert not place.database.exists()
