"""Emergency plans, told as conversations: proposed or started, tasks given, answered, chased, ended (§7, §11)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from daemon.errors import ConfigError
from daemon.intake.letter import read_letter
from daemon.notify.catalogue import TEMPLATES
from daemon.routing.check import check_rulebook
from daemon.routing.loader import load_rulebook
from daemon.timetable import preview
from daemon.words import Role, TaskState
from tests.desk import BEIJING, ROOT, Sent, TestDesk, one, reply, to, told, write

CUSTOMER = "张三 <zhang.san@huaxin.example>"
DUTY = "何磊 <he.lei@example.com>"
FACILITY = "刘洋 <liu.yang@example.com>"
DESK = "陈静 <chen.jing@example.com>"
SERVER = "Tom <tom.baker@example.com>"
ENGINEER = "王伟 <wang.wei@example.com>"
MINUTES = timedelta(minutes=1)


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def about(sent, *words):
    """Return who got a mail with one of these words in its subject."""
    return sorted(m.to.partition("@")[0] for m in sent if any(w in m.subject for w in words))


def writes(desk, who, text):
    """Answer the last mail about ticket 1 that this person had."""
    name = who.split("<")[1].split("@")[0]
    mail = next(m for m in reversed(desk.sink.sent) if m.to.startswith(f"{name}@") and b"INC-1" in m.content)
    return desk.receives(reply(Sent(mail, read_letter(mail.content), mail.content), who, text))


def fire(desk):
    return desk.receives(write(CUSTOMER, "机房冒烟了！", subject="机房冒烟"))


def power(desk):
    """The power fails; the duty manager starts the plan that was proposed."""
    desk.receives(write(CUSTOMER, "UPS 报警。", subject="机房停电"))
    return writes(desk, DUTY, "#启动预案 停电")


def states(desk):
    return [str(t.state) for t in desk.ticket(1).tasks]


def test_a_plan_that_fits_is_proposed_to_its_coordinator_once(desk):
    sent = desk.receives(write(CUSTOMER, "UPS 报警。", subject="机房停电"))

    assert about(sent, "是否启动预案") == ["he.lei"]
    assert "#启动预案 power-failure" in told(sent, "he.lei")
    assert desk.ticket(1).tasks == ()
    writes(desk, DUTY, "#分类 机房设施")
    assert about(writes(desk, DUTY, "#分类 ups"), "是否启动预案") == []


def test_a_plan_starts_by_itself_where_it_says_so(desk):
    sent = fire(desk)

    event = desk.events(1, "PlanActivated")[0]
    assert (event.plan, event.by, len(event.tasks)) == ("fire-or-flood", "rule", 7)
    assert about(sent, "应急任务") == ["chen.jing", "he.lei", "liu.yang"], "the team has two members"
    assert about(sent, "预案已启动") == ["he.lei"]
    assert "疏散" in told(sent, "liu.yang") and "10:05" in told(sent, "liu.yang")
    assert "#完成 1" in told(sent, "liu.yang")
    assert not [m for m in to(sent, "zhang.san") if "预案" in m.letter.text], "customers do not hear of it"


@pytest.mark.procedure("7/plan")
def test_by_keyword_each_owner_gets_the_task_whose_turn_it_is(desk):
    sent = power(desk)

    assert states(desk) == ["open", "open", "waiting", "waiting", "waiting", "waiting"]
    assert about(sent, "应急任务") == ["chen.jing", "liu.yang"], "who commands needs no mail"
    assert desk.ticket(1).tasks[0].due_at == desk.clock.at + 10 * MINUTES


@pytest.mark.procedure("7/done")
def test_a_task_that_is_done_gives_the_next_ones_their_turn(desk):
    power(desk)
    desk.waits(minutes=5)
    sent = writes(desk, FACILITY, "#完成 1 UPS 还能供电 40 分钟")

    assert states(desk)[:4] == ["done", "open", "open", "open"]
    assert about(sent, "应急任务", "Emergency task") == ["he.lei", "tom.baker"]
    assert "UPS 还能供电 40 分钟" in told(sent, "he.lei"), "the coordinator sees the progress"
    assert desk.ticket(1).tasks[2].due_at == desk.clock.at + 20 * MINUTES


def test_without_a_number_it_is_the_only_task_they_have(desk):
    power(desk)
    writes(desk, DESK, "#完成 已打通电话")
    assert desk.ticket(1).tasks[1].state is TaskState.DONE and desk.ticket(1).tasks[1].text == "已打通电话"


@pytest.mark.procedure("7/blocked")
def test_who_cannot_go_on_says_why_and_the_coordinator_hears_it(desk):
    power(desk)
    sent = writes(desk, DESK, "#受阻 2 电话一直占线")

    assert "电话一直占线" in told(sent, "he.lei") and about(sent, "任务受阻") == ["he.lei"]
    assert states(desk)[1] == "blocked"
    assert about(desk.waits(hours=1), "任务逾期") == ["he.lei", "liu.yang"], "only those of task 1"
    writes(desk, DUTY, "#完成 2 我打通了")
    assert states(desk)[1] == "done", "who coordinates may say so too"


def test_an_overdue_task_is_asked_for_once_then_the_coordinator_knows(desk):
    power(desk)
    assert about(desk.waits(minutes=9), "任务") == []
    assert about(desk.waits(minutes=1), "任务逾期") == ["he.lei", "liu.yang"]
    sent = desk.waits(minutes=10)
    assert about(sent, "任务没有答复") == ["he.lei"]
    assert "已逾期，催过一次仍没有答复" in told(sent, "he.lei")
    later = [about(desk.waits(minutes=30), "任务") for _ in range(8)]
    assert later[0] == ["he.lei"] and not any(later[1:]), "task 2 too, then it goes quiet"


def test_after_an_outage_an_overdue_task_is_asked_for_once(desk):
    power(desk)
    sent = desk.waits(hours=3)
    assert about(sent, "任务逾期") == ["chen.jing", "he.lei", "liu.yang"]
    assert about(desk.waits(minutes=9), "任务") == []
    assert about(desk.waits(minutes=1), "任务没有答复") == ["he.lei"], "two tasks, one mail"


def test_due_times_survive_a_restart(tmp_path):
    before = TestDesk(tmp_path)
    power(before)
    before.desk.store.close()

    after = TestDesk(tmp_path, now=before.clock.at + 10 * MINUTES, uid=100)
    assert about(after.works(), "任务逾期") == ["he.lei", "liu.yang"]
    assert after.desk.store.register.rebuild() == []


def test_when_all_is_done_the_plan_is_over(desk):
    power(desk)
    for number in range(1, 6):
        writes(desk, DUTY, f"#完成 {number}")
    sent = writes(desk, FACILITY, "#完成 6")
    assert "不归您负责" in told(sent, "liu.yang"), "task 6 is the duty manager's"
    writes(desk, DUTY, "#完成 6 已写好")

    assert set(states(desk)) == {"done"} and not desk.ticket(1).plans[0].active
    assert desk.events(1, "PlanEnded")[0].undone == ()
    assert about(desk.waits(hours=30), "任务") == []


def test_the_coordinator_is_told_that_all_is_done(desk):
    book = desk.desk.rulebook
    desk.desk.rulebook = replace(book, plans={k: replace(p, coordinator="manager") for k, p in book.plans.items()})
    fire(desk)
    for number in range(1, 7):
        assert about(writes(desk, DUTY, f"#完成 {number}"), "预案进展") == ["zhou.qiang"]
    assert about(writes(desk, DUTY, "#完成 7"), "预案全部完成") == ["zhou.qiang"]


def test_a_plan_can_be_ended_early_and_its_doers_need_not_go_on(desk):
    power(desk)
    sent = writes(desk, DUTY, "#启动预案 解除 已恢复供电")

    assert set(states(desk)) == {"dropped"}
    assert {"chen.jing", "liu.yang"} <= set(about(sent, "预案已终止"))
    assert "已恢复供电" in told(sent, "liu.yang")
    assert about(desk.waits(hours=3), "任务") == []


def test_tasks_are_not_chased_once_the_ticket_is_solved(desk):
    power(desk)
    writes(desk, FACILITY, "#受理")
    writes(desk, FACILITY, "#已解决 市电恢复")
    assert about(desk.waits(hours=3), "任务") == []
    writes(desk, DUTY, "#完成 1")
    assert states(desk)[0] == "done", "but they may still be done"


def test_an_absent_owner_is_stood_in_for_by_the_next_in_line(desk):
    book, day = desk.desk.rulebook, desk.clock.at.date()
    away = {k: replace(book.people[k], absences=((day, day),)) for k in ("chen.jing",)}
    line = {**book.next_in_line, "desk": "manager"}
    desk.desk.rulebook = replace(book, people={**book.people, **away}, next_in_line=line)
    sent = power(desk)

    task = next(m for m in to(sent, "zhou.qiang") if "应急任务" in m.subject)
    assert "服务台陈静" in task.letter.text and "不在" in task.letter.text
    desk.receives(reply(task, "周强 <zhou.qiang@example.com>", "#完成 2"))
    assert states(desk)[1] == "done", "who stands in may answer"


@pytest.mark.parametrize(
    ("who", "text", "why"),
    [
        (DUTY, "#启动预案 洪水来了", "现有的预案"),
        (DUTY, "#plan power-failur", "power-failure"),
        (DUTY, "#启动预案 停电", "正在执行"),
        (DUTY, "#完成 9", "没有任务 9"),
        (FACILITY, "#完成 2", "不归您负责"),
        (FACILITY, "#受阻 1", "写上原因"),
        (DUTY, "#受阻", "任务号"),
    ],
)
def test_what_makes_no_sense_is_answered_and_changes_nothing(desk, who, text, why):
    power(desk)
    before = desk.ticket(1).tasks
    sent = writes(desk, who, text)
    assert why in told(sent, who.split("<")[1].split("@")[0])
    assert desk.ticket(1).tasks == before


@pytest.mark.procedure("7/done", "7/plan", "7/bad/role")
def test_others_may_not_answer_for_a_task_nor_start_a_plan(desk):
    sent = desk.receives(write(CUSTOMER, "VPN 今早连不上。"))
    (answer,) = desk.receives(reply(one(sent, "wang.wei"), ENGINEER, "#启动预案 停电"))
    assert "可以用" in answer.letter.text and desk.ticket(1).plans == ()
    (answer,) = desk.receives(reply(one(sent, "wang.wei"), ENGINEER, "#完成 1"))
    assert "任务负责人" in answer.letter.text


def test_unproved_mail_does_no_task(desk):
    power(desk)
    desk.receives(write(FACILITY, "#完成 1", subject="[INC-1] 机房停电"))
    assert states(desk)[0] == "open"


def test_numbers_go_on_in_a_second_plan(desk):
    fire(desk)
    writes(desk, DUTY, "#启动预案 停电")
    assert [t.number for t in desk.ticket(1).tasks] == list(range(1, 14))
    assert desk.ticket(1).tasks[9].after == (8,)


@pytest.mark.procedure("7/done")
def test_several_tasks_done_by_one_mail(desk):
    power(desk)
    sent = writes(desk, DUTY, "#完成 1\n#完成 2")
    assert states(desk)[:2] == ["done", "done"] and about(sent, "Emergency task") == ["tom.baker"]


def test_a_look_ahead_shows_the_tasks_that_are_owed(desk):
    power(desk)
    coming = list(preview(desk.ticket(1), desk.desk.rulebook, desk.desk.service, desk.clock.at))
    first = next(c for c in coming if any(type(e).__name__ == "TaskOverdue" for e in c.events))
    assert first.at == datetime(2026, 11, 23, 10, 10, tzinfo=BEIJING)
    assert {m.to for m in first.mails if m.template == "task"} == {"liu.yang@example.com", "he.lei@example.com"}


def test_tasks_are_put_to_each_in_their_language(desk):
    power(desk)
    mail = one(writes(desk, FACILITY, "#完成 1"), "tom.baker")
    assert mail.subject == "[INC-1] Emergency task: Data centre power failure"
    assert "#done 3" in mail.letter.text and "#blocked 3" in mail.letter.text


# --- what `ticketd check` says of a plan that is wrong ---

PLAN = """plan:
  name: 停电
  trigger: {categories: [facility/power], severity: 2}
  starts: when_asked
  coordinator: duty
  tasks:
    - what: 看一下
      who: facility
      within: 10m
