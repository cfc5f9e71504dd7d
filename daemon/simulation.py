"""A stretch of days played against the operator's own rules: who would get which mail, and when.

What comes in: the Rulebook, the Service, the first and last day, and incidents (samples, or the operator's own). What
goes out: days and happenings, as plain data and as text in Chinese or English. It is the live path that is asked:
letters are read, understood and decided, the clock ticks, duties fall due. No database, no mail. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from daemon.decide import Change, decide, dispatched, needs_dispatch, placed
from daemon.dispatch import Staff, next_free
from daemon.duties import Entry, Owed, owed_duties
from daemon.events import Event
from daemon.intake.letter import Letter, read_letter
from daemon.intake.understand import Known, NewIncident, Sender, understand
from daemon.notify.lists import parcels_for, report_readers
from daemon.notify.notices import Scene, choose_notices
from daemon.plain import iso
from daemon.routing.actions import Action, SetField, action_from
from daemon.routing.conditions import Always
from daemon.routing.items import Complaints, Item, Table, as_duration, as_list
from daemon.rulebook import Calendar, Person, Rule, Rulebook
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.timetable import Mail, event_words, mail_data, mail_of, next_turn, what_data
from daemon.words import Duty, Matched, Proof, Role, Severity, State, Verb
from daemon.workhours import DAY, spans_on

MOST_DAYS = 62
"""A simulation of more days would be read by nobody."""
_MOST_TURNS = 400
_WEEK = 7
_LOOKS_AHEAD = 400
_HALF_AN_HOUR = timedelta(minutes=30)
_NIGHT, _NOON = time(2, 0), time(12, 30)
_OPEN = frozenset({State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident that is reported in the simulation; `then` is what a rule would set before all others.

    `taken_after` and `solved_after`: when somebody takes it up and solves it; None: nobody does anything.
    """

    at: datetime
    severity: int
    subject: str
    text: str = ""
    sender: str = ""
    then: tuple[Action, ...] = ()
    taken_after: timedelta | None = None
    solved_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What happens at one moment: `what` names a deed of people or a duty, "" for the clock; `number` 0: no ticket."""

    at: datetime
    number: int
    what: str
    events: tuple[Event, ...]
    mails: tuple[Mail, ...]
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of the desk's own calendar: working, make_up, holiday or free, with its hours."""

    date: date
    kind: str
    hours: tuple[tuple[time, time], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Everything that came of it. `tickets` are the incidents by number, as they were when they were reported."""

    days: tuple[Day, ...]
    tickets: Mapping[int, Ticket]
    happenings: tuple[Happening, ...]


# --- which days, which incidents ---


def days_to_play(calendar: Calendar | None, today: date, since: date | None, count: int | None) -> tuple[date, date]:
    """Return the first and the last day: as asked for, else a week in which the next holidays lie.

    Long holidays are shown whole, from two days before them to two days after.
    """
    if since or count:
        first = since or today
        return first, first + ((count or _WEEK) - 1) * DAY
    ahead = [today + n * DAY for n in range(2, _LOOKS_AHEAD)]
    begins = next((d for d in ahead if calendar and d in calendar.holidays and calendar.week.get(d.weekday())), None)
    if calendar is None or begins is None:
        return today, today + (_WEEK - 1) * DAY
    ends = begins
    while ends + DAY in calendar.holidays:
        ends += DAY
    first = begins - 2 * DAY
    return first, max(ends + 2 * DAY, first + (_WEEK - 1) * DAY)


def sample_incidents(rulebook: Rulebook, zone: str, first: date, last: date) -> tuple[Incident, ...]:
    """Return one incident of each severity, when it tells most: before lunch, before a holiday, at night, on it."""
    calendar = rulebook.calendar_of("")
    days = [first + n * DAY for n in range((last - first).days + 1)]
    worked = [d for d in days if calendar and spans_on(calendar, d)] or days
    free = next((d for d in days if d > worked[0] and d not in worked), last)
    before = max((d for d in worked if d < free), default=worked[0])
    hours = (calendar and spans_on(calendar, worked[0])) or ((time(9), time(12)), (time(13), time(18)))
    moments = {
        3: _local(worked[0], hours[0][1], zone) - _HALF_AN_HOUR,
        4: _local(before, hours[-1][1], zone) - _HALF_AN_HOUR,
        1: _local(free, _NIGHT, zone),
        2: _local(free, _NOON, zone),
    }
    sender, then = _somebody(rulebook), _usual_team(rulebook)
    return tuple(
        Incident(at=at, severity=severity, subject=f"severity {severity}", sender=sender, then=then)
        for severity, at in sorted(moments.items(), key=lambda pair: pair[1])
    )


def _local(day: date, at: time, zone: str) -> datetime:
    return datetime.combine(day, at, tzinfo=ZoneInfo(zone))


def _somebody(rulebook: Rulebook) -> str:
    """Return an address of the first customer."""
    for customer in rulebook.customers.values():
        if customer.addresses or customer.domains:
            return next(iter(customer.addresses), "") or f"somebody@{next(iter(customer.domains))}"
    return "somebody@customer.example"


def _usual_team(rulebook: Rulebook) -> tuple[Action, ...]:
    """Return what the first rule sets that names a team, so that samples have one."""
    for rule in rulebook.rules:
        found = tuple(a for a in rule.then if isinstance(a, SetField) and a.field in ("category", "team"))
        if any(a.field == "team" for a in found):
            return found
    return ()


def incidents_from(item: Item, bad: Complaints, zone: str) -> tuple[Incident, ...]:
    """Return the incidents that a file names; complain of what is wrong in it."""
    table = Table(item, ("incidents",), bad, "the file")
    entries = table.need("incidents", "[{at: 2026-09-30 17:30, severity: 2, subject: VPN down}]")
    return tuple(_incident(e, bad, zone) for e in as_list(entries, bad, "'incidents'")) if entries else ()


def _incident(item: Item, bad: Complaints, zone: str) -> Incident:
    keys = ("at", "severity", "subject", "text", "from", "taken_after", "solved_after")
    table = Table(item, keys, bad, "an incident")
    table.need("at", "2026-09-30 17:30")
    return Incident(
        at=_moment(table, zone),
        severity=table.number("severity", 0, 1, max(Severity)),
        subject=table.text("subject"),
        text=table.text("text"),
        sender=table.text("from", "somebody@customer.example"),
        taken_after=_after(table, "taken_after"),
        solved_after=_after(table, "solved_after"),
    )


def _after(table: Table, key: str) -> timedelta | None:
    item = table.get(key)
    return as_duration(item, table.bad, key) if item else None


def _moment(table: Table, zone: str) -> datetime:
    text = table.text("at")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        if text:
            table.bad.add(table.entries["at"], f"'at' is a time such as 2026-09-30 17:30, got '{text}'")
        return datetime(2000, 1, 1, tzinfo=ZoneInfo(zone))
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


# --- playing it ---


@dataclass
class _Play:
    """What is going on: every ticket as it was after each thing that happened to it."""

    rulebook: Rulebook
    service: Service
    until: datetime
    courses: dict[int, list[tuple[datetime, Ticket]]] = field(default_factory=dict)

    def at(self, moment: datetime) -> list[Ticket]:
        """Return the tickets that there were at this moment."""
        courses = ([t for at, t in course if at <= moment] for course in self.courses.values())
        return [course[-1] for course in courses if course]


def simulate(
    incidents: Iterable[Incident], rulebook: Rulebook, service: Service, first: date, last: date
) -> Simulation:
    """Return who would hear what from the first day to the last, both within, if these incidents were reported."""
    until = _local(last + DAY, time.min, service.timezone)
    play = _Play(rulebook, service, until)
    happened = [h for number, one in enumerate(incidents, 1) for h in _course(number, one, play) if h.at < until]
    happened += _duties(play, _local(first, time.min, service.timezone))
    tickets = {number: course[0][1] for number, course in play.courses.items()}
    calendar = rulebook.calendar_of("")
    days = tuple(_day(calendar, first + n * DAY) for n in range((last - first).days + 1))
    return Simulation(days=days, tickets=tickets, happenings=tuple(sorted(happened, key=lambda h: (h.at, h.number))))


def _day(calendar: Calendar | None, day: date) -> Day:
    hours = spans_on(calendar, day) if calendar else ()
    usual = bool(calendar and calendar.week.get(day.weekday()))
    if hours:
        return Day(date=day, kind="working" if usual else "make_up", hours=hours)
    return Day(date=day, kind="holiday" if calendar and day in calendar.holidays else "free", hours=())


def _course(number: int, incident: Incident, play: _Play) -> Iterator[Happening]:
    """Yield what happens to one incident until the end."""
    opened = _reported(number, incident, play)
    yield opened
    deeds = ((incident.taken_after, Verb.ACCEPT), (incident.solved_after, Verb.RESOLVE))
    for at, verb in sorted((incident.at + after, verb) for after, verb in deeds if after is not None):
        yield from _ticks(number, at, play)
        yield from _done(number, verb, at, play)
    yield from _ticks(number, play.until, play)


def _reported(number: int, incident: Incident, play: _Play) -> Happening:
    """Let the mail of a report come in, with one more rule before all others: what the incident is said to be."""
    rule = Rule(name="simulated", when=Always(), then=(*_graded(incident.severity, play.rulebook), *incident.then))
    book = replace(play.rulebook, rules=(rule, *play.rulebook.rules))
    letter = _letter(number, incident.sender, incident.subject, incident.text or incident.subject, play.service)
    customer = book.customer_at(incident.sender)
    known = Known(sender=Sender(address=incident.sender, name="", customer=customer), proof=Proof.NONE)
    decision = decide(
        NewIncident(letter), known, book, play.service, now=incident.at, received_at=incident.at, mail=number
    )
    (change, *_) = decision.changes
    change = _given_out(replace(change, before=replace(change.before, number=number)), incident.at, play)
    play.courses[number] = [(incident.at, change.now)]
    scene = Scene(rulebook=book, service=play.service, now=incident.at, letter=letter)
    mails = tuple(mail_of(n) for n in choose_notices(change, scene))
    return Happening(at=incident.at, number=number, what="reported", events=change.events, mails=mails)


def _given_out(change: Change, at: datetime, play: _Play) -> Change:
    """Dispatch what a change leaves without anybody, as if nobody had anything else at hand."""
    staff = Staff(rulebook=play.rulebook, zone=play.service.timezone, now=at)
    return dispatched(change, staff)[0] if needs_dispatch(change, staff) else change


def _graded(severity: int, rulebook: Rulebook) -> Iterator[Action]:
    """Yield what makes this severity by the operator's own matrix; nothing where none is wished for."""
    for (impact, urgency), grade in rulebook.matrix.items():
        if grade == severity:
            yield from (action_from("impact", str(impact)), action_from("urgency", str(urgency)))
            return


def _ticks(number: int, until: datetime, play: _Play) -> Iterator[Happening]:
    """Let the clock run on one ticket up to this moment."""
    course = play.courses[number]
    for _ in range(_MOST_TURNS):
        at, ticket = course[-1]
        turn = next_turn(ticket, play.rulebook, play.service, at)
        found = _found(number, at, min(until, turn[0].at if turn else until), play)
        if found:
            yield found
            continue
        if turn is None or turn[0].at >= until:
            return
        coming, ticket = turn
        course.append((coming.at, ticket))
        yield Happening(
            at=coming.at, number=number, what="", events=coming.events, mails=coming.mails, goes_on=coming.for_ever
        )


def _found(number: int, since: datetime, until: datetime, play: _Play) -> Happening | None:
    """Return that a ticket which waits goes to somebody who begins to work, if that is before the clock's next turn."""
    ticket = play.courses[number][-1][1]
    staff = Staff(rulebook=play.rulebook, zone=play.service.timezone, now=since)
    found = next_free(ticket, staff) if ticket.queued_at else None
    if found is None or found[0] >= until:
        return None
    at, placement = found
    (change, *_) = placed(Change(before=ticket, events=()), placement)
    play.courses[number].append((at, change.now))
    scene = Scene(rulebook=play.rulebook, service=play.service, now=at)
    mails = tuple(mail_of(n) for n in choose_notices(change, scene))
    return Happening(at=at, number=number, what="", events=change.events, mails=mails)


def _done(number: int, verb: Verb, at: datetime, play: _Play) -> Iterator[Happening]:
    """Let somebody who works on it answer with a keyword; nothing happens where nobody may."""
    ticket, word = play.courses[number][-1][1], _word_for(verb, play.rulebook)
    person = _who_works(ticket, play.rulebook)
    if person is None or not word:
        return
    letter = _letter(number, person.address, ticket.subject, f"#{word} {verb}", play.service)
    sender = Sender(address=person.address, name=person.name, person=person)
    known = Known(sender=sender, proof=Proof.TOKEN, ticket=ticket, matched=Matched.TOKEN)
    intent = understand(letter, known, play.rulebook)
    decision = decide(intent, known, play.rulebook, play.service, now=at, received_at=at, mail=0)
    scene = Scene(rulebook=play.rulebook, service=play.service, now=at, letter=letter, actor=person.key)
    for done in decision.changes[:1]:
        change = _given_out(done, at, play)
        play.courses[number].append((at, change.now))
        mails = tuple(mail_of(n) for n in choose_notices(change, scene))
        yield Happening(at=at, number=number, what=str(verb), events=change.events, mails=mails)


def _word_for(verb: Verb, rulebook: Rulebook) -> str:
    return next((k.words[0] for k in rulebook.keywords if k.verb is verb), "")


def _who_works(ticket: Ticket, rulebook: Rulebook) -> Person | None:
    team = rulebook.teams.get(ticket.team)
    keys = (ticket.assignee, *(team.members if team else ()))
    named = next((rulebook.people[k] for k in keys if k in rulebook.people), None)
    return named or next(iter(rulebook.people_with(Role.ENGINEER)), None)


def _letter(number: int, sender: str, subject: str, text: str, service: Service) -> Letter:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, service.address, subject
    mail["Message-ID"] = f"<simulated-{number}@ticketd.invalid>"
    mail.set_content(text)
    return read_letter(mail.as_bytes(policy=SMTP))


def _duties(play: _Play, since: datetime) -> Iterator[Happening]:
    """Yield the lists and reports that fall due, over the tickets as they are then."""
    scene = Scene(rulebook=play.rulebook, service=play.service)
    for item in owed_duties(play.rulebook, play.service.timezone, (), since, play.until):
        mails = tuple(_mails_of(replace(item, verdict="now", late=False), play, scene))
        if mails:
            yield Happening(at=item.due_at, number=0, what=str(item.duty), events=(), mails=mails)


def _mails_of(item: Owed, play: _Play, scene: Scene) -> Iterator[Mail]:
    if item.duty is Duty.KPI_REPORT:
        readers = report_readers(scene)
        yield from (Mail(to=r.to.address, name=r.to.name, template="kpi_report") for r in readers)
        return
    if item.duty is Duty.RULE_PROPOSALS:
        return  # what people will correct is not known beforehand
    wanted = frozenset({State.PENDING_REVIEW}) if item.duty is Duty.REVIEW_LIST else _OPEN
    if item.duty in (Duty.FOLLOW_UP, Duty.FOLLOW_UP_RESULT):
        wanted = frozenset({State.ARCHIVED})
    entries = [Entry(ticket=t) for t in play.at(item.due_at) if t.state in wanted]
    yield from (mail_of(parcel.notice) for parcel in parcels_for(item, entries, scene, item.due_at))


# --- telling it ---


def simulation_data(played: Simulation, zone: ZoneInfo) -> dict[str, Any]:
    """Return it as plain data."""
    return {
        "zone": zone.key,
        "incidents": [_ticket_data(t, zone) for t in played.tickets.values()],
        "days": [
            {
                "date": day.date.isoformat(),
                "kind": day.kind,
                "hours": [f"{a:%H:%M}-{b:%H:%M}" for a, b in day.hours],
                "happenings": [_happening_data(h, zone) for h in _on(day, played, zone)],
            }
            for day in played.days
        ],
    }


def _ticket_data(ticket: Ticket, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "at": iso(ticket.opened_at, zone),
        "severity": int(ticket.severity),
        "subject": ticket.subject,
        "customer": ticket.customer,
        "category": ticket.category,
        "team": ticket.team,
        "respond_by": iso(ticket.due("respond"), zone),
        "resolve_by": iso(ticket.due("resolve"), zone),
    }


def _happening_data(h: Happening, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "at": iso(h.at, zone),
        "number": h.number or None,
        "what": h.what or "clock",
        "events": [what_data(e, zone) for e in h.events],
        "mails": [mail_data(m) for m in h.mails],
        "goes_on": h.goes_on,
    }


def _on(day: Day, played: Simulation, zone: ZoneInfo) -> list[Happening]:
    return [h for h in played.happenings if h.at.astimezone(zone).date() == day.date]


def simulation_lines(played: Simulation, zone: ZoneInfo, language: str) -> Iterator[str]:
    """Yield it as lines: the incidents, then day by day what happens, and who gets which mail."""
    says = _SAYS[language]
    yield says["incidents"]
    for ticket in played.tickets.values():
        due = (_wall(ticket.due(name), zone) for name in ("respond", "resolve"))
        at = _wall(ticket.opened_at, zone)
        yield "  " + says["incident"].format(ticket.number, int(ticket.severity), at, *due)
    for day in played.days:
        yield ""
        yield _day_line(day, language)
        for h in _on(day, played, zone):
            yield f"  {h.at.astimezone(zone):%H:%M}  {_what(h, language)}"
            yield from (f"           → {line}" for line in _mail_lines(h.mails))


def _wall(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%m-%d %H:%M}" if moment else "–"


def _day_line(day: Day, language: str) -> str:
    says = _SAYS[language]
    hours = ", ".join(f"{a:%H:%M}–{b:%H:%M}" for a, b in day.hours)
    weekday = says["weekdays"].split()[day.date.weekday()]
    return " ".join(part for part in (f"{day.date}", weekday, says[day.kind], hours) if part)


def _what(h: Happening, language: str) -> str:
    says = _SAYS[language]
    words = says[h.what] if h.what else "; ".join(w for e in h.events if (w := event_words(e, language)))
    about = f"{says['number'].format(h.number)}  " if h.number else ""
    return about + words + (says["goes_on"] if h.goes_on else "")


def _mail_lines(mails: Iterable[Mail]) -> Iterator[str]:
    """Yield one line for each kind of mail, with its readers."""
    for template, group in groupby(sorted(mails, key=lambda m: m.template), key=lambda m: m.template):
        readers = Counter(f"{m.name} <{m.to}>".strip() for m in group)
        yield f"{template}: {', '.join(f'{who} ×{n}' if n > 1 else who for who, n in readers.items())}"


_SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "incidents": "Incidents, with the times promised:",
        "incident": "#{} severity {}, reported {}: first answer by {}, solution by {}",
        "weekdays": "Mon Tue Wed Thu Fri Sat Sun", "number": "#{}",
        "working": "", "make_up": "MAKE-UP WORKING DAY", "holiday": "HOLIDAY", "free": "not worked",
        "reported": "is reported", "accept": "is taken up", "resolve": "is solved", "goes_on": ", and so on",
        "ask_action": "the next step is asked for", "pm_list": "end of the day: what was not solved",
        "customer_list": "end of the day: how it stands", "review_list": "what waits for review",
        "follow_up": "follow-up", "follow_up_result": "result of the follow-up", "kpi_report": "monthly report",
        "rule_proposals": "proposals for the rules",
    },
    "zh": {
        "incidents": "模拟的事件和承诺的时间：",
        "incident": "#{} {} 级，{} 报告：最迟响应 {}，最迟解决 {}",
        "weekdays": "周一 周二 周三 周四 周五 周六 周日", "number": "#{}",
        "working": "", "make_up": "调休上班", "holiday": "放假", "free": "休息",
        "reported": "报告", "accept": "受理", "resolve": "解决", "goes_on": "，以后照此继续",
        "ask_action": "询问下一步", "pm_list": "日终：当天没有解决的",
        "customer_list": "日终：给用户的进展", "review_list": "待审核清单",
        "follow_up": "回访", "follow_up_result": "回访结果", "kpi_report": "每月服务报告",
        "rule_proposals": "改规则的建议",
    },
}  # fmt: skip
