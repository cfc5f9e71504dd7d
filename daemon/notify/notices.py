"""From a Decision to Notices: which mail goes to whom, in which language, about what.

What comes in: Changes (their tickets already numbered), the transcript, the letter that caused them if any, the
Rulebook and the Service. What goes out: Notices, at most one per template and recipient. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from daemon.commands import TAKEN_UP, Line, Transcript
from daemon.decide import Change, Decision
from daemon.events import (
    AnswerWithheld,
    Assigned,
    CommandsRefused,
    EscalationAsked,
    Event,
    MessageAdded,
    NoticeFailed,
    Opened,
    Rejected,
    Returned,
    StateChanged,
    StepReached,
    Woken,
)
from daemon.intake.keywords import find_commands, spoken
from daemon.intake.letter import Letter
from daemon.lifecycle import next_state
from daemon.notify.notice import Notice
from daemon.rulebook import Announcement, Keyword, Person, Rulebook, Team
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import PROVED, Role, Verb, Visibility, Who

_ANSWERS = frozenset({"acknowledgement", "scope_refused"})
_LONGEST_TEXT = 20_000
# One mail instead of two: the second one says what the first one would.
_SAYS_IT_TOO = {"taken_up": "progress", "resumed": "progress"}
# Whom an escalation goes to that was asked for when the timetable has no step left.
_LAST_RESORT = ("lead", "pm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody to be told: where, by which name, in which language, and whether internal words may be shown."""

    address: str
    name: str
    language: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the choosing of notices looks at: the mail that caused it (None for the clock) and the books.

    `story` are the words that opened the ticket, `told` the addresses whose bounces were told of within a day.
    """

    rulebook: Rulebook
    service: Service
    letter: Letter | None = None
    withheld: str = ""
    quiet: bool = False
    actor: str = ""
    story: str = ""
    told: frozenset[str] = frozenset()


def choose_notices(change: Change, scene: Scene) -> tuple[Notice, ...]:
    """Return the notices that one ticket's events call for, in the order they happened."""
    if scene.quiet:
        return ()
    ticket = change.now
    chosen: dict[tuple[str, str], Notice] = {}
    for event in change.events:
        if isinstance(event, MessageAdded) and not _to_be_passed_on(change, scene):
            continue
        for announcement in _announcements(event, scene.rulebook):
            for notice in _notices(announcement, event, ticket, scene):
                chosen.setdefault((notice.template, notice.to), notice)
    kept = (n for (template, to), n in chosen.items() if (_SAYS_IT_TOO.get(template), to) not in chosen)
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
    return (_notice("transcript", to, ticket, facts, scene, visibility, automatic=True),)


def alarm_notice(title: str, lines: Iterable[str], to: str, service: Service) -> Notice:
    """Return a mail to the operator: the daemon itself is in trouble."""
    return Notice(
        template="alarm", language=service.language, to=to, to_name="",
        facts={"title": title, "lines": list(lines)}, visibility=Visibility.INTERNAL,
    )  # fmt: skip


# --- which announcements, to whom ---


def _announcements(event: Event, rulebook: Rulebook) -> Iterator[Announcement]:
    kind = type(event).__name__
    for a in rulebook.announcements:
        if a.event == kind and (not isinstance(event, StateChanged) or _speaks_of(a, event)):
            yield a


def _speaks_of(announcement: Announcement, event: StateChanged) -> bool:
    state_fits = announcement.state in ("", event.new)
    return state_fits and (not announcement.verbs or event.verb in announcement.verbs)


def _notices(announcement: Announcement, event: Event, ticket: Ticket, scene: Scene) -> Iterator[Notice]:
    if isinstance(event, NoticeFailed) and event.address in scene.told:
        return
    for to in _concerned(announcement, event, ticket, scene):
        if (to.key and to.key == scene.actor) or _waited_in_vain(to, event):
            continue
        visibility = Visibility.INTERNAL if to.key or not ticket.concerns(to.address) else Visibility.PUBLIC
        facts = event_facts(event, ticket, to, scene, visibility)
        answer = announcement.template in _ANSWERS and isinstance(event, Opened | Rejected)
        yield _notice(announcement.template, to, ticket, facts, scene, visibility, automatic=answer)


