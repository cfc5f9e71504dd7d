"""The IMAP hand against a real Dovecot: every byte comes, nothing is touched before its time, nothing is lost."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.intake import mailbox as mailbox_module
from daemon.intake.letter import RawMail
from daemon.intake.mailbox import Fetched, Mailbox, MailboxUnreachableError, TooLarge, Vanished
from daemon.spool import Spool
from tests.servers.dovecot import PASSWORD, Dovecot, running_dovecot

pytestmark = pytest.mark.servers

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 0
    name: str = "support"
    tls: str = "none"
    username: str = "anna"
    password: str = PASSWORD
    folder: str = "INBOX"
    handled_folder: str = "Handled"
    quarantine_folder: str = "Quarantine"
    idle: bool = True
    connect_timeout: float = 10.0
    read_timeout: float = 20.0
    max_mail_bytes: int = 150 << 20
    ca_file: str = ""

    def secret(self) -> str:
        return self.password


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture(scope="module")
def secure() -> Iterator[Dovecot]:
    with running_dovecot(tls=True) as server:
        yield server


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """A user of its own for each test: nobody finds another test's mail."""
    return "u" + hashlib.sha256(request.node.name.encode()).hexdigest()[:10]


Open = Callable[..., Mailbox]


@pytest.fixture
def open_mailbox(tmp_path: Path) -> Iterator[Open]:
    opened: list[Mailbox] = []

    def open_one(server: Dovecot, user: str, connect: bool = True, **changes: object) -> Mailbox:
        settings = replace(Settings(server.host, server.port, username=user), **changes)  # type: ignore[arg-type]
        opened.append(Mailbox(settings, Spool(tmp_path / "spool"), lambda: NOW))
        if connect:
            opened[-1].connect()
        return opened[-1]

    yield open_one
    for mailbox in opened:
        mailbox.close()


