"""What a rule may do: one small frozen class per kind of action, and the table of words under `then:`.

What comes in: a word and its value as a rule file wrote them. What goes out: an Action, or an ActionError
that says what to write instead. This file alone knows which actions exist; daemon.routing.evaluate carries
them out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from daemon.errors import did_you_mean
from daemon.words import CASES, Kind, Level, Severity, Source

FieldValue = str | int | Level | Kind

RECORD = ("user", "contact", "symptom", "source")
"""The fields of the record that rules may fill in, beside those that classify: they stand in Routing.fields."""
MAJOR = "major"
"""What a rule names as the parent where it means the major incident that is going on."""
_MOST_AFFECTED = 100_000_000


class ActionError(ValueError):
    """An action cannot be understood; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class SetField:
    """Set one fact of the ticket, unless an earlier rule has set it."""

    field: str
    value: FieldValue

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"{self.field}: {self.value}"


@dataclass(frozen=True, slots=True)
class SeverityAtLeast:
    """Raise the severity to this one; never lowers it."""

    severity: Severity

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"severity at least: {int(self.severity)}"


@dataclass(frozen=True, slots=True)
class AddTags:
    """Add tags to the ticket."""

    tags: tuple[str, ...]

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"tags: {', '.join(self.tags)}"


@dataclass(frozen=True, slots=True)
class AddWatchers:
    """Let these people or addresses follow the ticket; a name is a key of people.yaml."""

    watchers: tuple[str, ...]

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"watchers: {', '.join(self.watchers)}"


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse the mail as out of scope; the requester is told the reason."""

    reason: str

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"reject: {self.reason}"


@dataclass(frozen=True, slots=True)
class Drop:
    """Keep the mail but open no ticket and answer nobody; the reason stays with the mail."""

    reason: str

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"drop: {self.reason}"


@dataclass(frozen=True, slots=True)
class ForwardTo:
    """Pass the mail on to somebody who is not us, and open no ticket; `quietly`: its sender is not told."""

    address: str
    quietly: bool = False

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"forward: {self.address}" + (", quietly" if self.quietly else "")


@dataclass(frozen=True, slots=True)
class AddToParent:
    """Put the ticket under an open record: this number, or (0) the major incident that is about the same."""

    number: int

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"parent: {self.number or MAJOR}"


@dataclass(frozen=True, slots=True)
class UseTemplates:
    """Write the mails of this ticket by variants of our templates: (template, variant)."""

    variants: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"template: {', '.join(f'{name} → {variant}' for name, variant in self.variants)}"


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell these of the mail: roles and hands of the ticket, teams and people by key, or addresses."""

    audience: tuple[str, ...]

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"notify: {', '.join(self.audience)}"


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Let the ticket wait until this role or person has approved it."""

    by: str

    def describe(self) -> str:
        """Return the action as a rule file would say it."""
        return f"approval: {self.by}"


Ending = Reject | Drop | ForwardTo
"""The actions after which there is no ticket, or none to work on: the first one counts."""
OnReplies = Notify | AddTags | AddWatchers | SeverityAtLeast
"""The actions of rules that look at mails on a ticket which is there already."""
Action = SetField | OnReplies | Ending | AddToParent | UseTemplates | NeedsApproval


@dataclass(frozen=True, slots=True)
class ActionWord:
    """One row of the table: how a value becomes an action, and how it is explained in docs/rules.md."""

    build: Callable[[str, object], Action]
    value: str
    effect: str


def action_from(word: str, value: object) -> Action:
    """Return the action that `word: value` under `then:` means; raise ActionError with the cure."""
    spec = ACTIONS.get(word)
    if spec is None:
        raise ActionError(f"no action is called '{word}'{_cure(word)}")
    return spec.build(word, value)


def _cure(word: str) -> str:
    if word == "stop":
        return "; write 'stop: true' beside 'then:', not in it"
    if word == "severity":
        return "; write 'severity at least: 2', or set impact and urgency"
    return did_you_mean(word, ACTIONS) or f"; write one of {', '.join(ACTIONS)}"


def _text(word: str, value: object) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise ActionError(f"'{word}' wants one word or sentence, got {_shown(value)}")
    return str(value).strip()


def _texts(word: str, value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_text(word, item) for item in items)


def _set_text(word: str, value: object) -> Action:
    return SetField(word, _text(word, value))


def _set_level(word: str, value: object) -> Action:
    text = _text(word, value).casefold()
    if text not in set(Level):
        raise ActionError(f"'{word}' is high, medium or low, got {_shown(value)}{did_you_mean(text, Level)}")
    return SetField(word, Level(text))


def _set_kind(word: str, value: object) -> Action:
    text = _text(word, value).casefold()
    if text not in CASES:
        raise ActionError(f"'{word}' is {' or '.join(CASES)}, got {_shown(value)}{did_you_mean(text, CASES)}")
    return SetField(word, Kind(text))


def _set_line(word: str, value: object) -> Action:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 9:  # noqa: PLR2004 - one digit
        raise ActionError(f"'{word}' is a number from 1, as in 'line: 2', got {_shown(value)}")
    return SetField(word, value)


def _severity(word: str, value: object) -> Action:
    if not isinstance(value, int) or isinstance(value, bool) or value not in set(Severity):
        raise ActionError(f"'{word}' is 1 (critical), 2, 3 or 4 (low), got {_shown(value)}")
    return SeverityAtLeast(Severity(value))


def _set_affected(word: str, value: object) -> Action:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_AFFECTED:
        raise ActionError(f"'{word}' is how many customers are affected, as in 'affected: 1200', got {_shown(value)}")
    return SetField(word, value)


def _set_source(word: str, value: object) -> Action:
    text = _text(word, value).casefold()
    if text not in set(Source):
        cure = did_you_mean(text, Source) or f"; write one of {', '.join(Source)}"
        raise ActionError(f"'{word}' knows no '{text}'{cure}")
    return SetField(word, text)


def _parent(word: str, value: object) -> Action:
    if value == MAJOR:
        return AddToParent(0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ActionError(f"'{word}' is the number of a ticket, as in 'parent: 12', or {MAJOR}, got {_shown(value)}")
    return AddToParent(value)


def _templates(word: str, value: object) -> Action:
    if not isinstance(value, dict) or not value:
        cure = "write {acknowledgement: acknowledgement_vip}"
        raise ActionError(f"'{word}' says which variant to use for which template, got {_shown(value)}; {cure}")
    return UseTemplates(tuple((_text(word, name), _text(word, variant)) for name, variant in value.items()))


def _forward(word: str, value: object) -> Action:
    told = {"to": value} if not isinstance(value, dict) else value
    address, quietly = _text(word, told.get("to")), told.get("quietly", False)
    if set(told) - {"to", "quietly"} or not isinstance(quietly, bool):
        raise ActionError(f"'{word}' is an address, or {{to: bills@example.com, quietly: true}}, got {_shown(value)}")
    return ForwardTo(address, quietly)


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)


ACTIONS: Mapping[str, ActionWord] = MappingProxyType(
    {
        "category": ActionWord(_set_text, "a category of categories.yaml", "what the ticket is about"),
        "kind": ActionWord(_set_kind, "incident, service_request", "what sort of record it is"),
        "impact": ActionWord(_set_level, "high, medium, low", "how many are hit; with urgency it gives severity"),
        "urgency": ActionWord(_set_level, "high, medium, low", "how soon it hurts"),
        "severity at least": ActionWord(_severity, "1, 2, 3, 4", "raises the severity to this one; never lowers it"),
        "team": ActionWord(_set_text, "a team of people.yaml", "who gets the ticket"),
        "line": ActionWord(_set_line, "1, 2, 3 …", "which line of support works on it"),
        "assignee": ActionWord(_set_text, "a person of people.yaml", "who works on it"),
        "ci": ActionWord(_set_text, "a name", "the configuration item that is affected"),
        "service": ActionWord(_set_text, "a name", "the service that is affected"),
        "place": ActionWord(_set_text, "a name", "where it is"),
        "region": ActionWord(_set_text, "a name", "the region, as in Bavaria; major incidents count regions"),
        "order": ActionWord(_set_text, "a number", "the number of an order or a request of theirs"),
        "user": ActionWord(_set_text, "a text", "who is affected: name, department or address"),
        "contact": ActionWord(_set_text, "a text", "how to reach who is affected"),
        "symptom": ActionWord(_set_text, "a sentence", "the symptom, instead of how the mail begins"),
        "code": ActionWord(_set_text, "a code", "an error code; those that `error_codes` finds are kept too"),
        "affected": ActionWord(_set_affected, "a number", "how many customers are affected"),
        "source": ActionWord(_set_source, ", ".join(Source), "how the report reached us"),
        "service level": ActionWord(
            _set_text,
            "a level of service_levels.yaml",
            "the times promised, instead of those of the customer's contract",
        ),
        "tags": ActionWord(lambda w, v: AddTags(_texts(w, v)), "a word or a list", "adds tags; all are kept"),
        "watchers": ActionWord(
            lambda w, v: AddWatchers(_texts(w, v)),
            "people of people.yaml or addresses",
            "lets them follow the ticket; all are kept",
        ),
        "notify": ActionWord(
            lambda w, v: Notify(_texts(w, v)),
            "roles, teams, people, addresses",
            "tells them of the mail: our own people, or whom you name by address; everybody once",
        ),
        "parent": ActionWord(
            _parent,
            "a ticket's number, or major",
            "puts the ticket under an open one, whose news and solution it follows",
        ),
        "template": ActionWord(
            _templates, "{template: variant}", "the mails of this ticket are written by these variants of our templates"
        ),
        "approval": ActionWord(
            lambda w, v: NeedsApproval(_text(w, v)),
            "a role or a person",
            "the ticket waits until they approve it by mail",
        ),
        "reject": ActionWord(
            lambda w, v: Reject(_text(w, v)), "a sentence", "out of scope: the requester is told this reason"
        ),
        "forward": ActionWord(
            _forward, "an address", "the mail is passed on to it as it is, its sender is told, and no ticket is opened"
        ),
        "drop": ActionWord(
            lambda w, v: Drop(_text(w, v)), "a sentence", "the mail is kept, no ticket is opened and nobody is answered"
        ),
        "ignore": ActionWord(lambda w, v: Drop(_text(w, v)), "a sentence", "the same as `drop`"),
    }
)
