"""From a returned mail to who was not reached: the standard report, known dialects, and plain words.

What comes in: a Returned (what the mail says, in pieces) and its message tree. What goes out: a BounceReport, or
None where nothing says that a mail came back. This file alone knows flufl.bounce and the dialects of bounces.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from email.message import Message

from flufl.bounce import all_failures

logging.getLogger("flufl.bounce").addHandler(logging.NullHandler())
logging.getLogger("flufl.bounce").propagate = False  # it logs addresses

_MAX_RECIPIENTS = 100
_ENOUGH = 2
_REACHED = frozenset({"delivered", "relayed", "expanded"})
_TEXT = 32_768
_DAEMONS = frozenset(
    [
        "mailer-daemon",
        "mailer_daemon",
        "mailerdaemon",
        "mail-daemon",
        "postmaster",
        "mdaemon",
        "daemon",
        "postoffice",
        "mailadmin",
        "microsoftexchange",
        "mailsystem",
        "mail-system",
        "mailer",
        "noreply-postmaster",
        "bounce",
        "bounces",
        "mailgate",
    ]
)
_DAEMON_NAME = re.compile(
    r"mail(?:er)? ?(?:delivery|daemon)|mailer-daemon|delivery (?:sub)?system|系统退信"
    r"|退信",
    re.I,
)
_GATEWAY = re.compile(
    r"smtp|mail[_ -]?(?:service|gateway|server|system)|anti-?virus|virus[_ -]?wall|imss|system administrator"
    r"|系统管理员",
    re.I,
)
_SUBJECT = re.compile(
    r"undeliver|failed mail|delivery (?:status|warning|fail|has failed|problem|notification|unsuccessful|report"
    r"|error|delayed|warning)|failure notice|failed delivery"
    r"|return(?:ed)?(?: to sender|ing)? (?:e?-?mail|message|to sender)|mail(?:er)? ?(?:delivery )?(?:fail|error"
    r"|system error)|(?:could|can)(?:no| no|')t be delivered"
    r"|message (?:not|could not)|non[- ]?deliver|nondeliverable|bounce|unzustellbar|nicht zugestellt|échec"
    r"|non remis|no entregad|devuelto"
    r"|mancato recapito|退信|投递失败|未送达|无法投递|未能送达|投遞失敗|無法傳遞|不达|送信できません|配信不能"
    r"|전송 실패|반송|недоставлен|не доставлен"
    r"|user unknown|unknown user|warning: (?:could not send|message)|delayed mail|unable to deliver"
    r"|mail warning|not delivered|rejected",
    re.I,
)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.:/-])([45])\d\d(?=[ -])")
_COPY = re.compile(
    r"^.{0,60}(?:copy of (?:the|your) (?:message|mail)|original (?:message|mail)|message headers"
    r"|returned (?:message|mail) follows|message (?:text )?follows"
    r"|unsent message|header of the|the following is (?:a copy|the)|your message (?:reads|follows)"
    r"|returned content|原邮件|邮件原文|原始邮件|以下是.{0,8}原).{0,60}$",
    re.I | re.M,
)
_FAILING = re.compile(
    r"fail|undeliver|not (?:be )?deliver|unknown|no such|reject|refus|does ?n.t exist|not exist|invalid"
    r"|unavailable|disabled|not found|returned"
    r"|unable|over ?quota|(?:mailbox|quota).{0,20}(?:full|exceed)|not listed|inactive|expired|denied|blocked"
    r"|unzustell|不存在|退信|失败|无法|未能|拒|已满|不可",
    re.I,
)
_WAITING = re.compile(
    r"will (?:be )?(?:keep trying|retr|continue|try)|still being retried|has been delayed|delivery delayed"
    r"|is delayed|temporar|transient|warning message only"
    r"|not yet been delivered|do(?:es)? not need to (?:re)?send|will retry|稍后重试|继续尝试|暂时|延迟",
    re.I,
)
_GAVE_UP = re.compile(
    r"gave up|giving up|given up|permanent|fatal|could not be delivered for|queue too long|expired", re.I
)
_MESSAGE_ID = re.compile(r"^[\s>]*message-id:\s*<([^<>\s]{1,998})>", re.I | re.M)


_LONGEST_DIAGNOSTIC = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRecipient:
    """An address that a bounce calls undeliverable; `status` is an enhanced code (RFC 3463) or "".

    `diagnostic` is what the refusing server said, in its own words, or "".
    """

    address: str
    permanent: bool
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReport:
    """What a bounce says: who was not reached, and the Message-ID of the mail that came back ("" if unknown)."""

    recipients: tuple[FailedRecipient, ...]
    original_message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a mail says that may be a bounce, in pieces: reports and returned headers as text."""

    sender: str
    sender_name: str
    null_path: bool
    subject: str
    text: str
    reports: tuple[str, ...]
    returned: tuple[str, ...]
    failed_header: str
    references: tuple[str, ...]
    own: frozenset[str]


