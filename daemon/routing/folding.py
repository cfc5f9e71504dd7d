"""How texts are compared: width, signs, case and, where wanted, traditional against simplified Chinese characters.

What comes in: text. What goes out: text that is equal for whatever people take for the same. Every change of signs and
characters is one for one, so that a place found in the changed text is the same place in the other.
"""

from __future__ import annotations

import re
import unicodedata

from daemon.routing.hanzi import SIMPLIFIED, TRADITIONAL

# What NFKC leaves alone: , : ! ? ( ) and their like are made half-width by it.
_SAME = {
    ".": "。｡·•・",
    ",": "、､",
    '"': "“”„‟〝〞",
    "'": "‘’‚‛",
    "[": "【〔〖「『｢",
    "]": "】〕〗」』｣",
    "<": "《〈",
    ">": "》〉",
    "-": "—–―‐‑−",
    "~": "～〜",
}
_SIGNS = str.maketrans({sign: plain for plain, signs in _SAME.items() for sign in signs})
_SIMPLER = str.maketrans(TRADITIONAL, SIMPLIFIED)
_QUOTED = "\\Q"


def half_width(text: str) -> str:
    """Return the text with full-width letters, digits and signs made half-width (NFKC)."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """Return a name as it is compared: made half-width, without regard to case."""
    return half_width(text).casefold()


def with_plain_signs(text: str, simplified: bool) -> str:
    """Return a half-width text with Chinese signs made ASCII ones and, where wanted, simplified characters."""
    if text.isascii():
        return text
    plain = text.translate(_SIGNS)
    return plain.translate(_SIMPLER) if simplified else plain


def alike(text: str, simplified: bool = False) -> str:
    """Return the words of a rule or of a mail as they are compared."""
    return with_plain_signs(half_width(text), simplified).casefold()


def alike_pattern(pattern: str, simplified: bool = False) -> str:
    """Return a regular expression for texts that were made half-width, with plain signs: it finds the same in them."""
    if pattern.isascii() or _QUOTED in pattern:
        return pattern
    return "".join(c if c.isascii() else _in_pattern(c, simplified) for c in pattern)


def _in_pattern(character: str, simplified: bool) -> str:
    plain = with_plain_signs(half_width(character), simplified)
    return re.escape(plain) if plain.isascii() else plain
