"""The promises we make, told as conversations."""

import pytest

from daemon.words import HoldReason, Severity, State
from tests.desk import BEIJING, TestDesk, reply, write

CUSTOMER = "张三 <zhang.san@huaxing.example.com>"
ENGINEER = "王伟 <wang.wei@example.com>"
LEAD = "赵敏 <zhao.min@example.com>"
PM = "孙莉 <sun.li@example.com>"
DESK = "陈静 <chen.jing@example.com>"


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def mail_to(sent, name):
    return next(m for m in sent if m.to.startswith(name))


def opened(desk, text="各位好，VPN 今早连不上，提示错误 691。", **more):
    """A customer reports; return (mail to the customer, mail to the engineer)."""
    sent = desk.receives(write(CUSTOMER, text, **more))
    return mail_to(sent, "zhang.san"), mail_to(sent, "wang.wei")


def taken_up(desk):
    to_customer, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    return to_customer, to_engineer


def resolved(desk):
    to_customer, to_engineer = taken_up(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#已解决 更换了网关证书\n#原因 证书过期"))
    return mail_to(sent, "zhang.san"), to_engineer


def test_a_customers_mail_opens_an_incident_and_tells_both_sides(desk):
    to_customer, to_engineer = opened(desk)

    assert desk.history(1) == ["Opened", "MessageAdded", "Routed", "ClockStarted", "ClockStarted", "Assigned"]
    assert desk.ticket(1).assignee == "wang.wei"
    assert to_customer.subject.startswith("[INC-1]") and "VPN" in to_customer.subject
    assert to_customer.letter.header("Auto-Submitted") == "auto-replied"
    assert to_customer.letter.references and to_customer.reply_to.startswith("support+")
    assert "691" in to_engineer.letter.text


def test_the_whole_life_of_an_incident(desk):
    ack, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).assignee == "wang.wei"

    sent = desk.receives(reply(to_engineer, ENGINEER, "#进展 已定位，正在更换网关证书。"))
    assert "已定位，正在更换网关证书。" in mail_to(sent, "zhang.san").letter.text

    desk.receives(reply(to_engineer, ENGINEER, "#挂起 客户 请提供日志"))
    assert desk.ticket(1).state is State.ON_HOLD and desk.ticket(1).hold_reason is HoldReason.CUSTOMER

    sent = desk.receives(reply(ack, CUSTOMER, "日志见附件。"))
    assert "日志见附件。" in mail_to(sent, "wang.wei").letter.text
    assert desk.ticket(1).state is State.IN_PROGRESS, "the answer has come, so it is our turn again"
    assert not [m for m in sent if m.to.startswith("zhang.san")]
    desk.receives(reply(to_engineer, ENGINEER, "#恢复"))

    sent = desk.receives(reply(to_engineer, ENGINEER, "#已解决 更换了网关证书\n#原因 证书过期"))
    assert "更换了网关证书" in mail_to(sent, "zhang.san").letter.text
    assert desk.ticket(1).state is State.RESOLVED and desk.ticket(1).cause == "证书过期"

    sent = desk.receives(reply(mail_to(sent, "zhang.san"), CUSTOMER, "#确认"))
    assert desk.ticket(1).state is State.PENDING_REVIEW
    review = mail_to(sent, "sun.li")

    sent = desk.receives(reply(review, PM, "#归档"))
    assert desk.ticket(1).state is State.ARCHIVED
    assert {m.to.partition("@")[0] for m in sent} == {"zhang.san", "sun.li"}


@pytest.mark.procedure("7/together", "7/answer")
def test_every_command_mail_gets_one_transcript(desk):
    _, to_engineer = opened(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#受理\n#进展 看过了\n#严重 2"))

    (transcript,) = [m for m in sent if m.to.startswith("wang.wei")]
    assert "#严重 2" in transcript.letter.text
    assert desk.ticket(1).state is State.ASSIGNED, "one unknown command, so none was applied"
    assert [m.to for m in sent] == ["wang.wei@example.com"], "and nobody was told what did not happen"


@pytest.mark.procedure("7/new_words", "7/bad/quote")
def test_quoted_keywords_do_nothing(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "收到，我看一下。"))

    assert desk.ticket(1).state is State.ASSIGNED
    assert desk.history(1)[-1] == "MessageAdded"


