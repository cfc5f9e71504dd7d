"""Lists at the end of the day, reviews in the morning, follow-ups by the week: owed by period, never twice."""

import shutil
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from daemon.duties import owed_duties
from daemon.intake.letter import read_letter
from daemon.notify.catalogue import TEMPLATES
from daemon.routing.check import check_rulebook
from daemon.routing.loader import load_partly, load_rulebook
from daemon.rulebook import DutyTime
from daemon.words import Duty, State
from tests.desk import BEIJING, ROOT, Sent, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, ENGINEER, PM, mail_to, opened, resolved

REQUESTER = "zhang.san@huaxing.example.com"
BOOK = load_rulebook(ROOT / "rules")


@pytest.fixture
def desk(tmp_path):
    desk = TestDesk(tmp_path)
    desk.works()  # from now on duties are owed
    return desk


def at(day, hour=0, minute=0, month=11):
    return datetime(2026, month, day, hour, minute, tzinfo=BEIJING)


def until(desk, *when, **more):
    """Let time pass up to a moment; return the mails that leave then."""
    desk.clock.at = at(*when, **more)
    return desk.works()


def lists(sent, *words):
    return [m for m in sent if any(w in m.subject for w in words)]


def day_list(sent):
    return lists(sent, "今天没有解决", "Not solved today")


def open_list(sent):
    return lists(sent, "今天的进展", "How it stands today")


def review_list(sent):
    return lists(sent, "请审核：1 张", "Please review: 1")


def only(duty, **changes):
    """Return the book with this duty alone."""
    times = tuple(t for t in BOOK.duties.times if t.duty is duty)
    return replace(BOOK, duties=replace(BOOK.duties, times=times, **changes))


def due(book, since, now, zone="Asia/Shanghai", done=()):
    return [(o.period, o.verdict, o.late) for o in owed_duties(book, zone, done, since, now)]


# --- when ---


def test_a_day_ends_an_hour_before_people_go_home():
    book = only(Duty.PM_LIST)
    assert due(book, at(23, 10), at(23, 16, 59)) == []
    assert due(book, at(23, 10), at(23, 17)) == [("2026-11-23", "now", False)]
    assert due(book, at(23, 10), at(23, 17), done={("pm_list", "2026-11-23", "business")}) == []


@pytest.mark.procedure("9/pm_list", "6/holidays", "6/make_up")
def test_nothing_on_weekends_and_holidays_and_make_up_days_count():
    book = only(Duty.PM_LIST)
    days = [period for period, *_ in due(book, at(30, 18, month=9), at(12, 18, month=10))]
    assert days == ["2026-10-08", "2026-10-09", "2026-10-10", "2026-10-12"], "the tenth is a Saturday that is worked"


def test_a_list_is_late_in_the_evening_and_the_next_morning_and_then_missed():
    book = only(Duty.PM_LIST)
    friday = at(27, 10)
    assert due(book, friday, at(27, 22)) == [("2026-11-27", "now", True)]
    assert due(book, friday, at(28, 11)) == [("2026-11-27", "waits", True)], "nobody is written to on Saturday"
    assert due(book, friday, at(30, 8, 59)) == [("2026-11-27", "waits", True)]
    assert due(book, friday, at(30, 9)) == [("2026-11-27", "now", True)]
    assert due(book, friday, at(30, 12, 1)) == [("2026-11-27", "missed", True)]
    assert due(book, friday, at(1, 9, month=12))[0] == ("2026-11-27", "missed", True)


def test_the_review_list_is_not_made_up_for_as_the_next_one_holds_it():
    book = only(Duty.REVIEW_LIST)
    assert due(book, at(23, 8), at(23, 20)) == [("2026-11-23", "now", True)]
    assert due(book, at(23, 8), at(24, 8)) == [("2026-11-23", "missed", True)]


