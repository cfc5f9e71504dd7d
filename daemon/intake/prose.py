"""From the pieces of a body to the text of the whole mail and its sender's new words.

What comes in: (plain, HTML) pairs in reading order. What goes out: Prose. Plain text is preferred; the structure of
the HTML is asked where plain text shows no quote. This file alone weighs the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.intake.body import split_words
from daemon.intake.charset import clean_text
from daemon.intake.markup import Line, html_lines, may_quote

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

    def words(self) -> tuple[str, str]:
        """Return (the new words, the rest)."""
        new, rest = _split(self.lines)
        if not rest and any(line.quoted for line in self.html):
            better, cut = _split(self.page)
            if better:
                return better, cut
        return new, rest


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


def _split(lines: list[Line]) -> tuple[str, str]:
    return split_words(_text(lines), frozenset(i for i, line in enumerate(lines) if line.quoted))
