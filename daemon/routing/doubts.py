"""What is doubtful about rules that can be read: they hide each other, say the same, do nothing, fit all or nothing.

What comes in: a Rulebook. What goes out: (where, what) for `ticketd check`; what begins with "warning:" need not be
mended. Pure, and sure of what it says: a rule is called hidden only where no mail can show otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from daemon.routing.actions import (
    Action,
    AddTags,
    AddToParent,
    AddWatchers,
    Drop,
    Ending,
    ForwardTo,
    NeedsApproval,
    Notify,
    Reject,
    SetField,
    SeverityAtLeast,
)
from daemon.routing.conditions import Always, Condition, Matches, Size, SomeOf, Words, leaves
from daemon.routing.folding import alike
from daemon.routing.implied import implies
from daemon.routing.impossible import clashes
from daemon.rulebook import Rule, Rulebook
from daemon.words import LooksAt

WARNING = "warning: "
Found = Iterator[tuple[str, str]]
_MOST_COMPARED = 1000  # rules: to compare each with each takes long beyond that
# Every mail has these, if only an empty one: a pattern that fits the empty text fits every mail.
_ALWAYS_THERE = frozenset({"subject", "text", "whole text", "mailbox", "nature"})
_SMALLEST_MEANT = 1000  # bytes
_EXACT = frozenset({"is", "in"})


def doubts(rulebook: Rulebook) -> Found:
    """Yield what is doubtful, in the order of the rules for each kind of doubt."""
    yield from _behind_a_stop(rulebook.rules)
    yield from _hidden(rulebook.rules) if len(rulebook.rules) <= _MOST_COMPARED else _not_compared(rulebook.rules)
    for rule in (*rulebook.rules, *rulebook.switched_off):
        yield from _without_effect(rule)
        yield from _never_met(rule)
        for leaf in leaves(rule.when):
            for what in (*_of_words(leaf), *_of_pattern(leaf), *_of_size(leaf)):
                warning = WARNING if what.startswith(WARNING) else ""
                yield rule.where, f"{warning}the rule '{rule.name}': {what.removeprefix(WARNING)}"
    yield from _switched_off(rulebook.switched_off)
    for where, what in rulebook.unused:
        yield where, f"{WARNING}no rule uses the {what}; use it, or take it out"


# --- rules that others hide ---


def _behind_a_stop(rules: tuple[Rule, ...]) -> Found:
    """Yield the rules that are behind one that fits every mail and stops."""
    for at, stopper in enumerate(rules):
        if stopper.stop and isinstance(stopper.when, Always):
            for rule in rules[at + 1 :]:
                if _as_many_mails(stopper, rule):
                    yield rule.where, _never_reached(rule, stopper, "matches every mail and stops")


def _hidden(rules: tuple[Rule, ...]) -> Found:
    """Yield the rules that cannot say anything, since earlier ones have always said it before."""
    for at, rule in enumerate(rules):
        before = [r for r in rules[:at] if _as_many_mails(r, rule) and not _stops_all(r) and implies(rule.when, r.when)]
        stopper = next((r for r in before if r.stop), None)
        if stopper:
            yield rule.where, _never_reached(rule, stopper, "matches whatever this one would, and stops")
        elif (
            not (rule.stop or rule.captures) and rule.then and all(_said_before(action, before) for action in rule.then)
        ):
            names = ", ".join(f"'{r.name}' ({r.where})" for r in before)
            cure = "put the special rule before the general one, or take it out"
            yield rule.where, f"{WARNING}the rule '{rule.name}' changes nothing: {names} said it all before; {cure}"
        elif twin := next((r for r in before if r.when == rule.when and not isinstance(rule.when, Always)), None):
            cure = "join them into one, or say how they differ"
            yield rule.where, f"{WARNING}the rule '{rule.name}' asks the same as '{twin.name}' ({twin.where}); {cure}"


def _not_compared(rules: tuple[Rule, ...]) -> Found:
    """Yield that the rules were not compared with each other: nobody shall take silence for agreement."""
    said = f"there are {len(rules)} rules: beyond {_MOST_COMPARED} they are not compared with each other"
    cure = "whether one hides another is not said; join some with 'any:' or a list of words"
    yield rules[_MOST_COMPARED].where, f"{WARNING}{said}; {cure}"


def _stops_all(rule: Rule) -> bool:
    return rule.stop and isinstance(rule.when, Always)


def _as_many_mails(earlier: Rule, later: Rule) -> bool:
    """Whether the earlier rule is tried on all mails that the later one is tried on."""
    return earlier.name != later.name and earlier.looks_at in (LooksAt.ALL, later.looks_at)


def _never_reached(rule: Rule, stopper: Rule, why: str) -> str:
    cure = "move it up, or take 'stop: true' out there"
    return f"the rule '{rule.name}' is never reached: '{stopper.name}' ({stopper.where}) {why}; {cure}"


def _said_before(action: Action, before: list[Rule]) -> bool:
    said = [a for rule in before for a in rule.then]
    match action:
        case SetField(field):
            return any(isinstance(a, SetField) and a.field == field for a in said)
        case SeverityAtLeast(severity):
            return any(isinstance(a, SeverityAtLeast) and a.severity <= severity for a in said)
        case AddTags(tags):
            return set(tags) <= {t for a in said if isinstance(a, AddTags) for t in a.tags}
        case Notify(audience):
            return set(audience) <= {n for a in said if isinstance(a, Notify) for n in a.audience}
        case Reject() | Drop() | ForwardTo():
            return any(isinstance(a, Ending) for a in said)
        case AddToParent() | NeedsApproval():
            return any(type(a) is type(action) for a in said)
        case AddWatchers(watchers):
            return set(watchers) <= {w for a in said if isinstance(a, AddWatchers) for w in a.watchers}
        case _:
            return action in said


# --- rules by themselves ---


def _without_effect(rule: Rule) -> Found:
    if rule.then or rule.captures:
        return
    if not rule.stop:
        cure = "write what follows under 'then:', or take it out"
        yield rule.where, f"the rule '{rule.name}' does nothing; {cure}"
    else:
        cure = "say under 'then:' what becomes of them, as in {category: other}"
        yield rule.where, f"{WARNING}the rule '{rule.name}' only stops: its mails are left to no rule below; {cure}"


def _switched_off(rules: tuple[Rule, ...]) -> Found:
    if rules:
        names = ", ".join(f"'{r.name}'" for r in rules)
        many = f"{len(rules)} rules are" if len(rules) > 1 else "one rule is"
        yield rules[0].where, f"{WARNING}{many} switched off: {names}; take 'off: true' out, or the rule"


# --- conditions that fit nothing, or everything ---

Shape = tuple[Callable[[str], bool], str]
_SHAPES: dict[str, Shape] = {
    "sender": (lambda w: "@" in w, "is a whole address; write name@example.com, or use 'sender domain in'"),
    "recipient": (lambda w: "@" in w, "is a whole address; write name@example.com, or use 'recipient ends with'"),
    "sender domain": (lambda w: "@" not in w, "has no @; write what stands after it"),
    "attachment type": (lambda w: "/" in w, "has a /; write it as application/pdf, or use 'attachment name ends with'"),
}


def _never_met(rule: Rule) -> Found:
    for one, other in clashes(rule.when):
        what = f"no mail can meet both '{one.describe()}' and '{other.describe()}'"
        yield rule.where, f"{WARNING}the rule '{rule.name}': {what}; take one out, or write 'any:' above them"


def _of_size(leaf: Condition) -> Iterator[str]:
    if isinstance(leaf, Size) and leaf.bound < _SMALLEST_MEANT:
        cure = f"write the unit, as in {leaf.bound} MB or {leaf.bound} kB"
        yield f"{WARNING}'{leaf.describe()}' is smaller than any size that is worth asking for; {cure}"


def _of_words(leaf: Condition) -> Iterator[str]:
    if not isinstance(leaf, Words | SomeOf):
        return
    seen: dict[str, str] = {}
    for word in leaf.words:
        if word != word.strip():
            yield f"{WARNING}'{word}' has spaces around it, which count too; take them out, or use 'mentions'"
        if (same := alike(word, leaf.simplified)) in seen:
            how = "case, width and the form of signs do not count"
            yield f"{WARNING}'{word}' is there twice (as '{seen[same]}': {how}); take one out"
        seen[same] = word
        fits, said = _SHAPES.get(leaf.field, (lambda _: True, ""))
        if leaf.operator in _EXACT and not fits(word):
            yield f"no mail has '{leaf.field} {leaf.operator}: {word}': a {leaf.field} {said}"

    if isinstance(leaf, SomeOf) and len(seen) < leaf.least:
        yield f"no mail has '{leaf.describe()}': that are {len(seen)} different words; write more, or ask for fewer"


def _of_pattern(leaf: Condition) -> Iterator[str]:
    if not isinstance(leaf, Matches):
        return
    if leaf.field in _ALWAYS_THERE and not leaf.header and leaf.fits(""):
        cure = "ask for at least one thing that must be there (write + for *)"
        yield f"the pattern '{leaf.pattern}' fits every mail, even an empty one; {cure}"
    elif misplaced := _misplaced_anchor(leaf.pattern):
        yield f"no mail fits the pattern '{leaf.pattern}': {misplaced}; to find the sign itself write a backslash first"


def _misplaced_anchor(pattern: str) -> str:
    """Return what is wrong with an anchor that something must stand before or behind, "" where nothing is."""
    if "(?" in pattern.replace("(?:", "").replace("(?P<", ""):
        return ""  # flags may let an anchor fit at every line
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
    if re.search(r"[ \w一-鿿](?![*?{])\^", plain):
        return "^ is the beginning, but something must stand before it"
    if re.search(r"\$[ \w一-鿿](?![*?{])", plain):
        return "$ is the end, but something must stand behind it"
    return ""
