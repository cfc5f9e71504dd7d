"""Closing by silence: a requester who does not object is reminded once, then taken at their silence (procedure §3).

What comes in: a Ticket as it is after a decision, the Rulebook, the service's zone and now. What goes out: Events.
When we remind and when we close is frozen as the question is asked; only a late reminder moves the closing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from daemon.events import AnswerAwaited, ClosedBySilence, Event, Reminded, StateChanged
from daemon.rulebook import Rulebook
from daemon.ticket import Silence, Ticket
from daemon.words import State, Verb
from daemon.workhours import hours_after

CLOCK = "clock"
"""Who closes by silence, as history names it."""
_LATE = timedelta(hours=1)


def silence_begins(ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime) -> tuple[Event, ...]:
    """Return the beginning of the wait for the requester's word, if they were just asked for it."""
    rule, calendar = rulebook.duties.closing, rulebook.calendar_of(ticket.customer)
    if not ticket.case or ticket.state is not State.RESOLVED or ticket.silence or rule is None or calendar is None:
        return ()
    opens, _ = hours_after(calendar, zone, now, rule.after_days - rule.remind_days_before)
    _, closes = hours_after(calendar, zone, now, rule.after_days)
    return (AnswerAwaited(since=now, days=rule.after_days, calendar=calendar.key, remind_at=opens, close_at=closes),)


def silence_due(
    ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime, until: datetime | None = None
) -> tuple[Event, ...]:
    """Return what the clock does about a requester who has not answered: nothing, a reminder, or the closing.

    `until`: a mail that came then has still to be handled. It may be the answer, so nobody is reminded before it.
    """
    silence = ticket.silence
    if silence is None or silence.due_at > (until or now):
        return ()
    if silence.reminded_at is None and until is not None:
        return ()
    if silence.reminded_at is None:
        close_at = _closing_after(silence, ticket, rulebook, zone, now)
        return (Reminded(due_at=silence.remind_at, noticed_at=now, close_at=close_at),)
    closed = ClosedBySilence(
        since=silence.since, days=silence.days, reminded_at=silence.reminded_at, close_at=silence.close_at,
        noticed_at=now,
    )  # fmt: skip
    return (closed, StateChanged(verb=Verb.CONFIRM, old=ticket.state, new=State.PENDING_REVIEW, by=CLOCK))


def is_late(due_at: datetime, noticed_at: datetime) -> bool:
    """Whether what the clock does comes so late that it has to say so."""
    return noticed_at - due_at > _LATE


def _closing_after(silence: Silence, ticket: Ticket, rulebook: Rulebook, zone: str, now: datetime) -> datetime:
    """Return when to close: as promised, but after a late reminder not before one more working day is over."""
    calendar = rulebook.calendar_of(ticket.customer)
    if calendar is None or not is_late(silence.remind_at, now):
        return silence.close_at
    return max(silence.close_at, hours_after(calendar, zone, now, 1)[1])
