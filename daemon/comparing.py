"""What two sets of rules make of the same mail, as it came: the judgement of the back-test.

What comes in: a letter, what was known when it came, two Rulebooks. What goes out: Outcomes, and what differs between
them. A mail is judged by the very functions of the live path. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast

from daemon.decide import Decision, alert_in, decide, facts_for_rules
from daemon.events import Opened, Rejected, Routed, RuleNotified, ScopeDoubted, event_data
from daemon.intake.letter import Letter
from daemon.intake.understand import Alerted, Intent, Known, NewIncident, sender_of, understand
from daemon.routing.actions import RECORD
from daemon.routing.conditions import NOT_MET, Condition, Verdict
from daemon.routing.facts import MailFacts
from daemon.routing.traces import Ruling, ruling_of
from daemon.rulebook import Rule, Rulebook
from daemon.service import Service
from daemon.ticket import Ticket
from daemon.words import Proof

_FATE = "outcome"
_NOT_COMPARED = frozenset({"because", "rules"})
_BY_CATEGORY = ("kind", "impact", "urgency", "team", "line")
# The words under `then:` that come to a fact of a record, where it is not the word itself.
_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        _FATE: ("reject", "drop", "forward"),
        "severity": ("severity at least", "impact", "urgency", "category"),
        **{fact: (fact, "category", "approval") for fact in _BY_CATEGORY},
        "assignee": ("assignee", "approval"),
        "state": ("approval",),
        "level": ("service level",),
        "error_codes": ("code",),
        "templates": ("template",),
        "fields": RECORD,
    }
)


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
    """What a set of rules makes of a mail: each fact by its name."""

    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One fact that would be another one; both values as text."""

    fact: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What would be otherwise for one mail; `rules`: for each fact those that bring it about."""

    decided: Decided
    shifts: tuple[Shift, ...]
    rules: Mapping[str, tuple[str, ...]]


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


def ruling_on(letter: Letter, decided: Decided, rulebook: Rulebook, service: Service) -> Ruling:
    """Return whose word would have counted for a mail when it came."""
    known = _known_then(letter, decided, rulebook, service)
    return ruling_of(facts_for_rules(letter, known, rulebook, service, decided.at), rulebook)


def shifts_between(old: Outcome, new: Outcome) -> tuple[Shift, ...]:
    """Return what would be otherwise; of a mail that opens no ticket nothing but that."""
    no_ticket = {_FATE} in (old.facts.keys(), new.facts.keys())
    names = (_FATE,) if no_ticket else dict.fromkeys((*old.facts, *new.facts))
    told = ((name, _text(old.facts.get(name)), _text(new.facts.get(name))) for name in names)
    return tuple(Shift(fact=name, old=was, new=now) for name, was, now in told if was != now)


def rules_behind(fact: str, old: Ruling, new: Ruling, changed: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the rules by which a fact would be another one; `changed` are those that say something else now.

    They are those that set it, or hide who did, and that match no more, match now, or have changed; of rules that only
    changed places both.
    """
    words = _WORDS.get(fact, (fact,))
    was, now = ([name for word in words for name in ruling.by.get(word, ())] for ruling in (old, new))
    hiding = [r.stopper for r, others in ((old, now), (new, was)) if not set(others) <= set(r.because)]
    altered = (set(old.because) ^ set(new.because)) | (set(changed) & set(new.because))
    names = [name for name in (*was, *now, *hiding) if name in altered]
    return tuple(dict.fromkeys(names or (name for name in (*was, *now) if (name in was) != (name in now))))


