"""The states of the procedure as people live through them: every move by mail, and what each state does to the clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.lifecycle import NEXT_STATE, next_state
from daemon.rulebook import Rulebook
from daemon.sla import Measure
from daemon.words import APPROVALS, HoldReason, State, Verb, Who
from tests.desk import MONDAY_10AM
from tests.two_languages import CUSTOMER, DESK, ENGINEER, PM, Office, answer, to

HOUR = timedelta(hours=1)

# Who moves a ticket, and by which words; the state before says who has it.
MOVES: dict[Verb, tuple[str, str, str]] = {
    Verb.ASSIGN: (DESK, "#转派 赵敏", "#assign zhao.min"),
    Verb.ACCEPT: (ENGINEER, "#受理", "#accept"),
    Verb.PROGRESS: (ENGINEER, "#进展 正在查", "#progress looking into it"),
    Verb.RETURN: (ENGINEER, "#退回 不归我们", "#return not ours"),
    Verb.HOLD: (DESK, "#挂起 厂商 等备件", "#hold vendor a spare part"),
    Verb.RESUME: (DESK, "#恢复", "#resume"),
    Verb.RESOLVE: (ENGINEER, "#已解决 换了证书", "#resolve a new certificate"),
    Verb.CONFIRM: (CUSTOMER, "#确认", "#confirm"),
    Verb.REOPEN: (CUSTOMER, "#未解决", "#reopen"),
    Verb.REJECT: (PM, "#驳回 没写原因", "#reject the cause is missing"),
    Verb.ARCHIVE: (PM, "#归档", "#archive"),
    Verb.OUT_OF_SCOPE: (DESK, "#不受理 不在合同内", "#outofscope not in the contract"),
    Verb.IN_SCOPE: (DESK, "#受理范围内", "#inscope"),
    Verb.CANCEL: (CUSTOMER, "#取消", "#cancel"),
    Verb.LINE2: (DESK, "#转二线", "#line2"),
    Verb.VENDOR: (DESK, "#转厂商 华岳网络", "#vendor Huayue"),
    Verb.MERGE: (DESK, "#合并 {other}", "#merge {other}"),
    Verb.APPROVE: (DESK, "#同意", "#approve"),
    Verb.REFUSE: (DESK, "#不同意 用不着", "#refuse not needed"),
    Verb.DUPLICATE: (DESK, "#重复 {other}", "#duplicate {other}"),
}
BEFORE = sorted({old for old, _ in NEXT_STATE})
EVERY = sorted({*BEFORE, *NEXT_STATE.values()})
STATES = {
    "zh": {"new": "新建", "assigned": "已派单", "in_progress": "处理中", "on_hold": "挂起", "resolved": "已解决",
           "pending_review": "待审核", "archived": "已归档", "out_of_scope": "不受理", "cancelled": "已取消"},
    "en": {"new": "New", "assigned": "Assigned", "in_progress": "In progress", "on_hold": "On hold",
           "resolved": "Resolved", "pending_review": "Pending review", "archived": "Closed",
           "out_of_scope": "Out of scope", "cancelled": "Cancelled"},
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Office:
    return Office(tmp_path)


def open_to_all(desk: Office) -> None:
    """Let everybody use every keyword: then only the table of states says what may be."""
    book = desk.desk.rulebook
    anyone = tuple(replace(k, who=(Who.ANYONE,)) for k in book.keywords)
    desk.desk.rulebook = replace(book, keywords=anyone)


@pytest.mark.procedure("3/moves")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("old", BEFORE)
def test_every_move_of_the_table_is_made_by_mail(tmp_path: Path, old: State, language: str) -> None:
    """Those by which somebody approves a ticket are in test_rule_actions: only a rule lets a ticket wait for that."""
    desk = Office(tmp_path, language)
    moves = [(verb, new) for (before, verb), new in NEXT_STATE.items() if before is old and verb not in APPROVALS]
    for number, _ in enumerate(moves, start=1):
        desk.opened(old, number)
    desk.opened("assigned", other := len(moves) + 1)
    if old is State.NEW:
        open_to_all(desk)  # it is nobody's yet, so nobody is its assignee
    for number, (verb, new) in enumerate(moves, start=1):
        who, chinese, english = MOVES[verb]
        desk.says(who, (english if language == "en" else chinese).format(other=other), number)
        assert desk.ticket(number).state is new, verb


@pytest.mark.procedure("3/moves", "7/bad/state")
@pytest.mark.parametrize(
    ("language", "why"), [("zh", "现在的状态是“{}”，不能这样做。"), ("en", "That does not fit the present state: {}.")]
)
@pytest.mark.parametrize("old", EVERY)
def test_no_other_move_is_made_and_the_answer_says_why(tmp_path: Path, old: State, language: str, why: str) -> None:
    desk = Office(tmp_path, language)
    desk.opened(old)
    open_to_all(desk)
    before = desk.ticket(1)
    for verb, (_, chinese, english) in MOVES.items():
        if next_state(old, verb) is None:
            said = answer(desk.says(DESK, english if language == "en" else chinese), DESK)
            assert why.format(STATES[language][old]) in said, verb
    after = desk.ticket(1)
    assert replace(after, length=before.length) == before


# --- what each state does to the clocks: what an hour on the wall costs, on a contract around the clock ---

RUNS, STANDS, ENDED = "runs", "stands", "ended"


def hour_in(desk: Office, clock: str) -> str:
    """Return what one hour did to a clock of ticket 1."""
    measure, service = Measure(desk.desk.rulebook, "Asia/Shanghai"), desk.ticket(1).clock(clock)
    used = measure.used(service, desk.clock.at)
    desk.waits(hours=1)
    then = desk.ticket(1).clock(clock)
    cost = measure.used(then, desk.clock.at) - used
    assert cost in (HOUR, timedelta(0))
    if then.met is not None:
        assert cost == timedelta(0)
        return ENDED
    return RUNS if cost == HOUR else STANDS


LIVES = [
    pytest.param("new", (), RUNS, RUNS, marks=pytest.mark.procedure("3/new")),
    pytest.param("assigned", (), RUNS, RUNS, marks=pytest.mark.procedure("3/assigned")),
    pytest.param("in_progress", (), ENDED, RUNS, marks=pytest.mark.procedure("3/in_progress")),
    pytest.param("assigned", ((ENGINEER, "#progress looking into it"),), ENDED, RUNS,
                 marks=pytest.mark.procedure("3/first_answer", "3/in_progress")),
    pytest.param("in_progress", ((ENGINEER, "#hold customer the log"),), ENDED, STANDS,
                 marks=pytest.mark.procedure("3/on_hold/customer")),
    pytest.param("in_progress", ((ENGINEER, "#hold date until 2026-11-25 10:00"),), ENDED, STANDS,
                 marks=pytest.mark.procedure("3/on_hold/date")),
    pytest.param("in_progress", ((ENGINEER, "#hold vendor a part"),), ENDED, RUNS,
                 marks=pytest.mark.procedure("3/on_hold/vendor")),
    pytest.param("in_progress", ((ENGINEER, "#hold change on Sunday"),), ENDED, RUNS,
                 marks=pytest.mark.procedure("3/on_hold/change")),
    pytest.param("resolved", (), ENDED, ENDED, marks=pytest.mark.procedure("3/resolved")),
    pytest.param("pending_review", (), ENDED, ENDED, marks=pytest.mark.procedure("3/pending_review/confirmed")),
    pytest.param("archived", (), ENDED, ENDED, marks=pytest.mark.procedure("3/archived")),
    pytest.param("out_of_scope", (), STANDS, STANDS, marks=pytest.mark.procedure("3/out_of_scope")),
    pytest.param("cancelled", (), STANDS, STANDS, marks=pytest.mark.procedure("3/cancelled")),
]  # fmt: skip


@pytest.mark.parametrize(("state", "then", "respond", "resolve"), LIVES)
def test_what_an_hour_in_this_state_costs(
    desk: Office, state: str, then: tuple[tuple[str, str], ...], respond: str, resolve: str
) -> None:
    desk.desk.rulebook = around_the_clock(desk.desk.rulebook)
    desk.opened(state)
    for who, words in then:
        desk.says(who, words)
    assert (hour_in(desk, "respond"), hour_in(desk, "resolve")) == (respond, resolve)


def around_the_clock(book: Rulebook) -> Rulebook:
    level = book.service_levels["standard"]
    targets = {s: replace(t, calendar="always", resolve=timedelta(days=9)) for s, t in level.targets.items()}
    return replace(book, service_levels={"standard": replace(level, targets=targets)})


@pytest.mark.procedure("3/on_hold/rules")
def test_which_reasons_stop_the_clock_is_the_operators_choice(desk: Office) -> None:
    desk.desk.rulebook = replace(around_the_clock(desk.desk.rulebook), hold_stops_clock=frozenset({HoldReason.VENDOR}))
    desk.opened("in_progress")
    desk.says(ENGINEER, "#挂起 厂商 等备件")
    assert hour_in(desk, "resolve") == STANDS
    desk.says(ENGINEER, "#挂起 客户 等日志")
    assert hour_in(desk, "resolve") == RUNS


@pytest.mark.procedure("3/reopen/clock", "3/reopen/counted")
def test_after_a_reopening_the_clock_goes_on_from_where_it_stopped(desk: Office) -> None:
    desk.desk.rulebook = around_the_clock(desk.desk.rulebook)
    desk.opened("in_progress")
    desk.waits(hours=2)
    desk.says(ENGINEER, "#已解决 换了证书")
    desk.waits(hours=5)
    desk.says(CUSTOMER, "#未解决")
    desk.waits(hours=1)
    clock = desk.ticket(1).clock("resolve")
    assert Measure(desk.desk.rulebook, "Asia/Shanghai").used(clock, desk.clock.at) == 3 * HOUR
    assert clock.due_at == MONDAY_10AM + timedelta(days=9, hours=5) and desk.ticket(1).reopened == 1
    desk.says(ENGINEER, "#已解决 又换了一张")
    desk.says(CUSTOMER, "还是不行")
    assert desk.ticket(1).reopened == 2


@pytest.mark.procedure("3/reopen/rejected", "3/reopen/clock")
def test_a_rejection_puts_it_back_to_who_had_it_and_the_clock_goes_on(desk: Office) -> None:
    desk.opened("pending_review")
    sent = desk.says(PM, "#驳回 原因没有写，canary-17")
    ticket = desk.ticket(1)
    assert (ticket.state, ticket.assignee, ticket.reopened) == (State.IN_PROGRESS, "wang.wei", 1)
    assert ticket.clock("resolve").running and "原因没有写" in to(sent, ENGINEER).letter.text
    told = to(sent, CUSTOMER)
    assert "重新开始处理" in told.letter.text and "canary-17" not in told.letter.text, "why is among colleagues"


@pytest.mark.procedure("3/reopen/reply")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("state", ["resolved", "pending_review"])
def test_a_new_reply_that_is_no_thank_you_reopens(tmp_path: Path, language: str, state: str) -> None:
    desk = Office(tmp_path, language)
    desk.opened(state)
    words = {"zh": "请问证书下次什么时候到期？今天又提示了。", "en": "It says so again today. When will this end?"}[
        language
    ]
    sent = desk.says(CUSTOMER, words)
    assert desk.ticket(1).state is State.IN_PROGRESS and desk.ticket(1).reopened == 1
    (mail,) = [m for m in sent if m.to in ENGINEER]
    assert words in mail.letter.text and {"zh": "#已解决", "en": "#resolve"}[language] in mail.letter.text


@pytest.mark.procedure("3/reopen/not_solved", "8/new_reply", "8/reopened")
def test_who_works_on_it_gets_one_mail_with_all_that_the_customer_wrote(desk: Office) -> None:
    desk.opened("resolved")
    sent = desk.says(CUSTOMER, "请看今天的日志。\n#未解决 又断了")
    (mail,) = [m for m in sent if m.to in ENGINEER]
    assert (
        "重新开始处理" in mail.letter.text and "请看今天的日志。" in mail.letter.text and "又断了" in mail.letter.text
    )
