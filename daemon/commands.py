"""Carrying out commands: who may, what each one does, and what to say when it cannot be done.

What comes in: Commands of one mail, the ticket, who writes and with which proof. What goes out: Events, and a
Transcript line for each command. All commands of one mail apply, or none does. This file alone knows what a verb does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from daemon.actors import Actor, Refusal, may_use, of_ours, relations
from daemon.approval import approval_asked, approved, held_back, refused
from daemon.dispatch import hand_up_due, second_line, team_of
from daemon.events import (
    Assigned,
    Corrected,
    EscalationAcknowledged,
    EscalationAsked,
    Event,
    Graded,
    HandedUp,
    Linked,
    MajorDeclared,
    Noted,
    ProgressTold,
    Rated,
    RecordedFor,
    Returned,
    SolutionGiven,
    StateChanged,
)
from daemon.intake import arguments
from daemon.intake.keywords import TAKES_TEXT, Command, find_commands
from daemon.intake.ratings import rating_in
from daemon.lifecycle import next_state
from daemon.linking import merged, parent, raised, related, reused, split, spread
from daemon.major import declare, publish
from daemon.plans import activate, blocked, done
from daemon.recording import recorded
from daemon.rulebook import Keyword, Person, Rulebook, Team
from daemon.scope import settled
from daemon.ticket import Link, Ticket, after
from daemon.undo import taken_back
from daemon.words import (
    APPROVALS,
    QUESTIONS,
    RECORDING,
    REVIEWS,
    HoldReason,
    Kind,
    Level,
    LinkKind,
    Severity,
    State,
    Verb,
    Who,
)

TAKEN_UP = "taken up"
MOST_COMMANDS = 20
"""More commands than this in one mail are a mistake."""
MOST_TICKETS = 100
"""So many tickets may be archived by one mail."""
_SECOND_LINE, _VENDORS_LINE = 2, 3
_DEGREES = {Level.LOW: 0, Level.MEDIUM: 1, Level.HIGH: 2}
# Two of these say different things about one ticket: who has it, or what becomes of it.
_EITHER_OR: tuple[frozenset[Verb], ...] = (
    frozenset({Verb.ASSIGN, Verb.LINE2, Verb.VENDOR, Verb.RETURN, Verb.RESOLVE}),
    frozenset(
        {
            Verb.HOLD, Verb.RESOLVE, Verb.RETURN, Verb.CONFIRM, Verb.REOPEN, Verb.ARCHIVE, Verb.REJECT,
            Verb.OUT_OF_SCOPE, Verb.IN_SCOPE, Verb.CANCEL, Verb.APPROVE, Verb.REFUSE, Verb.MERGE, Verb.DUPLICATE,
        }
    ),
    frozenset({Verb.HOLD, Verb.RESUME}),
    frozenset({Verb.ACCEPT, Verb.RETURN}),
)  # fmt: skip
_ONE_VALUE = frozenset().union(
    *_EITHER_OR,
    {
        Verb.SEVERITY, Verb.IMPACT, Verb.URGENCY, Verb.CATEGORY, Verb.CI, Verb.CAUSE, Verb.WORKAROUND, Verb.FOR,
        Verb.SOURCE, Verb.OCCURRED, Verb.PARENT, Verb.MAJOR, *RECORDING,
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one command: done, refused, unknown, or unchanged (fine, but another one was not); or, `rule`,
    what a rule did beside them.

    `number` and `subject` say which ticket, where the command named some, `links` which records were tied to it.
    """

    text: str
    outcome: str
    why: str = ""
    did_you_mean: str = ""
    number: int = 0
    subject: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The answer to a command mail; `allowed` are the keywords for this person in this state.

    `asked`: states were asked for, of which `tickets` are those found. `kept_internal`: there was no command at all,
    and the words went to colleagues only. `opened`: the mail became a ticket, whatever became of its commands;
    `opened_for` is the address of the customer for whom it was opened. `moved_from` is the number to which it was
    written, where that was merged into the ticket.
    """

    lines: tuple[Line, ...]
    applied: bool
    unproved: str = ""
    tickets: tuple[Ticket, ...] = ()
    help: bool = False
    kept_internal: bool = False
    opened: bool = False
    opened_for: str = ""
    asked: bool = False
    allowed: tuple[Keyword, ...] = ()
    moved_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the commands of one mail come to: the events of each ticket by its number, and a line for each command."""

    events: Mapping[int, tuple[Event, ...]] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()

    @property
    def applied(self) -> bool:
        """Whether they were carried out, all of them."""
        return all(line.outcome == "done" for line in self.lines)


