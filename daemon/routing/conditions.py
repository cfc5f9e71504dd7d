"""What a rule may ask of a mail: typed conditions that say whether they are met and describe themselves.

What comes in: MailFacts, the letter and what is known around it. What goes out: a Verdict, with the text
that met the condition; or, at load time, a Condition made from the words of a rule file. The only importer of
re2: patterns of operators run in linear time. Nothing here reads a file or a clock.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

import re2

from daemon.errors import did_you_mean
from daemon.notify.envelope import clean_header
from daemon.routing.facts import (
    AGE_FIELDS,
    COUNT_FIELDS,
    FLAG_FIELDS,
    LONGEST_LOOKED_AT,
    SIZE_FIELDS,
    TEXT_FIELDS,
    Text,
)
from daemon.routing.facts import MailFacts as MailFacts
from daemon.routing.folding import alike, alike_pattern
from daemon.routing.folding import fold as fold
from daemon.routing.folding import half_width as half_width
from daemon.routing.telltale import telltales

MAX_PATTERN = 1000
MAX_PROGRAM = 5000
"""How many instructions a compiled pattern may have: `.{1000}` has 8000, and would take its time on every mail."""
_SEES_SIGNS = re.compile(r"\[\^|\\[WDSpPxCQB]")
"""What a pattern needs to tell a full-width letter or a Chinese sign from the plain one."""
_PATTERN_MEMORY = 2 << 20
_SNIPPET = 120
_LONGEST_CAPTURED = 200
_MET_AROUND = 30


class ConditionError(ValueError):
    """A condition cannot be understood; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition is met, and the text that met it ("" where no text did)."""

    met: bool
    text: str = ""


NOT_MET = Verdict(False)


# --- the conditions ---


@dataclass(frozen=True, slots=True)
class Always:
    """Met by every mail: a rule without `when:`."""

    def met(self, _mail: MailFacts) -> Verdict:
        """Return that it is met."""
        return Verdict(True)

    def describe(self) -> str:
        """Return the condition in words."""
        return "always"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Met if every part is met; shows the text of the first part that has one."""

    parts: tuple[Condition, ...]

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether every part is met."""
        text = ""
        for part in self.parts:
            verdict = part.met(mail)
            if not verdict.met:
                return NOT_MET
            text = text or verdict.text
        return Verdict(True, text)

    def describe(self) -> str:
        """Return the condition in words."""
        return " and ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Met if one part is met."""

    parts: tuple[Condition, ...]

    def met(self, mail: MailFacts) -> Verdict:
        """Return the verdict of the first part that is met."""
        for part in self.parts:
            verdict = part.met(mail)
            if verdict.met:
                return verdict
        return NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        return " or ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """Met if its part is not."""

    part: Condition

    def met(self, mail: MailFacts) -> Verdict:
        """Return the opposite of the part's verdict."""
        return NOT_MET if self.part.met(mail).met else Verdict(True)

    def describe(self) -> str:
        """Return the condition in words."""
        return f"not ({self.part.describe()})"


@dataclass(frozen=True, slots=True)
class Named:
    """A condition that routing.yaml has given a name; judged once for each mail. `size`: how many it is made of."""

    name: str
    part: Condition
    size: int = 1

    def met(self, mail: MailFacts) -> Verdict:
        """Return the verdict of what the name stands for."""
        verdict = mail.judged.get(id(self))  # two sets of rules may mean two things by one name
        if not isinstance(verdict, Verdict):
            verdict = self.part.met(mail)
            mail.judged[id(self)] = verdict
        return verdict

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{self.name} ({self.part.describe()})"


