"""From a message tree to what a person sees in it: texts to read and files to keep.

What comes in: the tree that a parser made of a skeleton, and the cuts beside it. What goes out: Contents.
This file alone knows which part is the body and which is an attachment. It never descends into attached mails.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message

from daemon.intake.charset import clean_text, decode_text
from daemon.intake.headers import decode_header, one_line, parameters
from daemon.intake.mime import MARK, MAX_DEPTH, Cut, decode_transfer

_NAME_BYTES = 200
_MAX_UU = 50
_SUFFIX = 10
_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} (\S[^\n]{0,200})\n", re.M)
_UU_LINE = re.compile(r"^[ -`]{1,90}\s*$")


@dataclass(frozen=True, slots=True)
class File:
    """One attached file, measured."""

    name: str
    content_type: str
    size: int
    sha256: str
    inline: bool
    head: bytes


@dataclass(slots=True)
class Contents:
    """What a mail holds: `pieces` are (plain, html) pairs in reading order, either of them may be missing."""

    pieces: list[tuple[str | None, str | None]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    named_texts: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """One leaf or container with its headers understood."""

    kind: str
    params: Mapping[str, str]
    disposition: str
    name: str
    encoding: str
    content_id: str
    cut: Cut | None
    message: Message


def read_parts(message: Message, cuts: Mapping[str, Cut], hint: str = "") -> Contents:
    """Walk the tree and return what it holds; `hint` is the charset of raw 8-bit file names."""
    contents = Contents(hint=hint)
    _walk(message, cuts, contents, 0, "text/plain")
    return contents


def _walk(message: Message, cuts: Mapping[str, Cut], contents: Contents, depth: int, default: str) -> None:
    part = _understand(message, cuts, default, contents.hint)
    contents.kinds.append(part.kind)
    if part.cut is None and message.is_multipart() and part.kind.startswith("multipart/"):
        if depth > MAX_DEPTH:
            contents.defects.append("nested too deeply: the inner parts were not read")
            return
        _walk_children(part, _children(message), cuts, contents, depth)
    else:
        _leaf(part, contents)


def _walk_children(
    part: _Part, children: list[Message], cuts: Mapping[str, Cut], contents: Contents, depth: int
) -> None:
    default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
    if part.kind == "multipart/alternative":
        _walk_alternatives(children, cuts, contents, depth)
        return
    for child in children:
        _walk(child, cuts, contents, depth + 1, default)


def _walk_alternatives(children: list[Message], cuts: Mapping[str, Cut], contents: Contents, depth: int) -> None:
    """Alternatives say the same thing: the first with plain text is one side, all HTML the other."""
    before, plain, html = contents.pieces, "", []
    for child in children:
        contents.pieces = []
        _walk(child, cuts, contents, depth + 1, "text/plain")
        said = "\n".join(p for p, _ in contents.pieces if p and p.strip())
        plain = plain or said
        html += [h for _, h in contents.pieces if h and h.strip()]
    contents.pieces = before
    if plain or html:
        contents.pieces.append((plain or None, "\n".join(html) or None))


def _understand(message: Message, cuts: Mapping[str, Cut], default: str, hint: str) -> _Part:
    raw: dict[str, str] = {}
    for name, value in message.raw_items():
        raw.setdefault(name.lower(), str(value))
    kind, params = parameters(raw.get("content-type", ""), hint)
    if "/" not in kind or kind.startswith("/") or kind.endswith("/"):
        kind = default if not kind else "text/plain"
    disposition, more = parameters(raw.get("content-disposition", ""), hint)
    encoding = parameters(raw.get("content-transfer-encoding", ""))[0]
    name = more.get("filename") or more.get("name") or params.get("name") or params.get("filename") or ""
    content_id = one_line(raw.get("content-id", "")).strip("<> ")
    cut = cuts.get(raw.get(MARK.lower(), "").strip())
    return _Part(kind, params, disposition, name, encoding, content_id, cut, message)


def _leaf(part: _Part, contents: Contents) -> None:
    if part.kind in ("message/delivery-status", "message/global-delivery-status"):
        contents.reports.append(_payload_text(part))
    elif part.kind in ("text/rfc822-headers", "message/rfc822", "message/global", "message/global-headers"):
        contents.returned.append(_returned_headers(part))
    elif _is_body(part):
        _add_text(part, contents)
        return
    file = _file(part, len(contents.files) + 1)
    contents.files.append(file)
    readable = part.kind.startswith("text/") and part.kind not in ("text/calendar", "text/rfc822-headers")
    if readable and part.cut is None and part.disposition != "attachment":
        contents.named_texts.append(clean_text(decode_text(_payload(part), part.params.get("charset"))[0]))


def _is_body(part: _Part) -> bool:
    if part.disposition == "attachment":
        return False
    if part.kind.startswith("multipart/"):
        return part.cut is None
    if part.kind not in (
        "text/plain",
        "text/html",
        "text/enriched",
        "text/richtext",
        "text/markdown",
        "text",
    ):
        return False
    return not part.name or (part.kind in ("text/plain", "text/html") and not part.disposition)


def _add_text(part: _Part, contents: Contents) -> None:
    text, note = decode_text(_payload(part), part.params.get("charset"))
    if note:
        contents.defects.append(note)
    text = clean_text(text)
    if part.kind in ("text/enriched", "text/richtext"):
        text = re.sub(r"<[^<>]{0,80}>", "", text)
    if part.kind == "text/html":
        contents.pieces.append((None, text))
    else:
        contents.pieces.append((_without_uu(text, contents), None))


def _without_uu(text: str, contents: Contents) -> str:
    """Old clients write files into the text (uuencode): keep them as files."""
    if "\nend" not in text or not (match := _UU_BEGIN.search(text)):
        return text
    end = text.find("\nend", match.end())
    block = text[match.end() : end].split("\n")
    if end < 0 or not all(_UU_LINE.match(line) for line in block if line.strip()):
        return text
    data = decode_transfer("\n".join(block).encode("ascii", "replace"), "x-uuencode")
    kind = mimetypes.guess_type(match[1])[0] or "application/octet-stream"
    digest = hashlib.sha256(data).hexdigest()
    contents.files.append(File(display_name(match[1]), kind, len(data), digest, False, data[:4096]))
    return _without_uu(text[: match.start()] + text[end + 4 :], contents) if len(contents.files) < _MAX_UU else text


def _payload(part: _Part) -> bytes:
    """Return a part's bytes, transfer-decoded; the email package carries 8-bit bytes as surrogate escapes."""
    if part.message.is_multipart():
        return b"\n".join(child.as_bytes() for child in _children(part.message))
    raw = vars(part.message).get("_payload")  # get_payload() would decode it by a charset that may be hostile
    return decode_transfer(str(raw or "").encode("utf-8", "surrogateescape"), part.encoding)


