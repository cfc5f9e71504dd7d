"""The demo plays on real servers, verifies itself, and leaves only what it may leave."""

import imaplib
import os
import re
import signal
import smtplib
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog

from daemon import log
from daemon.cli import run_command
from daemon.config import MailboxConfig, SmtpConfig
from daemon.demo import play, story
from daemon.demo.chronicle import Scene, Shown, Summary
from daemon.demo.page import page
from daemon.demo.programs import Draft, apple_mail, foxmail, gmail, holiday_machine, outlook_zh, phone
from daemon.demo.servers import HOST, MailServers
from daemon.errors import TicketdError
from daemon.intake.letter import read_letter
from daemon.intake.mailbox import Mailbox
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Postman
from daemon.spool import Spool
from daemon.words import Nature

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SUPPORT, ANN = "support@example.com", "ann@acme.example"


@pytest.fixture(autouse=True)
def _log_to_this_test():
    """The log keeps the stream that it was configured with; commands configure it with a test's own."""
    log.configure("error")
    yield
    structlog.reset_defaults()


def demo(out: Path) -> tuple[int, str]:
    said: list[str] = []
    return play(out, serve=False, quick=True, say=said.append), "\n".join(said)


# --- the day ---


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """One day, played once for the tests that only look at it."""
    log.configure("error")
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, *demo(out)


def test_the_day_is_played_and_left_behind(day):
    out, status, said = day
    assert status == 0, said
    assert "refused (unproved)" in said and "DOES NOT HOLD" not in said

    mails = {p.name: read_letter(p.read_bytes()) for p in (out / "mails").iterdir()}
    links = re.findall(r'href="mails/([^"]+)"', (out / "story.html").read_text("utf-8"))
    assert sorted(links) == sorted(mails) and len(mails) > 40
    assert not any(letter.defects for letter in mails.values())


def test_what_is_left_is_an_ordinary_office(day, capsys):
    config = str(day[0] / "office" / "ticketd.toml")
    assert run_command(["--config", config, "ticket", "show", "1"]) == 0
    assert "archived" in capsys.readouterr().out
    assert run_command(["--config", config, "check"]) == 0


def test_it_can_be_played_again_and_leaves_what_is_not_its_own(day):
    out = day[0]
    (out / "notes.txt").write_text("mine")
    (out / "mails" / "old.eml").write_text("of the former day")

    assert demo(out)[0] == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "mails" / "old.eml").exists()


def test_a_broken_promise_is_named_and_ends_the_day(tmp_path, monkeypatch):
    def lies(office):
        office.works()
        office.expects("pigs fly", office.ticket(1).subject == "")

    scenes = (story.SCENES[0], replace(story.SCENES[1], play=lies), story.SCENES[2])
    monkeypatch.setattr(story, "SCENES", scenes)
    status, said = demo(tmp_path / "out")

    assert status == 1
    assert "DOES NOT HOLD: pigs fly" in said and "3/3" not in said
    assert "pigs fly" in (tmp_path / "out" / "story.html").read_text("utf-8")


# --- the folder ---


def test_a_folder_of_somebody_else_is_not_touched(tmp_path, capsys):
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "thesis.txt").write_text("years of work")

    assert run_command(["demo", "--quick", "--out", str(tmp_path)]) == 1
    assert "not a former demo" in capsys.readouterr().err
    assert (tmp_path / "mails" / "thesis.txt").read_text() == "years of work"


def test_a_link_to_somewhere_else_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with pytest.raises(TicketdError, match="is no folder"):
        demo(tmp_path / "out")


def test_two_demos_do_not_play_in_one_folder(tmp_path):
    out = tmp_path / "out"
    refusals: list[str] = []

    def say(line: str) -> None:
        if not refusals:
            refusals.append("")
            with pytest.raises(TicketdError, match="another demo is playing"):
                demo(out)
            refusals[0] = line

    assert play(out, serve=False, quick=True, say=say) == 0
    assert refusals[0]


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "daemon.demo.servers")
    monkeypatch.setitem(sys.modules, "pymap.backend.dict", None)

    assert run_command(["demo", "--out", str(tmp_path / "out")]) == 1
    assert "pip install 'ticketd[demo]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- the servers ---


@pytest.fixture
def servers():
    with MailServers([SUPPORT, ANN], "demo", lambda: NOON) as running:
        yield running


