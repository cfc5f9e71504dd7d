"""Mails as people, robots and attackers write them; each with a canary in its words, and another in its file.

What comes in: who writes, what, and the mail that is answered. What goes out: bytes, as the border's mail server hands
them on: with its own Authentication-Results on top. Made with the standard library alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime

from tests.faults.checker import Delivered, message_id

BORDER = "mx.example.com"
ZHANG = "zhang.san@huaxin.example"
ANN = "ann.lee@acme.example"
WANG = "wang.wei@example.com"
TOM = "tom.baker@example.com"
DESK = "chen.jing@example.com"
EVE = "eve@evil.example"
MALLORY = "mallory@bad.example"
SERVICE = "support@example.com"
INJECTED = "{{ 7 * 9091 }} {{ ticket.__class__.__mro__ }}"
NEVER = ("63637", "object&#39;", "<class")
"""What a mail of ours would hold if somebody's subject were taken for a template."""


def canary(*of: object) -> str:
    return "kanari-" + hashlib.sha256("/".join(map(str, of)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Pen:
    """Writes mails; `vouched`: what the border's server found out about who really sent it."""

    at: datetime
    vouched: str = "dmarc=pass"

    def mail(self, sender: str, text: str, *, name: object, subject: str = "", to: str = SERVICE, **more: str) -> bytes:
        """Return a mail with this canary; the file is a second place for it."""
        mail = EmailMessage(policy=SMTP)
        domain = sender.partition("@")[2]
        verdict = f"{self.vouched} header.from={domain}" if self.vouched else "none"
        mail["Authentication-Results"] = f"{BORDER}; {verdict}"
        mail["Received"] = f"from mail.{domain} by {BORDER}; {format_datetime(self.at)}"
        if "below" in more:
            mail["Authentication-Results"] = more.pop("below")
        mail["From"] = sender
        mail["To"] = to
        mail["Subject"] = subject or "VPN 连不上"
        mail["Date"] = format_datetime(self.at)
        mail["Message-ID"] = more.pop("message_id", f"<{canary(name, 'id')[7:]}@{domain}>")
        for header, value in more.items():
            if header != "file":
                mail[header.replace("_", "-").title()] = value
        mail.set_content(f"{text}\n{canary(name)}\n")
        if "file" in more:
            content = f"{more['file']} {canary(name)}".encode()
            mail.add_attachment(content, maintype="application", subtype="octet-stream", filename="log.bin")
        return mail.as_bytes()

    def answer(self, to: bytes, sender: str, text: str, *, name: object, **more: str) -> bytes:
        """Return an answer to a mail of ours, to the address that it asks for."""
        more.setdefault("subject", "Re: " + (tag(to) or "VPN"))
        return self.mail(sender, text, name=name, to=reply_to(to), in_reply_to=f"<{message_id(to)}>", **more)

    def but(self, vouched: str) -> Pen:
        return replace(self, vouched=vouched)


def delivered(mailbox: str, raw: bytes, kind: str, *of: object, private: bool = False) -> Delivered:
    found = re.search(rb"(?im)^from: *([^\r\n]+)", raw)
    sender = found[1].decode() if found else ""
    return Delivered(mailbox, raw, kind, canary(*of), sender, private)


def reply_to(raw: bytes) -> str:
    """Return where a mail of ours wants its answers."""
    found = re.search(rb"(?im)^reply-to:[^\r\n]*?(support\+[a-z0-9-]+@[a-z.]+)", _head(raw))
    return found[1].decode() if found else SERVICE


def tag(raw: bytes) -> str:
    """Return the number that a mail of ours has in its subject, in brackets."""
    subject = message_from_bytes(raw, policy=default)["Subject"]
    found = re.search(r"\[INC-\d+\]", str(subject))
    return found[0] if found else ""


def _head(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")


def bounce(of: bytes, envelope: str, to: str, *of_name: object) -> bytes:
    """Return what a mail server sends back for a mail of ours (RFC 3464)."""
    text = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.acme.example
To: {envelope}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Date: Mon, 23 Nov 2026 16:00:00 +0800
Message-ID: <{canary(*of_name)[7:]}@mx.acme.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_dsn"

--=_dsn
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered. {canary(*of_name)}
<{to}>: host mx.acme.example said: 550 5.1.1 User unknown

--=_dsn
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--=_dsn
Content-Type: text/rfc822-headers

Message-ID: <{message_id(of)}>

--=_dsn--
"""
    return text.replace("\n", "\r\n").encode("ascii")