def carry_out(
    commands: tuple[Command, ...], ticket: Ticket, actor: Actor
) -> tuple[tuple[Event, ...], tuple[Line, ...]]:
    """Return the events of all commands together, or none of them, and a line for each command."""
    done = carry_out_on(commands, ticket, {}, actor)
    return done.events.get(ticket.number, ()), done.lines


def carry_out_on(
    commands: tuple[Command, ...], ticket: Ticket | None, others: Mapping[int, Ticket], actor: Actor
) -> Done:
    """Carry out commands on the ticket that the mail is about, and on the `others` that they name: all or none."""
    if len(commands) > MOST_COMMANDS:
        return Done(lines=(Line(text=commands[0].line, outcome="refused", why=f"too_many:{MOST_COMMANDS}"),))
    known = {**others, **({ticket.number: ticket} if ticket else {})}
    events: dict[int, tuple[Event, ...]] = {}
    lines: list[Line] = []
    for command, target in _orders(commands, ticket, known, actor):
        result = _result(command, target, known, events, actor)
        line = _refused(command, result) if isinstance(result, Refusal) else _done(command, result, actor)
        if isinstance(target, int):
            for number, event in _all_of(result, known[target], {**actor.related, **known}, events, actor):
                events[number] = (*events.get(number, ()), event)
            line = _named(line, command, known[target])
        lines.append(line)
    if all(line.outcome == "done" for line in lines):
        return Done(events=events, lines=tuple(lines))
    return Done(lines=tuple(_unchanged(line) if line.outcome == "done" else line for line in lines))


def _all_of(
    result: tuple[Event, ...] | Refusal, ticket: Ticket, known: Mapping[int, Ticket],
    events: Mapping[int, tuple[Event, ...]], actor: Actor,
) -> list[tuple[int, Event]]:  # fmt: skip
    """Return (number, event) for what a command does to its ticket, and for what that means for others."""

    def found(number: int) -> Ticket | None:
        return after(known[number], events.get(number, ())) if number in known else None

    own = result if isinstance(result, tuple) else ()
    then = after(ticket, (*events.get(ticket.number, ()), *own))
    return [*((ticket.number, e) for e in own), *spread(then, own, actor, found)]


def allowed_keywords(ticket: Ticket, actor: Actor) -> tuple[Keyword, ...]:
    """Return the keywords that this person may use on this ticket as it is now."""
    return tuple(k for k in actor.rulebook.keywords if makes_sense(k.verb, ticket) and may_use(k, ticket, actor))


def makes_sense(verb: Verb, ticket: Ticket) -> bool:
    """Whether this keyword may be worth naming on this ticket as it is now."""
    if verb is Verb.UPDATE and not ticket.in_alarm:
        return False
    if held_back(verb, ticket) or (verb in APPROVALS and not ticket.awaits_approval):
        return False
    if verb in (Verb.DONE, Verb.BLOCKED) and not ticket.tasks:
        return False
    return next_state(ticket.state, verb, ticket.kind) is not None


# --- which command is for which ticket, and whether they agree ---

Target = int | Refusal | None
"""The number of a ticket, why there is none, or None for a question that is about no ticket."""


def _orders(
    commands: tuple[Command, ...], ticket: Ticket | None, known: Mapping[int, Ticket], actor: Actor
) -> list[tuple[Command, Target]]:
    pairs = [pair for command in commands for pair in _targets(command, ticket, known, actor)]
    return [(c, _contradiction(c, t, pairs) or t) for c, t in pairs]


