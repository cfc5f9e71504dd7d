"""The campaign: every layer, then the planted bugs; a table at the end, and what failed in ./faults-out.

python -m tests.faults                                          all of it (make faults)
python -m tests.faults --layer L1                               one layer
python -m tests.faults --layer L1 --scene new --call 17 --fault kill [--lasting]      one run again
python -m tests.faults --layer kills --kills 500 --mails 2000 [--seed 7]
python -m tests.faults --layer planted [--bug 'plain EXPUNGE']
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from tests.faults import kills, layer1, robots
from tests.faults.hunt import Caught, hunt
from tests.faults.outcome import Outcome, Row, keep, table
from tests.faults.planted import PLANTED
from tests.faults.scenes import SCENES

OUT = Path("faults-out")
AT_ONCE = 60


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layer", choices=[*LAYERS, "planted", "all"], default="all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="L1: only every so many-th fault of each scene")
    parser.add_argument("--scene", choices=[s.name for s in SCENES], help="L1: only this scene")
    parser.add_argument("--call", type=int, help="L1: only this call")
    parser.add_argument("--fault", default="", help="L1: only this fault")
    parser.add_argument("--lasting", action="store_true", help="L1: the fault lasts for a while")
    parser.add_argument("--kills", type=int, default=100, help="kills: how many")
    parser.add_argument("--mails", type=int, default=400, help="kills: how many mails come meanwhile")
    parser.add_argument("--seed", type=int, default=1, help="kills: when the process dies; L7: who says what")
    parser.add_argument("--meetings", type=int, default=10, help="L7: how often each robot meets a desk")
    parser.add_argument("--bug", default="", help="planted: only this bug")
    return parser.parse_args(given)


# --- the layers ---


def exhaustive(options: argparse.Namespace, pool: Any) -> Iterator[list[Outcome]]:
    """L1."""
    if options.call is not None:
        yield layer1.run([layer1.Case(options.scene, options.call, options.fault, options.lasting)])
        return
    names = [options.scene] if options.scene else [s.name for s in SCENES]
    work: list[list[layer1.Case]] = []
    for name, calls in zip(names, pool.map(layer1.calls_in, names), strict=True):
        cases = layer1.cases(name, calls, options.every)
        work += [cases[at : at + AT_ONCE] for at in range(0, len(cases), AT_ONCE)]
    yield from pool.imap_unordered(layer1.run, work)


def killed(options: argparse.Namespace, _: Any) -> Iterator[list[Outcome]]:
    """The real process, killed with -9."""
    for outcome, said in kills.run(options.kills, options.mails, options.seed):
        print(said, flush=True)
        yield [outcome]


def robots_met(options: argparse.Namespace, pool: Any) -> Iterator[list[Outcome]]:
    """L7."""
    yield from pool.imap_unordered(robots.run, range(options.seed, options.seed + options.meetings))


LAYERS: dict[str, Callable[[argparse.Namespace, Any], Iterator[list[Outcome]]]] = {
    "L1": exhaustive, "L7": robots_met, "kills": killed,
}  # fmt: skip


# --- all of them ---


def main() -> int:
    options = arguments()
    began, rows, caught = time.monotonic(), list[Row](), list[Caught]()
    wanted = LAYERS if options.layer == "all" else {k: v for k, v in LAYERS.items() if k == options.layer}
    for name, layer in wanted.items():
        rows.append(_run(name, partial(layer, options), options.jobs))
    if options.layer in ("all", "planted"):
        caught = _hunt([options.bug] if options.bug else list(PLANTED), options.jobs)
    print(table(rows) if rows else "")
    if caught:
        print(f"planted bugs caught: {sum(bool(c.by) for c in caught)}/{len(caught)}")
    print(f"{time.monotonic() - began:.0f} s in all")
    return int(any(r.violations for r in rows) or any(not c.by for c in caught))


def _run(name: str, layer: Callable[[Any], Iterator[list[Outcome]]], jobs: int) -> Row:
    row, began = Row(name), time.monotonic()
    with Pool(jobs) as pool:
        for outcomes in layer(pool):
            row.count(outcomes)
            keep(outcomes, OUT)
            _show(outcomes)
    row.seconds = time.monotonic() - began
    print(table([row]), flush=True)
    return row


def _show(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for violation in outcome.violations[:3]:
            print(f"python -m tests.faults --layer {outcome.replay}\n    {violation}", flush=True)


def _hunt(bugs: list[str], jobs: int) -> list[Caught]:
    with Pool(jobs, maxtasksperchild=1) as pool:
        caught = []
        for one in pool.imap(hunt, bugs):
            print(f"{'caught' if one.by else 'NOT CAUGHT':<11}{one.bug}: {one.violation[:100]} ({one.by})", flush=True)
            caught.append(one)
    return caught


if __name__ == "__main__":
    sys.exit(main())
