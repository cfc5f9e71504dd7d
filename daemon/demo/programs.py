"""The mail programs of the story: how Outlook, Foxmail, Gmail, Apple Mail, a phone and machines write a mail.

What comes in: who writes, the words, and the mail that is answered. What goes out: the bytes of a mail with the quote
where that program puts it. Answers go to Reply-To and name what they answer, as every program does.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser
from email.policy import SMTP, compat32
from email.utils import format_datetime, formataddr
from hashlib import sha256

from daemon.intake.letter import Letter

_WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A mail before a program gives it its shape; `answers` is None for a new one. `at` is in the writer's zone."""

    name: str
    address: str
    to: str
    subject: str
    words: str
    at: datetime
    answers: Letter | None = None

    @property
    def quoted(self) -> str:
        """The text of the mail that is answered."""
        return self.answers.text.strip() if self.answers else ""

    @property
    def sender_answered(self) -> tuple[str, str]:
        """Name and address of who wrote the mail that is answered."""
        sender = self.answers.sender if self.answers else None
        return (sender.name, sender.address) if sender else ("", "")


Program = Callable[[Draft], EmailMessage]


def outlook_zh(draft: Draft) -> EmailMessage:
    """Write as Outlook in Chinese does: GB18030, the name below, a block of headings above the quote."""
    mail = _headed(draft, "答复: ", "Microsoft Outlook 16.0")
    body = f"{draft.words}\n\n{draft.name}\n"
    if draft.answers:
        body += f"\n{_headings(draft, '-----邮件原件-----', '发件人: {} <{}> ')}\n\n{draft.quoted}\n"
    mail.set_content(body, charset="gb18030", cte="base64")
    return mail


def foxmail(draft: Draft) -> EmailMessage:
    """Write as Foxmail does: text and HTML, the address below, full-width colons in the headings."""
    mail = _headed(draft, "回复: ", "Foxmail 7.2.25.331[cn]")
    body = f"{draft.words}\n\n\n\n{draft.address}\n"
    rich = f"<div>{_lines(draft.words)}</div><div><br></div><hr style='width:210px' size='1' align='left'>"
    rich += f"<div>{draft.address}</div>"
    if draft.answers:
        block = _headings(draft, " ", "发件人： {} <{}>").strip()
        body += f" \n{block}\n{draft.quoted}\n"
        rich += f"<blockquote><div style='background:#efefef'>{_lines(block)}</div>{_lines(draft.quoted)}</blockquote>"
    mail.set_content(body, cte="base64")
    mail.add_alternative(f"<html><body>{rich}</body></html>", subtype="html", cte="base64")
    return mail


def gmail(draft: Draft) -> EmailMessage:
    """Write as Gmail does: an attribution line, the quote marked in the text and in a gmail_quote in the HTML."""
    mail = _headed(draft, "Re: ", "")
    name, address = draft.sender_answered
    body, rich = f"{draft.words}\n", f'<div dir="ltr">{_lines(draft.words)}</div>'
    if draft.answers:
        said = f"On {draft.at:%a, %b} {draft.at.day}, {draft.at.year} at {_clock(draft.at)} {name} <{address}> wrote:"
        body += f"\n{said}\n\n{_marked(draft.quoted)}\n"
        rich += f'<br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">{_lines(said)}'
        rich += f'<br></div><blockquote class="gmail_quote">{_lines(draft.quoted)}</blockquote></div>'
    mail.set_content(body, cte="quoted-printable")
    mail.add_alternative(rich, subtype="html", cte="quoted-printable")
    return mail


def apple_mail(draft: Draft) -> EmailMessage:
    """Write as Apple Mail on a Mac does: the attribution is part of the quote."""
    mail = _headed(draft, "Re: ", "Apple Mail (2.3774.600.62)")
    name, address = draft.sender_answered
    body = f"{draft.words}\n"
    if draft.answers:
        said = f"On {draft.at.day} {draft.at:%b %Y}, at {draft.at:%H:%M}, {name} <{address}> wrote:"
        body += "\n" + _marked(f"{said}\n\n{draft.quoted}") + "\n"
    mail.set_content(body, cte="quoted-printable")
    return mail


