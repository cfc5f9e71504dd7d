"""From the text of a mail to its sender's new words, and what was quoted or signed beneath.

What comes in: plain text, and which of its lines the page's structure already marks as quoted. What goes out: a Split.
This file alone weighs the lines of a mail against each other. One pass, each line looked at with bounded effort, so
that no text can hang it; when unsure it keeps more. Quoted lines that stay with the words because an answer refers to
them are always marked with ">": an unmarked line of the words is the sender's own.
"""

from __future__ import annotations

from typing import NamedTuple

from daemon.intake import quoting, signing
from daemon.words import Confidence

_LINE = 1000  # a longer line is never an attribution, so only its beginning is looked at
_TEXT = 256_000
_BLOCK = 14  # lines that a block of quoted headers may take
_GAP = 2  # empty or continued lines inside such a block
_KINDS = 3  # different headers that make a block
_ATTRIBUTION = 5  # lines
_WORDS = 600  # characters of an attribution
_SIGNATURE, _FOOTER, _CLOSING = 12, 8, 8  # lines that may stand beneath
_PARAGRAPH = 25  # lines of the longest disclaimer
_ROUNDS = 4  # device line, disclaimer, signature and footer in any order
_ASKED = 12  # quoted lines that stay above an answer
_TORN = 80  # characters of an attribution beneath an empty line in it
_TOP = 40  # characters of an attribution that is shown whole
_ODD = 4  # different marks of quoted lines in one mail
_ARMOUR = 5  # lines of PGP above the words
_KEPT, _QUOTE, _REST = 0, 1, 2
_CLOSED = "a closing with an address"
_NAMES = 2  # lines of a name beneath a closing
_DASHES = ("—", "–", "--", "-")  # what stood over a device line
_Lines = list[int]

KEPT_WHOLE = "it begins like a quoted mail: kept whole"
TOO_LONG = "too long: its end was not looked at"


class Split(NamedTuple):
    """A text in two: the sender's new words and the rest, how sure the cut is, and what told it ("" for no cut)."""

    new: str
    rest: str
    confidence: Confidence = Confidence.HIGH
    reason: str = ""


def split_words(
    text: str, quoted: frozenset[int] = frozenset(), *, forward: bool = False, reply: bool | None = None
) -> Split:
    """Split a text; `quoted` are the lines that its page marks as quoted.

    `forward`: its subject says that it forwards a mail; `reply`: whether it answers one, None where that is not known.
    """
    end = len(text) if len(text) <= _TEXT else max(text.rfind("\n", 0, _TEXT), 0) or _TEXT
    page = _Page(text[:end].split("\n"), quoted, forward, forward or reply is not False)
    page.mark()
    new, old = page.words(), [line for line, state in zip(page.lines, page.state, strict=True) if state]
    split = Split("\n".join(new).strip("\n \t\u00a0\u3000"), "\n".join(old).strip("\n"), page.confidence, page.reason)
    if not split.reason and reply:
        split = split._replace(confidence=Confidence.LOW, reason="an answer in which nothing looks quoted")
    if end == len(text):
        return split
    return Split(split.new, f"{split.rest}\n{text[end:]}".strip("\n"), Confidence.LOW, TOO_LONG)


