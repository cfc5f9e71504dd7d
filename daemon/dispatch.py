"""Who gets a ticket: by line, skill, working hours, absence, rota, and how much they have at hand (procedure §5).

What comes in: a Ticket that a team has and nobody in it, and the Staff as it is now. What goes out: a Placement: the
events that give it to somebody, call somebody back for it, or say why it has to wait. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import chain
from zoneinfo import ZoneInfo

from daemon.actors import of_ours
from daemon.events import (
    Assigned,
    CalledIn,
    EscalationAsked,
    Event,
    HandedUp,
    Queued,
    Recalled,
    Routed,
    StateChanged,
    StepReached,
    Undone,
    Unfree,
)
from daemon.lifecycle import next_state
from daemon.rota import OnCall, on_call
from daemon.rulebook import Person, Rulebook, Team
from daemon.ticket import Ticket, after
from daemon.words import Dispatch, State, Verb
from daemon.workhours import is_working, next_opening

DISPATCH = "dispatch"
"""Who gave a ticket to somebody, as history names it, where it was nobody but the rules of dispatch."""
_CLOCK = "clock"
_SECOND_LINE = 2
_PLACING = (Routed, Assigned, StateChanged, Undone)
"""The events after which a ticket may be without anybody."""
_GOES_ON = (Verb.REOPEN, Verb.REJECT)
_AT_HAND = (State.ASSIGNED, State.IN_PROGRESS)
_ABOUT_PEOPLE = ("instead", "swapped", "stands_in")
_MOST_OPENINGS = 30
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Our people at one moment; `load` is how many tickets each of them has at hand, `zone` the service's."""

    rulebook: Rulebook
    zone: str
    now: datetime
    load: Mapping[str, int] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The day it is where the service is."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def works(self, person: Person) -> bool:
        """Whether these are this person's working hours; who has no calendar always works."""
        calendar = self.rulebook.calendars.get(person.calendar)
        return calendar is None or is_working(calendar, self.zone, self.now)

    def unfree(self, person: Person, *, on_call: bool = False) -> Unfree | None:
        """Return why this person cannot take a ticket now; who is `on_call` may be outside their working hours."""
        away = person.away_until(self.today)
        if away is not None:
            return Unfree(person=person.key, why="away", detail=away.isoformat())
        if not on_call and not self.works(person):
            opens = next_opening(self.rulebook.calendars[person.calendar], self.zone, self.now)
            return Unfree(person=person.key, why="off_hours", detail=opens.isoformat() if opens else "")
        load = self.load.get(person.key, 0)
        if person.capacity and load >= person.capacity:
            return Unfree(person=person.key, why="full", detail=f"{load}/{person.capacity}")
        return None

    def on_call(self, team: str) -> OnCall | None:
        """Return who is on call for this team now."""
        rota = self.rulebook.rota.get(team)
        return on_call(rota, self.rulebook.people, self.zone, self.now) if rota else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What becomes of a ticket that needs somebody: its events, and whether somebody (or the whole team) has it now.

    `recalled` is the lesser ticket that somebody was called back from, with its events in `after_recall`.
    """

    events: tuple[Event, ...]
    found: bool
    recalled: Ticket | None = None
    after_recall: tuple[Event, ...] = ()


# --- does it need somebody? ---


def needs_somebody(ticket: Ticket, events: Iterable[Event], rulebook: Rulebook, today: date) -> bool:
    """Whether these events have left the ticket, as it is now, without anybody who would work on it."""
    happened = tuple(events)
    team = rulebook.teams.get(ticket.team)
    waits_already = ticket.queued_at is not None or ticket.state is State.ON_HOLD
    if (
        team is None
        or waits_already
        or not (ticket.case and ticket.open)
        or not any(isinstance(e, _PLACING) for e in happened)
    ):
        return False
    if ticket.assignee:
        return _is_left_alone(ticket, happened, rulebook, today)
    return team.dispatch is Dispatch.AUTO


def _is_left_alone(ticket: Ticket, events: tuple[Event, ...], rulebook: Rulebook, today: date) -> bool:
    """Whether a rule, or a reopening, has brought it to somebody who is away or gone. What people decide stands."""
    by_rule = any(isinstance(e, Routed) for e in events) and not any(isinstance(e, Assigned) for e in events)
    goes_on = any(isinstance(e, StateChanged) and e.verb in _GOES_ON for e in events)
    person = rulebook.people.get(ticket.assignee)
    return (by_rule or goes_on) and (person is None or person.away_until(today) is not None)


def gave_away(before: Ticket, events: Iterable[Event]) -> tuple[str, ...]:
    """Return who had the ticket and gave it to their team: they shall not have it back at once."""
    to_team = any(isinstance(e, Assigned) and not e.assignee for e in events)
    return (before.assignee,) if to_team and before.assignee else ()


def is_at_hand(ticket: Ticket, rulebook: Rulebook) -> bool:
    """Whether this ticket is work for whoever has it: on hold for one of the reasons that stop the clock it is not."""
    return ticket.state in _AT_HAND or (
        ticket.state is State.ON_HOLD and ticket.hold_reason not in rulebook.hold_stops_clock
    )


def colleagues(ticket: Ticket, rulebook: Rulebook) -> tuple[str, ...]:
    """Return the keys of those who may be chosen for the team's tickets. A vendor never is."""
    team = rulebook.teams.get(ticket.team)
    members = ((m, rulebook.people.get(m)) for m in team.members) if team else ()
    return tuple(key for key, person in members if of_ours(person))