@dataclass(frozen=True, slots=True)
class Words:
    """Met if a value of the field is, contains, starts or ends with one of the words."""

    field: str
    operator: str
    words: tuple[str, ...]
    header: str = ""
    simplified: bool = False
    _folded: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    _finds: Callable[[str, str], bool] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", tuple(alike(word, self.simplified) for word in self.words))
        object.__setattr__(self, "_finds", TEXT_OPERATORS[self.operator].finds)

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether one value meets one of the words."""
        finds = self._finds
        for value in mail.texts(self.field, self.header):
            folded = value.folded
            for word in self._folded:
                if finds(folded, word):
                    return Verdict(True, _snippet(value, word))
        return NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        words = " | ".join(self.words)
        return f"{_field_name(self.field, self.header)} {self.operator}: {words}"


@dataclass(frozen=True, slots=True)
class SomeOf:
    """Met if a value of the field contains (or mentions) at least so many of the words."""

    field: str
    operator: str
    least: int
    words: tuple[str, ...]
    header: str = ""
    simplified: bool = False
    _folded: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folded = dict.fromkeys(alike(word, self.simplified) for word in self.words)
        object.__setattr__(self, "_folded", tuple(folded))

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether one value has enough of the words, and which they are."""
        finds = TEXT_OPERATORS[self.operator].finds
        for value in mail.texts(self.field, self.header):
            found = [word for word in self._folded if finds(value.folded, word)]
            if len(found) >= self.least:
                return Verdict(True, " | ".join(found)[:_SNIPPET])
        return NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        words = " | ".join(self.words)
        return f"{_field_name(self.field, self.header)} {self.operator} {self.least} of: {words}"


@dataclass(frozen=True, slots=True)
class Matches:
    """Met if the RE2 pattern is found, without regard to case, in the value made half-width or as it was written."""

    field: str
    pattern: str
    header: str = ""
    simplified: bool = False
    _compiled: Any = dataclasses.field(init=False, repr=False, compare=False)
    _alike: Any = dataclasses.field(init=False, repr=False, compare=False)
    _literal: bool = dataclasses.field(init=False, repr=False, compare=False)
    _telltales: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", _compile(self.pattern))
        object.__setattr__(self, "_alike", _compile_alike(self.pattern, self._compiled, self.simplified))
        sees_signs = self._alike is not self._compiled or _SEES_SIGNS.search(self.pattern) is not None
        object.__setattr__(self, "_literal", sees_signs)
        object.__setattr__(self, "_telltales", () if sees_signs else telltales(self.pattern, self.simplified))

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether the pattern is found, with the text that it found."""
        # On bytes it is twice as fast, and most patterns are not found.
        words = self._telltales
        for value in mail.texts(self.field, self.header):
            if words and not any(word in value.folded for word in words):
                continue
            if found := self._alike.search(value.alike):
                return Verdict(True, _at(value.alike, found.span(), value.plain)[:_SNIPPET])
            # The text as it was written is another one only to patterns that can tell.
            if self._literal and value.written is not value.alike and (found := self._compiled.search(value.written)):
                return Verdict(True, _at(value.written, found.span(), value.shown)[:_SNIPPET])
        return NOT_MET

    def fits(self, text: str) -> bool:
        """Return whether the pattern is found in this text."""
        return self._compiled.search(text) is not None

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{_field_name(self.field, self.header)} matches: {self.pattern}"


# --- reading words out of a mail ---


@dataclass(frozen=True, slots=True)
class Capture:
    """A pattern whose groups are read out of a mail: RE2, without regard to case, in one or several fields."""

    pattern: str
    fields: tuple[str, ...] = ("subject", "text")
    simplified: bool = False
    _compiled: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = _compile(self.pattern)
        object.__setattr__(self, "_compiled", _compile_alike(self.pattern, plain, self.simplified))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its groups."""
        return tuple(self._compiled.groupindex)

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return int(self._compiled.groups)

    def named(self, mail: MailFacts) -> dict[str, str]:
        """Return name → text of the groups that the first match has, {} where nothing matches."""
        for value in _values(mail, self.fields):
            if match := self._compiled.search(value.signs[:LONGEST_LOOKED_AT]):
                groups = self._compiled.groupindex.items()
                texts = {name: _of(value, match.span(group)) for name, group in groups}
                return {name: text for name, text in texts.items() if text}
        return {}

    def found(self, mail: MailFacts) -> tuple[str, ...]:
        """Return what the first group holds of every match."""
        spans = ((v, m.span(1)) for v in _values(mail, self.fields) for m in self._matches(v))
        return tuple(text for value, span in spans if (text := _of(value, span)))

    def _matches(self, value: Text) -> Iterator[Any]:
        return iter(self._compiled.finditer(value.signs[:LONGEST_LOOKED_AT]))


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Words that are read out of a mail where it mentions them, as they stand in the rule file."""

    words: tuple[str, ...]
    fields: tuple[str, ...] = ("subject", "text")
    simplified: bool = False
    _folded: tuple[tuple[str, str], ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", tuple((alike(word, self.simplified), word) for word in self.words))

    def found(self, mail: MailFacts) -> tuple[str, ...]:
        """Return the words that are mentioned, in the order of the rule file."""
        values = list(_values(mail, self.fields))
        return tuple(word for folded, word in self._folded if any(_mentions(v.folded, folded) for v in values))


@dataclass(frozen=True, slots=True)
class Finding:
    """What is read out of a mail for one field of the ticket. `known`: folded word → what it is called, {} for any."""

    into: str
    by: Capture | Mentioned
    known: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def found(self, mail: MailFacts) -> tuple[str, ...]:
        """Return the words that are found, each by the name that is known."""
        words = map(captured, self.by.found(mail))
        return tuple(filter(None, (self.known.get(fold(w), "") for w in words) if self.known else words))

    def describe(self) -> str:
        """Return it as a rule file would say it."""
        what = self.by.pattern if isinstance(self.by, Capture) else " | ".join(self.by.words)
        return f"{self.into} from {', '.join(self.by.fields)}: {what}"


def captured(text: str) -> str:
    """Return words of a mail fit for a field of the record: one short line without controls or unseen signs."""
    return clean_header(text, _LONGEST_CAPTURED)


def _values(mail: MailFacts, fields: tuple[str, ...]) -> Iterator[Text]:
    for name in fields:
        field, header, _ = split_key(name)
        yield from mail.texts(field, header)


def _of(value: Text, span: tuple[int, int]) -> str:
    """Return what stands at this place, with the signs that were written."""
    start, end = span
    return value.plain[start:end].strip() if start >= 0 else ""


# --- numbers and times ---


@dataclass(frozen=True, slots=True)
class Size:
    """Met if a size in bytes lies over or under a bound."""

    field: str
    operator: str
    bound: int

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether one size lies on the right side of the bound."""
        for size in SIZE_FIELDS[self.field].read(mail):
            if size > self.bound if self.operator == "over" else size < self.bound:
                return Verdict(True, f"{size} bytes")
        return NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{self.field} {self.operator}: {self.bound} bytes"


