"""The judge: were all the mails sent that were owed, each once, at the right time, to the right people, and no other?

What comes in: the mails that left, the JSON of `ticket show` for every ticket, when the daemon was down, and the rule
files. What goes out: differences, each a sentence. Nothing here is shared with ticketd; a test reads the imports.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.month.books import SERVICE_ZONE, Books
from tests.month.case import LATE_MAIL, OPEN, Case, Event, Owed
from tests.month.hours import DAY, Hours, duration
from tests.month.staffing import staffing_differs

TOLERANCE = timedelta(minutes=1)
_NUMBER = re.compile(r"\[?INC-(\d+)\]?")
_SAYS_LATE = ("it is late because", "should have reached you", "迟到了", "原应在")
# What the clock says of itself is not evidence: the judge reckons it anew.
_CLOCKS = re.compile("Clock|Step|AnswerAwaited|RemindersSilenced")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The mails about several tickets stand in no ticket's JSON: their subjects tell what they are.
_LISTS = {
    "day_list": ("Not solved today:", "今天没有解决的工单"),
    "open_list": ("How it stands today:", "今天的进展"),
    "review_list": ("Please review: ", "请审核："),
    "follow_up_result": ("Follow-up:", "回访结果"),
    "transcript": ("Done as you wrote", "已按您的来信更新"),
}
_DUTIES = {
    "ask_action": "next_action", "pm_list": "day_list", "customer_list": "open_list", "review_list": "review_list",
    "follow_up": "follow_up", "follow_up_result": "follow_up_result",
}  # fmt: skip


@dataclass(frozen=True)
class Mail:
    """One mail as it reached the SMTP server, and when."""

    at: datetime
    to: str
    subject: str
    message_id: str
    text: str


@dataclass
class Evidence:
    """All that the judge may look at."""

    mails: list[Mail]
    tickets: dict[int, dict[str, Any]]
    outages: list[tuple[datetime, datetime]]
    since: datetime
    until: datetime
    refused: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    alarms: list[tuple[datetime, str, str, str]] = field(default_factory=list)


@dataclass
class Verdict:
    """What was owed, what was found, and every difference in words."""

    owed: int = 0
    found: int = 0
    differences: list[str] = field(default_factory=list)


def judge(evidence: Evidence, books: Books | None = None) -> Verdict:
    """Return what is wrong with what was sent."""
    trial = _Trial(evidence, books or Books())
    owed = list(trial.arriving([*trial.cases(), *trial.duties()]))
    sent, wrong = trial.sent()
    others = [
        *staffing_differs(trial.lives, trial.books, trial.up, evidence.until),
        *alarms_differ(evidence, trial.lives),
    ]
    differences = [*trial.wrong, *others, *wrong, *_compared(owed, sent)]
    return Verdict(owed=len(owed), found=len(sent), differences=differences)


@dataclass(frozen=True)
class Sent:
    """One mail that left: which template it is, about which tickets."""

    mail: Mail
    template: str
    ticket: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """The tickets that a list names."""
        body = self.mail.text
        return tuple(sorted({int(n) for n in _NUMBER.findall(body)}))


class _Trial:
    def __init__(self, evidence: Evidence, books: Books) -> None:
        self.evidence, self.books = evidence, books
        self.lives: dict[int, Case] = {}
        self.wrong: list[str] = []

    def up(self, moment: datetime) -> datetime:
        """Return when the daemon could do what fell due then: at once, or when it was back."""
        for begin, end in self.evidence.outages:
            if begin < moment < end:
                return end
        return moment

    # --- what the tickets owe ---

    def cases(self) -> Iterator[Owed]:
        answered: dict[str, Owed] = {}
        levels = {(subject, at): level for at, _, subject, level in self.evidence.alarms}
        for number, shown in sorted(self.evidence.tickets.items()):
            case = self.lives[number] = Case(self.books, self.up, number, levels=levels)
            for cause, events, received, handled, text in _mails_of(shown):
                self._clock_runs(case, received, handled)
                if cause.startswith("clock:"):
                    case.placed(events, handled)
                    continue
                case.mail(events, received, handled, text, cause)
                if not any(e["kind"] == "MessageAdded" for e in events):
                    _from_a_list(answered, cause, events, handled, self.books)
            self._clock_runs(case, None, self.evidence.until)
            self.wrong += [
                f"INC-{number}: {w}" for w in (*case.wrong, *_clock_differs(case, shown), *_dues_differ(case, shown))
            ]
            yield from (o for o in case.owed if o.at <= self.evidence.until)
        yield from answered.values()

    def _clock_runs(self, case: Case, received: datetime | None, handled: datetime) -> None:
        """Let the clock do all that comes before a mail that was received and handled then (None: before the end)."""
        while (due := case.due()) is not None:
            now = max(self.up(due), case.past[-1][0])
            before_mail = received is not None and now >= handled
            if now > self.evidence.until or (before_mail and (received is None or due > min(received, handled))):
                return
            until = min(received, handled) if before_mail and received else now
            if not case.tick(until, handled if before_mail else now, before_mail=before_mail):
                return

    # --- what cannot be delivered, and what is owed for that ---

    def arriving(self, owed: list[Owed]) -> Iterator[Owed]:
        """Yield what can arrive; for what a mail server refuses, what is owed to others instead (docs/rules.md)."""
        lost: list[tuple[int, Owed]] = []
        for one in owed:
            if not self._refused(one.to, one.at):
                yield one
            elif one.ticket:
                lost += self._lost(one)
        told: dict[str, datetime] = {}
        for _, one in sorted(lost, key=lambda pair: pair[0]):
            lately = one.to in told and one.at - told[one.to] < DAY
            if not lately:
                told[one.to] = one.at
                yield from self._told_of(one)
            yield from (o for o in self._passed_on(one) if not self._refused(o.to, o.at))

    def _refused(self, address: str, moment: datetime) -> bool:
        return any(a == address and begin <= moment < end for a, begin, end in self.evidence.refused)

    def _lost(self, owed: Owed) -> Iterator[tuple[int, Owed]]:
        """Yield the mail with the number under which its ticket notes that it was refused."""
        for event in self.evidence.tickets[owed.ticket]["events"]:
            data = event["data"]
            if (
                event["kind"] == "NoticeFailed" and (data["address"], data["template"]) == (owed.to, owed.template)
                and abs(_utc(event["at"]) - owed.at) <= TOLERANCE
            ):  # fmt: skip
                yield int(data["notice"]), owed
                return
        self.wrong.append(f"INC-{owed.ticket}: does not say that {_named(owed)} was refused")

    def _told_of(self, lost: Owed) -> Iterator[Owed]:
        """Owe word of it to those at work, and to the desk where they are the ones who were not reached."""
        then = _Then(self.lives[lost.ticket].as_of(lost.at) or {})
        readers = self.books.audience("assignee_or_team", then)
        if lost.template in ("assignment", "notice_failed", "escalation", "new_reply"):
            readers += self.books.with_role("desk")
        others = [a for a in readers if a != lost.to] or self.books.with_role("desk")
        for to in dict.fromkeys(a for a in others if a != lost.to):
            yield Owed(lost.at, to, "notice_failed", lost.ticket, f"{lost.template} to {lost.to} was refused")

    def _passed_on(self, lost: Owed) -> Iterator[Owed]:
        """Owe the step to the next in line."""
        if lost.template != "escalation" or not lost.told_as:
            return
        then = _Then(self.lives[lost.ticket].as_of(lost.at) or {})
        day = lost.at.astimezone(ZoneInfo(SERVICE_ZONE)).date()
        for to, told_as in self.books.in_line(lost.told_as, then, day, lost.to).items():
            yield replace(lost, to=to, told_as=told_as, why=f"{lost.to} was refused", late=False, says=())

    # --- what the day and the week owe ---

    def duties(self) -> Iterator[Owed]:
        moments = [
            (due, name, place, day) for place in self.books.places() for name in _DUTIES
            for due, day in self._periods(name, self.books.hours(*place))
        ]  # fmt: skip
        last: dict[tuple[str, str], datetime] = {}
        for due, name, place, day in sorted(moments, key=lambda m: (m[0], list(_DUTIES).index(m[1]))):
            hours = self.books.hours(*place)
            done = self._done_at(name, hours, due, day)
            if done is None or done > self.evidence.until:
                continue
            yield from self._list(name, place, due, done, last.get(place))
            if name == "follow_up_result":
                last[place] = done

    def _periods(self, name: str, hours: Hours) -> Iterator[tuple[datetime, date]]:
        """Yield when this duty falls due within the time that is judged."""
        rule = self.books.duties[name]
        first, last = hours.today(self.evidence.since), hours.today(self.evidence.until)
        for n in range((last - first).days + 1):
            day = first + n * DAY
            bounds = hours.bounds(day)
            if bounds is None or ("weekday" in rule and not _its_turn(hours, day, rule["weekday"])):
                continue
            due = bounds[1] - duration(rule["before_end"]) if "before_end" in rule else None
            due = due or bounds[0] + duration(rule["after_start"])
            if self.evidence.since < due <= self.evidence.until:
                yield due, day

    def _done_at(self, name: str, hours: Hours, due: datetime, day: date) -> datetime | None:
        """Return when it was done, None where it came too late to be of use (docs/duties.md)."""
        back = self.up(due)
        opens_closes = hours.bounds(day)
        if hours.today(back) == day:
            too_late = name == "ask_action" and back >= opens_closes[1]
            return None if too_late else back
        if name in ("ask_action", "review_list"):
            return None
        weekly = name.startswith("follow_up")
        for number in range(1, 5 if weekly else 2):
            opens, closes = hours.bounds(hours.working_day(day, number))
            latest = closes if weekly else opens + timedelta(hours=3)
            if back <= latest:
                return self.up(max(back, opens))
        return None

    def _list(
        self, name: str, place: tuple[str, str], due: datetime, done: datetime, last: datetime | None
    ) -> Iterator[Owed]:
        here = {
            n: then for n, case in self.lives.items()
            if (then := case.as_of(done)) and self.books.place(then["customer"]) == place
        }  # fmt: skip
        chosen = {n: then for n, then in here.items() if self._belongs(name, n, then, done, last)}
        late = done - due > timedelta(minutes=30)
        for to, numbers in self._grouped(name, chosen).items():
            if name == "ask_action":
                yield from (Owed(done, to, _DUTIES[name], n, name, says=()) for n in numbers)
                continue
            if name == "follow_up":
                for n in numbers:
                    self.lives[n].asked.append(done)
            home = numbers[0] if name == "follow_up" or (name == "customer_list" and len(numbers) == 1) else 0
            yield Owed(done, to, _DUTIES[name], home, name, late, tuple(f"INC-{n}" for n in sorted(numbers)))

    def _belongs(self, name: str, number: int, then: dict[str, Any], done: datetime, last: datetime | None) -> bool:
        case = self.lives[number]
        fortnight = done - timedelta(days=14)
        match name:
            case "ask_action":
                return then["state"] in OPEN and then["state"] != "on_hold" and not then["action"]
            case "pm_list" | "customer_list":
                return then["state"] in OPEN
            case "review_list":
                return then["state"] == "pending_review"
            case "follow_up":
                closed = then["archived_at"] is not None and then["state"] == "archived"
                return closed and then["archived_at"] >= fortnight and not case.asked
            case _:
                news = [*case.asked, *case.rated]
                return any((last or fortnight) <= at <= done for at in news)

    def _grouped(self, name: str, chosen: dict[int, dict[str, Any]]) -> dict[str, list[int]]:
        audience = {"ask_action": "assignee_or_team", "customer_list": "requester", "follow_up": "requester"}
        readers: dict[str, list[int]] = defaultdict(list)
        for number, then in sorted(chosen.items()):
            for to in self.books.audience(audience.get(name, "pm"), _Then(then)):
                readers[to].append(number)
        return readers

    # --- what left ---

    def sent(self) -> tuple[list[Sent], list[str]]:
        """Return every mail that left with what it is, and what does not fit between the mails and the tickets."""
        known = {
            n["message_id"]: (n["template"], number, n["to"])
            for number, shown in self.evidence.tickets.items() for n in shown["notices"] if n["state"] == "sent"
        }  # fmt: skip
        sent, wrong = [], []
        for mail in self.evidence.mails:
            template, number, to = known.get(mail.message_id, (_template_of(mail.subject), 0, mail.to))
            sent.append(Sent(mail, template, number))
            if to != mail.to:
                wrong.append(f"INC-{number}: the ticket says that {template} went to {to}, but it went to {mail.to}")
        for gone in known.keys() - {m.message_id for m in self.evidence.mails}:
            wrong.append(f"INC-{known[gone][1]}: the ticket says that {known[gone][0]} was sent, but it never left")
        return sent, wrong


@dataclass
class _Then:
    """A ticket as it was, in the shape in which the books look at one."""

    then: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.then[name]


def _template_of(subject: str) -> str:
    return next((t for t, begins in _LISTS.items() if subject.startswith(begins)), f"unknown: {subject}")


def _its_turn(hours: Hours, day: date, weekday: str) -> bool:
    """Whether a weekly duty is done on this day: its own, or the next one that is worked within that week."""
    back = (day.weekday() - _WEEKDAYS.index(weekday)) % 7
    return not any(hours.bounds(day - n * DAY) for n in range(1, back + 1))


def _mails_of(shown: dict[str, Any]) -> Iterator[tuple[str, list[Event], datetime, datetime, str]]:
    """Yield what each mail did to a ticket, with when it came, when it was handled, and its words."""
    came = sorted((m for m in shown["messages"] if m["direction"] == "in"), key=lambda m: _utc(m["at"]))
    causes: dict[str, list[Event]] = defaultdict(list)
    for event in shown["events"]:
        by_dispatch = event["cause"].startswith("clock:") and event["data"].get("by") == "dispatch"
        if by_dispatch or (event["cause"].startswith("mail:") and not _CLOCKS.match(event["kind"])):
            causes[event["cause"]].append(event)
    for cause, events in causes.items():
        handled = _utc(events[0]["at"])
        alarms = [e["data"]["at"] for e in events if e["kind"] in ("AlertRepeated", "AlertRecovered")]
        received, text = _utc(alarms[0]) if alarms else handled, ""
        if any(e["kind"] == "MessageAdded" for e in events):
            message = came.pop(0)
            received, text = _utc(message["at"]), message["text"]
        yield cause, events, received, handled, text


def _from_a_list(answered: dict[str, Owed], cause: str, events: list[Event], now: datetime, books: Books) -> None:
    """Owe the one answer to a mail that commanded on tickets which it named."""
    by = next((e["data"]["by"] for e in events if e["data"].get("by") in books.people), "")
    if by and any(e["kind"] == "StateChanged" for e in events):
        answered[cause] = Owed(now, books.address(by), "transcript", 0, "commands on tickets named")


def _clock_differs(case: Case, shown: dict[str, Any]) -> Iterator[str]:
    """Yield where history tells otherwise what the clock did, or when."""
    kinds = {kind for kind, _ in case.clock_did} | {"StepReached", "Woken", "Reminded", "ClosedBySilence"}
    said = sorted((e["kind"], _utc(e["at"])) for e in shown["events"] if e["kind"] in kinds)
    mine = sorted(case.clock_did)
    for kind, at in _without(said, mine):
        yield f"history has {kind} at {_wall(at)}, which was not due"
    for kind, at in _without(mine, said):
        yield f"{kind} was due at {_wall(at)}, and history has none"


def _dues_differ(case: Case, shown: dict[str, Any]) -> Iterator[str]:
    """Yield where a ticket names another due time than the judge reckons."""
    for name, due in case.dues().items():
        said = _utc(shown[f"{name}_by"]) if shown[f"{name}_by"] else None
        if (due is None) != (said is None) or (due and said and abs(due - said) > TOLERANCE):
            mine, theirs = (_wall(m) if m else "never, for it stands still" for m in (due, said))
            yield f"{name} is due {mine}, but the ticket says {theirs}"


def _without(these: Iterable[Any], those: Iterable[Any]) -> list[Any]:
    left = list(those)
    found = []
    for one in these:
        near = next((x for x in left if x[0] == one[0] and abs(x[1] - one[1]) <= TOLERANCE), None)
        if near is None:
            found.append(one)
        else:
            left.remove(near)
    return found


# --- what monitoring tools wrote ---


def alarms_differ(evidence: Evidence, lives: dict[int, Case]) -> Iterator[str]:
    """Yield the mails of tools that no ticket knows of, or that are on the wrong one."""
    known: dict[tuple[str, datetime], int] = {}
    for number, shown in sorted(evidence.tickets.items()):
        for subject, at in _alarms_on(shown):
            known[subject, at] = number
            if _trouble(subject) != _trouble(shown["subject"]):
                yield f"INC-{number}: {subject} is another trouble than {shown['subject']}"
    for at, _, subject, _ in sorted(evidence.alarms):
        there = known.get((subject, at))
        same = [
            n
            for n, case in lives.items()
            if n != there and _trouble(evidence.tickets[n]["subject"]) == _trouble(subject)
        ]
        open_then = [n for n in same if (then := lives[n].as_of(at)) and then["state"] in OPEN]
        if there is None and (open_then or subject.startswith("Problem")):
            yield f"no ticket knows of the trouble that a tool wrote of at {_wall(at)}: {subject}"
        if there is not None and open_then:
            yield f"INC-{there}: {subject} belongs to INC-{open_then[0]}, which was open"


def _alarms_on(shown: dict[str, Any]) -> Iterator[tuple[str, datetime]]:
    for event in shown["events"]:
        data = event["data"]
        if event["kind"] == "Opened" and data["alert"]:
            yield data["subject"], _utc(data["reported_at"])
        if event["kind"] in ("AlertRepeated", "AlertRecovered"):
            yield data["subject"], _utc(data["at"])


def _trouble(subject: str) -> str:
    """Return what a tool's mail is about: all behind the word that says how it stands."""
    return subject.partition(": ")[2]


