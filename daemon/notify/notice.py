"""A Notice is a mail owed to one recipient before it has words; an OutgoingMail is its words, ready to carry.

What comes in: nothing. What goes out: the two things that the announcing, storing, rendering and sending hands share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.words import Visibility

FORWARDED = "forwarded"
"""The template of the mail by which a rule passes another one on."""
PASSED_ON = "passed_on"
"""The template by which its sender is told: who answers that meant us."""
FOLLOW_UP = "follow_up"
"""The template that asks for a rating: only an answer to it is one."""
LISTS = frozenset({"day_list", "open_list", "review_list", "follow_up_result", "kpi_report", "rule_proposals"})
"""The templates of mails about several tickets at once: thanks for one of them open nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A mail owed to one address. `facts` is plain JSON data: what the template may speak of (docs/templates.md).

    `answers` is the Message-ID that the mail replies to ("" for none), `references` its thread, oldest first.
    `automatic_answer` marks a direct answer to one mail (RFC 3834): such a notice passes the silence gate.
    """

    template: str
    language: str
    to: str
    to_name: str
    facts: Mapping[str, object]
    visibility: Visibility = Visibility.PUBLIC
    automatic_answer: bool = False
    answers: str = ""
    references: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A mail with its words. The same notice always gives the same `message_id` and the same bytes.

    `envelope_from` is the bounce address (RFC 5321 MAIL FROM), `to` the single RCPT TO, `content` CRLF-ended bytes.
    """

    message_id: str
    envelope_from: str
    to: str
    content: bytes
