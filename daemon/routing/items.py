"""Items are what a rule file says, each with its line; readers turn them into values or complaints.

What comes in: items made by daemon.routing.loader. What goes out: text, numbers, durations, choices, and in a
Complaints every problem met on the way. Nothing here reads a file; a reader that complains returns a harmless
value, so that the rest of the file is still looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from daemon.errors import Problem, did_you_mean
from daemon.routing.conditions import Named, fold

Choice = TypeVar("Choice", bound=StrEnum)
MAX_DEPTH = 20
_SHOWN = 12
_SHORT = 60


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a file says. In a table the line is that of the key, in a list that of the entry."""

    file: str
    line: int
    value: str | int | bool | list[Item] | dict[str, Item] | None

    @property
    def where(self) -> str:
        """The place as history names it: file within the folder of the rules, and line."""
        name = self.file.rpartition("/")[2] if self.file.startswith("/") else self.file
        return f"{name}:{self.line}"

    def plain(self) -> object:
        """Return the value without lines, as YAML means it."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def shown(self) -> str:
        """Return the value as a complaint quotes it."""
        if self.value is None:
            return "nothing"
        if isinstance(self.value, list | dict):
            return "a list" if isinstance(self.value, list) else "a table"
        return f"'{str(self.value)[:_SHORT]}'"


class Complaints:
    """Everything found wrong so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, item: Item, what: str) -> None:
        """Note what is wrong here, and what to write instead."""
        self.problems.append(Problem(item.file, item.line, what))


