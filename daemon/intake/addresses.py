"""From an address header to mailboxes, without ever raising.

What comes in: the raw value of From, To, Cc, Reply-To and their like. What goes out: Addresses in their order.
This file alone knows how clients misspell address lists; it decides nothing about authority.
"""

from __future__ import annotations

import re
from functools import lru_cache

from daemon.intake.headers import decode_bytes, decode_header, one_line, straight
from daemon.words import Address

# Quoted names are bounded, so that a quote that never ends cannot make the search quadratic.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.){0,300}"|<[^<>]*>|\\.|[,;:()]|[^",;:()<>\\]+|.', re.DOTALL)
_ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]][^\s<>\"(),;:\[\]]*@[^\s<>\"'(),;]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.){0,300})"')
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){0,64}"@[^\s<>"\'(),;]{1,255}')
_SEVERAL = re.compile(r"[,;]")
_MAILTO = re.compile(r"\[mailto:([^\[\]<>\s]{1,320})\]", re.I)
_ESCAPED = re.compile(r"\\([,;:()<>@\"\\])")
_KELVIN = "\u212a"  # in small letters it is a plain k
_WIDE_COMMA = re.compile(r"(?<=>)[ \t]{0,9}[；，、]")
_HEADER = 32_768
_MAX = 500
_LONG = 1000  # characters of one mailbox


@lru_cache(maxsize=16)  # the From of a mail is asked for again and again
def parse_addresses(raw: str, hint: str = "") -> tuple[Address, ...]:
    """Return every mailbox of an address header; groups give their members, comments may give a name."""
    found: list[Address] = []
    pending = _Pending(hint)
    # Raw bytes first: the second byte of a Chinese character may look like a comma or an @.
    tokens = _tokens(_WIDE_COMMA.sub(",", decode_bytes(str(raw)[:_HEADER], hint)))
    groups_end = max((i for i, token in enumerate(tokens) if token == ";"), default=-1)
    for place, token in enumerate(tokens):
        if token == "," and pending.is_part_of_name():
            pending.add(token)  # Lee, Ann <ann@example.com>: against the rules, and common
        elif token in (",", ";"):
            found += pending.take()
            if len(found) >= _MAX:
                break
        elif token == ":" and not pending.has_angle and place < groups_end:
            pending = _Pending(hint)  # what stood before was the name of a group
        else:
            pending.add(token)
    found += pending.take()
    return tuple(found[:_MAX])


def _tokens(raw: str) -> list[str]:
    """Split outside quotes and comments; a comment is one token that begins with a bracket."""
    text = _MAILTO.sub(r"<\1>", re.sub(r"\r?\n|\r", "", raw))
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
        self.has_angle = self.has_at = self.has_word = False

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
            self.has_word = self.has_word or not (token.isspace() or token == ",")

    def is_part_of_name(self) -> bool:
        """Whether nothing was read yet but a word or two without an @."""
        return self.has_word and not (self.has_angle or self.comment or self.has_at)

    def take(self) -> list[Address]:
        """Return the mailbox (or none, or several) and begin anew."""
        if not (self.has_word or self.comment or self.has_angle):
            self.words = []
            return []
        words, has_angle = "".join(self.words).strip()[:_LONG], self.has_angle
        comment, angle = self.comment[:_LONG], self.angle[:_LONG]
        self.words, self.comment, self.angle = [], "", ""
        self.has_angle = self.has_at = self.has_word = False
        address, name = (angle, words) if angle or has_angle else _bare(words)
        first, *more = map(_addr_spec, _each(address))
        name = _display(name, self.hint) or (_display(comment, self.hint) if first or words else "")
        if "@" not in first:
            name, first = name or first, ""
        found = [Address(name=name, address=first), *(Address(name="", address=a) for a in more if "@" in a)]
        return [a for a in found if a.address or a.name]


def _each(address: str) -> list[str]:
    """Some programs put a whole list between one pair of brackets; a route is none."""
    several = address.count("@") > 1 and not address.startswith("@") and '"' not in address
    return _SEVERAL.split(address) if several else [address]


def _bare(words: str) -> tuple[str, str]:
    """A mailbox without brackets: the part with an @ is the address, anything else its name.

    What stands before a colon is the name of a group that nothing ends.
    """
    words = words.rpartition(":")[2] if '"' not in words and "[" not in words else words
    if "@" not in words:
        return "", words
    if '"@' in words and (quoted := _QUOTED_LOCAL.search(words)):
        return quoted[0], (words[: quoted.start()] + words[quoted.end() :]).strip()
    match = _ADDRESS.search(re.sub(r"\s*([.@])\s*", r"\1", words) if " " in words else words)
    if match:
        name = match.string[: match.start()] + match.string[match.end() :]
        return match[0], name.replace("<>", "").strip(" ,")
    return "", words


def _display(name: str, hint: str) -> str:
    name = name.strip()
    quoted = _QUOTED.sub(lambda m: re.sub(r"\\(.)", r"\1", m[1]), name)
    plain = quoted if '"' in name else _ESCAPED.sub(r"\1", name)
    shown = straight(decode_header(plain, hint)).strip().strip('"').strip()[:500]
    return shown[1:-1].strip() if shown[:1] == shown[-1:] == "'" else shown


def _addr_spec(address: str) -> str:
    """Lower-case, without route, quotes around, or mailto: and what a link may say behind the address."""
    text = re.sub(r"\([^()]*\)", "", one_line(decode_header(address))).strip("<> ").replace(_KELVIN, "\ufffd")
    text = text if '"@' in text else text.strip("\"' ")
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    if text.startswith("@") and ":" in text:
        text = text.rpartition(":")[2]
    text = re.sub(r"\s*([.@])\s*", r"\1", text).lower()[:320].rstrip(".")
    return "" if text.startswith("@") else text  # a domain without anybody
