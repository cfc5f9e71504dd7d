"""Whether one condition can only hold where another one holds too: then a rule may be hidden behind an earlier one.

What comes in: two Conditions. What goes out: True where that is sure. False says nothing: only simple cases are seen
through (the same condition, fewer words, `any` and `all`), and no regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from daemon.routing.conditions import (
    TEXT_OPERATORS,
    AllOf,
    Always,
    AnyOf,
    Condition,
    Named,
    Not,
    Size,
    Weekday,
    Words,
)
from daemon.routing.folding import alike

# A field that has a word in this way has a part of that word in those ways.
_SO_ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "contains": ("contains",),
        "mentions": ("contains",),
        "starts with": ("starts with", "contains"),
        "ends with": ("ends with", "contains"),
    }
)
_EXACTLY = ("is", "in")


def implies(one: Condition, other: Condition) -> bool:
    """Return whether it is sure that `other` holds wherever `one` does."""
    one, other = _meant(one), _meant(other)
    if one == other or isinstance(other, Always):
        return True
    match one, other:
        case AnyOf(parts), _:
            return all(implies(part, other) for part in parts)
        case _, AllOf(parts):
            return all(implies(one, part) for part in parts)
        case AllOf(parts), AnyOf(choices):
            return any(implies(part, other) for part in parts) or any(implies(one, choice) for choice in choices)
        case AllOf(parts), _:
            return any(implies(part, other) for part in parts)
        case _, AnyOf(choices):
            return any(implies(one, choice) for choice in choices)
        case Not(inner), Not(wider):
            return implies(wider, inner)
        case _:
            return _leaf_implies(one, other)


def _meant(condition: Condition) -> Condition:
    return condition.part if isinstance(condition, Named) else condition


def _leaf_implies(one: Condition, other: Condition) -> bool:
    match one, other:
        case Words(), Words():
            return _words_imply(one, other)
        case Size(field, "over", bound), Size(same, "over", lower):
            return field == same and bound >= lower
        case Size(field, "under", bound), Size(same, "under", higher):
            return field == same and bound <= higher
        case Weekday(days), Weekday(more):
            return set(days) <= set(more)
        case _:
            return False


def _words_imply(one: Words, other: Words) -> bool:
    if replace(one, operator=other.operator, words=other.words) != other:
        return False  # another field, header or way to compare
    wider = [alike(word, one.simplified) for word in other.words]
    return all(_word_implies(one.operator, alike(word, one.simplified), other.operator, wider) for word in one.words)


def _word_implies(operator: str, word: str, other: str, wider: list[str]) -> bool:
    """Whether a value that has this word in this way has one of the others in the other way."""
    same_way = operator == other or {operator, other} <= set(_EXACTLY)
    if same_way and word in wider:
        return True
    if operator in _EXACTLY or other in _SO_ALSO.get(operator, ()):
        finds = TEXT_OPERATORS[other].finds
        return any(finds(word, part) for part in wider)
    return False
