"""From the text of a mail to its sender's new words, and what was quoted or signed beneath.

What comes in: plain text, and which of its lines the page's structure already marks as quoted. What goes out:
(new words, the rest). This file alone weighs the lines of a mail against each other. One pass, each line looked at
with bounded effort, so that no text can hang it; when unsure it keeps more.
"""

from __future__ import annotations

from collections.abc import Callable

from daemon.intake import quoting

_LINE = 1000  # a longer line is never an attribution, so only its beginning is looked at
_TEXT = 256_000
_BLOCK = 12  # lines that a block of quoted headers may take
_GAP = 2  # empty or continued lines inside such a block
_KINDS = 3  # different headers that make a block
_ATTRIBUTION = 4  # lines
_WORDS = 600  # characters of an attribution
_SIGNATURE, _FOOTER = 12, 8  # lines that may stand beneath


def split_words(text: str, quoted: frozenset[int] = frozenset()) -> tuple[str, str]:
    """Return (the new words, the rest) of a text; `quoted` are the lines that its page marks as quoted."""
    lines = text[:_TEXT].split("\n")
    page = _Page(lines, quoted)
    page.mark()
    new = [line for line, drop in zip(page.lines, page.dropped, strict=True) if not drop]
    old = [line for line, drop in zip(page.lines, page.dropped, strict=True) if drop]
    return "\n".join(new).strip("\n \t\u00a0\u3000"), "\n".join(old).strip("\n")


