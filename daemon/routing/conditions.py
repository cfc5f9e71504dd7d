"""What a rule may ask of a mail: typed conditions that say whether they are met and describe themselves.

What comes in: MailFacts, the letter and what is known around it. What goes out: a Verdict, with the text
that met the condition; or, at load time, a Condition made from the words of a rule file. The only importer of
re2: patterns of operators run in linear time. Nothing here reads a file or a clock.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from types import MappingProxyType
from typing import Any, NamedTuple

import re2

from daemon.errors import did_you_mean
from daemon.intake.letter import Letter
from daemon.words import Nature, Role, domain_of

MAX_PATTERN = 1000
_SNIPPET = 120
_MET_AROUND = 30


class ConditionError(ValueError):
    """A condition cannot be understood; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition is met, and the text that met it ("" where no text did)."""

    met: bool
    text: str = ""


NOT_MET = Verdict(False)


@dataclass(frozen=True, kw_only=True)
class MailFacts:
    """What conditions may look at. `working` says for each calendar whether `now_local` is working time.

    `on_ticket`: the mail is about a ticket that is there already, so that the rules for replies count.
    """

    letter: Letter
    mailbox: str
    customer: str
    person_roles: frozenset[Role]
    now_local: datetime
    working: Mapping[str, bool]
    on_ticket: bool = False
    # Hundreds of rules look at the same few fields: each is read and folded once per mail.
    _read: dict[tuple[str, str], tuple[Text, ...]] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def texts(self, name: str, header: str = "") -> tuple[Text, ...]:
        """Return every value of this field."""
        key = (name, header)
        if key not in self._read:
            values = self.letter.header_all(header) if header else TEXT_FIELDS[name].read(self)
            self._read[key] = tuple(Text(v, plain := half_width(v), plain.casefold()) for v in values)
        return self._read[key]


class Text(NamedTuple):
    """A value as written, made half-width, and folded for comparing."""

    shown: str
    plain: str
    folded: str


def half_width(text: str) -> str:
    """Return the text with full-width letters, digits and signs made half-width (NFKC)."""
    return unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """Return the text as it is compared: made half-width, without regard to case."""
    return half_width(text).casefold()


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
        return next((v for v in (part.met(mail) for part in self.parts) if v.met), NOT_MET)

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
class Words:
    """Met if a value of the field is, contains, starts or ends with one of the words."""

    field: str
    operator: str
    words: tuple[str, ...]
    header: str = ""
    _folded: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", tuple(map(fold, self.words)))

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether one value meets one of the words."""
        finds = TEXT_OPERATORS[self.operator].finds
        for shown, _, folded in mail.texts(self.field, self.header):
            word = next((w for w in self._folded if finds(folded, w)), None)
            if word is not None:
                return Verdict(True, _snippet(shown, folded, word))
        return NOT_MET

    def describe(self) -> str:
        """Return the condition in words."""
        words = " | ".join(self.words)
        return f"{_field_name(self.field, self.header)} {self.operator}: {words}"


@dataclass(frozen=True, slots=True)
class Matches:
    """Met if the RE2 pattern is found, without regard to case, in the value as written or made half-width."""

    field: str
    pattern: str
    header: str = ""
    _compiled: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", _compile(self.pattern))

    def met(self, mail: MailFacts) -> Verdict:
        """Return whether the pattern is found, with the text that it found."""
        for shown, plain, _ in mail.texts(self.field, self.header):
            found = self._compiled.search(shown) or (plain != shown and self._compiled.search(plain))
            if found:
                return Verdict(True, found.group(0)[:_SNIPPET])
        return NOT_MET

    def fits(self, text: str) -> bool:
        """Return whether the pattern is found in this text."""
        return self._compiled.search(text) is not None

    def describe(self) -> str:
        """Return the condition in words."""
        return f"{_field_name(self.field, self.header)} matches: {self.pattern}"


