"""The table of moves is the whole lifecycle: every state, every keyword, and what the documents draw from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.actors import Actor
from daemon.commands import carry_out
from daemon.config import shipped
from daemon.emergency import MajorRun, PlanRun, Task
from daemon.intake.keywords import Command
from daemon.intake.understand import Sender
from daemon.lifecycle import (
    CASE_STATES,
    ENDED_STATES,
    NEIGHBOURS,
    NEXT_STATE,
    OPEN_STATES,
    STAYS,
    as_markdown,
    as_mermaid,
    moves_of,
    next_state,
    verbs_in,
)
from daemon.routing.loader import load_rulebook
from daemon.service import Service
from daemon.ticket import Approval, Ticket, after
from daemon.words import APPROVALS, HoldReason, Kind, Role, State, TaskState, Verb
from tests.desk import MONDAY_10AM

BOOK = load_rulebook(shipped("rules"))
TERMINAL = {State.ARCHIVED, State.CANCELLED}
QUESTIONS = {Verb.STATUS, Verb.LIST, Verb.HELP}


def test_every_state_can_be_reached_from_new() -> None:
    reached, frontier = {State.NEW}, [State.NEW]
    while frontier:
        old = frontier.pop()
        fresh = {new for (before, _), new in NEXT_STATE.items() if before is old} - reached
        reached |= fresh
        frontier += fresh
    assert reached == CASE_STATES


def test_the_end_is_the_end_and_nothing_else_is() -> None:
    assert {s for s in CASE_STATES if not any(old is s for old, _ in NEXT_STATE)} == TERMINAL


def test_from_every_other_state_there_is_a_way_to_an_end() -> None:
    leads = set(TERMINAL)
    for _ in State:
        leads |= {old for (old, _), new in NEXT_STATE.items() if new in leads}
    assert leads == CASE_STATES


def test_every_verb_is_good_somewhere_and_has_a_keyword() -> None:
    assert {v for s in State for v in verbs_in(s)} == set(Verb)
    assert {k.verb for k in BOOK.keywords} == set(Verb)


def test_open_and_ended_states_do_not_overlap() -> None:
    assert not OPEN_STATES & ENDED_STATES
    assert {State.OUT_OF_SCOPE, State.CANCELLED} == CASE_STATES - OPEN_STATES - ENDED_STATES


def test_next_state_agrees_with_the_two_tables_for_every_pair() -> None:
    for state in State:
        for verb in Verb:
            expected = NEXT_STATE.get((state, verb), state if state in STAYS.get(verb, ()) else None)
            assert next_state(state, verb) is expected
            assert (verb in verbs_in(state)) == (expected is not None)


# --- what commands really do, for every state and every keyword ---


def _argument(verb: Verb) -> str:
    return {
        Verb.ASSIGN: "赵敏", Verb.SEVERITY: "1 全公司断网", Verb.IMPACT: "high 都断了", Verb.URGENCY: "high 很急",
        Verb.CATEGORY: "network/vpn", Verb.CI: "gw-1", Verb.HOLD: "客户 请提供日志",
        Verb.VENDOR: "高峰 备件", Verb.FOR: "li.si@huaxin.example", Verb.SOURCE: "电话", Verb.OCCURRED: "8:30",
        Verb.RATE: "4", Verb.MERGE: "2", Verb.DUPLICATE: "INC-2", Verb.RELATED: "2, 3", Verb.PARENT: "2",
        Verb.KNOWLEDGE: "3", Verb.MAJOR: "red", Verb.PLAN: "power-failure", Verb.DONE: "1", Verb.BLOCKED: "1 等备件",
        Verb.AFFECTED: "1200", Verb.CUSTOMER: "huaxin",
    }.get(verb, "写几句话")  # fmt: skip


def _actor() -> Actor:
    """Return somebody who may do this: a person with every role there is, who also is the requester."""
    roles = frozenset(r for p in BOOK.people.values() for r in p.roles)
    person = replace(BOOK.people["wang.wei"], roles=roles, teams=("network",))
    vendor = replace(BOOK.people["tom.baker"], key="gao.feng", name="高峰", roles=frozenset({Role.VENDOR}), aliases=())
    book = replace(BOOK, people={**BOOK.people, "wang.wei": person, "gao.feng": vendor})
    sender = Sender(address=person.address, name=person.name, person=person, customer=None)
    service = Service(
        name="", address="support@example.com", language="zh", timezone="Asia/Shanghai", subject_tag="INC",
        own_addresses=frozenset({"support@example.com"}),
    )  # fmt: skip
    others = {
        2: Ticket(number=2, state=State.IN_PROGRESS, requester="wang.wei@example.com", length=1),
        3: Ticket(number=3, state=State.ARCHIVED, solution="更换了网关证书", length=1),
    }
    return Actor(
        sender=sender, rulebook=book, now=MONDAY_10AM, steps_told=("resolve 50%",), service=service, related=others
    )


_HOUR = timedelta(hours=1)
_EMERGENCY = {
    "major_run": MajorRun(level="yellow", owner="he.lei", since=MONDAY_10AM, every=_HOUR, remind=_HOUR,
                          due_at=MONDAY_10AM, chase_at=MONDAY_10AM),
    "plans": (PlanRun(key="fire-or-flood", name={}, coordinator="duty", since=MONDAY_10AM),),
    "tasks": (Task(number=1, plan="fire-or-flood", what={}, who="duty", within=_HOUR, state=TaskState.OPEN),),
}  # fmt: skip


_APPROVAL = {
    "hold_reason": HoldReason.APPROVAL,
    "approval": Approval(by="wang.wei", team="", line=1, assignee="", since=MONDAY_10AM, again_at=MONDAY_10AM),
}
_NOT_IN_ALARM = frozenset({Verb.MERGE, Verb.DUPLICATE})  # a major incident is not merged away


@pytest.mark.parametrize("verb", sorted(set(Verb) - QUESTIONS - {Verb.UNDO}))
@pytest.mark.parametrize("state", list(State))
def test_a_command_moves_a_ticket_as_the_table_says_and_no_other_way(state: State, verb: Verb) -> None:
    ticket = Ticket(
        number=1, state=state, team="network", assignee="wang.wei", requester="wang.wei@example.com", length=1,
        opened_at=MONDAY_10AM, category="network", asked_at=MONDAY_10AM,
        **({} if verb in _NOT_IN_ALARM else _EMERGENCY), **(_APPROVAL if verb in APPROVALS else {}),
    )  # fmt: skip
    command = Command(verb=verb, word=str(verb), argument=_argument(verb), line=f"#{verb}")
    events, lines = carry_out((command,), ticket, _actor())
    expected = next_state(state, verb)
    if expected is None:
        assert lines[0].outcome == "refused" and after(ticket, events).state is state
    else:
        assert lines[0].outcome in ("done", "unchanged"), lines[0]
        assert after(ticket, events).state is expected


# --- problems and changes have tables of their own ---

OWN_KINDS = sorted(NEIGHBOURS)


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_problems_and_changes_begin_and_come_to_an_end(kind: Kind) -> None:
    moves = moves_of(kind)
    states = {State.NEW, *moves.values()}
    assert states == {State.NEW, *(old for old, _ in moves)} | TERMINAL
    assert not any(old in TERMINAL for old, _ in moves)
    leads = set(TERMINAL)
    for _ in State:
        leads |= {old for (old, _), new in moves.items() if new in leads}
    assert leads == states


@pytest.mark.parametrize("kind", OWN_KINDS)
@pytest.mark.parametrize("verb", sorted({Verb.CONFIRM, Verb.PROGRESS, Verb.HOLD, Verb.MERGE, Verb.SPLIT, Verb.RATE}))
def test_what_speaks_to_a_requester_is_nothing_for_problems_and_changes(kind: Kind, verb: Verb) -> None:
    assert all(next_state(state, verb, kind) is None for state in State)


@pytest.mark.parametrize(
    ("kind", "old", "verb", "new"),
    [(k, old, verb, new) for k in OWN_KINDS for (old, verb), new in NEIGHBOURS[k].items()],
)
def test_a_command_moves_a_problem_or_change_as_its_table_says(kind: Kind, old: State, verb: Verb, new: State) -> None:
    ticket = Ticket(number=1, kind=kind, state=old, assignee="wang.wei", length=1, opened_at=MONDAY_10AM)
    command = Command(verb=verb, word=str(verb), argument=_argument(verb), line=f"#{verb}")
    events, lines = carry_out((command,), ticket, _actor())
    if verb is not Verb.UNDO:
        assert [line.outcome for line in lines] == ["done"], lines
    assert after(ticket, events).state is new


# --- documents ---


def test_the_markdown_has_one_row_for_every_move() -> None:
    rows = as_markdown().splitlines()[2:]
    assert rows == [f"| {old} | {verb} | {new} |" for (old, verb), new in NEXT_STATE.items()]


def test_the_diagram_names_every_move() -> None:
    arrows = [line.strip() for line in as_mermaid().splitlines() if ": " in line]
    drawn = {
        (old, verb, new)
        for arrow in arrows
        for ends, verbs in [arrow.split(": ")]
        for old, new in [ends.split(" --> ")]
        for verb in verbs.split(", ")
    }
    assert drawn == {(str(o), str(v), str(n)) for (o, v), n in NEXT_STATE.items()}


@pytest.mark.parametrize("document", [as_markdown, as_mermaid])
def test_documents_name_every_state(document: Callable[[], str]) -> None:
    assert all(str(s) in document() for s in CASE_STATES)
