"""A letter as rows for a person: what `ticketd read` shows above the words.

What comes in: a Letter and where it was read. What goes out: (label, text) pairs; the text is the sender's and may
hold anything, so whoever prints it has to make it safe.
"""

from __future__ import annotations

from collections.abc import Iterator

from daemon.intake.letter import Attachment, Letter
from daemon.words import Address, Confidence

_SURE = {Confidence.HIGH: "surely", Confidence.MEDIUM: "probably", Confidence.LOW: "perhaps"}
_UNITS = ("bytes", "KB", "MB", "GB")
_STEP = 1000


def letter_rows(letter: Letter, path: str) -> list[tuple[str, str]]:
    """Return what was understood of a letter, and what was guessed or lost, a line each."""
    return [
        ("mail", f"{path}, {_size(letter.size)}"),
        *_people(letter),
        ("subject", letter.subject or "(none)"),
        ("date", letter.date.isoformat(sep=" ") if letter.date else "(none that can be read)"),
        *(("answers", i) for i in letter.in_reply_to[:1]),
        ("nature", f"{letter.nature}: {letter.nature_reason}"),
        ("language", letter.language or "(no words)"),
        ("new words", _cut(letter)),
        *_passed_on(letter),
        *_returned(letter),
        *(("file", _file(a)) for a in letter.attachments),
        *(("noticed", d) for d in letter.defects),
    ]


def _people(letter: Letter) -> Iterator[tuple[str, str]]:
    yield "from", ", ".join(filter(None, map(_person, letter.senders))) or "(nobody)"
    for label, people in (("to", letter.to), ("cc", letter.cc), ("reply to", letter.reply_to)):
        if people:
            yield label, ", ".join(map(_person, people))


def _person(person: Address) -> str:
    return f"{person.name} <{person.address}>".strip() if person.name else person.address


def _cut(letter: Letter) -> str:
    """How sure the line between the sender's words and the rest is, and what told it."""
    what = "told from the rest" if letter.quoted_text else "the whole text"
    return f"{_SURE[letter.confidence]} {what}" + (f" ({letter.cut_reason})" if letter.cut_reason else "")


def _passed_on(letter: Letter) -> Iterator[tuple[str, str]]:
    inner = letter.forwarded
    if inner:
        subject = f', "{inner.subject}"' if inner.subject else ""
        yield "passes on", f"a mail of {_person(inner.sender)}{subject}"


def _returned(letter: Letter) -> Iterator[tuple[str, str]]:
    if letter.bounce is None:
        return
    for r in letter.bounce.recipients:
        status = f" ({r.status})" if r.status else ""
        yield "not reached", f"{r.address}, {'for good' if r.permanent else 'for now'}{status}"
    if letter.bounce.original_message_id:
        yield "returned", letter.bounce.original_message_id


def _file(file: Attachment) -> str:
    inside = ", in the attached mail" if file.inside else ", shown in the text" if file.inline else ""
    return f"{file.name} ({file.content_type}, {_size(file.size)}{inside})"


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} {_UNITS[0]}"
