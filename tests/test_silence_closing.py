"""Who does not answer is asked once more, then taken at their silence."""

from dataclasses import replace
from datetime import datetime

import pytest

from daemon.words import State
from tests.desk import BEIJING, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, DESK, ENGINEER, PM, mail_to, resolved

REQUESTER = "zhang.san@huaxing.example.com"


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def at(day, hour=0, minute=0, month=11):
    return datetime(2026, month, day, hour, minute, tzinfo=BEIJING)


def until(desk, *when, **more):
    """Let time pass up to a moment; return the mails that leave then."""
    desk.clock.at = at(*when, **more)
    return desk.works()


def named(sent, word):
    return [m for m in sent if word in m.subject]


@pytest.mark.procedure("3/pending_review/silence", "8/confirm_reminder")
def test_silence_is_reminded_of_once_and_then_taken_for_consent(desk):
    to_customer, _ = resolved(desk)  # Monday, 10:00
    assert "11月26日（周四）18:00" in to_customer.letter.text, "the question says what follows from silence"

    assert not named(until(desk, 25, 8, 59), "请确认是否已解决")
    (reminder,) = named(until(desk, 25, 9), "请确认是否已解决")
    assert reminder.to == REQUESTER and "11月26日（周四）18:00" in reminder.letter.text
    assert not named(until(desk, 26, 17, 59), "请确认是否已解决") and desk.ticket(1).state is State.RESOLVED

    (review,) = [m for m in until(desk, 26, 18) if "请审核" in m.subject]
    assert review.to == "sun.li@example.com" and "用户没有答复" in review.letter.text
    assert desk.ticket(1).state is State.PENDING_REVIEW
    assert desk.history(1)[-2:] == ["ClosedBySilence", "StateChanged"]
    (closed,) = desk.events(1, "ClosedBySilence")
    assert (closed.days, closed.reminded_at) == (3, at(25, 9))
    assert desk.events(1, "StateChanged")[-1].by == "clock"


def test_a_reminder_can_be_answered_like_the_first_question(desk):
    resolved(desk)
    (reminder,) = named(until(desk, 25, 9), "请确认是否已解决")
    desk.receives(reply(reminder, CUSTOMER, "还是不行，又断了。"))
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).silence is None
    until(desk, 27, 19)
    assert desk.ticket(1).state is State.IN_PROGRESS
    assert desk.events(1, "ClosedBySilence") == []


def test_a_confirmation_ends_the_wait(desk):
    to_customer, _ = resolved(desk)
    sent = desk.receives(reply(to_customer, CUSTOMER, "已解决，谢谢"))
    assert "用户也确认了" in mail_to(sent, "sun.li").letter.text
    until(desk, 30, 18)
    assert desk.events(1, "Reminded") == [] and desk.events(1, "ClosedBySilence") == []


def test_mere_thanks_object_to_nothing_and_the_wait_goes_on(desk):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, "谢谢！"))
    until(desk, 25, 9)
    until(desk, 26, 18)
    assert desk.ticket(1).state is State.PENDING_REVIEW


def test_an_out_of_office_notice_is_no_answer(desk):
    resolved(desk)
    (reminder,) = named(until(desk, 25, 9), "请确认是否已解决")
    desk.receives(reply(reminder, CUSTOMER, "我正在休假，11 月 30 日回来。", auto_submitted="auto-replied"))
    until(desk, 26, 18)
    assert desk.ticket(1).state is State.PENDING_REVIEW


def test_words_that_nobody_can_prove_begin_the_wait_anew(desk):
    resolved(desk)
    until(desk, 25, 9)
    desk.receives(write(CUSTOMER, "还是不行。", subject="[INC-1] VPN 连不上"))
    assert desk.ticket(1).state is State.RESOLVED, "a mere subject proves nothing"
    until(desk, 26, 18)
    assert desk.ticket(1).state is State.RESOLVED, "but it was no silence either"
    assert len(named(until(desk, 27, 9), "请确认是否已解决")) == 1


def test_a_weekend_and_a_holiday_are_no_working_days(desk):
    desk.clock.at = datetime(2026, 9, 30, 15, 0, tzinfo=BEIJING)
    resolved(desk)  # Wednesday before National Day; 10 October is a make-up Saturday
    assert desk.ticket(1).silence.remind_at == at(9, 9, month=10)
    assert desk.ticket(1).silence.close_at == at(10, 18, month=10)


