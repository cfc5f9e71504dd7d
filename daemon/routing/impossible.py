"""Whether no mail can meet two conditions at once: then a rule that asks for both never matches.

What comes in: Conditions. What goes out: the pairs that exclude each other, where that is sure. Silence says nothing:
only simple cases are seen through, and of fields that may have several values none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from daemon.routing.conditions import (
    TEXT_OPERATORS,
    Age,
    AllOf,
    AnyOf,
    Condition,
    Count,
    Flag,
    Matches,
    Named,
    Not,
    Size,
    SomeOf,
    Weekday,
    Words,
    WorkingHours,
)
from daemon.routing.folding import alike
from daemon.routing.implied import implies

OF_TICKET = "ticket "
ONE_VALUE = frozenset(
    {
        "subject", "text", "whole text", "language", "nature", "mailbox", "customer", "contract", "contract state",
        "person", "mail", "ticket state", "ticket kind", "ticket category", "ticket team", "ticket severity",
        "ticket assignee", "ticket customer", "size", "attachment count", "recipient count",
    }
)  # fmt: skip
"""The fields of which a mail never has two values; the moments of which an age is counted are such too."""
_ENDS = {"starts with": str.startswith, "ends with": str.endswith}


def clashes(condition: Condition) -> Iterator[tuple[Condition, Condition]]:
    """Yield the conditions within this one that must hold together and cannot."""
    match condition:
        case AllOf():
            together = tuple(_together(condition))
            yield from ((one, other) for one, other in combinations(together, 2) if excludes(one, other))
            for part in together:
                yield from clashes(part)
        case AnyOf(parts):
            for part in parts:
                yield from clashes(part)
        case Not(part) | Named(part=part):
            yield from clashes(part)
        case _:
            return


def _together(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that must all hold, those of an `all` in an `all` too."""
    match condition:
        case AllOf(parts):
            for part in parts:
                yield from _together(part)
        case Named(part=AllOf() as part):
            yield from _together(part)
        case _:
            yield condition


def excludes(one: Condition, other: Condition) -> bool:
    """Return whether it is sure that no mail meets both."""
    match one, other:
        case (Named(part=part), rest) | (rest, Named(part=part)):
            return excludes(part, rest)
        case (Not(part), rest) | (rest, Not(part)):
            return implies(rest, part)
        case (AnyOf(parts), rest) | (rest, AnyOf(parts)):
            return bool(parts) and all(excludes(part, rest) for part in parts)
        case (AllOf(parts), rest) | (rest, AllOf(parts)):
            return any(excludes(part, rest) for part in parts)
        case _:
            return _leaves_exclude(one, other) or _new_and_of_a_ticket(one, other) or _new_and_of_a_ticket(other, one)


def _leaves_exclude(one: Condition, other: Condition) -> bool:
    match one, other:
        case Words(), Words():
            return _words_exclude(one, other)
        case Size() | Count() as number, Size() | Count() as another:
            same_thing = number.field == another.field and number.field in ONE_VALUE
            return same_thing and _no_number_between(number, another)
        case (Age(field, "older than", far), Age(same, "newer than", near)) | (
            Age(same, "newer than", near),
            Age(field, "older than", far),
        ):
            return field == same and far >= near
        case Flag(field, wanted), Flag(same, too):
            return field == same and wanted != too
        case Weekday(days), Weekday(others):
            return not set(days) & set(others)
        case WorkingHours(calendar, within), WorkingHours(same, too):
            return calendar == same and within != too
        case _:
            return False


def _words_exclude(one: Words, other: Words) -> bool:
    """Return whether none of these words can be the one value of a field together with one of those."""
    same = (one.field, one.header, one.simplified) == (other.field, other.header, other.simplified)
    if not same or one.header or one.field not in ONE_VALUE:
        return False
    return not any(
        _fit(one.operator, alike(word, one.simplified), other.operator, alike(more, one.simplified))
        for word in one.words
        for more in other.words
    )


def _fit(operator: str, word: str, other: str, more: str) -> bool:
    """Return whether one text can have this word in this way and the other in that way."""
    if operator in ("is", "in"):
        return TEXT_OPERATORS[other].finds(word, more)
    if other in ("is", "in"):
        return TEXT_OPERATORS[operator].finds(more, word)
    if operator == other and operator in _ENDS:
        return _ENDS[operator](word, more) or _ENDS[operator](more, word)
    return True


def _no_number_between(one: Size | Count, other: Size | Count) -> bool:
    low, high = zip(_bounds(one), _bounds(other), strict=True)
    return max(low) > min(high)


def _bounds(condition: Size | Count) -> tuple[float, float]:
    """Return the least and the greatest number that meet it."""
    match condition.operator:
        case "over":
            return condition.bound + 1, float("inf")
        case "under":
            return 0, condition.bound - 1
        case _:
            return condition.bound, condition.bound


def _new_and_of_a_ticket(one: Condition, other: Condition) -> bool:
    """Return whether one wants a mail that belongs to no ticket and the other asks about its ticket."""
    if not (isinstance(one, Words) and one.field == "mail" and set(one.words) == {"new"}):
        return False
    match other:
        case Words(field=field) | SomeOf(field=field) | Matches(field=field):
            return field.startswith(OF_TICKET)
        case Age(field=field):
            return field == OF_TICKET.strip()
        case _:
            return False
