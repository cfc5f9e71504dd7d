"""It goes quiet by itself: no loop, no storm, no answer to robots."""

from dataclasses import replace

import pytest

from daemon.notify.postman import Fate
from daemon.words import Dispatch, State
from tests.desk import TestDesk, reply, write
from tests.test_conversations import CUSTOMER, ENGINEER, opened, resolved

ROBOT = "Robot <noreply@robot.example.org>"


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def to(sent, address):
    return [m for m in sent if m.to == address]


@pytest.mark.parametrize(
    "headers",
    [
        {"auto_submitted": "auto-generated"},
        {"precedence": "bulk"},
        {"list_id": "<news.robot.example.org>"},
        {"return_path": "<>"},
    ],
)
def test_automatic_mail_is_kept_and_not_answered(desk, headers):
    sent = desk.receives(write(ROBOT, "disk 95 % full on db-01", subject="ALERT VPN db-01", **headers))

    assert desk.ticket(1) is not None and not to(sent, "noreply@robot.example.org")
    assert "AnswerWithheld" in desk.history(1)
    assert sent, "the engineers are told all the same"


def test_a_vacation_notice_lands_on_its_ticket_and_changes_nothing(desk):
    to_customer, _ = resolved(desk)
    notice = reply(to_customer, CUSTOMER, "我正在休假。", auto_submitted="auto-replied")
    sent = desk.receives(notice)

    assert desk.ticket(1).state is State.RESOLVED and not to(sent, "zhang.san@huaxing.example.com")
    assert desk.history(1)[-1] == "MessageAdded"


def test_a_vacation_notice_to_nothing_of_ours_opens_nothing(desk):
    desk.receives(write(ROBOT, "I am away", subject="Out of office", auto_submitted="auto-replied"))

    assert desk.ticket(1) is None and desk.mail_status()[0][0] == "ignored"


def test_a_robot_without_any_mark_is_answered_three_times_at_most(desk):
    answers = 0
    for n in range(12):
        sent = desk.receives(write(ROBOT, f"Your request {n} was received.", subject=f"Re: Request {n} received"))
        answers += len(to(sent, "noreply@robot.example.org"))
    assert answers <= 3
    assert len(desk.mail_status()) == 12 and all(s == "handled" for s, _ in desk.mail_status())


def test_a_robot_that_answers_every_mail_of_ours_falls_silent_with_us(desk):
    waiting = desk.receives(write(ROBOT, "hello", subject="hello"))
    exchanged = 0
    for _ in range(10):
        waiting = [
            answer
            for m in to(waiting, "noreply@robot.example.org")
            for answer in desk.receives(reply(m, ROBOT, "Thank you, we received your mail."))
        ]
        exchanged += len(to(waiting, "noreply@robot.example.org"))
    assert exchanged <= 3


def test_our_own_mail_coming_back_is_recognised(desk):
    ack, _ = opened(desk)
    desk.receives(b"Received: from a list\r\n" + ack.raw)

    assert desk.mail_status()[-1] == ("ignored", "a mail of our own came back")
    assert desk.ticket(2) is None


def bounce_of(sent, *, permanent=True):
    status = "5.1.1" if permanent else "4.2.2"
    text = f"""From: MAILER-DAEMON@mx.example.org
To: {sent.mail.envelope_from}
Return-Path: <>
Subject: Undelivered Mail Returned to Sender
Message-ID: <b1@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

#已解决 This is the mail system.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {sent.to}
Action: failed
Status: {status}

--b
Content-Type: text/rfc822-headers

Message-ID: {sent.mail.message_id}

--b--
"""
    return text.replace("\n", "\r\n").encode()


def test_a_bounce_is_noted_on_its_ticket_and_told_once(desk):
    ack, _ = opened(desk)
    sent = desk.receives(bounce_of(ack))

    (failed,) = desk.events(1, "NoticeFailed")
    assert (failed.address, failed.permanent) == ("zhang.san@huaxing.example.com", True)
    assert not to(sent, "zhang.san@huaxing.example.com") and to(sent, "wang.wei@example.com")
    assert desk.ticket(1).state is State.ASSIGNED


def test_a_forged_bounce_changes_nothing(desk):
    ack, _ = opened(desk)
    forged = bounce_of(ack).replace(ack.mail.envelope_from.encode(), b"support@example.com")
    forged = forged.replace(ack.mail.message_id.encode(), b"<n1.a1-aaaaaaaaaaaaaaaaaaaa@example.com>")
    length = desk.ticket(1).length
    desk.receives(forged)

    assert desk.ticket(1).length == length and desk.mail_status()[-1][0] == "ignored"


def test_a_refused_mail_is_noted_and_does_not_breed(desk):
    desk.sink.fates["zhang.san@huaxing.example.com"] = Fate(outcome="permanent", code=550, text="no such user")
    desk.sink.fates["wang.wei@example.com"] = Fate(outcome="permanent", code=550, text="no such user")
    desk.sink.fates["zhao.min@example.com"] = Fate(outcome="permanent", code=550, text="no such user")
    desk.receives(write(CUSTOMER, "VPN 坏了"))
    for _ in range(5):
        desk.waits(minutes=1)

    assert len(desk.events(1, "NoticeFailed")) <= 9
    assert desk.desk.store.outbox.counts().get("owed", 0) == 0


def test_an_old_mailbox_causes_no_answers(desk):
    desk.now = desk.clock.at
    desk.arrives(write(CUSTOMER, "很久以前的信"))
    desk.clock.at = desk.clock.at.replace(day=25)
    sent = desk.works()

    assert not to(sent, "zhang.san@huaxing.example.com") and desk.ticket(1) is not None


