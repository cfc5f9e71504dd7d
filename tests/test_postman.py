"""The postman against a real server: every reply in every phase has one meaning, and nothing is sent twice unseen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.errors import ConfigError, Problem
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Postman
from tests.servers.smtp_sink import SmtpSink

pytestmark = pytest.mark.servers


@dataclass
class Settings:
    port: int
    host: str = "127.0.0.1"
    tls: str = "none"
    username: str = ""
    password: str = ""
    timeout: float = 5.0
    data_timeout: float = 5.0
    ca_file: str = ""

    def secret(self) -> str:
        if self.password == "gone":
            raise ConfigError([Problem("smtp.password", 0, "cannot be read")])
        return self.password


def mail(
    number: int = 1, to: str = "li@customer.example", content: bytes = b"Subject: x\r\n\r\nhello\r\n"
) -> OutgoingMail:
    return OutgoingMail(
        message_id=f"<n{number}@example.com>", envelope_from="support+b1-x@example.com", to=to, content=content
    )


@pytest.fixture(params=[True, False], ids=["pipelining", "one-by-one"])
def sink(request: pytest.FixtureRequest) -> Iterator[SmtpSink]:
    with SmtpSink(pipelining=request.param) as running:
        yield running


@pytest.fixture
def postman(sink: SmtpSink) -> Iterator[Postman]:
    postman = Postman(Settings(sink.port))
    yield postman
    postman.close()


# ---- what arrives ---------------------------------------------------------------------------------------------------


def test_many_mails_go_over_one_connection_as_they_are(sink: SmtpSink, postman: Postman) -> None:
    contents = [b"Subject: %d\r\n\r\n.\r\n..dots\r\n.end\r\n" % n for n in range(5)]
    fates = [postman.send(mail(n, content=c)) for n, c in enumerate(contents)]
    assert [f.outcome for f in fates] == ["sent"] * 5
    assert [m.content for m in sink.mails] == contents
    assert {m.rcpt_tos for m in sink.mails} == {("li@customer.example",)}
    assert {m.mail_from for m in sink.mails} == {"support+b1-x@example.com"}
    assert {m.connection for m in sink.mails} == {1}


@pytest.mark.parametrize("content", [b"a: b\r\n\r\nx\n.\r\nMAIL FROM:<e@v.il>\r\n", b"a: b\r\n\r\nx\r.\r\r\n"])
def test_a_bare_line_end_never_leaves(sink: SmtpSink, postman: Postman, content: bytes) -> None:
    fate = postman.send(mail(content=content))
    assert (fate.outcome, fate.connection_lost) == ("permanent", False)
    assert sink.mails == []


@pytest.mark.parametrize(
    "address", ["a@b\r\nRCPT TO:<x@y.example>", "no address", "a b@c.example", "<a@b.example>", ""]
)
def test_what_is_no_address_is_never_said(sink: SmtpSink, postman: Postman, address: str) -> None:
    assert postman.send(mail(to=address)).outcome == "permanent"
    assert sink.mails == []


def test_an_international_address_goes_where_the_server_can(sink: SmtpSink, postman: Postman) -> None:
    assert postman.send(mail(to="李伟@例子.example")).outcome == "sent"
    assert sink.mails[0].rcpt_tos == ("李伟@xn--fsqu00a.example",)
    assert "SMTPUTF8" in sink.mails[0].mail_options


def test_an_international_domain_alone_needs_nothing_special() -> None:
    with SmtpSink(smtputf8=False) as sink:
        postman = Postman(Settings(sink.port))
        assert postman.send(mail(to="li@例子.example")).outcome == "sent"
        refused = postman.send(mail(to="李伟@例子.example"))
        postman.close()
    assert (refused.outcome, refused.connection_lost) == ("permanent", False)
    assert "SMTPUTF8" in refused.text
    assert [m.rcpt_tos for m in sink.mails] == [("li@xn--fsqu00a.example",)]


# ---- what the replies mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "reply", "outcome", "connection_lost", "refused_us"),
    [
        ("mail", "451 4.3.0 later", "temporary", False, False),
        ("mail", "553 5.1.8 bad sender", "permanent", False, False),
        ("mail", "530 5.7.0 authenticate first", "temporary", True, True),
        ("mail", "550 5.7.1 not allowed", "temporary", True, True),
        ("mail", "421 4.3.2 closing", "temporary", True, False),
        ("rcpt", "450 4.2.0 greylisted", "temporary", False, False),
        ("rcpt", "550 5.1.1 no such user", "permanent", False, False),
        ("rcpt", "550 5.7.1 policy", "permanent", False, False),
        ("dot", "452 4.3.1 disk full", "temporary", False, False),
        ("dot", "554 5.6.0 bad content", "permanent", False, False),
    ],
)
def test_a_refusal(
    sink: SmtpSink, postman: Postman, phase: str, reply: str, outcome: str, connection_lost: bool, refused_us: bool
) -> None:
    if phase == "mail":
        sink.answer_mail = reply
    elif phase == "rcpt":
        sink.refuse["li@customer.example"] = reply
    else:
        sink.answer_data = reply
    fate = postman.send(mail())
    assert (fate.outcome, fate.connection_lost, fate.refused_us) == (outcome, connection_lost, refused_us)
    assert fate.code == int(reply[:3])
    assert reply[4:] in fate.text
    sink.answer_mail = sink.answer_data = ""
    sink.refuse.clear()
    assert postman.send(mail(2)).outcome == "sent"
    assert len(sink.mails) == 1


def test_a_refusal_does_not_cost_the_connection(sink: SmtpSink, postman: Postman) -> None:
    sink.refuse["nobody@customer.example"] = "550 5.1.1 no such user"
    fates = [
        postman.send(mail(n, to=to)) for n, to in enumerate(["a@x.example", "nobody@customer.example", "b@x.example"])
    ]
    assert [f.outcome for f in fates] == ["sent", "permanent", "sent"]
    assert [m.connection for m in sink.mails] == [1, 1]


def test_a_refusal_stands_though_the_server_hangs_up_after_it(sink: SmtpSink, postman: Postman) -> None:
    sink.refuse["li@customer.example"] = "550 5.1.1 no such user"
    sink.fault = "cut-after-rcpt-refusal"
    fate = postman.send(mail())
    assert (fate.outcome, fate.code) == ("permanent", 550)
    sink.fault = ""
    assert postman.send(mail(2, to="other@customer.example")).outcome == "sent"


# ---- when the line breaks ---------------------------------------------------------------------------------------------


def test_a_small_mail_cut_before_the_dot_is_uncertain_as_its_dot_had_left_us(sink: SmtpSink, postman: Postman) -> None:
    sink.fault = "cut-before-dot"
    fate = postman.send(mail(content=b"a: b\r\n\r\n" + b"x" * 70 + b"\r\n"))
    assert (fate.outcome, fate.connection_lost) == ("uncertain", False)
    assert sink.mails == []


def test_a_large_mail_cut_before_the_dot_is_surely_temporary(sink: SmtpSink, postman: Postman) -> None:
    sink.fault = "cut-before-dot"
    fate = postman.send(mail(content=b"a: b\r\n\r\n" + (b"x" * 70 + b"\r\n") * 400_000))
    assert (fate.outcome, fate.connection_lost) == ("temporary", False)


@pytest.mark.parametrize("fault", ["cut-after-dot", "mute-after-dot"])
def test_no_answer_to_the_dot_is_uncertain(sink: SmtpSink, fault: str) -> None:
    postman = Postman(Settings(sink.port, data_timeout=0.3))
    sink.fault = fault
    fate = postman.send(mail())
    assert (fate.outcome, fate.connection_lost) == ("uncertain", False)
    assert len(sink.mails) == 1
    sink.fault = ""
    assert postman.send(mail(2)).outcome == "sent"
    assert [m.connection for m in sink.mails] == [1, 2]
    postman.close()


def test_a_slow_server_is_waited_for(sink: SmtpSink) -> None:
    postman = Postman(Settings(sink.port, timeout=0.2, data_timeout=5.0))
    sink.slow_seconds = 0.5
    assert postman.send(mail()).outcome == "sent"
    postman.close()


@pytest.mark.parametrize("fault", ["cut-mail", "goodbye-mail"])
def test_a_kept_connection_that_died_is_opened_again_at_once(sink: SmtpSink, postman: Postman, fault: str) -> None:
    assert postman.send(mail(1)).outcome == "sent"
    sink.fault = fault
    first = postman.send(mail(2))
    assert first.outcome == "temporary"
    assert sink.connections == 2
    sink.fault = ""
    assert postman.send(mail(2)).outcome == "sent"
    assert sink.connections == 3


def test_a_mail_that_breaks_the_line_is_not_taken_for_a_dead_server(sink: SmtpSink, postman: Postman) -> None:
    sink.fault = "cut-mail"
    assert not postman.send(mail()).connection_lost


@pytest.mark.parametrize("fault", ["mute", "cut-greeting"])
def test_no_session_says_nothing_about_the_mail(sink: SmtpSink, fault: str) -> None:
    postman = Postman(Settings(sink.port, timeout=0.3))
    sink.fault = fault
    fate = postman.send(mail())
    assert (fate.outcome, fate.connection_lost, fate.refused_us) == ("temporary", True, False)


def test_nobody_listens() -> None:
    with SmtpSink() as sink:
        port = sink.port
    fate = Postman(Settings(port)).send(mail())
    assert (fate.outcome, fate.connection_lost, fate.refused_us) == ("temporary", True, False)


# ---- safe lines and logins --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cert(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder: Path = tmp_path_factory.mktemp("cert")
    files = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_over_tls_with_a_login(cert: tuple[str, str], tls: str) -> None:
    with SmtpSink(tls=tls, cert=cert, login=("support", "correct horse")) as sink:
        settings = Settings(
            sink.port, host="localhost", tls=tls, username="support", password="correct horse", ca_file=cert[0]
        )
        postman = Postman(settings)
        assert [postman.send(mail(n)).outcome for n in range(3)] == ["sent"] * 3
        postman.close()
    assert sink.logins == ["support"]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_certificate_that_nobody_vouches_for_gets_no_password(cert: tuple[str, str], tls: str) -> None:
    with SmtpSink(tls=tls, cert=cert, login=("support", "correct horse")) as sink:
        fate = Postman(Settings(sink.port, tls=tls, username="support", password="correct horse")).send(mail())
    assert (fate.outcome, fate.connection_lost, fate.refused_us) == ("temporary", True, True)
    assert sink.logins == [] and sink.mails == []


def test_a_stripped_starttls_gets_no_mail_and_no_password() -> None:
    with SmtpSink() as sink:
        fate = Postman(Settings(sink.port, tls="starttls", username="support", password="correct horse")).send(mail())
    assert (fate.outcome, fate.connection_lost, fate.refused_us) == ("temporary", True, True)
    assert sink.logins == [] and sink.mails == []


@pytest.mark.parametrize("password", ["wrong one", "pässwort", "gone"])
def test_a_refused_login_is_told_without_the_password(cert: tuple[str, str], password: str) -> None:
    with SmtpSink(tls="implicit", cert=cert, login=("support", "correct horse")) as sink:
        fate = Postman(
            Settings(sink.port, tls="implicit", username="support", password=password, ca_file=cert[0])
        ).send(mail())
    assert (fate.outcome, fate.connection_lost, fate.refused_us) == ("temporary", True, True)
    assert sink.mails == []
    assert password == "gone" or password not in repr(fate)


def test_plain_lines_only_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpSink() as sink:
        monkeypatch.setattr("daemon.notify.postman._at_home", lambda server: False)
        fate = Postman(Settings(sink.port)).send(mail())
    assert (fate.outcome, fate.refused_us) == ("temporary", True)
    assert sink.mails == []