@pytest.fixture
def link(servers, tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO_PASSWORD", "demo")
    settings = MailboxConfig(
        name="support", host=HOST, port=servers.imap_port, tls="none", username=SUPPORT, password_env="DEMO_PASSWORD"
    )
    mailbox = Mailbox(settings, Spool(tmp_path / "spool"), lambda: NOON)
    mailbox.connect()
    yield mailbox
    mailbox.close()


def send(servers, to: str, content: bytes = b"From: a@b.example\r\nSubject: x\r\n\r\nh\xc3\xa4llo\r\n.\r\nend\r\n"):
    postman = Postman(SmtpConfig(host=HOST, port=servers.smtp_port, tls="none"))
    fate = postman.send(
        OutgoingMail(message_id="<1@b>", envelope_from="support+b1@example.com", to=to, content=content)
    )
    postman.close()
    return content, fate


def test_mail_to_a_plus_address_lies_in_the_mailbox_byte_for_byte(servers, link):
    content, fate = send(servers, "support+a1-x@example.com")
    link.noop()
    (raw,) = link.fetch(link.uids())

    assert fate.outcome == "sent"
    assert raw.content.endswith(content) and raw.received_at == NOON
    assert b"Delivered-To: support+a1-x@example.com" in raw.content
    assert link.file([raw.uid], "handled", uidvalidity=link.uidvalidity) == {raw.uid}
    assert link.uids() == []


def test_new_mail_wakes_a_listener(servers, link):
    assert link.uids() == []
    sender = threading.Timer(0.3, send, (servers, SUPPORT))
    sender.start()
    assert link.wait(20, threading.Event())
    sender.join()
    assert len(link.uids()) == 1


def test_a_full_mailbox_sends_its_mail_back(servers, link):
    servers.full.add(ANN)
    send(servers, ANN)
    assert servers.arrived == []
    assert servers.run_queue() == 1 and servers.run_queue() == 0
    (back,) = servers.arrived
    letter = read_letter(back.content)

    assert (back.sender, back.to) == ("", "support+b1@example.com")
    assert letter.nature is Nature.BOUNCE and letter.bounce is not None
    assert [(r.address, r.permanent, r.status) for r in letter.bounce.recipients] == [(ANN, True, "5.2.2")]


def test_a_wrong_password_opens_nothing(servers):
    client = imaplib.IMAP4(HOST, servers.imap_port)
    with pytest.raises(imaplib.IMAP4.error):
        client.login(SUPPORT, "guess")
    client.shutdown()


# --- the mail programs ---

OURS = "\r\n".join(
    ["From: Example Support <support@example.com>", "To: ann@acme.example", "Reply-To: support+a1-x@example.com",
     "Message-ID: <n1.a1-x@example.com>", "References: <first@acme.example>", "Date: Mon, 23 Nov 2026 11:00:00 +0800",
     "Subject: [INC-1] VPN", "", "##- please reply above this line -##", "", "Solved.", "#confirm works too", ""]
).encode()  # fmt: skip


@pytest.mark.parametrize("program", [outlook_zh, foxmail, gmail, apple_mail, phone])
@pytest.mark.parametrize("words", ["#已解决 换了证书", "#resolve changed the certificate"])
def test_every_program_quotes_so_that_only_the_new_words_count(program, words):
    draft = Draft(name="王伟", address=ANN, to="support+a1-x@example.com", subject="[INC-1] VPN", words=words,
                  at=NOON, answers=read_letter(OURS))  # fmt: skip
    letter = read_letter(bytes(program(draft)))

    assert letter.new_text.startswith(words) and "#confirm" not in letter.new_text
    assert "Solved." in letter.quoted_text
    assert letter.in_reply_to == ("n1.a1-x@example.com",) and letter.nature is Nature.HUMAN
    assert letter.references == ("first@acme.example", "n1.a1-x@example.com")
    assert [(a.name, a.address) for a in letter.senders] == [("王伟", ANN)]


def test_the_holiday_machine_is_seen_through():
    draft = Draft(name="Ann", address=ANN, to=SUPPORT, subject="[INC-1] VPN", words="I am away.", at=NOON)
    assert read_letter(bytes(holiday_machine(draft))).nature is Nature.AUTOMATIC


# --- the page ---


def test_nothing_that_people_write_becomes_markup():
    evil = "<script>alert(1)</script>\"'&"
    mail = Shown(at=NOON, side="customer", sender=evil, to=evil, address=ANN, subject=evil, words=evil, quoted=evil,
                 file=evil, incoming=True)  # fmt: skip
    scene = Scene(at=NOON, title=evil, mails=[mail, replace(mail, incoming=False)], held=[evil], broken=evil)
    summary = Summary(day=evil, numbers=((evil, evil),), columns=(evil,), tickets=((evil,),), refused=(evil,))
    told = page([scene], summary)

    assert "<script" not in told and "&lt;script&gt;" in told
    assert f'mails/{evil}"' not in told


# --- serving ---


def _as_a_background_job() -> None:
    """A shell starts what it puts in the background with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_served_the_daemon_goes_on_answering_a_mail_client(tmp_path, ending):
    command = [sys.executable, "-m", "daemon", "demo", "--quick", "--serve", "--out", str(tmp_path / "out")]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=env, encoding="utf-8", preexec_fn=_as_a_background_job
    ) as process:
        imap_port, smtp_port = (_port(process, name) for name in ("IMAP", "SMTP"))
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "张三 <zhang.san@huaxin.example>", SUPPORT, "打印机卡纸"
        mail["Message-ID"] = "<served@huaxin.example>"
        mail.set_content("三楼打印机卡纸。")
        with smtplib.SMTP(HOST, smtp_port) as client:
            client.send_message(mail)
        subjects = _subjects_until(imap_port, b"[INC-3]", seconds=30)
        process.send_signal(ending)
        rest = process.stdout.read()
        assert process.wait(30) == 0
    assert any(b"[INC-3]" in s for s in subjects) and "closed" in rest


def _port(process, name: str) -> int:
    for line in process.stdout:
        if found := re.search(rf"{name}\s+127\.0\.0\.1 port (\d+)", line):
            return int(found[1])
    raise AssertionError(f"the demo never said where {name} is")


def _subjects_until(port: int, wanted: bytes, seconds: float) -> list[bytes]:
    until = time.monotonic() + seconds
    client = imaplib.IMAP4(HOST, port)
    client.login("zhang.san@huaxin.example", "demo")
    while True:
        client.select("INBOX")
        _, answers = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT MESSAGE-ID REFERENCES)])")
        subjects = [read_letter(a[1]).subject.encode() for a in answers if isinstance(a, tuple)]
        if any(wanted in s for s in subjects) or time.monotonic() > until:
            client.logout()
            return subjects
        time.sleep(0.3)
