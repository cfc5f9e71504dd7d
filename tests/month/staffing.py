"""Who should have got what nobody had: the judge of dispatch (docs/dispatch.md).

What comes in: the lives of all tickets, with what dispatch did. What goes out: differences, each a sentence. Nothing here
is shared with ticketd. Where several are as good as each other, any of them is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from tests.month.books import SERVICE_ZONE, Books
from tests.month.case import OPEN, Case, Given
from tests.month.hours import DAY

Then = dict[str, Any]
_LAST = 10**9


def staffing_differs(
    lives: dict[int, Case], books: Books, up: Callable[[datetime], datetime], until: datetime
) -> Iterator[str]:
    """Yield where dispatch chose somebody else than it should, let wait what somebody was free for, or forgot one."""
    office = _Office(books)
    before = None
    for now, round_ in groupby(_in_order(lives), key=lambda item: item[0][0]):
        yield from office.nobody_waits_in_vain(before, up, now)
        queue: dict[int, tuple[Given, Then]] = {}
        for _, number, then, given in round_:
            from_queue = [g for g in given if g.cause == "queue"]
            if from_queue:
                queue[number] = (from_queue[0], then)
                continue
            for one in given:
                yield from office.judge(one)
            office.now_is[number] = then
        yield from office.judge_queue(queue, now)
        before = now
    yield from office.nobody_waits_in_vain(before, up, until)


def _in_order(lives: dict[int, Case]) -> list[tuple[tuple[datetime, int, int, int], int, Then, list[Given]]]:
    """Return all that happened to all tickets in the order in which it did: mails as they came, then the clock.

    What the clock did to a ticket before a mail on it was looked at came just before that mail.
    """
    found = []
    for number, case in lives.items():
        ahead = _LAST
        for at in reversed(range(len(case.past))):
            now, then = case.past[at]
            later = case.past[at + 1][0] if at + 1 < len(case.past) else None
            cause = case.causes[at]
            mail = int(cause.removeprefix("mail:")) if cause.startswith("mail:") else _LAST + (cause == "queue")
            ahead = mail if mail < _LAST else ahead if later == now and mail == _LAST else mail
            given = [g for g in case.given if g.at == now and g.cause == cause]
            found.append(((now, ahead, number, at), number, then, given))
    return sorted(found, key=lambda f: f[0])


@dataclass
class _Office:
    """Everybody, and what they have at hand at one moment."""

    books: Books
    now_is: dict[int, Then] = field(default_factory=dict)

    # --- judging ---

    def judge(self, given: Given) -> Iterator[str]:
        """Yield what is wrong with one decision."""
        if not self._chooses(given.then):
            return
        right = self.chosen(given.ticket, given.then, given.at)
        if given.to not in (right or {""}):
            yield f"INC-{given.ticket}: at {given.at:%m-%d %H:%M}Z {_said(right)}, but dispatch says {given.to or 'nobody'}"

    def judge_queue(self, queue: dict[int, tuple[Given, Then]], now: datetime) -> Iterator[str]:
        """Yield what is wrong with what was given from the queue, the most urgent first, or was left there."""
        for number in self._waiting({n: given.then for n, (given, _) in queue.items()}):
            given, then = queue.get(number, (None, self.now_is[number]))
            to = given.to if given else ""
            right = self.chosen(number, given.then if given else then, now)
            if to not in (right or {""}):
                yield f"INC-{number}: at {now:%m-%d %H:%M}Z {_said(right)}, but it {_went(to)}"
            self.now_is[number] = then
            queue.pop(number, None)
        yield from (f"INC-{n}: was given from the queue, where it was not" for n in queue)
        self.now_is |= {n: then for n, (_, then) in queue.items()}

    def nobody_waits_in_vain(
        self, since: datetime | None, up: Callable[[datetime], datetime], until: datetime
    ) -> Iterator[str]:
        """Yield what goes on waiting although somebody has begun to work meanwhile."""
        waiting = self._waiting({})
        if since is None or not waiting:
            return
        for moment in self._openings(since, until):
            back = up(moment)
            free = [n for n in waiting if since < back < until and self.chosen(n, self.now_is[n], back)]
            if free:
                yield f"INC-{free[0]}: waits although somebody is free from {back:%m-%d %H:%M}Z on"
                return

    def _waiting(self, also: dict[int, Then]) -> list[int]:
        """Return what has nobody and waits for one of a team that chooses: by severity, due time and age."""
        all_ = {**{n: t for n, t in self.now_is.items() if n not in also}, **also}
        waiting = {n: t for n, t in all_.items() if self._chooses(t) and t["state"] in OPEN[:3] and not t["assignee"]}
        return sorted(waiting, key=lambda n: (waiting[n]["severity"], waiting[n]["resolve_by"] or datetime.max, n))

    def _chooses(self, then: Then) -> bool:
        return bool(then["team"]) and self.books.teams[then["team"]].get("dispatch") == "auto"

    def _openings(self, since: datetime, until: datetime) -> list[datetime]:
        calendars = {p["calendar"] for p in self.books.people.values() if "calendar" in p}
        starts = [a for c in calendars for spans in self.books.hours(c).days.values() for a, _ in spans]
        return sorted(a for a in starts if since < a < until)

    # --- who it should be ---

    def chosen(self, number: int, then: Then, now: datetime) -> set[str]:
        """Return who may rightly get this ticket now: nobody, or those who are as good as each other."""
        team = self.books.teams[then["team"]]
        people = {m: self.books.people[m] for m in team["members"]}
        able = {k: _skill(p, then["category"]) for k, p in people.items() if _skill(p, then["category"]) >= 0}
        able = able or dict.fromkeys(people, 0)
        if then["line"] >= 2:
            able = {k: s for k, s in able.items() if people[k].get("line", 1) >= then["line"]} or able
        free = [k for k in able if self._works(k, now) and self._has_room(k, number, now)]
        if not free:
            return self._on_call(number, then, now)
        rank = {k: (abs(people[k].get("line", 1) - then["line"]), -able[k], self._fullness(k, number)) for k in free}
        return {k for k in free if rank[k] == min(rank.values())}

    def _on_call(self, number: int, then: Then, now: datetime) -> set[str]:
        """Return who is called outside working hours, for what is grave enough."""
        rota = self.books.files["rota"]
        order = rota["rota"].get(then["team"], {}).get("order", [])
        if not order or then["severity"] not in rota["out_of_hours"]:
            return set()
        there = [k for k in self._turns(rota["rota"][then["team"]], now) if not self._away(k, now)]
        who = there[0] if there else ""
        free = who and not self._works(who, now) and self._has_room(who, number, now)
        return {who} if free else set()

    def _turns(self, rota: Then, now: datetime) -> list[str]:
        """Return the order in which people are called in this week of the rota."""
        local = now.astimezone(ZoneInfo(SERVICE_ZONE))
        hour = time.fromisoformat(rota["handover"].split()[1])
        day = local.date() if local.time() >= hour else local.date() - DAY
        starts = rota["starts"] if isinstance(rota["starts"], date) else date.fromisoformat(rota["starts"])
        turn = (day - starts) // timedelta(weeks=1) % len(rota["order"])
        return [*rota["order"][turn:], *rota["order"][:turn]]

    def _works(self, key: str, now: datetime) -> bool:
        calendar = self.books.people[key].get("calendar")
        hours = self.books.hours(calendar) if calendar else None
        at_work = hours is None or any(a <= now < b for a, b in hours.days.get(hours.today(now), ()))
        return at_work and not self._away(key, now)

    def _away(self, key: str, now: datetime) -> bool:
        return self.books.away(self.books.address(key), now.astimezone(ZoneInfo(SERVICE_ZONE)).date())

    def _has_room(self, key: str, number: int, _: datetime) -> bool:
        capacity = self.books.people[key].get("capacity")
        return not capacity or self._at_hand(key, number) < capacity

    def _fullness(self, key: str, number: int) -> float:
        return self._at_hand(key, number) / self.books.people[key].get("capacity", 1)

    def _at_hand(self, key: str, number: int) -> int:
        """Return how many tickets somebody has to work on: what waits for a customer or a date is not at hand."""
        return sum(t["assignee"] == key and self._is_work(t) for n, t in self.now_is.items() if n != number)

    def _is_work(self, then: Then) -> bool:
        if then["state"] == "on_hold":
            return then["hold_reason"] not in self.books.stops
        return then["state"] in ("assigned", "in_progress")


def _skill(person: Then, category: str) -> int:
    """Return how closely somebody's skills fit: 0 for who does everything, -1 for who does other things."""
    skills = person.get("skills")
    if not skills:
        return 0
    return max((len(s) for s in skills if f"{category}/".startswith(f"{s}/")), default=-1)


def _said(right: set[str]) -> str:
    return f"{' or '.join(sorted(right))} should get it" if right else "nobody is free"


def _went(to: str) -> str:
    return f"went to {to}" if to else "is left waiting"
