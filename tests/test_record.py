"""Every field of the record (procedure §2): who fills it in, where it shows, and that putting it right leaves a trace."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from daemon.app import wording
from daemon.recording import RECORDS
from daemon.reports.compile import compile_record, register_rows
from daemon.reports.record import Header, register_head
from daemon.ticket import CORRECTABLE, Ticket
from daemon.views import ticket_whole
from daemon.words import RECORDING
from tests.desk import BEIJING, ROOT, Sent, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, DESK, ENGINEER, mail_to

TRUSTED = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=example.com"}
FILLED = """#用户 财务部 刘敏
#联系方式 0755-8888 1234
#地点 深圳 3 楼机房
#地区 广东
#影响服务 VPN, 邮件
#配置项 vpn-gw-2
#错误代码 809，691
#影响户数 1.2万 户
#现象 全楼层 VPN 断线，重拨无效"""
FIELDS = {
    "user": "财务部 刘敏", "contact": "0755-8888 1234", "place": "深圳 3 楼机房", "region": "广东", "service": "VPN, 邮件",
    "ci": "vpn-gw-2", "error_codes": ["809", "691"], "affected": 12000, "symptom": "全楼层 VPN 断线，重拨无效",
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    """A desk that believes mx.example.com."""
    text = (TestDesk(tmp_path).folder / "ticketd.toml").read_text("utf-8")
    return TestDesk(tmp_path, toml=text.replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]'))


def to_engineer(desk: TestDesk) -> Sent:
    return mail_to(desk.receives(write(CUSTOMER, "VPN 今早连不上，错误 691。")), "wang.wei")


def test_staff_fill_in_what_the_mail_did_not_say(desk: TestDesk) -> None:
    mail = to_engineer(desk)
    desk.receives(reply(mail, ENGINEER, FILLED))
    whole = ticket_whole(desk.ticket(1), desk.desk.store, BEIJING)
    assert {name: whole[name] for name in FIELDS} == FIELDS


def test_in_english_too(desk: TestDesk) -> None:
    sent = desk.receives(write("Ann <ann@acme.example>", "The VPN is down, error 809.", subject="VPN down"))
    words = "#user Bob\n#contact +49 30 1234\n#place Berlin\n#region Bavaria\n#service VPN\n#code 12\n#affected 1,200"
    desk.receives(reply(mail_to(sent, "wang.wei"), ENGINEER, words))
    ticket = desk.ticket(1)
    assert (ticket.user, ticket.contact, ticket.place, ticket.region) == ("Bob", "+49 30 1234", "Berlin", "Bavaria")
    assert (ticket.service, ticket.error_codes, ticket.affected) == ("VPN", ("12",), 1200)


def test_what_is_put_right_keeps_what_it_was_and_by_whom(desk: TestDesk) -> None:
    mail = to_engineer(desk)
    desk.receives(reply(mail, ENGINEER, "#影响户数 30"))
    desk.receives(reply(mail, ENGINEER, "#影响户数 45"))
    told = [(e.field, e.old, e.new, e.by) for e in desk.events(1, "Corrected")]
    assert told == [("affected", "", "30", "wang.wei"), ("affected", "30", "45", "wang.wei")]


def test_the_same_once_more_changes_nothing(desk: TestDesk) -> None:
    mail = to_engineer(desk)
    desk.receives(reply(mail, ENGINEER, "#地点 三楼"))
    (answer,) = desk.receives(reply(mail, ENGINEER, "#地点  三楼", message_id="<again@example.com>"))
    assert len(desk.events(1, "Corrected")) == 1 and answer.to.startswith("wang.wei")


def test_it_can_be_taken_back(desk: TestDesk) -> None:
    mail = to_engineer(desk)
    before = desk.ticket(1)
    desk.receives(reply(mail, ENGINEER, FILLED))
    desk.receives(reply(mail, ENGINEER, "#撤销"))
    after = desk.ticket(1)
    assert {f: getattr(after, f) for f in FIELDS} == {f: getattr(before, f) for f in FIELDS}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#影响户数 很多", "needs_number:"), ("#affected", "needs_number:"), ("#地点", "needs_text:"),
        ("#错误代码", "needs_text:"), ("#用户 甲\n#用户 乙", "contradicts:"), ("#影响户数 999999999999", "needs_number:"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_changes_nothing(desk: TestDesk, text: str, why: str) -> None:
    mail = to_engineer(desk)
    before = desk.ticket(1)
    desk.receives(reply(mail, ENGINEER, text))
    assert desk.events(1, "CommandsRefused")[0].reason.startswith(why)
    assert {f: getattr(desk.ticket(1), f) for f in FIELDS} == {f: getattr(before, f) for f in FIELDS}


def test_a_customer_does_not_write_the_record(desk: TestDesk) -> None:
    ack = mail_to(desk.receives(write(CUSTOMER, "VPN 连不上")), "zhang.san")
    desk.receives(reply(ack, CUSTOMER, "#影响户数 5000"))
    assert desk.ticket(1).affected == 0
    assert desk.events(1, "CommandsRefused")[0].reason.startswith("not_yours")


def test_a_lone_word_that_happens_to_be_a_keyword_is_a_word(desk: TestDesk) -> None:
    mail = to_engineer(desk)
    desk.receives(reply(mail, ENGINEER, "地点\n客户说在三楼"))
    assert desk.events(1, "CommandsRefused") == [] and desk.ticket(1).place == ""


def test_the_mail_itself_gives_symptom_error_codes_region_and_files(desk: TestDesk) -> None:
    mail = write("李明 <li.ming@huaxin.example>", "VPN 断了，错误代码：809，又报 error 691。")
    mail.add_attachment(b"x", maintype="image", subtype="png", filename="截图.png")
    desk.receives(mail)
    ticket = desk.ticket(1)
    assert (ticket.region, ticket.error_codes) == ("广东", ("809", "691"))
    assert ticket.symptom.startswith("VPN 断了")


def test_the_desk_records_a_call_with_everything_in_one_mail(desk: TestDesk) -> None:
    text = f"#代报 li.si@huaxin.example\n#来源 电话\n#发生时间 8:30\n{FILLED}\n\n客户来电，三楼全部断线。"
    sent = desk.receives(write(DESK, text, subject="VPN 断线", **TRUSTED))
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.source, ticket.recorded_by) == (
        "li.si@huaxin.example", "phone", "chen.jing@example.com",
    )  # fmt: skip
    assert (ticket.user, ticket.affected, ticket.place) == ("财务部 刘敏", 12000, "深圳 3 楼机房")
    for_engineer = mail_to(sent, "wang.wei").letter.text
    assert "0755-8888 1234" in for_engineer and "深圳 3 楼机房" in for_engineer and "12000" in for_engineer
    assert "0755" not in mail_to(sent, "li.si").letter.text, "the customer is not told what they said"


def test_the_record_and_the_register_show_every_field(desk: TestDesk) -> None:
    mail = to_engineer(desk)
    desk.receives(reply(mail, ENGINEER, FILLED))
    store = desk.desk.store
    for language in ("zh", "en"):
        says = wording(desk.config, language)
        header = Header(service="x", tag="INC", made_at=desk.now)
        record = compile_record(store, says, desk.ticket(1), header, internal=True)
        told = dict(record["fields"])
        assert {says.word("field", f) for f in FIELDS} <= set(told)
        assert told[says.word("field", "affected")] == "12000"
        (row,) = register_rows(store, says, None)
        cells = dict(zip(register_head(says), row, strict=True))
        assert cells[says.word("field", "affected")] == 12000 and cells[says.word("field", "error_codes")] == "809, 691"


def test_the_ticket_has_a_field_for_everything_that_the_procedure_names() -> None:
    named = {
        "number", "kind", "opened_at", "recorded_by", "requester", "requester_name", "user", "contact", "occurred_at", "ci",
        "service", "place", "region", "symptom", "error_codes", "impact", "urgency", "severity", "category", "source",
        "state", "assignee", "team", "line", "clocks", "solution", "cause", "workaround", "affected",
    }  # fmt: skip
    assert named <= {f.name for f in fields(Ticket)}


def test_every_correctable_field_is_one() -> None:
    ticket = Ticket(number=1)
    assert all(hasattr(ticket, "occurred_at" if name == "occurred" else name) for name in CORRECTABLE)


# --- whose ticket it is ---


def to_desk(desk: TestDesk) -> Sent:
    sent = desk.receives(write("Bob <bob@nowhere.example>", "Nothing works any more.", subject="help me please"))
    return mail_to(sent, "chen.jing")


def test_the_desk_gives_a_ticket_to_its_customer_and_the_contract_counts(tmp_path: Path) -> None:
    desk = with_gold(tmp_path)
    mail = to_desk(desk)
    before = desk.ticket(1).due("resolve")
    sent = desk.receives(reply(mail, DESK, "#客户 华信制造有限公司"))
    ticket = desk.ticket(1)
    assert ticket.customer == "huaxin" and ticket.due("resolve") < before
    retimed = desk.events(1, "ClockRetimed")
    assert {e.reason for e in retimed} == {"contract standard → gold"}
    assert mail_to(sent, "chen.jing").letter.header("Auto-Submitted") == "auto-replied"


def test_an_unknown_customer_is_refused_with_a_hint(desk: TestDesk) -> None:
    mail = to_desk(desk)
    (answer,) = desk.receives(reply(mail, DESK, "#customer huaxn"))
    assert "huaxin" in answer.letter.text and desk.ticket(1).customer == ""


def test_an_engineer_does_not_move_tickets_between_customers(desk: TestDesk) -> None:
    desk.receives(reply(to_engineer(desk), ENGINEER, "#客户 acme"))
    assert desk.ticket(1).customer == "" and desk.events(1, "CommandsRefused")[0].reason.startswith("not_yours")


def test_a_customer_moved_by_mistake_comes_back_with_its_times(tmp_path: Path) -> None:
    desk = with_gold(tmp_path)
    mail = to_desk(desk)
    before = desk.ticket(1)
    desk.receives(reply(mail, DESK, "#客户 huaxin"))
    desk.receives(reply(mail, DESK, "#撤销"))
    after = desk.ticket(1)
    assert (after.customer, after.due("resolve")) == (before.customer, before.due("resolve"))


def with_gold(folder: Path) -> TestDesk:
    """A desk where huaxin has a faster contract."""
    first = TestDesk(folder)
    rules = first.folder / "rules"
    rules.unlink()
    rules.mkdir()
    for file in (ROOT / "rules").iterdir():
        if file.is_file():
            (rules / file.name).write_text(file.read_text("utf-8"), "utf-8")
    levels = rules / "service_levels.yaml"
    gold = "  gold:\n    targets:\n" + "".join(
        f"      {n}: {{respond: 10m, resolve: {n}h, calendar: always}}\n" for n in (1, 2, 3, 4)
    )
    text = levels.read_text("utf-8").replace("service_levels:\n", f"service_levels:\n{gold}", 1)
    levels.write_text(text, "utf-8")
    customers = rules / "customers.yaml"
    text = customers.read_text("utf-8").replace("    pm: sun.li\n", "    pm: sun.li\n    service_level: gold\n", 1)
    customers.write_text(text, "utf-8")
    return TestDesk(folder)


def test_the_recording_keywords_are_all_there() -> None:
    assert set(RECORDS) == RECORDING
