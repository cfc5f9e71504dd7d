"""From bytes to a Letter: the mail as a person would describe it. The only file that knows mail-parser.

What comes in: the bytes of one mail (or a file of it). What goes out: a Letter; this never raises.
"""

from __future__ import annotations

import email
import hashlib
import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses

import mailparser

from daemon.intake.addresses import parse_addresses
from daemon.intake.bounce import BounceReport as BounceReport
from daemon.intake.bounce import FailedRecipient as FailedRecipient
from daemon.intake.bounce import Returned, read_bounce
from daemon.intake.charset import clean_text
from daemon.intake.headers import message_id, parse_date
from daemon.intake.heading import Heading
from daemon.intake.language import language_of
from daemon.intake.mime import (
    MARK,
    Bytes,
    Skeleton,
    Source,
    is_small,
    make_skeleton,
    mend_headers,
    with_found_boundary,
)
from daemon.intake.nature import judge
from daemon.intake.parts import Contents, read_parts
from daemon.intake.prose import Prose, read_prose
from daemon.words import Address, Nature

_CHUNK = 786_432
_NOBODY = Address(name="", address="")
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
logging.getLogger("mailparser").addHandler(logging.NullHandler())
logging.getLogger("mailparser").propagate = False  # it logs what people write


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMail:
    """One mail as the server gave it to us; exactly one of `content` and `path` is set (large mails lie in files)."""

    mailbox: str
    uidvalidity: int
    uid: int
    received_at: datetime
    size: int
    sha256: str
    content: bytes | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One attached file: `name` is display text only (never a path), `size` and `sha256` of the decoded bytes."""

    name: str
    content_type: str
    size: int
    sha256: str
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The mail as a person would describe it. All text is clean: no NUL, no lone surrogate, bounded length.

    `senders` holds every address of every From header: authority needs exactly one. `headers` are decoded, in
    their order, (name as written, value), capped. `text` is the whole mail as text, `html_text` the text of its
    HTML part or "", `new_text` the sender's own words and `quoted_text` what was cut from them. `return_path` is
    None where the header is missing and "" where it is <>. `date` is aware or None.
    """

    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    subject: str
    senders: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    delivered_to: tuple[str, ...]
    return_path: str | None
    nature: Nature
    nature_reason: str
    text: str
    html_text: str
    new_text: str
    quoted_text: str
    language: str
    attachments: tuple[Attachment, ...]
    bounce: BounceReport | None
    headers: tuple[tuple[str, str], ...]
    defects: tuple[str, ...]
    size: int
    sha256: str

    @property
    def words(self) -> str:
        """What the mail has to say: the new words, or all of it where there are none (a forward without a comment)."""
        return self.new_text or self.text

    @property
    def sender(self) -> Address | None:
        """The first From address, or None."""
        return self.senders[0] if self.senders else None

    def header(self, name: str) -> str:
        """Return the first value of this header, or ""."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")

    def header_all(self, name: str) -> tuple[str, ...]:
        """Return every value of this header, topmost first."""
        return tuple(v for n, v in self.headers if n.lower() == name.lower())


def read_letter(content: bytes, *, thorough: bool = True) -> Letter:
    """Read one mail from memory; never raises, whatever the bytes.

    Unless `thorough`, `html_text` may stay empty where plain text stands beside the HTML; all else is the same.
    """
    return _read(Bytes(content), hashlib.sha256(content).hexdigest(), thorough)


def read_letter_file(path: str, *, thorough: bool = True) -> Letter:
    """Read one mail from a file, however large, in little memory; raises only OSError."""
    with open(path, "rb", buffering=0) as handle:
        source = _File(handle.fileno())
        return _read(source, source.digest(), thorough)


class _File:
    """A mail in a file, read where it is asked for."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def at(self, start: int, end: int) -> bytes:
        """Return a piece."""
        return os.pread(self.descriptor, max(0, end - start), start)

    def digest(self) -> str:
        """Return the SHA-256 of the whole."""
        total, position = hashlib.sha256(), 0
        while piece := self.at(position, position + _CHUNK):
            total.update(piece)
            position += len(piece)
        return total.hexdigest()


