"""What a mail says is read right, whatever its sender's client made of it; and no bytes break the reading."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.intake.as_json import letter_as_json
from daemon.intake.letter import Letter, read_letter, read_letter_file
from daemon.words import Address, Nature

MAILS = Path(__file__).parent / "mails"


def mail(name: str) -> Letter:
    return read_letter((MAILS / f"{name}.eml").read_bytes())


def made(*lines: str | bytes) -> Letter:
    return read_letter(b"\r\n".join(x if isinstance(x, bytes) else x.encode() for x in lines))


def headers(*lines: str | bytes) -> Letter:
    return made("From: Ann <ann@example.com>", *lines, "", "hello")


def all_text(letter: Letter) -> list[str]:
    people = [*letter.senders, *letter.reply_to, *letter.to, *letter.cc]
    return [
        letter.message_id,
        letter.subject,
        letter.text,
        letter.html_text,
        letter.new_text,
        letter.quoted_text,
        letter.language,
        letter.nature_reason,
        letter.return_path or "",
        *letter.in_reply_to,
        *letter.references,
        *letter.delivered_to,
        *letter.defects,
        *(x for a in people for x in (a.name, a.address)),
        *(x for a in letter.attachments for x in (a.name, a.content_type, a.sha256)),
        *(x for row in letter.headers for x in row),
        *(r.address for r in (letter.bounce.recipients if letter.bounce else ())),
    ]


def is_storable(letter: Letter) -> None:
    """Every text can be encoded, holds no NUL, and comes back from SQLite as it was."""
    db = sqlite3.connect(":memory:")
    for text in all_text(letter):
        assert "\x00" not in text
        assert db.execute("select ?", (text,)).fetchone()[0] == text.encode("utf-8").decode("utf-8")
    db.close()
    json.dumps(letter_as_json(letter, "x"), ensure_ascii=False).encode("utf-8")


class TestAnyBytes:
    """FAILURES: total decoders; nothing that comes by mail may stop the reading."""

    @given(st.binary(max_size=3000))
    def test_noise(self, noise: bytes) -> None:
        letter = read_letter(noise)
        is_storable(letter)
        assert letter.size == len(noise) and letter.sha256 == hashlib.sha256(noise).hexdigest()
        assert letter.text.strip() or any(d.startswith("no text: ") for d in letter.defects)

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    "From To Cc Subject Date Message-ID References Return-Path Delivered-To Content-Type"
                    " Content-Transfer-Encoding Content-Disposition Received Auto-Submitted Headers Parse".split()
                ),
                st.one_of(
                    st.binary(max_size=60),
                    st.sampled_from(
                        [
                            b"=?utf-8?B?a?= <a@b>",
                            b"a@[",
                            b"<>",
                            b"<[x]>",
                            b"a: b, c;; d@e, (",
                            b'multipart/mixed; boundary="b"',
                            b"multipart/alternative; boundary=b",
                            b"message/rfc822",
                            b"text/html; charset=gb2312",
                            b"text/plain; charset=\x00",
                            b"text/plain; charset=utf-7",
                            b"application/pdf; name*0*=; name",
                            b"attachment; filename*=undefined''%ff",
                            b"base64",
                            b"quoted-printable",
                            b"x-uuencode",
                            b"=?gb2312?Q?=FF=FF=FF?= =?x?B?//?=",
                            b"Mon, 99 Foo 10000 29:24:05 +9999",
                            b"multipart/report; report-type=delivery-status; boundary=b",
                            b"message/delivery-status",
                        ]
                    ),
                ),
            ),
            max_size=8,
        ),
        st.lists(
            st.one_of(
                st.binary(max_size=80),
                st.sampled_from(
                    [
                        b"--b",
                        b"--b--",
                        b"",
                        b"Content-Type: text/html; charset=gbk",
                        b"Content-Type: message/rfc822",
                        b"Content-Type: message/delivery-status",
                        b"Final-Recipient: rfc822; x@y.z",
                        b"Content-Transfer-Encoding: base64",
                        b"<div><blockquote type=cite>\xff</blockquote><table><td>x",
                        b"begin 644 a.txt",
                        b"end",
                        b"> quoted",
                        "在 2026-11-22，“a” <a@b.c> 写道：".encode(),
                        "发件人: x\n发送时间: 2026\n主题: y".encode("gbk"),
                        b"On Mon On Mon On Mon a@b wrote:",
                        b"-- ",
                    ]
                ),
            ),
            max_size=14,
        ),
    )
    def test_nearly_mail(self, head: list[tuple[str, bytes]], body: list[bytes]) -> None:
        content = b"".join(n.encode() + b": " + v + b"\r\n" for n, v in head) + b"\r\n" + b"\r\n".join(body)
        is_storable(read_letter(content))

    @given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
    def test_a_real_mail_with_a_hole_in_it(self, place: int, noise: bytes) -> None:
        content = (MAILS / "customer_sends_a_screenshot_in_outlook.eml").read_bytes()
        at = place * len(content) // 400
        is_storable(read_letter(content[:at] + noise + content[at + len(noise) :]))