# --- comparing ---


def _compared(owed: list[Owed], sent: list[Sent]) -> Iterator[str]:
    """Yield every difference between what was owed and what left."""
    waiting: dict[tuple[str, str, int], list[Owed]] = defaultdict(list)
    for one in owed:
        waiting[one.template, one.to, one.ticket].append(one)
    strangers = []
    for mail in sorted(sent, key=lambda s: s.mail.at):
        there = waiting[mail.template, mail.mail.to, mail.ticket]
        match = next((o for o in there if abs(o.at - mail.mail.at) <= TOLERANCE), None)
        if match is None:
            strangers.append(mail)
            continue
        there.remove(match)
        yield from _reads_well(match, mail)
    missing = [o for there in waiting.values() for o in there]
    yield from _explained(missing, strangers)


def _reads_well(owed: Owed, mail: Sent) -> Iterator[str]:
    """Yield what a mail leaves unsaid."""
    words = f"{mail.mail.subject}\n{mail.mail.text}"
    if owed.late and not any(w in words for w in _SAYS_LATE):
        yield f"{_named(owed)} does not say that it is late"
    if owed.template in ("day_list", "open_list", "review_list", "follow_up", "follow_up_result"):
        named = tuple(f"INC-{n}" for n in mail.numbers)
        if sorted(named) != sorted(owed.says):
            yield f"{_named(owed)} should name {' '.join(owed.says)}, but names {' '.join(named)}"
        return
    for unsaid in (s for s in owed.says if not any(form in words for form in s.split("|"))):
        yield f"{_named(owed)} does not speak of {unsaid}"