def test_lowering_a_severity_is_the_project_managers_with_a_reason(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 2 影响整个部门"))
    assert desk.ticket(1).severity is Severity.HIGH

    desk.receives(reply(to_engineer, ENGINEER, "#级别 4"))
    assert desk.ticket(1).severity is Severity.HIGH
    assert desk.events(1, "CommandsRefused")[-1].reason == "lowering_is_pms:"


def test_raising_a_severity_moves_the_deadlines_openly(desk):
    _, to_engineer = opened(desk)
    before = desk.ticket(1).due("resolve")
    desk.waits(minutes=10)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网"))

    assert desk.ticket(1).due("resolve") < before
    assert desk.history(1)[-4:] == ["ClockRetimed", "ClockRetimed", "StepReached", "StepReached"]
    assert [e.step for e in desk.events(1, "StepReached")] == ["respond 50%", "on record"]
    used = desk.ticket(1).due("resolve") - desk.clock.at
    assert used.total_seconds() == 4 * 3600 - 600, "ten minutes were used already"


@pytest.mark.procedure("3/on_hold/customer")
def test_the_clock_stands_still_while_waiting_for_the_customer(desk):
    _, to_engineer = taken_up(desk)
    desk.waits(hours=1)
    before = desk.ticket(1).due("resolve")
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 客户 等日志"))
    desk.waits(hours=3)
    desk.receives(reply(to_engineer, ENGINEER, "#恢复"))

    # Three hours on the wall from 11:00 hold two working hours: lunch is from twelve to one.
    assert desk.events(1, "ClockPaused")[-1].reason == "customer"
    moved = desk.ticket(1).due("resolve") - before
    assert moved.total_seconds() == 2 * 3600


@pytest.mark.procedure("3/on_hold/vendor")
def test_waiting_for_a_vendor_does_not_stop_the_clock(desk):
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 厂商 等备件"))

    assert desk.ticket(1).clock("resolve").running


@pytest.mark.procedure("6/once", "6/forecast")
def test_each_step_of_the_timetable_is_told_once(desk):
    opened(desk)
    assert desk.waits(hours=4, minutes=11) == []
    first = desk.waits(minutes=1)  # 14:12, when four fifths of four working hours are over
    assert [m.to for m in first] == ["zhao.min@example.com"], "the lead hears that nobody responded"
    assert desk.waits(minutes=1) == []
    assert [e.step for e in desk.events(1, "StepReached")] == ["respond 100%"]


@pytest.mark.procedure("6/late")
def test_after_an_outage_the_step_comes_late_once_and_says_so(desk):
    opened(desk)
    desk.waits(days=3)

    (step,) = [e for e in desk.events(1, "StepReached") if e.clock == "respond"]
    assert step.noticed_at > step.due_at
    assert desk.waits(minutes=5) == []


@pytest.mark.procedure("3/on_hold/date")
def test_after_an_outage_the_clock_counts_on_from_the_date_of_the_hold(desk):
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 客户 2026-11-24 10:00"))
    desk.waits(days=1, hours=5)
    (resumed,) = desk.events(1, "ClockResumed")
    assert resumed.at.astimezone(BEIJING).strftime("%m-%d %H:%M") == "11-24 10:00"
    assert desk.ticket(1).state is State.IN_PROGRESS


@pytest.mark.procedure("3/on_hold/date")
def test_a_hold_with_a_date_wakes_up_by_itself(desk):
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 日期 到2026-11-24 14:00 等维护窗口"))
    desk.waits(hours=20)
    assert desk.ticket(1).state is State.ON_HOLD
    desk.waits(hours=9)
    assert desk.ticket(1).state is State.IN_PROGRESS


@pytest.mark.procedure("3/reopen/not_solved", "3/reopen/counted", "3/reopen/clock")
def test_not_solved_puts_it_back_and_counts(desk):
    to_customer, _ = resolved(desk)
    sent = desk.receives(reply(to_customer, CUSTOMER, "还是不行，又断了。"))

    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).reopened == 1
    assert any(m.to.startswith("wang.wei") for m in sent)
    assert desk.ticket(1).clock("resolve").running, "the clock goes on from where it stopped"


@pytest.mark.procedure("3/reopen/thanks")
@pytest.mark.parametrize("words", ["谢谢！", "已解决，谢谢", "Thanks a lot", "好的，收到", "可以了，辛苦了"])
def test_a_thank_you_does_not_reopen(desk, words):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, words))

    assert desk.ticket(1).state in (State.RESOLVED, State.PENDING_REVIEW) and desk.ticket(1).reopened == 0