def phone(draft: Draft) -> EmailMessage:
    """Write as an iPhone does, in the language of the words: a line of advertising, then the quote."""
    chinese = not draft.words.isascii()
    mail = _headed(draft, "回复：" if chinese else "Re: ", "iPhone Mail (22B91)")
    name, address = draft.sender_answered
    half = "上午" if draft.at.hour < 12 else "下午"  # noqa: PLR2004 - noon
    zh = f"在 {draft.at.year}年{draft.at.month}月{draft.at.day}日，{half}{draft.at:%I:%M}，{name} <{address}> 写道："
    en = f"On {draft.at.day} {draft.at:%b %Y}, at {draft.at:%H:%M}, {name} <{address}> wrote:"
    body = f"{draft.words}\n\n{'发自我的 iPhone' if chinese else 'Sent from my iPhone'}\n"
    if draft.answers:
        body += "\n" + _marked(f"{zh if chinese else en}\n\n{draft.quoted}") + "\n"
    mail.set_content(body, cte="base64" if chinese else "quoted-printable")
    return mail


def holiday_machine(draft: Draft) -> EmailMessage:
    """Write as a mail server does for somebody who is away; it does not care that our mail was automatic too."""
    mail = _headed(draft, "自动回复: ", "")
    mail["Auto-Submitted"] = "auto-replied"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(draft.words + "\n", cte="base64")
    return mail


def undelivered(original: bytes, to: str, sender: str, at: datetime) -> bytes:
    """Return the report (RFC 3464) that a mail server sends back to `sender` when the mailbox `to` is full."""
    host = f"mx.{to.rpartition('@')[2]}"
    report = MIMEMultipart("report")
    report.set_param("report-type", "delivery-status")
    report["From"] = f"Mail Delivery System <MAILER-DAEMON@{host}>"
    report["To"], report["Subject"] = sender, "Undelivered Mail Returned to Sender"
    report["Date"], report["Auto-Submitted"] = format_datetime(at), "auto-replied"
    report["Message-ID"] = f"<{sha256(original + host.encode()).hexdigest()[:20]}@{host}>"
    why = "552 5.2.2 The recipient's mailbox is full"
    report.attach(MIMEText(f"This is the mail system at host {host}.\n\n<{to}>: host {host} said: {why}\n"))
    failed = {
        "Final-Recipient": f"rfc822; {to}",
        "Action": "failed",
        "Status": "5.2.2",
        "Diagnostic-Code": f"smtp; {why}",
    }
    report.attach(_status({"Reporting-MTA": f"dns; {host}"}, failed))
    report.attach(MIMEMessage(BytesParser(policy=compat32).parsebytes(original)))
    return report.as_bytes(policy=SMTP)


def _status(*blocks: Mapping[str, str]) -> Message:
    part = MIMENonMultipart("message", "delivery-status")
    groups: list[Message | str] = []
    for fields in blocks:
        group = Message()
        for name, value in fields.items():
            group[name] = value
        groups.append(group)
    part.set_payload(groups)
    return part


# --- what they all do ---


def _headed(draft: Draft, prefix: str, program: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = (
        formataddr((draft.name, draft.address)) if draft.name.isascii() else f"{draft.name} <{draft.address}>"
    )
    mail["To"] = draft.to
    mail["Subject"] = (prefix if draft.answers else "") + draft.subject
    mail["Date"] = format_datetime(draft.at)
    written = sha256(f"{draft.address}{draft.at}{draft.words}{draft.subject}".encode()).hexdigest()[:20]
    mail["Message-ID"] = f"<{written}@{draft.address.rpartition('@')[2]}>"
    if draft.answers:
        answered = f"<{draft.answers.message_id}>"
        before = " ".join(f"<{i}>" for i in draft.answers.references)
        mail["In-Reply-To"], mail["References"] = answered, f"{before} {answered}".strip()
    if program:
        mail["X-Mailer"] = program
    return mail


def _headings(draft: Draft, rule: str, sender: str) -> str:
    """Return the block of headings that Outlook and Foxmail in Chinese put above the quote."""
    letter = draft.answers
    sent = letter.date.astimezone(draft.at.tzinfo) if letter and letter.date else draft.at
    day = f"{sent.year}年{sent.month}月{sent.day}日 星期{_WEEKDAYS[sent.weekday()]} {sent:%H:%M}"
    subject = letter.subject if letter else ""
    colon = "：" if "：" in sender else ":"
    lines = (rule, sender.format(*draft.sender_answered), f"发送时间{colon} {day}", f"收件人{colon} {draft.name}",
             f"主题{colon} {subject}")  # fmt: skip
    return "\n".join(lines)


def _clock(at: datetime) -> str:
    return f"{at:%I:%M %p}".lstrip("0")


def _marked(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _lines(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.splitlines())
