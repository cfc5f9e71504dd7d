"""The schemas that editors check rule files by: they say what the loader says, as far as shapes and fixed words go."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from daemon.cli import run_command
from daemon.routing import items
from daemon.routing.loader import load_items, load_rulebook
from daemon.routing.schema import FOLDER, SCHEMAS, schema_of
from scripts.make_docs import SCHEMA_FILES
from tests.desk import ROOT
from tests.test_broken_rules import BROKEN, broken

RULES = ROOT / "rules"
FILES = sorted(p.relative_to(RULES).as_posix() for p in RULES.rglob("*.yaml"))
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
# Kinds of broken files of which a schema knows nothing: it sees no names, no lines, no other file.
UNSEEN = {
    "a key twice", "an unknown rule file", "a rule without an effect", "a rule whose effect is empty", "a name twice",
    "a pattern with look-ahead", "a pattern that is too long", "a pattern that takes too much work",
    "a pattern that fits every mail", "a pattern that fits no mail", "a domain with an @", "a size that is none",
    "an unknown calendar", "an unknown customer", "an unknown team", "an unknown category", "an unknown person",
    "a list that is not there", "a condition that is not there", "a condition made of itself",
    "an include that is not there", "an include outside the folder", "an include of itself",
    "a rule behind a stop for all", "a rule behind a wider stop", "an example that is missed",
    "a counter-example that is met", "a keyword that means two things", "an address of two people",
    "an hour that is none", "hours that end before they begin", "a template that is not there", "an anchor",
    "not YAML: a bracket that is not closed", "a tab as indent", "not UTF-8",
}  # fmt: skip


@cache
def validator(name: str) -> Callable[[Any], Any]:
    return fastjsonschema.compile(schema_of(name))


def name_of(file: str) -> str:
    return {"plans": "plan", "tests": "tests"}.get(file.partition("/")[0], Path(file).stem)


def said(path: Path) -> object:
    return load_items(path, lambda item, _: item.plain())


def fits(file: str, folder: Path = RULES) -> bool:
    try:
        validator(name_of(file))(said(folder / file))
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


@pytest.mark.parametrize("file", FILES)
def test_the_starter_files_fit_their_schema_and_name_it(file: str) -> None:
    validator(name_of(file))(said(RULES / file))
    named = MODELINE.match((RULES / file).read_text("utf-8"))
    assert named and ((RULES / file).parent / named[1]).resolve() == RULES / FOLDER / f"{name_of(file)}.json"


@pytest.mark.parametrize("file", SCHEMA_FILES)
def test_the_shipped_schemas_are_up_to_date(file: str) -> None:
    assert (RULES / FOLDER / file).read_text("utf-8") == SCHEMA_FILES[file](), "run: python scripts/make_docs.py"


@pytest.mark.parametrize("what", sorted(BROKEN.keys() - UNSEEN))
def test_broken_files_do_not_fit(what: str, tmp_path: Path) -> None:
    file, old, new, _ = BROKEN[what]
    shutil.copytree(RULES, tmp_path / "rules")
    broken(tmp_path / "rules", file, old, new)
    assert not fits(file, tmp_path / "rules")


def test_enough_kinds_of_broken_files_are_seen_while_typing() -> None:
    assert BROKEN.keys() >= UNSEEN
    assert len(BROKEN.keys() - UNSEEN) >= 15


ODD = """
options: {simplified: true}
lists: {wires: [vpn, 专线]}
conditions: {at night: {not: {within working hours: business}}}
captures: [{into: ci, pattern: 'ASSET-(\\d+)', in: [subject, header X-Asset]}, {into: place, words: {list: wires}}]
rules:
  - name: odd
    for: all
    when:
      condition: [at night]
      any:
        - header X-Prio is: [1, 2]
        - subject contains 2 of: [a, b, {list: wires}]
        - {nature in: [human, list], sender domain within: acme.example, attachment size over: 5 MB}
        - {weekday in: [sat], time between: 18:00-08:00, ticket older than: 2d, text matches: 'a+'}
    capture: {affected: '(\\d+) users'}
    then: {notify: [desk, a@b.example], severity at least: 2, tags: x}
    stop: true
    off: false
    examples: [vpn, {subject: x, attachments: [a.pdf, {name: b, size: 1 MB}], at: 2026-11-24 22:00}]
  - include: routing/more.yaml
"""


def test_whatever_the_language_can_say_fits(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text(ODD, "utf-8")
    validator("routing")(said(tmp_path / "routing.yaml"))


def test_the_schemas_know_the_keys_that_the_loader_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whichever tables the loader meets in the starter files, some table of the schemas has just their keys."""
    met: dict[str, frozenset[str]] = {}
    told = items.Table.__init__

    def noted(self: items.Table, item: items.Item, knows: Iterable[str], bad: items.Complaints, what: str) -> None:
        knows = list(knows)
        met.setdefault(re.sub(r"'.*'|\d+", "…", what), frozenset(knows))
        told(self, item, knows, bad, what)

    monkeypatch.setattr(items.Table, "__init__", noted)
    load_rulebook(RULES)
    tables = {keys for name in SCHEMAS for keys in _tables(schema_of(name))}
    assert len(met) > 15
    assert {what for what, keys in met.items() if keys not in tables} == set()


def _tables(schema: Any) -> Iterator[frozenset[str]]:
    """Yield the keys of every table in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield frozenset(schema["properties"])
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _tables(part)


def test_the_command_prints_a_schema_or_writes_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["rules", "schema", "routing"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "ticketd: routing"
    assert run_command(["rules", "schema", "--out", str(tmp_path / "schema")]) == 0
    assert {p.name for p in (tmp_path / "schema").iterdir()} == set(SCHEMA_FILES)
    assert run_command(["rules", "schema", "rooting"]) == 64
