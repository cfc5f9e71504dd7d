"""The fault campaign in its short form: some of every kind of fault; `make faults` tries them all (docs/faults.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults import checker, kills, layer1
from tests.faults.hunt import straight
from tests.faults.planted import PLANTED, planted
from tests.faults.scenes import SCENES

RUNS = 16
"""Faults tried in each scene."""


@pytest.mark.parametrize("scene", [s.name for s in SCENES])
def test_whatever_fails_nothing_is_lost_and_nothing_happens_twice(scene: str) -> None:
    with layer1.staged(scene) as (world, before, played):
        undisturbed = layer1.play(layer1.Case(scene), world, before, played)
        assert (undisturbed.faults, undisturbed.violations) == (0, [])
        every = undisturbed.calls * 8 // RUNS | 1  # odd: so that it meets every kind of fault
        outcomes = [layer1.play(c, world, before, played) for c in layer1.cases(scene, undisturbed.calls, every)[1:]]
    assert [(o.replay, o.violations) for o in outcomes if o.violations] == []
    assert sum(o.faults for o in outcomes) >= len(outcomes) >= RUNS


@pytest.mark.parametrize(
    "bug", ["plain EXPUNGE", "copies are not recognised", "everybody may command", "mails are logged"]
)
def test_a_planted_bug_is_found_by_what_it_breaks(bug: str) -> None:
    with planted(bug):
        assert any(outcome.violations for outcome in straight())


def test_there_are_thirty_planted_bugs_and_more() -> None:
    assert len(PLANTED) >= 30


@pytest.mark.servers
def test_killed_again_and_again_in_a_stream_of_mails_it_loses_none_and_does_nothing_twice() -> None:
    ((outcome, said),) = kills.run(kills=8, mails=32, seed=3)
    print(said)
    assert outcome.violations == []
    assert ": 0 lost, 0 doubled (" in said and "0 of them at work" not in said


def test_the_checker_shares_no_code_with_the_daemon() -> None:
    tree = ast.parse(Path(checker.__file__).read_text("utf-8"))
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert "sqlite3" in imported
    assert not [name for name in imported if name.partition(".")[0] in ("daemon", "tests")]