@dataclass(slots=True)
class Names:
    """The names of one kind (teams, people …), and where they stand; `broken`: that cannot be read.

    `section` is the part of the file that must be there, "" where it may be missing.
    """

    kind: str
    file: str
    section: str = ""
    broken: bool = False
    _keys: dict[str, str] = field(default_factory=dict)
    _where: dict[str, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def add(self, item: Item, key: str, bad: Complaints, aliases: Iterable[str] = ()) -> None:
        """Take up a key and its aliases; complain where two of them mean different things."""
        self._where[key] = item.where
        for name in (key, *aliases):
            other = self._keys.setdefault(fold(name), key)
            if other != key:
                bad.add(item, f"'{name}' already means the {self.kind} '{other}'; use another word here")

    def find(self, item: Item, word: str, bad: Complaints) -> str:
        """Return the key that this word means; complain and return "" where there is none."""
        key = self._keys.get(fold(word), "")
        if not key and not self.broken:
            known = sorted(set(self._keys.values()))
            more = " …" if len(known) > _SHOWN else ""
            cure = did_you_mean(word, known) or (
                f"; write one of {', '.join(known[:_SHOWN])}{more}, or add it to {self.file}"
                if known
                else f"; add it to {self.file}"
            )
            bad.add(item, f"no {self.kind} is called '{word}'{cure}")
        self._used.add(key)
        return key

    def unused(self) -> tuple[tuple[str, str], ...]:
        """Return (place, what it is called) of everything that nothing has named."""
        return tuple((where, f"{self.kind} '{key}'") for key, where in self._where.items() if key not in self._used)


@dataclass(slots=True)
class Known:
    """The names that rule files give to things, so that other files can be held to them.

    `words` and `meanings` hold what the lists and the named conditions of routing.yaml stand for; `sources` are the
    items of those conditions, `reading` those that are being read. `regions` is folded word → region.
    """

    calendars: Names = field(default_factory=lambda: Names("calendar", "calendars.yaml", "calendars"))
    people: Names = field(default_factory=lambda: Names("person", "people.yaml", "people"))
    teams: Names = field(default_factory=lambda: Names("team", "people.yaml", "teams"))
    service_levels: Names = field(
        default_factory=lambda: Names("service level", "service_levels.yaml", "service_levels")
    )
    customers: Names = field(default_factory=lambda: Names("customer", "customers.yaml", "customers"))
    categories: Names = field(default_factory=lambda: Names("category", "categories.yaml", "categories"))
    lists: Names = field(default_factory=lambda: Names("list", "routing.yaml"))
    conditions: Names = field(default_factory=lambda: Names("condition", "routing.yaml"))
    regions: dict[str, str] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    meanings: dict[str, Named] = field(default_factory=dict)
    sources: dict[str, Item] = field(default_factory=dict)
    reading: list[str] = field(default_factory=list)
    simplified: bool = False
    asks_similar: bool = False

    def names(self) -> Iterator[Names]:
        """Yield every kind of name."""
        values = (getattr(self, f.name) for f in fields(self))
        return (value for value in values if isinstance(value, Names))


class Table:
    """Reads the keys of one table; complains of unknown keys at once, of wrong values when asked for."""

    def __init__(self, item: Item, knows: Iterable[str], bad: Complaints, what: str) -> None:
        self.item, self.bad, self.what = item, bad, what
        self.entries: Mapping[str, Item] = as_table(item, bad, what)
        known = tuple(knows)
        for key, entry in self.entries.items():
            if key not in known:
                cure = did_you_mean(key, known) or f"; it knows {', '.join(known)}"
                bad.add(entry, f"{what} has no key '{key}'{cure}")

    def get(self, key: str) -> Item | None:
        """Return the item under this key, None where the key is missing or says nothing."""
        item = self.entries.get(key)
        return item if item is not None and item.value is not None else None

    def need(self, key: str, example: str) -> Item | None:
        """Return the item under this key; complain with an example where it is missing."""
        item = self.get(key)
        if item is None:
            self.bad.add(self.entries.get(key, self.item), f"{self.what} lacks '{key}'; write {key}: {example}")
        return item

    def text(self, key: str, default: str = "") -> str:
        """Return the text under this key."""
        item = self.get(key)
        return default if item is None else as_text(item, self.bad, key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts under this key, which may be one or a list."""
        item = self.get(key)
        return () if item is None else tuple(as_text(i, self.bad, key) for i in each(item))

    def number(self, key: str, default: int, lowest: int, highest: int) -> int:
        """Return the whole number under this key."""
        item = self.get(key)
        if item is None:
            return default
        value = item.value
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self.bad.add(item, f"'{key}' is a number from {lowest} to {highest}, got {item.shown()}")
            return default
        return value

    def flag(self, key: str) -> bool:
        """Return whether this key says true."""
        item = self.get(key)
        if item is not None and not isinstance(item.value, bool):
            self.bad.add(item, f"'{key}' is true or false, got {item.shown()}")
        return item is not None and item.value is True

    def choices(self, key: str, kind: type[Choice]) -> tuple[Choice, ...]:
        """Return the words of this vocabulary under this key, which may be one or a list."""
        item = self.get(key)
        found = (as_choice(i, kind, self.bad, key) for i in each(item)) if item else ()
        return tuple(choice for choice in found if choice is not None)

    def reference(self, key: str, names: Names) -> str:
        """Return the key of the thing that is named under this key, "" where none is."""
        item = self.get(key)
        word = self.text(key)
        return names.find(item, word, self.bad) if item is not None and word else ""

    def references(self, key: str, names: Names) -> tuple[str, ...]:
        """Return the keys of the things that are named under this key, which may be one or a list."""
        item = self.get(key)
        found = (names.find(i, as_text(i, self.bad, key), self.bad) for i in each(item)) if item else ()
        return tuple(name for name in found if name)

    def by_language(self, key: str) -> dict[str, str]:
        """Return language → text; one plain text counts for every language."""
        item = self.get(key)
        if item is None:
            return {}
        if not isinstance(item.value, dict):
            text = as_text(item, self.bad, key)
            return {"zh": text, "en": text}
        return {language: as_text(i, self.bad, language) for language, i in item.value.items()}


def somebody(item: Item, word: str, roles: Sequence[str], known: Known, bad: Complaints) -> str:
    """Return a role, or the key of a team or a person; complain of a name that is none of them, and return ""."""
    if word in roles:
        return word
    found = known.teams.find(item, word, Complaints()) or known.people.find(item, word, Complaints())
    if not found and not (known.teams.broken or known.people.broken):
        cure = did_you_mean(word, roles) or f"; write one of {', '.join(roles)}, or a team or person of people.yaml"
        bad.add(item, f"nobody is called '{word}'{cure}")
    return found


def as_table(item: Item, bad: Complaints, what: str) -> Mapping[str, Item]:
    """Return the table that this item must be, {} with a complaint if it is none."""
    if isinstance(item.value, dict):
        return item.value
    bad.add(item, f"{what} must be a table of 'key: value' lines, got {item.shown()}")
    return {}


def as_list(item: Item, bad: Complaints, what: str) -> Iterator[Item]:
    """Yield the entries of the list that this item must be; complain if it is none."""
    if isinstance(item.value, list):
        yield from item.value
    else:
        bad.add(item, f"{what} must be a list, each entry on a line that begins with '- ', got {item.shown()}")


def each(item: Item) -> list[Item]:
    """Return the entries of a list, or the item itself where it is none."""
    return item.value if isinstance(item.value, list) else [item]


def as_text(item: Item, bad: Complaints, key: str) -> str:
    """Return the text that this item must be, "" with a complaint if it is none."""
    if isinstance(item.value, str | int) and not isinstance(item.value, bool) and str(item.value).strip():
        return str(item.value).strip()
    quotes = "; put quotes around it" if isinstance(item.value, bool) else ""
    bad.add(item, f"'{key}' wants a text, got {item.shown()}{quotes}")
    return ""


def as_choice(item: Item, kind: type[Choice], bad: Complaints, key: str) -> Choice | None:
    """Return the word of this vocabulary, None with a complaint if it is not one of them."""
    text = fold(as_text(item, bad, key))
    if text in set(kind):
        return kind(text)
    if text:
        cure = did_you_mean(text, kind) or f"; write one of {', '.join(kind)}"
        bad.add(item, f"'{key}' knows no '{text}'{cure}")
    return None


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def as_duration(item: Item, bad: Complaints, key: str) -> timedelta:
    """Return the time that '15m', '4h' or '2d' means; a complaint and one hour if it means none."""
    found = re.fullmatch(r"([1-9]\d{0,4})\s*([smhd])", str(item.value))
    if found:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    bad.add(item, f"'{key}' is a time such as 15m, 4h or 2d, got {item.shown()}")
    return timedelta(hours=1)
