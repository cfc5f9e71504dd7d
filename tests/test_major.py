"""Major incidents, told as conversations: declared by keyword, updated at regular times, chased, reported (§7, §10)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from daemon import app
from daemon.errors import ConfigError
from daemon.intake.letter import read_letter
from daemon.reports.compile import cohort_of, compile_record
from daemon.reports.kpis import KPIS
from daemon.reports.page import record_as_html
from daemon.reports.period import period_of
from daemon.reports.record import Header
from daemon.reports.text import record_as_text
from daemon.routing.loader import load_rulebook
from daemon.timetable import preview
from daemon.views import ticket_whole
from daemon.words import Role, Severity, State
from tests.desk import BEIJING, ROOT, Sent, TestDesk, one, reply, to, told, write

CUSTOMER = "张三 <zhang.san@huaxin.example>"
ENGINEER = "王伟 <wang.wei@example.com>"
PM = "孙莉 <sun.li@example.com>"
DUTY = "何磊 <he.lei@example.com>"
MINUTES = timedelta(minutes=1)


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def opened(desk, text="VPN 今早连不上，提示错误 691。"):
    """A customer reports; return (the acknowledgement, the mail to the engineer)."""
    sent = desk.receives(write(CUSTOMER, text))
    return one(sent, "zhang.san"), one(sent, "wang.wei")


def on_ticket(desk, who, text):
    """Somebody of ours writes on ticket 1, with the proof that the daemon's own mail to them gave."""
    name = who.split("<")[1].split("@")[0]
    return desk.receives(reply(last_mail(desk, name), who, text))


def last_mail(desk, name):
    mail = next(m for m in reversed(desk.sink.sent) if m.to.startswith(f"{name}@") and b"INC-1" in m.content)
    return Sent(mail, read_letter(mail.content), mail.content)


def unasked(desk, who, text):
    """Somebody of ours who had no mail about ticket 1 writes: told that it was not proved, they answer that mail."""
    name = who.split("<")[1].split("@")[0]
    refusal = one(desk.receives(write(who, "#备注 看一下", subject="[INC-1] VPN 连不上")), name)
    return desk.receives(reply(refusal, who, text))


def declared(desk, words="#重大 红色 五个城市都断了"):
    """A critical incident, of which the project manager heard on record, and declares it."""
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网"))
    return on_ticket(desk, PM, words)


def test_severity_1_proposes_it_to_the_project_manager_once(desk):
    _, to_engineer = opened(desk)
    sent = desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网"))

    assert "#重大" in one(sent, "sun.li").letter.text
    assert "如果是重大事件" in one(sent, "sun.li").letter.text
    assert "如果是重大事件" not in one(sent, "zhou.qiang").letter.text, "a manager may not declare it"
    sent = on_ticket(desk, PM, "#重大 红色") + desk.waits(hours=2)
    assert not [m for m in to(sent, "sun.li") if "如果是重大事件" in m.letter.text]


@pytest.mark.procedure("7/major", "8/major_update")
def test_everybody_concerned_is_told_once_in_their_language(desk):
    sent = declared(desk)

    people = [m.to.partition("@")[0] for m in sent]
    assert sorted(people) == sorted([
        "zhang.san", "wang.wei", "sun.li", "zhou.qiang", "wu.fang", "he.lei", "zheng.hao",
    ])  # fmt: skip
    text = one(sent, "zhang.san").letter.text
    assert "红色" in text and "五个城市都断了" in text and "10:30" in text, "when the next update comes"
    assert "指令" not in text
    assert desk.ticket(1).major == "red" and desk.ticket(1).major_run.owner == "he.lei"
    event = desk.events(1, "MajorDeclared")[0]
    assert (event.by, event.reason, event.threshold) == ("sun.li", "五个城市都断了", "")


def test_it_is_of_severity_1_and_the_desk_hears_of_that(desk):
    opened(desk)
    sent = unasked(desk, PM, "#重大 橙色 两个城市")

    assert desk.ticket(1).severity is Severity.CRITICAL
    graded = desk.events(1, "Graded")[-1]
    assert (graded.field, graded.new, graded.by) == ("severity", "1", "sun.li")
    assert "级别" in one(sent, "chen.jing").subject