def _targets(
    command: Command, ticket: Ticket | None, known: Mapping[int, Ticket], actor: Actor
) -> list[tuple[Command, Target]]:
    """Return the command once for each ticket that it is for, its argument without their numbers."""
    tag = actor.service.subject_tag if actor.service else ""
    numbers, rest, clear = arguments.leading_numbers(command.argument, tag)
    if command.verb not in REVIEWS or not numbers:
        return [(command, ticket.number if ticket else _nowhere(command))]
    if ticket and not clear:
        return [(command, Refusal(code="which_ticket"))]
    if len(numbers) > MOST_TICKETS:
        return [(command, Refusal(code="too_many_tickets", detail=str(MOST_TICKETS)))]
    about = replace(command, argument=rest)
    missing = {n: Refusal(code="no_such_ticket", detail=str(n)) for n in numbers if not _may_see(known.get(n), actor)}
    return [(about, missing.get(n, n)) for n in numbers]


def _nowhere(command: Command) -> Target:
    """Return what a command comes to that is about no ticket: only questions may be."""
    if command.verb in QUESTIONS:
        return None
    return Refusal(code="unknown" if command.verb is None else "no_ticket")


def _may_see(ticket: Ticket | None, actor: Actor) -> bool:
    """Whether this ticket is there for this person: to others it is as if it were not."""
    return ticket is not None and (of_ours(actor.sender.person) or ticket.concerns(actor.sender.address))


def _contradiction(command: Command, target: Target, pairs: list[tuple[Command, Target]]) -> Refusal | None:
    """Return which other command says something else about the same ticket."""
    if not isinstance(target, int):
        return None
    against = (c for c, t in pairs if c is not command and t == target and _disagree(command, c))
    other = next(against, None)
    return Refusal(code="contradicts", detail=other.line) if other else None


def _disagree(one: Command, other: Command) -> bool:
    if one.verb is None or other.verb is None:
        return False
    if one.verb is other.verb:
        return one.verb in _ONE_VALUE and one.argument.strip() != other.argument.strip()
    if Verb.UNDO in (one.verb, other.verb):
        return not {one.verb, other.verb} & QUESTIONS
    return any({one.verb, other.verb} <= group for group in _EITHER_OR)


def _result(
    command: Command, target: Target, known: Mapping[int, Ticket], events: Mapping[int, tuple[Event, ...]], actor: Actor
) -> tuple[Event, ...] | Refusal:
    if isinstance(target, Refusal):
        return target
    return () if target is None else _one(command, after(known[target], events.get(target, ())), actor)