@dataclass(frozen=True, slots=True)
class Capture:
    """A pattern whose groups are read out of a mail: RE2, without regard to case, in one or several fields."""

    pattern: str
    fields: tuple[str, ...] = ("subject", "text")
    _compiled: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", _compile(self.pattern))

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
        first = next((m for plain in self._plain(mail) if (m := self._compiled.search(plain))), None)
        return {k: v.strip() for k, v in first.groupdict().items() if v and v.strip()} if first else {}

    def found(self, mail: MailFacts) -> tuple[str, ...]:
        """Return what the first group holds of every match."""
        return tuple(m[1].strip() for plain in self._plain(mail) for m in self._compiled.finditer(plain) if m[1])

    def _plain(self, mail: MailFacts) -> Iterator[str]:
        return (text.plain for name in self.fields for text in mail.texts(name))


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


Leaf = Always | Words | Matches | Size | WorkingHours | Weekday | TimeOfDay
Condition = Leaf | AllOf | AnyOf | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield the conditions that look at the mail themselves, in the order of the file."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield condition


def looked_at(condition: Condition, mail: MailFacts) -> tuple[str, ...]:
    """Return what a condition looks at in this mail: the values of its field, the time; () for one made of others."""
    match condition:
        case Words(field=name, header=header) | Matches(field=name, header=header):
            return tuple(text.shown for text in mail.texts(name, header))
        case Size(field=name):
            return tuple(f"{size} bytes" for size in SIZE_FIELDS[name].read(mail))
        case WorkingHours() | Weekday() | TimeOfDay():
            return (f"{mail.now_local:%a %H:%M}",)
        case _:
            return ()


def _bracketed(condition: Condition) -> str:
    text = condition.describe()
    return f"({text})" if isinstance(condition, AllOf | AnyOf) else text


def _field_name(name: str, header: str) -> str:
    return f"header {header}" if header else name


def _snippet(shown: str, folded: str, word: str) -> str:
    """Return the value itself where it is short, else the place where the word stands."""
    if len(shown) <= _SNIPPET:
        return shown
    start = max(0, folded.find(word) - _MET_AROUND)
    return " ".join(folded[start : start + len(word) + 2 * _MET_AROUND].split())[:_SNIPPET]


# --- the tables: what may be asked, and how ---


