"""A good DKIM signature proves the sender where no mail server does; a doubtful one proves nothing and stops nothing."""

import base64
import itertools
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import dkim
import pytest

from daemon.cli import run_command
from daemon.intake.letter import read_letter
from daemon.intake.reader import ReadsHere, ReadsInChild
from daemon.intake.signers import HANDFUL_SECONDS, SILENT_SECONDS, NoAnswerError, Signers
from daemon.service import Trust
from daemon.words import Proof, State
from tests.desk import TestDesk, write
from tests.test_conversations import ENGINEER, opened
from tests.test_reader import Mail

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HEADERS = (b"from", b"to", b"subject", b"date", b"message-id")
MAIL = b"From: Li Na <li.na@example.com>\r\nTo: support@example.com\r\nSubject: VPN\r\nDate: Mon, 23 Nov 2026 10:00:00 +0800\r\nMessage-ID: <1@example.com>\r\n\r\n#accept\r\n"


def key_of(bits: int) -> tuple[bytes, bytes]:
    """Return a new private key (PEM) and the record that tells the public one."""
    private = subprocess.run(["openssl", "genrsa", "-traditional", str(bits)], capture_output=True, check=True).stdout
    public = subprocess.run(
        ["openssl", "rsa", "-pubout", "-outform", "DER"], input=private, capture_output=True, check=True
    )
    return private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public.stdout)


@pytest.fixture(scope="module")
def key():
    return key_of(1024)


@pytest.fixture(scope="module")
def short_key():
    return key_of(768)


class Names:
    """A DNS that counts what it is asked."""

    def __init__(self, **records: bytes) -> None:
        self.records = {f"s1._domainkey.{name.replace('_', '.')}": value for name, value in records.items()}
        self.asked: list[str] = []
        self.silent = False
        self.now = 0.0

    def __call__(self, name: str, seconds: float) -> bytes | None:
        self.asked.append(name)
        if self.silent:
            self.now += seconds
            raise NoAnswerError(name)
        return self.records.get(name)


def sign(mail: bytes, key: tuple[bytes, bytes], **other: object) -> bytes:
    """Return the mail with a signature on top."""
    given = {"domain": b"example.com", "include_headers": HEADERS, "canonicalize": (b"relaxed", b"relaxed"), **other}
    return dkim.sign(mail, b"s1", privkey=key[0], **given) + mail


def judged(mail: bytes, names: Names):
    letter = read_letter(mail, signatures=True)
    return Signers(names, lambda: names.now).judge([(letter, NOW)])[0]


def test_a_good_signature_of_the_senders_domain_is_found_good(key):
    names = Names(example_com=key[1])

    assert judged(sign(MAIL, key), names).by == "example.com"
    assert names.asked == ["s1._domainkey.example.com"]


def test_so_is_one_of_a_parent_domain_but_not_of_a_child_or_a_stranger(key):
    names = Names(example_com=key[1], mail_example_com=key[1], evil_example=key[1])
    deeper = MAIL.replace(b"li.na@example.com", b"li.na@mail.example.com")

    assert judged(sign(deeper, key), names).by == "example.com"
    assert judged(sign(MAIL, key, domain=b"mail.example.com"), names).by == ""
    assert judged(sign(MAIL, key, domain=b"evil.example"), names).by == ""
    assert names.asked == ["s1._domainkey.example.com"], "nobody else's key is asked for"


def test_every_signature_is_looked_at_not_only_the_first(key):
    twice = sign(sign(MAIL, key), key, domain=b"evil.example")
    broken = sign(MAIL, key).replace(b"bh=", b"bh=AAAA", 1)
    good = sign(MAIL, key)

    assert judged(twice, Names(example_com=key[1])).by == "example.com"
    assert judged(broken[: -len(MAIL)] + good, Names(example_com=key[1])).by == "example.com"


