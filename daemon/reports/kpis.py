"""Every KPI of the procedure (§13), each defined once: its name, its formula in words, and how it is counted.

What comes in: the lives of tickets and a Period. What goes out: rows of figures, each with the numbers of the tickets
behind it. No data is None, never zero. The table of formulas in docs/reports.md is made from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from daemon.lifecycle import ENDED_STATES
from daemon.reports.life import Done, Life, Outcome, Stretch
from daemon.reports.period import Period
from daemon.words import Severity, State

Names = Mapping[str, str]

_UNENDED = frozenset(State) - ENDED_STATES - {State.OUT_OF_SCOPE, State.CANCELLED}
_FIRST_LINE = 1
_AGES: tuple[tuple[str, timedelta], ...] = (
    ("1", timedelta(days=1)),
    ("3", timedelta(days=3)),
    ("7", timedelta(days=7)),
    ("30", timedelta(days=30)),
    ("more", timedelta.max),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: `numbers` are the tickets that it counts, `of` those that they are a part of.

    `value` is None where there is nothing to count. Shares are in percent, times in minutes.
    """

    value: float | None
    numbers: tuple[int, ...] = ()
    of: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a KPI: what it is about, as ("severity", "1") or ("total", ""), and a figure for each column."""

    group: str
    key: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `unit` is count, percent, minutes, work_minutes or points."""

    key: str
    name: Names
    unit: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """What is counted: every ticket that had to do with the period, and beside them the problems."""

    lives: Sequence[Life]
    period: Period
    problems: Sequence[Life] = ()

    @property
    def reported(self) -> list[Life]:
        """The tickets that were reported in the period."""
        return [x for x in self.lives if self.period.holds(x.reported_at)]