@dataclass(frozen=True, slots=True)
class Count:
    """Met if a number of things is over, under or just this many."""

    field: str
    operator: str
    bound: int

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether the number lies where it should."""
        holds = COUNT_OPERATORS[self.operator].holds
        return next(
            (Verdict(True, str(n)) for n in COUNT_FIELDS[self.field].read(mail) if holds(n, self.bound)), NOT_MET
        )

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{self.field} {self.operator}: {self.bound}"


@dataclass(frozen=True, slots=True)
class Age:
    """Met if something happened longer ago than this, or not so long ago."""

    field: str
    operator: str
    span: timedelta

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether it lies as far back as it should, with the moment."""
        for moment in AGE_FIELDS[self.field].read(mail):
            age = mail.now_local.astimezone(UTC) - moment.astimezone(UTC)
            if age > self.span if self.operator == "older than" else age < self.span:
                return Verdict(True, f"{_local(moment, mail):%Y-%m-%d %H:%M}")
        return NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{self.field} {self.operator}: {_span_in_words(self.span)}"


@dataclass(frozen=True, slots=True)
class Flag:
    """Met if the answer to a question of yes or no is this one."""

    field: str
    wanted: bool

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether it is so, with what shows it."""
        shown = FLAG_FIELDS[self.field].read(mail)
        return Verdict(True, ", ".join(shown)[:_SNIPPET]) if bool(shown) == self.wanted else NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{self.field}: {'true' if self.wanted else 'false'}"


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Met within (or outside) the working hours of a calendar."""

    calendar: str
    within: bool

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether it is working time now, or is not."""
        met = mail.working[self.calendar] == self.within
        return Verdict(met, f"{mail.now_local:%a %H:%M}" if met else "")

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{'within' if self.within else 'outside'} working hours: {self.calendar}"


@dataclass(frozen=True, slots=True)
class Weekday:
    """Met on these weekdays, 0 is Monday."""

    days: tuple[int, ...]

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether today is one of the days."""
        met = mail.now_local.weekday() in self.days
        return Verdict(met, f"{mail.now_local:%a}" if met else "")

    def describe(self) -> str:
        """Return the condition in words."""
        return f"weekday in: {' | '.join(WEEKDAYS[day] for day in self.days)}"


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """Met from `start` up to `end`; a span such as 18:00-08:00 goes over midnight."""

    start: time
    end: time

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether the local time lies in the span."""
        now = mail.now_local.time()
        inside = self.start <= now < self.end
        over_midnight = self.end <= self.start and (now >= self.start or now < self.end)
        return Verdict(True, f"{now:%H:%M}") if inside or over_midnight else NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        return f"time between: {self.start:%H:%M}-{self.end:%H:%M}"


Leaf = Always | Words | SomeOf | Matches | Size | Count | Age | Flag | WorkingHours | Weekday | TimeOfDay
Condition = Leaf | AllOf | AnyOf | Not | Named


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield the conditions that look at the mail themselves, in the order of the file."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part) | Named(part=part):
            yield from leaves(part)
        case _:
            yield condition


def looked_at(condition: Condition, mail: MailFacts) -> tuple[str, ...]:
    """Return what a condition looks at in this mail: the values of its field, the time; () for one made of others."""
    match condition:
        case Words(field=name, header=header) | SomeOf(field=name, header=header) | Matches(field=name, header=header):
            return tuple(text.shown for text in mail.texts(name, header))
        case Size(field=name):
            return tuple(f"{size} bytes" for size in SIZE_FIELDS[name].read(mail))
        case Count(field=name):
            return tuple(map(str, COUNT_FIELDS[name].read(mail)))
        case Age(field=name):
            return tuple(f"{_local(moment, mail):%Y-%m-%d %H:%M}" for moment in AGE_FIELDS[name].read(mail))
        case Flag(field=name):
            return FLAG_FIELDS[name].read(mail)
        case WorkingHours() | Weekday() | TimeOfDay():
            return (f"{mail.now_local:%a %H:%M}",)
        case _:
            return ()


def _bracketed(condition: Condition) -> str:
    text = condition.describe()
    return f"({text})" if isinstance(condition, AllOf | AnyOf) else text


def _field_name(name: str, header: str) -> str:
    return f"header {header}" if header else name


def size_of(condition: Condition) -> int:
    """Return of how many conditions this one is made, those behind names too."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return sum(map(size_of, parts))
        case Not(part):
            return size_of(part)
        case Named(size=size):
            return size
        case _:
            return 1


