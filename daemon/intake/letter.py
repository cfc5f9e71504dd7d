"""From bytes to a Letter: the mail as a person would describe it. The only file that knows mail-parser.

What comes in: the bytes of one mail (or a file of it). What goes out: a Letter; this never raises.
"""

from __future__ import annotations

import email
import hashlib
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses

import mailparser

from daemon.intake.addresses import parse_addresses
from daemon.intake.anatomy import Anatomy, dissect
from daemon.intake.body import Split
from daemon.intake.bounce import BounceReport as BounceReport
from daemon.intake.bounce import FailedRecipient as FailedRecipient
from daemon.intake.bounce import Returned, read_bounce
from daemon.intake.charset import clean_text
from daemon.intake.dates import parse_date
from daemon.intake.forward import Forwarded, find_forwarded
from daemon.intake.headers import message_id
from daemon.intake.heading import Heading
from daemon.intake.language import language_of
from daemon.intake.mime import Bytes, Source
from daemon.intake.nature import is_answer_of_a_machine, judge
from daemon.intake.parts import SMIME, Contents
from daemon.intake.signatures import MOST_BYTES, NOT_LOOKED_FOR, Signatures, read_signatures
from daemon.words import Address, Confidence, Nature

_CHUNK = 786_432
_LONG_FROM = 8192
_UNREADABLE = frozenset({"unreadable@invalid"})  # no such sender can be, so nobody has authority
_PGP = "-----BEGIN PGP MESSAGE-----"
_NOBODY = Address(name="", address="")
_TEXT = 1_000_000
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
    """One attached file: `name` is display text only (never a path), `size` and `sha256` of the decoded bytes.

    `inside` says that it is a file of a mail that is attached itself.
    """

    name: str
    content_type: str
    size: int
    sha256: str
    inline: bool = False
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The mail as a person would describe it. All text is clean: no NUL, no lone surrogate, bounded length.

    `senders` holds every address of every From header: authority needs exactly one. `headers` are decoded, in
    their order, (name as written, value), capped. `text` is the whole mail as text, `html_text` the text of its
    HTML part or "", `new_text` the sender's own words and `quoted_text` what was cut from them; `confidence` says
    how sure that cut is and `cut_reason` what told it. `forwarded` is the mail that this one passes on.
    `return_path` is None where the header is missing and "" where it is <>. `date` is aware or None. `trail` holds what
    mail servers write on the way (Received, Authentication-Results, ARC), topmost first, (name in lower case, value as
    it came). `signatures` are those that may vouch for its sender; they are looked for only where that is asked.
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
    confidence: Confidence = Confidence.HIGH
    cut_reason: str = ""
    forwarded: Forwarded | None = None
    trail: tuple[tuple[str, str], ...] = ()
    signatures: Signatures = NOT_LOOKED_FOR

    @property
    def words(self) -> str:
        """What the mail has to say: the new words and the mail that they pass on, or all of it if there are none."""
        passed_on = self.forwarded.text if self.forwarded else ""
        return "\n\n".join(x for x in (self.new_text, passed_on) if x) if self.new_text else self.text

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


def read_letter(content: bytes, *, thorough: bool = True, signatures: bool = False) -> Letter:
    """Read one mail from memory; never raises, whatever the bytes.

    Unless `thorough`, `html_text` may stay empty where plain text stands beside the HTML. `signatures`: check them too.
    """
    letter = _read(Bytes(content), hashlib.sha256(content).hexdigest(), thorough)
    if not signatures or len(letter.senders) != 1:
        return letter
    return replace(letter, signatures=read_signatures(content, letter.senders[0].address))


def read_letter_file(path: str, *, thorough: bool = True, signatures: bool = False) -> Letter:
    """Read one mail from a file, however large, in little memory; raises only OSError."""
    with open(path, "rb", buffering=0) as handle:
        source = _File(handle.fileno())
        if source.size <= MOST_BYTES:
            return read_letter(source.at(0, source.size), thorough=thorough, signatures=signatures)
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
    """What is known while a letter is being read; `froms` are the From addresses as mail-parser reads them."""

    source: Source
    sha256: str
    thorough: bool = True
    defects: list[str] = field(default_factory=list)
    date: datetime | None = None
    froms: frozenset[str] | None = None

    def parse(self, content: bytes) -> Message:
        """Parse with mail-parser; where it raises on hostile mail, the standard library must do."""
        try:
            parsed = mailparser.parse_from_bytes(content)
            self.froms = frozenset(_as_utf8(address.lower()) for _, address in parsed.from_)
            self.date = parsed.date
        except Exception as problem:  # noqa: BLE001  a library for forensic input still raises on some of it
            self.defects.append(f"mail-parser gave up: {type(problem).__name__}")
            self.froms = self.date = None
            return email.message_from_bytes(content)
        message: Message = parsed.message
        return message


def _read(source: Source, digest: str, thorough: bool) -> Letter:
    draft = _Draft(source, digest, thorough)
    try:
        return _letter(draft, dissect(source, digest[:16], draft.parse, thorough=thorough))
    except MemoryError:
        raise  # the limit of the process that reads: the mail is set aside whole
    except Exception as problem:  # noqa: BLE001  any bytes may come; what we cannot read is still a letter
        draft.defects.append(f"could not be read: {type(problem).__name__}")
        return _letter(draft, Anatomy())


