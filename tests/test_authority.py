"""Whose commands are carried out: what the daemon does is what rules/authority.yaml says, in every cell."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from daemon.authority import PROVED_ONLY, cells, every_claim, judged, matrix
from daemon.cli import run_command
from daemon.decide import decide
from daemon.intake.keywords import Command
from daemon.intake.letter import read_letter
from daemon.intake.understand import FollowUp, Known, Sender
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Claim
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import (
    Party,
    Proof,
    Risk,
    Role,
    Ruling,
    Standing,
    State,
    TokenSeen,
    Verb,
    Verdict,
    Who,
)
from tests.desk import MONDAY_10AM, ROOT, prepare, write

RULES = load_rulebook(ROOT / "rules")
FILE = YAML(typ="safe").load((ROOT / "rules" / "authority.yaml").read_text("utf-8"))["authority"]
SERVICE = Service(
    name="S", address="support@example.com", language="en", timezone="Asia/Shanghai", subject_tag="INC",
    own_addresses=frozenset({"support@example.com"}),
)  # fmt: skip


def by_the_file(who: str, ticket: str, verdict: str, token: str, risk: str) -> str:
    """Read the file as a person would: from the top, the first row that fits."""
    case = {"who": who, "ticket": ticket, "verdict": verdict, "token": token}
    for row in FILE:
        if all(case[key] in ([said] if isinstance(said, str) else said) for key, said in row.items() if key in case):
            return row["then"] if isinstance(row["then"], str) else row["then"][risk]
    raise AssertionError(f"nothing said of {case}")


def asks(who: Party, ticket: Standing, verdict: Verdict, token: TokenSeen) -> tuple[Known, Ticket]:
    """Return such a sender, and the ticket on which they are what is wanted."""
    engineer = RULES.people["wang.wei"]
    vendor = replace(engineer, key="v", addresses=("v@vendor.example",), roles=frozenset({Role.VENDOR}), teams=())
    person = {Party.STAFF: engineer, Party.VENDOR: vendor}.get(who)
    address = person.address if person else "somebody@elsewhere.example"
    proof = {Verdict.VERIFIED: Proof.VERIFIED, Verdict.FAILED: Proof.FAILED}.get(verdict, Proof.NONE)
    if proof is Proof.NONE and token is TokenSeen.OWN:
        proof = Proof.TOKEN
    known = Known(sender=Sender(address=address, name="X", person=person), proof=proof, token=token)
    found = Ticket(
        number=7, state=State.ASSIGNED, requester=address if ticket is Standing.REQUESTER else "a@customer.example",
        participants=(address,) if ticket is Standing.ON_RECORD else (), opened_at=MONDAY_10AM,
    )  # fmt: skip
    return replace(known, ticket=found), found


def what_happens(known: Known, ticket: Ticket, risk: Risk) -> str:
    """Let the core decide on one command of this risk that anybody may use, and say what became of it."""
    verb = Verb.STATUS if risk is Risk.ASK else Verb.NOTE
    keywords = tuple(replace(k, who=(Who.ANYONE,), risk=risk) for k in RULES.keywords if k.verb is verb)
    command = Command(verb=verb, word=str(verb), argument="7" if risk is Risk.ASK else "x", line=f"#{verb} x")
    letter = read_letter(write("X <x@example.org>", "words beside\n#note x", subject="x").as_bytes())
    made = decide(
        FollowUp(letter, ticket, (command,)), known, replace(RULES, keywords=keywords), SERVICE,
        now=MONDAY_10AM + timedelta(hours=1), received_at=MONDAY_10AM, mail=1,
    )  # fmt: skip
    assert made.transcript is not None or made.changes
    kinds = Counter(type(e).__name__ for c in made.changes for e in c.events)
    if risk is Risk.ASK:
        return "allow" if made.transcript and made.transcript.applied else "refuse"
    return "allow" if kinds["Noted"] else "confirm" if kinds["CommandsHeld"] else "refuse"


CLAIMS = [c for c in every_claim() if c.party is not Party.ALIAS]


@pytest.mark.parametrize("party", [Party.STAFF, Party.VENDOR, Party.OUTSIDER])
def test_the_daemon_does_in_every_cell_what_the_file_says(party: Party) -> None:
    tried = 0
    for claim, risk in product((c for c in CLAIMS if c.party is party), Risk):
        expected = by_the_file(claim.party, claim.standing, claim.verdict, claim.token, risk)
        known, ticket = asks(claim.party, claim.standing, claim.verdict, claim.token)
        done = what_happens(known, ticket, risk)
        assert done == ("refuse" if expected == "confirm" else expected), (claim, risk)
        tried += 1
    assert tried == len(Standing) * len(Verdict) * len(TokenSeen) * len(Risk)


def test_the_judgement_says_in_every_cell_what_the_file_says() -> None:
    found = list(cells(RULES.permits))
    assert len(found) == len(Party) * len(Standing) * len(Verdict) * len(TokenSeen) * len(Risk) == 576
    for claim, risk, ruling in found:
        assert ruling == by_the_file(claim.party, claim.standing, claim.verdict, claim.token, risk)


def proves(claim: Claim) -> bool:
    return (claim.verdict is not Verdict.FAILED and Verdict.VERIFIED is claim.verdict) or claim.token is TokenSeen.OWN


@pytest.mark.parametrize("permits", [RULES.permits, PROVED_ONLY, ()], ids=["starter", "no file", "nothing"])
def test_nothing_is_changed_without_proof_and_nothing_believed_of_a_forger(permits: tuple) -> None:
    for claim, risk in product(every_claim(), Risk):
        ruling = judged(claim, risk, permits)
        if claim.verdict is Verdict.FAILED:
            assert ruling is Ruling.REFUSE
        if ruling is Ruling.ALLOW and risk is not Risk.ASK:
            assert proves(claim)


def test_the_table_for_people_says_the_same_as_the_cells() -> None:
    said: dict[tuple[str, ...], str] = {}
    for who, ticket, verdict, token, *rulings in matrix(RULES.permits):
        columns = zip((who, ticket, verdict, token), (Party, Standing, Verdict, TokenSeen), strict=True)
        named = [list(map(str, kind)) if words == "any" else words.split(", ") for words, kind in columns]
        for key in product(*named):
            assert said.setdefault(key, "") == "", f"{key} is in two lines"
            said[key] = " ".join(rulings)
    assert len(said) == 144
    for (who, ticket, verdict, token), rulings in said.items():
        assert rulings.split() == [by_the_file(who, ticket, verdict, token, risk) for risk in Risk]


# --- what is wrong with the file ---


@pytest.mark.parametrize(
    ("rows", "line", "what"),
    [
        ("  - then: refuse\n  - {who: staff, then: refuse}\n", 3, "never counts"),
        ("  - {verdict: failed, then: refuse}\n  - {who: staff, then: allow}\n  - then: refuse\n", 3, "nothing proves"),
        ("  - {who: staff, verdict: verified, then: allow}\n", 1, "says nothing of who: alias"),
        ("  - then: {ask: allow, low: refuse, medium: refuse, high: refuse}\n", 2, "such mail is forged"),
        ("  - {who: boss, then: refuse}\n  - then: refuse\n", 2, "'who' knows no 'boss'"),
        ("  - then: {ask: allow, low: refuse}\n", 2, "lacks 'medium'"),
        ("  - then: perhaps\n", 2, "'then' knows no 'perhaps'"),
        ("  - who: staff\n  - then: refuse\n", 2, "lacks 'then'"),
        ("  - {whom: staff, then: refuse}\n  - then: refuse\n", 2, "has no key 'whom' (did you mean 'who'?)"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, capsys, rows: str, line: int, what: str) -> None:
    config = with_rules(tmp_path, authority="authority:\n" + rows)
    assert run_command(["--config", str(config), "check"]) == 1
    said = capsys.readouterr().out
    assert any(f"authority.yaml:{line}: " in x and what in x for x in said.splitlines()), said


def test_a_risk_that_does_not_fit_its_keyword_is_named(tmp_path: Path, capsys) -> None:
    text = (ROOT / "rules" / "keywords.yaml").read_text("utf-8").replace("risk: low", "risk: ask", 1)
    config = with_rules(tmp_path, keywords=text)
    assert run_command(["--config", str(config), "check"]) == 1
    assert "'accept' changes something: write low, medium or high" in capsys.readouterr().out


def test_a_keyword_without_a_risk_counts_as_high_and_a_question_as_one() -> None:
    text = (ROOT / "rules" / "keywords.yaml").read_text("utf-8")
    assert {k.risk for k in RULES.keywords if k.verb in (Verb.STATUS, Verb.LIST, Verb.HELP)} == {Risk.ASK}
    files = {p.name: p.read_bytes() for p in (ROOT / "rules").glob("*.yaml")}
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("    risk:"))
    from daemon.routing.loader import RuleFiles

    plans = {f"plans/{p.name}": p.read_bytes() for p in (ROOT / "rules" / "plans").glob("*.yaml")}
    book = load_rulebook(RuleFiles(Path("x"), files | plans | {"keywords.yaml": bare.encode()}))
    assert {k.verb for k in book.keywords if k.risk is Risk.ASK} == {Verb.STATUS, Verb.LIST, Verb.HELP}
    assert {k.risk for k in book.keywords} == {Risk.ASK, Risk.HIGH}


def test_the_matrix_is_printed(tmp_path: Path, capsys) -> None:
    config = with_rules(tmp_path)
    assert run_command(["--config", str(config), "authority"]) == 0
    assert "not_on_it" in capsys.readouterr().out
    assert run_command(["--config", str(config), "authority", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed) == 576
    assert all(c["then"] == by_the_file(c["who"], c["ticket"], c["verdict"], c["token"], c["risk"]) for c in printed)


def with_rules(folder: Path, **texts: str) -> Path:
    """Make an installation whose rules are the starter ones, with these files instead."""
    import shutil

    shutil.copytree(ROOT / "rules", folder / "rules")
    for name, text in texts.items():
        (folder / "rules" / f"{name}.yaml").write_text(text, "utf-8")
    prepare(folder)
    return folder / "ticketd.toml"
