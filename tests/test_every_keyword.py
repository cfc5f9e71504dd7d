"""Every keyword of the procedure in Chinese and in English: what it does, who may, and who may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.ticket import Ticket
from daemon.words import HoldReason, State
from tests.desk import BEIJING, reply
from tests.procedure_rows import ROWS
from tests.two_languages import (
    COLLEAGUE,
    CUSTOMER,
    DESK,
    ENGINEER,
    LEAD,
    MANAGER,
    OTHER_ENGINEER,
    OTHER_PM,
    PM,
    SALES,
    SHIPPED,
    Office,
    answer,
    chinese,
    readers,
    to,
)


@dataclass(frozen=True)
class Case:
    """A keyword in a state: what stands behind it in Chinese and English, who may, who may not, what it does,
    and which event it leaves where the ticket itself does not show it."""

    state: str
    may: tuple[str, ...]
    may_not: tuple[str, ...]
    zh: str
    en: str
    does: Callable[[Ticket], bool]
    leaves: str = ""


def at(moment: object) -> str:
    return f"{moment:%m-%d %H:%M}" if moment else ""


CASES = [
    pytest.param(
        Case("assigned", (ENGINEER, LEAD, DESK), (OTHER_ENGINEER, PM, CUSTOMER), "#受理", "#accept",
             lambda t: t.state is State.IN_PROGRESS and t.assignee in ("wang.wei", "zhao.min", "chen.jing")),
        id="accept", marks=pytest.mark.procedure("7/accept")),
    pytest.param(
        Case("in_progress", (ENGINEER,), (DESK, LEAD, PM, CUSTOMER), "#进展 证书正在换", "#progress The certificate is being renewed",
             lambda t: t.answered, "ProgressTold"),
        id="progress", marks=pytest.mark.procedure("7/progress")),
    pytest.param(
        Case("in_progress", (ENGINEER, DESK, PM, SALES), (CUSTOMER,), "#备注 客户自己改过配置", "#note they changed it themselves",
             lambda t: t.state is State.IN_PROGRESS, "Noted"),
        id="note", marks=pytest.mark.procedure("7/note")),
    pytest.param(
        Case("in_progress", (ENGINEER, DESK), (LEAD, PM, CUSTOMER),
             "#挂起 厂商 到2026-11-25 10:00 等备件", "#hold vendor until 25 Nov 2026 10:00 a spare part",
             lambda t: (t.hold_reason, at(t.hold_until)) == (HoldReason.VENDOR, "11-25 10:00")),
        id="hold", marks=pytest.mark.procedure("7/hold")),
    pytest.param(
        Case("on_hold", (ENGINEER, DESK), (LEAD, PM, CUSTOMER), "#恢复", "#resume",
             lambda t: t.state is State.IN_PROGRESS and t.hold_reason is None),
        id="resume", marks=pytest.mark.procedure("7/resume")),
    pytest.param(
        Case("in_progress", (ENGINEER,), (DESK, LEAD, PM, CUSTOMER), "#已解决 换了证书", "#resolve a new certificate",
             lambda t: t.state is State.RESOLVED and t.solution in ("换了证书", "a new certificate")),
        id="resolve", marks=pytest.mark.procedure("7/resolve")),
    pytest.param(
        Case("in_progress", (ENGINEER,), (DESK, LEAD, CUSTOMER), "#原因 证书过期", "#cause it had expired",
             lambda t: t.cause in ("证书过期", "it had expired")),
        id="cause", marks=pytest.mark.procedure("7/cause")),
    pytest.param(
        Case("in_progress", (ENGINEER,), (DESK, LEAD, CUSTOMER), "#临时措施 先用备用线路", "#workaround use the other line",
             lambda t: t.workaround in ("先用备用线路", "use the other line")),
        id="workaround", marks=pytest.mark.procedure("7/workaround")),
    pytest.param(
        Case("in_progress", (ENGINEER, DESK), (LEAD, PM, CUSTOMER), "#转派 li.na 请看电脑", "#assign Li Na please look",
             lambda t: (t.assignee, t.state) == ("li.na", State.ASSIGNED)),
        id="assign to a person", marks=pytest.mark.procedure("7/assign")),
    pytest.param(
        Case("in_progress", (DESK,), (), "#转派 桌面组", "#assign Desktop",
             lambda t: (t.team, t.state) == ("desktop", State.ASSIGNED) and t.assignee != "wang.wei"),
        id="assign to a team", marks=pytest.mark.procedure("7/assign")),
    pytest.param(
        Case("in_progress", (ENGINEER, DESK), (LEAD, PM, CUSTOMER), "#转二线 查防火墙", "#line2 look at the firewall",
             lambda t: (t.line, t.assignee) == (2, "zhao.min")),
        id="line2", marks=pytest.mark.procedure("7/line2")),
    pytest.param(
        Case("in_progress", (ENGINEER, DESK), (LEAD, PM, CUSTOMER), "#转厂商 华岳网络 电源坏了", "#vendor Huayue the power unit",
             lambda t: (t.line, t.assignee, t.liaison) == (3, "gao.feng", "wang.wei")),
        id="vendor", marks=pytest.mark.procedure("7/vendor")),
    pytest.param(
        Case("assigned", (ENGINEER, LEAD), (OTHER_ENGINEER, PM, CUSTOMER), "#退回 是应用的问题", "#return an application problem",
             lambda t: (t.state, t.assignee, t.returned) == (State.NEW, "", 1)),
        id="return", marks=pytest.mark.procedure("7/return")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM, MANAGER), (CUSTOMER,), "#级别 2 整个部门", "#severity 2 a whole department",
             lambda t: t.severity == 2),
        id="severity up", marks=pytest.mark.procedure("7/severity")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#影响 高 整个园区", "#impact high the whole site",
             lambda t: (t.impact, t.severity) == ("high", 2)),
        id="impact", marks=pytest.mark.procedure("7/impact")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#紧急 高 下午要开会", "#urgency high a meeting at two",
             lambda t: (t.urgency, t.severity) == ("high", 3)),
        id="urgency", marks=pytest.mark.procedure("7/urgency")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#分类 无线", "#category network/wifi",
             lambda t: t.category == "network/wifi"),
        id="category", marks=pytest.mark.procedure("7/category")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#配置项 gw-07", "#ci gw-07", lambda t: t.ci == "gw-07"),
        id="ci", marks=pytest.mark.procedure("7/ci")),
    pytest.param(
        Case("assigned", (CUSTOMER, ENGINEER, DESK, PM), (), "#升级 分公司都停了", "#escalate the branch stands still",
             lambda t: t.state is State.ASSIGNED, "EscalationAsked"),
        id="escalate", marks=pytest.mark.procedure("7/escalate")),
    pytest.param(
        Case("assigned", (DESK, SALES), (ENGINEER, PM, CUSTOMER), "#不受理 采购不在合同内", "#outofscope buying is not in the contract",
             lambda t: t.state is State.OUT_OF_SCOPE),
        id="outofscope", marks=pytest.mark.procedure("7/outofscope")),
    pytest.param(
        Case("out_of_scope", (DESK, SALES), (ENGINEER, PM, CUSTOMER), "#受理范围内 客户续了合同", "#inscope they have renewed",
             lambda t: t.state in (State.NEW, State.ASSIGNED)),
        id="inscope", marks=pytest.mark.procedure("7/inscope")),
    pytest.param(
        Case("resolved", (CUSTOMER,), (ENGINEER, DESK, PM), "#确认", "#confirm", lambda t: t.state is State.PENDING_REVIEW),
        id="confirm", marks=pytest.mark.procedure("7/confirm")),
    pytest.param(
        Case("resolved", (CUSTOMER,), (ENGINEER, DESK, PM), "#未解决 还是断", "#reopen still down",
             lambda t: (t.state, t.reopened) == (State.IN_PROGRESS, 1)),
        id="reopen", marks=pytest.mark.procedure("7/reopen", "3/reopen/not_solved", "3/reopen/counted")),
    pytest.param(
        Case("in_progress", (CUSTOMER, DESK), (ENGINEER, PM), "#取消 自己好了", "#cancel it works by itself",
             lambda t: t.state is State.CANCELLED),
        id="cancel", marks=pytest.mark.procedure("7/cancel", "3/cancelled")),
    pytest.param(
        Case("pending_review", (PM,), (ENGINEER, DESK, OTHER_PM, CUSTOMER), "#归档", "#archive",
             lambda t: t.state is State.ARCHIVED),
        id="archive", marks=pytest.mark.procedure("7/archive", "3/archived")),
    pytest.param(
        Case("pending_review", (PM,), (ENGINEER, DESK, OTHER_PM, CUSTOMER), "#驳回 没写原因", "#reject no cause",
             lambda t: (t.state, t.reopened) == (State.IN_PROGRESS, 1)),
        id="reject", marks=pytest.mark.procedure("7/reject")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#来源 电话", "#source phone", lambda t: t.source == "phone"),
        id="source", marks=pytest.mark.procedure("7/source")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#发生时间 昨天 18:00", "#occurred yesterday 18:00",
             lambda t: at(t.occurred_at) == "11-22 18:00"),
        id="occurred", marks=pytest.mark.procedure("7/occurred")),
    pytest.param(
        Case("in_progress", (CUSTOMER, ENGINEER, DESK, PM), (), "#状态", "#status", lambda t: t.state is State.IN_PROGRESS),
        id="status", marks=pytest.mark.procedure("7/status")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#受影响用户 财务部王芳", "#user Wang Fang, finance", lambda t: t.user in ("财务部王芳", "Wang Fang, finance")),
        id="user", marks=pytest.mark.procedure("7/user")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#联系方式 021-5555-1234", "#contact 021-5555-1234", lambda t: t.contact == "021-5555-1234"),
        id="contact", marks=pytest.mark.procedure("7/contact")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#地点 深圳三楼机房", "#place Shenzhen, third floor", lambda t: t.place in ("深圳三楼机房", "Shenzhen, third floor")),
        id="place", marks=pytest.mark.procedure("7/place")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#地区 江苏", "#region Jiangsu", lambda t: t.region in ("江苏", "Jiangsu")),
        id="region", marks=pytest.mark.procedure("7/region")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#现象 登录后马上断开", "#symptom it drops after login", lambda t: t.symptom in ("登录后马上断开", "it drops after login")),
        id="symptom", marks=pytest.mark.procedure("7/symptom")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#影响服务 远程办公", "#service remote access", lambda t: t.service in ("远程办公", "remote access")),
        id="service", marks=pytest.mark.procedure("7/service")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#错误代码 691", "#code 691", lambda t: t.error_codes == ("691",)),
        id="code", marks=pytest.mark.procedure("7/code")),
    pytest.param(
        Case("assigned", (ENGINEER, DESK, PM), (CUSTOMER,), "#影响户数 1200", "#affected 1200", lambda t: t.affected == 1200),
        id="affected", marks=pytest.mark.procedure("7/affected")),
    pytest.param(
        Case("assigned", (DESK, PM), (ENGINEER, CUSTOMER), "#客户 acme", "#customer acme", lambda t: t.customer == "acme"),
        id="customer", marks=pytest.mark.procedure("7/customer")),
    pytest.param(
        Case("in_progress", (PM,), (ENGINEER, DESK, CUSTOMER), "#重大 橙色 三个城市", "#major orange three cities",
             lambda t: t.severity == 1),
        id="major", marks=pytest.mark.procedure("7/major")),
]  # fmt: skip
DONE = {"zh": "已执行：", "en": "done: "}
NOT_YOURS = {"zh": "这个指令只有", "en": "Only these may use it:"}


@pytest.mark.procedure("7/answer")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("case", CASES)
def test_who_may_does_it_in_either_language(tmp_path: Path, case: Case, language: str) -> None:
    desk = Office(tmp_path, language)
    words = case.zh if language == "zh" else case.en
    for number, who in enumerate(case.may if language == "zh" else case.may[:1], start=1):
        desk.opened(case.state, number)
        said = answer(desk.says(who, words, number), who)
        assert case.does(desk.ticket(number)), (who, said)
        assert not case.leaves or case.leaves in desk.history(number)
        assert words.startswith(("#状态", "#status")) or DONE[language] + words in said
        assert chinese(said) == (language == "zh"), "all of it in their language"


@pytest.mark.procedure("7/bad/role")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].may_not])
def test_who_may_not_is_told_who_may_and_nothing_changes(tmp_path: Path, case: Case, language: str) -> None:
    desk = Office(tmp_path, language)
    desk.opened(case.state)
    before = desk.ticket(1)
    for who in case.may_not:
        sent = desk.says(who, case.zh if language == "zh" else case.en)
        said = answer(sent, who)
        assert NOT_YOURS[language] in said and chinese(said) == (language == "zh"), (who, said)
        others = {m.to for m in sent if m.to not in who}
        assert not others or who is CUSTOMER, (
            "a customer's words are heard, whatever they are; a colleague's slip is not"
        )
    after = desk.ticket(1)
    assert replace(after, length=before.length) == before


# --- keywords that need more than a state ---


@pytest.mark.procedure("7/progress", "8/progress")
@pytest.mark.parametrize(
    ("language", "command"), [("zh", "#进展 正在换证书"), ("en", "#progress A new one is on its way")]
)
def test_the_customer_reads_the_progress_note_and_never_the_internal_one(
    tmp_path: Path, language: str, command: str
) -> None:
    desk = Office(tmp_path, language)
    desk.opened("in_progress")
    assert command.partition(" ")[2] in to(desk.says(ENGINEER, command), CUSTOMER).letter.text
    note = "#备注 canary-91" if language == "zh" else "#note canary-91"
    assert "zhang.san" not in readers(desk.says(ENGINEER, note))
    sent = desk.says(ENGINEER, "#resolve done")
    assert b"canary-91" not in to(sent, CUSTOMER).raw and "canary-91" not in to(sent, CUSTOMER).letter.text


@pytest.mark.procedure("7/for", "7/source", "7/occurred")
@pytest.mark.parametrize(
    ("language", "command", "opened"),
    [
        (
            "zh",
            "#代报 Zhang San <zhang.san@huaxin.example>\n#来源 传真\n#发生时间 8:30\nVPN 断了",
            "您反映的问题已登记",
        ),
        (
            "en",
            "#for Zhang San <zhang.san@huaxin.example>\n#source fax\n#occurred 8:30\nVPN down",
            "What you reported has been",
        ),
    ],
)
@pytest.mark.parametrize("who", [DESK, ENGINEER, PM])
def test_any_of_ours_records_for_a_customer(tmp_path: Path, language: str, command: str, opened: str, who: str) -> None:
    desk = Office(tmp_path, language)
    sent = desk.says(who, command, subject="VPN")
    ticket = desk.ticket(1)
    assert (ticket.requester, ticket.source, at(ticket.occurred_at)) == (
        "zhang.san@huaxin.example",
        "fax",
        "11-23 08:30",
    )
    assert ticket.recorded_by in who and opened in to(sent, CUSTOMER).letter.text


@pytest.mark.procedure("7/for", "7/bad/role")
def test_a_customer_records_for_nobody_else(tmp_path: Path) -> None:
    desk = Office(tmp_path)
    desk.says(CUSTOMER, "#代报 li.si@huaxin.example\nVPN 断了", subject="VPN")
    assert desk.ticket(1).requester == "zhang.san@huaxin.example"


@pytest.mark.procedure("7/undo")
@pytest.mark.parametrize(
    ("language", "command", "late"),
    [("zh", "#撤销", "已经超过 15 分钟"), ("en", "#undo", "15 minutes")],
)
def test_who_did_it_takes_it_back_within_a_quarter_of_an_hour(
    tmp_path: Path, language: str, command: str, late: str
) -> None:
    desk = Office(tmp_path, language)
    desk.opened("in_progress")
    desk.says(ENGINEER, "#hold vendor a part")
    desk.clock.at += timedelta(minutes=14)
    desk.says(DESK, command)
    assert desk.ticket(1).state is State.ON_HOLD, "not what another did"
    assert "zhang.san" in readers(desk.says(ENGINEER, command)), "who was told of it is told"
    assert desk.ticket(1).state is State.IN_PROGRESS
    desk.says(ENGINEER, "#hold vendor a part")
    desk.waits(minutes=16)
    assert late in answer(desk.says(ENGINEER, command), ENGINEER) and desk.ticket(1).state is State.ON_HOLD


@pytest.mark.procedure("7/list", "7/status")
@pytest.mark.parametrize(("language", "listing", "asking"), [("zh", "#列表", "#状态 1"), ("en", "#list", "#status 1")])
def test_everybody_is_shown_only_what_is_theirs(tmp_path: Path, language: str, listing: str, asking: str) -> None:
    desk = Office(tmp_path, language)
    desk.opened("in_progress", 1, subject="VPN canary-one")
    desk.opened("in_progress", 2, subject="VPN canary-two", sender=COLLEAGUE)
    for command in (listing, asking):
        text = answer(desk.says(CUSTOMER, command, subject=command), CUSTOMER)
        assert "INC-1" in text and "canary-two" not in text and chinese(text) == (language == "zh")
        text = answer(desk.says(COLLEAGUE, command, subject=command), COLLEAGUE)
        assert "canary-one" not in text and ("INC-2" in text) == (command == listing)
    mine = answer(desk.says(ENGINEER, listing, subject=listing), ENGINEER)
    assert "canary-one" in mine and "canary-two" in mine
    other = answer(desk.says(OTHER_ENGINEER, listing, subject=listing), OTHER_ENGINEER)
    assert "canary" not in other
    assert desk.ticket(3) is None, "a question opens nothing"


@pytest.mark.procedure("7/help")
@pytest.mark.parametrize(
    ("who", "zh", "en", "not_theirs"),
    [
        (CUSTOMER, {"#升级", "#取消"}, {"#escalate", "#cancel"}, {"#受理", "#accept", "#归档", "#archive"}),
        (
            ENGINEER,
            {"#进展", "#已解决", "#挂起"},
            {"#progress", "#resolve", "#hold"},
            {"#归档", "#archive", "#确认", "#confirm"},
        ),
        (DESK, {"#转派", "#不受理"}, {"#assign", "#outofscope"}, {"#归档", "#archive", "#进展", "#progress"}),
        (PM, {"#级别", "#备注"}, {"#severity", "#note"}, {"#归档", "#archive", "#转派", "#assign"}),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_help_is_what_this_person_may_write_on_this_ticket_now(
    tmp_path: Path, language: str, who: str, zh: set[str], en: set[str], not_theirs: set[str]
) -> None:
    desk = Office(tmp_path, language)
    desk.opened("in_progress")
    text = answer(desk.says(who, "#帮助" if language == "zh" else "#help"), who)
    lines = [line.split() for line in text.splitlines() if line.strip().startswith("#")]
    offered = {words[0] for words in lines if words}
    assert (zh if language == "zh" else en) <= offered and not offered & not_theirs
    assert ("每行写一条" if language == "zh" else "One on each line") in text, "and how to write it"


@pytest.mark.procedure("7/rate", "8/follow_up", "9/follow_up")
@pytest.mark.parametrize(
    ("language", "words", "rating"),
    [
        ("zh", "4", 4),
        ("zh", "不满意", 2),
        ("zh", "#评价 5", 5),
        ("en", "4", 4),
        ("en", "Satisfied", 4),
        ("en", "#rate 1", 1),
    ],
)
def test_the_requester_rates_when_asked(tmp_path: Path, language: str, words: str, rating: int) -> None:
    desk = Office(tmp_path, language)
    desk.works()
    desk.opened("archived")
    desk.says(CUSTOMER, f"#rate {rating}")
    assert desk.ticket(1).rating == 0, "nobody has asked yet"
    desk.clock.at = datetime(2026, 11, 27, 10, 0, tzinfo=BEIJING)
    asked = to(desk.works(), CUSTOMER)
    assert chinese(asked.letter.text) == (language == "zh")
    desk.receives(reply(asked, CUSTOMER, words))
    assert desk.ticket(1).rating == rating and desk.ticket(1).state is State.ARCHIVED


@pytest.mark.procedure("7/plain_words", "3/pending_review/confirmed", "3/reopen/not_solved")
@pytest.mark.parametrize(
    ("language", "words", "state"),
    [
        ("zh", "已解决，谢谢", State.PENDING_REVIEW), ("zh", "又断了", State.IN_PROGRESS), ("zh", "谢谢！", State.RESOLVED),
        ("en", "It works now, thank you", State.PENDING_REVIEW), ("en", "Still broken.", State.IN_PROGRESS),
        ("en", "Thanks a lot!", State.RESOLVED),
    ],
)  # fmt: skip
def test_a_requester_needs_no_keyword(tmp_path: Path, language: str, words: str, state: State) -> None:
    desk = Office(tmp_path, language)
    desk.opened("resolved")
    desk.says(CUSTOMER, words)
    assert desk.ticket(1).state is state
    desk.says(ENGINEER, "已解决，谢谢")
    assert desk.ticket(1).state is state, "plain words are the requester's"


# --- how commands are written ---


@pytest.mark.procedure("7/alone")
@pytest.mark.parametrize("words", ["受理", "Accept", "受理\n我马上去看。", "＃受理", "#ACCEPT", "　#受理"])
def test_a_lone_keyword_and_any_width_and_case_count(tmp_path: Path, words: str) -> None:
    desk = Office(tmp_path)
    desk.opened("assigned")
    desk.says(ENGINEER, words)
    assert desk.ticket(1).state is State.IN_PROGRESS


@pytest.mark.procedure("7/full_width")
def test_a_full_width_sign_counts_with_its_argument(tmp_path: Path) -> None:
    desk = Office(tmp_path)
    desk.opened("in_progress")
    desk.says(ENGINEER, "＃级别　２　整个部门\n＃原因：证书过期")
    assert (desk.ticket(1).severity, desk.ticket(1).cause) == (2, "证书过期")


@pytest.mark.procedure("7/together", "7/answer")
@pytest.mark.parametrize(
    ("language", "wrong", "says", "unchanged"),
    [
        ("zh", "#严重 2", "看不懂：#严重 2", "这条本身没有问题"),
        ("en", "#severty 2", "not understood: #severty 2", "This one is fine"),
    ],
)
def test_all_commands_of_a_mail_or_none(tmp_path: Path, language: str, wrong: str, says: str, unchanged: str) -> None:
    desk = Office(tmp_path, language)
    desk.opened("assigned")
    sent = desk.says(ENGINEER, f"#accept\n{wrong}\n#ci gw-1")
    said = answer(sent, ENGINEER)
    assert says in said and unchanged in said and len(sent) == 1
    assert desk.ticket(1).state is State.ASSIGNED and desk.ticket(1).ci == ""
    assert "#accept" in said.partition(says)[2] or "#受理" in said.partition(says)[2], "and what may be written"
    desk.says(ENGINEER, "#accept\n#severity 2\n#ci gw-1")
    assert (desk.ticket(1).state, desk.ticket(1).severity, desk.ticket(1).ci) == (State.IN_PROGRESS, 2, "gw-1")


@pytest.mark.procedure("7/data")
def test_the_operator_adds_words_of_their_own(tmp_path: Path) -> None:
    desk = Office(tmp_path)
    book = desk.desk.rulebook
    words = (replace(k, words=(*k.words, "我来", "mine")) if k.verb == "accept" else k for k in book.keywords)
    desk.desk.rulebook = replace(book, keywords=tuple(words))
    for number, alias in enumerate(("#我来", "#mine"), start=1):
        desk.opened("assigned", number)
        desk.says(ENGINEER, alias, number)
        assert desk.ticket(number).state is State.IN_PROGRESS


def test_every_keyword_of_the_rules_has_a_row() -> None:
    assert {f"7/{k.verb}" for k in SHIPPED.keywords} <= set(ROWS)
