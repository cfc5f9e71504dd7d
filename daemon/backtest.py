"""New rules over the mail that older ones have decided: what would change, before they count.

What comes in: the store, two Rulebooks, how far to look back. What goes out: a Trial. Stored mails are read again in
child processes, as the daemon reads them; a few worker processes judge them. Nothing is written.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from daemon.comparing import (
    Decided,
    Difference,
    Shift,
    grouped,
    outcome_of,
    rules_behind,
    rules_changed,
    ruling_on,
    sharing,
    shifts_between,
)
from daemon.intake.letter import Letter
from daemon.intake.reader import ReadingFailedError, Reads, ReadsInChild
from daemon.plain import iso
from daemon.routing.actions import AddToParent
from daemon.routing.changes import changed as diff
from daemon.routing.loader import FILES
from daemon.routing.ruling import FILE as ROUTING
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.store import KeptMail, Store
from daemon.words import LooksAt

_HANDFUL = 50
"""Mails that a worker process gets at once."""
_FEW = 200
"""So few mails are not worth a second process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A mail that could not be tried, and why."""

    mail: int
    ticket: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came out: how many mails were tried, what would be otherwise, and what could not be tried."""

    old: str
    new: str
    since: datetime | None = None
    mails: int = 0
    differences: tuple[Difference, ...] = ()
    unread: tuple[Unread, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which rules are to be compared, and over which mails: those decided since then, the newest `limit` of them."""

    old: Rulebook
    new: Rulebook
    service: Service
    since: datetime | None = None
    limit: int = 0


Verdict = Difference | Unread | None
Handful = Sequence[tuple[Decided, KeptMail | None]]


def back_test(question: Question, store: Store, workers: int = 0) -> Trial:
    """Return what the new rules would have decided otherwise than the old ones.

    `workers` processes judge (0: one for each processor); 1 means this very process.
    """
    found = store.register.decided(question.since, question.limit)
    count = 1 if len(found) <= _FEW else workers or os.cpu_count() or 1
    judge = _Judge(question)
    verdicts = _here(judge, store, found) if count == 1 else _in_parallel(judge, store, found, count)
    return _trial(question, len(found), sorted(verdicts, key=_mail_of))


def _mail_of(verdict: Difference | Unread) -> int:
    return verdict.mail if isinstance(verdict, Unread) else verdict.decided.mail


def _trial(question: Question, count: int, verdicts: list[Difference | Unread]) -> Trial:
    unread = tuple(v for v in verdicts if isinstance(v, Unread))
    return Trial(
        old=question.old.version, new=question.new.version, since=question.since, mails=count - len(unread),
        differences=tuple(v for v in verdicts if isinstance(v, Difference)), unread=unread,
        remarks=tuple(_remarks(question)),
    )  # fmt: skip


def _remarks(question: Question) -> Iterator[str]:
    """Yield what the trial cannot know, where some rule asks for it: nobody shall take silence for agreement."""
    rules = {rule.name: rule for book in (question.old, question.new) for rule in book.rules}
    if replies := [r.name for r in rules.values() if r.looks_at is LooksAt.REPLIES]:
        yield f"rules for replies are not tried: {', '.join(replies)}"
    if question.old.asks_similar or question.new.asks_similar:
        yield "which incidents were open then is not known: rules that ask for a similar one are tried as if none was"
    if any(isinstance(action, AddToParent) for r in rules.values() for action in r.then):
        yield "which parents were open then is not known: whether a mail would come under one is not said"


def _handfuls(found: Iterable[Decided], store: Store) -> Iterator[Handful]:
    """Yield the mails with their bytes, a handful at a time: all of them at once would not fit."""
    left = iter(found)
    while some := list(islice(left, _HANDFUL)):
        yield [(d, store.ledger.get(d.mail)) for d in some]


@dataclass
class _Judge:
    """Reads mails, and judges each by both sets of rules; the reader is begun where it is needed."""

    question: Question
    reader: Reads | None = None
    changed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        ask = self.question
        self.changed = rules_changed(ask.old, ask.new)
        if _differ_in_rules_only(ask.old, ask.new):
            old, new = sharing(ask.old, ask.new)
            self.question = replace(ask, old=old, new=new)

    def verdicts(self, handful: Handful) -> list[Difference | Unread]:
        """Return what differs, and what could not be tried."""
        self.reader = self.reader or ReadsInChild()
        self.reader.ahead([mail for _, mail in handful if mail is not None and _kept(mail)])
        found = (self._verdict(decided, mail, self.reader) for decided, mail in handful)
        return [v for v in found if v is not None]

    def close(self) -> None:
        """End the reading process."""
        if self.reader is not None:
            self.reader.close()

    def _verdict(self, decided: Decided, mail: KeptMail | None, reader: Reads) -> Verdict:
        not_tried = partial(Unread, mail=decided.mail, ticket=decided.ticket)
        if mail is None or not _kept(mail):
            return not_tried(why="its bytes are not kept any more")
        try:
            letter = reader.letter(mail)
        except ReadingFailedError as e:
            return not_tried(why=str(e))
        if letter.sha256 != mail.sha256:
            return not_tried(why="its stored bytes are damaged")
        ask = self.question
        old = outcome_of(letter, decided, ask.old, ask.service)
        new = outcome_of(letter, decided, ask.new, ask.service)
        shifts = shifts_between(old, new)
        return self._difference(letter, decided, shifts) if shifts else None

    def _difference(self, letter: Letter, decided: Decided, shifts: tuple[Shift, ...]) -> Difference:
        """Return what differs with the rules behind it, which only such mails are asked about."""
        ask = self.question
        old, new = (ruling_on(letter, decided, book, ask.service) for book in (ask.old, ask.new))
        rules = {shift.fact: rules_behind(shift.fact, old, new, self.changed) for shift in shifts}
        return Difference(decided=decided, shifts=shifts, rules=rules)


def _kept(mail: KeptMail) -> bool:
    """Whether there are bytes of this mail."""
    return bool(mail.path) or mail.content is not None


def _here(judge: _Judge, store: Store, found: Iterable[Decided]) -> list[Difference | Unread]:
    try:
        return [v for handful in _handfuls(found, store) for v in judge.verdicts(handful)]
    finally:
        judge.close()


def _differ_in_rules_only(old: Rulebook, new: Rulebook) -> bool:
    """Whether all that conditions may look at, other than the rules themselves, is the same."""
    others = frozenset(FILES) - {ROUTING}
    same = (old.captures, old.simplified) == (new.captures, new.simplified)
    return same and bool(old.files) and not others & frozenset(diff(old.files, new.files))


_judges: list[_Judge] = []
"""The judge of a worker process; inherited when it is forked, since patterns cannot be sent."""


def _in_parallel(judge: _Judge, store: Store, found: Iterable[Decided], count: int) -> list[Difference | Unread]:
    """Judge in processes of our own, forked before anything is begun: they hold the rules already."""
    _judges[:] = [judge]
    slots, verdicts = threading.Semaphore(2 * count), []
    with multiprocessing.get_context("fork").Pool(count) as pool:
        for some in pool.imap_unordered(_work, _metered(_handfuls(found, store), slots, store)):
            slots.release()
            verdicts += some
        pool.close()
        pool.join()
    return verdicts


def _metered(handfuls: Iterable[Handful], slots: threading.Semaphore, store: Store) -> Iterator[Handful]:
    """Yield handfuls only as fast as they are judged; it is a thread of the pool that asks, with its own connection."""
    for handful in handfuls:
        slots.acquire()
        yield handful
    store.close()


def _work(handful: Handful) -> list[Difference | Unread]:
    return _judges[0].verdicts(handful)


# --- showing it ---


def trial_data(trial: Trial, zone: ZoneInfo, most: int = 0) -> dict[str, Any]:
    """Return a trial as `rules backtest --json` shows it; `most`: only so many numbers in each group (0: all)."""
    return {
        "rules": {"old": trial.old, "new": trial.new},
        "since": iso(trial.since, zone),
        "mails": trial.mails,
        "changed": len(trial.differences),
        "remarks": list(trial.remarks),
        "unread": [{"mail": u.mail, "ticket": u.ticket or None, "why": u.why} for u in trial.unread],
        "groups": [
            {
                "fact": g.shift.fact, "old": g.shift.old, "new": g.shift.new, "count": len(g.mails),
                "rules": list(g.rules),
                "tickets": _some([d.ticket for d in g.mails if d.ticket], most),
                "mails": _some([d.mail for d in g.mails], most),
            }
            for g in grouped(trial.differences)
        ],
    }  # fmt: skip


def trial_lines(trial: Trial, most: int = 10) -> Iterator[str]:
    """Yield a trial as people read it, the most frequent change first."""
    tickets = {d.decided.ticket for d in trial.differences if d.decided.ticket}
    yield f"{trial.mails} stored mails tried: {len(trial.differences)} would be decided otherwise" + (
        f" ({len(tickets)} tickets)" if tickets else ""
    )
    for group in grouped(trial.differences):
        shift, numbers = group.shift, [_called(d) for d in group.mails]
        more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
        yield f"  {len(numbers):>5}  {shift.fact}: {shift.old or '(nothing)'} → {shift.new or '(nothing)'}"
        yield f"         by {', '.join(group.rules) or 'no single rule'}; {', '.join(numbers[:most])}{more}"
    for why, some in _by_reason(trial.unread).items():
        yield f"  {len(some):>5}  could not be tried: {why}; {', '.join(some[:most])}"
    yield from (f"note: {remark}" for remark in trial.remarks)


def _called(one: Decided | Unread) -> str:
    return str(one.ticket) if one.ticket else f"mail {one.mail}"


def _by_reason(unread: Iterable[Unread]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in unread:
        found.setdefault(one.why, []).append(_called(one))
    return found


def _some(numbers: list[int], most: int) -> list[int]:
    return numbers[:most] if most else numbers
