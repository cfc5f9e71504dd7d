"""From words to the bytes of a mail, fast: headers in their order, one text and one HTML part, pictures and files.

What comes in: clean header values, two texts, and what is enclosed. What goes out: bytes with CRLF, no line over 998,
all ASCII but for an address that cannot be written otherwise. This file alone knows how a header is encoded and folded.
The stdlib's EmailMessage costs milliseconds a mail and breaks long ids in References, hence our own hand.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import format_datetime

from daemon.notify.envelope import clean_header

__all__ = ["Enclosed", "address_header", "build", "encode_words", "fold_ids", "format_datetime", "text_header"]

# With `=?utf-8?b?` and `?=` around 52 characters of base64, a word fits on any first line of a header.
_WORD_BYTES = 39
_LINE_CHARS = 76
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~. -]*[A-Za-z0-9]")
MAIL = "message/rfc822"
_LONGEST_LINE = 998
_BARE_BREAK = re.compile(rb"[\r\n]")
_OUR_BOUNDARY = b"ticketd_"  # what the names of our boundaries have in common
_BASE64_LINE = 57  # bytes that make 76 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """A file that goes with a mail: a picture that its HTML shows as `cid:…`, or ("") one to be opened by itself.

    `name` and `cid` are ours: ASCII, without spaces.
    """

    name: str
    kind: str
    content: bytes = field(repr=False)
    cid: str = ""


def text_header(name: str, value: str) -> str:
    """Return the header line(s) of free text, cleaned, encoded where needed and folded."""
    value = clean_header(value)
    if _PLAIN.fullmatch(value) and "=?" not in value and len(name) + 2 + len(value) <= _LINE_CHARS:
        return f"{name}: {value}\r\n"
    return f"{name}: {encode_words(value)}\r\n"


def address_header(name: str, display: str, address: str) -> str:
    """Return the header line(s) of one mailbox; the address has to be a checked one."""
    display = clean_header(display, 100)
    if not display:
        return f"{name}: <{address}>\r\n" if " " in address else f"{name}: {address}\r\n"
    fold = "\r\n " if len(display) + len(address) > _LINE_CHARS - 16 or not display.isascii() else " "
    return f"{name}: {_phrase(display)}{fold}<{address}>\r\n"


def _phrase(display: str) -> str:
    if _ATOMS.fullmatch(display) and "=?" not in display and "." not in display:
        return display
    if _PLAIN.fullmatch(display) and "=?" not in display and len(display) <= _LINE_CHARS - 16:
        return '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encode_words(display)


def encode_words(text: str) -> str:
    """Return the text as RFC 2047 words of at most 75 characters, one a line, never splitting a character."""
    chunks, size = [""], 0
    for char in text:
        width = len(char.encode("utf-8"))
        if size + width > _WORD_BYTES:
            chunks.append("")
            size = 0
        chunks[-1] += char
        size += width
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(c.encode()).decode('ascii')}?=" for c in chunks)


def fold_ids(name: str, ids: Iterable[str]) -> str:
    """Return a header of Message-IDs, one a line, never encoded; nothing where there are none."""
    written = "\r\n ".join(ids)
    return f"{name}: {written}\r\n" if written else ""


def as_mail(content: bytes) -> Enclosed:
    """Return a whole mail to be enclosed: as a mail where it can travel as it is, which must not be encoded (RFC 2046
    5.2.1), else as a file that mail programs open. Not a byte of it is changed."""
    plain = content.isascii() and b"\0" not in content and _OUR_BOUNDARY not in content
    lines = content.split(b"\r\n")
    travels = plain and all(len(x) <= _LONGEST_LINE and not _BARE_BREAK.search(x) for x in lines)
    kind = MAIL if travels else "application/octet-stream"
    return Enclosed(name="mail.eml", kind=kind, content=content)


def build(headers: Iterable[str], text: str, html: str, name: str, enclosed: Iterable[Enclosed] = ()) -> bytes:
    """Return the whole mail. `name` tells its boundaries from those of other mails."""
    pictures = [e for e in enclosed if e.cid]
    files = [e for e in enclosed if not e.cid]
    page = _part("html", html)
    if pictures:
        page = _parts('related; type="text/html"', f"=_r_{name}", [page, *map(_file, pictures)])
    whole = _parts("alternative", f"=_{name}", [_part("plain", text), page])
    if files:
        whole = _parts("mixed", f"=_m_{name}", [whole, *map(_file, files)])
    return f"{''.join(headers)}MIME-Version: 1.0\r\n{whole}".encode()


def _parts(kind: str, boundary: str, parts: Iterable[str]) -> str:
    """Return a part made of parts. A boundary begins with `=_`, which none of our encodings can bring forth.

    No boundary may begin like that of a part around or within it: many programs compare no further.
    """
    inner = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{inner}--{boundary}--\r\n'


def _part(subtype: str, content: str) -> str:
    encoding, body = _transfer(content)
    return f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"


def _file(enclosed: Enclosed) -> str:
    if enclosed.kind == MAIL:
        return f"Content-Type: {MAIL}\r\nContent-Disposition: attachment\r\n\r\n{enclosed.content.decode('ascii')}"
    shown = f"inline; filename={enclosed.name}\r\nContent-ID: <{enclosed.cid}>"
    disposition = shown if enclosed.cid else f"attachment; filename={enclosed.name}"
    return (
        f"Content-Type: {enclosed.kind}\r\nContent-Disposition: {disposition}\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{_base64(enclosed.content)}"
    )


def _transfer(content: str) -> tuple[str, str]:
    """Return encoding and encoded lines: readable where the text is mostly ASCII, short where it is not."""
    data = content.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8")
    if len(data) - len(content) > len(content) // 8:
        return "base64", _base64(data)
    return "quoted-printable", binascii.b2a_qp(data, istext=True).decode("ascii")


def _base64(data: bytes) -> str:
    lines = range(0, len(data), _BASE64_LINE)
    return b"\r\n".join(binascii.b2a_base64(data[i : i + _BASE64_LINE], newline=False) for i in lines).decode("ascii")
