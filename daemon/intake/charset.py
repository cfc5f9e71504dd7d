"""From bytes to clean text, by evidence: what is declared, what decodes, what looks like a language.

What comes in: bytes and the charset their sender claims (or None). What goes out: text that SQLite, PostgreSQL
and UTF-8 can hold, and a note where something was guessed or lost. This file alone knows charset-normalizer.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

# What a name means in real mail, where it differs from what the standard says: the superset that clients send.
_MEANS = {
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "csgb2312": "gb18030",
    "cn-gb": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "x-euc-cn": "gb18030",
    "euc-cn": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "x-big5": "big5hkscs",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "x-unicode-2-0-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "utf8": "utf-8",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
}
_WEAK = {"", "us-ascii", "ascii", "ansi_x3.4-1968", "cp1252", "unknown-8bit", "x-unknown", "binary", "8bit"}
_PLAUSIBLE = [
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp949",
    "cp1252",
    "cp1251",
    "koi8_r",
    "iso8859_2",
    "cp1253",
]
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH, _LETTER = re.compile(rb"[\x80-\xff]"), re.compile(rb"[A-Za-z]")
_PAIR, _RUN = re.compile(rb"[\x81-\xfe][\x40-\xfe]"), re.compile(rb"[\x80-\xff]{4,}")
_RARE = 0xD8  # the first row of GB2312 beyond the 3,755 everyday characters
_SAMPLE = 4096


def clean_text(text: str, cap: int = 1_000_000) -> str:
    """Return the text with one line ending, no NUL, no lone surrogate and at most `cap` characters."""
    if len(text) > cap:
        text = text[:cap]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text:
        text = text.replace("\x00", "\u2400")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def decode_text(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """Return the text of these bytes and a note ("" where the declaration was simply right)."""
    codec = codec_for(declared or "")
    if data.startswith(b"\xef\xbb\xbf"):
        data, codec = data[3:], "utf-8"
    if codec not in _WEAK:
        text = _strictly(data, codec)
        if text is not None:
            return text, ""
    if data.isascii():
        return _decode_seven_bit(data, declared)
    return _by_evidence(data, codec, declared)


def codec_for(declared: str) -> str:
    """Return the Python codec that a charset name means in real mail, or "" where nobody knows the name."""
    name = declared.strip().strip("\"'").lower()
    name = _MEANS.get(name, name)
    if name in _WEAK:
        return name
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    return info.name if getattr(info, "_is_text_encoding", True) else ""


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None
    return None if _SURROGATE.search(text) else text


def _decode_seven_bit(data: bytes, declared: str | None) -> tuple[str, str]:
    """Plain ASCII, unless shift sequences show a seven-bit East Asian charset that nobody declared."""
    for mark, codec in ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_ext"), (b"~{", "hz")):
        if mark in data and (text := _strictly(data, codec)) is not None and not text.isascii():
            return text, f"charset guessed: {codec}"
    known = (declared or "").strip().lower()
    lost = known and not codec_for(known) and known not in _WEAK
    return data.decode("ascii"), f"unknown charset {known[:40]!r}" if lost else ""


def _by_evidence(data: bytes, codec: str, declared: str | None) -> tuple[str, str]:
    """Bytes that the declaration does not explain: UTF-8 explains itself, then languages, then replacement."""
    text = _strictly(data, "utf-8")
    if text is not None:
        return text, "" if not declared else f"charset is utf-8, not {declared[:40]!r}"
    if codec == "utf-8" and (nearly := _nearly_utf8(data)) is not None:
        return nearly, "a few bytes were not utf-8"
    if not _looks_cjk(data) and (codec == "cp1252" or _is_sparse(data)):
        return data.decode("cp1252", "replace"), "" if codec == "cp1252" else "charset guessed: cp1252"
    guess = _guess(data)
    if guess is not None:
        return guess[0], f"charset guessed: {guess[1]}"
    fallback = codec if codec not in _WEAK else "cp1252" if codec == "cp1252" else "utf-8"
    return _replacing(data, fallback), f"bytes lost: not {declared[:40] if declared else 'any charset'}"


def _nearly_utf8(data: bytes) -> str | None:
    """A cut or damaged UTF-8 text keeps more good characters than broken ones."""
    text = data.decode("utf-8", "replace")
    good = sum(1 for c in text if c > "\x7f" and c != "\ufffd")
    return text if text.count("\ufffd") * 3 <= good + 3 else None


def _looks_cjk(data: bytes) -> bool:
    """Many high bytes side by side are double-byte text; in Western text they stand alone between ASCII."""
    sample = data[:_SAMPLE]
    pairs = len(_PAIR.findall(sample))
    return bool(_RUN.search(sample)) and pairs * 2 >= len(_HIGH.findall(sample)) * 0.9


def _is_sparse(data: bytes) -> bool:
    """Few high bytes among many ASCII letters are accents of a Western language."""
    sample = data[:_SAMPLE]
    return len(_HIGH.findall(sample)) * 3 < len(_LETTER.findall(sample))


def _guess(data: bytes) -> tuple[str, str] | None:
    """First Chinese (what this house is mostly sent), told by how common its characters are; then the rest."""
    if _looks_cjk(data):
        for codec in ("gb18030", "big5hkscs", "cp932", "cp949"):
            text = _strictly(data, codec)
            if text is not None and _is_everyday(text):
                return text, codec
    best = from_bytes(data[:_SAMPLE], cp_isolation=_PLAUSIBLE).best()
    if best is None:
        return None
    return _replacing(data, best.encoding), str(best.encoding)


def _is_everyday(text: str) -> bool:
    """True where the letters come from the common blocks, as real words do and misread bytes do not."""
    letters = [c for c in text if c > "\x7f"]
    if not letters:
        return False
    good = sum(1 for c in letters if _everyday_letter(c))
    return good >= len(letters) * 0.7


def _everyday_letter(char: str) -> bool:
    if "\u4e00" <= char <= "\u9fff":
        try:
            return char.encode("gb2312")[0] < _RARE
        except UnicodeEncodeError:
            return False
    return unicodedata.category(char)[0] in "PZ" or "\u3040" <= char <= "\u30ff" or "\uac00" <= char <= "\ud7a3"


def _replacing(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (LookupError, UnicodeError, ValueError):
        return data.decode("utf-8", "replace")
