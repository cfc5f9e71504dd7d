"""From an address header to mailboxes, without ever raising.

What comes in: the raw value of From, To, Cc, Reply-To and their like. What goes out: Addresses in their order.
This file alone knows how clients misspell address lists; it decides nothing about authority.
"""

from __future__ import annotations

import re

from daemon.intake.headers import decode_bytes, decode_header, one_line, straight
from daemon.words import Address

# Quoted names are bounded, so that a quote that never ends cannot make the search quadratic.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.){0,300}"|<[^<>]*>|\\.|[,;:()]|[^",;:()<>\\]+|.', re.DOTALL)
_ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]]+@[^\s<>\"'(),;]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.){0,300})"')
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){0,64}"@[^\s<>"\'(),;]{1,255}')
_WIDE_COMMA = re.compile(r"(?<=>)[ \t]{0,9}[；，、]")
_HEADER = 32_768
_MAX = 500
_LONG = 1000  # characters of one mailbox


def parse_addresses(raw: str, hint: str = "") -> tuple[Address, ...]:
    """Return every mailbox of an address header; groups give their members, comments may give a name."""
    found: list[Address] = []
    pending = _Pending(hint)
    # Raw bytes first: the second byte of a Chinese character may look like a comma or an @.
    for token in _tokens(_WIDE_COMMA.sub(",", decode_bytes(str(raw)[:_HEADER], hint))):
        if token == "," and pending.is_part_of_name():
            pending.add(token)  # Lee, Ann <ann@example.com>: against the rules, and common
        elif token in (",", ";"):
            found += pending.take()
        elif token == ":" and not pending.has_angle:
            pending = _Pending(hint)  # what stood before was the name of a group
        else:
            pending.add(token)
    found += pending.take()
    return tuple(found[:_MAX])


def _tokens(raw: str) -> list[str]:
    """Split outside quotes and comments; a comment is one token that begins with a bracket."""
    text = re.sub(r"\r?\n|\r", "", raw)
    out: list[str] = []
    depth, comment = 0, ""
    for token in _TOKEN.findall(text):
        depth += (token == "(") - (token == ")" and depth > 0)
        if depth or (comment and token == ")"):
            comment += token
        if comment and not depth:
            out.append(comment)
            comment = ""
        elif not depth and token != ")":
            out.append(token)
    return [*out, comment] if comment else out


class _Pending:
    """The mailbox that is being read: words, comment, and what stood in angle brackets."""

    def __init__(self, hint: str) -> None:
        self.hint = hint
        self.words: list[str] = []
        self.comment = ""
        self.angle = ""
        self.has_angle = self.has_at = False

    def add(self, token: str) -> None:
        if token in "<>":
            return  # a bracket without its other half says nothing
        if token.startswith("<"):
            if not self.angle:
                self.angle = token.strip("<> ")
            self.has_angle = True
        elif token.startswith("("):
            self.comment = self.comment or re.sub(r"\\(.)", r"\1", token[1:-1])
        else:
            self.words.append(token)
            self.has_at = self.has_at or "@" in token

    def is_part_of_name(self) -> bool:
        """Whether nothing was read yet but a word or two without an @."""
        return bool(self.words) and not (self.has_angle or self.comment or self.has_at)

    def take(self) -> list[Address]:
        """Return the mailbox (or none) and begin anew."""
        words, has_angle = "".join(self.words).strip()[:_LONG], self.has_angle
        comment, angle = self.comment[:_LONG], self.angle[:_LONG]
        self.words, self.comment, self.angle, self.has_angle, self.has_at = [], "", "", False, False
        address, name = (angle, words) if angle or has_angle else _bare(words)
        clean = _addr_spec(address)
        name = _display(name, self.hint) or (_display(comment, self.hint) if clean or words else "")
        if "@" not in clean:
            name, clean = name or clean, ""
        return [Address(name=name, address=clean)] if clean or name else []


def _bare(words: str) -> tuple[str, str]:
    """A mailbox without brackets: the part with an @ is the address, anything else its name."""
    if "@" not in words:
        return "", words
    if '"@' in words and (quoted := _QUOTED_LOCAL.search(words)):
        return quoted[0], (words[: quoted.start()] + words[quoted.end() :]).strip()
    match = _ADDRESS.search(re.sub(r"\s*([.@])\s*", r"\1", words) if " " in words else words)
    if match:
        return match[0], (match.string[: match.start()] + match.string[match.end() :]).strip()
    return "", words


def _display(name: str, hint: str) -> str:
    name = name.strip()
    quoted = _QUOTED.sub(lambda m: re.sub(r"\\(.)", r"\1", m[1]), name)
    return straight(decode_header(quoted, hint)).strip().strip('"').strip()[:500]


def _addr_spec(address: str) -> str:
    """Lower-case, without route, quotes around, or a leading mailto:."""
    text = re.sub(r"\([^()]*\)", "", one_line(decode_header(address))).strip("<> ")
    text = (text if '"@' in text else text.strip("\"' ")).removeprefix("mailto:")
    if text.startswith("@") and ":" in text:
        text = text.rpartition(":")[2]
    return re.sub(r"\s*([.@])\s*", r"\1", text).lower()[:320].rstrip(".")
