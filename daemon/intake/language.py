"""Which language a person writes, told from the letters alone.

What comes in: text. What goes out: "zh", "ja", "ko", "ru", "en" (any Latin script) or "" where there are no letters.
"""

from __future__ import annotations

import re

_KANA = re.compile(r"[\u3041-\u30fa]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_SAMPLE = 4000


def language_of(text: str) -> str:
    """Return the language that dominates: a Han character says about as much as a Latin word."""
    sample = text[:_SAMPLE]
    if sample.isascii():
        return "en" if _LATIN_WORD.search(sample) else ""
    latin = len(_LATIN_WORD.findall(sample))
    han, kana = len(_HAN.findall(sample)), len(_KANA.findall(sample))
    if han + kana > 0 and (han + kana) * 2 >= latin:
        return "ja" if kana * 5 >= han + kana else "zh"
    if len(_HANGUL.findall(sample)) > latin:
        return "ko"
    if len(_CYRILLIC.findall(sample)) > latin * 4:
        return "ru"
    return "en" if latin else ""
