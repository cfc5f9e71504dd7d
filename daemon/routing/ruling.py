"""From what routing.yaml says to rules: names, conditions, actions, and the patterns that read words out of a mail.

What comes in: Items, the Names met so far, and Complaints. What goes out: Rules, Conditions and Captures; what is wrong
is complained of, never raised. This file alone knows the keys of routing.yaml; alerts.yaml lends its conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from daemon.routing.actions import Action, ActionError, AddWatchers, SetField, action_from
from daemon.routing.conditions import (
    AllOf,
    Always,
    AnyOf,
    Capture,
    Condition,
    ConditionError,
    Not,
    Words,
    WorkingHours,
    condition_from,
)
from daemon.routing.items import MAX_DEPTH, Complaints, Item, Known, Table, as_list, as_table, as_text
from daemon.rulebook import Rule

MAX_RULES = 5000


def error_codes_from(item: Item, _known: Known, bad: Complaints) -> tuple[Capture, ...]:
    """Return the patterns whose first group is an error code."""
    entries = as_list(item, bad, "'error_codes'") if item.value else ()
    made = [(entry, capture) for entry in entries if (capture := capture_from(entry, ("subject", "text"), bad))]
    for entry, capture in made:
        if not capture.groups:
            bad.add(entry, "the pattern has no group; put brackets around the code itself: 'error (\\d+)'")
    return tuple(capture for _, capture in made if capture.groups)


def capture_from(item: Item, fields: tuple[str, ...], bad: Complaints) -> Capture | None:
    """Return the pattern, looked for in these fields; None with a complaint where it cannot be used."""
    try:
        return Capture(as_text(item, bad, "a pattern"), fields)
    except ConditionError as error:
        bad.add(item, str(error))
        return None


def rules_from(item: Item, known: Known, bad: Complaints) -> tuple[Rule, ...]:
    """Return the rules in the order of the file."""
    entries = list(as_list(item, bad, "'rules'"))
    if len(entries) > MAX_RULES:
        bad.add(item, f"there are {len(entries)} rules; at most {MAX_RULES} are read, join some with 'any:'")
        return ()
    seen: dict[str, int] = {}
    rules = []
    for entry in entries:
        rule = _rule(entry, known, bad)
        if rule.name and seen.setdefault(rule.name, entry.line) != entry.line:
            bad.add(
                entry,
                f"another rule (line {seen[rule.name]}) is called '{rule.name}'; names tell rules apart",
            )
        rules.append(rule)
    return tuple(rules)


def _rule(item: Item, known: Known, bad: Complaints) -> Rule:
    table = Table(item, ("name", "when", "then", "stop"), bad, "a rule")
    table.need("name", "a few words that say what it is for")
    when, then, stop = table.entries.get("when"), table.get("then"), table.flag("stop")
    if then is None and not stop:
        table.need("then", "{category: network, team: network}")
    return Rule(
        name=table.text("name"),
        when=condition_from_item(when, known, bad) if when else Always(),
        then=tuple(_actions(then, known, bad)) if then else (),
        stop=stop,
        where=item.where,
    )


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
        parts = tuple(condition_from_item(entry, known, bad, depth + 1) for entry in as_list(item, bad, f"'{key}'"))
        return AllOf(parts) if key == "all" else AnyOf(parts)
    if key == "not":
        return Not(condition_from_item(item, known, bad, depth + 1))
    try:
        leaf = condition_from(key, item.plain())
    except ConditionError as error:
        bad.add(item, str(error))
        return None
    if isinstance(leaf, Words) and leaf.field == "customer" and leaf.operator in ("is", "in"):
        return replace(leaf, words=tuple(known.customers.find(item, word, bad) for word in leaf.words))
    if isinstance(leaf, WorkingHours):
        return replace(leaf, calendar=known.calendars.find(item, leaf.calendar, bad))
    return leaf


def _actions(item: Item, known: Known, bad: Complaints) -> Iterator[Action]:
    for word, entry in as_table(item, bad, "'then'").items():
        try:
            action = action_from(word, entry.plain())
        except ActionError as error:
            bad.add(entry, str(error))
            continue
        yield _with_known_names(action, entry, known, bad)


def _with_known_names(action: Action, item: Item, known: Known, bad: Complaints) -> Action:
    """Return the action with aliases replaced by keys; complain of names that nobody has."""
    match action:
        case SetField("category" | "team" | "assignee" as name, word):
            names = {"category": known.categories, "team": known.teams, "assignee": known.people}[name]
            return SetField(name, names.find(item, str(word), bad))
        case AddWatchers(watchers):
            return AddWatchers(tuple(w.lower() if "@" in w else known.people.find(item, w, bad) for w in watchers))
        case _:
            return action
