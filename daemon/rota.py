"""Who is on call: the weekly rota of a team, its swaps, and who stands in for the absent.

What comes in: a Rota, the people, a moment. What goes out: the person, and why it is they. Pure: the rota is reckoned
from its first week, so nothing is stored and nothing can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from daemon.plain import iso
from daemon.rulebook import Person, Rota, Swap

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """Who is on call ("": nobody), who would be by the order, and whom they are there for.

    `swapped`: it was agreed so with that person; `absent`: these are away, so the next in the order stands in.
    """

    person: str
    planned: str
    swapped: str = ""
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in which the same person is on call for the same reason."""

    since: datetime
    until: datetime
    who: OnCall


def on_call(rota: Rota, people: Mapping[str, Person], zone: str, moment: datetime) -> OnCall | None:
    """Return who is on call at this moment; None before the rota begins. `zone` counts where the rota names none."""
    local = moment.astimezone(ZoneInfo(rota.zone or zone))
    day = duty_day(rota, local)
    if day < rota.starts or not rota.order:
        return None
    planned = planned_on(rota, day)
    swap = next((s for s in rota.swaps if swaps_on(s, rota, day)), None)
    return _there(rota, people, local.date(), planned, swap.who if swap else "")


def duty_day(rota: Rota, local: datetime) -> date:
    """Return the day of the rota that this local moment belongs to: before the handover it is still the day before."""
    today = local.date()
    return today if local.timetz().replace(tzinfo=None) >= rota.handover else today - DAY


def planned_on(rota: Rota, day: date) -> str:
    """Return whose week this day of the rota is by the order alone."""
    return rota.order[(day - rota.starts) // WEEK % len(rota.order)]


def swaps_on(swap: Swap, rota: Rota, day: date) -> bool:
    """Whether this swap changes who is on call on that day."""
    return swap.first <= day <= swap.last and swap.instead_of in ("", planned_on(rota, day))


def week_of(rota: Rota, day: date) -> tuple[date, date]:
    """Return the first and the last day of the rota's week that this day belongs to."""
    first = rota.starts + (day - rota.starts) // WEEK * WEEK
    return first, first + WEEK - DAY


def _there(rota: Rota, people: Mapping[str, Person], day: date, planned: str, swapped_in: str) -> OnCall:
    """Return who comes first in the order, from the one whose turn it is, and is not away that day."""
    first = swapped_in or planned
    at = rota.order.index(first) if first in rota.order else rota.order.index(planned)
    turn = dict.fromkeys((first, *rota.order[at:], *rota.order[:at]))
    absent: list[str] = []
    for key in turn:
        person = people.get(key)
        if person is not None and person.away_until(day) is None:
            swapped = planned if swapped_in and swapped_in != planned else ""
            return OnCall(person=key, planned=planned, swapped=swapped, absent=tuple(absent))
        absent.append(key)
    return OnCall(person="", planned=planned, absent=tuple(absent))


# --- looking ahead ---


def stretches(rota: Rota, people: Mapping[str, Person], zone: str, now: datetime, weeks: int) -> Iterator[Stretch]:
    """Yield who is on call from now on, for so many weeks, one stretch for each change."""
    moments = [now, *sorted({m for m in _turns(rota, zone, now, weeks) if m > now})]
    since: datetime | None = None
    for at, following in pairwise(moments):
        who, then = (on_call(rota, people, zone, m) for m in (at, following))
        since = since or at
        if who != then or following == moments[-1]:
            if who is not None:
                yield Stretch(since=since, until=following, who=who)
            since = None


def _turns(rota: Rota, zone: str, now: datetime, weeks: int) -> Iterator[datetime]:
    """Yield every moment at which it can change: each handover time, and each midnight, when absences begin and end."""
    where = ZoneInfo(rota.zone or zone)
    first = now.astimezone(where).date()
    for n in range(1, weeks * 7 + 1):
        day = first + n * DAY
        yield datetime.combine(day, time.min, tzinfo=where)
        yield datetime.combine(day - DAY, rota.handover, tzinfo=where)


def rota_data(team: str, found: Iterable[Stretch], people: Mapping[str, Person], zone: ZoneInfo) -> dict[str, Any]:
    """Return the rota of a team as plain data."""
    return {
        "team": team,
        "on_call": [
            {
                "since": iso(s.since, zone),
                "until": iso(s.until, zone),
                "person": s.who.person, "name": _name(s.who.person, people), "planned": s.who.planned,
                "swapped": s.who.swapped, "absent": list(s.who.absent),
            }
            for s in found
        ],
    }  # fmt: skip


def rota_rows(
    team: str, found: Iterable[Stretch], people: Mapping[str, Person], zone: ZoneInfo, language: str
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield rows of team, since, until, who, and why it is they."""
    for s in found:
        since, until = (f"{m.astimezone(zone):%Y-%m-%d %H:%M}" for m in (s.since, s.until))
        yield (
            team,
            since,
            until,
            _name(s.who.person, people) or _SAYS[language]["nobody"],
            _why(s.who, people, language),
        )


def rota_heads(language: str) -> tuple[str, str, str, str, str]:
    """Return the headings of these rows."""
    says = _SAYS[language]
    return says["team"], says["since"], says["until"], says["who"], says["why"]


def _why(who: OnCall, people: Mapping[str, Person], language: str) -> str:
    says = _SAYS[language]
    reasons = [says["swapped"].format(_name(who.swapped, people))] if who.swapped else []
    reasons += [says["absent"].format(_name(key, people)) for key in who.absent]
    return says["comma"].join(reasons) or says["turn"]


def _name(key: str, people: Mapping[str, Person]) -> str:
    return people[key].name if key in people else key


_SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "team": "team", "since": "from", "until": "until", "who": "on call", "why": "why", "turn": "their turn",
        "swapped": "in exchange with {}", "absent": "{} is away", "nobody": "nobody", "comma": ", ",
    },
    "zh": {
        "team": "班组", "since": "从", "until": "到", "who": "值班", "why": "原因", "turn": "轮到",
        "swapped": "与{}换班", "absent": "{}不在", "nobody": "没有人", "comma": "，",
    },
}  # fmt: skip