def _one(command: Command, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if command.verb is None:
        return Refusal(code="unknown")
    keyword = next((k for k in actor.rulebook.keywords if k.verb is command.verb), None)
    if others := _hang_on_it(command.verb, ticket, actor):
        return others
    if keyword is None or not may_use(keyword, ticket, actor):
        return Refusal(code="not_yours", detail=", ".join(keyword.who) if keyword else "")
    if next_state(ticket.state, command.verb, ticket.kind) is None:
        return Refusal(code="not_now", detail=ticket.state)
    if (held := held_back(command.verb, ticket)) and ticket.approval:
        person = actor.rulebook.people.get(ticket.approval.by)
        return Refusal(code=held, detail=person.name if person else ticket.approval.by)
    if command.verb not in TAKES_TEXT and _holds_keyword(command.argument, actor.rulebook):
        return Refusal(code="one_a_line")
    return _DEEDS[command.verb](command.argument.strip(), ticket, actor)


def _hang_on_it(verb: Verb, ticket: Ticket, actor: Actor) -> Refusal | None:
    """Return why one of several who reported the same case may not end it for the others; our desk may cancel it."""
    address = actor.sender.address
    if of_ours(actor.sender.person) or not ticket.joined or not ticket.reported_by(address):
        return None
    if verb is Verb.CANCEL:
        return Refusal(code="others_wait")
    return Refusal(code="joined_confirm") if verb is Verb.CONFIRM and address != ticket.requester else None


def _holds_keyword(argument: str, rulebook: Rulebook) -> bool:
    """Whether a second command stands on the same line, where it would be lost."""
    parts = re.split("[#＃]", argument)[1:]
    return any(c.verb for part in parts for c in find_commands(f"#{part}", rulebook.keywords)[0])


def _remark(events: tuple[Event, ...], actor: Actor) -> str:
    """Return what a person should know about a command that was done: until when a hold lasts, a level, who is away."""
    if any(isinstance(e, StateChanged) and e.own for e in events):
        return "own_approved"
    found = next((e for e in events if isinstance(e, Linked) and e.link is LinkKind.KNOWLEDGE), None)
    if found is not None:
        return f"kb_solution:{found.text}"
    declared = next((e for e in events if isinstance(e, MajorDeclared) and e.threshold), None)
    if declared:
        return f"level_{declared.threshold}:{declared.level} {declared.value} {declared.limit}"
    given = next((e for e in events if isinstance(e, Assigned) and e.assignee), None)
    person = actor.rulebook.people.get(given.assignee) if given else None
    if person and (until := person.away_until(actor.now.date())):
        return f"away:{until}"
    hold = next((e for e in events if isinstance(e, StateChanged) and e.verb is Verb.HOLD), None)
    if hold is None:
        return ""
    return f"until:{hold.hold_until.isoformat()}" if hold.hold_until else "no_date:"


def unknown(command: Command) -> Line:
    """Return the line for a word that is no keyword, with the one that was probably meant."""
    near = f"#{command.near}" if command.near else ""
    return Line(text=command.line, outcome="unknown", why="unknown", did_you_mean=near)


def _refused(command: Command, refusal: Refusal) -> Line:
    if refusal.code == "unknown":
        return unknown(command)
    return Line(text=command.line, outcome="refused", why=f"{refusal.code}:{refusal.detail}", did_you_mean=refusal.near)


def _done(command: Command, events: tuple[Event, ...], actor: Actor) -> Line:
    links = tuple(Link(kind=e.link, ticket=e.ticket) for e in events if isinstance(e, Linked))
    return Line(text=command.line, outcome="done", why=_remark(events, actor), links=links)


def _named(line: Line, command: Command, ticket: Ticket) -> Line:
    """Say in the line which ticket it is about, where the command named it."""
    named = command.verb in REVIEWS and re.search(rf"(?<!\d){ticket.number}(?!\d)", command.line)
    return replace(line, number=ticket.number, subject=ticket.subject) if named else line


def _unchanged(line: Line) -> Line:
    return replace(line, outcome="unchanged", why="all_or_none", links=())


# --- what each verb does: (argument, ticket, actor) → events or a refusal ---

Deed = Callable[[str, Ticket, Actor], tuple[Event, ...] | Refusal]


def _move(verb: Verb, ticket: Ticket, actor: Actor, text: str = "") -> StateChanged:
    new = next_state(ticket.state, verb, ticket.kind)
    assert new is not None, "checked by _one"
    return StateChanged(verb=verb, old=ticket.state, new=new, by=actor.name, text=text)


def _moves(verb: Verb, *, needs_reason: bool = False) -> Deed:
    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        if needs_reason and not argument:
            return Refusal(code="needs_reason")
        return (_move(verb, ticket, actor, argument),)

    return deed


def _accept(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    person = actor.sender.person
    taken: tuple[Event, ...] = ()
    if person and ticket.assignee != person.key:
        team = ticket.team or next(iter(person.teams), "")
        taken = (Assigned(team=team, line=person.line, assignee=person.key, by=actor.name, reason=TAKEN_UP),)
    move = _move(Verb.ACCEPT, ticket, actor, argument)
    return taken if move.new is move.old else (*taken, move)


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
    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        if not argument:
            return Refusal(code="needs_text")
        move = _move(Verb(part), ticket, actor, argument)
        return (SolutionGiven(part=part, text=argument, by=actor.name), *(() if move.new is move.old else (move,)))

    return deed


def _assign(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    target, reason, suggestion = arguments.target_in(argument, actor.rulebook)
    if target is None:
        return _not_found("target", argument, suggestion)
    if arguments.is_vendor(target, actor.rulebook):
        return _to_vendor(Verb.ASSIGN, target, reason, ticket, actor)
    return (_given_to(target, reason, ticket, actor), _move(Verb.ASSIGN, ticket, actor, reason))


def _not_found(what: str, argument: str, near: str) -> Refusal:
    """Return that there is no such person, vendor or category, or that none was named."""
    if not argument:
        return Refusal(code=f"needs_{what}")
    return Refusal(code=f"no_such_{what}", detail=arguments.first_word(argument)[0], near=near)


def _given_to(target: Person | Team, reason: str, ticket: Ticket, actor: Actor, line: int = 0) -> Assigned:
    if isinstance(target, Person):
        team, assignee = next(iter(target.teams), "") or ticket.team, target.key
    else:
        team, assignee = target.key, ""
    return Assigned(team=team, line=line or target.line, assignee=assignee, by=actor.name, reason=reason)


def _line2(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Functional escalation (procedure §5): the second line of this category takes over."""
    if ticket.line == _SECOND_LINE:
        return Refusal(code="on_line2")
    found = second_line(ticket, actor.rulebook, actor.now.date(), actor.name)
    if found is None:
        category = actor.rulebook.categories.get(ticket.category)
        return Refusal(code="no_line2", detail=category.key if category else ticket.category)
    team = team_of(found, ticket, actor.rulebook)
    given = replace(_given_to(found, argument, ticket, actor, _SECOND_LINE), team=team)
    up = HandedUp(line=_SECOND_LINE, by=actor.name, reason=argument, former=ticket.assignee)
    return (given, up, _move(Verb.LINE2, ticket, actor, argument))


def _vendor(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    target, reason, near = arguments.vendor_in(argument, actor.rulebook)
    if target is None:
        return _not_found("vendor", argument, near)
    return _to_vendor(Verb.VENDOR, target, reason, ticket, actor)


def _to_vendor(verb: Verb, target: Person | Team, reason: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...]:
    """Line 3: the vendor has it, and the engineer who had it (or who says so) answers for it among us."""
    people = actor.rulebook.people
    members = [target] if isinstance(target, Person) else [people[m] for m in target.members if m in people]
    vendors = tuple(dict.fromkeys(a for p in members for a in p.addresses))
    former = people.get(ticket.assignee)
    liaison = ticket.liaison or (ticket.assignee if of_ours(former) else actor.name)
    up = HandedUp(
        line=_VENDORS_LINE, by=actor.name, reason=reason, vendors=vendors, former=ticket.assignee, liaison=liaison
    )
    return (_given_to(target, reason, ticket, actor, _VENDORS_LINE), up, _move(verb, ticket, actor, reason))


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
        return _not_found("category", argument, arguments.category_near(word, actor.rulebook))
    return (_change("category", ticket.category, category.key, actor, reason),)


def _ci(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    return (_change("ci", ticket.ci, argument, actor),) if argument else Refusal(code="needs_text")


def _change(field: str, old: object, new: object, actor: Actor, reason: str = "") -> Graded:
    return Graded(field=field, old=str(old), new=str(new), by=actor.name, reason=reason)


def _escalate(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if not argument:
        return Refusal(code="needs_reason")
    asked = EscalationAsked(by=actor.name, reason=argument, at=actor.now)
    if ticket.next_step is None:
        return (asked,)
    clock, step = ticket.next_step
    asked = replace(asked, step=step.name, clock=clock.name, audience=step.audience, hand_up=step.hand_up)
    return (asked, *hand_up_due(ticket, (asked,), actor.rulebook, actor.now.date()))


def _acknowledge(_: str, __: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Answer for the step of the timetable that this person was told of last."""
    if not actor.steps_told:
        return Refusal(code="not_told")
    return (EscalationAcknowledged(by=actor.name, step=actor.steps_told[-1]),)


def _for(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Make a colleague's own report the report of a customer."""
    found, book = arguments.address_in(argument), actor.rulebook
    if found is None:
        return Refusal(code="needs_address")
    if actor.is_us(found.address) or book.person_at(found.address):
        return Refusal(code="for_ours", detail=found.address)
    if book.person_at(ticket.requester) is None and not ticket.by_tool:
        return Refusal(code="has_reporter", detail=ticket.requester)
    customer = book.customer_at(found.address)
    return (
        RecordedFor(
            requester=found.address.lower(), requester_name=found.name, customer=customer.key if customer else "",
            language=(customer.language if customer else "") or ticket.language, recorded_by=ticket.requester,
            by=actor.name,
        ),
    )  # fmt: skip


def _source(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    source = arguments.source_in(argument)
    if source is None:
        return Refusal(code="needs_source")
    return (Corrected(field="source", old=ticket.source, new=source, by=actor.name),)


def _occurred(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    moment = arguments.occurred_in(argument, actor.now)
    if moment is None:
        return Refusal(code="needs_time")
    if moment > actor.now:
        return Refusal(code="time_ahead", detail=moment.isoformat())
    old = ticket.occurred_at.isoformat() if ticket.occurred_at else ""
    return (Corrected(field="occurred", old=old, new=moment.isoformat(), by=actor.name),)


def _in_scope(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    """Take in what was refused, or what the desk was asked about; or first the one, then the other."""
    goes_to = settled(ticket, actor.name, argument)
    refused = ticket.state is State.OUT_OF_SCOPE
    taken = (_move(Verb.IN_SCOPE, ticket, actor, argument), *goes_to) if refused else goes_to
    zone = actor.service.timezone if actor.service else "UTC"
    return (*taken, *approval_asked(after(ticket, taken), actor.rulebook, zone, actor.at or actor.now))


def _record(verb: Verb) -> Deed:
    def deed(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
        return recorded(verb, argument, ticket, actor)

    return deed


def _undo(_: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    return taken_back(ticket, actor)


def _rate(argument: str, ticket: Ticket, actor: Actor) -> tuple[Event, ...] | Refusal:
    if ticket.asked_at is None:
        return Refusal(code="not_asked")
    found = rating_in(argument, actor.rulebook.duties.ratings, asked=True)
    if found is None:
        return Refusal(code="needs_rating")
    return (Rated(rating=found[0], by=actor.name, text=found[1], at=actor.now),)


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
    Verb.OUT_OF_SCOPE: _moves(Verb.OUT_OF_SCOPE, needs_reason=True),
    Verb.IN_SCOPE: _in_scope,
    Verb.CONFIRM: _moves(Verb.CONFIRM),
    Verb.REOPEN: _moves(Verb.REOPEN),
    Verb.ARCHIVE: _moves(Verb.ARCHIVE),
    Verb.REJECT: _moves(Verb.REJECT, needs_reason=True),
    Verb.CANCEL: _moves(Verb.CANCEL),
    Verb.APPROVE: approved,
    Verb.REFUSE: refused,
    Verb.LINE2: _line2,
    Verb.VENDOR: _vendor,
    Verb.ACK: _acknowledge,
    Verb.FOR: _for,
    Verb.SOURCE: _source,
    Verb.OCCURRED: _occurred,
    Verb.UNDO: _undo,
    Verb.RATE: _rate,
    Verb.MERGE: merged(Verb.MERGE),
    Verb.DUPLICATE: merged(Verb.DUPLICATE),
    Verb.RELATED: related,
    Verb.PARENT: parent,
    Verb.SPLIT: split,
    Verb.PROBLEM: raised(LinkKind.PROBLEM, Kind.PROBLEM, needs_text=False),
    Verb.CHANGE: raised(LinkKind.CHANGE, Kind.CHANGE, needs_text=True),
    Verb.KNOWLEDGE: reused,
    Verb.MAJOR: declare,
    Verb.UPDATE: publish,
    Verb.PLAN: activate,
    Verb.DONE: done,
    Verb.BLOCKED: blocked,
    **{verb: _record(verb) for verb in RECORDING},
    **dict.fromkeys(QUESTIONS, _question),
}
