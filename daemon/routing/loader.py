"""Read the folder of rule files into a Rulebook, or say everything that is wrong with them, file and line.

What comes in: a folder, or the contents of its files. What goes out: a Rulebook, or a ConfigError with all problems.
The only reader of rule files and the only importer of ruamel.yaml: it takes YAML 1.2 node by node; nodes know
their lines.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from daemon.errors import ConfigError, Problem, did_you_mean
from daemon.routing import emergencies, permits, ruling, sections
from daemon.routing.items import Complaints, Item, Known, Names, Table
from daemon.routing.specimens import tests_from
from daemon.rulebook import MajorRules, Plan, Rule, Rulebook, RuleTest

MAX_BYTES = 2_000_000
MOST_BYTES = 10_000_000
_REMEMBERED = 200_000  # bytes: the nodes of a larger file are not worth their memory
FILES = {
    "calendars.yaml": ("calendars",),
    "people.yaml": ("people", "teams"),
    "rota.yaml": ("rota", "out_of_hours", "recall"),
    "service_levels.yaml": ("service_levels", "hold_stops_clock", "next_in_line"),
    "customers.yaml": ("customers", "regions", "unknown_customers"),
    "categories.yaml": ("categories", "matrix"),
    "keywords.yaml": ("keywords",),
    "authority.yaml": ("authority",),
    "announcements.yaml": ("announcements",),
    "phrases.yaml": ("phrases",),
    "duties.yaml": ("duties",),
    "alerts.yaml": ("alerts",),
    ruling.FILE: ruling.SECTIONS,
    "major.yaml": ("major",),
}
MAY_BE_MISSING = frozenset({"alerts.yaml", "authority.yaml", "major.yaml", "rota.yaml"})
"""Files without which something is simply not done; without authority.yaml nobody commands who is not proved."""
TESTS = "tests"
"""The folder of tests of the rules; it may be missing."""
PLANS = "plans"
"""The folder of emergency plans, one in each file; it may be missing."""
BESIDE = (f"{PLANS}/", f"{TESTS}/", ".")
"""What may lie beside the rule files without being included."""
MIXED = ".being-applied"
"""A file that stands in the folder while 'rules apply' replaces the others one by one."""
OPTIONAL = frozenset(
    {"next_in_line", "regions", "unknown_customers", "rota", "out_of_hours", "recall", *ruling.SECTIONS} - {"rules"}
)
_WHATEVER = "and what belongs to it ({} or [] for nothing)"
_MISSING = "is missing; ticketd init DIR writes a starter set, copy the file from there"
_CORE_TAGS = "tag:yaml.org,2002:"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Where rule files are taken from: a folder, or files that are at hand (`given`); then `folder` is but a name."""

    folder: Path
    given: Mapping[str, bytes] | None = None

    def names(self) -> frozenset[str]:
        """Return the names, within the folder, of every YAML file in and below it; that of the plans may be a link."""
        if self.given is not None:
            return frozenset(self.given)
        found = (*self.folder.rglob("*.y*ml"), *(self.folder / PLANS).glob("*.y*ml"))
        return frozenset(p.relative_to(self.folder).as_posix() for p in found)

    def read(self, name: str, bad: Complaints) -> bytes | None:
        """Return the bytes of this file, None with a complaint where they cannot be had."""
        if self.given is None:
            return _read(self.folder / name, name, bad)
        if name not in self.given:
            bad.problems.append(Problem(name, 0, _MISSING))
        return self.given.get(name)

    def leads_out(self, name: str) -> bool:
        """Return whether this file is a link to one that lies outside the folder."""
        try:
            return self.given is None and not (self.folder / name).resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError):  # a link that leads to itself leads nowhere; who reads it hears of that
            return False


def load_rulebook(source: Path | RuleFiles) -> Rulebook:
    """Return the rulebook in this folder, or of these files; raise ConfigError with every problem in them."""
    rulebook, problems = load_partly(source)
    if problems:
        raise ConfigError(problems)
    return rulebook


