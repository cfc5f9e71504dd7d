"""What may stand in the rule files, as JSON Schemas: editors complete and mark errors by them while one is typing.

What comes in: the tables of fields, operators, actions, keywords, events and audiences, from which everything else is
made too. What goes out: one schema (draft 7) for each rule file. The check knows more (names, examples, what hides
what); a schema knows shapes and fixed words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daemon.major import LIMITS
from daemon.routing.actions import ACTIONS, MAJOR
from daemon.routing.conditions import (
    AGE_OPERATORS,
    COUNT_OPERATORS,
    OPERATOR_ALIASES,
    SIZE_OPERATORS,
    TEXT_OPERATORS,
    TIME_KEYS,
    TREE_OPERATORS,
    WEEKDAYS,
)
from daemon.routing.facts import AGE_FIELDS, COUNT_FIELDS, FLAG_FIELDS, SIZE_FIELDS, TEXT_FIELDS, TextField
from daemon.routing.permits import KEYS
from daemon.routing.ruling import CAPTURES, RULE_KEYS
from daemon.routing.sections import AUDIENCES, CLOCKS, EVENTS, GRADES, PHRASE_GROUPS, STEP_AUDIENCES
from daemon.routing.specimens import EXPECTATIONS, LISTED, OUTCOMES, SPECIMEN_KEYS, TEST_KEYS
from daemon.words import (
    CASES,
    Dispatch,
    Duty,
    HoldReason,
    Level,
    LinkKind,
    LooksAt,
    OnRecovery,
    Outside,
    Proof,
    Risk,
    Role,
    Ruling,
    Severity,
    Source,
    State,
    Verb,
    Who,
)

Schema = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"
FOLDER = "schema"
"""Where the schemas lie beside the rule files."""

# --- building blocks ---

TEXT: Schema = {"type": ["string", "integer"]}
TEXTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
FLAG: Schema = {"type": "boolean"}
DURATION: Schema = {"type": "string", "pattern": r"^[1-9]\d{0,4}\s*[smhd]$", "description": "15m, 4h, 2d"}
DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
DAYS: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}( to \d{4}-\d{2}-\d{2})?$"}
SIZE: Schema = {"type": ["string", "integer"], "description": "500 kB, 10 MB"}
BY_LANGUAGE: Schema = {"anyOf": [TEXT, {"type": "object", "additionalProperties": TEXT}]}
SEVERITY: Schema = {"enum": [int(s) for s in Severity]}
LINE: Schema = {"type": "integer", "minimum": 1, "maximum": 9}


def _number(lowest: int, highest: int) -> Schema:
    return {"type": "integer", "minimum": lowest, "maximum": highest}


def _words(known: Iterable[str]) -> Schema:
    return {"enum": [str(word) for word in known]}


def _some(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _table(keys: Mapping[str, Schema], needs: Iterable[str] = (), **more: Any) -> Schema:
    needed = list(needs)
    table: Schema = {"type": "object", "properties": dict(keys), "additionalProperties": False}
    return table | ({"required": needed} if needed else {}) | more


def _map(of: Schema) -> Schema:
    return {"anyOf": [{"type": "object", "additionalProperties": of}, {"type": "null"}]}


def _list(of: Schema) -> Schema:
    return {"anyOf": [{"type": "array", "items": of}, {"type": "null"}]}


def _said(schema: Schema, what: str) -> Schema:
    return {**schema, "description": what}


# --- conditions and actions ---


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _or_list(one: Schema) -> Schema:
    """Return the schema of one word or several, any of which may come from a list."""
    word = {"anyOf": [one, _ref("list")]}
    return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}


def _condition() -> Schema:
    """Return the schema of what stands under `when:`, `any:`, `all:` and `not:`."""
    keys: dict[str, Schema] = {}
    for name, field in TEXT_FIELDS.items():
        keys |= _text_conditions(name, field)
    for name, size in SIZE_FIELDS.items():
        keys |= {f"{name} {o}": _said(SIZE, f"{size.meaning} {what} this") for o, what in SIZE_OPERATORS.items()}
    for name, count in COUNT_FIELDS.items():
        keys |= {
            f"{name} {o}": _said({"type": "integer", "minimum": 0}, f"{count.meaning}: {operator.meaning}")
            for o, operator in COUNT_OPERATORS.items()
        }
    for name, age in AGE_FIELDS.items():
        keys |= {f"{name} {o}": _said(DURATION, f"{age.meaning}: {what}") for o, what in AGE_OPERATORS.items()}
    keys |= {name: _said(FLAG, flag.meaning) for name, flag in FLAG_FIELDS.items()}
    keys |= {key: _said(_time_value(key), f"{meaning}; {example}") for key, (meaning, example) in TIME_KEYS.items()}
    keys["weekday in"] = keys["weekday is"]
    itself = _ref("condition")
    keys |= {
        "any": _said({"type": "array", "items": itself, "minItems": 1}, "one of these must hold"),
        "all": _said({"type": "array", "items": itself, "minItems": 1}, "all of these must hold"),
        "not": _with(itself, "this must not hold"),
        "condition": _said(TEXTS, "a condition, or several, that stand under 'conditions:'"),
    }
    return _table(keys, minProperties=1, patternProperties=_open_keys())


def _text_conditions(name: str, field: TextField) -> dict[str, Schema]:
    known = {o: w.meaning for o, w in TEXT_OPERATORS.items() if field.tree or o not in TREE_OPERATORS}
    known |= {alias: known[long] for alias, long in OPERATOR_ALIASES.items() if long in known}
    words = _ref(f"a {name}" if field.choices else "words")
    found = {f"{name} {o}": _with(words, f"{field.meaning}: {meaning}") for o, meaning in known.items()}
    found[f"{name} matches"] = _said(TEXT, f"{field.meaning}: a regular expression (RE2) is found in it")
    return found


def _with(ref: Schema, what: str) -> Schema:
    """Return a reference with a description, which may not stand beside it."""
    return {"allOf": [ref], "description": what}


def _open_keys() -> dict[str, Schema]:
    """Return the conditions whose key has a name or a number in it: of a header, of how many words."""
    operators = "|".join(map(re.escape, (*(o for o in TEXT_OPERATORS if o not in TREE_OPERATORS), *OPERATOR_ALIASES)))
    fields = "|".join(map(re.escape, TEXT_FIELDS))
    return {
        rf"^header \S+ ({operators})$": _ref("words"),
        r"^header \S+ matches$": TEXT,
        rf"^({fields}|header \S+) (contains|mentions) [1-9]\d* of$": _ref("words"),
    }


def _time_value(key: str) -> Schema:
    if key.startswith("weekday"):
        return _some({"type": "string", "pattern": f"^({'|'.join(WEEKDAYS)})"})
    return {"type": "string", "pattern": r"^\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d$"} if key.startswith("time") else TEXT


_VALUES: dict[str, Schema] = {
    "kind": _words(CASES),
    "impact": _words(Level),
    "urgency": _words(Level),
    "severity at least": SEVERITY,
    "line": LINE,
    "affected": {"type": "integer", "minimum": 1},
    "source": _words(Source),
    "tags": TEXTS,
    "watchers": TEXTS,
    "notify": TEXTS,
    "parent": {"anyOf": [{"type": "integer", "minimum": 1}, _words([MAJOR])]},
    "template": {"type": "object", "additionalProperties": TEXT, "minProperties": 1},
    "forward": {"anyOf": [TEXT, _table({"to": TEXT, "quietly": FLAG}, ["to"])]},
}
"""The values of actions that are no mere text."""


def _actions() -> Schema:
    return _table({word: _said(_VALUES.get(word, TEXT), a.effect) for word, a in ACTIONS.items()})


def _definitions() -> Schema:
    """Return what several files have in common, by name."""
    chosen = {f"a {name}": _or_list(_words(field.choices)) for name, field in TEXT_FIELDS.items() if field.choices}
    return {
        "condition": _condition(),
        "list": _said(_table({"list": TEXT}, ["list"]), "a list that stands under 'lists:'"),
        "words": _or_list(TEXT),
        "mail": _specimen(),
        "keyword": _table(
            {"words": TEXTS, "who": _some(_words(Who)), "risk": _words(Risk), "help": BY_LANGUAGE}, ["words", "who"]
        ),
        **chosen,
    }


def _specimen() -> Schema:
    attachment = _table({"name": TEXT, "type": TEXT, "size": SIZE})
    shapes: dict[str, Schema] = {
        "to": TEXTS, "cc": TEXTS, "headers": {"type": "object", "additionalProperties": TEXT}, "size": SIZE,
        "attachments": _some({"anyOf": [TEXT, attachment]}), "proof": _words(Proof),
    }  # fmt: skip
    table = _table({key: _said(shapes.get(key, TEXT), what) for key, what in SPECIMEN_KEYS.items()}, minProperties=1)
    return {"anyOf": [_said(TEXT, "a subject, or the file of a mail"), table]}


# --- the files ---


def _routing() -> Schema:
    condition, mails = _ref("condition"), _some(_ref("mail"))
    shapes: dict[str, Schema] = {
        "name": TEXT, "for": _words(LooksAt), "when": condition, "then": _actions(), "stop": FLAG, "off": FLAG,
        "capture": _table({into: _said(_some(TEXT), what) for into, what in CAPTURES.items()}),
        "examples": mails, "counter_examples": mails,
    }  # fmt: skip
    rule = _table({key: _said(shapes[key], what) for key, what in RULE_KEYS.items()}, ["name"])
    include = _said(_table({"include": TEXT}, ["include"]), "the rules of another file, in this place")
    capture = _table({"into": _words(CAPTURES), "pattern": TEXT, "words": _ref("words"), "in": TEXTS}, ["into"])
    return _table({
        "options": _table({"simplified": _said(FLAG, "traditional and simplified characters are the same")}),
        "lists": _map(TEXTS),
        "conditions": _map(condition),
        "captures": _list(capture),
        "error_codes": _list(TEXT),
        "rules": _list({"anyOf": [rule, include]}),
    })  # fmt: skip


def _calendars() -> Schema:
    span: Schema = {"type": "string", "pattern": r"^\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d$"}
    day = f"({'|'.join(WEEKDAYS)})"
    hours = {"anyOf": [_some(span), {"type": "null"}]}
    week = {"type": "object", "patternProperties": {f"^{day}(-{day})?$": hours}, "additionalProperties": False}
    keys = {"zone": TEXT, "always": FLAG, "week": week, "holidays": _some(DAYS), "workdays": _some(DAYS)}
    return _table({"calendars": _map(_table(keys))}, ["calendars"])


def _people() -> Schema:
    person = {
        "name": TEXT, "addresses": TEXTS, "roles": _some(_words(Role)), "language": TEXT, "line": LINE, "skills": TEXTS,
        "capacity": _number(0, 1000), "calendar": TEXT, "aliases": TEXTS, "absences": _some(DAYS),
    }  # fmt: skip
    team = {
        "name": BY_LANGUAGE, "members": TEXTS, "lead": TEXT, "line": LINE, "address": TEXT,
        "dispatch": _words(Dispatch), "aliases": TEXTS,
    }  # fmt: skip
    people = {"people": _map(_table(person, ["addresses", "roles"])), "teams": _map(_table(team))}
    return _table(people, ["people", "teams"])


def _rota() -> Schema:
    swap = {"week": DAY, "days": DAYS, "who": TEXT, "instead_of": TEXT}
    rota = {"order": TEXTS, "starts": DAY, "handover": TEXT, "zone": TEXT, "swaps": _list(_table(swap, ["who"]))}
    needs = ["order", "starts", "handover"]
    return _table({"rota": _map(_table(rota, needs)), "out_of_hours": _some(SEVERITY), "recall": _some(SEVERITY)})


def _service_levels() -> Schema:
    by_severity = [str(int(s)) for s in Severity]
    target = _table({"respond": DURATION, "resolve": DURATION, "calendar": TEXT}, ["respond", "resolve", "calendar"])
    step = {
        "name": TEXT, "clock": _words(CLOCKS), "percent": _number(0, 1000), "after": DURATION, "every": DURATION,
        "quiet": DURATION, "severities": _some(SEVERITY), "tell": _some(_words(STEP_AUDIENCES)),
        "hand_up": _words(["line2"]),
    }  # fmt: skip
    typical = _table(dict.fromkeys(by_severity, DURATION))
    forecast = _table({"untaken": _number(1, 99), "typical": typical, "categories": _map(DURATION)})
    targets = _table(dict.fromkeys(by_severity, target), by_severity)
    level = _table({"targets": targets, "steps": _list(_table(step, ["clock"])), "forecast": forecast}, ["targets"])
    following = _table(dict.fromkeys(STEP_AUDIENCES, _words(STEP_AUDIENCES)))
    keys = {"service_levels": _map(level), "hold_stops_clock": _list(_words(HoldReason)), "next_in_line": following}
    return _table(keys, ["service_levels", "hold_stops_clock"])


def _customers() -> Schema:
    contact = {
        "name": TEXT, "address": TEXT, "phone": TEXT, "site": TEXT, "region": TEXT, "language": TEXT, "vip": FLAG,
    }  # fmt: skip
    contract = {"number": TEXT, "from": DAY, "until": DAY, "services": TEXTS, "outside": _words(Outside)}
    customer = {
        "name": TEXT, "addresses": TEXTS, "domains": TEXTS, "contacts": _list(_table(contact, ["address"])),
        "contract": _table(contract), "language": TEXT, "pm": TEXT, "service_level": TEXT, "region": TEXT,
        "calendar": TEXT, "zone": TEXT,
    }  # fmt: skip
    region = _table({"zone": TEXT, "calendar": TEXT})
    keys = {"customers": _map(_table(customer)), "regions": _map(region), "unknown_customers": _words(Outside)}
    return _table(keys, ["customers"])


def _categories() -> Schema:
    tree = {"type": "object", "additionalProperties": _ref("category")}
    category = {
        "name": BY_LANGUAGE, "aliases": TEXTS, "kind": _words(CASES), "team": TEXT, "line": LINE, "line2": TEXT,
        "impact": _words(Level), "urgency": _words(Level), "children": tree,
    }  # fmt: skip
    row = _table({str(level): SEVERITY for level in Level}, map(str, Level))
    matrix = _table({str(level): row for level in Level}, map(str, Level))
    return {**_table({"categories": tree, "matrix": matrix}, ["categories", "matrix"]),
            "definitions": {"category": {"anyOf": [_table(category), {"type": "null"}]}}}  # fmt: skip


def _keywords() -> Schema:
    return _table({"keywords": _table({str(verb): _ref("keyword") for verb in Verb})}, ["keywords"])


def _authority() -> Schema:
    row: dict[str, Schema] = {key: _some(_words(kind)) for key, kind in KEYS.items()}
    rulings = _words(Ruling)
    row["then"] = {"anyOf": [rulings, _table(dict.fromkeys(map(str, Risk), rulings), map(str, Risk))]}
    return _table({"authority": _list(_table(row, ["then"]))}, ["authority"])


def _announcements() -> Schema:
    events = {"enum": list(EVENTS), "description": "; ".join(f"{name}: {what}" for name, what in EVENTS.items())}
    keys = {
        "event": events, "state": _words(State), "verbs": _some(_words(Verb)), "field": _words(GRADES),
        "links": _some(_words(LinkKind)), "template": TEXT, "to": _some(_words(AUDIENCES)),
    }  # fmt: skip
    return _table({"announcements": _list(_table(keys, ["event", "template", "to"]))}, ["announcements"])


def _phrases() -> Schema:
    return _table({"phrases": _table(dict.fromkeys(PHRASE_GROUPS, TEXTS))}, ["phrases"])


def _duties() -> Schema:
    at = {"before_end": DURATION, "after_start": DURATION}
    weekly = at | {"weekday": _words(WEEKDAYS)}
    monthly = at | {"day": _number(1, 28), "to": TEXTS}
    days = _number(0, 30)
    keys: dict[str, Schema] = {"calendar": TEXT}
    keys |= {"closing_by_silence": _table({"after_days": days, "remind_days_before": days}, ["after_days"])}
    keys |= {str(duty): _table(at) for duty in Duty}
    keys |= {str(duty): _table(weekly) for duty in (Duty.FOLLOW_UP, Duty.FOLLOW_UP_RESULT)}
    keys |= {str(Duty.RULE_PROPOSALS): _table(weekly | {"at_least": _number(2, 1000)})}
    keys |= {str(Duty.KPI_REPORT): _table(monthly), "ratings": _table(dict.fromkeys("12345", TEXTS))}
    return _table({"duties": _table(keys, ["calendar"])}, ["duties"])


def _alerts() -> Schema:
    condition = _ref("condition")
    found = _table({"subject": TEXT, "text": TEXT, "whole text": TEXT})
    alert = {
        "name": TEXT, "when": condition, "from": TEXTS, "find": _some(found), "same": TEXTS, "recovery": condition,
        "news": condition, "severity": {"type": "object", "additionalProperties": SEVERITY}, "ci": TEXT,
        "on_recovery": _words(OnRecovery), "reopen_within": DURATION,
    }  # fmt: skip
    return _table({"alerts": _list(_table(alert, ["name", "when", "find", "same"]))}, ["alerts"])


def _major() -> Schema:
    often = {"name": BY_LANGUAGE, "words": TEXTS, "update_every": DURATION, "remind_every": DURATION}
    level = _table(often | {limit: _number(0, 10**9) for limit in LIMITS}, ["update_every"])
    chase = _table(
        {"asked": {"type": "integer", "minimum": 1}, "then": _some(_words(STEP_AUDIENCES)), "widest": DURATION}
    )
    keys = {"owner": TEXT, "levels": _map(level), "chase": chase, "network": TEXTS, "complaints": TEXTS}
    return _table({"major": _table(keys, ["levels"])}, ["major"])


def _plan() -> Schema:
    task = {"what": BY_LANGUAGE, "who": TEXT, "within": DURATION, "after": _some(_number(1, 99))}
    keys = {
        "name": BY_LANGUAGE, "aliases": TEXTS, "coordinator": TEXT, "remind_after": DURATION,
        "trigger": _table({"categories": TEXTS, "severity": SEVERITY, "rules": TEXTS}),
        "starts": _words(["by_itself", "when_asked"]), "tasks": _list(_table(task, ["what", "who", "within"])),
    }  # fmt: skip
    return _table({"plan": _table(keys, ["tasks"])}, ["plan"])


def _tests() -> Schema:
    fixed: dict[str, Schema] = {
        "outcome": _words(OUTCOMES), "kind": _words(CASES), "severity": SEVERITY, "impact": _words(Level),
        "urgency": _words(Level),
    }  # fmt: skip
    expect = {
        fact: _said(TEXTS if fact in LISTED else fixed.get(fact, TEXT), what) for fact, what in EXPECTATIONS.items()
    }
    shapes: dict[str, Schema] = {
        "name": TEXT, "mail": _ref("mail"), "at": TEXT, "expect": _table(expect, minProperties=1),
    }  # fmt: skip
    return _list(_table({key: shapes[key] for key in TEST_KEYS}, ["name", "mail", "expect"]))


_MAKERS: Mapping[str, Callable[[], Schema]] = {
    "routing": _routing,
    "categories": _categories,
    "alerts": _alerts,
    "people": _people,
    "customers": _customers,
    "service_levels": _service_levels,
    "calendars": _calendars,
    "keywords": _keywords,
    "authority": _authority,
    "phrases": _phrases,
    "announcements": _announcements,
    "rota": _rota,
    "duties": _duties,
    "major": _major,
    "plan": _plan,
    "tests": _tests,
}
SCHEMAS = tuple(_MAKERS)
"""The names of the schemas: of rule files, of plans, and of tests of the rules."""


def schema_of(name: str) -> Schema:
    """Return the schema of this name, with a heading that says whose it is."""
    made = _MAKERS[name]()
    head: Schema = {"$schema": DRAFT, "title": f"ticketd: {name}"}
    definitions = made.pop("definitions", {}) | _needed(made, _definitions())
    return head | made | ({"definitions": definitions} if definitions else {})


def _needed(schema: Schema, known: Schema) -> Schema:
    """Return those definitions that a schema refers to, and those that they refer to themselves."""
    found: Schema = {}
    asks = _refs(schema)
    while asks:
        found |= {name: known[name] for name in asks if name in known}
        asks = {name for name in _refs(found) if name in known} - found.keys()
    return {name: one for name, one in known.items() if name in found}


def _refs(schema: Schema) -> set[str]:
    return set(re.findall(r"'#/definitions/([^']+)'", str(schema)))


def schema_text(name: str) -> str:
    """Return the schema of this name as its file has it."""
    return json.dumps(schema_of(name), ensure_ascii=False, indent=1) + "\n"
