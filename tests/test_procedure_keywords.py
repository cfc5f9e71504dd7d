"""Records on behalf, the second line and vendors, several tickets in one mail, taking back, and bad input."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.routing.loader import load_rulebook
from daemon.words import Severity, State
from tests.desk import ROOT, Sent, TestDesk, reply, to, write
from tests.test_conversations import CUSTOMER, DESK, ENGINEER, LEAD, PM, mail_to, opened, resolved, taken_up

TRUSTED = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=example.com"}
VENDOR = "Gao Feng <gao.feng@vendor.example>"
VENDOR_ENTRY = """people:
  gao.feng:
    name: 高峰
    addresses: [gao.feng@vendor.example]
    roles: [vendor]
    language: zh
    line: 3
    aliases: [华岳网络]
"""


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    """A desk that believes mx.example.com, and that knows a vendor."""
    first = TestDesk(tmp_path)
    text = (first.folder / "ticketd.toml").read_text("utf-8")
    rules = first.folder / "rules"
    rules.unlink()
    shutil.copytree(ROOT / "rules", rules)
    people = rules / "people.yaml"
    people.write_text(people.read_text("utf-8").replace("people:\n", VENDOR_ENTRY, 1), "utf-8")
    return TestDesk(tmp_path, toml=text.replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]'))


def answer_to(sent: list[Sent], name: str) -> str:
    """Return the one transcript that this person got, as text."""
    (mail,) = [m for m in to(sent, name) if m.letter.header("Auto-Submitted") == "auto-replied"]
    return mail.letter.text


def reports(
    desk: TestDesk, text: str, *, proved: bool = True, sender: str = DESK, subject: str = "VPN 连不上"
) -> list[Sent]:
    return desk.receives(write(sender, text, subject=subject, **(TRUSTED if proved else {})))


# --- records on behalf ---


@pytest.mark.procedure("7/for", "7/source", "7/occurred")
def test_the_desk_records_what_a_customer_said_on_the_phone(desk: TestDesk) -> None:
    text = "#代报 张三 <zhang.san@huaxin.example>\n#来源 电话\n#发生时间 昨天 18:00\n客户来电说 VPN 断了，canary-31。"
    sent = reports(desk, text)
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.requester_name, ticket.customer) == ("zhang.san@huaxin.example", "张三", "huaxin")
    assert (ticket.recorded_by, ticket.source) == ("chen.jing@example.com", "phone")
    assert ticket.occurred_at.isoformat() == "2026-11-22T18:00:00+08:00"
    (ack,) = to(sent, "zhang.san")
    assert "您反映的问题已登记" in ack.letter.text and "canary-31" not in ack.letter.text
    (assignment,) = to(sent, "wang.wei")
    assert (
        "电话" in assignment.letter.text
        and "11月22日" in assignment.letter.text
        and "canary-31" in assignment.letter.text
    )
    assert "zhang.san@huaxin.example" in answer_to(sent, "chen.jing")


def test_in_english_too_with_grade_and_engineer_at_once(desk: TestDesk) -> None:
    text = (
        "#for ann@acme.example\n#source inspection\n#occurred 22 Nov 2026 14:05\n#severity 1\n#assign Tom\nVPN is down."
    )
    sent = reports(desk, text, subject="VPN down")
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.severity, ticket.assignee) == ("ann@acme.example", Severity.CRITICAL, "tom.baker")
    assert (ticket.source, ticket.state) == ("inspection", State.ASSIGNED)
    assert "inspection" in mail_to(sent, "tom.baker").letter.text
    assert "What you reported has been recorded" in mail_to(sent, "ann@").letter.text


def test_a_report_may_be_nothing_but_its_subject(desk: TestDesk) -> None:
    reports(desk, "#代报 zhang.san@huaxin.example\n#来源 传真", subject="三楼打印机脱机")
    assert (desk.ticket(1).subject, desk.ticket(1).source) == ("三楼打印机脱机", "fax")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("#代报 张三", "后面请写客户的一个邮箱地址"),
        ("#代报 zhao.min@example.com", "是我们自己的地址"),
        ("#代报 support@example.com", "是我们自己的地址"),
        ("#来源 鸽子", "后面请写来源"),
        ("#发生时间 2026-11-24 09:00", "还没有到"),
        ("#发生时间 不久以前", "后面请写发生的时间"),
        ("#代报 a@huaxin.example\n#代报 b@huaxin.example", "互相矛盾"),
        ("#来原 电话\n#级别 2", "#来源"),
        ("#转派 王薇薇", "找不到叫"),
    ],
)
def test_a_mistake_in_the_commands_never_costs_the_report(desk: TestDesk, wrong: str, why: str) -> None:
    sent = reports(
        desk, f"{wrong}\n#来源 电话\n客户来电说 VPN 断了。" if "来源 鸽" not in wrong else f"{wrong}\nVPN 断了。"
    )
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.source, ticket.severity) == ("chen.jing@example.com", "mail", Severity.LOW)
    assert why in answer_to([m for m in sent if "指令" in m.subject], "chen.jing")
    assert desk.history(1).count("CommandsRefused") == 1 and desk.ticket(2) is None


def test_without_proof_it_is_the_writers_until_they_prove_it(desk: TestDesk) -> None:
    sent = reports(desk, "#代报 zhang.san@huaxin.example\n#来源 电话\nVPN 断了。", proved=False)
    assert desk.ticket(1).requester == "chen.jing@example.com" and not to(sent, "zhang.san")
    (refused,) = [m for m in to(sent, "chen.jing") if "指令没有执行" in m.subject]
    assert "新开了一张工单" in refused.letter.text
    sent = desk.receives(reply(refused, DESK, "#代报 zhang.san@huaxin.example\n#来源 电话"))
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.customer, ticket.source) == ("zhang.san@huaxin.example", "huaxin", "phone")
    assert len(to(sent, "zhang.san")) == 1 and desk.desk.store.register.rebuild() == []
    sent = desk.receives(reply(refused, DESK, "#代报 li.si@huaxin.example"))
    assert "已经记在 zhang.san@huaxin.example 名下" in answer_to(sent, "chen.jing")


def test_a_customer_cannot_open_for_another(desk: TestDesk) -> None:
    desk.receives(write(CUSTOMER, "#代报 li.si@huaxin.example\nVPN 断了", subject="VPN"))
    assert desk.ticket(1).requester == "zhang.san@huaxing.example.com"


def test_source_and_time_can_be_put_right_later(desk: TestDesk) -> None:
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#来源 告警\n#发生时间 8:30"))
    ticket = desk.ticket(1)
    assert (ticket.source, ticket.occurred_at.isoformat()) == ("alert", "2026-11-23T08:30:00+08:00")
    desk.receives(reply(to_engineer, ENGINEER, "#发生时间 23:30"))
    assert desk.ticket(1).occurred_at == ticket.occurred_at, "the future is refused"


# --- functional escalation ---


@pytest.mark.procedure("5/line2", "7/line2")
def test_line_2_of_the_category_takes_over(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#转二线 要查防火墙"))
    ticket = desk.ticket(1)
    assert (ticket.line, ticket.assignee, ticket.state, ticket.handed_up) == (2, "zhao.min", State.ASSIGNED, 1)
    (event,) = desk.events(1, "HandedUp")
    assert (event.by, event.reason, event.former) == ("wang.wei", "要查防火墙", "wang.wei")
    assert "691" in mail_to(sent, "zhao.min").letter.text
    assert "已转二线" in mail_to(sent, "chen.jing").subject
    assert {m.to.partition("@")[0] for m in sent} == {"zhao.min", "chen.jing", "wang.wei"}
    sent = desk.receives(reply(mail_to(sent, "zhao.min"), LEAD, "#line2"))
    assert "已经在二线了" in answer_to(sent, "zhao.min") and desk.ticket(1).handed_up == 1


def test_the_desk_hands_up_and_the_engineer_is_told(desk: TestDesk) -> None:
    opened(desk)
    desk.receives(write(ENGINEER, "#受理", subject="[INC-1]", **TRUSTED))
    sent = desk.receives(write(DESK, "#line2 needs a specialist", subject="[INC-1]", **TRUSTED))
    assert "needs a specialist" in mail_to(sent, "wang.wei").letter.text


def test_a_category_without_a_second_line_says_so(desk: TestDesk) -> None:
    sent = desk.receives(write(CUSTOMER, "请重置我的密码", subject="密码"))
    sent = desk.receives(reply(mail_to(sent, "chen.jing"), DESK, "#转二线"))
    assert "没有设定二线" in answer_to(sent, "chen.jing") and desk.ticket(1).line == 1


@pytest.mark.procedure("5/vendor", "7/vendor")
def test_a_vendor_answers_by_mail(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#备注 客户密码 canary-77"))
    sent = desk.receives(reply(to_engineer, ENGINEER, "#转厂商 华岳网络 电源模块坏了"))
    ticket, request = desk.ticket(1), mail_to(sent, "gao.feng")
    assert (ticket.assignee, ticket.line, ticket.liaison) == ("gao.feng", 3, "wang.wei")
    assert "电源模块坏了" in request.letter.text and "691" in request.letter.text
    assert b"canary-77" not in request.raw and "canary-77" not in request.letter.text
    assert "已转厂商" in mail_to(sent, "chen.jing").subject

    sent = desk.receives(reply(request, VENDOR, "备件明天到。"))
    assert "备件明天到。" in mail_to(sent, "wang.wei").letter.text and not to(sent, "zhang.san")
    sent = desk.receives(reply(request, VENDOR, "#级别 1"))
    assert "只有" in answer_to(sent, "gao.feng") and desk.ticket(1).severity is ticket.severity
    sent = desk.receives(reply(request, VENDOR, "#已解决 更换了电源模块"))
    assert desk.ticket(1).state is State.RESOLVED and len(to(sent, "zhang.san")) == 1
    assert "更换了电源模块" in mail_to(sent, "wang.wei").letter.text, "who answers for the vendor reads it too"
    assert desk.desk.store.register.rebuild() == []


def test_a_vendor_sees_only_what_was_handed_to_them(desk: TestDesk) -> None:
    opened(desk, "canary-81")
    verdict = {"Authentication-Results": "mx.example.com; dmarc=pass header.from=vendor.example"}
    sent = desk.receives(write(VENDOR, "#状态 1", subject="x", **verdict))
    assert "INC-1" not in answer_to(sent, "gao.feng").replace("#状态 1", "")
    desk.receives(write(VENDOR, "#升级 快", subject="[INC-1]", **verdict))
    assert "EscalationAsked" not in desk.history(1)


def test_the_engineer_takes_it_back_from_the_vendor(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#vendor 华岳网络"))
    desk.receives(reply(to_engineer, ENGINEER, "#接单"))
    assert (desk.ticket(1).assignee, desk.ticket(1).liaison) == ("wang.wei", "")


def test_an_unknown_vendor_and_one_who_is_none(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#转厂商 gao.fang"))
    assert "没有叫“gao.fang”的厂商" in (said := answer_to(sent, "wang.wei")) and "gao.feng" in said
    sent = desk.receives(reply(to_engineer, ENGINEER, "#转厂商 赵敏"))
    assert "没有叫“赵敏”的厂商" in answer_to(sent, "wang.wei") and desk.ticket(1).assignee == "wang.wei"


# --- several tickets in one mail ---


def under_review(desk: TestDesk, count: int) -> Sent:
    """Bring `count` tickets to review; return the last request."""
    for n in range(1, count + 1):
        sent = desk.receives(write(CUSTOMER, f"VPN 第 {n} 次连不上", subject=f"VPN {n}"))
        desk.receives(reply(mail_to(sent, "wang.wei"), ENGINEER, "#受理"))
        sent = desk.receives(reply(mail_to(sent, "wang.wei"), ENGINEER, "#已解决 重启了网关"))
        sent = desk.receives(reply(mail_to(sent, "zhang.san"), CUSTOMER, "#确认"))
    return mail_to(sent, "sun.li")


def states(desk: TestDesk, *numbers: int) -> list[State]:
    return [desk.ticket(n).state for n in numbers]


@pytest.mark.procedure("7/archive", "7/reject")
def test_several_tickets_are_archived_by_one_mail(desk: TestDesk) -> None:
    request = under_review(desk, 3)
    sent = desk.receives(reply(request, PM, "#归档 1 2"))
    assert states(desk, 1, 2, 3) == [State.ARCHIVED, State.ARCHIVED, State.PENDING_REVIEW]
    said = answer_to(sent, "sun.li")
    assert "INC-1 VPN 1" in said and "INC-2 VPN 2" in said and len(to(sent, "zhang.san")) == 2
    sent = desk.receives(write(PM, "#驳回 3：没写原因\n", subject="审核", **TRUSTED))
    assert desk.ticket(3).state is State.IN_PROGRESS and "INC-3" in answer_to(sent, "sun.li")
    assert desk.ticket(4) is None and desk.desk.store.register.rebuild() == []


@pytest.mark.procedure("7/archive", "7/together")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#归档 1 9", "没有编号 9"),
        ("#归档 1 3", "已派单"),
        ("#归档 1\n#驳回 1：没写原因", "互相矛盾"),
        ("#归档 1\n#驳回 2", "后面请写上原因"),
    ],
)
def test_all_of_them_or_none(desk: TestDesk, text: str, why: str) -> None:
    request = under_review(desk, 2)
    opened(desk, "第三件")
    sent = desk.receives(reply(request, PM, text))
    assert states(desk, 1, 2) == [State.PENDING_REVIEW] * 2 and why in answer_to(sent, "sun.li")
    assert {m.to for m in sent} == {"sun.li@example.com"}


def test_an_answer_to_an_answer_about_no_ticket_is_proof(desk: TestDesk) -> None:
    under_review(desk, 1)
    sent = desk.receives(write(PM, "#归档 1", subject="审核"))
    assert desk.ticket(1).state is State.PENDING_REVIEW
    desk.receives(reply(to(sent, "sun.li")[0], "周强 <zhou.qiang@example.com>", "#归档 1"))
    assert desk.ticket(1).state is State.PENDING_REVIEW, "the token was given to another"
    desk.receives(reply(to(sent, "sun.li")[0], PM, "#归档 1"))
    assert desk.ticket(1).state is State.ARCHIVED


def test_a_number_that_may_be_no_ticket_is_asked_about(desk: TestDesk) -> None:
    request = under_review(desk, 2)
    sent = desk.receives(reply(request, PM, "#驳回 1 台服务器还没有修好"))
    assert "请写成 INC-12" in answer_to(sent, "sun.li") and states(desk, 1, 2) == [State.PENDING_REVIEW] * 2


def test_others_tickets_are_as_if_they_were_not(desk: TestDesk) -> None:
    under_review(desk, 1)
    opened(desk, "又一件 canary-55", subject="VPN canary-56")
    other = desk.receives(write("李四 <li.si@elsewhere.example>", "打不开网页", subject="网页"))
    sent = desk.receives(reply(mail_to(other, "li.si"), "李四 <li.si@elsewhere.example>", "#归档 2"))
    assert "没有编号 2" in (said := answer_to(sent, "li.si")) and "canary" not in said


# --- taking back ---


def clocks(desk: TestDesk) -> list[tuple[object, ...]]:
    return [(c.name, c.due_at, c.target, c.calendar, c.running, c.met, c.steps) for c in desk.ticket(1).clocks]


@pytest.mark.procedure("7/undo")
@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("#已解决 换了证书\n#原因 过期", {"zhang.san"}),
        ("#挂起 客户 请提供日志", {"zhang.san"}),
        ("#挂起 厂商 等备件", {"zhang.san"}),
        ("#转派 赵敏 请看防火墙", {"zhao.min"}),
        ("#转二线 请看防火墙", {"zhao.min", "chen.jing"}),
        ("#级别 1 全公司断网", {"chen.jing", "zhao.min", "sun.li", "mary.jones", "zhou.qiang"}),
        ("#分类 硬件\n#配置项 gw-1\n#紧急 高", set()),
        ("#退回 不归我们", {"chen.jing"}),
        ("#来源 电话", set()),
    ],
)
def test_what_was_changed_is_as_before_and_who_was_told_is_told(desk: TestDesk, deed: str, told: set[str]) -> None:
    _, to_engineer = taken_up(desk)
    desk.waits(minutes=20)
    before, times = desk.ticket(1), clocks(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, deed))
    assert desk.ticket(1) != before
    desk.clock.at += timedelta(minutes=10)
    first = {m.to.partition("@")[0] for m in sent} - {"wang.wei"}
    sent = desk.receives(reply(to_engineer, ENGINEER, "#撤销"))
    after = desk.ticket(1)
    for name in ("state", "assignee", "team", "line", "severity", "urgency", "category", "ci", "solution", "cause",
                 "hold_reason", "hold_until", "answered", "returned", "handed_up", "source", "liaison"):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    now = clocks(desk)
    assert [c[:6] for c in now] == [c[:6] for c in times]
    undone = {m.to.partition("@")[0] for m in sent if "刚才的通知有误" in m.subject or "disregard" in m.subject}
    assert told <= first and undone == first, "everybody who was told, once"
    assert len(sent) == len(undone) + 1 and "Undone" in desk.history(1)
    assert desk.desk.store.register.rebuild() == []


def test_the_mail_that_takes_back_names_what_was_wrong(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#已解决 换了证书"))
    sent = desk.receives(reply(to_engineer, ENGINEER, "#undo"))
    text = mail_to(sent, "zhang.san").letter.text
    assert "解决通知" in text and "处理中" in text


def test_time_that_was_used_meanwhile_still_counts(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    due = desk.ticket(1).due("resolve")
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 客户 日志"))
    desk.clock.at += timedelta(minutes=14)
    desk.receives(reply(to_engineer, ENGINEER, "#撤销"))
    desk.receives(reply(to_engineer, ENGINEER, "#级别 2"))
    assert desk.ticket(1).due("resolve") != due
    desk.receives(reply(to_engineer, ENGINEER, "#撤回"))
    assert desk.ticket(1).due("resolve") == due


@pytest.mark.procedure("7/undo")
@pytest.mark.parametrize(
    ("deed", "then", "why"),
    [
        ("#进展 快好了", [], "收不回来"),
        ("#升级 人手不够", [], "收不回来"),
        ("#备注 防火墙", [], "收不回来"),
        ("收到，看一下。", [], "没有您刚才做的更改"),
        ("#挂起 厂商 等备件", [(ENGINEER, "#撤销")], "已经撤销过了"),
        ("#级别 2", [(DESK, "#级别 1")], "此后又有改动（陈静）"),
    ],
)
def test_what_cannot_be_taken_back_is_refused_with_the_reason(
    desk: TestDesk, deed: str, then: list[tuple[str, str]], why: str
) -> None:
    sent = desk.receives(write(CUSTOMER, "VPN 今早连不上"))
    to_engineer = mail_to(sent, "wang.wei")
    if "没有" not in why:
        desk.receives(reply(to_engineer, LEAD, "#受理", **TRUSTED))
        desk.receives(write(DESK, "#转派 王伟", subject="[INC-1]", **TRUSTED))
        desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    desk.receives(reply(to_engineer, ENGINEER, deed))
    for sender, text in then:
        desk.receives(write(sender, text, subject="Re: [INC-1]", **TRUSTED))
    before = desk.ticket(1)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#撤销", message_id="<last@example.com>"))
    assert why in answer_to(sent, "wang.wei") and [m.to for m in sent] == ["wang.wei@example.com"]
    assert desk.ticket(1).state is before.state and desk.ticket(1).severity is before.severity


def test_after_a_quarter_of_an_hour_it_is_too_late(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 厂商 等备件"))
    desk.waits(minutes=16)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#撤销"))
    assert "已经超过 15 分钟" in answer_to(sent, "wang.wei") and desk.ticket(1).state is State.ON_HOLD


def test_nobody_takes_back_what_another_did(desk: TestDesk) -> None:
    to_customer, to_engineer = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, "#撤销"))
    assert desk.ticket(1).state is State.RESOLVED
    desk.receives(reply(to_customer, CUSTOMER, "#确认"))
    desk.receives(reply(to_engineer, ENGINEER, "#撤销"))
    assert desk.ticket(1).state is State.PENDING_REVIEW
    sent = desk.receives(reply(to_customer, CUSTOMER, "#undo"))
    assert desk.ticket(1).state is State.RESOLVED and "刚才的通知有误" in mail_to(sent, "sun.li").subject


def test_a_wrong_number_that_was_archived_comes_back(desk: TestDesk) -> None:
    under_review(desk, 2)
    desk.receives(write(PM, "#归档 1 2", subject="审核", **TRUSTED))
    desk.receives(write(PM, "#撤销 2", subject="审核", **TRUSTED))
    assert states(desk, 1, 2) == [State.ARCHIVED, State.PENDING_REVIEW]


# --- acknowledging an escalation ---


@pytest.mark.procedure("7/ack")
def test_who_was_told_of_a_step_acknowledges_it(desk: TestDesk) -> None:
    opened(desk)
    sent = desk.waits(hours=5)
    escalation = mail_to(sent, "zhao.min")
    desk.receives(reply(escalation, LEAD, "#知悉"))
    (event,) = desk.events(1, "EscalationAcknowledged")
    assert (event.by, event.step) == ("zhao.min", desk.events(1, "StepReached")[-1].step)
    sent = desk.receives(write(PM, "#ack", subject="[INC-1]", **TRUSTED))
    assert "没有发给您的升级提醒" in answer_to(sent, "sun.li")


# --- lowering and raising ---


@pytest.mark.procedure("4/raise", "4/lower", "7/severity")
def test_the_desk_hears_of_every_new_severity(desk: TestDesk) -> None:
    _, to_engineer = taken_up(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#级别 2 影响整个部门"))
    told = mail_to(sent, "chen.jing").letter.text
    assert "二级" in told and "影响整个部门" in told and "王伟" in told
    sent = desk.receives(write(PM, "#severity 3", subject="[INC-1]", **TRUSTED))
    assert "降低级别需要写上原因" in answer_to(sent, "sun.li") and desk.ticket(1).severity is Severity.HIGH
    sent = desk.receives(write(PM, "#severity 3 only one user", subject="Re: [INC-1]", **TRUSTED))
    assert desk.ticket(1).severity is Severity.MEDIUM and to(sent, "chen.jing") and to(sent, "wang.wei")
    assert desk.events(1, "Graded")[-1].reason == "only one user"


# --- bad input: one clear answer, and nothing changed ---

FORTY = "\n".join(f"#备注 第 {n} 条" for n in range(40))
BAD = [
    ("#确认", "只有报告人可以用"),
    ("#归档", "只有项目经理可以用"),
    ("#不受理 不在合同内", "只有服务台"),
    ("#转派 wang.wie", "wang.wei"),
    ("#转派 nobody.here", "找不到叫“nobody.here”的人或小组"),
    ("#挂起 客户 到2026-11-20", "已经过去了"),
    ("#挂起 客户 到11-20 等日志", "已经过去了"),
    ("#级别 7", "后面请写 1、2、3 或 4"),
    ("#级别 1\n#级别 2", "互相矛盾"),
    ("#已解决 好了\n#挂起 客户 等确认", "互相矛盾"),
    ("#转派 赵敏\n#转派 王伟", "互相矛盾"),
    ("#转派 赵敏\n#退回 不归我们", "互相矛盾"),
    ("#撤销\n#级别 2", "互相矛盾"),
    ("#分类 netwrk", "network"),
    ("#转派", "后面请写转给谁"),
    ("#转厂商：", "后面请写厂商的名称"),
    ("#分类", "后面请写分类"),
    ("#级别 2\n#备注 看过\n#没有这个词 x\n#挂起 客户", "没有这个指令"),
    ("#归挡", "#归档"),
    (FORTY, "最多写 20 条指令"),
]


@pytest.mark.procedure(
    "7/bad/role", "7/bad/person", "7/bad/date", "7/bad/severity", "7/bad/contradiction", "7/bad/forty"
)
@pytest.mark.parametrize(("text", "why"), BAD, ids=[t.replace("\n", " ")[:30] for t, _ in BAD])
def test_bad_input_is_answered_once_and_changes_nothing(desk: TestDesk, text: str, why: str) -> None:
    _, to_engineer = taken_up(desk)
    before = desk.ticket(1)
    sent = desk.receives(reply(to_engineer, ENGINEER, text))
    assert why in answer_to(sent, "wang.wei") and [m.to for m in sent] == ["wang.wei@example.com"]
    after = desk.ticket(1)
    assert (after.state, after.severity, after.assignee, after.clocks) == (
        before.state, before.severity, before.assignee, before.clocks,
    )  # fmt: skip
    assert desk.history(1)[-2:] == ["MessageAdded", "CommandsRefused"] and "Noted" not in desk.history(1)
    assert len(answer_to(sent, "wang.wei")) < 4000


ENGLISH = [
    ("#severity 7", "Please write 1, 2, 3 or 4 after it."),
    ("#assign zhao.mni", "Did you mean zhao.min?"),
    ("#hold customer until 2026-11-20", "is in the past"),
    ("#hold customer until 20 Nov", "is in the past"),
    ("#severity 1\n#severity 2", "It contradicts another one: #severity 2"),
    ("\n".join(f"#note {n}" for n in range(40)), "One mail may hold 20 commands at most."),
    ("#archive", "Only these may use it: the project manager."),
    ("#undo", "There is nothing that you have just changed."),
    ("#vendor Nobody", "There is no vendor “Nobody”."),
    ("#assign", "Please write to whom: a person or a team."),
    ("#vendor", "Please write the vendor's name after it."),
    ("#category", "Please write the category after it"),
    ("#occurred tomorrow", "Please write when it began"),
]


@pytest.mark.procedure("7/bad/person", "7/bad/date", "7/bad/severity", "7/bad/contradiction", "7/bad/forty")
@pytest.mark.parametrize(("text", "why"), ENGLISH, ids=[t.replace("\n", " ")[:30] for t, _ in ENGLISH])
def test_bad_input_in_english(desk: TestDesk, text: str, why: str) -> None:
    sent = desk.receives(
        write("Ann <ann@acme.example>", "The order system shows an error.", subject="Application down")
    )
    tom = "Tom Baker <tom.baker@example.com>"
    desk.receives(write(DESK, "#assign Tom", subject="[INC-1]", **TRUSTED))
    sent = desk.receives(write(tom, text, subject="Re: [INC-1]", **TRUSTED))
    said = answer_to(sent, "tom.baker")
    assert why in said and not any("\u4e00" <= c <= "\u9fff" for c in said)


@pytest.mark.procedure("7/bad/quote", "7/new_words")
@pytest.mark.parametrize(
    "text",
    [
        "收到，我看一下。\n\n> #已解决 好了\n> #级别 1",
        "收到，我看一下。\n\n-- \n王伟\n#已解决 好了",
        "收到。\n\n-----原始邮件-----\n发件人: 张三 <zhang.san@huaxin.example>\n主题: VPN\n\n#已解决 好了",
    ],
)
def test_a_keyword_in_a_quote_or_signature_does_not_run(desk: TestDesk, text: str) -> None:
    _, to_engineer = taken_up(desk)
    desk.receives(write(ENGINEER, text, to=to_engineer.reply_to, in_reply_to=to_engineer.mail.message_id))
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.history(1)[-1] == "MessageAdded"


# --- help from the same table ---

ASKS = {
    "desk": (DESK, {"#转二线", "#代报", "#撤销", "#知悉"}, {"#归档", "#reject"}),
    "pm": (PM, {"#归档", "#驳回", "#代报"}, {"#转二线"}),
    "engineer": (ENGINEER, {"#转厂商", "#已解决", "#代报"}, {"#归档", "#确认"}),
    "vendor": (VENDOR, {"#已解决", "#备注"}, {"#代报", "#归档", "#级别"}),
    "customer": ("张三 <zhang.san@huaxin.example>", {"#确认", "#升级", "#撤销"}, {"#代报", "#归档", "#知悉"}),
    "english": ("Tom Baker <tom.baker@example.com>", {"#line2", "#vendor", "#for"}, {"#archive", "#转二线"}),
}


@pytest.mark.procedure("7/help")
@pytest.mark.parametrize("role", ASKS)
def test_help_without_a_ticket_lists_what_this_role_may_use(desk: TestDesk, role: str) -> None:
    sender, there, absent = ASKS[role]
    sent = desk.receives(write(sender, "#help", subject="help"))
    text = sent[0].letter.text
    assert all(word in text for word in there) and not any(word in text for word in absent)


def test_every_verb_is_explained_in_both_languages() -> None:
    book = load_rulebook(ROOT / "rules")
    assert all(k.help.get("zh") and k.help.get("en") for k in book.keywords)
    assert all(any(not w.isascii() for w in k.words) and any(w.isascii() for w in k.words) for k in book.keywords)