def grouped(differences: Iterable[Difference]) -> tuple[Group, ...]:
    """Return what changes alike together, the most frequent first."""
    found: dict[Shift, list[Difference]] = {}
    for one in differences:
        for shift in one.shifts:
            found.setdefault(shift, []).append(one)
    groups = (
        Group(
            shift=shift,
            rules=tuple(dict.fromkeys(r for d in alike for r in d.rules[shift.fact])),
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
    return rule.when, rule.then, rule.stop, rule.off, rule.looks_at, rule.captures


def sharing(old: Rulebook, new: Rulebook) -> tuple[Rulebook, Rulebook]:
    """Return both sets of rules so that a condition which both have is tried once for each mail.

    Only for sets that differ in nothing but the rules themselves: people, customers and calendars are the same.
    """
    desk = _SameMail()
    twins = {rule.name: Shared(condition=rule.when, desk=desk) for rule in old.rules}

    def shared(rule: Rule) -> Rule:
        twin = twins.get(rule.name)
        same = twin is not None and twin.condition == rule.when
        return replace(rule, when=cast(Condition, twin)) if same else rule

    return replace(old, rules=tuple(map(shared, old.rules))), replace(new, rules=tuple(map(shared, new.rules)))


@dataclass(slots=True, eq=False)
class _SameMail:
    """Tells whether what is looked at now is what was looked at before, by whichever set of rules."""

    facts: MailFacts | None = None
    turn: int = 0

    def turn_of(self, mail: MailFacts) -> int:
        """Return a number that is the same as long as the mail, and what is known of its sender, is."""
        if mail is not self.facts:
            self.turn += self.facts is None or self.facts.letter is not mail.letter or self.facts != mail
            self.facts = mail
        return self.turn


@dataclass(slots=True, eq=False)
class Shared:
    """A condition that two sets of rules have; `verdict` is what it was for the mail of this `turn`."""

    condition: Condition
    desk: _SameMail
    turn: int = 0
    verdict: Verdict = NOT_MET

    def met(self, mail: MailFacts) -> Verdict:
        """Return what the condition says, asked once for each mail."""
        turn = self.desk.turn_of(mail)
        if turn != self.turn:
            self.verdict, self.turn = self.condition.met(mail), turn
        return self.verdict

    def describe(self) -> str:
        """Return the condition as a rule file would say it."""
        return self.condition.describe()


def _known_then(letter: Letter, decided: Decided, rulebook: Rulebook, service: Service) -> Known:
    """Return what was known of a mail that belonged to no ticket; nobody is written to, and no clock is started."""
    known = Known(
        sender=sender_of(letter, rulebook), proof=decided.proof, mailbox=decided.mailbox, quiet=True,
        received_at=decided.received_at,
    )  # fmt: skip
    return replace(known, alert=alert_in(letter, known, rulebook, service, decided.at))


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
    return Outcome(facts=_facts(events, routed) | _waiting(decision.changes[0].now))


def _waiting(ticket: Ticket) -> dict[str, Any]:
    """Return how a ticket stands that nobody gets before it is approved."""
    facts = {"state": str(ticket.state), "team": ticket.team, "line": ticket.line, "assignee": ticket.assignee}
    return facts if ticket.awaits_approval else {}


def _facts(events: Iterable[object], routed: Routed) -> dict[str, Any]:
    """Return every fact that the rules have set, by the names of the history."""
    fate, kind, told = "opened", "", tuple[str, ...]()
    for event in events:
        match event:
            case Opened():
                kind = kind or str(event.kind)
            case Rejected(reason=reason, why=why):
                fate = f"out of scope: {reason or why}"
            case ScopeDoubted(why=why):
                fate = f"the desk decides on its scope: {why}"
            case RuleNotified(audience=audience):
                told = audience
            case _:
                pass
    said = {name: value for name, value in event_data(routed).items() if name not in _NOT_COMPARED}
    return {_FATE: fate, "kind": kind, **said, "notify": told}


def _text(value: Any) -> str:
    """Return a fact as people read it; lists have no order, and nothing is an empty text."""
    match value:
        case None | False | 0:
            return ""
        case list() | tuple():
            return ", ".join(sorted(map(_text, value)))
        case dict():
            return ", ".join(f"{k}: {_text(v)}" for k, v in sorted(value.items()))
        case _:
            return str(value)
