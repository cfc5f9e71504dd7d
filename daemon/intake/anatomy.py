"""From the bytes of a mail to what lies in it: headers, parts and prose, and the same of every mail attached to it.

What comes in: a Source and how to parse a skeleton. What goes out: an Anatomy. This file alone opens mails within
mails, and so it alone bounds how many, how deep and how much.
"""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message

from daemon.intake.charset import guess_charset
from daemon.intake.heading import Heading
from daemon.intake.mime import (
    MARK,
    Bytes,
    Skeleton,
    Source,
    Window,
    is_small,
    make_skeleton,
    mend_headers,
    with_found_boundary,
)
from daemon.intake.parts import Contents, File, read_parts
from daemon.intake.prose import Prose, read_prose

_DEEPEST = 5
_MOST_INNER = 20
_MOST_BYTES = 8_000_000  # of all skeletons together
_MOST_FILES = 1000
_FIRST = 4096
_TWO_CRS = re.compile(rb"[^\r\n]{1,2000}\r\r\n")
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*\r?\n){0,50}(?:>From [^\n]{0,500}\n)?(?=[!-9;-~]{1,80}:[ \t])")

Parse = Callable[[bytes], Message]


@dataclass(slots=True)
class Anatomy:
    """One mail taken apart; `inner` are the mails attached to it, in their order."""

    message: Message = field(default_factory=Message)
    heading: Heading = field(default_factory=lambda: Heading([]))
    contents: Contents = field(default_factory=Contents)
    prose: Prose = field(default_factory=Prose)
    defects: list[str] = field(default_factory=list)
    inner: list[Anatomy] = field(default_factory=list)

    def descendants(self) -> Iterator[Anatomy]:
        """Give every mail inside, the outer ones before those inside them."""
        for one in self.inner:
            yield one
            yield from one.descendants()

    def files(self) -> list[File]:
        """Return the files of this mail, then those of the mails inside."""
        inside = [f for one in self.descendants() for f in one.contents.files]
        return [*self.contents.files, *inside][:_MOST_FILES]


def dissect(source: Source, token: str, parse: Parse, *, thorough: bool = True) -> Anatomy:
    """Take a mail apart; `token` cannot be guessed by its sender. Raises what `parse` raises."""
    return _Dissection(token, thorough).open(source, parse, 0)


class _Dissection:
    """The limits of one mail and all that lies in it."""

    def __init__(self, token: str, thorough: bool) -> None:
        self.token = token
        self.thorough = thorough
        self.opened = 0
        self.bytes = 0

    def open(self, source: Source, parse: Parse, depth: int) -> Anatomy:
        """Take one mail apart, then the mails inside."""
        defects: list[str] = []
        skeleton, message = self._parsed(_from_first_header(_with_line_ends(source)), parse, defects)
        self.bytes += len(skeleton.content)
        rows = [(str(n), str(v)) for n, v in message.raw_items() if n != MARK]
        heading = Heading(rows, skeleton.charset_hint() or _hint_by_evidence(rows, skeleton.content))
        contents = read_parts(message, skeleton.cuts, heading.hint)
        defects += [*skeleton.defects, *heading.repeated(), *contents.defects]
        anatomy = Anatomy(message, heading, contents, defects=defects)
        self._unwrap(anatomy, depth)
        said = any(piece and piece.strip() for pair in contents.pieces for piece in pair)
        pieces = contents.pieces if said else contents.wrapped or contents.named_texts[:1] or contents.pieces
        anatomy.prose = read_prose(pieces, thorough=self.thorough)
        anatomy.inner += [self.open(one, email.message_from_bytes, depth + 1) for one in self._within(anatomy, depth)]
        return anatomy

    def _parsed(self, source: Source, parse: Parse, defects: list[str]) -> tuple[Skeleton, Message]:
        """Parse the skeleton; a multipart whose boundary is misspelt is parsed again with the one in use."""
        small = isinstance(source, Bytes) and is_small(source.content)
        bare = Skeleton(content=source.at(0, source.size)) if small else make_skeleton(source, self.token)
        skeleton = mend_headers(bare)
        message = parse(skeleton.content)
        if message.get_content_maintype() == "multipart" and not message.is_multipart():
            other = with_found_boundary(source, message.get_content_type())
            if other is not None:
                defects.append("the boundary of its parts was misspelt: guessed")
                skeleton = mend_headers(make_skeleton(other, self.token))
                message = parse(skeleton.content)
        return skeleton, message

    def _unwrap(self, anatomy: Anatomy, depth: int) -> None:
        """What a signature envelops is the mail's own body."""
        for content in anatomy.contents.enveloped if depth < _DEEPEST else ():
            within = self.open(Bytes(content), email.message_from_bytes, depth + 1)
            anatomy.contents.pieces += within.contents.pieces
            anatomy.contents.files += within.contents.files
            anatomy.contents.kinds += within.contents.kinds
            anatomy.defects += within.defects
            anatomy.inner += within.inner

    def _within(self, anatomy: Anatomy, depth: int) -> Iterator[Source]:
        """Give the attached mails that are still to be opened."""
        for source in anatomy.contents.attached:
            if depth >= _DEEPEST or self.opened >= _MOST_INNER or self.bytes >= _MOST_BYTES:
                anatomy.defects.append("attached mails that lie deeper were not opened")
                return
            self.opened += 1
            yield source


def _hint_by_evidence(rows: list[tuple[str, str]], content: bytes) -> str:
    """Raw bytes in the headers of a mail that names no charset are most likely in the charset of its text."""
    return "" if all(value.isascii() for _, value in rows) else guess_charset(content)


def _with_line_ends(source: Source) -> Source:
    """Some programs end lines with a bare CR, or with two; nothing else would find a line or a header there."""
    if not isinstance(source, Bytes):
        return source
    if b"\n" not in source.content:
        return Bytes(source.content.replace(b"\r", b"\n"))
    if _TWO_CRS.match(source.content):
        return Bytes(source.content.replace(b"\r\r\n", b"\r\n"))
    return source


def _from_first_header(source: Source) -> Source:
    """Leave out what stands before the headers and would be taken for their end: a mark, empty lines, >From."""
    found = _BEFORE.match(source.at(0, _FIRST))
    return Window(source, found.end(), source.size) if found and found.end() else source