def _snippet(value: Text, word: str) -> str:
    """Return the value itself where it is short, else the place where the word stands."""
    if len(value.shown) <= _SNIPPET:
        return value.shown
    # Where folding has changed no length, the place is the same in what was written.
    shown = value.plain if len(value.plain) == len(value.folded) else value.folded
    start = max(0, value.folded.find(word) - _MET_AROUND)
    return " ".join(shown[start : start + len(word) + 2 * _MET_AROUND].split())[:_SNIPPET]


def _at(searched: bytes, span: tuple[int, int], text: str) -> str:
    """Return what stands in the text at this place of the bytes that were searched, which hold the same characters."""
    start, end = (len(searched[:position].decode("utf-8", "replace")) for position in span)
    return text[start:end]


def _local(moment: datetime, mail: MailFacts) -> datetime:
    return moment.astimezone(mail.now_local.tzinfo)


# --- the tables: how fields are compared ---


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to compare a folded value with a folded word."""

    finds: Callable[[str, str], bool]
    meaning: str


@dataclass(frozen=True, slots=True)
class CountOperator:
    """A way to compare a number with a bound."""

    holds: Callable[[int, int], bool]
    meaning: str


def _mentions(folded: str, word: str) -> bool:
    """Return whether the word stands there with no Latin letter or digit sticking to one of its own."""
    at = folded.find(word)
    while at >= 0:
        if not (_sticks(folded[at - 1 : at], word[0]) or _sticks(word[-1], folded[at + len(word) :][:1])):
            return True
        at = folded.find(word, at + 1)
    return False


def _sticks(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


TEXT_OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "is": Operator(str.__eq__, "is exactly this"),
        "in": Operator(str.__eq__, "is exactly one of these"),
        "contains": Operator(str.__contains__, "has this, or one of these, somewhere in it"),
        "mentions": Operator(_mentions, "has this, or one of these, as a whole word (Chinese words anywhere)"),
        "starts with": Operator(str.startswith, "begins with this, or one of these"),
        "ends with": Operator(str.endswith, "ends with this, or one of these"),
        "within": Operator(
            lambda v, w: v == w or v.endswith(f".{w}") or v.startswith(f"{w}/"),
            "is this, or lies below it: `mail.acme.example` in `acme.example`, `network/vpn` in `network`",
        ),
    }
)
TREE_OPERATORS = frozenset({"within"})
"""The operators that only fields know whose values lie below others."""
SOME_OF: Mapping[str, str] = MappingProxyType(
    {
        "contains 2 of": "has at least 2 (or any other number) of these somewhere in it",
        "mentions 2 of": "has at least 2 (or any other number) of these as whole words",
    }
)
_SOME_OF = re.compile(r"(contains|mentions) (\d+) of")

OPERATOR_ALIASES: Mapping[str, str] = MappingProxyType({"equals": "is", "starts": "starts with", "ends": "ends with"})
COUNT_OPERATORS: Mapping[str, CountOperator] = MappingProxyType(
    {
        "over": CountOperator(int.__gt__, "is more than this number"),
        "under": CountOperator(int.__lt__, "is less than this number"),
        "is": CountOperator(int.__eq__, "is just this number"),
    }
)
AGE_OPERATORS: Mapping[str, str] = MappingProxyType(
    {"older than": "is longer ago than this: `15m`, `4h`, `2d`", "newer than": "is not so long ago"}
)
SIZE_OPERATORS: Mapping[str, str] = MappingProxyType({"over": "is larger than", "under": "is smaller than"})
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Conditions whose whole key is fixed: what the key means, and an example.
TIME_KEYS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "within working hours": ("it is working time in this calendar", "within working hours: business"),
        "outside working hours": (
            "it is not working time in this calendar",
            "outside working hours: business",
        ),
        "weekday is": ("it is this weekday, or one of these", "weekday is: [sat, sun]"),
        "time between": ("the local time lies in this span", "time between: 18:00-08:00"),
    }
)


# --- from the words of a rule file to a condition ---


def condition_from(key: str, value: object, *, simplified: bool = False) -> Leaf:
    """Return the condition that `key: value` under `when:` means; raise ConditionError with the cure.

    `simplified`: traditional and simplified Chinese characters are the same.
    """
    words = " ".join(key.split())
    if words in TIME_KEYS or words == "weekday in":
        return _time_condition(words, value)
    if words in FLAG_FIELDS:
        return _flag_condition(words, value)
    name, header, operator = split_key(words)
    if name in SIZE_FIELDS:
        return _size_condition(name, operator, value)
    if name in COUNT_FIELDS:
        return _count_condition(name, OPERATOR_ALIASES.get(operator, operator), value)
    if operator in AGE_OPERATORS and name in AGE_FIELDS:
        return Age(name, operator, _span(words, value))
    if name in TEXT_FIELDS or header:
        return _text_condition(name, header, OPERATOR_ALIASES.get(operator, operator), value, simplified)
    raise ConditionError(_bad_operator(name, operator, AGE_OPERATORS))


def split_key(key: str) -> tuple[str, str, str]:
    """Split `sender domain in` into field, header name and operator."""
    first, *rest = key.split(" ")
    if first == "header" and rest:
        return "header", rest[0], " ".join(rest[1:])
    name = next((f for f in _longest_first() if key == f or key.startswith(f + " ")), None)
    if name is None:
        raise ConditionError(f"no condition is called '{key}'{_cure_for_key(key)}")
    return name, "", key[len(name) + 1 :]


@functools.cache
def _longest_first() -> tuple[str, ...]:
    return tuple(sorted((*TEXT_FIELDS, *SIZE_FIELDS, *COUNT_FIELDS, *AGE_FIELDS, *FLAG_FIELDS), key=len, reverse=True))


def _cure_for_key(key: str) -> str:
    near = did_you_mean(key.replace("_", " "), known_keys())
    fields = (*TEXT_FIELDS, *SIZE_FIELDS, *COUNT_FIELDS, *AGE_FIELDS, *FLAG_FIELDS)
    return near or f"; it begins with one of {', '.join(dict.fromkeys(fields))}, header NAME"


@functools.cache
def known_keys() -> tuple[str, ...]:
    """Return every key that may stand under `when:`, except those of headers."""
    texts = [f"{f} {o}" for f, field in TEXT_FIELDS.items() for o in text_operators(field.tree)]
    sizes = [f"{f} {o}" for f in SIZE_FIELDS for o in SIZE_OPERATORS]
    counts = [f"{f} {o}" for f in COUNT_FIELDS for o in COUNT_OPERATORS]
    ages = [f"{f} {o}" for f in AGE_FIELDS for o in AGE_OPERATORS]
    return (*texts, *sizes, *counts, *ages, *FLAG_FIELDS, *TIME_KEYS, "all", "any", "not", "condition")


def text_operators(tree: bool) -> tuple[str, ...]:
    """Return every operator that a text field knows."""
    plain = (o for o in TEXT_OPERATORS if tree or o not in TREE_OPERATORS)
    return (*plain, *OPERATOR_ALIASES, *SOME_OF, "matches")


def _text_condition(name: str, header: str, operator: str, value: object, simplified: bool) -> Leaf:
    if operator == "matches":
        return Matches(name, _one_text(operator, value), header, simplified)
    some = _SOME_OF.fullmatch(operator)
    tree = not header and TEXT_FIELDS[name].tree
    if not some and operator not in text_operators(tree):
        known = (*(o for o in TEXT_OPERATORS if tree or o not in TREE_OPERATORS), "matches")
        raise ConditionError(_bad_operator(_field_name(name, header), operator, known))
    words = _texts(operator, value)
    choices = () if header else TEXT_FIELDS[name].choices
    for word in words:
        if choices and word not in choices:
            near = did_you_mean(word, choices) or f"; write one of {', '.join(choices)}"
            raise ConditionError(f"no {name} is called '{word}'{near}")
    if some:
        return _some_of(name, some[1], int(some[2]), words, header, simplified)
    return Words(name, operator, words, header, simplified)


def _some_of(name: str, operator: str, least: int, words: tuple[str, ...], header: str, simplified: bool) -> Leaf:
    if not 1 <= least <= len(set(words)):
        raise ConditionError(f"'{operator} {least} of' has {len(set(words))} words; write a number from 1 to that")
    return SomeOf(name, operator, least, words, header, simplified)


def _count_condition(name: str, operator: str, value: object) -> Leaf:
    if operator not in COUNT_OPERATORS:
        raise ConditionError(_bad_operator(name, operator, tuple(COUNT_OPERATORS)))
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConditionError(f"'{name} {operator}' wants a whole number, as in '{name} {operator}: 3', got {value!r}")
    return Count(name, operator, value)


def _flag_condition(name: str, value: object) -> Leaf:
    if not isinstance(value, bool):
        raise ConditionError(f"'{name}' is true or false, got {value!r}")
    return Flag(name, value)


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _span(key: str, value: object) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})\s*([mhd])", str(value).strip())
    if not found:
        raise ConditionError(f"'{key}' is a time such as 15m, 4h or 2d, got {value!r}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _span_in_words(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    unit, number = next((u, minutes // n) for u, n in (("d", 1440), ("h", 60), ("m", 1)) if minutes % n == 0)
    return f"{number}{unit}"


def _size_condition(name: str, operator: str, value: object) -> Leaf:
    if operator not in SIZE_OPERATORS:
        raise ConditionError(_bad_operator(name, operator, SIZE_OPERATORS))
    return Size(name, operator, size_in_bytes(value))


def _bad_operator(name: str, operator: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    if not operator:
        return f"'{name}' needs a word after it: {', '.join(known)}; as in '{name} {next(iter(known))}: …'"
    near = did_you_mean(operator, known)
    return f"'{name}' cannot be compared by '{operator}'{near}; it knows {', '.join(known)}"


def _time_condition(key: str, value: object) -> Leaf:
    if key == "time between":
        return _time_of_day(_one_text(key, value))
    if key.startswith("weekday"):
        return Weekday(tuple(_weekday(word) for word in _texts(key, value)))
    return WorkingHours(_one_text(key, value), within=key.startswith("within"))


def _time_of_day(text: str) -> TimeOfDay:
    found = re.fullmatch(r"(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d)", text)
    if not found:
        raise ConditionError(f"'{text}' is not a span of time; write it as 18:00-08:00")
    start, end = (clock_time(part) for part in found.groups())
    return TimeOfDay(start, end)


def clock_time(text: str) -> time:
    """Return the time that HH:MM means (24:00 is the end of the day); raise ConditionError with the cure."""
    found = re.fullmatch(r"(\d{1,2}):(\d\d)", text.strip())
    hour, minute = (int(found[1]), int(found[2])) if found else (99, 0)
    if (hour, minute) == (24, 0):
        return time.max
    if hour > 23 or minute > 59:  # noqa: PLR2004 - a clock's own numbers
        raise ConditionError(f"'{text}' is not a time of day; write it as 09:00")
    return time(hour, minute)


def _weekday(text: str) -> int:
    short = text.casefold()[:3]
    if short not in WEEKDAYS:
        raise ConditionError(f"'{text}' is not a weekday; write one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(short)


def size_in_bytes(value: object) -> int:
    """Return the bytes that `500 kB` or `10 MB` means; raise ConditionError with the cure."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(kb|mb|gb|b)?", str(value).strip().casefold())
    if not found or isinstance(value, bool):
        raise ConditionError(f"{value!r} is not a size; write it as 500 kB or 10 MB")
    factor = {"kb": 1000, "mb": 1000**2, "gb": 1000**3}.get(found[2] or "", 1)
    return int(float(found[1]) * factor)


