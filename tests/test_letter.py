"""What a mail says is read right, whatever its sender's client made of it; and no bytes break the reading."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import getaddresses
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
        assert not any(d.startswith("could not be read") for d in letter.defects)

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        "From",
                        "To",
                        "Cc",
                        "Subject",
                        "Date",
                        "Message-ID",
                        "References",
                        "Return-Path",
                        "Delivered-To",
                        "Content-Type",
                        "Content-Transfer-Encoding",
                        "Content-Disposition",
                        "Received",
                        "Auto-Submitted",
                        "Headers",
                        "Parse",
                    ]
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

    @given(st.binary(max_size=2000), st.integers(1, 700))
    def test_memory_and_file_read_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
    ) -> None:
        content = (MAILS / "customer_sends_a_screenshot_in_outlook.eml").read_bytes()
        content = content[:at] + noise + content[at:]
        path = tmp_path_factory.mktemp("mail") / "m.eml"
        path.write_bytes(content)
        from_file, from_memory = read_letter_file(str(path)), read_letter(content)
        assert (from_file.sha256, from_file.size) == (from_memory.sha256, from_memory.size)
        is_storable(from_file)


@pytest.mark.parametrize("path", sorted(MAILS.glob("*.eml")), ids=lambda p: p.stem)
def test_every_mail_is_read_alike_from_memory_and_file(path: Path) -> None:
    letter = read_letter(path.read_bytes())
    is_storable(letter)
    assert read_letter_file(str(path)) == letter
    assert letter.text.strip() or any(d.startswith("no text: ") for d in letter.defects)


_FROM_PIECES = (
    "manager@desk.example", "<mallory@evil.example>", "<manager@desk.example>", '"manager@desk.example"', "Ann", " ", '"',
    "(", ")", "<", ">", ",", ";", ":", "\\", "=?utf-8?q?manager=40desk.example?=", "=?utf-8?q?=2C?=", "mailto:", "[", "]",
    "@", "(x)", "'", "<>", "@relay.example:",
)  # fmt: skip


class TestHeaders:
    def test_a_whole_chinese_mail(self) -> None:
        letter = mail("customer_reports_a_server_down")
        assert letter.subject == "紧急：生产服务器宕机"
        assert letter.sender == Address(name="李娜", address="li.na@customer.example")
        assert [a.address for a in letter.to] == ["help@desk.example"]
        assert letter.text.startswith("您好，\n\n生产服务器 web-01") and letter.language == "zh"
        assert letter.date is not None and letter.date.tzinfo is not None
        assert letter.attachments == () and letter.nature is Nature.HUMAN and letter.defects == ()

    @pytest.mark.parametrize(
        ("raw", "subject"),
        [
            ("=?utf-8?B?5pyN5Yqh?= =?utf-8?B?5Zmo?=", "服务器"),
            ("=?utf-8?B?5pyN5YqhIOU=?=\r\n =?utf-8?B?mag=?=", "服务 器"),  # a character cut in two between words
            ("=?gb2312?B?1cU=?= =?GB2312?Q?=B7=E5?=", "张峰"),
            ("=?gb2312?B?6kY=?=", b"\xeaF".decode("gb18030")),  # outside GB2312, as clients do
            ("=?iso-8859-1?Q?J=FCrgen_M=FCller?=", "Jürgen Müller"),
            ("=?ISO-2022-JP?B?GyRCRURDZhsoQg==?=", "田中"),
            ("Re: =?utf-8?Q?caf=C3=A9?= today", "Re: café today"),
            ("=?x-nobody-knows?Q?plain?=", "plain"),
            ("=?utf-8?B?5pyN5Yqh5Zmo", "服务器"),
            ("a\r\n folded line", "a folded line"),
            ("=?utf-8?Q?two=0D=0ABcc:_x@y?=", "two Bcc: x@y"),  # a decoded line break must not stay one
            ("", ""),
        ],
    )
    def test_subjects(self, raw: str, subject: str) -> None:
        assert headers(f"Subject: {raw}").subject == subject

    @pytest.mark.parametrize(
        ("raw", "people"),
        [
            ("a@b.example", [("", "a@b.example")]),
            ("Ann Baker <Ann@B.Example>", [("Ann Baker", "ann@b.example")]),
            ('"Baker, Ann" <a@b.example>, c@d.example', [("Baker, Ann", "a@b.example"), ("", "c@d.example")]),
            ("a@b.example (Ann (the boss))", [("Ann (the boss)", "a@b.example")]),
            (
                "team: a@b.example, c@d.example;, e@f.example",
                [("", "a@b.example"), ("", "c@d.example"), ("", "e@f.example")],
            ),
            ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),  # as Outlook writes lists
            ("=?gb2312?B?zfXHvw==?= <w@b.example>", [("王强", "w@b.example")]),
            ('"=?utf-8?B?5p2O5aic?=" <l@b.example>', [("李娜", "l@b.example")]),
            ("<a@b.example", [("", "a@b.example")]),
            ("undisclosed-recipients:;", []),
        ],
    )
    def test_address_lists(self, raw: str, people: list[tuple[str, str]]) -> None:
        assert [(a.name, a.address) for a in headers(f"To: {raw}").to] == people

    def test_several_from_headers_all_count(self) -> None:
        letter = mail("attacker_sends_two_from_headers")
        assert [a.address for a in letter.senders] == ["manager@desk.example", "mallory@evil.example"]
        assert "more than one from header" in letter.defects

    def test_a_from_that_parsers_read_differently_names_nobody_alone(self) -> None:
        letter = mail("attacker_hides_an_address_in_the_name")
        assert letter.sender is not None and letter.sender.address == "mallory@evil.example"
        assert {a.address for a in letter.senders} == {"mallory@evil.example", "manager@desk.example"}
        assert "parsers read From differently" in letter.defects

    @pytest.mark.parametrize(
        "raw",
        [
            "manager@desk.example(<mallory@evil.example>",
            'manager@desk.example" <mallory@evil.example>',
            '"manager@desk.example" <>',
            "<=?utf-8?q?manager=40desk.example?=>",
            "manager@desk.example <mallory@evil.example",
            "<manager@desk.example> <mallory@evil.example>",
            "Boss <manager@desk.example, mallory@evil.example>",
            "Boss [mailto:manager@desk.example]",
            "manager@desk.example: mallory@evil.example",
            '"Boss <manager@desk.example>"',
            "manager@desk.example@evil.example",
            "a:b:manager@desk.example",
        ],
    )
    def test_a_from_that_others_cannot_read_gives_nobody_authority(self, raw: str) -> None:
        letter = made(f"From: {raw}", "", "hello")
        assert len(letter.senders) != 1 and "parsers read From differently" in letter.defects

    @given(st.lists(st.sampled_from(_FROM_PIECES), min_size=1, max_size=7))
    def test_whoever_stands_alone_is_whom_the_standard_library_reads(self, pieces: list[str]) -> None:
        senders = made(f"From: {''.join(pieces)}", "", "hello").senders
        read = {a.lower() for _, a in getaddresses(["".join(pieces)]) if "@" in a}
        assert len(senders) != 1 or read <= {senders[0].address}

    @pytest.mark.parametrize(
        ("raw", "moment"),
        [
            ("Mon, 23 Nov 2026 09:00:00 +0800", datetime(2026, 11, 23, 1, tzinfo=UTC)),
            ("23 Nov 2026 01:00 GMT", datetime(2026, 11, 23, 1, tzinfo=UTC)),
            ("Mon, 23 Nov 2026 09:00:00 +0800 (CST)", datetime(2026, 11, 23, 1, tzinfo=UTC)),
            ("Mon, 23 Nov 10000 29:24:05 +9999", None),
            ("today", None),
            ("", None),
        ],
    )
    def test_dates(self, raw: str, moment: datetime | None) -> None:
        assert headers(f"Date: {raw}").date == moment

    def test_message_ids(self) -> None:
        letter = headers(
            "Message-ID: <a.1@b>", "In-Reply-To: Your mail of Monday <p@q>", "References: <x@y>\r\n <p@q>\t<x@y>"
        )
        assert letter.message_id == "a.1@b" and letter.in_reply_to == ("p@q",)
        assert letter.references == ("x@y", "p@q")

    @pytest.mark.parametrize("raw", ["", "<>", "< >"])
    def test_no_usable_message_id(self, raw: str) -> None:
        assert headers(f"Message-ID: {raw}").message_id == ""
        assert mail("customer_forgets_the_message_id").message_id == ""

    def test_envelope(self) -> None:
        letter = headers("Return-Path: <>", "Delivered-To: help@desk.example", "X-Original-To: <HELP@desk.example>")
        assert letter.return_path == "" and letter.delivered_to == ("help@desk.example",)
        assert headers("Return-Path: <b@c.example>").return_path == "b@c.example"
        assert headers("X: y").return_path is None

    def test_headers_are_kept_in_order_and_asked_without_case(self) -> None:
        letter = headers("X-A: 1", "Received: one", "received: two")
        assert letter.header("x-a") == "1" and letter.header("nothing") == ""
        assert letter.header_all("Received") == ("one", "two")

    def test_header_names_of_a_parser_s_attributes_are_only_headers(self) -> None:
        names = ("Headers", "Mail", "Parse", "Body", "Defects", "Attachments_json", "Message")
        letter = headers(*(f"{n}: {n.lower()}" for n in names))
        assert [letter.header(n) for n in names] == [n.lower() for n in names] and letter.text == "hello"

    def test_a_broken_line_among_the_headers_does_not_end_them(self) -> None:
        letter = made("Received: by x", "this is no header", "From: a@b.example", "Subject : spaced", "", "words")
        assert letter.subject == "spaced" and letter.text == "words" and letter.senders


class TestBodies:
    def test_raw_gbk_without_any_declaration(self) -> None:
        letter = mail("customer_writes_raw_gbk_everywhere")
        assert letter.subject == "打印机坏了" and letter.text.startswith("三楼的打印机不能打印了")
        assert letter.sender is not None and letter.sender.name == "王强"
        assert "charset guessed: gb18030" in letter.defects

    @pytest.mark.parametrize(
        ("charset", "codec", "words"),
        [
            ("gb2312", "gb18030", "镕基 and 朱：超出 GB2312 的字"),
            ("GBK", "gb18030", "数据库连不上"),
            ("big5", "big5", "資料庫連線失敗"),
            ("hz-gb-2312", "hz", "你好，服务器"),
            ("iso-2022-jp", "iso2022_jp", "サーバーが落ちました"),
            ("euc-kr", "cp949", "서버가 다운되었습니다"),
            ("utf-7", "utf-7", "für 服务器"),
            ("iso-8859-1", "cp1252", "“smart” quotes – naïve"),
            ("us-ascii", "utf-8", "声明是假的"),
            ("utf-8", "gb18030", "声明是假的，其实是国标码，足够长才能判断"),
            ("no-such-charset", "utf-8", "没有这个字符集"),
            ("", "gb18030", "没有声明字符集的中文邮件"),
        ],
    )
    @pytest.mark.parametrize("encoding", ["8bit", "base64"])
    def test_charsets(self, charset: str, codec: str, words: str, encoding: str) -> None:
        raw = words.encode(codec)
        letter = made(
            "From: a@b.example",
            f"Content-Type: text/plain; charset={charset}" if charset else "X-Mailer: old",
            f"Content-Transfer-Encoding: {encoding}",
            "",
            base64.b64encode(raw) if encoding == "base64" else raw,
        )
        assert letter.text == words and letter.new_text == words

    def test_nul_and_lone_surrogates_are_made_visible(self) -> None:
        letter = made("From: a@b.example", "Content-Type: text/plain; charset=utf-7", "", "a\x00b +2AA- c")
        assert letter.text == "a\u2400b +2AA- c" or "\ufffd" in letter.text

    def test_what_an_attached_mail_says_is_not_said_by_the_sender(self) -> None:
        letter = mail("customer_attaches_a_mail_with_a_keyword_in_it")
        assert letter.new_text == "The mail is attached." and "#resolve" in letter.quoted_text
        file, *inside = letter.attachments
        assert inside and all(a.inside for a in inside) and not file.inside
        assert (file.name, file.content_type) == ("内部通知.eml", "message/rfc822")
        raw = (MAILS / "customer_attaches_a_mail_with_a_keyword_in_it.eml").read_bytes()
        inner = raw[raw.index(b"From: Boss") : raw.index(b"\r\n--inner--\r\n") + len(b"\r\n--inner--\r\n")]
        assert file.sha256 == hashlib.sha256(inner).hexdigest() or file.sha256 == hashlib.sha256(inner[:-2]).hexdigest()

    def test_file_names_in_every_spelling(self) -> None:
        letter = mail("customer_sends_files_with_chinese_names")
        assert [a.name for a in letter.attachments] == ["系统日志.txt", "截图", "日志备份.zip", "job"]
        assert letter.attachments[0].sha256 == hashlib.sha256(b"line 1\nline 2\n").hexdigest()
        assert letter.text.strip() == "附件是日志和截图。"

    def test_a_long_file_name_keeps_its_suffix(self) -> None:
        name = "很" * 400 + ".tar"
        letter = made(
            "From: a@b.example",
            "Content-Type: application/x-tar",
            f'Content-Disposition: attachment; filename="{name}"',
            "",
            "x",
        )
        assert letter.attachments[0].name.endswith(".tar")
        assert len(letter.attachments[0].name.encode()) <= 200

    def test_a_picture_in_the_page_is_inline(self) -> None:
        (picture,) = mail("customer_sends_a_screenshot_in_outlook").attachments
        assert picture.inline and picture.name == "image001.png" and picture.size == 70

    def test_html_alone_is_read_without_its_hidden_text(self) -> None:
        letter = mail("customer_writes_a_page_with_hidden_text")
        assert letter.text == "Visible & true\n\na b\n\n- one\n- two" == letter.html_text
        assert "hidden" not in letter.text and "alert" not in letter.text

    def test_deeply_nested_html_loses_nothing(self) -> None:
        page = "<div>" * 5000 + "at the bottom" + "</div>" * 5000
        assert made("From: a@b.example", "Content-Type: text/html", "", page).text == "at the bottom"

    def test_a_misspelt_boundary_is_found(self) -> None:
        letter = mail("customer_misspells_the_boundary")
        assert letter.text.strip() == "the words" and [a.name for a in letter.attachments] == ["a.pdf"]
        assert "the boundary of its parts was misspelt: guessed" in letter.defects

    def test_files_inside_the_text(self) -> None:
        letter = made("From: a@b.example", "", "see below", "begin 644 a.txt", "#86)C", "`", "end", "bye")
        assert letter.text == "see below\n\nbye" and letter.attachments[0].name == "a.txt"
        assert letter.attachments[0].sha256 == hashlib.sha256(b"abc").hexdigest()

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("customer_sends_nothing_at_all", "no text: the body is empty"),
            ("customer_sends_only_a_picture", "no text: only attachments"),
            (
                "customer_encrypts_with_smime",
                "no text: encrypted (S/MIME), see the original",
            ),
            ("customer_encrypts_with_pgp", "encrypted (PGP): see the original"),
            ("customer_sends_winmail_dat", "winmail.dat is cut off: only its beginning was read"),
        ],
    )
    def test_what_cannot_be_read_is_said(self, name: str, reason: str) -> None:
        assert reason in mail(name).defects


class TestBigAndHostile:
    """FAILURES 33, 71-73: bounded work, whatever is sent."""

    def big(self, size: int) -> tuple[bytes, bytes]:
        data = bytes(range(256)) * (size // 256)
        content = b"\r\n".join(
            [
                b"From: a@b.example",
                b'Content-Type: multipart/mixed; boundary="b"',
                b"",
                b"--b",
                b"Content-Type: text/plain",
                b"",
                b"hello",
                b"--b",
                b'Content-Type: application/zip; name="x.zip"',
                b"Content-Transfer-Encoding: base64",
                b"",
                base64.encodebytes(data).replace(b"\n", b"\r\n") + b"--b--",
                b"",
            ]
        )
        return data, content

    def test_a_big_attachment_is_measured_without_being_parsed(self, tmp_path: Path) -> None:
        data, content = self.big(3_000_000)
        path = tmp_path / "big.eml"
        path.write_bytes(content)
        letter = read_letter_file(str(path))
        assert letter == read_letter(content)
        assert letter.text == "hello" and letter.attachments[0].size == len(data)
        assert letter.attachments[0].sha256 == hashlib.sha256(data).hexdigest()

    def test_nobody_can_forge_our_mark(self) -> None:
        _, content = self.big(60_000)
        token = read_letter(content).sha256[:16]
        forged = content.replace(b"Content-Type: text/plain", f"X-Cut-Leaf: {token}-0".encode())
        assert read_letter(forged).text == "hello"

    def test_many_parts(self) -> None:
        content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 20_000
        assert "more than 1000 parts: the rest was not read" in read_letter(content).defects

    @pytest.mark.parametrize("kind", ["multipart/mixed", "message/rfc822"])
    def test_deep_nesting(self, kind: str) -> None:
        content = b"".join(f"Content-Type: {kind}; boundary=b{i}\r\n\r\n--b{i}\r\n".encode() for i in range(5000))
        assert read_letter(b"From: a@b.example\r\n" + content).attachments

    def test_a_bomb_of_headers(self) -> None:
        bomb = b"Subject: " + b"=?utf-8?B?YQ==?= " * 60_000 + b"\r\nFrom: a@b.example\r\n\r\nwords"
        letter = read_letter(bomb)
        assert letter.text == "words" and len(letter.subject) <= 32_768
        assert "headers too long: cut" in letter.defects

    @pytest.mark.parametrize(
        "line",
        [b'From: "' + b'"\\' * 8000, b"Content-Type: text/plain" + b";" * 30_000, b"Cc: " + b"(" * 30_000],
    )
    def test_a_header_that_never_ends(self, line: bytes) -> None:
        assert read_letter(line + b"\r\n\r\nwords").text == "words"

    def test_bare_carriage_returns(self) -> None:
        assert read_letter(b"From: a@b.example\rSubject: old mac\r\rwords\rmore\r").text == "words\nmore"


class TestLanguage:
    @pytest.mark.parametrize(
        ("words", "language"),
        [
            ("服务器坏了", "zh"),
            ("The server is down", "en"),
            ("server 宕机了，请尽快处理 thanks", "zh"),
            ("サーバーが落ちました", "ja"),
            ("서버가 다운되었습니다", "ko"),
            ("Сервер не работает", "ru"),
            ("Please restart the 数据库 on host db-2 and tell me", "en"),
            ("12345 --- ???", ""),
        ],
    )
    def test_it_is_told_by_letters(self, words: str, language: str) -> None:
        assert made("From: a@b.example", "Content-Type: text/plain; charset=utf-8", "", words).language == language


def test_the_json_is_what_its_readers_expect() -> None:
    found = letter_as_json(mail("postfix_returns_a_notice"), "x.eml")
    assert found["path"] == "x.eml" and found["nature"] == "bounce" and found["date"].endswith("Z")
    assert found["from"] == {
        "name": "Mail Delivery System",
        "address": "mailer-daemon@mail.customer.example",
    }
    assert found["bounce"] == {
        "recipients": [{"address": "li.na@customer.example", "permanent": True, "status": "5.1.1"}],
        "original_message_id": "t7.9@desk.example",
    }
    assert set(found) >= {
        "message_id", "in_reply_to", "references", "subject", "to", "cc", "reply_to", "text", "html_text",
        "new_text", "quoted_text", "attachments", "defects",
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "mails").glob("*.eml")), ids=lambda p: p.stem)
def test_a_quick_reading_finds_the_same_words(path: Path) -> None:
    """The live path leaves a page unparsed where it cannot hold a quote; nothing but html_text may differ."""
    content = path.read_bytes()
    quick, whole = read_letter(content, thorough=False), read_letter(content)
    assert replace(quick, html_text="") == replace(whole, html_text="")