def test_a_staff_member_may_give_many_commands(desk):
    _, to_engineer = opened(desk)
    answers = 0
    for n in range(15):
        sent = desk.receives(reply(to_engineer, ENGINEER, f"#备注 第 {n} 条"))
        answers += len([m for m in to(sent, "wang.wei@example.com")])
    assert answers == 15


def test_mail_to_two_of_our_mailboxes_is_one_ticket(desk):
    mail = write(CUSTOMER, "VPN 坏了").as_bytes()
    desk.receives(b"Delivered-To: support@example.com\r\n" + mail)
    sent = desk.receives(b"Delivered-To: noc@example.com\r\n" + mail, mailbox="noc")

    assert desk.ticket(2) is None and sent == [] and desk.mail_status()[-1][0] == "duplicate"


def test_many_mails_without_a_message_id_are_many_messages(desk):
    mail = b"From: a@huaxing.example.com\r\nSubject: alert\r\nMessage-ID: <>\r\n\r\nsame text\r\n"
    for _ in range(20):
        desk.arrives(mail)
    desk.works()

    assert len([t for t in desk.desk.store.register.tickets()]) == 20


def test_one_message_id_used_for_many_mails_loses_none(desk):
    for n in range(5):
        desk.arrives(write(CUSTOMER, f"问题 {n}", message_id="<template@huaxing.example.com>"))
    desk.works()

    assert len(list(desk.desk.store.register.tickets())) == 5


def test_a_flood_of_new_tickets_from_one_address_waits_in_quarantine(desk):
    for n in range(62):
        desk.arrives(write(CUSTOMER, f"text {'x' * n}", subject=f"VPN {'y' * n}"))
    desk.works()

    statuses = [s for s, _ in desk.mail_status()]
    assert statuses.count("handled") == 60 and statuses.count("quarantined") == 2
    desk.waits(hours=2)
    assert desk.desk.store.ledger.release(61)
    desk.works()
    assert [s for s, _ in desk.mail_status()].count("handled") == 61


def test_a_dead_engineers_address_causes_no_endless_bounces(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    waiting, bounced = [to_engineer], 0
    for n in range(8):
        waiting = [
            m
            for sent in waiting
            for m in desk.receives(bounce_of(sent).replace(b"<b1@", f"<b{n}.{sent.mail.message_id[1:6]}@".encode()))
            if m.to == "wang.wei@example.com"
        ]
        bounced += len(waiting)
    assert bounced == 0
    assert desk.events(1, "NoticeFailed"), "and it is on the ticket"


def test_robots_among_our_own_people_fall_silent(desk):
    book = desk.desk.rulebook
    all_are_told = {key: replace(team, dispatch=Dispatch.TEAM) for key, team in book.teams.items()}
    desk.desk.rulebook = replace(book, teams=all_are_told)
    waiting = [m for m in desk.receives(write(CUSTOMER, "VPN 坏了")) if m.to.endswith("@example.com")]
    exchanged = 0
    for n in range(10):
        waiting = [
            m
            for sent in waiting
            for m in desk.receives(reply(sent, f"<{sent.to}>", f"I am away, your mail was received {n} {sent.to}"))
            if m.to.endswith("@example.com")
        ]
        exchanged += len(waiting)
    assert exchanged <= 8, "three to each of the two, and one hint that their words stay among colleagues"
    assert "AnswerWithheld" in desk.history(1)


@pytest.mark.parametrize(
    "text",
    [
        "Help!",
        "Help",
        "#help VPN is down since nine, nobody can work",
        "# List of servers that are down: web1 web2",
        "帮助！",
    ],
)
def test_a_cry_for_help_opens_an_incident(desk, text):
    desk.receives(write(CUSTOMER, text, subject="Whole factory network down"))

    assert desk.ticket(1) is not None


@pytest.mark.parametrize(
    ("text", "subject"), [("#help", ""), ("#帮助", "帮助"), ("#list", "my tickets"), ("#status 12, INC-13", "x")]
)
def test_a_bare_question_opens_none(desk, text, subject):
    assert len(desk.receives(write(CUSTOMER, text, subject=subject))) == 1
    assert desk.ticket(1) is None


def test_an_absence_notice_without_marks_does_not_reopen(desk):
    to_customer, _ = resolved(desk)
    desk.receives(
        reply(to_customer, CUSTOMER, "I am out of the office until 30 November. For urgent matters call Bob.")
    )
    assert desk.ticket(1).state is State.RESOLVED


def test_some_other_robot_reopens_once_a_day_at_most(desk):
    to_customer, to_engineer = resolved(desk)
    for n in range(4):
        desk.receives(reply(to_customer, CUSTOMER, f"Your message number {n} was received by our ticket system."))
        if desk.ticket(1).state is State.IN_PROGRESS:
            desk.receives(reply(to_engineer, ENGINEER, f"#已解决 第 {n} 次"))
    assert desk.ticket(1).reopened == 1


@pytest.mark.parametrize(
    "text", ["#urgent please hurry, the factory stands still", "#VPN still down on floor 3", "#call me at 555-1234"]
)
def test_a_customers_hash_line_is_heard(desk, text):
    ack, _ = opened(desk)
    sent = desk.receives(reply(ack, CUSTOMER, text))
    assert any(text in m.letter.text for m in to(sent, "wang.wei@example.com"))


def test_a_proved_requesters_commands_are_always_answered(desk):
    ack, _ = opened(desk)
    for n in range(6):
        assert (
            len(
                to(
                    desk.receives(reply(ack, CUSTOMER, "#status", message_id=f"<s{n}@huaxing.example.com>")),
                    "zhang.san@huaxing.example.com",
                )
            )
            == 1
        )
