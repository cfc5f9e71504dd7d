"""Runs rounds of ticketd at a chosen moment, each in a process of its own, without paying for imports each time.

As `tests.forks`, with three differences that make a month of rounds bearable and true to life: the rule files and
templates are read once, letters are read in the process itself, and a mail counts as received when the mail server says
so, not when the round is: what piled up during an outage came while it lasted.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


class Engine:
    """The helper process."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.database = config.parent / "state" / "ticketd.db"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.month.engine", str(config)], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def round(self, now: datetime) -> None:
        """Do one round as of then."""
        self._run("run", "--once", "--as-of", now.isoformat())

    def show(self, number: int) -> dict[str, Any]:
        return json.loads(self._run("ticket", "show", str(number), "--json"))

    def numbers(self) -> list[int]:
        return sorted(t["number"] for t in json.loads(self._run("ticket", "list", "--json")))

    def next_due(self) -> datetime | None:
        """Return when a running daemon would look at a ticket next."""
        with closing(sqlite3.connect(self.database)) as base:
            (moment,) = base.execute("SELECT MIN(next_due_at) FROM ticket").fetchone()
        return datetime.fromisoformat(moment) if moment else None

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _run(self, *args: str) -> str:
        assert self._process.stdin and self._process.stdout
        command = ["--config", str(self.config), "--log-level", "warning", *args]
        with tempfile.TemporaryDirectory() as folder:
            self._process.stdin.write(json.dumps({"args": command, "out": folder}) + "\n")
            self._process.stdin.flush()
            status = json.loads(self._process.stdout.readline())["status"]
            out, err = (Path(folder, name).read_text("utf-8") for name in ("out", "err"))
        if status:
            raise AssertionError(f"ticketd {args} ended with {status}:\n{out}{err}")
        return out


# --- inside the helper process ---


def _serve(config: Path) -> None:
    from daemon.cli import run_command

    _prepare(config)
    for line in sys.stdin:
        ask = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(ask)
            os._exit(_flushed(run_command(ask["args"])))
        print(json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}), flush=True)


def _prepare(config: Path) -> None:
    """Read rules and templates now, for every fork to come, and let the mail server say when a mail came."""
    from daemon import app
    from daemon.clock import Clock
    from daemon.config import load_config
    from daemon.intake.letter import read_letter
    from daemon.intake.reader import ReadsHere

    Clock.stands = property(lambda self: False)  # type: ignore[method-assign,assignment]
    app.ReadsInChild = ReadsHere  # type: ignore[misc,assignment]
    loaded = load_config(config)
    rulebook = cache(app.load_rulebook)
    renderer = app.open_renderer(loaded, app.service_of(loaded), app.read_keys(Path(loaded.service.secret_file)))
    rulebook(Path(loaded.paths.rules))
    renderer.warm()
    for voice in renderer._voices.values():
        for shared in ("_parts.txt", "_parts.html", "_layout.html", "_from_text.html", "_escalation.j2"):
            voice.environment.get_template(shared)
    read_letter(b"From: a@example.com\nSubject: warm\n\nHello\n")
    app.calm_collector()
    app.calm_collector = lambda: None  # type: ignore[assignment]
    app.load_rulebook = rulebook
    app.open_renderer = lambda *_: renderer  # type: ignore[assignment]


def _become(ask: dict[str, Any]) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(ask["out"], name), os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _flushed(status: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def main(args: Sequence[str]) -> None:
    _serve(Path(args[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
