"""What can happen to a ticket. Events are facts: recorded once, in the past tense, never changed.

What comes in: the decisions of daemon.decide. What goes out: the history that everything else is drawn from.
This file alone knows the name under which each event is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, get_args

from daemon.plain import from_plain, to_plain
from daemon.words import HoldReason, Kind, Level, LinkKind, Matched, Nature, Proof, Severity, State, Verb, Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A mail became a ticket. `participants` are the addresses on the record besides the requester.

    `recorded_by` is the address of one of ours who recorded it for the requester, or "". `source` is how the report
    reached us, `occurred_at` since when it has been so, where somebody said it. `symptom` is how the report begins;
    `contact`, `place` and `region` are what customers.yaml says of the requester. `by_tool`: the requester
    is a monitoring tool, to which nobody writes; `alert` is the key by which its alert is known again.
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
    occurred_at: datetime | None = None
    symptom: str = ""
    contact: str = ""
    place: str = ""
    region: str = ""
    alert: str = ""
    by_tool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The rules of version `rules` classified and dispatched; `because` names the rules that matched.

    `fields` are further ones of the record that they filled in, as in a Corrected, `level` is the service level and
    `templates` the variants that they chose, `approval` who has to approve it first.
    """

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
    service: str = ""
    place: str = ""
    error_codes: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    level: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    approval: str = ""
    region: str = ""
    order: str = ""
    affected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesApplied:
    """Rules of version `rules` that look at mails on a ticket matched mail `mail`, and added these.

    What else they did stands in events of its own. `problems` as in a Routed.
    """

    mail: int
    because: tuple[str, ...]
    rules: str
    tags: tuple[str, ...] = ()
    watchers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleNotified:
    """A rule had these told of the mail: names of an audience, teams or people by key, addresses.

    `first`: the mail has opened the ticket.
    """

    audience: tuple[str, ...]
    because: tuple[str, ...]
    first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """It waits until somebody of `audience` approves it; then it goes to `team`. They are asked again at `again_at`."""

    audience: tuple[str, ...]
    team: str
    line: int
    assignee: str
    at: datetime
    again_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOwed:
    """Nobody has decided since the question of `since`; this is reminder `repeat`, the next is at `again_at`."""

    audience: tuple[str, ...]
    since: datetime
    noticed_at: datetime
    again_at: datetime
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The mail is outside the scope of service; the requester is told why: a rule's `reason`, or by contract.

    `why`: unknown_customer, expired, not_begun, not_covered; "" where a rule said so.
    """

    reason: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeDoubted:
    """It is outside the contract (`why` as in Rejected), and the desk decides; else it would have gone to `team`."""

    why: str
    team: str
    line: int
    assignee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Insisted:
    """The requester wants it although it was refused, for this `why` or `reason`: sales decides."""

    by: str
    at: datetime
    why: str = ""
    reason: str = ""


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
    """The ticket went to a team and perhaps a person; `by` is who said so.

    `because`: why it is this person, where dispatch chose them: codes with a detail, as in "skill:network/vpn".
    """

    team: str
    line: int
    assignee: str
    by: str
    reason: str = ""
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfree:
    """Why somebody cannot take a ticket now: `why` is away, off_hours or full; `detail` until when, or how full."""

    person: str
    why: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Nobody of the team is free: the ticket waits for one of them. `until`: when the next of them begins to work.

    `but` are those who have just given it away, and shall not have it back.
    """

    team: str
    since: datetime
    reasons: tuple[Unfree, ...] = ()
    until: datetime | None = None
    but: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """Its engineer was called back from it, to work on the graver `ticket`; it goes back to the queue of `team`."""

    person: str
    team: str
    line: int
    ticket: int
    severity: int
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledIn:
    """`person` was called back from the lesser `ticket`, to work on this one."""

    person: str
    ticket: int
    severity: int
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedUp:
    """Functional escalation: `line` 2 took over, or (3) a vendor, from the person `former`.

    `vendors` are the addresses that may write about it from now on, `liaison` is who of ours answers for it meanwhile.
    """

    line: int
    by: str
    reason: str = ""
    vendors: tuple[str, ...] = ()
    former: str = ""
    liaison: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """Wrong queue: the ticket went back to the service desk."""

    by: str
    reason: str
    from_team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """A verb moved the ticket; `text` are the words that go with it, `hold_*` only for a hold.

    `own`: who approved it is who wants it.
    """

    verb: Verb
    old: State
    new: State
    by: str
    text: str = ""
    hold_reason: HoldReason | None = None
    hold_until: datetime | None = None
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """The time of a hold ran out, or the `change` that it waited for is over; `reason` is what was waited for."""

    reason: str
    until: datetime
    change: int = 0


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
class RecordedFor:
    """A colleague's own report turned out to be a customer's: the record is theirs from now on."""

    requester: str
    requester_name: str
    customer: str
    language: str
    recorded_by: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A field of the record was filled in or put right: `old` and `new` as text, a time being ISO 8601."""

    field: str
    old: str
    new: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRepeated:
    """The same alert came again, in mail `mail`. `back`: it was over meanwhile. `told`: those at work hear of it."""

    mail: int
    by: str
    at: datetime
    subject: str = ""
    told: bool = False
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecovered:
    """The monitoring tool says that the alert is over. `proved`: it surely came from the tool."""

    mail: int
    by: str
    at: datetime
    subject: str = ""
    proved: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One of our mails: to whom, and which template."""

    address: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The same person took back, within minutes, what they did by the mail `undoes`; what it was then is so again.

    The events before it in the same mail restore the single values; here stand those that no other event can set.
    `done_at` is when that was, `told` are the mails that had gone out about it.
    """

    by: str
    undoes: str
    done_at: datetime | None = None
    told: tuple[Told, ...] = ()
    answered: bool = False
    reopened: int = 0
    returned: int = 0
    handed_up: int = 0
    liaison: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationAsked:
    """Somebody on the record asked for escalation, in these words: with it, the next `step` of `clock` is reached.

    `hand_up`: what that step does beside telling people, as in a DueStep.
    """

    by: str
    reason: str
    step: str = ""
    clock: str = ""
    audience: tuple[str, ...] = ()
    at: datetime | None = None
    hand_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationAcknowledged:
    """Somebody of ours has taken note of the escalation; `step` is the one that they answered, or ""."""

    by: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsRefused:
    """A mail's commands were not carried out, none of them."""

    by: str
    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStep:
    """One step of a running timetable; `audience` are role names resolved when it fires.

    `after`: it is due after this much of the clock's working time, else at `percent`. `every`: it comes again and again
    after the breach, `quiet` being how long an acknowledgement silences it. `severity` is the one that it belongs to
    (0: unknown). `forecast_at`: it comes as early as this if nobody is at work by then. `hand_up`: to which line of
    support the ticket then goes by itself (0: to none).
    """

    name: str
    percent: int
    due_at: datetime
    audience: tuple[str, ...]
    severity: int = 0
    after: timedelta | None = None
    every: timedelta | None = None
    quiet: timedelta | None = None
    forecast_at: datetime | None = None
    hand_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStarted:
    """A clock runs from now; its whole timetable is frozen here. `clock` is "respond" or "resolve".

    `severity` and the service level `level` are what the promise comes from; `zone` is where its calendar counts.
    """

    clock: str
    target: timedelta
    calendar: str
    started_at: datetime
    due_at: datetime
    steps: tuple[DueStep, ...]
    severity: int = 0
    level: str = ""
    zone: str = ""


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
    """The promise changed (severity or contract); the time already used still counts, as it was counted then."""

    clock: str
    target: timedelta
    calendar: str
    due_at: datetime
    steps: tuple[DueStep, ...]
    reason: str
    at: datetime | None = None
    severity: int = 0
    level: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStopped:
    """What the clock measured has happened, within the target (`met`) or not."""

    clock: str
    at: datetime
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReached:
    """A step of the timetable fell due. `noticed_at` is later than `due_at` after an outage.

    `forecast`: it came before its time, since the target will be missed. `again_at`: it comes back then; `repeat`
    counts how often it has been due, `missed` how many of these nobody could be told of.
    """

    step: str
    clock: str
    percent: int
    due_at: datetime
    noticed_at: datetime
    audience: tuple[str, ...]
    severity: int = 0
    after: timedelta | None = None
    forecast: bool = False
    again_at: datetime | None = None
    repeat: int = 0
    missed: int = 0
    hand_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPassedOn:
    """The mail about a step did not reach `address`, so the next in line after `told_as` is told instead.

    `asked_by` and `reason` where the step came because somebody asked for escalation.
    """

    step: str
    clock: str
    percent: int
    due_at: datetime
    at: datetime
    address: str
    told_as: str
    asked_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindersSilenced:
    """Somebody acknowledged: what comes again and again after the breach stays away until then."""

    clock: str
    by: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAwaited:
    """The requester was asked whether it is solved. Without an objection the clock asks once more at `remind_at` and
    closes at `close_at`, which is `days` working days after `since`."""

    since: datetime
    days: int
    calendar: str
    remind_at: datetime
    close_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """The requester was asked once more; after an outage `noticed_at` is later than `due_at`, and `close_at` too."""

    due_at: datetime
    noticed_at: datetime
    close_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBySilence:
    """Nobody objected within `days` working days after `since`, although reminded: that counts as a confirmation."""

    since: datetime
    days: int
    reminded_at: datetime
    close_at: datetime
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedBy:
    """The requester wrote again after the end: `ticket` was opened for it."""

    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The record `ticket` is `link` to this one from now on. What goes with it stands in `text`.

    Of a merged one: its words, `people` are the addresses that came with it, and `requesters` those of them whose case
    it is. Of one that was `opened` by this: what it is about. Of knowledge: the solution that was taken over.
    """

    link: LinkKind
    ticket: int
    by: str
    text: str = ""
    people: tuple[str, ...] = ()
    opened: bool = False
    requesters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlinked:
    """The record `ticket` is no longer `link` to this one."""

    link: LinkKind
    ticket: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsShared:
    """What was told on `ticket`, where this case is handled, was told to the requester of this record too.

    `outcome` is what became of it: solved, reopened, cancelled or out_of_scope; "" is news and no more.
    """

    ticket: int
    by: str
    text: str
    solved: bool = False
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentSolved:
    """The parent `ticket` was solved, and this one with it."""

    ticket: int
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentEnded:
    """The parent `ticket` came to an end, and this one goes on for itself. `state` is how it ended: without being
    solved, or it was solved (resolved) while this one waits for approval.
    """

    ticket: int
    by: str
    text: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpAsked:
    """The requester was asked for a rating (回访), in one mail about the tickets `together`."""

    at: datetime
    together: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """The requester's rating from 1 (worst) to 5, and their words."""

    rating: int
    by: str
    text: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorDeclared:
    """It is a major incident from now on, or has another warning level than before (`old`, "" for none).

    `threshold` is what was counted for the level: this `value` against that `limit` (threshold "" where somebody named
    the level, "default" where nothing that is known reaches one). An update is owed by `due_at` and then `every` so
    often; a missed one is chased every `remind`. `owner` is whose it is.
    """

    level: str
    by: str
    at: datetime
    every: timedelta
    remind: timedelta
    due_at: datetime
    owner: str = ""
    reason: str = ""
    old: str = ""
    threshold: str = ""
    value: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorUpdated:
    """Everybody concerned by a major incident was told how it stands; the next update is owed by `due_at`."""

    by: str
    text: str
    at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorUpdateOwed:
    """An update of a major incident is overdue since `due_at`; this is reminder `repeat`, the next is at `again_at`.

    After an outage `noticed_at` is much later than `due_at`.
    """

    due_at: datetime
    noticed_at: datetime
    again_at: datetime
    repeat: int
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorEnded:
    """The major incident is over: somebody said so, or the ticket came to this `state`."""

    by: str
    at: datetime
    reason: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """One task of an emergency plan: `what` by language, `who` by role, team or person, `after` which other tasks."""

    number: int
    what: Mapping[str, str]
    who: str
    within: timedelta
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProposed:
    """An emergency plan fits this ticket; its coordinator decides whether it starts."""

    plan: str
    name: Mapping[str, str]
    coordinator: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanActivated:
    """An emergency plan was started, with the tasks as the plan had them then. An overdue task is asked after again
    `remind` later."""

    plan: str
    name: Mapping[str, str]
    coordinator: str
    by: str
    at: datetime
    remind: timedelta
    tasks: tuple[PlanTask, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """It is the turn of this task: whoever is named in `audience` is asked to have it done by `due_at`."""

    task: int
    at: datetime
    due_at: datetime
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone:
    """A task of an emergency plan is done."""

    task: int
    by: str
    at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBlocked:
    """A task of an emergency plan cannot go on, and why."""

    task: int
    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOverdue:
    """Nobody said that this task is done, although it was due: its owner is asked once more, until `again_at`."""

    task: int
    due_at: datetime
    noticed_at: datetime
    again_at: datetime
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnanswered:
    """The owner of an overdue task did not answer the reminder either: now the coordinator has to know."""

    task: int
    due_at: datetime
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEnded:
    """An emergency plan is over: all its tasks are done, or somebody ended it with the tasks `undone` left."""

    plan: str
    by: str
    at: datetime
    reason: str = ""
    undone: tuple[int, ...] = ()


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
    | RulesApplied
    | RuleNotified
    | ApprovalAsked
    | ApprovalOwed
    | Rejected
    | ScopeDoubted
    | Insisted
    | MessageAdded
    | Assigned
    | Queued
    | Recalled
    | CalledIn
    | HandedUp
    | Returned
    | StateChanged
    | Woken
    | ProgressTold
    | Noted
    | SolutionGiven
    | Graded
    | RecordedFor
    | Corrected
    | AlertRepeated
    | AlertRecovered
    | Undone
    | EscalationAsked
    | EscalationAcknowledged
    | CommandsRefused
    | ClockStarted
    | ClockPaused
    | ClockResumed
    | ClockRetimed
    | ClockStopped
    | StepReached
    | StepPassedOn
    | RemindersSilenced
    | AnswerAwaited
    | Reminded
    | ClosedBySilence
    | FollowedBy
    | Linked
    | Unlinked
    | NewsShared
    | ParentSolved
    | ParentEnded
    | FollowUpAsked
    | Rated
    | MajorDeclared
    | MajorUpdated
    | MajorUpdateOwed
    | MajorEnded
    | PlanProposed
    | PlanActivated
    | TaskStarted
    | TaskDone
    | TaskBlocked
    | TaskOverdue
    | TaskUnanswered
    | PlanEnded
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