@pytest.mark.procedure("7/major")
def test_without_a_level_what_is_known_decides_and_the_answer_says_why(desk):
    sent = declared(desk, "#重大")

    event = desk.events(1, "MajorDeclared")[0]
    assert (event.level, event.threshold, event.value, event.limit) == ("yellow", "regions", 1, 1)
    assert "按涉及地区数定为黄色 (1 / 1)" in one(sent, "sun.li").letter.text


def test_complaints_of_the_day_count(desk):
    for n in range(7):
        desk.receives(write(f"客户{n} <k{n}@huaxin.example>", f"我要投诉第 {n} 次", subject="投诉：服务态度差"))
    assert desk.ticket(1).category == "complaint"
    desk.desk.rulebook = with_limits(desk, yellow={"complaints": 5})
    unasked(desk, PM, "#重大")

    event = desk.events(1, "MajorDeclared")[0]
    assert (event.level, event.threshold, event.value, event.limit) == ("yellow", "complaints", 7, 5)


def with_limits(desk, **limits):
    book = desk.desk.rulebook
    levels = tuple(replace(level, limits=limits.get(level.key, {})) for level in book.major.levels)
    return replace(book, major=replace(book.major, levels=levels))


def test_nothing_known_is_the_mildest_level_and_says_so(desk):
    opened(desk)
    desk.desk.rulebook = with_limits(desk)
    sent = unasked(desk, PM, "#major")

    assert desk.events(1, "MajorDeclared")[0].threshold == "default"
    assert "最低的一级：黄色" in told(sent, "sun.li")


def test_another_level_changes_the_rhythm(desk):
    declared(desk)
    sent = on_ticket(desk, DUTY, "#重大 黄色 只剩一个城市")

    assert "黄色" in one(sent, "zhang.san").letter.text
    run = desk.ticket(1).major_run
    assert run.every == 120 * MINUTES and run.due_at == desk.clock.at + 120 * MINUTES
    assert desk.events(1, "MajorDeclared")[-1].old == "red"
    assert desk.ticket(1).severity is Severity.CRITICAL


def test_the_same_level_again_tells_nobody(desk):
    declared(desk)
    sent = on_ticket(desk, DUTY, "#重大 红色")
    assert [m.to for m in sent] == ["he.lei@example.com"]


@pytest.mark.procedure("7/update", "8/major_update")
def test_an_update_goes_to_each_of_them_once_and_sets_the_time_anew(desk):
    declared(desk)
    desk.waits(minutes=20)
    sent = on_ticket(desk, DUTY, "#通报 备件已到，正在更换核心网关，预计 16:00 恢复。")

    people = [m.to.partition("@")[0] for m in sent]
    assert len(people) == len(set(people)), "one mail for each, however many hats"
    assert {"zhang.san", "sun.li", "zhou.qiang", "wu.fang", "zheng.hao"} <= set(people)
    assert "预计 16:00 恢复" in one(sent, "zhang.san").letter.text
    assert desk.ticket(1).major_run.due_at == desk.clock.at + 30 * MINUTES
    assert desk.waits(minutes=29) == []


def test_an_update_answers_the_requester(desk):
    declared(desk)
    assert desk.ticket(1).clock("respond").running
    on_ticket(desk, DUTY, "#通报 已经派人到现场。")
    assert not desk.ticket(1).clock("respond").running


def test_a_missed_update_is_chased_first_by_its_owner_then_by_the_manager(desk):
    declared(desk)
    on_ticket(desk, DUTY, "#通报 收到，正在处理。")
    first = reminders(desk.waits(minutes=30))
    assert list(first) == ["he.lei"] and "#通报" in first["he.lei"].letter.text
    assert reminders(desk.waits(minutes=14)) == {}
    assert list(reminders(desk.waits(minutes=1))) == ["he.lei"]
    assert sorted(reminders(desk.waits(minutes=15))) == ["he.lei", "zhou.qiang"]
    assert [e.repeat for e in desk.events(1, "MajorUpdateOwed")] == [1, 2, 3]

    on_ticket(desk, DUTY, "#通报 备件在路上。")
    assert reminders(desk.waits(minutes=29)) == {}
    assert list(reminders(desk.waits(minutes=1))) == ["he.lei"], "an update begins the count anew"