def _one_text(key: str, value: object) -> str:
    if value is None or isinstance(value, bool):
        raise ConditionError(f"'{key}' wants one text, got {_as_yaml_reads(value)}")
    if not isinstance(value, str | int) or not str(value).strip():
        raise ConditionError(f"'{key}' wants one text, got {value!r}")
    return str(value)


def _as_yaml_reads(value: bool | None) -> str:
    """Return what stands there without quotes, how YAML takes it, and the cure."""
    if value is None:
        return "nothing: so YAML reads null, ~ and an empty place; put quotes around the word, as in 'null'"
    word = str(value).lower()
    return f"yes or no: so YAML reads {word}; put quotes around the word, as in '{word}'"


def _texts(key: str, value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items:
        raise ConditionError(f"'{key}' has an empty list; write at least one word")
    return tuple(_one_text(key, item) for item in items)


def _compile(pattern: str) -> Any:
    """Return the RE2 pattern; raise ConditionError with RE2's own words, or where it is too much work."""
    if len(pattern) > MAX_PATTERN:
        raise ConditionError(f"the pattern has {len(pattern)} characters; write at most {MAX_PATTERN}")
    try:
        compiled = re2.compile(pattern, _options())
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args else "unknown error"
        raise ConditionError(f"the pattern '{pattern}' cannot be used: {why}{_re2_cure(why)}") from error
    if max(compiled.programsize, compiled.reverseprogramsize) > MAX_PROGRAM:
        cure = "write smaller numbers in braces, as in .{0,50}, or .* for any length"
        raise ConditionError(f"the pattern '{pattern}' would take too long on every mail; {cure}")
    return compiled


@functools.cache
def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    return options


def _compile_alike(pattern: str, compiled: Any, simplified: bool) -> Any:
    """Return the pattern for texts with plain signs: the one that there is, where that makes no difference."""
    other = alike_pattern(pattern, simplified)
    return compiled if other == pattern else _compile(other)


def _re2_cure(why: str) -> str:
    if "repetition size" in why or "too large" in why:
        return " (write smaller numbers in braces, at most {1000} in all)"
    if "perl operator" in why or "escape sequence" in why:
        return " (RE2 has no look-ahead, look-behind or back-references; say it with all:, any: and not:)"
    return " (to find the character itself, write a backslash before it)"
