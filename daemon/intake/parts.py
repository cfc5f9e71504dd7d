"""From a message tree to what a person sees in it: texts to read and files to keep.

What comes in: the tree that a parser made of a skeleton, and the cuts beside it. What goes out: Contents.
This file alone knows which part is the body and which is an attachment. Attached mails are files here; their
sources are handed on to be opened elsewhere.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote_to_bytes

from daemon.intake.calendar import invitation_text
from daemon.intake.charset import clean_text, decode_text
from daemon.intake.headers import decode_bytes, decode_header, one_line, parameters, straight
from daemon.intake.mime import MAILS, MARK, MAX_DEPTH, Bytes, Cut, Source, decode_transfer
from daemon.intake.smime import signed_content
from daemon.intake.tnef import read_tnef

_NAME_BYTES = 200
_ENRICHED = re.compile(r"<<|<[^<>]{0,80}>")
_META = re.compile(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?([\w.:-]{2,40})", re.I)
_META_PLACE = 4096
_CODED = re.compile(r"[A-Za-z0-9+/]{1,998}={0,2}")
_CODE_LINE = 20  # characters; a word can look like code
_PICTURE = re.compile(r"data:[\w/+.;=-]{0,100},[A-Za-z0-9+/=%]{200,}")  # a picture pasted into the page itself
_BLANK, _NO_CODE = re.compile(r"[\s=]+"), re.compile(r"[^A-Za-z0-9+/]")
_MORE_CODE = re.compile(r"(?=[A-Za-z+/]*\d)[A-Za-z0-9+/]{8,998}={0,2}")
_URL_NAME = re.compile(r"(?:%[0-9A-Fa-f]{2}){3}")
_MAX_UU = 50
_SUFFIX = 10
_NAMED = ("filename", "name", "file")
_ENCODED = frozenset({"base64", "quoted-printable"})
_FILE_NAME = re.compile(r"[^\\:*?\"<>|]{1,200}\.[A-Za-z0-9]{1,8}")
SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_HEAD = 4096  # bytes of a file that are kept at hand
_UNPACKED = 8_000_000  # bytes of what is opened in memory
_OPENED = 16_000_000  # bytes of an attached mail that is opened
_LINES = 50_000
_PLAIN, _PAGES = 1_000_000, 500_000  # characters of text and of pages that are read of one mail
_REPORTED = re.compile(r"^(?:reporting-mta|final-recipient|original-recipient|action|status)\s*:", re.I | re.M)
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
    """What a mail holds: `pieces` are (plain, html) pairs in reading order, either of them may be missing.

    `attached` are the mails attached to it, `enveloped` the bodies that a signature is wrapped around, `wrapped`
    what stands for the body where the mail itself has none.
    """

    pieces: list[tuple[str | None, str | None]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    named_texts: list[tuple[str | None, str | None]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    attached: list[Source] = field(default_factory=list)
    enveloped: list[bytes] = field(default_factory=list)
    wrapped: list[tuple[str | None, str | None]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    hint: str = ""
    left: dict[str, int] = field(default_factory=lambda: {"plain": _PLAIN, "pages": _PAGES})

    def afford(self, kind: str, text: str) -> str:
        """Return as much of a text as this mail may still say, in all its parts together."""
        lines = text.count("\n")
        if len(text) > self.left[kind] or lines > _LINES:
            text = "\n".join(text[: self.left[kind]].split("\n", _LINES)[:_LINES])
            self.defects.append("a text part is too long: only its beginning was read")
        self.left[kind] -= len(text)
        return text


@dataclass(frozen=True, slots=True)
class _Part:
    """One leaf or container with its headers understood."""

    kind: str
    params: Mapping[str, str]
    disposition: str
    name: str
    encoding: str
    content_id: str
    called: tuple[str, ...]  # what may be a name, too
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
    """Alternatives say the same thing: plain text is one side, all HTML the other; what says more is kept too."""
    before, plain, html = contents.pieces, "", list[str]()
    for child in children:
        contents.pieces = []
        _walk(child, cuts, contents, depth + 1, "text/plain")
        said = "\n".join(p for p, _ in contents.pieces if p and p.strip())
        if said and (not plain or _bare(said) not in _bare(plain)):
            plain = f"{plain}\n\n{said}" if plain else said
        html += [h for _, h in contents.pieces if h and h.strip()]
    contents.pieces = before
    if plain or html:
        contents.pieces.append((plain or None, "\n".join(html) or None))


def _bare(text: str) -> str:
    return "".join(text.split())


def _understand(message: Message, cuts: Mapping[str, Cut], default: str, hint: str) -> _Part:
    raw: dict[str, str] = {}
    for name, value in message.raw_items():
        raw.setdefault(name.lower(), str(value))
    kind, params = parameters(raw.get("content-type", ""), hint)
    if "/" not in kind or kind.startswith("/") or kind.endswith("/"):
        kind = default if not kind else "text/plain"
    disposition, more = parameters(raw.get("content-disposition", ""), hint)
    encoding = parameters(raw.get("content-transfer-encoding", ""))[0]
    if disposition == "form-data":
        more.pop("name", "")  # that of a field
    name = next((n for names in (more, params) for k in _NAMED if (n := names.get(k))), "")
    content_id = one_line(raw.get("content-id", "")).strip("<> ")
    called = tuple(decode_header(raw[h], hint) for h in ("content-location", "content-description") if h in raw)
    cut = cuts.get(raw.get(MARK.lower(), "").strip())
    return _Part(kind, params, disposition, name, encoding, content_id, called, cut, message)


def _leaf(part: _Part, contents: Contents) -> None:
    """Take one part for what it is: the body, or a file, which may hold more than a file."""
    if _is_body(part, contents):
        _add_text(part, contents)
        return
    if straight(part.name) != part.name:
        contents.defects.append("a file name turned the direction of writing, to hide its ending: shown straight")
    file = _file(part, len(contents.files) + 1)
    contents.files.append(file)
    if file.name.lower() == "winmail.dat":
        _open_tnef(part, contents)
    elif part.kind in _OPENERS:
        _OPENERS[part.kind](part, contents)
    elif part.kind.startswith("text/") and part.cut is None and part.disposition != "attachment":
        text = clean_text(decode_text(_payload(part), part.params.get("charset"))[0])
        contents.named_texts.append((None, text) if part.kind == "text/html" else (text, None))


def _take_report(part: _Part, contents: Contents) -> None:
    """A delivery report; one that holds no field is what a program meant to be read."""
    text = _payload_text(part)
    contents.reports.append(text)
    if not _REPORTED.search(text):
        contents.pieces.append((text, None))


def _take_mail(part: _Part, contents: Contents) -> None:
    contents.returned.append(_returned_headers(part))
    source = _content(part)
    if source is not None and source.size <= _OPENED:
        contents.attached.append(source)
    else:
        contents.defects.append("an attached mail is too large to be opened")


def _take_headers(part: _Part, contents: Contents) -> None:
    contents.returned.append(_returned_headers(part))


def _take_piece(part: _Part, contents: Contents) -> None:
    contents.defects.append("a piece of a mail sent in several (message/partial)")
    contents.wrapped.append((clean_text(decode_text(_payload(part))[0]), None))


def _take_invitation(part: _Part, contents: Contents) -> None:
    content = _opened(part, contents, "an invitation") or b""
    calendar = decode_text(content, part.params.get("charset") or "utf-8")[0]
    contents.wrapped.append((clean_text(invitation_text(calendar)), None))


def _open_tnef(part: _Part, contents: Contents) -> None:
    """Outlook's own wrapping: its text is the body where the mail has no other, its files are files."""
    content = _opened(part, contents, "winmail.dat")
    if content is None:
        return
    tnef = read_tnef(content)
    contents.defects += tnef.defects
    if tnef.text.strip() or tnef.html.strip():
        contents.wrapped.append((tnef.text or None, tnef.html or None))
    for file in tnef.files:
        kind = file.content_type.lower() or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        name = file.name or f"part-{len(contents.files) + 1}.bin"
        contents.files.append(_file_of(display_name(name), kind, file.content))


