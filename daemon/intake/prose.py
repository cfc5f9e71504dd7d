"""From the pieces of a body to the text of the whole mail and its sender's new words.

What comes in: (plain, HTML) pairs in reading order. What goes out: Prose. Plain text is preferred; the structure of
the HTML is asked where plain text shows no quote, or shows it with less evidence. This file alone weighs the two
against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.intake.body import Split, split_words
from daemon.intake.charset import clean_text
from daemon.intake.markup import Line, html_lines, may_quote
from daemon.intake.quoting import says_answer, says_forward
from daemon.words import Confidence

_CAP = 1_000_000


@dataclass(slots=True)
class Prose:
    """A body as lines: `lines` as it is read, `page` by its HTML where there is one."""

    lines: list[Line] = field(default_factory=list)
    page: list[Line] = field(default_factory=list)
    html: list[Line] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole mail as text."""
        return clean_text(_text(self.lines), _CAP).strip("\n")

    @property
    def html_text(self) -> str:
        """The text of its HTML, or ""."""
        return clean_text(_text(self.html), _CAP).strip("\n")

    @property
    def notes(self) -> list[str]:
        """What a reader of the text will miss."""
        long = sum(len(line.text) + 1 for line in self.lines) > _CAP + 1
        return [f"its text is longer than {_CAP:,} characters: the end is only in the original"] if long else []

    def words(self, subject: str | None = None, *, reply: bool = False) -> Split:
        """Tell the sender's new words from the rest; `reply`: its headers say that the mail answers another one."""
        forward = says_forward(subject or "")
        answer = None if subject is None else reply or says_answer(subject)
        split = _split(self.lines, forward, answer)
        sure = split.rest and split.confidence is Confidence.HIGH
        if sure or self.page == self.lines or not any(line.quoted for line in self.html):
            return split
        return _better(split, _split(self.page, forward, answer))


def read_prose(pieces: Iterable[tuple[str | None, str | None]], *, thorough: bool = True) -> Prose:
    """Join the pieces of a body in reading order.

    Unless `thorough`, a page beside plain text is parsed only where it may hold a quote: the words are the same,
    `html_text` stays empty, and a mail costs a tenth.
    """
    prose = Prose()
    for plain, html in pieces:
        wanted = thorough or not (plain and plain.strip()) or may_quote(html or "")
        page = html_lines(html) if html and wanted else []
        own = [Line(x, False) for x in plain.split("\n")] if plain and plain.strip() else page
        prose.html += page
        prose.lines += own
        prose.page += page or own
    return prose


def _text(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)


def _split(lines: list[Line], forward: bool, reply: bool | None) -> Split:
    quoted = frozenset(i for i, line in enumerate(lines) if line.quoted)
    return split_words(_text(lines), quoted, forward=forward, reply=reply)


def _better(plain: Split, page: Split) -> Split:
    """A page that shows what is quoted is better evidence than none; where both agree, the plain text is surer."""
    if not page.new or page.confidence is not Confidence.HIGH:
        return plain
    if plain.confidence is not Confidence.MEDIUM or not plain.rest:
        return page
    same = "".join(plain.new.split()) == "".join(page.new.split())
    return plain._replace(confidence=page.confidence, reason=page.reason) if same else plain