def load_partly(source: Path | RuleFiles) -> tuple[Rulebook, list[Problem]]:
    """Return as much of the rulebook as can be read, and every problem in its files; for looking, not for running."""
    shelf = _Shelf(RuleFiles(source) if isinstance(source, Path) else source)
    rulebook = _Book(_said(shelf), shelf.bad).rulebook(_version(shelf.read))
    problems = [*shelf.bad.problems, *_strangers(shelf)]
    kept = {name: content for name, content in shelf.read.items() if content is not None}
    return replace(rulebook, files=kept), [replace(p, file=f"{shelf.files.folder}/{p.file}") for p in problems]


def _said(shelf: _Shelf) -> dict[str, Item | None]:
    """Return what each file says, in routing.yaml with the files that it includes."""
    there = [name for name in FILES if name not in MAY_BE_MISSING or name in shelf.names]
    plans = sorted(name for name in shelf.names if name.startswith(f"{PLANS}/"))
    said = {name: shelf.item(name) for name in (*there, *plans)}
    routing = said[ruling.FILE]
    return {**said, ruling.FILE: ruling.Including(shelf.included, shelf.bad).joined(routing) if routing else None}


def load_items(path: Path, maker: Callable[[Item, Complaints], T]) -> T:
    """Return what the maker makes of a single file of this kind; raise ConfigError with every problem in it."""
    bad = Complaints()
    item = _parse(str(path), _read(path, str(path), bad), bad)
    made = maker(item or _NOTHING, bad if item else Complaints())
    if bad.problems:
        raise ConfigError(bad.problems)
    return made


def load_tests(folder: Path, rulebook: Rulebook, paths: Iterable[Path] = ()) -> tuple[list[RuleTest], list[Problem]]:
    """Return the tests in these files (none: all in the folder beside the rules), and what is wrong with the files."""
    tests: list[RuleTest] = []
    problems: list[Problem] = []
    for path in [*paths] or sorted((folder / TESTS).glob("*.y*ml")):
        try:
            tests += load_items(path, lambda item, bad: tests_from(item, rulebook, bad))
        except ConfigError as error:
            problems += error.problems
    return tests, problems


def _version(contents: Mapping[str, bytes | None]) -> str:
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
        self.plans = {PurePosixPath(name).stem: i for name, i in said.items() if i and name not in FILES}
        for name, item in said.items():
            if item is not None and name in FILES:
                self._take(name, item)
        for names in self.known.names():
            names.broken = (names.section or "rules") not in self.sections

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
        service_levels = self._make("service_levels", sections.service_levels_from)
        regions = self._make("regions", sections.regions_from)
        customers = sections.in_regions(self._make("customers", sections.customers_from), regions)
        self.known.regions = sections.region_names(customers, regions)
        self.known.simplified = self._make("options", ruling.simplified_from)
        self._make("lists", ruling.take_lists)
        self._make("conditions", ruling.take_conditions)
        captures = (*self._make("captures", ruling.captures_from), *self._make("error_codes", ruling.error_codes_from))
        book = Rulebook(
            calendars=calendars,
            people=sections.with_teams(people, teams),
            teams=teams,
            rota=self._make("rota", sections.rota_from),
            out_of_hours=self._make("out_of_hours", sections.grave_from),
            recall=self._make("recall", sections.grave_from),
            service_levels=service_levels,
            hold_stops_clock=self._make("hold_stops_clock", sections.hold_reasons_from),
            next_in_line=self._make("next_in_line", sections.next_in_line_from),
            customers=customers,
            unknown_customers=self._make("unknown_customers", sections.unknown_customers_from),
            categories=categories,
            matrix=self._make("matrix", sections.matrix_from),
            keywords=self._make("keywords", sections.keywords_from),
            permits=self._make("authority", permits.permits_from),
            announcements=self._make("announcements", sections.announcements_from),
            phrases=self._make("phrases", sections.phrases_from),
            duties=self._make("duties", sections.duties_from),
            captures=captures,
            simplified=self.known.simplified,
            major=self._major(),
            alerts=self._make("alerts", sections.alerts_from),
            version=version,
        )
        rules = self._make("rules", ruling.rules_from)
        return replace(
            book,
            rules=tuple(r for r in rules if not r.off),
            switched_off=tuple(r for r in rules if r.off),
            unused=(*self.known.lists.unused(), *self.known.conditions.unused()),
            asks_similar=self.known.asks_similar,
            plans=self._plans({r.name: r for r in rules}),
        )

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


