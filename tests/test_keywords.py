"""Keywords in the words of a mail."""

import pytest

from daemon.intake.arguments import (
    address_in,
    date_in,
    hold_in,
    leading_numbers,
    level_in,
    occurred_in,
    severity_in,
    source_in,
    target_in,
)
from daemon.intake.keywords import find_commands
from daemon.routing.loader import load_rulebook
from daemon.words import HoldReason, Level, Severity, Verb
from tests.desk import MONDAY_10AM, ROOT, TestDesk, write

BOOK = load_rulebook(ROOT / "rules")
KEYWORDS = BOOK.keywords


def commands(text):
    return [(c.verb, c.argument) for c in find_commands(text, KEYWORDS)[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#accept", [(Verb.ACCEPT, "")]),
        ("＃受理", [(Verb.ACCEPT, "")]),
        ("#接单。", [(Verb.ACCEPT, "")]),
        ("# accept", [(Verb.ACCEPT, "")]),
        ("#ACCEPT", [(Verb.ACCEPT, "")]),
        ("#进展 已定位，正在更换。", [(Verb.PROGRESS, "已定位，正在更换。")]),
        ("#进展：已定位", [(Verb.PROGRESS, "已定位")]),
        ("#已解决重启了交换机", [(Verb.RESOLVE, "重启了交换机")]),
        ("#级别2 核心业务", [(Verb.SEVERITY, "2 核心业务")]),
        ("#受理范围内", [(Verb.IN_SCOPE, "")]),
        ("#progress We found it.\nIt is the router.\n\n#severity 2", [(Verb.PROGRESS, "We found it.\nIt is the router."), (Verb.SEVERITY, "2")]),
        ("受理", [(Verb.ACCEPT, "")]),
        ("\u200b#accept", [(Verb.ACCEPT, "")]),
        ("\n已解决\n换了网线", [(Verb.RESOLVE, "换了网线")]),
        ("Accept\nOn my way", [(Verb.ACCEPT, "")]),
    ],
)  # fmt: skip
def test_a_command_is_found_however_it_is_written(text, expected):
    assert commands(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Please see ticket #12 for more",
        "#1 the printer\n#2 the scanner",
        "I accept that this takes time",
        "问题已解决了吗？",
        "# Summary of findings",
        "",
    ],
)
def test_ordinary_words_are_not_commands(text):
    assert commands(text) == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23 08:30", "2026-11-23T08:30"),
        ("11-22", "2026-11-22T00:00"),
        ("11月22日 下午3点", "2026-11-22T15:00"),
        ("昨天 18:00 左右", "2026-11-22T18:00"),
        ("昨晚 9:30", "2026-11-22T21:30"),
        ("8点半", "2026-11-23T08:30"),
        ("yesterday 18:00", "2026-11-22T18:00"),
        ("22 Nov 2026, 14:05", "2026-11-22T14:05"),
        ("2026-11-24 09:00", "2026-11-24T09:00"),
        ("2026-02-30", None),
        ("25:10", None),
        ("some time ago", None),
    ],
)
def test_when_something_occurred(text, moment):
    found = occurred_in(text, MONDAY_10AM)
    assert (found.strftime("%Y-%m-%dT%H:%M") if found else None) == moment


def test_in_january_a_date_of_december_is_last_years():
    new_year = MONDAY_10AM.replace(year=2027, month=1, day=2)
    assert occurred_in("12-30 18:00", new_year).year == 2026
    assert occurred_in("1-3", new_year).year == 2027, "a date ahead stays ahead, and is refused"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@acme.example", "ann@acme.example"),
        ("Ann Lee <ann@acme.example>", "ann@acme.example"),
        ("张三 zhang@huaxin.example", "zhang@huaxin.example"),
        ("a@b.example, c@d.example", None),
        ("张三", None),
    ],
)
def test_one_address_is_read_and_two_are_none(text, address):
    found = address_in(text)
    assert (found.address if found else None) == address


@pytest.mark.parametrize(
    ("text", "numbers", "rest", "clear"),
    [
        ("12 13", (12, 13), "", True),
        ("12，13：没写原因", (12, 13), "没写原因", True),
        ("INC-12 inc-13 why", (12, 13), "why", True),
        ("#12\nwhy", (12,), "why", True),
        ("3 servers are down", (3,), "servers are down", False),
        ("1.5 hours", (), "1.5 hours", False),
        ("没写原因", (), "没写原因", False),
    ],
)
def test_numbers_of_tickets_are_told_from_other_numbers(text, numbers, rest, clear):
    assert leading_numbers(text, "INC") == (numbers, rest, clear)