def test_the_engineer_is_not_asked_at_night():
    book = only(Duty.ASK_ACTION)
    assert due(book, at(23, 8), at(23, 16)) == [("2026-11-23", "now", False)]
    assert due(book, at(23, 8), at(23, 18, 30)) == [("2026-11-23", "missed", True)]


def test_a_weekly_duty_on_a_holiday_comes_on_the_next_working_day():
    book = only(Duty.FOLLOW_UP)  # Fridays; 2 October is one within the holidays, which end on the seventh
    assert due(book, at(30, 9, month=9), at(8, 9, 59, month=10)) == []
    assert due(book, at(30, 9, month=9), at(8, 10, month=10)) == [("2026-W40", "now", False)]
    assert [p for p, *_ in due(book, at(30, 9, month=9), at(9, 10, month=10))] == ["2026-W40", "2026-W41"]


def test_a_weekly_duty_can_be_late_by_days():
    book = only(Duty.FOLLOW_UP_RESULT)  # Tuesdays at ten
    assert due(book, at(23, 9), at(26, 15)) == [("2026-W48", "now", True)]
    assert due(book, at(23, 9), at(26, 20)) == [("2026-W48", "waits", True)]
    assert due(book, at(23, 9), at(2, 15, month=12))[0] == ("2026-W48", "missed", True)


def test_the_day_ends_where_the_customer_is_and_on_the_day_the_clocks_change():
    business = BOOK.calendars["business"]
    week = {d: business.week[0] for d in range(7)}
    berlin = replace(business, key="berlin", zone="Europe/Berlin", week=week, holidays=frozenset())
    duties = replace(
        BOOK.duties,
        calendar="berlin",
        times=(DutyTime(duty=Duty.PM_LIST, offset=BOOK.duties.times[1].offset, from_end=True),),
    )
    book = replace(BOOK, calendars={"berlin": berlin}, customers={}, duties=duties)
    zone = ZoneInfo("Europe/Berlin")
    for month, day in ((3, 28), (3, 29), (10, 24), (10, 25)):
        end = datetime(2026, month, day, 17, 0, tzinfo=zone)
        (item,) = owed_duties(book, "Asia/Shanghai", (), datetime(2026, month, day, 9, tzinfo=zone), end)
        assert item.due_at == end and item.place == "berlin@Europe/Berlin"


# --- the lists ---