class _Page:
    """The lines of one mail and which of them are not its sender's new words."""

    def __init__(self, lines: list[str], quoted: frozenset[int]) -> None:
        self.lines = lines
        self.look = [line[:_LINE] for line in lines]
        self.marked = [i in quoted or quoting.is_marked(x) for i, x in enumerate(self.look)]
        self.structural = bool(quoted)
        self.dropped = [False] * len(lines)
        self.attributed = False

    def mark(self) -> None:
        """Decide about every line."""
        self._cut_beneath()
        self._drop_quotes()
        self._drop_scraps()
        self._drop_signature()

    def _cut_beneath(self) -> None:
        """Walk down to the first line beneath which everything is another mail; drop attributions on the way."""
        for place, line in enumerate(self.look):
            if not line or line.isspace():
                continue
            begins = self._begins_quote(place)
            if begins is not None:
                self._drop(begins, len(self.look))
                return

    def _begins_quote(self, place: int) -> int | None:
        """Return the line from which all the rest is another mail, if it is this line that tells."""
        line = self.look[place]
        if quoting.is_our_marker(line) and not (self.marked[place] and self._next_is_marked(place)):
            return self._above(place)
        if self.marked[place]:
            return None  # our marker within a quote too: who answers below the quote has words there
        if quoting.is_separator(line) or self._is_header_block(place):
            return self._rules_above(place)
        head = quoting.split_behind_words(line)
        if head is not None:
            self.lines[place] = self.look[place] = head
            return place + 1
        return self._attribution(place)

    def _attribution(self, place: int) -> int | None:
        """An attribution over marked lines goes alone; over unmarked ones it takes the rest with it."""
        start = self._attribution_start(place)
        if start is None:
            return None
        self.attributed = True
        if self._next_is_marked(place):
            self._drop(start, place + 1)
            return None
        return start

    def _next_is_marked(self, place: int) -> bool:
        """Tell whether marked lines follow (or nothing at all)."""
        following = range(place + 1, min(len(self.look), place + 40))
        return next((self.marked[i] for i in following if self.look[i].strip()), True)

    def _attribution_start(self, place: int) -> int | None:
        """Return the first of the at most four lines that say together who wrote what follows."""
        last = self.look[place].strip()
        if quoting.is_dated_address(last):
            return place if self._next_is_marked(place) else None
        end = quoting.may_end_attribution(last)
        words = ""
        for start in range(place, max(-1, place - _ATTRIBUTION), -1) if end else ():
            line = self.look[start].strip()
            words = f"{line} {words}"
            if not line or (self.marked[start] and not self.marked[place]) or len(words) > _WORDS:
                return None
            if quoting.is_dated_writer(words) if end == "address" else quoting.says_who_and_when(words, line):
                return self._with_date_above(start)
        return None

    def _with_date_above(self, start: int) -> int:
        """Where name and address fill the line, the date stands in the one above."""
        above = self.look[start - 1].strip() if start else ""
        return start - 1 if above and quoting.begins_with_date(above) else start

    def _is_header_block(self, place: int) -> bool:
        """Three different mail headers beneath each other (or two that prove it) are the top of a quoted mail."""
        first = quoting.header_kind(self.look[place])
        if first not in ("from", "date", "to", "subject"):
            return False
        kinds, proven = self._headers_beneath(place, first)
        enough = _KINDS - 1 if proven or self._rules_above(place) < place else _KINDS
        return len(kinds) >= enough and bool(kinds & {"from", "to"}) and bool(kinds & {"date", "subject"})

    def _headers_beneath(self, place: int, first: str) -> tuple[set[str], bool]:
        """Return the kinds of header in the block, and whether the first two prove themselves."""
        seen, proofs, gap = {first}, [quoting.is_proven_header(self.look[place], first)], 0
        for line in self.look[place + 1 : place + _BLOCK]:
            kind = quoting.header_kind(line)
            gap = 0 if kind else gap + 1
            if gap > _GAP:
                break
            if kind:
                proofs.append(quoting.is_proven_header(line, kind))
                seen.add(kind)
        return seen - {"other"}, len(proofs) > 1 and all(proofs[:2])

    def _rules_above(self, place: int) -> int:
        """Take the ruler (and the empty lines) above a quoted mail along."""
        start = place
        for line in range(place - 1, max(-1, place - _ATTRIBUTION), -1):
            text = self.look[line]
            if text.strip() and not quoting.is_rule(text) and not quoting.is_separator(text):
                break
            start = line if text.strip() else start
        return start

    def _above(self, place: int) -> int:
        """Our marker stands beneath the attribution of our own mail: take that along."""
        above = range(place - 1, max(-1, place - 40), -1)
        line = next((i for i in above if self.look[i].strip()), None)
        start = self._attribution_start(line) if line is not None else None
        return place if start is None else start

    def _drop_quotes(self) -> None:
        """Marked lines go; a lone marked line that nothing announces is how some people write."""
        marked = [i for i, m in enumerate(self.marked) if m and not self.dropped[i]]
        alone = len(marked) == 1 and not self.attributed and not self.structural and not any(self.dropped)
        for place in () if alone else marked:
            self.dropped[place] = True

    def _drop_scraps(self) -> None:
        """A wrapped quote leaves scraps without a mark between its lines."""
        for place in range(1, len(self.look) - 1):
            if not self.dropped[place] and self.marked[place - 1] and self.marked[place + 1]:
                above = self.look[place - 1].lstrip("> ")
                self.dropped[place] = quoting.is_scrap(self.look[place].strip(), above)

    def _drop_signature(self) -> None:
        """A signature stands at the end of the new words, short, behind its delimiter."""
        self._drop_from(lambda line, beneath: quoting.is_signature_delimiter(line) and len(beneath) <= _SIGNATURE)
        self._drop_from(lambda line, beneath: quoting.is_footer_rule(line) and _is_brief(beneath, _FOOTER))
        kept = self._kept()
        while len(kept) > 1 and quoting.is_device_line(self.look[kept[-1]].strip()):
            self.dropped[kept.pop()] = True

    def _kept(self) -> list[int]:
        return [i for i, dropped in enumerate(self.dropped) if not dropped and self.look[i].strip()]

    def _drop_from(self, begins: Callable[[str, list[str]], bool]) -> None:
        """Drop the end of the words from the lowest line that begins a signature; never all of them."""
        kept = self._kept()
        for count in range(min(len(kept) - 1, _SIGNATURE + 2)):
            place = kept[-1 - count]
            if begins(self.look[place], [self.look[i].strip() for i in kept[len(kept) - count :]]):
                self._drop(place, len(self.look))
                return

    def _drop(self, start: int, end: int) -> None:
        self.dropped[start:end] = [True] * (end - start)


def _is_brief(lines: list[str], most: int) -> bool:
    return len(lines) <= most and not any(map(quoting.tells_something, lines))
