"""What one run of one layer came to, and the table of them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """One run: how it is played again, how many faults it met, what was broken, and the whole story where it was."""

    replay: str
    faults: int
    violations: list[str]
    story: str = ""
    calls: int = 0


@dataclass
class Row:
    """A layer's line in the table."""

    layer: str
    runs: int = 0
    faults: int = 0
    violations: int = 0
    seconds: float = 0.0

    def count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self.runs += 1
            self.faults += outcome.faults
            self.violations += len(outcome.violations)


def table(rows: Iterable[Row]) -> str:
    lines = ["layer                      runs   faults   violations   seconds"]
    lines += [f"{r.layer:<24}{r.runs:>7}{r.faults:>9}{r.violations:>13}{r.seconds:>10.0f}" for r in rows]
    return "\n".join(lines)


def keep(outcomes: Iterable[Outcome], folder: Path) -> None:
    """Write down every run that broke something, with the command that plays it again."""
    for outcome in outcomes:
        if outcome.violations:
            folder.mkdir(parents=True, exist_ok=True)
            name = "".join(c if c.isalnum() else "-" for c in outcome.replay).strip("-")
            again = f"python -m tests.faults --layer {outcome.replay}"
            text = "\n".join([again, "", *outcome.violations, "", outcome.story])
            (folder / f"{name[:120]}.txt").write_text(text, "utf-8")
