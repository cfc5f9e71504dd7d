"""What can happen to a ticket. Events are facts: recorded once, in the past tense, never changed.

What comes in: the decisions of daemon.decide. What goes out: the history that everything else is drawn from.
This file alone knows the name under which each event is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from daemon.plain import from_plain, to_plain
from daemon.words import HoldReason, Kind, Level, Matched, Nature, Proof, Severity, State, Verb, Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A mail became a ticket. `participants` are the addresses on the record besides the requester.

    `recorded_by` is the address of one of ours who passed the requester's mail on, or "".
    """

    kind: Kind
    subject: str
    requester: str
    requester_name: str
    customer: str
    language: str
    reported_at: datetime
    message_id: str = ""
    source: str = "mail"
    participants: tuple[str, ...] = ()
    follows: int = 0
    claims: int = 0
    recorded_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The rules of version `rules` classified and dispatched; `because` names the rules that matched."""

    category: str
    impact: Level
    urgency: Level
    severity: Severity
    team: str
    line: int
    assignee: str
    tags: tuple[str, ...]
    watchers: tuple[str, ...]
    ci: str
    because: tuple[str, ...]
    rules: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The mail is outside the scope of service; the requester is told why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """Somebody wrote on the ticket; the words stand in message `mail`. `author` is an address."""

    mail: int
    author: str
    author_name: str
    nature: Nature
    visibility: Visibility
    proof: Proof
    matched: Matched
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The ticket went to a team and perhaps a person; `by` is who said so."""

    team: str
    line: int
    assignee: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """Wrong queue: the ticket went back to the service desk."""

    by: str
    reason: str
    from_team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """A verb moved the ticket; `text` are the words that go with it, `hold_*` only for a hold."""

    verb: Verb
    old: State
    new: State
    by: str
    text: str = ""
    hold_reason: HoldReason | None = None
    hold_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """The time of a hold ran out; `reason` is what was waited for."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressTold:
    """An engineer told the requester how it stands."""

    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Somebody of ours wrote an internal note."""

    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SolutionGiven:
    """Solution, cause or workaround was recorded; `part` says which."""

    part: str
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A classifying field changed: severity, impact, urgency, category or ci."""

    field: str
    old: str
    new: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationAsked:
    """Somebody on the record asked for escalation, in these words."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsRefused:
    """A mail's commands were not carried out, none of them."""

    by: str
    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStep:
    """One step of a running timetable; `audience` are role names resolved when it fires."""

    name: str
    percent: int
    due_at: datetime
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStarted:
    """A clock runs from now; its whole timetable is frozen here. `clock` is "respond" or "resolve"."""

    clock: str
    target: timedelta
    calendar: str
    started_at: datetime
    due_at: datetime
    steps: tuple[DueStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPaused:
    """A clock stands still, and why."""

    clock: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockResumed:
    """A clock goes on from where it stood; the due times left are new."""

    clock: str
    at: datetime
    due_at: datetime
    steps: tuple[DueStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRetimed:
    """The promise changed (severity or contract); the time already used still counts."""

    clock: str
    target: timedelta
    calendar: str
    due_at: datetime
    steps: tuple[DueStep, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStopped:
    """What the clock measured has happened, within the target (`met`) or not."""

    clock: str
    at: datetime
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReached:
    """A step of the timetable fell due. `noticed_at` is later than `due_at` after an outage."""

    step: str
    clock: str
    percent: int
    due_at: datetime
    noticed_at: datetime
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFailed:
    """A mail of ours did not reach `address`; it bounced or the mail server refused it."""

    notice: int
    address: str
    template: str
    reason: str
    permanent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerWithheld:
    """We did not answer this mail by ourselves, and why."""

    to: str
    template: str
    reason: str


Event = (
    Opened
    | Routed
    | Rejected
    | MessageAdded
    | Assigned
    | Returned
    | StateChanged
    | Woken
    | ProgressTold
    | Noted
    | SolutionGiven
    | Graded
    | EscalationAsked
    | CommandsRefused
    | ClockStarted
    | ClockPaused
    | ClockResumed
    | ClockRetimed
    | ClockStopped
    | StepReached
    | NoticeFailed
    | AnswerWithheld
)

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def event_data(event: Event) -> dict[str, Any]:
    """Return the event as plain JSON data."""
    data: dict[str, Any] = to_plain(event)
    return data


def event_from(kind: str, data: dict[str, Any]) -> Event:
    """Return the event that `event_data` was given. Raises KeyError for a kind that no version ever wrote."""
    event: Event = from_plain(KINDS[kind], data)
    return event
