"""Tests of the tests: does the campaign find a bug that is planted, by what it breaks?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults import checker, layer1
from tests.faults.outcome import Outcome
from tests.faults.planted import planted
from tests.faults.scenes import SCENES
from tests.faults.world import a_world

EVERY = 7
"""Of the ways in which a scene is played, every so many-th is enough to find most bugs."""


@dataclass(frozen=True)
class Caught:
    """A planted bug: which layer's run found it first, and what was broken; both "" where none did."""

    bug: str
    by: str
    violation: str


def hunt(bug: str, layers: tuple[Callable[[], Iterator[Outcome]], ...] = ()) -> Caught:
    """Plant a bug, and run layer after layer until one of them says that something is broken."""
    with planted(bug):
        for layer in (straight, struck, *layers):
            for outcome in layer():
                if outcome.violations:
                    return Caught(bug, outcome.replay, outcome.violations[0])
    return Caught(bug, "", "")


def straight() -> Iterator[Outcome]:
    """Play every scene, and what goes before it, without a fault."""
    for scene in SCENES:
        with a_world() as world:
            try:
                scene.prepare(world)
                before = world.snapshot()
            except StopIteration:  # a mail that the scene answers has never come
                before = None
            found = checker.judge(world.evidence(world.settle()))
            yield Outcome(f"L1 --scene {scene.name!r}", 0, [str(v) for v in found])
            if before is not None:
                yield layer1.play(layer1.Case(scene.name), world, before, scene)


def struck() -> Iterator[Outcome]:
    """Play the scenes with a fault in some of the calls."""
    for scene in SCENES:
        with layer1.staged(scene.name) as (world, before, played):
            calls = layer1.play(layer1.Case(scene.name), world, before, played).calls
            for case in layer1.cases(scene.name, calls, EVERY):
                yield layer1.play(case, world, before, played)