def read_bounce(mail: Returned, message: Message) -> BounceReport | None:
    """Return what a returned mail says, or None where this is not one."""
    if not may_be_bounce(mail):
        return None
    found = _from_reports(mail.reports)
    if found is None:
        found = _from_dialects(mail, message) or _from_words(mail)
    if found is None:
        return None
    people = [_with_status(r, mail) for r in found]
    return BounceReport(recipients=tuple(people[:_MAX_RECIPIENTS]), original_message_id=_original_id(mail))


def may_be_bounce(mail: Returned) -> bool:
    """Tell whether a mail is worth a look: a report, or two of daemon, empty return path and bouncing subject."""
    if mail.reports or mail.failed_header:
        return True
    local = mail.sender.partition("@")[0]
    sure = bool(_DAEMON_NAME.search(mail.sender_name)) or local.startswith(
        ("mailer-daemon", "microsoftexchange", "mmdf")
    )
    daemon = local in _DAEMONS or bool(_GATEWAY.search(local + " " + mail.sender_name)) or not mail.sender
    signs = daemon + bool(mail.null_path) + bool(_SUBJECT.search(mail.subject))
    return sure or signs >= _ENOUGH


def _from_reports(reports: Iterable[str]) -> list[FailedRecipient] | None:
    """RFC 3464: a block for each recipient. An empty list says that all were reached, None that nothing is said."""
    blocks = [_fields(block) for report in reports for block in re.split(r"\n[ \t]*\n", report)]
    told = [(address, fields) for fields in blocks if (address := _recipient(fields))]
    if not told:
        return None
    found: dict[str, FailedRecipient] = {}
    for address, fields in told:
        action = fields.get("action", "").partition(" ")[0].lower()
        if action not in _REACHED:
            status = _STATUS.search(fields.get("status", ""))
            person = FailedRecipient(
                address=address,
                permanent=action != "delayed",
                status=status[1] if status else "",
                diagnostic=fields.get("diagnostic-code", "").partition(";")[2].strip()[:_LONGEST_DIAGNOSTIC],
            )
            found.setdefault(address, person)
    return list(found.values())


def _fields(block: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in re.sub(r"\n[ \t]+", " ", block).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _recipient(fields: dict[str, str]) -> str:
    """The address that was written to, rather than what it was forwarded to."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        match = _ADDRESS.search(fields.get(name, "").rpartition(";")[2])
        if match:
            return match[0].strip("'.").lower()
    return ""


def _from_dialects(mail: Returned, message: Message) -> list[FailedRecipient] | None:
    """Ask flufl.bounce, which knows what a dozen mail servers say."""
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # noqa: BLE001  its detectors raise on damaged mail; plain words come next
        return None
    failed = [(a, True) for a in sorted(permanent)] + [(a, False) for a in sorted(temporary - permanent)]
    people = [FailedRecipient(address=_text(a), permanent=p) for a, p in failed]
    return [p for p in people if p.address not in mail.own] or None


def _text(address: bytes | str) -> str:
    text = address.decode("utf-8", "replace") if isinstance(address, bytes) else address
    return text.strip("<>\"' ").lower()


def _from_words(mail: Returned) -> list[FailedRecipient] | None:
    """Plain words: the addresses above the copy of the original, where something says that it failed."""
    text = mail.text[:_TEXT]
    copy = _COPY.search(text, min(len(text), 80))
    told = text[: copy.start()] if copy else text
    if mail.failed_header:
        told = mail.failed_header + "\n" + told
    elif not _FAILING.search(mail.subject + "\n" + told):
        return None
    pool = mail.failed_header or told
    addresses = [a.strip("'.").lower() for a in _ADDRESS.findall(pool)]
    people = [
        a
        for a in dict.fromkeys(addresses)
        if a not in mail.own and a != mail.sender and a.partition("@")[0] not in _DAEMONS
    ]
    permanent = _is_permanent(told)
    return [FailedRecipient(address=a, permanent=permanent) for a in people[:20]]


def _is_permanent(told: str) -> bool:
    status, code = _STATUS.search(told), _REPLY_CODE.search(told)
    if status:
        return status[1].startswith("5") or bool(_GAVE_UP.search(told))
    if code:
        return code[1] == "5" or bool(_GAVE_UP.search(told))
    return not _WAITING.search(told) or bool(_GAVE_UP.search(told))


def _with_status(person: FailedRecipient, mail: Returned) -> FailedRecipient:
    """Where only words tell, the enhanced status stands near the address."""
    if person.status:
        return person
    text = mail.text[:_TEXT]
    place = text.lower().find(person.address)
    near = _STATUS.search(text, max(0, place - 200), place + 600) if place >= 0 else _STATUS.search(text)
    return replace(person, status=near[1] if near else "")


def _original_id(mail: Returned) -> str:
    """The Message-ID in the returned headers; else in the copied text; else what the bounce answers."""
    for place in (*mail.returned, mail.text[:_TEXT]):
        match = _MESSAGE_ID.search(place)
        if match:
            return match[1]
    return mail.references[-1] if mail.references else ""
