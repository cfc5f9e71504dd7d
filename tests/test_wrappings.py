"""What lies wrapped in a mail (Outlook's winmail.dat, S/MIME, rich text, calendars, other mails) is opened or told of."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.intake.calendar import invitation_text
from daemon.intake.dates import parse_date
from daemon.intake.letter import read_letter
from daemon.intake.rtf import read_rich_text
from daemon.intake.smime import signed_content
from daemon.intake.tnef import read_tnef
from tests.corpus import MAILS

_SIGNATURE = b"\x78\x9f\x3e\x22\x01\x00"


class TestNothingRaises:
    """FAILURES: total decoders; a wrapping is opened as far as it goes."""

    @given(st.binary(max_size=2000), st.booleans())
    def test_tnef(self, noise: bytes, signed: bool) -> None:
        tnef = read_tnef(_SIGNATURE + noise if signed else noise)
        assert signed or noise.startswith(_SIGNATURE) or tnef.defects

    @given(st.integers(0, 10_000), st.binary(max_size=8))
    def test_a_damaged_winmail_dat(self, place: int, noise: bytes) -> None:
        whole = _winmail()
        place %= len(whole)
        tnef = read_tnef(whole[:place] + noise + whole[place + len(noise) :])
        assert len(tnef.files) <= len(whole)

    @given(st.binary(max_size=1000))
    def test_smime(self, noise: bytes) -> None:
        content = signed_content(b"\x30\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x02" + noise)
        assert content is None or content in noise

    @given(st.binary(max_size=1000))
    def test_rich_text(self, noise: bytes) -> None:
        text, html = read_rich_text(len(noise).to_bytes(4, "little") * 2 + b"MELA\0\0\0\0{\\rtf1 " + noise)
        assert not (text and html)

    @given(st.text(max_size=200))
    def test_dates_and_calendars(self, text: str) -> None:
        moment = parse_date(text)
        assert moment is None or moment.tzinfo is UTC
        said = invitation_text(f"BEGIN:VEVENT\r\nDTSTART:{text}\r\n")
        assert len(said) <= len(text)


def _winmail() -> bytes:
    """The attachment of a mail in the corpus that Outlook wrapped."""
    raw = (MAILS / "forms" / "outlook_wraps_files_with_long_names_in_winmail_dat.eml").read_bytes()
    code = raw[raw.lower().rindex(b"base64") + 6 :].split(b"\r\n\r\n", 1)[-1].split(b"--", 1)[0]
    return base64.b64decode(code)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("application/ms-tnef", "winmail.dat is too large to be opened: see the original"),
        ("application/pkcs7-mime", "S/MIME is too large to be opened: see the original"),
    ],
)
def test_what_is_too_large_to_be_opened_is_not_called_damaged(kind: str, said: str) -> None:
    code = base64.encodebytes(_SIGNATURE + bytes(8_000_000))
    head = f"From: a@b.example\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    letter = read_letter(head.encode() + code)
    assert said in letter.defects and not any("damaged" in d for d in letter.defects)
    assert [a.size for a in letter.attachments] == [8_000_000 + len(_SIGNATURE)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Mon, 23 Nov 2026 09:30:00 +0800", (1, 30)),
        ("23 Nov 26 09:30 +0800", (1, 30)),
        ("Mon, 23 Nov 2026 09:30:00 GMT+8", (1, 30)),
        ("Mon, 23 Nov 2026 09:30:00 +0800 (中国标准时间)", (1, 30)),
        ("Mon, 23 Nov 2026 09:30:00 JST", (0, 30)),
        ("2026-11-23 09:30:00+08:00", (1, 30)),
        ("2026年11月23日 9:30:00 +0800", (1, 30)),
        ("lun., 23 nov. 2026 09:30:00 +0100", (8, 30)),
        ("Mo, 23 Nov 2026 09:30:00 +0100", (8, 30)),
        ("Mon Nov 23 09:30:00 2026", (9, 30)),
        ("23 Nov 2026 9:30:05 PM +0000", (21, 30)),
    ],
)
def test_a_moment_is_read_however_it_is_written(written: str, meant: tuple[int, int]) -> None:
    moment = parse_date(written)
    assert moment is not None
    assert (moment.date(), moment.hour, moment.minute) == (datetime(2026, 11, 23).date(), *meant)


@pytest.mark.parametrize("nonsense", ["", "soon", "99 Foo 2026 99:99", "Mon, 31 Feb 2026 09:30:00 +0000", "+9999", "0"])
def test_no_moment_is_made_up(nonsense: str) -> None:
    assert parse_date(nonsense) is None


def _nested(depth: int) -> bytes:
    mail = b"From: a@b.example\r\nSubject: core\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\ninnermost\r\n"
    mail += b'--c\r\nContent-Type: application/pdf; name="deep.pdf"\r\n\r\nPDF\r\n--c--\r\n'
    for level in range(depth):
        head = (
            f"From: a@b.example\r\nSubject: level {level}\r\nContent-Type: multipart/mixed; boundary=b{level}\r\n\r\n"
        )
        part = f"--b{level}\r\nContent-Type: message/rfc822\r\n\r\n".encode()
        mail = head.encode() + part + mail + f"\r\n--b{level}--\r\n".encode()
    return mail


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_mails_within_mails_are_opened_with_their_files(depth: int) -> None:
    letter = read_letter(_nested(depth))
    names = [a.name for a in letter.attachments]
    assert len([n for n in names if n.endswith(".eml")]) == depth and names[-1] == "deep.pdf"
    assert letter.attachments[-1].sha256 == hashlib.sha256(b"PDF").hexdigest()
    assert letter.new_text == "" and "innermost" in letter.text


@pytest.mark.parametrize("depth", [6, 40, 400])
def test_mails_that_lie_too_deep_stay_shut_and_it_is_said(depth: int) -> None:
    letter = read_letter(_nested(depth))
    assert any("attached mails that lie deeper were not opened" in d for d in letter.defects)
    assert sum(a.name.endswith(".eml") for a in letter.attachments) <= 7


def test_words_behind_a_picture_pasted_into_the_page_are_read() -> None:
    picture = base64.b64encode(bytes(range(256)) * 5000)
    page = b'<p>before</p><img src="data:image/png;base64,' + picture + b'"><p>the printer is broken</p>'
    letter = read_letter(b"From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page)
    assert letter.text.split() == ["before", "the", "printer", "is", "broken"] and not letter.defects


def test_an_attached_mail_in_base64_is_opened_too() -> None:
    inner = b"From: Li Na <li.na@customer.example>\r\nSubject: the inner one\r\n\r\nthe printer is on fire\r\n"
    code = base64.encodebytes(inner).replace(b"\n", b"\r\n")
    letter = read_letter(
        b"From: a@b.example\r\nSubject: Fwd: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee this\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + code + b"--b--\r\n"
    )
    assert letter.new_text == "see this" and "on fire" in letter.text
    assert letter.forwarded is not None and letter.forwarded.sender.address == "li.na@customer.example"
    assert letter.forwarded.text == "the printer is on fire"