def reminders(sent):
    return {m.to.partition("@")[0]: m for m in sent if "请发通报" in m.subject or "an update is missing" in m.subject}


def test_after_an_outage_the_reminder_comes_once_and_says_how_late(desk):
    declared(desk)
    on_ticket(desk, DUTY, "#通报 收到，正在处理。")
    sent = reminders(desk.waits(hours=3))

    assert list(sent) == ["he.lei"]
    assert "晚了 2小时30分钟" in sent["he.lei"].letter.text
    assert len(desk.events(1, "MajorUpdateOwed")) == 1
    assert reminders(desk.waits(minutes=14)) == {}
    assert list(reminders(desk.waits(minutes=1))) == ["he.lei"]


def test_due_times_survive_a_restart(tmp_path):
    before = TestDesk(tmp_path)
    declared(before)
    on_ticket(before, DUTY, "#通报 收到，正在处理。")
    before.desk.store.close()

    after = TestDesk(tmp_path, now=before.clock.at + 30 * MINUTES, uid=100)
    assert list(reminders(after.works())) == ["he.lei"]
    assert after.desk.store.register.rebuild() == []


@pytest.mark.procedure("8/major_report")
def test_when_it_is_solved_it_is_over_and_the_report_is_drafted(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网\n#受理"))
    on_ticket(desk, PM, "#重大 红色 五个城市")
    desk.waits(minutes=30)
    on_ticket(desk, DUTY, "#通报 备件已到。")
    sent = desk.receives(reply(to_engineer, ENGINEER, "#原因 电源模块烧毁\n#已解决 更换了核心网关"))

    assert desk.ticket(1).state is State.RESOLVED and not desk.ticket(1).in_alarm
    assert [m.subject for m in to(sent, "zhang.san")] == [one(sent, "zhang.san").subject], (
        "the solution says it is over"
    )
    report = one(sent, "sun.li").letter.text
    for words in (
        "红色",
        "何磊",
        "五个城市",
        "备件已到",
        "电源模块烧毁",
        "更换了核心网关",
        "（请填写）",
        "整改措施",
        "华信制造有限公司",
        "广东",
    ):
        assert words in report, words
    assert "通报 1 次，漏 1 次" in report
    assert "结束" in one(sent, "wu.fang").subject, "others who were told hear that it is over"
    assert desk.events(1, "MajorEnded")[0].reason == "更换了核心网关"
    assert reminders(desk.waits(hours=5)) == {}


def test_it_can_be_ended_before_it_is_solved(desk):
    declared(desk)
    sent = on_ticket(desk, DUTY, "#重大 解除 已切到备用线路")

    assert desk.ticket(1).state is State.ASSIGNED and not desk.ticket(1).in_alarm
    text = one(sent, "zhang.san").letter.text
    assert "已切到备用线路" in text and "以后不再定时通报" in text
    assert "报告（草稿）" in one(sent, "sun.li").subject
    assert reminders(desk.waits(hours=5)) == {}


def test_not_solved_after_all_it_goes_on(desk):
    ack, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网"))
    on_ticket(desk, PM, "#重大 红色")
    desk.receives(reply(to_engineer, ENGINEER, "#已解决 重启了网关"))
    desk.receives(reply(ack, CUSTOMER, "还是不行，又断了。"))

    assert desk.ticket(1).in_alarm and desk.ticket(1).major_run.level == "red"
    assert list(reminders(desk.waits(minutes=30))) == ["he.lei"]


def test_who_is_absent_is_stood_in_for(desk):
    book = desk.desk.rulebook
    day = desk.clock.at.date()
    away = replace(book.people["he.lei"], absences=((day, day),))
    desk.desk.rulebook = replace(book, people={**book.people, "he.lei": away})
    declared(desk)

    assert desk.ticket(1).major_run.owner == "chen.jing", "nobody on duty: the desk is next in line"
    sent = on_ticket(desk, PM, "#通报 正在处理。")
    assert "chen.jing" in {m.to.partition("@")[0] for m in desk.waits(minutes=30)}
    sent = on_ticket(desk, "陈静 <chen.jing@example.com>", "#通报 已修好一半。")
    assert "已修好一半" in one(sent, "zhang.san").letter.text, "who owns it may publish"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#通报 正在处理", "要先写 #重大"),
        ("#重大 解除", "要先写 #重大"),
        ("#重大 红色\n#重大 黄色", "互相矛盾"),
        ("#major oragne", "orange"),
    ],
)
def test_what_makes_no_sense_is_answered_and_changes_nothing(desk, text, why):
    opened(desk)
    before = desk.ticket(1)
    sent = unasked(desk, PM, text)
    assert desk.ticket(1).major_run is None and desk.ticket(1).severity is before.severity
    assert why in one(sent, "sun.li").letter.text


