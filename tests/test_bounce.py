"""A returned mail tells who was not reached and which mail came back; what people write about bounces is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.intake.letter import Letter, read_letter
from daemon.words import Nature

MAILS = Path(__file__).parent / "mails"


def mail(name: str) -> Letter:
    return read_letter((MAILS / f"{name}.eml").read_bytes())


def plain_bounce(
    *words: str, subject: str = "Undelivered Mail Returned to Sender", sender: str = "MAILER-DAEMON@mx.example"
) -> Letter:
    head = f"Return-Path: <>\r\nFrom: {sender}\r\nTo: help@desk.example\r\nSubject: {subject}\r\n"
    return read_letter((head + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\r\n".join(words)).encode())


def report(*fields: str) -> Letter:
    return read_letter(
        "\r\n".join(
            [
                "From: postmaster@mx.example",
                "To: help@desk.example",
                "Subject: report",
                "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
                "",
                "--b",
                "Content-Type: text/plain",
                "",
                "See below.",
                "--b",
                "Content-Type: message/delivery-status",
                "",
                "Reporting-MTA: dns; mx.example",
                "",
                *fields,
                "",
                "--b--",
                "",
            ]
        ).encode()
    )


def found(letter: Letter) -> list[tuple[str, bool, str]]:
    return [(r.address, r.permanent, r.status) for r in letter.bounce.recipients] if letter.bounce else []


LI_NA = "li.na@customer.example"


@pytest.mark.parametrize(
    ("name", "people", "original"),
    [
        ("postfix_returns_a_notice", [(LI_NA, True, "5.1.1")], "t7.9@desk.example"),
        ("postfix_delays_a_notice", [(LI_NA, False, "4.4.1")], "t7.9@desk.example"),
        ("exchange_returns_a_notice", [(LI_NA, True, "5.1.10")], "t7.9@desk.example"),
        ("exim_returns_a_notice", [(LI_NA, True, "5.7.1")], "t7.9@desk.example"),
        ("qmail_returns_a_notice", [(LI_NA, True, "5.1.1")], "t7.9@desk.example"),
        ("qq_returns_a_notice", [("10001@qq.example", True, "")], ""),
        ("netease_returns_a_notice", [("wangqiang@163.example", True, "5.2.2")], ""),
    ],
)
def test_dialects(name: str, people: list[tuple[str, bool, str]], original: str) -> None:
    letter = mail(name)
    assert letter.nature is Nature.BOUNCE
    assert letter.bounce is not None and letter.bounce.original_message_id == original
    assert found(letter) == people


@pytest.mark.parametrize(
    "name",
    [
        "customer_asks_about_undelivered_mail",
        "postmaster_writes_as_a_person",
        "customer_answers_in_gmail_chinese",
        "exchange_user_writes_normally",
    ],
)
def test_people_do_not_bounce(name: str) -> None:
    letter = mail(name)
    assert letter.nature is Nature.HUMAN and letter.bounce is None


def test_a_report_of_success_is_automatic_and_no_bounce() -> None:
    letter = mail("server_reports_that_a_notice_arrived")
    assert letter.nature is Nature.AUTOMATIC and letter.bounce is None


@pytest.mark.parametrize(
    ("fields", "people"),
    [
        (["Final-Recipient: rfc822; a@b.example", "Action: failed", "Status: 5.2.2"], [("a@b.example", True, "5.2.2")]),
        (["Final-Recipient: RFC822;<A@B.example>", "Action: Failed"], [("a@b.example", True, "")]),
        (
            ["Final-Recipient: rfc822; a@b.example", "Action: delayed", "Status: 4.0.0 (busy)"],
            [("a@b.example", False, "4.0.0")],
        ),
        (
            ["Original-Recipient: rfc822;a@b.example", "Final-Recipient: rfc822;local@inner.example", "Action: failed"],
            [("a@b.example", True, "")],
        ),
        (
            [
                "Final-Recipient: rfc822; a@b.example",
                "Action: failed",
                "",
                "Final-Recipient: rfc822; c@d.example",
                "Action: relayed",
            ],
            [("a@b.example", True, "")],
        ),
        (["Final-Recipient: rfc822; a@b.example", "Action: delivered"], []),
        (["Action: failed"], []),
        (["Final-Recipient: x400; /G=Ann/S=Baker/O=b/C=CN/", "Action: failed", "Status: 5.1.1"], []),
        (
            ["Final-Recipient: LOCAL;<ann>", "X-Actual-Recipient: rfc822; a@b.example.", "Action: error"],
            [("a@b.example", True, "")],
        ),
        (["Final-Recipient: utf-8; \\x{674E}@b.example", "Action: failed"], [("李@b.example", True, "")]),
        (["Final-Recipient: rfc822; 'a@b.example'", "Status: 4.2.2"], [("a@b.example", False, "4.2.2")]),
        (["Final-Recipient: rfc822; a@b.example", "Status: 2.1.5"], []),
        (["Final-Recipient: rfc822; a@b.example", "Action: failed", "Status: 4.4.7"], [("a@b.example", True, "4.4.7")]),
        (
            ["Final-Recipient: rfc822; a@b.example", "Action: failed", "Diagnostic-Code: smtp; 550 5.7.1 policy"],
            [("a@b.example", True, "5.7.1")],
        ),
        (
            [
                "Final-Recipient: rfc822; a@b.example",
                "Action: failed",
                "Final-Recipient: rfc822; c@d.example",
                "Action: delayed",
            ],
            [("a@b.example", True, ""), ("c@d.example", False, "")],
        ),
        (["Final-Recipient: rfc822; a@b.example", "", "Action: delayed"], [("a@b.example", False, "")]),
        (["Final-Recipient: rfc822; help@desk.example", "Action: failed"], []),
    ],
)
def test_standard_reports(fields: list[str], people: list[tuple[str, bool, str]]) -> None:
    assert found(report(*fields)) == people


def test_plain_words_without_any_known_dialect() -> None:
    letter = plain_bounce("Der Empfaenger ist unbekannt / unknown:", "  gone@customer.example", "code 5.1.1")
    assert found(letter) == [("gone@customer.example", True, "5.1.1")]


def test_words_of_waiting_are_not_permanent() -> None:
    letter = plain_bounce("Your message to gone@customer.example has been delayed, will retry.", "It failed so far.")
    assert [(a, p) for a, p, _ in found(letter)] == [("gone@customer.example", False)]


def test_we_never_count_ourselves_as_not_reached() -> None:
    letter = plain_bounce("Mail from help@desk.example to gone@customer.example failed.")
    assert [a for a, _, _ in found(letter)] == ["gone@customer.example"]


def test_a_report_that_names_nobody_is_a_bounce_all_the_same() -> None:
    letter = report("Final-Recipient: x400; /S=Baker/", "Action: failed", "Status: 5.1.1")
    assert letter.nature is Nature.BOUNCE and letter.bounce is not None and letter.bounce.recipients == ()


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("<gone@customer.example>: host mx said: 550 no", "gone@customer.example"),
        ("  * gone@customer.example", "gone@customer.example"),
        ("  1. Gone Person (Gone@customer.example)", "gone@customer.example"),
        ('"gone@customer.example" <gone@customer.example>', "gone@customer.example"),
        ("gone@customer.example... User unknown", "gone@customer.example"),
        ("gone@customer.example on Mon, 23 Nov 2026 09:00", "gone@customer.example"),
        (">>> RCPT TO:<gone@customer.example>", "gone@customer.example"),
        ("c=CN;a= ;p=X;dda:SMTP=gone@customer.example;", "gone@customer.example"),
        ("收件人邮件地址（gone@customer.example）不存在", "gone@customer.example"),
        ("用户gone@customer.example的邮箱已满", "gone@customer.example"),
        ("Destinataire : gone@customer.example", "gone@customer.example"),
        ("We could not reach gone@customer.example.", "gone@customer.example"),
    ],
)
def test_it_is_the_place_of_an_address_that_counts(line: str, address: str) -> None:
    others = ("From: third@other.example", "For help contact support@isp.example.", "Please write to it@isp.example:")
    assert [a for a, _, _ in found(plain_bounce(others[0], line, *others[1:]))] == [address]


@pytest.mark.parametrize(
    ("words", "permanent"),
    [
        ("550 no such user", True),
        ("450 try again later", False),
        ("4.2.2 mailbox full; giving up after 10 attempts", True),
        ("We will retry for 3 days.", False),
        ("系统将继续尝试投递", False),
        ("多次尝试后投递失败", True),
        ("temporary failure", False),
        ("transient non-fatal errors", False),
    ],
)
def test_whether_the_server_has_given_up(words: str, permanent: bool) -> None:
    letter = plain_bounce("This concerns:", "<gone@customer.example>: failed", words, subject="Delivery report")
    assert [p for _, p, _ in found(letter)] == [permanent]


def test_each_recipient_has_its_own_reason() -> None:
    letter = plain_bounce(
        "<a@customer.example>:",
        "550 5.1.1 unknown",
        "",
        "<b@customer.example>: quota",
        "<c@customer.example>: 552 5.2.2",
    )
    assert letter.bounce is not None
    told = [(r.address[0], r.status, r.diagnostic) for r in letter.bounce.recipients]
    assert told == [("a", "5.1.1", "550 5.1.1 unknown"), ("b", "", "quota"), ("c", "5.2.2", "552 5.2.2")]


@pytest.mark.parametrize(
    "where",
    [
        "Message-ID: <ours@desk.example>",
        "> Message-Id: <ours@desk.example>",
        "Original-Message-ID: <ours@desk.example>",
        "message-id=<ours@desk.example>",
        "Message ID: ours@desk.example",
    ],
)
def test_the_words_name_the_mail_that_came_back(where: str) -> None:
    letter = plain_bounce("<gone@customer.example>: failed", "", where)
    assert letter.bounce is not None and letter.bounce.original_message_id == "ours@desk.example"


@pytest.mark.parametrize(
    "header",
    ["X-Original-Message-ID", "X-MS-Exchange-Parent-Message-Id", "Original-Message-ID", "In-Reply-To", "References"],
)
def test_a_header_names_the_mail_that_came_back(header: str) -> None:
    sender = f"MAILER-DAEMON@mx.example\r\n{header}: <ours@desk.example>"
    letter = plain_bounce("<gone@customer.example>: failed", sender=sender)
    assert letter.bounce is not None and letter.bounce.original_message_id == "ours@desk.example"


@given(st.lists(st.text(max_size=60), max_size=8), st.booleans())
def test_any_words_from_a_daemon_are_read(words: list[str], as_report: bool) -> None:
    letter = report(*(w.replace("\r", " ").replace("\n", " ") for w in words)) if as_report else plain_bounce(*words)
    assert letter.nature in (Nature.BOUNCE, Nature.AUTOMATIC, Nature.HUMAN)
    assert (letter.nature is Nature.BOUNCE) == (letter.bounce is not None)
    assert all(len(a) < 400 and "@" in a for a, _, _ in found(letter))
