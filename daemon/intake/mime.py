"""From the bytes of a mail to a skeleton that is cheap to parse: big leaves and attached mails are cut out.

What comes in: a Source (bytes, or a file read piece by piece). What goes out: a Skeleton, which is the same mail
with every bomb made harmless (header size, parts, depth) and each cut leaf replaced by a header that names its
Cut: size and digest of what was there. This file alone knows where MIME parts begin and end in bytes.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from daemon.intake.headers import parameters

MARK = "X-Cut-Leaf"
MAILS = frozenset({"message/rfc822", "message/global"})
"""The types of a mail within a mail."""
MAX_PARTS = 1000
MAX_DEPTH = 50
SMALL = 32_768
_TEXT_HEAD = 2_200_000  # bytes of one text that are parsed; what is read of it is less, without pasted pictures
_TOP_HEADERS = 262_144
_PART_HEADERS = 32_768
_ONE_HEADER = 32_768
_ONE_PARAMETERS = 4096
_PARAMETERS = 100
_ENCODED_WORDS = 400
_LONGEST_DELIMITER = 1024
_TOTAL = 2_500_000
_DECODED_AT_ONCE = 8_000_000
_NO_UU = 1000  # lines that are none: this was never uuencode
_CHUNK = 786_432
_HEADER = re.compile(rb"^(content-type|content-transfer-encoding|content-disposition)[ \t]*:", re.I | re.M)
_FOLDED = re.compile(rb"\r?\n(?![ \t])")
_CHARSET = re.compile(rb"charset\s*=\s*\"?([\w.:-]{2,40})", re.I)
_HINT = 16_384
_SPACED_NAME = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.M)
_BAD_LINE = re.compile(rb"^(?![!-9;-~]+:|[ \t\r\n]|>?From ).*\r?\n", re.M)
_GOOD_LINE = re.compile(
    rb"^(?:from|to|cc|subject|date|message-id|mime-version|content-type|received|reply-to)[ \t]*:",
    re.I | re.M,
)
_BOUNDARY_LINE = re.compile(rb"^--([^\s][^\r\n]{0,200}?)[ \t]*\r?\n(?=content-)", re.I | re.M)
_BLANK_BREAK = re.compile(rb"=[ \t]+\r?\n")  # a soft break; blanks at the end of a line say nothing (RFC 2045 §6.7)
_QUOTED_PRINTABLE = frozenset({"quoted-printable", "quopri", "qp"})
_UUENCODE = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})
# Padding at the end of a line, and a next line that is no code: a list server's footer.
_CODE_END = re.compile(rb"=[ \t]{0,99}\r?\n[\r\n]{0,99}(?=[A-Za-z0-9+/]{0,200}[^A-Za-z0-9+/=\s])")
_NOT_BASE64 = bytes(c for c in range(256) if not re.match(rb"[A-Za-z0-9+/=]", bytes([c])))


class Source(Protocol):
    """The bytes of one mail, wherever they are."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    def at(self, start: int, end: int) -> bytes:
        """Return the bytes from start up to end (fewer at the end of the mail)."""
        ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """A mail in memory."""

    content: bytes

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.content)

    def at(self, start: int, end: int) -> bytes:
        """Return a piece."""
        return self.content[start:end]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of another source, as a mail of its own."""

    source: Source
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.end - self.start

    def at(self, start: int, end: int) -> bytes:
        """Return a piece."""
        return self.source.at(min(self.start + start, self.end), min(self.start + end, self.end))


@dataclass(frozen=True, slots=True)
class _Prefixed:
    """A mail with a line put before it."""

    prefix: bytes
    source: Source

    @property
    def size(self) -> int:
        return len(self.prefix) + self.source.size

    def at(self, start: int, end: int) -> bytes:
        length = len(self.prefix)
        return self.prefix[start:end] + self.source.at(max(0, start - length), max(0, end - length))


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut out: size and digest after transfer decoding, how it began, and where it lies as it came."""

    size: int
    sha256: str
    head: bytes
    raw: Window
    encoding: str

    def content(self) -> Source | None:
        """Return what was cut out, decoded; None where it would take too much memory to decode."""
        if not _changes(self.encoding):
            return self.raw
        if self.raw.size > _DECODED_AT_ONCE:
            return None
        return Bytes(decode_transfer(self.raw.at(0, self.raw.size), self.encoding))


@dataclass(slots=True)
class Skeleton:
    """The mail without its weight; `cuts` maps the value of each MARK header to what stood there."""

    content: bytes = b""
    cuts: dict[str, Cut] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)

    def charset_hint(self) -> str:
        """Return the first charset that the mail declares: what raw 8-bit headers are most likely written in."""
        match = _CHARSET.search(self.content[:_HINT])
        return match[1].decode("ascii") if match else ""