@pytest.mark.procedure("9/pm_list", "8/day_list")
def test_the_project_manager_gets_what_was_not_solved_today(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    desk.receives(reply(to_engineer, ENGINEER, "#进展 更换网关证书，预计 17:30 完成"))

    sent = day_list(until(desk, 23, 17))
    assert {m.to for m in sent} == {"sun.li@example.com", "mary.jones@example.com"}
    text = mail_to(sent, "sun.li").letter.text
    assert all(w in text for w in ("INC-1", "处理中", "王伟", "更换网关证书，预计 17:30 完成", "11月23日（周一）10:00"))
    assert not day_list(until(desk, 23, 17, 5)) and not day_list(until(desk, 24, 9))
    assert len(day_list(until(desk, 24, 17))) == 2, "and again tomorrow, if it is still open"


def test_the_reason_of_a_hold_is_the_next_action(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    desk.receives(reply(to_engineer, ENGINEER, "#挂起 厂商 等备件到货"))
    text = mail_to(day_list(until(desk, 23, 17)), "sun.li").letter.text
    assert "等待厂商" in text and "等备件到货" in text


@pytest.mark.procedure("9/ask_action")
def test_who_works_on_it_is_asked_where_nobody_knows_the_next_step(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    (asked,) = lists(until(desk, 23, 16), "请写下一步")
    assert asked.to == "wang.wei@example.com" and "#进展" in asked.letter.text

    desk.receives(reply(asked, ENGINEER, "#进展 明早换交换机"))
    assert "明早换交换机" in mail_to(day_list(until(desk, 23, 17)), "sun.li").letter.text
    assert not lists(until(desk, 24, 16), "请写下一步"), "it is known now"


def test_the_list_says_so_where_nobody_has_answered(desk):
    opened(desk)
    assert "下一步：还没有写明" in mail_to(day_list(until(desk, 23, 17)), "sun.li").letter.text


@pytest.mark.procedure("9/customer_list", "8/open_list")
def test_each_requester_gets_one_mail_with_all_their_open_tickets(desk):
    opened(desk)
    opened(desk, "VPN 很慢", subject="VPN 很慢")
    desk.receives(write("Ann <ann@northwind.example.com>", "The VPN has been down since nine.", subject="VPN down"))
    opened(desk, "VPN 经常断开", subject="VPN 断开")

    sent = open_list(until(desk, 23, 17, 30))
    assert sorted(m.to for m in sent) == ["ann@northwind.example.com", REQUESTER]
    theirs = mail_to(sent, "zhang.san").letter.text
    assert all(w in theirs for w in ("INC-1", "INC-2", "INC-4", "即将开始处理")) and "INC-3" not in theirs
    hers = mail_to(sent, "ann@")
    assert hers.subject.startswith("[INC-3]") and "Somebody is about to begin" in hers.letter.text


def test_internal_words_are_on_no_customers_list(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理\n#备注 canary-4711 客户自己弄坏的"))
    (mine,) = open_list(until(desk, 23, 17, 30))
    assert b"canary-4711" not in mine.raw and "canary-4711" not in mine.letter.text


def test_an_answer_to_a_list_of_one_ticket_lands_on_it(desk):
    opened(desk)
    (mine,) = open_list(until(desk, 23, 17, 30))
    desk.receives(reply(mine, CUSTOMER, "请在明天上午处理完，下午有会。"))
    assert desk.ticket(2) is None and desk.history(1)[-1] == "MessageAdded"


@pytest.mark.parametrize("words", ["收到，谢谢", "Thanks!", "我正在休假，下周回来"])
def test_thanks_for_a_list_of_several_open_no_ticket(desk, words):
    opened(desk)
    opened(desk, "VPN 很慢", subject="VPN 很慢")
    (mine,) = open_list(until(desk, 23, 17, 30))
    desk.receives(reply(mine, CUSTOMER, words))
    assert desk.ticket(3) is None and desk.mail_status()[-1][0] == "ignored"


def test_anything_else_said_to_a_list_of_several_is_not_lost(desk):
    opened(desk)
    opened(desk, "VPN 很慢", subject="VPN 很慢")
    (mine,) = open_list(until(desk, 23, 17, 30))
    desk.receives(reply(mine, CUSTOMER, "另外，三楼会议室的投影仪也坏了。"))
    assert desk.ticket(3) is not None


def test_a_project_manager_who_says_thanks_opens_no_ticket(desk):
    opened(desk)
    desk.receives(reply(mail_to(day_list(until(desk, 23, 17)), "sun.li"), PM, "收到，谢谢"))
    assert desk.ticket(2) is None


def test_robots_get_no_list(desk):
    desk.receives(
        write("Robot <noreply@robot.example.org>", "disk full", subject="VPN alert", auto_submitted="auto-generated")
    )
    assert desk.ticket(1) is not None
    assert open_list(until(desk, 23, 17, 30)) == []


@pytest.mark.procedure("9/review_list", "8/review_list")
def test_the_review_list_comes_every_working_day_while_there_is_something(desk):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, "#确认"))
    sent = review_list(until(desk, 24, 9, 30))
    assert {m.to for m in sent} == {"sun.li@example.com", "mary.jones@example.com"}
    assert "#归档 1" in mail_to(sent, "sun.li").letter.text and "更换了网关证书" in mail_to(sent, "sun.li").letter.text
    assert len(review_list(until(desk, 25, 9, 30))) == 2


def test_empty_lists_send_nothing(desk):
    for day in range(23, 29):
        assert until(desk, day, 19) == []
    assert {d.outcome for d in desk.desk.store.duties.history()} <= {"empty", "missed"}


def test_the_answer_to_a_review_list_archives_what_it_names(desk):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, "#确认"))
    review = mail_to(review_list(until(desk, 24, 9, 30)), "sun.li")
    desk.receives(reply(review, PM, "#归档 1"))
    assert desk.ticket(1).state is State.ARCHIVED
    assert review_list(until(desk, 25, 9, 30)) == []


