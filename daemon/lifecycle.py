"""Which state follows which: one table for each kind of record (procedure §3, §12), drawn in docs/lifecycle.md.

NEXT_STATE and STAYS are those of incidents and service requests; problems and changes have shorter lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.words import CASES, RECORDING, Kind, State, Verb

_OPEN = (State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD)

NEXT_STATE: Mapping[tuple[State, Verb], State] = MappingProxyType(
    {
        (State.NEW, Verb.ASSIGN): State.ASSIGNED,
        (State.NEW, Verb.ACCEPT): State.IN_PROGRESS,
        (State.ASSIGNED, Verb.ACCEPT): State.IN_PROGRESS,
        (State.NEW, Verb.PROGRESS): State.IN_PROGRESS,
        (State.ASSIGNED, Verb.PROGRESS): State.IN_PROGRESS,
        (State.ASSIGNED, Verb.ASSIGN): State.ASSIGNED,
        (State.IN_PROGRESS, Verb.ASSIGN): State.ASSIGNED,
        (State.ON_HOLD, Verb.ASSIGN): State.ASSIGNED,
        (State.ASSIGNED, Verb.RETURN): State.NEW,
        (State.IN_PROGRESS, Verb.RETURN): State.NEW,
        (State.ASSIGNED, Verb.HOLD): State.ON_HOLD,
        (State.IN_PROGRESS, Verb.HOLD): State.ON_HOLD,
        (State.ON_HOLD, Verb.HOLD): State.ON_HOLD,
        (State.ON_HOLD, Verb.RESUME): State.IN_PROGRESS,
        (State.ON_HOLD, Verb.ACCEPT): State.IN_PROGRESS,
        (State.IN_PROGRESS, Verb.ACCEPT): State.IN_PROGRESS,
        (State.NEW, Verb.RESOLVE): State.RESOLVED,
        (State.ASSIGNED, Verb.RESOLVE): State.RESOLVED,
        (State.IN_PROGRESS, Verb.RESOLVE): State.RESOLVED,
        (State.ON_HOLD, Verb.RESOLVE): State.RESOLVED,
        (State.ON_HOLD, Verb.APPROVE): State.NEW,
        (State.ON_HOLD, Verb.REFUSE): State.CANCELLED,
        (State.RESOLVED, Verb.CONFIRM): State.PENDING_REVIEW,
        (State.RESOLVED, Verb.REOPEN): State.IN_PROGRESS,
        (State.PENDING_REVIEW, Verb.REOPEN): State.IN_PROGRESS,
        (State.PENDING_REVIEW, Verb.REJECT): State.IN_PROGRESS,
        (State.PENDING_REVIEW, Verb.ARCHIVE): State.ARCHIVED,
        (State.NEW, Verb.OUT_OF_SCOPE): State.OUT_OF_SCOPE,
        (State.ASSIGNED, Verb.OUT_OF_SCOPE): State.OUT_OF_SCOPE,
        (State.IN_PROGRESS, Verb.OUT_OF_SCOPE): State.OUT_OF_SCOPE,
        (State.OUT_OF_SCOPE, Verb.IN_SCOPE): State.NEW,
        **{(state, Verb.CANCEL): State.CANCELLED for state in _OPEN},
        **{(state, verb): State.ASSIGNED for verb in (Verb.LINE2, Verb.VENDOR) for state in _OPEN},
        **{(state, verb): State.CANCELLED for verb in (Verb.MERGE, Verb.DUPLICATE) for state in _OPEN},
    }
)

CASE_STATES = frozenset(State) - {State.KNOWN_ERROR}
_WRITABLE = CASE_STATES - {State.ARCHIVED, State.CANCELLED}

# Verbs that change no state, and the states in which they make sense.
STAYS: Mapping[Verb, frozenset[State]] = MappingProxyType(
    {
        Verb.PROGRESS: frozenset({State.IN_PROGRESS, State.ON_HOLD}),
        Verb.RESUME: frozenset({State.IN_PROGRESS}),
        Verb.OUT_OF_SCOPE: frozenset({State.OUT_OF_SCOPE}),
        Verb.IN_SCOPE: frozenset({State.NEW}),
        Verb.NOTE: CASE_STATES - {State.ARCHIVED},
        Verb.CAUSE: _WRITABLE,
        Verb.WORKAROUND: _WRITABLE,
        Verb.SEVERITY: _WRITABLE,
        Verb.IMPACT: _WRITABLE,
        Verb.URGENCY: _WRITABLE,
        Verb.CATEGORY: _WRITABLE,
        Verb.CI: _WRITABLE,
        Verb.ESCALATE: frozenset({*_OPEN, State.RESOLVED, State.OUT_OF_SCOPE}),
        Verb.ACK: frozenset({*_OPEN, State.RESOLVED, State.OUT_OF_SCOPE}),
        Verb.FOR: frozenset(_OPEN),
        Verb.SOURCE: _WRITABLE,
        Verb.OCCURRED: _WRITABLE,
        Verb.MAJOR: frozenset(_OPEN),
        Verb.UPDATE: frozenset(_OPEN),
        Verb.PLAN: frozenset(_OPEN),
        Verb.DONE: _WRITABLE,
        Verb.BLOCKED: _WRITABLE,
        **{verb: _WRITABLE for verb in Verb if verb in RECORDING},
        Verb.UNDO: CASE_STATES,
        Verb.RATE: frozenset({State.ARCHIVED}),
        Verb.RELATED: _WRITABLE,
        Verb.PARENT: frozenset(_OPEN),
        Verb.SPLIT: frozenset(_OPEN),
        Verb.PROBLEM: CASE_STATES - {State.CANCELLED},
        Verb.CHANGE: _WRITABLE,
        Verb.KNOWLEDGE: frozenset(_OPEN),
        Verb.STATUS: CASE_STATES,
        Verb.LIST: CASE_STATES,
        Verb.HELP: CASE_STATES,
    }
)

_UNSOLVED = (State.NEW, State.KNOWN_ERROR)
_UNDONE = (State.NEW, State.IN_PROGRESS)
# What these two kinds have in common: notes, links and questions in every state of theirs.
_ALWAYS = (Verb.NOTE, Verb.RELATED, Verb.UNDO, Verb.STATUS, Verb.LIST, Verb.HELP)

NEIGHBOURS: Mapping[Kind, Mapping[tuple[State, Verb], State]] = MappingProxyType(
    {
        Kind.PROBLEM: {
            (State.NEW, Verb.WORKAROUND): State.KNOWN_ERROR,
            **{(state, Verb.RESOLVE): State.RESOLVED for state in _UNSOLVED},
            (State.RESOLVED, Verb.REJECT): State.NEW,
            (State.RESOLVED, Verb.ARCHIVE): State.ARCHIVED,
            **{(state, Verb.CANCEL): State.CANCELLED for state in _UNSOLVED},
            **{(state, verb): state for verb in (Verb.ACCEPT, Verb.ASSIGN, Verb.CHANGE) for state in _UNSOLVED},
            **{(s, Verb.CAUSE): s for s in (*_UNSOLVED, State.RESOLVED)},
            **{(s, Verb.WORKAROUND): s for s in (State.KNOWN_ERROR, State.RESOLVED)},
            **{(s, verb): s for verb in (Verb.CATEGORY, Verb.CI) for s in (*_UNSOLVED, State.RESOLVED)},
            **{(s, verb): s for verb in _ALWAYS for s in (*_UNSOLVED, State.RESOLVED)},
            **{(s, verb): s for verb in _ALWAYS[2:] for s in (State.ARCHIVED, State.CANCELLED)},
        },
        Kind.CHANGE: {
            (State.NEW, Verb.ACCEPT): State.IN_PROGRESS,
            **{(state, Verb.RESOLVE): State.RESOLVED for state in _UNDONE},
            (State.RESOLVED, Verb.REJECT): State.IN_PROGRESS,
            (State.RESOLVED, Verb.ARCHIVE): State.ARCHIVED,
            **{(state, Verb.CANCEL): State.CANCELLED for state in _UNDONE},
            **{(state, Verb.ASSIGN): state for state in _UNDONE},
            (State.IN_PROGRESS, Verb.ACCEPT): State.IN_PROGRESS,
            **{(s, verb): s for verb in (Verb.CATEGORY, Verb.CI) for s in (*_UNDONE, State.RESOLVED)},
            **{(s, verb): s for verb in _ALWAYS for s in (*_UNDONE, State.RESOLVED)},
            **{(s, verb): s for verb in _ALWAYS[2:] for s in (State.ARCHIVED, State.CANCELLED)},
        },
    }
)

OPEN_STATES = frozenset(_OPEN)
ENDED_STATES = frozenset({State.RESOLVED, State.PENDING_REVIEW, State.ARCHIVED})


def next_state(state: State, verb: Verb, kind: Kind = Kind.INCIDENT) -> State | None:
    """Return the state that `verb` leads to from `state`, `state` itself where it stays, None where it may not."""
    if kind not in CASES:
        return NEIGHBOURS[kind].get((state, verb))
    if (state, verb) in NEXT_STATE:
        return NEXT_STATE[state, verb]
    return state if state in STAYS.get(verb, frozenset()) else None


def verbs_in(state: State, kind: Kind = Kind.INCIDENT) -> tuple[Verb, ...]:
    """Return every verb that makes sense in `state`, in the order of the procedure."""
    return tuple(verb for verb in Verb if next_state(state, verb, kind) is not None)


def moves_of(kind: Kind) -> Mapping[tuple[State, Verb], State]:
    """Return what moves a record of this kind from one state to another."""
    if kind in CASES:
        return NEXT_STATE
    return {(old, verb): new for (old, verb), new in NEIGHBOURS[kind].items() if new is not old}


def as_markdown(kind: Kind = Kind.INCIDENT) -> str:
    """Return the table of moves for docs/lifecycle.md; a test keeps the two equal."""
    rows = [f"| {old} | {verb} | {new} |" for (old, verb), new in moves_of(kind).items()]
    return "\n".join(["| state | keyword | becomes |", "| --- | --- | --- |", *rows]) + "\n"


def as_mermaid(kind: Kind = Kind.INCIDENT) -> str:
    """Return the state diagram for docs/lifecycle.md in Mermaid's language."""
    moves: dict[tuple[State, State], list[str]] = {}
    for (old, verb), new in moves_of(kind).items():
        moves.setdefault((old, new), []).append(verb.value)
    arrows = [f"    {old} --> {new}: {', '.join(verbs)}" for (old, new), verbs in moves.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.NEW}", *arrows, f"    {State.ARCHIVED} --> [*]"]) + "\n"