def _open_smime(part: _Part, contents: Contents) -> None:
    whole = _opened(part, contents, "S/MIME")
    if whole is None:
        return
    content = signed_content(whole)
    if content is None:
        contents.defects.append("encrypted or damaged (S/MIME): see the original")
    else:
        contents.enveloped.append(content)
        contents.defects.append("signed (S/MIME): the signature was not verified")


def _opened(part: _Part, contents: Contents, what: str) -> bytes | None:
    """Return the bytes of a part that holds more than a file, None where there are too many to be unpacked."""
    source = _content(part)
    if source is not None and source.size <= _UNPACKED:
        return source.at(0, source.size)
    contents.defects.append(f"{what} is too large to be opened: see the original")
    return None


_OPENERS: Mapping[str, Callable[[_Part, Contents], None]] = {
    **dict.fromkeys(("message/delivery-status", "message/global-delivery-status"), _take_report),
    **dict.fromkeys(MAILS, _take_mail),
    **dict.fromkeys(("text/rfc822-headers", "message/global-headers"), _take_headers),
    "message/partial": _take_piece,
    "text/calendar": _take_invitation,
    **dict.fromkeys(_TNEF, _open_tnef),
    **dict.fromkeys(SMIME, _open_smime),
}


def _is_body(part: _Part, contents: Contents) -> bool:
    """Tell whether a part is to be read; a text with a name is, where it is the first and nothing calls it a file."""
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
    first = not part.disposition and not contents.pieces
    return not part.name or (part.kind in ("text/plain", "text/html") and first)