def test_a_stranger_who_gets_hold_of_a_list_can_do_nothing_with_it(desk):
    to_customer, _ = resolved(desk)
    desk.receives(reply(to_customer, CUSTOMER, "#确认"))
    review = mail_to(review_list(until(desk, 24, 9, 30)), "sun.li")
    desk.receives(reply(review, "Eve <eve@elsewhere.example>", "#归档 1"))
    desk.receives(reply(review, "陈静 <chen.jing@example.com>", "#归档 1 2"))
    assert desk.ticket(1).state is State.PENDING_REVIEW


# --- the follow-up ---


def archived(desk, n=1):
    """Let n tickets of one requester be closed on Monday."""
    for i in range(1, n + 1):
        _, to_engineer = opened(desk, f"VPN 第 {i} 次连不上", subject=f"VPN {'甲乙丙丁'[i]}")
        desk.receives(reply(to_engineer, ENGINEER, f"#受理 {i}"))
        solved = mail_to(desk.receives(reply(to_engineer, ENGINEER, f"#已解决 第 {i} 次更换证书")), "zhang.san")
        review = mail_to(desk.receives(reply(solved, CUSTOMER, f"#确认 {i}")), "sun.li")
        desk.receives(reply(review, PM, f"#归档 {i}"))
    assert all(desk.ticket(i).state is State.ARCHIVED for i in range(1, n + 1))


def follow_up(desk, n=1):
    archived(desk, n)
    (asked,) = lists(until(desk, 27, 10), "您满意吗")
    return asked


@pytest.mark.procedure("9/follow_up")
def test_each_requester_is_asked_once_a_week_about_what_was_closed(desk):
    asked = follow_up(desk, 2)
    assert asked.to == REQUESTER and "INC-1" in asked.letter.text and "INC-2" in asked.letter.text
    assert [e.together for e in desk.events(2, "FollowUpAsked")] == [(1, 2)]
    assert not lists(until(desk, 4, 10, month=12), "您满意吗"), "never again about the same ones"
    assert desk.desk.store.register.rebuild() == []


@pytest.mark.procedure("7/rate")
@pytest.mark.parametrize(
    ("words", "rating", "rest"),
    [
        ("5", 5, ""), ("5 分", 5, ""), ("4/5", 4, ""), ("３", 3, ""), ("满意", 4, ""), ("不满意，等得太久了", 2, "等得太久了"),
        ("非常满意！谢谢", 5, "谢谢"), ("非常不满意", 1, ""), ("very satisfied, thanks", 5, "thanks"),
        ("Not satisfied. It took three days.", 2, "It took three days."), ("1\n没人回电话。", 1, "没人回电话。"),
        ("#评价 2 太慢", 2, "太慢"), ("#rate 4", 4, ""),
    ],
)  # fmt: skip
def test_a_rating_is_one_word_or_one_digit(desk, words, rating, rest):
    asked = follow_up(desk)
    sent = desk.receives(reply(asked, CUSTOMER, words))
    (rated,) = desk.events(1, "Rated")
    assert (rated.rating, rated.text) == (rating, rest)
    assert desk.ticket(1).state is State.ARCHIVED and desk.ticket(1).rating == rating and desk.ticket(2) is None
    assert not [m for m in sent if m.to.startswith("wang.wei")], (
        "the result goes to the project manager, with all others"
    )


