"""What is outside the contract: told with the reason, passed on to sales for who insists, taken in or refused for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from daemon.config import shipped
from daemon.errors import ConfigError
from daemon.routing.check import check_contracts, check_rulebook
from daemon.routing.loader import load_rulebook
from daemon.words import State
from tests.desk import ROOT, Sent, TestDesk, reply, write
from tests.test_conversations import DESK, mail_to

LI = "李明 <li.ming@huaxin.example>"
ANN = "Ann Lee <ann@acme.example>"
SALES = "郑浩 <zheng.hao@example.com>"
TRUSTED = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=example.com"}
_COUNT = iter(range(1, 100_000))
CONTRACT = "{number: HX-2026-07, from: 2026-01-01, until: 2026-12-31, services: [network, other]}"


def desk_with(folder: Path, contract: str = CONTRACT, *, top: str = "", people: tuple[str, str] = ("", "")) -> TestDesk:
    """A desk whose two customers have this contract, and that believes mx.example.com."""
    first = TestDesk(folder)
    rules = first.folder / "rules"
    rules.unlink()
    rules.mkdir()
    for file in (ROOT / "rules").iterdir():
        if file.is_file():
            (rules / file.name).write_text(file.read_text("utf-8"), "utf-8")
    customers = rules / "customers.yaml"
    text = customers.read_text("utf-8").replace("    contract: {number: HX-2026-07}\n", f"    contract: {contract}\n")
    text = text.replace("    language: en\n", f"    language: en\n    contract: {contract}\n")
    customers.write_text(text.replace("unknown_customers: accept\n", top or "unknown_customers: accept\n"), "utf-8")
    file = rules / "people.yaml"
    file.write_text(file.read_text("utf-8").replace(*people) if people[0] else file.read_text("utf-8"), "utf-8")
    toml = (first.folder / "ticketd.toml").read_text("utf-8")
    return TestDesk(folder, toml=toml.replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]'))


def buys(desk: TestDesk, sender: str = LI, subject: str = "打印机坏了", text: str = "请修一下。") -> list[Sent]:
    return desk.receives(write(sender, text, subject=subject, message_id=f"<{next(_COUNT)}@c.example>"))


def says(desk: TestDesk, to: Sent, sender: str, text: str, **headers: str) -> list[Sent]:
    return desk.receives(reply(to, sender, text, message_id=f"<{next(_COUNT)}@c.example>", **headers))


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return desk_with(tmp_path)


def names(sent: list[Sent]) -> set[str]:
    return {m.to.partition("@")[0] for m in sent}


# --- within and outside ---


def test_what_the_contract_covers_is_taken_up_as_ever(desk: TestDesk) -> None:
    sent = buys(desk, subject="VPN 连不上")
    assert desk.ticket(1).state is State.ASSIGNED and names(sent) >= {"li.ming", "wang.wei"}


@pytest.mark.procedure("3/out_of_scope", "8/scope_refused")
@pytest.mark.parametrize(
    ("contract", "sender", "subject", "why", "words"),
    [
        (CONTRACT, LI, "打印机坏了", "not_covered", ("HX-2026-07", "“打印机”")),
        (CONTRACT, ANN, "printer broken", "not_covered", ("HX-2026-07", "does not cover", "Printer")),
        ("{number: A1, until: 2026-11-22}", LI, "VPN 连不上", "expired", ("A1", "2026年11月22日到期")),
        ("{number: A1, until: 2026-11-22}", ANN, "VPN down", "expired", ("A1 ended on November 22, 2026",)),
        ("{from: 2026-12-01}", LI, "VPN 连不上", "not_begun", ("2026年12月1日起生效",)),
        ("{from: 2026-12-01}", ANN, "VPN down", "not_begun", ("begins on December 1, 2026",)),
    ],
)
def test_who_is_outside_is_told_why_in_plain_words(
    tmp_path: Path, contract: str, sender: str, subject: str, why: str, words: tuple[str, ...]
) -> None:
    desk = desk_with(tmp_path, contract)
    (mail,) = buys(desk, sender, subject)
    assert desk.ticket(1).state is State.OUT_OF_SCOPE and desk.ticket(1).scope_why == why
    assert all(w in mail.letter.text for w in words), mail.letter.text
    desk.waits(days=2)
    assert desk.ticket(1).clocks == () and not desk.events(1, "StepReached"), "no clock runs"


@pytest.mark.parametrize(("until", "state"), [("2026-11-23", State.ASSIGNED), ("2026-11-22", State.OUT_OF_SCOPE)])
def test_the_last_day_of_a_contract_counts(tmp_path: Path, until: str, state: State) -> None:
    desk = desk_with(tmp_path, f"{{until: {until}}}")
    buys(desk, subject="VPN 连不上")
    assert desk.ticket(1).state is state


@pytest.mark.parametrize(
    ("unknown", "state", "told"),
    [
        ("accept", State.ASSIGNED, {"bob", "wang.wei"}), ("refuse", State.OUT_OF_SCOPE, {"bob"}),
        ("ask_desk", State.NEW, {"bob", "chen.jing"}),
    ],
)  # fmt: skip
def test_what_happens_to_people_of_no_customer_is_the_operators_choice(
    tmp_path: Path, unknown: str, state: State, told: set[str]
) -> None:
    desk = desk_with(tmp_path, top=f"unknown_customers: {unknown}\n")
    sent = buys(desk, "Bob <bob@nowhere.example>", "VPN down", "The VPN is down.")
    assert desk.ticket(1).state is state and names(sent) == told


def test_what_staff_report_themselves_is_nobodys_contract(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, top="unknown_customers: refuse\n")
    buys(desk, DESK, "VPN 连不上")
    assert desk.ticket(1).state is State.ASSIGNED


def test_a_call_recorded_for_a_customer_is_held_to_their_contract(desk: TestDesk) -> None:
    text = "#代报 li.ming@huaxin.example\n#来源 电话\n打印机坏了"
    sent = desk.receives(write(DESK, text, subject="打印机坏了", **TRUSTED))
    assert desk.ticket(1).state is State.OUT_OF_SCOPE and "HX-2026-07" in mail_to(sent, "li.ming").letter.text


def test_a_monitoring_tool_is_never_refused_without_a_person(desk: TestDesk) -> None:
    sent = buys(
        desk, "Zabbix <zabbix@huaxin.example>", "Problem: 打印机脱机", "Host: printer1\nOriginal problem ID: 1\n"
    )
    assert desk.ticket(1).state is State.NEW and names(sent) == {"chen.jing"}


# --- who insists ---


def refused(desk: TestDesk) -> Sent:
    return mail_to(buys(desk), "li.ming")


@pytest.mark.parametrize("words", ["谢谢。", "好的，谢谢", "收到，谢谢！"])
def test_mere_thanks_are_not_insisting(desk: TestDesk, words: str) -> None:
    sent = says(desk, refused(desk), LI, words)
    assert desk.ticket(1).insisted_at is None and "zheng.hao" not in names(sent)


def test_an_absence_notice_is_not_insisting(desk: TestDesk) -> None:
    sent = says(desk, refused(desk), LI, "我休假中，回来再看。", auto_submitted="auto-replied")
    assert desk.ticket(1).insisted_at is None and "zheng.hao" not in names(sent)


def test_who_insists_goes_to_sales_with_the_whole_record(desk: TestDesk) -> None:
    sent = says(desk, refused(desk), LI, "我们还是需要修，可以另外付费。")
    assert names(sent) == {"zheng.hao", "li.ming"}
    case, note = mail_to(sent, "zheng.hao"), mail_to(sent, "li.ming")
    text = case.letter.text
    assert "请修一下" in text and "可以另外付费" in text and "HX-2026-07" in text and "#受理范围内" in text
    assert "已转给销售同事" in note.subject and "可以另外付费" not in note.letter.text
    assert desk.ticket(1).insisted_at == desk.clock.at and desk.ticket(1).state is State.OUT_OF_SCOPE


def test_in_english_too(desk: TestDesk) -> None:
    mail = mail_to(buys(desk, ANN, "printer broken", "Please repair it."), "ann")
    sent = says(desk, mail, ANN, "We need it all the same and will pay for it.")
    assert "Passed on to sales" in mail_to(sent, "ann").subject
    sent = says(desk, mail_to(sent, "zheng.hao"), SALES, "#inscope We send you an offer for the parts.")
    assert "send you an offer" in mail_to(sent, "ann").letter.text


def test_several_insisting_mails_make_one_case(desk: TestDesk) -> None:
    mail = refused(desk)
    says(desk, mail, LI, "我们还是需要修。")
    sent = says(desk, mail, LI, "什么时候可以修？很急！")
    assert len(desk.events(1, "Insisted")) == 1 and desk.ticket(2) is None
    assert names(sent) == {"zheng.hao"} and "什么时候可以修" in mail_to(sent, "zheng.hao").letter.text


def test_the_same_mail_twice_is_one_case(desk: TestDesk) -> None:
    mail = reply(refused(desk), LI, "我们还是需要修。")
    desk.receives(mail)
    assert desk.receives(mail) == [] and len(desk.events(1, "Insisted")) == 1


def test_without_sales_the_next_in_line_decides(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, people=("roles: [sales]", "roles: [engineer]"))
    assert "zhou.qiang" in names(says(desk, refused(desk), LI, "我们还是需要修。"))


def test_sales_who_are_away_are_stood_in_for(tmp_path: Path) -> None:
    away = ("roles: [sales]\n", "roles: [sales]\n    absences: [2026-11-20 to 2026-11-25]\n")
    desk = desk_with(tmp_path, people=away)
    case = mail_to(says(desk, refused(desk), LI, "我们还是需要修。"), "zhou.qiang")
    assert "#受理范围内" in case.letter.text
    desk.waits(days=3)  # sales are back by then: who was asked may answer all the same
    sent = says(desk, case, "周强 <zhou.qiang@example.com>", "#受理范围内 另行收费")
    assert desk.ticket(1).team == "desktop" and "另行收费" in mail_to(sent, "li.ming").letter.text


def test_who_stands_in_for_nobody_decides_nothing(desk: TestDesk) -> None:
    _, case = insisted(desk)
    says(desk, case, "周强 <zhou.qiang@example.com>", "#受理范围内")
    assert desk.ticket(1).state is State.OUT_OF_SCOPE


# --- sales decides ---


def insisted(desk: TestDesk) -> tuple[Sent, Sent]:
    first = refused(desk)
    sent = says(desk, first, LI, "我们还是需要修，可以付费。")
    return first, mail_to(sent, "zheng.hao")


@pytest.mark.procedure("3/out_of_scope", "7/inscope")
def test_sales_takes_it_in_and_the_clocks_start_then(desk: TestDesk) -> None:
    _, case = insisted(desk)
    desk.waits(hours=3)
    sent = says(desk, case, SALES, "#受理范围内 按报价单另行收费")
    ticket = desk.ticket(1)
    assert ticket.state in (State.NEW, State.ASSIGNED) and ticket.team == "desktop"
    assert {e.started_at for e in desk.events(1, "ClockStarted")} == {desk.clock.at}
    assert "按报价单另行收费" in mail_to(sent, "li.ming").letter.text
    assert "打印机坏了" in mail_to(sent, "li.na").subject, "and it is dispatched"
    assert ticket.insisted_at is None and ticket.scope_why == ""


@pytest.mark.procedure("7/outofscope", "8/scope_refused")
def test_sales_refuses_for_good(desk: TestDesk) -> None:
    first, case = insisted(desk)
    sent = says(desk, case, SALES, "#不受理 打印机由贵方行政采购维修")
    mail = mail_to(sent, "li.ming")
    assert "打印机由贵方行政采购维修" in mail.letter.text and "不能受理" in mail.letter.text
    assert desk.ticket(1).scope_final and desk.ticket(1).state is State.OUT_OF_SCOPE
    again = says(desk, first, LI, "我不同意！")
    assert len(desk.events(1, "Insisted")) == 1 and "li.ming" not in names(again)
    assert "zheng.hao" in names(again), "their words are read all the same"


def test_a_refusal_needs_its_reason(desk: TestDesk) -> None:
    _, case = insisted(desk)
    says(desk, case, SALES, "#不受理")
    assert desk.events(1, "CommandsRefused")[0].reason == "needs_reason:" and not desk.ticket(1).scope_final


@pytest.mark.procedure("7/inscope", "7/outofscope", "7/bad/role")
def test_neither_an_engineer_nor_the_customer_decides(desk: TestDesk) -> None:
    first, case = insisted(desk)
    says(desk, first, LI, "#受理范围内")
    says(desk, case, "李娜 <li.na@example.com>", "#受理范围内")
    assert desk.ticket(1).state is State.OUT_OF_SCOPE


def test_whoever_forges_sales_decides_nothing(desk: TestDesk) -> None:
    insisted(desk)
    desk.receives(write(SALES, "#受理范围内", subject="Re: [INC-1] 打印机坏了"))
    assert desk.ticket(1).state is State.OUT_OF_SCOPE
    assert desk.events(1, "CommandsRefused")[-1].reason == "unproved"


def test_what_the_desk_refuses_by_hand_goes_the_same_way(desk: TestDesk) -> None:
    sent = buys(desk, subject="求助", text="请帮我们搬办公室的电脑。")
    sent = says(desk, mail_to(sent, "chen.jing"), DESK, "#不受理 搬迁不在服务内")
    mail = mail_to(sent, "li.ming")
    assert "搬迁不在服务内" in mail.letter.text
    sent = says(desk, mail, LI, "合同附件里写了包括搬迁。")
    case = mail_to(sent, "zheng.hao")
    assert "搬迁不在服务内" in case.letter.text
    says(desk, case, SALES, "#受理范围内")
    assert desk.ticket(1).state is State.NEW and desk.ticket(1).clock("resolve").running


# --- the desk is asked ---


ASKS = "{number: HX-2026-07, services: [network], outside: ask_desk}"


def test_the_desk_is_asked_where_the_contract_says_so(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, ASKS)
    sent = buys(desk)
    assert names(sent) == {"li.ming", "chen.jing"} and desk.ticket(1).team == ""
    assert "已收到" in mail_to(sent, "li.ming").letter.text, "the requester is not bothered with it"
    question = mail_to(sent, "chen.jing")
    assert "是否受理" in question.subject and "没有包括“打印机”" in question.letter.text
    assert desk.ticket(1).clock("respond").running, "time counts, for it is we who have not decided"
    sent = says(desk, question, DESK, "#受理范围内")
    assert desk.ticket(1).team == "desktop" and "li.na" in names(sent) and "li.ming" not in names(sent)


def test_the_desk_may_refuse_what_it_is_asked(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, ASKS)
    question = mail_to(buys(desk), "chen.jing")
    sent = says(desk, question, DESK, "#不受理 打印机不在合同内")
    assert desk.ticket(1).state is State.OUT_OF_SCOPE and "打印机不在合同内" in mail_to(sent, "li.ming").letter.text


def test_what_the_desk_refused_when_asked_is_dispatched_when_sales_takes_it_in(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, ASKS)
    sent = says(desk, mail_to(buys(desk), "chen.jing"), DESK, "#不受理 打印机不在合同内")
    case = mail_to(says(desk, mail_to(sent, "li.ming"), LI, "我们还是需要修。"), "zheng.hao")
    sent = says(desk, case, SALES, "#受理范围内")
    assert desk.ticket(1).team == "desktop" and "打印机坏了" in mail_to(sent, "li.na").subject
    assert [m.to for m in sent].count("li.ming@huaxin.example") == 1


# --- contacts and regions ---


def test_what_is_known_of_a_contact_goes_on_the_record(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    buys(desk, "jane.field@acme.example", "VPN down")
    ticket = desk.ticket(1)
    assert (ticket.requester_name, ticket.contact, ticket.place) == ("Jane Field", "+49 30 1234567", "Berlin")
    assert ticket.customer == "acme"


def test_a_contact_may_have_an_address_elsewhere_a_language_and_be_important(tmp_path: Path) -> None:
    desk = TestDesk(tmp_path)
    rules = load_rulebook(shipped("rules"))
    known = rules.customers["huaxin"]
    contact = replace(
        rules.customers["acme"].contacts[0], address="boss@home.example", language="en", vip=True, region="海南"
    )
    known = replace(known, addresses=(*known.addresses, contact.address), contacts=(contact,))
    desk.desk.rulebook = replace(rules, customers={**rules.customers, "huaxin": known})
    (mail,) = [m for m in buys(desk, "boss@home.example", "VPN 连不上") if m.to.startswith("boss")]
    ticket = desk.ticket(1)
    assert (ticket.customer, ticket.language, ticket.region) == ("huaxin", "en", "海南")
    assert "vip" in ticket.tags and "What happens next" in mail.letter.text


def test_the_region_gives_zone_and_calendar_where_the_customer_has_none(tmp_path: Path) -> None:
    folder = _rules(tmp_path)
    text = (folder / "customers.yaml").read_text("utf-8").replace("region: 广东", "region: 德国 Germany")
    (folder / "customers.yaml").write_text(text, "utf-8")
    book = load_rulebook(folder)
    assert book.customers["huaxin"].zone == "Europe/Berlin" and book.customers["acme"].zone == ""


# --- bad files ---


def _rules(folder: Path) -> Path:
    for file in shipped("rules").iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


BAD = {
    "backwards": ("{number: HX-2026-07}", "{from: 2026-05-01, until: 2026-04-01}", "ends before it begins"),
    "no date": ("{number: HX-2026-07}", "{until: next year}", "is not a date; write it as 2026-12-31"),
    "no category": ("{number: HX-2026-07}", "{services: [netwrk]}", "no category is called 'netwrk'"),
    "outside": ("{number: HX-2026-07}", "{outside: deny}", "'outside' knows no 'deny'"),
    "unknown": (
        "unknown_customers: accept",
        "unknown_customers: sometimes",
        "'unknown_customers' knows no 'sometimes'",
    ),
    "contact": ("address: jane.field@acme.example", "address: jane.field", "'jane.field' is not an address"),
    "two": (
        "domains: [huaxin.example]", "domains: [huaxin.example]\n    addresses: [jane.field@acme.example]",
        "belongs to 'huaxin' already",
    ),
    "region": ("{zone: Europe/Berlin}", "{zone: Europe/Berln}", "no time zone is called 'Europe/Berln'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_in_the_file_is_told_with_its_line_and_cure(name: str, tmp_path: Path) -> None:
    old, new, says_so = BAD[name]
    path = _rules(tmp_path) / "customers.yaml"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError) as raised:
        load_rulebook(tmp_path)
    assert any("customers.yaml:" in str(p) and says_so in str(p) for p in raised.value.problems), raised.value.problems


def test_check_warns_of_contracts_that_ended_or_refuse_what_no_rule_knows(tmp_path: Path) -> None:
    path = _rules(tmp_path) / "customers.yaml"
    text = path.read_text("utf-8").replace("{number: HX-2026-07}", "{until: 2026-10-31, services: [network]}")
    path.write_text(text, "utf-8")
    book = load_rulebook(tmp_path)
    (ended,) = check_contracts(book, date(2026, 11, 23))
    assert "ended on 2026-10-31" in ended.what and ended.file == "customers.yaml" and ended.line > 1
    templates = {p.stem for p in (shipped("templates") / "email" / "zh").glob("*.txt")}
    assert any(
        "what no rule classifies ('other') is refused to 'huaxin'" in p.what for p in check_rulebook(book, templates)
    )
