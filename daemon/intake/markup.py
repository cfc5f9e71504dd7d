"""From HTML to lines of text, each marked as the sender's own or as quoted by the page's structure.

What comes in: the HTML part of a mail. What goes out: Lines as a reader sees them; hidden text, scripts and styles
are gone, unless nothing else would be left. This file alone knows justhtml, what a style hides, and how mail clients
mark what they quote. One pass, bounded effort for each tag, so that no page can hang it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from justhtml import stream

from daemon.intake import quoting

_SKIP = frozenset(
    ["style", "script", "title", "template", "noscript", "svg", "math", "object", "iframe", "noembed", "noframes"]
)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_PARAGRAPH = frozenset(["p", "blockquote", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "dl"])
_FLOW = frozenset({"p", "div", "center"})  # what a list item or a cell may begin and end with, still one line
_CELL = frozenset({"td", "th"})
_ROW = _CELL | {"tr", "tbody", "tfoot", "thead"}
_SCOPE = frozenset({"table", "td", "th", "caption"})  # no end of a <b> or <font> inside reaches beyond it
_TABLE = frozenset({"table"})
_IMPLIED_ENDS = {
    "p": _BLOCK,
    "li": frozenset({"li"}),
    "td": _ROW,
    "th": _ROW,
    "tr": _ROW - _CELL,
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
}
_STRUCTURE = _CELL | {"table", "tr", "pre", "blockquote", "ol", "ul"}
_SIGNS = frozenset({"br", "li", "img", "td", "th"})
_ALT = 200  # characters of a picture's description
_DEEP = 200  # how far an end tag looks for its beginning
_HEAD = 5  # lines over the first quote of a client's frame that still only announce it
_STYLE, _SHEET, _NAME = 2000, 50_000, 300  # characters of a style, a style sheet, a class
_DIGITS = 6  # of a list's number
_HAIR = 0.01  # a space that nobody sees

# An element that holds a quoted mail and nothing of the sender's own, or a card that the client adds by itself.
_QUOTE_CLASS = frozenset(
    [
        "yahoo_quoted",
        "ydp_yahoo_quoted",
        "moz-cite-prefix",
        "moz-email-headers-table",
        "tutanota_quote",
        "zmail_extra",
        "blockquote_zmail",
        "outlookmessageheader",
        "wordsection-quoted",
        "mail_quote_wrapper",
        "missive_quote",
        "front-blockquote",
        "ntes_qouted",
        "ntes-mailmaster-quote",
        "ntes-signature",
        "xm_compose_origin_mail_container",
        "history-quote-wrapper",
        "referencequote",
        "rfc-original",
    ]
)
_QUOTE_ID = frozenset(
    [
        "isreplycontent",
        "isforwardcontent",
        "original-content",
        "olk_src_body_section",
        "mac_outlook_attribution_blockquote",
        "reply-content",
        "ntes-pcmac-quote",
        "imail_signature",
        "ms-outlook-mobile-signature",
    ]
)
_QUOTE_ID_BEGINS = ("yahoo_quoted_", "lark-mail-quote-")
_QUOTE_NAME = frozenset({"replycontent", "quote"})
# A frame holds an attribution and then the quote as a blockquote; what stands behind that is the sender's own.
_FRAME = frozenset({"gmail_quote", "gmail_quote_container", "protonmail_quote", "messagereplysection"})
# Some clients only mark where the quoted mail begins; all that follows is quoted.
_REST_ID = frozenset(
    [
        "divrplyfwdmsg",
        "appendonsend",
        "stopspelling",
        "ms-outlook-mobile-reference-message",
        "mail-editor-reference-message-container",
        "zwchr",
    ]
)
_OUTLOOK_COLOURS = ("#b5c4df", "#e1e1e1")
_OUTLOOK_RULE = re.compile(
    rf"border(?:-top)?\s*:\s*(?:none;\s*border-top\s*:\s*)?solid\s+(?:{'|'.join(_OUTLOOK_COLOURS)})\s+1"
)
_SIGNATURE_RULES = frozenset({"210px", "50px"})  # the short rulers of Foxmail and QQ over a signature
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)\s*([a-z%]*)")
_HEX = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})")
_WHITE = "#ffffff"
_NAMED = {"white": _WHITE, "black": "#000000"}
_NO_COLOUR = frozenset({"", "transparent", "inherit", "initial", "none", "currentcolor", "unset"})
_SPACE = re.compile(r"[ \t\n\r\f\u00a0]+")
_TAG = re.compile(r"<!--|<[^<>]*>")


# What every quoting page has somewhere in its source; read off the tables above.
_OF_TABLES = (_QUOTE_CLASS, _QUOTE_ID, _QUOTE_ID_BEGINS, _QUOTE_NAME, _FRAME, _REST_ID, _OUTLOOK_COLOURS)
_QUOTE_MARKS = tuple(sorted({"blockquote"}.union(*_OF_TABLES)))


def may_quote(html: str) -> bool:
    """Tell, at a glance, whether a page may hold a quoted mail; where this says no, parsing it would find none."""
    low = html.lower()
    return any(mark in low for mark in _QUOTE_MARKS)


class Line(NamedTuple):
    """One line of a page as a reader sees it."""

    text: str
    quoted: bool


def html_lines(html: str, cap: int = 1_000_000) -> list[Line]:
    """Return the visible lines of a page."""
    html = _without_comments(html[:cap])
    page = _read(html)
    if any(line.text and not line.quoted for line in page.lines):
        return page.lines
    lines = _read(html, hides=False).lines if page.unseen else page.lines
    if not any(line.text for line in lines):
        return _bare(html)
    return lines if _begins_as_quote(lines) else [Line(text, False) for text, _ in lines]


def _without_comments(html: str) -> str:
    """Take comments out: the parser looks for the end of each one to the end of the page.

    One without an end stays, and so does a style sheet that old clients put into one.
    """
    kept, place = [], 0
    while (begin := html.find("<!--", place)) >= 0 and (end := html.find("-->", begin + 2)) >= 0:
        styled = html.rfind("<style", place, begin) > html.rfind("</style", place, begin)
        kept.append(html[place : end + 3 if styled else begin])
        place = end + 3
    return "".join((*kept, html[place:])) if kept else html


def _read(html: str, *, hides: bool = True) -> _Page:
    page = _Page(hides)
    for kind, value in stream(html):
        if isinstance(value, tuple):
            name, attributes = value[0], value[1]
            if kind == "start" and name and isinstance(attributes, dict):
                page.start(name, attributes)
        elif kind == "text":
            page.write(value)
        elif kind == "end":
            page.end(value)
    page.finish()
    return page


def _bare(html: str) -> list[Line]:
    """Where a tag that never ends swallows the page, what stands between the signs is better than nothing."""
    low = html.lower()
    if "<style" in low or "<script" in low:
        return []
    text = "".join(value for kind, value in stream(_TAG.sub(" ", html)) if kind == "text" and isinstance(value, str))
    return [Line(line, False) for line in (_SPACE.sub(" ", x).strip() for x in text.split("\n")) if line]


def _begins_as_quote(lines: list[Line]) -> bool:
    """Tell whether a page that is all quoted begins as a quoted mail does, or is only wrapped like one."""
    top = [line for line in lines if line.text][:_HEAD]
    return not all(line.quoted for line in top) or any(
        quoting.header_kind(x) or quoting.is_separator(x) or quoting.is_our_marker(x) or quoting.may_end_attribution(x)
        for x in (line.text.strip() for line in top)
    )


class _Look(NamedTuple):
    """What a style says about the text inside: None where it says nothing."""

    gone: bool = False
    tiny: bool | None = None
    ink: str | None = None
    ground: str | None = None
    keeps: bool | None = None  # the line ends of the source
    tight: bool = False  # no space above and below
    bare: bool = False  # a list without marks
    rule: bool = False  # Outlook's line above a quoted mail
    veils: bool = False  # it may hide or show


_PLAIN = _Look()


class _State(NamedTuple):
    """What holds for the text inside an element."""

    hidden: bool = False
    skipped: bool = False  # nothing that any reader would see
    quoted: bool = False
    pre: bool = False
    cell: bool = False
    gone: bool = False  # whatever an element inside may say
    tiny: bool = False
    ink: str = ""
    ground: str = ""
    marks: list[int] | None = None  # of the list: None for bullets, else the next number, or empty for no marks


class _Open(NamedTuple):
    """An open element, and what held before it."""

    name: str
    before: _State
    tight: bool


class _Page:
    """What is open while a page is read, and the lines so far."""

    def __init__(self, hides: bool) -> None:
        self.hides = hides
        self.lines: list[Line] = []
        self.line: list[str] = []
        self.open: list[_Open] = []
        self.now = _State()
        self.rest = False
        self.unseen = False  # words of the sender's own that are hidden
        self.ground = _WHITE
        self.tight: set[str] = set()  # paragraphs that the style sheet sets without space between
        self.missing: set[str] = set()  # end tags that were looked for in vain
        self.pending = 0  # in a cell: 1 for a line's end, 2 for a paragraph's
        self.fresh = False  # nothing stands in the list item or cell yet
        self.row = 0
        self.frame: tuple[int, int] | None = None  # where a client's frame was opened, and its first line
        self.framed = False
        self.aside: tuple[int, int] | None = None  # where a blockquote that may be the sender's own was opened

    def finish(self) -> None:
        """End the last line and what is still open."""
        self.break_line()
        self._end_aside()
        self._end_frame()

    def write(self, text: str) -> None:
        """Add text to the line; only <pre> keeps the page's own line ends."""
        now = self.now
        if now.hidden:
            self._pass_over(text)
        elif now.pre:
            self._write_pre(text)
        elif not text.isspace():
            self._flush()
            self.fresh = False
            self.line.append(text)
        elif self.line or "\u00a0" in text:
            self.line.append(text)

    def _write_pre(self, text: str) -> None:
        self._flush()
        self.fresh = False
        first, *more = text.split("\n")
        self.line.append(first)
        for piece in more:
            self.break_line(keep_empty=True)
            self.line.append(piece)

    def _pass_over(self, text: str) -> None:
        """Hidden text; style sheets are asked what they do to paragraphs."""
        if not self.now.skipped:
            self.unseen = self.unseen or not (self.now.quoted or self.rest or text.isspace())
        elif self.open[-1].name == "style":
            sheet = text[:_SHEET].lower()
            self.tight |= _tight_paragraphs(sheet)
            if "background" in sheet:
                self.ground = "?"

    def start(self, name: str, attributes: dict[str, str | None]) -> None:
        """Open an element."""
        while self.open and name in _IMPLIED_ENDS.get(self.open[-1].name, ()):
            self._close(len(self.open) - 1)
        style = attributes.get("style")
        look = _look(style[:_STYLE]) if style else _PLAIN
        tight = look.tight or bool(self.tight and name == "p" and self._is_tight(attributes))
        if name in _SIGNS:
            self._sign(name, attributes)
        elif name in _BLOCK:
            self._break_block(name, tight)
        if name in _VOID:
            self._void(name, attributes)
            return
        before = self.now
        if name in _SKIP:
            self.now = before._replace(hidden=True, skipped=True)
        elif attributes:
            self._heed(name, attributes, look)
        if name in _STRUCTURE:
            self._structure(name, attributes, look)
        if self.missing:
            self.missing.discard(name)
        self.open.append(_Open(name, before, tight))

    def _structure(self, name: str, attributes: dict[str, str | None], look: _Look) -> None:
        """Elements that change how the text inside is laid out, or are a quote by what stands above them."""
        now = self.now
        if name in _CELL or name == "table":
            self.now = now._replace(cell=name in _CELL)
        elif name == "tr":
            self.row = len(self.lines)
        elif name == "pre":
            self.now = now._replace(pre=True)
        elif name == "blockquote":
            if not now.quoted and (self.frame or self._is_announced()):
                self._quote()
            elif not now.quoted and self.aside is None:
                self.aside = len(self.open), len(self.lines)
        else:
            begin = _digits(attributes.get("start")) if name == "ol" else 0
            self.now = now._replace(marks=[] if look.bare else [begin] if name == "ol" else None)

    def _void(self, name: str, attributes: dict[str, str | None]) -> None:
        if name == "hr" and not self.now.hidden:
            if _mark_of(name, attributes) == "rest" and not self.now.quoted:
                self._begin_rest()
            elif _declared((attributes.get("style") or "")[:_STYLE]).get("width") in _SIGNATURE_RULES:
                self.write("-- ")
                self.break_line()

    def _heed(self, name: str, attributes: dict[str, str | None], look: _Look) -> None:
        """Let the attributes of an element change what holds inside it."""
        if name == "a" and self.now.ink:
            self.now = self.now._replace(ink="")  # links have a colour of their own
            self._veil(attributes, look)
        elif look.veils or "bgcolor" in attributes or "color" in attributes or "hidden" in attributes:
            self._veil(attributes, look)
        now = self.now
        if now.quoted or now.hidden:
            return
        mark = _mark_of(name, attributes)
        if mark == "rest" or (look.rule and name == "div"):
            self._begin_rest()
        elif mark == "frame" and self.frame is None:
            self.break_line()
            self.frame, self.framed = (len(self.open), len(self.lines)), False
        elif mark == "quote" or (mark == "frame" and self.framed):
            self._quote()

    def _veil(self, attributes: dict[str, str | None], look: _Look) -> None:
        """Work out whether the text inside can be seen."""
        now = self.now
        tiny = now.tiny if look.tiny is None else look.tiny
        ink = look.ink or _colour(attributes.get("color") or "") or now.ink
        ground = look.ground or _colour(attributes.get("bgcolor") or "") or now.ground
        gone = now.gone or look.gone or "hidden" in attributes
        hidden = now.skipped or (self.hides and (gone or tiny or (ink != "" and ink == (ground or self.ground))))
        pre = now.pre if look.keeps is None else look.keeps
        self.now = _State(hidden, now.skipped, now.quoted, pre, now.cell, gone, tiny, ink, ground, now.marks)

    def _is_tight(self, attributes: dict[str, str | None]) -> bool:
        kinds = _short(attributes.get("class")).split()
        return "p" in self.tight or any(f"p.{kind}" in self.tight for kind in kinds)

    def _begin_rest(self) -> None:
        self.break_line()
        self.rest = True

    def _quote(self) -> None:
        """What the innermost element holds is quoted; in a client's frame the lines above only announce it."""
        self.break_line()
        self.now = self.now._replace(quoted=True)
        if self.frame and not self.framed:
            start = self.frame[1]
            if len(self.lines) - start <= _HEAD * 2 and sum(bool(x.text) for x in self.lines[start:]) <= _HEAD:
                self._mark_from(start)
                self.framed = True

    def _is_announced(self) -> bool:
        """Tell whether an attribution stands right above."""
        self.break_line()
        above = next((line for line in reversed(self.lines[-2:]) if line.text), None)
        if above is None or above.quoted:
            return False
        return _is_attribution(above.text.strip())

    def _end_aside(self) -> None:
        """A blockquote that begins with an attribution is a quote, whatever its client calls it."""
        if self.aside is None:
            return
        start, self.aside = self.aside[1], None
        first = next((line for line in self.lines[start : start + _HEAD] if line.text), None)
        if first is not None and _is_attribution(first.text.strip()):
            self._mark_from(start)

    def _end_frame(self) -> None:
        if self.frame and not self.framed:
            self._mark_from(self.frame[1])
        self.frame = None

    def _mark_from(self, start: int) -> None:
        self.lines[start:] = [Line(text, True) for text, _ in self.lines[start:]]

    def _sign(self, name: str, attributes: dict[str, str | None]) -> None:
        """Elements that stand for characters."""
        if name == "br":
            self.break_line(keep_empty=True)
        elif name == "li":
            self.break_line()
            self._mark_item(attributes)
        elif name == "img":
            self.write((attributes.get("alt") or "").strip()[:_ALT])
        else:
            self._begin_cell()

    def _begin_cell(self) -> None:
        """A cell stands behind the one before it in the row, as long as that was one line."""
        if self.pending and len(self.lines) != self.row:
            self._flush()
        if self.line:
            self.pending = 0
            self.line.append(" ")
        self.fresh = True

    def _mark_item(self, attributes: dict[str, str | None]) -> None:
        marks = self.now.marks
        if marks is None:
            self.write("- ")
        elif marks:
            marks[0] = _digits(attributes.get("value"), marks[0])
            self.write(f"{marks[0]}. ")
            marks[0] += 1
        self.fresh = bool(self.line)

    def end(self, name: str) -> None:
        """Close an element and whatever was left open inside it."""
        if name == "br":
            self.break_line(keep_empty=True)
            return
        place = self._find(name)
        if name in _BLOCK:
            self._break_block(name, place >= 0 and self.open[place].tight)
        if place >= 0:
            self._close(place)

    def _find(self, name: str) -> int:
        """Return where the element that an end tag ends was opened, or -1."""
        if self.open and self.open[-1].name == name:
            return len(self.open) - 1
        if name in self.missing:
            return -1
        inline = name not in _BLOCK and name not in _CELL
        bounds = _SCOPE if inline else _TABLE if name in _ROW else frozenset[str]()
        for place in range(len(self.open) - 1, max(-1, len(self.open) - _DEEP), -1):
            opened = self.open[place]
            if opened.name == name:
                return -1 if inline and opened.before.quoted != self.now.quoted else place
            if opened.name in bounds:
                break
        self.missing.add(name)
        return -1

    def _close(self, place: int) -> None:
        """Return to what held before the element at this place was opened."""
        before = self.open[place].before
        if before.quoted != self.now.quoted:
            self.break_line()
        if self.aside and place <= self.aside[0]:
            self.break_line()
            self._end_aside()
        if self.frame and place <= self.frame[0]:
            self.break_line()
            self._end_frame()
        if self.missing and self.open[place].name in _SCOPE:
            self.missing.clear()
        self.now = before
        del self.open[place:]

    def _break_block(self, name: str, tight: bool) -> None:
        """End the line; between paragraphs leave one empty line."""
        paragraph = name in _PARAGRAPH and not tight
        if name in _FLOW and self.fresh:
            return
        if self.line:
            if name in _FLOW and self.now.cell:
                self.pending = max(self.pending, 1 + paragraph)
                return
            self.break_line()
        if paragraph:
            self._leave_space()

    def _flush(self) -> None:
        """End the line that a cell's paragraph left open."""
        if self.pending:
            paragraph = self.pending > 1
            self.break_line()
            if paragraph:
                self._leave_space()

    def _leave_space(self) -> None:
        if self.lines and self.lines[-1].text:
            self.lines.append(Line("", self.now.quoted or self.rest))

    def break_line(self, keep_empty: bool = False) -> None:
        """End the line; empty ones are kept where the page asks for them, never two in a row."""
        self.pending, self.fresh = 0, False
        if not self.line and not keep_empty:
            return
        raw = "".join(self.line)
        self.line = []
        text = raw.rstrip() if self.now.pre else _SPACE.sub(" ", raw).strip()
        if text or ((keep_empty or "\u00a0" in raw) and self._may_leave_line()):
            self.lines.append(Line(text, self.now.quoted or self.rest))

    def _may_leave_line(self) -> bool:
        return not self.now.hidden and bool(self.lines) and (bool(self.lines[-1].text) or self.now.pre)


