"""Words for people about clocks: why something is due then, who will hear what and when, what the timetable says.

What comes in: a ticket with its history, or the Rulebook. What goes out: plain data, and the same as sentences in
Chinese or English. Looking ahead asks the very functions that the daemon asks. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from daemon.closing import CLOCK
from daemon.decide import tick
from daemon.events import (
    ClockPaused,
    ClockResumed,
    ClockRetimed,
    ClockStarted,
    ClockStopped,
    Event,
    MajorUpdateOwed,
    Routed,
    StepPassedOn,
    StepReached,
)
from daemon.notify.notice import Notice
from daemon.notify.notices import Scene, choose_notices
from daemon.plain import iso
from daemon.rulebook import Calendar, Rulebook, ServiceLevel, Step
from daemon.service import Service
from daemon.sla import Measure
from daemon.ticket import Clock, Segment, Ticket
from daemon.words import Severity

History = Iterable[tuple[int, Event, datetime, str]]
_MOST_TURNS = 200
_REMINDERS = 3
"""How many reminders after a breach a look ahead shows; they go on for ever."""
_MINUTE = timedelta(minutes=1)


# --- why is it due then? ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in which a clock ran or stood still: since when, until when (None: still), why, by whom, and what it cost.

    `cause` is the mail or tick that brought it about, as history names it.
    """

    runs: bool
    since: datetime
    until: datetime | None
    why: str
    by: str
    cause: str
    used: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStory:
    """One promise, and how its time was used. `due_at` is None while the clock stands still; `met` until it stopped.

    `chosen_by`: the rules that matched where one of them chose the service level, and not the customer's contract.
    """

    clock: Clock
    calendar: Calendar
    zone: str
    stretches: tuple[Stretch, ...]
    used: timedelta
    due_at: datetime | None
    chosen_by: tuple[str, ...] = ()

    @property
    def left(self) -> timedelta:
        """What is left of the target; less than nothing once it is missed."""
        return self.clock.target - self.used


def clock_stories(
    ticket: Ticket, history: History, rulebook: Rulebook, zone: str, now: datetime
) -> tuple[ClockStory, ...]:
    """Return the story of each clock of a ticket; `zone` is the service's."""
    events = list(history)
    by_rule = _chosen_by(events) if ticket.service_level else ()
    stories = (_story(clock, events, Measure(rulebook, zone), now) for clock in ticket.clocks)
    return tuple(replace(s, chosen_by=by_rule if s.clock.level == ticket.service_level else ()) for s in stories)


def _chosen_by(events: History) -> tuple[str, ...]:
    """Return the rules that matched when one of them chose the service level."""
    return next((e.because for _, e, _, _ in events if isinstance(e, Routed) and e.level), ())