def _add_text(part: _Part, contents: Contents) -> None:
    data, footer = _payload_and_footer(part) if part.encoding.startswith("base64") else (_payload(part), b"")
    charset = part.params.get("charset") or (_page_charset(data) if part.kind == "text/html" else "")
    text, note = decode_text(data, charset)
    if note:
        contents.defects.append(note)
    if footer:
        contents.defects.append("plain text stood behind the base64 of the body: added")
        text = f"{text.rstrip()}\n\n{decode_text(footer, charset)[0]}"
    text = clean_text(text, len(text))  # what may be read of it is measured below, when pictures are out
    if part.params.get("format", "").lower() == "flowed" and part.kind == "text/plain":
        text = unflow(text, del_sp=part.params.get("delsp", "").lower() == "yes")
    if part.kind in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub(lambda m: "<" if m[0] == "<<" else "", text)
    if part.kind == "text/html":
        contents.pieces.append((None, contents.afford("pages", _PICTURE.sub("data:,", text))))
    else:
        contents.pieces.append((_without_uu(contents.afford("plain", text), contents), None))


def _is_plain(raw: str, lines: list[str]) -> bool:
    """Whether a text that is labelled base64 is none: no line of code, and much that no code has."""
    if any(_CODED.fullmatch(x.strip()) for x in lines if len(x) >= _CODE_LINE):
        return False
    letters = _BLANK.sub("", raw)
    return len(_NO_CODE.findall(letters)) * 5 > len(letters)


def _page_charset(data: bytes) -> str:
    """The charset that a page names itself, where the mail names none."""
    match = _META.search(data[:_META_PLACE])
    return match[1].decode("ascii") if match else ""


def _payload_and_footer(part: _Part) -> tuple[bytes, bytes]:
    """Decode a text in base64; what a list server added as plain text behind the code is no code.

    Nor is a text that a relay has decoded, leaving the header as it was.
    """
    if part.message.is_multipart():
        return _payload(part), b""
    raw = str(vars(part.message).get("_payload") or "")
    lines = raw.split("\n")
    if _is_plain(raw, lines):
        return raw.encode("utf-8", "surrogateescape"), b""
    end = next((i for i, x in enumerate(lines) if x.strip() and not _CODED.fullmatch(x.strip())), len(lines))
    behind = lines[end:]
    coded = any(x.strip() for x in lines[:end])
    if not coded or not any(" " in x.strip() for x in behind) or any(_MORE_CODE.fullmatch(x.strip()) for x in behind):
        return _payload(part), b""
    code = "\n".join(lines[:end]).encode("utf-8", "surrogateescape")
    return decode_transfer(code, part.encoding), "\n".join(behind).encode("utf-8", "surrogateescape")


def unflow(text: str, *, del_sp: bool) -> str:
    """Join the soft line breaks of format=flowed (RFC 3676); lines of different quote depth are never joined."""
    paragraphs: list[list[str]] = []
    depth_before, open_line = -1, False
    for line in text.split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words.removeprefix(" ")
        if not (open_line and depth == depth_before and words != "-- "):
            paragraphs.append([f"{'>' * depth} "] if depth else [])
        open_line, depth_before = words.endswith(" ") and words != "-- ", depth
        paragraphs[-1].append(words[:-1] if open_line and del_sp else words)
    return "\n".join("".join(paragraph) for paragraph in paragraphs)


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
    contents.files.append(_file_of(display_name(match[1]), kind, data))
    return _without_uu(text[: match.start()] + text[end + 4 :], contents) if len(contents.files) < _MAX_UU else text


