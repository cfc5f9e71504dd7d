"""What two sets of rules make of the same mail, as it came: the judgement of the back-test.

What comes in: a letter, what was known when it came, two Rulebooks. What goes out: Outcomes, and what differs between
them. A mail is judged by the very functions of the live path. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from daemon.decide import Decision, decide, facts_for_rules
from daemon.events import Opened, Rejected, Routed, ScopeDoubted, event_data
from daemon.intake.letter import Letter
from daemon.intake.understand import Alerted, Intent, Known, NewIncident, sender_of, understand
from daemon.routing.alerts import sighted
from daemon.rulebook import Rule, Rulebook
from daemon.service import Service
from daemon.words import Nature, Proof

_FATE = "outcome"
_NOT_COMPARED = frozenset({"because", "rules"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A mail that rules have decided on, at that moment: it opened `ticket`, or none (0) where it was ignored."""

    mail: int
    at: datetime
    mailbox: str
    received_at: datetime
    ticket: int = 0
    subject: str = ""
    follows: int = 0
    proof: Proof = Proof.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a set of rules makes of a mail: each fact by its name, and the rules that matched."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One fact that would be another one; both values as text."""

    fact: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What would be otherwise for one mail, and the rules that bring it about: matched no more, now, or changed."""

    decided: Decided
    shifts: tuple[Shift, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Everything that changes alike."""

    shift: Shift
    rules: tuple[str, ...]
    mails: tuple[Decided, ...]


def outcome_of(letter: Letter, decided: Decided, rulebook: Rulebook, service: Service) -> Outcome:
    """Return what these rules would have made of a mail when it came."""
    known = _known_then(letter, decided, rulebook, service)
    intent = _opening(understand(letter, known, rulebook), letter, decided)
    then = {"now": decided.at, "received_at": decided.received_at, "mail": decided.mail}
    return _outcome(decide(intent, known, rulebook, service, **then))  # type: ignore[arg-type]


def differences_of(decided: Decided, old: Outcome, new: Outcome, changed: Iterable[str] = ()) -> Difference | None:
    """Return what would be otherwise, None for nothing; `changed` are the rules that say something else now."""
    names = dict.fromkeys((*old.facts, *new.facts))
    told = ((name, _text(old.facts.get(name)), _text(new.facts.get(name))) for name in names)
    shifts = tuple(Shift(fact=name, old=was, new=now) for name, was, now in told if was != now)
    if not shifts:
        return None
    only = [r for r in (*old.because, *new.because) if (r in old.because) != (r in new.because)]
    altered = [r for r in new.because if r in set(changed)]
    return Difference(decided=decided, shifts=shifts, rules=tuple(dict.fromkeys((*only, *altered))))


def grouped(differences: Iterable[Difference]) -> tuple[Group, ...]:
    """Return what changes alike together, the most frequent first."""
    found: dict[Shift, list[Difference]] = {}
    for one in differences:
        for shift in one.shifts:
            found.setdefault(shift, []).append(one)
    groups = (
        Group(
            shift=shift,
            rules=tuple(dict.fromkeys(r for d in alike for r in d.rules)),
            mails=tuple(d.decided for d in alike),
        )
        for shift, alike in found.items()
    )
    return tuple(sorted(groups, key=lambda g: (-len(g.mails), g.shift.fact, g.shift.old, g.shift.new)))


def rules_changed(old: Rulebook, new: Rulebook) -> frozenset[str]:
    """Return the names of the rules that are in both sets and say something else."""
    before, after = ({r.name: _said(r) for r in book.rules} for book in (old, new))
    return frozenset(name for name in before.keys() & after.keys() if before[name] != after[name])


def _said(rule: Rule) -> tuple[object, ...]:
    return rule.when.describe(), [a.describe() for a in rule.then], rule.stop, rule.off, rule.looks_at, rule.captures


def _known_then(letter: Letter, decided: Decided, rulebook: Rulebook, service: Service) -> Known:
    """Return what was known of a mail that belonged to no ticket; nobody is written to, and no clock is started."""
    known = Known(
        sender=sender_of(letter, rulebook), proof=decided.proof, mailbox=decided.mailbox, quiet=True,
        received_at=decided.received_at,
    )  # fmt: skip
    if not rulebook.alerts or letter.nature in (Nature.BOUNCE, Nature.OWN):
        return known
    facts = facts_for_rules(letter, known, rulebook, service, decided.at)
    return replace(known, alert=sighted(facts, rulebook))


def _opening(intent: Intent, letter: Letter, decided: Decided) -> Intent:
    """Return the intent that the mail had: rules were asked, so it opened something, or they were against it."""
    if isinstance(intent, NewIncident | Alerted):
        return intent
    return NewIncident(letter, follows=decided.follows)


def _outcome(decision: Decision) -> Outcome:
    events = [e for c in decision.changes for e in c.events]
    routed = next((e for e in events if isinstance(e, Routed)), None)
    if routed is None:
        return Outcome(facts={_FATE: decision.note or str(decision.status)})
    return Outcome(facts=_facts(events, routed), because=routed.because)


def _facts(events: Iterable[object], routed: Routed) -> dict[str, Any]:
    """Return every fact that the rules have set, by the names of the history."""
    fate, kind = "opened", ""
    for event in events:
        match event:
            case Opened():
                kind = kind or str(event.kind)
            case Rejected(reason=reason, why=why):
                fate = f"out of scope: {reason or why}"
            case ScopeDoubted(why=why):
                fate = f"the desk decides on its scope: {why}"
            case _:
                pass
    said = {name: value for name, value in event_data(routed).items() if name not in _NOT_COMPARED}
    return {_FATE: fate, "kind": kind, **said}


def _text(value: Any) -> str:
    """Return a fact as people read it; lists have no order, and nothing is an empty text."""
    match value:
        case None | False:
            return ""
        case list() | tuple():
            return ", ".join(sorted(map(_text, value)))
        case dict():
            return ", ".join(f"{k}: {_text(v)}" for k, v in sorted(value.items()))
        case _:
            return str(value)