Rows = Callable[[Cohort], Iterable[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One KPI."""

    key: str
    name: Names
    formula: Names
    columns: tuple[Column, ...]
    rows: Rows


# --- pieces ---


def _numbers(lives: Iterable[Life]) -> tuple[int, ...]:
    return tuple(sorted({x.number for x in lives}))


def _count(lives: Iterable[Life]) -> Figure:
    found = _numbers(lives)
    return Figure(len(found), found)


def _share(part: Iterable[Life], whole: Iterable[Life]) -> Figure:
    counted, of = _numbers(part), _numbers(whole)
    return Figure(100 * len(counted) / len(of) if of else None, counted, of)


def _grouped(lives: Iterable[Life], key: Callable[[Life], str]) -> list[tuple[str, list[Life]]]:
    """Return the groups by key, the largest first."""
    groups: dict[str, list[Life]] = {}
    for life in lives:
        groups.setdefault(key(life), []).append(life)
    return sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def _by_severity(lives: Iterable[Life]) -> list[tuple[str, list[Life]]]:
    return sorted(_grouped(lives, _severity))


def _severity(life: Life) -> str:
    return str(int(life.ticket.severity))


# --- volume ---


def _volume(cohort: Cohort) -> Iterator[Row]:
    yield Row("total", "", (_count(cohort.reported),))
    for kind, lives in _grouped(cohort.reported, lambda x: str(x.ticket.kind)):
        yield Row("kind", kind, (_count(lives),))


def _volume_by(group: str, key: Callable[[Life], str]) -> Rows:
    def rows(cohort: Cohort) -> Iterator[Row]:
        everything = cohort.reported
        for name, lives in _grouped(everything, key):
            yield Row(group, name, (_count(lives), _share(lives, everything)))

    return rows


def _volume_by_severity(cohort: Cohort) -> Iterator[Row]:
    everything = cohort.reported
    for severity in Severity if everything else ():
        lives = [x for x in everything if x.ticket.severity is severity]
        yield Row("severity", str(int(severity)), (_count(lives), _share(lives, everything)))


# --- promises ---


def _attainment(clock: str) -> Rows:
    def rows(cohort: Cohort) -> Iterator[Row]:
        decided = {x: o for x in cohort.lives if (o := _last_outcome(x, clock, cohort.period))}
        yield Row("total", "", _kept(decided))
        for severity, lives in _by_severity(decided):
            yield Row("severity", severity, _kept({x: decided[x] for x in lives}))

    return rows


def _kept(decided: Mapping[Life, Outcome]) -> tuple[Figure, ...]:
    kept = [x for x, outcome in decided.items() if outcome.kept]
    broken = [x for x, outcome in decided.items() if not outcome.kept]
    return (_share(kept, decided), _count(kept), _count(broken))


def _last_outcome(life: Life, clock: str, period: Period) -> Outcome | None:
    found = [o for o in life.outcomes if o.clock == clock and period.holds(o.at)]
    return found[-1] if found else None


# --- times ---


def _times(clock: str) -> Rows:
    def rows(cohort: Cohort) -> Iterator[Row]:
        took = {x: d for x in cohort.lives if (d := _last_done(x, clock, cohort.period))}
        if not took:
            return
        yield Row("total", "", _took(took))
        for severity, lives in _by_severity(took):
            yield Row("severity", severity, _took({x: took[x] for x in lives}))

    return rows


def _last_done(life: Life, clock: str, period: Period) -> Done | None:
    found = [d for d in life.done if d.clock == clock and period.holds(d.at)]
    return found[-1] if found else None


def _took(took: Mapping[Life, Done]) -> tuple[Figure, ...]:
    on_the_clock = {x: _minutes(d.clock_time) for x, d in took.items()}
    worked = {x: _minutes(d.worked) for x, d in took.items()}
    return (_mean(on_the_clock), _percentile(on_the_clock), _mean(worked), _percentile(worked))


def _mean(minutes: Mapping[Life, float]) -> Figure:
    return Figure(sum(minutes.values()) / len(minutes) if minutes else None, _numbers(minutes))


def _percentile(minutes: Mapping[Life, float], percent: int = 90) -> Figure:
    """Return the least of the times within which so many percent of the tickets lie (the nearest rank)."""
    ranked = sorted(minutes.values())
    return Figure(ranked[ceil(len(ranked) * percent / 100) - 1] if ranked else None, _numbers(minutes))


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


# --- quality of the handling ---


def _first_line(cohort: Cohort) -> Iterator[Row]:
    solved = [x for x in cohort.lives if _solved_in(x, cohort.period)]
    first = [x for x in solved if x.lines <= {_FIRST_LINE}]
    yield Row("total", "", (_share(first, solved), _count(first), _count(solved)))


def _solved_in(life: Life, period: Period) -> bool:
    """Whether it was resolved in the period for the last time, and still is at the end."""
    return bool(life.solved) and period.holds(life.solved[-1][0]) and life.ticket.state in ENDED_STATES


def _wrongly_dispatched(cohort: Cohort) -> Iterator[Row]:
    back = [x for x in cohort.lives if any(map(cohort.period.holds, x.returned))]
    given = [x for x in cohort.lives if any(map(cohort.period.holds, x.dispatched))]
    yield Row("total", "", (_share(back, [*given, *back]), _count(back)))


def _reopened(cohort: Cohort) -> Iterator[Row]:
    again = [x for x in cohort.lives if any(map(cohort.period.holds, x.reopened))]
    solved = [x for x in cohort.lives if any(cohort.period.holds(at) for at, _ in x.solved)]
    yield Row("total", "", (_share(again, [*solved, *again]), _count(again)))


def _escalations(cohort: Cohort) -> Iterator[Row]:
    reached: dict[str, list[int]] = {}
    for life in cohort.lives:
        for at, step in life.steps:
            if cohort.period.holds(at):
                reached.setdefault(step, []).append(life.number)
    every = [n for numbers in reached.values() for n in numbers]
    yield Row("total", "", (Figure(len(every), tuple(sorted(set(every)))),))
    for step in sorted(reached, key=_step_order):
        yield Row("step", step, (Figure(len(reached[step]), tuple(sorted(set(reached[step])))),))


def _step_order(step: str) -> tuple[bool, str, bool, int]:
    """By clock, then by percent, then what is measured in time or comes again; what was asked for last."""
    clock, _, rest = step.partition(" ")
    number = rest.rpartition(" ")[2]
    return (not rest, clock, not rest.isdigit(), int(number) if number.isdigit() else 0)


# --- what is left ---


def _backlog(cohort: Cohort) -> Iterator[Row]:
    unended = [x for x in cohort.lives if x.ticket.state in _UNENDED]
    yield Row("total", "", (_count(unended), _oldest(unended, cohort.period.until)))
    at_least = timedelta(0)
    for key, below in _AGES if unended else ():
        aged = [x for x in unended if at_least <= cohort.period.until - x.reported_at < below]
        yield Row("age", key, (_count(aged), _oldest(aged, cohort.period.until)))
        at_least = below


def _oldest(lives: Sequence[Life], until: datetime) -> Figure:
    first = min(lives, key=lambda x: x.reported_at, default=None)
    return Figure(_minutes(until - first.reported_at) if first else None, _numbers([first] if first else []))


def _held(cohort: Cohort) -> Iterator[Row]:
    open_for = {x: _time_in(x, _UNENDED, cohort.period) for x in cohort.lives}
    held_for = {x: _time_in(x, frozenset({State.ON_HOLD}), cohort.period) for x in cohort.lives}
    whole, part = sum(open_for.values()), sum(held_for.values())
    behind, of = _numbers(x for x, m in held_for.items() if m), _numbers(x for x, m in open_for.items() if m)
    share = Figure(100 * part / whole if whole else None, behind, of)
    yield Row("total", "", (share, Figure(part if whole else None, behind), Figure(whole if of else None, of)))


def _time_in(life: Life, states: frozenset[State], period: Period) -> float:
    return sum(_overlap(s, period) for s in life.stretches if s.state in states)


def _overlap(stretch: Stretch, period: Period) -> float:
    return max(0.0, _minutes(min(stretch.until, period.until) - max(stretch.since, period.start)))


def _load(cohort: Cohort) -> Iterator[Row]:
    has = [x for x in cohort.lives if x.ticket.assignee and x.ticket.state in _UNENDED]
    solved = {x: x.solved[-1][1] for x in cohort.lives if _solved_in(x, cohort.period)}
    names = {x.ticket.assignee for x in has} | {by for by in solved.values() if by}
    for name in sorted(names):
        now = [x for x in has if x.ticket.assignee == name]
        done = [x for x, by in solved.items() if by == name]
        yield Row("person", name, (_count(done), _count(now), _count(x for x in now if _is_held(x))))


def _is_held(life: Life) -> bool:
    return life.ticket.state is State.ON_HOLD


def _major(cohort: Cohort) -> Iterator[Row]:
    found = [x for x in cohort.lives if x.ticket.major_run and cohort.period.holds(x.ticket.major_run.since)]
    yield Row("total", "", (_count(found),))
    for level, lives in _grouped(found, lambda x: x.ticket.major):
        yield Row("major", level, (_count(lives),))


def _rating(cohort: Cohort) -> Iterator[Row]:
    rated = {x: p for x in cohort.lives if (p := _last_rating(x, cohort.period))}
    asked = [x for x in cohort.lives if any(map(cohort.period.holds, x.asked))]
    if not rated and not asked:
        return
    mean = Figure(sum(rated.values()) / len(rated) if rated else None, _numbers(rated))
    yield Row("total", "", (mean, _count(rated), _share(rated, [*asked, *rated])))
    for points in sorted(set(rated.values()), reverse=True):
        given = [x for x, p in rated.items() if p == points]
        yield Row("points", str(points), (Figure(float(points), _numbers(given)), _count(given), Figure(None)))


def _problems(cohort: Cohort) -> Iterator[Row]:
    raised = [x for x in cohort.problems if cohort.period.holds(x.reported_at)]
    unsolved = [x for x in cohort.problems if x.ticket.open]
    known = [x for x in unsolved if x.ticket.state is State.KNOWN_ERROR]
    yield Row("total", "", (_count(raised), _count(unsolved), _count(known)))


def _knowledge(cohort: Cohort) -> Iterator[Row]:
    used = [x for x in cohort.lives if any(map(cohort.period.holds, x.reused))]
    solved = [x for x in cohort.lives if _solved_in(x, cohort.period)]
    yield Row("total", "", (_count(used), _share((x for x in solved if x.reused), solved)))


def _last_rating(life: Life, period: Period) -> int:
    found = [points for at, points in life.rated if period.holds(at)]
    return found[-1] if found else 0


# --- the table ---

_COUNT = Column("count", {"zh": "数量", "en": "number"}, "count")
_SHARE = Column("share", {"zh": "占比", "en": "share"}, "percent")
_BROUGHT = (_COUNT, _SHARE)
_RATE = Column("rate", {"zh": "比率", "en": "rate"}, "percent")
_KEPT = (
    Column("attainment", {"zh": "达成率", "en": "rate"}, "percent"),
    Column("kept", {"zh": "达成", "en": "kept"}, "count"),
    Column("broken", {"zh": "未达成", "en": "missed"}, "count"),
)
_TOOK = (
    Column("mean", {"zh": "平均", "en": "mean"}, "minutes"),
    Column("p90", {"zh": "90% 不超过", "en": "90 % within"}, "minutes"),
    Column("mean_worked", {"zh": "平均（工作时间）", "en": "mean, working time"}, "work_minutes"),
    Column("p90_worked", {"zh": "90% 不超过（工作时间）", "en": "90 % within, working time"}, "work_minutes"),
)


def _volume_kpi(group: str, zh: str, en: str, key: Callable[[Life], str] | None) -> Kpi:
    return Kpi(
        key=f"volume_by_{group}",
        name={"zh": f"{zh}分布", "en": f"Volume by {en}"},
        formula={
            "zh": f"期内报告的工单，按期末时的{zh}分组计数；占比 = 该组 ÷ 全部",
            "en": f"tickets reported in the period, by their {en} at its end; share = those ÷ all of them",
        },
        columns=_BROUGHT,
        rows=_volume_by(group, key) if key else _volume_by_severity,
    )


def _attainment_kpi(clock: str, zh: str, en: str) -> Kpi:
    return Kpi(
        key=f"{clock}_attainment",
        name={"zh": f"{zh}达成率", "en": f"{en} attainment"},
        formula={
            "zh": f"期内有结果的{zh}时限中按时的 ÷ 全部。按时完成的，结果在停表时；"
            "超时的，结果在到期时，不论是否已完成",
            "en": f"{clock} targets kept ÷ those decided in the period. One that was kept is decided when its clock "
            "stopped, one that was missed when it fell due, finished or not",
        },
        columns=_KEPT,
        rows=_attainment(clock),
    )


def _time_kpi(clock: str, zh: str, en: str) -> Kpi:
    return Kpi(
        key=f"time_to_{clock}",
        name={"zh": f"{zh}时长", "en": f"Time to {clock}"},
        formula={
            "zh": f"期内{zh}的工单：从报告到{zh}（重开过的取最后一次）的自然时间，和停表之外按时限日历计的工作时间；"
            "平均值，和至少 90% 的工单不超过的时长",
            "en": f"tickets {en} in the period: clock time from the report until then (the last time if reopened), and "
            "working time on the target's calendar without pauses; the mean, and the least time within which at least "
            "90 % lie",
        },
        columns=_TOOK,
        rows=_times(clock),
    )


KPIS: tuple[Kpi, ...] = (
    Kpi(
        key="volume",
        name={"zh": "工单数量", "en": "Volume"},
        formula={
            "zh": "期内报告的工单，含不受理和已取消的",
            "en": "tickets reported in the period, those out of scope and cancelled too",
        },
        columns=(_COUNT,),
        rows=_volume,
    ),
    _volume_kpi("category", "分类", "category", lambda x: x.ticket.category),
    _volume_kpi("severity", "级别", "severity", None),
    _volume_kpi("customer", "客户", "customer", lambda x: x.ticket.customer),
    _volume_kpi("source", "来源", "source", lambda x: x.ticket.source),
    _attainment_kpi("respond", "响应", "Response"),
    _attainment_kpi("resolve", "解决", "Resolution"),
    _time_kpi("respond", "响应", "responded to"),
    _time_kpi("resolve", "解决", "resolved"),
    Kpi(
        key="first_line",
        name={"zh": "一线解决率", "en": "First-line resolution"},
        formula={
            "zh": "期内解决、期末仍为已解决的工单中，始终只由一线处理的 ÷ 全部",
            "en": "of tickets resolved in the period and still so at its end, those that only the first line ever had",
        },
        columns=(_RATE, _COUNT, Column("of", {"zh": "解决总数", "en": "resolved"}, "count")),
        rows=_first_line,
    ),
    Kpi(
        key="wrongly_dispatched",
        name={"zh": "派错率", "en": "Wrongly dispatched"},
        formula={
            "zh": "期内因派错被退回服务台的工单 ÷ 期内派过单或被退回的工单",
            "en": "tickets sent back to the desk in the period ÷ those dispatched or sent back in it",
        },
        columns=(_RATE, _COUNT),
        rows=_wrongly_dispatched,
    ),
    Kpi(
        key="reopened",
        name={"zh": "重开率", "en": "Reopened"},
        formula={
            "zh": "期内由用户重开或被审核驳回的工单 ÷ 期内解决过或重开过的工单",
            "en": "tickets reopened or rejected at review in the period ÷ those resolved or reopened in it",
        },
        columns=(_RATE, _COUNT),
        rows=_reopened,
    ),
    Kpi(
        key="escalations",
        name={"zh": "升级", "en": "Escalations"},
        formula={
            "zh": "期内到达的升级步骤和有人提出的升级，按步骤计次",
            "en": "steps of the timetable reached, and escalations asked for, in the period: how often each",
        },
        columns=(_COUNT,),
        rows=_escalations,
    ),
    Kpi(
        key="backlog",
        name={"zh": "积压", "en": "Backlog"},
        formula={
            "zh": "期末尚未解决的工单（不含不受理、已取消），按报告至期末的时间分组；最久的一张等了多久",
            "en": "tickets not resolved at the period's end (nor out of scope, nor cancelled), by the time since their "
            "report; how long the oldest one has waited",
        },
        columns=(_COUNT, Column("oldest", {"zh": "最久", "en": "oldest"}, "minutes")),
        rows=_backlog,
    ),
    Kpi(
        key="on_hold",
        name={"zh": "挂起占比", "en": "Time on hold"},
        formula={
            "zh": "期内所有工单处于挂起的自然时间 ÷ 处于未解决状态的自然时间",
            "en": "clock time that tickets spent on hold in the period ÷ clock time that they were unresolved in it",
        },
        columns=(
            _SHARE,
            Column("held", {"zh": "挂起时间", "en": "on hold"}, "minutes"),
            Column("open", {"zh": "未解决时间", "en": "unresolved"}, "minutes"),
        ),
        rows=_held,
    ),
    Kpi(
        key="engineer_load",
        name={"zh": "工程师工作量", "en": "Load of each engineer"},
        formula={
            "zh": "每人：期内解决（按解决时的处理人）、期末手上未解决的、其中挂起的",
            "en": "for each: resolved in the period (by who had it then), unresolved in their hands at its end, and "
            "how many of these were on hold",
        },
        columns=(
            Column("solved", {"zh": "已解决", "en": "resolved"}, "count"),
            Column("open", {"zh": "手上", "en": "in hand"}, "count"),
            Column("held", {"zh": "其中挂起", "en": "on hold"}, "count"),
        ),
        rows=_load,
    ),
    Kpi(
        key="major",
        name={"zh": "重大事件", "en": "Major incidents"},
        formula={
            "zh": "期内定为重大事件的工单，按期末的预警级别",
            "en": "tickets declared a major incident in the period, by their warning level at its end",
        },
        columns=(_COUNT,),
        rows=_major,
    ),
    Kpi(
        key="rating",
        name={"zh": "满意度与回访率", "en": "Rating and follow-up"},
        formula={
            "zh": "期内收到的评分（1–5）的平均值；回访率 = 期内有评分的工单 ÷ 期内回访过或有评分的工单",
            "en": "mean of the ratings (1–5) that came in the period; answered = tickets rated in the period ÷ those "
            "whose requester was asked or that were rated in it",
        },
        columns=(
            Column("mean", {"zh": "平均分", "en": "mean"}, "points"),
            _COUNT,
            Column("rate", {"zh": "回访率", "en": "answered"}, "percent"),
        ),
        rows=_rating,
    ),
    Kpi(
        key="problems",
        name={"zh": "提出的问题", "en": "Problems raised"},
        formula={
            "zh": "期内提出的问题；期末尚未解决的问题，和其中已有临时办法的（已知错误）",
            "en": "problems raised in the period; those not resolved at its end, and how many of these had a "
            "workaround (known errors)",
        },
        columns=(
            Column("count", {"zh": "提出", "en": "raised"}, "count"),
            Column("open", {"zh": "未解决", "en": "unresolved"}, "count"),
            Column("known", {"zh": "其中已知错误", "en": "known errors"}, "count"),
        ),
        rows=_problems,
    ),
    Kpi(
        key="knowledge",
        name={"zh": "知识复用", "en": "Knowledge reuse"},
        formula={
            "zh": "期内用了以前解决办法的工单；复用率 = 期内解决、期末仍为已解决的工单中用过的 ÷ 全部",
            "en": "tickets for which a past solution was used in the period; rate = of those resolved in the period "
            "and still so at its end, the ones for which that was ever done",
        },
        columns=(_COUNT, _RATE),
        rows=_knowledge,
    ),
)


def kpis_table() -> str:
    """Return the Markdown table of docs/reports.md: every KPI with its formula; a test keeps the two equal."""
    rows = ["| KPI | 中文 | formula | 公式 |", "| --- | --- | --- | --- |"]
    rows += [f"| {k.name['en']} | {k.name['zh']} | {k.formula['en']} | {k.formula['zh']} |" for k in KPIS]
    return "\n".join(rows) + "\n"