@pytest.mark.parametrize(
    ("text", "source"), [("电话", "phone"), ("Phone.", "phone"), ("自查", "finding"), ("鸽子", None)]
)
def test_how_a_report_came(text, source):
    assert source_in(text) == source


def test_a_chinese_keyword_with_one_wrong_character_is_suggested():
    (command,), _ = find_commands("#归挡 12", KEYWORDS)
    assert command.verb is None and command.near == "归档"


@pytest.mark.parametrize("text", ["For\nthe third time the VPN is down", "来源\n电话"])
def test_a_word_that_needs_more_is_no_command_alone(text):
    assert commands(text) == []


def test_a_mistyped_keyword_is_told_apart_and_the_right_one_suggested():
    (command,), _ = find_commands("#acept", KEYWORDS)
    assert command.verb is None and command.near == "accept"


def test_words_behind_a_command_without_text_are_left_over():
    _, left = find_commands("#accept\nI am on my way", KEYWORDS)
    assert left == "I am on my way"


@pytest.mark.parametrize(
    ("text", "reason", "until", "rest"),
    [
        ("customer until 2026-11-25 10:30 logs asked for", HoldReason.CUSTOMER, "2026-11-25T10:30:00+08:00", "logs asked for"),
        ("客户 请提供日志", HoldReason.CUSTOMER, None, "请提供日志"),
        ("厂商，至11月30日 等备件", HoldReason.VENDOR, "2026-11-30T09:00:00+08:00", "等备件"),
        ("到明天", HoldReason.DATE, "2026-11-24T09:00:00+08:00", ""),
        ("until 1-5", HoldReason.DATE, "2027-01-05T09:00:00+08:00", ""),
        ("客户 到11-20 等日志", HoldReason.CUSTOMER, "2026-11-20T09:00:00+08:00", "等日志"),  # over, not next year's
        ("customer until 22 Nov", HoldReason.CUSTOMER, "2026-11-22T09:00:00+08:00", ""),
        ("客户 到6-1", HoldReason.CUSTOMER, "2026-06-01T09:00:00+08:00", ""),
        ("because", None, None, "because"),
        ("vendor 3-5 days for parts", HoldReason.VENDOR, None, "3-5 days for parts"),
        ("vendor 10/12 disks replaced", HoldReason.VENDOR, None, "10/12 disks replaced"),
        ("customer 1.5小时后再试", HoldReason.CUSTOMER, None, "1.5小时后再试"),
        ("customer until Friday", HoldReason.CUSTOMER, "2026-11-27T09:00:00+08:00", ""),
        ("客户 等到周五", HoldReason.CUSTOMER, "2026-11-27T09:00:00+08:00", ""),
        ("customer until 25 Nov, logs", HoldReason.CUSTOMER, "2026-11-25T09:00:00+08:00", "logs"),
        ("客户 到明天下午 请提供日志", HoldReason.CUSTOMER, "2026-11-24T14:00:00+08:00", "请提供日志"),
    ],
)  # fmt: skip
def test_what_a_hold_waits_for(text, reason, until, rest):
    found = hold_in(text, MONDAY_10AM)
    assert (found[0], found[1].isoformat() if found[1] else None, found[2]) == (reason, until, rest)


@pytest.mark.parametrize(
    "text", ["customer until 2026-11-25 25:00", "customer until the cows come home", "客户 等到有空"]
)
def test_an_until_without_a_date_is_not_clear(text):
    assert hold_in(text, MONDAY_10AM)[3] is False


@pytest.mark.parametrize(
    "name",
    ["Wang Wei", "wang wei", "王伟，请处理", "给王伟", "@王伟 看一下", "wang.wei@example.com", "to wang.wei: please"],
)
def test_people_are_found_however_they_are_called(name):
    assert target_in(name, BOOK)[0].key == "wang.wei"


def test_a_name_nearly_right_is_suggested():
    assert target_in("wang.wie", BOOK)[::2] == (None, "wang.wei")


def test_grades_are_read_in_both_languages():
    assert severity_in("2 core business down") == (Severity.HIGH, "core business down")
    assert severity_in("二级 影响核心业务") == (Severity.HIGH, "影响核心业务")
    assert severity_in("7") == (None, "7")
    assert level_in("高") is Level.HIGH and level_in("Medium") is Level.MEDIUM and level_in("huge") is None


def test_an_impossible_date_is_no_date():
    assert date_in("2026-02-30 x", MONDAY_10AM) == (None, "2026-02-30 x")


def test_a_mail_of_commands_by_the_thousand_is_answered_shortly(tmp_path):
    desk = TestDesk(tmp_path)
    sent = desk.receives(write("eve@evil.example", "#help\n" * 10_000))
    assert sum(len(m.raw) for m in sent if m.to.startswith("eve")) < 20_000