@pytest.mark.procedure("7/major", "7/update", "7/bad/role")
def test_only_the_project_manager_and_the_duty_manager_may(desk):
    _, to_engineer = opened(desk)
    (answer,) = desk.receives(reply(to_engineer, ENGINEER, "#重大 红色"))
    assert "只有项目经理，值班经理可以用" in answer.letter.text and desk.ticket(1).major_run is None


def test_unproved_mail_declares_nothing(desk):
    opened(desk)
    desk.receives(write(PM, "#重大 红色", subject="[INC-1] VPN 连不上"))
    assert desk.ticket(1).major_run is None


def test_declared_and_updated_by_one_mail_is_one_mail_to_each(desk):
    sent = declared(desk, "#重大 红色 五个城市\n#通报 已派人到现场。")
    mail = one(sent, "zhang.san")
    assert "五个城市" in mail.letter.text and "已派人到现场" in mail.letter.text


def test_words_that_others_have_read_are_not_taken_back(desk):
    declared(desk)
    sent = on_ticket(desk, PM, "#撤销")
    assert desk.ticket(1).in_alarm and "收不回来" in one(sent, "sun.li").letter.text


def test_taking_back_a_solution_makes_it_go_on(desk):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网"))
    on_ticket(desk, PM, "#重大 红色")
    desk.receives(reply(to_engineer, ENGINEER, "#已解决 重启了网关"))
    desk.waits(minutes=5)
    desk.receives(reply(to_engineer, ENGINEER, "#撤销"))
    assert desk.ticket(1).in_alarm


@pytest.mark.procedure("7/major", "7/update", "8/major_update")
def test_in_english_too(desk):
    sent = desk.receives(write("Ann <ann@acme.example>", "The VPN is down for everybody.", subject="VPN down"))
    engineer = one(sent, "wang.wei")
    desk.receives(reply(engineer, ENGINEER, "#severity 1 everybody"))
    sent = on_ticket(desk, "Mary <mary.jones@example.com>", "#major red five cities\n#update Spares are on their way.")

    mail = one(sent, "ann")
    assert mail.subject == "[INC-1] Major incident (red): VPN down"
    assert "Spares are on their way." in mail.letter.text and "by Mon 23 Nov, 10:30" in mail.letter.text
    assert not any("\u4e00" <= c <= "\u9fff" for c in mail.letter.text.replace("VPN", ""))


def test_a_look_ahead_shows_the_updates_that_are_owed(desk):
    declared(desk)
    coming = list(preview(desk.ticket(1), desk.desk.rulebook, desk.desk.service, desk.clock.at))
    owed = [c for c in coming if any(type(e).__name__ == "MajorUpdateOwed" for e in c.events)]
    assert owed[0].at == datetime(2026, 11, 23, 10, 30, tzinfo=BEIJING)
    assert [m.to for m in owed[0].mails if m.template == "update_owed"] == ["he.lei@example.com"]
    assert len(owed) == 3 and owed[-1].for_ever


def test_the_same_mail_twice_declares_once(desk):
    declared(desk)
    update = reply(last_mail(desk, "sun.li"), PM, "#通报 第一次。")
    assert desk.receives(update)
    assert desk.receives(update) == []
    assert len(desk.events(1, "MajorUpdated")) == 1