def _is_attribution(text: str) -> bool:
    """Tell whether a line says who wrote what follows, and when."""
    end = quoting.may_end_attribution(text)
    return quoting.is_dated_writer(text) if end == "address" else bool(end) and quoting.says_who_and_when(text, text)


def _mark_of(name: str, attributes: dict[str, str | None]) -> str:
    """Return what an element is to its client: a "quote", the "frame" of one, the beginning of the "rest", or ""."""
    if name == "blockquote" and ("cite" in attributes or (attributes.get("type") or "").lower() == "cite"):
        return "quote"
    if "class" in attributes or "id" in attributes or "name" in attributes:
        get = attributes.get
        return _mark(name, _short(get("class")), _short(get("id")), _short(get("name")))
    return ""


def _short(value: str | None) -> str:
    return value[:_NAME].lower() if value else ""


def _digits(value: str | None, otherwise: int = 1) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < _DIGITS else otherwise


@lru_cache(maxsize=1024)
def _mark(element: str, kinds: str, label: str, name: str) -> str:
    names = {_own(kind) for kind in kinds.split()}
    label = _own(label)
    if label in _REST_ID:
        return "rest"
    if not _FRAME.isdisjoint(names) or name in _FRAME:
        return "quote" if element == "blockquote" else "frame"
    if label in _QUOTE_ID or label.startswith(_QUOTE_ID_BEGINS) or name in _QUOTE_NAME:
        return "quote"
    return "quote" if not _QUOTE_CLASS.isdisjoint(names) else ""