# --- who gets it ---


def place(ticket: Ticket, staff: Staff, at_hand: Iterable[Ticket] = (), but: tuple[str, ...] = ()) -> Placement:
    """Return what becomes of a ticket that a team has and nobody in it.

    `at_hand` are the tickets of the team's people, where one of them may be called back; `but` shall not have it.
    """
    away = _instead_of(ticket)
    if staff.rulebook.teams[ticket.team].dispatch is Dispatch.TEAM:
        return Placement(events=_given("", away, ticket, staff), found=True)
    chosen = _choice(ticket, staff, but)
    if chosen:
        person, because = chosen
        return Placement(events=_given(person.key, (*away, *because), ticket, staff), found=True)
    return _recall(ticket, staff, at_hand, but) or _queue(ticket, staff, but)


def _instead_of(ticket: Ticket) -> tuple[str, ...]:
    return (f"instead:{ticket.assignee}",) if ticket.assignee else ()


def _given(assignee: str, because: tuple[str, ...], ticket: Ticket, staff: Staff) -> tuple[Event, ...]:
    person = staff.rulebook.people.get(assignee)
    line = max(ticket.line, person.line if person else 0)
    given = Assigned(team=ticket.team, line=line, assignee=assignee, by=DISPATCH, because=because)
    return (given, *_set_to_assigned(ticket))


def _set_to_assigned(ticket: Ticket) -> tuple[StateChanged, ...]:
    new = next_state(ticket.state, Verb.ASSIGN)
    if new is None or ticket.state is new:
        return ()
    return (StateChanged(verb=Verb.ASSIGN, old=ticket.state, new=new, by=DISPATCH),)


def _queue(ticket: Ticket, staff: Staff, but: tuple[str, ...]) -> Placement:
    """Return that it waits; who left it behind no longer has it."""
    left = _given("", _instead_of(ticket), ticket, staff) if ticket.assignee else ()
    back = left or (_set_to_assigned(ticket) if ticket.state is State.IN_PROGRESS else ())
    reasons = tuple(u for p in _pool(ticket, staff, but) if (u := staff.unfree(p)))
    opening = (datetime.fromisoformat(u.detail) for u in reasons if u.why == "off_hours" and u.detail)
    queued = Queued(team=ticket.team, since=staff.now, reasons=reasons, until=min(opening, default=None), but=but)
    return Placement(events=(*back, queued), found=False)


def _choice(ticket: Ticket, staff: Staff, but: tuple[str, ...]) -> tuple[Person, tuple[str, ...]] | None:
    """Return who of the team is to have it, and why: the nearest line, the closest skill, the most room."""
    pool = _pool(ticket, staff, but)
    free = [p for p in pool if staff.unfree(p) is None]
    if free:
        room = _room(pool, staff)
        best = min(free, key=lambda p: (*_fit(p, ticket), room[p.key], staff.load.get(p.key, 0), pool.index(p)))
        return best, _because(best, ticket, staff)
    return _out_of_hours(ticket, staff, but)


def _pool(ticket: Ticket, staff: Staff, but: tuple[str, ...]) -> list[Person]:
    """Return the people of the team whose work this is: of its line or above, and skilled in its category.

    Who has no skills named does everything; where nobody has the skill, everybody counts.
    """
    keys = (k for k in colleagues(ticket, staff.rulebook) if k not in but)
    people = [staff.rulebook.people[k] for k in keys]
    able = [p for p in people if not p.skills or p.skill_for(ticket.category)] or people
    if ticket.line >= _SECOND_LINE:
        return [p for p in able if p.line >= ticket.line] or able
    return able


def _fit(person: Person, ticket: Ticket) -> tuple[int, int]:
    """Return how far somebody is from what the ticket asks for; less is better."""
    return abs(person.line - ticket.line), -len(person.skill_for(ticket.category))


def _room(pool: list[Person], staff: Staff) -> dict[str, float]:
    """Return how full everybody is; who has no limit is measured by the largest that a colleague has."""
    usual = max((p.capacity for p in pool), default=0) or 1
    return {p.key: staff.load.get(p.key, 0) / (p.capacity or usual) for p in pool}