@pytest.mark.procedure("4/wrong_dispatch", "7/return")
def test_wrong_queue_goes_back_to_the_desk(desk):
    _, to_engineer = opened(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#退回 这是应用问题，不归网络组"))

    ticket = desk.ticket(1)
    assert (ticket.state, ticket.team, ticket.returned) == (State.NEW, "", 1)
    assert "这是应用问题" in mail_to(sent, "chen.jing").letter.text


def test_handing_over_brings_the_new_person_the_whole_story(desk):
    _, to_engineer = taken_up(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#转派 赵敏 请看防火墙"))

    assert desk.ticket(1).assignee == "zhao.min"
    assert "691" in mail_to(sent, "zhao.min").letter.text


def test_escalation_can_be_asked_for_by_the_customer(desk):
    ack, _ = opened(desk)
    sent = desk.receives(reply(ack, CUSTOMER, "#升级 我们整个分公司都停了"))

    assert desk.history(1)[-1] == "EscalationAsked"
    assert "我们整个分公司都停了" in mail_to(sent, "zhao.min").letter.text


def test_an_internal_note_never_reaches_the_customer(desk):
    _, to_engineer = taken_up(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#备注 客户自己改了配置，canary-7731"))

    assert not [m for m in sent if m.to.startswith("zhang.san")]
    sent = desk.receives(reply(to_engineer, ENGINEER, "#已解决 恢复了配置"))
    assert b"canary-7731" not in mail_to(sent, "zhang.san").raw
    assert "canary-7731" not in mail_to(sent, "zhang.san").letter.text


def test_status_and_list_show_only_what_is_ones_own(desk):
    ack, _ = opened(desk)
    desk.receives(write("李四 <li.si@huaxing.example.com>", "打印机卡纸 canary-li", subject="打印机"))
    (answer,) = desk.receives(reply(ack, CUSTOMER, "#列表"))

    assert "INC-1" in answer.letter.text and "INC-2" not in answer.letter.text


def test_a_question_needs_no_ticket(desk):
    opened(desk)
    (answer,) = desk.receives(write(ENGINEER, "#状态 1", subject="hello"))

    assert "INC-1" in answer.letter.text and desk.ticket(2) is None


def test_help_lists_the_keywords_of_the_table(desk):
    _, to_engineer = opened(desk)
    (answer,) = desk.receives(reply(to_engineer, ENGINEER, "#帮助"))

    assert "#受理" in answer.letter.text and "#归档" not in answer.letter.text


@pytest.mark.procedure("3/follow_up")
def test_a_reply_to_an_archived_ticket_opens_a_linked_new_one(desk):
    to_customer, to_engineer = resolved(desk)
    review = mail_to(desk.receives(reply(to_customer, CUSTOMER, "#确认")), "sun.li")
    desk.receives(reply(review, PM, "#归档"))
    desk.receives(reply(to_customer, CUSTOMER, "又出现了同样的问题。"))

    assert desk.ticket(1).state is State.ARCHIVED and desk.ticket(2).follows == 1


def test_english_customers_are_answered_in_english(desk):
    sent = desk.receives(
        write("Ann <ann@northwind.example.com>", "The VPN has been down since nine.", subject="VPN down")
    )

    ack = mail_to(sent, "ann@")
    assert not any("\u4e00" <= c <= "\u9fff" for c in ack.letter.text)


def test_out_of_scope_by_the_desk_tells_the_requester(desk):
    ack, _ = opened(desk)
    desk.receives(reply(ack, CUSTOMER, "请尽快"))
    status = mail_to(desk.receives(write(DESK, "#状态 1", subject="x")), "chen.jing")
    del status
    _, to_engineer = opened(desk, "第二个问题：想买新手机", subject="想买新 VPN 手机")
    sent = desk.receives(reply(to_engineer, ENGINEER, "#退回 不在合同范围"))
    sent = desk.receives(reply(mail_to(sent, "chen.jing"), DESK, "#不受理 采购不在服务范围内"))
    assert desk.ticket(2).state is State.OUT_OF_SCOPE
    assert "采购不在服务范围内" in mail_to(sent, "zhang.san").letter.text


def test_a_second_command_on_the_same_line_is_not_lost_in_silence(desk):
    _, to_engineer = opened(desk)
    (answer,) = desk.receives(reply(to_engineer, ENGINEER, "#accept #resolve done"))

    assert desk.ticket(1).state is State.ASSIGNED and "一行只能写一个指令" in answer.letter.text


def test_an_answer_below_the_quote_is_heard(desk):
    ack, to_engineer = opened(desk)
    quoted = "\n".join(f"> {line}" for line in ack.letter.text.splitlines())
    mail = write(
        CUSTOMER,
        f"On Mon, 23 Nov 2026, Example Support wrote:\n\n{quoted}\n\n现在整栋楼都断网了，请尽快！\n",
        to=ack.reply_to,
    )
    sent = desk.receives(mail)
    assert "现在整栋楼都断网了" in mail_to(sent, "wang.wei").letter.text

    quoted = "\n".join(f"> {line}" for line in to_engineer.letter.text.splitlines())
    desk.receives(write(ENGINEER, f"{quoted}\n\n#受理\n", to=to_engineer.reply_to))
    assert desk.ticket(1).state is State.IN_PROGRESS


def test_ones_own_plain_words_are_said_to_have_stayed_inside_once(desk):
    _, to_engineer = taken_up(desk)
    first = desk.receives(reply(to_engineer, ENGINEER, "原因找到了，五点前能好。"))
    second = desk.receives(reply(to_engineer, ENGINEER, "再等等。"))

    assert ["客户没有收到" in m.subject for m in first if m.to.startswith("wang.wei")] == [True]
    assert not [m for m in second if m.to.startswith("wang.wei")]


def test_a_report_by_one_of_ours_with_keywords_opens_a_ticket(desk):
    sent = desk.receives(write(ENGINEER, "核心交换机起火，全楼断网。\n#级别 1\n请处理。", subject="核心交换机"))

    assert desk.ticket(1) is not None
    assert any("新开了一张工单" in m.letter.text for m in sent if m.to.startswith("wang.wei"))


def test_a_higher_urgency_never_lowers_a_severity_raised_by_hand(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1\n#紧急 高"))

    assert desk.ticket(1).severity is Severity.CRITICAL and desk.ticket(1).urgency == "high"


def test_a_hold_that_runs_out_is_told_to_the_engineer_and_not_to_the_customer(desk):
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 客户 到2026-11-24 10:00 请提供日志"))
    sent = desk.waits(hours=25)

    assert {m.to for m in sent if "挂起到期" in m.subject} == {"wang.wei@example.com"}
    # The day-end list is all that the customer hears.
    assert [m.subject for m in sent if m.to.startswith("zhang.san")] == ["[INC-1] 今天的进展：VPN 连不上"]


def test_notes_and_the_reason_go_with_a_ticket_that_is_handed_over(desk):
    _, to_engineer = taken_up(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#备注 防火墙查过了"))
    sent = desk.receives(reply(to_engineer, ENGINEER, "#转派 赵敏 请接着查路由"))
    text = mail_to(sent, "zhao.min").letter.text

    assert all(words in text for words in ("691", "防火墙查过了", "请接着查路由"))


def test_the_hint_counts_as_given_only_when_it_was_sent(desk):
    _, to_engineer = taken_up(desk)
    quiet = reply(to_engineer, ENGINEER, "原因找到了。", return_path="<>")
    assert not [m for m in desk.receives(quiet) if m.to.startswith("wang.wei")], "withheld: its return path is empty"

    sent = desk.receives(reply(to_engineer, ENGINEER, "五点前能好。"))
    assert ["客户没有收到" in m.subject for m in sent if m.to.startswith("wang.wei")] == [True]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The printer on the third floor is broken since this morning.", "We have your mail"),
        ("Der Drucker im dritten Stock ist seit heute Morgen kaputt, bitte helfen Sie uns.", "We have your mail"),
        ("三楼的打印机从今天早上起就坏了，请派人来看。", "您的来信已收到"),
        ("三樓的印表機從今天早上起就壞了，請派人來看。", "您的来信已收到"),
        ("12345", "您的来信已收到"),
    ],
)
def test_a_stranger_is_answered_in_the_language_of_their_mail(desk, text, title):
    sent = desk.receives(write("Ann <ann@elsewhere.example>", text, subject="1"))
    assert title in mail_to(sent, "ann@").letter.text