def test_one_rating_counts_for_all_that_the_mail_asked_about(desk):
    asked = follow_up(desk, 2)
    desk.receives(reply(asked, CUSTOMER, "2，太慢了"))
    assert [desk.ticket(n).rating for n in (1, 2)] == [2, 2]
    desk.receives(reply(asked, CUSTOMER, "#评价 4 后来好多了"))
    assert [desk.ticket(n).rating for n in (1, 2)] == [4, 4], "who changes their mind may"


@pytest.mark.parametrize("words", ["5 个人还是连不上 VPN", "又坏了", "满意度？什么意思，VPN 又断了"])
def test_other_words_are_no_rating_and_open_a_linked_ticket(desk, words):
    desk.receives(reply(follow_up(desk), CUSTOMER, words))
    assert desk.events(1, "Rated") == [] and desk.ticket(2).follows == 1


def test_thanks_for_the_follow_up_are_thanks(desk):
    desk.receives(reply(follow_up(desk), CUSTOMER, "谢谢！"))
    assert desk.events(1, "Rated") == [] and desk.ticket(2) is None


def test_a_digit_on_another_mail_is_no_rating(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#受理"))
    solved = mail_to(desk.receives(reply(to_engineer, ENGINEER, "#已解决 好了")), "zhang.san")
    desk.receives(reply(solved, CUSTOMER, "5"))
    assert desk.events(1, "Rated") == []


def test_nobody_rates_for_somebody_else_nor_without_proof(desk):
    asked = follow_up(desk)
    desk.receives(reply(asked, "Eve <eve@elsewhere.example>", "1"))
    desk.receives(reply(asked, ENGINEER, "5"))
    desk.receives(write(CUSTOMER, "#评价 5", subject="[INC-1] VPN"))
    assert desk.events(1, "Rated") == [] and desk.ticket(1).rating == 0


def test_who_was_not_asked_is_told_so(desk):
    archived(desk)
    last = next(m for m in reversed(desk.sink.sent) if m.to == REQUESTER)
    closed = Sent(last, read_letter(last.content), last.content)
    answer = mail_to(desk.receives(reply(closed, CUSTOMER, "#评价 5")), "zhang.san")
    assert "还没有请您评价" in answer.letter.text and desk.ticket(1).rating == 0


@pytest.mark.procedure("9/follow_up_result", "8/follow_up_result")
def test_the_project_manager_gets_the_result(desk):
    asked = follow_up(desk, 2)
    desk.receives(reply(asked, CUSTOMER, "2\n等得太久了"))
    sent = lists(until(desk, 1, 10, month=12), "回访结果", "Follow-up:")
    text = mail_to(sent, "sun.li").letter.text
    assert "问到 2 张工单，2 张有答复，平均 2.0 分" in text and "等得太久了" in text
    assert not lists(until(desk, 8, 10, month=12), "回访结果", "Follow-up:"), "nothing new, nothing sent"


# --- never lost, never twice ---


@pytest.mark.procedure("9/owed")
def test_a_list_that_is_late_says_so_and_comes_once(desk):
    opened(desk)
    sent = until(desk, 24, 9, 10)  # everything was down since Monday noon
    assert "本应在 11月23日（周一）17:00 发出" in mail_to(day_list(sent), "sun.li").letter.text
    assert "本应在 11月23日（周一）17:30 发出" in mail_to(open_list(sent), "zhang.san").letter.text
    assert not day_list(until(desk, 24, 9, 20)) and not open_list(until(desk, 24, 9, 25))


def test_what_was_missed_is_written_down_and_not_sent(desk):
    opened(desk)
    sent = until(desk, 26, 15)
    assert not day_list(sent) and not open_list(sent)
    missed = {(d.duty, d.period) for d in desk.desk.store.duties.history() if d.outcome == "missed"}
    assert {("pm_list", f"2026-11-{n}") for n in (23, 24, 25)} <= missed
    assert len(day_list(until(desk, 26, 17))) == 2


@pytest.mark.procedure("9/owed")
def test_a_crash_in_the_middle_of_a_duty_repeats_it_whole(desk, monkeypatch):
    opened(desk)
    book = desk.desk.store.duties
    write_down = book.write

    def dies(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(book, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        until(desk, 23, 17)
    monkeypatch.setattr(book, "write", write_down)
    assert len(day_list(desk.works())) == 2, "the mails were not owed before the book said so"


@pytest.mark.procedure("9/owed")
def test_a_restart_sends_nothing_again(desk, tmp_path):
    opened(desk)
    until(desk, 23, 17)
    desk.desk.store.close()
    again = TestDesk(tmp_path, now=at(23, 17, 10))
    assert again.works() == []
    assert [m for m in open_list(until(again, 23, 17, 30)) if m.to == REQUESTER]


def test_the_very_first_start_owes_nothing_from_before(tmp_path):
    desk = TestDesk(tmp_path, now=at(23, 20))
    desk.receives(write(CUSTOMER, "VPN 坏了"))
    assert not day_list(desk.waits(minutes=1)) and desk.desk.store.duties.history() == []


def test_a_duty_that_is_added_to_the_rules_begins_then(desk):
    desk.desk.rulebook = replace(BOOK, duties=replace(BOOK.duties, times=()))
    opened(desk)
    until(desk, 24, 15)
    desk.desk.rulebook = BOOK
    assert not day_list(until(desk, 24, 15, 1))
    assert len(day_list(until(desk, 24, 17))) == 2


# --- the file ---


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("  calendar: busness", "no calendar is called 'busness' (did you mean 'business'?)"),
        ("  calendar: business\n  pm_lst: {before_end: 1h}", "'duties' has no key 'pm_lst' (did you mean 'pm_list'?)"),
        ("  calendar: business\n  pm_list: {before_end: 1}", "'before_end' is a time such as 15m, 4h or 2d, got '1'"),
        ("  calendar: business\n  pm_list: {before_end: 2d}", "no working day is that long; write a time up to 12h"),
        ("  calendar: business\n  pm_list: {}", "'pm_list' needs one time; write before_end: 1h or after_start: 30m"),
        ("  calendar: business\n  pm_list: {before_end: 1h, weekday: mon}", "'pm_list' has no key 'weekday'"),
        ("  calendar: business\n  follow_up: {weekday: fry, after_start: 1h}", "'weekday' knows no 'fry' (did you mean 'fri'?)"),
        ("  calendar: business\n  closing_by_silence: {after_days: 2, remind_days_before: 2}", "the reminder would come before there was time to answer"),
        ("  calendar: business\n  ratings: {5: [good], 4: [good]}", "'good' already means 4"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file_are_told_with_line_and_cure(tmp_path, line, complaint):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "rules" / "duties.yaml").write_text(f"duties:\n{line}\n", "utf-8")
    _, problems = load_partly(tmp_path / "rules")
    assert any(complaint in str(p) and "duties.yaml:" in str(p) for p in problems), [str(p) for p in problems]


def test_check_says_what_does_not_go_together_across_files():
    silent = replace(BOOK, announcements=tuple(a for a in BOOK.announcements if a.event != "Reminded"))
    assert any("no requester is reminded" in p.what for p in check_rulebook(silent, TEMPLATES))
    endless = replace(BOOK, duties=replace(BOOK.duties, calendar="always"))
    assert any("never rests" in p.what for p in check_rulebook(endless, TEMPLATES))
    assert [p for p in check_rulebook(BOOK, TEMPLATES) if "duties" in p.file or "Reminded" in p.what] == []


def test_the_whole_book_of_a_ticket_still_folds(desk):
    resolved(desk)
    until(desk, 30, 19)
    assert desk.ticket(1).state is State.RESOLVED
    assert desk.desk.store.register.rebuild() == []