@dataclass(frozen=True, slots=True)
class TextField:
    """A field with text in it; `choices` are the only words that make sense, () where any does."""

    read: Callable[[MailFacts], tuple[str, ...]]
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SizeField:
    """A field with sizes in bytes."""

    read: Callable[[MailFacts], tuple[int, ...]]
    meaning: str


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to compare a folded value with a folded word."""

    finds: Callable[[str, str], bool]
    meaning: str


def _recipients(mail: MailFacts) -> tuple[str, ...]:
    letter = mail.letter
    return (*(a.address for a in letter.to), *(a.address for a in letter.cc), *letter.delivered_to)


def _sender_parts(mail: MailFacts, part: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(part(a.address) for a in mail.letter.senders)


TEXT_FIELDS: Mapping[str, TextField] = MappingProxyType(
    {
        "sender": TextField(lambda m: _sender_parts(m, str), "an address in From"),
        "sender domain": TextField(
            lambda m: _sender_parts(m, domain_of), "what stands after the @ of an address in From"
        ),
        "sender name": TextField(
            lambda m: tuple(a.name for a in m.letter.senders), "the name beside the address in From"
        ),
        "customer": TextField(lambda m: (m.customer,) if m.customer else (), "a key of customers.yaml"),
        "person role": TextField(
            lambda m: tuple(sorted(m.person_roles)), "what the sender is in people.yaml", tuple(Role)
        ),
        "recipient": TextField(_recipients, "an address in To, Cc or Delivered-To"),
        "mailbox": TextField(lambda m: (m.mailbox,), "the name of the [[mailbox]] that it came in by"),
        "subject": TextField(lambda m: (m.letter.subject,), "the subject"),
        "text": TextField(
            lambda m: (m.letter.new_text,),
            "the sender's own new words; of quotes only the lines that they answered, marked >",
        ),
        "whole text": TextField(lambda m: (m.letter.text,), "the whole text, quotes and signature too"),
        "language": TextField(lambda m: (m.letter.language,), "the language of the mail: zh, en …"),
        "nature": TextField(
            lambda m: (m.letter.nature.value,), "what kind of mail it is", tuple(n.value for n in Nature)
        ),
        "attachment name": TextField(
            lambda m: tuple(a.name for a in m.letter.attachments), "the name of an attached file"
        ),
        "attachment type": TextField(
            lambda m: tuple(a.content_type for a in m.letter.attachments), "its MIME type, as image/png"
        ),
    }
)

SIZE_FIELDS: Mapping[str, SizeField] = MappingProxyType(
    {
        "size": SizeField(lambda m: (m.letter.size,), "the size of the whole mail"),
        "attachment size": SizeField(
            lambda m: tuple(a.size for a in m.letter.attachments), "the size of an attached file"
        ),
    }
)


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
    }
)

OPERATOR_ALIASES: Mapping[str, str] = MappingProxyType({"equals": "is", "starts": "starts with", "ends": "ends with"})
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


def condition_from(key: str, value: object) -> Leaf:
    """Return the condition that `key: value` under `when:` means; raise ConditionError with the cure."""
    words = " ".join(key.split())
    if words in TIME_KEYS or words == "weekday in":
        return _time_condition(words, value)
    name, header, operator = _split_key(words)
    if name in SIZE_FIELDS:
        return _size_condition(name, operator, value)
    return _text_condition(name, header, OPERATOR_ALIASES.get(operator, operator), value)


def _split_key(key: str) -> tuple[str, str, str]:
    """Split `sender domain in` into field, header name and operator."""
    first, *rest = key.split(" ")
    if first == "header" and rest:
        return "header", rest[0], " ".join(rest[1:])
    fields = sorted((*TEXT_FIELDS, *SIZE_FIELDS), key=len, reverse=True)
    name = next((f for f in fields if key == f or key.startswith(f + " ")), None)
    if name is None:
        raise ConditionError(f"no condition is called '{key}'{_cure_for_key(key)}")
    return name, "", key[len(name) + 1 :]


def _cure_for_key(key: str) -> str:
    near = did_you_mean(key.replace("_", " "), known_keys())
    return near or f"; it begins with one of {', '.join((*TEXT_FIELDS, *SIZE_FIELDS, 'header NAME'))}"


@functools.cache
def known_keys() -> tuple[str, ...]:
    """Return every key that may stand under `when:`, except those of headers."""
    texts = [f"{f} {o}" for f in TEXT_FIELDS for o in (*TEXT_OPERATORS, *OPERATOR_ALIASES, "matches")]
    sizes = [f"{f} {o}" for f in SIZE_FIELDS for o in SIZE_OPERATORS]
    return (*texts, *sizes, *TIME_KEYS, "all", "any", "not")


def _text_condition(name: str, header: str, operator: str, value: object) -> Leaf:
    if operator == "matches":
        return Matches(name, _one_text(operator, value), header)
    if operator not in TEXT_OPERATORS:
        raise ConditionError(_bad_operator(_field_name(name, header), operator, (*TEXT_OPERATORS, "matches")))
    words = _texts(operator, value)
    choices = TEXT_FIELDS[name].choices if name in TEXT_FIELDS else ()
    for word in words:
        if choices and word not in choices:
            near = did_you_mean(word, choices) or f"; write one of {', '.join(choices)}"
            raise ConditionError(f"no {name} is called '{word}'{near}")
    return Words(name, operator, words, header)


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
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ConditionError(f"'{key}' wants one text, got {value!r}")
    return str(value)


def _texts(key: str, value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items:
        raise ConditionError(f"'{key}' has an empty list; write at least one word")
    return tuple(_one_text(key, item) for item in items)


def _compile(pattern: str) -> Any:
    """Return the RE2 pattern; raise ConditionError with RE2's own words."""
    if len(pattern) > MAX_PATTERN:
        raise ConditionError(f"the pattern has {len(pattern)} characters; write at most {MAX_PATTERN}")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args else "unknown error"
        raise ConditionError(f"the pattern '{pattern}' cannot be used: {why}{_re2_cure(why)}") from error


def _re2_cure(why: str) -> str:
    if "perl operator" in why or "escape sequence" in why:
        return " (RE2 has no look-ahead, look-behind or back-references; say it with all:, any: and not:)"
    return " (to find the character itself, write a backslash before it)"
