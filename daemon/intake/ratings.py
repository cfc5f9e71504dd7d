"""A requester's rating in their own words: a number from 1 to 5, or a word that stands for one.

What comes in: the new words of an answer, and the words of duties.yaml. What goes out: the rating and what else they
wrote, or nothing: "5 people still cannot log in" is no rating.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from daemon.intake.keywords import fold

_NUMBER = re.compile(r"([1-5１-５])(?:[ \t]*(?:/[ \t]*5|out of 5|of 5|分|星|stars?|points?))?")
_ENDS = re.compile(r"\s*(?:$|[\n,，.。;；:：!！、~()（）—–-])\s*")
_SPACE = re.compile(r"\s+")
_POLITE = re.compile(r"\s+(?=谢|thank)")


def rating_in(text: str, ratings: Mapping[int, tuple[str, ...]], *, asked: bool = False) -> tuple[int, str] | None:
    """Return (rating, the other words) of an answer whose first words are a rating and nothing else.

    `asked`: the text stands behind a keyword, so that words may follow at once.
    """
    said = text.strip()
    for rating, length in _candidates(said, ratings):
        rest = said[length:]
        end = _ENDS.match(rest) or _POLITE.match(rest) or (_SPACE.match(rest) if asked else None)
        if end:
            return rating, rest[end.end() :].strip()
    return None


def _candidates(said: str, ratings: Mapping[int, tuple[str, ...]]) -> list[tuple[int, int]]:
    """Return (rating, how much of the text says so), the longest first: "不满意" is not "满意"."""
    number = _NUMBER.match(said)
    found = [(int(number[1]), number.end())] if number else []
    found += [(r, len(w)) for r, words in ratings.items() for w in words if fold(said[: len(w)]) == fold(w)]
    return sorted(found, key=lambda pair: pair[1], reverse=True)
