"""One ticket, lived through again by the judge: what people did is read from `ticket show`, what the clock owes is not.

What comes in: the JSON of a ticket, the books, and when the daemon was down. What goes out: every mail that was owed,
when, to whom. Nothing here is shared with ticketd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.month.books import SERVICE_ZONE, Books
from tests.month.hours import DAY, Hours, duration

ZERO = timedelta(0)
OPEN = ("new", "assigned", "in_progress", "on_hold")
ENDED = ("resolved", "pending_review", "archived")
SHUT = ("out_of_scope", "cancelled")
LATE_MAIL = timedelta(hours=24)
_FOR_CUSTOMERS = {"requester", "watchers"}
# One mail instead of two: the later one says what the first one would.
_SAYS_IT_TOO = {
    "taken_up": ("progress",), "resumed": ("progress",), "regraded": ("assignment", "alert_repeated"),
    "new_reply": ("reopened",), "reopened": ("alert_repeated",), "alert_repeated": ("assignment",),
    "assignment": ("queued", "scope_question"),
}  # fmt: skip
_ANSWERS = ("acknowledgement", "scope_refused", "scope_passed_on")
_TOLD_OTHERWISE = {"Opened", "Rated", "Insisted", "AlertRepeated", "AlertRecovered"}
_BY_NOBODY = "dispatch"
_THANKS = ("谢谢", "thanks")

Event = dict[str, Any]


@dataclass(frozen=True)
class Owed:
    """One mail that somebody must have got, at this moment; `late` if it must say so, `says` what it must speak of."""

    at: datetime
    to: str
    template: str
    ticket: int
    why: str = ""
    late: bool = False
    says: tuple[str, ...] = ()
    told_as: str = ""
    rank: tuple[int, int] = (0, 0)


@dataclass
class Count:
    """One promise being measured: what was used up to `mark`, and what was reached already."""

    name: str
    hours: Hours
    target: timedelta
    severity: int
    mark: datetime
    due: datetime
    running: bool = True
    stopped: bool = False
    used: timedelta = ZERO
    had: set[tuple[str, int]] = field(default_factory=set)
    foreseen: bool = False
    reminders: dict[str, datetime] = field(default_factory=dict)
    quiet_until: datetime | None = None

    def used_at(self, moment: datetime) -> timedelta:
        return self.used + (self.hours.between(self.mark, moment) if self.running else ZERO)

    def when(self, amount: timedelta) -> datetime:
        """Return when so much of the target will have been used."""
        return self.hours.add(self.mark, amount - self.used)

    def rests(self, moment: datetime) -> None:
        self.used, self.mark, self.running = self.used_at(moment), moment, False

    def turns(self, step: dict[str, Any], until: datetime) -> Iterator[datetime]:
        """Yield when a reminder comes after the breach, up to the first time after `until`."""
        number = 0
        while True:
            number += 1
            if step["every"] % DAY == ZERO and not self.hours.always:
                moment = self.hours.daily(self.due, step["every"] // DAY, number)
            else:
                moment = self.hours.add(self.due, step["every"] * number)
            yield moment
            if moment > until:
                return


@dataclass(frozen=True)
class Given:
    """What dispatch did with a ticket by itself: to whom it went ("": it waits), and how the ticket was just then."""

    at: datetime
    cause: str
    ticket: int
    then: dict[str, Any]
    to: str


@dataclass
class Alert:
    """What was heard of the trouble that a monitoring tool reported: when those at work were told of what."""

    recovered: bool = False
    told: datetime | None = None
    told_back: datetime | None = None
    told_over: datetime | None = None


@dataclass
class Case:
    """The ticket as it is at some moment of its life."""

    books: Books
    up: Callable[[datetime], datetime]
    number: int = 0
    state: str = ""
    customer: str = ""
    requester: str = ""
    watchers: tuple[str, ...] = ()
    category: str = ""
    severity: int = 4
    team: str = ""
    assignee: str = ""
    former: str = ""
    liaison: str = ""
    line: int = 1
    by_tool: bool = False
    insisted: bool = False
    refused_for_good: bool = False
    alert: Alert = field(default_factory=lambda: Alert())
    levels: Mapping[tuple[str, datetime], str] = field(default_factory=dict)
    opened_as: tuple[str, datetime] = ("", datetime.min)
    answered: bool = False
    hold_reason: str = ""
    hold_until: datetime | None = None
    said: str = ""
    hold_said: str = ""
    counts: dict[str, Count] = field(default_factory=dict)
    silence: dict[str, datetime] = field(default_factory=dict)
    archived_at: datetime | None = None
    solved_at: datetime | None = None
    asked: list[datetime] = field(default_factory=list)
    rated: list[datetime] = field(default_factory=list)
    hinted: set[str] = field(default_factory=set)
    owed: list[Owed] = field(default_factory=list)
    past: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    clock_did: list[tuple[str, datetime]] = field(default_factory=list)

    # --- what the clock will bring about next ---

    def due(self) -> datetime | None:
        """Return when the clock has to look at this ticket next."""
        moments = [at for at, _, _, _ in self._steps()]
        moments += [self.hold_until] if self.state == "on_hold" and self.hold_until else []
        moments += [self._silence_due()] if self.silence else []
        return min(moments, default=None)

    def _silence_due(self) -> datetime:
        return self.silence["close"] if "reminded" in self.silence else self.silence["remind"]

    def _steps(self) -> list[tuple[datetime, Count, dict[str, Any], bool]]:
        """Return each step to come: when, of which clock, and whether it comes early."""
        found = []
        for count in self.counts.values():
            if count.running:
                found += [(at, count, step, early) for at, step, early in self._steps_of(count)]
        return sorted(found, key=lambda f: f[0])

    def _steps_of(self, count: Count) -> list[tuple[datetime, dict[str, Any], bool]]:
        steps = [s for s in self.books.steps(self.customer, self.severity) if s["clock"] == count.name]
        once = [
            (count.when(_amount(s, count.target)), s)
            for s in steps
            if not s["every"] and (s["key"], self.severity) not in count.had
        ]
        again = [(count.reminders[s["key"]], s, False) for s in steps if s["every"]]
        early = self._foreseen(count)
        ahead = [(at, s) for at, s in once if early and at > early]
        first = min(ahead, key=lambda a: a[0])[1] if ahead else None
        return [(early if early and s is first else at, s, s is first) for at, s in once] + again

    def _foreseen(self, count: Count) -> datetime | None:
        """Return when the target is as good as missed, if nobody is at work and it was not foreseen before."""
        rule = self.books.level(self.customer).get("forecast")
        if not rule or count.foreseen or self.state == "in_progress":
            return None
        if count.name == "respond":
            return count.when(count.target * rule["untaken"] / 100) if rule.get("untaken") else None
        usual = _usual(rule, self.severity, self.category)
        return count.when(count.target - usual) if usual and usual < count.target else None

    # --- the clock's turn ---

    def tick(self, until: datetime, now: datetime, *, before_mail: bool = False) -> bool:
        """Do what fell due until then, noticed now, in one go; return whether there was anything."""
        events, at = self._reached(until, now), until
        if self.state == "on_hold" and self.hold_until and self.hold_until <= until:
            at = self.hold_until
            self.clock_did.append(("Woken", now))
            self._moves("in_progress", at)
            events.append({"kind": "Woken"})
            events.append({"kind": "StateChanged", "data": {"verb": "resume", "new": "in_progress", "by": "clock"}})
        elif self.silence and self._silence_due() <= until:
            events += self._silence_over(now, before_mail=before_mail)
        if not events:
            return False
        self._clocks(at)
        events += self._reached(at, now)
        self._announce(events, now)
        self._note(now)
        return True

    def _reached(self, until: datetime, now: datetime) -> list[Event]:
        found: list[Event] = []
        for at, count, step, early in self._steps():
            if at > until:
                continue
            true_due = count.when(_amount(step, count.target)) if not step["every"] else at
            if step["every"]:
                turns = [t for t in count.turns(step, until)]
                count.reminders[step["key"]] = turns[-1]
                true_due = max([true_due, *turns[:-1]])
            else:
                count.had.add((step["key"], self.severity))
                count.foreseen = count.foreseen or early
            self.clock_did.append(("StepReached", now))
            says = f"{step['percent']}%" if 0 < step["percent"] < 100 and not early and not step["every"] else ""
            late = now - true_due >= timedelta(minutes=1)
            repeat = len(turns) - 1 if step["every"] else 0
            found.append({"kind": "StepReached", "step": step, "late": late, "says": says, "repeat": repeat})
        return found

    def _silence_over(self, now: datetime, *, before_mail: bool) -> list[Event]:
        """Ask once more, or take the silence for consent. A mail that waits to be read may be the answer."""
        if "reminded" not in self.silence:
            if before_mail:
                return []
            late = now - self.silence["remind"] > timedelta(hours=1)
            if late:
                hours = self._place()
                close = hours.bounds(hours.working_day(hours.today(now), 1))
                self.silence["close"] = max(self.silence["close"], close[1])
            self.silence["reminded"] = now
            self.clock_did.append(("Reminded", now))
            return [{"kind": "Reminded", "late": late}]
        self.clock_did.append(("ClosedBySilence", now))
        self._moves("pending_review", now)
        return [{"kind": "StateChanged", "data": {"verb": "confirm", "new": "pending_review", "by": "clock"}}]

    def _place(self) -> Hours:
        return self.books.hours(*self.books.place(self.customer))

    # --- people's turn ---

    def mail(self, events: list[Event], received: datetime, handled: datetime, text: str, cause: str = "") -> None:
        """Live through what one mail did."""
        at = handled if handled - received > LATE_MAIL else min(received, handled)
        said = next((e["data"] for e in events if e["kind"] == "MessageAdded"), None)
        author = said["author"] if said else ""
        self._check_scope(events, author, text)
        for event in events:
            if event["kind"] in ("AlertRepeated", "AlertRecovered"):
                self._hears_of_alert(event, events)
        for event in events:
            self._is_given(event, handled, cause)
            self._does(event, at)
            if event["kind"] == "EscalationAsked":
                self._asked_for(event)
        self._clocks(at)
        own = [*events, *self._reached(at, handled)]
        withheld = handled - received > LATE_MAIL
        self._check_withheld(events, withheld=withheld)
        actor = self.books.by_address.get(author, "") or _by(events)
        self._announce(own, handled, actor=actor, text=text, withheld=withheld)
        self._answer(events, said, text, handled, withheld=withheld)
        self._note(handled, cause)

    def placed(self, events: list[Event], at: datetime) -> None:
        """Live through what dispatch did: somebody was given what had waited."""
        for event in events:
            self._is_given(event, at, "queue")
            self._does(event, at)
        self._clocks(at)
        self._announce([*events, *self._reached(at, at)], at)
        self._note(at, "queue")

    def _is_given(self, event: Event, now: datetime, cause: str) -> None:
        """Note that dispatch gave it to somebody, or to nobody for the time being: whether rightly is judged later."""
        data = event["data"]
        if event["kind"] == "Queued" or (event["kind"] == "Assigned" and data["by"] == _BY_NOBODY):
            to = data["assignee"] if event["kind"] == "Assigned" else ""
            self.given.append(Given(now, cause, self.number, self._kept(), to))

    def _does(self, event: Event, at: datetime) -> None:
        data, kind = event["data"], event["kind"]
        match kind:
            case "Opened":
                self._opens(data)
            case "Routed":
                self._is_routed(data)
            case "Rejected":
                self.state = "out_of_scope"
            case "ScopeDoubted":
                self.state, self.team, self.assignee = "new", "", ""
            case "Insisted":
                self.insisted = True
            case "HandedUp" if data["line"] == 3:
                self.liaison = self.former or data["by"]
            case "StateChanged":
                self._moved_by(data, at)
            case "Assigned":
                self.former, self.team, self.assignee = self.assignee, data["team"], data["assignee"]
                self.liaison, self.line = "", data["line"]
            case "Returned":
                self.team = self.assignee = ""
            case "ProgressTold":
                self.answered, self.said = True, data["text"]
            case "Graded" if data["field"] == "severity":
                self.severity = int(data["new"])
            case "Graded" if data["field"] == "category":
                self.category = data["new"]
            case "Rated":
                self.rated.append(at)
            case "EscalationAcknowledged":
                self._quiet(at)

    def _opens(self, data: dict[str, Any]) -> None:
        self.customer, self.requester, self.by_tool = data["customer"], data["requester"], bool(data["alert"])
        if self.by_tool:
            self.opened_as = (data["subject"], datetime.fromisoformat(data["reported_at"]))
            self.alert.told = self.opened_as[1]

    def _is_routed(self, data: dict[str, Any]) -> None:
        self.category, self.team, self.assignee = data["category"], data["team"], data["assignee"]
        self.watchers = tuple(data["watchers"])
        self.severity = self.books.files["categories"]["matrix"][data["impact"]][data["urgency"]]
        self.line = data["line"]
        if self.by_tool:
            tool = self.books.tool_at(self.requester)
            self.severity = min(self.severity, self._level(tool, *self.opened_as))
        self.state = "assigned" if self.team else "new"
        if self.severity != int(data["severity"]):
            self.wrong.append(
                f"severity {data['severity']}, but {data['impact']} × {data['urgency']} is {self.severity}"
            )

    def _moved_by(self, data: dict[str, Any], at: datetime) -> None:
        if data["verb"] == "outofscope":
            self.refused_for_good = self.insisted
        if data["verb"] == "inscope":
            self.insisted = self.refused_for_good = False
        if data["verb"] in ("reopen", "reject", "return"):
            self.said = ""
        self._moves(data["new"], at)
        if data["new"] == "on_hold":
            self.hold_reason, self.hold_said = data["hold_reason"], data["text"]
            self.hold_until = datetime.fromisoformat(data["hold_until"]) if data["hold_until"] else None

    def _moves(self, new: str, at: datetime) -> None:
        self.state, self.hold_reason, self.hold_until, self.hold_said = new, "", None, ""
        self.answered = self.answered or new == "in_progress"
        self.silence = {}
        if new == "archived":
            self.archived_at = at
        if new == "resolved":
            self.solved_at = at
            hours = self._place()
            rule = self.books.duties["closing_by_silence"]
            first, last = rule["after_days"] - rule["remind_days_before"], rule["after_days"]
            opens = hours.bounds(hours.working_day(hours.today(at), first))
            closes = hours.bounds(hours.working_day(hours.today(at), last))
            self.silence = {"remind": opens[0], "close": closes[1]}

    # --- what a monitoring tool says, and who hears of it (docs/alerts.md) ---

    def _level(self, tool: dict[str, Any], subject: str, at: datetime) -> int:
        """Return the severity of what the tool wrote then; 4, which raises nothing, where it names none."""
        return tool["severity"].get(self.levels.get((subject, at), ""), 4)

    def _hears_of_alert(self, event: Event, events: list[Event]) -> None:
        """Find out whether those at work are to hear of it, and whether the ticket moves as it should."""
        data = event["data"]
        at, tool = datetime.fromisoformat(data["at"]), self.books.tool(data["by"])
        moved = {e["data"]["verb"] for e in events if e["kind"] == "StateChanged"}
        if event["kind"] == "AlertRepeated":
            event["told"] = self._is_told_again(data, tool, at, raised=any(e["kind"] == "Graded" for e in events))
            self._should("reopen", moved, self.state in ENDED)
            return
        news = self.state in OPEN and not self.alert.recovered
        event["told"] = news and _a_day_since(self.alert.told_over, at)
        solves = tool.get("on_recovery") == "resolve" and self.state in OPEN and _a_day_since(self.alert.told_back, at)
        self._should("resolve", moved, solves)
        self.alert.recovered = True
        self.alert.told_over = at if event["told"] else self.alert.told_over

    def _is_told_again(self, data: dict[str, Any], tool: dict[str, Any], at: datetime, *, raised: bool) -> bool:
        worse = self._level(tool, data["subject"], at) < self.severity
        if worse != raised:
            self.wrong.append(f"severity {self.severity} was {'' if raised else 'not '}raised by {data['subject']}")
        again, alert = self.state in ENDED, self.alert
        back = again or alert.recovered
        told = again or worse or (back and _a_day_since(alert.told_back, at)) or _a_day_since(alert.told, at)
        alert.recovered = False
        if told:
            alert.told, alert.told_back = at, at if back else alert.told_back
        return told

    def _should(self, verb: str, moved: set[str], wanted: bool) -> None:
        if wanted != (verb in moved):
            self.wrong.append(f"a monitoring tool {'did not ' if wanted else 'did '}{verb} it")

    # --- what is outside the contract (docs/scope.md) ---

    def _check_scope(self, events: list[Event], author: str, text: str) -> None:
        """Find out whether a report is refused, doubted or insisted on as it should be."""
        by_kind = {e["kind"]: e["data"] for e in events}
        if routed := by_kind.get("Routed"):
            opened = by_kind["Opened"]
            wanted = self.books.outside(opened["customer"], routed["category"], by_tool=bool(opened["alert"]))
            found = "refuse" if "Rejected" in by_kind else "ask_desk" if "ScopeDoubted" in by_kind else ""
            if wanted != found:
                self.wrong.append(f"the contract says {wanted or 'accept'}, but it was {found or 'accepted'}")
        elif author == self.requester and "#" not in text:
            meant = not any(w in text.lower() for w in _THANKS)
            wants = self.state == "out_of_scope" and meant and not self.insisted and not self.refused_for_good
            if wants != ("Insisted" in by_kind):
                self.wrong.append(f"the requester {'insists' if wants else 'does not insist'}, which is not seen")

    # --- clocks ---

    def _clocks(self, at: datetime) -> None:
        """Let the clocks agree with what the ticket has become."""
        level = self.books.level(self.customer)["targets"][self.severity]
        for name in ("respond", "resolve"):
            wanted, count = self._wanted(name), self.counts.get(name)
            if count is None and wanted == "run":
                self.counts[name] = self._started(name, duration(level[name]), at)
            elif count and wanted != "run":
                if count.running:
                    count.rests(at)
            elif count:
                self._runs(count, duration(level[name]), at)

    def _wanted(self, name: str) -> str:
        if self.state in (*ENDED, *SHUT) or (name == "respond" and self.answered):
            return "rest"
        return "rest" if self.state == "on_hold" and self.hold_reason in self.books.stops else "run"

    def _started(self, name: str, target: timedelta, at: datetime) -> Count:
        hours = self.books.counted_on(self.customer, self.severity)
        count = Count(name, hours, target, self.severity, at, hours.add(at, target))
        self._remind_anew(count, at)
        return count

    def _runs(self, count: Count, target: timedelta, at: datetime) -> None:
        hours = self.books.counted_on(self.customer, self.severity)
        changed = (count.severity, count.target, count.hours) != (self.severity, target, hours)
        if count.running and not changed:
            return
        used = count.used_at(at)
        if changed and self.severity >= count.severity:  # told on record before, and graver it has not become
            count.had |= {(s["key"], self.severity) for s in self._on_record()}
        if self.severity < count.severity:
            count.quiet_until = None  # whoever acknowledged has not heard that it is graver
        late = used >= count.target and not changed
        count.used, count.mark, count.running = used, at, True
        count.hours, count.target, count.severity = hours, target, self.severity
        if not late:
            count.due = hours.add(at, target - used)
        self._remind_anew(count, at)

    def _on_record(self) -> list[dict[str, Any]]:
        return [s for s in self.books.steps(self.customer, self.severity) if s["on_record"]]

    def _remind_anew(self, count: Count, at: datetime) -> None:
        for step in self.books.steps(self.customer, self.severity):
            if step["every"] and step["clock"] == count.name:
                *_, turn = count.turns(step, at)
                count.reminders[step["key"]] = max(turn, count.quiet_until or turn)

    def _quiet(self, at: datetime) -> None:
        """Keep the reminders away for a while, since somebody has acknowledged."""
        for count in (c for c in self.counts.values() if c.running):
            steps = [
                s for s in self.books.steps(self.customer, self.severity) if s["every"] and s["clock"] == count.name
            ]
            if not steps:
                continue
            quiet = max(s["quiet"] for s in steps)
            if quiet % DAY == ZERO and not count.hours.always:
                day = count.hours.working_day(count.hours.today(at), quiet // DAY)
                until = count.hours.bounds(day)[0]
            else:
                until = count.hours.add(at, quiet)
            count.quiet_until = until
            for step in steps:
                count.reminders[step["key"]] = max(count.reminders[step["key"]], until)

    def _asked_for(self, event: Event) -> dict[str, Any]:
        """Reach the next step because somebody asked for it; reminders only where nothing else is left."""
        ahead = [
            (bool(s["every"]), (s["every"] and at) or c.when(_amount(s, c.target)), c, s)
            for at, c, s, _ in self._steps()
        ]
        if not ahead:
            event["step"] = {"tell": ["lead", "pm"], "percent": 0, "every": None, "key": "none left"}
            return event["step"]
        _, _, count, step = min(ahead, key=lambda a: a[:2])
        if not step["every"]:
            count.had.add((step["key"], self.severity))
        event["step"] = step
        return step

    # --- which mails follow ---

    def _announce(
        self, events: list[Event], now: datetime, *, actor: str = "", text: str = "", withheld: bool = False
    ) -> None:
        owed: dict[tuple[str, str], Owed] = {}
        refused = any(e["kind"] == "Rejected" for e in events)
        for event in events:
            if refused and event["kind"] == "Opened":
                continue  # what is refused at once is not also received and handed out
            if event["kind"] == "MessageAdded" and not _worth_passing_on(events, event, text, self.books):
                continue
            for entry in self._entries(event):
                for to, told_as in self._readers(entry, event, now).items():
                    own = actor and self.books.by_address.get(to) == actor and not _by_dispatch(event)
                    if own or _waited_in_vain(to, event):
                        continue
                    self._owe(owed, entry["template"], to, event, now, told_as)
        for (template, to), one in owed.items():
            answer = template in _ANSWERS and (events[0]["kind"] == "Opened" or template == "scope_passed_on")
            said_too = any((other, to) in owed for other in _SAYS_IT_TOO.get(template, ()))
            if not said_too and not (answer and withheld):
                self.owed.append(one)

    def _owe(
        self, owed: dict[tuple[str, str], Owed], template: str, to: str, event: Event, now: datetime, told_as: str
    ) -> None:
        before = owed.get((template, to))
        says = ((event["says"],) if event.get("says") else ()) + self._promised(template)
        late = bool(event.get("late")) and (before is None or before.late)
        why = event["kind"] + (f" {event['step']['key']}" if "step" in event else "")
        rank = (event["step"]["percent"], event.get("repeat", 0)) if event["kind"] == "StepReached" else (0, 0)
        if before:
            says, why = (*before.says, *says), f"{before.why} + {why}"
            if rank <= before.rank or "EscalationAsked" in before.why:
                rank, told_as = before.rank, before.told_as
        owed[template, to] = Owed(now, to, template, self.number, why, late, says, told_as, rank)

    def _promised(self, template: str) -> tuple[str, ...]:
        """Return the times that a mail to a customer has to name."""
        if template == "acknowledgement":
            return tuple(words for count in self.counts.values() for words in _spoken(count.due))
        close = template in ("resolved", "confirm_reminder") and self.silence
        return _spoken(self.silence["close"]) if close else ()

    def dues(self) -> dict[str, datetime | None]:
        """Return when each promise falls due, None while its clock stands still."""
        over = {"respond": self.answered or self.state in ENDED, "resolve": self.state in ENDED}
        return {name: c.due if c.running or over[name] else None for name, c in self.counts.items()}

    def _entries(self, event: Event) -> list[dict[str, Any]]:
        data = event.get("data", {})
        if not event.get("told", True):
            return []
        return [
            e for e in self.books.announcements
            if e["event"] == event["kind"]
            and ("field" not in e or e["field"] == data.get("field"))
            and ("state" not in e or e["state"] == data.get("new"))
            and ("verbs" not in e or data.get("verb") in e["verbs"])
        ]  # fmt: skip

    def _readers(self, entry: dict[str, Any], event: Event, now: datetime) -> dict[str, str]:
        names = [n for name in entry["to"] for n in (event["step"]["tell"] if name == "step" else [name])]
        day = now.astimezone(ZoneInfo(SERVICE_ZONE)).date()
        found: dict[str, str] = {}
        if "assignee_or_team" in names:  # while none of those at work is there, the next in line hears of it too
            deputies = self.books.in_line(self.books.at_work(self), self, day) or self.books.with_role("desk")
            found = dict.fromkeys(deputies, "")
        for name in names:
            cannot_wait = "step" in event or event["kind"] == "Insisted"
            in_line = self.books.in_line(name, self, day) if cannot_wait else {}
            found = {
                **in_line,
                **dict.fromkeys([] if cannot_wait else self.books.audience(name, self), ""),
                **found,
            }
        return found or dict.fromkeys([] if set(names) <= _FOR_CUSTOMERS else self.books.with_role("desk"), "")

    def _answer(
        self, events: list[Event], said: dict[str, Any] | None, text: str, now: datetime, *, withheld: bool
    ) -> None:
        """Owe the answer to whoever commanded, and once to one of ours whose words stay among us."""
        if said is None or withheld:
            return
        ours = said["author"] in self.books.by_address
        commanded = any(line.lstrip().startswith("#") for line in text.splitlines())
        opens = any(e["kind"] == "Opened" for e in events)
        if commanded and not opens:
            self.owed.append(Owed(now, said["author"], "transcript", self.number, "commands"))
        elif ours and not opens and text.strip() and said["author"] not in self.hinted:
            self.hinted.add(said["author"])
            self.owed.append(Owed(now, said["author"], "transcript", self.number, "words without a keyword"))

    def _check_withheld(self, events: list[Event], *, withheld: bool) -> None:
        for event in events:
            if event["kind"] == "AnswerWithheld" and not withheld and not self.by_tool:
                self.wrong.append(f"an answer was withheld: {event['data']['reason']}")

    def _note(self, now: datetime, cause: str = "clock") -> None:
        self.past.append((now, self._kept()))
        self.causes.append(cause)

    def _kept(self) -> dict[str, Any]:
        action = self.said or (self.hold_said if self.state == "on_hold" else "")
        names = ("state", "customer", "requester", "assignee", "team", "watchers", "category", "archived_at",
                 "solved_at", "by_tool", "insisted", "liaison", "severity", "line",
                 "hold_reason")  # fmt: skip
        kept = {name: getattr(self, name) for name in names}
        return {**kept, "action": action, "resolve_by": self.dues().get("resolve")}

    def as_of(self, moment: datetime) -> dict[str, Any] | None:
        """Return what the ticket was then, None before it was there."""
        return next((kept for at, kept in reversed(self.past) if at <= moment), None)


def _amount(step: dict[str, Any], target: timedelta) -> timedelta:
    return step["after"] if step["after"] is not None else target * step["percent"] / 100


def _spoken(moment: datetime) -> tuple[str, str]:
    """Return the day and the time of day as a mail names them, in either language."""
    local = moment.astimezone(ZoneInfo(SERVICE_ZONE))
    return f"{local.month}月{local.day}日|{local.day} {local:%b}", f"{local:%H:%M}"


def _usual(rule: dict[str, Any], severity: int, category: str) -> timedelta | None:
    words = (rule.get("categories") or {}).get(category) or (rule.get("typical") or {}).get(severity)
    return duration(words) if words else None


def _by(events: list[Event]) -> str:
    return next((e["data"]["by"] for e in events if e["data"].get("by")), "")


def _by_dispatch(event: Event) -> bool:
    """Whether nobody of ours decided this: then even who caused it has to be told."""
    return event["kind"] == "Queued" or event.get("data", {}).get("by") == _BY_NOBODY


def _a_day_since(moment: datetime | None, at: datetime) -> bool:
    return moment is None or at - moment >= DAY


def _waited_in_vain(to: str, event: Event) -> bool:
    data = event.get("data", {})
    return event["kind"] == "StateChanged" and data.get("verb") == "resume" and data.get("by") in (to, "clock")


def _worth_passing_on(events: list[Event], event: Event, text: str, books: Books) -> bool:
    """Whether the words of a mail are told by a mail of their own: not those that open a ticket or rate one."""
    if any(e["kind"] in _TOLD_OTHERWISE for e in events):
        return False
    if "vendor" in books.people.get(books.by_address.get(event["data"]["author"], ""), {}).get("roles", ()):
        return True  # who answers for a vendor reads all of what they write
    refused = any(e["kind"] == "CommandsRefused" for e in events) and event["data"]["author"] not in books.by_address
    return refused or any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())
