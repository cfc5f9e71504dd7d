"""Hostile mails from a seed and a number: mutants of the mails in tests/mails, and bombs that are one idea, over and over.

What comes in: a seed and a number (the same mail every time, as long as tests/mails is the same). What goes out: a
Hostile. The tables are the ideas; each unit of a bomb is repeated up to the size that is wanted.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import random
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

MAILS = Path(__file__).parent / "mails"
KB = 1024
SIZES = {64 * KB: 50, 256 * KB: 30, 1024 * KB: 15, 4096 * KB: 4, 20480 * KB: 1}
"""How large bombs are, and how many of a hundred."""
BOMBS_IN_A_HUNDRED = 15
_PERSON = (
    b"From: Ann <ann@customer.example>\r\nTo: help@desk.example\r\nSubject: printer\r\n"
    b"Date: Mon, 23 Nov 2026 09:00:00 +0800\r\nMessage-ID: <h1@customer.example>\r\n"
)
_DAEMON = b"From: Mail Delivery System <mailer-daemon@mx.example>\r\nSubject: Undelivered mail\r\nReturn-Path: <>\r\n"


# --- bombs: a head, one unit over and over up to the size, a tail ---


class Bomb(NamedTuple):
    """One idea to harm a reader; `{i}` and `{j}` in its unit are its number and the next one."""

    family: str
    name: str
    head: bytes
    unit: bytes
    tail: bytes = b""

    def make(self, size: int) -> bytes:
        """Return the mail, about so many bytes long."""
        room = max(0, size - len(self.head) - len(self.tail))
        if b"{i}" not in self.unit:
            return self.head + (self.unit * (room // len(self.unit) + 1))[:room] + self.tail
        pieces, length = [self.head], 0
        for i in itertools.count():
            piece = self.unit.replace(b"{i}", b"%d" % i).replace(b"{j}", b"%d" % (i + 1))
            length += len(piece)
            if length > room:
                return b"".join([*pieces, self.tail])
            pieces.append(piece)
        raise AssertionError


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _floods(family: str, head: str | bytes, units: Iterable[str | bytes], tail: str | bytes = b"") -> Iterator[Bomb]:
    for unit in units:
        name = repr(unit if isinstance(unit, str) else unit.decode("latin-1"))[1:-1]
        yield Bomb(family, name[:40], _bytes(head), _bytes(unit), _bytes(tail))


def _body(content_type: str, *lines: str) -> bytes:
    return _PERSON + "\r\n".join([f"Content-Type: {content_type}", *lines, "", ""]).encode()


_TEXTS = (
    "a", "a ", "a\n", "\n", " \n", "\r", "\r\r\n", "\t", "\x0c", "\x00", "\x1b[2J", ".", "1", "1.2.3 ", "2026-01-01 ",
    "12:30 ", ">", "> ", "> > ", "> 打印机坏了\n", ">\n", "> \n a\n", "| ", "＞ a\n", "On ", "On 2026-01-01 ", "wrote:",
    "wrote:\n", "On Mon, 1 Jan 2024 at 10:00, A <a@b.example> wrote:\n",
    "On Mon, 1 Jan 2024\nA <a@b.example>\nwrote:\n",
    "On Mon 1 Jan 2024, a wrote: ", "a <a@b.example> wrote: ", "在 2026-11-22，张三 <a@b.example> 写道：\n", "写道：", "2026年",
    "Le 1 janvier 2026 à 10:00, A <a@b.example> a écrit :\n", "a écrit :", "schrieb am ", "のメール", "님이 작성: ",
    "From: a@b.example\nSent: Monday, 1 January 2026\nTo: c\nSubject: d\n", "From: a\n", "From: ", "Subject: a\n\n",
    "发件人: 张三\n发送时间: 2026年1月1日\n收件人: y\n主题: z\n", "发件人：", "Von: a\nGesendet: b\nAn: c\nBetreff: d\n", "X: ",
    "*From:* a@b.example\n*Date:* 2026-01-01\n*Subject:* x\n\n", "-- \n", "--\na\n", "---\n", "-", "_", "=", "*", "~",
    "—", "___\n",
    "-----Original Message-----\n", "-----Original Message----- ",
    "---------- Forwarded message ----------\nFrom: a@b.example\n",
    "Begin forwarded message:\n\n", "转发邮件信息\n", "-- original ", "##- a -##\n", "##- ", "[INC-1] ", "#resolve\n",
    "#note a\n",
    "Sent from my iPhone\n", "Sent from ", "发自我的", "@", "a@", "a@b ", "a@b.example ", "<", "<a@b.example>\n", "<a@b",
    "(", "[", "{", '"',
    "'", "\\", "http://a/", "https://a.example/b?c=d ", "<https://a.example/>\n", "begin 644 a.txt\n",
    "begin 644 a.txt\n`\nend\n",
    "begin 644 a{i}.txt\n#86)C\n`\nend\n", "begin 644 a.txt\nM\n", "\nend", "\nend\nbegin 644 a\n", "#86)C\n",
    "=ybegin line=128 size=1 name=a\nx\n=yend size=1\n",
    "-----BEGIN PGP SIGNED MESSAGE-----\n", "-----BEGIN PGP MESSAGE-----\n\nabc\n", "\u0301", "\u200b", "\u202e",
    "\u2028", "\ufeff", "\u00a0", "\u3000",
    "\U0001f600", "字", "字\n", "あ", "한", "ж", "ﷺ", "ﬃ", "İ", "ß", "\ue000", "\uffff", "this is an automatic reply ",
    "休假",
)  # fmt: skip
_COMMANDS = (
    "#note a\n", "#86)C\n", "#a\n", "#resolve\n", "#resolve a\n", "#help\n", "#list\n", "#status\n", "#status 1\n",
    "#status 1 2 3 4 5 6 7 8 9\n", "#1 ", "#assign a\n", "#assign ann@customer.example\n", "#accept\n", "#confirm\n",
    "#reopen a\n", "#cancel\n",
    "＃进展 a\n", "#进展 a\n", "#", "# ", "#\n", "#note ", "#note\n\n", "#hold until 2026-11-24 10:00 a\n", "#hold ",
    "#severity 1\n", "#urgency high\n", "#link 1\n", "#merge 1\n", "#archive 1\n", "#archive ", "\u200b#note a\n",
    "#note #note ", "help\n", "确认\n", "# aa\n", "# aa b\n", "#1\n", "#ﷺ\n", "#\u0301\n",
)  # fmt: skip
_HTMLS = (
    "<", "<a", "<a ", "<a b", "<a b=", "<a b='", '<a b="', "<a b=c ", "<a b=c>", "</", "</a>", "</div>", "</p>",
    "</br>", "<!", "<!-", "<!--", "<!-->",
    "<!-- a -->", "--", "--!>", "<![CDATA[", "<![if mso]>", "<?", "<?xml?>", "<!DOCTYPE html>", "<!DOCTYPE ", "&", "&#",
    "&#x", "&#x110000;", "&#xd800;",
    "&#0;", "&nbsp", "&nbsp;", "&amp", "&ampamp;", "&notin", "&a", "&#9999999999999999999;", "<div>", "<div>a", "<p>",
    "<p>a", "<b>", "<b><i>", "<b></i>",
    "<a><div>", "<a><p><b>", "<table>", "<table><tr><td>", "<table><tr><td>a", "<tr>", "<td>", "<td>a</td>", "<table>a",
    "<table></table>a", "<font>", "<nobr>", "<span>",
    "<blockquote>", "<blockquote type=cite>", "<blockquote type=cite>a</blockquote>b", "<blockquote>a<br>",
    "<div class=gmail_quote>", "<div class='gmail_quote'>a</div>b",
    "<div id=divRplyFwdMsg>", "<div id='isReplyContent'>a</div>", "<div style='display:none'>",
    "<div style='display:none'>a</div>b", "<div style=\"border:none;border-top:solid #E1E1E1 1.0pt\">",
    "<br>", "<br>\n", "a<br>", "<hr>", "<img>", "<img alt='aaaaaaaa'>", "<ul><li>", "<li>", "<li>a", "<dl><dt><dd>",
    "<pre>", "<pre>\n", "<pre>a\n</pre>", "\n", " ", "a", "a ",
    "\x00", "<script>", "<script>a</script>", "<style>", "<style>a{b:c}</style>", "<title>", "<textarea>",
    "<plaintext>", "<xmp>", "<noscript>", "<template>", "<svg>", "<svg><g>", "<math>",
    "<svg><foreignObject>", "<svg><desc><p>", "<select><option>", "<option>", "<optgroup>", "<button>", "<form>",
    "<input>", "<iframe>", "<frameset>", "<object>", "<marquee>", "<head>", "<body>",
    "<body a{i}=b>", "<html a{i}=b>", "<h1>", "<ruby><rt>", "<center>", "<o:p>&nbsp;</o:p>", "<a{i}>",
    "<p class=MsoNormal>&nbsp;</p>", "字", "\u202e", "\u0301", "<b a='>'>",
)  # fmt: skip
_IN_TAGS = (
    "a{i}=b ",
    "a{i} ",
    "a ",
    "=",
    "'",
    '"',
    "/",
    "a='b'",
    "style='color:red' ",
    "\n",
    "<",
    "&amp;",
    "\x00",
    " ",
)
_IN_STYLES = (
    "color:red;", "display:", "display : ", "border:none;", "border :", "font-size:0", "mso-hide:", ";", " ", "\\",
    "/*", "(", "&quot;",
)  # fmt: skip
_IN_ADDRESSES = (
    "a{i}@b.example, ", "a{i} <a{i}@b.example>, ", '"a, b" <a@b.example>;', "a@b.example,\r\n ", ",", ";", ":", "a:",
    "a: ", "a:b@c;", ":;", "(", ")", "()", "(a) ", "(\\", "(a",
    '"', '""', '"a" ', '"\\', '\\"', "\\", "<", ">", "<>", "<<>>", "<a@b", "<a@b>", "a <a@b> ", "<@a,@b:", "<@a:", "@",
    "@a,", "a@", "a@b", "a@b@c", "a@b,", "a@[", "[", "]", "[1.2.3.4]", ".", "a.", "a@b.",
    "'", "a' ", "mailto:", "=?utf-8?B?5pyN?= ", "=?utf-8?Q?,?= ", "=?utf-8?Q?=3Ca=40b=3E?= ", " ", "\t", "\r\n ",
    "\r\n\t,", "a ", "a", "王", "\x00", b"\xff", "\u202e", "%", "!", "a..b@c ", "xn--a@",
)  # fmt: skip
_IN_IDS = (
    "<a{i}@b.example> ", "<a{i}@b.example>", "<", ">", "<a", "<a@b", "a@b ", "@", "<>", "<<a@b>> ", "<a b>", " ",
    "\r\n ", "<\r\n ", "a", '"', "(", b"\xff", "[", "<[a]>",
)  # fmt: skip
_IN_WORDS = (
    "=?utf-8?B?5pyN?= ", "=?utf-8?B?5pyN?=", "=?utf-8?B?5pyN?=\r\n ", "=?utf-8?Q?a?= b ", "=?", "=?a", "=?a?",
    "=?utf-8?B?", "=?utf-8?B?=", "=?utf-8?Q?", "=?utf-8?Q?=", "=?a?b?c", "?=", "?", "=", "=?=?",
    "=?utf-8?Q?=3D=3Futf-8=3FQ=3F",
    "=?utf-8?Q?=3D=3Futf-8=3FQ=3F?= ", "=?iso-2022-jp?B?GyRC?= ", "=?utf-7?Q?+AGE?= ", "=?utf-16?B?//4=?= ",
    "=?x{i}?Q?a?= ", "=?gb2312?B?/w==?= ", "=?gb2312?Q?=FF?= ", "=?punycode?Q?a?= ", "=?punycode?Q?a?=",
    "=?idna?Q?a.?=", "=?utf-8*en?Q?a?= ",
    "=?unicode_escape?Q?=5Cu?=", "=?big5?B?oQ==?= =?gbk?B?oQ==?= ", "=?utf-8?Q?=0D=0A?=", "Re: ", "Fwd: [", "回复：", "[",
    "[a] ", "[INC-1] ", "(", "a", " ", "\t", "\r\n ", "\r\n a", ",", ";", ":", "\u200b", "\u202e", "é", "王", b"\xff",
    b"\xc4\xe3",
    "\x1b$B", "~{", "+AGE-", "\x00", "out of office ", "auto: ", "undeliver", "mail delivery ", "<a@b> ",
    "a@b.example ", "@", "'", '"',
)  # fmt: skip
_IN_PARAMETERS = (
    "; a{i}=b", ";a=b", "; a*{i}=b", "; a*{i}*=utf-8''b", "; a*{i}*=%E4", "; name*{i}*=utf-8''%E4",
    "; name*999999999*=a", "; name*99999999999999999999={i}", "; name*{i}=%", "; name*=utf-8''a", "; name*=''",
    "; name*='", "; *=a", "; *{i}=a",
    '; name="', '; name="a', '; name="\\', "; name=a", "; filename=a{i}.txt", "; filename*{i}*=%FF", "; boundary=",
    "; boundary=b{i}", '; boundary="', "; boundary*{i}=b", "; charset=a{i}", "; charset*=a'b'c", "; charset=\x00", ";",
    "=", "=;", "; =",
    '"', '""', '"\\', '\\"', "\\", "'", "''", "%", "%E4", "(", "()", "(a)", "/", "*", "*0", "*0*", "a", " ", "; ", "\t",
    "\r\n ", "\r\n ;", "=?utf-8?B?5pyN?= ", "; name==?utf-8?B?5pyN?=", b"\xff", "\x00", "..", "../",
)  # fmt: skip
_IN_DATES = (
    "Mon, ", "1 ", "9", "(", ")", "()", "(a) ", ":", "1:", "+", "-", "+0800 ", "1 Jan 2026 ", "1-Jan-2026 ",
    "00:00:00 ", "GMT ", "Jan ", "a", ".", ",", " ", "\r\n ", "2026-01-01T00:00:00 ", "\u0661", b"\xff",
)  # fmt: skip
_IN_RECEIVED = (
    "from a ", "by b ", "with c ", "id d ", "for <e@f> ", "via g ",
    "from a by b with c id d for e; Mon, 1 Jan 2026 00:00:00 +0000 ", "from", "from ", ";",
    "; Mon, 1 Jan 2026 00:00:00 +0000", "(", "()", "(a [1.2.3.4]) ", "[1.2.3.4] ", "(HELO a) ",
    "by ", " by", "a", "a ", " ", "\t", "\r\n ", "<a>", '"', "\\", "envelope-from ", b"\xff",
)  # fmt: skip
_LINES = (
    "X-{i}: y\r\n", "X-{i}: =?utf-8?B?5pyN?=\r\n", "X: y\r\n", "X:\r\n", "a{i}:\r\n", "From: a{i}@b.example\r\n",
    "From: \r\n", "Subject: x\r\n", "To: a{i}@b.example\r\n", "To: =?utf-8?B?5pyN?= <a{i}@b.example>\r\n",
    "Date: Mon, 1 Jan 2026 00:00:00 +0000\r\n",
    "Date: 99\r\n", "Received: from a by b; Mon, 23 Nov 2026 09:00:00 +0800\r\n", "Received: from a\r\n",
    "Received: x\r\n", "References: <a{i}@b>\r\n", "In-Reply-To: <a{i}@b>\r\n", "Delivered-To: a{i}@b.example\r\n",
    "Return-Path: <a{i}@b.example>\r\n",
    "Content-Type: text/plain\r\n", "Content-Type: multipart/mixed; boundary=b{i}\r\n",
    "Content-Disposition: attachment; filename=a\r\n", "Content-Transfer-Encoding: base64\r\n",
    "MIME-Version: 1.0\r\n", "Message-ID: <a{i}@b>\r\n",
    "Authentication-Results: a; spf=pass\r\n", "DKIM-Signature: v=1; a=b; b=c\r\n", "X-Cut-Leaf: a-{i}\r\n",
    "X-Failed-Recipients: a{i}@b.example\r\n", "Headers: x\r\n", "X-A_json_json: x\r\n", "no colon\r\n", "a\r\n",
    ": x\r\n", ":\r\n", " x\r\n", " \r\n", "\t\r\n", "X y : z\r\n", "X :\r\n",
    "From \r\n", "From a@b Mon\r\n", ">From x\r\n", "\r", "\rX: y", "\x00: x\r\n", "\x00\r\n", b"\xff: x\r\n",
    b"\xff\r\n", "subject:x\n", "-\r\n", "--b\r\n", "=\r\n",
)  # fmt: skip
_HEADERS: dict[str, tuple[tuple[str | bytes, ...], tuple[str, ...]]] = {
    "addresses": (_IN_ADDRESSES, ("From: ", "To: ", "Reply-To: ", "Return-Path: ", "Delivered-To: ")),
    "ids": (_IN_IDS, ("References: ", "In-Reply-To: ", "Message-ID: ")),
    "words": (_IN_WORDS, ("Subject: ", "X-Failed-Recipients: ", "List-Id: ", "Auto-Submitted: ", "")),
    "parameters": (_IN_PARAMETERS, ("Content-Type: multipart/mixed", "Content-Type: text/plain",
    "Content-Disposition: attachment", "Content-Transfer-Encoding: base64")),
    "dates": (_IN_DATES, ("Date: ", "Resent-Date: ")),
    "received": (_IN_RECEIVED, ("Received: ", "Received: from a by b; ", "Received: (", "Authentication-Results: a; ")),
}  # fmt: skip
_KINDS = ("mixed", "alternative", "related", "digest", "report; report-type=delivery-status", "signed", "encrypted")
_PARTS = (
    "--b\r\n", "--b\r\n\r\n", "--b--\r\n", "--b\r\n\r\nx\r\n", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n",
    "--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n", "--b\r\nContent-Type: text/html\r\n\r\n<blockquote>x",
    "--b\r\nContent-Type: text/plain; charset=gbk\r\n\r\n\x80\r\n",
    "--b\r\nContent-Type: text/plain; name=a{i}.txt\r\n\r\nx\r\n",
    "--b\r\nContent-Type: application/pdf; name=a{i}.pdf\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n",
    "--b\r\nContent-Type: image/png\r\nContent-ID: <{i}>\r\n\r\n",
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nx\r\n",
    "--b\r\nContent-Type: message/rfc822\r\n\r\n",
    "--b\r\nContent-Type: message/partial; number=1; total=2; id=a\r\n\r\n",
    "--b\r\nContent-Type: message/external-body; access-type=ftp\r\n\r\n",
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nFinal-Recipient: rfc822; a{i}@b.example\r\nAction: failed\r\n\r\n",
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n",
    "--b\r\nContent-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\n",
    "--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\r\nx\x9f>\"\r\n",
    "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
    "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n",
    "--b\r\nContent-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n",
    "--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
    "--b\r\nContent-Type: multipart/mixed; boundary=\"\"\r\n\r\n", "--b\r\nX-{i}: y\r\n",
    "--b\r\nContent-Type: text/plain" + "; a=b" * 40 + "\r\n\r\n", "--bb\r\n", "--c\r\n", "--\r\n", "--", "-", "\n--",
    "\n--b", "--b ", "--b\t\r\n", "\r--b\r", "--b\n\n", "--b\r\nSubject: x\r\n", "--b\r\n" * 3 + "\r\n", "x\r\n",
)  # fmt: skip
_NESTS = (
    (
        "multiparts",
        b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n",
        "--b{i}\r\nContent-Type: multipart/mixed; boundary=b{j}\r\n\r\n",
    ),
    (
        "alternatives",
        b"Content-Type: multipart/alternative; boundary=b0\r\n\r\n",
        "--b{i}\r\n\r\nx\r\n--b{i}\r\nContent-Type: multipart/alternative; boundary=b{j}\r\n\r\n",
    ),
    (
        "prefixes",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        "--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\nContent-Type: multipart/mixed; boundary=bbb\r\n\r\n",
    ),
    ("mails", b"Content-Type: message/rfc822\r\n\r\n", "Content-Type: message/rfc822\r\n\r\n"),
    (
        "mails in digests",
        b"Content-Type: multipart/digest; boundary=b0\r\n\r\n",
        "--b{i}\r\n\r\nContent-Type: multipart/digest; boundary=b{j}\r\n\r\n",
    ),
    (
        "mails in mails",
        b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n",
        "--b{i}\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b{j}\r\n\r\n",
    ),
    (
        "folded boundaries",
        b"Content-Type: multipart/mixed;\r\n boundary=b0\r\n\r\n",
        '--b{i}\r\nContent-Type: multipart/mixed;\r\n boundary="b{j}"\r\nX: y\r\n\r\n',
    ),
    (
        "names of boundaries",
        b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n",
        "--b{i}\r\nContent-Type: multipart/mixed; Boundary = b{j}\r\n\r\npreamble\r\n",
    ),
)
_TNEF = (
    b"x\x9f>\"\x01\x00", b"\x01\x06\x90\x08\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x02\x05\x90\x06\x00\xff\xff\xff\xff", b"\x02\x0f\x80\x06\x00\x03\x00\x00\x00abc&\x01", b"\x00", b"\xff",
    b"\x01\x03\x90\x06\x00\x10\x00\x00\x00",
)  # fmt: skip
_SIGNED = b"0\x80\x06\t*\x86H\x86\xf7\r\x01\x07\x02\xa0\x80"
_DEAR: dict[str, tuple[str | bytes, ...]] = {
    "text/html": ("<p>a", "<li>", "<b></i>", "<!-- a -->", "<blockquote type=cite>a</blockquote>b"),
    "text/html; charset=gb2312": (b"\xc4\xe3\xff",),
    "text/plain": (
        "a\n", "\n", "> \n a\n", "-----Original Message-----\n", "a <a@b.example> wrote:\n",
        "begin 644 a.txt\n#86)C\n`\nend\n",
    ),
    "text/plain; charset=us-ascii": (b"\x81", b"a\xe9 "),
    "text/plain; charset=utf-7": ("+AGE-",),
    "text/plain; charset=utf-8": (b"\xff\n",),
    "text/plain; name=a.txt": (b"\xff",),
    "text/calendar; method=REQUEST": ("BEGIN:VEVENT\r\nSUMMARY:a\r\nEND:VEVENT\r\n",),
    "application/ms-tnef; name=winmail.dat": (b"x\x9f>\"\x01\x00" + _TNEF[3] * 1000,),
    "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m": (_SIGNED,),
    "application/pkcs7-mime": (b"0\x80", b"0\x84\x7f\xff\xff\xff"),
    "message/rfc822": ("Subject: x\r\n\r\n> \n a\n",),
    "message/delivery-status": ("Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\n",),
    "text/rfc822-headers": (" \r\n",),
    "text/enriched": ("<bold>a</bold>", "<<"),
}  # fmt: skip
_CHARSETS: dict[str, tuple[str | bytes, ...]] = {
    "utf-8": (b"\xff", b"\xe2\x80", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"a\xe9",
        b"\xc4\xe3\xba\xc3", b"\x00"),
    "us-ascii": (b"\xc4\xe3\xba\xc3", b"\x81", b"a\xe9 ", b"\xa1\xa1", b"\x82\xa0", b"\x1b$B0!\x1b(B", b"~{0!~}",
        "+AGE-", b"\x80a"),
    "gb2312": (b"\x81", b"\x81\x30\x81\x30", b"\xff", b"\xa1\xa1", b"\xc4\xe3\xff", "字"),
    "big5": (b"\xa1", b"\xa4\x40", b"\xff", b"\x80"),
    "shift_jis": (b"\x81", b"\x82\xa0", b"\xa0", b"\xfd"),
    "iso-2022-jp": (b"\x1b", b"\x1b$", b"\x1b$B", b"\x1b(B", b"\x1b$B0!\x1b(B", b"\x1b(I", b"\x0e"),
    "iso-2022-kr": (b"\x1b$)C", b"\x0e", b"\x0e0!\x0f", b"\x1b"),
    "iso-2022-cn": (b"\x1b$)A", b"\x0e0!"),
    "hz": ("~", "~{", "~{0!~}", "~~", "~\n", b"~{\xff"),
    "utf-7": ("+", "+AGE-", "+2AA-", "+2AA", "&", "+//8", b"\xff"),
    "utf-16": (b"\xff\xfe", b"\x00\xd8", b"a\x00", b"\x00", b"\n\x00", b"\xff"),
    "utf-32": (b"\x00\x00\x11\x00", b"a\x00\x00\x00", b"\xff"),
    "punycode": ("a", "a-", "-", "9", "abc-9", "zzz"),
    "idna": ("a", "a.", "xn--a.", ".", "\u3002"),
    "unicode_escape": ("\\", "\\u", "\\udc80", "\\N{BULLET}", "\\x0", "\\\n"),
    "raw_unicode_escape": ("\\udc80", "\\u0000", "\\"),
    "undefined": ("a", b"\xff"), "rot13": ("a",), "base64": ("YQ==",), "hex": ("61",), "zlib": (b"x\x9c",),
    "charmap": (b"\xff",), "mbcs": ("a",), "utf-8-sig": (b"\xff",), "cp65001": (b"\xff",), "x-unknown": (b"\xff", "a"),
    "\x00": ("a",),
}  # fmt: skip
_ENCODINGS: dict[str, tuple[str | bytes, ...]] = {
    "base64": ("=", "A", "A=", "==", "A===", "AAAA====", "!", "A\r\n", "AAAA\r\n", "PHA+", "PGI+\r\n", "\r\n", "A=A",
        b"\xff", "-_", " ", "AAAA=AAA"),
    "quoted-printable": ("=", "=\r\n", "=0", "==", "=FF", "=3D", "=3C", "=0A", "=0D", "=00", "=C4=E3\r\n", " ", " \r\n",
        "a \r\n", "\t=\n", "=\n=", "= \r\n", "=\r"),
    "x-uuencode": ("begin 644 a\n", "M\n", "`\n", "end\n", "begin 644 a\n`\nend\n", "#86)C\n", "M" + "A" * 60 + "\n",
        "~\n", "M", "\n", b"\xff\n", " ", "!\n"),
    "7bit": (b"\xff", "a"), "binary": (b"\x00", b"\r", b"\xff\n"), "x-yenc": ("=ybegin line=128 size=1 name=a\r\n",
        "=}", "=yend\r\n"), "base64; base64": ("YWJj\r\n",), "gzip": (b"\x1f\x8b",),
}  # fmt: skip
_LEAVES = (
    "text/plain",
    "text/html",
    "application/octet-stream",
    "message/rfc822",
    "application/ms-tnef",
    "text/calendar",
)
_PART = 200 * KB
_RTF, _DICTIONARY, _RUN = b"{\\rtf1\\ansi ", 207, 17
_RICH = (
    b"a", b"{", b"}", b"{}", b"\\", b"\\par ", b"\\'ff", b"\\'c4\\'e3", b"\\u-10000 ", b"\\uc99999\\u1 ", b"\\bin99999999 ", b"\\f1\\f0 ",
    b"{\\f1\\fcharset134 a;}", b"{\\*\\htmltag64 <b>}", b"{\\*\\htmltag", b"\n", b"\\~", b"a b\\par\n",
)  # fmt: skip
_REPORTS = (
    "Final-Recipient: rfc822; a{i}@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n",
    "Final-Recipient: rfc822; a{i}@b.example\r\n", "Final-Recipient: rfc822;",
    "Final-Recipient: rfc822; a@b.example\r\n\r\n", "Action: failed\r\n\r\n", "Status: 5.1.1\r\n", "5.1.1 ", "\r\n",
    " \r\n", "\r\n ", "a\r\n\r\n", "a",
    "Diagnostic-Code: smtp; 550 no such user\r\n ", "Original-Recipient: rfc822;a{i}@b.example\r\n\r\n", "X{i}: y\r\n",
    ":", ";", "@", "a@", "\x00", b"\xff",
)  # fmt: skip
_SAYINGS = (
    "", "here is your list of failed recipients\n", "transcript of session follows\n", "failed addresses follow:\n",
    "This message was created automatically by mail delivery software\n",
    "Delivery to the following recipient failed\n", "Delivery to the following recipients failed\n",
    "Sorry, unable to deliver your message to\n", "Invalid final delivery userid:\n",
    "Your message could not be delivered to\n", "Your message has encountered delivery problems\n",
    "Did not reach the following recipient\n", "Message not delivered to the following addresses\n",
    "A message that you sent could not be delivered\n", "this is the email server at\n", "Your message to:\n",
    "Hi. This is the qmail-send program at a.example.\n", "This is the Postfix program at host a.\n",
    "The following recipients did not receive this message:\n",
    "mail to the following recipients could not be delivered\n",
    "This Message was undeliverable due to the following reason:\n",
    "The following addresses had permanent fatal errors\n", "退信\n",
)  # fmt: skip
_RETURNS = (
    "a", "a ", "a@", "@", "@a", "a@b.example ", "a{i}@b.example\n", "<a{i}@b.example>: ", "<a{i}@b.example>:\n",
    "<a{i}@b.example>\n", "<", "<a", " ", "\t", "\n", " \n", "> ", "*", "(", "5.1.1 ", "550 ", "5", "fail ",
    "failed\n", "original message\n", "copy of the message ", "----- ",
    "Message-ID: <a{i}@b.example>\n", "Message-ID: ", "Message-ID: <", "RCPT TO:<a@b.example>\n", "RCPT TO:",
    "rcpt to: ", "退信", "will retry ", "SMTP=a; on ", "a@b on ", ",", ", a@b,", "mailbox ", "quota ", "'", '"', "-",
)  # fmt: skip


@cache
def bombs() -> tuple[Bomb, ...]:
    """Return every bomb there is."""
    made = itertools.chain(_bodies(), _headers(), _trees(), _large_parts(), _codings(), _returns())
    return tuple({(b.head, b.unit, b.tail): b for b in made}.values())


def _bodies() -> Iterator[Bomb]:
    utf8 = "charset=utf-8"
    yield from _floods("text", _body(f"text/plain; {utf8}", "Content-Transfer-Encoding: 8bit"), _TEXTS)
    yield from _floods("commands", _body(f"text/plain; {utf8}", "Content-Transfer-Encoding: 8bit"), _COMMANDS)
    yield from _floods("html", _body(f"text/html; {utf8}"), _HTMLS)
    yield from _floods(
        "html with an end", _body(f"text/html; {utf8}") + b"<html><body><p>", _HTMLS, "</p></body></html>"
    )
    yield from _floods("html in a tag", _body(f"text/html; {utf8}") + b"<div ", _IN_TAGS, ">a</div>")
    yield from _floods("html in a style", _body(f"text/html; {utf8}") + b"<div style='", _IN_STYLES, "'>a</div>")
    both = (
        _body("multipart/alternative; boundary=b")
        + b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<blockquote type=cite>"
    )
    yield from _floods("html beside text", both, _HTMLS, "\r\n--b--\r\n")


def _headers() -> Iterator[Bomb]:
    for family, (units, names) in _HEADERS.items():
        for name in names:
            for bomb in _floods(f"header: {family}", name or "X: ", units, "\r\nX-After: y\r\n\r\nhello\r\n"):
                head = bomb.head if name in ("From: ", "Subject: ", "Message-ID: ", "Date: ") else _PERSON + bomb.head
                yield bomb._replace(name=f"{name}{bomb.name}"[:60], head=head)
    yield from _floods("header lines", _PERSON, _LINES, "\r\nhello\r\n")
    yield from _floods("header lines without an end", b"", _LINES)


def _trees() -> Iterator[Bomb]:
    for kind in _KINDS:
        head = _body(f"multipart/{kind}; boundary=b")
        for bomb in _floods("parts", head, _PARTS):
            yield bomb._replace(name=f"{kind.partition(';')[0]} {bomb.name}")
    for name, head, unit in _NESTS:
        yield Bomb("nested", name, _PERSON + head, unit.encode())
        yield Bomb("nested", f"{name} with an end", _PERSON + head, unit.encode(), b"\r\n\r\nhello\r\n--b0--\r\n")
    for depth in (10, 60, 1000):
        tail = b"".join(b"\r\n--b%d--\r\n" % i for i in range(depth, -1, -1))
        nest = b"".join(
            b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (i, i + 1) for i in range(depth)
        )
        head = _PERSON + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + nest + b"--b%d\r\n\r\n" % depth
        yield Bomb("nested", f"{depth} and all closed", head, b"hello\r\n", tail)
    for at in (70, 1000, 60_000):
        head = _body(f'multipart/mixed; boundary="{"b" * at}"')
        yield Bomb("nested", f"boundary of {at}", head, b"--" + b"b" * at + b"\r\n\r\nx\r\n")


def _large_parts() -> Iterator[Bomb]:
    """Parts of 200 KB, each of them dear by itself: limits must count what a whole mail costs."""
    for kind, flood in ((k, f) for k, floods in _DEAR.items() for f in floods):
        part = f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + _bytes(flood) * (_PART // len(_bytes(flood)))
        yield Bomb("large parts", f"{kind} {flood!r}"[:60], _body("multipart/mixed; boundary=b"), part + b"\r\n")
    for name, kind, content in _wrapped():
        head = f"--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        part = head + base64.encodebytes(content) + b"\r\n"
        yield Bomb("wrapped parts", name, _body("multipart/mixed; boundary=b"), part)
    for name, flood in (
        ("From: ", "<@a,@b:"),
        ("To: ", "a@b.example,"),
        ("Subject: ", "=?a?b?c"),
        ("Received: ", "from a by b "),
        ("Content-Type: text/plain", "; a*{i}*=b"),
    ):
        header = name.encode() + flood.encode() * (28 * KB // len(flood)) + b"\r\n"
        yield Bomb(
            "large headers",
            f"of parts: {name}{flood}",
            _body("multipart/mixed; boundary=b"),
            b"--b\r\n" + header + b"\r\nx\r\n",
        )
        mail = b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + header + b"\r\nx\r\n"
        yield Bomb("large headers", f"of mails: {name}{flood}", _body("multipart/mixed; boundary=b"), mail)
        yield Bomb("large headers", f"of many: {name}{flood}", _PERSON, header)


def _wrapped() -> Iterator[tuple[str, str, bytes]]:
    """What lies behind a format of its own: rich text in winmail.dat, packed and not, and S/MIME in S/MIME."""
    for flood in _RICH:
        plain = _RTF + flood * (_PART // len(flood))
        yield (
            f"rich text {flood!r}",
            "application/ms-tnef; name=winmail.dat",
            _winmail(plain, b"MELA" + bytes(4) + plain),
        )
        packed = _packed(flood, _PART * 20)
        yield f"packed text {flood!r}", "application/ms-tnef; name=winmail.dat", _winmail(bytes(_PART * 20), packed)
    content = b"Content-Type: text/plain\r\n\r\nhello\r\n"
    for _ in range(20):
        content = _signed(_der(0x04, content))
        yield "signed", "application/pkcs7-mime; smime-type=signed-data", content
        head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        content = head + base64.encodebytes(content)
    crumbs = _signed(b"\x24\x80" + b"\x04\x01a" * (_PART // 3) + bytes(2))
    yield "signed crumbs", "application/pkcs7-mime; smime-type=signed-data", crumbs


def _winmail(plain: bytes, value: bytes) -> bytes:
    """Return a TNEF stream that holds nothing but a rich text ([MS-OXTNEF], [MS-OXRTFCP])."""
    rich = struct.pack("<II", len(value) + 8, len(plain)) + value
    property_ = struct.pack("<IHHII", 1, 0x102, 0x1009, 1, len(rich)) + rich + bytes(-len(rich) % 4)
    return b'x\x9f>"\x01\x00' + struct.pack("<BII", 1, 0x00069003, len(property_)) + property_ + bytes(2)


def _packed(flood: bytes, size: int) -> bytes:
    """Return a rich text of one unit over and over, packed as small as can be."""
    out = bytearray(b"LZFu" + bytes(4))
    start = _RTF + flood * (_RUN // len(flood) + 9)
    start = start[: len(start) // 8 * 8]
    for at in range(0, len(start), 8):
        out += b"\x00" + start[at : at + 8]
    position = _DICTIONARY + len(start)
    back = len(flood) * (_RUN // len(flood) + 1)
    for _ in range(size // (8 * _RUN)):
        out.append(0xFF)
        for _ in range(8):
            out += struct.pack(">H", ((position - back) % 4096) << 4 | 15)
            position += _RUN
    return bytes(out)


def _signed(octets: bytes) -> bytes:
    """Return an opaque S/MIME message that nobody has signed (RFC 5652)."""
    data = _der(0x30, b"\x06\t*\x86H\x86\xf7\r\x01\x07\x01" + _der(0xA0, octets))
    signed = _der(0x30, b"\x02\x01\x01" + _der(0x31, b"") + data + _der(0x31, b""))
    return _der(0x30, b"\x06\t*\x86H\x86\xf7\r\x01\x07\x02" + _der(0xA0, signed))


def _der(tag: int, content: bytes) -> bytes:
    return struct.pack(">BBI", tag, 0x84, len(content)) + content


def _codings() -> Iterator[Bomb]:
    for charset, units in _CHARSETS.items():
        for kind in ("text/plain", "text/html"):
            for bomb in _floods(
                "charset", _body(f'{kind}; charset="{charset}"', "Content-Transfer-Encoding: 8bit"), units
            ):
                yield bomb._replace(name=f"{charset} {bomb.name} {kind[5:]}")
    for encoding, units in _ENCODINGS.items():
        for kind in _LEAVES:
            for bomb in _floods("transfer encoding", _body(kind, f"Content-Transfer-Encoding: {encoding}"), units):
                yield bomb._replace(name=f"{encoding} {bomb.name} {kind}")
    head = _body("application/ms-tnef; name=winmail.dat", "Content-Transfer-Encoding: binary") + _TNEF[0]
    yield from _floods("winmail.dat", head, _TNEF)


def _returns() -> Iterator[Bomb]:
    report = _DAEMON + _body("multipart/report; report-type=delivery-status; boundary=b")[len(_PERSON) :]
    yield from _floods(
        "report", report + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n", _REPORTS, "\r\n--b--\r\n"
    )
    yield from _floods("report alone", _DAEMON + b"Content-Type: message/delivery-status\r\n\r\n", _REPORTS)
    headers = report + b"--b\r\n\r\nfailed\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    yield from _floods("report with headers", headers, [*_LINES, *_RETURNS], "\r\n--b--\r\n")
    for saying in _SAYINGS:
        for bomb in _floods("bounce in words", _DAEMON + b"\r\n" + saying.encode(), _RETURNS):
            yield bomb._replace(name=f"{bomb.name} after {saying.strip()!r}"[:60])


# --- mutants: real structures with damage ---

Mutation = Callable[[random.Random, bytes], bytes]
_NOISES = (
    b"\x00", b"\x80", b"\xff\xfe", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\x1b$B", b"\xed\xa0\x80", b"=", b'"', b"\\",
    b"<", b">", b"(", b"--", b"=?", b"?=", b";", b":", b"\t", b"\x0c", b"\xe2\x80\xae", b"%", b"&#x", b"'",
)  # fmt: skip
_LARGEST_MUTANT = 96 * KB
_EXTRA = (
    "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "From", "To", "Subject", "Date", "Message-ID",
    "References", "Auto-Submitted", "Return-Path", "Received", "MIME-Version",
)  # fmt: skip
_TYPES = (
    "text/plain", "text/html", "multipart/mixed", "multipart/mixed; boundary=b", "multipart/alternative; boundary=",
    "message/rfc822", "message/delivery-status", "multipart/report; boundary=b", "application/ms-tnef",
    "text/rfc822-headers", "multipart/digest; boundary=b", "text/plain; format=flowed; delsp=yes", "text/enriched",
    "application/pkcs7-mime", "multipart/encrypted; boundary=b", "text/calendar; method=REPLY", "text", "/", "", ";",
    "text/plain; charset", "message/partial", "message/global", "image/png; name*0*=a''%", "TEXT/HTML; CHARSET=GBK",
    "multipart/signed; boundary=\"a\\\"b\"",
)  # fmt: skip
_DATES = (
    "Mon, 99 Foo 10000 29:24:05 +9999", "", "Mon, 23 Nov 2026 09:00:60 +0800", "1 Jan 0001 00:00:00 +2359",
    "31 Dec 9999 23:59:59 -2359", "Thu, 1 Jan 1970", "(" * 50, "2026-11-23T09:00:00", "Mon, 23 Nov 126 1:2:3 PST", "0",
    "23 Nov 2026 09:00:00 +99999999999",
)  # fmt: skip
_ENDS = (
    (b"\r\n", b"\n"),
    (b"\r\n", b"\r"),
    (b"\n", b"\r\n"),
    (b"\r\n", b"\r\r\n"),
    (b"\n", b"\x0b"),
    (b"\r\n", b"\n\r"),
)
_FILE_NAMES = (
    b'"../../etc/passwd"', b'"' + b"a" * 4000 + b'.txt"', b"*0*=utf-8''%", b'"\x00"', b'"="', b'"',
    b"=?utf-8?B?a?=", b'".."', "\u202egpj.exe".encode(), b'"a\\', b'"C:\\x\\y.txt"', b"\xc4\xe3",
)  # fmt: skip
_MISSPELLINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda b: b[:-2] + b[-1:],
    lambda _: b'""',
    lambda b: b.strip(b'"')[:5],
    bytes.swapcase,
    lambda b: b + b"-",
    lambda b: b'"--' + b.strip(b'"') + b'"',
    lambda _: b"b" * 2000,
    lambda _: b'" "',
)
_BREAKS: tuple[Callable[[bytes], bytes], ...] = (
    lambda word: word,
    lambda word: word[:-2],
    lambda word: word * 3,
    lambda word: word.replace(b"=", b"?"),
    lambda word: b"=?x?B?%s?=" % word,
    lambda word: word.replace(b"?", b"??", 1),
)
_DATE_LINE = re.compile(rb"(?im)^date:.*$")
_BOUNDARY = re.compile(rb"(?i)(boundary\s*=\s*)(\"[^\"\r\n]*\"|[^\s;]+)")
_CHARSET = re.compile(rb"(?i)(charset\s*=\s*)(\"[^\"\r\n]*\"|[^\s;]+)")
_ENCODING = re.compile(rb"(?im)^(content-transfer-encoding:\s*)(\S+)")
_TYPE = re.compile(rb"(?im)^(content-type:\s*)([^\r\n]*)")
_NAME = re.compile(rb"(?i)(name\*?\s*=\s*)(\"[^\"\r\n]*\"|[^\s;]+)")
_VALUE = re.compile(rb"(?m)^([!-9;-~]+:[ \t]*)([^\r\n]*)")
_WORD = re.compile(rb"=\?[^?\s]*\?[bBqQ]\?[^?\s]*\?=")


def _place(rng: random.Random, content: bytes) -> int:
    return rng.randrange(len(content) + 1)


def _slice(rng: random.Random, content: bytes, most: int = 2000) -> tuple[int, int]:
    start = _place(rng, content)
    return start, min(len(content), start + rng.randrange(1, most))


def _swap_one(rng: random.Random, content: bytes, pattern: re.Pattern[bytes], new: Callable[[bytes], bytes]) -> bytes:
    """Replace the second group of one of the matches."""
    found = list(pattern.finditer(content))
    if not found:
        return insert_noise(rng, content)
    match = rng.choice(found)
    return content[: match.start(2)] + new(match[2]) + content[match.end(2) :]


def flip_bytes(rng: random.Random, content: bytes) -> bytes:
    mutant = bytearray(content)
    for _ in range(rng.choice((1, 3, 30, 300)) if mutant else 0):
        mutant[rng.randrange(len(mutant))] ^= 1 << rng.randrange(8)
    return bytes(mutant)


def delete_slice(rng: random.Random, content: bytes) -> bytes:
    start, end = _slice(rng, content)
    return content[:start] + content[end:]


def repeat_slice(rng: random.Random, content: bytes) -> bytes:
    start, end = _slice(rng, content)
    times = min(rng.choice((2, 10, 1000)), _LARGEST_MUTANT // (end - start + 1) + 1)
    return content[:start] + content[start:end] * times + content[end:]


def splice_with_another(rng: random.Random, content: bytes) -> bytes:
    other = rng.choice(real_mails())
    return content[: _place(rng, content)] + other[_place(rng, other) :]


def put_another_inside(rng: random.Random, content: bytes) -> bytes:
    at, other = _place(rng, content), rng.choice(real_mails())
    return content[:at] + other + content[at:]


def truncate(rng: random.Random, content: bytes) -> bytes:
    return content[: _place(rng, content)]


def insert_noise(rng: random.Random, content: bytes) -> bytes:
    for _ in range(rng.choice((1, 5, 50))):
        at = _place(rng, content)
        content = content[:at] + rng.choice(_NOISES) * rng.choice((1, 1, 1, 20)) + content[at:]
    return content


def insert_random_bytes(rng: random.Random, content: bytes) -> bytes:
    at = _place(rng, content)
    return content[:at] + rng.randbytes(rng.choice((1, 10, 1000))) + content[at:]


def swap_line_ends(rng: random.Random, content: bytes) -> bytes:
    return content.replace(*rng.choice(_ENDS))


def mix_line_ends(rng: random.Random, content: bytes) -> bytes:
    return b"".join(line.rstrip(b"\r\n") + rng.choice((b"\r\n", b"\n", b"\r")) for line in content.splitlines(True))


def drop_blank_lines(rng: random.Random, content: bytes) -> bytes:
    return re.sub(rb"\r?\n\r?\n", b"\r\n", content, count=rng.choice((0, 1, 2)))


def drop_lines(rng: random.Random, content: bytes) -> bytes:
    return b"".join(line for line in content.splitlines(True) if rng.random() > 0.1)


def shuffle_lines(rng: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(True)
    start, end = _slice(rng, content)
    some = lines[start % (len(lines) + 1) : end % (len(lines) + 1)]
    rng.shuffle(some)
    lines[start % (len(lines) + 1) : end % (len(lines) + 1)] = some
    return b"".join(lines)


def misspell_a_boundary(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(rng, content, _BOUNDARY, rng.choice(_MISSPELLINGS))


def name_two_boundaries(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(
        rng, content, _BOUNDARY, lambda b: rng.choice((b"b; boundary=" + b, b + b"; boundary=b", b + b"; boundary*0=a"))
    )


def use_one_boundary(rng: random.Random, content: bytes) -> bytes:
    names = [m[2].strip(b'"') for m in _BOUNDARY.finditer(content)]
    for name in names[1:]:
        content = content.replace(name, rng.choice((names[0], names[0] + b"x", names[0][:-1])))
    return content


def drop_closing_boundaries(rng: random.Random, content: bytes) -> bytes:
    return re.sub(rb"(?m)^--[^\r\n]*--\r?\n?", b"", content, count=rng.choice((0, 1)))


def repeat_boundaries(rng: random.Random, content: bytes) -> bytes:
    return re.sub(rb"(?m)^--\S[^\r\n]*\r?\n", lambda m: m[0] * rng.choice((1, 2, 50)), content)


def lie_about_the_charset(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(rng, content, _CHARSET, lambda _: rng.choice(tuple(_CHARSETS)).encode())


def lie_about_the_encoding(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(rng, content, _ENCODING, lambda _: rng.choice(tuple(_ENCODINGS)).encode())


def lie_about_the_type(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(rng, content, _TYPE, lambda _: rng.choice(_TYPES).encode())


def misname_a_file(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(rng, content, _NAME, lambda _: rng.choice(_FILE_NAMES))


def number_the_parameters(rng: random.Random, content: bytes) -> bytes:
    places = [*rng.sample(range(100), 6), 999_999_999, 10**40]
    pieces = b"".join(
        b"; name*%d%s=%s" % (i, rng.choice((b"", b"*")), rng.choice((b"a", b"%E4", b"gb2312''%", b'"x')))
        for i in places
    )
    return _swap_one(rng, content, _TYPE, lambda old: old + pieces)


def break_encoded_words(rng: random.Random, content: bytes) -> bytes:
    return _WORD.sub(lambda m: rng.choice(_BREAKS)(m[0]), content)


def flood_a_header(rng: random.Random, content: bytes) -> bytes:
    units = rng.choice([units for units, _ in _HEADERS.values()])
    unit = _bytes(rng.choice(units)).replace(b"{i}", b"1")
    return _swap_one(rng, content, _VALUE, lambda old: old + unit * (rng.choice((3, 300, 20_000)) // len(unit) + 1))


def repeat_a_header(rng: random.Random, content: bytes) -> bytes:
    found = _VALUE.findall(content)
    line = b"".join(rng.choice(found)) + b"\r\n" if found else b"To: a\r\n"
    return line * rng.choice((1, 2, 200)) + content


def add_a_header(rng: random.Random, content: bytes) -> bytes:
    units = rng.choice([units for units, _ in _HEADERS.values()])
    value = b"".join(_bytes(rng.choice(units)).replace(b"{i}", b"7") for _ in range(rng.randrange(8)))
    return rng.choice(_EXTRA).encode() + b": " + value + b"\r\n" + content


def swap_a_value(rng: random.Random, content: bytes) -> bytes:
    found = _VALUE.findall(content)
    return _swap_one(rng, content, _VALUE, lambda old: rng.choice(found)[1] if found else old)


def fold_everywhere(rng: random.Random, content: bytes) -> bytes:
    return _swap_one(
        rng,
        content,
        _VALUE,
        lambda old: rng.choice((b"\r\n ", b"\r\n\t\r\n ", b"\n ")).join([old[i : i + 1] for i in range(len(old))]),
    )


def misdate(rng: random.Random, content: bytes) -> bytes:
    return _DATE_LINE.sub(b"Date: " + rng.choice(_DATES).encode(), content)


def flood_the_middle(rng: random.Random, content: bytes) -> bytes:
    bomb = rng.choice(bombs())
    at = _place(rng, content)
    return content[:at] + bomb._replace(head=b"", tail=b"").make(rng.choice((100, 4 * KB, 40 * KB))) + content[at:]


def replace_the_body(rng: random.Random, content: bytes) -> bytes:
    head, blank, _ = content.partition(b"\r\n\r\n")
    bomb = rng.choice(bombs())
    return head + blank + bomb._replace(head=b"").make(rng.choice((100, 4 * KB, 40 * KB)))


def wrap_in_a_mail(rng: random.Random, content: bytes) -> bytes:
    for _ in range(rng.choice((1, 3, 60))):
        content = _PERSON + b"Content-Type: message/rfc822\r\n\r\n" + content
    return content


def wrap_in_a_multipart(rng: random.Random, content: bytes) -> bytes:
    for i in range(rng.choice((1, 3, 60))):
        head = b"Content-Type: multipart/%s; boundary=w%d\r\n\r\n--w%d\r\n" % (rng.choice(_KINDS).encode(), i, i)
        content = head + content + b"\r\n--w%d--\r\n" % i
    return _PERSON + content


MUTATIONS: tuple[Mutation, ...] = (
    flip_bytes, delete_slice, repeat_slice, splice_with_another, put_another_inside, truncate, insert_noise,
    insert_random_bytes, swap_line_ends, mix_line_ends, drop_blank_lines, drop_lines, shuffle_lines,
    misspell_a_boundary,
    name_two_boundaries, use_one_boundary, drop_closing_boundaries, repeat_boundaries, lie_about_the_charset,
    lie_about_the_encoding, lie_about_the_type, misname_a_file, number_the_parameters, break_encoded_words,
    flood_a_header,
    repeat_a_header, add_a_header, swap_a_value, fold_everywhere, misdate, flood_the_middle, replace_the_body,
    wrap_in_a_mail, wrap_in_a_multipart,
)  # fmt: skip


@cache
def real_mails() -> tuple[bytes, ...]:
    """Return the mails of tests/mails, by name."""
    return tuple(p.read_bytes() for p in sorted(MAILS.rglob("*.eml")))


# --- one mail by its number ---


@dataclasses.dataclass(frozen=True, slots=True)
class Hostile:
    """One mail of a campaign."""

    seed: int
    number: int
    family: str
    name: str
    content: bytes


def hostile_mail(seed: int, number: int, largest: int = max(SIZES)) -> Hostile:
    """Return mail `number` of this seed; the same always, as long as tests/mails is the same."""
    rng = random.Random(f"{seed}:{number}")
    if rng.randrange(100) < BOMBS_IN_A_HUNDRED:
        family = rng.choice(sorted({b.family for b in bombs()}))
        bomb = rng.choice([b for b in bombs() if b.family == family])
        size = rng.choices(list(SIZES), list(SIZES.values()))[0]
        return Hostile(seed, number, f"bomb: {bomb.family}", bomb.name, bomb.make(min(size, largest)))
    content, names = rng.choice(real_mails()), []
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        mutation = rng.choice(MUTATIONS)
        content = mutation(rng, content)[: 4 * _LARGEST_MUTANT]
        names.append(mutation.__name__)
    return Hostile(seed, number, f"mutant: {names[-1]}", " ".join(names), content)
