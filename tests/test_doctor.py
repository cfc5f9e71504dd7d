"""`ticketd doctor` against a real Dovecot and a real SMTP server: what is well, what is not, and what to do about it."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import doctor as doctor_module
from daemon.cli import run_command
from daemon.clock import Clock
from daemon.notify.postman import Greeting, greet
from tests.desk import write
from tests.office import Office
from tests.servers.dovecot import Dovecot, running_dovecot
from tests.servers.fake_imap import running_fake
from tests.servers.smtp_sink import SmtpSink
from tests.test_daemon import service
from tests.test_json_docs import example, shape

pytestmark = pytest.mark.servers

ZHANG = "张三 <zhang.san@huaxin.example>"
Ask = Callable[..., tuple[int, dict[str, list[dict[str, Any]]]]]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot(tls=True) as server:
        yield server


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as server:
        yield server


@pytest.fixture
def place(dovecot: Dovecot, sink: SmtpSink, tmp_path: Path, request: pytest.FixtureRequest) -> Office:
    return Office(folder=tmp_path / "desk", dovecot=dovecot, sink=sink, user=f"d{abs(hash(request.node.name)) % 10**8}")


@pytest.fixture
def doctor(place: Office, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Ask the doctor; returns the exit status and the findings by their subject."""

    def ask(*args: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
        capfd.readouterr()
        code = run_command(
            ["--config", str(place.folder / "ticketd.toml"), "--log-level", "error", "doctor", "--json", *args]
        )
        findings: dict[str, list[dict[str, Any]]] = {}
        for finding in json.loads(capfd.readouterr().out)["findings"]:
            findings.setdefault(finding["subject"], []).append(finding)
        return code, findings

    return ask


@contextlib.contextmanager
def delivering(place: Office, *, without: str = "never") -> Iterator[None]:
    """Let what our SMTP server takes for our own address reach the mailbox, as a mail system does."""
    stop = threading.Event()

    def carry() -> None:
        done = 0
        while not stop.is_set():
            for taken in place.sink.mails[done:]:
                done += 1
                local, _, domain = taken.rcpt_tos[0].partition("@")
                _, plus, detail = local.partition("+")
                if domain == "example.com" and local.startswith("support") and not plus.startswith(without):
                    place.dovecot.deliver(f"{place.user}{plus}{detail}", taken.content, sender=taken.mail_from)
            time.sleep(0.05)

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def change(place: Office, old: str, new: str) -> None:
    toml = place.folder / "ticketd.toml"
    text = toml.read_text("utf-8")
    assert old in text
    toml.write_text(text.replace(old, new), "utf-8")


def test_a_sound_office_is_found_sound_before_its_first_start(place: Office, doctor: Ask) -> None:
    code, found = doctor()
    assert code == 0, found
    said = [f["said"] for f in found["mailbox support"]]
    assert said[0].startswith("logged in to 127.0.0.1; 0 mails in INBOX")
    assert "IDLE, MOVE, UIDPLUS" in said and any("seen for the first time" in s for s in said)
    assert "greets us (none), without a login" in found["smtp"][0]["said"]
    assert found["daemon"][0]["verdict"] == "warn" and found["trust"][0]["verdict"] == "warn"
    assert place.sink.mails == [], "who does not ask for a mail gets none"
    assert set(shape(example("doctor --json"))) == {".well", ".findings"} | {f".findings.{k}" for k in found["smtp"][0]}


def test_people_are_told_in_lines_and_with_the_cure(place: Office, capfd: pytest.CaptureFixture[str]) -> None:
    (place.folder / "imap.password").write_text("wrong\n")
    code = run_command(["--config", str(place.folder / "ticketd.toml"), "--log-level", "error", "doctor"])
    said = capfd.readouterr().out
    assert code == 1 and "fail  mailbox support: 127.0.0.1: the login of" in said
    assert "      -> mend host, port, tls, username or password" in said and "wrong" not in said.replace(
        "wrong one", ""
    )
    assert "ok    smtp" in said, "one fault hides no other"


def test_a_canary_comes_back_by_itself_and_is_known_when_the_daemon_starts(place: Office, doctor: Ask) -> None:
    with delivering(place):
        code, found = doctor("--send", "--wait", "20")
    assert code == 0, found
    plain, plus = found["canary to support@example.com"], found["canary to support+canary@example.com"]
    assert "came back to support after" in plain[0]["said"] and "until ticketd is started" in plus[0]["said"]
    place.ticketd("run", "--once")
    assert place.tickets() == [] and place.folder_sizes() == {"INBOX": 0, "Handled": 2, "Quarantine": 0}
    assert len(place.sink.mails) == 2, "nobody answers a canary"


def test_while_the_daemon_runs_it_takes_canaries_for_its_own(place: Office, doctor: Ask) -> None:
    with service(place), delivering(place):
        code, found = doctor("--send", "--wait", "20")
        assert code == 0, found
        assert "the daemon knew it for its own" in found["canary to support+canary@example.com"][0]["said"]
        assert place.tickets() == [] and len(place.sink.mails) == 2


def test_a_mail_system_that_loses_mail_or_knows_no_plus_addresses_is_found_out(place: Office, doctor: Ask) -> None:
    with delivering(place, without="+"):
        code, found = doctor("--send", "--wait", "3")
    assert code == 1 and found["canary to support@example.com"][0]["verdict"] == "ok"
    (plus,) = found["canary to support+canary@example.com"]
    assert plus["verdict"] == "fail" and 'reply_addresses = "none"' in plus["cure"]


def test_a_canary_that_is_refused_is_told_with_the_servers_words(place: Office, doctor: Ask) -> None:
    place.sink.refuse["support@example.com"] = "550 5.1.1 no such mailbox"
    change(place, 'reply_addresses = "plus"', 'reply_addresses = "none"')
    code, found = doctor("--send")
    assert code == 1 and "550 RCPT: 5.1.1 no such mailbox" in found["canary to support@example.com"][0]["said"]


def test_a_server_that_is_not_there_and_a_mailbox_that_was_numbered_anew(place: Office, doctor: Ask) -> None:
    place.arrives(write(ZHANG, "VPN 连不上。"))
    place.round()
    place.dovecot.number_anew(place.user, [])
    change(place, f"port = {place.sink.port}", "port = 1")
    code, found = doctor("--send")
    assert code == 1 and "refused" in found["smtp"][0]["said"] and "canary to support@example.com" not in found
    assert any("numbered it anew" in f["said"] and f["verdict"] == "warn" for f in found["mailbox support"])


def test_the_days_of_a_certificate_are_counted(place: Office, doctor: Ask) -> None:
    """The server's certificate is made for two days."""
    change(place, f'port = {place.dovecot.port}\ntls = "none"',
           f'port = {place.dovecot.tls_port}\ntls = "implicit"\nca_file = "{place.dovecot.ca_file}"')  # fmt: skip
    _, found = doctor()
    (certificate,) = [f for f in found["mailbox support"] if "certificate" in f["said"]]
    assert certificate["verdict"] == "warn" and "good for 1 more days" in certificate["said"]


def test_a_certificate_nobody_vouches_for_is_a_failure(place: Office, doctor: Ask) -> None:
    change(place, f'port = {place.dovecot.port}\ntls = "none"', f'port = {place.dovecot.tls_port}\ntls = "implicit"')
    code, found = doctor()
    assert code == 1 and "certificate" in found["mailbox support"][0]["said"].lower()


def test_who_stamps_the_mails_is_looked_at(place: Office, doctor: Ask) -> None:
    stamp = "mx.corp.example; dmarc=pass header.from=huaxin.example"
    mail = write(ZHANG, "VPN 连不上。")
    mail["Authentication-Results"] = stamp
    place.arrives(mail)
    place.round()
    _, found = doctor()
    assert found["trust"][0]["verdict"] == "warn" and 'authserv_ids = ["mx.corp.example"]' in found["trust"][0]["cure"]
    change(place, "authserv_ids = []", 'authserv_ids = ["mx.other.example"]')
    code, found = doctor()
    assert code == 1 and "none of the last 1 mails" in found["trust"][0]["said"]
    assert 'authserv_ids = ["mx.corp.example"]' in found["trust"][0]["cure"]
    (kept,) = place.dovecot.raw_mails(place.user, "Handled").values()
    by = re.search(rb"^\s+by (\S+)", kept, re.MULTILINE)[1].decode()
    trusted = f'authserv_ids = ["mx.corp.example"]\nreceived_by = ["{by}"]'
    change(place, 'authserv_ids = ["mx.other.example"]', trusted)
    code, found = doctor()
    assert code == 0, found
    assert "1 of the last 1 mails have a verdict that counts" in found["trust"][0]["said"]


def test_a_server_that_can_neither_move_nor_idle_is_told(place: Office, doctor: Ask) -> None:
    with running_fake(capabilities="IMAP4rev1 UIDPLUS") as fake:
        change(place, f"port = {place.dovecot.port}", f"port = {fake.port}")
        _, found = doctor()
    assert any("no IDLE" in f["said"] and f["verdict"] == "warn" for f in found["mailbox support"])


def test_wrong_files_are_all_named_and_a_configuration_that_cannot_be_read_ends_it(place: Office, doctor: Ask) -> None:
    (place.folder / "secret").chmod(0o644)
    code, found = doctor()
    assert code == 1 and "chmod 600" in found["files"][0]["said"] and "smtp" in found
    change(place, "[smtp]", "[smtpp]")
    code, found = doctor()
    assert code == 1 and set(found) == {"files"}


@pytest.mark.parametrize(("kept", "words"), [(False, "nothing keeps"), (None, "does not say"), (True, "kept right")])
def test_the_clock(place: Office, doctor: Ask, monkeypatch: pytest.MonkeyPatch, kept: bool | None, words: str) -> None:
    monkeypatch.setattr(Clock, "kept_right", staticmethod(lambda: kept))
    _, found = doctor()
    assert words in found["clock"][0]["said"] and found["clock"][0]["verdict"] == ("ok" if kept else "warn")


def test_a_database_file_that_is_damaged_is_found(place: Office, doctor: Ask) -> None:
    for n in range(60):
        place.arrives(write(ZHANG, f"VPN 连不上 {n}。" * 50, subject=f"VPN {n}"))
    place.ticketd("run", "--once")
    with place.database.open("r+b") as file:
        size = file.seek(0, 2)
        for at in range(8 * 4096, size, 4096):
            file.seek(at)
            file.write(b"\xff" * 64)
    code, found = doctor()
    assert code == 1
    assert found["database"][0]["verdict"] == "fail" and "backup" in found["database"][0]["cure"]


def test_the_greeting_says_what_the_server_can_do(sink: SmtpSink) -> None:
    class Settings:
        host, port, tls, username, timeout, data_timeout, ca_file = "127.0.0.1", sink.port, "none", "", 5.0, 5.0, ""

        def secret(self) -> str:
            return ""

    said = greet(Settings())
    assert not said.fault and "pipelining" in said.able and said.largest > 0 and said.certificate_ends is None
    assert said != Greeting() and sink.mails == []


def test_a_stranger_who_takes_our_mark_away_is_noticed() -> None:
    found = doctor_module._judged("canary", doctor_module._Found("support", doctor_module.MailStatus.HANDLED, 7), 1.0)
    assert found.verdict == "fail" and "ticket 7" in found.said
