"""From what routing.yaml says to rules: names, conditions, actions, and the patterns that read words out of a mail.

What comes in: Items, the Names met so far, and Complaints. What goes out: Rules, Conditions and Findings; what is wrong
is complained of, never raised. This file alone knows the keys of routing.yaml and of the files that it includes;
alerts.yaml lends its conditions.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from daemon.errors import did_you_mean
from daemon.routing.conditions import (
    AllOf,
    Always,
    AnyOf,
    Capture,
    Condition,
    ConditionError,
    Finding,
    Flag,
    Mentioned,
    Named,
    Not,
    Words,
    WorkingHours,
    condition_from,
    size_of,
    split_key,
)
from daemon.routing.deeds import actions_from
from daemon.routing.facts import SIMILAR, TEXT_FIELDS
from daemon.routing.items import MAX_DEPTH, Complaints, Item, Known, Names, Table, as_list, as_table, as_text, each
from daemon.routing.specimens import specimens_from
from daemon.rulebook import Rule
from daemon.words import LooksAt

FILE = "routing.yaml"
SECTIONS = ("options", "lists", "conditions", "captures", "error_codes", "rules")
_INCLUDABLE = SECTIONS[1:]
MAX_RULES = 5000
MAX_FILES = 100
_MOST_CONDITIONS = 1000

# What may be read out of a mail into the ticket: the key in routing.yaml, and what it is.
CAPTURES: Mapping[str, str] = MappingProxyType(
    {
        "ci": "the configuration item that is affected: an asset number, a host",
        "order": "the number of an order or a request of theirs",
        "code": "an error code; several are kept",
        "region": "a region of customers.yaml, where there are some",
        "affected": "how many customers are affected: 1200, 1,200, 1.2万, 3k",
        "service": "the service that is affected",
        "place": "where it is",
    }
)
_LOOKED_FOR_IN = ("subject", "text")
_LONGEST_NAME = 200
_CAPTURED_FIELDS = frozenset({"ci", "order", "error code", "region", "mail"})
RULE_KEYS = {
    "name": "what it is called in histories",
    "for": "the mails that it looks at: new mails (if nothing is said), replies, or all",
    "when": "conditions that must all hold; without it, the rule holds for every mail",
    "capture": "patterns whose first brackets are read into fields of the ticket, where the rule holds",
    "then": "what follows",
    "stop": "no rule below is tried",
    "off": "the rule is kept, but not tried",
    "examples": "mails that it must match: subjects, or mails in short",
    "counter_examples": "mails that it must not match",
}


# --- files that include others ---


class Including:
    """Puts included files in the place of the entries that name them; `fetch` reads one, or complains."""

    def __init__(self, fetch: Callable[[str, Item], Item | None], bad: Complaints) -> None:
        self.fetch, self.bad = fetch, bad
        self.at: dict[str, Item] = {}

    def joined(self, file: Item) -> Item:
        """Return what routing.yaml says together with all that it includes."""
        if not isinstance(file.value, dict) or "rules" not in file.value:
            return file
        sections = dict(file.value)
        rules = sections["rules"]
        if isinstance(rules.value, list):
            sections["rules"] = replace(rules, value=list(self._spliced(rules.value, (FILE,), sections)))
        return replace(file, value=sections)

    def _spliced(self, entries: list[Item], chain: tuple[str, ...], sections: dict[str, Item]) -> Iterator[Item]:
        for entry in entries:
            if isinstance(entry.value, dict) and "include" in entry.value:
                yield from self._included(entry, chain, sections)
            else:
                yield entry

    def _included(self, entry: Item, chain: tuple[str, ...], sections: dict[str, Item]) -> Iterator[Item]:
        name = Table(entry, ("include",), self.bad, "an include").text("include")
        found = self.fetch(name, entry) if self._may_be_included(name, entry, chain) else None
        if found is None:
            return
        table = Table(found, _INCLUDABLE, self.bad, "an included file")
        for section, said in table.entries.items():
            if section in _INCLUDABLE and section != "rules":
                sections[section] = self._added(sections.get(section), said, section)
        rules = table.get("rules")
        if rules:
            yield from self._spliced(list(as_list(rules, self.bad, "'rules'")), (*chain, name), sections)

    def _may_be_included(self, name: str, entry: Item, chain: tuple[str, ...]) -> bool:
        if name in chain:
            way = " → ".join((*chain[chain.index(name) :], name))
            self.bad.add(entry, f"'{name}' includes itself without end: {way}; take this line out")
        elif name in self.at:
            self.bad.add(entry, f"'{name}' is included already ({self.at[name].where}); keep one of the two lines")
        elif posixpath.normpath(name) != name or name.startswith(("/", "../")):
            self.bad.add(
                entry, f"'{name}' is no path within the folder of the rules; write it as in routing/network.yaml"
            )
        elif len(self.at) >= MAX_FILES:
            self.bad.add(entry, f"more than {MAX_FILES} files are included; put some of them together")
        else:
            self.at[name] = entry
            return bool(name)
        return False

    def _added(self, there: Item | None, more: Item, section: str) -> Item:
        """Return a section with what an included file adds to it."""
        if there is None or there.value is None:
            return more
        if isinstance(there.value, list) and isinstance(more.value, list):
            return replace(there, value=[*there.value, *more.value])
        both = as_table(there, self.bad, f"'{section}'"), as_table(more, self.bad, f"'{section}'")
        for key in both[0].keys() & both[1].keys():
            self.bad.add(both[1][key], f"'{key}' is said already ({both[0][key].where}); use another name here")
        return replace(there, value={**both[1], **both[0]})


# --- options, lists, named conditions ---


def simplified_from(item: Item, _known: Known, bad: Complaints) -> bool:
    """Return whether traditional and simplified characters are the same to rules."""
    return Table(item, ("simplified",), bad, "'options'").flag("simplified") if item.value else False


def take_lists(item: Item, known: Known, bad: Complaints) -> None:
    """Take up the named lists of words."""
    for name, entry in as_table(item, bad, "'lists'").items() if item.value else ():
        known.lists.add(entry, name, bad)
        words = tuple(as_text(word, bad, name) for word in each(entry)) if entry.value else ()
        if not words:
            bad.add(entry, f"the list '{name}' is empty; write at least one word, or take it out")
        known.words[name] = tuple(word for word in words if word)


def take_conditions(item: Item, known: Known, bad: Complaints) -> None:
    """Take up the named conditions; one may be made of others, whatever their order, but not of itself."""
    entries = as_table(item, bad, "'conditions'") if item.value else {}
    for name, entry in entries.items():
        known.conditions.add(entry, name, bad)
    known.sources = dict(entries)
    for name, entry in entries.items():
        _named(name, entry, known, bad)


def _named(name: str, used_by: Item, known: Known, bad: Complaints) -> Condition:
    """Return the condition of this name, read now if it was not yet; complain where it is made of itself."""
    if name in known.meanings:
        return known.meanings[name]
    if name in known.reading or len(known.reading) >= MAX_DEPTH:
        way = " → ".join((*known.reading, name))
        bad.add(used_by, f"'{name}' is made of itself, or of too many others ({way}); take it out here")
        return Always()
    known.reading.append(name)
    part = condition_from_item(known.sources[name], known, bad)
    known.reading.pop()
    return known.meanings.setdefault(name, Named(name, part, size_of(part)))


# --- captures ---


def captures_from(item: Item, known: Known, bad: Complaints) -> tuple[Finding, ...]:
    """Return what is read out of every mail that opens a ticket."""
    entries = as_list(item, bad, "'captures'") if item.value else ()
    return tuple(finding for entry in entries for finding in _finding(entry, known, bad))


def _finding(item: Item, known: Known, bad: Complaints) -> Iterator[Finding]:
    table = Table(item, ("into", "pattern", "words", "in"), bad, "a capture")
    into = table.need("into", "ci")
    pattern, words = table.get("pattern"), table.get("words")
    if (pattern is None) == (words is None):
        bad.add(item, "a capture needs one of pattern: 'ASSET-(\\d+)' and words: [vpn-gw-1, vpn-gw-2]")
        return
    fields = tuple(name for entry in _each_in(table) if (name := _field(entry, bad)))
    word = _into(into, bad) if into else ""
    if word and words is not None:
        yield Finding(word, Mentioned(_words_of(words, known, bad), fields, known.simplified), _known_for(word, known))
    elif word and pattern is not None:
        yield from _by_pattern(word, pattern, fields, known, bad)


def _each_in(table: Table) -> list[Item]:
    item = table.get("in")
    return each(item) if item else [Item(table.item.file, table.item.line, name) for name in _LOOKED_FOR_IN]


def _field(item: Item, bad: Complaints) -> str:
    """Return the field of the mail that this names, "" with a complaint where it names none."""
    word = as_text(item, bad, "in")
    known = tuple(name for name in TEXT_FIELDS if name not in _CAPTURED_FIELDS and not name.startswith("ticket "))
    if word in known or (word.startswith("header ") and not split_key(word)[2]):
        return word
    if word:
        cure = did_you_mean(word, known) or f"; write some of {', '.join(known)}, header NAME"
        bad.add(item, f"a capture cannot look into '{word}'{cure}")
    return ""


def _into(item: Item, bad: Complaints) -> str:
    word = as_text(item, bad, "into")
    if word and word not in CAPTURES:
        bad.add(item, f"nothing is captured into '{word}'{did_you_mean(word, CAPTURES) or _captures_known()}")
    return word if word in CAPTURES else ""


def _captures_known() -> str:
    return f"; write one of {', '.join(CAPTURES)}"


def _known_for(into: str, known: Known) -> dict[str, str]:
    return known.regions if into == "region" else {}


def _by_pattern(into: str, item: Item, fields: tuple[str, ...], known: Known, bad: Complaints) -> Iterator[Finding]:
    """Yield what this pattern reads; complain where it has no brackets around the thing itself."""
    capture = capture_from(item, fields, bad, simplified=known.simplified)
    if capture and not capture.groups:
        bad.add(item, f"the pattern has no group; put brackets around the {into} itself: 'number (\\d+)'")
    elif capture:
        yield Finding(into, capture, _known_for(into, known))


def error_codes_from(item: Item, known: Known, bad: Complaints) -> tuple[Finding, ...]:
    """Return the patterns whose first group is an error code: captures into `code`, written shorter."""
    entries = as_list(item, bad, "'error_codes'") if item.value else ()
    return tuple(f for entry in entries for f in _by_pattern("code", entry, _LOOKED_FOR_IN, known, bad))


def capture_from(item: Item, fields: tuple[str, ...], bad: Complaints, *, simplified: bool = False) -> Capture | None:
    """Return the pattern, looked for in these fields; None with a complaint where it cannot be used."""
    try:
        return Capture(as_text(item, bad, "a pattern"), fields, simplified)
    except ConditionError as error:
        bad.add(item, str(error))
        return None


def rules_from(item: Item, known: Known, bad: Complaints) -> tuple[Rule, ...]:
    """Return the rules in the order of the file."""
    entries = list(as_list(item, bad, "'rules'"))
    if len(entries) > MAX_RULES:
        bad.add(item, f"there are {len(entries)} rules; at most {MAX_RULES} are read, join some with 'any:'")
        return ()
    seen: dict[str, str] = {}
    rules = []
    for entry in entries:
        rule = _rule(entry, known, bad)
        if rule.name and (there := seen.setdefault(rule.name, entry.where)) != entry.where:
            where = there.removeprefix(f"{entry.file}:") if there.startswith(f"{entry.file}:") else ""
            bad.add(
                entry,
                f"another rule ({f'line {where}' if where else there}) is called '{rule.name}'; names tell rules apart",
            )
        rules.append(rule)
    return tuple(rules)


def _rule(item: Item, known: Known, bad: Complaints) -> Rule:
    table = Table(item, RULE_KEYS, bad, "a rule")
    table.need("name", "a few words that say what it is for")
    when, then, stop = table.entries.get("when"), table.get("then"), table.flag("stop")
    looks_at = next(iter(table.choices("for", LooksAt)), LooksAt.NEW)
    capture = table.get("capture")
    if then is None and capture is None and not stop:
        table.need("then", "{category: network, team: network}")
    if capture and looks_at is LooksAt.REPLIES:
        bad.add(capture, "'capture' fills in the record of a new ticket; take 'for: replies' or the capture out")
    return Rule(
        name=_name(table, bad),
        when=_of_limited_size(when, known, bad) if when else Always(),
        then=tuple(actions_from(then, looks_at, known, bad)) if then else (),
        stop=stop,
        looks_at=looks_at,
        captures=tuple(_captures_of_a_rule(capture, known, bad)) if capture else (),
        where=item.where,
        off=table.flag("off"),
        examples=specimens_from(table.get("examples"), known, bad),
        counter_examples=specimens_from(table.get("counter_examples"), known, bad),
    )


def _name(table: Table, bad: Complaints) -> str:
    """Return what a rule is called; it stands in histories, logs and mails, so it is one line that people can read."""
    name = table.text("name")
    if not name.replace("\u3000", " ").isprintable() or len(name) > _LONGEST_NAME:
        bad.add(table.entries["name"], f"a name is one line of visible text, at most {_LONGEST_NAME} characters long")
    return name


def _captures_of_a_rule(item: Item, known: Known, bad: Complaints) -> Iterator[Finding]:
    """Yield what `capture: {ci: 'ASSET-(\\d+)'}` reads."""
    for word, entry in as_table(item, bad, "'capture'").items():
        if word in CAPTURES:
            yield from _by_pattern(word, entry, _LOOKED_FOR_IN, known, bad)
        else:
            bad.add(entry, f"nothing is captured into '{word}'{did_you_mean(word, CAPTURES) or _captures_known()}")


def _of_limited_size(item: Item, known: Known, bad: Complaints) -> Condition:
    condition = condition_from_item(item, known, bad)
    if (size := size_of(condition)) > _MOST_CONDITIONS:
        bad.add(item, f"the rule is made of {size} conditions; write at most {_MOST_CONDITIONS}, or a list of words")
    return condition


def condition_from_item(item: Item, known: Known, bad: Complaints, depth: int = 0) -> Condition:
    """Return the condition of a table whose lines must all hold."""
    if depth > MAX_DEPTH:
        bad.add(item, f"conditions are nested deeper than {MAX_DEPTH}; make them flatter")
        return Always()
    if isinstance(item.value, list):
        bad.add(item, "a list of conditions needs a word before it: write 'any:' or 'all:' above the list")
        return Always()
    if item.value in (None, {}):
        bad.add(item, "there is no condition here; write one, or leave 'when:' out for a rule that always holds")
        return Always()
    parts = [
        part
        for key, entry in as_table(item, bad, "a condition").items()
        if (part := _part(key, entry, known, bad, depth)) is not None
    ]
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _part(key: str, item: Item, known: Known, bad: Complaints, depth: int) -> Condition | None:
    if key in ("all", "any"):
        if item.value == []:
            bad.add(item, f"'{key}' has an empty list; write at least one condition, or take it out")
        parts = tuple(condition_from_item(entry, known, bad, depth + 1) for entry in as_list(item, bad, f"'{key}'"))
        return AllOf(parts) if key == "all" else AnyOf(parts)
    if key == "not":
        return Not(condition_from_item(item, known, bad, depth + 1))
    if key == "condition":
        return _conditions_named(item, known, bad)
    words = _words_of(item, known, bad) if _names_lists(item) else None
    if words == ():
        return None
    try:
        leaf = condition_from(key, item.plain() if words is None else list(words), simplified=known.simplified)
        return _with_names(leaf, item, known, bad)
    except ConditionError as error:
        bad.add(item, str(error))
        return None


def _conditions_named(item: Item, known: Known, bad: Complaints) -> Condition | None:
    """Return the conditions of these names, which must all hold."""
    found = [known.conditions.find(entry, as_text(entry, bad, "condition"), bad) for entry in each(item)]
    parts = tuple(_named(name, item, known, bad) for name in found if name)
    return parts[0] if len(parts) == 1 else AllOf(parts) if parts else None


def _names_lists(item: Item) -> bool:
    return any(isinstance(entry.value, dict) for entry in each(item))


def _words_of(item: Item, known: Known, bad: Complaints) -> tuple[str, ...]:
    """Return the words of a list in which `{list: NAME}` stands for those of a named one."""
    return tuple(word for entry in each(item) for word in _word_or_list(entry, known, bad))


def _word_or_list(item: Item, known: Known, bad: Complaints) -> tuple[str, ...]:
    if not isinstance(item.value, dict):
        return (as_text(item, bad, "a word"),)
    table = Table(item, ("list",), bad, "a list of words")
    name = table.reference("list", known.lists) if table.need("list", "the name of one under 'lists:'") else ""
    return known.words.get(name, ())


def _with_names(leaf: Condition, item: Item, known: Known, bad: Complaints) -> Condition:
    """Return the condition with aliases replaced by keys; complain of names that nobody has."""
    if isinstance(leaf, Flag) and leaf.field == SIMILAR:
        known.asks_similar = True
    if isinstance(leaf, WorkingHours):
        return replace(leaf, calendar=known.calendars.find(item, leaf.calendar, bad))
    if isinstance(leaf, Words) and leaf.operator in ("is", "in", "within") and leaf.field in TEXT_FIELDS:
        names: Names | None = getattr(known, TEXT_FIELDS[leaf.field].names, None)
        if names is not None:
            return replace(leaf, words=tuple(names.find(item, word, bad) for word in leaf.words))
    return leaf