"""


def complaints(tmp_path, text):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "rules" / "plans" / "power-failure.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_rulebook(tmp_path / "rules")
    return [str(p).removeprefix(f"{tmp_path}/rules/plans/power-failure.yaml:") for p in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("plan:", "plans:", "1: the file has no key 'plans' (did you mean 'plan'?)"),
        ("who: facility", "who: facilty", "8: nobody is called 'facilty'"),
        ("coordinator: duty", "coordinator: dutty", "5: nobody is called 'dutty' (did you mean 'duty'?)"),
        ("within: 10m", "within: soon", "9: 'within' is a time such as 15m, 4h or 2d, got 'soon'"),
        ("within: 10m", "within: 10m\n      after: 1", "10: 'after' names tasks above this one, from 1 to 0, got '1'"),
        ("starts: when_asked", "starts: now", "4: 'starts' knows no 'now'; write one of by_itself, when_asked"),
        ("facility/power", "facility/powr", "3: no category is called 'facility/powr' (did you mean"),
        ("severity: 2", "severity: 7", "3: a severity is 1, 2, 3 or 4, got '7'"),
        ("severity: 2", "rules: [no such rule]", "3: no routing rule is called 'no such rule'; copy its 'name:'"),
        ("      who: facility\n", "", "7: task 1 lacks 'who'; write who: duty"),
        ("name: 停电", "name: 停电\n  aliases: [fire]", "1: 'fire' already means the plan 'fire-or-flood'"),
    ],
)
def test_a_broken_plan_is_named_with_line_and_cure(tmp_path, old, new, says):
    assert any(c.startswith(says) for c in complaints(tmp_path, PLAN.replace(old, new)))


def test_without_plans_there_are_none(tmp_path):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    shutil.rmtree(tmp_path / "rules" / "plans")
    assert load_rulebook(tmp_path / "rules").plans == {}


def test_a_plan_for_a_role_that_nobody_has_is_a_warning():
    book = load_rulebook(ROOT / "rules")
    people = {k: replace(p, roles=p.roles - {Role.DUTY} or frozenset({Role.ENGINEER})) for k, p in book.people.items()}
    found = [str(p) for p in check_rulebook(replace(book, people=people, announcements=()), TEMPLATES)]
    assert any("'duty' is told of things, but nobody has that role" in p for p in found)
