"""From major.yaml and the files under plans/ to how major incidents are run, and to emergency plans.

What comes in: Items, the Names met so far, and Complaints. What goes out: the dataclasses of daemon.rulebook;
what is wrong is complained of, never raised. This file alone knows the keys of these files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from daemon.errors import did_you_mean
from daemon.major import LIMITS
from daemon.routing.items import Complaints, Item, Known, Names, Table, as_duration, as_list, as_table, each, somebody
from daemon.routing.sections import STEP_AUDIENCES, audience_from, severity_from
from daemon.rulebook import Assignment, MajorRules, Plan, Rule, WarningLevel
from daemon.words import Role, Severity

_MOST_REMINDERS = 100
_MOST_TASKS = 200
_MOST_PEOPLE = 2_000_000_000
_WHO = (
    "assignee",
    "lead",
    "team",
    "pm",
    *(str(r) for r in (Role.DESK, Role.MANAGER, Role.DIRECTOR, Role.SALES)),
    "duty",
)
"""For whom a task or a plan may be, beside teams and people: names that always stand for people of ours."""


# --- major.yaml ---


def major_from(item: Item, known: Known, bad: Complaints) -> MajorRules:
    """Return how major incidents are run."""
    table = Table(item, ("owner", "levels", "chase", "network", "complaints"), bad, "'major'")
    entry, chase = table.need("levels", "{red: {update_every: 30m}}"), table.get("chase")
    levels = _levels(entry, bad) if entry else ()
    rules = MajorRules(
        levels=levels,
        owner=_who(table, "owner", known) or MajorRules().owner,
        network=table.references("network", known.categories),
        complaints=table.references("complaints", known.categories),
    )
    return _chased(rules, chase, bad) if chase else rules


def _levels(item: Item, bad: Complaints) -> tuple[WarningLevel, ...]:
    """Return the levels in the order of the file; a word may mean one of them only."""
    names = Names("warning level", "major.yaml")
    levels = []
    for key, entry in as_table(item, bad, "'levels'").items():
        level = _level(key, entry, bad)
        names.add(entry, key, bad, (*level.name.values(), *level.words))
        levels.append(level)
    for graver, milder in pairwise(levels):
        _falls(as_table(as_table(item, bad, "")[milder.key], bad, ""), graver, milder, bad)
    return tuple(levels)


def _level(key: str, item: Item, bad: Complaints) -> WarningLevel:
    table = Table(item, ("name", "words", "update_every", "remind_every", *LIMITS), bad, f"the level '{key}'")
    every, remind = table.need("update_every", "30m"), table.get("remind_every")
    often = as_duration(every, bad, "update_every") if every else timedelta(hours=1)
    return WarningLevel(
        key=key,
        name=table.by_language("name") or {"zh": key, "en": key},
        words=table.texts("words"),
        every=often,
        remind=as_duration(remind, bad, "remind_every") if remind else often,
        limits={name: table.number(name, 0, 0, _MOST_PEOPLE) for name in LIMITS if table.get(name)},
    )


def _falls(entries: Mapping[str, Item], graver: WarningLevel, milder: WarningLevel, bad: Complaints) -> None:
    """Complain of a milder level that nothing would ever reach, since the graver one before it begins as low."""
    for name, limit in milder.limits.items():
        if limit >= graver.limits.get(name, limit + 1):
            bad.add(
                entries[name],
                f"'{milder.key}' is never reached by '{name}': '{graver.key}' above it begins at "
                f"{graver.limits[name]} already; write a smaller number, and the gravest level first",
            )


def _chased(rules: MajorRules, item: Item, bad: Complaints) -> MajorRules:
    """Return the rules with how a missed update is chased; the widest interval is none that a level begins above."""
    table = Table(item, ("asked", "then", "widest"), bad, "'chase'")
    then = audience_from(table, "then", STEP_AUDIENCES) if table.get("then") else ()
    often = table.get("widest")
    widest = as_duration(often, bad, "widest") if often else rules.widest
    slow = next((level for level in rules.levels if level.remind > widest), None)
    if often and slow:
        bad.add(
            often,
            f"'widest' is shorter than the level '{slow.key}' is chased at first ('remind_every'); write a longer one",
        )
    asked = table.number("asked", rules.asked, 1, _MOST_REMINDERS)
    return replace(rules, asked=asked, then=then, widest=widest)


# --- plans/*.yaml: one plan in each, its key being the name of the file ---

_OF_A_PLAN = ("name", "aliases", "coordinator", "remind_after", "trigger", "starts", "tasks")
_STARTS = ("by_itself", "when_asked")
_ASKED_AGAIN = timedelta(minutes=15)


def plan_from(key: str, item: Item, known: Known, rules: Mapping[str, Rule], bad: Complaints) -> Plan:
    """Return the plan of one file; `rules` are the routing rules by name."""
    whole = Table(item, ("plan",), bad, "the file").need("plan", "and what belongs to it")
    table = Table(whole or Item(item.file, item.line, {}), _OF_A_PLAN, bad, "the plan")
    tasks = table.need("tasks", "and a list of what, who, within") if whole else None
    trigger, remind = table.get("trigger"), table.get("remind_after")
    fits = Table(trigger, ("categories", "severity", "rules"), bad, "'trigger'") if trigger else None
    grave = fits.get("severity") if fits else None
    return Plan(
        key=key,
        name=table.by_language("name") or {"zh": key, "en": key},
        aliases=table.texts("aliases"),
        coordinator=_who(table, "coordinator", known) or "duty",
        remind=as_duration(remind, bad, "remind_after") if remind else _ASKED_AGAIN,
        categories=fits.references("categories", known.categories) if fits else (),
        rules=_rules_named(fits, rules) if fits else (),
        severity=(severity_from(grave, bad) if grave else None) or Severity.LOW,
        by_itself=_starts(table) == "by_itself",
        tasks=_tasks(tasks, known, bad) if tasks else (),
        where=item.where,
    )


def _starts(table: Table) -> str:
    word = table.text("starts", "when_asked")
    if word not in _STARTS:
        cure = did_you_mean(word, _STARTS) or f"; write one of {', '.join(_STARTS)}"
        table.bad.add(table.entries["starts"], f"'starts' knows no '{word}'{cure}")
    return word


def _rules_named(table: Table, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Return the names of routing rules; a plan that waits for a rule that is gone would never start."""
    item = table.get("rules")
    for entry in each(item) if item else ():
        name = str(entry.value)
        if name not in rules:
            cure = did_you_mean(name, rules) or "; copy its 'name:' from routing.yaml"
            table.bad.add(entry, f"no routing rule is called '{name}'{cure}")
    return tuple(name for name in table.texts("rules") if name in rules)


