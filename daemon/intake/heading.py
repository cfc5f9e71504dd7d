"""The headers of one mail, decoded once and asked by name.

What comes in: the raw rows of a message and the charset for raw 8-bit bytes. What goes out: text, ids, mailboxes.
This file alone knows which headers may stand only once, and which of them name where a mail was delivered to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from daemon.intake.addresses import parse_addresses
from daemon.intake.charset import clean_text
from daemon.intake.headers import decode_header, message_ids, one_line, straight
from daemon.words import Address

_MOST = 1000
_LONGEST = 16_384
_FOLD = re.compile(r"\r?\n|\r")
ONCE = (
    "from",
    "sender",
    "subject",
    "date",
    "message-id",
    "to",
    "cc",
    "reply-to",
    "in-reply-to",
    "references",
)
"""The headers that may stand only once."""
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")
_TRAIL = frozenset({"received", "authentication-results", "arc-seal", "arc-authentication-results"})
_DAEMONS = ("", "mailer-daemon", "postmaster")


class Heading:
    """Every header of a mail in its order; where one name stands twice the first value is shown."""

    def __init__(self, rows: Iterable[tuple[str, str]], hint: str = "") -> None:
        self.rows = [(n, n.lower(), v) for n, v in rows][:_MOST]
        self.hint = hint
        self.all = tuple((one_line(n), straight(decode_header(v, hint))) for n, _, v in self.rows)

    def raws(self, name: str) -> list[str]:
        """Return every value of a header as it came; `name` is lower-case."""
        return [v for _, n, v in self.rows if n == name]

    def raw(self, name: str) -> str:
        """Return the first value as it came, or ""."""
        return next((v for _, n, v in self.rows if n == name), "")

    def text(self, name: str) -> str:
        """Return the first value decoded, or ""."""
        wanted = name.lower()
        return next((self.all[i][1] for i, row in enumerate(self.rows) if row[1] == wanted), "")

    def ids(self, name: str) -> tuple[str, ...]:
        """Return the Message-IDs in a header."""
        return message_ids(self.raws(name))

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Return the mailboxes of every header of this name."""
        return tuple(a for v in self.raws(name) for a in parse_addresses(v, self.hint))

    def mailboxes(self, name: str) -> tuple[Address, ...]:
        """Return those that can be written to."""
        return tuple(a for a in self.addresses(name) if a.address)

    def delivered_to(self) -> tuple[str, ...]:
        """Return the addresses that our own server says it was delivered to."""
        return tuple(dict.fromkeys(a.address for n in _DELIVERED for a in self.mailboxes(n)))

    def return_path(self) -> str | None:
        """Return the envelope sender; "" where it is <>, None where nobody noted it."""
        values = self.raws("return-path")
        return next((a.address for a in parse_addresses(values[0])), "") if values else None

    def has_null_path(self) -> bool:
        """Tell whether the envelope names nobody, or a daemon, to answer to."""
        path = self.return_path()
        return path is not None and path.partition("@")[0] in _DAEMONS

    def trail(self) -> tuple[tuple[str, str], ...]:
        """Return what mail servers write on the way, unfolded and not decoded; "" where it is absurdly long.

        What a sender hides in it as an encoded word must stay one word.
        """
        return tuple(
            (n, clean_text(_FOLD.sub("", v), _LONGEST) if len(v) <= _LONGEST else "")
            for _, n, v in self.rows
            if n in _TRAIL
        )

    def repeated(self) -> list[str]:
        """Return a note for each header that may stand only once and does not."""
        names = [n for _, n, _ in self.rows]
        return [f"more than one {name} header" for name in ONCE if names.count(name) > 1]