def _letter(draft: _Draft, mail: Anatomy) -> Letter:
    """Put together what was read."""
    heading, contents, prose = mail.heading, mail.contents, mail.prose
    subject, senders = heading.text("subject"), _senders(heading, draft)
    split = prose.words(subject, reply=bool(heading.raw("in-reply-to") or heading.raw("references")))
    own, inner = prose.text, _inner_text(mail, "text")
    text = _joined(own, inner)
    bounce = _bounce(heading, contents, own)
    nature, reason = _nature(bounce, heading, contents, split.new)
    draft.defects += [*mail.defects, *prose.notes, *_notes(mail, own, inner)]
    return Letter(
        message_id=message_id(heading.raw("message-id")),
        in_reply_to=heading.ids("in-reply-to"),
        references=heading.ids("references"),
        date=_moment(draft, heading),
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
        html_text=_joined(prose.html_text, _inner_text(mail, "html_text")),
        new_text=split.new,
        quoted_text=_joined(split.rest, inner),
        language=language_of(split.new or text, subject),
        attachments=_attachments(mail),
        bounce=None if bounce and bounce.delivered else bounce,
        headers=heading.all,
        defects=tuple(dict.fromkeys(d[:200] for d in draft.defects)),
        size=draft.source.size,
        sha256=draft.sha256,
        confidence=split.confidence,
        cut_reason=split.reason,
        forwarded=_forwarded(subject, split, mail),
        trail=heading.trail(),
    )


def _joined(*texts: str) -> str:
    return "\n\n".join(t for t in texts if t)[:_TEXT]


def _inner_text(mail: Anatomy, which: str) -> str:
    """The text of the mails inside, in their order."""
    return _joined(*(getattr(one.prose, which) for one in mail.descendants()))


def _forwarded(subject: str, split: Split, mail: Anatomy) -> Forwarded | None:
    """The mail that this one passes on; an attached one has its text in itself."""
    attached = () if mail.contents.reports else tuple(mail.contents.returned)
    found = find_forwarded(subject, split.new, split.rest, attached)
    if found and not found.text and mail.inner:
        return replace(found, text=mail.inner[0].prose.text)
    return found


def _moment(draft: _Draft, heading: Heading) -> datetime | None:
    moment = parse_date(heading.raw("date")) or draft.date
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _senders(heading: Heading, draft: _Draft) -> tuple[Address, ...]:
    """Every From address; where another parser reads From differently, or not at all, nobody stands there alone.

    Authority needs exactly one sender: beside the readings of the others, or else beside an empty one, there is none.
    """
    senders = heading.addresses("from")
    raw = heading.raws("from")[:1]
    ours = frozenset(a.address for v in raw for a in parse_addresses(v) if a.address)
    theirs = _read_by_library(raw) | (draft.froms or frozenset())
    if theirs <= ours and (ours == draft.froms or draft.froms is None):
        return senders
    draft.defects.append("parsers read From differently")
    more = sorted(theirs - {a.address for a in senders} - {""}) or ([] if len(senders) > 1 else [""])
    return (*senders, *(Address(name="", address=clean_text(a, 320)) for a in more))


def _read_by_library(raw: list[str]) -> frozenset[str]:
    """What the standard library makes of From; it gives up (recursion) on what nobody writes."""
    try:
        return frozenset(_as_utf8(a.lower()) for _, a in getaddresses([x[:_LONG_FROM] for x in raw]) if "@" in a)
    except (RecursionError, ValueError, IndexError):
        return _UNREADABLE


def _as_utf8(address: str) -> str:
    """An address with raw bytes in it as RFC 6532 means them; other parsers leave them escaped."""
    try:
        return address.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return address


def _bounce(heading: Heading, contents: Contents, text: str) -> BounceReport | None:
    sender = next(iter(heading.addresses("from")), _NOBODY)
    noted = (
        "to",
        "delivered-to",
        *(("x-original-to",) if heading.raw("delivered-to") or not heading.raw("to") else ()),
    )
    own = frozenset(a.address for n in noted for a in heading.addresses(n))
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
        kinds=tuple(contents.kinds),
        headers=heading.all,
        answers=lambda: is_answer_of_a_machine(heading.text("subject"), text),
    )
    return read_bounce(mail)


def _nature(bounce: BounceReport | None, heading: Heading, contents: Contents, words: str) -> tuple[Nature, str]:
    if bounce is not None and not bounce.delivered:
        return Nature.BOUNCE, "it says that a mail was not delivered"
    if bounce is not None:
        return Nature.AUTOMATIC, "a delivery report without a failure"
    sender = next(iter(heading.addresses("from")), _NOBODY)
    return judge(heading.text, heading.text("subject"), sender.address, words, frozenset(contents.kinds))


def _attachments(mail: Anatomy) -> tuple[Attachment, ...]:
    own = len(mail.contents.files)
    return tuple(
        Attachment(
            name=f.name,
            content_type=f.content_type,
            size=f.size,
            sha256=f.sha256,
            inline=f.inline,
            inside=place >= own,
        )
        for place, f in enumerate(mail.files())
    )


def _notes(mail: Anatomy, own: str, inner: str) -> list[str]:
    """Say what a reader will miss: an empty text always has a reason."""
    kinds = {f.content_type for f in mail.contents.files}
    notes = [f"in an attached mail: {defect}" for one in mail.descendants() for defect in one.defects]
    if "multipart/encrypted" in mail.contents.kinds or _PGP in own:
        notes.append("encrypted (PGP): see the original")
    if inner and not own.strip():
        notes.append("no text of its own: what is shown is that of the mail attached to it")
    elif not own.strip():
        smime = "encrypted (S/MIME), see the original" if kinds & SMIME else ""
        notes.append("no text: " + (smime or ("only attachments" if mail.contents.files else "the body is empty")))
    return notes
