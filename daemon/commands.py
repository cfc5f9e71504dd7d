"""Carrying out commands: who may, what each one does, and what to say when it cannot be done.

What comes in: Commands of one mail, the ticket, who writes and with which proof. What goes out: Events, and a
Transcript line for each command. All commands of one mail apply, or none does. This file alone knows what a verb does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.events import (
    Assigned,
    EscalationAsked,
    Event,
    Graded,
    Noted,
    ProgressTold,
    Returned,
    SolutionGiven,
    StateChanged,
)
from daemon.intake import arguments
from daemon.intake.keywords import TAKES_TEXT, Command, find_commands
from daemon.intake.understand import Sender
from daemon.lifecycle import next_state, verbs_in
from daemon.rulebook import Keyword, Person, Rulebook
from daemon.ticket import Ticket, after
from daemon.words import QUESTIONS, HoldReason, Level, Role, Severity, State, Verb, Who

_STAFF = frozenset({Role.DESK, Role.ENGINEER, Role.PM, Role.MANAGER, Role.DIRECTOR, Role.DUTY, Role.SALES})
TAKEN_UP = "taken up"
_DEGREES = {Level.LOW: 0, Level.MEDIUM: 1, Level.HIGH: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one command: done, refused, unknown, or unchanged (fine, but another one was not)."""

    text: str
    outcome: str
    why: str = ""
    did_you_mean: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The answer to a command mail; `allowed` are the keywords for this person in this state.

    `asked`: states were asked for, of which `tickets` are those found.
    `kept_internal`: there was no command at all, and the words went to colleagues only. `opened_for` is the address
    of the customer whose mail was passed on.
    """

    lines: tuple[Line, ...]
    applied: bool
    unproved: str = ""
    tickets: tuple[Ticket, ...] = ()
    help: bool = False
    kept_internal: bool = False
    opened_for: str = ""
    asked: bool = False
    allowed: tuple[Keyword, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a command cannot be carried out: `code` names a sentence in the templates' word lists, `detail` fills it.

    `near` is what may have been meant.
    """

    code: str
    detail: str = ""
    near: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who commands, on which ticket, with which book and when; `now` is local time of the service."""

    sender: Sender
    rulebook: Rulebook
    now: datetime

    @property
    def name(self) -> str:
        """The name that history shows."""
        person = self.sender.person
        return person.key if person else self.sender.address


def carry_out(
    commands: tuple[Command, ...], ticket: Ticket, actor: Actor
) -> tuple[tuple[Event, ...], tuple[Line, ...]]:
    """Return the events of all commands together, or none of them, and a line for each command."""
    events: list[Event] = []
    results: list[Line] = []
    for command in commands:
        result = _one(command, after(ticket, events), actor)
        if isinstance(result, Refusal):
            results.append(_refused(command, result))
        else:
            events.extend(result)
            results.append(Line(text=command.line, outcome="done", why=_remark(result)))
    if all(r.outcome == "done" for r in results):
        return tuple(events), tuple(results)
    return (), tuple(_unchanged(r) if r.outcome == "done" else r for r in results)


def allowed_keywords(ticket: Ticket, actor: Actor) -> tuple[Keyword, ...]:
    """Return the keywords that this person may use on this ticket as it is now."""
    makes_sense = set(verbs_in(ticket.state))
    related = relations(ticket, actor)
    return tuple(k for k in actor.rulebook.keywords if k.verb in makes_sense and related & set(k.who))


def relations(ticket: Ticket, actor: Actor) -> frozenset[Who]:
    """Return what the sender is to this ticket, in the words of keywords.yaml."""
    person, address = actor.sender.person, actor.sender.address
    found = {Who.ANYONE}
    if address == ticket.requester:
        found.add(Who.REQUESTER)
    if ticket.concerns(address) or person:
        found.add(Who.PARTICIPANT)
    if person is None:
        return frozenset(found)
    if person.roles & _STAFF:
        found.add(Who.STAFF)
    if person.key == ticket.assignee:
        found.add(Who.ASSIGNEE)
    team = actor.rulebook.teams.get(ticket.team)
    if team and (person.key in team.members or person.key == team.lead or ticket.team in person.teams):
        found.add(Who.TEAM)
    customer = actor.rulebook.customers.get(ticket.customer)
    roles = {Role.DESK: Who.DESK, Role.MANAGER: Who.MANAGER, Role.SALES: Who.SALES, Role.DUTY: Who.DUTY}
    found |= {who for role, who in roles.items() if role in person.roles}
    if Role.PM in person.roles and (customer is None or customer.pm in ("", person.key)):
        found.add(Who.PM)
    return frozenset(found)


def _one(command: Command, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if command.verb is None:
        return Refusal(code="unknown")
    keyword = next((k for k in actor.rulebook.keywords if k.verb is command.verb), None)
    if keyword is None or not relations(ticket, actor) & set(keyword.who):
        return Refusal(code="not_yours", detail=", ".join(keyword.who) if keyword else "")
    if next_state(ticket.state, command.verb) is None:
        return Refusal(code="not_now", detail=ticket.state)
    if command.verb not in TAKES_TEXT and _holds_keyword(command.argument, actor.rulebook):
        return Refusal(code="one_a_line")
    return _DEEDS[command.verb](command.argument.strip(), ticket, actor)


def _holds_keyword(argument: str, rulebook: Rulebook) -> bool:
    """Whether a second command stands on the same line, where it would be lost."""
    parts = re.split("[#＃]", argument)[1:]
    return any(c.verb for part in parts for c in find_commands(f"#{part}", rulebook.keywords)[0])


def _remark(events: tuple[Event, ...]) -> str:
    """Return what a person should know about a command that was done: until when a hold lasts."""
    hold = next((e for e in events if isinstance(e, StateChanged) and e.verb is Verb.HOLD), None)
    if hold is None:
        return ""
    return f"until:{hold.hold_until:%Y-%m-%d %H:%M}" if hold.hold_until else "no_date:"


def unknown(command: Command) -> Line:
    """Return the line for a word that is no keyword, with the one that was probably meant."""
    near = f"#{command.near}" if command.near else ""
    return Line(text=command.line, outcome="unknown", why="unknown", did_you_mean=near)


def _refused(command: Command, refusal: Refusal) -> Line:
    if refusal.code == "unknown":
        return unknown(command)
    return Line(text=command.line, outcome="refused", why=f"{refusal.code}:{refusal.detail}", did_you_mean=refusal.near)


def _unchanged(line: Line) -> Line:
    return Line(text=line.text, outcome="unchanged", why="all_or_none")


# --- what each verb does: (argument, ticket, actor) → events or a refusal ---

Deed = Callable[[str, Ticket, Actor], tuple[Event, ...] | Refusal]


def _move(verb: Verb, ticket: Ticket, actor: Actor, text: str = "") -> StateChanged:
    new = next_state(ticket.state, verb)
    assert new is not None, "checked by _one"
    return StateChanged(verb=verb, old=ticket.state, new=new, by=actor.name, text=text)


def _moves(verb: Verb, *, needs_text: bool = False) -> Deed:
    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        if needs_text and not argument:
            return Refusal(code="needs_text")
        return (_move(verb, ticket, actor, argument),)

    return deed


def _accept(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    person = actor.sender.person
    taken: tuple[Event, ...] = ()
    if person and ticket.assignee != person.key:
        team = ticket.team or next(iter(person.teams), "")
        taken = (Assigned(team=team, line=person.line, assignee=person.key, by=actor.name, reason=TAKEN_UP),)
    return taken if ticket.state is State.IN_PROGRESS else (*taken, _move(Verb.ACCEPT, ticket, actor, argument))


def _resume(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    return (_move(Verb.RESUME, ticket, actor, argument),) if ticket.state is State.ON_HOLD else ()


def _progress(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if not argument:
        return Refusal(code="needs_text")
    told = ProgressTold(by=actor.name, text=argument)
    if ticket.state in (State.NEW, State.ASSIGNED):
        return (_move(Verb.PROGRESS, ticket, actor), told)
    return (told,)


def _note(argument: str, _: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    return (Noted(by=actor.name, text=argument),) if argument else Refusal(code="needs_text")


def _hold(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    reason, until, text, clear = arguments.hold_in(argument, actor.now)
    if reason is None:
        return Refusal(code="needs_hold_reason")
    if not clear or (reason is HoldReason.DATE and until is None):
        return Refusal(code="needs_date")
    if until is not None and until <= actor.now:
        return Refusal(code="date_past", detail=until.isoformat())
    return (
        StateChanged(
            verb=Verb.HOLD, old=ticket.state, new=State.ON_HOLD, by=actor.name, text=text,
            hold_reason=reason, hold_until=until,
        ),
    )  # fmt: skip


def _resolve(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if not argument and not ticket.solution:
        return Refusal(code="needs_solution")
    given = (SolutionGiven(part="solution", text=argument, by=actor.name),) if argument else ()
    return (*given, _move(Verb.RESOLVE, ticket, actor, argument))


def _part(part: str) -> Deed:
    def deed(argument: str, _: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        if not argument:
            return Refusal(code="needs_text")
        return (SolutionGiven(part=part, text=argument, by=actor.name),)

    return deed


def _assign(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    target, reason, suggestion = arguments.target_in(argument, actor.rulebook)
    if target is None:
        return Refusal(code="no_such_target", detail=arguments.first_word(argument)[0], near=suggestion)
    if isinstance(target, Person):
        team, assignee = next(iter(target.teams), "") or ticket.team, target.key
    else:
        team, assignee = target.key, ""
    given = Assigned(team=team, line=target.line, assignee=assignee, by=actor.name, reason=reason)
    return (given, _move(Verb.ASSIGN, ticket, actor, reason))


def _return(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if not argument:
        return Refusal(code="needs_reason")
    back = Returned(by=actor.name, reason=argument, from_team=ticket.team)
    return (back, _move(Verb.RETURN, ticket, actor, argument))


def _severity(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    severity, reason = arguments.severity_in(argument)
    if severity is None:
        return Refusal(code="needs_severity")
    return _graded_to(severity, reason, ticket, actor)


def _graded_to(severity: Severity, reason: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Raise freely; lower only as the project manager, with a reason (procedure §4)."""
    if severity == ticket.severity:
        return ()
    if severity > ticket.severity and Who.PM not in relations(ticket, actor):
        return Refusal(code="lowering_is_pms")
    if severity > ticket.severity and not reason:
        return Refusal(code="lowering_needs_reason")
    return (_change("severity", int(ticket.severity), int(severity), actor, reason),)


