"""What rules can do beside classifying: told as conversations."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path

import pytest
import structlog

from daemon import flow
from daemon.cli import run_command
from daemon.errors import ConfigError
from daemon.intake.letter import RawMail
from daemon.notify.postman import Fate
from daemon.notify.render import check_templates
from daemon.routing.check import check_addresses
from daemon.service import Trust
from daemon.words import HoldReason, State
from tests.desk import ROOT, TestDesk, reply, write
from tests.story import bounce_of

CUSTOMER = "张三 <zhang.san@huaxing.example.com>"
ENGINEER = "王伟 <wang.wei@example.com>"
DESK = "陈静 <chen.jing@example.com>"


@pytest.fixture(autouse=True)
def quiet_log():
    """Commands set up the log for themselves; later tests begin anew."""
    yield
    structlog.reset_defaults()


def desk_with(folder: Path, rules: str, **files: str) -> TestDesk:
    """Return a desk with these rules before the shipped ones; `files` are whole rule files, by name without .yaml."""
    folder.mkdir()
    (folder / "rules").mkdir()
    for path in (ROOT / "rules").rglob("*.yaml"):
        target = folder / "rules" / path.relative_to(ROOT / "rules")
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text("utf-8"), "utf-8")
    routing = folder / "rules" / "routing.yaml"
    routing.write_text(re.sub(r"(?m)^rules:$", "rules:\n" + rules, routing.read_text("utf-8")), "utf-8")
    for name, text in files.items():
        (folder / "rules" / f"{name}.yaml").write_text(text, "utf-8")
    return TestDesk(folder)


def mails_to(sent, name):
    return [m for m in sent if m.to.startswith(name)]


def test_a_rule_fills_in_the_record(tmp_path):
    desk = desk_with(
        tmp_path / "x",
        "  - {name: branch, when: {subject contains: VPN}, then: {region: 广东, user: 财务部, contact: 0755-1234,"
        " symptom: 拨号失败, affected: 35, source: inspection, code: E-7, service: 远程接入}}\n",
    )
    desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上，提示错误 691。"))

    t = desk.ticket(1)
    assert (t.region, t.user, t.contact, t.symptom, t.affected, t.source) == (
        "广东", "财务部", "0755-1234", "拨号失败", 35, "inspection",
    )  # fmt: skip
    assert t.error_codes == ("E-7", "691") and t.service == "远程接入"
    assert "branch" in desk.events(1, "Routed")[0].because


# --- another service level, and other templates ---


LEVELS = (
    (ROOT / "rules" / "service_levels.yaml")
    .read_text("utf-8")
    .replace(
        "service_levels:\n",
        "service_levels:\n  gold:\n    targets:\n"
        + "".join(f"      {n}: {{respond: 5m, resolve: {n}h, calendar: always}}\n" for n in (1, 2, 3, 4)),
        1,
    )
)


def test_a_rule_chooses_the_service_level_and_a_new_grade_keeps_it(tmp_path):
    rule = "  - {name: gold, when: {subject contains: VPN}, then: {service level: gold}}\n"
    desk = desk_with(tmp_path / "x", rule, service_levels=LEVELS)
    sent = desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))

    clock = desk.ticket(1).clock("resolve")
    assert clock.level == "gold" and clock.target.total_seconds() == desk.ticket(1).severity * 3600
    graded = desk.receives(reply(mails_to(sent, "wang.wei")[0], ENGINEER, "#级别 1 全公司"))
    assert desk.ticket(1).clock("resolve").level == "gold"
    assert desk.ticket(1).clock("resolve").target.total_seconds() == 3600
    desk.receives(reply(mails_to(graded, "chen.jing")[0], DESK, "#客户 acme"))
    assert desk.ticket(1).clock("resolve").level != "gold", "what was chosen for another customer is over"


def test_the_mails_of_a_ticket_use_the_variant_where_its_language_has_one(tmp_path):
    rule = "  - {name: vip, when: {subject contains: VPN}, then: {template: {acknowledgement: acknowledgement_vip}}}\n"
    desk = desk_with(tmp_path / "x", rule)
    templates = tmp_path / "x" / "templates"
    templates.unlink()
    (templates / "email" / "zh").mkdir(parents=True)
    (templates / "email" / "zh" / "acknowledgement_vip.txt").write_text(
        "贵宾：{{ ticket.subject }}\n\n专人为您办理。\n", "utf-8"
    )
    desk = TestDesk(tmp_path / "x")
    (ack,) = mails_to(desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。")), "zhang.san")
    assert "专人为您办理。" in ack.letter.text and "贵宾" in ack.subject

    (ack,) = mails_to(
        desk.receives(write("Zoe <zoe@other.example>", "Good morning, the VPN is down for me today.")), "zoe"
    )
    assert "专人为您办理。" not in ack.letter.text and "We have your mail" in ack.letter.text
    row = desk.desk.store.base.rows("SELECT template FROM notice WHERE recipient = 'zoe@other.example'")
    assert [r[0] for r in row] == ["acknowledgement"], "it counts as what it is"


@pytest.mark.parametrize(
    ("words", "wrong"),
    [("\n\n \n", "is empty"), ("{{ '' }}\n\n专人办理。\n", "is empty"), ("贵宾\n\n{{ '\u200b' }}\n", "is empty"),
     ("贵宾\n\n{{ ticket.vip }}\n", "vip")],
)  # fmt: skip
def test_a_variant_that_says_nothing_gives_way_to_the_usual_template_and_operators_know(tmp_path, words, wrong):
    rule = "  - {name: vip, when: {subject contains: VPN}, then: {template: {acknowledgement: acknowledgement_vip}}}\n"
    desk_with(tmp_path / "x", rule)
    templates = tmp_path / "x" / "templates"
    templates.unlink()
    (templates / "email" / "zh").mkdir(parents=True)
    (templates / "email" / "zh" / "acknowledgement_vip.txt").write_text(words, "utf-8")
    sent = TestDesk(tmp_path / "x").receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    (ack,) = mails_to(sent, "zhang.san")
    assert "您的来信已收到" in ack.letter.text and "VPN 连不上" in ack.subject
    (alarm,) = [m for m in sent if "A mail template does not work" in m.subject]
    assert "acknowledgement_vip.txt:" in alarm.letter.text and wrong in alarm.letter.text
    assert "by the usual template instead" in alarm.letter.text
    assert any(
        "acknowledgement_vip.txt" in p.file for p in check_templates(templates / "email", ROOT / "templates" / "email")
    )


# --- telling people ---


def test_roles_people_and_addresses_are_told_and_everybody_once(tmp_path):
    rule = (
        "  - {name: 大客户, when: {sender domain is: huaxing.example.com},"
        " then: {notify: [manager, he.lei, wang.wei, pr@partner.example]}}\n"
    )
    desk = desk_with(tmp_path / "x", rule)
    sent = desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))

    managers = {p.address for p in desk.desk.rulebook.people_with("manager")}
    told = {m.to for m in sent if "大客户" in m.letter.text}
    assert told == managers | {"he.lei@example.com", "pr@partner.example"} - {"wang.wei@example.com"}
    assert len(mails_to(sent, "wang.wei")) == 1 and "大客户" not in mails_to(sent, "wang.wei")[0].letter.text
    assert len({m.to for m in sent}) == len(sent), "nobody has two mails"
    assert desk.events(1, "RuleNotified")[0].because == ("大客户",)


# --- approval ---

APPROVAL = "  - {name: 采购, when: {subject contains: 采购}, then: {kind: service_request, team: network, approval: manager}}\n"
MANAGER = "manager"


def asked_for_approval(tmp_path):
    desk = desk_with(tmp_path / "x", APPROVAL)
    sent = desk.receives(write(CUSTOMER, "您好，请采购两台笔记本电脑。", subject="采购申请"))
    manager = desk.desk.rulebook.people_with("manager")[0]
    (question,) = mails_to(sent, manager.address)
    return desk, sent, question, f"{manager.name} <{manager.address}>"


def test_nobody_gets_a_ticket_before_it_is_approved_and_the_requester_knows(tmp_path):
    desk, sent, question, manager = asked_for_approval(tmp_path)

    t = desk.ticket(1)
    assert (t.state, t.hold_reason, t.team, t.assignee, t.clocks) == (State.ON_HOLD, HoldReason.APPROVAL, "", "", ())
    assert {m.to for m in sent} == {"zhang.san@huaxing.example.com", question.to}
    (ack,) = mails_to(sent, "zhang.san")
    assert "审批" in ack.letter.text and "部门经理" in ack.letter.text
    assert "#同意" in question.letter.text and "#不同意" in question.letter.text and "笔记本" in question.letter.text


@pytest.mark.procedure("7/approve")
@pytest.mark.parametrize("word", ["#同意 请尽快", "#approve please", "同意"])
def test_approval_sends_it_where_the_rules_say_and_the_clocks_begin(tmp_path, word):
    desk, _, question, manager = asked_for_approval(tmp_path)
    desk.waits(hours=2)
    sent = desk.receives(reply(question, manager, word))

    t = desk.ticket(1)
    assert (t.state, t.team) == (State.ASSIGNED, "network") and t.clock("resolve").segments[0].since == desk.clock.at
    assert "审批" in mails_to(sent, "zhang.san")[0].subject
    assert [m for m in sent if m.to in {p.address for p in desk.desk.rulebook.people.values() if "network" in p.teams}]
    assert desk.history(1).count("ApprovalAsked") == 1


@pytest.mark.procedure("7/refuse")
def test_a_refusal_ends_it_and_the_requester_is_told_the_reason(tmp_path):
    desk, _, question, manager = asked_for_approval(tmp_path)
    desk.receives(reply(question, manager, "#不同意"))
    assert desk.ticket(1).state is State.ON_HOLD, "not without a reason"

    sent = desk.receives(reply(question, manager, "#不同意 本季度没有预算"))
    assert desk.ticket(1).state is State.CANCELLED
    (told,) = mails_to(sent, "zhang.san")
    assert "本季度没有预算" in told.letter.text and "没有通过审批" in told.subject


def test_nobody_goes_past_whoever_has_to_approve(tmp_path):
    desk, sent, question, manager = asked_for_approval(tmp_path)
    said = desk.receives(write(DESK, "#同意", subject="[INC-1]", in_reply_to=question.mail.message_id))
    assert desk.ticket(1).state is State.ON_HOLD and not desk.events(1, "StateChanged"), said

    note = desk.receives(reply(question, manager, "#备注 先看看预算"))
    for word in ("#转派 network", "#受理", "#解决 好了", "#挂起 客户"):
        desk.receives(reply(note[0], manager, word))
        assert desk.ticket(1).state is State.ON_HOLD and desk.ticket(1).hold_reason is HoldReason.APPROVAL
    assert desk.events(1, "CommandsRefused")


def test_the_question_is_asked_again_every_working_day_and_then_the_desk_knows(tmp_path):
    desk, _, question, _ = asked_for_approval(tmp_path)
    first = desk.waits(days=1)
    assert [m.to for m in first if "提醒" in m.subject] == [question.to]
    second = desk.waits(days=1)
    assert {question.to, "chen.jing@example.com"} <= {m.to for m in second if "第 2 次提醒" in m.subject}
    assert [e.repeat for e in desk.events(1, "ApprovalOwed")] == [1, 2]


def test_a_requester_who_withdraws_while_it_waits_is_heard(tmp_path):
    desk, sent, _, _ = asked_for_approval(tmp_path)
    desk.receives(reply(mails_to(sent, "zhang.san")[0], CUSTOMER, "#取消"))
    assert desk.ticket(1).state is State.CANCELLED
    assert not [m for m in desk.waits(days=3) if "审批" in m.subject], "nobody is asked any more"


# --- passing on, and dropping ---

FORWARD = "  - {name: 发票, when: {subject contains: 发票}, then: {forward: bills@partner.example}}\n"


def test_a_mail_is_passed_on_whole_and_its_sender_is_told(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    mail = write(CUSTOMER, "十月的发票请查收。", subject="发票 October")
    sent = desk.receives(mail)

    assert desk.ticket(1) is None
    status, reason = desk.mail_status()[0]
    assert status == "handled" and reason == "passed on to bills@partner.example by the rule '发票'"
    onward, told = mails_to(sent, "bills")[0], mails_to(sent, "zhang.san")[0]
    assert onward.reply_to == "zhang.san@huaxing.example.com" and "发票" in onward.subject
    (kept,) = onward.letter.attachments[:1]
    assert kept.content_type in ("message/rfc822", "application/octet-stream")
    assert "转给了负责这类事情的同事" in told.letter.text and told.letter.header("Auto-Submitted") == "auto-replied"


def test_a_mail_of_plain_ascii_is_enclosed_as_a_mail_byte_for_byte(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD.replace("发票}, then", "invoice}, then"))
    content = (
        write("Ann <ann@shop.example>", "Here is the bill.", subject="invoice 7").as_bytes().replace(b"\n", b"\r\n")
    )
    (onward,) = mails_to(desk.receives(content), "bills")
    assert b"Content-Type: message/rfc822" in onward.raw and content.rstrip() in onward.raw


def test_quietly_says_nothing_to_the_sender(tmp_path):
    desk = desk_with(
        tmp_path / "x", FORWARD.replace("bills@partner.example", "{to: bills@partner.example, quietly: true}")
    )
    sent = desk.receives(write(CUSTOMER, "十月的发票请查收。", subject="发票"))
    assert [m.to for m in sent] == ["bills@partner.example"]


def test_what_would_come_back_becomes_a_ticket_that_says_so(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    desk.receives(write("Bills <bills@partner.example>", "Your 发票 could not be read.", subject="发票"))
    assert desk.ticket(1) is not None
    assert "the mail comes from there" in desk.events(1, "Routed")[0].because[-1]

    desk = desk_with(tmp_path / "y", FORWARD.replace("bills@partner.example", "support@example.com"))
    sent = desk.receives(write(CUSTOMER, "十月的发票请查收。", subject="发票"))
    assert "it is our own address" in desk.events(1, "Routed")[0].because[-1]
    assert not mails_to(sent, "support")


@pytest.mark.parametrize("ours", ["support@example.com.", "SUPPORT@Example.COM.", "Support+bills@example.com."])
def test_our_own_address_is_ours_however_it_is_written(tmp_path, ours):
    desk = desk_with(tmp_path / "x", FORWARD.replace("bills@partner.example", ours))
    sent = desk.receives(write(CUSTOMER, "十月的发票请查收。", subject="发票"))
    assert "it is our own address" in desk.events(1, "Routed")[0].because[-1]
    assert not [m for m in sent if m.to.lower().startswith("support")]
    assert desk.desk.service.owns(ours)
    problems = check_addresses(desk.desk.rulebook, desk.desk.service.owns)
    assert "which is our own address" in problems[0].what


def test_who_answers_that_they_meant_us_gets_a_ticket(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    (told,) = mails_to(desk.receives(write(CUSTOMER, "打印发票的系统坏了。", subject="发票系统")), "zhang.san")
    desk.receives(reply(told, CUSTOMER, "我是要报故障：发票系统打不开。"))
    assert desk.ticket(1) is not None and desk.ticket(1).requester == "zhang.san@huaxing.example.com"


def test_a_mail_that_was_passed_on_and_refused_is_told_to_the_operators(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    desk.sink.fates["bills@partner.example"] = Fate(outcome="permanent", code=550, text="no such user")
    sent = desk.receives(write(CUSTOMER, "十月的发票请查收。", subject="发票"))
    alarms = [m for m in sent if "passed on" in m.subject]
    assert alarms and "bills@partner.example: 550 no such user" in alarms[0].letter.text


def test_a_bounce_of_a_mail_that_was_passed_on_is_told_to_the_operators(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    (onward,) = mails_to(desk.receives(write(CUSTOMER, "十月的发票请查收。", subject="发票")), "bills")
    sent = desk.receives(bounce_of(onward))
    (alarm,) = {m.letter.text for m in sent if "passed on" in m.subject}
    assert "bills@partner.example" in alarm and desk.mail_status()[-1][0] == "ignored"


def test_so_many_mails_of_one_sender_in_an_hour_are_a_flood(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    desk.desk.service = replace(desk.desk.service, opens_per_address_per_hour=2)
    for number in range(3):
        desk.receives(write(CUSTOMER, f"第 {number} 张发票。", subject=f"发票 {number}"))
    assert [s for s, _ in desk.mail_status()] == ["handled", "handled", "quarantined"]


def helpdesk_answers(desk, sender, rounds, **headers):
    """Let a robot at the other end answer every mail that is passed on there; return how many those were."""
    sent, passed = desk.receives(write(CUSTOMER, "十月的发票请查收。", subject="发票 1")), 0
    for number in range(rounds):
        onward = mails_to(sent, "bills")
        passed += len(onward)
        desk.clock.at += timedelta(minutes=1)
        again = f"Re: {onward[0].subject}" if onward else "Re: 转给您：发票 1"
        said = {k: onward[0].mail.message_id for k in headers} if onward else {}
        mail = write(sender.format(number), f"Thank you for your mail {number}.", subject=again, **said)
        sent = desk.receives(mail)
    return passed + len(mails_to(sent, "bills"))


def test_a_help_desk_that_answers_from_another_address_of_its_own_starts_no_loop(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    assert helpdesk_answers(desk, "Billing <helper@partner.example>", 5) == 1
    assert "the mail comes from partner.example itself" in desk.events(1, "Routed")[0].because[-1]
    assert desk.events(1, "AnswerWithheld") and desk.mail_status()[-1][0] == "handled"


def test_nor_does_one_whose_address_is_another_one_each_time(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    assert helpdesk_answers(desk, "Billing <helper{}@partner.example>", 5) == 1
    assert not [m for m in desk.sink.sent if m.to.startswith("helper")], "nothing that it could answer"


@pytest.mark.parametrize("header", ["in_reply_to", "references"])
def test_an_answer_to_a_mail_that_was_passed_on_stays_here_whoever_it_is_from(tmp_path, header):
    desk = desk_with(tmp_path / "x", FORWARD)
    assert helpdesk_answers(desk, "Desk <d{}@elsewhere.example>", 1, **{header: ""}) == 1
    assert "it answers one that was passed on" in desk.events(1, "Routed")[0].because[-1]


@pytest.mark.parametrize(
    "sender", ["Desk <d@elsewhere.example>", "Desk <d{}@elsewhere.example>", "D <d{}@d{}.example>"]
)
def test_a_loop_without_any_sign_is_braked_becomes_tickets_and_the_operator_is_told_once(tmp_path, sender):
    desk = desk_with(tmp_path / "x", FORWARD)
    limits = {"forwards_per_sender_per_day": 4, "forwards_per_subject_per_day": 4}
    desk.desk.service = replace(desk.desk.service, **limits)
    assert helpdesk_answers(desk, sender.replace("{}", "{0}"), 10) == 4

    (kept,) = desk.events(1, "Routed")
    assert kept.because[-1].startswith("forward: bills@partner.example: not done, ")
    assert "went there within a day" in kept.because[-1] and desk.events(1, "AnswerWithheld")
    alarms = [m for m in desk.sink.sent if b"passed on" in m.content and m.to.startswith("chen.jing")]
    assert len(alarms) == 1


def test_so_many_mails_in_a_day_are_all_that_goes_to_one_address(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    desk.desk.service = replace(desk.desk.service, forwards_per_target_per_day=2)
    for number in range(3):
        desk.receives(write(f"a{number}@a{number}.example", "请查收。", subject=f"{'一二三'[number]}月 发票，{number}"))
    assert desk.ticket(1) is not None and desk.ticket(2) is None
    assert "2 mails went there within a day" in desk.events(1, "Routed")[0].because[-1]
    desk.waits(days=1, hours=1)
    assert mails_to(desk.receives(write(CUSTOMER, "请查收。", subject="发票")), "bills"), "a new day"


def test_colleagues_of_our_own_house_are_passed_on_to_each_other(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD.replace("bills@partner.example", "bills@example.com"))
    assert mails_to(desk.receives(write("New <new@example.com>", "请报销。", subject="发票")), "bills")


@pytest.mark.parametrize("suppressed", ["All", "all", "OOF, All"])
def test_who_asks_for_no_answers_is_not_told_that_a_mail_was_passed_on(tmp_path, suppressed):
    desk = desk_with(tmp_path / "x", FORWARD)
    mail = write("Shop <shop@robot.example>", "请查收。", subject="发票", x_auto_response_suppress=suppressed)
    assert [m.to for m in desk.receives(mail)] == ["bills@partner.example"]


def test_nor_an_address_that_nobody_reads_but_a_person_whose_program_wants_no_absence_notices_is(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    sent = desk.receives(write("Shop <no-reply@robot.example>", "请查收。", subject="发票"))
    assert [m.to for m in sent] == ["bills@partner.example"]
    sent = desk.receives(write(CUSTOMER, "请查收。", subject="发票", x_auto_response_suppress="DR, OOF, AutoReply"))
    assert mails_to(sent, "zhang.san")


@pytest.mark.parametrize("word", ["drop", "ignore"])
def test_a_dropped_mail_is_kept_with_the_reason(tmp_path, word):
    desk = desk_with(
        tmp_path / "x", f"  - {{name: 广告, when: {{subject contains: 优惠}}, then: {{{word}: 广告不处理}}}}\n"
    )
    assert desk.receives(write("Ads <ads@ads.example>", "限时优惠", subject="优惠")) == []
    assert desk.ticket(1) is None and desk.mail_status()[0] == ("ignored", "dropped by the rule '广告': 广告不处理")


# --- a parent ---


def test_the_ticket_goes_under_the_one_that_the_rule_names(tmp_path):
    desk = desk_with(tmp_path / "x", "  - {name: 同一故障, when: {subject contains: 三楼}, then: {parent: 1}}\n")
    desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    desk.receives(write(CUSTOMER, "三楼打印机也不通了，请看看。", subject="三楼断网"))

    assert [(x.kind, x.ticket) for x in desk.ticket(2).links] == [("parent", 1)]
    assert [(x.kind, x.ticket) for x in desk.ticket(1).links] == [("child", 2)]
    assert desk.events(2, "Linked")[0].by == "rule"


def test_the_open_major_incident_of_the_same_customer_is_the_parent_and_no_other(tmp_path):
    rule = "  - {name: 大故障, when: {subject contains: 断}, then: {category: network/vpn, parent: major}}\n"
    desk = desk_with(tmp_path / "x", rule)
    desk.receives(write(CUSTOMER, "上海断网", subject="断网 零"))
    assert "parent: major: there is none that is open" in desk.events(1, "Routed")[0].because

    desk.receives(write(CUSTOMER, "VPN 断了，请看看。", subject="断网 一"))
    duty = desk.desk.rulebook.people_with("duty")[0]
    desk.desk.service = replace(desk.desk.service, trust=Trust(authserv_ids=frozenset({"mx.example.com"})))
    proved = {"authentication_results": "mx.example.com; dmarc=pass header.from=example.com"}
    desk.receives(write(f"{duty.name} <{duty.address}>", "#重大 黄色", subject="[INC-2] 断网", **proved))
    assert desk.ticket(2).in_alarm

    desk.receives(write(CUSTOMER, "我这里也断了。", subject="断网 二"))
    assert desk.ticket(3).linked("parent") == (2,)
    desk.receives(write("Zoe <zoe@other.example>", "Our line is 断 too.", subject="断网 三"))
    assert desk.ticket(4).links == (), "another customer's is another case"


# --- rules for mails on a ticket ---

REPLIES = "  - {name: 催办, for: replies, when: {text contains: 催}, then: {tags: [催办], notify: [he.lei], severity at least: 2}}\n"


def test_a_rule_for_replies_raises_tags_and_tells_openly(tmp_path):
    desk = desk_with(tmp_path / "x", REPLIES)
    (ack,) = mails_to(desk.receives(write(CUSTOMER, "催一下：各位好，打印机卡纸了。", subject="打印机")), "zhang.san")
    assert not desk.events(1, "RulesApplied") and "催办" not in desk.events(1, "Routed")[0].because

    before = desk.ticket(1).severity
    sent = desk.receives(reply(ack, CUSTOMER, "催一下，领导等着用。"))
    t = desk.ticket(1)
    assert before > 2 and t.severity == 2 and "催办" in t.tags
    assert [m.to for m in sent if "请知悉" in m.subject] == ["he.lei@example.com"]
    applied, graded = desk.events(1, "RulesApplied")[0], desk.events(1, "Graded")[0]
    assert applied.because == ("催办",) and applied.rules == desk.desk.rulebook.version
    assert (graded.by, graded.reason) == ("rule", "催办")


def test_an_unproved_reply_raises_nothing(tmp_path):
    desk = desk_with(tmp_path / "x", REPLIES)
    desk.receives(write(CUSTOMER, "各位好，打印机卡纸了。", subject="打印机"))
    before = desk.ticket(1).severity
    sent = desk.receives(write(CUSTOMER, "催一下，领导等着用。", subject="[INC-1] 打印机"))

    assert desk.ticket(1).severity == before and not desk.events(1, "Graded")
    assert desk.ticket(1).tags == ("催办",) and mails_to(sent, "he.lei")


# --- a rule that fails ---


class Broken:
    """A condition that raises."""

    def met(self, _mail):
        raise ValueError("column 7")

    def describe(self):
        return "broken"


def test_operators_are_told_once_a_day_of_a_rule_that_fails_and_mail_goes_on(tmp_path):
    desk = desk_with(tmp_path / "x", "  - {name: 坏规则, when: {subject contains: x}, then: {tags: [x]}}\n")
    book = desk.desk.rulebook
    first = replace(book.rules[0], when=Broken())
    desk.desk.rulebook = replace(book, rules=(first, *book.rules[1:]))
    sent = desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    assert desk.ticket(1).category == "network/vpn"
    alarms = [m for m in sent if "坏规则" in m.letter.text and "ValueError: column 7" in m.letter.text]
    assert len(alarms) == 1

    again = desk.receives(write(CUSTOMER, "各位好，又连不上了，VPN 不行。", subject="VPN 二"))
    assert desk.ticket(2) and not [m for m in again if "坏规则" in m.letter.text]
    later = [m for m in desk.waits(hours=25) if "坏规则" in m.letter.text]
    later += desk.receives(write(CUSTOMER, "第三次了，VPN 还是不行。", subject="VPN 三"))
    assert [m for m in later if "坏规则" in m.letter.text]
    assert flow.handle_waiting(desk.desk) == 0


# --- what stands around it ---


@pytest.mark.parametrize(
    ("then", "says"),
    [
        ("{service level: golden}", "no service level is called 'golden'"),
        ("{notify: [nobody.here]}", "nobody is called 'nobody.here'"),
        ("{notify: ['a@b@c']}", "'a@b@c' is no address; write one, as in bills@example.com"),
        ("{approval: engineers}", "nobody is called 'engineers'"),
        ("{approval: [pm, desk]}", "'approval' wants one word or sentence, got ['pm', 'desk']"),
        ("{forward: bills}", "'bills' is no address; write one, as in bills@example.com"),
        (
            "{forward: {to: a@b.example, loudly: true}}",
            "'forward' is an address, or {to: bills@example.com, quietly: true}",
        ),
        ("{parent: soon}", "'parent' is the number of a ticket, as in 'parent: 12', or major, got 'soon'"),
        ("{template: vip}", "'template' says which variant to use for which template, got 'vip'"),
        ("{template: {resolved: vip}}", "a variant of 'resolved' is named after it; call it 'resolved_vip'"),
        (
            "{template: {acknowledgement: acknowledgement_../../x}}",
            "'acknowledgement_../../x' cannot be the name of a file of templates; write letters, digits, _ and - only",
        ),
        ("{template: {acknowledgement: acknowledgement_}}", "as in acknowledgement_vip"),
        ("{source: telepathy}", "'source' knows no 'telepathy'; write one of mail, phone"),
        ("{affected: many}", "'affected' is how many customers are affected, as in 'affected: 1200', got 'many'"),
        ("{fordward: a@b.example}", "no action is called 'fordward' (did you mean 'forward'?)"),
    ],
)
def test_a_mistake_in_an_action_is_told_with_its_line_and_the_cure(tmp_path, then, says):
    with pytest.raises(ConfigError) as refused:
        desk_with(tmp_path / "x", f"  - name: wrong\n    when: {{subject contains: x}}\n    then: {then}\n")
    (problem,) = refused.value.problems
    assert says in str(problem) and re.search(r"routing\.yaml:\d+: ", str(problem))


def test_a_rule_for_replies_can_do_only_what_a_message_may(tmp_path):
    with pytest.raises(ConfigError, match=r"'team' is nothing that a rule with 'for: replies' can do; it may notify"):
        desk_with(tmp_path / "x", "  - {name: r, for: replies, when: {text contains: x}, then: {team: network}}\n")
    with pytest.raises(ConfigError, match=r"'for' knows no 'answers'"):
        desk_with(tmp_path / "y", "  - {name: r, for: answers, when: {text contains: x}, then: {tags: [x]}}\n")


def test_ticket_why_and_the_record_say_what_rules_chose(tmp_path, capsys):
    rule = "  - {name: 金牌, when: {subject contains: VPN}, then: {service level: gold, notify: [he.lei]}}\n"
    desk = desk_with(tmp_path / "x", rule, service_levels=LEVELS)
    desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    path = str(tmp_path / "x" / "ticketd.toml")

    assert run_command(["--config", path, "ticket", "why", "1", "--lang", "zh"]) == 0
    assert "这个服务级别是规则选定的，不是客户合同里的（符合的规则：金牌" in capsys.readouterr().out
    assert run_command(["--config", path, "ticket", "show", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["service_level"] == "gold"


def test_explain_shows_where_a_mail_would_be_passed_on_to(tmp_path, capsys):
    desk_with(tmp_path / "x", FORWARD)
    mail = tmp_path / "bill.eml"
    mail.write_bytes(write(CUSTOMER, "十月的发票请查收。", subject="发票").as_bytes())
    assert run_command(["--config", str(tmp_path / "x" / "ticketd.toml"), "explain", "--json", str(mail)]) == 0
    said = json.loads(capsys.readouterr().out)
    said = said[0] if isinstance(said, list) else said
    assert said["note"] == "passed on to bills@partner.example by the rule '发票'"
    assert [(n["to"], n["template"]) for n in said["notices"]] == [
        ("bills@partner.example", "forwarded"), ("zhang.san@huaxing.example.com", "passed_on"),
    ]  # fmt: skip


def test_what_is_outside_the_agreement_is_settled_first_and_then_approved(tmp_path):
    customers = (
        "unknown_customers: accept\ncustomers:\n  huaxing:\n    name: 华兴\n    domains: [huaxing.example.com]\n"
        "    contract: {services: [network], outside: ask_desk}\n"
    )
    rule = APPROVAL.replace("kind: service_request,", "kind: service_request, category: hardware,")
    desk = desk_with(tmp_path / "x", rule, customers=customers)
    sent = desk.receives(write(CUSTOMER, "您好，请采购两台笔记本电脑。", subject="采购申请"))
    assert not [m for m in sent if "审批" in m.subject] and desk.ticket(1).state is State.NEW

    (question,) = [m for m in mails_to(sent, "chen.jing") if "受理" in m.subject]
    sent = desk.receives(reply(question, DESK, "#受理范围内"))
    assert [m for m in sent if "请审批" in m.subject] and desk.ticket(1).awaits_approval
    assert not [m for m in sent if "派单" in m.subject or m.to.startswith("wang.wei")]


def test_an_approval_given_by_mistake_is_taken_back(tmp_path):
    desk, _, question, manager = asked_for_approval(tmp_path)
    desk.receives(reply(question, manager, "#同意"))
    desk.receives(reply(question, manager, "#撤销"))
    assert desk.ticket(1).awaits_approval and desk.ticket(1).team == ""
    desk.receives(reply(question, manager, "#不同意 还是算了"))
    assert desk.ticket(1).state is State.CANCELLED


def test_where_nobody_can_approve_the_desk_is_asked_and_may(tmp_path):
    desk = desk_with(tmp_path / "x", APPROVAL)
    book = desk.desk.rulebook
    without = {k: replace(p, roles=p.roles - {"manager"}) for k, p in book.people.items()}
    desk.desk.rulebook = replace(book, people=without, next_in_line={})
    sent = desk.receives(write(CUSTOMER, "您好，请采购两台笔记本电脑。", subject="采购申请"))
    (question,) = [m for m in mails_to(sent, "chen.jing") if "请审批" in m.subject]
    desk.receives(reply(question, DESK, "#同意"))
    assert desk.ticket(1).state is State.ASSIGNED


def test_a_large_mail_is_passed_on_from_its_file_and_its_words_go_out_if_that_is_gone(tmp_path):
    desk = desk_with(tmp_path / "x", FORWARD)
    spool = desk.desk.store.ledger._spool
    spool.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        content = write(CUSTOMER, "十月的发票请查收。", subject=f"发票 {number}").as_bytes(policy=SMTP)
        path = spool / f"{number}.eml"
        path.write_bytes(content)
        mail = RawMail(
            mailbox="support", uidvalidity=1, uid=number, received_at=desk.clock.now(), size=len(content),
            sha256=sha256(content).hexdigest(), path=str(path),
        )  # fmt: skip
        desk.desk.store.ledger.keep([(mail, False)])
    flow.handle_waiting(desk.desk)
    (spool / "2.eml").unlink()
    sent = desk.works()
    whole, words = mails_to(sent, "bills")

    assert [a.name for a in whole.letter.attachments][:1] == ["mail.eml"]
    assert not words.letter.attachments and "十月的发票" in words.letter.text
    (alarm,) = [m for m in sent if "passed on" in m.subject]
    assert "cannot be read" in alarm.letter.text


def test_who_writes_keywords_decides_about_the_parent_and_the_forward(tmp_path):
    rules = "  - {name: 同一故障, when: {subject contains: 三楼}, then: {parent: 1, forward: bills@partner.example}}\n"
    desk = desk_with(tmp_path / "x", rules)
    desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    mail = write(ENGINEER, "#来源 电话\n#关联 1\n三楼交换机也掉线了。", subject="三楼", to="support@example.com")
    mail["Authentication-Results"] = "mx.example.com; dmarc=pass header.from=example.com"
    desk.desk.service = replace(desk.desk.service, trust=Trust(authserv_ids=frozenset({"mx.example.com"})))
    desk.receives(mail)

    assert desk.ticket(2) is not None and desk.mail_status()[-1][0] == "handled"
    assert [(x.kind, x.ticket) for x in desk.ticket(2).links] == [("related", 1)]
    assert "it holds keywords of one of ours" in desk.events(2, "Routed")[0].because[-1]


# --- what rules leave to people ---

PROVED_STAFF = {"authentication_results": "mx.example.com; dmarc=pass header.from=example.com"}


def proving(desk):
    """Let the desk believe the mail server about who wrote a mail."""
    desk.desk.service = replace(desk.desk.service, trust=Trust(authserv_ids=frozenset({"mx.example.com"})))
    return desk


@pytest.mark.parametrize("action", ["drop: 广告不处理", "ignore: 广告不处理", "reject: 不受理广告"])
def test_no_rule_swallows_a_mail_in_which_one_of_ours_gives_commands(tmp_path, action):
    rule = f"  - {{name: 广告, when: {{subject contains: 优惠}}, then: {{{action}}}}}\n"
    desk = proving(desk_with(tmp_path / "x", rule))
    mail = write(ENGINEER, "#来源 电话\n客户来电：优惠系统坏了。", subject="优惠系统", **PROVED_STAFF)
    sent = desk.receives(mail)

    assert desk.ticket(1).state in (State.NEW, State.ASSIGNED) and desk.ticket(1).source == "phone"
    word = action.replace("ignore", "drop")
    assert desk.events(1, "Routed")[0].because[-1] == f"{word}: not done, it holds keywords of one of ours"
    assert [m for m in mails_to(sent, "wang.wei") if "已登记" in m.subject]


@pytest.mark.parametrize("action", ["drop: 谢谢", "forward: bills@partner.example"])
def test_no_rule_swallows_what_the_requester_writes_about_their_closed_ticket(tmp_path, action):
    rule = f"  - {{name: 谢谢, when: {{text contains: 谢谢}}, then: {{{action}}}}}\n"
    desk = desk_with(tmp_path / "x", rule)
    sent = desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    onward = mails_to(sent, "wang.wei")[0]
    desk.receives(reply(onward, ENGINEER, "#受理"))
    solved = mails_to(desk.receives(reply(onward, ENGINEER, "#解决 换了线")), "zhang.san")[0]
    desk.receives(reply(solved, CUSTOMER, "#确认"))
    desk.receives(reply(onward, DESK, "#归档"))
    desk.waits(days=40)
    state = desk.ticket(1).state
    sent = desk.receives(reply(solved, CUSTOMER, "又坏了，请再看看，谢谢"))

    assert sent, state
    told = desk.ticket(2) if state is State.ARCHIVED else desk.ticket(1)
    assert told is not None and desk.mail_status()[-1] == ("handled", "")
    if state is State.ARCHIVED:
        assert "takes part in the ticket" in desk.events(2, "Routed")[0].because[-1]


def test_a_parent_by_its_number_is_none_where_it_is_another_customers(tmp_path):
    desk = desk_with(tmp_path / "x", "  - {name: 同一故障, when: {subject contains: 三楼}, then: {parent: 1}}\n")
    desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    desk.receives(write("Zoe <zoe@other.example>", "三楼 is down", subject="三楼"))

    assert not desk.ticket(2).links and not desk.ticket(1).links
    assert desk.events(2, "Routed")[0].because[-1] == (
        "parent: 1: it is another customer's, whose news is not for this one"
    )


PRINTER = "  - {name: 催, for: replies, when: {text contains: 打印}, then: {severity at least: 1, tags: [hurry]}}\n"


def test_what_people_say_in_a_mail_wins_over_a_rule_and_they_are_told_what_the_rule_did(tmp_path):
    desk = proving(desk_with(tmp_path / "x", PRINTER))
    desk.receives(write(CUSTOMER, "打印机坏了", subject="打印机"))
    sent = desk.receives(write(DESK, "#级别 3\n只有一台打印机", subject="[INC-1]", **PROVED_STAFF))

    assert desk.ticket(1).severity == 3 and desk.ticket(1).tags == ("hurry",)
    assert "severity at least: 1: not done, the mail itself says it" in desk.events(1, "RulesApplied")[0].because
    (receipt,) = mails_to(sent, "chen.jing")
    assert "按规则：催" in receipt.letter.text and "以您写的为准" in receipt.letter.text
    assert "加上了 hurry" in receipt.letter.text

    sent = desk.receives(write(DESK, "#备注 打印机还没有好", subject="[INC-1]", **PROVED_STAFF))
    assert desk.ticket(1).severity == 1
    assert [m for m in mails_to(sent, "chen.jing") if "级别升为一级" in m.letter.text]


def test_a_rule_does_nothing_to_a_ticket_that_the_same_mail_ends(tmp_path):
    desk = proving(desk_with(tmp_path / "x", PRINTER.replace("tags: [hurry]", "tags: [hurry], notify: [he.lei]")))
    desk.receives(write(CUSTOMER, "打印机坏了", subject="打印机"))
    sent = desk.receives(write(DESK, "#取消 重复了，打印机那张单在办", subject="[INC-1]", **PROVED_STAFF))

    assert desk.ticket(1).state is State.CANCELLED and not desk.ticket(1).tags and not mails_to(sent, "he.lei")
    assert desk.events(1, "RulesApplied")[0].because == ("催: nothing done, the mail ends the ticket",)


# --- nothing goes past an approval ---


def test_a_ticket_that_waits_for_approval_is_not_solved_with_its_parent(tmp_path):
    desk = desk_with(tmp_path / "x", APPROVAL.replace("approval:", "parent: 1, approval:"))
    first = desk.receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    sent = desk.receives(write(CUSTOMER, "请采购两台笔记本电脑。", subject="采购申请"))
    (question,) = [m for m in sent if "请审批" in m.subject]
    manager = desk.desk.rulebook.people_with("manager")[0]
    onward = mails_to(first, "wang.wei")[0]
    desk.receives(reply(onward, ENGINEER, "#受理"))
    sent = desk.receives(reply(onward, ENGINEER, "#解决 换了线"))

    assert desk.ticket(1).state is State.RESOLVED and desk.ticket(2).awaits_approval
    assert not [m for m in mails_to(sent, "zhang.san") if "采购" in m.subject]
    (told,) = mails_to(sent, "chen.jing")
    assert "还在等审批，没有跟着解决" in told.letter.text and "ParentEnded" in desk.history(2)
    desk.receives(reply(question, f"{manager.name} <{manager.address}>", "#同意"))
    assert desk.ticket(2).state is State.ASSIGNED


@pytest.mark.parametrize("word", ["#合并 2", "#重复 2"])
def test_a_ticket_that_waits_for_approval_is_merged_with_nothing(tmp_path, word):
    desk, _, question, manager = asked_for_approval(tmp_path)
    proving(desk).receives(write(CUSTOMER, "各位好，VPN 今早连不上。"))
    (answer,) = desk.receives(write(DESK, word, subject="[INC-1]", **PROVED_STAFF))

    assert desk.ticket(1).awaits_approval and not desk.ticket(1).links
    assert "正在等部门经理审批，请等有了结果再并单" in answer.letter.text
    desk.receives(reply(question, manager, "#同意"))
    desk.receives(write(DESK, f"{word}\n", subject="Re: [INC-1]", **PROVED_STAFF))
    assert desk.ticket(1).state is State.CANCELLED and desk.ticket(1).moved_to == 2


def with_managers(desk, *keys):
    """Make these people the managers of the desk."""
    book = desk.desk.rulebook
    people = {k: replace(p, roles=(p.roles - {"manager"}) | ({"manager"} if k in keys else set()))
              for k, p in book.people.items()}  # fmt: skip
    desk.desk.rulebook = replace(book, people=people)
    return [people[k] for k in keys]


def test_nobody_approves_their_own_request_where_another_one_can(tmp_path):
    desk = proving(desk_with(tmp_path / "x", APPROVAL))
    one, other = with_managers(desk, "zhou.qiang", "sun.li")
    mine = f"{one.name} <{one.address}>"
    sent = desk.receives(write(mine, "请采购两台笔记本电脑。", subject="采购申请", **PROVED_STAFF))
    assert [m.to for m in sent if "请审批" in m.subject] == [other.address]

    (answer,) = desk.receives(write(mine, "#同意", subject="[INC-1]", **PROVED_STAFF))
    assert desk.ticket(1).awaits_approval
    assert f"这是您自己的申请，要由别人审批：{other.name}" in answer.letter.text
    (question,) = [m for m in sent if "请审批" in m.subject]
    desk.receives(reply(question, f"{other.name} <{other.address}>", "#同意"))
    assert desk.ticket(1).state is State.ASSIGNED


def test_where_nobody_else_can_they_may_and_the_ticket_says_so(tmp_path, capsys):
    desk = proving(desk_with(tmp_path / "x", APPROVAL))
    (only,) = with_managers(desk, "zhou.qiang")
    mine = f"{only.name} <{only.address}>"
    sent = desk.receives(write(mine, "请采购两台笔记本电脑。", subject="采购申请", **PROVED_STAFF))
    (question,) = [m for m in sent if "请审批" in m.subject]
    assert question.to == only.address
    sent = desk.receives(reply(question, mine, "#同意"))

    assert desk.ticket(1).state is State.ASSIGNED and desk.events(1, "StateChanged")[0].own
    assert [m for m in mails_to(sent, "zhou.qiang") if "没有其他人可以审批" in m.letter.text]
    run_command(["--config", str(tmp_path / "x" / "ticketd.toml"), "ticket", "report", "1", "--language", "zh"])
    assert "审批通过了自己的申请，没有其他人可以审批" in capsys.readouterr().out
