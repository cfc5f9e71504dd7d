"""Problem, change and knowledge: what incidents leave to the neighbouring processes, and what comes back."""

from __future__ import annotations

import pytest

from daemon.reports.compile import cohort_of
from daemon.reports.kpis import KPIS
from daemon.reports.period import period_of
from daemon.routing.actions import ActionError, action_from
from daemon.words import HoldReason, Kind, LinkKind, State
from tests.desk import TestDesk, to
from tests.test_conversations import DESK, ENGINEER, LEAD, PM
from tests.test_links import ANN, LI, ZHANG, archived, numbers, orders, reported
from tests.test_procedure_keywords import answer_to
from tests.test_procedure_keywords import desk as desk_with_vendor

desk = desk_with_vendor


# --- problem ---


@pytest.mark.procedure("7/problem")
@pytest.mark.parametrize("words", ["#问题 证书为什么没人续\n查一下流程", "#problem 证书为什么没人续\n查一下流程"])
def test_a_problem_is_opened_for_the_project_manager_and_nobody_else_hears(desk: TestDesk, words: str) -> None:
    reported(desk, ZHANG, "VPN 断了")
    sent = orders(desk, 1, words)
    problem = desk.ticket(2)
    assert (problem.kind, problem.state, problem.subject) == (Kind.PROBLEM, State.NEW, "证书为什么没人续")
    assert (problem.requester, problem.assignee, problem.customer) == ("", "sun.li", "huaxin")
    assert problem.clocks == () and problem.next_due_at is None, "no promise was made to anybody"
    assert numbers(desk, 1, LinkKind.PROBLEM) == (2,) and numbers(desk, 2, LinkKind.INCIDENT) == (1,)
    (told,) = to(sent, "sun.li")
    assert told.subject.startswith("[INC-2] 问题") and "查一下流程" in told.letter.text
    assert "问题 INC-2" in answer_to(sent, "wang.wei")
    assert not to(sent, "zhang.san")
    assert desk.desk.store.register.rebuild() == []