BAD = {
    "another body": lambda mail, key: sign(mail, key).replace(b"#accept", b"#resolve"),
    "another subject": lambda mail, key: sign(mail, key).replace(b"Subject: VPN", b"Subject: [INC-2] VPN"),
    "another From": lambda mail, key: sign(mail, key).replace(b"li.na@", b"wang.wei@"),
    "a second From on top": lambda mail, key: b"From: wang.wei@example.com\r\n" + sign(mail, key),
    "a second From below": lambda mail, key: sign(mail, key).replace(
        b"\r\n\r\n", b"\r\nFrom: wang.wei@example.com\r\n\r\n", 1
    ),
    "only a part of the text": lambda mail, key: sign(mail, key, length=True) + b"#resolve\r\n",
    "only a part, all of it there": lambda mail, key: sign(mail, key, length=True),
    "the subject not covered": lambda mail, key: sign(mail, key, include_headers=(b"from", b"date", b"message-id")),
    "the Message-ID not covered": lambda mail, key: sign(mail, key, include_headers=(b"from", b"date", b"subject")),
    "rsa-sha1": lambda mail, key: sign(mail, key, signature_algorithm=b"rsa-sha1"),
    "From read differently": lambda mail, key: sign(
        mail.replace(b"Li Na <", b'"wang.wei@example.com, " <'), key
    ).replace(b"\r\nFrom:", b"\r\nX: y\rFrom:"),
    "a line that ends oddly": lambda mail, key: b"X: a\r\r#resolve\r\n" + sign(mail, key),
    "a line for a mail folder": lambda mail, key: b"X: a\r\nFrom me\r\n" + sign(mail, key),
    "too many blanks": lambda mail, key: sign(mail + b" " * 600 + b"\r\n", key),
    "no signature": lambda mail, key: mail,
    "not a list of tags": lambda mail, key: b"DKIM-Signature: =;;=\r\n" + mail,
    "nothing in it": lambda mail, key: b"DKIM-Signature:\r\n" + mail,
}


@pytest.mark.parametrize("what", BAD)
def test_a_doubtful_mail_is_not_signed_and_says_why(what, key):
    found = judged(BAD[what](MAIL, key), Names(example_com=key[1]))

    assert not found.by
    assert found.why or len(read_letter(BAD[what](MAIL, key)).senders) != 1


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({b"v=DKIM1": b"v=DKIM2"}, False),
        ({b"v=DKIM1; ": b""}, True),
        ({b"k=rsa": b"k=ed25519"}, False),
        ({b"k=rsa": b"k=rsa; t=y"}, False),
        ({b"k=rsa": b"k=rsa; t=s"}, True),
        ({b"k=rsa": b"k=rsa; s=tlsrpt"}, False),
        ({b"k=rsa": b"k=rsa; s=email:tlsrpt"}, True),
        ({b"k=rsa": b"k=rsa; h=sha1"}, False),
        ({b"p=": b"p=;q="}, False),
        ({b"p=": b"p=AAAA"}, False),
        ({b"p=": b"p=" + b"A" * 2000}, False),
        ({b"; ": b" "}, False),
    ],
)
def test_the_key_must_be_for_such_mail(change, good, key):
    record = key[1]
    for old, new in change.items():
        record = record.replace(old, new)

    assert (judged(sign(MAIL, key), Names(example_com=record)).by == "example.com") is good


def test_a_key_below_1024_bits_does_not_count(short_key):
    assert "too short" in judged(sign(MAIL, short_key), Names(example_com=short_key[1])).why


def test_another_key_and_no_key_do_not_fit(key):
    assert judged(sign(MAIL, key), Names(example_com=key_of(1024)[1])).why == "its signature is not good"
    assert judged(sign(MAIL, key), Names()).why == "example.com has no such key"


def test_a_signature_that_had_expired_when_the_mail_came_does_not_count(key):
    letter = read_letter(sign(MAIL, key), signatures=True)
    (one,) = letter.signatures.some
    assert one.until is None
    at = int(NOW.timestamp())

    for until, good in ((at - 1, False), (at, True)):
        object.__setattr__(one, "until", until)
        assert bool(Signers(Names(example_com=key[1])).judge([(letter, NOW)])[0].by) is good


def test_a_silent_dns_costs_one_handful_a_few_seconds_and_every_mail_its_verdict_only(key):
    names = Names(example_com=key[1])
    names.silent = True
    signers = Signers(names, lambda: names.now)
    domains = [f"d{n}.example" for n in range(20)]
    mails = [sign(MAIL.replace(b"li.na@example.com", f"x@{d}".encode()), key, domain=d.encode()) for d in domains]
    letters = [(read_letter(m, signatures=True), NOW) for m in mails]

    assert [s.by for s in signers.judge(letters)] == [""] * 20
    assert names.now <= HANDFUL_SECONDS
    before = len(names.asked)
    signers.judge(letters[:1])
    assert len(names.asked) == before, "who has just not answered is not asked again"
    names.silent, names.now = False, names.now + SILENT_SECONDS
    assert signers.judge([(read_letter(sign(MAIL, key), signatures=True), NOW)])[0].by == "example.com"