def _own(name: str) -> str:
    """Outlook on the web puts x_ before every name that a page brings, once for each time it is sent on."""
    while name.startswith("x_"):
        name = name[2:]
    return name


@lru_cache(maxsize=1024)
def _look(style: str) -> _Look:
    """Read a style. What mso-hide hides, Outlook alone hides: it is not asked."""
    if not style:
        return _PLAIN
    said = _declared(style)
    ground = said.get("background-color") or said.get("background") or ""
    flat = said.get("overflow", "").startswith("hidden") and any(
        _is_small(said.get(key, ""), 0) for key in ("max-height", "height", "max-width", "width")
    )
    white_space = said.get("white-space", "")
    look = _Look(
        gone=flat
        or said.get("display") == "none"
        or said.get("visibility") == "hidden"
        or _is_small(said.get("opacity", ""), 0),
        tiny=_is_tiny(said.get("font-size", "")),
        ink=_colour(said.get("color", "")),
        ground="?" if "(" in ground and not ground.startswith("rgb") else _colour(ground),
        keeps=white_space.startswith("pre") or white_space == "break-spaces" if white_space else None,
        tight=_is_tight(said),
        bare="none" in (said.get("list-style") or said.get("list-style-type") or ""),
        rule="border" in style.lower() and bool(_OUTLOOK_RULE.search(style.lower())),
    )
    return look._replace(veils=look[:5] != _PLAIN[:5])