def _concerned(announcement: Announcement, event: Event, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    """Yield whom to tell. That a mail came back is never told to the address that it came back from."""
    audience = _audience(announcement, event, ticket)
    if not isinstance(event, NoticeFailed):
        found = list(recipients(audience, ticket, scene))
        for_people_of_ours = bool(set(audience) - {"requester", "watchers"})
        yield from found or (recipients(("desk",), ticket, scene) if for_people_of_ours else ())
        return
    # Who works on it may be the very one who cannot be reached: then the desk has to know.
    for_us = event.template in ("assignment", "notice_failed", "escalation", "new_reply")
    names = (*(() if event.template == "notice_failed" else audience), *(("desk",) if for_us else ()))
    found = [to for to in recipients(names, ticket, scene) if to.address != event.address]
    yield from found or [to for to in recipients(("desk",), ticket, scene) if to.address != event.address]


def _waited_in_vain(to: Recipient, event: Event) -> bool:
    """Whether a requester would hear that the wait for them is over: by their own answer, or in vain."""
    return isinstance(event, StateChanged) and event.verb is Verb.RESUME and event.by in (to.address, "clock")


def _audience(announcement: Announcement, event: Event, ticket: Ticket) -> tuple[str, ...]:
    """Return whom to tell; "step" stands for the people of the step that fell due, or that comes next."""
    if isinstance(event, StepReached):
        step = event.audience
    else:
        pending = [s for c in ticket.clocks if c.running for s in c.steps]
        step = min(pending, key=lambda s: s.due_at).audience if pending else _LAST_RESORT
    names = (step if name == "step" else (name,) for name in announcement.audience)
    return tuple(dict.fromkeys(n for group in names for n in group))


def _to_be_passed_on(change: Change, scene: Scene) -> bool:
    """Whether a mail's words are told by a mail of their own: not those that open a ticket, not for ever."""
    withheld = any(isinstance(e, AnswerWithheld) and e.template == "new_reply" for e in change.events)
    if withheld or any(isinstance(e, Opened) for e in change.events):
        return False
    refused = any(isinstance(e, CommandsRefused) and e.reason != "unproved" for e in change.events)
    return (refused and not _from_ours(scene)) or _has_words(scene)


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
    """Yield everybody that these audience names stand for on this ticket, each address once."""
    seen: set[str] = set()
    for name in audience:
        for to in _AUDIENCES.get(name, _by_key)(name, ticket, scene):
            if to.address and to.address not in seen and not scene.service.owns(to.address):
                seen.add(to.address)
                yield to


def _requester(_: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    if "@" in ticket.requester:
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


def _assignee_or_team(name: str, ticket: Ticket, scene: Scene) -> Iterator[Recipient]:
    found = list(_assignee(name, ticket, scene)) or list(_team(name, ticket, scene))
    yield from found or list(_by_role(Role.DESK, scene))


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


def _role(name: str, _: Ticket, scene: Scene) -> Iterator[Recipient]:
    yield from _by_role(Role(name), scene)


def _by_key(name: str, _: Ticket, scene: Scene) -> Iterator[Recipient]:
    """A team or a person by key: announcements may name them outright."""
    if team := scene.rulebook.teams.get(name):
        yield from _members(team, scene)
    elif person := scene.rulebook.people.get(name):
        yield _person(person, scene)


_AUDIENCES = {
    "requester": _requester,
    "watchers": _watchers,
    "assignee": _assignee,
    "assignee_or_team": _assignee_or_team,
    "team": _team,
    "lead": _lead,
    "pm": _pm,
    "participants": _participants,
    **{str(r): _role for r in (Role.DESK, Role.MANAGER, Role.DIRECTOR, Role.SALES, Role.DUTY)},
}
AUDIENCE_NAMES = tuple(_AUDIENCES)


def _by_role(role: Role, scene: Scene) -> Iterator[Recipient]:
    yield from (_person(p, scene) for p in scene.rulebook.people_with(role))


def _members(team: Team, scene: Scene) -> Iterator[Recipient]:
    if team.address:
        yield Recipient(
            address=team.address,
            name=_named(team.name, scene.service.language),
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
        "ticket": ticket_facts(ticket, to.language, scene.rulebook),
        "text": _text(event, ticket, scene, internal=internal),
        "by": _who(event, scene),
        "attachments": _attachments(event, scene) if internal else [],
        "keywords": keyword_facts(_likely(ticket, to, scene), to.language) if internal else [],
        **_particulars(event, scene),
    }


def _particulars(event: Event, scene: Scene) -> dict[str, Any]:
    match event:
        case StepReached():
            late = int((event.noticed_at - event.due_at).total_seconds() // 60)
            return {
                "step": {
                    "name": event.step, "clock": event.clock, "percent": event.percent,
                    "due_at": event.due_at.isoformat(), "late_minutes": late,
                },
                "asked_by": "", "reason": "",
            }  # fmt: skip
        case EscalationAsked(by=by, reason=reason):
            step = {"name": "", "clock": "", "percent": 0, "due_at": "", "late_minutes": 0}
            return {"step": step, "asked_by": _display(by, scene), "reason": reason}
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
        case Returned(reason=reason) | Rejected(reason=reason) | Woken(reason=reason):
            return {"reason": reason}
        case _:
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
        "category_name": _named(category.name, language) if category else "",
        "team_name": _named(team.name, language) if team else "",
        "line": ticket.line,
        "assignee_name": assignee.name if assignee else "",
        "requester_name": ticket.requester_name,
        "requester_address": ticket.requester,
        "customer_name": customer.name if customer else "",
        "opened_at": _iso(ticket.opened_at),
        "respond_by": _iso(ticket.due("respond")),
        "resolve_by": _iso(ticket.due("resolve")),
        "solution": ticket.solution,
        "cause": ticket.cause,
        "workaround": ticket.workaround,
        "hold_reason": str(ticket.hold_reason or ""),
        "hold_until": _iso(ticket.hold_until),
        "tags": list(ticket.tags),
    }


def transcript_facts(transcript: Transcript, language: str, scene: Scene) -> dict[str, Any]:
    """Return what the transcript template may speak of."""
    return {
        "ticket": None,
        "lines": [_line_facts(line) for line in transcript.lines],
        "applied": transcript.applied,
        "unproved": transcript.unproved,
        "tickets": [ticket_facts(t, language, scene.rulebook) for t in transcript.tickets],
        "help": transcript.help,
        "kept_internal": transcript.kept_internal,
        "opened_for": transcript.opened_for,
        "found_nothing": transcript.asked and not transcript.tickets,
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
            "help": _named(k.help, language),
        }
        for k in keywords
    ]


def _word_for(keyword: Keyword, language: str) -> str:
    chinese = [w for w in keyword.words if not w.isascii()]
    return chinese[0] if language == "zh" and chinese else keyword.words[0]


def _likely(ticket: Ticket, to: Recipient, scene: Scene) -> tuple[Keyword, ...]:
    """Return the keywords worth naming to this person now: theirs by role, sensible in this state."""
    person = scene.rulebook.people.get(to.key)
    roles = {Who.STAFF, Who.ASSIGNEE, Who.TEAM} if person is None or Role.ENGINEER in person.roles else {Who.STAFF}
    roles |= {Who(str(r)) for r in (person.roles if person else ()) if str(r) in {str(w) for w in Who}}
    return tuple(
        k for k in scene.rulebook.keywords if roles & set(k.who) and next_state(ticket.state, k.verb) is not None
    )


def _line_facts(line: Line) -> dict[str, Any]:
    code, _, detail = line.why.partition(":")
    return {
        "text": line.text, "outcome": line.outcome, "why": code, "detail": detail,
        "did_you_mean": line.did_you_mean,
    }  # fmt: skip


def _text(event: Event, ticket: Ticket, scene: Scene, *, internal: bool) -> str:
    """Return the words concerned. A requester is only ever shown their own or those written for them."""
    if isinstance(event, Assigned):
        reason = event.reason if event.reason != TAKEN_UP else ""
        return "\n\n".join(p for p in (reason, scene.story) if p)[:_LONGEST_TEXT] if internal else ""
    if isinstance(event, Opened | MessageAdded | Rejected):
        return _written(ticket, scene, internal=internal)[:_LONGEST_TEXT]
    return str(getattr(event, "text", ""))[:_LONGEST_TEXT]


def _written(ticket: Ticket, scene: Scene, *, internal: bool) -> str:
    """The words of a mail; of a customer's mail that one of ours passed on, a customer sees the customer's own."""
    letter = scene.letter
    if letter is None:
        return ""
    if not internal and _from_ours(scene):
        inner = letter.forwarded
        return inner.text if inner and inner.sender.address == ticket.requester else ""
    return letter.words


def _attachments(event: Event, scene: Scene) -> list[dict[str, Any]]:
    if scene.letter is None or not isinstance(event, Opened | MessageAdded):
        return []
    return [{"name": a.name, "size": a.size} for a in scene.letter.attachments]


def _who(event: Event, scene: Scene) -> str:
    return _display(str(getattr(event, "by", "")), scene)


def _display(by: str, scene: Scene) -> str:
    person = scene.rulebook.people.get(by)
    return person.name if person else by


def _named(names: Mapping[str, str], language: str) -> str:
    return names.get(language) or names.get("en") or next(iter(names.values()), "")


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


# --- threading ---


def _notice(
    template: str, to: Recipient, ticket: Ticket | None, facts: Mapping[str, Any], scene: Scene,
    visibility: Visibility, *, automatic: bool = False,
) -> Notice:  # fmt: skip
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