def _explained(missing: list[Owed], strangers: list[Sent]) -> Iterator[str]:
    """Yield what is missing and what nobody owed; a pair of both is a mail at the wrong time or to the wrong person."""
    for owed in missing:
        same = [s for s in strangers if (s.template, s.ticket) == (owed.template, owed.ticket)]
        shifted = [s for s in same if s.mail.to == owed.to and abs(s.mail.at - owed.at) < LATE_MAIL]
        astray = [s for s in same if abs(s.mail.at - owed.at) <= TOLERANCE]
        if shifted:
            found = min(shifted, key=lambda s: abs(s.mail.at - owed.at))
            yield f"wrong time: {_named(owed)} left at {_wall(found.mail.at)}"
            strangers.remove(found)
        elif astray:
            yield f"wrong person: {_named(owed)} went to {astray[0].mail.to}"
            strangers.remove(astray[0])
        else:
            yield f"missing: {_named(owed)}"
    for mail in strangers:
        home = f"INC-{mail.ticket}" if mail.ticket else "no ticket"
        yield f"unexpected: {mail.template} to {mail.mail.to} at {_wall(mail.mail.at)} about {home}: {mail.mail.subject}"


def _named(owed: Owed) -> str:
    home = f"INC-{owed.ticket}" if owed.ticket else "no ticket"
    return f"{owed.template} to {owed.to} at {_wall(owed.at)} about {home} ({owed.why})"


def _wall(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _utc(words: str) -> datetime:
    return datetime.fromisoformat(words).astimezone(UTC)
