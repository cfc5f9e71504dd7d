"""Which state follows which: the one table (procedure §3). The diagram in docs/lifecycle.md is drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.words import RECORDING, State, Verb

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
    }
)

# Verbs that change no state, and the states in which they make sense.
STAYS: Mapping[Verb, frozenset[State]] = MappingProxyType(
    {
        Verb.PROGRESS: frozenset({State.IN_PROGRESS, State.ON_HOLD}),
        Verb.RESUME: frozenset({State.IN_PROGRESS}),
        Verb.OUT_OF_SCOPE: frozenset({State.OUT_OF_SCOPE}),
        Verb.IN_SCOPE: frozenset({State.NEW}),
        Verb.NOTE: frozenset(State) - {State.ARCHIVED},
        Verb.CAUSE: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.WORKAROUND: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.SEVERITY: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.IMPACT: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.URGENCY: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.CATEGORY: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.CI: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.ESCALATE: frozenset({*_OPEN, State.RESOLVED, State.OUT_OF_SCOPE}),
        Verb.ACK: frozenset({*_OPEN, State.RESOLVED, State.OUT_OF_SCOPE}),
        Verb.FOR: frozenset(_OPEN),
        Verb.SOURCE: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.OCCURRED: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.MAJOR: frozenset(_OPEN),
        Verb.UPDATE: frozenset(_OPEN),
        Verb.PLAN: frozenset(_OPEN),
        Verb.DONE: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        Verb.BLOCKED: frozenset(State) - {State.ARCHIVED, State.CANCELLED},
        **{verb: frozenset(State) - {State.ARCHIVED, State.CANCELLED} for verb in Verb if verb in RECORDING},
        Verb.UNDO: frozenset(State),
        Verb.RATE: frozenset({State.ARCHIVED}),
        Verb.STATUS: frozenset(State),
        Verb.LIST: frozenset(State),
        Verb.HELP: frozenset(State),
    }
)

OPEN_STATES = frozenset(_OPEN)
ENDED_STATES = frozenset({State.RESOLVED, State.PENDING_REVIEW, State.ARCHIVED})


def next_state(state: State, verb: Verb) -> State | None:
    """Return the state that `verb` leads to from `state`, `state` itself where it stays, None where it may not."""
    if (state, verb) in NEXT_STATE:
        return NEXT_STATE[state, verb]
    return state if state in STAYS.get(verb, frozenset()) else None


def verbs_in(state: State) -> tuple[Verb, ...]:
    """Return every verb that makes sense in `state`, in the order of the procedure."""
    return tuple(verb for verb in Verb if next_state(state, verb) is not None)


def as_markdown() -> str:
    """Return the table of moves for docs/lifecycle.md; a test keeps the two equal."""
    rows = [f"| {old} | {verb} | {new} |" for (old, verb), new in NEXT_STATE.items()]
    return "\n".join(["| state | keyword | becomes |", "| --- | --- | --- |", *rows]) + "\n"


def as_mermaid() -> str:
    """Return the state diagram for docs/lifecycle.md in Mermaid's language."""
    moves: dict[tuple[State, State], list[str]] = {}
    for (old, verb), new in NEXT_STATE.items():
        moves.setdefault((old, new), []).append(verb.value)
    arrows = [f"    {old} --> {new}: {', '.join(verbs)}" for (old, new), verbs in moves.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.NEW}", *arrows, f"    {State.ARCHIVED} --> [*]"]) + "\n"