def mail(subject: str, size: int = 200) -> bytes:
    head = f"Subject: {subject}\r\nFrom: a@example.com\r\n\r\n".encode()
    line = b"0123456789 some words of a mail, in a line of sixty-four\xc3\xa9 bytes\r\n"
    return head + (line * (size // len(line) + 1))[: max(0, size - len(head) - 2)] + b"\r\n"


def content(fetched: Fetched) -> bytes:
    assert isinstance(fetched, RawMail)
    raw = Path(fetched.path).read_bytes() if fetched.path else fetched.content
    assert raw is not None
    assert (fetched.size, fetched.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    return raw


def fetch_all(mailbox: Mailbox) -> list[Fetched]:
    return list(mailbox.fetch(mailbox.uids()))


# ---- looking and fetching


def test_an_empty_mailbox_is_empty(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    mailbox = open_mailbox(dovecot, user)
    assert mailbox.uids() == []
    assert fetch_all(mailbox) == []


def test_every_byte_comes_as_the_server_has_it(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    raws = [mail("one"), mail("zwei ä 三"), b"no header at all\r\n", mail("with NIL\r\nX: (UID 9 BODY[] {3}")]
    dovecot.append(user, *raws)
    dovecot.deliver(user, mail("by LMTP"))
    mailbox = open_mailbox(dovecot, user)
    fetched = fetch_all(mailbox)
    assert {f.uid: content(f) for f in fetched} == dovecot.raw_mails(user)
    assert [content(f) for f in fetched[:4]] == raws
    assert {(f.mailbox, f.uidvalidity) for f in fetched if isinstance(f, RawMail)} == {("support", mailbox.uidvalidity)}


def test_fetching_sets_no_flag(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("small"), mail("large", 3 << 20), mail("too large", 5 << 20))
    mailbox = open_mailbox(dovecot, user, max_mail_bytes=4 << 20)
    assert len(fetch_all(mailbox)) == 3
    assert [flags - {"\\Recent"} for flags in dovecot.flags(user).values()] == [set()] * 3


def test_mail_that_somebody_read_or_deleted_is_listed_all_the_same(
    dovecot: Dovecot, user: str, open_mailbox: Open
) -> None:
    dovecot.append(user, mail("read"), flags="(\\Seen)")
    dovecot.append(user, mail("deleted"), flags="(\\Deleted)")
    assert len(fetch_all(open_mailbox(dovecot, user))) == 2


def test_many_mails_come_in_order_and_batches(
    dovecot: Dovecot, user: str, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "MAILS_PER_LIST", 7)
    monkeypatch.setattr(mailbox_module, "MAILS_PER_COMMAND", 3)
    monkeypatch.setattr(mailbox_module, "BYTES_PER_COMMAND", 2000)
    monkeypatch.setattr(mailbox_module, "LARGE", 1500)
    raws = [mail(f"mail {number}", 100 + 97 * number) for number in range(25)]
    dovecot.append(user, *raws)
    fetched = fetch_all(open_mailbox(dovecot, user))
    assert [content(f) for f in fetched] == raws
    assert [isinstance(f, RawMail) and f.path is not None for f in fetched] == [len(raw) > 1500 for raw in raws]


@pytest.mark.parametrize("size", [(1 << 20) + 1, 2 << 20, (2 << 20) + 1, 4 << 20, 5_000_000])
def test_a_large_mail_comes_in_pieces_to_a_file(dovecot: Dovecot, user: str, open_mailbox: Open, size: int) -> None:
    dovecot.append(user, mail("large", size))
    (fetched,) = fetch_all(open_mailbox(dovecot, user))
    assert isinstance(fetched, RawMail)
    assert fetched.content is None
    assert content(fetched) == mail("large", size)


def test_a_mail_above_the_limit_comes_as_its_header(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("huge", 3 << 20), mail("small"))
    mailbox = open_mailbox(dovecot, user, max_mail_bytes=2 << 20)
    huge, small = fetch_all(mailbox)
    assert isinstance(huge, TooLarge)
    assert huge.header == b"Subject: huge\r\nFrom: a@example.com\r\n\r\n"
    assert huge.size == 3 << 20
    assert content(small) == mail("small")


def test_the_time_of_arrival_is_in_utc_and_never_in_the_future(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("early"), when="25-Oct-2026 02:30:00 +0200")
    dovecot.append(user, mail("an hour later"), when="25-Oct-2026 02:30:00 +0100")
    dovecot.append(user, mail("future"), when="01-Jan-2031 00:00:00 +0000")
    times = [f.received_at for f in fetch_all(open_mailbox(dovecot, user)) if isinstance(f, RawMail)]
    assert times == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        NOW,
    ]
    assert {time.tzinfo for time in times} == {UTC}


def test_a_mail_that_somebody_removed_has_vanished(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("one"), mail("two"), mail("three"))
    mailbox = open_mailbox(dovecot, user)
    uids = mailbox.uids()
    with dovecot.login(user) as imap:
        imap.select()
        imap.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    by_uid = {fetched.uid: fetched for fetched in mailbox.fetch([*uids, 99])}
    assert (by_uid[2], by_uid[99]) == (Vanished(2), Vanished(99))
    assert [content(by_uid[uid]) for uid in (1, 3)] == [mail("one"), mail("three")]


# ---- filing


WITHOUT_MOVE = "IMAP4rev1 LITERAL+ IDLE NAMESPACE UIDPLUS"
WITHOUT_BOTH = "IMAP4rev1 LITERAL+ IDLE NAMESPACE"


@pytest.fixture(scope="module", params=["", WITHOUT_MOVE], ids=["MOVE", "COPY"])
def filing_server(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with running_dovecot(capability=request.param) as server:
        yield server


def test_mails_go_to_their_folders(filing_server: Dovecot, user: str, open_mailbox: Open) -> None:
    raws = [mail(f"mail {number}") for number in range(60)]
    filing_server.append(user, *raws)
    mailbox = open_mailbox(filing_server, user)
    uids = mailbox.uids()
    assert mailbox.file(uids[:55], "handled", uidvalidity=mailbox.uidvalidity) == set(uids[:55])
    assert mailbox.file(uids[55:57], "quarantine", uidvalidity=mailbox.uidvalidity) == set(uids[55:57])
    assert mailbox.uids() == uids[57:]
    assert mailbox.problems == {}
    assert list(filing_server.raw_mails(user, "Handled").values()) == raws[:55]
    assert list(filing_server.raw_mails(user, "Quarantine").values()) == raws[55:57]


def test_filing_twice_is_harmless(filing_server: Dovecot, user: str, open_mailbox: Open) -> None:
    filing_server.append(user, mail("one"), mail("two"))
    mailbox = open_mailbox(filing_server, user)
    for _ in range(2):
        assert mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity) == {1}
    assert mailbox.uids() == [2]
    assert len(filing_server.raw_mails(user, "Handled")) == 1


def test_other_peoples_deleted_mails_survive(filing_server: Dovecot, user: str, open_mailbox: Open) -> None:
    filing_server.append(user, mail("marked by a person"), flags="(\\Deleted)")
    filing_server.append(user, mail("ours"))
    mailbox = open_mailbox(filing_server, user)
    assert mailbox.file([2], "handled", uidvalidity=mailbox.uidvalidity) == {2}
    assert filing_server.raw_mails(user) == {1: mail("marked by a person")}


def test_another_uidvalidity_files_nothing(filing_server: Dovecot, user: str, open_mailbox: Open) -> None:
    filing_server.append(user, mail("a new mail with an old number"))
    mailbox = open_mailbox(filing_server, user)
    assert mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity - 1) == set()
    assert mailbox.uids() == [1]


def test_a_folder_that_somebody_removed_is_made_again(filing_server: Dovecot, user: str, open_mailbox: Open) -> None:
    filing_server.append(user, mail("one"))
    mailbox = open_mailbox(filing_server, user)
    with filing_server.login(user) as imap:
        imap.delete("Handled")
    assert mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity) == {1}
    assert len(filing_server.raw_mails(user, "Handled")) == 1
    assert mailbox.problems == {}


def test_a_server_that_can_neither_move_nor_expunge_one_mail_gets_a_keyword(user: str, open_mailbox: Open) -> None:
    with running_dovecot(capability=WITHOUT_BOTH) as server:
        server.append(user, mail("person's"), flags="(\\Deleted)")
        server.append(user, mail("one"), mail("two"))
        mailbox = open_mailbox(server, user)
        assert mailbox.file([2], "handled", uidvalidity=mailbox.uidvalidity) == {2}
        assert mailbox.file([3], "quarantine", uidvalidity=mailbox.uidvalidity) == {3}
        flags = server.flags(user)
        mailbox.close()
    assert {uid: marks - {"\\Recent"} for uid, marks in flags.items()} == {
        1: {"\\Deleted"},
        2: {"$TicketdHandled"},
        3: {"$TicketdQuarantine"},
    }


def test_folders_are_spelt_as_the_server_wants_them(user: str, open_mailbox: Open) -> None:
    with running_dovecot(prefix="INBOX.", separator=".") as server:
        server.append(user, mail("one"))
        mailbox = open_mailbox(server, user, handled_folder="Desk/Handled", quarantine_folder="INBOX.Quarantine")
        assert mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity) == {1}
        assert server.folders(user) == ["INBOX", "INBOX.Desk", "INBOX.Desk.Handled", "INBOX.Quarantine"]
        assert len(server.raw_mails(user, "INBOX.Desk.Handled")) == 1
        mailbox.close()


def test_a_folder_with_a_chinese_name_works(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("one"))
    mailbox = open_mailbox(dovecot, user, handled_folder="已处理 & done")
    assert mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity) == {1}
    assert mailbox.uids() == []
    mailbox.connect()
    assert mailbox.problems == {}


