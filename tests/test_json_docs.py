"""docs/json.md names every key that the commands put out, and its examples have the keys of the real thing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import run_command
from tests.desk import ROOT, TestDesk, write

DOCS = (ROOT / "docs" / "json.md").read_text("utf-8")
FREE = frozenset({"data", "numbers"})
"""What stands below these is described elsewhere."""


def example(heading: str) -> Any:
    section = DOCS.partition(f"## `{heading}`")[2].partition("\n## ")[0]
    found = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return json.loads(found[1])


def shape(value: Any, place: str = "") -> Iterator[str]:
    """Yield the paths of all keys, entries of lists being alike."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{place}.{key}"
            if key not in FREE:
                yield from shape(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from shape(inner, place)


@pytest.fixture
def desk(tmp_path: Path) -> TestDesk:
    desk = TestDesk(tmp_path)
    desk.receives(write("张三 <zhang.san@huaxin.example>", "今天早上开始 VPN 连不上，整个财务部都不能用。"))
    return desk


def said(desk: TestDesk, capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    capsys.readouterr()
    assert run_command(["--config", str(desk.folder / "ticketd.toml"), "--log-level", "error", *args]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("heading", "args"),
    [
        ("ticket list --json", ["ticket", "list", "--json"]),
        ("authority --json", ["authority", "--json"]),
        ("ticket why N --json", ["ticket", "why", "1", "--json"]),
        ("timetable preview N --json", ["timetable", "preview", "1", "--json", "--as-of", "2026-11-23T10:00:00+08:00"]),
        ("report --format json", ["report", "--period", "2026-11-23", "--format", "json"]),
    ],
)
def test_an_example_has_the_keys_of_the_real_thing(
    desk: TestDesk, capsys: pytest.CaptureFixture[str], heading: str, args: list[str]
) -> None:
    assert set(shape(example(heading))) == set(shape(said(desk, capsys, *args)))


def test_the_simulation_has_the_keys_of_its_example(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    real = said(desk, capsys, "timetable", "simulate", "--from", "2026-09-28", "--days", "1", "--json")
    steps = {
        f".days.happenings.events.{k}" for k in ("step", "clock", "percent", "due_at", "audience", "forecast", "repeat")
    }
    assert set(shape(real)) - steps == set(shape(example("timetable simulate --json")))


def test_every_key_of_a_ticket_is_named(desk: TestDesk, capsys: pytest.CaptureFixture[str]) -> None:
    section = DOCS.partition("## `ticket list --json`")[2].partition("## `ticket history")[0]
    named = set(re.findall(r"`(\w+)`", section)) | set(re.findall(r'"(\w+)":', section))
    assert set(said(desk, capsys, "ticket", "show", "1", "--json")) - named == set()
