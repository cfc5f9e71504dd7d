"""One of ours passes a customer's mail on to the desk: the ticket is the customer's, if it is really one of ours."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.desk import Sent, TestDesk, reply, write

TRUSTED = "mx.example.com; dmarc=pass header.from=example.com"
OUTLOOK = """交换机那边先看一下，客户很急。

发件人: 张三 <zhang.san@huaxing.example.com>
发送时间: 2026年11月20日 10:02
收件人: 王伟 <wang.wei@example.com>
主题: 三楼打印机脱机

三楼打印机从早上起一直脱机，重启无效。
"""


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    """A desk that believes mx.example.com."""
    text = (TestDesk(tmp_path).folder / "ticketd.toml").read_text("utf-8")
    return TestDesk(tmp_path, toml=text.replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]'))


def forwards(desk: TestDesk, text: str = OUTLOOK, *, proved: bool = True, **more: str) -> list[Sent]:
    headers = {"Authentication-Results": TRUSTED} if proved else {}
    mail = write("王伟 <wang.wei@example.com>", text, subject="转发: 三楼打印机脱机", **headers, **more)
    return desk.receives(mail)


def to(sent: list[Sent], name: str) -> Sent:
    return next(m for m in sent if m.to.startswith(name))


@pytest.mark.procedure("7/for")
def test_the_ticket_is_the_customers(desk: TestDesk) -> None:
    sent = forwards(desk)
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.requester_name) == ("zhang.san@huaxing.example.com", "张三")
    assert (ticket.recorded_by, ticket.subject) == ("wang.wei@example.com", "三楼打印机脱机")
    assert "三楼打印机脱机" in to(sent, "zhang.san").subject
    told = to(sent, "wang.wei").letter.text
    assert any("zhang.san@huaxing.example.com" in m.letter.text for m in sent if m.to.startswith("wang.wei")), told


def test_what_the_engineer_wrote_above_stays_among_colleagues(desk: TestDesk) -> None:
    sent = forwards(desk)
    assert "客户很急" not in to(sent, "zhang.san").letter.text
    rows = desk.desk.store.base.rows("SELECT template, facts FROM notice WHERE recipient LIKE 'zhang.san%'")
    assert [r[0] for r in rows] == ["acknowledgement"] and "客户很急" not in rows[0][1] and "三楼打印机" in rows[0][1]
    assert [e.visibility for e in desk.events(1, "MessageAdded")] == ["internal"]


def test_the_customer_can_answer_and_is_believed(desk: TestDesk) -> None:
    sent = forwards(desk)
    desk.receives(reply(to(sent, "zhang.san"), "张三 <zhang.san@huaxing.example.com>", "补充：只有彩色打印不行。"))
    assert [e.proof for e in desk.events(1, "MessageAdded")] == ["verified", "token"]


def test_nobody_opens_for_another_without_proof(desk: TestDesk) -> None:
    forwards(desk, proved=False)
    assert desk.ticket(1).requester == "wang.wei@example.com" and desk.ticket(1).recorded_by == ""


def test_a_stranger_who_forwards_opens_for_themselves(desk: TestDesk) -> None:
    mail = write(
        "Eve <eve@elsewhere.example>", OUTLOOK, subject="转发: 三楼打印机脱机", **{"Authentication-Results": TRUSTED}
    )
    desk.receives(mail)
    assert desk.ticket(1).requester == "eve@elsewhere.example"


def test_a_colleagues_mail_is_not_passed_on_for_them(desk: TestDesk) -> None:
    forwards(desk, OUTLOOK.replace("张三 <zhang.san@huaxing.example.com>", "赵敏 <zhao.min@example.com>"))
    assert desk.ticket(1).requester == "wang.wei@example.com"


def test_our_own_address_is_no_customer(desk: TestDesk) -> None:
    forwards(desk, OUTLOOK.replace("zhang.san@huaxing.example.com", "support@example.com"))
    assert desk.ticket(1).requester == "wang.wei@example.com"


def test_a_keyword_in_the_forwarded_mail_is_nobodys(desk: TestDesk) -> None:
    forwards(desk, OUTLOOK + "\n#已解决 骗你的\n")
    assert "SolutionGiven" not in desk.history(1) and desk.ticket(1).requester == "zhang.san@huaxing.example.com"


@pytest.mark.parametrize(
    "address",
    ["noreply@vendor.example", "No-Reply+77@vendor.example", "MAILER-DAEMON@vendor.example", "bounces@vendor.example"],
)
def test_a_program_is_no_customer(desk: TestDesk, address: str) -> None:
    sent = forwards(desk, OUTLOOK.replace("zhang.san@huaxing.example.com", address))
    assert desk.ticket(1).requester == "wang.wei@example.com"
    assert not any(m.to.lower().startswith(address.lower()) for m in sent)


def test_a_team_of_ours_is_no_customer(desk: TestDesk) -> None:
    book = desk.desk.rulebook
    key, team = next(iter(book.teams.items()))
    desk.desk.rulebook = replace(book, teams={**book.teams, key: replace(team, address="netz@example.com")})
    forwards(desk, OUTLOOK.replace("zhang.san@huaxing.example.com", "netz@example.com"))
    assert desk.ticket(1).requester == "wang.wei@example.com"


def with_attached(subject: str) -> EmailMessage:
    """An engineer's mail with a stranger's mail attached."""
    inner = write("Eve <eve@elsewhere.example>", "Please pay at once.", subject="Invoice", to="wang.wei@example.com")
    mail = write(
        "王伟 <wang.wei@example.com>",
        "有人收到钓鱼邮件，见附件。",
        subject=subject,
        **{"Authentication-Results": TRUSTED},
    )
    mail.add_attachment(inner)
    return mail


def test_a_mail_attached_as_evidence_is_not_passed_on(desk: TestDesk) -> None:
    sent = desk.receives(with_attached("三楼多人收到钓鱼邮件"))
    assert desk.ticket(1).requester == "wang.wei@example.com"
    assert not any(m.to.startswith("eve") for m in sent)


@pytest.mark.parametrize("subject", ["Fwd: Invoice", "转发: Invoice", "Invoice"])
def test_a_mail_attached_to_a_forward_is_passed_on(desk: TestDesk, subject: str) -> None:
    desk.receives(with_attached(subject))
    assert desk.ticket(1).requester == "eve@elsewhere.example"


def test_a_customer_without_a_subject_does_not_get_the_engineers(desk: TestDesk) -> None:
    text = "".join(x for x in OUTLOOK.splitlines(keepends=True) if not x.startswith("主题"))
    mail = write(
        "王伟 <wang.wei@example.com>", text, subject="转发: 又是这个难缠的客户", **{"Authentication-Results": TRUSTED}
    )
    sent = desk.receives(mail)
    told = to(sent, "zhang.san")
    assert "难缠" not in told.subject + told.letter.text and "（无主题）" in told.subject


def test_the_customer_is_answered_in_their_own_language(desk: TestDesk) -> None:
    text = """这个先看一下。