@dataclass(slots=True)
class _Draft:
    """What is known while a letter is being read."""

    source: Source
    sha256: str
    thorough: bool = True
    defects: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The mail as a parser sees it; `froms` are the From addresses as mail-parser reads them, None if it gave up."""

    message: Message
    date: datetime | None = None
    froms: frozenset[str] | None = None


def _read(source: Source, digest: str, thorough: bool) -> Letter:
    draft = _Draft(source, digest, thorough)
    try:
        return _whole_letter(draft)
    except Exception as problem:  # noqa: BLE001  any bytes may come; what we cannot read is still a letter
        draft.defects.append(f"could not be read: {type(problem).__name__}")
        return _letter(draft, Heading([]), Contents(), Prose(), _Tree(Message()))


def _whole_letter(draft: _Draft) -> Letter:
    skeleton, tree = _tree(draft)
    rows = [(str(n), str(v)) for n, v in tree.message.raw_items() if n != MARK]
    heading = Heading(rows, skeleton.charset_hint())
    contents = read_parts(tree.message, skeleton.cuts, heading.hint)
    draft.defects += [*skeleton.defects, *heading.repeated(), *contents.defects]
    named = [(text, None) for text in contents.named_texts[:1]]
    prose = read_prose(contents.pieces or named, thorough=draft.thorough)
    return _letter(draft, heading, contents, prose, tree)


def _tree(draft: _Draft) -> tuple[Skeleton, _Tree]:
    """Parse the skeleton; a multipart whose boundary is misspelt is parsed again with the one in use."""
    source, token = _with_line_ends(draft.source), draft.sha256[:16]
    small = isinstance(source, Bytes) and is_small(source.content)
    skeleton = mend_headers(Skeleton(content=source.at(0, source.size)) if small else make_skeleton(source, token))
    tree = _parse(skeleton.content, draft.defects)
    if tree.message.get_content_maintype() == "multipart" and not tree.message.is_multipart():
        other = with_found_boundary(source)
        if other is not None:
            draft.defects.append("the boundary of its parts was misspelt: guessed")
            skeleton = mend_headers(make_skeleton(other, token))
            tree = _parse(skeleton.content, draft.defects)
    return skeleton, tree


def _with_line_ends(source: Source) -> Source:
    """Old clients end lines with a bare CR; nothing else would find a line in such a mail."""
    if isinstance(source, Bytes) and b"\n" not in source.content:
        return Bytes(source.content.replace(b"\r", b"\n"))
    return source


def _parse(content: bytes, defects: list[str]) -> _Tree:
    """Parse with mail-parser; where it raises on hostile mail, the standard library must do."""
    try:
        parsed = mailparser.parse_from_bytes(content)
        froms = frozenset(address.lower() for _, address in parsed.from_)
        return _Tree(parsed.message, parsed.date, froms)
    except Exception as problem:  # noqa: BLE001  a library for forensic input still raises on some of it
        defects.append(f"mail-parser gave up: {type(problem).__name__}")
        return _Tree(email.message_from_bytes(content))


def _letter(draft: _Draft, heading: Heading, contents: Contents, prose: Prose, tree: _Tree) -> Letter:
    """Put together what was read."""
    text, subject, senders = prose.text, heading.text("subject"), _senders(heading, tree, draft.defects)
    new_text, quoted_text = prose.words()
    bounce = _bounce(tree.message, heading, contents, text)
    nature, reason = _nature(bounce, heading, contents, new_text)
    draft.defects += _notes(contents, text)
    return Letter(
        message_id=message_id(heading.raw("message-id")),
        in_reply_to=heading.ids("in-reply-to"),
        references=heading.ids("references"),
        date=_moment(tree, heading),
        subject=subject,
        senders=senders,
        reply_to=heading.mailboxes("reply-to"),
        to=heading.mailboxes("to"),
        cc=heading.mailboxes("cc"),
        delivered_to=heading.delivered_to(),
        return_path=heading.return_path(),
        nature=nature,
        nature_reason=reason,
        text=text,
        html_text=prose.html_text,
        new_text=new_text,
        quoted_text=quoted_text,
        language=language_of(f"{subject}\n{new_text}"),
        attachments=_attachments(contents),
        bounce=bounce if bounce and bounce.recipients else None,
        headers=heading.all,
        defects=tuple(dict.fromkeys(d[:200] for d in draft.defects)),
        size=draft.source.size,
        sha256=draft.sha256,
    )


def _moment(tree: _Tree, heading: Heading) -> datetime | None:
    moment = tree.date or parse_date(heading.raw("date"))
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _senders(heading: Heading, tree: _Tree, defects: list[str]) -> tuple[Address, ...]:
    """Every From address; where two parsers read From differently both readings stand, so that nobody has authority."""
    senders = heading.addresses("from")
    raw = heading.raws("from")[:1]
    ours = frozenset(a.address for v in raw for a in parse_addresses(v) if a.address)
    theirs = frozenset(a.lower() for _, a in getaddresses(raw) if "@" in a) | (tree.froms or frozenset())
    if theirs <= ours and (ours == tree.froms or tree.froms is None):
        return senders
    defects.append("parsers read From differently")
    more = sorted(theirs - {a.address for a in senders} - {""})
    return (*senders, *(Address(name="", address=clean_text(a, 320)) for a in more))


def _bounce(message: Message, heading: Heading, contents: Contents, text: str) -> BounceReport | None:
    sender = next(iter(heading.addresses("from")), _NOBODY)
    own = frozenset(a.address for n in ("to", "delivered-to", "x-original-to") for a in heading.addresses(n))
    mail = Returned(
        sender=sender.address or sender.name.lower(),
        sender_name=sender.name,
        null_path=heading.has_null_path(),
        subject=heading.text("subject"),
        text=text,
        reports=tuple(contents.reports),
        returned=tuple(contents.returned),
        failed_header=heading.text("x-failed-recipients"),
        references=heading.ids("references") or heading.ids("in-reply-to"),
        own=own,
    )
    return read_bounce(mail, message)


def _nature(bounce: BounceReport | None, heading: Heading, contents: Contents, words: str) -> tuple[Nature, str]:
    if bounce is not None and bounce.recipients:
        return Nature.BOUNCE, "it says that a mail was not delivered"
    if bounce is not None:
        return Nature.AUTOMATIC, "a delivery report without a failure"
    sender = next(iter(heading.addresses("from")), _NOBODY)
    return judge(heading.text, heading.text("subject"), sender.address, words, frozenset(contents.kinds))


def _attachments(contents: Contents) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(name=f.name, content_type=f.content_type, size=f.size, sha256=f.sha256, inline=f.inline)
        for f in contents.files
    )


def _notes(contents: Contents, text: str) -> list[str]:
    """Say what a reader will miss: an empty text always has a reason."""
    kinds = {f.content_type for f in contents.files}
    notes = []
    if kinds & _TNEF or any(f.name.lower() == "winmail.dat" for f in contents.files):
        notes.append("winmail.dat (Outlook's own format) may hide text and files")
    if "multipart/encrypted" in contents.kinds:
        notes.append("encrypted (PGP): see the original")
    if not text.strip():
        smime = "encrypted or opaquely signed (S/MIME), see the original" if kinds & _SMIME else ""
        notes.append("no text: " + (smime or ("only attachments" if contents.files else "the body is empty")))
    return notes
