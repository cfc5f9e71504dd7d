"""Runs ticketd commands in processes of their own without paying for the imports each time.

What comes in: argument lists, and perhaps after how many seconds to kill -9. What goes out: exit status, output and
seconds. A single-threaded helper process imports ticketd once and forks; each fork runs one command exactly as
`python -m daemon` would, so a SIGKILL ends a whole real process in the middle of its work.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ended:
    """How one command ended; `returncode` is negative for a signal."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.returncode == -signal.SIGKILL


class Forks:
    """The helper process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, args: Sequence[str], *, kill_after: float | None = None, cwd: Path = ROOT) -> Ended:
        """Run one command to its end, or until it is killed."""
        assert self._process.stdin and self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            ask = {"args": list(args), "kill_after": kill_after, "out": folder, "cwd": str(cwd)}
            self._process.stdin.write(json.dumps(ask) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            out, err = (Path(folder, name).read_text("utf-8") for name in ("out", "err"))
        return Ended(answer["status"], out, err, answer["seconds"])

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextlib.contextmanager
def forks() -> Iterator[Forks]:
    helper = Forks()
    try:
        yield helper
    finally:
        helper.close()


# --- inside the helper process ---


def _serve() -> None:
    from daemon.cli import run_command

    for line in sys.stdin:
        ask = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(ask)
            os._exit(_flushed(run_command(ask["args"])))
        status = _wait(child, ask["kill_after"])
        print(json.dumps({"status": status, "seconds": time.monotonic() - began}), flush=True)


def _become(ask: dict[str, str]) -> None:
    os.chdir(ask["cwd"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(ask["out"], name), os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _flushed(status: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _wait(child: int, kill_after: float | None) -> int:
    """Wait for the child by its pidfd, which unlike a signal handler is exact to the microsecond; kill it when due."""
    handle = os.pidfd_open(child)
    try:
        ended, _, _ = select.select([handle], [], [], kill_after)
    finally:
        os.close(handle)
    if not ended:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    _serve()
