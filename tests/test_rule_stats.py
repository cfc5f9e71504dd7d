"""`ticketd rules stats`: how often each rule matched, and how often people knew better."""

import json
from dataclasses import replace

import pytest

from daemon.cli import run_command
from daemon.overruled import CATEGORY, TEAM, standing
from daemon.rulebook import Rulebook
from tests.desk import MONDAY_10AM, TestDesk, reply, write
from tests.test_conversations import CUSTOMER, DESK, ENGINEER, mail_to, opened

VPN, REST, SPAM = "VPN 与专线 vpn", "其余 everything else", "垃圾广告 spam"


@pytest.fixture
def desk(tmp_path):
    return TestDesk(tmp_path)


def stands(desk, since=None, rulebook: Rulebook | None = None):
    book = rulebook or desk.desk.rulebook
    found = standing(desk.desk.store.register.ruled(since), book)
    return found, {t.rule: t for t in found.tallies}


def returned(desk, n: int = 0) -> None:
    """The engineer says that it is not theirs, and the service desk gives it to the right team."""
    _, to_engineer = opened(desk, f"VPN 连不上 {n}")
    to_desk = mail_to(desk.receives(reply(to_engineer, ENGINEER, "#退回 是防火墙的问题")), "chen.jing")
    desk.receives(reply(to_desk, DESK, "#转派 安全组\n#分类 security"))


def test_hits_misses_and_the_last_time(desk):
    desk.receives(write(CUSTOMER, "VPN 连不上"))
    desk.waits(hours=2)
    desk.receives(write(CUSTOMER, "VPN 又断了"))
    desk.receives(write(CUSTOMER, "有件事想问问。", subject="一件事"))
    desk.receives(write("x@spam.example", "发票", subject="代开发票"))
    found, rules = stands(desk)
    assert found.mails == 4 and found.missed == (3,)
    assert (rules[VPN].hits, rules[VPN].tickets, rules[REST].hits) == (2, [1, 2], 3)
    assert (rules[VPN].last - MONDAY_10AM).total_seconds() == 7200
    assert (rules[SPAM].hits, rules[SPAM].tickets) == (1, [])
    assert not rules["打印机 printer"].hits and not rules[VPN].overruled
    assert stands(desk, since=desk.clock.at)[1][VPN].tickets == [2]


def test_what_people_did_otherwise_is_held_against_the_rule_that_said_it(desk):
    returned(desk)
    opened(desk, "VPN 又断了")
    _, rules = stands(desk)
    assert rules[VPN].overruled == {CATEGORY: [(1, "security")], TEAM: [(1, "security")]}
    assert not rules[REST].overruled, "it matched too, but what it said did not count"


def test_what_was_taken_back_or_is_ordinary_work_is_no_correction(desk):
    _, to_engineer = opened(desk)
    changed = mail_to(desk.receives(reply(to_engineer, ENGINEER, "#分类 security")), "wang.wei")
    desk.receives(reply(changed, ENGINEER, "#撤销"))
    assert desk.ticket(1).category == "network/vpn"
    _, second = opened(desk, "VPN 很慢")
    desk.receives(reply(second, ENGINEER, "#转二线 需要专家"))
    _, third = opened(desk, "VPN 断开")
    desk.waits(days=4)
    desk.receives(reply(third, ENGINEER, "#转派 安全组"))
    assert desk.ticket(3).team == "security"
    assert not stands(desk)[1][VPN].overruled


def test_rules_that_are_gone_are_named(desk):
    opened(desk)
    book = desk.desk.rulebook
    found, _ = stands(desk, rulebook=replace(book, rules=tuple(r for r in book.rules if r.name != VPN)))
    assert [(t.rule, t.hits) for t in found.gone] == [(VPN, 1)]


def test_the_command_shows_it_to_people_and_programs(desk, capsys):
    returned(desk)
    desk.desk.store.close()
    config = str(desk.folder / "ticketd.toml")
    capsys.readouterr()
    assert run_command(["--config", config, "rules", "stats", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    vpn = next(r for r in said["rules"] if r["rule"] == VPN)
    assert vpn["overruled"] == {
        "category": [{"to": "security", "count": 1, "tickets": [1]}], "team": [{"to": "security", "count": 1, "tickets": [1]}],
    }  # fmt: skip
    assert (vpn["hits"], vpn["share"], vpn["tickets"]) == (1, 1.0, [1]) and SPAM in said["dead"]
    assert run_command(["--config", config, "rules", "stats", "--since", "2026-11-01"]) == 0
    text = capsys.readouterr().out
    assert "1 mails decided by rules" in text and "1 → security" in text and "never matched: " + SPAM in text