def _payload(part: _Part) -> bytes:
    """Return a part's bytes, transfer-decoded; the email package carries 8-bit bytes as surrogate escapes."""
    if part.message.is_multipart():
        return b"\n".join(_written_out(child, 0) for child in _children(part.message))
    raw = vars(part.message).get("_payload")  # get_payload() would decode it by a charset that may be hostile
    return decode_transfer(str(raw or "").encode("utf-8", "surrogateescape"), part.encoding)


def _written_out(message: Message, depth: int) -> bytes:
    """A message as bytes again; the email package's own generator raises on some of what its parser gives."""
    head = "\n".join(f"{name}: {value}" for name, value in message.raw_items())
    children = _children(message) if depth < MAX_DEPTH else []
    body = b"\n\n".join(_written_out(child, depth + 1) for child in children)
    text = "" if children else str(vars(message).get("_payload") or "")
    return head.encode("utf-8", "surrogateescape") + b"\n\n" + (body or text.encode("utf-8", "surrogateescape"))


def _children(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _content(part: _Part) -> Source | None:
    """Return a part's decoded bytes, however many; None where they would take too much memory."""
    return Bytes(_payload(part)) if part.cut is None else part.cut.content()


def _payload_text(part: _Part) -> str:
    """A delivery report as text: the email package has split it into header blocks."""
    if part.cut is not None:
        return clean_text(part.cut.head.decode("utf-8", "replace"))
    if part.message.is_multipart() and part.encoding in _ENCODED:
        return clean_text(decode_text(decode_transfer(_payload(part), part.encoding))[0])
    if part.message.is_multipart():
        return clean_text(decode_bytes("\n\n".join(map(_block, _children(part.message)))))
    return clean_text(decode_text(_payload(part), part.params.get("charset"))[0])


def _block(fields: Message) -> str:
    """One block of a report; what the email package took for no field, it took for the block's body."""
    rest = vars(fields).get("_payload")
    return "\n".join([*(f"{k}: {v}" for k, v in fields.raw_items()), *([rest] if isinstance(rest, str) else ())])


def _returned_headers(part: _Part) -> str:
    head = part.cut.head if part.cut else _payload(part)[:32_768]
    return clean_text(head.decode("utf-8", "replace"))


def _file(part: _Part, number: int) -> File:
    inline = part.disposition != "attachment" and bool(part.content_id) and part.kind.startswith("image/")
    if part.cut is None:
        content = _payload(part)
        return _file_of(_file_name(part, content, number), part.kind, content, inline=inline)
    cut = part.cut
    return File(_file_name(part, cut.head, number), part.kind, cut.size, cut.sha256, inline, cut.head[:_HEAD])


def _file_of(name: str, kind: str, content: bytes, *, inline: bool = False) -> File:
    digest = hashlib.sha256(content).hexdigest()
    return File(name, kind, len(content), digest, inline, content[:_HEAD])


def _file_name(part: _Part, head: bytes, number: int) -> str:
    """The sender's name for the file, or one that tells what it is."""
    told = part.name or next((n for n in part.called if _FILE_NAME.fullmatch(n)), "")
    if told:
        return display_name(told)
    if part.kind in MAILS:
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


def _unquoted(name: str) -> str:
    """Some web mailers write names as in a link; only what was surely meant so is read so."""
    try:
        plain = unquote_to_bytes(name).decode("utf-8")
    except UnicodeError:
        return name
    return name if plain.isascii() else plain


def display_name(name: str) -> str:
    """Return a file name fit to be shown: no folders, no controls, at most 200 bytes with its suffix kept."""
    if "%" in name and _URL_NAME.search(name):
        name = _unquoted(name)
    name = straight(one_line(name)).replace("\\", "/").rpartition("/")[2].strip()
    name = name if name.strip(". ") else "unnamed"
    if len(name.encode("utf-8", "replace")) <= _NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = dot + suffix if stem and len(suffix) <= _SUFFIX else ""
    room = _NAME_BYTES - len(tail.encode("utf-8", "replace"))
    return name.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + tail
