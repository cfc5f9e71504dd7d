"""From the rich text in winmail.dat to its words.

What comes in: the value of PR_RTF_COMPRESSED. What goes out: Rich, with plain text, or with the page that Outlook hid
in it; empty where it is damaged, never an exception. Every byte is looked at once. This file alone knows RTF.
Source: [MS-OXRTFCP] (compression), [MS-OXRTFEX] (a page hidden in RTF), RTF Specification 1.9.1.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from daemon.intake.charset import clean_text, codec_for

_HEADER = 16
_PLAIN, _PACKED = b"MELA", b"LZFu"
_WINDOW = 4096
_MOST = 2_000_000
_DEEPEST = 500
_REFERENCE = 2
_BEGINNING = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,9})? ?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<sign>.)"
    rb"|(?P<brace>[{}])|[\r\n]+|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_SILENT = frozenset(
    {
        "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "headerl", "headerr", "headerf",
        "footer", "footerl", "footerr", "footerf", "footnote", "listtable", "listoverridetable", "revtbl", "rsidtbl",
        "generator", "themedata", "datastore", "xmlnstbl", "mhtmltag",
    }
)  # fmt: skip
_SPELT = {
    "par": "\n", "line": "\n", "row": "\n", "sect": "\n", "page": "\n", "tab": "\t", "cell": "\t", "lquote": "‘",
    "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "endash": "–", "emdash": "—", "emspace": " ",
    "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SIGNS = {b"~": "\u00a0", b"_": "\u2011", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}
_CODE_PAGES = {
    77: "macintosh", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip


class Rich(NamedTuple):
    """What a rich text says; `html` where it was a page, else `text`."""

    text: str = ""
    html: str = ""


def read_rich_text(value: bytes) -> Rich:
    """Return the words of a compressed rich text; never raises."""
    rtf = unpack(value)
    if not rtf.startswith(b"{\\rtf"):
        return Rich()
    page = b"\\fromhtml" in rtf[:1000]
    words = clean_text(_Reader(page).read(rtf), _MOST)
    return Rich(html=words) if page else Rich(text=words.strip("\n"))


def unpack(value: bytes) -> bytes:
    """Return the rich text itself, or b"" where this is none."""
    if len(value) < _HEADER:
        return b""
    size, kind = struct.unpack_from("<I", value, 4)[0], value[8:12]
    if kind == _PLAIN:
        return value[_HEADER : _HEADER + size]
    return _unpacked(value[_HEADER:], min(size, _MOST)) if kind == _PACKED else b""


def _unpacked(packed: bytes, size: int) -> bytes:
    """Eight items follow each control byte: a byte as it is, or a reference into the last 4096."""
    out = bytearray(_BEGINNING)
    start, place, most = len(out), 0, len(out) + size
    while place < len(packed) and len(out) < most:
        control, place = packed[place], place + 1
        for bit in range(8):
            if not control >> bit & 1:
                out += packed[place : place + 1]
                place += 1
            elif not _copy(out, packed[place : place + 2]):
                return bytes(out[start:most])
            else:
                place += 2
    return bytes(out[start:most])


def _copy(out: bytearray, reference: bytes) -> bool:
    """Repeat what stood before; False where the reference says that this was all."""
    if len(reference) < _REFERENCE:
        return False
    number = int.from_bytes(reference, "big")
    back = (len(out) - (number >> 4)) % _WINDOW
    if back == 0 or back > len(out):
        return False
    for _ in range((number & 15) + 2):
        out.append(out[-back])
    return True


class _Group(NamedTuple):
    """What holds within a pair of braces."""

    silent: bool = False
    rtf_only: bool = False  # words that the hidden page says in its own way
    charset: str = "cp1252"
    fallback: int = 1  # characters after \\u that stand for it in old readers


class _Reader:
    """One walk over the tokens of a rich text."""

    def __init__(self, page: bool) -> None:
        self.page = page
        self.group = _Group()
        self.stack: list[_Group] = []
        self.fonts: dict[int, str] = {}
        self.font = 0
        self.in_fonts = False
        self.starred = False
        self.charset = "cp1252"
        self.skip = 0
        self.raw = bytearray()
        self.out: list[str] = []

    def read(self, rtf: bytes) -> str:
        """Return the words of the whole."""
        for token in _TOKEN.finditer(rtf):
            kind = token.lastgroup
            if kind == "brace":
                self._brace(token[0])
            elif token["word"]:
                self._word(token["word"].decode("ascii"), token["number"])
            elif kind == "hex":
                self._bytes(bytes((int(token["hex"], 16),)), 1)
            elif kind == "sign":
                self._sign(token["sign"])
            elif kind == "text":
                self._bytes(token["text"], len(token["text"]))
        self._flush()
        text = "".join(self.out)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _brace(self, brace: bytes) -> None:
        self._flush()
        self.skip, self.starred = 0, False
        if brace == b"{":
            if len(self.stack) < _DEEPEST:
                self.stack.append(self.group)
        elif self.stack:
            self.group = self.stack.pop()
            self.in_fonts = self.in_fonts and self.group.silent

    def _sign(self, sign: bytes) -> None:
        if sign == b"*":
            self.starred = True
        elif self.skip:
            self.skip -= 1
        elif sign in _SIGNS:
            self._say(_SIGNS[sign])

    def _word(self, word: str, digits: bytes | None) -> None:
        number = int(digits) if digits else None
        starred, self.starred = self.starred, False
        if word in _SILENT or (starred and not (self.page and word == "htmltag")):
            self._flush()
            self.in_fonts = self.in_fonts or word == "fonttbl"
            self.group = self.group._replace(silent=True)
        elif word == "htmlrtf":
            self._flush()
            self.group = self.group._replace(rtf_only=self.page and number != 0)
        elif word in _SPELT:
            self._say(_SPELT[word])
        elif word == "u" and number is not None:
            self._say(chr(number & 0xFFFF))
            self.skip = self.group.fallback
        else:
            self._set(word, number or 0)

    def _set(self, word: str, number: int) -> None:
        """Remember what later bytes are to be read with."""
        if word == "uc":
            self.group = self.group._replace(fallback=number)
        elif word == "ansicpg":
            self.charset = f"cp{number}"
            self.group = self.group._replace(charset=self.charset)
        elif word == "fcharset" and self.in_fonts:
            self.fonts[self.font] = _CODE_PAGES.get(number, self.charset)
        elif word in ("f", "af"):
            self.font = number
            self._use(self.fonts.get(number, self.charset))
        elif word == "plain":
            self._use(self.charset)

    def _use(self, charset: str) -> None:
        if charset != self.group.charset:
            self._flush()
            self.group = self.group._replace(charset=charset)

    def _bytes(self, raw: bytes, count: int) -> None:
        skipped, self.skip = min(self.skip, count), max(0, self.skip - count)
        if not self.group.silent and not self.group.rtf_only:
            self.raw += raw[skipped:]

    def _say(self, text: str) -> None:
        self._flush()
        self.skip = 0
        if not self.group.silent and not self.group.rtf_only:
            self.out.append(text)

    def _flush(self) -> None:
        """Bytes are decoded together: a character may stand in two of them."""
        if self.raw:
            self.out.append(self.raw.decode(codec_for(self.group.charset) or "cp1252", "replace"))
            self.raw.clear()