def _story(clock: Clock, events: History, measure: Measure, now: datetime) -> ClockStory:
    calendar = measure.calendar_of(clock)
    stands = not clock.running and clock.met is None
    return ClockStory(
        clock=clock,
        calendar=calendar,
        zone=calendar.zone or measure.zone,
        stretches=tuple(_stretches(clock, events, measure, now)),
        used=measure.used(clock, now),
        due_at=None if stands else clock.due_at,
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """A moment at which a clock began to run, to stand still, or to count otherwise."""

    at: datetime
    runs: bool | None
    why: str
    by: str
    cause: str
    calendar: str = ""
    zone: str = ""


def _stretches(clock: Clock, events: History, measure: Measure, now: datetime) -> Iterator[Stretch]:
    turns = [t for t in _turns(clock.name, events)]
    running, calendar, zone = False, clock.calendar, clock.zone
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        running = running if turn.runs is None else turn.runs
        calendar, zone = turn.calendar or calendar, turn.zone if turn.calendar else zone
        until = following.at if following else None
        if until == turn.at or (until is None and turn.why == "stopped"):
            continue
        segment = Segment(since=turn.at, until=until, calendar=calendar, zone=zone)
        used = measure.length(clock, segment, now) if running else timedelta(0)
        yield Stretch(runs=running, since=turn.at, until=until, why=turn.why, by=turn.by, cause=turn.cause, used=used)


def _turns(name: str, events: History) -> Iterator[_Turn]:
    """Yield the turns of one clock; who did it is who did the last thing for the same cause."""
    by = cause = ""
    for _, event, at, because in events:
        by = str(getattr(event, "by", "")) or (by if because == cause else "")
        cause = because
        if getattr(event, "clock", "") != name:
            continue
        match event:
            case ClockStarted():
                yield _Turn(event.started_at, True, "started", by, cause, event.calendar, event.zone)
            case ClockPaused():
                yield _Turn(event.at, False, event.reason, by, cause)
            case ClockResumed():
                yield _Turn(event.at, True, "resumed", by, cause)
            case ClockRetimed():
                yield _Turn(event.at or at, None, event.reason, by, cause, event.calendar, event.zone)
            case ClockStopped():
                yield _Turn(event.at, False, "stopped", by, cause)
            case _:
                pass


def why_data(stories: Iterable[ClockStory], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the stories as plain data, times in ISO 8601 and durations in seconds."""
    return [
        {
            "clock": s.clock.name,
            "target_seconds": _seconds(s.clock.target),
            "service_level": s.clock.level,
            "chosen_by": list(s.chosen_by),
            "severity": s.clock.severity or None,
            "calendar": s.calendar.key,
            "zone": s.zone,
            "used_seconds": _seconds(s.used),
            "left_seconds": _seconds(s.left),
            "due_at": iso(s.due_at, zone),
            "running": s.clock.running,
            "met": s.clock.met,
            "stretches": [
                {
                    "runs": x.runs, "since": iso(x.since, zone), "until": iso(x.until, zone), "why": x.why,
                    "by": x.by, "cause": x.cause, "used_seconds": _seconds(x.used),
                }
                for x in s.stretches
            ],
        }
        for s in stories
    ]  # fmt: skip


def why_lines(stories: Iterable[ClockStory], zone: ZoneInfo, language: str, now: datetime) -> Iterator[str]:
    """Yield the stories as sentences."""
    says = _SAYS[language]
    for s in stories:
        yield says[s.clock.name] + says["promise"].format(
            target=span(s.clock.target, language), calendar=calendar_words(s.calendar, s.zone, language)
        )
        if s.clock.level:
            yield "  " + says["source"].format(level=s.clock.level, severity=s.clock.severity)
        if s.chosen_by:
            yield "  " + says["by_rule"].format(rules=", ".join(s.chosen_by))
        for x in s.stretches:
            yield f"  {_stretch_line(x, zone, language)}"
        yield from (f"  {line}" for line in _days_off(s, language, now))
        yield "  " + says["used"].format(used=span(s.used, language), target=span(s.clock.target, language))
        yield "  " + _end_line(s, zone, language, now)


def _stretch_line(x: Stretch, zone: ZoneInfo, language: str) -> str:
    says = _SAYS[language]
    until = _wall(x.until, zone) if x.until else says["still"]
    known = {"started", "resumed", "customer", "vendor", "change", "date", "approval", "stopped", "out_of_scope",
             "cancelled"}  # fmt: skip
    why = says[x.why] if x.why in known else says["retimed"].format(_change_words(x.why, language))
    who = says["clock"] if x.by == CLOCK else ", ".join(part for part in (x.by, x.cause) if part)
    cost = span(x.used, language) if x.runs else "–"
    return f"{says['run'] if x.runs else says['pause']}  {_wall(x.since, zone)} – {until:16}  {cost}  {why} ({who})"


def _change_words(reason: str, language: str) -> str:
    """Return why a promise changed in this language; history keeps it in English."""
    says = _SAYS[language]
    for word in ("rules of severity", "severity", "contract"):
        reason = reason.replace(f"{word} ", f"{says[word]} ")
    return reason


def _days_off(s: ClockStory, language: str, now: datetime) -> Iterator[str]:
    """Yield the holidays and the make-up working days between the beginning and the end of the count."""
    if s.calendar.always or not s.stretches:
        return
    first = s.stretches[0].since.astimezone(ZoneInfo(s.zone)).date()
    last = (s.due_at or now).astimezone(ZoneInfo(s.zone)).date()
    for key, days in (("holidays", s.calendar.holidays), ("workdays", s.calendar.workdays)):
        within = sorted(d for d in days if first <= d <= last)
        if within:
            yield _SAYS[language][key].format(", ".join(_ranges(within)))


def _ranges(days: list[date]) -> Iterator[str]:
    for _, run in groupby(enumerate(days), key=lambda pair: pair[1].toordinal() - pair[0]):
        dates = [day for _, day in run]
        yield f"{dates[0]}" if len(dates) == 1 else f"{dates[0]} – {dates[-1]}"


def _end_line(s: ClockStory, zone: ZoneInfo, language: str, now: datetime) -> str:
    says, left = _SAYS[language], span(abs(s.left), language)
    if s.clock.met is not None:
        return says["met" if s.clock.met else "missed"].format(left=left)
    if s.due_at is None:
        return says["stands"].format(left=left) if s.left >= timedelta(0) else says["stands_missed"].format(left=left)
    if s.due_at <= now:
        return says["overdue"].format(due=_wall(s.due_at, zone))
    return says["due"].format(left=left, due=_wall(s.due_at, zone))


# --- who will hear what, and when? ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """What will happen at one moment if nobody does anything: the events, and who gets which mail.

    `for_ever`: a reminder among them goes on like this.
    """

    at: datetime
    events: tuple[Event, ...]
    mails: tuple[Mail, ...]
    for_ever: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail that will go out; `told_as` is the audience by which a step of the timetable reaches its reader."""

    to: str
    name: str
    template: str
    told_as: str = ""


def preview(ticket: Ticket, rulebook: Rulebook, service: Service, now: datetime) -> Iterator[Coming]:
    """Yield what will happen to a ticket, and when, if nobody does anything from now on."""
    for _ in range(_MOST_TURNS):
        turn = next_turn(ticket, rulebook, service, now)
        if turn is None:
            return
        coming, ticket = turn
        yield coming


def next_turn(ticket: Ticket, rulebook: Rulebook, service: Service, now: datetime) -> tuple[Coming, Ticket] | None:
    """Return what the clock does to a ticket next, and the ticket after it; None if it does nothing any more."""
    due = ticket.next_due_at
    if due is None:
        return None
    at = max(due, now)
    change = tick(ticket, rulebook, service, at)
    if not change.events:
        return None
    mails = tuple(mail_of(n) for n in choose_notices(change, Scene(rulebook=rulebook, service=service, now=at)))
    endless = [e for e in change.events if _goes_on(e)]
    coming = Coming(at=at, events=change.events, mails=mails, for_ever=bool(endless))
    return coming, _without_reminders(change.now, endless)


def _goes_on(event: Event) -> bool:
    """Whether a reminder has come often enough to show that it comes again and again."""
    match event:
        case StepReached(again_at=again, repeat=repeat) | MajorUpdateOwed(again_at=again, repeat=repeat):
            return again is not None and repeat >= _REMINDERS
        case _:
            return False


def _without_reminders(ticket: Ticket, endless: Iterable[Event]) -> Ticket:
    """Return the ticket without what would go on for ever."""
    for event in endless:
        if isinstance(event, StepReached):
            clocks = (replace(c, steps=tuple(s for s in c.steps if s.every is None)) for c in ticket.clocks)
            ticket = replace(ticket, clocks=tuple(clocks))
        elif ticket.major_run:
            ticket = replace(ticket, major_run=replace(ticket.major_run, ended_at=ticket.major_run.due_at))
    return ticket


def mail_of(notice: Notice) -> Mail:
    """Return what a look ahead says of a mail."""
    step = notice.facts.get("step")
    told_as = str(step["told_as"]) if isinstance(step, dict) else ""
    return Mail(to=notice.to, name=notice.to_name, template=notice.template, told_as=told_as)


def preview_data(coming: Iterable[Coming], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return what will come as plain data."""
    return [
        {
            "at": iso(c.at, zone),
            "what": [what_data(e, zone) for e in c.events],
            "mails": [mail_data(m) for m in c.mails],
            "goes_on": c.for_ever,
        }
        for c in coming
    ]


def mail_data(mail: Mail) -> dict[str, Any]:
    """Return a mail as plain data."""
    return {"to": mail.to, "name": mail.name, "template": mail.template, "told_as": mail.told_as}


def what_data(event: Event, zone: ZoneInfo) -> dict[str, Any]:
    """Return as plain data what the clock brings about."""
    if not isinstance(event, StepReached):
        return {"kind": type(event).__name__}
    return {
        "kind": "StepReached", "step": event.step, "clock": event.clock, "percent": event.percent,
        "due_at": iso(event.due_at, zone), "audience": list(event.audience), "forecast": event.forecast,
        "repeat": event.repeat,
    }  # fmt: skip


def preview_rows(coming: Iterable[Coming], zone: ZoneInfo, language: str) -> Iterator[tuple[str, str, str]]:
    """Yield rows of when, what, and who gets which mail."""
    says = _SAYS[language]
    for c in coming:
        what = "; ".join(words for e in c.events if (words := event_words(e, language)))
        who = ", ".join(f"{m.name} <{m.to}>".strip() for m in c.mails) or says["nobody"]
        yield _wall(c.at, zone), what + (says["goes_on"] if c.for_ever else ""), who


def preview_heads(language: str) -> tuple[str, str, str]:
    """Return the headings of these rows."""
    says = _SAYS[language]
    return says["when"], says["what"], says["who"]


def event_words(event: Event, language: str) -> str:
    """Return in a few words what the clock brings about; "" for what only keeps the books."""
    says = _SAYS[language]
    match event:
        case StepReached() | StepPassedOn():
            return step_words(event, language)
        case ClockStarted() | ClockPaused() | ClockResumed() | ClockRetimed() | ClockStopped():
            return ""
        case _:
            return says.get(type(event).__name__, type(event).__name__)


def step_words(step: StepReached | StepPassedOn | Step, language: str) -> str:
    """Return the moment of a step: "solution 75%", "on record", "solution overdue, reminder 3"."""
    says = _SAYS[language]
    clock = says[f"{step.clock}_short"]
    repeat, after = getattr(step, "repeat", 0), getattr(step, "after", None)
    every = getattr(step, "every", None)
    if repeat:
        return says["reminder"].format(clock, repeat)
    if every:
        whole_days = every % timedelta(days=1) == timedelta(0)
        if every == timedelta(days=1):
            return says["daily"].format(clock)
        often = says["days"].format(every // timedelta(days=1)) if whole_days else span(every, language)
        return says["every"].format(clock, often)
    if after:
        return says["after"].format(clock, span(after, language))
    words = f"{clock} {step.percent}%" if step.percent else says["record"]
    return words + (says["forecast"] if getattr(step, "forecast", False) else "")


# --- the timetable itself ---


def timetable(level: ServiceLevel, language: str = "en") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the escalation timetable of one service level as a table: its heading and a row for each severity."""
    says, columns = _SAYS[language], sorted({_moment(s) for s in level.steps})
    heads = [next(s for s in level.steps if _moment(s) == c) for c in columns]
    titles = [says["every_any"].format(says["resolve_short"]) if s.every else step_words(s, language) for s in heads]
    rows = [
        (str(int(severity)), *(_told_at(level, severity, column, language) for column in columns))
        for severity in Severity
    ]
    return (says["severity"], *titles), rows


def _moment(step: Step) -> tuple[int, int, int, timedelta]:
    """Return what steps that stand in one column have in common, in the order of the columns."""
    on_record = step.percent == 0 and step.after is None and step.every is None
    order = 0 if on_record else 1 if step.clock == "respond" else 2
    return order, step.every is not None, 0 if step.every else step.percent, step.after or timedelta(0)


def _told_at(level: ServiceLevel, severity: Severity, moment: object, language: str) -> str:
    says = _SAYS[language]
    cells = []
    for step in level.steps:
        if _moment(step) == moment and severity in step.severities:
            often = f"{step_words(step, language).rpartition(says['comma'])[2]}: " if step.every else ""
            cells.append(often + ", ".join(step.audience))
    return "; ".join(cells) or "–"


def calendar_words(calendar: Calendar, zone: str, language: str) -> str:
    """Return the working hours of a calendar in words."""
    says = _SAYS[language]
    if calendar.always:
        return says["always"].format(calendar.key)
    days = [(tuple(f"{a:%H:%M}–{b:%H:%M}" for a, b in calendar.week.get(d, ())), d) for d in range(7)]
    parts = []
    for hours, run in groupby(days, key=lambda pair: pair[0]):
        numbers = [d for _, d in run]
        if hours:
            names = says["weekdays"].split()
            name = names[numbers[0]] if len(numbers) == 1 else f"{names[numbers[0]]}–{names[numbers[-1]]}"
            parts.append(f"{name} {', '.join(hours)}")
    return says["hours"].format(key=calendar.key, zone=zone, hours="; ".join(parts))


def span(length: timedelta, language: str) -> str:
    """Return a length of working time in hours and minutes; a day could be taken for twenty-four of them, or eight."""
    says, (hours, minutes) = _SAYS[language], divmod(round(length / _MINUTE), 60)
    parts = [f"{n}{says[unit]}" for n, unit in ((hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or f"0{says['min']}"


def _wall(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())


LANGUAGES = ("en", "zh")
_SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "respond": "First answer", "resolve": "Solution", "respond_short": "first answer", "resolve_short": "solution",
        "promise": ": promised within {target}, counted on {calendar}.",
        "source": "That is what service level {level} says for severity {severity}.",
        "by_rule": "A rule chose that level, and not the customer's contract (rules that matched: {rules}).",
        "always": "the calendar {} (around the clock)",
        "hours": "the calendar {key} ({zone}: {hours})",
        "weekdays": "Mon Tue Wed Thu Fri Sat Sun",
        "run": "ran  ", "pause": "stood", "still": "now",
        "started": "it was recorded", "resumed": "work goes on", "stopped": "it was done",
        "customer": "waits for the customer", "vendor": "waits for a vendor", "change": "waits for a change",
        "date": "waits for a date", "approval": "waits for approval", "out_of_scope": "out of scope",
        "cancelled": "cancelled",
        "retimed": "the promise changed: {}",
        "holidays": "Holidays in between: {}.", "workdays": "Make-up working days in between: {}.",
        "clock": "the clock", "rules of severity": "rules of severity", "contract": "contract",
        "used": "{used} of {target} used.",
        "due": "{left} left: due {due}.",
        "overdue": "It was due {due}: overdue.",
        "stands": "The clock stands still with {left} left; when it goes on, the due time will be set anew.",
        "stands_missed": "The clock stands still; the target was missed by {left}.",
        "met": "Done in time, with {left} left.", "missed": "Done too late, by {left}.",
        "h": " h", "min": " min", "days": "{} working days", "daily": "{} overdue, each working day", "comma": ", ",
        "record": "on record", "forecast": " (forecast: it will be missed)",
        "reminder": "{} overdue, reminder {}", "every": "{} overdue, every {}", "after": "{} after {}",
        "every_any": "{} overdue, again and again", "severity": "severity",
        "when": "when", "what": "what", "who": "who is told", "nobody": "nobody", "goes_on": ", and so on",
        "MajorUpdateOwed": "an update on the major incident is missing",
        "TaskOverdue": "a task of the plan is overdue", "TaskUnanswered": "a task of the plan is still not answered",
        "Assigned": "it is given to somebody", "HandedUp": "the next line takes over", "Queued": "it waits",
        "Woken": "the hold is over", "StateChanged": "the state changes",
    },
    "zh": {
        "respond": "响应", "resolve": "解决", "respond_short": "响应", "resolve_short": "解决",
        "promise": "：承诺 {target}内，按{calendar}计时。",
        "source": "依据：服务级别 {level}，级别 {severity}。",
        "by_rule": "这个服务级别是规则选定的，不是客户合同里的（符合的规则：{rules}）。",
        "always": "日历 {}（7×24）",
        "hours": "日历 {key}（{zone}，{hours}）",
        "weekdays": "周一 周二 周三 周四 周五 周六 周日",
        "run": "计时", "pause": "停表", "still": "现在",
        "started": "建单", "resumed": "恢复处理", "stopped": "已完成",
        "customer": "等客户", "vendor": "等厂商", "change": "等变更", "date": "等约定时间", "approval": "等待审批",
        "out_of_scope": "不受理", "cancelled": "已取消",
        "retimed": "承诺改变：{}",
        "holidays": "其间放假：{}。", "workdays": "其间调休上班：{}。",
        "clock": "系统", "rules of severity": "规则：级别", "contract": "服务级别",
        "used": "{target}中已用 {used}。",
        "due": "还剩 {left}，时限 {due}。",
        "overdue": "时限 {due}，已超时。",
        "stands": "正在停表，还剩 {left}；恢复时重新定出时限。",
        "stands_missed": "正在停表，已超时 {left}。",
        "met": "按时完成，还剩 {left}。", "missed": "超时完成，超出 {left}。",
        "h": " 小时", "min": " 分钟", "days": "{} 个工作日", "daily": "{}超时，每个工作日", "comma": "，",
        "record": "建单时", "forecast": "（预计未能按时）",
        "reminder": "{}超时，第 {} 次提醒", "every": "{}超时，每 {}", "after": "{}计时 {}",
        "every_any": "{}超时后反复", "severity": "级别",
        "when": "时间", "what": "事项", "who": "通知谁", "nobody": "没有人", "goes_on": "，以后照此继续",
        "MajorUpdateOwed": "重大事件没有按时通报", "TaskOverdue": "预案任务逾期",
        "TaskUnanswered": "预案任务催办后没有答复",
        "Assigned": "派给处理人", "HandedUp": "转下一线", "Queued": "排队等人",
        "Woken": "挂起到期", "StateChanged": "状态改变",
    },
}  # fmt: skip