def _level(field: str) -> Deed:
    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        level = arguments.level_in(argument)
        if level is None:
            return Refusal(code="needs_level")
        reason = arguments.first_word(argument)[1]
        impact = level if field == "impact" else ticket.impact
        urgency = level if field == "urgency" else ticket.urgency
        regraded = _regrade(impact, urgency, reason, ticket, actor)
        if isinstance(regraded, Refusal):
            return regraded
        return (_change(field, getattr(ticket, field), level, actor, reason), *regraded)

    return deed


def _regrade(impact: Level, urgency: Level, reason: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Grade by the matrix. A degree that goes up never lowers a severity that somebody has raised by hand."""
    severity = actor.rulebook.matrix.get((impact, urgency))
    if severity is None:
        return ()
    goes_up = _DEGREES[impact] >= _DEGREES[ticket.impact] and _DEGREES[urgency] >= _DEGREES[ticket.urgency]
    return () if severity > ticket.severity and goes_up else _graded_to(severity, reason, ticket, actor)


def _category(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    word, reason = arguments.first_word(argument)
    category = arguments.category_in(argument, actor.rulebook)
    if category is None:
        category = arguments.category_in(word, actor.rulebook)
    else:
        reason = ""
    if category is None:
        return Refusal(code="no_such_category", detail=word)
    return (_change("category", ticket.category, category.key, actor, reason),)


def _ci(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    return (_change("ci", ticket.ci, argument, actor),) if argument else Refusal(code="needs_text")


def _change(field: str, old: object, new: object, actor: Actor, reason: str = "") -> Graded:
    return Graded(field=field, old=str(old), new=str(new), by=actor.name, reason=reason)


def _escalate(argument: str, _: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    return (EscalationAsked(by=actor.name, reason=argument),) if argument else Refusal(code="needs_reason")


def _archive(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    others = [n for n in arguments.numbers_in(argument, "") if n != ticket.number]
    if others:
        return Refusal(code="one_ticket_a_mail", detail=", ".join(map(str, others)))
    return (_move(Verb.ARCHIVE, ticket, actor),)


def _question(_: str, __: Ticket, ___: Actor) -> tuple[Event, ...] | Refusal:
    return ()


_DEEDS: Mapping[Verb, Deed] = {
    Verb.ACCEPT: _accept,
    Verb.PROGRESS: _progress,
    Verb.NOTE: _note,
    Verb.HOLD: _hold,
    Verb.RESUME: _resume,
    Verb.RESOLVE: _resolve,
    Verb.CAUSE: _part("cause"),
    Verb.WORKAROUND: _part("workaround"),
    Verb.ASSIGN: _assign,
    Verb.RETURN: _return,
    Verb.SEVERITY: _severity,
    Verb.IMPACT: _level("impact"),
    Verb.URGENCY: _level("urgency"),
    Verb.CATEGORY: _category,
    Verb.CI: _ci,
    Verb.ESCALATE: _escalate,
    Verb.OUT_OF_SCOPE: _moves(Verb.OUT_OF_SCOPE, needs_text=True),
    Verb.IN_SCOPE: _moves(Verb.IN_SCOPE),
    Verb.CONFIRM: _moves(Verb.CONFIRM),
    Verb.REOPEN: _moves(Verb.REOPEN),
    Verb.ARCHIVE: _archive,
    Verb.REJECT: _moves(Verb.REJECT, needs_text=True),
    Verb.CANCEL: _moves(Verb.CANCEL),
    **dict.fromkeys(QUESTIONS, _question),
}
