"""Signs of life: when each loop last got somewhere, in memory for the watchdog and in a file for everybody else.

What comes in: what the loops tell of themselves. What goes out: whether one is stuck, and the file `pulse.json` in the
state directory, which `ticketd status` and the metrics read. It is a file and no row of the database because it is
written every few seconds, is worth nothing after a crash, and has to be told when it is the database that fails.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import daemon
from daemon.plain import from_plain, to_plain

FILE = "pulse.json"


def this_version() -> str:
    """Return the version of this program ("?" where another distribution has put itself in its place)."""
    return str(getattr(daemon, "__version__", "?"))


def mailbox_loop(mailbox: str) -> str:
    """Return what the loop of a mailbox is called."""
    return f"mailbox {mailbox}"


@dataclass(kw_only=True)
class Pulse:
    """The sign of life of one loop: when it last got through a turn, or since when it waits for a server, openly.

    `answered` says when a server last answered a command of ours in good order (None: never): a loop that waits for a
    server is alive as long as the server answers it. `rests_until`: it has said that it tries nothing before then.
    """

    name: str
    beat: float
    patience: float
    answered: Callable[[], float | None] = lambda: None
    rests_until: float = 0.0
    trouble_since: float | None = None
    trouble: str = ""

    def last_sign(self) -> float:
        """Return when it last got somewhere."""
        return max(self.beat, self.answered() or 0.0)

    def stuck(self, now: float) -> bool:
        """Whether it has given no sign of life for longer than it may."""
        return now - max(self.last_sign(), self.rests_until) > self.patience

    def well(self, now: float) -> None:
        """It has got through a turn."""
        self.beat, self.rests_until, self.trouble_since, self.trouble = now, 0.0, None, ""

    def troubled(self, now: float, what: str, rest: float) -> None:
        """It could not get through a turn, and tries again after this many seconds."""
        self.beat, self.rests_until, self.trouble = now, now + rest, what
        if self.trouble_since is None:
            self.trouble_since = now


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One loop as others see it. `last_ok`: when its server last answered a command of ours."""

    name: str
    last_sign: datetime
    last_ok: datetime | None = None
    trouble: str = ""
    trouble_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What a running daemon says of itself; `at` is when it last did."""

    version: str
    pid: int
    started: datetime
    at: datetime
    rules: int = 0
    faults: tuple[str, ...] = ()
    loops: tuple[Loop, ...] = ()


def loops_of(pulses: Iterable[Pulse], now: datetime, monotonic: float) -> tuple[Loop, ...]:
    """Return the loops as others see them, in the time of the wall clock."""

    def moment(at: float | None) -> datetime | None:
        return None if at is None else now - timedelta(seconds=monotonic - at)

    return tuple(
        Loop(name=p.name, last_sign=moment(p.last_sign()) or now, last_ok=moment(p.answered()), trouble=p.trouble,
             trouble_since=moment(p.trouble_since))
        for p in pulses
    )  # fmt: skip


def write_signs(folder: Path, signs: Signs) -> None:
    """Write the file, whole; an OSError (a full disk) leaves the last one, whose age then tells."""
    unfinished = folder / f".{FILE}.new"
    try:
        unfinished.write_text(json.dumps(to_plain(signs), ensure_ascii=False), "utf-8")
        unfinished.replace(folder / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def read_signs(folder: Path) -> Signs | None:
    """Return what the daemon last said of itself, or None where it never ran or the file cannot be read."""
    try:
        said = json.loads((folder / FILE).read_text("utf-8"))
        return from_plain(Signs, said) if isinstance(said, dict) else None
    except (OSError, ValueError, TypeError):
        return None