def test_the_child_that_reads_finds_the_same_signatures(key, tmp_path):
    mail = Mail(1, sign(MAIL, key))
    child = ReadsInChild(signatures=True)
    try:
        found = child.letter(mail)
    finally:
        child.close()
    assert found == ReadsHere(signatures=True).letter(mail)
    assert found.signatures.some


# --- as a conversation ---


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def checking(desk: TestDesk, names: Names) -> TestDesk:
    desk.desk.reader, desk.desk.signers = ReadsHere(signatures=True), Signers(names, lambda: names.now)
    return desk


_numbers = itertools.count(1)


def command(text: str = "#受理") -> bytes:
    more = {"message_id": f"<{next(_numbers)}@example.com>"}
    return bytes(write(ENGINEER, text, subject="Re: [INC-1] VPN", **more)).replace(b"\n", b"\r\n")


def test_a_signed_command_is_obeyed_and_history_says_by_whom_it_was_proved(desk, key):
    checking(desk, Names(example_com=key[1]))
    opened(desk)
    desk.receives(sign(command(), key))

    assert desk.ticket(1).state is State.IN_PROGRESS
    assert desk.events(1, "MessageAdded")[-1].proof is Proof.VERIFIED


def test_a_forged_command_is_a_message_and_its_note_says_why(desk, key):
    checking(desk, Names(example_com=key[1]))
    opened(desk)
    desk.receives(sign(command("#备注 x"), key).replace("#备注".encode(), "#受理".encode()))

    assert desk.ticket(1).state is State.ASSIGNED
    assert "signature" in desk.events(1, "MessageAdded")[-1].note


def test_dmarc_fail_of_the_own_server_beats_a_good_signature(desk, key):
    checking(desk, Names(example_com=key[1]))
    desk.desk.service = replace(desk.desk.service, trust=Trust(authserv_ids=frozenset({"mx.example.com"})))
    opened(desk)
    fail = b"Authentication-Results: mx.example.com; dmarc=fail header.from=example.com\r\n"
    desk.receives(fail + sign(command(), key))

    assert desk.ticket(1).state is State.ASSIGNED


def test_what_was_found_out_once_is_never_asked_again(desk, key):
    """The key is gone, the daemon is killed in between, the mail is handled again: the first verdict counts."""
    names = Names(example_com=key[1])
    checking(desk, names)
    opened(desk)
    handle, raised = desk.desk.store.register.append, []

    def dies_once(*args, **kwargs):
        if not raised:
            raised.append(1)
            raise RuntimeError("a bug")
        return handle(*args, **kwargs)

    desk.desk.store.register.append = dies_once
    desk.receives(sign(command(), key))
    assert desk.ticket(1).state is State.ASSIGNED, "it was put off"
    names.records.clear()
    desk.waits(minutes=1)

    assert desk.ticket(1).state is State.IN_PROGRESS
    assert len(names.asked) == 1


def test_a_slow_dns_holds_nothing_up(desk, key):
    names = Names(example_com=key[1])
    names.silent = True
    checking(desk, names)
    opened(desk)
    desk.receives(sign(command(), key))

    assert desk.mail_status()[-1][0] == "handled"
    assert desk.ticket(1).state is State.ASSIGNED
    assert "the DNS did not answer" in desk.events(1, "MessageAdded")[-1].note


def test_without_check_dkim_nothing_is_asked_and_nothing_looked_for(desk, key):
    assert desk.desk.signers is None
    opened(desk)
    desk.receives(sign(command(), key))

    assert desk.ticket(1).state is State.ASSIGNED


def test_explain_says_of_a_mail_that_came_what_was_found_out_then(tmp_path, key, capsys):
    desk = checking(TestDesk(tmp_path / "d"), Names(example_com=key[1]))
    opened(desk)
    mail = sign(command("#备注 已看过"), key)
    desk.receives(mail)
    (tmp_path / "m.eml").write_bytes(mail)
    desk.desk.store.close()

    assert run_command(["--config", str(desk.folder / "ticketd.toml"), "explain", str(tmp_path / "m.eml")]) == 0
    assert "verified: its DKIM signature by example.com is good" in capsys.readouterr().out
