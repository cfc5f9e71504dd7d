"""What became of each rule on one mail, said so that a person can follow it: condition by condition, effect by effect.

What comes in: MailFacts and a Rulebook. What goes out: one RuleTrace for each rule, from the very trials of the live
path (daemon.routing.evaluate); beside each condition stands the text that met it, or the text that it looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from daemon.routing.actions import (
    Action,
    AddTags,
    AddWatchers,
    Ending,
    Notify,
    SetField,
    SeverityAtLeast,
    UseTemplates,
)
from daemon.routing.conditions import AllOf, AnyOf, Condition, MailFacts, Named, Not, looked_at
from daemon.routing.evaluate import Trial, found, rules_for, trials, value_of
from daemon.rulebook import Rule, Rulebook
from daemon.words import Severity

_SHOWN = 100
_EVERY_VALUE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTrace:
    """One line of a rule's conditions; those of `any`, `all` and `not` stand below it, one step deeper.

    `text` is what met it; `looked_at`, where it was not met, is what there was instead, shortened.
    """

    condition: str
    met: bool
    depth: int = 0
    text: str = ""
    looked_at: str = ""
    error: str = ""


Came = Literal["sets", "adds", "late", "there", "does"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One action of a rule that matched: it `sets` a fact, `adds` something, or `does` a thing; or it comes too `late`,
    since the rule `by` has said otherwise, or is `there` already, as `by` has said the same.
    """

    action: str
    came: Came
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrace:
    """One rule and what became of it; `reached` is False behind a rule (`stopped_by`) that matched and stopped."""

    name: str
    where: str
    reached: bool
    met: bool
    stop: bool
    when: str
    conditions: tuple[ConditionTrace, ...]
    actions: tuple[str, ...]
    effects: tuple[Effect, ...] = ()
    stopped_by: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whose word counts: the rules that matched, those behind each word under `then:`, and the one that stopped."""

    because: tuple[str, ...] = ()
    by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stopper: str = ""


def explain_routing(mail: MailFacts, rulebook: Rulebook) -> list[RuleTrace]:
    """Return one trace for each rule that looks at such mails, in their order; the same trials as in `route`."""
    said, traces, tried = _Said(), [], []
    for trial in trials(mail, rulebook):
        effects = said.effects(trial.rule, mail) if trial.verdict.met else ()
        traces.append(_trace(trial, mail, effects))
        tried.append(trial.rule.name)
    stopper = tried[-1] if tried else ""
    return traces + [_not_reached(rule, stopper) for rule in rules_for(mail, rulebook) if rule.name not in set(tried)]


def ruling_of(mail: MailFacts, rulebook: Rulebook) -> Ruling:
    """Return whose word counts, without the conditions of each rule."""
    said, by, met = _Said(), dict[str, tuple[str, ...]](), []
    for rule in (trial.rule for trial in trials(mail, rulebook) if trial.verdict.met):
        met.append(rule)
        for effect in said.effects(rule, mail):
            word = effect.action.partition(":")[0]
            by[word] = by.get(word, ()) + ((rule.name,) if effect.came in ("sets", "adds") else ())
    stopper = met[-1].name if met and met[-1].stop else ""
    return Ruling(because=tuple(rule.name for rule in met), by=by, stopper=stopper)


def who_said(traces: list[RuleTrace]) -> dict[str, str]:
    """Return, for each fact that a rule has set, the name of the rule: team → VPN."""
    sets = [(effect, trace.name) for trace in traces for effect in trace.effects if effect.came != "late"]
    return {effect.action.partition(":")[0]: name for effect, name in reversed(sets)}


def conditions_tried(when: Condition, mail: MailFacts) -> tuple[ConditionTrace, ...]:
    """Return each condition with whether it is met, and by which text; in the order of the file."""
    return tuple(_lines(when, mail, 0))


def _lines(condition: Condition, mail: MailFacts, depth: int) -> Iterator[ConditionTrace]:
    match condition:
        case AllOf(parts) if depth == 0:  # several lines under `when:` need no heading
            for part in parts:
                yield from _lines(part, mail, 0)
        case AllOf(parts) | AnyOf(parts):
            yield _line("all of" if isinstance(condition, AllOf) else "any of", condition, mail, depth)
            for part in parts:
                yield from _lines(part, mail, depth + 1)
        case Not(part):
            yield _line("not", condition, mail, depth)
            yield from _lines(part, mail, depth + 1)
        case Named(name, part):
            yield _line(name, condition, mail, depth)
            yield from _lines(part, mail, depth + 1)
        case _:
            yield _line(condition.describe(), condition, mail, depth)


def _line(said: str, condition: Condition, mail: MailFacts, depth: int) -> ConditionTrace:
    try:
        verdict = condition.met(mail)
        text = "" if isinstance(condition, AllOf | AnyOf | Not | Named) else verdict.text
        there = "" if verdict.met else _shortened(looked_at(condition, mail))
    except Exception as error:  # noqa: BLE001 - shown to the operator who asked
        return ConditionTrace(condition=said, met=False, depth=depth, error=f"{type(error).__name__}: {error}")
    return ConditionTrace(condition=said, met=verdict.met, depth=depth, text=text, looked_at=there)


def _shortened(values: tuple[str, ...]) -> str:
    """Return what a condition looked at, on one line: the beginning of the first few values."""
    shown = [" ".join(value[: 4 * _SHOWN].split()) for value in values[:_EVERY_VALUE]]
    cut = [text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …" for text in shown]
    return " | ".join(cut) + (f" | … {len(values)} in all" if len(values) > _EVERY_VALUE else "")


def _trace(trial: Trial, mail: MailFacts, effects: tuple[Effect, ...]) -> RuleTrace:
    rule = trial.rule
    return RuleTrace(
        name=rule.name, where=rule.where, reached=True, met=trial.verdict.met, stop=rule.stop,
        when=rule.when.describe(), conditions=conditions_tried(rule.when, mail),
        actions=_actions(rule), effects=effects, error=trial.error,
    )  # fmt: skip


def _not_reached(rule: Rule, stopper: str) -> RuleTrace:
    return RuleTrace(
        name=rule.name, where=rule.where, reached=False, met=False, stop=rule.stop, when=rule.when.describe(),
        conditions=(), actions=_actions(rule), stopped_by=stopper,
    )  # fmt: skip


def _actions(rule: Rule) -> tuple[str, ...]:
    return (*(action.describe() for action in rule.then), *(f"capture {c.describe()}" for c in rule.captures))


@dataclass(slots=True)
class _Said:
    """What the rules have said so far, and which of them was the first to say it."""

    first: dict[str, tuple[str, str]] = field(default_factory=dict)
    gravest: tuple[Severity, str] | None = None

    def effects(self, rule: Rule, mail: MailFacts) -> tuple[Effect, ...]:
        """Return what each action of a rule that matched comes to, and what it reads out of the mail; take it down."""
        done = [self._effect(action, rule.name) for action in rule.then]
        read = [(c.into, value) for c in rule.captures if (value := value_of(c, found(c, mail)[0]))]
        return (*done, *(self._read(into, str(value), rule.name) for into, value in read))

    def _read(self, into: str, value: str, name: str) -> Effect:
        said = f"{into}: {value}"
        return self._added(said, (value,), name) if into == "code" else self._first(said, into, name)

    def _effect(self, action: Action, name: str) -> Effect:
        said = action.describe()
        match action:
            case SeverityAtLeast(severity):
                before = self.gravest
                if before and before[0] <= severity:
                    return Effect(action=said, came="there", by=before[1])
                self.gravest = (severity, name)
                return Effect(action=said, came="sets")
            case AddTags(words) | AddWatchers(words) | Notify(words):
                return self._added(said, words, name)
            case SetField("code", word):
                return self._added(said, (str(word),), name)
            case UseTemplates(variants):
                return self._added(said, tuple(template for template, _ in variants), name)
            case _:
                return self._first(said, _fact(action, said), name)

    def _added(self, said: str, words: tuple[str, ...], name: str) -> Effect:
        kind = said.partition(":")[0]
        by = [self.first[f"{kind} {word}"][1] for word in words if f"{kind} {word}" in self.first]
        for word in words:
            self.first.setdefault(f"{kind} {word}", (word, name))
        return (
            Effect(action=said, came="there", by=by[0]) if len(by) == len(words) else Effect(action=said, came="adds")
        )

    def _first(self, said: str, fact: str, name: str) -> Effect:
        """Return whether this is the first rule to set the fact: then it counts."""
        value, by = self.first.setdefault(fact, (said, name))
        if by == name and value == said:
            return Effect(action=said, came="sets")
        return Effect(action=said, came="there" if value == said else "late", by=by)


def _fact(action: Action, said: str) -> str:
    """Return what an action decides: only the first to decide it counts."""
    if isinstance(action, Ending):
        return "ending"
    return action.field if isinstance(action, SetField) else said.partition(":")[0]
