"""What the returns teach: where people keep correcting a rule the same way, a rule that would have said so at once.

What comes in: Ruled tickets, the Rulebook, and since when a correction is news. What goes out: Proposals, each with a
snippet that a person may put into the rules; nothing is ever put there by itself. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.likeness import telling_words
from daemon.overruled import Ruled, setter
from daemon.rulebook import Rule, Rulebook
from daemon.words import domain_of

_MOST_PROPOSALS = 5
_MOST_WORDS = 3
_MOST_EXAMPLES = 5
_COVERS = 0.6
"""So many of the corrected tickets must have one of the words, or the rule would not help."""
_STRAYS = 0.1
"""So many of those that the rule got right may have it too."""
_LONGEST_SUBJECT = 100
_NOT_TEXTS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})

Way = tuple[str, tuple[tuple[str, str, str], ...]]
"""A rule, and what people made of what it said: (fact, old, new)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change of the rules that people's corrections speak for.

    `changes` are (fact, old, new). `snippet` is the new rule in YAML, to stand before the rule that was wrong, at
    `file`:`line`; "" where nothing tells these mails from those that the rule got right.
    """

    rule: str
    file: str
    line: int
    changes: tuple[tuple[str, str, str], ...]
    tickets: tuple[int, ...]
    subjects: tuple[str, ...]
    right: int
    snippet: str = ""


def proposals(found: Iterable[Ruled], rulebook: Rulebook, since: datetime, at_least: int) -> tuple[Proposal, ...]:
    """Return what people corrected the same way `at_least` times, with something new since; most frequent first."""
    rules = {rule.name: rule for rule in rulebook.rules}
    opened = [r for r in found if r.number and r.opened]
    ways = _ways(opened, rules)
    repeated = {w: alike for w, alike in ways.items() if len(alike) >= at_least and _news(alike, since)}
    made = (_proposal(way, alike, opened, rules) for way, alike in repeated.items())
    return tuple(sorted(made, key=lambda p: (-len(p.tickets), p.rule))[:_MOST_PROPOSALS])


def _ways(opened: Iterable[Ruled], rules: Mapping[str, Rule]) -> dict[Way, list[Ruled]]:
    """Return the corrected tickets by the rule that was wrong and by what people made of it."""
    ways: dict[Way, list[Ruled]] = {}
    for ruled in opened:
        known = [c for c in ruled.corrections if c.new]
        for name in dict.fromkeys(setter(c.fact, ruled.because, rules) for c in known):
            changes = tuple((c.fact, c.old, c.new) for c in known if setter(c.fact, ruled.because, rules) == name)
            if name:
                ways.setdefault((name, changes), []).append(ruled)
    return ways


def _news(alike: Iterable[Ruled], since: datetime) -> bool:
    return any(c.at >= since for ruled in alike for c in ruled.corrections)


def _proposal(way: Way, alike: Sequence[Ruled], opened: Iterable[Ruled], rules: Mapping[str, Rule]) -> Proposal:
    name, changes = way
    right = [r for r in opened if name in r.because and not r.corrections]
    file, _, line = rules[name].where.rpartition(":")
    newest = sorted(alike, key=lambda r: r.number, reverse=True)[:_MOST_EXAMPLES]
    return Proposal(
        rule=name, file=file, line=int(line), changes=changes, tickets=tuple(sorted(r.number for r in alike)),
        subjects=tuple(r.subject for r in newest), right=len(right), snippet=_snippet(changes, alike, right),
    )  # fmt: skip


def _snippet(changes: Iterable[tuple[str, str, str]], alike: Sequence[Ruled], right: Sequence[Ruled]) -> str:
    condition = _condition(alike, right)
    if not condition:
        return ""
    said = {fact: new for fact, _, new in changes}
    then = ", ".join(f"{fact}: {_quoted(new)}" for fact, new in said.items())
    name = f"{' '.join(dict.fromkeys(said.values()))} ({', '.join(str(r.number) for r in alike[:_MOST_EXAMPLES])})"
    return f"- name: {_quoted(name)}\n  when:\n    {condition}\n  then: {{{then}}}\n"


def _condition(alike: Sequence[Ruled], right: Sequence[Ruled]) -> str:
    """Return what tells the corrected mails from the others: words of the subject, else where they come from."""
    if words := _words(alike, right):
        return f"subject mentions: [{', '.join(map(_quoted, words))}]"
    domains = {domain_of(r.requester) for r in alike}
    elsewhere = {domain_of(r.requester) for r in right}
    if "" in domains or domains & elsewhere or len(domains) > _MOST_WORDS:
        return ""
    return f"sender domain in: [{', '.join(map(_quoted, sorted(domains)))}]"


def _words(alike: Sequence[Ruled], right: Sequence[Ruled]) -> tuple[str, ...]:
    """Return a few words, of which enough of these subjects have one, and hardly any of the others."""
    strays = Counter(w for r in right for w in telling_words(r.subject))
    left, chosen = {r.number: telling_words(r.subject) for r in alike}, list[str]()
    enough = len(left) * (1 - _COVERS)
    while len(left) > enough or (left and len(chosen) < _MOST_WORDS):
        counts = Counter(w for words in left.values() for w in words if strays[w] <= _STRAYS * len(right))
        best = max(counts, key=lambda w: (counts[w], len(w), w), default="")
        if not best or len(chosen) == _MOST_WORDS or (chosen and counts[best] == 1):
            break
        chosen.append(_longer(best, [r.subject for r in alike if r.number in left and best in left[r.number]]))
        left = {n: words for n, words in left.items() if best not in words}
    return tuple(chosen) if len(left) <= enough else ()


def _longer(word: str, subjects: Sequence[str]) -> str:
    """Return the longest run of characters around a word that all of these subjects have in common."""
    first = subjects[0].casefold()
    grown = word
    for candidate in _around(word, first):
        if all(candidate in s.casefold() for s in subjects):
            grown = candidate
    return grown


def _around(word: str, text: str) -> Iterator[str]:
    """Yield ever longer pieces of the text that begin with the word, as far as its letters go; Latin ones are whole."""
    at = text.find(word)
    if at < 0 or word.isascii():
        return
    for end in range(at + len(word) + 1, len(text) + 1):
        if not text[end - 1].isalnum() or text[end - 1].isascii():
            return
        yield text[at:end]


def _quoted(text: str) -> str:
    """Return a text as YAML takes it for just that."""
    plain = text.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    bare = plain.isalnum() and not plain[0].isdigit() and text.casefold() not in _NOT_TEXTS
    return text if bare else json.dumps(text, ensure_ascii=False)


def proposal_data(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as plain data, for the mail about it."""
    return {
        "rule": proposal.rule, "where": f"{proposal.file}:{proposal.line}", "right": proposal.right,
        "changes": [{"fact": fact, "old": old, "new": new} for fact, old, new in proposal.changes],
        "tickets": list(proposal.tickets), "subjects": [s[:_LONGEST_SUBJECT] for s in proposal.subjects],
        "snippet": proposal.snippet, "tried": None,
    }  # fmt: skip


def with_proposal(files: Mapping[str, bytes], proposal: Proposal) -> dict[str, bytes]:
    """Return the files of the rules with the proposed rule before the one that was wrong."""
    lines = files[proposal.file].decode("utf-8").split("\n")
    at = proposal.line - 1
    margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    new = [margin + line for line in proposal.snippet.rstrip("\n").split("\n")]
    return {**files, proposal.file: "\n".join([*lines[:at], *new, *lines[at:]]).encode()}
