"""Read the folder of rule files into a Rulebook, or say everything that is wrong with them, file and line.

What comes in: a folder. What goes out: a Rulebook, or a ConfigError with all problems. The only reader of
rule files and the only importer of ruamel.yaml: it takes YAML 1.2 node by node; nodes know their lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from daemon.errors import ConfigError, Problem, did_you_mean
from daemon.routing import emergencies, ruling, sections
from daemon.routing.items import Complaints, Item, Known, Names, Table
from daemon.rulebook import MajorRules, Plan, Rule, Rulebook

MAX_BYTES = 2_000_000
_REMEMBERED = 200_000  # bytes: the nodes of a larger file are not worth their memory
FILES = {
    "calendars.yaml": ("calendars",),
    "people.yaml": ("people", "teams"),
    "rota.yaml": ("rota", "out_of_hours", "recall"),
    "service_levels.yaml": ("service_levels", "hold_stops_clock", "next_in_line"),
    "customers.yaml": ("customers", "regions", "unknown_customers"),
    "categories.yaml": ("categories", "matrix"),
    "keywords.yaml": ("keywords",),
    "announcements.yaml": ("announcements",),
    "phrases.yaml": ("phrases",),
    "duties.yaml": ("duties",),
    "alerts.yaml": ("alerts",),
    "routing.yaml": ("rules", "error_codes"),
    "major.yaml": ("major",),
}
MAY_BE_MISSING = frozenset({"alerts.yaml", "major.yaml", "rota.yaml"})
"""Files without which something is simply not done."""
PLANS = "plans"
"""The folder of emergency plans, one in each file; it may be missing."""
OPTIONAL = frozenset({"next_in_line", "error_codes", "regions", "unknown_customers", "rota", "out_of_hours", "recall"})
_WHATEVER = "and what belongs to it ({} or [] for nothing)"
_CORE_TAGS = "tag:yaml.org,2002:"
T = TypeVar("T")


def load_rulebook(folder: Path) -> Rulebook:
    """Return the rulebook in this folder; raise ConfigError with every problem in its files."""
    rulebook, problems = load_partly(folder)
    if problems:
        raise ConfigError(problems)
    return rulebook


def load_partly(folder: Path) -> tuple[Rulebook, list[Problem]]:
    """Return as much of the rulebook as can be read, and every problem in its files; for looking, not for running."""
    bad = Complaints()
    there = [name for name in FILES if name not in MAY_BE_MISSING or (folder / name).exists()]
    plans = sorted(f"{PLANS}/{p.name}" for p in (folder / PLANS).glob("*.y*ml"))
    contents = {name: _read(folder / name, bad) for name in (*there, *plans)}
    bad.problems += _strangers(folder)
    said = {name: _parse(folder / name, content, bad) for name, content in contents.items()}
    rulebook = _Book(said, bad).rulebook(_version(contents))
    return rulebook, bad.problems


def load_items(path: Path, maker: Callable[[Item, Complaints], T]) -> T:
    """Return what the maker makes of a single file of this kind; raise ConfigError with every problem in it."""
    bad = Complaints()
    item = _parse(path, _read(path, bad), bad)
    made = maker(item or _NOTHING, bad if item else Complaints())
    if bad.problems:
        raise ConfigError(bad.problems)
    return made


def _version(contents: dict[str, bytes | None]) -> str:
    """Return a short name for exactly these files, for the history of tickets."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content or b'')}\n".encode() + (content or b""))
    return digest.hexdigest()[:12]


Maker = Callable[[Item, Known, Complaints], T]


class _Book:
    """Puts the sections together; a section that cannot be read makes its names unknown, not wrong."""

    def __init__(self, said: dict[str, Item | None], bad: Complaints) -> None:
        self.bad = bad
        self.known = Known()
        self.sections: dict[str, Item] = {}
        self.plans = {Path(name).stem: i for name, i in said.items() if i and name not in FILES}
        for name, item in said.items():
            if item is not None and name in FILES:
                self._take(name, item)
        for section in self.known.__slots__:
            getattr(self.known, section).broken = section not in self.sections

    def _take(self, name: str, item: Item) -> None:
        table = Table(item, FILES[name], self.bad, "the file")
        for section in FILES[name]:
            found = table.get(section) if section in OPTIONAL else table.need(section, _WHATEVER)
            if found is not None:
                self.sections[section] = found

    def _make(self, section: str, maker: Maker[T]) -> T:
        """Return what the maker makes of this section; of nothing, and in silence, if it is missing."""
        item = self.sections.get(section)
        return maker(item, self.known, self.bad) if item else maker(_NOTHING, self.known, Complaints())

    def rulebook(self, version: str) -> Rulebook:
        """Return the whole; the order matters, because each file names things of those before it."""
        calendars = self._make("calendars", sections.calendars_from)
        people = self._make("people", sections.people_from)
        teams = self._make("teams", sections.teams_from)
        categories = self._make("categories", sections.categories_from)
        regions = self._make("regions", sections.regions_from)
        book = Rulebook(
            calendars=calendars,
            people=sections.with_teams(people, teams),
            teams=teams,
            rota=self._make("rota", sections.rota_from),
            out_of_hours=self._make("out_of_hours", sections.grave_from),
            recall=self._make("recall", sections.grave_from),
            service_levels=self._make("service_levels", sections.service_levels_from),
            hold_stops_clock=self._make("hold_stops_clock", sections.hold_reasons_from),
            next_in_line=self._make("next_in_line", sections.next_in_line_from),
            customers=sections.in_regions(self._make("customers", sections.customers_from), regions),
            unknown_customers=self._make("unknown_customers", sections.unknown_customers_from),
            categories=categories,
            matrix=self._make("matrix", sections.matrix_from),
            keywords=self._make("keywords", sections.keywords_from),
            announcements=self._make("announcements", sections.announcements_from),
            phrases=self._make("phrases", sections.phrases_from),
            duties=self._make("duties", sections.duties_from),
            rules=self._make("rules", ruling.rules_from),
            major=self._major(),
            alerts=self._make("alerts", sections.alerts_from),
            error_codes=self._make("error_codes", ruling.error_codes_from),
            version=version,
        )
        return replace(book, plans=self._plans({r.name: r for r in book.rules}))

    def _major(self) -> MajorRules:
        item = self.sections.get("major")
        return emergencies.major_from(item, self.known, self.bad) if item else MajorRules()

    def _plans(self, rules: Mapping[str, Rule]) -> dict[str, Plan]:
        """Return the plans by their key; the words by which people name them must differ."""
        names = Names("plan", PLANS)
        plans = {key: emergencies.plan_from(key, item, self.known, rules, self.bad) for key, item in self.plans.items()}
        for key, plan in plans.items():
            names.add(self.plans[key], key, self.bad, (*plan.name.values(), *plan.aliases))
        return plans


