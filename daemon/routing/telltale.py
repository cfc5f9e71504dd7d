"""Words without which a pattern cannot be found, so that most patterns need not be tried on most mails.

What comes in: a regular expression of RE2. What goes out: texts of which one must stand where it matches, () where that
cannot be told. Looking for a word is many times faster than trying a pattern, and rule sets have hundreds of them.
"""

from __future__ import annotations

import re

from daemon.routing.folding import alike

# What is read is only what is sure: letters and digits, groups and classes as a whole, and what repeats the one before.
_PIECE = re.compile(
    r"(?P<word>[^\W_]|[ _\-])|(?P<group>\()|(?P<close>\))|(?P<either>\|)|(?P<maybe>[?*]|\{0?,?\d*,?\d*\})|(?P<again>\+)"
    r"|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<escape>\\.)|(?P<other>.)",
    re.DOTALL,
)
_UNSURE = re.compile(r"\\[QExpPC0-7]|\[:|\(\?(?!:|P<)")


def telltales(pattern: str, simplified: bool = False) -> tuple[str, ...]:
    """Return folded texts of which at least one stands in every folded text that the pattern is found in."""
    if _UNSURE.search(pattern):
        return ()
    best, run, depth, found = "", "", 0, []
    for piece in _PIECE.finditer(pattern):
        kind = piece.lastgroup
        depth += (kind == "group") - (kind == "close")
        if depth or kind == "close":
            best, run = max(best, run, key=len), ""
        elif kind == "word":
            run += piece[0]
        elif kind == "either":
            found.append(max(best, run, key=len))
            best, run = "", ""
        else:
            best, run = max(best, run[:-1] if kind == "maybe" else run, key=len), ""
    found.append(max(best, run, key=len))
    return tuple(alike(text, simplified) for text in found) if all(found) else ()