class _Page:
    """The lines of one mail and which of them are not its sender's new words."""

    def __init__(self, lines: list[str], quoted: frozenset[int], forward: bool, follows: bool) -> None:
        self.lines = lines
        self.look = [quoting.visible(line[:_LINE]) for line in lines]
        self.marked = [
            i in quoted or (quoting.is_marked(x) and not quoting.only_looks_marked(x)) for i, x in enumerate(self.look)
        ]
        self.quoted = quoted
        self.forward = forward
        self.follows = follows  # it may hold another mail
        self.state = [_KEPT] * len(lines)
        self.marker = max((i for i, x in enumerate(self.look) if "##- " in x and quoting.is_our_marker(x)), default=-1)
        self.odd: set[str] = set()  # what else marks a quoted line
        self.beneath = 0  # lines above were looked at
        self.words_from = 0  # what stands above is the head of a quoted mail that was kept
        self.attributed = False
        self.reason = ""
        self.confidence = Confidence.HIGH

    def mark(self) -> None:
        """Decide about every line."""
        self._open_armour()
        self._cut_beneath()
        self._drop_quotes()
        self._drop_scraps()
        self._drop_endings()
        self._keep_what_is_answered()

    def words(self) -> list[str]:
        """Return the lines that are kept; what only the page marks as quoted is marked in the text too."""
        kept = [(i, line) for i, line in enumerate(self.lines) if not self.state[i]]
        if not self.quoted:
            return [line for _, line in kept]
        return [f"> {line}" if i in self.quoted and not quoting.is_marked(line) else line for i, line in kept]

    def _tell(self, reason: str, confidence: Confidence = Confidence.HIGH) -> None:
        """Note what told the first cut."""
        if not self.reason:
            self.reason, self.confidence = reason, confidence

    # ------------------------------------------------------------------ what stands beneath

    def _open_armour(self) -> None:
        """A mail signed within its text (PGP): its frame is not words, and it has escaped lines that begin with -."""
        first = next((i for i, x in enumerate(self.look[:_ARMOUR]) if x.strip()), None)
        if first is None or not quoting.is_armour(self.look[first], "BEGIN PGP SIGNED MESSAGE"):
            return
        beneath = range(len(self.look) - 1, first, -1)
        end = next((i for i in beneath if quoting.is_armour(self.look[i], "BEGIN PGP SIGNATURE")), None)
        if end is None:
            return
        top = next((i for i in range(first, min(first + _ARMOUR, end)) if not self.look[i].strip()), first)
        self._drop(first, top + 1)
        self._drop(end, len(self.look))
        self.look = [x[2:] if x.startswith("- -") else x for x in self.look]
        self._tell("a signature (PGP)")

    def _cut_beneath(self) -> None:
        """Walk down to the first line beneath which everything is another mail; drop attributions on the way."""
        for place, line in enumerate(self.look):
            stripped = line.strip()
            if not stripped or self.state[place] or place < self.beneath:
                continue
            cut = self._begins_quote(place, stripped)
            if cut is not None and not self._is_all_there_is(cut, place):
                self._tell(cut.reason, cut.confidence)
                self._drop(cut.start, len(self.look))
                return

    def _begins_quote(self, place: int, stripped: str) -> _Cut | None:
        """Return the line from which all the rest is another mail, if it is this line that tells."""
        line = self.look[place]
        if self.marked[place] and "##- " not in line:
            if line.startswith(">>>") and quoting.may_end_attribution(stripped) == "verb":
                self._mark_oddly(place)  # Supercite marks who spoke as it marks what he said
            return None
        special = quoting.may_separate(stripped)
        if special and quoting.is_our_marker(line) and not (self.marked[place] and self._next_is_marked(place)):
            return _Cut(self._above(place), "our marker", Confidence.HIGH)
        if self.marked[place]:
            return None  # our marker within a quote too: who answers below the quote has words there
        if special and quoting.is_separator(line) and self._is_sure(place):
            return self._separator(place)
        if self._is_header_block(place) and not self._is_shown(place):
            return _Cut(self._rules_above(place), "a block of headers", Confidence.MEDIUM)
        head = quoting.split_behind_words(self.lines[place][:_LINE])
        if head is not None:
            self._split_line(place, len(head))
            return _Cut(place + 1, "an attribution in the same line", Confidence.MEDIUM)
        end = quoting.may_end_attribution(stripped)
        return self._attribution(place, end) if end else None

    def _is_sure(self, place: int) -> bool:
        """A title between rulers that names no mail is a separator only where a mail begins beneath."""
        if quoting.is_sure_separator(self.look[place]):
            return True
        beneath = [i for i in range(place + 1, min(place + 2 * _GAP + 2, len(self.look))) if self.look[i].strip()]
        return any(self.marked[i] or quoting.header_kind(self.look[i]) for i in beneath[:_GAP])

    def _separator(self, place: int) -> _Cut | None:
        """A separator takes all the rest with it; over marked lines it goes alone, and words may stand beneath them."""
        beneath = (i for i in range(place + 1, len(self.look)) if self.look[i].strip())
        if self.marked[next(beneath, place)]:
            self.attributed = True
            self._drop(place, place + 1)
            return None
        return _Cut(self._rules_above(place), "a separator line", Confidence.HIGH)

    def _is_all_there_is(self, cut: _Cut, place: int) -> bool:
        """Without a word above, that other mail may be what its sender has to say: keep it, unless it is an answer."""
        above, end = range(self.words_from, cut.start), len(self.look)
        if cut.reason == "our marker" or any(self.look[i].strip() and not self.state[i] for i in above):
            return False
        if self.forward or quoting.is_forward_separator(self.look[place]):
            return False
        if cut.reason == "a separator line" and any(map(self._is_header_block, range(place + 1, min(place + 4, end)))):
            return False  # an answer without a word
        if place < self.marker:
            return False
        self.words_from = self._below_headers(place + 1)
        self._tell(KEPT_WHOLE, Confidence.LOW)
        return True

    def _split_line(self, place: int, width: int) -> None:
        """Words and an attribution in one line become two lines."""
        line = self.lines[place]
        self.lines[place : place + 1] = [line[:width], line[width:].lstrip()]
        self.look[place : place + 1] = [quoting.visible(x) for x in self.lines[place : place + 2]]
        self.marked.insert(place + 1, False)
        self.state.insert(place + 1, _KEPT)

    def _attribution(self, place: int, end: str) -> _Cut | None:
        """An attribution over marked lines goes alone; over unmarked ones it takes the rest with it."""
        over_marked = self._next_is_marked(place)
        start = self._attribution_start(place, end)
        if start is None and not self._is_named_over_quote(place):
            return None
        start = place if start is None else start
        if not over_marked and not self._mark_oddly(place):
            if not quoting.is_told_surely(" ".join(self.look[start : place + 1])):
                return None
            reason = _gist(self.look[start : place + 1])
            return _Cut(start, f"an attribution line over unmarked lines: {reason}", Confidence.MEDIUM)
        self.attributed = True
        self._tell(f"an attribution line: {_gist(self.look[start : place + 1])}")
        self.state[start : place + 1] = [_QUOTE] * (place + 1 - start)
        return None

    def _is_named_over_quote(self, place: int) -> bool:
        """Right above marked lines, a name and a verb are enough."""
        beneath = [i for i in range(place + 1, min(place + 3, len(self.look))) if self.look[i].strip()]
        marked = beneath and (self.marked[beneath[0]] or quoting.odd_mark(self.look[beneath[0]]))
        return bool(marked) and quoting.says_who(self.look[place].strip())

    def _mark_oddly(self, place: int) -> bool:
        """Some clients quote with a bar or the writer's initials; only beneath an attribution that is told."""
        beneath = next((i for i in range(place + 1, min(place + 4, len(self.look))) if self.look[i].strip()), None)
        mark = quoting.odd_mark(self.look[beneath]) if beneath is not None else ""
        if not mark or (mark not in self.odd and len(self.odd) >= _ODD):
            return False
        if mark in self.odd:
            return True
        self.odd.add(mark)
        for i in range(place + 1, len(self.look)):
            self.marked[i] = self.marked[i] or self.look[i].lstrip().startswith(mark)
        return True

    def _next_is_marked(self, place: int) -> bool:
        """Tell whether marked lines follow (or nothing at all)."""
        following = range(place + 1, min(len(self.look), place + 40))
        return next((self.marked[i] for i in following if self.look[i].strip()), True)

    def _attribution_start(self, place: int, end: str) -> int | None:
        """Return the first of the at most five lines that say together who wrote what follows."""
        last = self.look[place].strip()
        if quoting.is_dated_address(last):
            return place if self._next_is_marked(place) else None
        if end == "colon":
            return self._wrapped_attribution(place) if self._next_is_marked(place) else None
        words, torn = "", 0
        for start in range(place, max(-1, place - _ATTRIBUTION), -1):
            line = self.look[start].strip()
            if not line and words and len(words) <= _TORN and torn < _GAP:
                torn += 1  # a client that wraps its own attribution may leave empty lines in it
                continue
            words = f"{line} {words}"
            if not line or (self.marked[start] and not self.marked[place]) or len(words) > _WORDS:
                return None
            told = quoting.is_dated_writer(words) if end == "address" else quoting.says_who_and_when(words, line)
            if told and (not torn or quoting.begins_with_date(line)):
                return self._with_date_above(start)
        return None

    def _wrapped_attribution(self, place: int) -> int | None:
        """Over marked lines the verb may stand in the line above, where a date or an address is behind it."""
        above, line = self.look[place - 1].strip() if place else "", self.look[place].strip()
        whole = f"{above} {line}"
        told = above and quoting.holds_verb(whole) and "@" in whole and quoting.says_who_and_when(whole, above)
        return place - 1 if told and not self.marked[place - 1] else None

    def _with_date_above(self, start: int) -> int:
        """Where name and address fill the line, the date stands in the one above."""
        above = self.look[start - 1].strip() if start else ""
        told = above and (quoting.begins_with_date(above) or quoting.names_article(above))
        return start - 1 if told else start

    def _is_header_block(self, place: int) -> bool:
        """Three different mail headers beneath each other (or two that prove it) are the top of a quoted mail."""
        first, value = quoting.header_field(self.look[place])
        if first not in ("from", "date", "to", "subject") or (first == "from" and quoting.is_moment(value)):
            return False
        kinds, proven = self._headers_beneath(place, first)
        enough = _KINDS - 1 if proven or self._rules_above(place) < place else _KINDS
        return len(kinds) >= enough and bool(kinds & {"from", "to"}) and bool(kinds & {"date", "subject"})

    def _is_shown(self, place: int) -> bool:
        """In a mail that answers nothing, "the headers were:" announces what its sender wants to show."""
        above = next((x for i in range(place - 1, max(-1, place - _ATTRIBUTION), -1) if (x := self._stripped(i))), "")
        shown = not self.follows and above.endswith((":", "："))
        if shown:
            self._below_headers(place)
        return shown

    def _below_headers(self, place: int) -> int:
        """Walk on beneath the headers that stand here."""
        while place < len(self.look) and quoting.header_kind(self.look[place]):
            place += 1
        self.beneath = place
        return place

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
        for line in range(place - 1, max(-1, place - 4), -1):
            text = self.look[line]
            if text.strip() and not (
                quoting.is_rule(text) or quoting.is_separator(text) or quoting.is_bare_title(text.strip())
            ):
                break
            start = line if text.strip() else start
        return start

    def _above(self, place: int) -> int:
        """Our marker stands beneath the attribution of our own mail: take that along."""
        above = range(place - 1, max(-1, place - 40), -1)
        line = next((i for i in above if self.look[i].strip()), None)
        end = quoting.may_end_attribution(self.look[line].strip()) if line is not None else ""
        start = self._attribution_start(line, end) if line is not None and end else None
        return place if start is None else start

    # ------------------------------------------------------------------ marked lines

    def _drop_quotes(self) -> None:
        """Marked lines go; but a lone one that nothing announces, and those of `diff`, are how some people write."""
        marked = [i for i, m in enumerate(self.marked) if m and not self.state[i]]
        said = [quoting.may_end_attribution(self._quoted(i).strip()) for i in marked[:_GAP]]
        announced = self.attributed or bool(self.quoted) or any(self.state) or "verb" in said or "address" in said
        if not announced and (len(marked) == 1 or not self.follows or self._only_look_marked(marked)):
            return
        for place in marked:
            self.state[place] = _QUOTE
        if marked and self.quoted:
            self._tell("quoted by the page's structure")
        elif marked:
            self._tell("marked lines", Confidence.HIGH if announced else Confidence.MEDIUM)

    def _only_look_marked(self, marked: _Lines) -> bool:
        """Programs print such marks too: `diff` and Python's prompt."""
        return any(map(quoting.is_diff, self.look if marked else ())) or all(
            quoting.is_prompt(self.look[i]) for i in marked
        )

    def _drop_scraps(self) -> None:
        """A wrapped quote leaves scraps without a mark between its lines."""
        for place in range(1, len(self.look) - 1):
            if not self.state[place] and self.marked[place - 1] and self.marked[place + 1]:
                above = self.look[place - 1].lstrip("> ")
                if quoting.is_scrap(self.look[place].strip(), above):
                    self.state[place] = _QUOTE

    # ------------------------------------------------------------------ what people and companies sign with

    def _drop_endings(self) -> None:
        """Signature, footer, disclaimer and device line stand at the end of the new words, in any order."""
        kept = [i for i, state in enumerate(self.state) if not state and self.look[i].strip()]
        for _ in range(_ROUNDS):
            before = len(kept)
            self._drop_device_lines(kept)
            self._drop_disclaimers(kept)
            self._drop_signature(kept)
            if len(kept) == before:
                return

    def _drop_device_lines(self, kept: _Lines) -> None:
        for _ in range(_ROUNDS):
            if len(kept) <= 1 or not signing.is_device_line(self._stripped(kept[-1])):
                return
            self._drop_last(kept, 1, "a device line")

    def _drop_disclaimers(self, kept: _Lines) -> None:
        """Paragraphs at the very end that only companies' servers write."""
        for _ in range(_ROUNDS if kept else 0):
            count = 1
            while count < min(len(kept), _PARAGRAPH) and kept[-count] - kept[-count - 1] == 1:
                count += 1
            paragraph = " ".join(self.look[i].strip() for i in kept[-count:])
            if count >= len(kept) or not signing.is_disclaimer(paragraph):
                return
            self._drop_last(kept, count, "a disclaimer", Confidence.MEDIUM)

    def _drop_signature(self, kept: _Lines) -> None:
        """Drop the end of the words from the lowest line that begins a signature; never all of them."""
        beneath: list[str] = []
        for count in range(1, min(len(kept), _SIGNATURE + 3)):
            line = self.look[kept[-count]]
            reason = _begins_signature(line, beneath)
            if reason:
                self._drop_last(kept, count, reason)
                if reason == _CLOSED and len(kept) > 1 and signing.is_closing(self._stripped(kept[-1])):
                    self._drop_last(kept, 1, reason)  # some close with two lines
                return
            beneath.insert(0, line.strip())

    def _drop_last(self, kept: _Lines, count: int, reason: str, confidence: Confidence = Confidence.HIGH) -> None:
        """Drop the last lines of the words; the list of kept lines gets shorter."""
        self._drop(kept[-count], len(self.look))
        del kept[-count:]
        self._tell(reason, confidence)

    def _drop(self, start: int, end: int) -> None:
        """Lines that were told to be quoted stay so."""
        for place in range(start, end):
            self.state[place] = self.state[place] or _REST

    # ------------------------------------------------------------------ answers between the lines

    def _keep_what_is_answered(self) -> None:
        """Who answers between quoted lines means those lines: they stay, each with its answer beneath."""
        if _QUOTE not in self.state:
            return
        runs = self._runs()
        answers = [i for i in range(1, len(runs)) if not self.state[runs[i][0]] and self._is_answer(runs[i])]
        within = any(i + 1 < len(runs) for i in answers)
        if within or (answers and self._speaks(runs[0]) and not self.state[runs[0][0]] and self._speaks(runs[-1])):
            top = next((i for i, state in enumerate(self.state) if not state and self.look[i].strip()), 0)
            for i in answers:
                self._keep_asked(runs[i - 1], headed=top < runs[i - 1][0])

    def _runs(self) -> list[_Lines]:
        """Return the lines that are not empty, in turns: kept ones, quoted ones, kept ones …"""
        runs: list[_Lines] = []
        last = -1
        for place, state in enumerate(self.state):
            if state == _REST or not self.look[place].strip():
                continue
            if state != last:
                runs.append([])
            runs[-1].append(place)
            last = state
        return runs

    def _is_answer(self, run: _Lines) -> bool:
        """Words beneath a quote, and neither the torn end of its last line nor only the end of the letter."""
        if signing.is_closing(self._stripped(run[0])):
            return False
        above = self.look[run[0] - 1]
        if not above.strip() or len(run) > 1 or not quoting.is_wrapped(above):
            return True
        return run[-1] + 1 < len(self.look) and not self.look[run[-1] + 1].strip()

    def _speaks(self, run: _Lines) -> bool:
        return any(signing.is_sentence(self.look[i].strip()) for i in run)

    def _keep_asked(self, run: _Lines, headed: bool) -> None:
        """Keep the end of a quoted run, beneath its headers; who wrote it only where words stand above."""
        asked = run[-_ASKED:]
        top = [n for n, i in enumerate(asked) if self.marked[i] and _heads_quote(self._quoted(i).strip())]
        asked = asked[top[-1] + 1 if top else 0 :]
        while asked and self.marked[asked[0]] and not self._quoted(asked[0]).strip():
            asked = asked[1:]
        for place in asked:
            if self.marked[place] or headed:
                self.state[place] = _KEPT

    def _stripped(self, place: int) -> str:
        return self.look[place].strip()

    def _quoted(self, place: int) -> str:
        return self.look[place].lstrip("> ")


