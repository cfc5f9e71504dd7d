"""The escalation timetable as people live through it: who hears what, when, why, and what stops it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from daemon import timetable
from daemon.cli import run_command
from daemon.config import shipped
from daemon.notify.postman import Fate
from daemon.routing.loader import load_partly, load_rulebook
from daemon.words import Severity
from tests.desk import BEIJING, MONDAY_10AM, ROOT, Sent, TestDesk, reply, write
from tests.story import bounce_of

ZHANG = "张三 <zhang.san@huaxin.example>"
WANG = "王伟 <wang.wei@example.com>"
WU = "吴芳 <wu.fang@example.com>"
OUTAGE = "各位好，全公司断网了，所有人都上不了网！"
VPN = "各位好，VPN 今早连不上，提示错误 691。"
NAMES = {"zhao.min": "lead", "sun.li": "pm", "zhou.qiang": "manager", "wu.fang": "director", "zheng.hao": "sales",
         "chen.jing": "desk"}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    return TestDesk(tmp_path)


def changed(desk: TestDesk, file: str, change) -> None:
    """Let the operator change one rule file, and the daemon load it."""
    rules = desk.folder / "rules"
    if rules.is_symlink():
        rules.unlink()
        rules.mkdir()
        for path in (ROOT / "rules").glob("*.yaml"):
            (rules / path.name).write_bytes(path.read_bytes())
    yaml = YAML()
    data = yaml.load((rules / file).read_text("utf-8"))
    change(data)
    with (rules / file).open("w", encoding="utf-8") as out:
        yaml.dump(data, out)
    desk.desk.rulebook = load_rulebook(rules)


def escalations(sent: list[Sent]) -> list[str]:
    """Return who was told of a step, by what they are."""
    words = ("新登记", "升级提醒", "已超时", "预计超时", "仍然超时", "请求升级")
    return [NAMES.get(m.to.partition("@")[0], m.to) for m in sent if any(w in m.subject for w in words)]


def lived_through(desk: TestDesk, until: timedelta, every: timedelta = timedelta(minutes=5)) -> list[tuple[str, str]]:
    """Let time pass in small steps; return (time, who) of every escalation."""
    told = []
    end = desk.clock.at + until
    while desk.clock.at < end:
        sent = desk.waits(seconds=every.total_seconds())
        told += [(desk.clock.at.strftime("%d %H:%M"), who) for who in escalations(sent)]
    return told


def outage(desk: TestDesk) -> list[Sent]:
    sent = desk.receives(write(ZHANG, OUTAGE, subject="全公司断网"))
    assert desk.ticket(1).severity is Severity.CRITICAL
    return sent


def to(sent: list[Sent], name: str, words: str = "") -> Sent:
    return next(m for m in reversed(sent) if m.to.startswith(name) and words in m.subject)


# --- the table, row by row ---


def test_row_1_a_critical_incident_that_nobody_touches(desk: TestDesk) -> None:
    assert escalations(outage(desk)) == ["lead", "pm", "manager"], "on record"
    assert lived_through(desk, timedelta(hours=6, minutes=30)) == [
        ("23 10:10", "lead"), ("23 10:10", "desk"),  # 50 % of the response time
        ("23 10:15", "pm"), ("23 10:15", "manager"),  # 100 %, foreseen at 80 % and seen at the next look
        ("23 11:00", "lead"),  # 25 %: line 2, and the lead is the one specialist of the network
        ("23 12:00", "manager"), ("23 12:00", "desk"),  # 50 %: there is no vendor, so the desk has to find one
        ("23 13:00", "director"), ("23 13:00", "sales"),  # 75 %, and with it the 100 % that is foreseen
        ("23 15:00", "director"), ("23 16:00", "director"),  # hourly after the breach
    ]  # fmt: skip


@pytest.mark.procedure("5/share")
def test_row_2_every_two_hours_after_the_breach(desk: TestDesk) -> None:
    sent = desk.receives(write(ZHANG, VPN))
    sent = desk.receives(reply(to(sent, "wang.wei"), WANG, "#受理\n#级别 2 整个部门"))
    assert escalations(sent) == ["lead"], "on record, though it was recorded as less"
    assert lived_through(desk, timedelta(hours=13), timedelta(minutes=30)) == [
        ("23 14:00", "pm"), ("23 14:00", "lead"),  # 50 %: the project manager; line 2 joins
        ("23 16:00", "manager"),
        ("23 18:00", "manager"), ("23 18:00", "director"),
        ("23 20:00", "manager"), ("23 20:00", "director"),
        ("23 22:00", "manager"), ("23 22:00", "director"),
    ]  # fmt: skip


def test_row_3_daily_in_working_time(desk: TestDesk) -> None:
    sent = desk.receives(write(ZHANG, VPN))
    sent = desk.receives(reply(to(sent, "wang.wei"), WANG, "#受理\n#级别 3 三个人"))
    assert escalations(sent) == []
    assert lived_through(desk, timedelta(days=9), timedelta(minutes=60)) == [
        ("24 15:00", "lead"), ("24 15:00", "pm"),  # 12 of 16 working hours
        ("25 10:00", "pm"), ("25 10:00", "manager"),
        ("26 10:00", "pm"), ("26 10:00", "manager"),
        ("27 10:00", "pm"), ("27 10:00", "manager"),
        ("30 10:00", "pm"), ("30 10:00", "manager"),  # not at the weekend
        ("01 10:00", "pm"), ("01 10:00", "manager"),
        ("02 10:00", "pm"), ("02 10:00", "manager"),
    ]  # fmt: skip


def test_row_4_only_the_lead_and_the_project_manager(desk: TestDesk) -> None:
    desk.receives(write(ZHANG, VPN))
    told = lived_through(desk, timedelta(days=8), timedelta(minutes=60))
    assert told == [
        ("23 15:00", "lead"),  # foreseen at 14:12
        ("26 17:00", "lead"),  # 75 %: 30 of 40 working hours
        ("27 10:00", "pm"),  # foreseen: 8 hours are left, and nobody is at work on it
        ("01 10:00", "pm"),  # it was due on Monday at ten
    ]


# --- once, late, and how many were missed ---


@pytest.mark.procedure("6/late", "6/one_mail", "6/once")
def test_after_an_outage_each_person_has_one_mail_that_names_all_the_steps_and_what_was_missed(desk: TestDesk) -> None:
    outage(desk)
    sent = desk.waits(hours=30)
    assert sorted(escalations(sent)) == ["desk", "director", "lead", "manager", "pm", "sales"]
    text = to(sent, "wu.fang").letter.text
    assert "这是第 26 次提醒" in text and "之前有 25 次没能发出" in text
    assert "解决时限已用去 75%" in text and "不再另发" in text
    assert "晚了" in to(sent, "sun.li").letter.text
    assert escalations(desk.waits(minutes=59)) == [] and escalations(desk.waits(minutes=1)) == ["director"]


def test_resolving_ends_the_reminders_and_reopening_brings_them_back(desk: TestDesk) -> None:
    to_engineer = to(outage(desk), "wang.wei")
    desk.waits(hours=5)
    sent = desk.receives(reply(to_engineer, WANG, "#受理\n#已解决 换了交换机\n#原因 交换机坏了"))
    assert escalations(desk.waits(hours=3)) == []
    desk.receives(reply(to(sent, "zhang.san"), ZHANG, "还是不行。"))
    assert lived_through(desk, timedelta(hours=3), timedelta(minutes=30)) == [
        ("23 19:00", "director"), ("23 20:00", "director"), ("23 21:00", "director"),
    ]  # fmt: skip


def test_what_fell_due_after_a_mail_came_is_not_told_if_the_mail_ended_it(desk: TestDesk) -> None:
    """The daemon was away: the engineer took it up in time, so nobody hears that nobody did."""
    to_engineer = to(outage(desk), "wang.wei")
    desk.clock.at += timedelta(minutes=5)
    desk.arrives(reply(to_engineer, WANG, "#受理"))
    desk.clock.at += timedelta(minutes=50)
    assert escalations(desk.works()) == []


# --- acknowledged ---


@pytest.mark.procedure("6/acknowledged", "7/ack")
def test_acknowledging_keeps_the_hourly_reminders_away_for_four_hours(desk: TestDesk) -> None:
    outage(desk)
    desk.waits(hours=3)
    sent = desk.waits(hours=2)
    mail = to(sent, "wu.fang", "仍然超时")
    assert "#知悉" in mail.letter.text
    desk.receives(reply(mail, WU, "#知悉"))
    (silenced,) = desk.events(1, "RemindersSilenced")
    assert (silenced.by, silenced.until) == ("wu.fang", datetime(2026, 11, 23, 19, 0, tzinfo=BEIJING))
    assert lived_through(desk, timedelta(hours=6), timedelta(minutes=30)) == [
        ("23 19:00", "director"), ("23 20:00", "director"), ("23 21:00", "director"),
    ]  # fmt: skip


@pytest.mark.procedure("6/acknowledged")
def test_a_hold_in_between_does_not_end_the_quiet_that_was_asked_for(desk: TestDesk) -> None:
    to_engineer = to(outage(desk), "wang.wei")
    desk.waits(hours=3)
    mail = to(desk.waits(hours=2), "wu.fang", "仍然超时")
    desk.receives(reply(mail, WU, "#知悉"))
    desk.receives(reply(to_engineer, WANG, "#受理\n#挂起 客户 等机房开门"))
    desk.waits(minutes=30)
    desk.receives(reply(to_engineer, WANG, "#恢复 门开了"))
    assert desk.ticket(1).clock("resolve").running
    assert lived_through(desk, timedelta(hours=4), timedelta(minutes=30)) == [("23 19:00", "director")]


@pytest.mark.procedure("6/acknowledged")
def test_acknowledging_a_daily_reminder_lasts_until_the_next_working_day(desk: TestDesk) -> None:
    sent = desk.receives(write(ZHANG, VPN))
    desk.receives(reply(to(sent, "wang.wei"), WANG, "#受理\n#级别 3 三个人"))
    desk.waits(days=2)
    sent = desk.waits(days=2)  # Friday at ten
    desk.receives(reply(to(sent, "sun.li", "仍然超时"), "孙莉 <sun.li@example.com>", "#知悉"))
    assert desk.events(1, "RemindersSilenced")[-1].until == datetime(2026, 11, 30, 9, 0, tzinfo=BEIJING)
    assert lived_through(desk, timedelta(days=3), timedelta(minutes=60)) == [
        ("30 10:00", "pm"),
        ("30 10:00", "manager"),
    ]


# --- who is away, who cannot be reached ---


@pytest.mark.procedure("6/next_in_line")
def test_an_absent_lead_is_stood_in_for_by_the_project_manager_and_the_mail_says_why(desk: TestDesk) -> None:
    changed(desk, "people.yaml", lambda d: d["people"]["zhao.min"].update(absences=["2026-11-20 to 2026-11-25"]))
    desk.receives(write(ZHANG, VPN))
    sent = desk.waits(hours=6)
    assert escalations(sent) == ["pm"]
    assert "组长赵敏在 11月25日之前（含当天）不在，所以转给您" in to(sent, "sun.li").letter.text


@pytest.mark.procedure("6/next_in_line")
def test_the_line_is_walked_until_somebody_is_there(desk: TestDesk) -> None:
    def away(data) -> None:
        for name in ("zhao.min", "sun.li", "zhou.qiang"):
            data["people"][name]["absences"] = ["2026-11-23"]

    changed(desk, "people.yaml", away)
    desk.receives(write(ZHANG, VPN))
    assert escalations(sent := desk.waits(hours=6)) == ["director"]
    assert all(name in to(sent, "wu.fang").letter.text for name in ("赵敏", "孙莉", "周强"))


@pytest.mark.procedure("6/next_in_line")
def test_a_refused_mail_passes_the_step_to_the_next_in_line_at_once(desk: TestDesk) -> None:
    desk.sink.fates["zhao.min@example.com"] = Fate(outcome="permanent", code=550, text="5.1.1 no such user")
    desk.receives(write(ZHANG, VPN))
    sent = desk.waits(hours=6)
    mail = to(sent, "sun.li", "已超时")
    assert "给组长赵敏的邮件没有送到，所以转给您" in mail.letter.text
    assert [(e.step, e.told_as) for e in desk.events(1, "StepPassedOn")] == [("respond 100%", "lead")]
    assert escalations(desk.waits(minutes=30)) == []


@pytest.mark.procedure("6/next_in_line")
def test_a_bounced_mail_passes_the_step_on_too_and_only_once(desk: TestDesk) -> None:
    desk.receives(write(ZHANG, VPN))
    bounce = bounce_of(to(desk.waits(hours=6), "zhao.min", "已超时"))
    assert escalations(desk.receives(bounce)) == ["pm"]
    again = bounce.replace(b"bounce-1@", b"bounce-2@")
    assert escalations(desk.receives(again)) == []


def test_the_next_in_line_who_cannot_be_reached_either_passes_it_on(desk: TestDesk) -> None:
    refused = Fate(outcome="permanent", code=550, text="5.1.1 no such user")
    desk.sink.fates |= {"zhao.min@example.com": refused, "sun.li@example.com": refused}
    desk.receives(write(ZHANG, VPN))
    assert escalations(desk.waits(hours=6)) == ["manager"]
    assert [e.told_as for e in desk.events(1, "StepPassedOn")] == ["lead", "pm"]


# --- asked for ---


@pytest.mark.procedure("6/asked")
def test_asking_reaches_the_next_step_at_once_and_it_does_not_come_again(desk: TestDesk) -> None:
    sent = desk.receives(write(ZHANG, VPN))
    ack = to(sent, "zhang.san")
    assert escalations(desk.receives(reply(ack, ZHANG, "#升级 分公司都停了"))) == ["lead", "desk"]
    assert desk.events(1, "EscalationAsked")[0].step == "respond 100%"
    assert escalations(desk.waits(hours=6)) == []
    sent = desk.receives(reply(ack, ZHANG, "#升级 还是没有人来"))
    assert escalations(sent) == ["lead", "desk"], "resolve 75 %"
    sent = desk.receives(reply(ack, ZHANG, "#升级 一个人都没有"))
    assert escalations(sent) == ["pm", "desk"], "resolve 100 %"
    assert "一个人都没有" in to(sent, "sun.li").letter.text


# --- forecast ---


@pytest.mark.procedure("6/forecast")
def test_somebody_at_work_in_time_is_no_reason_for_a_forecast(desk: TestDesk) -> None:
    to_engineer = to(outage(desk), "wang.wei")
    desk.receives(reply(to_engineer, WANG, "#受理"))
    desk.waits(hours=3, minutes=30)
    assert [(e.step, e.forecast) for e in desk.events(1, "StepReached")][-1] == ("resolve 75%", False)
    desk.receives(reply(to_engineer, WANG, "#转派 赵敏 请接手"))
    last = desk.events(1, "StepReached")[-1]
    assert (last.step, last.forecast) == ("resolve 100%", True), "half an hour is left, and nobody is at it any more"


@pytest.mark.procedure("6/forecast")
def test_a_forecast_says_so_and_comes_once(desk: TestDesk) -> None:
    desk.receives(write(ZHANG, VPN))
    sent = desk.waits(hours=4, minutes=12)
    assert "到现在还没有人受理" in to(sent, "zhao.min", "预计超时").letter.text
    assert escalations(desk.waits(hours=3)) == []


def test_the_usual_time_of_a_category_comes_before_that_of_the_severity(desk: TestDesk) -> None:
    changed(desk, "service_levels.yaml",
            lambda d: d["service_levels"]["standard"]["forecast"].update(categories={"network": "3h"}))  # fmt: skip
    outage(desk)
    desk.waits(hours=1)
    assert [(e.step, e.forecast) for e in desk.events(1, "StepReached")][-1] == ("resolve 50%", True)


# --- clocks: contract and place ---


@pytest.mark.procedure("6/contract")
def test_a_new_contract_retimes_openly_and_hours_stay_counted_as_they_were(desk: TestDesk) -> None:
    sent = desk.receives(write(ZHANG, VPN))
    desk.waits(hours=10)  # 10:00 to 20:00 on the wall are seven working hours

    def gold(data) -> None:
        data["service_levels"]["gold"] = json.loads(json.dumps(data["service_levels"]["standard"]))
        data["service_levels"]["gold"]["targets"]["4"] = {"respond": "1h", "resolve": "10h", "calendar": "always"}

    changed(desk, "service_levels.yaml", gold)
    changed(desk, "customers.yaml", lambda d: d["customers"]["huaxin"].update(service_level="gold"))
    desk.receives(reply(to(sent, "wang.wei"), WANG, "#受理"))
    (retimed,) = desk.events(1, "ClockRetimed")
    assert (retimed.reason, retimed.calendar) == ("contract standard → gold", "always")
    assert retimed.due_at == desk.clock.at + timedelta(hours=3), "ten hours less the seven that were worked"


@pytest.mark.procedure("6/zone")
def test_a_customers_own_zone_and_calendar_count(desk: TestDesk) -> None:
    changed(desk, "customers.yaml", lambda d: d["customers"]["huaxin"].update(zone="Europe/Berlin"))
    desk.receives(write(ZHANG, VPN))  # 03:00 in Berlin
    assert desk.ticket(1).due("respond") == datetime(2026, 11, 23, 21, 0, tzinfo=BEIJING), "four hours after nine there"


def test_rebuilding_changes_nothing(desk: TestDesk) -> None:
    mail = to(outage(desk), "wang.wei")
    desk.waits(hours=7)
    desk.receives(reply(mail, WANG, "#受理\n#级别 2 影响变小"))
    desk.receives(reply(mail, WANG, "#挂起 客户 等日志"))
    desk.waits(hours=2)
    desk.receives(reply(mail, WANG, "#恢复"))
    assert desk.desk.store.register.rebuild() == []


# --- looking ahead, and why ---


def test_what_would_have_come_early_and_was_asked_for_hands_that_on(desk: TestDesk) -> None:
    """Nobody takes it up. Its reporter asks for the step that was to come early: then the one after it comes early."""
    first = to(desk.receives(write(ZHANG, OUTAGE, subject="全公司断网")), "zhang.san")
    desk.waits(hours=2, minutes=30)
    asked = desk.receives(reply(first, ZHANG, "#升级 急"))
    assert "director" in escalations(asked), "75 %, half an hour before it is due"
    (early,) = [m for m in desk.waits(minutes=30) if m.to.startswith("zheng.hao")]
    assert "预计超时" in early.subject, "one hour is left, which is what it usually takes"
    assert [s.forecast for s in desk.events(1, "StepReached") if s.percent == 100 and s.clock == "resolve"] == [True]
    assert not escalations(desk.waits(minutes=59)) and desk.ticket(1).clock("resolve").foreseen


def test_a_step_reached_while_somebody_is_at_work_leaves_the_forecast_to_the_next(desk: TestDesk) -> None:
    """At work when it was as good as missed; handed over after 75 %: the target is foreseen to be missed at once."""
    changed(
        desk, "service_levels.yaml", lambda d: d["service_levels"]["standard"]["forecast"]["typical"].update({1: "90m"})
    )
    mail = to(outage(desk), "wang.wei")
    desk.receives(reply(mail, WANG, "#受理"))
    desk.waits(hours=3, minutes=10)
    sent = desk.receives(reply(mail, WANG, "#转派 赵敏"))
    assert escalations(sent) == ["director", "sales"] and "预计超时" in to(sent, "zheng.hao").subject
    assert [s.percent for s in desk.events(1, "StepReached") if s.forecast] == [100]


def ticketd(desk: TestDesk, *args: str) -> int:
    return run_command(["--config", str(desk.folder / "ticketd.toml"), "--log-level", "error", *args])


def test_the_preview_is_what_really_comes(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    outage(desk)
    capsys.readouterr()
    assert ticketd(desk, "timetable", "preview", "1", "--json", "--as-of", MONDAY_10AM.isoformat()) == 0
    foretold = json.loads(capsys.readouterr().out)["coming"]
    assert foretold[-1]["goes_on"] and foretold[-1]["what"][0]["repeat"] == 3
    for moment in foretold:
        desk.clock.at = datetime.fromisoformat(moment["at"])
        sent = [m.to for m in desk.works() if m.to.partition("@")[0] in NAMES and escalations([m])]
        assert sent == [m["to"] for m in moment["mails"] if m["template"] == "escalation"], moment


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "解决超时，第 3 次提醒，以后照此继续"), ("en", "reminder 3, and so on")]
)
def test_the_preview_in_words(desk: TestDesk, capsys: pytest.CaptureFixture[str], language: str, words: str) -> None:
    outage(desk)
    assert ticketd(desk, "timetable", "preview", "1", "--lang", language, "--as-of", MONDAY_10AM.isoformat()) == 0
    assert words in capsys.readouterr().out


def held_once(desk: TestDesk) -> None:
    """A ticket of severity 3 that ran two hours, waited for its customer, and goes on since."""
    mail = to(desk.receives(write(ZHANG, VPN)), "wang.wei")
    desk.receives(reply(mail, WANG, "#受理\n#级别 3 三个人"))
    desk.waits(hours=2)
    desk.receives(reply(mail, WANG, "#挂起 客户 等日志"))
    desk.waits(hours=23)
    desk.receives(reply(mail, WANG, "#恢复"))


def test_why_adds_up(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    held_once(desk)
    capsys.readouterr()
    assert ticketd(desk, "ticket", "why", "1", "--json", "--as-of", "2026-11-24T14:00:00+08:00") == 0
    respond, resolve = json.loads(capsys.readouterr().out)["clocks"]
    assert respond["met"] is True and not respond["running"]
    assert [(s["runs"], s["why"], s["by"], s["used_seconds"]) for s in resolve["stretches"]] == [
        (True, "severity 4 → 3", "wang.wei", 7200),
        (False, "customer", "wang.wei", 0),
        (True, "resumed", "wang.wei", 7200),
    ]
    assert (resolve["used_seconds"], resolve["left_seconds"]) == (4 * 3600, 12 * 3600)
    assert resolve["due_at"] == "2026-11-25T18:00:00+08:00"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Solution: promised within 16 h, counted on the calendar business (Asia/Shanghai: Mon–Fri 09:00–12:00, "
                "13:00–18:00).", "waits for the customer (wang.wei, mail:3)", "4 h of 16 h used.",
                "12 h left: due 2026-11-25 18:00."]),
        ("zh", ["解决：承诺 16 小时内", "等客户 (wang.wei, mail:3)", "16 小时中已用 4 小时。",
                "还剩 12 小时，时限 2026-11-25 18:00。"]),
    ],
)  # fmt: skip
def test_why_in_words(desk: TestDesk, capsys: pytest.CaptureFixture[str], language: str, words: list[str]) -> None:
    held_once(desk)
    assert ticketd(desk, "ticket", "why", "1", "--lang", language, "--as-of", "2026-11-24T14:00:00+08:00") == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


@pytest.mark.procedure("6/lunch", "6/holidays", "6/make_up")
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["ran    2026-09-30 09:30 – 2026-09-30 16:00  5 h 30 min  work goes on (wang.wei, mail:4)",
                "stood  2026-09-30 16:00 – 2026-10-09 14:00  –  waits for a date (wang.wei, mail:5)",
                "1 h  work goes on (the clock)", "the promise changed: severity 4 → 3 (wang.wei, mail:6)",
                "Holidays in between: 2026-10-01 – 2026-10-07.", "Make-up working days in between: 2026-10-10.",
                "12 h of 16 h used.", "4 h left: due 2026-10-10 12:00."]),
        ("zh", ["计时  2026-09-30 09:30 – 2026-09-30 16:00  5 小时 30 分钟  恢复处理 (wang.wei, mail:4)",
                "停表  2026-09-30 16:00 – 2026-10-09 14:00  –  等约定时间 (wang.wei, mail:5)",
                "1 小时  恢复处理 (系统)", "承诺改变：级别 4 → 3 (wang.wei, mail:6)", "其间放假：2026-10-01 – 2026-10-07。",
                "其间调休上班：2026-10-10。", "16 小时中已用 12 小时。", "还剩 4 小时，时限 2026-10-10 12:00。"]),
    ],
)  # fmt: skip
def test_why_through_lunch_two_pauses_a_holiday_and_a_new_severity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, words: list[str]
) -> None:
    desk = TestDesk(tmp_path, now=datetime(2026, 9, 29, 10, 30, tzinfo=BEIJING))
    mail = to(desk.receives(write(ZHANG, VPN)), "wang.wei")
    days = [
        ((9, 29, 10, 30), "#受理"), ((9, 29, 15, 0), "#挂起 客户 等日志"), ((9, 30, 9, 30), "#恢复"),
        ((9, 30, 16, 0), "#挂起 日期 到2026-10-09 14:00 等节后"), ((10, 9, 15, 0), "#级别 3 又多了几个人"),
    ]  # fmt: skip
    for (month, day, hour, minute), command in days:
        desk.clock.at = datetime(2026, month, day, hour, minute, tzinfo=BEIJING)
        desk.works()
        desk.receives(reply(mail, WANG, command))
    capsys.readouterr()
    assert ticketd(desk, "ticket", "why", "1", "--lang", language, "--as-of", "2026-10-09T17:00:00+08:00") == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


def test_why_and_preview_of_a_ticket_that_is_not_there(desk: TestDesk) -> None:
    assert ticketd(desk, "ticket", "why", "7") == 1 and ticketd(desk, "timetable", "preview", "7") == 1


def test_both_languages_say_the_same_things() -> None:
    assert set(timetable._SAYS["en"]) == set(timetable._SAYS["zh"])


def test_a_hold_that_ended_while_we_were_away_ended_when_it_was_to_end(desk: TestDesk) -> None:
    """Held until 13:00; ticketd is back at 17:00: the clock goes on from 13:00, not from 17:00."""
    mail = to(desk.receives(write(ZHANG, VPN)), "wang.wei")
    desk.receives(reply(mail, WANG, "#受理\n#级别 2 很多人"))
    desk.receives(reply(mail, WANG, "#挂起 客户 到 2026-11-23 13:00 等钥匙"))
    desk.waits(hours=7)
    (resumed,) = desk.events(1, "ClockResumed")
    assert resumed.at == datetime(2026, 11, 23, 13, 0, tzinfo=BEIJING)
    assert desk.ticket(1).due("resolve") == datetime(2026, 11, 23, 21, 0, tzinfo=BEIJING)


def test_what_a_hold_that_ended_brought_on_comes_before_a_mail_that_came_later(desk: TestDesk) -> None:
    """The hold ended at 13:00, half of the time was over at 17:00, and at 18:00 it was solved: nobody saw to it."""
    mail = to(desk.receives(write(ZHANG, VPN)), "wang.wei")
    desk.receives(reply(mail, WANG, "#受理\n#级别 2 很多人"))
    desk.receives(reply(mail, WANG, "#挂起 客户 到 2026-11-23 13:00 等钥匙"))
    desk.clock.at += timedelta(hours=8)
    desk.arrives(reply(mail, WANG, "#已解决 换了网线"))
    desk.clock.at += timedelta(hours=1)
    sent = desk.works()
    assert escalations(sent) == ["pm", "lead"], "half of the time had gone by: the manager, and line 2 (who leads)"
    assert [s.percent for s in desk.events(1, "StepReached") if s.clock == "resolve"][-1] == 50
    assert desk.history(1).index("Woken") < desk.history(1).index("SolutionGiven")


# --- the rule file ---

STEP = "service_levels: {{standard: {{targets: {targets}, steps: [{step}]}}}}\nhold_stops_clock: []\n{more}"
TARGETS = "{1: {respond: 1h, resolve: 2h, calendar: always}, 2: {respond: 1h, resolve: 2h, calendar: always}, " \
          "3: {respond: 1h, resolve: 2h, calendar: always}, 4: {respond: 1h, resolve: 2h, calendar: always}}"  # fmt: skip


@pytest.mark.parametrize(
    ("step", "more", "says"),
    [
        ("{clock: record, percent: 5, tell: [pm]}", "", "what is told on record has no 'percent'"),
        ("{clock: resolve, tell: [pm]}", "", "lacks 'percent'"),
        ("{clock: resolve, percent: 5, after: 1h, tell: [pm]}", "", "one time: 'percent' or 'after', not both"),
        ("{clock: resolve, percent: 5, quiet: 1h, tell: [pm]}", "", "'quiet' belongs to reminders"),
        ("{clock: resolve, every: soon, tell: [pm]}", "", "'every' is a time such as 15m"),
        ("{clock: resolve, percent: 5, tell: [line4]}", "", "no audience is called 'line4' (did you mean 'line"),
        ("{clock: resolve, percent: 5, tell: [pm]}", "next_in_line: {lead: pmm}", "no audience is called 'pmm'"),
        ("{clock: resolve, percent: 5, tell: [pm]}", "next_in_line: {lead: pm, pm: desk, desk: lead}",
         "'desk' comes back to itself by way of 'lead'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_said_with_its_line(tmp_path: Path, step: str, more: str, says: str) -> None:
    for path in shipped("rules").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "service_levels.yaml").write_text(STEP.format(targets=TARGETS, step=step, more=more), "utf-8")
    problems = [str(p) for p in load_partly(tmp_path)[1]]
    assert len(problems) == 1 and "service_levels.yaml:" in problems[0] and says in problems[0]


def test_every_step_by_elapsed_time_comes_then(desk: TestDesk) -> None:
    changed(desk, "service_levels.yaml", lambda d: d["service_levels"]["standard"]["steps"].append(
        {"clock": "resolve", "after": "30m", "severities": [4], "tell": ["duty"]}))  # fmt: skip
    desk.receives(write(ZHANG, VPN))
    assert desk.waits(minutes=29) == []
    (mail,) = desk.waits(minutes=1)
    assert mail.to == "he.lei@example.com" and "解决已计时 30分钟" in mail.letter.text