def _because(person: Person, ticket: Ticket, staff: Staff) -> tuple[str, ...]:
    skill, load = person.skill_for(ticket.category), staff.load.get(person.key, 0)
    why = [f"skill:{skill}"] if skill else []
    why += [f"line:{person.line}"] if person.line != ticket.line or person.line >= _SECOND_LINE else []
    return (*why, f"load:{load}", *((f"capacity:{person.capacity}",) if person.capacity else ()))


def _out_of_hours(ticket: Ticket, staff: Staff, but: tuple[str, ...]) -> tuple[Person, tuple[str, ...]] | None:
    """Return who is on call, for a ticket that is grave enough to disturb them."""
    duty = _called(ticket, staff, but)
    if duty is None or staff.unfree(duty, on_call=True) is not None:
        return None
    found = staff.on_call(ticket.team)
    swapped = (f"swapped:{found.swapped}",) if found and found.swapped else ()
    absent = tuple(f"stands_in:{key}" for key in found.absent) if found else ()
    return duty, ("on_call:", *swapped, *absent)


def _called(ticket: Ticket, staff: Staff, but: tuple[str, ...]) -> Person | None:
    """Return who is on call for this ticket outside their working hours."""
    found = staff.on_call(ticket.team) if ticket.severity in staff.rulebook.out_of_hours else None
    person = staff.rulebook.people.get(found.person) if found else None
    if person is None or person.key in but or not of_ours(person) or staff.works(person):
        return None
    return person


# --- calling somebody back from lesser work ---


def _recall(ticket: Ticket, staff: Staff, at_hand: Iterable[Ticket], but: tuple[str, ...]) -> Placement | None:
    """Return who is called back from which ticket, or None: from the least grave, and there from the least begun."""
    if ticket.severity not in staff.rulebook.recall:
        return None
    full = {p.key: p for p in _busy(ticket, staff, but)}
    lesser = [t for t in at_hand if t.assignee in full and t.state in _AT_HAND and t.severity > ticket.severity]
    if not lesser:
        return None
    put_down = min(lesser, key=lambda t: (*_worth(t), *_fit(full[t.assignee], ticket), t.number))
    return _called_back(ticket, put_down, full[put_down.assignee], staff)


def _busy(ticket: Ticket, staff: Staff, but: tuple[str, ...]) -> list[Person]:
    """Return those whose work this is, and whom only other tickets keep from it."""
    duty = _called(ticket, staff, but)
    reasons = [(p, staff.unfree(p)) for p in _pool(ticket, staff, but)]
    reasons += [(duty, staff.unfree(duty, on_call=True))] if duty else []
    return [p for p, unfree in reasons if unfree is not None and unfree.why == "full"]


def _worth(ticket: Ticket) -> tuple[int, bool, float]:
    """Return how much is lost when this is put down: by its severity, what was begun, and how little time is left."""
    due = ticket.due("resolve") or _LATEST
    return -int(ticket.severity), ticket.at_work, -due.timestamp()


def _called_back(ticket: Ticket, lesser: Ticket, person: Person, staff: Staff) -> Placement:
    given = _given(person.key, (f"recalled:{lesser.number}",), ticket, staff)
    called_in = CalledIn(person=person.key, ticket=lesser.number, severity=int(lesser.severity), subject=lesser.subject)
    team = lesser.team if lesser.team in staff.rulebook.teams else ticket.team
    recalled = Recalled(
        person=person.key, team=team, line=_own_line(lesser, staff.rulebook), ticket=ticket.number,
        severity=int(ticket.severity), subject=ticket.subject,
    )  # fmt: skip
    freed = after(lesser, (recalled,))
    # It stays as much to do as before, so who was called back is as full as they were.
    again = place(freed, staff, (), (person.key,))
    return Placement(
        events=(*given, called_in), found=True, recalled=lesser, after_recall=(recalled, *_free_for_all(again)),
    )  # fmt: skip


def _free_for_all(placement: Placement) -> tuple[Event, ...]:
    """Return the events of a ticket that goes back to its queue: once they have room, whoever had it may go on."""
    return tuple(replace(e, but=()) if isinstance(e, Queued) else e for e in placement.events)


def _own_line(ticket: Ticket, rulebook: Rulebook) -> int:
    """Return the line of support that a ticket belongs to, whoever has it."""
    if ticket.handed_up:
        return ticket.line
    category, team = rulebook.categories.get(ticket.category), rulebook.teams.get(ticket.team)
    return (category.line if category else 0) or (team.line if team else 0) or 1


# --- in words ---