class _Cut(NamedTuple):
    """The line from which all is another mail, and what told it."""

    start: int
    reason: str
    confidence: Confidence


def _heads_quote(line: str) -> bool:
    """Tell whether a quoted line is not what somebody said, but who said it, when and to whom."""
    if not line or quoting.is_separator(line) or quoting.header_kind(line):
        return bool(line)
    return quoting.may_end_attribution(line) in ("verb", "address") and quoting.says_who_and_when(line, line)


def _begins_signature(line: str, beneath: list[str]) -> str:
    """Return what a line opens, with these lines beneath it to the end: a signature, a footer, a closing, or ""."""
    if line[:1] in "-=_ *—–|" and _is_delimiter(line, beneath):
        return "a signature"
    return _CLOSED if _closes(line.strip(), beneath) else ""


def _is_delimiter(line: str, beneath: list[str]) -> bool:
    """RFC 3676 knows one delimiter; beneath any other, what stands there must look like a signature."""
    if not beneath and (line.strip() in _DASHES or quoting.is_dotted_rule(line.strip())):
        return True
    if signing.is_signature_delimiter(line):
        sure = line == "-- " or not beneath or (signing.may_be_signature(beneath[0]) and beneath[0][-1] not in "?？")
        return len(beneath) <= _SIGNATURE and sure and not any(map(signing.is_postscript, beneath))
    if len(beneath) > _FOOTER:
        return False
    if quoting.is_frame(line):
        return len(beneath) > 1 and quoting.is_frame(beneath[-1]) and not any(map(signing.tells_something, beneath))
    if signing.is_footer_rule(line):
        return not any(map(signing.tells_something, beneath))
    listed = quoting.is_rule(line) and any(map(signing.is_linked, beneath))
    return listed and signing.is_list_footer(beneath[0])


def _closes(line: str, beneath: list[str]) -> bool:
    """A closing goes only together with an address beneath it: "Thanks, Ann" alone is how people write."""
    if not 1 < len(beneath) <= _CLOSING or not signing.is_closing(line):
        return False
    return all(map(signing.is_signing, beneath)) and any(map(signing.is_contact, beneath[1:]))


def without_parting(lines: list[str]) -> list[str]:
    """Return lines without a goodbye at their end: a closing with at most a name, or a name behind a stroke.

    People's words keep it; what they dictate to us, a solution for instance, does not need it.
    """
    kept = [i for i, line in enumerate(lines) if line.strip()]
    for count in range(1, min(len(kept), _NAMES + 2)):
        line, beneath = lines[kept[-count]].strip(), [lines[i].strip() for i in kept[len(kept) - count + 1 :]]
        if signing.is_parting(line) or (not beneath and signing.is_stroked_name(line)):
            return lines[: kept[-count]] if all(map(signing.is_name, beneath)) else lines
    return lines


def _gist(lines: list[str]) -> str:
    """Return the beginning and the end of an attribution."""
    line = " ".join(x.strip() for x in lines)
    return line if len(line) <= _TOP else f"{line[:24].rstrip()} … {line[-14:].lstrip()}"