def _tasks(item: Item, known: Known, bad: Complaints) -> tuple[Assignment, ...]:
    entries = list(as_list(item, bad, "'tasks'"))
    if not 1 <= len(entries) <= _MOST_TASKS:
        bad.add(item, f"a plan has from 1 to {_MOST_TASKS} tasks, this one has {len(entries)}")
    return tuple(_task(number, entry, known, bad) for number, entry in enumerate(entries, start=1))


def _task(number: int, item: Item, known: Known, bad: Complaints) -> Assignment:
    table = Table(item, ("what", "who", "within", "after"), bad, f"task {number}")
    table.need("what", "{zh: 切断电源, en: Cut the power}")
    within = table.need("within", "15m")
    table.need("who", "duty")
    return Assignment(
        what=table.by_language("what"),
        who=_who(table, "who", known),
        within=as_duration(within, bad, "within") if within else timedelta(hours=1),
        after=_before(table, number),
    )


def _before(table: Table, number: int) -> tuple[int, ...]:
    """Return the tasks that must be done first: only such as stand above, so that they cannot wait for each other."""
    item = table.get("after")
    for entry in each(item) if item else ():
        if isinstance(entry.value, bool) or not isinstance(entry.value, int) or not 1 <= entry.value < number:
            table.bad.add(entry, f"'after' names tasks above this one, from 1 to {number - 1}, got {entry.shown()}")
    values = (entry.value for entry in (each(item) if item else ()))
    return tuple(v for v in values if isinstance(v, int) and 1 <= v < number)


def _who(table: Table, key: str, known: Known) -> str:
    """Return a role, or the key of a team or a person; complain of a name that is none of them."""
    item, word = table.get(key), table.text(key)
    return somebody(item, word, _WHO, known, table.bad) if item is not None and word else word
