"""From the text of a forwarded mail to who wrote the mail inside.

What comes in: the text beneath the new words, or the headers of an attached mail. What goes out: a Forwarded.
This file alone knows how mail clients put one mail into another. A forward needs evidence of its own (what its client
writes above the mail inside, its subject, an attached mail): a header block alone is what answers have too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from daemon.intake import quoting
from daemon.intake.addresses import parse_addresses
from daemon.intake.headers import decode_header
from daemon.words import Address

_LINES = 400  # beneath the new words, in which the forwarded mail begins
_BLOCK = 20  # lines of its headers
_GAP = 2  # empty lines between them
_VALUE = 500
_FIELDS = ("from", "subject", "date")
_ROW = re.compile(r"^\|([^|]{1,40})\|(.*)$")  # NetEase's client writes its headers as the rows of a table
_RUN_ON = re.compile(r"(?:^|(?<=[^\s]))\s*(?=(?:From|To|Cc|Sent|Date|Subject): )")  # Yahoo, all of them in one line
_NORDIC = re.compile(r"\s*vs\s*:", re.I)  # a forward in Danish and Norwegian, an answer in Finnish
_NORDIC_FROM = re.compile(r"^[\s>*]*fra[\s*]*:", re.I | re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """The mail inside a forwarded one: its sender, and subject, date and text as far as they were given ("")."""

    sender: Address
    subject: str = ""
    date: str = ""
    text: str = ""


def find_forwarded(subject: str, new_text: str, rest: str, attached: tuple[str, ...] = ()) -> Forwarded | None:
    """Return the mail that this one forwards, or None where it forwards none that names its sender.

    `attached`: the headers of the mails that are attached to it, where it is no report about a mail.
    """
    named = quoting.says_forward(subject) or (_NORDIC.match(subject) is not None and _is_nordic(rest or new_text))
    found = _inside(rest or (new_text if named else ""), named)
    return found or next(filter(None, map(_attached, attached)), None)


def _inside(text: str, named: bool) -> Forwarded | None:
    """Find the mail in the text: the first thing that is quoted there must be a forwarded one."""
    lines = [quoting.visible(line) for line in text.split("\n")]
    for place, line in enumerate(lines[:_LINES]):
        bare = quoting.without_mark(line)
        if not bare.strip():
            continue
        if quoting.is_separator(bare):
            own = [quoting.behind_separator(bare)]
            return _read(own + lines[place + 1 :]) if named or quoting.is_forward_separator(bare) else None
        if _is_block(lines[place : place + _GAP]):
            return _read(lines[place:]) if named else None
        if line is not bare or quoting.may_end_attribution(bare.strip()):
            return None  # an answer, or something else that is quoted
    return None


def _is_nordic(text: str) -> bool:
    return bool(_NORDIC_FROM.search(text[: _BLOCK * _VALUE]))


def _is_block(lines: list[str]) -> bool:
    """Tell whether two different headers stand here, beneath each other."""
    kinds = [kind for line in lines[:_GAP] if (kind := quoting.header_field(line)[0])]
    return len(set(kinds)) > 1


def _read(lines: list[str]) -> Forwarded | None:
    """Read the headers at the top and the text beneath."""
    lines = _as_usual(lines)
    fields, end = _fields(lines)
    if "from" not in fields:
        fields, end = _attribution(lines) or (fields, end)
    sender = _sender(fields.get("from", ""))
    if sender is None:
        return None
    text = "\n".join(_unmarked(lines[end:])).strip("\n")
    return Forwarded(sender=sender, subject=fields.get("subject", ""), date=fields.get("date", ""), text=text)


def _as_usual(lines: list[str]) -> list[str]:
    """Give each header a line of its own with a colon: some clients write a table, no colons, or all in one line."""
    first = next((i for i, line in enumerate(lines[: _GAP + 1]) if line.strip()), 0)
    top = lines[first] if lines else ""
    if top.startswith("From: ") and "Subject: " in top:
        return [*_RUN_ON.split(top[: 4 * _VALUE]), *lines[first + 1 :]]
    end = next((i for i in range(first, min(first + _BLOCK, len(lines))) if not lines[i].strip()), len(lines))
    if _ROW.match(top[:_VALUE]):
        return [*map(_row, lines[first:end]), *lines[end:]]
    name, _, value = top.partition(" ")
    if "@" in value and name.isalpha() and quoting.header_kind(f"{name}:") == "from":
        return [*(line.replace(" ", ": ", 1) for line in lines[first:end]), *lines[end:]]
    return lines


def _row(line: str) -> str:
    cells = _ROW.match(line[:_VALUE])
    return f"{cells[1].strip()}: {cells[2].strip(' |')}" if cells else line


def _attribution(lines: list[str]) -> tuple[dict[str, str], int] | None:
    """Yandex names the sender in an attribution, beneath its separator."""
    place = next((i for i, line in enumerate(lines[: _GAP + 1]) if line.strip()), None)
    if place is None:
        return None
    line = lines[place].strip()[:_VALUE]
    if quoting.may_end_attribution(line) != "address" or not quoting.is_dated_writer(line):
        return None
    date, _, sender = line.rstrip(":： ").rpartition(", ")
    return {"from": sender, "date": date}, place + 1


def _fields(lines: list[str]) -> tuple[dict[str, str], int]:
    """Return the headers that stand at the top, and the place where they end; a value may go on in the next line."""
    fields: dict[str, str] = {}
    last, gap, end = "", 0, 0
    for place, line in enumerate(lines[:_BLOCK]):
        bare = quoting.without_mark(line).strip()
        kind, value = quoting.header_field(bare)
        if kind:
            last, gap, end = ("" if kind in fields else kind), 0, place + 1
            fields.setdefault(kind, unescape(value).strip("* |\u00a0"))
        elif not bare or quoting.is_rule(bare):
            gap += 1
            if gap > _GAP:
                break
        elif (
            last and not gap and any(quoting.header_kind(quoting.without_mark(x)) for x in lines[place + 1 : place + 3])
        ):
            fields[last] = f"{fields[last]} {bare}".strip()
            end = place + 1
        elif fields:
            break
    return {kind: value[:_VALUE] for kind, value in fields.items()}, end


def _sender(value: str) -> Address | None:
    """Read a From line as clients show it: <mailto:…> once more behind the address, [mailto:…] instead of brackets."""
    shown = value.replace("[mailto:", "<").replace("]", ">").replace("<mailto:", "<")
    people = parse_addresses(_once(shown).strip("; "))
    if not people:
        return None
    first = people[0]
    real = "." in first.address.rpartition("@")[2] and "/" not in first.address
    return first if real else Address(name=value.partition("<")[0].strip('"; ') or first.name, address="")


def _once(value: str) -> str:
    """<a@b<a@b>> is one address."""
    while "<" in value and "<" in (tail := value.partition("<")[2]) and ">>" in tail:
        value = f"{value.partition('<')[0]}<{tail.partition('<')[0]}>"
    return value


def _unmarked(lines: list[str]) -> Iterator[str]:
    """Where the whole mail inside is marked as quoted, take the first mark away."""
    marked = [quoting.is_marked(line) for line in lines if line.strip()]
    whole = bool(marked) and all(marked)
    return (quoting.without_mark(line) if whole else line for line in lines)


def _attached(head: str) -> Forwarded | None:
    """Read the headers of an attached mail."""
    fields: dict[str, str] = {}
    last = ""
    for line in head.lstrip("\r\n").splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if line[:1] in " \t" and last:
            fields[last] += " " + line.strip()
        elif colon:
            last = name.strip().lower()
            last = "" if last in fields or last not in _FIELDS else last
            fields.setdefault(last, value.strip())
    people = parse_addresses(fields.get("from", ""))
    if not people:
        return None
    subject, date = (decode_header(fields.get(n, ""))[:_VALUE] for n in ("subject", "date"))
    return Forwarded(sender=people[0], subject=subject, date=date)
