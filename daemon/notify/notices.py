"""From a Decision to Notices: which mail goes to whom, in which language, about what.

What comes in: Changes (their tickets already numbered), the transcript, the letter that caused them if any, the
Rulebook and the Service. What goes out: Notices, at most one per template and recipient. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from daemon.actors import could_be, of_ours, others_to_approve
from daemon.aftermath import aftermath
from daemon.closing import CLOCK, is_late
from daemon.commands import TAKEN_UP, Line, Transcript, makes_sense
from daemon.decide import Change, Decision
from daemon.dispatch import DISPATCH, reason
from daemon.emergency import MajorEvent, PlanEvent
from daemon.events import (
    AlertRecovered,
    AlertRepeated,
    AnswerWithheld,
    ApprovalAsked,
    ApprovalOwed,
    Assigned,
    CalledIn,
    CommandsRefused,
    EscalationAsked,
    Event,
    Graded,
    HandedUp,
    Insisted,
    Linked,
    MajorEnded,
    MajorUpdateOwed,
    MessageAdded,
    NewsShared,
    NoticeFailed,
    Opened,
    ParentEnded,
    ParentSolved,
    PlanEnded,
    Queued,
    Rated,
    Recalled,
    Rejected,
    Reminded,
    Returned,
    RuleNotified,
    ScopeDoubted,
    StateChanged,
    StepPassedOn,
    StepReached,
    TaskOverdue,
    TaskUnanswered,
    Undone,
    Unlinked,
    Woken,
)
from daemon.intake.keywords import find_commands, spoken
from daemon.intake.letter import Letter
from daemon.intake.understand import OPENING
from daemon.linking import asked_together
from daemon.notify.catalogue import NO_STEP
from daemon.notify.emergencies import (
    aftermath_facts,
    alarm_facts,
    display,
    iso,
    level_name,
    named,
    owed_facts,
    plan_facts,
    plan_of,
)
from daemon.notify.notice import FORWARDED, PASSED_ON, Notice
from daemon.rulebook import Announcement, Contract, Keyword, Person, Rulebook, Team
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import (
    APPROVALS,
    CASES,
    JOINED,
    PROVED,
    RECORDING,
    Dispatch,
    LinkKind,
    Role,
    State,
    Verb,
    Visibility,
    Who,
)

_ANSWERS = frozenset({"acknowledgement", "scope_refused", "scope_passed_on"})
_LONGEST_TEXT = 20_000
# One mail instead of two: the second one says what the first one would.
_SAYS_IT_TOO: Mapping[str, tuple[str, ...]] = {
    "taken_up": ("progress",), "resumed": ("progress",), "regraded": ("assignment", "alert_repeated"),
    "reopened": ("alert_repeated",), "alert_repeated": ("assignment",), "new_reply": ("reopened",),
    "cancelled": ("merged", "approval_refused"), "linked": ("assignment",),
    "assignment": ("recall", "queued", "scope_question"), "queued": ("recalled",),
    "rule_notice": (
        "assignment", "queued", "scope_question", "approval_question", "escalation", "major_update", "new_reply",
    ),
    # That a major incident is over, or goes on; where a mistake was put right all is as it was, the alarm too.
    "major_update": ("resolved", "cancelled", "scope_refused", "reopened", "major_report", "undone"),
}  # fmt: skip
_AT_WORK = frozenset({"assignee", "assignee_or_team", "team", "lead"})
_SECOND_LINE = 2
_OF_LINKS = Linked | Unlinked | ParentSolved | ParentEnded
_AT_ONCE, _MINUTE = timedelta(0), timedelta(minutes=1)
# Whom an escalation goes to that was asked for when the timetable has no step left.
_LAST_RESORT = ("lead", "pm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """Why a step went to the next in line: the one before is absent, was not reached (bounced), or there is nobody."""

    told_as: str
    why: str
    name: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody to be told: where, by which name, in which language, and whether internal words may be shown.

    Of a step of the timetable: as whom they are told (`told_as`, an audience), and for whom they stand in.
    """

    address: str
    name: str
    language: str
    key: str = ""
    told_as: str = ""
    instead: tuple[Vacancy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the choosing of notices looks at: the mail that caused it (None for the clock) and the books.

    `now` is when they are told: who is away then is stood in for; None where nobody asks about that. `report` are the
    words that opened the ticket, `story` these and the notes since, `told` the addresses whose bounces were told of
    within a day. `records` are the other tickets that it is linked to, `similar` solved ones like it,
    `history` all that happened to the ticket before, where a report is due.
    """

    rulebook: Rulebook
    service: Service
    now: datetime | None = None
    letter: Letter | None = None
    withheld: str = ""
    quiet: bool = False
    actor: str = ""
    report: str = ""
    story: str = ""
    told: frozenset[str] = frozenset()
    records: Mapping[int, Ticket] = field(default_factory=dict)
    similar: tuple[Ticket, ...] = ()
    history: tuple[tuple[datetime, Event], ...] = ()


def choose_notices(change: Change, scene: Scene) -> tuple[Notice, ...]:
    """Return the notices that one ticket's events call for, in the order they happened."""
    if scene.quiet:
        return ()
    ticket = change.now
    chosen: dict[tuple[str, str], Notice] = {}
    for event in _news(change):
        if isinstance(event, MessageAdded) and not _to_be_passed_on(change, scene):
            continue
        for announcement in _announcements(event, scene.rulebook):
            for notice in _notices(announcement, event, ticket, scene):
                key = (notice.template, notice.to)
                chosen[key] = _one_of(chosen[key], notice) if key in chosen else notice
    said_too = {key for key in chosen for other in _SAYS_IT_TOO.get(key[0], ()) if (other, key[1]) in chosen}
    kept = (n for key, n in chosen.items() if key not in said_too)
    return tuple(n for n in kept if not (scene.withheld and n.automatic_answer))


def transcript_notice(decision: Decision, ticket: Ticket | None, language: str, scene: Scene) -> tuple[Notice, ...]:
    """Return the answer to a command mail: none where it was withheld, else exactly one."""
    transcript, letter = decision.transcript, scene.letter
    if transcript is None or letter is None or letter.sender is None or decision.withheld or scene.quiet:
        return ()
    person = scene.rulebook.person_at(letter.sender.address)
    to = Recipient(
        address=letter.sender.address,
        name=person.name if person else letter.sender.name,
        language=(person.language if person else "") or language,
    )
    facts = transcript_facts(transcript, to.language, scene)
    if ticket is not None and transcript.unproved != "not_on_record":
        facts["ticket"] = ticket_facts(ticket, to.language, scene.rulebook)
    visibility = Visibility.INTERNAL if person else Visibility.PUBLIC
    return (notice_to("transcript", to, ticket, facts, scene, visibility, automatic=True),)


def passed_on_notices(decision: Decision, language: str, scene: Scene) -> tuple[Notice, ...]:
    """Return the mail that passes a mail on, and the word to its sender; nothing for a mail that stays with us."""
    forward, letter = decision.forward, scene.letter
    if forward is None or letter is None or letter.sender is None or scene.quiet:
        return ()
    sender = letter.sender
    original = {"subject": letter.subject, "sender": sender.address, "sender_name": sender.name}
    person = scene.rulebook.person_at(forward.address)
    ours = (person.language if person else "") or scene.service.language
    theirs = scene.rulebook.person_at(sender.address)
    onward = Notice(
        template=FORWARDED, language=ours, to=forward.address, to_name=person.name if person else "",
        facts={"original": original, "text": letter.words, "passed_on": decision.mail, "reply_to": sender.address},
        visibility=Visibility.INTERNAL,
    )  # fmt: skip
    to = Recipient(
        address=sender.address, name=theirs.name if theirs else sender.name,
        language=(theirs.language if theirs else "") or language,
    )  # fmt: skip
    told = notice_to(PASSED_ON, to, None, {"original": original}, scene, Visibility.PUBLIC, automatic=True)
    return (onward,) if decision.withheld else (onward, told)


def alarm_notice(title: str, lines: Iterable[str], to: str, service: Service) -> Notice:
    """Return a mail to the operator: the daemon itself is in trouble."""
    return Notice(
        template="alarm", language=service.language, to=to, to_name="",
        facts={"title": title, "lines": list(lines)}, visibility=Visibility.INTERNAL,
    )  # fmt: skip


# --- which announcements, to whom ---


def _news(change: Change) -> tuple[Event, ...]:
    """Return what there is to announce: of something taken back only that, not the single values that are as before.

    What is refused at once is not also received and handed out.
    """
    if any(isinstance(e, Rejected) for e in change.events):
        return tuple(e for e in change.events if not isinstance(e, Opened))
    if not any(isinstance(e, Undone) for e in change.events):
        return change.events
    return tuple(e for e in change.events if not isinstance(e, StateChanged | Assigned | Graded) or _by_dispatch(e))


def _by_dispatch(event: Event) -> bool:
    """Whether nobody decided this but the rules of dispatch: then even who caused it has to be told."""
    return isinstance(event, Queued | Recalled | CalledIn) or getattr(event, "by", "") == DISPATCH


def _announcements(event: Event, rulebook: Rulebook) -> Iterator[Announcement]:
    kind = type(event).__name__
    for a in rulebook.announcements:
        if a.event == kind and _speaks_of(a, event):
            yield a


def _speaks_of(announcement: Announcement, event: Event) -> bool:
    if isinstance(event, Graded):
        return announcement.field in ("", event.field)
    if isinstance(event, Opened):
        return event.kind in CASES  # a problem or a change is told of by the link that opened it
    if isinstance(event, Linked | Unlinked):
        return not announcement.links or event.link in announcement.links
    if isinstance(event, AlertRepeated | AlertRecovered):
        return event.told
    if not isinstance(event, StateChanged):
        return True
    state_fits = announcement.state in ("", event.new)
    return state_fits and (not announcement.verbs or event.verb in announcement.verbs)


def _notices(announcement: Announcement, event: Event, ticket: Ticket, scene: Scene) -> Iterator[Notice]:
    if isinstance(event, NoticeFailed) and event.address in scene.told:
        return
    if isinstance(event, Opened) and ticket.awaits_approval and _AT_WORK & set(announcement.audience):
        return  # there is nothing to do yet
    for to in _concerned(announcement, event, ticket, scene):
        if _did_it(to, event, scene) or _waited_in_vain(to, event):
            continue
        if isinstance(event, Reminded) and asked_together(ticket, scene.records.get)[0].number != ticket.number:
            continue
        visibility = Visibility.INTERNAL if to.key or not ticket.concerns(to.address) else Visibility.PUBLIC
        facts = event_facts(event, ticket, to, scene, visibility)
        answer = announcement.template in _ANSWERS and isinstance(event, Opened | Rejected | Insisted)
        yield notice_to(announcement.template, to, ticket, facts, scene, visibility, automatic=answer)


def _did_it(to: Recipient, event: Event, scene: Scene) -> bool:
    """Whether this reader did it and need not be told; who asked for what they alone can approve has to know that."""
    return bool(to.key) and to.key == scene.actor and not _by_dispatch(event) and not isinstance(event, ApprovalAsked)


def _concerned(announcement: Announcement, event: Event, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """Yield whom to tell. That a mail came back is never told to the address that it came back from."""
    audience = _audience(announcement, event, ticket)
    if not isinstance(event, NoticeFailed):
        found = [to for to in _told(audience, event, ticket, scene) if _may_hear(event, to, scene)]
        for_people_of_ours = bool(set(audience) - {"requester", "watchers"})
        heard = found if not isinstance(event, _OF_LINKS) else [to for to in found if not _is_vendor(to, scene)]
        yield from found
        yield from recipients(("desk",), ticket, scene) if for_people_of_ours and not heard else ()
        return
    # Who works on it may be the very one who cannot be reached: then the desk has to know.
    for_us = event.template in ("assignment", "notice_failed", "escalation", "new_reply")
    names = (*(() if event.template == "notice_failed" else audience), *(("desk",) if for_us else ()))
    found = [to for to in recipients(names, ticket, scene) if to.address != event.address]
    yield from found or [to for to in recipients(("desk",), ticket, scene) if to.address != event.address]


def _may_hear(event: Event, to: Recipient, scene: Scene) -> bool:
    """Whether this reader may be told: which tickets hang together is nothing for a vendor, who has one of them.

    They hear that more people reported what they work on, and no more: what these wrote is the desk's to hand over.
    """
    reported_again = isinstance(event, Linked) and event.link in JOINED
    return reported_again or not isinstance(event, _OF_LINKS) or not _is_vendor(to, scene)


def _is_vendor(to: Recipient, scene: Scene) -> bool:
    person = scene.rulebook.people.get(to.key)
    return person is not None and not of_ours(person)


def _waited_in_vain(to: Recipient, event: Event) -> bool:
    """Whether a requester would hear that the wait for them is over: by their own answer, or in vain."""
    return isinstance(event, StateChanged) and event.verb is Verb.RESUME and event.by in (to.address, "clock")


def _audience(announcement: Announcement, event: Event, ticket: Ticket) -> tuple[str, ...]:
    """Return whom to tell; "step" stands for the people of the step that fell due, or that comes next."""
    match event:
        case StepReached(audience=step):
            pass
        case StepPassedOn(told_as=told_as):
            step = (told_as,)
        case _:
            step = getattr(event, "audience", ()) or _LAST_RESORT
    # Not a role but somebody whom the event itself names: by key, or by address.
    named = {
        "step": step,
        "former": (event.former,) if isinstance(event, HandedUp) and event.former else (),
        "told": tuple(t.address for t in event.told) if isinstance(event, Undone) else (),
        "coordinator": tuple(p.coordinator for p in ticket.plans if p.key == plan_of(event, ticket)),
        "doers": tuple(t.who for t in ticket.tasks if isinstance(event, PlanEnded) and t.number in event.undone),
    }
    names = (named.get(name, (name,)) for name in announcement.audience)
    return tuple(dict.fromkeys(n for group in names for n in group))


def _to_be_passed_on(change: Change, scene: Scene) -> bool:
    """Whether a mail's words are told by a mail of their own: not those that open a ticket, not for ever."""
    if any(isinstance(e, StateChanged) and e.verb in APPROVALS for e in change.events) and _from_ours(scene):
        return False
    withheld = any(isinstance(e, AnswerWithheld) and e.template == "new_reply" for e in change.events)
    told_otherwise = Opened | Rated | Insisted | AlertRepeated | AlertRecovered
    if withheld or any(isinstance(e, told_otherwise) for e in change.events):
        return False
    refused = any(isinstance(e, CommandsRefused) and e.reason != "unproved" for e in change.events)
    return (refused and not _from_ours(scene)) or _from_vendor(scene) or _has_words(scene)


def _from_vendor(scene: Scene) -> bool:
    """Whether a vendor wrote it: who answers for them among us reads all of it, commands too."""
    sender = scene.letter.sender if scene.letter else None
    person = scene.rulebook.person_at(sender.address) if sender else None
    return person is not None and not of_ours(person)


def _from_ours(scene: Scene) -> bool:
    sender = scene.letter.sender if scene.letter else None
    return sender is not None and scene.rulebook.person_at(sender.address) is not None


def _has_words(scene: Scene) -> bool:
    """Whether a mail holds words for those at work, and not only commands: what those did is told by itself."""
    if scene.letter is None:
        return False
    commands, left = find_commands(spoken(scene.letter), scene.rulebook.keywords)
    # A requester's "#urgent please hurry" is no command: to them an unknown keyword is a word like any other.
    said = any(c.verb is None for c in commands) and not _from_ours(scene)
    return bool(left.strip() or scene.letter.attachments or said)


def recipients(audience: Iterable[str], ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """Yield everybody that these audience names stand for on this ticket, each person and each address once."""
    seen: set[str] = set()
    for name in audience:
        for to in _AUDIENCES.get(name, _by_key)(name, ticket, scene):
            person = scene.rulebook.person_at(to.address)
            who = person.key if person else to.address
            if who and who not in seen and not scene.service.owns(to.address):
                seen.add(who)
                yield to


# --- who is away or cannot be reached is stood in for by the next in line ---


def _told(audience: tuple[str, ...], event: Event, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """Yield whom to tell of this event, each address once."""
    moment = _moment(event)
    if moment is None:
        found = chain(recipients(audience, ticket, scene), _deputies(audience, ticket, scene))
    else:
        out = _kept_out(event, ticket, scene)
        found = chain.from_iterable(_in_line(n, _day(moment, scene), out, ticket, scene) for n in audience)
    seen: set[str] = set()
    for to in found:
        if to.address not in seen:
            seen.add(to.address)
            yield to


def _kept_out(event: Event, ticket: Ticket, scene: Scene) -> Mapping[str, str]:
    """Return who is not told of this event, and why: the next in line is."""
    if isinstance(event, StepPassedOn):
        return {event.address: "bounced"}
    asks = isinstance(event, ApprovalAsked | ApprovalOwed)
    person = scene.rulebook.person_at(ticket.requester) if asks and others_to_approve(ticket, scene.rulebook) else None
    return {person.address: "own"} if person else {}


def _deputies(audience: tuple[str, ...], ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """Yield who else hears what those at work are told where none of them is there: it must not lie till they are back.

    They get it all the same, and find it when they come.
    """
    if scene.now is None or "assignee_or_team" not in audience:
        return
    line = list(_in_line(_whose_turn(ticket, scene), _day(scene.now, scene), {}, ticket, scene))
    yield from line or recipients(("desk",), ticket, scene)


def _day(moment: datetime, scene: Scene) -> date:
    return moment.astimezone(ZoneInfo(scene.service.timezone)).date()


def _moment(event: Event) -> datetime | None:
    """Return when somebody is told of what cannot wait for an absent one: a step, a task; None for other events."""
    match event:
        case StepReached(noticed_at=at) | StepPassedOn(at=at) | EscalationAsked(at=at) | MajorUpdateOwed(noticed_at=at):
            return at
        case Insisted(at=at) | ApprovalAsked(at=at) | ApprovalOwed(noticed_at=at):
            return at
        case TaskOverdue(noticed_at=at) | TaskUnanswered(noticed_at=at):
            return at
        case _ if isinstance(event, PlanEvent):
            return event.at
        case _:
            return None


def _in_line(name: str, day: date, out: Mapping[str, str], ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """Yield those who stand for this audience name on this day; where none of them is there, the next in line."""
    instead: list[Vacancy] = []
    while name:
        found = list(recipients((name,), ticket, scene))
        missing = {to.address: _vacancy(to, name, day, out, scene) for to in found}
        here = [to for to in found if missing[to.address] is None]
        if here:
            yield from (replace(to, told_as=name, instead=tuple(instead)) for to in here)
            return
        instead += [v for v in missing.values() if v] or [Vacancy(told_as=name, why="nobody")]
        name = scene.rulebook.next_in_line.get(name, "") or _for_owner(name, ticket, scene)


def _for_owner(name: str, ticket: Ticket, scene: Scene) -> str:
    """Return who comes after the person who owns a major incident: those who own such incidents."""
    return scene.rulebook.major.owner if ticket.major_run and ticket.major_run.owner == name else ""


def _vacancy(to: Recipient, name: str, day: date, out: Mapping[str, str], scene: Scene) -> Vacancy | None:
    if to.address in out:
        return Vacancy(told_as=name, why=out[to.address], name=to.name or to.address)
    person = scene.rulebook.people.get(to.key)
    until = person.away_until(day) if person else None
    return Vacancy(told_as=name, why="absent", name=to.name, until=until) if until else None


def _one_of(first: Notice, second: Notice) -> Notice:
    """Return one mail for two: of several steps that somebody is owed at one moment, the gravest one leads."""
    lists = [name for name in ("news", "asked") if name in first.facts]
    if lists:
        return replace(second, facts={**second.facts, **{n: [*_list(first, n), *_list(second, n)] for n in lists}})
    steps = [*_steps_in(first), *_steps_in(second)]
    if not _steps_in(second) or first.facts.get("asked_by"):
        return replace(first, facts={**first.facts, "steps": steps}) if steps else first
    gravest = max(steps, key=lambda s: (s["percent"], s["repeat"]))
    leading = first if gravest in _steps_in(first) else second
    return replace(leading, facts={**leading.facts, "step": gravest, "steps": steps})


def _steps_in(notice: Notice) -> list[Any]:
    return _list(notice, "steps")


def _list(notice: Notice, name: str) -> list[Any]:
    found = notice.facts.get(name, [])
    return found if isinstance(found, list) else []


def _requester(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    if "@" in ticket.requester and not ticket.by_tool:
        language = ticket.language or scene.service.language
        yield Recipient(address=ticket.requester, name=ticket.requester_name, language=language)


def _watchers(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    for address in ticket.watchers:
        person = scene.rulebook.person_at(address)
        yield (
            _person(person, scene)
            if person
            else Recipient(address=address, name="", language=ticket.language or scene.service.language)
        )


def _assignee(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    if person := scene.rulebook.people.get(ticket.assignee):
        yield _person(person, scene)


def _team(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    if team := scene.rulebook.teams.get(ticket.team):
        yield from _members(team, scene)


def _assignee_or_team(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    name = _whose_turn(ticket, scene)
    yield from _AUDIENCES[name](name, ticket, scene)


def _whose_turn(ticket: Ticket, scene: Scene) -> str:
    """Return the audience that has a ticket in hand now: whoever it is, somebody is among them."""
    if ticket.state is State.OUT_OF_SCOPE:
        names: tuple[str, ...] = ("sales",) if ticket.insisted_at else ()
    else:
        team = scene.rulebook.teams.get(ticket.team)
        # Where one of a team is chosen, the others never heard of what nobody was given, also when it is over.
        alone = ticket.queued_at is not None or (team is not None and team.dispatch is Dispatch.AUTO)
        names = ("assignee", "lead" if alone else "team")
    return next((n for n in names if any(True for _ in _AUDIENCES[n](n, ticket, scene))), "desk")


def _lead(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    team = scene.rulebook.teams.get(ticket.team)
    if person := scene.rulebook.people.get(team.lead if team else ""):
        yield _person(person, scene)


def _pm(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    customer = scene.rulebook.customers.get(ticket.customer)
    if customer and (person := scene.rulebook.people.get(customer.pm)):
        yield _person(person, scene)
    else:
        yield from _by_role(Role.PM, scene)


def _participants(name: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    yield from _requester(name, ticket, scene)
    yield from _watchers(name, ticket, scene)
    yield from _assignee(name, ticket, scene)


def _second_line(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """The specialists of this category; where nobody is named one, those of the team."""
    people = [p for p in scene.rulebook.people_with(Role.ENGINEER) if p.line == _SECOND_LINE]
    skilled = [p for p in people if p.skill_for(ticket.category)]
    yield from (_person(p, scene) for p in skilled or [p for p in people if ticket.team in p.teams])


def _vendors(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """The vendors of this category, and those who do everything."""
    vendors = scene.rulebook.people_with(Role.VENDOR)
    yield from (_person(p, scene) for p in vendors if not p.skills or p.skill_for(ticket.category))


def _role(name: str, _: Ticket, scene: Scene) -> Iterator[Recipient]:
    yield from _by_role(Role(name), scene)


def _by_key(name: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """A team or a person by key (announcements may name them outright), or anybody by address."""
    if team := scene.rulebook.teams.get(name):
        yield from _members(team, scene)
    elif person := scene.rulebook.people.get(name) or scene.rulebook.person_at(name):
        yield _person(person, scene)
    elif "@" in name:
        yield _outsider(name, ticket, scene)


def _outsider(address: str, ticket: Ticket, scene: Scene) -> Recipient:
    """Return somebody who is not of ours, or a team's own mailbox, by address."""
    team = next((t for t in scene.rulebook.teams.values() if t.address == address), None)
    if team:
        return next(iter(_members(team, scene)))
    name = ticket.requester_name if address == ticket.requester else ""
    return Recipient(address=address, name=name, language=ticket.language or scene.service.language)


def _liaison(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    if person := scene.rulebook.people.get(ticket.liaison):
        yield _person(person, scene)


_AUDIENCES = {
    "requester": _requester,
    "watchers": _watchers,
    "assignee": _assignee,
    "assignee_or_team": _assignee_or_team,
    "liaison": _liaison,
    "team": _team,
    "lead": _lead,
    "pm": _pm,
    "participants": _participants,
    "line2": _second_line,
    "line3": _vendors,
    **{str(r): _role for r in (Role.DESK, Role.MANAGER, Role.DIRECTOR, Role.SALES, Role.DUTY)},
}
AUDIENCE_NAMES = tuple(_AUDIENCES)


def _by_role(role: Role, scene: Scene) -> Iterator[Recipient]:
    yield from (_person(p, scene) for p in scene.rulebook.people_with(role))


def _members(team: Team, scene: Scene) -> Iterator[Recipient]:
    if team.address:
        yield Recipient(
            address=team.address,
            name=named(team.name, scene.service.language),
            language=scene.service.language,
        )
        return
    yield from (_person(scene.rulebook.people[m], scene) for m in team.members if m in scene.rulebook.people)


def _person(person: Person, scene: Scene) -> Recipient:
    language = person.language or scene.service.language
    return Recipient(address=person.address, name=person.name, language=language, key=person.key)


# --- what the templates may speak of (docs/templates.md) ---


def event_facts(event: Event, ticket: Ticket, to: Recipient, scene: Scene, visibility: Visibility) -> dict[str, Any]:
    """Return the facts for one notice: the ticket, the words concerned, who wrote them, what may be answered."""
    internal = visibility is Visibility.INTERNAL
    return {
        "ticket": _facts_for(to, ticket, scene),
        "text": _text(event, ticket, to, scene, internal=internal),
        "by": _who(event, scene),
        "attachments": _attachments(event, scene) if internal else [],
        "keywords": keyword_facts(_likely(ticket, to, scene), to.language) if internal else [],
        "instead": _instead(to, scene),
        **(
            _put_right(event, to)
            or _link_facts(event, ticket, to, scene)
            or _dispatched(event, scene)
            or _solution_facts(event, ticket, to, scene)
            or _particulars(event, ticket)
        ),
        **_similar(event, to, scene),
        **_step_facts(event, ticket, to, scene),
        **_scope_facts(event, ticket, to, scene),
        **_rule_facts(event, to, scene),
        **_emergency_facts(event, ticket, to, scene),
    }


def _facts_for(to: Recipient, ticket: Ticket, scene: Scene) -> dict[str, Any]:
    """Return what a template may say of a ticket to this reader; other tickets are nothing for a vendor."""
    facts = ticket_facts(ticket, to.language, scene.rulebook)
    return {**facts, "links": []} if _is_vendor(to, scene) else facts


def _put_right(event: Event, to: Recipient) -> dict[str, Any]:
    """Return what the mails about a new hand, a new grade or a step back may speak of; nothing for other events."""
    match event:
        case HandedUp(line=line, reason=reason):
            return {"line": line, "reason": reason, "by_itself": event.by == CLOCK}
        case Graded(field=field, old=old, new=new, reason=reason):
            return {"field": field, "old": old, "new": new, "reason": reason}
        case Undone(told=told, done_at=done_at):
            template = next((t.template for t in told if t.address == to.address), "")
            return {"template": template, "done_at": iso(done_at)}
        case _:
            return {}


def _link_facts(event: Event, ticket: Ticket, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what the mails about linked records may speak of; nothing for other events."""
    match event:
        case Linked(link=link, ticket=number, opened=opened):
            facts = {"link": str(link), "opened": opened, "for_vendor": _is_vendor(to, scene)}
        case Unlinked(link=link, ticket=number):
            facts = {"link": str(link), "ended": True}
        case NewsShared(ticket=number, solved=solved, outcome=outcome):
            facts = {"solved": solved, "outcome": outcome or "news"}
        case ParentSolved(ticket=number):
            facts = {"link": "parent_solved"}
        case ParentEnded(ticket=number, state=state):
            facts = {"link": f"parent_{state}"}
        case StateChanged(verb=Verb.MERGE | Verb.DUPLICATE):
            number, facts = ticket.moved_to, {}
        case Woken(reason=reason, change=number) if number:
            facts = {"reason": reason}
        case _:
            return {}
    other = None if facts.get("for_vendor") else scene.records.get(number)
    known = ticket_facts(other, to.language, scene.rulebook) if other else {"number": number}
    return {**facts, "other": known}


def _similar(event: Event, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what was done about incidents like it; solutions are for our own people to judge."""
    if not isinstance(event, Opened | Assigned) or not of_ours(scene.rulebook.people.get(to.key)):
        return {}
    found = [{"number": t.number, "subject": t.subject, "solution": t.solution} for t in scene.similar]
    return {"similar": found}


def _dispatched(event: Event, scene: Scene) -> dict[str, Any]:
    """Return what the mails about waiting and about recalls may speak of; nothing for other events."""
    match event:
        case Queued(reasons=reasons, until=until):
            unfree = [{"name": display(r.person, scene.rulebook), "why": r.why, "detail": r.detail} for r in reasons]
            return {"reasons": unfree, "opens": iso(until)}
        case Recalled() | CalledIn():
            other = {"number": event.ticket, "subject": event.subject, "severity": event.severity}
            return {"name": display(event.person, scene.rulebook), "other": other}
        case _:
            return {}


def _solution_facts(event: Event, ticket: Ticket, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what the mails may speak of that say or ask whether it is solved; nothing for other events."""
    theirs = to.address == ticket.requester
    match event:
        case Reminded():
            late = is_late(event.due_at, event.noticed_at)
            others = asked_together(ticket, scene.records.get)[1:]
            return {"late_for": iso(event.due_at if late else None), "also": [_named(t) for t in others]}
        case StateChanged(new=State.RESOLVED):
            return {"confirms": theirs}
        case StateChanged(verb=Verb.REOPEN | Verb.REJECT):
            return {"solved_with": [] if theirs else _solved_with(ticket, scene)}
        case _:
            return {}


def _solved_with(ticket: Ticket, scene: Scene) -> list[dict[str, Any]]:
    """Return the children that were solved together with a ticket, and that still are while it goes on again."""
    children = (scene.records.get(number) for number in ticket.linked(LinkKind.CHILD))
    solved = (t for t in children if t and t.solved_with == ticket.number and not t.open)
    return [_named(t) for t in solved]


def _named(ticket: Ticket) -> dict[str, Any]:
    return {"number": ticket.number, "subject": ticket.subject}


def _particulars(event: Event, ticket: Ticket) -> dict[str, Any]:
    match event:
        case MessageAdded():
            author = event.author_name or event.author
            return {
                "author": author,
                "proved": event.proof in PROVED,
                "nature": str(event.nature),
            }
        case NoticeFailed():
            return {
                "address": event.address, "reason": event.reason, "template": event.template,
                "permanent": event.permanent,
            }  # fmt: skip
        case AlertRepeated(back=back):
            return {"back": back, "times": ticket.alerts}
        case AlertRecovered(at=at):
            return {"recovered_at": iso(at), "times": ticket.alerts, "solved": ticket.state is State.RESOLVED}
        case StateChanged(verb=Verb.CONFIRM):
            return {"silent": event.by == CLOCK}
        case Returned(reason=reason) | Rejected(reason=reason) | Woken(reason=reason):
            return {"reason": reason}
        case _:
            return {}


def _step_facts(event: Event, ticket: Ticket, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what the mail about a step may speak of; nothing for events of other kinds."""
    match event:
        case StepReached():
            late = max(0, int((event.noticed_at - event.due_at).total_seconds() // 60))
            step = {
                **_step(event, to), "due_at": event.due_at.isoformat(), "late_minutes": late,
                "forecast": event.forecast, "repeat": event.repeat, "missed": event.missed,
                "again_at": iso(event.again_at), "after_minutes": (event.after or _AT_ONCE) // _MINUTE,
            }  # fmt: skip
        case StepPassedOn(due_at=due_at):
            step = {**_step(event, to), "due_at": due_at.isoformat()}
        case EscalationAsked():
            step = _step(event, to)
        case _:
            return {}
    asked_by = event.by if isinstance(event, EscalationAsked) else getattr(event, "asked_by", "")
    return {
        "step": step,
        "steps": [] if asked_by else [step],
        "asked_by": (asked_by == ticket.requester and ticket.requester_name) or display(asked_by, scene.rulebook),
        "reason": getattr(event, "reason", ""),
    }


def _scope_facts(event: Event, ticket: Ticket, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what the mails about the scope may speak of; nothing for events of other kinds."""
    refused = isinstance(event, StateChanged) and event.new is State.OUT_OF_SCOPE
    if not refused and not isinstance(event, Rejected | ScopeDoubted | Insisted):
        return {}
    customer, category = scene.rulebook.customers.get(ticket.customer), scene.rulebook.categories.get(ticket.category)
    contract = (customer.contract if customer else None) or Contract()
    return {
        "why": ticket.scope_why,
        "reason": ticket.scope_reason,
        "contract": contract.number,
        "service_name": named(category.name, to.language) if category else "",
        "until": contract.until.isoformat() if contract.until else "",
        "since": contract.since.isoformat() if contract.since else "",
        "final": ticket.scope_final,
    }


def _rule_facts(event: Event, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what mails about rules and approvals may speak of; nothing for events of other kinds."""
    match event:
        case RuleNotified(because=because):
            return {"rules": list(because), "first": event.first}
        case StateChanged(verb=Verb.REFUSE, text=text):
            return {"reason": text}
        case ApprovalAsked(again_at=again_at):
            repeat = 0
        case ApprovalOwed(again_at=again_at, repeat=repeat):
            pass
        case _:
            return {}
    return {"repeat": repeat, "again_at": iso(again_at), "instead": _instead(to, scene)}


def _instead(to: Recipient, scene: Scene) -> list[dict[str, str]]:
    """Return for whom the reader stands in; who is named as a person has no role to be called by."""
    people = scene.rulebook.people
    return [
        {
            "told_as": "" if v.told_as in people else v.told_as, "why": v.why, "name": v.name,
            "until": v.until.isoformat() if v.until else "",
        }
        for v in to.instead
    ]  # fmt: skip


def _step(event: StepReached | StepPassedOn | EscalationAsked, to: Recipient) -> dict[str, Any]:
    percent = 0 if isinstance(event, EscalationAsked) else event.percent
    return {**NO_STEP, "name": event.step, "clock": event.clock, "percent": percent, "told_as": to.told_as}


def _emergency_facts(event: Event, ticket: Ticket, to: Recipient, scene: Scene) -> dict[str, Any]:
    """Return what the mails about major incidents and plans may speak of; nothing for events of other kinds."""
    book = scene.rulebook
    if isinstance(event, MajorUpdateOwed):
        return owed_facts(event)
    if isinstance(event, MajorEvent):
        told = aftermath(ticket, scene.history) if scene.history and isinstance(event, MajorEnded) else None
        report = aftermath_facts(told, ticket, to.language, book) if told else None
        return {**alarm_facts(event, ticket, book), "aftermath": report}
    if isinstance(event, PlanEvent):
        return plan_facts(event, ticket, to.language, book)
    return {}


def ticket_facts(ticket: Ticket, language: str, rulebook: Rulebook) -> dict[str, Any]:
    """Return what a template may say of a ticket; labels in `language`, times ISO 8601 or ""."""
    category = rulebook.categories.get(ticket.category)
    team = rulebook.teams.get(ticket.team)
    assignee = rulebook.people.get(ticket.assignee)
    customer = rulebook.customers.get(ticket.customer)
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "kind": str(ticket.kind),
        "state": str(ticket.state),
        "severity": int(ticket.severity),
        "impact": str(ticket.impact),
        "urgency": str(ticket.urgency),
        "category": ticket.category,
        "category_name": named(category.name, language) if category else "",
        "team_name": named(team.name, language) if team else "",
        "line": ticket.line,
        "assignee_name": assignee.name if assignee else "",
        "because": [dict(zip(("code", "detail"), reason(b, language, rulebook), strict=True)) for b in ticket.because],
        "requester_name": ticket.requester_name,
        "requester_address": ticket.requester,
        "customer_name": customer.name if customer else "",
        "opened_at": iso(ticket.opened_at),
        "occurred_at": iso(ticket.occurred_at),
        "source": ticket.source,
        "user": ticket.user,
        "contact": ticket.contact,
        "place": ", ".join(p for p in (ticket.region, ticket.place) if p),
        "ci": ticket.ci,
        "service": ticket.service,
        "error_codes": list(ticket.error_codes),
        "order": ticket.order,
        "affected": str(ticket.affected or ""),
        "respond_by": iso(ticket.due("respond")),
        "resolve_by": iso(ticket.due("resolve")),
        "solution": ticket.solution,
        "cause": ticket.cause,
        "workaround": ticket.workaround,
        "hold_reason": str(ticket.hold_reason or ""),
        "hold_until": iso(ticket.hold_until),
        "approval_by": _approver(ticket, rulebook),
        "tags": list(ticket.tags),
        "follows": ticket.follows,
        "links": [{"kind": str(x.kind), "number": x.ticket} for x in ticket.links],
        "split_from": next(iter(ticket.linked(LinkKind.SPLIT_FROM)), 0),
        "close_at": iso(ticket.silence.close_at if ticket.silence else None),
        "major": level_name(ticket.major, language, rulebook) if ticket.major else "",
    }


def _approver(ticket: Ticket, rulebook: Rulebook) -> str:
    """Return who has to approve it, while it waits for that: a role, or the name of a team or a person."""
    if ticket.approval is None or not ticket.awaits_approval:
        return ""
    team = rulebook.teams.get(ticket.approval.by)
    return named(team.name, ticket.language) if team else display(ticket.approval.by, rulebook)


def transcript_facts(transcript: Transcript, language: str, scene: Scene) -> dict[str, Any]:
    """Return what the transcript template may speak of."""
    return {
        "ticket": None,
        "lines": [_line_facts(line, language, scene.rulebook) for line in transcript.lines],
        "applied": transcript.applied,
        "unproved": transcript.unproved,
        "tickets": [ticket_facts(t, language, scene.rulebook) for t in transcript.tickets],
        "help": transcript.help,
        "kept_internal": transcript.kept_internal,
        "opened": transcript.opened,
        "opened_for": transcript.opened_for,
        "found_nothing": transcript.asked and not transcript.tickets,
        "moved_from": transcript.moved_from,
        "keywords": keyword_facts(transcript.allowed, language),
        "text": "",
        "by": "",
        "attachments": [],
    }


def keyword_facts(keywords: Iterable[Keyword], language: str) -> list[dict[str, Any]]:
    """Return the keywords as a mail shows them: the word of its language first."""
    return [
        {
            "verb": str(k.verb),
            "word": f"#{_word_for(k, language)}",
            "words": [f"#{w}" for w in k.words],
            "help": named(k.help, language),
        }
        for k in keywords
    ]


def _word_for(keyword: Keyword, language: str) -> str:
    chinese = [w for w in keyword.words if not w.isascii()]
    return chinese[0] if language == "zh" and chinese else keyword.words[0]


def _likely(ticket: Ticket, to: Recipient, scene: Scene) -> tuple[Keyword, ...]:
    """Return the keywords worth naming to this person now: theirs by role, sensible in this state."""
    person = scene.rulebook.people.get(to.key)
    could = could_be(person) - {Who.ANYONE, Who.PARTICIPANT} if person else {Who.STAFF, Who.ASSIGNEE, Who.TEAM}
    fit = (k for k in scene.rulebook.keywords if makes_sense(k.verb, ticket))
    return tuple(k for k in fit if could & set(k.who) and k.verb not in OPENING | RECORDING)


def _line_facts(line: Line, language: str, rulebook: Rulebook) -> dict[str, Any]:
    code, _, detail = line.why.partition(":")
    return {
        "text": line.text, "outcome": line.outcome, "why": code, "detail": _in_words(code, detail, language, rulebook),
        "did_you_mean": line.did_you_mean, "number": line.number, "subject": line.subject,
        "links": [{"kind": str(x.kind), "number": x.ticket} for x in line.links],
    }  # fmt: skip


def _in_words(code: str, detail: str, language: str, rulebook: Rulebook) -> str:
    """Return what a line speaks of as its reader calls it: a warning level, a category; anything else as it is."""
    if code == "no_line2" and detail in rulebook.categories:
        return named(rulebook.categories[detail].name, language)
    if code == "no_such_level":
        return ", ".join(named(level.name, language) for level in rulebook.major.levels)
    if not code.startswith("level_"):
        return detail
    key, _, measured = detail.partition(" ")
    counted = "" if code == "level_default" else f" ({measured.replace(' ', ' / ')})"
    return level_name(key, language, rulebook) + counted


def _text(event: Event, ticket: Ticket, to: Recipient, scene: Scene, *, internal: bool) -> str:
    """Return the words concerned. A requester is only ever shown their own or those written for them."""
    if isinstance(event, Assigned | CalledIn):
        return _story(event, ticket, to, scene)[:_LONGEST_TEXT] if internal else ""
    if isinstance(event, Insisted):
        return "\n\n".join(p for p in (scene.story, _written(ticket, scene, internal=True)) if p) if internal else ""
    if _not_theirs_to_read(event, to, scene, internal=internal):
        return ""
    of_the_mail = Opened | MessageAdded | ScopeDoubted | ApprovalAsked | RuleNotified | AlertRepeated | AlertRecovered
    if isinstance(event, of_the_mail) or (internal and _reopens(event)):
        return _written(ticket, scene, internal=internal)[:_LONGEST_TEXT]
    return str(getattr(event, "text", ""))[:_LONGEST_TEXT]


def _not_theirs_to_read(event: Event, to: Recipient, scene: Scene, *, internal: bool) -> bool:
    """Whether the words of an event are for others than this reader."""
    match event:
        case Rejected():
            return True  # the refusal speaks of the reason, not of their own words
        case Linked(link=link):
            return link in JOINED and _is_vendor(to, scene)
        case StateChanged(verb=Verb.REJECT):
            return not internal  # what the project manager has to say about it is for colleagues
        case StateChanged(verb=Verb.REOPEN, by=by):
            return not internal and by != to.address  # another one who reported the same says so in words of their own
        case _:
            return False


def _story(event: Assigned | CalledIn, ticket: Ticket, to: Recipient, scene: Scene) -> str:
    """Return what somebody reads who is given a ticket: why, what was reported, and what was noted since."""
    why = event.reason if isinstance(event, Assigned) and event.reason != TAKEN_UP else ""
    # What was noted among us before a vendor joined stays with us, and what one of ours wrote above a customer's mail.
    person = scene.rulebook.people.get(to.key)
    told = ticket.symptom if ticket.recorded_by and ticket.symptom else scene.report
    story = scene.story if person is None or of_ours(person) else told
    return "\n\n".join(p for p in (why, story or _written(ticket, scene, internal=True)) if p)


def _written(ticket: Ticket, scene: Scene, *, internal: bool) -> str:
    """The words of a mail; of a customer's mail that one of ours passed on, a customer sees the customer's own."""
    letter = scene.letter
    if letter is None:
        return scene.report if internal else ""
    if not internal and _from_ours(scene):
        inner = letter.forwarded
        return inner.text if inner and inner.sender.address == ticket.requester else ""
    return letter.words


def _reopens(event: Event) -> bool:
    """Whether a requester's mail put the ticket back to work: those at work get the whole of it."""
    return isinstance(event, StateChanged) and event.verb is Verb.REOPEN


def _attachments(event: Event, scene: Scene) -> list[dict[str, Any]]:
    if scene.letter is None or not (isinstance(event, Opened | MessageAdded | CalledIn) or _reopens(event)):
        return []
    return [{"name": a.name, "size": a.size} for a in scene.letter.attachments]


def _who(event: Event, scene: Scene) -> str:
    return display(str(getattr(event, "by", "")), scene.rulebook)


# --- threading ---


def notice_to(
    template: str, to: Recipient, ticket: Ticket | None, facts: Mapping[str, Any], scene: Scene,
    visibility: Visibility, *, automatic: bool = False,
) -> Notice:  # fmt: skip
    """Return a mail to this reader, hung into the ticket's thread if it belongs to one, by the variant of its template
    that the ticket has."""
    variant = ticket.templates.get(template) if ticket else None
    facts = {**facts, "variant": variant} if variant else facts
    notice = Notice(
        template=template, language=to.language, to=to.address, to_name=to.name, facts=facts,
        visibility=visibility, automatic_answer=automatic,
    )  # fmt: skip
    return _threaded(notice, ticket, scene)


def _threaded(notice: Notice, ticket: Ticket | None, scene: Scene) -> Notice:
    """Hang the mail where its recipient's mail program will show it: under their own mail, and all under one root."""
    letter = scene.letter
    mine = letter.message_id if letter and letter.sender and letter.sender.address == notice.to else ""
    root = f"{scene.service.subject_tag.lower()}-{ticket.number}.thread@{scene.service.domain}" if ticket else ""
    first = ticket.message_id if ticket and ticket.requester == notice.to else ""
    references = tuple(dict.fromkeys(f"<{i}>" for i in (first, root, mine) if i))
    answered = mine or first or root
    return replace(notice, answers=f"<{answered}>" if answered else "", references=references)
