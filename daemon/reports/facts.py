"""A report as plain data: the JSON of `ticketd report`, from which every other form is drawn.

What comes in: a Cohort and the Wording of one language. What goes out: a dictionary in which every figure has a value,
its words, and the numbers of the tickets behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from daemon.notify.emergencies import level_name
from daemon.reports.kpis import KPIS, Cohort, Column, Figure, Kpi, Row
from daemon.reports.wording import Wording

_MOST_POINTS = 62
"""More days than this and the course of the period is told by weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands above a report: whose service, which customers (none named: all), when it was made.

    A customer "" stands for the tickets that belong to no customer.
    """

    service: str
    customers: tuple[str, ...]
    made_at: datetime


def report_facts(cohort: Cohort, heading: Heading, wording: Wording) -> dict[str, Any]:
    """Return the whole report as plain data."""
    period = cohort.period
    return {
        "title": wording.say("title"),
        "service": heading.service,
        "language": wording.language,
        "period": {
            "name": period.name,
            "first": period.first.isoformat(),
            "last": period.last.isoformat(),
            "until": period.until.astimezone(wording.zone).isoformat(timespec="seconds"),
            "over": period.over,
        },
        "zone": wording.zone.key,
        "customers": list(heading.customers),
        "customer_name": _whose(heading.customers, wording),
        "made_at": heading.made_at.astimezone(wording.zone).isoformat(timespec="seconds"),
        "kpis": [_kpi(kpi, cohort, wording) for kpi in KPIS],
        "course": list(_course(cohort, wording)),
    }


def _whose(customers: tuple[str, ...], wording: Wording) -> str:
    names = [wording.customer(key) if key else wording.say("no_customer") for key in customers]
    return wording.word_at("comma").join(names) or wording.say("all_customers")


def _kpi(kpi: Kpi, cohort: Cohort, wording: Wording) -> dict[str, Any]:
    rows = list(kpi.rows(cohort))
    return {
        "key": kpi.key,
        "name": wording.named(kpi.name),
        "formula": wording.named(kpi.formula),
        "recorded": True,  # since every KPI is, now; programs may still ask
        "columns": [{"key": c.key, "name": wording.named(c.name), "unit": c.unit} for c in kpi.columns],
        "rows": [_row(row, kpi.columns, wording) for row in rows],
    }


def _row(row: Row, columns: tuple[Column, ...], wording: Wording) -> dict[str, Any]:
    return {
        "group": row.group,
        "key": row.key,
        "label": _label(row, wording),
        "figures": [_figure(f, c, wording) for f, c in zip(row.figures, columns, strict=True)],
    }


def _figure(figure: Figure, column: Column, wording: Wording) -> dict[str, Any]:
    return {
        "value": None if figure.value is None else round(figure.value, 4),
        "shown": _shown(figure.value, column.unit, wording),
        "numbers": list(figure.numbers),
        "of": list(figure.of),
    }


def _shown(value: float | None, unit: str, wording: Wording) -> str:
    if value is None:
        return wording.say("nothing")
    match unit:
        case "percent":
            return f"{value:.1f} %"
        case "minutes":
            return wording.minutes(value)
        case "work_minutes":  # a day of working time would be read as a working day
            return wording.hours(value)
        case "points":
            return f"{value:.1f}"
        case _:
            return f"{value:.0f}"


def _label(row: Row, wording: Wording) -> str:
    if row.group == "total":
        return wording.say("total")
    if not row.key:
        return wording.say("none")
    namers: Mapping[str, Callable[[str], str]] = {
        "category": wording.category,
        "customer": wording.customer,
        "person": wording.person,
        "major": lambda key: level_name(key, wording.language, wording.rulebook),
        "points": wording.say("points").format,
        "step": lambda key: _step(key, wording),
        "age": lambda key: wording.word("report_age", key),
    }
    namer = namers.get(row.group)
    return namer(row.key) if namer else wording.word(row.group, row.key)


def _step(key: str, wording: Wording) -> str:
    """Return a step of the timetable in words; see `daemon.reports.life` for how it is spelt."""
    clock, _, rest = key.partition(" ")
    if not rest:
        return wording.say(clock)
    name = wording.word("clock", clock)
    if rest == "again":
        return wording.say("step_again", clock=name)
    if rest.startswith("after "):
        return wording.say("step_after", clock=name, amount=wording.minutes(float(rest.removeprefix("after "))))
    return wording.say("step", clock=name, amount=rest)


# --- how the period went, day by day or week by week ---


def _course(cohort: Cohort, wording: Wording) -> Iterator[dict[str, Any]]:
    for since, until in pairwise(_borders(cohort, wording)):
        yield {
            "from": since.date().isoformat(),
            "reported": [x.number for x in cohort.lives if since <= x.reported_at < until],
            "solved": [x.number for x in cohort.lives if any(since <= at < until for at, _ in x.solved)],
        }


def _borders(cohort: Cohort, wording: Wording) -> Iterator[datetime]:
    """Yield local midnights from the first day to the end of what is known, a day or a week apart."""
    period = cohort.period
    days = (period.last - period.first).days + 1
    apart = timedelta(days=1 if days <= _MOST_POINTS else 7)
    border = period.start.astimezone(wording.zone)
    while border < period.until:
        yield border
        border += apart  # wall-clock arithmetic: midnight stays midnight across a clock change
    yield min(border, period.end.astimezone(wording.zone))
