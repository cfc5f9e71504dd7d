"""From bytes to clean text, by evidence: what is declared, what decodes, what looks like a language.

What comes in: bytes and the charset their sender claims (or None). What goes out: text that SQLite, PostgreSQL
and UTF-8 can hold, and a note where something was guessed or lost. This file alone knows charset-normalizer.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from daemon.intake.plausible import WESTERN, plausibility

# What a name means in real mail, where it differs from what the standard says: the superset that clients send.
_MEANS = {
    **dict.fromkeys(
        ("gb2312", "gb_2312-80", "csgb2312", "cn-gb", "gbk", "cp936", "euc-cn", "mac-chinesesimp"), "gb18030"
    ),
    **dict.fromkeys(("big5", "cn-big5", "cp950", "csbig5", "mac-chinesetrad"), "big5hkscs"),
    **dict.fromkeys(("ks_c_5601-1987", "ks_c_5601", "ks_c_5601-1989", "ksc5601", "ksc_5601", "ks_c"), "cp949"),
    **dict.fromkeys(("euc-kr", "uhc", "mac-korean"), "cp949"),
    **dict.fromkeys(
        ("shift_jis", "shift-jis", "sjis", "windows31j", "windows-31j", "ms_kanji", "mac-japanese"), "cp932"
    ),
    **dict.fromkeys(("iso-2022-jp", "cp50220", "cp50221", "iso-2022-jp-ms"), "iso2022_jp_ext"),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "iso_8859-1"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620", "tis620"), "cp874"),
    **dict.fromkeys(("unicode-1-1-utf-7", "unicode-2-0-utf-7", "utf7"), "utf-7"),
    **dict.fromkeys(("utf8mb4", "utf8", "unicode-1-1-utf-8", "cp65001"), "utf-8"),
    "hz-gb-2312": "hz",
    "iso-8859-8-i": "iso8859_8",
    "macintosh": "mac_roman",
    "mac-ce": "mac_latin2",
    "mac-centraleurroman": "mac_latin2",
    "mac-centraleurope": "mac_latin2",
}
# Windows clients name the standard and write their own page, which has letters where the standard has controls.
_SIBLINGS = {
    "iso8859_2": "cp1250", "iso8859_4": "cp1257", "iso8859_6": "cp1256", "iso8859_7": "cp1253", "iso8859_8": "cp1255",
    "iso8859_13": "cp1257", "iso8859_15": "cp1252",
}  # fmt: skip
_C1 = re.compile(rb"[\x80-\x9f]")
_UKRAINIAN = re.compile(rb"[\xc0-\xff][\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd]|[\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd][\xc0-\xff]")
_NUMBERED = re.compile(r"(?:windows|win|microsoft|ms|cp|ibm)?[-_]?(\d{3,5})")
_WEAK = {
    "",
    "us-ascii",
    "ascii",
    "ansi_x3.4-1968",
    "unknown-8bit",
    "unknown",
    "binary",
    "8bit",
    "7bit",
    "ansi",
    "default",
}
# Ways to read bytes that nobody explained, the likelier first; of two that read equally well the first is taken.
_CHINESE_AND_NEIGHBOURS = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
_SINGLE = (
    "cp1252", "cp1251", "koi8_r", "koi8_u", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp874",
    "cp1257", "iso8859_5", "cp866", "mac_cyrillic",
)  # fmt: skip
_CYRILLIC = frozenset({"cp1251", "koi8_r", "koi8_u"})
_NO_CHARSETS = frozenset({"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined"})
_REAL, _BAD, _BETTER = 0.6, 0.5, 0.12
_SURELY_BAD, _SURELY = 0.38, 0.72
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG_UTF8 = re.compile(rb"[\xe0-\xf4][\x80-\xbf]{2}")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPE = re.compile(rb"(\x1b(?:\$[@B]|\$\([A-Z]|\([A-Z]))")
_HIGH = re.compile(rb"[\x80-\xff]")
_SEVEN_BIT = frozenset({"iso2022_jp_ext", "iso2022_kr", "hz", "utf-7"})
_SAMPLE = 4096
_LOST = 2
_PROBE = 65_536
_HALVES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_FEW, _SEVERAL, _MANY = 8, 4, 24  # of a few bytes anything can be read


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
    bom = next(((mark, name) for mark, name in _BOMS if data.startswith(mark)), None) if data else None
    if bom is not None and (text := _strictly(data[len(bom[0]) :], bom[1])) is not None:
        return text, ""
    if codec in _SEVEN_BIT or (data.isascii() and not codec.startswith(("utf-16", "utf-32"))):
        return _decode_seven_bit(data, codec, declared)
    if codec and (text := _as_declared(data, codec)) is not None:
        return _unless_misread(data, text, codec, declared or "")
    return _by_evidence(data, codec, declared)


def guess_charset(data: bytes) -> str:
    """Return the codec that raw bytes are most likely written in, or "" where nothing tells."""
    if data.isascii() or _strictly(data, "utf-8") is not None:
        return ""
    best, name, _ = _best_reading(data)
    return name if best >= _BAD else ""


def codec_for(declared: str) -> str:
    """Return the Python codec that a charset name means in real mail, or "" where nobody knows the name."""
    name = declared.strip().strip("\"'").partition("(")[0].rstrip("; *").strip().lower()
    bare = name.removeprefix("x-").removeprefix("cs") if name not in _MEANS else name
    numbered = _NUMBERED.fullmatch(bare)
    bare = f"cp{numbered[1]}" if numbered else bare
    bare = _MEANS.get(bare, bare)
    if bare in _WEAK:
        return ""
    return next((codec for n in (bare, bare.replace("-", "_"), bare.replace("-", "")) if (codec := _codec(n))), "")


def _codec(name: str) -> str:
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    known = info.name if info.name.startswith("utf") else info.name.replace("-", "_")
    return known if getattr(info, "_is_text_encoding", True) and known not in _NO_CHARSETS else ""


def _as_declared(data: bytes, codec: str) -> str | None:
    """The declared reading, if every byte has a meaning in it."""
    if codec in ("utf-16", "utf-32"):
        return _without_mark(data, codec)
    sibling = _SIBLINGS.get(codec, "")
    if sibling and _C1.search(data) and (text := _strictly(data, sibling)) is not None:
        return text
    codec = "koi8_u" if codec == "koi8_r" and _UKRAINIAN.search(data) else codec
    text = _strictly(data, codec)
    return unicodedata.normalize("NFC", text) if text is not None and codec == "cp1258" else text


def _without_mark(data: bytes, codec: str) -> str | None:
    """Which end comes first is told by a mark; without one, by which reading makes sense."""
    readings = [text for end in ("-be", "-le") if (text := _strictly(data, codec + end)) is not None]
    return max(readings, key=lambda text: plausibility(text[:_SAMPLE], "gb18030"), default=None)


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None
    return None if _SURROGATE.search(text) else text


def _unless_misread(data: bytes, text: str, codec: str, declared: str) -> tuple[str, str]:
    """A declared charset can be wrong and still give a meaning to every byte: nonsense, where another gives words.

    The declaration counts for much: it is overruled only by text enough, and never between the code pages of
    Western languages, which misread leave most of a word as it is.
    """
    if codec.startswith("utf"):
        return text, ""
    score = plausibility(text, codec, declared=True)
    if score >= _REAL and codec not in WESTERN:
        return text, ""
    utf8 = _strictly(data, "utf-8")
    if utf8 is not None and (codec in WESTERN or _is_surely_utf8(utf8, data, score)):
        return utf8, f"charset is utf-8, not {declared[:40]!r}"
    beyond = len(_HIGH.findall(data[:_SAMPLE]))
    if score >= _REAL or beyond <= _FEW:
        return text, ""
    best, name, reading = _best_reading(data)
    if reading != text and _is_better(best, name, score, beyond, codec):
        return reading, f"charset is {name}, not {declared[:40]!r}"
    return text, ""


def _is_surely_utf8(text: str, data: bytes, score: float) -> bool:
    """Whether a reading as UTF-8 is no accident; a character or two of another charset can be one."""
    beyond = sum(1 for c in text if c > "\x7f")
    western = score < _SURELY_BAD and plausibility(text, "cp1252") >= _SURELY
    return beyond >= _SEVERAL or western or (beyond > 1 and bool(_LONG_UTF8.search(data)))


def _is_better(best: float, name: str, score: float, beyond: int, codec: str) -> bool:
    """Whether a reading is so much better than the declared one that the declaration must be wrong."""
    if codec in WESTERN and name in _CHINESE_AND_NEIGHBOURS:
        return best >= _BAD and best > score + _BETTER
    surely = score < _SURELY_BAD and best > _SURELY
    at_length = beyond > _MANY and best > max(_REAL, score + _BETTER)
    return (surely or at_length) and name in (*_CHINESE_AND_NEIGHBOURS, *_CYRILLIC, "cp1253")


def _decode_seven_bit(data: bytes, codec: str, declared: str | None) -> tuple[str, str]:
    """Plain ASCII, unless shift sequences show a seven-bit charset, declared or not."""
    if codec == "utf-7" and (text := _strictly(data, codec)) is not None:
        return text, ""
    for mark, shifted in ((b"\x1b$)C", "iso2022_kr"), (b"\x1b", "iso2022_jp_ext"), (b"~{", "hz")):
        if mark not in data:
            continue
        text = _strictly(data, shifted)
        if text is None and shifted == "iso2022_jp_ext":
            text = _lenient_jis(data)
        if text is not None and not text.isascii():
            return text, "" if codec == shifted else f"charset guessed: {shifted}"
    if not data.isascii():
        return _by_evidence(data, "", declared)
    known = (declared or "").strip().lower()
    lost = known and not codec_for(known) and known not in _WEAK
    return data.decode("ascii"), f"unknown charset {known[:40]!r}" if lost else ""


def _lenient_jis(data: bytes) -> str | None:
    """ISO-2022-JP as Windows writes it, with characters of its own that the standard does not have."""
    out, mode = [], b"\x1b(B"
    for piece in _ESCAPE.split(data):
        if piece.startswith(b"\x1b"):
            mode = piece
        elif mode in (b"\x1b$@", b"\x1b$B"):
            out.append(b"".join(_shift_jis(*piece[i : i + 2]) for i in range(0, len(piece) - 1, 2)))
        elif mode == b"\x1b(I":
            out.append(bytes(c | 0x80 for c in piece))
        else:
            out.append(piece)
    return _strictly(b"".join(out), "cp932")


_FIRST_JIS, _LAST_JIS = 0x21, 0x7E


def _shift_jis(first: int, second: int) -> bytes:
    """One JIS X 0208 character as Shift_JIS, whose Windows dialect knows the rows of NEC and IBM too."""
    if not (_FIRST_JIS <= first <= _LAST_JIS and _FIRST_JIS <= second <= _LAST_JIS):
        return bytes((first, second))  # a line break within the shift, or noise
    row = (first - 0x21) // 2 + 0x81
    column = second + (0x7E if first % 2 == 0 else 0x1F + (second >= 0x60))  # noqa: PLR2004
    return bytes((row + (0x40 if row > 0x9F else 0), min(column, 0xFF)))  # noqa: PLR2004


def _by_evidence(data: bytes, codec: str, declared: str | None) -> tuple[str, str]:
    """Bytes that the declaration does not explain: UTF-8 explains itself, then languages, then replacement."""
    text = _strictly(data, "utf-8")
    if text is not None:
        return text, "" if not declared else f"charset is utf-8, not {declared[:40]!r}"
    if codec in ("utf-8", "") and (nearly := _nearly_utf8(data)) is not None:
        return nearly, "a few bytes were not utf-8"
    if codec and codec != "utf-8" and (text := _nearly(data, codec)):
        return text, f"a few bytes were not {codec}"
    best, name, text = _best_reading(data)
    if best >= _BAD:
        return text, f"charset guessed: {name}"
    if codec:
        return _replacing(data, codec), f"bytes lost: not {(declared or '')[:40]!r}"
    guess = from_bytes(data[:_SAMPLE], cp_isolation=[*_CHINESE_AND_NEIGHBOURS, *_SINGLE]).best()
    if guess is not None and guess.encoding != "ascii":
        return _replacing(data, guess.encoding), f"charset guessed: {guess.encoding}"
    return _replacing(data, "utf-8"), f"bytes lost: not {repr(declared[:40]) if declared else 'any charset'}"


def _nearly_utf8(data: bytes) -> str | None:
    """A cut or damaged UTF-8 text keeps more good characters than broken ones; Java writes emoji as two halves."""
    probe = data[:_PROBE].decode("utf-8", "replace")
    bad = probe.count("\ufffd") * 3 > sum(1 for c in probe if "\x7f" < c != "\ufffd") + 3 + _LOST
    if bad and not _HALVES.search(data[:_PROBE]):
        return None
    text = data.decode("utf-8", "replace")
    if _HALVES.search(data):
        text = data.decode("utf-8", "surrogatepass" if _strictly_with_halves(data) else "replace")
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    good = sum(1 for c in text if c > "\x7f" and c != "\ufffd")
    return text if good and text.count("\ufffd") * 3 <= good + 3 else None


def _strictly_with_halves(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeError:
        return False
    return True


def _nearly(data: bytes, codec: str) -> str:
    """The declared reading where it explains all but a few bytes, or ""."""
    text = _replacing(data, codec)
    lost, meant = text.count("\ufffd"), sum(1 for c in text[:_SAMPLE] if c > "\x7f")
    makes_sense = plausibility(text, codec, declared=True) >= _SURELY_BAD
    return text if makes_sense and (lost <= _LOST or lost * 50 < meant) else ""


def _best_reading(data: bytes) -> tuple[float, str, str]:
    """Return (score, codec, text) of the reading that looks most like words; of equals the first."""
    sample = _sample(data)
    found: list[tuple[float, str]] = []
    for codec in (*_CHINESE_AND_NEIGHBOURS, *_SINGLE):
        reading = _strictly(sample, codec)
        if reading is not None:
            found.append((plausibility(reading, codec), codec))
    for score, codec in sorted(found, key=lambda one: -one[0]):
        text = _strictly(data, codec)
        if text is not None:
            return score, codec, text
    return (*found[0], _replacing(data, found[0][1])) if found and len(sample) < len(data) else (0.0, "", "")


def _sample(data: bytes) -> bytes:
    """The beginning, from the first byte beyond ASCII on, cut where no character is cut."""
    first = next((m.start() for m in _HIGH.finditer(data)), 0)
    start = data.rfind(b"\n", 0, first) + 1
    if len(data) - start <= _SAMPLE:
        return data[start:]
    piece = data[start : start + _SAMPLE]
    whole, _, _ = piece.rpartition(b"\n")
    return whole or piece


def _replacing(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (LookupError, UnicodeError, ValueError):
        return data.decode("utf-8", "replace")
