"""Tickets that never were: seeded histories of a service desk, made without mails, for reports to count.

Clocks come from the real `sla`; everything else is thrown by dice: idle tickets, returns, reopenings, holds, raised and
lowered severities, an undone resolution, and hours between a mail's coming and its being read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.events import (
    Assigned,
    EscalationAsked,
    Event,
    FollowUpAsked,
    Graded,
    MessageAdded,
    Opened,
    Rated,
    Rejected,
    Returned,
    Routed,
    StateChanged,
    StepReached,
    Undone,
)
from daemon.rulebook import Rulebook
from daemon.sla import clock_events
from daemon.ticket import Ticket, after
from daemon.words import HoldReason, Kind, Level, Matched, Nature, Proof, Severity, State, Verb, Visibility

ZONE = "Asia/Shanghai"
CUSTOMERS = ("huaxin", "acme", "")
CATEGORIES = ("network/vpn", "hardware/printer", "software/mail", "account/password", "facility/power", "")
ENGINEERS = ("wang.wei", "li.na", "zhao.min", "")
SOURCES = ("mail", "mail", "mail", "phone", "alert")

History = list[tuple[datetime, Event]]


@dataclass
class Story:
    """One ticket being told."""

    number: int
    dice: random.Random
    rulebook: Rulebook
    now: datetime
    history: History = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ticket = Ticket(number=self.number)

    def happens(self, *events: Event, read_after: timedelta = timedelta(0)) -> None:
        """Let this be decided for a mail that came now and was read later, clocks and all."""
        then = after(self.ticket, events)
        every = (*events, *clock_events(then, self.rulebook, ZONE, self.now))
        self.ticket = after(self.ticket, every)
        self.history += [(self.now + read_after, e) for e in every]
        self.now += read_after

    def waits(self, hours: float) -> None:
        self.now += timedelta(hours=self.dice.uniform(0.02, hours))

    def moves(self, verb: Verb, new: State, **more: object) -> StateChanged:
        by = self.ticket.assignee or "chen.jing"
        return StateChanged(verb=verb, old=self.ticket.state, new=new, by=by, **more)  # type: ignore[arg-type]


def histories(count: int, rulebook: Rulebook, since: datetime, *, seed: int = 1, days: int = 45) -> dict[int, History]:
    """Return so many tickets by number, reported within so many days."""
    dice = random.Random(seed)
    moments = sorted(since + timedelta(days=dice.uniform(0, days)) for _ in range(count))
    return {n: _one(Story(n, dice, rulebook, at.replace(microsecond=0))) for n, at in enumerate(moments, 1)}


def _one(story: Story) -> History:
    _opens(story)
    for step in _course(story):
        step(story)
    return story.history


def _opens(story: Story) -> None:
    dice, severity = story.dice, Severity(story.dice.choice((1, 2, 3, 3, 4, 4)))
    team = dice.choice(("network", "desktop", ""))
    customer = dice.choice(CUSTOMERS)
    opened = Opened(
        kind=dice.choice((Kind.INCIDENT, Kind.INCIDENT, Kind.SERVICE_REQUEST)), subject=f"=1+1 故障 {story.number}",
        requester=f"user{story.number % 7}@{customer or 'elsewhere'}.example", requester_name="张三", customer=customer,
        language="zh", reported_at=story.now, source=dice.choice(SOURCES),
    )  # fmt: skip
    routed = Routed(
        category=dice.choice(CATEGORIES), impact=Level.LOW, urgency=Level.MEDIUM, severity=severity, team=team,
        line=dice.choice((1, 1, 2)), assignee="", tags=(), watchers=(), ci="", because=(), rules="",
    )  # fmt: skip
    rejected = (Rejected(reason="not ours"),) if dice.random() < 0.04 else ()
    story.happens(opened, routed, *rejected, read_after=_unread(dice))


def _unread(dice: random.Random) -> timedelta:
    return timedelta(hours=dice.uniform(1, 9)) if dice.random() < 0.05 else timedelta(seconds=dice.randint(0, 90))


def _course(story: Story) -> Iterator[Callable[[Story], None]]:
    """Yield what happens next, as long as it makes sense and the dice will."""
    dice = story.dice
    for _ in range(dice.choice((0, 2, 4, 8, 12, 16))):
        choices = _NEXT.get(story.ticket.state, ())
        if not choices:
            return
        story.waits(dice.choice((1, 1, 8, 40)))
        yield dice.choice(choices)


def _takes(story: Story) -> None:
    name = story.dice.choice(ENGINEERS[:3])
    given = Assigned(team=story.ticket.team or "network", line=1, assignee=name, by=name, reason="taken up")
    story.happens(given, story.moves(Verb.ACCEPT, State.IN_PROGRESS), read_after=_unread(story.dice))


def _is_handed_over(story: Story) -> None:
    line = story.dice.choice((1, 2))
    given = Assigned(team="server", line=line, assignee=story.dice.choice(ENGINEERS), by="chen.jing", reason="")
    story.happens(given, story.moves(Verb.ASSIGN, State.ASSIGNED))


def _comes_back(story: Story) -> None:
    back = Returned(by="wang.wei", reason="不是我们的", from_team=story.ticket.team)
    story.happens(back, story.moves(Verb.RETURN, State.NEW))


def _is_held(story: Story) -> None:
    reason = story.dice.choice(list(HoldReason))
    story.happens(story.moves(Verb.HOLD, State.ON_HOLD, hold_reason=reason), read_after=_unread(story.dice))


def _goes_on(story: Story) -> None:
    story.happens(story.moves(Verb.RESUME, State.IN_PROGRESS))


def _is_solved(story: Story) -> None:
    story.happens(story.moves(Verb.RESOLVE, State.RESOLVED, text="换了"), read_after=_unread(story.dice))


def _is_confirmed(story: Story) -> None:
    story.happens(story.moves(Verb.CONFIRM, State.PENDING_REVIEW))


def _is_reopened(story: Story) -> None:
    story.happens(story.moves(Verb.REOPEN, State.IN_PROGRESS))


def _is_rejected(story: Story) -> None:
    story.happens(story.moves(Verb.REJECT, State.IN_PROGRESS))


def _is_archived(story: Story) -> None:
    story.happens(story.moves(Verb.ARCHIVE, State.ARCHIVED))


def _is_cancelled(story: Story) -> None:
    story.happens(story.moves(Verb.CANCEL, State.CANCELLED))


def _is_graded(story: Story) -> None:
    new = story.dice.choice([s for s in Severity if s is not story.ticket.severity])
    old = story.ticket.severity
    story.happens(Graded(field="severity", old=str(int(old)), new=str(int(new)), by="sun.li", reason="x"))


def _is_written_to(story: Story) -> None:
    story.happens(
        MessageAdded(mail=story.number, author="a@b.example", author_name="", nature=Nature.HUMAN,
                     visibility=Visibility.PUBLIC, proof=Proof.TOKEN, matched=Matched.TOKEN)
    )  # fmt: skip


def _escalates(story: Story) -> None:
    if story.dice.random() < 0.3:
        story.happens(EscalationAsked(by="a@b.example", reason="快"))
        return
    clock, percent = story.dice.choice((("respond", 100), ("resolve", 75), ("resolve", 100)))
    story.happens(
        StepReached(step=f"{clock} {percent}%", clock=clock, percent=percent, due_at=story.now, noticed_at=story.now,
                    audience=("lead",), repeat=story.dice.choice((0, 0, 1)))
    )  # fmt: skip


def _is_asked_and_rated(story: Story) -> None:
    story.happens(FollowUpAsked(at=story.now, together=(story.number,)))
    story.waits(30)
    if story.dice.random() < 0.7:
        story.happens(Rated(rating=story.dice.randint(1, 5), by=story.ticket.requester, at=story.now))


_WORK = (_takes, _is_handed_over, _is_held, _is_solved, _is_graded, _is_written_to, _escalates)
_NEXT: dict[State, tuple[Callable[[Story], None], ...]] = {
    State.NEW: (_takes, _is_handed_over, _is_cancelled, _is_graded, _escalates),
    State.ASSIGNED: (*_WORK, _comes_back),
    State.IN_PROGRESS: (*_WORK, _comes_back, _is_solved, _is_solved),
    State.ON_HOLD: (_goes_on, _goes_on, _is_solved, _is_cancelled),
    State.RESOLVED: (_is_confirmed, _is_confirmed, _is_reopened, _is_asked_and_rated),
    State.PENDING_REVIEW: (_is_archived, _is_archived, _is_rejected, _is_reopened),
}


def undone(story: Story) -> None:
    """Resolve and take it back a few minutes later, as `#undo` records it."""
    before, written = story.ticket, story.now
    story.happens(story.moves(Verb.RESOLVE, State.RESOLVED))
    story.now += timedelta(minutes=5)
    back = StateChanged(verb=Verb.UNDO, old=State.RESOLVED, new=before.state, by="wang.wei")
    marker = Undone(
        by="wang.wei", undoes="mail:1", done_at=written, told=(), answered=before.answered, reopened=before.reopened,
        returned=before.returned, handed_up=before.handed_up, liaison=before.liaison,
    )  # fmt: skip
    story.happens(back, marker)
