"""From raw header values to words, ids and parameters, without ever raising.

What comes in: a header value as the email package gives it (8-bit bytes as surrogate escapes, folded lines).
What goes out: clean single-line text, Message-IDs, parameters. This file alone knows RFC 2047 and RFC 2231.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from daemon.intake.charset import clean_text, decode_text

HEADER_CAP = 32_768
_TIMES_ENCODED = 2  # some gateways encode what was encoded already
# The text of a Q word may hold question marks, against the rules: it ends at the first "?=".
_WORD = re.compile(r"=\?([^?\s]{1,60})\?(?:([bB])\?([^?]*)|([qQ])\?([^?]*(?:\?(?!=)[^?]*)*))\?=")
_CUT_WORD = re.compile(r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]+\??")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]+")
_PARAM = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)')
_ID = re.compile(r"<([^<>]{1,998})>")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


def decode_header(raw: str, hint: str = "") -> str:
    """Return a header value as one clean line of text; raw 8-bit bytes are read in the mail's charset (`hint`)."""
    value = str(raw)[:HEADER_CAP]
    if "\n" in value or "\r" in value:
        value = re.sub(r"\r?\n|\r", "", value)
    value = decode_bytes(value, hint)
    for _ in range(_TIMES_ENCODED):
        if "=?" in value:
            value = _decode_words(value)
        if not (value.startswith("=?") and value.endswith("?=")):
            break
    return one_line(value)


def one_line(text: str) -> str:
    """Return the text without line breaks, controls and outer space."""
    text = clean_text(text, HEADER_CAP)
    return (_CONTROL.sub(" ", text) if not text.isprintable() else text).strip()


def straight(text: str) -> str:
    """Return the text without marks that turn the direction of writing, by which exe.txt can be made of txt.exe."""
    return _DIRECTION.sub("", text) if not text.isprintable() else text


def decode_bytes(value: str, hint: str = "") -> str:
    """Give meaning to raw 8-bit bytes, which the email package carries as surrogate escapes."""
    if value.isascii():
        return value if "\x1b$" not in value else decode_text(value.encode("ascii"))[0]
    try:
        return decode_text(value.encode("ascii", "surrogateescape"), hint or None)[0]
    except UnicodeEncodeError:
        return value  # already text


def _decode_words(value: str) -> str:
    """Join neighbouring words of one charset before decoding: clients cut characters in two between words."""
    if _CUT_WORD.fullmatch(value, max(0, value.rfind("=?"))):
        value = value.removesuffix("?") + "?="  # its end was cut off
    out: list[str] = []
    held, held_charset, last = b"", "", 0
    for match in _WORD.finditer(value):
        between = value[last : match.start()]
        charset, kind = match[1].partition("*")[0].lower(), match[2] or match[4]
        data = _word_bytes(kind, match[3] if match[2] else match[5])
        if held and (between.strip(" \t") or charset != held_charset):
            out.append(decode_text(held, held_charset)[0])
            held = b""
        if between.strip(" \t") or not last:
            out.append(between)
        held, held_charset, last = held + data, charset, match.end()
    if held:
        out.append(decode_text(held, held_charset)[0])
    return "".join([*out, value[last:]])


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    if encoding in "qQ":
        return binascii.a2b_qp(raw.replace(b"_", b"=20"), header=False)
    digits = _NOT_BASE64.sub("", text)
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))


def message_ids(raw: Iterable[str]) -> tuple[str, ...]:
    """Return every Message-ID in these header values, in order, without angle brackets and repeats."""
    found: dict[str, None] = {}
    for value in raw:
        text = decode_bytes(str(value)[:HEADER_CAP])
        ids = [_FOLD.sub("", i) for i in _ID.findall(text)] or [w for w in text.split() if "@" in w]
        found.update(dict.fromkeys(one_line(clean_text(i.strip("<>"), 998)) for i in ids))
    return tuple(i for i in found if i)[:200]


def message_id(raw: str) -> str:
    """Return the one Message-ID of a Message-ID header as written between its brackets, or ""."""
    ids = message_ids([raw])
    return ids[0] if ids else one_line(decode_bytes(str(raw)[:998])).strip("<> ")


def parameters(raw: str, hint: str = "") -> tuple[str, dict[str, str]]:
    """Return a structured value's first word, lower-cased, and its parameters, decoded (RFC 2231 and worse)."""
    text = re.sub(r"\r?\n|\r", "", str(raw)[:8192])
    head, _, tail = text.partition(";")
    if "=" in head.partition("/")[0]:
        head, tail = "", text  # the first word is missing
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, value in _PARAM.findall(";" + tail):
        base, star, order = name.lower().partition("*")
        if not star:
            plain.setdefault(base, decode_header(_unquote(value), hint))
        else:
            index, extended = order.rstrip("*"), order.endswith("*") or order == ""
            pieces.setdefault(base, []).append((int(index) if index.isdecimal() else 0, extended, _unquote(value)))
    plain.update({base: _join_pieces(parts) for base, parts in pieces.items()})
    return one_line(decode_bytes(head.partition("(")[0])).lower().rstrip(), plain


def _unquote(value: str) -> str:
    value = value.strip()
    if not value.startswith('"'):
        return value.strip("'") if value[:1] == value[-1:] == "'" else value
    value = value[1:-1] if value.endswith('"') and len(value) > 1 else value[1:]
    return value.replace('\\"', '"').replace("\\\\", "\\") if "\\" in value else value


def _join_pieces(parts: list[tuple[int, bool, str]]) -> str:
    """RFC 2231: numbered pieces, percent-encoded where starred; the first starred one names the charset."""
    charset, data = "", b""
    for place, (_, extended, value) in enumerate(sorted(parts, key=lambda p: p[0])):
        if extended and place == 0 and "'" in value.partition("'")[2]:
            charset, _, value = value.split("'", 2)
        raw = _raw(value)
        data += unquote_to_bytes(raw) if extended else raw
    text = decode_text(data, charset)[0]
    return decode_header(text) if "=?" in text else one_line(text)


def _raw(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def without_body(header: bytes, note: str) -> bytes:
    """Return a mail with this header, less what it says of its body, and the note as its only text."""
    kept: list[bytes] = []
    skipping = False
    for line in header.split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            break
        if not line.startswith((b" ", b"\t")):
            skipping = line.lower().startswith((b"content-", b"mime-version:"))
        if not skipping:
            kept.append(line)
    kept += [b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit"]
    return b"\r\n".join([*kept, b"", note.replace("\n", "\r\n").encode(), b""])
