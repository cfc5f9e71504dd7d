"""The IMAP hand against a server that fails in every way we know of: nothing is lost, nothing waits for ever.

Each test that would hang without the code under test ends all the same: the fake hangs up after MUTE_SECONDS, and
the message then says so instead of naming the deadline.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.errors import UnreachableError
from daemon.intake import mailbox as mailbox_module
from daemon.intake import wire as wire_module
from daemon.intake.letter import RawMail
from daemon.intake.mailbox import Fetched, Mailbox, MailboxUnreachableError, TooLarge, Unreadable, Vanished
from daemon.spool import Spool
from tests.servers.fake_imap import (
    Answer,
    FakeImap,
    Session,
    after_this,
    drips,
    hangs_up,
    idles,
    mute,
    running_fake,
    says,
    sends,
)
from tests.test_mailbox import NOW, Settings, content, fetch_all

ONE, TWO, THREE = (f"Subject: {name}\r\n\r\nI am {name}.\r\n".encode() for name in ("one", "two", "three"))
IN_TIME = "no complete answer|timed out"
QUIET = threading.Event()

Open = Callable[..., Mailbox]


@pytest.fixture
def fake() -> Iterator[FakeImap]:
    with running_fake(ONE, TWO, THREE) as server:
        yield server


@pytest.fixture
def open_mailbox(tmp_path: Path) -> Iterator[Open]:
    opened: list[Mailbox] = []

    def open_one(server: FakeImap, connect: bool = True, **changes: object) -> Mailbox:
        given: dict[str, object] = {"connect_timeout": 0.3, "read_timeout": 0.4, **changes}
        settings = Settings(server.host, server.port, **given)  # type: ignore[arg-type]
        opened.append(Mailbox(settings, Spool(tmp_path / "spool"), lambda: NOW))
        if connect:
            opened[-1].connect()
        return opened[-1]

    yield open_one
    for mailbox in opened:
        mailbox.close()


def lost(call: Callable[[], object], match: str | None = None) -> MailboxUnreachableError:
    with pytest.raises(MailboxUnreachableError, match=match) as caught:
        call()
    return caught.value


def contents(fetched: list[Fetched]) -> dict[int, bytes]:
    return {one.uid: content(one) for one in fetched if isinstance(one, RawMail)}


# ---- silence, in every state


@pytest.mark.parametrize("state", ["CAPABILITY", "LOGIN", "NAMESPACE", "LIST", "CREATE", "SELECT"])
def test_silence_while_connecting_ends_in_time(fake: FakeImap, open_mailbox: Open, state: str) -> None:
    fake.always(state, mute)
    mailbox = open_mailbox(fake, connect=False)
    assert lost(mailbox.connect, IN_TIME).kind == "transport"
    fake.normally()
    mailbox.connect()
    assert mailbox.uids() == [1, 2, 3]


def test_a_server_that_does_not_greet(fake: FakeImap, open_mailbox: Open) -> None:
    fake.greeting = mute
    lost(open_mailbox(fake, connect=False).connect, IN_TIME)


@pytest.mark.parametrize("state", ["UID SEARCH", "UID FETCH", "NOOP", "UID MOVE"])
def test_silence_while_working_ends_in_time(fake: FakeImap, open_mailbox: Open, state: str) -> None:
    mailbox = open_mailbox(fake)
    calls: dict[str, Callable[[], object]] = {
        "UID SEARCH": mailbox.uids,
        "UID FETCH": lambda: list(mailbox.fetch([1])),
        "NOOP": mailbox.noop,
        "UID MOVE": lambda: mailbox.file([1], "handled", uidvalidity=7),
    }
    fake.always(state, mute)
    lost(calls[state], IN_TIME)
    assert not mailbox.connected
    fake.normally()
    mailbox.connect()
    assert contents(fetch_all(mailbox)) == {1: ONE, 2: TWO, 3: THREE}


def test_silence_in_the_middle_of_a_mail(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID FETCH", after_this("UID FETCH", lambda *_: None))
    fake.next("UID FETCH", sends(b"* 1 FETCH (UID 1 BODY[] {4000}\r\nSubject: o", mute))
    lost(lambda: list(mailbox.fetch([1, 2])), IN_TIME)
    mailbox.connect()
    assert contents(fetch_all(mailbox)) == {1: ONE, 2: TWO, 3: THREE}


@pytest.mark.parametrize("state", ["IDLE", "DONE"])
def test_silence_around_idle(fake: FakeImap, open_mailbox: Open, state: str) -> None:
    mailbox = open_mailbox(fake)
    mailbox.uids()
    fake.always(state, mute)
    lost(lambda: mailbox.wait(0.05, QUIET), IN_TIME)


def test_silence_at_the_end(fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_module, "LOGOUT_PATIENCE", 0.1)
    mailbox = open_mailbox(fake)
    fake.always("LOGOUT", mute)
    mailbox.close()
    assert not mailbox.connected


def test_a_stop_is_not_held_up_by_a_silent_server(
    fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "STOP_PATIENCE", 0.2)
    mailbox = open_mailbox(fake, read_timeout=3600.0)
    mailbox.uids()
    fake.always("DONE", mute)
    stop = threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    assert mailbox.wait(3600, stop) is False
    timer.join()
    assert not mailbox.connected


# ---- one byte now and then


def test_a_dripping_answer_ends_at_the_deadline(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID SEARCH", drips(b"* SEARCH " + b"1 " * 200, 0.05))
    lost(mailbox.uids, "no complete answer within 0 s")


def test_a_dripping_greeting_ends_at_the_deadline(fake: FakeImap, open_mailbox: Open) -> None:
    fake.greeting = drips(b"* OK " + b"h" * 300, 0.05)
    lost(open_mailbox(fake, connect=False).connect, "no complete answer within 1 s")


def test_a_dripping_tls_handshake_ends_at_the_deadline(fake: FakeImap, open_mailbox: Open) -> None:
    fake.greeting = drips(b"\x16\x03\x03\x40\x00" + b"\x02" * 300, 0.05)
    lost(open_mailbox(fake, connect=False, tls="implicit").connect, IN_TIME)


def test_slow_is_not_dead(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake, read_timeout=10.0)
    fake.next("UID SEARCH", drips(b"* SEARCH 1 2 3\r\n{tag} OK done\r\n", 0.005))
    assert mailbox.uids() == [1, 2, 3]


# ---- hanging up


@pytest.mark.parametrize("state", ["LOGIN", "SELECT", "UID SEARCH", "UID FETCH", "UID MOVE", "IDLE"])
def test_a_hang_up_is_weather(fake: FakeImap, open_mailbox: Open, state: str) -> None:
    mailbox = open_mailbox(fake, connect=False)

    def session() -> None:
        mailbox.connect()
        list(mailbox.fetch(mailbox.uids()))
        mailbox.wait(0.05, QUIET)
        mailbox.file([1], "handled", uidvalidity=7)

    fake.next(state, hangs_up)
    assert lost(session).kind == "transport"
    session()


@pytest.mark.parametrize("last_words", [b"", b"* BYE shutting down\r\n", b"* 4 EXI"])
def test_a_hang_up_in_idle_is_noticed(fake: FakeImap, open_mailbox: Open, last_words: bytes) -> None:
    mailbox = open_mailbox(fake)
    mailbox.uids()
    fake.next("IDLE", sends(b"+ idling\r\n" + last_words, hangs_up))
    lost(lambda: mailbox.wait(3600, QUIET))
    assert not mailbox.connected


def test_a_cut_inside_a_mail_brings_no_mail(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    whole = b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%s)\r\n{tag} OK done\r\n" % (len(ONE), ONE)
    for end in range(0, len(whole) - 2, 3):
        fake.next("UID FETCH", after_this("UID FETCH", lambda *_: None), sends(whole[:end], hangs_up))
        got: list[Fetched] = []
        with pytest.raises(UnreachableError):
            got.extend(mailbox.fetch([1]))
        assert got == []
        mailbox._doubts.clear()
        mailbox.connect()
    assert contents(list(mailbox.fetch([1]))) == {1: ONE}


def test_a_thousand_failures_leave_no_socket_behind(fake: FakeImap, open_mailbox: Open) -> None:
    fake.always("SELECT", says("{tag} NO not today"))
    mailbox = open_mailbox(fake, connect=False)
    lost(mailbox.connect)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        lost(mailbox.connect)
    while fake.sessions:  # the server's half closes a moment later
        threading.Event().wait(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before
    assert threading.active_count() < 20


# ---- who is to blame


@pytest.mark.parametrize(
    ("command", "answer", "kind", "wish"),
    [
        ("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] Invalid credentials", "login", None),
        ("LOGIN", "{tag} NO LOGIN failed.", "login", None),
        ("LOGIN", "{tag} NO [UNAVAILABLE] Temporary authentication failure", "transport", None),
        ("LOGIN", "{tag} NO [ALERT] Too many simultaneous connections. (Failure)", "throttled", None),
        ("LOGIN", "{tag} NO [LIMIT] mail_max_userip_connections reached", "throttled", None),
        (
            "LOGIN",
            "{tag} BAD Request is throttled. Suggested Backoff Time: 299962 milliseconds",
            "throttled",
            299.962,
        ),
        ("LOGIN", "* BYE Suggested Backoff Time: 1000 milliseconds", "throttled", 1.0),
        ("SELECT", "{tag} BAD User is authenticated but not connected.", "throttled", None),
        ("SELECT", "{tag} NO [OVERQUOTA] Account exceeded bandwidth limits", "throttled", None),
        ("SELECT", "{tag} NO [SERVERBUG] Internal error", "transport", None),
        ("SELECT", "* BYE Internal error", "transport", None),
        ("UID SEARCH", "{tag} BAD Error in IMAP command", "transport", None),
        ("UID SEARCH", "{tag} NO try again later", "throttled", None),
    ],
)
def test_a_refusal_is_of_a_kind(
    fake: FakeImap, open_mailbox: Open, command: str, answer: str, kind: str, wish: float | None
) -> None:
    mailbox = open_mailbox(fake, connect=False)
    fake.next(command, says(answer))

    def session() -> list[int]:
        mailbox.connect()
        return mailbox.uids()

    error = lost(session)
    assert (error.kind, error.wish) == (kind, wish)
    assert session() == [1, 2, 3]


def test_login_failures_end_when_the_server_lets_us_in_again(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake, connect=False)
    fake.next("LOGIN", *[says("{tag} NO [AUTHENTICATIONFAILED] no")] * 5)
    for _ in range(5):
        assert lost(mailbox.connect).kind == "login"
    mailbox.connect()
    assert mailbox.uids() == [1, 2, 3]


def test_names_and_passwords_are_quoted(fake: FakeImap, open_mailbox: Open) -> None:
    open_mailbox(fake, username='an "na', password='p\\a"ss word')
    assert fake.asked("LOGIN") == ['LOGIN "an \\"na" "p\\\\a\\"ss word"']


@pytest.mark.parametrize("password", ["pässword 密码", "line\r\nbreak"])
def test_a_password_that_login_cannot_carry_goes_by_plain(fake: FakeImap, open_mailbox: Open, password: str) -> None:
    import base64

    open_mailbox(fake, password=password)
    (sent,) = fake.asked("(SASL)")
    assert base64.b64decode(sent.split(" ")[1]).decode() == f"\0anna\0{password}"
    assert fake.asked("LOGIN") == []


def test_without_tls_only_this_machine_is_talked_to(
    fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "_is_loopback", lambda sock: False)
    lost(open_mailbox(fake, connect=False).connect, "only made to this very machine")
    assert fake.log == []


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.1", False), ("fe80::1%eth0", False)],
)
def test_what_this_machine_is(address: str, loopback: bool) -> None:
    class Peer:
        def getpeername(self) -> tuple[str, int]:
            return address, 143

    assert wire_module._is_loopback(Peer()) is loopback  # type: ignore[arg-type]


def test_a_server_that_logs_us_in_before_starttls_is_refused(fake: FakeImap, open_mailbox: Open) -> None:
    fake.capabilities += " STARTTLS"
    fake.greeting = says("* PREAUTH welcome")
    lost(open_mailbox(fake, connect=False, tls="starttls").connect)
    assert fake.asked("LOGIN") == []


def test_a_ca_file_that_is_not_there_is_said(fake: FakeImap, open_mailbox: Open) -> None:
    fake.capabilities += " STARTTLS"
    for tls in ("implicit", "starttls"):
        fake.next("STARTTLS", says("{tag} OK go on"))
        lost(open_mailbox(fake, connect=False, tls=tls, ca_file="/nowhere/ca.pem").connect, "No such file")
    assert fake.asked("LOGIN") == []


def test_tls_has_no_fallback(fake: FakeImap, open_mailbox: Open) -> None:
    lost(open_mailbox(fake, connect=False, tls="implicit").connect)
    assert fake.asked("LOGIN") == []


def test_the_usual_authorities_are_asked(open_mailbox: Open, fake: FakeImap) -> None:
    context = open_mailbox(fake, connect=False)._context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


# ---- strange answers to FETCH


def once_body(answer: bytes) -> list[Answer]:
    """Give honest sizes, and then this body."""
    return [after_this("UID FETCH", lambda *_: None), sends(answer)]


NO_BODIES = [
    b"* 1 FETCH (UID 1 BODY[] NIL)\r\n{tag} OK done\r\n",
    b'* 1 FETCH (UID 1 BODY[] "")\r\n{tag} OK done\r\n',
    b"* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n{tag} OK done\r\n",
    b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n{tag} OK done\r\n",
    b"* 1 FETCH (UID 1 BODY[] 12)\r\n{tag} OK done\r\n",
    b"{tag} OK done\r\n",
    b"{tag} NO some messages could not be fetched\r\n",
]


@pytest.mark.parametrize("answer", NO_BODIES)
def test_a_body_that_is_missing_once_is_asked_for_again(fake: FakeImap, open_mailbox: Open, answer: bytes) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID FETCH", *once_body(answer))
    assert contents(list(mailbox.fetch([1]))) == {1: ONE}
    assert fake.accepted == 1


@pytest.mark.parametrize("answer", NO_BODIES)
def test_a_body_that_is_missing_twice_is_unreadable_and_no_empty_mail(
    fake: FakeImap, open_mailbox: Open, answer: bytes
) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID FETCH", *once_body(answer), sends(answer))
    one, two, three = mailbox.fetch([1, 2, 3])
    assert isinstance(one, Unreadable)
    assert contents([two, three]) == {2: TWO, 3: THREE}


def test_a_mail_that_vanishes_between_size_and_body(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)

    def remove(session: Session, tag: str, rest: str) -> None:
        del fake.inbox[2]

    fake.next("UID FETCH", after_this("UID FETCH", remove))
    assert {one.uid: type(one) for one in mailbox.fetch([1, 2, 3])} == {1: RawMail, 2: Vanished, 3: RawMail}


def test_a_large_mail_that_vanishes_between_pieces(
    fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "PIECE", 10)
    mailbox = open_mailbox(fake)
    mailbox._doubts[1] = 1

    def remove(session: Session, tag: str, rest: str) -> None:
        del fake.inbox[1]

    honest = after_this("UID FETCH", lambda *_: None)
    fake.next("UID FETCH", honest, honest, after_this("UID FETCH", remove))  # facts, a piece, a piece
    assert list(mailbox.fetch([1])) == [Vanished(1)]
    assert [path for path in mailbox._spool.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("claimed", [0, 1, len(ONE) - 1, len(ONE) + 1, 4_000_000])
@pytest.mark.parametrize("piece", [7, len(ONE), 4096])
def test_a_server_that_errs_about_the_size_delivers_whole_mails(
    fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch, claimed: int, piece: int
) -> None:
    monkeypatch.setattr(mailbox_module, "PIECE", piece)
    fake.inbox[1].size = claimed
    mailbox = open_mailbox(fake)
    mailbox._doubts[2] = 1  # this one is fetched in pieces in spite of its size
    fake.inbox[2].size = claimed
    assert contents(list(mailbox.fetch([1, 2, 3]))) == {1: ONE, 2: TWO, 3: THREE}


def test_a_mail_that_is_larger_than_it_claims_meets_the_limit(
    fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "PIECE", 1000)
    uid = fake.put(b"Subject: liar\r\n\r\n" + b"x" * 50_000, size=0)
    mailbox = open_mailbox(fake, max_mail_bytes=5000)
    (fetched,) = mailbox.fetch([uid])
    assert isinstance(fetched, TooLarge)
    assert fetched.header == b"Subject: liar"


def test_answers_that_nobody_asked_for_are_passed_over(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    noise = b"* 2 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (UID 3 BODY[] {3}\r\nxyz)\r\n* 9 EXPUNGE\r\n"
    fake.next("UID FETCH", sends(noise, after_this("UID FETCH", lambda *_: None)))
    fake.next("UID FETCH", sends(noise, after_this("UID FETCH", lambda *_: None)))
    assert contents(list(mailbox.fetch([1, 2]))) == {1: ONE, 2: TWO}


@pytest.mark.parametrize("date", ["NIL", '"rubbish"', '"31-Feb-2026 00:00:00 +0000"', '""'])
def test_a_strange_date_of_arrival_is_now(fake: FakeImap, open_mailbox: Open, date: str) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID FETCH", says(f"* 1 FETCH (UID 1 RFC822.SIZE 30 INTERNALDATE {date})", "{tag} OK done"))
    (one,) = mailbox.fetch([1])
    assert isinstance(one, RawMail)
    assert one.received_at == NOW


@pytest.mark.parametrize(
    "answer",
    [
        b"* 2 FETCH (UID 2 BODY[] {999999999999}\r\nx",
        b"* 2 FETCH (UID 2 BODY[] {5}\r\nhello {3}\r\nabc\r\n{tag} OK done\r\n",
        b'* 2 FETCH (UID 2 BODY[] "secret words of a mail\r\n{tag} OK done\r\n',
        b"* 2 FETCH (UID two BODY[] NIL)\r\n{tag} OK done\r\n",
        b"* 2 FETCH secret words of a mail\r\n{tag} OK done\r\n",
        b"secret words of a mail\r\n",
        b"* 2 FETCH (UID 2 BODY[]\r\n{tag} OK done\r\n",
    ],
)
def test_a_mail_that_breaks_the_link_holds_up_no_other(fake: FakeImap, open_mailbox: Open, answer: bytes) -> None:
    """The whole batch fails first; then mails come alone, the culprit last, and at the end it is set aside."""
    mailbox = open_mailbox(fake)

    def poisoned(session: Session, tag: str, rest: str) -> None:
        if "BODY" in rest and "2" in rest.split()[0].split(","):
            sends(answer)(session, tag, rest)
        else:
            session.default(tag, "UID FETCH", rest)

    fake.always("UID FETCH", poisoned)
    rounds: list[list[Fetched]] = []
    said: list[str] = []
    for _ in range(8):
        rounds.append([])
        try:
            rounds[-1].extend(mailbox.fetch([1, 2, 3]))
            break
        except MailboxUnreachableError as error:
            said.append(f"{error.kind} {error}")
            mailbox.connect()
    assert [text for text in said if "secret" in text or not text.startswith("transport")] == []
    assert contents(rounds[2]) == {1: ONE, 3: THREE}
    assert [one.uid for one in rounds[-1] if isinstance(one, Unreadable)] == [2]
    assert contents(rounds[-1]) == {1: ONE, 3: THREE}


def test_malformed_facts_about_a_mail_do_not_keep_it_from_us(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)

    def poisoned(session: Session, tag: str, rest: str) -> None:
        if "SIZE" in rest and "2" in rest.split()[0].split(","):
            session.send("* 2 FETCH (UID 2 RFC822.SIZE (( INTERNALDATE)", f"{tag} OK done")
        else:
            session.default(tag, "UID FETCH", rest)

    fake.always("UID FETCH", poisoned)
    for _ in range(2):
        lost(lambda: list(mailbox.fetch([1, 2, 3])))
        mailbox.connect()
    assert contents(list(mailbox.fetch([1, 2, 3]))) == {1: ONE, 2: TWO, 3: THREE}


def test_throttling_is_no_mails_fault(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    for _ in range(6):
        fake.next("UID FETCH", after_this("UID FETCH", lambda *_: None), says("* BYE Too many bytes today"))
        assert lost(lambda: list(mailbox.fetch([1]))).kind == "throttled"
        mailbox.connect()
    assert contents(list(mailbox.fetch([1]))) == {1: ONE}


def test_endless_chatter_is_cut(fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_module, "SLACK", 100_000)
    mailbox = open_mailbox(fake, read_timeout=10.0)

    def chatter(session: Session, tag: str, rest: str) -> None:
        while True:
            session.send_bytes(b"* OK still here\r\n" * 10_000)

    fake.next("UID FETCH", chatter)
    lost(lambda: list(mailbox.fetch([1])), "more than it was asked for")


# ---- lists


@pytest.mark.parametrize(
    ("answer", "uids"),
    [
        (b"* SEARCH 3 1 2 2\r\n{tag} OK done\r\n", [1, 2, 3]),
        (b"* SEARCH\r\n{tag} OK done\r\n", []),
        (b"{tag} OK done\r\n", []),
        (b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1, 200_000)) + b"\r\n{tag} OK done\r\n", None),
    ],
)
def test_lists_of_uids(fake: FakeImap, open_mailbox: Open, answer: bytes, uids: list[int] | None) -> None:
    mailbox = open_mailbox(fake, read_timeout=10.0)
    fake.next("UID SEARCH", sends(answer))
    assert mailbox.uids() == (list(range(1, 200_000)) if uids is None else uids)


@pytest.mark.parametrize(
    "answer",
    [
        b"* SEARCH 1 2 3\r\n{tag} NO [SERVERBUG] cannot\r\n",
        b"* SEARCH 1 2 3\r\n{tag} BAD what?\r\n",
        b"* SEARCH one two\r\n{tag} OK done\r\n",
        b"* SEARCH 1 2\r\n* SEARCH 3\r\n{tag} OK done\r\n",
        b"* SEARCH \xff\r\n{tag} OK done\r\n",
    ],
)
def test_a_list_counts_only_when_the_server_says_ok(fake: FakeImap, open_mailbox: Open, answer: bytes) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID SEARCH", sends(answer))
    assert lost(mailbox.uids).kind == "transport"


# ---- UIDVALIDITY


def test_a_change_of_uidvalidity_ends_the_link(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    assert mailbox.uidvalidity == 7
    fake.uidvalidity = 8
    fake.next("NOOP", says("* OK [UIDVALIDITY 8] changed", "{tag} OK done"))
    lost(mailbox.noop, "UIDVALIDITY changed")
    mailbox.connect()
    assert mailbox.uidvalidity == 8


def test_old_uids_are_never_filed_under_a_new_uidvalidity(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    fake.uidvalidity = 8
    mailbox.connect()
    asked = len(fake.log)
    assert mailbox.file([1, 2], "handled", uidvalidity=7) == set()
    assert fake.log[asked:] == []


def test_a_folder_without_uidvalidity_is_not_used(fake: FakeImap, open_mailbox: Open) -> None:
    fake.next("SELECT", says("* 3 EXISTS", "{tag} OK [READ-WRITE] done"))
    lost(open_mailbox(fake, connect=False).connect, "UIDVALIDITY")


# ---- filing


def file_first(mailbox: Mailbox) -> set[int]:
    return mailbox.file([1], "handled", uidvalidity=mailbox.uidvalidity)


@pytest.fixture
def copying() -> Iterator[FakeImap]:
    with running_fake(ONE, TWO, THREE, capabilities="IMAP4rev1 UIDPLUS NAMESPACE") as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_is_ever_expunged_wholesale(request: pytest.FixtureRequest) -> Iterator[None]:
    used = [name for name in ("fake", "copying") if name in request.fixturenames]
    servers = [request.getfixturevalue(name) for name in used]
    yield
    for server in servers:
        assert server.asked("EXPUNGE") == []
        assert server.asked("CLOSE") == []  # closing a folder expunges too


def test_a_refused_move_leaves_the_mail_and_is_told(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID MOVE", says("{tag} NO [OVERQUOTA] full"))
    assert file_first(mailbox) == set()
    assert "OVERQUOTA" in mailbox.problems["Handled"]
    assert sorted(fake.inbox) == [1, 2, 3]
    assert file_first(mailbox) == {1}
    assert mailbox.problems == {}


def test_a_move_that_did_nothing_is_not_done(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    fake.next("UID MOVE", says("{tag} OK done"))
    assert file_first(mailbox) == set()
    assert file_first(mailbox) == {1}


def test_a_link_lost_after_the_move_is_repeated_without_harm(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)

    def moves_and_hangs_up(session: Session, tag: str, rest: str) -> None:
        session._copy(rest)
        session._remove([1])
        hangs_up(session, tag, rest)

    fake.next("UID MOVE", moves_and_hangs_up)
    lost(lambda: file_first(mailbox))
    mailbox.connect()
    assert file_first(mailbox) == {1}
    assert [one.raw for one in fake.folders["Handled"].values()] == [ONE]


@pytest.mark.parametrize("refusal", ["[OVERQUOTA] full", "[TRYCREATE] no such folder", "cannot"])
def test_a_refused_copy_removes_nothing(copying: FakeImap, open_mailbox: Open, refusal: str) -> None:
    mailbox = open_mailbox(copying)
    copying.always("UID COPY", says("{tag} NO " + refusal))
    assert file_first(mailbox) == set()
    assert mailbox.problems.keys() == {"Handled"}
    assert copying.asked("UID STORE") == copying.asked("UID EXPUNGE") == []
    assert copying.inbox[1].flags == set()


@pytest.mark.parametrize("state", ["UID COPY", "UID STORE", "UID EXPUNGE"])
def test_a_link_lost_while_copying_loses_no_mail(copying: FakeImap, open_mailbox: Open, state: str) -> None:
    mailbox = open_mailbox(copying)
    copying.next(state, hangs_up)
    lost(lambda: file_first(mailbox))
    mailbox.connect()
    assert file_first(mailbox) == {1}
    assert sorted(copying.inbox) == [2, 3]
    assert [one.raw for one in copying.folders["Handled"].values()] == [ONE]


@pytest.mark.parametrize("state", ["UID STORE", "UID EXPUNGE"])
def test_a_mail_that_cannot_be_removed_is_copied_once(copying: FakeImap, open_mailbox: Open, state: str) -> None:
    mailbox = open_mailbox(copying)
    copying.always(state, says("{tag} NO not permitted"))
    assert file_first(mailbox) == {1}
    assert len(copying.folders["Handled"]) == 1
    assert 1 in copying.inbox


@pytest.mark.parametrize(
    ("permanent", "stores"),
    [(r"\Deleted \*", ["UID STORE 1 +FLAGS.SILENT ($TicketdHandled)"]), (r"\Seen", [])],
)
def test_a_server_that_can_do_neither_is_left_as_it_is(open_mailbox: Open, permanent: str, stores: list[str]) -> None:
    with running_fake(ONE, capabilities="IMAP4rev1", permanent_flags=permanent) as server:
        mailbox = open_mailbox(server)
        assert file_first(mailbox) == {1}
        assert server.asked("UID STORE") == stores
        assert [line for line in server.log if "COPY" in line or "EXPUNGE" in line] == []
        mailbox.close()


def test_a_folder_that_cannot_be_made_is_told_and_mail_comes_in_all_the_same(
    fake: FakeImap, open_mailbox: Open
) -> None:
    fake.always("CREATE", says("{tag} NO [NOPERM] not here"))
    mailbox = open_mailbox(fake)
    assert set(mailbox.problems) == {"Handled", "Quarantine"}
    assert contents(fetch_all(mailbox)) == {1: ONE, 2: TWO, 3: THREE}
    assert file_first(mailbox) == {1}
    assert sorted(fake.inbox) == [1, 2, 3]
    assert fake.asked("UID STORE") == ["UID STORE 1 +FLAGS.SILENT ($TicketdHandled)"]


def test_a_server_without_folders_in_folders(open_mailbox: Open) -> None:
    with running_fake(ONE, capabilities="IMAP4rev1 MOVE") as server:
        server.next("LIST", says('* LIST (\\Noselect) NIL ""', "{tag} OK done"))
        mailbox = open_mailbox(server)
        assert file_first(mailbox) == {1}
        assert len(server.folders["Handled"]) == 1
        mailbox.close()


# ---- IDLE


@pytest.mark.parametrize(
    "pieces",
    [
        [b"+ idling\r\n", b"* 4 EXISTS\r\n"],
        [b"+ idling\r\n* 4 EXISTS\r\n"],
        [b"* 4 EXISTS\r\n+ idling\r\n"],
        [b"+ idling\r\n", b"* 4 EXI", b"STS\r\n"],
        [b"+ idling\r\n", b"* OK Still here\r\n", b"* 2 EXPUNGE\r\n* 3 EXISTS\r\n* 1 RECENT\r\n"],
    ],
)
def test_news_is_heard_however_it_is_cut(fake: FakeImap, open_mailbox: Open, pieces: list[bytes]) -> None:
    mailbox = open_mailbox(fake, read_timeout=5.0)
    mailbox.uids()
    fake.next("IDLE", idles(*pieces))
    assert mailbox.wait(3600, QUIET) is True
    assert mailbox.connected


def test_what_is_no_news_is_none(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    mailbox.uids()
    fake.next("IDLE", idles(b"+ idling\r\n* OK Still here\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"))
    assert mailbox.wait(0.2, QUIET) is False


def test_news_that_comes_with_another_answer_is_not_lost(fake: FakeImap, open_mailbox: Open) -> None:
    """EXISTS after the list, before IDLE: the list does not have it and IDLE will not repeat it."""
    mailbox = open_mailbox(fake)
    fake.next("UID SEARCH", says("* SEARCH 1 2 3", "* 4 EXISTS", "{tag} OK done"))
    mailbox.uids()
    assert mailbox.wait(3600, QUIET) is True
    mailbox.uids()
    assert mailbox.wait(0.05, QUIET) is False


def test_idle_ends_before_a_firewall_forgets_us(
    fake: FakeImap, open_mailbox: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mailbox_module.LONGEST_IDLE < 10 * 60
    monkeypatch.setattr(mailbox_module, "LONGEST_IDLE", 0.05)
    mailbox = open_mailbox(fake)
    mailbox.uids()
    assert mailbox.wait(3600, QUIET) is False
    assert fake.log[-1] == "DONE"


@pytest.mark.parametrize("refusal", ["{tag} NO not now", "{tag} BAD unknown"])
def test_a_server_that_refuses_idle_is_polled(fake: FakeImap, open_mailbox: Open, refusal: str) -> None:
    mailbox = open_mailbox(fake)
    fake.always("IDLE", says(refusal))
    assert [mailbox.wait(0.01, QUIET), mailbox.wait(0.01, QUIET)] == [True, True]
    assert len(fake.asked("IDLE")) == 1
    assert mailbox.uids() == [1, 2, 3]


# ---- signs of life, and discretion


def test_only_a_tagged_ok_is_a_sign_of_life(fake: FakeImap, tmp_path: Path) -> None:
    ticks = iter(range(1, 10_000))
    settings = Settings(fake.host, fake.port, read_timeout=0.4)
    mailbox = Mailbox(settings, Spool(tmp_path), lambda: NOW, clock=lambda: float(next(ticks)))
    mailbox.connect()
    for call in (mailbox.uids, mailbox.noop, lambda: mailbox.wait(5, QUIET)):
        before = mailbox.last_ok
        call()
        assert mailbox.last_ok > before
    before = mailbox.last_ok
    fake.next("NOOP", says("* OK still here", "* 5 EXISTS"))
    lost(mailbox.noop, IN_TIME)
    assert mailbox.last_ok == before


def test_nothing_of_a_mail_or_a_password_is_logged(
    fake: FakeImap, open_mailbox: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)
    mailbox = open_mailbox(fake, password="s3cret-of-ours")
    assert len(fetch_all(mailbox)) == 3
    assert caplog.text == ""


def test_the_password_is_not_remembered_among_the_last_commands(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake, connect=False, password="s3cret-of-ours")
    mailbox._open()
    mailbox._login()
    assert "s3cret-of-ours" in fake.asked("LOGIN")[0]
    assert "s3cret-of-ours" not in str(vars(mailbox._client.wire))


def test_what_the_server_says_is_not_hoarded(fake: FakeImap, open_mailbox: Open) -> None:
    mailbox = open_mailbox(fake)
    chatter = ["* 1 FETCH (FLAGS (\\Seen))", "* 3 EXPUNGE", "* 9 RECENT", "{tag} OK done"]
    fake.always("NOOP", says(*chatter))
    for _ in range(20):
        mailbox.noop()
    assert mailbox._client.wire.untagged_responses == {}
    assert mailbox._client.wire.tagged_commands == {}