def test_after_a_long_outage_the_reminder_comes_first_and_a_working_day_of_grace(desk):
    resolved(desk)
    sent = until(desk, 30, 11)  # Monday a week later: reminder and closing are both long due
    (reminder,) = named(sent, "请确认是否已解决")
    assert "本应在 11月25日（周三）09:00 发出" in reminder.letter.text
    assert desk.ticket(1).state is State.RESOLVED and desk.ticket(1).silence.close_at == at(1, 18, month=12)
    assert until(desk, 30, 11, 5) == []

    until(desk, 1, 17, 59, month=12)
    assert desk.ticket(1).state is State.RESOLVED
    until(desk, 1, 18, month=12)
    assert desk.ticket(1).state is State.PENDING_REVIEW
    assert len(desk.events(1, "Reminded")) == 1


def test_it_survives_a_restart(desk, tmp_path):
    resolved(desk)
    until(desk, 25, 9)
    desk.desk.store.close()
    again = TestDesk(tmp_path, now=at(26, 18))
    again.works()
    assert again.ticket(1).state is State.PENDING_REVIEW and len(again.events(1, "Reminded")) == 1
    assert again.desk.store.register.rebuild() == []


def test_a_ticket_solved_before_there_was_a_rule_is_asked_about_from_now_on(desk):
    rule = desk.desk.rulebook.duties
    desk.desk.rulebook = replace(desk.desk.rulebook, duties=replace(rule, closing=None))
    resolved(desk)
    until(desk, 30, 12)
    assert desk.ticket(1).silence is None

    desk.desk.rulebook = replace(desk.desk.rulebook, duties=rule)
    until(desk, 30, 13)
    assert desk.ticket(1).silence.close_at == at(3, 18, month=12)


def test_solved_again_after_a_reopening_asks_again(desk):
    to_customer, to_engineer = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, "还是不行"))
    until(desk, 24, 11)
    desk.receives(reply(to_engineer, ENGINEER, "#已解决 换了一条线路"))
    assert desk.ticket(1).silence.close_at == at(27, 18)


def archived(desk):
    to_customer, to_engineer = resolved(desk)
    review = mail_to(desk.receives(reply(to_customer, CUSTOMER, "#确认")), "sun.li")
    closed = mail_to(desk.receives(reply(review, PM, "#归档")), "zhang.san")
    return closed, to_engineer, review


@pytest.mark.procedure("3/archived")
@pytest.mark.parametrize(
    ("who", "command"),
    [
        (ENGINEER, "#备注 补记一笔"),
        (ENGINEER, "#受理 我来处理"),
        (ENGINEER, "#已解决 其实是别的办法"),
        (ENGINEER, "#级别 1 其实很严重"),
        (ENGINEER, "#原因 证书"),
        (PM, "#驳回 不同意"),
        (PM, "#归档 1"),
        (PM, "#级别 4 降一级"),
    ],
)
def test_an_archived_ticket_is_read_only_for_everybody(desk, who, command):
    _, to_engineer, review = archived(desk)
    before = desk.ticket(1)
    sent = desk.receives(reply(to_engineer if who is ENGINEER else review, who, command))
    after = desk.ticket(1)

    assert "现在的状态是“已归档”" in sent[0].letter.text
    same = ("state", "severity", "assignee", "team", "solution", "cause", "clocks")
    assert all(getattr(before, f) == getattr(after, f) for f in same)


def test_the_desk_cannot_write_on_an_archived_ticket_either(desk):
    archived(desk)
    (status,) = desk.receives(write(DESK, "#状态 1", subject="#状态"))
    assert "已归档" in status.letter.text
    desk.receives(write(DESK, "#转派 赵敏", subject="[INC-1]"))
    assert desk.ticket(1).state is State.ARCHIVED and desk.ticket(1).assignee == "wang.wei"


@pytest.mark.procedure("3/follow_up")
def test_a_reply_to_an_archived_ticket_names_both_ways(desk):
    closed, *_ = archived(desk)
    sent = desk.receives(reply(closed, CUSTOMER, "又出现了同样的问题。"))

    assert desk.ticket(2).follows == 1 and desk.ticket(1).followed_by == (2,)
    assert desk.ticket(1).state is State.ARCHIVED
    assert "INC-1" in mail_to(sent, "zhang.san").letter.text and "INC-1" in mail_to(sent, "wang.wei").letter.text
    assert desk.desk.store.register.rebuild() == []
