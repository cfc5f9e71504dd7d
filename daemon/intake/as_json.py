"""A letter as one JSON object: what `ticketd read --json` prints, one object a line.

What comes in: a Letter and the path it was read from. What goes out: plain dictionaries; the names are a contract.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from daemon.intake.letter import Letter
from daemon.words import Address


def letter_as_json(letter: Letter, path: str) -> dict[str, Any]:
    """Return the letter as a JSON object."""
    sender = letter.sender
    return {
        "path": path,
        "message_id": letter.message_id,
        "in_reply_to": list(letter.in_reply_to),
        "references": list(letter.references),
        "date": letter.date.astimezone(UTC).isoformat().replace("+00:00", "Z") if letter.date else None,
        "subject": letter.subject,
        "from": _person(sender) if sender else None,
        "to": [_person(a) for a in letter.to],
        "cc": [_person(a) for a in letter.cc],
        "reply_to": [_person(a) for a in letter.reply_to],
        "nature": letter.nature.value,
        "nature_reason": letter.nature_reason,
        "language": letter.language,
        "text": letter.text,
        "html_text": letter.html_text,
        "new_text": letter.new_text,
        "quoted_text": letter.quoted_text,
        "confidence": letter.confidence.value,
        "cut_reason": letter.cut_reason,
        "forwarded": _forwarded(letter),
        "attachments": [
            {"name": a.name, "content_type": a.content_type, "size": a.size, "sha256": a.sha256, "inside": a.inside}
            for a in letter.attachments
        ],
        "bounce": _bounce(letter),
        "defects": list(letter.defects),
    }


def _person(address: Address) -> dict[str, str]:
    return {"name": address.name, "address": address.address}


def _forwarded(letter: Letter) -> dict[str, Any] | None:
    inner = letter.forwarded
    if inner is None:
        return None
    return {"from": _person(inner.sender), "subject": inner.subject, "date": inner.date, "text": inner.text}


def _bounce(letter: Letter) -> dict[str, Any] | None:
    if letter.bounce is None:
        return None
    return {
        "recipients": [
            {"address": r.address, "permanent": r.permanent, "status": r.status} for r in letter.bounce.recipients
        ],
        "original_message_id": letter.bounce.original_message_id,
    }