@pytest.mark.parametrize(
    ("facts", "level", "threshold"),
    [
        ("#影响户数 60000", "red", "customers_network"),
        ("#影响户数 20001", "orange", "customers_network"),
        ("#影响户数 20000", "yellow", "customers_network"),
        ("#分类 软件\n#影响户数 5001", "red", "customers"),
        ("#地区 广东、广西、湖南", "orange", "regions"),
    ],
)
def test_the_level_follows_from_how_many_are_affected(desk, facts, level, threshold):
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, f"#级别 1 全公司断网\n{facts}"))
    on_ticket(desk, PM, "#重大")
    event = desk.events(1, "MajorDeclared")[0]
    assert (event.level, event.threshold) == (level, threshold)


# --- what `ticketd check` says of a major.yaml that is wrong ---


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("update_every: 30m", "update_evry: 30m", "", "has no key 'update_evry' (did you mean 'update_every'?)"),
        ("update_every: 30m", "update_every: often", "", "'update_every' is a time such as 15m, 4h or 2d, got 'often'"),
        (
            "      update_every: 60m\n",
            "",
            "orange:",
            "the level 'orange' lacks 'update_every'; write update_every: 30m",
        ),
        ("regions: 3", "regions: 5", "", "'orange' is never reached by 'regions': 'red' above it begins at 5 already"),
        ("words: [橙]", "words: [红]", "orange:", "'红' already means the warning level 'red'; use another word here"),
        ("owner: duty", "owner: dutty", "", "nobody is called 'dutty' (did you mean 'duty'?)"),
        ("network: [network]", "network: [netwrk]", "", "no category is called 'netwrk' (did you mean 'network'?)"),
        ("then: [manager]", "then: [boss]", "", "no audience is called 'boss'"),
        ("asked: 2", "asked: 0", "", "'asked' is a number from 1 to 100, got '0'"),
        (
            "widest: 24h",
            "widest: 20m",
            "",
            "'widest' is shorter than the level 'orange' is chased at first ('remind_every'); write a longer one",
        ),
    ],
)
def test_a_broken_file_is_named_with_line_and_cure(tmp_path, old, new, at, says):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    path = tmp_path / "rules" / "major.yaml"
    before = path.read_text("utf-8")
    assert old in before
    text = before.replace(old, new, 1)
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_rulebook(tmp_path / "rules")
    (problem,) = [p for p in caught.value.problems if says in p.what]
    assert problem.file.endswith("major.yaml")
    assert problem.line == text[: text.rindex(at or new)].count("\n") + 1


def test_without_the_file_the_keyword_says_so(desk, tmp_path):
    shutil.copytree(ROOT / "rules", tmp_path / "other")
    (tmp_path / "other" / "major.yaml").unlink()
    opened(desk)
    desk.desk.rulebook = load_rulebook(tmp_path / "other")
    assert "rules/major.yaml" in told(unasked(desk, PM, "#重大 红色"), "sun.li")
    assert desk.ticket(1).major_run is None


# --- what is put out ---


def over(desk):
    """A major incident with one update given and one missed, solved."""
    _, to_engineer = opened(desk)
    desk.receives(reply(to_engineer, ENGINEER, "#级别 1 全公司断网\n#受理"))
    on_ticket(desk, PM, "#重大 红色 五个城市")
    desk.waits(minutes=30)
    on_ticket(desk, DUTY, "#通报 备件已到。")
    desk.receives(reply(to_engineer, ENGINEER, "#已解决 更换了核心网关"))


@pytest.mark.parametrize(("language", "words"), [("zh", "重大事件"), ("en", "Major incident")])
def test_the_record_of_the_ticket_holds_the_report(desk, language, words):
    over(desk)
    wording, at = app.wording(desk.config, language), desk.clock.at
    header = Header(service="S", tag="INC", made_at=at)
    for internal in (False, True):
        facts = compile_record(desk.desk.store, wording, desk.ticket(1), header, internal=internal)
        for form in (record_as_text, record_as_html):
            text = form(facts, wording)
            assert words in text and "备件已到。" in text and "五个城市" in text
            assert ("2026-11-23 10:30" in text) and "{" not in text.replace("{ ", "").partition("</style>")[2]
        missed = {"zh": "应通报而没有通报", "en": "An update was due and missing"}[language]
        assert (missed in record_as_text(facts, wording)) is internal, "customers do not read of it"


