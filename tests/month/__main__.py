"""python -m tests.month --seed 1 --incidents 300: plays a month and judges it."""

from __future__ import annotations

import argparse
import contextlib
import pickle
import sys
import tempfile
import time
from pathlib import Path

from daemon.log import configure
from tests.month.checker import judge
from tests.month.play import AUTUMN, WEEK, Campaign, campaign, in_one_process, servers


def main() -> int:
    """Play, judge, and say what was found; 1 where anything differs."""
    chosen, began = _arguments(), time.monotonic()
    configure("error")
    month = _played(chosen)
    evidence = month.evidence
    if chosen.keep:
        chosen.keep.write_bytes(pickle.dumps(evidence))
    verdict = judge(evidence)
    print(f"seed {chosen.seed}: {len(evidence.tickets)} incidents, {month.written} mails in, "
          f"{len(evidence.mails)} mails out, {month.rounds} rounds, {time.monotonic() - began:.0f} s")  # fmt: skip
    print(f"notices owed {verdict.owed}, found {verdict.found}, differences {len(verdict.differences)}")
    print(*verdict.differences, sep="\n", end="\n" if verdict.differences else "")
    return 1 if verdict.differences else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.month", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--incidents", type=int, default=300)
    parser.add_argument("--short", action="store_true", help="a week of spring instead of a month of autumn")
    parser.add_argument("--no-servers", action="store_true", help="all in one process: quick, and less like life")
    parser.add_argument("--keep", type=Path, help="keep the evidence in this file")
    return parser.parse_args()


def _played(chosen: argparse.Namespace) -> Campaign:
    """Play what was chosen, to its end."""
    season = WEEK if chosen.short else AUTUMN
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        at = Path(folder) / "desk"
        place = in_one_process(at, season) if chosen.no_servers else stack.enter_context(servers(at))
        month = campaign(place, season, seed=chosen.seed, incidents=chosen.incidents)
        month.play()
    return month


if __name__ == "__main__":
    sys.exit(main())