@dataclass(frozen=True, slots=True)
class _Delimiter:
    start: int
    end: int
    level: int
    closing: bool


def is_small(content: bytes) -> bool:
    """Tell whether a mail holds nothing that needs cutting: the way of nearly all mail."""
    if len(content) > SMALL:
        return False
    lower = content.lower()
    return b"message/" not in lower and b"/digest" not in lower and lower.count(b"boundary") < MAX_DEPTH


def make_skeleton(source: Source, token: str) -> Skeleton:
    """Cut a mail down to what a parser needs; `token` makes our marks impossible to forge."""
    return _Cutter(source, token).run()


def mend_headers(skeleton: Skeleton) -> Skeleton:
    """Drop lines that are no headers from among the headers, where a parser would take the rest for the body."""
    block = skeleton.content[: max(0, _blank_line_end(skeleton.content[:_TOP_HEADERS]))]
    bad = _BAD_LINE.search(block)
    good = [m.start() for m in _GOOD_LINE.finditer(block, bad.end())] if bad else []
    mended = _cap_headers(block)
    if good:
        spaced = _SPACED_NAME.sub(rb"\1:", mended)
        last = [m.start() for m in _GOOD_LINE.finditer(spaced)][-1]
        mended = _BAD_LINE.sub(b"", spaced[:last]) + spaced[last:]
        skeleton.defects.append("a broken header line was dropped")
    if mended is not block:
        skeleton.content = mended + skeleton.content[len(block) :]
    return skeleton


def with_found_boundary(source: Source, kind: str) -> Source | None:
    """Return a multipart mail of this kind with the boundary that it really uses, or None where none can be seen."""
    match = _BOUNDARY_LINE.search(source.at(0, _TOP_HEADERS))
    if match is None:
        return None
    alike = b"alternative" if kind == "multipart/alternative" else b"mixed"
    line = b"Content-Type: multipart/" + alike + b'; boundary="' + match[1].replace(b'"', b'\\"') + b'"\r\n'
    return _Prefixed(line, source)


