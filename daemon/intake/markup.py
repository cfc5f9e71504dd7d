"""From HTML to lines of text, each marked as the sender's own or as quoted by the page's structure.

What comes in: the HTML part of a mail. What goes out: Lines; hidden text, scripts and styles are gone.
This file alone knows justhtml, and how mail clients mark what they quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page as a reader sees it."""

    text: str
    quoted: bool


@dataclass(slots=True)
class _Open:
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
        if self.hidden:
            return
        if not self.pre:
            text = _SPACE.sub(" ", text)
            if text == " " and not self.line:
                return
            self.line.append(text)
            return
        first, *more = text.split("\n")
        self.line.append(first)
        for piece in more:
            self.break_line(keep_empty=True)
            self.line.append(piece)

    def start(self, name: str, attributes: dict[str, str | None]) -> None:
        if name == "br":
            self.break_line(keep_empty=True)
        elif name == "img" and (alt := (attributes.get("alt") or "").strip()) and not self.hidden:
            self.line.append(alt[:200])
        elif name in ("td", "th") and self.line:
            self.line.append(" ")
        elif name in _BLOCK or name == "hr":
            self.break_block(name)
        if name in ("li",) and not self.hidden:
            self.line.append("- ")
        self._look(name, attributes)
        if name not in _VOID:
            hidden = self.hidden or name in _SKIP or self._is_hidden(attributes)
            quoted = self.quoted or _is_quote(name, attributes)
            self.open.append(_Open(name, self.hidden, self.quoted, self.pre))
            self.hidden, self.quoted, self.pre = hidden, quoted, self.pre or name == "pre"

    def _look(self, name: str, attributes: dict[str, str | None]) -> None:
        """Some clients only mark where the quoted mail begins; all that follows is quoted."""
        if self.hidden or not attributes:
            return
        identity = (attributes.get("id") or "").lower()
        style = (attributes.get("style") or "").lower()
        if identity in _REST_ID or ("border" in style and name == "div" and _OUTLOOK_RULE.search(style)):
            self.rest = True

    @staticmethod
    def _is_hidden(attributes: dict[str, str | None]) -> bool:
        style = attributes.get("style")
        return "hidden" in attributes or bool(style and _HIDDEN.search(style.lower()))

    def end(self, name: str) -> None:
        if name in _BLOCK:
            self.break_block(name)
        for place in range(len(self.open) - 1, max(-1, len(self.open) - 200), -1):
            if self.open[place].name == name:
                before = self.open[place]
                self.hidden, self.quoted, self.pre = before.hidden, before.quoted, before.keeps_space
                del self.open[place:]
                return

    def break_block(self, name: str) -> None:
        """End the line; between paragraphs leave one empty line."""
        self.break_line()
        if name in _PARAGRAPH and self.lines and self.lines[-1].text:
            self.lines.append(Line("", self.quoted or self.rest))

    def break_line(self, keep_empty: bool = False) -> None:
        text = "".join(self.line).rstrip() if self.pre else _SPACE.sub(" ", "".join(self.line)).strip()
        self.line = []
        if self.hidden and not text:
            return
        if text or (keep_empty and self.lines and (self.lines[-1].text or self.pre)):
            self.lines.append(Line(text, self.quoted or self.rest))


def _is_quote(name: str, attributes: dict[str, str | None]) -> bool:
    if not attributes:
        return False
    if name == "blockquote" and (attributes.get("type") or "").lower() == "cite":
        return True
    if (attributes.get("id") or "").lower() in _QUOTE_ID:
        return True
    return not _QUOTE_CLASS.isdisjoint((attributes.get("class") or "").split())
