"""`ticketd explain`: it says what then happens, shows every condition with its text, and compares then with now."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import run_command
from tests.agreement import disagreements
from tests.desk import MONDAY_10AM, ROOT, TestDesk, reply, write

ZHANG = "张三 <zhang.san@huaxin.example>"
AT = ["--as-of", MONDAY_10AM.isoformat()]


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    """A desk with rules of its own, that tests may change."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return TestDesk(tmp_path)


def explained(desk: TestDesk, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    capsys.readouterr()
    assert run_command(["--config", str(desk.folder / "ticketd.toml"), "explain", *args, *AT]) == 0
    return capsys.readouterr().out


def a_mail(
    desk: TestDesk, text: str = "早上开始 VPN 拨不上，全公司都连不上。", subject: str = "【紧急】VPN 连不上"
) -> str:
    path = desk.folder / "m.eml"
    path.write_bytes(write(ZHANG, text, subject=subject).as_bytes(policy=SMTP))
    return str(path)


def test_explain_says_what_then_happens(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    assert disagreements(tmp_path / "desk", count=100, seed=5, seen=seen) == []
    assert seen["Opened"] > 20 and seen["MessageAdded"] > 30 and seen["StateChanged"] and seen["CommandsRefused"]


def test_every_rule_is_shown_with_the_texts_that_its_conditions_met_or_looked_at(
    desk: TestDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    said = explained(desk, capsys, a_mail(desk))
    assert all(f" {rule.name}  " in said for rule in desk.desk.rulebook.rules)
    for line in (
        "sender    zhang.san@huaxin.example: customer huaxin",
        "outcome   a new ticket, assigned",
        "   severity  1  by impact high and urgency high",
        "   team      network  by the rule 'VPN 与专线 vpn'",
        "     ✗ subject contains: 钓鱼 | 可疑邮件 | 诈骗邮件 | phishing | suspicious mail | suspicious email  "
        "in «【紧急】VPN 连不上»",
        "       ✓ text matches: \\bvpn\\b|专线|err(or)?[ -]?691  «VPN»",
        "     → team: network",
        "     → category: other  too late: 'VPN 与专线 vpn' has said otherwise",
        "   acknowledgement to zhang.san@huaxin.example (zh)  [INC-1] 【紧急】VPN 连不上",
    ):
        assert line in said.splitlines(), line


def test_brief_shows_the_rules_that_matched_and_mails_shows_their_words(
    desk: TestDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    said = explained(desk, capsys, a_mail(desk), "--brief", "--mails")
    assert " ✓ VPN 与专线 vpn" in said and "密码 password" not in said
    assert "   | 张三，您好：" in said


def test_a_stop_leaves_the_rules_below_untried(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(desk, capsys, a_mail(desk, subject="代开发票")).splitlines()
    assert "outcome   ignored: dropped by the rule '垃圾广告 spam': 垃圾邮件 spam" in said
    assert "     → stop: no rule below is tried" in said
    assert " · VPN 与专线 vpn  not tried: '垃圾广告 spam' stopped" in said
    assert "no mail goes out" in said


def test_as_json_it_says_which_action_counted(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    told: dict[str, Any] = json.loads(explained(desk, capsys, a_mail(desk), "--json"))
    rules = {r["name"]: r for r in told["rules"]}
    assert rules["其余 everything else"]["effects"] == [
        {"action": "category: other", "came": "late", "by": "VPN 与专线 vpn"}
    ]
    assert [e["came"] for e in rules["VPN 与专线 vpn"]["effects"]] == ["sets", "sets"]
    assert told["outcome"]["by"]["impact"] == "the rule '影响很多人 many are hit'"
    assert told["outcome"]["new"] is True and told["outcome"]["severity"] == 1
    (receipt,) = (n for n in told["notices"] if n["template"] == "acknowledgement")
    assert receipt["subject"] == "[INC-1] 【紧急】VPN 连不上" and "张三" in receipt["text"] and receipt["problem"] == ""


def test_a_mail_on_a_ticket_is_explained_without_rules(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    (receipt, *_) = desk.receives(write(ZHANG, "VPN 连不上"))
    path = desk.folder / "again.eml"
    path.write_bytes(reply(receipt, ZHANG, "还是不行").as_bytes(policy=SMTP))
    said = explained(desk, capsys, str(path))
    assert "about     ticket 1, known by token" in said
    assert "outcome   something happens to the ticket, assigned" in said.splitlines()
    assert "events  on ticket 1" in said


# --- a mail that is a ticket already ---


def test_a_handled_mail_is_explained_by_the_same_rules(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.receives(write(ZHANG, "VPN 连不上"))
    desk.waits(hours=30)
    said = explained(desk, capsys, "--ticket", "1")
    assert "The rules say the same today: category network/vpn, team network, severity 4" in said
    told = json.loads(explained(desk, capsys, "--ticket", "1", "--json"))
    assert told["differs"] == [] and told["then"]["kept"] is True
    assert told["then"]["version"] == told["now"]["version"] == desk.desk.rulebook.version


def test_after_the_rules_have_changed_it_shows_what_differs(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.receives(write(ZHANG, "VPN 连不上"))
    routing = desk.folder / "rules" / "routing.yaml"
    text = routing.read_text("utf-8")
    routing.write_text(
        text.replace("{category: network/vpn, team: network}", "{category: network, team: desk}"), "utf-8"
    )
    said = explained(desk, capsys, "--ticket", "1", "--brief")
    assert "category  then network/vpn  now network" in said.splitlines()
    assert "team      then network  now desk" in said.splitlines()
    assert "     → team: desk" in said
    told = json.loads(explained(desk, capsys, "--ticket", "1", "--json"))
    assert [d["fact"] for d in told["differs"]] == ["category", "team"]
    assert told["then"]["version"] != told["now"]["version"]


def test_a_ticket_that_the_rules_would_not_open_today_is_told(
    desk: TestDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.receives(write(ZHANG, "VPN 连不上"))
    routing = desk.folder / "rules" / "routing.yaml"
    routing.write_text(
        routing.read_text("utf-8").replace("{category: network/vpn, team: network}", "{ignore: x}"), "utf-8"
    )
    assert "outcome   then ticket  now ignored" in explained(desk, capsys, "--ticket", "1").splitlines()


@pytest.mark.parametrize(
    ("number", "what"), [("7", "there is no ticket 7"), ("2", "was not opened by a mail of its own")]
)
def test_what_cannot_be_explained_is_said(
    desk: TestDesk, capsys: pytest.CaptureFixture[str], number: str, what: str
) -> None:
    (_, mail, *_) = desk.receives(write(ZHANG, "VPN 连不上"))
    desk.receives(reply(mail, f"<{mail.to}>", "#problem VPN breaks every Monday"))
    assert desk.ticket(2) is not None
    assert run_command(["--config", str(desk.folder / "ticketd.toml"), "explain", "--ticket", number]) == 1
    assert what in capsys.readouterr().err


@pytest.mark.parametrize(
    ("deed", "what"),
    [
        ("UPDATE raw SET content = X'58'", "the stored bytes of mail 1, which opened ticket 1, are damaged"),
        ("DELETE FROM raw", "the bytes of mail 1, which opened ticket 1, are not kept any more"),
        ("UPDATE mail SET path = 'aa/gone'", "mail 1, which opened ticket 1, cannot be read: its file in the spool"),
        ("DELETE FROM mail", "mail 1, which opened ticket 1, is not in the database any more"),
    ],
)
def test_a_mail_that_is_not_as_it_came_is_not_explained(
    desk: TestDesk, capsys: pytest.CaptureFixture[str], deed: str, what: str
) -> None:
    desk.receives(write(ZHANG, "VPN 连不上"))
    base = desk.desk.store.base
    if base.sqlite:
        base.run("PRAGMA foreign_keys = OFF")
    base.run(deed)
    assert run_command(["--config", str(desk.folder / "ticketd.toml"), "explain", "--ticket", "1"]) == 1
    said = capsys.readouterr().err
    assert what in said and "ticketd ticket history 1" in said


def test_a_mail_that_went_on_from_an_ended_ticket_is_explained_as_what_it_was(
    desk: TestDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    routing = desk.folder / "rules" / "routing.yaml"
    again = "rules:\n  - {name: again, when: {ticket category within: network}, then: {tags: [again]}}\n"
    routing.write_text(routing.read_text("utf-8").replace("rules:\n", again, 1), "utf-8")
    desk = TestDesk(desk.folder)
    (receipt, *_) = desk.receives(write(ZHANG, "VPN 连不上"))
    desk.receives(reply(receipt, ZHANG, "#cancel"))
    desk.receives(reply(receipt, ZHANG, "还是不行，VPN 又断了。"))
    assert desk.ticket(2) is not None
    told = json.loads(explained(desk, capsys, "--ticket", "2", "--json"))
    assert told["follows"] == 1 and told["then"]["tags"] == ["again"]
    assert told["differs"] == [], "the rule that asks for the ended ticket holds today as it did then"
    assert "after   ticket 1, to which it replied" in explained(desk, capsys, "--ticket", "2")


def test_it_wants_mails_or_a_ticket(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", str(desk.folder / "ticketd.toml"), "explain"]
    assert run_command(config) == 64
    assert run_command([*config, a_mail(desk), "--ticket", "1"]) == 64
    assert "--ticket 12" in capsys.readouterr().err
