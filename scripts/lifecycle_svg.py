"""The picture of the lifecycle, docs/lifecycle.svg: drawn from the one table in daemon/lifecycle.py.

Only where the boxes stand is written here. What may be done in every open state is drawn once, from the frame around
them. The same table always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import hypot

from daemon.lifecycle import NEXT_STATE, OPEN_STATES
from daemon.words import State

_SIZE = (1340, 500)
_BOX = (136, 40)
_FRAME = (24, 24, 640, 340)
_CENTRES: dict[State, tuple[float, float]] = {
    State.NEW: (112, 220),
    State.ASSIGNED: (342, 220),
    State.IN_PROGRESS: (576, 220),
    State.ON_HOLD: (460, 84),
    State.RESOLVED: (826, 220),
    State.PENDING_REVIEW: (1040, 220),
    State.ARCHIVED: (1250, 220),
    State.OUT_OF_SCOPE: (112, 450),
    State.CANCELLED: (460, 450),
}
_BENDS = {
    (State.NEW, State.IN_PROGRESS): 56.0,
    (State.IN_PROGRESS, State.NEW): 40.0,
    (State.PENDING_REVIEW, State.IN_PROGRESS): 70.0,
    (State.RESOLVED, State.IN_PROGRESS): 34.0,
    (State.IN_PROGRESS, State.OUT_OF_SCOPE): -46.0,
}
"""How far an arrow bends to the left of its way."""
_BEND = 26.0
_STYLE = """
text { font: 13px 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif; fill: #1c2733; text-anchor: middle; }
.state { font-weight: 600; font-size: 14px; }
.verb { font-size: 12px; fill: #0b4ea2; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
.words { font-size: 12px; fill: #0b4ea2; text-anchor: start; }
.box { fill: #f3f5f7; stroke: #5b6b7b; stroke-width: 1.5; }
.ended { fill: #e3f1e8; }
.frame { fill: none; stroke: #b9c5d1; stroke-width: 1.5; stroke-dasharray: 6 5; }
.way { fill: none; stroke: #5b6b7b; stroke-width: 1.4; marker-end: url(#tip); }
"""
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 10 5 0 10z" fill="#5b6b7b"/></marker></defs>'
)

Point = tuple[float, float]


def lifecycle_svg() -> str:
    """Return the picture as SVG."""
    width, height = _SIZE
    shared, single = _moves()
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>The states of a ticket, and the keywords that lead from one to the next</title>",
        f"<style>{_STYLE}</style>{_TIP}",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<rect class="frame" x="{}" y="{}" width="{}" height="{}" rx="14"/>'.format(*_FRAME),
    ]
    lines += [
        line for (old, new), verbs in single.items() for line in _way(old, new, verbs, (old, new) in _both(single))
    ]
    lines += [line for new, verbs in shared.items() if new not in OPEN_STATES for line in _way_from_all(new, verbs)]
    lines += list(_within({new: verbs for new, verbs in shared.items() if new in OPEN_STATES}))
    lines += [line for state in _CENTRES for line in _state(state)]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _moves() -> tuple[dict[State, list[str]], dict[tuple[State, State], list[str]]]:
    """Return what leads on from every open state, and all the other moves; what changes nothing is not drawn."""
    olds: dict[tuple[str, State], set[State]] = {}
    for (old, verb), new in NEXT_STATE.items():
        olds.setdefault((verb.value, new), set()).add(old)
    shared: dict[State, list[str]] = {}
    single: dict[tuple[State, State], list[str]] = {}
    for (verb, new), starts in olds.items():
        if starts >= OPEN_STATES:
            shared.setdefault(new, []).append(verb)
            starts = starts - OPEN_STATES
        for old in sorted(starts - {new}, key=list(State).index):
            single.setdefault((old, new), []).append(verb)
    return shared, single


def _both(single: dict[tuple[State, State], list[str]]) -> set[tuple[State, State]]:
    """Return the moves that have a way back, too."""
    return {(old, new) for old, new in single if (new, old) in single}


def _state(state: State) -> Iterator[str]:
    (x, y), (wide, high) = _CENTRES[state], _BOX
    kind = "box ended" if state in (State.ARCHIVED, State.CANCELLED) else "box"
    yield f'<rect class="{kind}" x="{x - wide / 2:g}" y="{y - high / 2:g}" width="{wide}" height="{high}" rx="8"/>'
    yield f'<text class="state" x="{x:g}" y="{y + 5:g}">{escape(state)}</text>'


def _way(old: State, new: State, verbs: list[str], back: bool) -> Iterator[str]:
    """Yield an arrow from box to box with its keywords."""
    start, end = _CENTRES[old], _CENTRES[new]
    yield from _arrow(start, end, _BENDS.get((old, new), _BEND if back else 0.0), verbs)


def _way_from_all(new: State, verbs: list[str]) -> Iterator[str]:
    """Yield an arrow from the frame around the open states: what may be done in each of them."""
    left, top, wide, high = _FRAME
    x, y = _CENTRES[new]
    start = (x, top + high) if y > top + high else (left + wide, y - 8)
    yield from _arrow(start, (x, y), 0.0, verbs, from_box=False)


def _within(shared: dict[State, list[str]]) -> Iterator[str]:
    """Yield in words what leads from every open state to one of them."""
    x, y = _FRAME[0] + 16, _FRAME[1] + 26
    if shared:
        yield f'<text class="words" x="{x}" y="{y}">In each of these states:</text>'
    for n, (new, verbs) in enumerate(shared.items(), 1):
        yield f'<text class="words" x="{x}" y="{y + 18 * n}">{escape(", ".join(verbs))} → {escape(new)}</text>'


def _arrow(start: Point, end: Point, bend: float, verbs: list[str], *, from_box: bool = True) -> Iterator[str]:
    (x1, y1), (x2, y2) = start, end
    long = hypot(x2 - x1, y2 - y1)
    across = ((y2 - y1) / long, -(x2 - x1) / long)
    turn = ((x1 + x2) / 2 + 2 * bend * across[0], (y1 + y2) / 2 + 2 * bend * across[1])
    first = _edge(start, turn) if from_box else start
    last = _edge(end, turn)
    through = turn if bend else ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
    middle = tuple((a + 2 * t + b) / 4 for a, t, b in zip(first, through, last, strict=True))
    yield f'<path class="way" d="M{_at(first)} Q{_at(turn)} {_at(last)}"/>'
    yield f'<text class="verb" x="{middle[0]:.1f}" y="{middle[1] + 4:.1f}">{escape(", ".join(verbs))}</text>'


def _edge(centre: Point, towards: Point) -> Point:
    """Return where the line from a box's centre leaves the box."""
    x, y = towards[0] - centre[0], towards[1] - centre[1]
    scale = min(_BOX[0] / 2 / abs(x) if x else 1e9, _BOX[1] / 2 / abs(y) if y else 1e9)
    return centre[0] + x * scale, centre[1] + y * scale


def _at(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
