"""From HTML to lines of text, each marked as the sender's own or as quoted by the page's structure.

What comes in: the HTML part of a mail. What goes out: Lines; hidden text, scripts and styles are gone.
This file alone knows justhtml, and how mail clients mark what they quote.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from justhtml import stream

_SKIP = frozenset({"head", "style", "script", "title", "template", "noscript", "svg", "math", "object"})
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
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
        "caption",
    ]
)
_ROW = frozenset({"td", "th", "tr", "tbody", "tfoot", "thead"})
_IMPLIED_ENDS = {
    "p": _BLOCK,
    "li": frozenset({"li"}),
    "td": _ROW,
    "th": _ROW,
    "tr": _ROW - {"td", "th"},
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
}
_SIGNS = frozenset({"br", "li", "img", "td", "th"})
_ALT = 200  # characters of a picture's description
_DEEP = 200  # how far an end tag looks for its beginning
_PARAGRAPH = frozenset({"p", "blockquote", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "dl"})
_QUOTE_CLASS = frozenset(
    [
        "gmail_quote",
        "gmail_quote_container",
        "yahoo_quoted",
        "moz-cite-prefix",
        "protonmail_quote",
        "tutanota_quote",
        "zmail_extra",
        "x_gmail_quote",
        "moz-email-headers-table",
        "ydp_yahoo_quoted",
        "OutlookMessageHeader",
        "wordsection-quoted",
        "mail_quote_wrapper",
        "ntes_qouted",
        "rfc-original",
    ]
)
_QUOTE_ID = frozenset({"isreplycontent", "original-content", "olk_src_body_section", "reply-content"})
_REST_ID = frozenset(
    [
        "divrplyfwdmsg",
        "appendonsend",
        "stopspelling",
        "ms-outlook-mobile-reference-message",
        "mail-editor-reference-message-container",
        "x_divrplyfwdmsg",
    ]
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em)?\s*(?:;|$|!)|mso-hide\s*:\s*all"
)
_OUTLOOK_RULE = re.compile(r"border(?:-top)?\s*:\s*(?:none;\s*border-top\s*:\s*)?solid\s+#(?:b5c4df|e1e1e1)\s+1")
_SPACE = re.compile(r"[ \t\n\r\f\u00a0]+")


# What every quoting page has somewhere in its source; read off the tables above.
_QUOTE_MARKS = tuple(m.lower() for m in ("blockquote", "border", *_QUOTE_CLASS, *_QUOTE_ID, *_REST_ID))


def may_quote(html: str) -> bool:
    """Tell, at a glance, whether a page may hold a quoted mail; where this says no, parsing it would find none."""
    low = html.lower()
    return any(mark in low for mark in _QUOTE_MARKS)


class Line(NamedTuple):
    """One line of a page as a reader sees it."""

    text: str
    quoted: bool


class _Open(NamedTuple):
    """An open element, and what held before it."""

    name: str
    hidden: bool
    quoted: bool
    keeps_space: bool


def html_lines(html: str, cap: int = 1_000_000) -> list[Line]:
    """Return the visible lines of a page."""
    page = _Page()
    for kind, value in stream(html[:cap]):
        if isinstance(value, tuple):
            name, attributes = value[0], value[1]
            if kind == "start" and name and isinstance(attributes, dict):
                page.start(name.lower(), attributes)
        elif kind == "text":
            page.write(value)
        elif kind == "end":
            page.end(value.lower())
    page.break_line()
    return page.lines


class _Page:
    """What is open while a page is read, and the lines so far."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.line: list[str] = []
        self.open: list[_Open] = []
        self.hidden = self.quoted = self.rest = self.pre = False

    def write(self, text: str) -> None:
        """Add text to the line; only <pre> keeps the page's own line ends."""
        if self.hidden:
            return
        if not self.pre:
            if self.line or not text.isspace():
                self.line.append(text)
            return
        first, *more = text.split("\n")
        self.line.append(first)
        for piece in more:
            self.break_line(keep_empty=True)
            self.line.append(piece)

    def start(self, name: str, attributes: dict[str, str | None]) -> None:
        """Open an element."""
        while self.open and name in _IMPLIED_ENDS.get(self.open[-1].name, ()):
            self.close(len(self.open) - 1)
        if name in _SIGNS:
            self.sign(name, attributes)
        elif name in _BLOCK:
            self.break_block(name)
        if attributes and not self.hidden and _begins_rest(name, attributes):
            self.rest = True
        if name not in _VOID:
            self.open.append(_Open(name, self.hidden, self.quoted, self.pre))
            self.hidden = self.hidden or name in _SKIP or (bool(attributes) and _is_hidden(attributes))
            self.quoted = self.quoted or (bool(attributes) and _is_quote(name, attributes))
            self.pre = self.pre or name == "pre"

    def sign(self, name: str, attributes: dict[str, str | None]) -> None:
        """Elements that stand for characters."""
        if name == "br":
            self.break_line(keep_empty=True)
        elif name == "li":
            self.break_line()
            self.write("- ")
        elif name == "img":
            self.write((attributes.get("alt") or "").strip()[:_ALT])
        elif self.line:
            self.line.append(" ")

    def end(self, name: str) -> None:
        """Close an element and whatever was left open inside it."""
        if name in _BLOCK:
            self.break_block(name)
        for place in range(len(self.open) - 1, max(-1, len(self.open) - _DEEP), -1):
            if self.open[place].name == name:
                self.close(place)
                return

    def close(self, place: int) -> None:
        """Return to what held before the element at this place was opened."""
        _, self.hidden, self.quoted, self.pre = self.open[place]
        del self.open[place:]

    def break_block(self, name: str) -> None:
        """End the line; between paragraphs leave one empty line."""
        if self.line:
            self.break_line()
        if name in _PARAGRAPH and self.lines and self.lines[-1].text:
            self.lines.append(Line("", self.quoted or self.rest))

    def break_line(self, keep_empty: bool = False) -> None:
        """End the line; empty ones are kept where the page asks for them, never two in a row."""
        text = "".join(self.line)
        self.line = []
        text = text.rstrip() if self.pre else _SPACE.sub(" ", text).strip()
        if text or (keep_empty and not self.hidden and self.lines and (self.lines[-1].text or self.pre)):
            self.lines.append(Line(text, self.quoted or self.rest))


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = attributes.get("style")
    return "hidden" in attributes or bool(style and _HIDDEN.search(style.lower()))


def _begins_rest(name: str, attributes: dict[str, str | None]) -> bool:
    """Some clients only mark where the quoted mail begins; all that follows is quoted."""
    if (attributes.get("id") or "").lower() in _REST_ID:
        return True
    style = attributes.get("style") if name == "div" else None
    return bool(style and "border" in style.lower() and _OUTLOOK_RULE.search(style.lower()))


def _is_quote(name: str, attributes: dict[str, str | None]) -> bool:
    if name == "blockquote" and (attributes.get("type") or "").lower() == "cite":
        return True
    if (attributes.get("id") or "").lower() in _QUOTE_ID:
        return True
    return not _QUOTE_CLASS.isdisjoint((attributes.get("class") or "").split())
