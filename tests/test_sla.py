"""The clocks of a ticket, walked through whole lives and checked against an oracle that counts minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config import shipped
from daemon.events import (
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    Event,
    Graded,
    StateChanged,
    StepReached,
)
from daemon.lifecycle import ENDED_STATES, NEXT_STATE
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Rulebook
from daemon.sla import RESOLVE, RESPOND, clock_events, service_level, steps_due
from daemon.ticket import Ticket, after
from daemon.words import HoldReason, Severity, State, Verb
from tests.desk import MONDAY_10AM

BOOK = load_rulebook(shipped("rules"))
ZONE = "Asia/Shanghai"
MINUTE = timedelta(minutes=1)


def ticket(severity: Severity = Severity.MEDIUM, state: State = State.ASSIGNED) -> Ticket:
    return Ticket(number=1, severity=severity, state=state, team="network", opened_at=MONDAY_10AM, length=1)


def kept(t: Ticket, now: datetime) -> tuple[Ticket, tuple[Event, ...]]:
    """Return the ticket with its clocks brought into line, and the events of that."""
    events = clock_events(t, BOOK, ZONE, now)
    return after(t, events), events


def due(t: Ticket, now: datetime, book: Rulebook = BOOK) -> tuple[StepReached, ...]:
    return steps_due(t, book, ZONE, now, now)


def moved(t: Ticket, new: State, verb: Verb = Verb.ACCEPT, reason: HoldReason | None = None) -> Ticket:
    return after(t, [StateChanged(verb=verb, old=t.state, new=new, by="wang.wei", hold_reason=reason)])


@pytest.mark.parametrize("severity", list(Severity))
def test_both_clocks_start_with_what_is_promised(severity: Severity) -> None:
    t, events = kept(ticket(severity), MONDAY_10AM)
    target = BOOK.service_levels["standard"].targets[severity]
    assert [type(e) for e in events] == [ClockStarted, ClockStarted]
    respond, resolve = t.clock(RESPOND), t.clock(RESOLVE)
    assert respond and resolve
    assert (respond.target, resolve.target) == (target.respond, target.resolve)
    assert respond.running and resolve.running and respond.met is None


def test_bringing_into_line_twice_does_nothing_the_second_time() -> None:
    t, _ = kept(ticket(), MONDAY_10AM)
    assert kept(t, MONDAY_10AM + timedelta(hours=1))[1] == ()


def test_taking_it_up_stops_the_response_clock_only() -> None:
    t, _ = kept(ticket(), MONDAY_10AM)
    t, events = kept(moved(t, State.IN_PROGRESS), MONDAY_10AM + timedelta(hours=1))
    assert [(type(e), e.clock, e.met) for e in events if isinstance(e, ClockStopped)] == [(ClockStopped, RESPOND, True)]
    assert t.clock(RESOLVE).running  # type: ignore[union-attr]


def test_too_late_is_not_met_even_if_nobody_looked() -> None:
    t, _ = kept(ticket(), MONDAY_10AM)
    t, _ = kept(moved(t, State.IN_PROGRESS), MONDAY_10AM + timedelta(hours=4))
    assert t.clock(RESPOND).met is False  # type: ignore[union-attr]


@pytest.mark.parametrize(("reason", "stands"), [(r, r in BOOK.hold_stops_clock) for r in HoldReason])
def test_only_the_named_reasons_stop_the_clock(reason: HoldReason, stands: bool) -> None:
    t, _ = kept(moved(kept(ticket(), MONDAY_10AM)[0], State.IN_PROGRESS), MONDAY_10AM)
    t, events = kept(moved(t, State.ON_HOLD, Verb.HOLD, reason), MONDAY_10AM + timedelta(hours=1))
    assert any(isinstance(e, ClockPaused) for e in events) is stands
    assert t.clock(RESOLVE).running is not stands  # type: ignore[union-attr]


def test_steps_come_once_each_in_their_order_and_none_before_its_time() -> None:
    t, _ = kept(ticket(Severity.CRITICAL), MONDAY_10AM)
    told: list[tuple[str, datetime]] = []
    now = MONDAY_10AM
    while now < MONDAY_10AM + timedelta(hours=6):
        events = due(t, now)
        told += [(e.step, now) for e in events if isinstance(e, StepReached)]
        t = after(t, events)
        now += MINUTE
    assert told == [
        ("on record", MONDAY_10AM),
        ("respond 50%", MONDAY_10AM + timedelta(minutes=8)),  # looked at every minute, due after seven and a half
        ("respond 100%", MONDAY_10AM + timedelta(minutes=12)),  # forecast: nobody has taken it up
        ("resolve 25%", MONDAY_10AM + timedelta(hours=1)),
        ("resolve 50%", MONDAY_10AM + timedelta(hours=2)),
        ("resolve 75%", MONDAY_10AM + timedelta(hours=3)),
        ("resolve 100%", MONDAY_10AM + timedelta(hours=3)),  # forecast: one hour is what it usually takes
        ("resolve overdue, every 1h", MONDAY_10AM + timedelta(hours=5)),
    ]


def test_after_a_week_away_all_steps_come_at_once_and_say_when_they_were_due() -> None:
    t, _ = kept(ticket(Severity.CRITICAL), MONDAY_10AM)
    now = MONDAY_10AM + timedelta(days=7)
    events = due(t, now)
    assert len(events) == 8 and all(e.noticed_at == now >= e.due_at and not e.forecast for e in events)
    assert [e.due_at for e in events] == sorted(e.due_at for e in events)
    (reminder,) = [e for e in events if e.again_at]
    assert (reminder.repeat, reminder.missed) == (7 * 24 - 4, 7 * 24 - 5), "one each hour after the fourth"
    assert due(after(t, events), now + 59 * MINUTE) == ()


def test_a_resolved_ticket_has_nothing_due_any_more() -> None:
    t, _ = kept(ticket(Severity.CRITICAL), MONDAY_10AM)
    t, _ = kept(moved(t, State.RESOLVED, Verb.RESOLVE), MONDAY_10AM + MINUTE)
    assert t.next_due_at is None and due(t, MONDAY_10AM + timedelta(days=30)) == ()


def test_a_graver_severity_has_its_own_promise_and_what_was_used_is_used() -> None:
    t, _ = kept(ticket(Severity.MEDIUM), MONDAY_10AM)
    graver = after(t, [Graded(field="severity", old="3", new="1", by="pm", reason="")])
    t, events = kept(graver, MONDAY_10AM + timedelta(minutes=30))
    assert [type(e) for e in events] == [ClockRetimed, ClockRetimed]
    assert t.due(RESOLVE) == MONDAY_10AM + timedelta(hours=4)


def test_a_change_of_the_rules_does_not_touch_a_running_promise_of_steps() -> None:
    """The timetable is frozen into the event: the due steps are those of the day it started."""
    t, _ = kept(ticket(Severity.CRITICAL), MONDAY_10AM)
    level = BOOK.service_levels["standard"]
    harsher = replace(BOOK, service_levels={"standard": replace(level, steps=())})
    assert clock_events(t, harsher, ZONE, MONDAY_10AM + MINUTE) == ()
    assert len(t.clock(RESOLVE).steps) == 6  # type: ignore[union-attr]


@pytest.mark.procedure("6/contract")
def test_a_customer_of_their_own_level_has_it_and_strangers_have_the_standard() -> None:
    level = replace(BOOK.service_levels["standard"], key="gold")
    customer = replace(BOOK.customers["huaxin"], service_level="gold")
    book = replace(
        BOOK, service_levels={**BOOK.service_levels, "gold": level}, customers={**BOOK.customers, "huaxin": customer}
    )
    assert service_level(replace(ticket(), customer="huaxin"), book) == level
    assert service_level(ticket(), book) == BOOK.service_levels["standard"]
    assert service_level(ticket(), replace(BOOK, service_levels={})) is None
    assert clock_events(ticket(), replace(BOOK, service_levels={}), ZONE, MONDAY_10AM) == ()


# --- whole lives at random, against an oracle ---

MOVES = sorted({(old, verb, new) for (old, verb), new in NEXT_STATE.items()})
walks = st.lists(
    st.tuples(st.integers(1, 900), st.integers(0, 30), st.sampled_from(list(HoldReason))), min_size=1, max_size=8
)


def counts(state: State, reason: HoldReason | None) -> bool:
    """Whether the resolution clock has to run in this state: said once more, in other words than the code's."""
    if state is State.ON_HOLD:
        return reason not in BOOK.hold_stops_clock
    return state in (State.NEW, State.ASSIGNED, State.IN_PROGRESS)