---------- Forwarded message ---------
From: Bob Ray <bob@partner.example>
Date: Fri, Nov 20, 2026 at 10:02
Subject: Printer offline
To: 王伟 <wang.wei@example.com>

The printer on the third floor is offline since this morning.
"""
    sent = forwards(desk, text)
    assert "We have your mail" in to(sent, "bob").letter.text


def test_the_subject_inside_cannot_break_a_header(desk: TestDesk) -> None:
    sent = forwards(desk, OUTLOOK.replace("主题: 三楼打印机脱机", "主题: 三楼\u2028Bcc: eve@elsewhere.example\x0b!"))
    assert to(sent, "zhang.san").letter.header("Bcc") == ""


def test_who_passes_on_without_end_is_stopped(desk: TestDesk) -> None:
    for number in range(70):
        sent = forwards(desk, f"{OUTLOOK}\n{number}")
    assert sent == [] and desk.mail_status()[-1][0] == "quarantined"


def test_a_keyword_alone_above_a_customers_mail_does_not_keep_it_from_being_recorded(desk: TestDesk) -> None:
    sent = forwards(desk, OUTLOOK.replace("交换机那边先看一下，客户很急。", "#受理"))
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.assignee) == ("zhang.san@huaxing.example.com", "li.na"), "dispatch chose her"
    (told,) = [m for m in sent if m.to.startswith("wang.wei") and "已代客户登记" in m.subject]
    assert "zhang.san@huaxing.example.com" in told.letter.text and "#受理" in told.letter.text
    assert "任何内容都没有更改" not in told.letter.text
