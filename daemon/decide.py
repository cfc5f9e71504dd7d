"""From an Intent to Events: the only place where a ticket's fate is decided.

What comes in: an Intent, Known, the Rulebook, the Service and now. What goes out: a Decision, that is one Change for
each ticket concerned, and the transcript that answers commands. Pure: the same input gives the same decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import assert_never
from zoneinfo import ZoneInfo

from daemon.actors import Actor, of_ours, usable
from daemon.alerting import NOT_ANSWERED, Alarm, Course, alert_events, course_of
from daemon.approval import approval_owed
from daemon.authority import ruling_of
from daemon.closing import silence_begins, silence_due
from daemon.commands import MOST_COMMANDS, Done, Line, Transcript, allowed_keywords, carry_out_on
from daemon.dispatch import Placement, Staff, gave_away, hand_up_due, is_at_hand, needs_somebody, place
from daemon.events import (
    AlertRepeated,
    AnswerWithheld,
    CommandsRefused,
    Corrected,
    Event,
    FollowedBy,
    Linked,
    MessageAdded,
    NoticeFailed,
    Opened,
    Rated,
    RecordedFor,
    Rejected,
    Routed,
    StateChanged,
)
from daemon.intake.arguments import numbers_in
from daemon.intake.headers import one_line
from daemon.intake.keywords import Command, find_commands, spoken
from daemon.intake.language import language_of
from daemon.intake.letter import Letter
from daemon.intake.understand import (
    OPENING,
    Alerted,
    Bounced,
    Enquiry,
    FailedNotice,
    FollowUp,
    Ignore,
    Intent,
    Known,
    NewIncident,
    Sender,
    may_object,
)
from daemon.linking import spread
from daemon.major import alarm_follows, update_owed
from daemon.plans import RULE, plans_follow, tasks_due
from daemon.routing.actions import ForwardTo
from daemon.routing.alerts import Sighting, sighted
from daemon.routing.evaluate import Routing, route, with_alert
from daemon.routing.facts import MailFacts, TicketFacts
from daemon.routing.notes import without_parent
from daemon.rulebook import Contact, Rulebook
from daemon.ruled import Said, Stays, at_first, did, no_parent, on_reply, parent_for, stays_here, unswallowed
from daemon.scope import contract_state, insistence, outside, scope_events
from daemon.service import Service
from daemon.silence import may_answer, may_pass_on, may_say_so
from daemon.sla import clock_events, passed_on, steps_due, waking
from daemon.ticket import Ticket, after
from daemon.words import (
    OTHER_END,
    PROVED,
    QUESTIONS,
    HoldReason,
    Kind,
    LinkKind,
    MailStatus,
    Nature,
    Outside,
    Ruling,
    Source,
    State,
    Verb,
    Visibility,
)
from daemon.workhours import is_working

NEW = 0
"""The number of a ticket that a mail opens, until the store has numbered it; what its commands open is below that."""
_LONGEST_SUBJECT = 300
_LONGEST_SYMPTOM = 500
VIP = "vip"
"""The tag of what a contact reports who is marked so in customers.yaml."""
_NO_SUBJECT = {"zh": "（无主题）", "en": "(no subject)"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one ticket: as it was (number NEW for one that is opened), and the events."""

    before: Ticket
    events: tuple[Event, ...]

    def joined_to(self, earlier: Change | None) -> Change:
        """Return one change for both, where this one was decided on what an earlier one had made of the ticket."""
        if earlier is None or earlier.before.length == self.before.length:
            return self
        return replace(earlier, events=(*earlier.events, *self.events))

    @cached_property
    def now(self) -> Ticket:
        """The ticket after the change."""
        return after(self.before, self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All that follows from one mail. `withheld` says why the sender gets no automatic answer ("" if they do).

    `forward`: it is no ticket, and the mail (`mail` is its number) goes there as it is. `storm`: to whom so many mails
    were passed on that this one was not, and how many those were.
    """

    changes: tuple[Change, ...] = ()
    transcript: Transcript | None = None
    withheld: str = ""
    status: MailStatus = MailStatus.HANDLED
    note: str = ""
    mail: int = 0
    forward: ForwardTo | None = None
    storm: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What every decision looks at besides the mail."""

    known: Known
    rulebook: Rulebook
    service: Service
    now: datetime
    received_at: datetime
    mail: int

    @property
    def at(self) -> datetime:
        """When the mail counts as having come: clocks start and stop then, however late we look at it."""
        return self.now if self.known.late else min(self.received_at, self.now)

    @property
    def local(self) -> datetime:
        return self.now.astimezone(ZoneInfo(self.service.timezone))

    @property
    def actor(self) -> Actor:
        """Who commands in this mail."""
        known = self.known
        return Actor(
            sender=known.sender, rulebook=self.rulebook, now=self.local, at=self.at, service=self.service,
            pasts=known.pasts, steps_told=known.steps_told, complaints=known.complaints, related=known.related,
            report=known.report,
        )  # fmt: skip


def decide(
    intent: Intent,
    known: Known,
    rulebook: Rulebook,
    service: Service,
    *,
    now: datetime,
    received_at: datetime,
    mail: int,
) -> Decision:
    """Return what follows from this intent. `mail` is the number under which the mail is kept."""
    desk = _Desk(known=known, rulebook=rulebook, service=service, now=now, received_at=received_at, mail=mail)
    match intent:
        case NewIncident():
            return _open(intent, desk)
        case FollowUp(letter, ticket, commands):
            return _follow_up(letter, ticket, commands, desk)
        case Alerted():
            return _alerted(intent, desk)
        case Enquiry(letter, commands):
            return _enquiry(letter, commands, desk)
        case Bounced(failed):
            return Decision(changes=_bounced(failed, now), note="bounce of our own mail")
        case Ignore(reason, status):
            return Decision(status=status, note=reason)
        case _:
            assert_never(intent)


def tick(ticket: Ticket, rulebook: Rulebook, service: Service, now: datetime, until: datetime | None = None) -> Change:
    """Return what the clock brings about on one ticket: due steps, the next line, waking from a hold, closing by
    silence, updates of a major incident, tasks of a plan and approvals that are overdue.

    `until`: only steps that were due by then, where a mail that came then has still to be handled. A hold ends when it
    was to end, however late that is noticed: the clock goes on from there.
    """
    then, zone = until or now, service.timezone
    woken = waking(ticket, then)
    at = min(ticket.hold_until or then, then) if woken else then
    steps = steps_due(ticket, rulebook, zone, now, then)
    up = hand_up_due(after(ticket, steps), steps, rulebook, then.astimezone(ZoneInfo(zone)).date())
    owed = approval_owed(ticket, rulebook, zone, now, then)
    overdue = (*update_owed(ticket, rulebook, now, then), *tasks_due(ticket, now, then), *owed)
    silence = silence_due(ticket, rulebook, zone, now, until)
    events = (*steps, *up, *woken, *silence, *overdue)
    return Change(before=ticket, events=_with_clocks(ticket, events, rulebook, service, at, now))


def needs_dispatch(change: Change, staff: Staff) -> bool:
    """Whether a change leaves its ticket without anybody who would work on it."""
    return needs_somebody(change.now, change.events, staff.rulebook, staff.today)


def dispatched(change: Change, staff: Staff, at_hand: Iterable[Ticket] = ()) -> tuple[Change, ...]:
    """Return a change that needs dispatch with whoever gets the ticket, or why it waits.

    A second change is what that does to the lesser ticket, one of those `at_hand`, that somebody was called back from.
    """
    placement = place(change.now, staff, at_hand, gave_away(change.before, change.events))
    return placed(change, placement)


def load_after(load: Mapping[str, int], changes: Iterable[Change], rulebook: Rulebook) -> Mapping[str, int]:
    """Return how much everybody has at hand once these changes have happened too."""
    happened, now = tuple(changes), Counter(load)
    now.subtract(c.before.assignee for c in happened if is_at_hand(c.before, rulebook))
    now.update(c.now.assignee for c in happened if is_at_hand(c.now, rulebook))
    return now


def placed(change: Change, placement: Placement) -> tuple[Change, ...]:
    """Return the change with what became of its ticket, and the one that this brings about elsewhere."""
    own = replace(change, events=(*change.events, *placement.events))
    if placement.recalled is None:
        return (own,)
    return (own, Change(before=placement.recalled, events=placement.after_recall))


def undelivered(ticket: Ticket, failed: Iterable[FailedNotice], now: datetime) -> Change:
    """Return what follows when mails of ours did not arrive: a step of the timetable goes to the next in line."""
    events: list[Event] = []
    for f in failed:
        unreached = _failed(f)
        events += (unreached, *passed_on(unreached, f.facts, now))
    return Change(before=ticket, events=tuple(events))


# --- a new ticket ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """A mail that opens a ticket, and what is known beside it: whose it is, how and when it came about."""

    intent: NewIncident
    behalf: Sender | None = None
    source: str = ""
    occurred_at: datetime | None = None


def _alerted(intent: Alerted, desk: _Desk) -> Decision:
    """Return what a monitoring tool's mail does: it opens a ticket, or something happens to the one that is there."""
    letter, sighting, ticket = intent.letter, intent.sighting, intent.ticket
    course = course_of(sighting, ticket, desk.at)
    if course is Course.OPENS:
        return _open(NewIncident(letter, follows=ticket.number if ticket else 0, alert=sighting), desk)
    if course is Course.FILED or ticket is None:
        return Decision(status=MailStatus.IGNORED, note=f"{sighting.sign} of an alert without an open ticket")
    alarm = Alarm(
        sighting=sighting, mail=desk.mail, subject=letter.subject[:_LONGEST_SUBJECT], at=desk.at,
        proved=desk.known.proof in PROVED, zone=desk.service.timezone,
    )  # fmt: skip
    events = alert_events(course, alarm, ticket)
    others = _changes(Done(events=_reached_by(ticket, events, desk)), desk)
    events = (*_alert_words(events, letter, desk), *events)
    events = _with_clocks(ticket, events, desk.rulebook, desk.service, desk.at, desk.now)
    own, note = Change(before=ticket, events=events), f"the alert {course}: {sighting.alert.name}"
    return Decision(changes=(own, *others), withheld=NOT_ANSWERED, note=note)


def _reached_by(ticket: Ticket, events: tuple[Event, ...], desk: _Desk) -> dict[int, tuple[Event, ...]]:
    """Return what an alert's mail means for the records that hang on its ticket: as much as a colleague's would.

    Nobody is written to for a mail of which nobody knows who sent it.
    """
    reached: dict[int, tuple[Event, ...]] = {}
    if desk.known.proof in PROVED:
        for number, event in spread(after(ticket, events), events, desk.actor, desk.known.related.get):
            reached[number] = (*reached.get(number, ()), event)
    return reached


def _alert_words(events: tuple[Event, ...], letter: Letter, desk: _Desk) -> tuple[Event, ...]:
    """Return the mail itself where its words are news: a mere repeat is counted, and its mail is kept."""
    repeats = [e for e in events if isinstance(e, AlertRepeated)]
    if repeats and not repeats[0].told:
        return ()
    words = _message(letter, Visibility.INTERNAL, desk)
    return (words,) if events else (words, AnswerWithheld(to="", template="new_reply", reason=NOT_ANSWERED))


def _open(intent: NewIncident, desk: _Desk) -> Decision:
    behalf = None if intent.behalf and desk.service.owns(intent.behalf.address) else intent.behalf
    plain = _Report(intent=intent, behalf=behalf)
    if not intent.commands:
        return _recorded(plain, Done(), desk)
    return _opened_with_commands(plain, desk)


def _opened_with_commands(plain: _Report, desk: _Desk) -> Decision:
    """Open a ticket by a mail that also commands. What is wrong with its commands never costs the report itself."""
    commands, known = plain.intent.commands, desk.known
    allowed = ruling_of(commands, None, known, desk.rulebook) is Ruling.ALLOW
    why_not = "repeated" if known.repeated_id else "" if allowed else "new_ticket"
    if why_not:
        refused = tuple(Line(text=c.line, outcome="refused", why=f"{why_not}:") for c in commands[:MOST_COMMANDS])
        return _recorded(plain, Done(lines=refused), desk)
    names_customer = any(c.verb is Verb.FOR for c in commands)
    tried = replace(plain, behalf=None) if names_customer else plain
    done = _tried(commands, tried, desk)
    if not done.applied:
        return _recorded(plain, done, desk)
    said = _as_said(plain, done.events.get(NEW, ()), desk)
    rest = _tried(tuple(c for c in commands if c.verb not in OPENING), said, desk)
    lines = done.lines if rest.applied else rest.lines
    return _recorded(said if rest.applied else plain, replace(rest, lines=lines), desk)


def _tried(commands: tuple[Command, ...], report: _Report, desk: _Desk) -> Done:
    """Return what these commands come to on the ticket that the report opens."""
    ticket = after(Ticket(number=NEW), _first_events(report, _routing(report, desk), desk))
    return carry_out_on(commands, ticket, {}, desk.actor)


def _as_said(report: _Report, events: tuple[Event, ...], desk: _Desk) -> _Report:
    """Return the report with what its commands say of it: for whom, by which way, since when."""
    for event in events:
        match event:
            case RecordedFor(requester=address, requester_name=name):
                behalf = Sender(address=address, name=name, customer=desk.rulebook.customer_at(address))
                report = replace(report, behalf=behalf)
            case Corrected(field="occurred", new=new):
                report = replace(report, occurred_at=datetime.fromisoformat(new))
            case Corrected(field="source", new=new):
                report = replace(report, source=new)
    return report


def _recorded(report: _Report, done: Done, desk: _Desk) -> Decision:
    """Return the ticket that a report opens, with what its commands did to it."""
    letter, behalf = report.intent.letter, report.behalf
    routing = _routing(report, desk)
    old = desk.known.quiet or desk.known.late
    if not old and desk.known.opens_by_address >= desk.service.opens_per_address_per_hour:
        flood = f"{desk.known.sender.address} opened {desk.known.opens_by_address} tickets within an hour"
        return Decision(status=MailStatus.QUARANTINED, note=flood)
    if routing.ignored:
        return Decision(status=MailStatus.IGNORED, note=f"dropped by the rule '{routing.ended_by}': {routing.ignored}")
    target = routing.forward
    stays = stays_here(target, letter, desk.known, desk.service) if target else None
    if target and stays is None:
        return _passed_on(target, routing, letter, desk)
    routing = unswallowed(routing, stays.why) if stays else routing
    withheld = NOT_ANSWERED if report.intent.alert else _unanswered(stays, letter, desk)
    events = (*_first_events(report, routing, desk), *done.events.get(NEW, ()))
    if not done.applied:
        events = (*events, _refusal(report.intent.commands, _reasons(done.lines), desk.actor))
    if withheld:
        refused = any(isinstance(e, Rejected) for e in events)
        template = "scope_refused" if refused else "acknowledgement"
        to = behalf.address if behalf else desk.known.sender.address
        events = (*events, AnswerWithheld(to=to, template=template, reason=withheld))
    ticket = Ticket(number=NEW)
    if not desk.known.quiet:
        events = _with_clocks(ticket, events, desk.rulebook, desk.service, desk.at, desk.now)
    change = Change(before=ticket, events=events)
    receipt = _receipt(done, behalf, change.now, desk)
    further = (
        *_continued(report.intent, desk), *_changes(done, desk, but=NEW), *_raised(change, letter, desk),
        *_child_of(change, desk),
    )  # fmt: skip
    storm = (target.address, stays.why) if target and stays and stays.storm else None
    return Decision(changes=(change, *further), transcript=receipt, withheld=withheld, storm=storm)


def _unanswered(stays: Stays | None, letter: Letter, desk: _Desk) -> str:
    """Return why who opened a ticket gets no acknowledgement, or "": what came back to us must not go round."""
    if stays and stays.echo:
        return f"it may be an automatic answer to a mail that a rule passed on: {stays.why}"
    return may_answer(letter, desk.known, desk.service)


def _continued(intent: NewIncident, desk: _Desk) -> tuple[Change, ...]:
    """Note on an ended ticket which new one goes on from it; the store puts the number in."""
    ended = desk.known.ticket
    if ended is None or ended.number != intent.follows:
        return ()
    return (Change(before=ended, events=(FollowedBy(ticket=NEW),)),)


def _routing(report: _Report, desk: _Desk) -> Routing:
    known = replace(desk.known, sender=report.behalf) if report.behalf else desk.known
    facts = facts_for_rules(report.intent.letter, known, desk.rulebook, desk.service, desk.now)
    routing = route(facts, desk.rulebook)
    routing = with_alert(routing, report.intent.alert) if report.intent.alert else routing
    if report.intent.commands:
        # One of ours says what is to become of it: no rule sends it away, or puts it under another ticket.
        return unswallowed(replace(routing, parent=None), "it holds keywords of one of ours")
    if _goes_on(report.intent, desk) and not routing.rejected:
        return unswallowed(routing, "its sender takes part in the ticket that it goes on from")
    return routing


def _goes_on(intent: NewIncident, desk: _Desk) -> bool:
    """Whether somebody on the record of an ended ticket writes about that again."""
    ended = desk.known.ticket
    follows = ended is not None and ended.number == intent.follows and intent.alert is None
    return follows and ended is not None and ended.concerns(desk.known.sender.address)


def _passed_on(forward: ForwardTo, routing: Routing, letter: Letter, desk: _Desk) -> Decision:
    """Return that a mail goes elsewhere, as it is; its sender is told unless the rule says otherwise."""
    withheld = "a rule passes it on quietly" if forward.quietly else may_say_so(letter, desk.known, desk.service)
    note = f"passed on to {forward.address} by the rule '{routing.ended_by}'"
    return Decision(forward=forward, mail=desk.mail, withheld=withheld, note=note)


def _child_of(change: Change, desk: _Desk) -> tuple[Change, ...]:
    """Return what a parent says of the new ticket that a rule has put under it."""
    numbers = [e.ticket for e in change.events if isinstance(e, Linked) and (e.link, e.by) == (LinkKind.PARENT, RULE)]
    child = Linked(link=LinkKind.CHILD, ticket=change.before.number, by=RULE)
    return tuple(Change(before=t, events=(child,)) for t in desk.known.parents if t.number in numbers)


def _first_events(report: _Report, routing: Routing, desk: _Desk) -> tuple[Event, ...]:
    letter, behalf = report.intent.letter, report.behalf
    known = replace(desk.known, sender=behalf) if behalf else desk.known
    opened = _opened(letter, report.intent.follows, routing, replace(desk, known=known))
    if behalf:
        opened = _for_another(opened, letter, behalf, desk)
    opened = replace(opened, source=report.source or opened.source, occurred_at=report.occurred_at)
    if alert := report.intent.alert:
        opened = replace(opened, source=str(Source.ALERT), alert=alert.key, by_tool=True)
    # What one of ours writes above a mail that they pass on, or of what a customer told them, is for colleagues.
    message = _message(letter, Visibility.INTERNAL if behalf else Visibility.PUBLIC, desk)
    events = (opened, message, *_routed_under(opened, routing, known.sender, desk))
    events = (*events, *_scope(events, routing, known.sender, desk))
    return (*events, *at_first(routing, after(Ticket(number=NEW), events), desk.rulebook, desk.service, desk.known))


def _routed_under(opened: Opened, routing: Routing, sender: Sender, desk: _Desk) -> tuple[Event, ...]:
    """Return what the rules made of a report, and the parent that they put it under, or that there is none."""
    routed = _routed(routing, sender, desk.rulebook)
    if routing.parent is None or routing.rejected:
        return (routed,)
    ticket = after(Ticket(number=NEW), (opened, routed))
    parent = parent_for(routing.parent, ticket, desk.known.parents, desk.rulebook)
    if parent is None:
        none = no_parent(routing.parent, ticket, desk.known.parents, desk.rulebook)
        return (replace(routed, because=(*routed.because, without_parent(routing.parent.describe(), none))),)
    return (routed, Linked(link=LinkKind.PARENT, ticket=parent.number, by=RULE))


def _scope(events: tuple[Event, ...], routing: Routing, sender: Sender, desk: _Desk) -> tuple[Event, ...]:
    """Return what follows if the report is outside the agreement: by a rule, or by the customer's contract.

    What one of ours reports for us all is no customer's.
    """
    if routing.rejected:
        return (Rejected(reason=routing.rejected),)
    if sender.person:
        return ()
    day = desk.at.astimezone(ZoneInfo(desk.service.timezone)).date()
    ticket = after(Ticket(number=NEW), events)
    unknown = Outside.ACCEPT if ticket.by_tool else desk.rulebook.unknown_customers
    why, then = outside(sender.customer, routing.category, day, unknown)
    return scope_events(why, then, ticket)


def _receipt(done: Done, behalf: Sender | None, ticket: Ticket, desk: _Desk) -> Transcript | None:
    """Tell one of ours what became of a mail that they passed on, and of the keywords in it."""
    if not done.lines and behalf is None:
        return None
    allowed = allowed_keywords(ticket, desk.actor) if done.lines else ()
    return Transcript(
        lines=done.lines, applied=done.applied, opened=True, opened_for=behalf.address if behalf else "",
        allowed=allowed,
    )  # fmt: skip


def _for_another(opened: Opened, letter: Letter, behalf: Sender, desk: _Desk) -> Opened:
    """The customer's own subject and language, not what one of ours wrote above; who passed it on is noted."""
    opened = replace(opened, recorded_by=desk.known.sender.address)
    inner = letter.forwarded
    if inner is None or inner.sender.address.lower() != behalf.address:
        return opened  # told by telephone, say: the report is in our colleague's words
    language = _set_by_file(behalf, desk.rulebook) or desk.service.answers_in(language_of(inner.text, inner.subject))
    subject = one_line(inner.subject)[:_LONGEST_SUBJECT] or _NO_SUBJECT[language]
    return replace(opened, subject=subject, language=language, symptom=inner.text.strip()[:_LONGEST_SYMPTOM])


def _opened(letter: Letter, follows: int, routing: Routing, desk: _Desk) -> Opened:
    sender, service = desk.known.sender, desk.service
    contact = desk.rulebook.contact_at(sender.address) or Contact(address=sender.address)
    others = {a.address.lower() for a in (*letter.to, *letter.cc) if a.address and not service.owns(a.address)}
    return Opened(
        kind=Kind(routing.kind),
        subject=letter.subject[:_LONGEST_SUBJECT] or _NO_SUBJECT[_language(letter, desk)],
        requester=sender.address,
        requester_name=sender.name or contact.name,
        customer=sender.customer.key if sender.customer else "",
        language=_language(letter, desk),
        reported_at=desk.received_at,
        message_id=letter.message_id,
        participants=tuple(sorted(others - {sender.address})),
        follows=follows,
        claims=desk.known.claimed,
        symptom=spoken(letter).strip()[:_LONGEST_SYMPTOM],
        region=_region_of(sender, desk.rulebook),
        contact=contact.phone,
        place=contact.site,
    )


def _language(letter: Letter, desk: _Desk) -> str:
    """Return the requester's language: the contract's, else the mail's, else the service's."""
    return _set_by_file(desk.known.sender, desk.rulebook) or desk.service.answers_in(letter.language)


def _set_by_file(sender: Sender, rulebook: Rulebook) -> str:
    known = (sender.person, rulebook.contact_at(sender.address), sender.customer)
    return next((k.language for k in known if k and k.language), "")


def _routed(routing: Routing, sender: Sender, rulebook: Rulebook) -> Routed:
    contact = rulebook.contact_at(sender.address)
    vip = (VIP,) if contact and contact.vip and VIP not in routing.tags else ()
    person = rulebook.people.get(routing.assignee)
    key = routing.team or (next(iter(person.teams), "") if person else "")
    team = rulebook.teams.get(key)
    return Routed(
        category=routing.category,
        impact=routing.impact,
        urgency=routing.urgency,
        severity=routing.severity,
        team=key,
        line=routing.line or (person.line if person else 0) or (team.line if team else 1),
        assignee=routing.assignee,
        tags=(*routing.tags, *vip),
        watchers=tuple(_address_of(w, rulebook) for w in routing.watchers),
        ci=routing.ci,
        service=routing.service,
        place=routing.place,
        error_codes=routing.error_codes,
        fields=routing.fields,
        level=routing.level,
        templates=routing.templates,
        approval=routing.approval,
        region=routing.region,
        order=routing.order,
        affected=routing.affected,
        because=tuple(routing.because),
        rules=rulebook.version,
        problems=tuple(routing.problems),
    )


def _address_of(watcher: str, rulebook: Rulebook) -> str:
    person = rulebook.people.get(watcher)
    return person.address if person else watcher.lower()


def alert_in(letter: Letter, known: Known, rulebook: Rulebook, service: Service, now: datetime) -> Sighting | None:
    """Return which monitoring alert this mail is; a bounce is none, and neither is a mail of ours."""
    if not rulebook.alerts or letter.nature in (Nature.BOUNCE, Nature.OWN):
        return None
    return sighted(facts_for_rules(letter, known, rulebook, service, now), rulebook)


def facts_for_rules(
    letter: Letter, known: Known, rulebook: Rulebook, service: Service, now: datetime, *, on_ticket: bool = False
) -> MailFacts:
    """Return what the conditions of the rules may look at; `on_ticket`: the mail is about one that is there already."""
    local = now.astimezone(ZoneInfo(service.timezone))
    working = {key: is_working(c, service.timezone, now) for key, c in rulebook.calendars.items()}
    sender, person, customer = known.sender, known.sender.person, known.sender.customer
    return MailFacts(
        letter=letter,
        mailbox=known.mailbox,
        customer=customer.key if customer else "",
        person_roles=person.roles if person else frozenset(),
        now_local=local,
        working=working,
        on_ticket=on_ticket,
        person=person.key if person else "",
        person_teams=person.teams if person else (),
        proof=known.proof,
        contract=customer.contract.number if customer and customer.contract else "",
        contract_state=contract_state(customer.contract if customer else None, local.date()),
        region=_region_of(sender, rulebook),
        received_at=known.received_at,
        ticket=_as_facts(known.ticket) if known.ticket else None,
        similar=known.similar,
        captures=rulebook.captures,
        simplified=rulebook.simplified,
    )


def _region_of(sender: Sender, rulebook: Rulebook) -> str:
    contact = rulebook.contact_at(sender.address)
    return (contact.region if contact else "") or (sender.customer.region if sender.customer else "")


def _as_facts(ticket: Ticket) -> TicketFacts:
    return TicketFacts(
        number=ticket.number, state=ticket.state, kind=ticket.kind, category=ticket.category, team=ticket.team,
        severity=ticket.severity, assignee=ticket.assignee, customer=ticket.customer, tags=ticket.tags,
        opened_at=ticket.opened_at,
    )  # fmt: skip


# --- a mail on a ticket ---


def _follow_up(letter: Letter, ticket: Ticket, commands: tuple[Command, ...], desk: _Desk) -> Decision:
    visibility = Visibility.INTERNAL if desk.known.sender.person else Visibility.PUBLIC
    message = _message(letter, visibility, desk)
    withheld = may_answer(letter, desk.known, desk.service, commanded=bool(commands))
    if not commands:
        further = (*_awaited(letter, ticket, desk), *_no_silence(letter, ticket, desk), *_insists(letter, ticket, desk))
        events = _ruled(letter, ticket, (message, *further, *_not_passed_on(desk)), frozenset(), desk)
        events = _with_clocks(ticket, events, desk.rulebook, desk.service, desk.at, desk.now)
        hint = _hint(letter, ticket, desk) or _moved(letter, desk)
        return Decision(changes=(Change(before=ticket, events=events),), transcript=hint, withheld=withheld)
    transcript, events, others = _commanded(commands, ticket, desk)
    if _only_asks(letter, commands, desk):
        return Decision(transcript=transcript, withheld=withheld, note="an enquiry")
    verbs = frozenset(c.verb for c in commands if transcript.applied)
    events = _ruled(letter, ticket, (message, *events), verbs, desk)
    if transcript.applied:
        transcript = replace(transcript, lines=(*transcript.lines, *did(events)))
    events = _with_clocks(ticket, events, desk.rulebook, desk.service, desk.at, desk.now)
    if transcript.applied and all(c.plain for c in commands):
        # Who wrote ordinary words is not answered like a machine; the mails about what followed say enough.
        own = Change(before=ticket, events=events)
        return Decision(changes=(own, *others, *_rated_too(own, desk)), withheld=withheld)
    if withheld:
        said = AnswerWithheld(to=desk.known.sender.address, template="transcript", reason=withheld)
        events = (*events, said)
    own = Change(before=ticket, events=events)
    others = (*others, *_rated_too(own, desk), *_raised(own, letter, desk))
    return Decision(changes=(own, *others), transcript=transcript, withheld=withheld)


def _ruled(
    letter: Letter, ticket: Ticket, events: tuple[Event, ...], verbs: frozenset[Verb | None], desk: _Desk
) -> tuple[Event, ...]:
    """Return the events of a mail on a ticket, and what the rules for such mails make of it beside its keywords."""
    facts = facts_for_rules(letter, desk.known, desk.rulebook, desk.service, desk.now, on_ticket=True)
    routing = route(facts, desk.rulebook)
    watchers = tuple(_address_of(w, desk.rulebook) for w in routing.watchers)
    said = Said(mail=desk.mail, known=desk.known, verbs=verbs, events=events, now=after(ticket, events))
    return (*events, *on_reply(replace(routing, watchers=watchers), said, desk.rulebook))


def _rated_too(own: Change, desk: _Desk) -> tuple[Change, ...]:
    """Give the rating to every ticket that the same mail asked about."""
    rated = tuple(e for e in own.events if isinstance(e, Rated))
    asked = own.before.asked_with if rated else ()
    found = (desk.known.related.get(n) for n in asked if n != own.before.number)
    return tuple(Change(before=t, events=rated) for t in found if t is not None)


def _hint(letter: Letter, ticket: Ticket, desk: _Desk) -> Transcript | None:
    """Tell one of ours, once for each ticket, that words without a keyword did not go to the customer."""
    known = desk.known
    if known.sender.person is None or known.hinted or letter.nature is not Nature.HUMAN or not letter.new_text.strip():
        return None
    if known.sender.address == ticket.requester:
        return None
    allowed = allowed_keywords(ticket, desk.actor)
    return Transcript(lines=(), applied=True, kept_internal=True, allowed=allowed, moved_from=known.moved_from)


def _moved(letter: Letter, desk: _Desk) -> Transcript | None:
    """Tell, once, who writes to a number that was merged into another one where their words went."""
    known = desk.known
    if not known.moved_from or known.told_moved or letter.nature is not Nature.HUMAN:
        return None
    return Transcript(lines=(), applied=True, moved_from=known.moved_from)


def _not_passed_on(desk: _Desk) -> tuple[Event, ...]:
    why = may_pass_on(desk.known)
    return (AnswerWithheld(to="", template="new_reply", reason=why),) if why else ()


def _awaited(letter: Letter, ticket: Ticket, desk: _Desk) -> tuple[Event, ...]:
    """Return the end of a hold that waited for just this customer's answer: from now on it is our turn again."""
    known = desk.known
    waits = ticket.state is State.ON_HOLD and ticket.hold_reason is HoldReason.CUSTOMER
    answered = letter.nature is Nature.HUMAN and known.sender.address == ticket.requester and known.proof in PROVED
    if not (waits and answered):
        return ()
    return (StateChanged(verb=Verb.RESUME, old=ticket.state, new=State.IN_PROGRESS, by=known.sender.address),)


def _no_silence(letter: Letter, ticket: Ticket, desk: _Desk) -> tuple[Event, ...]:
    """Begin the wait for the requester's word anew where they wrote what may be an objection, but nobody can prove it.

    Proved, it puts the ticket back to work; unproved, it must at least not be taken for silence.
    """
    known = desk.known
    whose = known.sender.address
    # Others on the record cannot reopen it, but are no silence either.
    theirs = letter.nature is Nature.HUMAN and known.sender.person is None and ticket.concerns(whose)
    proved = ticket.reported_by(whose) and known.proof in PROVED
    if ticket.silence is None or not theirs or proved or not may_object(letter, desk.rulebook):
        return ()
    return silence_begins(replace(ticket, silence=None), desk.rulebook, desk.service.timezone, desk.at)


def _insists(letter: Letter, ticket: Ticket, desk: _Desk) -> tuple[Event, ...]:
    """Return that the requester wants what was refused: any answer of theirs but thanks, or that they are away."""
    theirs = letter.nature is Nature.HUMAN and desk.known.sender.address == ticket.requester
    wants = may_object(letter, desk.rulebook) or bool(letter.attachments and not spoken(letter).strip())
    return insistence(ticket, desk.known.sender.address, desk.at) if theirs and wants else ()


def _only_asks(letter: Letter, commands: tuple[Command, ...], desk: _Desk) -> bool:
    """Whether the mail is nothing but questions to us: then it is no message on the ticket."""
    left = find_commands(spoken(letter), desk.rulebook.keywords)[1]
    return {c.verb for c in commands} <= QUESTIONS and not left


def _commanded(
    commands: tuple[Command, ...], ticket: Ticket, desk: _Desk
) -> tuple[Transcript, tuple[Event, ...], tuple[Change, ...]]:
    """Return the answer, what happens to this ticket, and what happens to others that the commands name."""
    actor = desk.actor
    why_not = _no_authority(commands, ticket, desk)
    if why_not:
        return (*_unproved(commands, why_not, actor), ())
    done = carry_out_on(commands, ticket, desk.known.related, actor)
    events = done.events.get(ticket.number, ())
    if not done.applied:
        events = (_refusal(commands, _reasons(done.lines), actor),)
    transcript = Transcript(
        lines=done.lines,
        applied=done.applied,
        tickets=_asked(commands, ticket, desk),
        help=any(c.verb is Verb.HELP for c in commands),
        asked=any(c.verb in (Verb.STATUS, Verb.LIST) for c in commands),
        allowed=allowed_keywords(after(ticket, events), actor),
        moved_from=desk.known.moved_from,
    )
    return transcript, events, _changes(done, desk, but=ticket.number)


def _changes(done: Done, desk: _Desk, but: int = 0) -> tuple[Change, ...]:
    """Return what the commands did to tickets that they named, other than the one that the mail is about."""
    related = desk.known.related
    found = ((related[number], events) for number, events in done.events.items() if number != but and events)
    clocks = (desk.rulebook, desk.service, desk.at, desk.now)
    return tuple(Change(before=t, events=_with_clocks(t, events, *clocks)) for t, events in found)


def _reasons(lines: tuple[Line, ...]) -> str:
    return "; ".join(line.why for line in lines if line.outcome not in ("done", "unchanged"))


def _no_authority(commands: tuple[Command, ...], ticket: Ticket, desk: _Desk) -> str:
    """Return why these commands may not even be looked at, or ""."""
    known = desk.known
    ruling = ruling_of(commands, ticket, known, desk.rulebook)
    if {c.verb for c in commands} <= QUESTIONS:
        return "" if ruling is Ruling.ALLOW else "not_on_record"
    if known.repeated_id:
        return "repeated"
    if known.conflict:
        return "conflict"
    return "" if ruling is Ruling.ALLOW else "unproved"


def _unproved(commands: tuple[Command, ...], why: str, actor: Actor) -> tuple[Transcript, tuple[Event, ...]]:
    lines = tuple(Line(text=c.line, outcome="refused", why=f"{why}:") for c in commands[:MOST_COMMANDS])
    return Transcript(lines=lines, applied=False, unproved=why), (_refusal(commands, why, actor),)


def _refusal(commands: tuple[Command, ...], why: str, actor: Actor) -> CommandsRefused:
    return CommandsRefused(by=actor.name, reason=why, commands=tuple(c.line for c in commands[:MOST_COMMANDS]))


def _asked(commands: tuple[Command, ...], ticket: Ticket | None, desk: _Desk) -> tuple[Ticket, ...]:
    """Return the tickets that #status and #list ask for; everybody sees only what they may."""
    mine = desk.known.mine
    if any(c.verb is Verb.LIST for c in commands):
        return mine
    asked = [c for c in commands if c.verb is Verb.STATUS]
    numbers = {n for c in asked for n in numbers_in(c.argument, desk.service.subject_tag)}
    named = [t for n, t in desk.known.related.items() if n in numbers]
    visible = {t.number for t in mine} | ({ticket.number} if ticket else set())
    staff = of_ours(desk.known.sender.person)
    if named:
        return tuple(t for t in named if staff or t.number in visible)
    return ((ticket,) if ticket else mine) if asked else ()


def _enquiry(letter: Letter, commands: tuple[Command, ...], desk: _Desk) -> Decision:
    """Answer a mail that is about no ticket of its own: questions, or orders that name their tickets."""
    done = _enquired(commands, desk)
    transcript = Transcript(
        lines=done.lines,
        applied=done.applied,
        unproved=next((x.why.rstrip(":") for x in done.lines if x.why in ("unproved:", "repeated:")), ""),
        tickets=_asked(commands, None, desk),
        help=any(c.verb is Verb.HELP for c in commands),
        asked=any(c.verb in (Verb.STATUS, Verb.LIST) for c in commands),
        allowed=usable(desk.known.sender.person, desk.rulebook),
    )
    ordered = bool({c.verb for c in commands} - QUESTIONS)
    withheld = may_answer(letter, desk.known, desk.service, commanded=ordered)
    changes = _changes(done, desk)
    return Decision(changes=changes, transcript=transcript, withheld=withheld, note="" if changes else "an enquiry")


def _enquired(commands: tuple[Command, ...], desk: _Desk) -> Done:
    known = desk.known
    done = carry_out_on(commands, None, known.related, desk.actor)
    named = [known.related[line.number] for line in done.lines if line.number]
    allowed = all(ruling_of(commands, ticket, known, desk.rulebook) is Ruling.ALLOW for ticket in named)
    why_not = "repeated" if known.repeated_id else "" if allowed else "unproved"
    if named and why_not:
        return Done(lines=_unproved(commands, why_not, desk.actor)[0].lines)
    return done


# --- records that a command opens beside the ticket: a second matter, a problem, a change ---


def _raised(own: Change, letter: Letter, desk: _Desk) -> tuple[Change, ...]:
    """Return the records that the commands on this ticket open; the store gives them their numbers."""
    links = (e for e in own.events if isinstance(e, Linked) and e.opened)
    return tuple(_record(link, own, letter, desk) for link in links)


def _record(link: Linked, own: Change, letter: Letter, desk: _Desk) -> Change:
    back = Linked(link=OTHER_END[link.link], ticket=own.before.number, by=link.by, text=link.text)
    subject, text = _titled(link.text, own.now)
    before = Ticket(number=link.ticket)
    if link.link is not LinkKind.SPLIT_INTO:
        return Change(before=before, events=(*_of_our_own(link, subject, own.now, desk), back))
    opened = _second_matter(subject, own.now, desk)
    routing = _routing_of(opened, text or desk.known.last_words, letter, desk)
    back = replace(back, text=text or desk.known.last_words)
    requester = _requester_of(opened, desk)
    events: tuple[Event, ...] = (opened, _routed(routing, requester, desk.rulebook), back)
    first = at_first(routing, after(before, events), desk.rulebook, desk.service, desk.known)
    events = (*events, *first)
    return Change(before=before, events=_with_clocks(before, events, desk.rulebook, desk.service, desk.at, desk.now))


def _titled(text: str, ticket: Ticket) -> tuple[str, str]:
    """Return subject and words of a record: the first line, and the lines below it."""
    first, _, rest = text.strip().partition("\n")
    return one_line(first)[:_LONGEST_SUBJECT] or ticket.subject, rest.strip()


def _second_matter(subject: str, ticket: Ticket, desk: _Desk) -> Opened:
    """Return the opening of a ticket that was part of another one: the same requester's, and theirs from the start."""
    return Opened(
        kind=Kind.INCIDENT, subject=subject, requester=ticket.requester, requester_name=ticket.requester_name,
        customer=ticket.customer, language=ticket.language, reported_at=desk.received_at, source=ticket.source,
        recorded_by=desk.known.sender.address,
    )  # fmt: skip


def _requester_of(opened: Opened, desk: _Desk) -> Sender:
    customer = desk.rulebook.customers.get(opened.customer)
    return Sender(address=opened.requester, name=opened.requester_name, customer=customer)


def _routing_of(opened: Opened, text: str, letter: Letter, desk: _Desk) -> Routing:
    """Return what the rules say of a second matter, as though its requester had written it by itself.

    One of ours wants a ticket of it: no rule refuses or swallows that.
    """
    words = replace(letter, subject=opened.subject, text=text, new_text=text, forwarded=None, attachments=())
    known = replace(desk.known, sender=_requester_of(opened, desk))
    routing = route(facts_for_rules(words, known, desk.rulebook, desk.service, desk.now), desk.rulebook)
    return unswallowed(routing, "one of ours made a ticket of it")


def _of_our_own(link: Linked, subject: str, ticket: Ticket, desk: _Desk) -> tuple[Event, ...]:
    """Return the opening of a problem, which the project manager owns, or of a change, which the same team makes."""
    customer = desk.rulebook.customers.get(ticket.customer)
    problem = link.link is LinkKind.PROBLEM
    opened = Opened(
        kind=Kind.PROBLEM if problem else Kind.CHANGE, subject=subject, requester="", requester_name="",
        customer=ticket.customer, language=ticket.language, reported_at=desk.received_at,
        recorded_by=desk.known.sender.address,
    )  # fmt: skip
    routed = Routed(
        category=ticket.category, impact=ticket.impact, urgency=ticket.urgency, severity=ticket.severity,
        team="" if problem else ticket.team, line=ticket.line, ci=ticket.ci,
        assignee=(customer.pm if customer else "") if problem else "",
        tags=(), watchers=(), because=(), rules=desk.rulebook.version,
    )  # fmt: skip
    return (opened, routed)


# --- shared ---


def _message(letter: Letter, visibility: Visibility, desk: _Desk) -> MessageAdded:
    known = desk.known
    notes = [known.proof_why] if letter.nature is Nature.HUMAN and known.proof not in PROVED else []
    if known.repeated_id:
        notes.append("an earlier mail had the same Message-ID and other words")
    if known.conflict:
        notes.append("it refers to several tickets")
    if known.moved_from:
        notes.append(f"it came for ticket {known.moved_from}, which is handled here")
    if known.claimed:
        notes.append(f"its subject names ticket {known.claimed}, which its sender is not on")
    return MessageAdded(
        mail=desk.mail,
        author=known.sender.address,
        author_name=known.sender.name,
        nature=letter.nature,
        visibility=visibility,
        proof=known.proof,
        matched=known.matched,
        note="; ".join(n for n in notes if n),
        looks_like=known.looks_like,
    )


def _bounced(failed: tuple[FailedNotice, ...], now: datetime) -> tuple[Change, ...]:
    by_ticket: Mapping[int, list[FailedNotice]] = {f.ticket.number: [] for f in failed}
    for f in failed:
        by_ticket[f.ticket.number].append(f)
    return tuple(undelivered(group[0].ticket, group, now) for group in by_ticket.values())


def _failed(f: FailedNotice) -> NoticeFailed:
    return NoticeFailed(notice=f.notice, address=f.address, template=f.template, reason=f.reason, permanent=f.permanent)


def _with_clocks(
    ticket: Ticket, events: tuple[Event, ...], rulebook: Rulebook, service: Service, at: datetime, now: datetime
) -> tuple[Event, ...]:
    """Return the events, and what they make of the clocks `at` that time; what is due at once is noticed `now`."""
    then, zone = after(ticket, events), service.timezone
    events = (*events, *alarm_follows(ticket, then, events, rulebook, now), *plans_follow(then, events, rulebook, now))
    clocks = clock_events(then, rulebook, zone, at)
    steps = steps_due(after(then, clocks), rulebook, zone, now, at)
    return (*events, *clocks, *steps, *silence_begins(then, rulebook, zone, at))