def problem_of_two(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    reported(desk, LI, "VPN 又断了")
    orders(desk, 1, "#问题 证书为什么没人续")
    orders(desk, 2, "#问题 3")


def test_a_problem_goes_its_own_short_way(desk: TestDesk) -> None:
    problem_of_two(desk)
    assert numbers(desk, 3, LinkKind.INCIDENT) == (1, 2) and desk.ticket(4) is None
    orders(desk, 3, "#临时措施 手工续期", who=PM)
    assert desk.ticket(3).state is State.KNOWN_ERROR and desk.ticket(3).workaround == "手工续期"
    orders(desk, 3, "#原因 没有到期提醒\n#解决 加了到期监控", who=PM)
    assert (desk.ticket(3).state, desk.ticket(3).cause) == (State.RESOLVED, "没有到期提醒")
    assert not desk.waits(days=20) or desk.ticket(3).state is State.RESOLVED, "nobody is asked to confirm"
    orders(desk, 3, "#驳回 监控没有覆盖分公司", who=PM)
    assert desk.ticket(3).state is State.NEW
    orders(desk, 3, "#解决 都覆盖了", who=PM)
    orders(desk, 3, "#归档", who=PM)
    assert desk.ticket(3).state is State.ARCHIVED
    assert [type(e).__name__ for e in desk.events(3, "ClockStarted")] == []
    assert desk.desk.store.register.rebuild() == []


@pytest.mark.parametrize("words", ["#进展 快好了", "#挂起 客户", "#确认", "#合并 1", "#退回 不归我", "#评价 5"])
def test_what_is_for_requesters_makes_no_sense_on_a_problem(desk: TestDesk, words: str) -> None:
    problem_of_two(desk)
    before = desk.ticket(3).state
    sent = orders(desk, 3, words, who=PM)
    assert "未执行" in answer_to(sent, "sun.li") and desk.ticket(3).state is before


def test_without_a_project_manager_the_desk_has_it(desk: TestDesk) -> None:
    reported(desk, "someone <some.one@unknown.example>", "VPN 断了")
    sent = orders(desk, 1, "#问题")
    assert desk.ticket(2).assignee == "" and desk.ticket(2).subject == desk.ticket(1).subject
    assert to(sent, "chen.jing")[0].subject.startswith("[INC-2] 问题")
    orders(desk, 2, "#转派 孙莉", who=DESK)
    assert desk.ticket(2).assignee == "sun.li" and desk.ticket(2).state is State.NEW


def test_a_problem_is_no_part_of_the_lists_of_incidents(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    orders(desk, 1, "#问题 证书为什么没人续")
    assert [e.ticket.number for e in desk.desk.store.duties.unsolved()] == [1]


def test_no_category_and_no_rule_opens_a_problem_by_itself() -> None:
    with pytest.raises(ActionError, match="incident or service_request"):
        action_from("kind", "problem")


# --- change ---


@pytest.mark.procedure("7/change")
@pytest.mark.parametrize("words", ["#变更 换成自动续期的证书", "#change 换成自动续期的证书"])
def test_an_incident_waits_for_its_change_and_wakes_when_it_is_done(desk: TestDesk, words: str) -> None:
    reported(desk, ZHANG, "VPN 断了")
    sent = orders(desk, 1, words)
    assert (desk.ticket(2).kind, desk.ticket(2).state) == (Kind.CHANGE, State.NEW)
    assert any(m.subject.startswith("[INC-2] 变更") for m in sent), "the team that makes it is told"
    orders(desk, 1, "#受理")
    orders(desk, 1, "#挂起 变更 等换证书")
    assert desk.ticket(1).hold_reason is HoldReason.CHANGE
    orders(desk, 2, "#受理", who=LEAD)
    assert desk.ticket(2).state is State.IN_PROGRESS and desk.ticket(1).state is State.ON_HOLD
    sent = orders(desk, 2, "#解决 已换成自动续期", who=LEAD)
    assert desk.ticket(2).state is State.RESOLVED and desk.ticket(1).state is State.IN_PROGRESS
    (woken,) = [m for m in to(sent, "wang.wei") if m.subject.startswith("[INC-1]")]
    assert "INC-2" in woken.letter.text and "已解决" in woken.letter.text
    assert to(sent, "zhang.san"), "the customer hears that the work goes on"
    assert desk.desk.store.register.rebuild() == []


def test_a_change_that_is_not_made_wakes_it_too(desk: TestDesk) -> None:
    reported(desk, ANN, "VPN is down", subject="VPN down")
    orders(desk, 1, "#change Renew by itself")
    orders(desk, 1, "#accept\n#hold change")
    orders(desk, 2, "#cancel Too dear", who=DESK)
    assert desk.ticket(2).state is State.CANCELLED and desk.ticket(1).state is State.IN_PROGRESS


def test_who_waits_for_something_else_does_not_wake(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    orders(desk, 1, "#变更 换证书\n#受理")
    orders(desk, 1, "#挂起 客户 等日志")
    orders(desk, 2, "#受理\n#解决 换了")
    assert desk.ticket(1).state is State.ON_HOLD


# --- knowledge ---


@pytest.mark.procedure("7/kb", "8/similar")
def test_a_past_solution_is_offered_and_its_use_is_noted(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 网关连不上，提示 691。", subject="VPN 网关连不上")
    archived(desk)
    reported(desk, ZHANG, "打印机卡纸了", subject="打印机卡纸")
    sent = reported(desk, LI, "VPN 网关又连不上了，提示 691", subject="VPN 网关连不上")
    offered = to(sent, "wang.wei")[0].letter.text
    assert "INC-1" in offered and "换了网关证书" in offered and "#知识" in offered
    assert "换了网关证书" not in to(sent, "li.si")[0].letter.text, "the customer is not shown it"
    sent = orders(desk, 3, "#知识 1")
    assert "换了网关证书" in answer_to(sent, "wang.wei") and desk.ticket(3).solution == "换了网关证书"
    assert numbers(desk, 3, LinkKind.KNOWLEDGE) == (1,) and numbers(desk, 1, LinkKind.REUSED_BY) == (3,)
    sent = orders(desk, 3, "#受理\n#解决")
    assert any("换了网关证书" in m.letter.text for m in to(sent, "li.si"))
    assert desk.ticket(1).state is State.ARCHIVED
    assert desk.desk.store.register.rebuild() == []


def test_what_is_not_like_it_is_not_offered(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 网关连不上，提示 691。", subject="VPN 网关连不上")
    archived(desk)
    sent = reported(desk, LI, "访客无线信号弱", subject="VPN")
    assert not any("换了网关证书" in m.letter.text for m in sent)


def test_a_solution_of_ones_own_is_kept_and_the_use_can_be_taken_back(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    archived(desk)
    reported(desk, LI, "VPN 又断了")
    orders(desk, 2, "#kb 1", who=ENGINEER)
    orders(desk, 2, "#undo")
    assert desk.ticket(2).solution == "" and desk.ticket(2).links == () == desk.ticket(1).links
    orders(desk, 2, "#受理\n#解决 重启了客户端")
    assert desk.ticket(2).solution == "重启了客户端"


def test_a_known_error_gives_its_workaround(desk: TestDesk) -> None:
    problem_of_two(desk)
    reported(desk, LI, "VPN 第三次断了")
    assert "没有写解决办法" in answer_to(orders(desk, 4, "#知识 3"), "wang.wei")
    orders(desk, 3, "#临时措施 手工续期", who=PM)
    orders(desk, 4, "#kb 3")
    assert desk.ticket(4).workaround == "手工续期"


# --- the figures ---


def test_problems_and_reuse_are_counted_and_problems_are_no_incidents(desk: TestDesk) -> None:
    reported(desk, ZHANG, "VPN 断了")
    archived(desk)
    reported(desk, LI, "VPN 又断了")
    orders(desk, 2, "#知识 1\n#受理\n#解决\n#问题 证书为什么没人续\n#变更 自动续期")
    orders(desk, 3, "#临时措施 手工续期", who=PM)
    desk.waits(minutes=1)
    period = period_of("2026-11", "Asia/Shanghai", desk.clock.now())
    cohort = cohort_of(desk.desk.store, desk.desk.rulebook, "Asia/Shanghai", period)
    (volume,), (problems,), (knowledge,) = (
        list(k.rows(cohort))[:1] for k in KPIS if k.key in ("volume", "problems", "knowledge")
    )
    assert volume.figures[0].numbers == (1, 2)
    assert [f.numbers for f in problems.figures] == [(3,), (3,), (3,)]
    assert knowledge.figures[0].numbers == (2,)
    assert (knowledge.figures[1].numbers, knowledge.figures[1].of) == ((2,), (1, 2))
