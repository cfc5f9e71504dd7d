"""Numbers as people write them in mails: 1200, 1,200, 1.2万, 3k.

What comes in: text. What goes out: a whole number, or None.
"""

from __future__ import annotations

import re

LARGEST = 100_000_000
_FIGURE = re.compile(
    r"(?:约|大约|about\s+)?(\d{1,3}(?:[,，]\d{3})+|\d{1,12})(?:\.(\d{1,4}))?\s*(万|k\b)?", re.IGNORECASE
)
_TIMES = {"万": 10_000, "k": 1000}


def figure_in(text: str) -> int | None:
    """Return the number that a text begins with; words such as 户 may follow. None where none is, or a huge one."""
    found = _FIGURE.match(text)
    if found is None:
        return None
    whole, part, unit = found[1].replace(",", "").replace("，", ""), found[2] or "", (found[3] or "").lower()
    count = int(float(f"{whole}.{part or 0}") * _TIMES.get(unit, 1))
    return count if count <= LARGEST else None
