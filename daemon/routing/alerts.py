"""Recognising the mails of monitoring tools: which alert it is, whether it is trouble or its end, how bad it is.

What comes in: MailFacts and the alerts of rules/alerts.yaml. What goes out: a Sighting, or None for every other mail.
Two mails are about the same alert if their keys are equal. A key holds whose monitoring it is, so that the tools of two
customers never meet on one ticket. Nothing is decided here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from daemon.routing.conditions import MailFacts, captured, fold
from daemon.rulebook import Alert, Rulebook
from daemon.words import Severity, domain_of

_LONGEST_KEY = 200
_DIGEST = 16


class Sign(StrEnum):
    """What a mail of a monitoring tool says: there is trouble, it is over, or something else about it."""

    TROUBLE = "trouble"
    RECOVERY = "recovery"
    NEWS = "news"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A mail was recognised as an alert. `key` is "" where the patterns found nothing that tells it from others.

    `trusted`: its sender is one of those that alerts.yaml lists for it, so that (if proved) it may close a ticket.
    """

    alert: Alert
    sign: Sign
    key: str
    about: str = ""
    severity: Severity | None = None
    ci: str = ""
    trusted: bool = False


def sighted(mail: MailFacts, rulebook: Rulebook) -> Sighting | None:
    """Return which alert this mail is, by the first entry that fits."""
    alert = next((a for a in rulebook.alerts if _sent_by(a, mail) and a.when.met(mail).met), None)
    if alert is None:
        return None
    values = _values(alert, mail)
    told = [values[name] for name in alert.same if name in values]
    return Sighting(
        alert=alert,
        sign=_sign(alert, mail),
        key=_key(alert, told, mail) if told else "",
        about=" / ".join(map(captured, told)),
        severity=alert.severities.get(fold(values.get("level", ""))),
        ci=captured(values.get(alert.ci, "")),
        trusted=bool(alert.senders),
    )


def _sent_by(alert: Alert, mail: MailFacts) -> bool:
    """Whether the mail comes from a listed address or domain; where none is listed, from anybody."""
    sender = mail.letter.sender
    address = sender.address.lower() if sender and len(mail.letter.senders) == 1 else ""
    return not alert.senders or address in alert.senders or domain_of(address) in alert.senders


def _sign(alert: Alert, mail: MailFacts) -> Sign:
    if alert.recovery and alert.recovery.met(mail).met:
        return Sign.RECOVERY
    return Sign.NEWS if alert.news and alert.news.met(mail).met else Sign.TROUBLE


def _values(alert: Alert, mail: MailFacts) -> dict[str, str]:
    """Return what the named groups of the patterns hold; the first pattern to find a name counts."""
    values: dict[str, str] = {}
    for pattern in alert.find:
        values = {**pattern.named(mail), **values}
    return values


def _key(alert: Alert, told: list[str], mail: MailFacts) -> str:
    sender = mail.letter.sender
    whose = mail.customer or (domain_of(sender.address) if sender else "")
    parts = (whose, alert.name, *told)
    key = "|".join(" ".join(fold(part).replace("|", "/").split()) for part in parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[:_LONGEST_KEY]}…{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:_DIGEST]}"