_NOTHING = Item("", 0, {})


# --- files ---


def _read(path: Path, bad: Complaints) -> bytes | None:
    """Return the bytes of the file, None with a complaint where they cannot be had."""
    try:
        if path.stat().st_size > MAX_BYTES:
            bad.problems.append(Problem(str(path), 0, f"is larger than {MAX_BYTES} bytes; make it smaller"))
            return None
        return path.read_bytes()
    except FileNotFoundError:
        what = "is missing; ticketd init DIR writes a starter set, copy the file from there"
    except OSError as error:
        what = f"cannot be read: {error.strerror}; give it to the user that runs ticketd"
    bad.problems.append(Problem(str(path), 0, what))
    return None


def _strangers(folder: Path) -> list[Problem]:
    """Return a problem for each YAML file that would be passed over in silence."""
    found = sorted(p for p in folder.glob("*.y*ml") if p.name not in FILES)
    known = ", ".join(FILES)
    return [
        Problem(str(p), 0, f"is no rule file{did_you_mean(p.name, FILES) or '; the files are ' + known}") for p in found
    ]


def _parse(path: Path, content: bytes | None, bad: Complaints) -> Item | None:
    """Return what the file says, None with a complaint where it is not YAML."""
    if content is None:
        return None
    try:
        node = (_composed if len(content) <= _REMEMBERED else _composed.__wrapped__)(content)
        return Item(str(path), 1, None) if node is None else _Walk(str(path), bad).item(node)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(str(path), line, "is not UTF-8 here; save the file as UTF-8")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = Problem(str(path), mark.line + 1 if mark else 0, _not_yaml(str(error.problem)))
    except YAMLError:
        problem = Problem(str(path), 0, "has a character that YAML forbids; look for control characters")
    except RecursionError:
        problem = Problem(str(path), 0, "is nested too deeply; make it flatter")
    bad.problems.append(problem)
    return None


@lru_cache(maxsize=64)
def _composed(content: bytes) -> Node | None:
    """Return the nodes of this text. They take longest by far: after a change only what changed is read anew."""
    node: Node | None = YAML(typ="safe", pure=True).compose(content.decode("utf-8-sig"))
    return node


def _not_yaml(why: str) -> str:
    cure = "indent with spaces, close every bracket, put quotes around a text with ': ', '#', '*' or '['"
    return f"is not YAML: {why}; {cure}"


class _Walk:
    """Turns nodes into items; each node is visited once, so that aliases can neither loop nor multiply."""

    def __init__(self, file: str, bad: Complaints) -> None:
        self.file, self.bad = file, bad

    def item(self, node: Node, line: int = 0) -> Item:
        """Return the item of this node; `line` is that of its key, 0 for its own."""
        where = Item(self.file, line or node.start_mark.line + 1, None)
        if node.anchor:
            self.bad.add(where, "anchors and aliases (& and *) are not for rule files; write it out")
            return where
        if not str(node.tag).startswith(_CORE_TAGS) or "/" in str(node.tag)[len(_CORE_TAGS) :]:
            self.bad.add(where, f"the tag {node.tag} is not for rule files; take it out")
            return where
        return Item(self.file, where.line, self._value(node))

    def _value(self, node: Node) -> str | int | bool | list[Item] | dict[str, Item] | None:
        if isinstance(node, MappingNode):
            return self._mapping(node)
        if isinstance(node, SequenceNode):
            return [self.item(entry) for entry in node.value]
        return _scalar(str(node.value), plain=getattr(node, "style", None) is None)

    def _mapping(self, node: MappingNode) -> dict[str, Item]:
        entries: dict[str, Item] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            here = Item(self.file, line, None)
            if not isinstance(key, ScalarNode):
                self.bad.add(here, "a key must be a plain text; take out the brackets before the ':'")
                continue
            if key.value in entries:
                first = entries[key.value].line
                self.bad.add(here, f"the key '{key.value}' is here twice (first in line {first}); keep one of them")
                continue
            entries[key.value] = self.item(value, line)
        return entries


def _scalar(text: str, *, plain: bool) -> str | int | bool | None:
    """Return what a scalar means in YAML 1.2; in quotes it is always a text."""
    if not plain:
        return text
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.casefold() == "true"
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) else text
