"""One of ours passes a customer's mail on to the desk: the ticket is the customer's, if it is really one of ours."""

from __future__ import annotations

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
