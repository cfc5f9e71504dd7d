"""Layer L1: in each of eight scenes every single call to the outside fails, in four ways, once and for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults import checker
from tests.faults.outcome import Outcome
from tests.faults.ports import KINDS, Strike
from tests.faults.scenes import SCENES, Scene
from tests.faults.world import Snapshot, World, a_world

ALONE = ["clock", "chance"]
"""Ports whose faults do not end a call: they say something odd."""


@dataclass(frozen=True)
class Case:
    """One run: which call of which scene fails, how, and whether it lasts. Call 0: nothing fails."""

    scene: str
    call: int = 0
    kind: str = ""
    lasting: bool = False

    def __str__(self) -> str:
        return f"L1 --scene {self.scene!r} --call {self.call} --fault {self.kind}" + " --lasting" * self.lasting


@contextmanager
def staged(name: str) -> Iterator[tuple[World, Snapshot, Scene]]:
    """Yield a world in which this scene can be played again and again."""
    scene = next(s for s in SCENES if s.name == name)
    with a_world() as world:
        scene.prepare(world)
        yield world, world.snapshot(), scene


def play(case: Case, world: World, before: Snapshot, scene: Scene) -> Outcome:
    """Play one case and have it judged."""
    strike = Strike(case.call, case.kind, case.lasting)
    world.go_back(before, strike)
    scene.act(world)
    rests = world.settle()
    evidence = world.evidence(rests)
    found = checker.judge(evidence)
    faults = sum(bool(call.fault) for call in evidence.trace or ())
    story = "" if not found else world.story()
    return Outcome(str(case), faults, [str(v) for v in found], story, len(evidence.trace or ()))


def calls_in(scene: str) -> int:
    """Return how many calls to the outside an undisturbed run makes."""
    with staged(scene) as (world, before, played):
        return play(Case(scene), world, before, played).calls


def cases(scene: str, calls: int, every: int = 1, first: int = 0) -> list[Case]:
    """Return every way in which this scene is played; `every` takes but some of them, evenly."""
    ways = [Case(scene, n, kind, lasting) for n in range(1, calls + 1) for kind in KINDS for lasting in (False, True)]
    return [Case(scene), *ways[first::every]]


def run(some: Sequence[Case]) -> list[Outcome]:
    """Play cases of one scene, one after the other."""
    with staged(some[0].scene) as (world, before, scene):
        return [play(case, world, before, scene) for case in some]
