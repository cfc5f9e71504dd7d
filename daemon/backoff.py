"""How long to wait before trying a server again: from a failure's kind to seconds.

What comes in: why the last try failed, and what the server asked for. What goes out: seconds to wait. This
file alone knows the tempo of retries. It is pure: chance is handed in, nothing sleeps here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Trouble = Literal["transport", "login", "throttled"]

LONGEST_WISH = 3600.0
"""A server may ask for a pause, but for no longer than this: nobody silences us for a day."""

_WISH = re.compile(r"Suggested Backoff Time:\s*(\d{1,12})\s*milliseconds", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Tempo:
    """The first pause and the longest one, in seconds."""

    first: float
    longest: float


_TEMPO: dict[Trouble, _Tempo] = {
    "transport": _Tempo(2.0, 300.0),
    "throttled": _Tempo(30.0, 300.0),
    # Slow from the start: many servers lock an account after a handful of wrong passwords in a minute.
    "login": _Tempo(60.0, 900.0),
}


class Backoff:
    """Counts failures of one server and says how long to wait; it never gives up."""

    def __init__(self, random: Callable[[], float]) -> None:
        """Take `random`, which returns a number in [0, 1)."""
        self._random = random
        self._failures: Counter[Trouble] = Counter()

    def failed(self, kind: Trouble, wish: float | None = None) -> float:
        """Count one more failure and return the seconds to wait, at least as long as the server wished.

        The pause doubles with each failure of the same kind. Chance only ever adds to the first pause of a
        tempo (up to a quarter) and takes from the longest, so that many clients do not come back together.
        """
        self._failures[kind] += 1
        tempo = _TEMPO[kind]
        # The exponent is bounded: 2.0 ** 2000 does not exist.
        pause = tempo.first * 2.0 ** min(self._failures[kind] - 1, 30) * (1 + self._random() / 4)
        longest = tempo.longest * (1 - self._random() / 4)
        return max(min(pause, longest), min(wish or 0.0, LONGEST_WISH))

    def succeeded(self) -> None:
        """Forget all failures."""
        self._failures.clear()

    @property
    def failures(self) -> int:
        """How many tries have failed since the last success."""
        return self._failures.total()


def suggested_wait(text: str) -> float | None:
    """Return the seconds that a server's text asks us to stay away, or None where it asks for nothing."""
    found = _WISH.search(text)
    return int(found[1]) / 1000 if found else None
