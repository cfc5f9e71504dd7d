"""What happened, scene by scene: plain facts that the screen and the page are made from.

What comes in: bytes of mails and events of tickets. What goes out: Pages of the chronicle, with every event in one
short sentence. Nothing here decides or looks anything up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.events import (
    AnswerWithheld,
    Assigned,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    CommandsRefused,
    Event,
    MessageAdded,
    NoticeFailed,
    Opened,
    ProgressTold,
    Routed,
    SolutionGiven,
    StateChanged,
    StepReached,
)
from daemon.intake.letter import Letter
from daemon.words import Nature, Proof, domain_of

IN_TIME, TOO_LATE = "in time", "too late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One mail as the chronicle shows it. `side` is who wrote it: customer, staff, ticketd, machine or stranger."""

    at: datetime
    side: str
    sender: str
    to: str
    address: str
    subject: str
    words: str
    quoted: str
    file: str
    incoming: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event in words; `kind` is "state", "clock" or "note", `refused` marks what was not carried out."""

    ticket: int
    kind: str
    text: str
    refused: bool = False


@dataclass(kw_only=True)
class Scene:
    """One scene as it was played: its mails in order, what changed, and what was verified afterwards."""

    at: datetime
    title: str
    mails: list[Shown] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    broken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The day in numbers, one row for each ticket, and what was refused and why."""

    day: str
    numbers: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    tickets: tuple[tuple[str, ...], ...]
    refused: tuple[str, ...]


def side_of(letter: Letter, service: str, sender: str) -> str:
    """Return who wrote this mail: told by the address it claims, by its nature, and by the envelope it came in."""
    claimed = letter.sender.address if letter.sender else ""
    if claimed == service:
        return "ticketd"
    if letter.nature in (Nature.BOUNCE, Nature.AUTOMATIC):
        return "machine"
    if domain_of(sender) != domain_of(claimed):
        return "stranger"
    return "staff" if domain_of(claimed) == domain_of(service) else "customer"


def in_words(event: Event, names: Mapping[str, str], zone: ZoneInfo) -> tuple[str, str, bool] | None:
    """Return an event as (kind, sentence, refused), or None for one that the mails tell well enough."""
    match event:
        case ClockStarted() | ClockPaused() | ClockResumed() | ClockStopped() | StepReached():
            return "clock", _clock_words(event, zone), False
        case CommandsRefused(reason=reason, commands=commands):
            return "note", f"refused ({reason.rstrip(':')}): {' · '.join(commands)}", True
        case AnswerWithheld(to=to, reason=reason):
            return "note", f"no answer to {to}: {reason}", True
        case NoticeFailed(address=address, template=template):
            return "note", f"the mail “{template}” did not reach {address}", True
        case StateChanged(old=old, new=new, verb=verb, by=by):
            return "state", f"{old} → {new} ({verb}, {names.get(by, by)})", False
        case _:
            return _other_words(event, names)


def _other_words(event: Event, names: Mapping[str, str]) -> tuple[str, str, bool] | None:
    match event:
        case Opened(kind=kind, requester_name=name):
            return "state", f"new {kind}, reported by {name}", False
        case Routed(category=category, severity=severity, team=team, assignee=assignee):
            whom = f"team {team}" + (f", {names.get(assignee, assignee)}" if assignee else "")
            return "state", f"{category}, severity {int(severity)} → {whom}", False
        case Assigned(assignee=assignee, team=team):
            return "state", f"assigned to {names.get(assignee, assignee) or team}", False
        case SolutionGiven(part=part, text=text):
            return "note", f"{part}: {text}", False
        case ProgressTold(by=by):
            return "note", f"progress told by {names.get(by, by)}", False
        case MessageAdded(nature=nature, author=author) if nature is not Nature.HUMAN:
            return "note", f"{nature} mail of {names.get(author, author)}: kept, and never answered", True
        case MessageAdded(proof=proof, author=author) if proof is not Proof.NONE:
            return "note", f"mail of {names.get(author, author)}, proved by {proof}", False
        case _:
            return None


def _clock_words(event: ClockStarted | ClockPaused | ClockResumed | ClockStopped | StepReached, zone: ZoneInfo) -> str:
    match event:
        case ClockStarted(clock=clock, target=target, due_at=due):
            return f"{clock} clock starts: {_span(target)}, due {_moment(due, zone)}"
        case ClockPaused(clock=clock, reason=reason):
            return f"{clock} clock stands still (waits for {reason})"
        case ClockResumed(clock=clock, due_at=due):
            return f"{clock} clock goes on, due {_moment(due, zone)}"
        case ClockStopped(clock=clock, met=met):
            return f"{clock} clock stops: {IN_TIME if met else TOO_LATE}"
        case StepReached(clock=clock, percent=percent, audience=audience):
            return f"{clock} clock at {percent} %: tell {', '.join(audience)}"


def _span(target: timedelta) -> str:
    minutes = int(target.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _moment(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%a %H:%M}"
