"""Major incidents: declaring one, its warning level, the updates that are owed, and when it is over (procedure §10).

What comes in: what stands behind the keyword, a Ticket, who commands, or the clock. What goes out: Events or a Refusal.
This file alone knows how the warning level follows from what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.actors import Actor, Refusal, in_charge
from daemon.events import (
    Event,
    Graded,
    MajorDeclared,
    MajorEnded,
    MajorUpdated,
    MajorUpdateOwed,
)
from daemon.intake import arguments
from daemon.rulebook import MajorRules, Rulebook, WarningLevel
from daemon.ticket import Ticket
from daemon.words import Severity

LIMITS = ("customers_network", "customers", "regions", "complaints", "escalated_complaints")
"""What a warning level may be measured by, in the order in which they are looked at."""
_BETWEEN_REGIONS = re.compile(r"[\s、,，;；/+&]+")
_FROM_THE_LIMIT_ON = frozenset({"regions"})
_MOST_DOUBLINGS = 20
DEFAULT = "default"
"""The threshold of a level for which nothing speaks: it is the mildest one."""


def declare(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Make it a major incident, change its warning level, or (`off`) end it."""
    rules = actor.rulebook.major
    if not rules.levels:
        return Refusal(code="no_major")
    over, reason = arguments.ending_in(argument)
    if over:
        return _end(reason, ticket, actor)
    level, reason, near = arguments.warning_in(argument, rules.levels)
    # Everybody is told at once, customers too: what may be a level that there is not is asked about, not passed over.
    if near or (level is None and arguments.names_a_level(argument)):
        return Refusal(code="no_such_level", near=near)
    judged = _Judged(level=level) if level else _by_what_is_known(ticket, actor)
    if ticket.major_run and ticket.in_alarm and ticket.major_run.level == judged.level.key:
        return ()
    return (_declared(judged, reason, ticket, actor), *_graver(reason, ticket, actor))


def publish(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Tell everybody concerned how it stands; from now on the next update is owed."""
    if not ticket.in_alarm or ticket.major_run is None:
        return Refusal(code="not_major")
    if not argument:
        return Refusal(code="needs_text")
    # People hear it now, however long the mail lay: the next one is owed from now on.
    due_at = actor.now + ticket.major_run.every
    return (MajorUpdated(by=actor.name, text=argument, at=actor.at or actor.now, due_at=due_at),)


def update_owed(ticket: Ticket, rulebook: Rulebook, now: datetime, until: datetime) -> tuple[Event, ...]:
    """Return the reminder that an update is missing, where one fell due `until` then; of several only one."""
    run, rules = ticket.major_run, rulebook.major
    if run is None or ticket.update_chase_at is None or run.chase_at > until:
        return ()
    repeat = run.reminded + 1
    wait = _until_next(repeat, run.remind, rules)
    again_at = run.chase_at + ((max(now, until) - run.chase_at) // wait + 1) * wait
    audience = (run.owner or rules.owner,) if repeat <= rules.asked else (run.owner or rules.owner, *rules.then)
    return (
        MajorUpdateOwed(due_at=run.due_at, noticed_at=now, again_at=again_at, repeat=repeat, audience=audience),
    )  # fmt: skip


def _until_next(repeat: int, remind: timedelta, rules: MajorRules) -> timedelta:
    """Return how long the reminder after this one waits: once it went to others too, twice as long each time."""
    doubled = min(max(0, repeat - rules.asked), _MOST_DOUBLINGS)
    return min(remind * (1 << doubled), max(rules.widest, remind))


def alarm_follows(
    before: Ticket, then: Ticket, events: Iterable[Event], rulebook: Rulebook, now: datetime
) -> tuple[Event, ...]:
    """Return what a new state means for a major incident: solved, it is over; taken up again, it goes on."""
    run = then.major_run
    if run is None or before.open == then.open:
        return ()
    by = next((str(b) for e in events if (b := getattr(e, "by", ""))), "")
    if run.active and not then.open:
        return (MajorEnded(by=by, at=now, reason=then.solution if then.solution != before.solution else "",
                           state=then.state),)  # fmt: skip
    level = rulebook.major.level(run.level)
    if run.active or not run.ended_state or level is None:
        return ()
    return (
        MajorDeclared(
            level=level.key, by=by, at=now, every=level.every, remind=level.remind, due_at=now + level.every,
            owner=run.owner, threshold="reopened",
        ),
    )  # fmt: skip


# --- the warning level ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A level, and which threshold spoke for it."""

    level: WarningLevel
    threshold: str = ""
    value: int = 0
    limit: int = 0


def _by_what_is_known(ticket: Ticket, actor: Actor) -> _Judged:
    """Return the gravest level of which some threshold is reached, else the mildest one."""
    rules = actor.rulebook.major
    known = _known(ticket, actor)
    for level in rules.levels:
        for name in LIMITS:
            limit, value = level.limits.get(name), known.get(name, 0)
            if limit is not None and (value > limit or (value == limit and name in _FROM_THE_LIMIT_ON)):
                return _Judged(level=level, threshold=name, value=value, limit=limit)
    return _Judged(level=rules.levels[-1], threshold=DEFAULT)


def _known(ticket: Ticket, actor: Actor) -> dict[str, int]:
    book = actor.rulebook
    customer = book.customers.get(ticket.customer)
    named = ticket.region or (customer.region if customer else "")
    network = any(f"{ticket.category}/".startswith(f"{c}/") for c in book.major.network)
    complaints, escalated = actor.complaints
    return {
        "regions": len({part for part in _BETWEEN_REGIONS.split(named) if part}),
        "customers_network": ticket.affected if network else 0,
        "customers": 0 if network else ticket.affected,
        "complaints": complaints,
        "escalated_complaints": escalated,
    }


def _declared(judged: _Judged, reason: str, ticket: Ticket, actor: Actor) -> MajorDeclared:
    rules, run, level = actor.rulebook.major, ticket.major_run, judged.level
    going_on = run if run and run.active else None
    answering = in_charge(rules.owner, ticket, actor.rulebook, actor.now.date())
    own = next((p for p in answering if p.key == actor.name), next(iter(answering), None))
    return MajorDeclared(
        level=level.key, by=actor.name, at=actor.at or actor.now, every=level.every, remind=level.remind,
        due_at=actor.now + level.every, owner=going_on.owner if going_on else own.key if own else "", reason=reason,
        old=going_on.level if going_on else "", threshold=judged.threshold, value=judged.value, limit=judged.limit,
    )  # fmt: skip


def _graver(reason: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...]:
    """A major incident is of the highest severity; that is graded like anything else."""
    if ticket.severity is Severity.CRITICAL:
        return ()
    highest = Severity.CRITICAL
    return (
        Graded(field="severity", old=str(int(ticket.severity)), new=str(int(highest)), by=actor.name, reason=reason),
    )  # fmt: skip


def _end(reason: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if not ticket.in_alarm:
        return Refusal(code="not_major")
    return (MajorEnded(by=actor.name, at=actor.at or actor.now, reason=reason),)
