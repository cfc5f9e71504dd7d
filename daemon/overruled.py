"""What became of the rules' word: how often each rule matched, and where people decided otherwise afterwards.

What comes in: the histories of tickets, and the Rulebook that counts now. What goes out: Ruled tickets with their
Corrections, and what each rule has come to. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.dispatch import DISPATCH
from daemon.events import Assigned, Event, Graded, HandedUp, Opened, Returned, Routed, RulesApplied
from daemon.plans import RULE
from daemon.routing.actions import SetField
from daemon.routing.conditions import Always
from daemon.routing.notes import is_note
from daemon.rulebook import Rule, Rulebook

CATEGORY, TEAM = "category", "team"
_SOON = timedelta(days=3)
"""Who gives a ticket to another team later than this does not say that the rule was wrong."""
_NOT_PEOPLE = frozenset({DISPATCH, RULE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """People decided otherwise than the rules: `fact` is category or team; `new` is "" where nobody said which."""

    fact: str
    old: str
    new: str
    at: datetime
    returned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A ticket, or a mail that became none (number 0), that rules have decided on."""

    number: int
    at: datetime
    because: tuple[str, ...]
    subject: str = ""
    requester: str = ""
    corrections: tuple[Correction, ...] = ()
    opened: bool = True


@dataclass(kw_only=True)
class Tally:
    """What one rule has come to."""

    rule: str
    hits: int = 0
    last: datetime | None = None
    tickets: list[int] = field(default_factory=list)
    overruled: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, ruled: Ruled) -> None:
        """Count a mail that it matched."""
        self.hits += 1
        self.last = max(self.last or ruled.at, ruled.at)
        if ruled.number:
            self.tickets.append(ruled.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How all rules stand: `missed` are the tickets that nothing but a rule for everything else has classified."""

    mails: int
    tallies: tuple[Tally, ...]
    missed: tuple[int, ...]
    gone: tuple[Tally, ...]


def ruled_from(number: int, history: Sequence[tuple[datetime, Event]]) -> Iterator[Ruled]:
    """Yield what rules decided on one ticket: when it was opened, and on the mails that came later."""
    opened = next((e for _, e in history if isinstance(e, Opened)), None)
    for at, event in history:
        match event:
            case Routed() if event.because:
                yield Ruled(
                    number=number, at=at, because=event.because, subject=opened.subject if opened else "",
                    requester=opened.requester if opened else "", corrections=tuple(_corrections(event, at, history)),
                )  # fmt: skip
            case RulesApplied():
                yield Ruled(number=number, at=at, because=event.because, opened=False)
            case _:
                pass


def _corrections(routed: Routed, at: datetime, history: Sequence[tuple[datetime, Event]]) -> Iterator[Correction]:
    """Yield what holds in the end where people have changed it; what was taken back again is no correction."""
    graded = [(when, e) for when, e in history if isinstance(e, Graded) and e.field == CATEGORY]
    if graded and graded[-1][1].new != routed.category:
        yield Correction(fact=CATEGORY, old=routed.category, new=graded[-1][1].new, at=graded[-1][0])
    given = list(_given(at, history))
    returned = [when for when, e in history if isinstance(e, Returned) and e.from_team == routed.team]
    team = given[-1][1] if given else ""
    if returned or (team and team != routed.team):
        when = returned[0] if returned else given[-1][0]
        new = team if team != routed.team else ""
        yield Correction(fact=TEAM, old=routed.team, new=new, at=when, returned=bool(returned))


def _given(at: datetime, history: Sequence[tuple[datetime, Event]]) -> Iterator[tuple[datetime, str]]:
    """Yield the teams that people gave it to soon; from a hand-up on it is not about the first choice any more."""
    for when, event in history:
        if isinstance(event, HandedUp) or when - at > _SOON:
            return
        if isinstance(event, Assigned) and event.by not in _NOT_PEOPLE:
            yield when, event.team


def standing(found: Iterable[Ruled], rulebook: Rulebook) -> Standing:
    """Return how the rules stand after all this, in the order of their file; rules that are gone come last."""
    rules = {rule.name: rule for rule in rulebook.rules}
    tallies = {name: Tally(rule=name) for name in rules}
    mails, missed = 0, []
    for ruled in found:
        mails += 1
        for name in _names(ruled, rules):
            tallies.setdefault(name, Tally(rule=name)).add(ruled)
        if ruled.opened and ruled.number and _missed(ruled, rules):
            missed.append(ruled.number)
        for correction in ruled.corrections:
            if name := setter(correction.fact, ruled.because, rules):
                tallies[name].overruled.setdefault(correction.fact, []).append((ruled.number, correction.new))
    here = tuple(t for name, t in tallies.items() if name in rules)
    gone = tuple(t for name, t in tallies.items() if name not in rules)
    return Standing(mails=mails, tallies=here, missed=tuple(missed), gone=gone)


def _names(ruled: Ruled, rules: Mapping[str, Rule]) -> Iterator[str]:
    """Yield the rules that matched, also those that are gone, without the notes that stand among them."""
    return (name for name in ruled.because if name in rules or not is_note(name))


def setter(fact: str, because: Iterable[str], rules: Mapping[str, Rule]) -> str:
    """Return the rule that has set this fact, "" where none of today's has; a category brings its team with it."""
    matched = [rules[name] for name in because if name in rules]
    wanted = (fact, CATEGORY) if fact == TEAM else (fact,)
    found = (r.name for name in wanted for r in matched if _sets(r, name))
    return next(found, "")


def _sets(rule: Rule, fact: str) -> bool:
    return any(isinstance(action, SetField) and action.field == fact for action in rule.then)


def _missed(ruled: Ruled, rules: Mapping[str, Rule]) -> bool:
    """Whether no rule has classified it, or one that fits everything."""
    name = setter(CATEGORY, ruled.because, rules)
    unknown = any(n not in rules for n in _names(ruled, rules))
    return isinstance(rules[name].when, Always) if name else not unknown