def reason(code: str, language: str, rulebook: Rulebook) -> tuple[str, str]:
    """Return one of the reasons why somebody got a ticket as (word, detail), with the names that people know."""
    word, _, detail = code.partition(":")
    if word == "skill" and (category := rulebook.categories.get(detail)):
        return word, category.name.get(language) or category.name.get("en") or detail
    person = rulebook.people.get(detail) if word in _ABOUT_PEOPLE else None
    return word, person.name if person else detail


# --- the queue ---


def by_urgency(waiting: Iterable[Ticket]) -> list[Ticket]:
    """Return the tickets that wait, the most urgent first: by severity, then by when they are due, then by age."""
    return sorted(waiting, key=lambda t: (t.severity, t.due("resolve") or _LATEST, t.opened_at or _LATEST, t.number))


def next_free(ticket: Ticket, staff: Staff) -> tuple[datetime, Placement] | None:
    """Return when somebody begins to work who can take a waiting ticket, and what then becomes of it, or None."""
    for _ in range(_MOST_OPENINGS):
        placement = place(ticket, staff, (), ticket.not_for)
        if placement.found:
            return staff.now, placement
        opens = next((e.until for e in placement.events if isinstance(e, Queued)), None)
        if opens is None:
            return None
        staff = replace(staff, now=opens)
    return None


def with_somebody_free(staff: Staff) -> tuple[str, ...]:
    """Return the teams in which anybody at all could take a ticket now, and those that choose nobody any more."""
    return tuple(key for key, team in staff.rulebook.teams.items() if _anybody(team, staff))


def _anybody(team: Team, staff: Staff) -> bool:
    people = [p for m in team.members if (p := staff.rulebook.people.get(m))]
    called = staff.on_call(team.key)
    duty = staff.rulebook.people.get(called.person) if called else None
    return (
        team.dispatch is Dispatch.TEAM
        or any(staff.unfree(p) is None for p in people)
        or (duty is not None and staff.unfree(duty, on_call=True) is None)
    )


def everybody(rulebook: Rulebook) -> tuple[str, ...]:
    """Return the keys of all whom dispatch may choose."""
    teams = (t.members for t in rulebook.teams.values() if t.dispatch is Dispatch.AUTO)
    return tuple(dict.fromkeys(chain.from_iterable(teams)))


# --- up the lines of support ---


def second_line(ticket: Ticket, rulebook: Rulebook, today: date, but: str = "") -> Person | Team | None:
    """Return who takes over: the team that categories.yaml names as line 2, else line 2 of the category's own team.

    Where one of these people alone is left, or knows the category alone, it is that person; a team that chooses for
    itself is left to it.
    """
    category = rulebook.categories.get(ticket.category)
    if category and category.line2:
        return rulebook.teams.get(category.line2)
    team = rulebook.teams.get((category.team if category else "") or ticket.team)
    members = [rulebook.people[m] for m in team.members if m in rulebook.people and m != but] if team else []
    above = [p for p in members if p.line == _SECOND_LINE and of_ours(p)]
    if team and team.dispatch is Dispatch.AUTO:
        return team if above else None
    there = [p for p in above if p.away_until(today) is None]
    best = [p for p in there if p.skill_for(ticket.category)] or there
    return best[0] if len(best) == 1 else team if best else None


def team_of(found: Person | Team, ticket: Ticket, rulebook: Rulebook) -> str:
    """Return the team that the ticket then belongs to: the category's own, where the person is in it."""
    if isinstance(found, Team):
        return found.key
    category = rulebook.categories.get(ticket.category)
    own = (category.team if category else "") or ticket.team
    return own if own in found.teams else next(iter(found.teams), "") or ticket.team


def hand_up_due(ticket: Ticket, events: Iterable[Event], rulebook: Rulebook, today: date) -> tuple[Event, ...]:
    """Return that line 2 takes over by itself, where a step of the timetable among these events says so.

    It has to be with line 1 still, with nobody above at it, and not on hold: there somebody else is waited for.
    """
    step = next((e for e in events if isinstance(e, StepReached | EscalationAsked) and e.hand_up), None)
    person = rulebook.people.get(ticket.assignee)
    line = max(ticket.line, person.line if person else 0)
    if step is None or line >= step.hand_up or not ticket.open or ticket.state is State.ON_HOLD:
        return ()
    found = second_line(ticket, rulebook, today)
    if found is None:
        return ()
    given = Assigned(
        team=team_of(found, ticket, rulebook), line=step.hand_up,
        assignee=found.key if isinstance(found, Person) else "", by=_CLOCK,
    )  # fmt: skip
    up = HandedUp(line=step.hand_up, by=_CLOCK, former=ticket.assignee)
    new = next_state(ticket.state, Verb.LINE2)
    assert new is not None, "an open ticket can always be handed up"
    return (given, up, StateChanged(verb=Verb.LINE2, old=ticket.state, new=new, by=_CLOCK))
