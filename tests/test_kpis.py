"""KPIs: what they count, recounted by somebody else from the raw history; and what a period is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daemon.app import open_store
from daemon.decide import Change
from daemon.events import Assigned, ClockStarted, ClockStopped, Event, Opened, Routed, StateChanged
from daemon.lifecycle import CASE_STATES
from daemon.plain import to_plain
from daemon.reports.compile import cohort_of
from daemon.reports.kpis import KPIS, Cohort, Figure, kpis_table
from daemon.reports.life import Life, life_of
from daemon.reports.period import Period, PeriodError, period_of
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Rulebook
from daemon.sla import Measure
from daemon.store import Store
from daemon.ticket import Ticket
from daemon.words import HoldReason, Kind, Level, Severity, State, Verb
from daemon.workhours import working_between
from tests.desk import ROOT, prepare
from tests.lives import ZONE, History, Story, histories, undone

BEIJING = ZoneInfo(ZONE)
SINCE = datetime(2026, 9, 20, tzinfo=UTC)
NOW = datetime(2026, 12, 24, tzinfo=UTC)
COUNT = 220


def keep(made: dict[int, History], store: Store) -> None:
    """Write histories into the database, each batch as the daemon would."""
    with store.transaction():
        for number, history in made.items():
            ticket = Ticket(number=number)
            for at, batch in groupby(history, key=lambda pair: pair[0]):
                change = Change(before=ticket, events=tuple(e for _, e in batch))
                store.register.append(change, "test", at)
                ticket = change.now


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return load_rulebook(ROOT / "rules")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, rulebook: Rulebook) -> Iterable[Store]:
    opened = open_store(prepare(tmp_path_factory.mktemp("kpis") / "desk"))
    keep(histories(COUNT, rulebook, SINCE), opened)
    yield opened
    opened.close()


def counted(cohort: Cohort) -> dict[str, dict[tuple[str, str], tuple[Figure, ...]]]:
    return {k.key: {(r.group, r.key): r.figures for r in k.rows(cohort)} for k in KPIS}


# --- somebody else counts ---


class Recount:
    """One ticket read from raw JSON rows, by lists and filters instead of a fold."""

    def __init__(self, number: int, rows: list[dict[str, Any]], until: datetime) -> None:
        self.number = number
        self.until = until
        self.rows = [r for r in self._timed(rows) if r["moment"] < until]

    @staticmethod
    def _timed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        latest = datetime.min.replace(tzinfo=UTC)
        out = []
        for row in rows:
            same = [r for r in rows if r["at"] == row["at"]]
            own = [r["data"]["reported_at"] for r in same if r["kind"] == "Opened"]
            own += [r["data"]["at"] for r in same if r["kind"] in ("ClockPaused", "ClockResumed", "ClockStopped")]
            latest = max(latest, min([row["at"], *map(datetime.fromisoformat, own)]))
            out.append({**row, "moment": latest})
        return out

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [r for r in self.rows if r["kind"] in kinds]

    @property
    def reported(self) -> datetime:
        return datetime.fromisoformat(self.of("Opened")[0]["data"]["reported_at"])

    @property
    def state(self) -> str:
        return self.states()[-1][1]

    def states(self) -> list[tuple[datetime, str]]:
        found = [(self.reported, "new")]
        for r in self.of("Routed", "Rejected", "StateChanged"):
            routed = "assigned" if r["data"].get("team") or r["data"].get("assignee") else "new"
            new = {"Routed": routed, "Rejected": "out_of_scope"}.get(r["kind"]) or r["data"]["new"]
            found.append((r["moment"], new))
        return found

    @property
    def severity(self) -> str:
        graded = [r["data"]["new"] for r in self.of("Graded") if r["data"]["field"] == "severity"]
        return (graded or [str(self.of("Routed")[0]["data"]["severity"])])[-1]

    def assignee(self, before: datetime | None = None) -> str:
        given = [r for r in self.of("Routed", "Assigned", "Returned") if before is None or r["moment"] <= before]
        return given[-1]["data"].get("assignee", "")

    def moments(self, *kinds: str, **wanted: tuple[str, ...]) -> list[datetime]:
        return [r["moment"] for r in self.of(*kinds) if all(r["data"].get(k) in v for k, v in wanted.items())]

    def lines(self) -> set[int]:
        had: set[int] = set()
        for r in self.of("Routed", "Assigned"):
            if r["data"].get("team") or r["data"].get("assignee"):
                had.add(r["data"]["line"])
        return had

    # clocks: first the stretches in which each ran, then what came of them

    def stretches(self, clock: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for r in (r for r in self.rows if r["data"].get("clock") == clock and r["kind"].startswith("Clock")):
            data, kind = r["data"], r["kind"]
            at = datetime.fromisoformat(data.get("at") or data.get("started_at") or r["moment"].isoformat())
            if kind in ("ClockPaused", "ClockStopped", "ClockRetimed") and found and found[-1]["end"] is None:
                found[-1] |= {"end": at, "by": kind, "met": data.get("met")}
                if kind == "ClockRetimed":
                    found.append(self._stretch(at, data))
            elif kind == "ClockStopped":
                found.append({**found[-1], "start": at, "end": at, "by": kind, "met": data["met"]})
            elif kind in ("ClockStarted", "ClockResumed"):
                calendar = data.get("calendar") or (found[-1]["promised"] if found else "")
                found.append(self._stretch(at, {**data, "calendar": calendar}))
            elif kind == "ClockRetimed":
                found[-1]["promised"] = data["calendar"]
                found[-1]["again"] = datetime.fromisoformat(data["due_at"]) > at
        return found

    @staticmethod
    def _stretch(at: datetime, data: dict[str, Any]) -> dict[str, Any]:
        due = datetime.fromisoformat(data["due_at"])
        return {"start": at, "end": None, "due": due, "by": "", "met": None, "again": False,
                "calendar": data["calendar"], "promised": data["calendar"]}  # fmt: skip

    def outcomes(self, clock: str) -> list[tuple[datetime, bool]]:
        found: list[tuple[datetime, bool]] = []
        broken: datetime | None = None
        for s in self.stretches(clock):
            passed = s["due"] < (s["end"] or self.until)
            if passed and broken is None:
                broken = max(s["due"], s["start"])
            forgiven = s["by"] == "ClockRetimed" and self._new_time(clock, s["end"])
            if s["by"] == "ClockStopped" and s["met"]:
                broken = None
                found.append((s["end"], True))
            elif s["by"] == "ClockStopped" and broken is None:
                broken = s["end"]
            elif (forgiven or s["again"]) and broken is not None:
                broken = None
        return found + ([(broken, False)] if broken is not None else [])

    def _new_time(self, clock: str, at: datetime) -> bool:
        return any(s["start"] == at and s["due"] > at for s in self.stretches(clock))

    def stops(self, clock: str) -> list[datetime]:
        return [datetime.fromisoformat(r["data"]["at"]) for r in self.of("ClockStopped") if r["data"]["clock"] == clock]

    def worked(self, clock: str, at: datetime, free: set[date], extra: set[date]) -> float:
        spans = [(s["start"], s["end"], s["calendar"]) for s in self.stretches(clock) if s["end"] and s["end"] <= at]
        return sum(
            _office_minutes(a, b, free, extra) if c == "business" else (b - a).total_seconds() / 60 for a, b, c in spans
        )


def _office_minutes(since: datetime, until: datetime, free: set[date], extra: set[date]) -> float:
    """Count what of 9–12 and 13–18 in Beijing lies between, day by day."""
    total, day = 0.0, since.astimezone(BEIJING).date()
    while day <= until.astimezone(BEIJING).date():
        if day not in free and (day.weekday() < 5 or day in extra):
            for opens, closes in ((9, 12), (13, 18)):
                a = datetime(day.year, day.month, day.day, opens, tzinfo=BEIJING)
                b = datetime(day.year, day.month, day.day, closes, tzinfo=BEIJING)
                total += max(0.0, (min(b, until) - max(a, since)).total_seconds() / 60)
        day += timedelta(days=1)
    return total


UNENDED = {"new", "assigned", "in_progress", "on_hold"}
ENDED = {"resolved", "pending_review", "archived"}


def recounted(store: Store, period: Period, customer: str, rulebook: Rulebook) -> list[Recount]:
    numbers = [t.number for t in store.register.tickets()]
    rows = {n: store.register.raw_events(n) for n in numbers}
    found = [Recount(n, rows[n], period.until) for n in numbers if _reported(rows[n]) < period.until]
    return [r for r in found if customer in ("", r.of("Opened")[0]["data"]["customer"])]


def _reported(rows: list[dict[str, Any]]) -> datetime:
    return datetime.fromisoformat(rows[0]["data"]["reported_at"])


@pytest.mark.parametrize(
    ("text", "customer"),
    [("2026-10", ""), ("2026-W43", ""), ("2026-09-20..2026-12-20", ""), ("2026-10", "acme"), ("2026-10-08", "")],
)
def test_every_kpi_is_what_somebody_else_counts(text: str, customer: str, store: Store, rulebook: Rulebook) -> None:
    period = period_of(text, ZONE, NOW)
    kpis = counted(cohort_of(store, rulebook, ZONE, period, (customer,) if customer else ()))
    others = recounted(store, period, customer, rulebook)

    def within(moments: Iterable[datetime]) -> bool:
        return any(period.start <= m < period.until for m in moments)

    def numbers(found: Iterable[Recount]) -> tuple[int, ...]:
        return tuple(sorted({r.number for r in found}))

    reported = [r for r in others if within([r.reported])]
    assert kpis["volume"]["total", ""][0] == Figure(len(reported), numbers(reported))
    for kpi, group, key in (
        ("volume_by_category", "category", lambda r: r.of("Routed")[0]["data"]["category"]),
        ("volume_by_customer", "customer", lambda r: r.of("Opened")[0]["data"]["customer"]),
        ("volume_by_source", "source", lambda r: r.of("Opened")[0]["data"]["source"]),
    ):
        expected = Counter(key(r) for r in reported)
        assert {k[1]: f[0].value for k, f in kpis[kpi].items()} == dict(expected), (kpi, group)
    graded = Counter(r.severity for r in reported)
    assert {k[1]: f[0].value for k, f in kpis["volume_by_severity"].items() if f[0].value} == dict(graded)

    for clock in ("respond", "resolve"):
        last = {r: [o for o in r.outcomes(clock) if within([o[0]])] for r in others}
        decided = {r: o[-1][1] for r, o in last.items() if o}
        rate, kept, broken = kpis[f"{clock}_attainment"]["total", ""]
        assert kept.numbers == numbers(r for r, met in decided.items() if met)
        assert broken.numbers == numbers(r for r, met in decided.items() if not met)
        assert rate.of == numbers(decided)
        assert rate.value == (pytest.approx(100 * len(kept.numbers) / len(decided)) if decided else None)

        stopped = {r: [s for s in r.stops(clock) if within([s])] for r in others}
        took = {r: s[-1] for r, s in stopped.items() if s}
        if not took:
            assert kpis[f"time_to_{clock}"] == {}
            continue
        business = rulebook.calendars["business"]
        free, extra = set(business.holidays), set(business.workdays)
        on_the_clock = sorted((at - r.reported).total_seconds() / 60 for r, at in took.items())
        worked = sorted(r.worked(clock, at, free, extra) for r, at in took.items())
        rank = ceil(0.9 * len(took)) - 1
        expected = (sum(on_the_clock) / len(took), on_the_clock[rank], sum(worked) / len(took), worked[rank])
        assert [f.value for f in kpis[f"time_to_{clock}"]["total", ""]] == pytest.approx(expected)
        assert kpis[f"time_to_{clock}"]["total", ""][0].numbers == numbers(took)

    solved = {r: r.moments("StateChanged", new=("resolved",)) for r in others}
    still = [r for r, at in solved.items() if at and within(at[-1:]) and r.state in ENDED]
    first = kpis["first_line"]["total", ""]
    assert first[0].of == numbers(still) and first[1].numbers == numbers(r for r in still if r.lines() <= {1})

    given = [r for r in others if within(_given(r))]
    back = [r for r in others if within(r.moments("Returned"))]
    assert kpis["wrongly_dispatched"]["total", ""][0].numbers == numbers(back)
    assert kpis["wrongly_dispatched"]["total", ""][0].of == numbers([*given, *back])

    again = [r for r in others if within(r.moments("StateChanged", verb=("reopen", "reject")))]
    assert kpis["reopened"]["total", ""][0].numbers == numbers(again)
    assert kpis["reopened"]["total", ""][0].of == numbers([*again, *(r for r, at in solved.items() if within(at))])

    steps = [m for r in others for m in r.moments("StepReached", "EscalationAsked") if within([m])]
    assert kpis["escalations"]["total", ""][0].value == len(steps)
    assert sum(f[0].value or 0 for k, f in kpis["escalations"].items() if k[0] == "step") == len(steps)

    left = [r for r in others if r.state in UNENDED]
    assert kpis["backlog"]["total", ""][0].numbers == numbers(left)
    ages = [f[0].value or 0 for k, f in kpis["backlog"].items() if k[0] == "age"]
    days = [(period.until - r.reported) / timedelta(days=1) for r in left]
    borders = (0, 1, 3, 7, 30, 10_000)
    if left:
        assert ages == [sum(a <= d < b for d in days) for a, b in zip(borders, borders[1:], strict=False)]

    on_hold, unended = 0.0, 0.0
    for r in others:
        states = [*r.states(), (period.until, "")]
        for (a, state), (b, _) in zip(states, states[1:], strict=False):
            minutes = max(0.0, (min(b, period.until) - max(a, period.start)).total_seconds() / 60)
            on_hold += minutes * (state == "on_hold")
            unended += minutes * (state in UNENDED)
    _, held, whole = kpis["on_hold"]["total", ""]
    assert (held.value or 0, whole.value or 0) == pytest.approx((on_hold, unended))

    hands = Counter(r.assignee() for r in left if r.assignee())
    done = Counter(r.assignee(solved[r][-1]) for r in still if r.assignee(solved[r][-1]))
    load = {k[1]: (f[0].value, f[1].value) for k, f in kpis["engineer_load"].items()}
    assert load == {name: (done[name], hands[name]) for name in hands | done}

    points = [r.of("Rated")[-1]["data"]["rating"] for r in others if within(r.moments("Rated")[-1:])]
    if points:
        assert kpis["rating"]["total", ""][0].value == pytest.approx(sum(points) / len(points))


def _given(r: Recount) -> list[datetime]:
    routed = [x["moment"] for x in r.of("Routed") if x["data"]["team"] or x["data"]["assignee"]]
    return routed + [x["moment"] for x in r.of("Assigned") if x["data"]["reason"] != "taken up"]


def test_the_generated_desk_has_seen_everything(store: Store, rulebook: Rulebook) -> None:
    """What never happens in the histories is not tested by them."""
    kinds = Counter(r["kind"] for n in range(1, COUNT + 1) for r in store.register.raw_events(n))
    assert {"ClockRetimed", "ClockPaused", "ClockResumed", "Returned", "Rated", "Rejected", "EscalationAsked"} <= set(
        kinds
    )
    states = {t.state for t in store.register.tickets()}
    assert states == CASE_STATES
    late = [
        n
        for n in range(1, COUNT + 1)
        for r in store.register.raw_events(n)[:1]
        if r["at"] - _reported([r]) > timedelta(hours=1)
    ]
    assert late, "some mails are read hours after they came"


def test_every_figure_leads_to_tickets(store: Store, rulebook: Rulebook) -> None:
    kpis = counted(cohort_of(store, rulebook, ZONE, period_of("2026-10", ZONE, NOW)))
    drilled = 0
    for rows in kpis.values():
        for figures in rows.values():
            for figure in figures:
                assert set(figure.numbers) <= set(range(1, COUNT + 1))
                assert set(figure.numbers) <= set(figure.of) or not figure.of
                if figure.value:
                    assert figure.numbers, "a figure above zero has tickets behind it"
                    drilled += 1
    assert drilled > 50


def test_a_month_that_is_over_says_the_same_whatever_happens_later(tmp_path: Path, rulebook: Rulebook) -> None:
    """A report of October made on 1 November, and one made at Christmas when all had been solved, reopened, graded."""
    made = histories(80, rulebook, SINCE, seed=7)
    october = period_of("2026-10", ZONE, NOW)

    def report(history: dict[int, History]) -> Any:
        worktime = measuring(rulebook)
        lives = [life_of(n, h, october.until, worktime) for n, h in history.items() if h]
        return counted(Cohort([x for x in lives if x], october))

    known_then = {n: [(at, e) for at, e in h if at < october.end] for n, h in made.items()}
    assert sum(map(len, known_then.values())) < sum(map(len, made.values()))
    assert report(known_then) == report(made)


def test_nothing_counted_is_no_data_and_not_zero() -> None:
    period = period_of("2026-10", ZONE, NOW)
    kpis = counted(Cohort([], period))
    assert kpis["volume"]["total", ""][0] == Figure(0)
    assert kpis["respond_attainment"]["total", ""][0].value is None
    assert kpis["time_to_resolve"] == {}
    assert kpis["on_hold"]["total", ""][0].value is None
    assert kpis["rating"] == {}
    assert kpis["problems"]["total", ""] == (Figure(0), Figure(0), Figure(0))
    assert kpis["knowledge"]["total", ""] == (Figure(0), Figure(None))


# --- single promises ---

AT = datetime(2026, 10, 12, 9, 0, tzinfo=BEIJING)


def measuring(rulebook: Rulebook) -> Any:
    measure = Measure(rulebook, ZONE)
    return lambda key, zone, a, b: working_between(measure.calendar(key, zone), ZONE, a, b)


def told(rulebook: Rulebook, *steps: tuple[float, str], until_hours: float = 24 * 20, severity: int = 2) -> Life:
    """Return the life of a ticket to which this happens, at so many hours after its report."""
    story = Story(1, random.Random(1), rulebook, AT)
    routed = Routed(category="", impact=Level.LOW, urgency=Level.MEDIUM, severity=Severity(severity), team="network",
                    line=1, assignee="", tags=(), watchers=(), ci="", because=(), rules="")  # fmt: skip
    opened = Opened(kind=Kind.INCIDENT, subject="x", requester="a@b.example", requester_name="", customer="",
                    language="zh", reported_at=AT)  # fmt: skip
    story.happens(opened, routed)
    moves = {
        "take": (Verb.ACCEPT, State.IN_PROGRESS), "hold": (Verb.HOLD, State.ON_HOLD), "solve": (Verb.RESOLVE, State.RESOLVED),
        "resume": (Verb.RESUME, State.IN_PROGRESS), "reopen": (Verb.REOPEN, State.IN_PROGRESS),
    }  # fmt: skip
    for hours, what in steps:
        story.now = AT + timedelta(hours=hours)
        if what == "undo":
            undone(story)
            continue
        more = {"hold_reason": HoldReason.CUSTOMER} if what == "hold" else {}
        story.happens(story.moves(*moves[what], **more))
    life = life_of(1, story.history, AT + timedelta(hours=until_hours), measuring(rulebook))
    assert life is not None
    return life


def resolved(life: Life) -> list[tuple[float, bool]]:
    return [((o.at - AT) / timedelta(hours=1), o.kept) for o in life.outcomes if o.clock == "resolve"]


@pytest.mark.parametrize(
    ("what", "steps", "expected"),
    [
        ("kept counts when it is solved", [(1, "take"), (7, "solve")], [(7, True)]),
        ("missed counts when it fell due, not when it is solved", [(1, "take"), (30, "solve")], [(8, False)]),
        ("missed and not solved at all", [(1, "take")], [(8, False)]),
        (
            "a hold for the customer moves the due time",
            [(1, "take"), (2, "hold"), (12, "resume"), (17, "solve")],
            [(17, True)],
        ),
        ("held for ever is neither kept nor missed", [(1, "take"), (2, "hold")], []),
        ("kept, reopened, and then missed", [(7, "solve"), (20, "reopen")], [(7, True), (21, False)]),
        ("kept, reopened, kept again", [(2, "solve"), (20, "reopen"), (21, "solve")], [(2, True), (21, True)]),
        ("missed stays missed after a reopening", [(9, "solve"), (20, "reopen"), (21, "solve")], [(8, False)]),
        ("a solution that was taken back never was", [(1, "take"), (2, "undo"), (7, "solve")], [(7, True)]),
    ],
)
def test_what_becomes_of_a_promise_of_eight_hours(
    what: str, steps: list[tuple[float, str]], expected: list[tuple[float, bool]], rulebook: Rulebook
) -> None:
    assert resolved(told(rulebook, *steps)) == expected, what


def test_what_was_taken_back_is_not_counted(rulebook: Rulebook) -> None:
    life = told(rulebook, (1, "take"), (2, "undo"))
    assert (
        life.ticket.state is State.IN_PROGRESS
        and life.solved == ()
        and not [d for d in life.done if d.clock == "resolve"]
    )


def test_due_when_work_ends_and_done_before_it_begins_again_is_kept(rulebook: Rulebook) -> None:
    """The clock says that it was kept: no working time passed after the due time."""
    due = datetime(2026, 10, 12, 18, 0, tzinfo=BEIJING)
    opened = Opened(kind=Kind.INCIDENT, subject="x", requester="a@b.example", requester_name="", customer="",
                    language="zh", reported_at=AT)  # fmt: skip
    clock = ClockStarted(
        clock="respond", target=timedelta(hours=8), calendar="business", started_at=AT, due_at=due, steps=()
    )
    early = datetime(2026, 10, 13, 8, 30, tzinfo=BEIJING)
    given = Assigned(team="network", line=1, assignee="wang.wei", by="x")
    taken = StateChanged(verb=Verb.ACCEPT, old=State.ASSIGNED, new=State.IN_PROGRESS, by="wang.wei")
    history: list[tuple[datetime, Event]] = [(AT, opened), (AT, given), (AT, clock), (early, taken),
                                             (early, ClockStopped(clock="respond", at=early, met=True))]  # fmt: skip
    life = life_of(1, history, AT + timedelta(days=5), measuring(rulebook))
    assert life and [(o.at, o.kept) for o in life.outcomes] == [(early, True)]
    assert life.done[0].worked == timedelta(hours=8)


# --- periods ---


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11", "2026-11-01", "2026-11-30"), ("2026-12", "2026-12-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"), ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-w01", "2025-12-29", "2026-01-04"), ("2020-W53", "2020-12-28", "2021-01-03"),
        ("2026-11-23", "2026-11-23", "2026-11-23"), ("2026", "2026-01-01", "2026-12-31"),
        ("2026-11-01..2026-11-15", "2026-11-01", "2026-11-15"), (" 2026-11 ", "2026-11-01", "2026-11-30"),
    ],
)  # fmt: skip
def test_periods(text: str, first: str, last: str) -> None:
    period = period_of(text, ZONE, datetime(2027, 3, 1, tzinfo=UTC))
    assert (period.first.isoformat(), period.last.isoformat(), period.over) == (first, last, True)
    assert period.start.astimezone(BEIJING).isoformat() == f"{first}T00:00:00+08:00"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-13", "month"), ("2026-W54", "week"), ("2027-W53", "week"), ("2026-11-31", "day"), ("november", "2026-W47"),
        ("2026-11-15..2026-11-01", "earlier day first"), ("2026-11-01..", "2026-W47"), ("2027-05", "future"),
        ("9999", "range"), ("0000-01", "year"), ("２０２６-11", ""),
    ],
)  # fmt: skip
def test_what_is_no_period_is_told_with_a_cure(text: str, says: str) -> None:
    if text == "２０２６-11":  # full-width digits are digits
        assert period_of(text, ZONE, NOW).first == date(2026, 11, 1)
        return
    with pytest.raises(PeriodError) as e:
        period_of(text, ZONE, NOW)
    assert says in str(e.value) and text in str(e.value)


def test_no_period_is_this_month_so_far() -> None:
    now = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)  # half past midnight on 1 December in Beijing
    period = period_of("", ZONE, now)
    assert (period.name, period.until, period.over) == ("2026-12", now, False)


def test_a_day_with_a_clock_change_has_its_real_length() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    spring, autumn = (period_of(day, "Europe/Berlin", now) for day in ("2026-03-29", "2026-10-25"))
    assert (spring.end - spring.start, autumn.end - autumn.start) == (timedelta(hours=23), timedelta(hours=25))


# --- the table ---


def test_every_kpi_has_a_name_and_a_formula_in_both_languages() -> None:
    for kpi in KPIS:
        for texts in (kpi.name, kpi.formula, *(c.name for c in kpi.columns)):
            assert set(texts) == {"zh", "en"} and all(texts.values()), kpi.key
    assert len({k.key for k in KPIS}) == len(KPIS)
    assert all(k.name["zh"] in kpis_table() for k in KPIS)


def test_raw_rows_are_json(store: Store) -> None:
    """The recount reads what the database holds, not what the events would say."""
    (row,) = store.register.raw_events(1)[:1]
    assert row["kind"] == "Opened" and isinstance(row["data"]["reported_at"], str)
    assert to_plain(store.register.events(1)[0][1]) == row["data"]