class _Cutter:
    """One walk over the parts of one mail, from its first byte to its last."""

    def __init__(self, source: Source, token: str) -> None:
        self.source = source
        self.token = token
        self.result = Skeleton()
        self.pieces: list[bytes] = []
        self.kept = 0
        self.stack: list[tuple[bytes, str]] = []
        self.marks: dict[bytes, tuple[int, bool]] = {}

    def run(self) -> Skeleton:
        position: int | None = 0
        parts = 0
        while position is not None:
            parts += 1
            if parts > MAX_PARTS:
                self.result.defects.append(f"more than {MAX_PARTS} parts: the rest was not read")
                break
            position = self._part(position)
        self.result.content = b"".join(self.pieces)
        return self.result

    def _part(self, start: int) -> int | None:
        """Emit the part that begins here; return where the next one begins, or None at the end of the mail."""
        top = start == 0
        block, body = self._headers(start, _TOP_HEADERS if top else _PART_HEADERS)
        kind, params, encoding, attached = _describe(block, self._parent() == "multipart/digest")
        boundary = params.get("boundary", "").encode("utf-8", "surrogateescape").rstrip()
        mother = kind.startswith("multipart/") and boundary and len(self.stack) < MAX_DEPTH
        if mother:
            self._push(boundary, kind)
        following = self._next_delimiter(body)
        end = self._body_end(body, following)
        if mother:
            self._keep(block, body, min(end, body + SMALL))
        else:
            self._leaf(block, body, end, kind, encoding, attached)
        return self._after(following)

    def _parent(self) -> str:
        return self.stack[-1][1] if self.stack else ""

    def _push(self, boundary: bytes, kind: str) -> None:
        self.stack.append((boundary, kind))
        self._remember_marks()

    def _remember_marks(self) -> None:
        self.marks = {}
        for level, (boundary, _) in enumerate(self.stack):
            self.marks[b"--" + boundary] = (level, False)
            self.marks[b"--" + boundary + b"--"] = (level, True)

    def _after(self, found: _Delimiter | None) -> int | None:
        """Emit delimiter lines (and what stands between parts) up to the next part."""
        while found is not None:
            self.pieces.append(self.source.at(found.start, found.end))
            del self.stack[found.level + (not found.closing) :]
            self._remember_marks()
            if not found.closing:
                return found.end
            following = self._next_delimiter(found.end)
            end = self._body_end(found.end, following)
            self._keep(b"", found.end, min(end, found.end + SMALL))
            found = following
        return None

    def _body_end(self, body: int, following: _Delimiter | None) -> int:
        return max(body, following.start) if following else self.source.size

    def _headers(self, start: int, cap: int) -> tuple[bytes, int]:
        """Return the header block of a part, with its blank line and capped, and where its body begins."""
        window = self.source.at(start, start + cap)
        found = _blank_line_end(window)
        end = len(window) if found < 0 else found
        inside = self._next_delimiter(start, start + end) if start and self.stack else None
        if inside is not None:
            return _cap_headers(window[: max(0, inside.start - start)]), inside.start
        if found < 0 and start + end < self.source.size:
            self.result.defects.append("headers too long: cut")
            tail = self._find_blank(start + end)
            return _cap_headers(window.rpartition(b"\n")[0] + b"\r\n\r\n"), tail
        return _cap_headers(window[:end]), start + end

    def _find_blank(self, position: int) -> int:
        """Return where the body begins behind a header block that is longer than we read."""
        while position < self.source.size:
            window = self.source.at(position, position + _CHUNK)
            match = re.search(rb"\r?\n\r?\n", window)
            if match:
                return position + match.end()
            position += max(1, len(window) - 3) if len(window) == _CHUNK else len(window)
        return self.source.size

    def _next_delimiter(self, position: int, stop: int | None = None) -> _Delimiter | None:
        """Find the next line that is a boundary of any open multipart."""
        stop = self.source.size if stop is None else stop
        start = max(0, position - 1)
        while self.marks and start < stop:
            window = self.source.at(start, min(stop, start + _CHUNK) + 3)
            found = self._delimiter_in(window, start)
            if found is not None:
                return found if found.start < stop else None
            start += _CHUNK
        return None

    def _delimiter_in(self, window: bytes, offset: int) -> _Delimiter | None:
        at = 0 if offset == 0 and window.startswith(b"--") else window.find(b"\n--") + 1
        while at or (offset == 0 and window.startswith(b"--")):
            line = window[at : at + _LONGEST_DELIMITER]
            if len(line) < _LONGEST_DELIMITER and b"\n" not in line:  # it goes on behind the window
                line = self.source.at(offset + at, offset + at + _LONGEST_DELIMITER)
            line = line.partition(b"\n")[0]
            mark = self.marks.get(line.rstrip(b" \t\r"))
            if mark is not None:
                stop = min(offset + at + len(line) + 1, self.source.size)
                return _Delimiter(offset + at, stop, *mark)
            at = window.find(b"\n--", at) + 1
            if not at:
                break
        return None

    def _keep(self, block: bytes, start: int, end: int) -> None:
        self.pieces.append(block)
        self.pieces.append(self.source.at(start, end))
        self.kept += len(block) + end - start

    def _leaf(self, block: bytes, start: int, end: int, kind: str, encoding: str, attached: bool) -> None:
        size = end - start
        text = kind.startswith("text/") and not attached
        whole = kind in MAILS or kind.startswith("multipart/")
        room = self.kept + min(size, _TEXT_HEAD) <= _TOTAL
        if not whole and room and (size <= SMALL or (text and size <= _TEXT_HEAD)):
            self._keep(block, start, end)
            return
        mark = f"{self.token}-{len(self.result.cuts)}"
        self.result.cuts[mark] = self._digest(start, _without_line_end(self.source, end), encoding)
        head = min(end, start + _TEXT_HEAD) if text and room else start
        if text:
            self.result.defects.append("a text part is too long: only its beginning was read")
        self._keep(_marked(block, mark), start, head)
        self.pieces.append(b"\r\n")

    def _digest(self, start: int, end: int, encoding: str) -> Cut:
        """Hash a leaf after transfer decoding, a piece at a time."""
        digest, size, head = hashlib.sha256(), 0, b""
        for piece in _decoded(self._chunks(start, end), encoding):
            digest.update(piece)
            size += len(piece)
            if len(head) < SMALL:
                head += piece[:SMALL]
        return Cut(size, digest.hexdigest(), head, Window(self.source, start, max(start, end)), encoding)

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            piece = self.source.at(start, min(end, start + _CHUNK))
            if not piece:
                return
            yield piece
            start += len(piece)


def _blank_line_end(window: bytes) -> int:
    """Return where the first blank line ends, -1 where there is none; a thousand parts ask this, so no pattern."""
    if window.startswith((b"\n", b"\r\n")):
        return window.index(b"\n") + 1
    ends = [place + len(blank) for blank in (b"\n\n", b"\n\r\n") if (place := window.find(blank)) >= 0]
    return min(ends, default=-1)