def worked_minutes(start: datetime, end: datetime) -> int:
    cal = BOOK.calendars["business"]
    total = 0
    for i in range(int((end - start) / MINUTE)):
        local = (start + i * MINUTE).astimezone(ZoneInfo(cal.zone or ZONE))
        off = local.date() in cal.holidays
        total += not off and any(a <= local.time() < b for a, b in cal.week.get(local.weekday(), ()))
    return total


@settings(max_examples=40, deadline=None)
@given(walks)
def test_the_resolution_clock_counts_exactly_the_working_minutes_in_which_it_ran(
    walk: list[tuple[int, int, HoldReason]],
) -> None:
    t, _ = kept(ticket(Severity.MEDIUM), MONDAY_10AM)
    now, used, reason = MONDAY_10AM, 0, None
    for minutes, choice, why in walk:
        later = now + minutes * MINUTE
        used += worked_minutes(now, later) if counts(t.state, reason) else 0
        now = later
        ways = [(v, n) for o, v, n in MOVES if o is t.state]
        if not ways:
            break
        verb, new = ways[choice % len(ways)]
        reason = why if new is State.ON_HOLD else None
        t, events = kept(moved(t, new, verb, reason), now)
        assert all(not isinstance(e, ClockResumed) or counts(t.state, reason) for e in events)
        check(t, now, used, reason)


def check(t: Ticket, now: datetime, used: int, reason: HoldReason | None) -> None:
    clock = t.clock(RESOLVE)
    assert clock is not None and clock.running is counts(t.state, reason)
    assert (clock.met is not None) == (t.state in ENDED_STATES)
    target = int(clock.target / MINUTE)
    if clock.met is not None:
        assert clock.met == (used <= target)
    elif clock.running and used < target:
        assert worked_minutes(now, clock.due_at) == target - used
