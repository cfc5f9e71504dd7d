"""Mails in short: the examples in a rule, and the tables of tests beside the rules."""

from __future__ import annotations

import json
import shutil
from email.policy import SMTP
from pathlib import Path

import pytest

from daemon.cli import run_command
from daemon.proving import STAND_IN, run_tests, try_rules
from daemon.routing.loader import load_rulebook
from daemon.trials import Verdict
from tests.desk import ROOT, prepare, write

RULES = """rules:
  - name: spam
    when: {subject contains: casino}
    then: {ignore: spam}
    stop: true
  - name: vpn
    when:
      any: [{subject contains: vpn}, {text mentions: vpn}]
    then: {category: network/vpn, team: network, urgency: high}
    examples: EXAMPLES
    counter_examples: OTHERS
  - name: theirs
    when: {customer is: huaxin, attachment name ends with: .xlsx, not: {outside working hours: business}}
    then: {team: desktop, tags: [sheet]}
  - name: rest
    then: {category: other}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    shutil.rmtree(tmp_path / "rules" / "tests")
    return tmp_path / "rules"


def with_examples(folder: Path, examples: str = "[vpn]", others: str = "[wifi]") -> list[str]:
    """Return what check says of these examples."""
    (folder / "routing.yaml").write_text(RULES.replace("EXAMPLES", examples).replace("OTHERS", others), "utf-8")
    tried = try_rules(folder, ROOT / "templates" / "email", None)
    return [str(p).removeprefix(f"{folder}/") for p in tried.errors]


def verdicts(folder: Path, *tests: str) -> list[Verdict]:
    with_examples(folder)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "some.yaml").write_text("\n".join(tests), "utf-8")
    found, problems = run_tests(folder, load_rulebook(folder), STAND_IN)
    assert problems == []
    return found


def misses(folder: Path, mail: str, expect: str) -> list[str]:
    (verdict,) = verdicts(folder, f"- {{name: t, mail: {mail}, expect: {expect}}}")
    return list(map(str, verdict.misses))


# --- examples ---


def test_examples_that_match_and_counter_examples_that_do_not_are_all_right(folder: Path) -> None:
    assert with_examples(folder, "[ＶＰＮ down, {text: my VPN}]", "[{text: vpns}, wifi]") == []


def test_an_example_that_the_rule_misses_says_what_the_conditions_looked_at(folder: Path) -> None:
    assert with_examples(folder, "\n      - vpn\n      - {subject: wifi, text: no vpns here}") == [
        "routing.yaml:12: the rule 'vpn' does not match its example 'wifi': "
        "subject contains: vpn is not met by «wifi»; text mentions: vpn is not met by «no vpns here»"
    ]


def test_a_counter_example_that_the_rule_matches_says_by_which_text(folder: Path) -> None:
    assert with_examples(folder, others="[No VPN today]") == [
        "routing.yaml:11: the rule 'vpn' matches its counter-example 'No VPN today': "
        "subject contains: vpn is met by «No VPN today»"
    ]


def test_an_example_that_another_rule_stops_before_is_told(folder: Path) -> None:
    (said,) = with_examples(folder, "[vpn casino]")
    assert said.startswith("routing.yaml:10: the rule 'vpn' is not reached by its example 'vpn casino': 'spam' stops")


def test_an_example_may_be_a_mail_in_a_file_below_the_rules_and_nowhere_else(folder: Path) -> None:
    (folder / "tests" / "mails").mkdir(parents=True)
    mail = write("zhang.san@huaxin.example", "拨不上", subject="VPN 坏了").as_bytes(policy=SMTP)
    (folder / "tests" / "mails" / "vpn.eml").write_bytes(mail)
    (folder.parent / "outside.eml").write_bytes(mail)
    assert with_examples(folder, "[tests/mails/vpn.eml, {mail: tests/mails/vpn.eml, at: 2026-11-24 22:00}]") == []
    assert [
        said.partition(";")[0] for said in with_examples(folder, "[tests/mails/gone.eml, {mail: ../outside.eml}]")
    ] == [
        f"routing.yaml:10: there is no mail '{name}' in the folder of the rules"
        for name in ("../outside.eml", "tests/mails/gone.eml")
    ]


@pytest.mark.parametrize(
    ("short", "what", "cure"),
    [
        ("{subjekt: vpn}", "a mail in short has no key 'subjekt'", "'subject'"),
        ("{at: 2026-11-24 22:00}", "a mail in short says what is in it", "write subject: or text:"),
        ("{subject: x, from: a@b.example, person: wang.wei}", "the sender is named by 'from' already", "take one"),
        ("{mail: a.eml, subject: x}", "'mail' has 'subject' already", "take one"),
        ("{subject: x, at: tomorrow}", "'at' is a time such as 2026-11-24 22:00", "got 'tomorrow'"),
        ("{subject: x, at: 2026-02-30}", "got '2026-02-30'", "day is out of range for month"),
        ("{subject: x, customer: huaxing}", "no customer is called 'huaxing'", "'huaxin'"),
        ("{subject: x, headers: {X Prio: 1}}", "'X Prio' is no name of a header", "X-Priority"),
        ("{subject: x, attachments: [{name: a.pdf, size: big}]}", "'big' is not a size", "10 MB"),
        ("{subject: x, proof: sure}", "'proof' knows no 'sure'", "verified"),
    ],
)
def test_a_mail_in_short_that_cannot_be_understood_is_told(folder: Path, short: str, what: str, cure: str) -> None:
    said = with_examples(folder, f"[{short}]")
    assert any(s.startswith("routing.yaml:10: ") and what in s and cure in s for s in said), said


# --- tests ---


def test_what_came_otherwise_is_said_with_the_rule_that_decided_it(folder: Path) -> None:
    assert misses(folder, "vpn", "{team: desk, category: network, severity: 1, kind: incident}") == [
        "category: expected network, came network/vpn, by the rule 'vpn'",
        "team: expected desk, came network, by the rule 'vpn'",
        "severity: expected 1, came 3, by the rule 'vpn'",
    ]
    assert misses(folder, "casino vpn", "{outcome: ticket}") == [
        "outcome: expected ticket, came ignored, by the rule 'spam'"
    ]
    assert misses(folder, "vpn", "{rules: [spam, rest], not_rules: [vpn], tags: [x], error_codes: [E1]}") == [
        "tags: expected x, came none",
        "error_codes: expected E1, came none",
        "rules: expected spam, came vpn, rest",
        "not_rules: expected not vpn, came vpn, rest",
    ]


@pytest.mark.parametrize(
    ("mail", "expect"),
    [
        ("{customer: huaxin, subject: x, attachments: [a.XLSX]}", "{rules: [theirs], team: desktop, tags: [sheet]}"),
        ("{customer: huaxin, subject: x, attachments: [a.xlsx], at: 2026-11-28 10:00}", "{not_rules: [theirs]}"),
        ("{customer: huaxin, subject: x, attachments: [a.docx]}", "{not_rules: [theirs], customer: huaxin}"),
        ("{subject: x, from: 'Ann <zhang.san@huaxin.example>'}", "{customer: huaxin, outcome: ticket}"),
        ("{subject: casino}", "{outcome: ignored, rules: [spam], not_rules: [rest]}"),
        ("VPN", "{category: network/vpn, team: 网络组, urgency: high, severity: 3}"),
    ],
)
def test_what_comes_as_expected_passes(folder: Path, mail: str, expect: str) -> None:
    assert misses(folder, mail, expect) == []


@pytest.mark.parametrize(
    ("test", "what", "cure"),
    [
        ("{name: t, mail: x, expect: {categori: other}}", "'expect' has no key 'categori'", "'category'"),
        ("{name: t, mail: x, expect: {category: network/vpm}}", "no category is called 'network/vpm'", "network/vpn"),
        ("{name: t, mail: x, expect: {rules: [vpm]}}", "no rule is called 'vpm'", "'vpn'"),
        ("{name: t, mail: x, expect: {severity: 5}}", "'severity' is never '5'", "1, 2, 3, 4"),
        ("{name: t, mail: x, expect: {outcome: closed}}", "'outcome' is never 'closed'", "ticket, rejected"),
        ("{name: t, mail: x, expect: {team: [desk, network]}}", "'team' is one thing", "write one"),
        ("{name: t, mail: x}", "a test lacks 'expect'", "write expect:"),
        ("{mail: x, expect: {team: desk}}", "a test lacks 'name'", "write name:"),
        ("{name: t, mial: x, mail: x, expect: {team: desk}}", "a test has no key 'mial'", "'mail'"),
    ],
)
def test_a_test_that_cannot_be_understood_is_told(folder: Path, test: str, what: str, cure: str) -> None:
    with_examples(folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "t.yaml").write_text(f"# a table\n- {test}\n", "utf-8")
    found, problems = run_tests(folder, load_rulebook(folder), STAND_IN)
    assert found == []
    assert any(p.line == 2 and what in p.what and cure in p.what for p in problems), problems


def test_the_starter_rules_pass_their_tests() -> None:
    found, problems = run_tests(ROOT / "rules", load_rulebook(ROOT / "rules"), STAND_IN)
    assert problems == []
    assert [v for v in found if not v.passed] == []
    assert len(found) > 30
    names = {r for v in found for r in (*v.test.expect.get("rules", ()), *v.test.expect.get("not_rules", ()))}
    assert names, "some of them name the rules"


# --- the command ---


def test_the_command_says_what_failed_and_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path)
    draft = tmp_path / "draft"
    shutil.copytree(ROOT / "rules", draft)
    config = ["--config", str(tmp_path / "ticketd.toml"), "rules", "test"]
    assert run_command([*config]) == 0
    assert "tests, all as expected" in capsys.readouterr().out
    text = (draft / "routing.yaml").read_text("utf-8")
    (draft / "routing.yaml").write_text(
        text.replace("network/vpn, team: network}", "network/vpn, team: desk}"), "utf-8"
    )
    assert run_command([*config, "--rules", str(draft)]) == 1
    out = capsys.readouterr().out
    assert (
        "VPN 归网络组 VPN goes to network\n    team: expected network, came desk, by the rule 'VPN 与专线 vpn'\n" in out
    )
    assert "tests, 1 failed" in out
    for path in (draft / "tests").iterdir():
        path.write_text("- {name: t, mial: VPN}\n", "utf-8")
    assert run_command([*config, "--rules", str(draft)]) == 1
    told = capsys.readouterr()
    assert "no test was run: mend what is said above" in told.err and "there are no tests" not in told.err
    one = draft / "tests" / "one.yaml"
    one.write_text("- {name: t, mail: VPN, expect: {team: network}}\n", "utf-8")
    assert run_command([*config, "--rules", str(draft), "--json", str(one)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["tests"], said["failed"], said["problems"]) == (1, 1, [])
    assert said["results"] == [
        {
            "name": "t", "where": "one.yaml:1", "passed": False, "problem": "",
            "misses": [{"fact": "team", "expected": "network", "came": "desk", "rule": "VPN 与专线 vpn"}],
        }
    ]  # fmt: skip