def _describe(block: bytes, in_digest: bool) -> tuple[str, dict[str, str], str, bool]:
    """Return content type, its parameters, transfer encoding, and whether the part is meant as a file."""
    kind, params, encoding, attached = "message/rfc822" if in_digest else "text/plain", {}, "", False
    for match in reversed(list(_HEADER.finditer(block))):  # the first of two wins
        value = _FOLDED.split(block[match.end() : match.end() + 8192], maxsplit=1)[0]
        head, found = parameters(value.decode("utf-8", "surrogateescape"))
        name = match[1].lower()
        if name == b"content-type":
            kind, params = head, found
        elif name == b"content-transfer-encoding":
            encoding = head
        else:
            attached = head == "attachment"
    return kind, params, encoding, attached


def _marked(block: bytes, mark: str) -> bytes:
    """Put our mark first, where every parser reads it as a header."""
    line = f"{MARK}: {mark}\r\n".encode("ascii")
    if block.startswith((b"From ", b">From ")):
        first, newline, rest = block.partition(b"\n")
        return first + newline + line + rest
    return line + (block if block else b"\r\n")


def _cap_headers(block: bytes) -> bytes:
    """Shorten every header that is longer than a person would write; parameters are parsed most dearly."""
    if len(block) <= _ONE_PARAMETERS and block.count(b";") <= _PARAMETERS:
        return block
    return b"\r\n".join(_cap_parameters(x) if _HEADER.match(x) else _cap_words(x) for x in _FOLDED.split(block))


def _cap_words(line: bytes) -> bytes:
    """Encoded words are searched for at great cost where they never end."""
    line = line[:_ONE_HEADER]
    return b"=?".join(line.split(b"=?")[:_ENCODED_WORDS]) if line.count(b"=?") > _ENCODED_WORDS else line


def _cap_parameters(line: bytes) -> bytes:
    return b";".join(line[:_ONE_PARAMETERS].split(b";")[:_PARAMETERS])


def _without_line_end(source: Source, end: int) -> int:
    """The line end before a delimiter belongs to the delimiter."""
    if end >= source.size:
        return end
    before = source.at(max(0, end - 2), end)
    return end - (2 if before == b"\r\n" else 1 if before.endswith(b"\n") else 0)


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Return the bytes that a transfer encoding stands for; unknown encodings stand for themselves."""
    return b"".join(_decoded(iter((data,)), encoding))


def _decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    if encoding.startswith("base64"):
        return _from_base64(pieces)
    if encoding in _QUOTED_PRINTABLE:
        return _from_quoted_printable(pieces)
    if encoding in _UUENCODE:
        return _from_uu(pieces)
    return pieces


def _changes(encoding: str) -> bool:
    return encoding.startswith("base64") or encoding in _QUOTED_PRINTABLE or encoding in _UUENCODE


def _from_base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decode whatever base64 there is; padding in the middle begins a new run, as broken senders mean it."""
    rest, footer = b"", False
    for piece in pieces:
        if footer:
            continue  # what follows the code has to be read from its source all the same
        end = _CODE_END.search(piece)
        footer = end is not None
        rest += (piece[: end.start() + 1] if end else piece).translate(None, _NOT_BASE64)
        *runs, rest = re.split(rb"=+", rest) if b"=" in rest else [rest]
        whole = len(rest) // 4 * 4
        yield b"".join((*map(_base64_run, runs), binascii.a2b_base64(rest[:whole])))
        rest = rest[whole:]
    yield _base64_run(rest)


def _base64_run(run: bytes) -> bytes:
    run = run[:-1] if len(run) % 4 == 1 else run
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _from_quoted_printable(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        yield binascii.a2b_qp(_BLANK_BREAK.sub(b"=\n", whole + newline))
    yield binascii.a2b_qp(rest)


def _from_uu(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest, noise = b"", 0
    for piece in pieces:
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        decoded = []
        for line in (whole + newline).split(b"\n") if noise < _NO_UU else ():
            line = line.rstrip(b"\r")
            if line and not line.startswith((b"begin ", b"end")):
                decoded.append(_uu_line(line))
                noise += not decoded[-1]
        yield b"".join(decoded)
        rest = rest if len(rest) <= _ONE_HEADER else b""
    yield _uu_line(rest) if rest and not rest.startswith((b"begin ", b"end")) else b""


def _uu_line(line: bytes) -> bytes:
    """Decode one line; clients write more or fewer characters than the first one says."""
    count = (((line[0] - 32) & 63) * 4 + 5) // 3
    for attempt in (line, line[:count], line[:count].ljust(count) if len(line) * 2 > count else b""):
        try:
            return binascii.a2b_uu(attempt)
        except binascii.Error:
            continue
    return b""