def _children(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _payload_text(part: _Part) -> str:
    """A delivery report as text: the email package has split it into header blocks."""
    if part.cut is not None:
        return clean_text(part.cut.head.decode("utf-8", "replace"))
    if part.message.is_multipart():
        blocks = _children(part.message)
        return "\n\n".join("\n".join(f"{k}: {v}" for k, v in block.raw_items()) for block in blocks)
    return clean_text(decode_text(_payload(part), part.params.get("charset"))[0])


def _returned_headers(part: _Part) -> str:
    head = part.cut.head if part.cut else _payload(part)[:32_768]
    return clean_text(head.decode("utf-8", "replace"))


def _file(part: _Part, number: int) -> File:
    if part.cut is not None:
        size, digest, head = part.cut.size, part.cut.sha256, part.cut.head
    else:
        head = _payload(part)
        size, digest = len(head), hashlib.sha256(head).hexdigest()
    inline = part.disposition != "attachment" and bool(part.content_id) and part.kind.startswith("image/")
    return File(_file_name(part, head, number), part.kind, size, digest, inline, head[:4096])


def _file_name(part: _Part, head: bytes, number: int) -> str:
    """The sender's name for the file, or one that tells what it is."""
    if part.name:
        return display_name(part.name)
    if part.kind in ("message/rfc822", "message/global"):
        subject = re.search(rb"^subject:[ \t]*(.*(?:\r?\n[ \t].*)*)", head[:16_384], re.I | re.M)
        title = decode_header(subject[1].decode("utf-8", "surrogateescape")) if subject else ""
        return display_name(f"{title or 'message'}.eml")
    extension = {
        "text/calendar": ".ics",
        "message/delivery-status": ".txt",
        "message/disposition-notification": ".txt",
        "text/rfc822-headers": ".txt",
    }
    suffix = extension.get(part.kind) or mimetypes.guess_extension(part.kind) or ".bin"
    stem = part.kind.rpartition("/")[2] if part.kind in extension else f"part-{number}"
    return display_name(stem + suffix)


def display_name(name: str) -> str:
    """Return a file name fit to be shown: no folders, no controls, at most 200 bytes with its suffix kept."""
    name = one_line(name).replace("\\", "/").rpartition("/")[2].strip() or "unnamed"
    if len(name.encode("utf-8", "replace")) <= _NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = dot + suffix if stem and len(suffix) <= _SUFFIX else ""
    room = _NAME_BYTES - len(tail.encode("utf-8", "replace"))
    return name.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + tail