def test_major_incidents_are_counted_by_level_with_their_numbers(desk):
    over(desk)
    desk.receives(write(CUSTOMER, "打印机坏了", subject="打印机"))
    period = period_of("2026-11", "Asia/Shanghai", desk.clock.at)
    cohort = cohort_of(desk.desk.store, desk.desk.rulebook, "Asia/Shanghai", period)
    rows = list(next(k for k in KPIS if k.key == "major").rows(cohort))
    assert [(r.group, r.key, r.figures[0].value, r.figures[0].numbers) for r in rows] == [
        ("total", "", 1, (1,)), ("major", "red", 1, (1,)),
    ]  # fmt: skip


def test_the_json_of_a_ticket_tells_of_it(desk):
    declared(desk)
    whole = ticket_whole(desk.ticket(1), desk.desk.store, BEIJING)
    assert whole["major"] == {
        "level": "red", "owner": "he.lei", "since": "2026-11-23T10:00:00+08:00", "ended_at": None, "updates": 0,
        "next_update_at": "2026-11-23T10:30:00+08:00",
    }  # fmt: skip
    assert whole["tasks"] == []


def test_who_wears_several_hats_gets_one_mail(desk):
    """The duty manager follows the ticket by his other address, and is its requester by a third one."""
    book = desk.desk.rulebook
    he = replace(
        book.people["he.lei"],
        addresses=("he.lei@example.com", "he2@example.com"),
        roles=frozenset(Role) - {Role.VENDOR},
    )
    desk.desk.rulebook = replace(book, people={**book.people, "he.lei": he})
    desk.receives(write("何磊 <he2@example.com>", "VPN 今早连不上，提示错误 691。"))
    sent = unasked(desk, PM, "#重大 红色")
    assert len([m for m in sent if m.to.startswith("he") and "重大事件" in m.subject]) == 1


# --- a level that there is not; a chase that grows quiet ---


@pytest.mark.parametrize(
    "words",
    [
        "purple",
        "purple five cities",
        "紫色",
        "紫色 五个城市",
        "紫色预警：五个城市",
        "一级",
        "P1",
        "1",
        "流行色，全断了",
    ],
)
def test_a_level_that_there_is_not_is_refused_with_those_that_there_are(desk, words):
    opened(desk)
    sent = unasked(desk, PM, f"#重大 {words}")
    assert "红色, 橙色, 黄色" in one(sent, "sun.li").letter.text
    assert [m.to for m in sent] == ["sun.li@example.com"]
    assert not desk.ticket(1).in_alarm and desk.ticket(1).severity is not Severity.CRITICAL


@pytest.mark.parametrize(
    ("words", "level", "reason"),
    [
        ("全国断网", "yellow", "全国断网"),
        ("Internet down everywhere", "yellow", "Internet down everywhere"),
        ("红色，全国断网", "red", "全国断网"),
        ("红色预警 全国断网", "red", "全国断网"),
        ("橙：三个城市", "orange", "三个城市"),
    ],
)
def test_a_reason_without_a_level_is_one_and_a_comma_ends_a_level(desk, words, level, reason):
    opened(desk)
    unasked(desk, PM, f"#重大 {words}")
    (declared_as,) = desk.events(1, "MajorDeclared")
    assert (declared_as.level, declared_as.reason) == (level, reason)


def test_a_missed_update_is_chased_ever_more_seldom_and_anew_after_the_next_one(desk):
    declared(desk)
    chased = []
    for _ in range(62 * 4):
        chased += to(desk.waits(minutes=15), "he.lei")
    owed = desk.events(1, "MajorUpdateOwed")
    since = [round((e.noticed_at - owed[0].due_at) / MINUTES) for e in owed]
    assert since == [0, 15, 30, 60, 120, 240, 480, 960, 1920, 3360]
    assert len([m for m in chased if "请发通报" in m.subject]) == len(owed)

    on_ticket(desk, DUTY, "#通报 备件已到。")
    desk.waits(minutes=30)
    desk.waits(minutes=15)
    again = desk.events(1, "MajorUpdateOwed")[len(owed) :]
    assert [e.repeat for e in again] == [1, 2]


def test_after_a_weekend_without_power_a_missed_update_is_asked_for_once(desk):
    declared(desk)
    desk.waits(hours=62)
    assert len(desk.events(1, "MajorUpdateOwed")) == 1
    assert desk.ticket(1).update_chase_at > desk.clock.now()