def test_no_folder_means_that_mail_stays(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("one"))
    mailbox = open_mailbox(dovecot, user, handled_folder="", quarantine_folder="")
    assert mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity) == {1}
    assert dovecot.folders(user) == ["INBOX"]
    assert list(dovecot.raw_mails(user)) == [1]


# ---- waiting


def test_new_mail_ends_the_wait(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    mailbox = open_mailbox(dovecot, user)
    assert mailbox.uids() == []
    timer = threading.Timer(0.2, dovecot.deliver, (user, mail("news")))
    timer.start()
    assert mailbox.wait(60, threading.Event()) is True
    timer.join()
    assert mailbox.uids() == [1]


def test_mail_that_came_before_the_wait_ends_it(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    mailbox = open_mailbox(dovecot, user)
    assert mailbox.uids() == []
    dovecot.deliver(user, mail("news"))
    assert mailbox.wait(60, threading.Event()) is True


def test_a_quiet_mailbox_is_waited_for_and_the_link_stays_good(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    mailbox = open_mailbox(dovecot, user)
    mailbox.uids()
    assert mailbox.wait(0.1, threading.Event()) is False
    assert mailbox.wait(0.1, threading.Event()) is False
    assert mailbox.connected
    assert mailbox.uids() == []


@pytest.mark.parametrize("idle", [True, False])
def test_a_stop_ends_the_wait(dovecot: Dovecot, user: str, open_mailbox: Open, idle: bool) -> None:
    mailbox = open_mailbox(dovecot, user, idle=idle)
    mailbox.uids()
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    assert mailbox.wait(3600, stop) is False
    timer.join()


def test_without_idle_every_wait_may_bring_news(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    assert open_mailbox(dovecot, user, idle=False).wait(0.01, threading.Event()) is True


def test_a_server_that_goes_away_is_noticed_in_idle(user: str, open_mailbox: Open) -> None:
    with running_dovecot() as server:
        mailbox = open_mailbox(server, user)
        mailbox.uids()
        timer = threading.Timer(0.2, server.stop)
        timer.start()
        with pytest.raises(MailboxUnreachableError) as lost:
            mailbox.wait(3600, threading.Event())
        timer.join()
    assert lost.value.kind == "transport"
    assert not mailbox.connected
    with pytest.raises(MailboxUnreachableError, match="not connected"):
        mailbox.uids()


# ---- who we talk to


def test_a_wrong_password_is_a_matter_of_login(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    mailbox = open_mailbox(dovecot, user, connect=False, password="s3cret-of-ours")
    with pytest.raises(MailboxUnreachableError) as refused:
        mailbox.connect()
    assert refused.value.kind == "login"
    assert "s3cret-of-ours" not in str(refused.value)


def test_a_closed_port_is_a_matter_of_transport(open_mailbox: Open, dovecot: Dovecot, user: str) -> None:
    mailbox = open_mailbox(dovecot, user, connect=False, port=1)
    with pytest.raises(MailboxUnreachableError) as refused:
        mailbox.connect()
    assert refused.value.kind == "transport"


def test_tls_from_the_first_byte(secure: Dovecot, user: str, open_mailbox: Open) -> None:
    secure.append(user, mail("small"), mail("large", 3 << 20))
    mailbox = open_mailbox(secure, user, tls="implicit", port=secure.tls_port, ca_file=secure.ca_file)
    assert [content(f) for f in fetch_all(mailbox)] == [mail("small"), mail("large", 3 << 20)]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_idle_under_tls(secure: Dovecot, user: str, open_mailbox: Open, tls: str) -> None:
    port = secure.tls_port if tls == "implicit" else secure.port
    mailbox = open_mailbox(secure, user, tls=tls, port=port, ca_file=secure.ca_file)
    assert mailbox.uids() == []
    assert mailbox.wait(0.1, threading.Event()) is False
    timer = threading.Timer(0.2, secure.deliver, (user, mail("news")))
    timer.start()
    assert mailbox.wait(60, threading.Event()) is True
    timer.join()
    assert mailbox.uids() == [1]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure: Dovecot, user: str, open_mailbox: Open, tls: str
) -> None:
    port = secure.tls_port if tls == "implicit" else secure.port
    mailbox = open_mailbox(secure, user, connect=False, tls=tls, port=port)
    with pytest.raises(MailboxUnreachableError, match="certificate verify failed"):
        mailbox.connect()
    assert f"user=<{user}>" not in secure.log()


def test_a_server_without_starttls_gets_no_password(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    mailbox = open_mailbox(dovecot, user, connect=False, tls="starttls")
    with pytest.raises(MailboxUnreachableError, match="STARTTLS"):
        mailbox.connect()
    assert f"user=<{user}>" not in dovecot.log()


def test_a_mailbox_can_be_connected_again_and_again(dovecot: Dovecot, user: str, open_mailbox: Open) -> None:
    dovecot.append(user, mail("one"))
    mailbox = open_mailbox(dovecot, user)
    first = mailbox.uidvalidity
    for _ in range(3):
        mailbox.connect()
        assert (mailbox.uids(), mailbox.uidvalidity) == ([1], first)
        mailbox.close()
        mailbox.close()
    assert not mailbox.connected