class _Shelf:
    """The files of one set of rules; remembers what was read, and what is wrong with it."""

    def __init__(self, files: RuleFiles) -> None:
        self.files = files
        self.names = files.names()
        self.read: dict[str, bytes | None] = {}
        self.bad = Complaints()

    def item(self, name: str) -> Item | None:
        """Return what this file says, None with a complaint where it cannot be read."""
        self.read[name] = self.files.read(name, self.bad)
        return _parse(name, self.read[name], self.bad)

    def included(self, name: str, entry: Item) -> Item | None:
        """Return what a file says that another one includes by this entry."""
        if name not in self.names:
            cure = did_you_mean(name, self.names) or "; write its path within the folder of the rules"
            self.bad.add(entry, f"there is no file '{name}' to include{cure}")
        elif name in FILES or name.startswith(f"{PLANS}/"):
            self.bad.add(entry, f"'{name}' has its own place and cannot be included; take this line out")
        elif self.files.leads_out(name):
            self.bad.add(entry, f"'{name}' lies outside the folder of the rules; copy it here")
        elif sum(len(content or b"") for content in self.read.values()) > MOST_BYTES:
            self.bad.add(entry, f"the files are larger than {MOST_BYTES} bytes together; include less")
        else:
            return self.item(name)
        return None


def _read(path: Path, name: str, bad: Complaints) -> bytes | None:
    """Return the bytes of the file, None with a complaint where they cannot be had."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            bad.problems.append(Problem(name, 0, "is no file (but a pipe, a folder or a device); put a file there"))
            return None
        if found.st_size > MAX_BYTES:
            bad.problems.append(Problem(name, 0, f"is larger than {MAX_BYTES} bytes; make it smaller"))
            return None
        return path.read_bytes()
    except FileNotFoundError:
        what = _MISSING
    except OSError as error:
        what = f"cannot be read: {error.strerror}; give it to the user that runs ticketd"
    bad.problems.append(Problem(name, 0, what))
    return None


def _strangers(shelf: _Shelf) -> list[Problem]:
    """Return a problem for each YAML file that would be passed over in silence."""
    found = sorted(name for name in shelf.names - shelf.read.keys() if not name.startswith(BESIDE))
    copies = _copies(found)
    alone = [name for name in found if not name.startswith(tuple(f"{folder}/" for folder in copies))]
    known = ", ".join(FILES)
    said = "holds a whole set of rules, which nothing reads: move it out of the folder of the rules, and try it with "
    told = [Problem(folder, 0, f"{said}'ticketd rules backtest DIR'") for folder in copies]
    return [*told, *(Problem(name, 0, _stranger(name, known)) for name in alone)]


def _copies(names: Iterable[str]) -> list[str]:
    """Return the folders that hold rule files by the names that these have in the folder of the rules."""
    folders = (name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in FILES)
    found = Counter(folder for folder in folders if folder)
    return sorted(folder for folder, count in found.items() if count > 1)


def _stranger(name: str, known: str) -> str:
    if "/" in name:
        return f"is included by no file; write '- include: {name}' under 'rules:' in {ruling.FILE}, or take it away"
    near = did_you_mean(name, FILES) or f"; the files are {known}; {ruling.FILE} may include others"
    return f"is no rule file{near}"


def _parse(file: str, content: bytes | None, bad: Complaints) -> Item | None:
    """Return what the file says, None with a complaint where it is not YAML."""
    if content is None:
        return None
    try:
        node = (_composed if len(content) <= _REMEMBERED else _composed.__wrapped__)(content)
        return Item(file, 1, None) if node is None else _Walk(file, bad).item(node)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(file, line, "is not UTF-8 here; save the file as UTF-8")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = Problem(file, mark.line + 1 if mark else 0, _not_yaml(str(error.problem)))
    except YAMLError:
        problem = Problem(file, 0, "has a character that YAML forbids; look for control characters")
    except RecursionError:
        problem = Problem(file, 0, "is nested too deeply; make it flatter")
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
