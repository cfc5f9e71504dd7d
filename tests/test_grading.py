"""Classification and grading, told by mail: the tree, the matrix cell by cell, and who may raise and lower."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.words import Severity, State
from tests.two_languages import CUSTOMER, DESK, ENGINEER, PM, Office, answer, readers, to

TREE = [
    pytest.param("hardware", "desktop", "我的电脑蓝屏了", "My laptop shows a blue screen",
                 marks=pytest.mark.procedure("4/hardware")),
    pytest.param("software", "desktop", "Excel 打不开", "Excel does not start", marks=pytest.mark.procedure("4/software")),
    pytest.param("network", "network", "网络很慢", "The network is slow", marks=pytest.mark.procedure("4/network")),
    pytest.param("security", "security", "收到钓鱼邮件", "A phishing mail", marks=pytest.mark.procedure("4/security")),
    pytest.param("facility/power", "facility", "【告警】UPS 转电池供电", "[ALERT] UPS on battery",
                 marks=pytest.mark.procedure("4/facility")),
    pytest.param("facility/climate", "facility", "机房温度 31 度", "The server room is too hot: temperature 31",
                 marks=pytest.mark.procedure("4/facility")),
    pytest.param("facility/storage", "server", "磁盘空间不足", "Disk full on db-02", marks=pytest.mark.procedure("4/facility")),
    pytest.param("facility/emergency", "facility", "机房漏水", "Water leak in the server room",
                 marks=pytest.mark.procedure("4/facility_emergency")),
    pytest.param("account", "desk", "忘记密码", "I forgot my password", marks=pytest.mark.procedure("4/account")),
    pytest.param("request/access", "desk", "申请开通邮箱权限", "I need access to the share", marks=pytest.mark.procedure("4/request")),
    pytest.param("request/memory", "desktop", "申请加内存", "More memory for pc-12", marks=pytest.mark.procedure("4/request")),
    pytest.param("request/install", "desktop", "请安装软件", "Please install the client",
                 marks=pytest.mark.procedure("4/request")),
    pytest.param("complaint", "desk", "投诉：三天没人理", "Complaint: nobody called back",
                 marks=pytest.mark.procedure("4/complaint")),
]  # fmt: skip


@pytest.mark.procedure("5/team")
@pytest.mark.parametrize(("category", "team", "zh", "en"), TREE)
def test_the_words_of_a_report_give_its_category_and_its_team(
    tmp_path: Path, category: str, team: str, zh: str, en: str
) -> None:
    desk = Office(tmp_path)
    for number, subject in enumerate((zh, en), start=1):
        desk.reports(subject, subject=subject)
        ticket = desk.ticket(number)
        assert f"{ticket.category}/".startswith(f"{category}/"), subject
        assert ticket.team == team and ticket.kind == ("service_request" if "request" in category else "incident")


@pytest.mark.procedure("4/request")
@pytest.mark.parametrize(
    ("words", "category"), [("#分类 咨询", "request/information"), ("#category Standard change", "request/change")]
)
def test_the_desk_says_what_no_rule_can_know(tmp_path: Path, words: str, category: str) -> None:
    desk = Office(tmp_path)
    desk.reports("请问一下打印机怎么连", subject="请教")
    desk.says(DESK, words)
    assert desk.ticket(1).category == category
    assert (desk.events(1, "Graded")[-1].by, desk.events(1, "Graded")[-1].old) == ("chen.jing", "other")


MATRIX = [
    pytest.param("high", "high", 1, marks=pytest.mark.procedure("4/high-high")),
    pytest.param("high", "medium", 2, marks=pytest.mark.procedure("4/high-medium")),
    pytest.param("high", "low", 3, marks=pytest.mark.procedure("4/high-low")),
    pytest.param("medium", "high", 2, marks=pytest.mark.procedure("4/medium-high")),
    pytest.param("medium", "medium", 3, marks=pytest.mark.procedure("4/medium-medium")),
    pytest.param("medium", "low", 4, marks=pytest.mark.procedure("4/medium-low")),
    pytest.param("low", "high", 3, marks=pytest.mark.procedure("4/low-high")),
    pytest.param("low", "medium", 4, marks=pytest.mark.procedure("4/low-medium")),
    pytest.param("low", "low", 4, marks=pytest.mark.procedure("4/low-low")),
]
CHINESE = {"high": "高", "medium": "中", "low": "低"}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("impact", "urgency", "severity"), MATRIX)
def test_impact_and_urgency_give_the_severity(
    tmp_path: Path, impact: str, urgency: str, severity: int, language: str
) -> None:
    desk = Office(tmp_path, language)
    desk.reports()
    words = {
        "zh": f"#影响 {CHINESE[impact]} 查过了\n#紧急 {CHINESE[urgency]} 查过了",
        "en": f"#impact {impact} looked into\n#urgency {urgency} looked into",
    }
    desk.says(PM, words[language])
    ticket = desk.ticket(1)
    assert (ticket.impact, ticket.urgency, ticket.severity) == (impact, urgency, severity)
    assert ticket.clock("resolve").severity == severity, "the promise is that of the new severity"


@pytest.mark.procedure("4/raise", "7/severity")
@pytest.mark.parametrize(
    ("language", "command", "told"),
    [
        ("zh", "#级别 1 全公司断网", ("一级", "全公司断网")),
        ("en", "#severity 1 nobody can work", ("1 (critical)", "nobody can work")),
    ],
)
def test_an_engineer_raises_and_the_desk_is_told_with_the_reason(
    tmp_path: Path, language: str, command: str, told: tuple[str, ...]
) -> None:
    desk = Office(tmp_path, language)
    desk.opened("in_progress")
    sent = desk.says(ENGINEER, command)
    text = to(sent, DESK).letter.text
    assert all(words in text for words in (*told, "Wang Wei"))
    (graded,) = desk.events(1, "Graded")
    assert (graded.old, graded.new, graded.by) == ("4", "1", "wang.wei") and graded.reason == told[1]


@pytest.mark.procedure("4/lower", "7/severity")
@pytest.mark.parametrize(
    ("language", "command", "whose", "why"),
    [
        ("zh", "#级别 3", "降低级别只有项目经理可以", "降低级别需要写上原因"),
        ("en", "#severity 3", "Only the project manager may lower", "lower"),
    ],
)
def test_only_the_project_manager_lowers_and_only_with_a_reason(
    tmp_path: Path, language: str, command: str, whose: str, why: str
) -> None:
    desk = Office(tmp_path, language)
    desk.opened("in_progress")
    desk.says(ENGINEER, "#severity 2 a whole department")
    for who in (ENGINEER, DESK):
        assert whose in answer(desk.says(who, f"{command} one user"), who)
    assert why in answer(desk.says(PM, command), PM) and desk.ticket(1).severity is Severity.HIGH
    sent = desk.says(PM, f"{command} one user")
    assert desk.ticket(1).severity is Severity.MEDIUM and {"chen.jing", "wang.wei"} <= readers(sent)
    assert (desk.events(1, "Graded")[-1].by, desk.events(1, "Graded")[-1].reason) == ("sun.li", "one user")


@pytest.mark.procedure("4/lower")
def test_lowering_by_the_back_door_of_the_matrix_is_the_project_managers_too(tmp_path: Path) -> None:
    desk = Office(tmp_path)
    desk.opened("in_progress")
    desk.says(ENGINEER, "#影响 高\n#紧急 高")
    assert desk.ticket(1).severity is Severity.CRITICAL
    assert "降低级别只有项目经理可以" in answer(desk.says(ENGINEER, "#影响 低 只有一个人"), ENGINEER)
    ticket = desk.ticket(1)
    assert (ticket.severity, ticket.impact) == (Severity.CRITICAL, "high")


@pytest.mark.procedure("4/wrong_dispatch")
@pytest.mark.parametrize(
    ("language", "command", "reason"),
    [("zh", "#退回 是应用的问题", "是应用的问题"), ("en", "#return an application problem", "an application problem")],
)
def test_the_wrong_queue_sends_it_back_to_the_desk_at_once_and_counts(
    tmp_path: Path, language: str, command: str, reason: str
) -> None:
    desk = Office(tmp_path, language)
    desk.reports()
    sent = desk.says(ENGINEER, command)
    assert reason in to(sent, DESK).letter.text and "zhang.san" not in readers(sent)
    assert (desk.ticket(1).state, desk.ticket(1).returned) == (State.NEW, 1)
    (event,) = desk.events(1, "Returned")
    assert (event.by, event.reason, event.from_team) == ("wang.wei", reason, "network")
    desk.says(DESK, "#assign Applications")
    assert desk.ticket(1).team == "application"
    assert "zhang.san" in readers(desk.says(CUSTOMER, "#status")), "the requester may ask at any time"