def _declared(style: str) -> dict[str, str]:
    """Return the declarations of a style."""
    pairs = (declaration.partition(":") for declaration in style.lower().split(";"))
    return {name.strip(): value.partition("!")[0].strip() for name, colon, value in pairs if colon}


def _is_small(value: str, most: float) -> bool:
    match = _NUMBER.match(value)
    return match is not None and float(match[1]) <= most


def _is_tiny(size: str) -> bool | None:
    """Tell whether letters of this size can not be read; None where that depends on the size around them."""
    match = _NUMBER.match(size)
    if not match:
        return False if size.endswith(("medium", "large", "small")) else None
    if float(match[1]) == 0:
        return True
    return float(match[1]) <= 1 if match[2] in ("px", "pt", "") else False if match[2] == "rem" else None


def _is_tight(said: dict[str, str]) -> bool:
    """Tell whether a paragraph stands without space above and below."""
    sides = said.get("margin", "").split()
    top = said.get("margin-top") or (sides[0] if sides else "")
    bottom = said.get("margin-bottom") or (sides[2 if len(sides) > 2 else 0] if sides else "")  # noqa: PLR2004
    return _is_small(top, _HAIR) and _is_small(bottom, _HAIR)


def _tight_paragraphs(sheet: str) -> set[str]:
    """Return the kinds of paragraph (p, p.class) that a style sheet sets without space above and below."""
    found = set()
    for rule in sheet.split("}"):
        selectors, _, declarations = rule.partition("{")
        names = {x.rpartition("*/")[2].replace("<!--", "").strip() for x in selectors.split(",")}
        kinds = {x for x in names if x == "p" or x.startswith("p.")}
        if kinds and _is_tight(_declared(declarations)):
            found |= kinds
    return found


def _colour(value: str) -> str | None:
    """Return a colour in the one form in which two can be compared, or None for no colour of its own."""
    value = value.strip().lower()
    if value in _NO_COLOUR:
        return None
    if value.startswith("rgb("):
        parts = [int(x) for x in re.findall(r"\d{1,3}", value[:40])[:3]]
        return "#" + "".join(f"{x:02x}" for x in parts)
    match = _HEX.match(value)
    if match:
        return match[0] if len(match[0]) > 4 else "#" + "".join(c * 2 for c in match[0][1:])  # noqa: PLR2004
    return _NAMED.get(value.split()[0], value.split()[0])
