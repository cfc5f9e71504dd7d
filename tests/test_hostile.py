"""No mail can raise, hang or eat memory; and what a correct program put into a mail comes out of it again.

The long form of the first is `make fuzz`; see tests/hostile.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.intake.letter import Letter, read_letter, read_letter_file
from daemon.intake.reader import ReadingFailedError, ReadsInChild
from tests.hostile import ENGINEER, LIMIT_BYTES, REQUESTER, STRANGER, Bench, Kept, campaign, handled
from tests.hostile_mails import KB, MUTATIONS, Hostile, Mutation, bombs, hostile_mail
from tests.test_letter import is_storable

SEED = 20261123
COUNT = 300
MAIL = Hostile(0, 0, "a mail", "", b"From: Ann <ann@customer.example>\r\nSubject: printer\r\n\r\nhello\r\n")


class TestCampaign:
    """The short form of `make fuzz`: no limit on time here, for other tests run beside it."""

    def test_every_hostile_mail_is_accounted_for(self) -> None:
        accounts = list(campaign(hostile_mail(SEED, n, largest=64 * KB) for n in range(COUNT)))

        assert [f"{a.mail.number} {a.mail.name}: {a.faults}" for a in accounts if a.faults] == []
        assert [a.mail.number for a in accounts if not a.outcome] == [] and len(accounts) == COUNT
        assert max(a.peak for a in accounts) < LIMIT_BYTES

    def test_a_number_names_one_mail_on_every_machine(self) -> None:
        code = (
            "from tests.hostile_mails import hostile_mail; from hashlib import sha256;"
            "print(*(sha256(hostile_mail(5, n).content).hexdigest() for n in range(40)))"
        )
        told = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": "7"},
            capture_output=True,
            check=True,
        )
        here = [hashlib.sha256(hostile_mail(5, n).content).hexdigest() for n in range(40)]

        assert told.stdout.decode().split() == here and len(set(here)) == 40

    def test_bombs_have_the_size_that_was_asked_for(self) -> None:
        for bomb in bombs()[::13]:
            size = len(bomb.make(300 * KB))
            assert 200 * KB < size <= 300 * KB + len(bomb.unit) or bomb.name.startswith(("1000 and", "boundary of")), (
                bomb
            )


class TestBench:
    """The measuring itself: what is wrong does not pass it."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        bench = Bench(tmp_path)
        yield bench
        bench.close()

    def test_a_good_mail_passes(self, bench: Bench) -> None:
        account = bench.judge(MAIL)

        assert (account.outcome, account.wrong) == ("read", [])
        assert account.seconds > 0 and account.peak > 8 << 20 and account.letter_bytes > 100

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"text": "a\x00b"}, "text that a database changes"),
            ({"subject": "\ud800"}, "text that no database takes"),
            ({"text": " "}, "empty without a reason"),
            ({"defects": ("could not be read: KeyError",)}, "could not be read: KeyError"),
            ({"size": 1}, "wrong size or digest"),
            ({"html_text": "x" * (17 << 20)}, "the letter is too large"),
        ],
    )
    def test_a_bad_letter_does_not(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], fault: str
    ) -> None:
        bad = replace(read_letter(MAIL.content), **changes)
        monkeypatch.setattr(bench.reads, "letter", lambda _: bad)

        assert any(fault in found for found in bench.judge(MAIL).faults)

    def test_what_raises_is_a_fault(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(_: object) -> Letter:
            raise KeyError("x")

        monkeypatch.setattr(bench.reads, "letter", fails)
        account = bench.judge(MAIL)

        assert account.outcome == "" and "KeyError" in account.faults[0]

    def test_a_child_that_dies_is_a_refusal(self, bench: Bench) -> None:
        bench.reads._child.process.kill()
        bench.reads._child.process.wait()
        first, second = bench.judge(MAIL), bench.judge(MAIL)

        assert (first.outcome, second.outcome) == ("refused", "read") and first.notes

    def test_memory_beyond_the_limit_is_a_fault(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.hostile.LIMIT_BYTES", 1 << 20)

        assert any("MB" in fault for fault in bench.judge(MAIL).faults)


INNER = "Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n打印机\r\n".encode()


class TestWhatOnceFailed:
    @pytest.mark.parametrize(
        "content",
        [
            b"From: " + b"<@a,@b:" * 4000,
            b"From: " + b"(" * 30_000,
            b"From: " + b"a:" * 15_000,
            b"From: a@b.example\r\nContent-Type: message/rfc822\r\rFrom: c\r\n" + INNER,
            b"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\r" + INNER,
            b"Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\nContent-Type: message/rfc822\r\r" + INNER,
        ],
        ids=["routes", "comments", "groups", "mail-behind-bare-cr", "digest-behind-bare-cr", "part-behind-bare-cr"],
    )
    def test_it_is_read(self, content: bytes) -> None:
        letter = read_letter(content)

        is_storable(letter)
        assert [d for d in letter.defects if d.startswith("could not be read")] == []


class TestAtADesk:
    """What is read is also handled, in the process that must never stop, and what leaves has bounds."""

    def test_every_hostile_mail_is_handled(self) -> None:
        accounts = list(handled(hostile_mail(SEED, n, largest=64 * KB) for n in range(60)))

        assert [f"{a.mail.number} {a.mail.name}: {a.faults}" for a in accounts if a.faults] == []
        assert {a.outcome for a in accounts} <= {"handled", "quarantined", "duplicate", "ignored"}

    @pytest.mark.parametrize("writer", [REQUESTER, ENGINEER, STRANGER])
    def test_commands_by_the_thousand_are_answered_with_bounds(self, writer: int) -> None:
        some = [bomb for bomb in bombs() if bomb.family == "commands"][writer::3]
        mails = (Hostile(0, i * 3 + writer, b.family, b.name, b.make(8 * KB)) for i, b in enumerate(some))

        assert [f"{a.mail.name}: {a.faults}" for a in handled(mails) if a.faults] == []


class TestChild:
    """The child of daemon.intake.reader ends itself over a mail that costs too much, and says how."""

    @pytest.mark.parametrize(
        ("dear", "why"),
        [
            ("while True: pass", "reading it takes more time than any mail should"),
            ("bytearray(1 << 30)", "reading it takes more memory than any mail should"),
            ("sys.exit(9)", "the process that reads mails died or hung over it"),
        ],
    )
    def test_a_mail_that_costs_too_much_is_refused_with_the_reason(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dear: str, why: str
    ) -> None:
        program = tmp_path / "child"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom daemon.intake import reader\nreader.WORK_SECONDS = 0.3\n"
            f"def read(content, **_):\n    if b'dear' not in content:\n        return known(content)\n    {dear}\n"
            "known, reader.read_letter = reader.read_letter, read\nreader.serve()\n"
        )
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
        reader = ReadsInChild()
        mails = [Kept(1, b"\r\ndear", ""), Kept(2, MAIL.content, "")]
        reader.ahead(mails)

        with pytest.raises(ReadingFailedError, match=why):
            reader.letter(mails[0])
        assert reader.letter(mails[1]).text == "hello"
        reader.close()


# --- trees whose contents are known ---

WORDS = {
    "us-ascii": "printer server network cannot connect invoice floor seven please look into it",
    "utf-8": "打印机 坏了 réseau naïve Größe сервер プリンタ 프린터 🙂 café",
    "gb2312": "打印机 坏了 服务器 网络 不能 连接 请 尽快 处理",
    "gbk": "打印機 壞了 服務器 网络 連接 朱镕基",
    "gb18030": "打印机 坏了 㐀㐁 网络 𠮷野家",
    "big5": "印表機 壞了 伺服器 網路 無法 連線 請 儘快 處理",
    "iso-8859-1": "Größe réseau naïve café señor måned",
    "windows-1252": "“Größe” réseau – café €100 señor…",
    "iso-8859-2": "zażółć gęślą jaźń příliš žluťoučký",
    "koi8-r": "сервер не работает принтер сломался",
    "windows-1251": "сервер не работает принтер сломался",
    "shift_jis": "プリンタ 故障 サーバー 接続 できません",
    "iso-2022-jp": "プリンタ 故障 サーバー 接続 できません",
    "euc-jp": "プリンタ 故障 サーバー 接続 できません",
    "euc-kr": "프린터 고장 서버 연결 안됨",
    "utf-16": "打印机 réseau сервер",
}
UTF8 = "utf-8''"
STYLES = ("=_{}", "----=_NextPart_000_{}", "{}", "a b {}", "'()+_,-./:=?{}", "--{}--")
TYPES = (
    "application/pdf", "application/octet-stream", "image/png", "text/csv", "text/plain", "text/html",
    "application/zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "audio/mpeg", "application/json",
)  # fmt: skip


@dataclass(frozen=True)
class Text:
    lines: tuple[str, ...]
    charset: str
    encoding: str
    is_page: bool = False

    def as_part(self) -> bytes:
        lines = [f"<div>{html.escape(x)}</div>" for x in self.lines] if self.is_page else self.lines
        data = "\r\n".join(lines).encode(self.charset)
        kind = "html" if self.is_page else "plain"
        head = (
            f'Content-Type: text/{kind}; charset="{self.charset}"\r\nContent-Transfer-Encoding: {self.encoding}\r\n\r\n'
        )
        return head.encode() + encoded(data, self.encoding)


@dataclass(frozen=True)
class File:
    name: str
    data: bytes
    content_type: str
    encoding: str
    naming: str
    disposition: str
    says: tuple[str, ...] = ()  # where it is a mail

    def as_part(self) -> bytes:
        head = f"Content-Type: {self.content_type}{self._name('name') if self.naming != 'disposition' else ''}\r\n"
        if self.disposition == "inline":
            head += f"Content-ID: <{hashlib.sha256(self.data).hexdigest()[:9]}@a.example>\r\n"
        name = self._name("filename") if self.naming != "type" else ""
        head += f"Content-Disposition: {self.disposition}{name}\r\nContent-Transfer-Encoding: {self.encoding}\r\n\r\n"
        return head.encode() + encoded(self.data, self.encoding)

    def _name(self, key: str) -> str:
        match self.naming:
            case "word":
                return f';\r\n {key}="=?utf-8?B?{base64.b64encode(self.name.encode()).decode()}?="'
            case "pieces":
                octets = [f"%{c:02X}" for c in self.name.encode()]
                pieces = ["".join(octets[i : i + 9]) for i in range(0, len(octets), 9)]
                return "".join(f";\r\n {key}*{i}*={'' if i else UTF8}{x}" for i, x in enumerate(pieces))
            case "raw":
                return f'; {key}="{self.name}"'
            case _:
                return f";\r\n {key}*=utf-8''{quote(self.name, safe='')}"


@dataclass(frozen=True)
class Tree:
    kind: str
    children: tuple[Text | File | Tree, ...]
    style: str = "=_{}"

    def as_part(self, level: str = "b") -> bytes:
        boundary = self.style.format(level)
        parts = [c.as_part(f"{level}.{i}") if isinstance(c, Tree) else c.as_part() for i, c in enumerate(self.children)]
        joined = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
        head = f'Content-Type: multipart/{self.kind};\r\n boundary="{boundary}"\r\n\r\n'
        preamble = "This is a message of several parts.\r\n" if self.style.startswith("-") else ""
        return (head + preamble).encode() + joined + f"--{boundary}--\r\n".encode()

    def leaves(self) -> Iterator[Text | File]:
        for child in self.children:
            if isinstance(child, Tree):
                yield from child.leaves()
            else:
                yield child

    def seen(self) -> Iterator[Text]:
        """The texts that a person sees, in order: of alternatives the plain one."""
        for child in self.children[: 1 if self.kind == "alternative" else None]:
            if isinstance(child, Tree):
                yield from child.seen()
            elif isinstance(child, Text):
                yield child

    def as_mail(self) -> bytes:
        head = b"From: Ann <ann@customer.example>\r\nTo: help@desk.example\r\nSubject: files\r\nMIME-Version: 1.0\r\n"
        return head + self.as_part()


def encoded(data: bytes, encoding: str) -> bytes:
    match encoding:
        case "base64":
            return base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
        case "quoted-printable":
            return b"=\r\n".join(b"".join(b"=%02X" % c for c in data[i : i + 24]) for i in range(0, len(data), 24))
        case "x-uuencode":
            lines = [binascii.b2a_uu(data[i : i + 45]).rstrip(b"\n") for i in range(0, len(data), 45)]
            return b"\r\n".join([b"begin 644 data", *lines, b"`", b"end"])
        case _:
            return data


def _lines(charset: str) -> st.SearchStrategy[tuple[str, ...]]:
    line = st.lists(st.sampled_from(WORDS[charset].split()), min_size=1, max_size=6).map(" ".join)
    return st.lists(line, min_size=1, max_size=4).map(tuple)


@st.composite
def texts(draw: st.DrawFn, is_page: bool | None = None) -> Text:
    charset = draw(st.sampled_from(sorted(WORDS)))
    encodings = ["base64", "quoted-printable"]
    if charset != "utf-16":
        encodings.append("7bit" if charset in ("us-ascii", "iso-2022-jp") else "8bit")
    page = draw(st.booleans()) if is_page is None else is_page
    return Text(draw(_lines(charset)), charset, draw(st.sampled_from(encodings)), page)


@st.composite
def files(draw: st.DrawFn) -> File:
    naming = draw(st.sampled_from(["star", "pieces", "word", "raw", "type", "disposition"]))
    letters = st.sampled_from("abcXYZ019 -_.,;=()'&@+#[]%" + ("" if naming == "raw" else "报告服务器éßñСРプ프🙂"))
    stem = draw(st.text(letters, min_size=1, max_size=25)).strip(" ") or "a"
    name = "x" + stem + draw(st.sampled_from([".pdf", ".txt", ".tar.gz", "", ".PNG"]))
    data = draw(st.binary(max_size=600)) * draw(st.sampled_from([1, 1, 1, 100]))
    encoding = draw(st.sampled_from(["base64", "quoted-printable", "x-uuencode"]))
    return File(name, data, draw(st.sampled_from(TYPES)), encoding, naming, "attachment")


@st.composite
def attached_mails(draw: st.DrawFn) -> File:
    inner = draw(texts(is_page=False))
    content = b"From: Bob <bob@other.example>\r\nSubject: inside\r\n" + inner.as_part()
    return replace(draw(files()), data=content, content_type="message/rfc822", encoding="8bit", says=inner.lines)


@st.composite
def pictures(draw: st.DrawFn) -> File:
    return replace(draw(files()), content_type="image/png", disposition="inline", encoding="base64")


@st.composite
def alternatives(draw: st.DrawFn) -> Tree:
    plain = draw(texts(is_page=False))
    page: Text | Tree = replace(plain, is_page=True)
    if draw(st.booleans()):
        page = Tree("related", (page, *draw(st.lists(pictures(), max_size=2))))
    return Tree("alternative", (plain, page))


def trees() -> st.SearchStrategy[Tree]:
    styles = st.sampled_from(STYLES)
    leaves = st.one_of(texts(), files(), alternatives(), attached_mails())

    def mixed(children: st.SearchStrategy[Text | File | Tree]) -> st.SearchStrategy[Tree]:
        return st.builds(Tree, st.just("mixed"), st.lists(children, min_size=1, max_size=3).map(tuple), styles)

    inner = st.recursive(mixed(leaves), lambda more: mixed(st.one_of(leaves, more)), max_leaves=3)
    body = st.one_of(texts(), alternatives())
    return st.builds(lambda first, rest: replace(rest, children=(first, *rest.children)), body, inner)


class TestRoundTrip:
    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(trees(), st.sampled_from([b"\r\n", b"\n"]))
    def test_what_was_put_into_a_mail_comes_out_of_it(
        self, tmp_path_factory: pytest.TempPathFactory, tree: Tree, line_end: bytes
    ) -> None:
        content = tree.as_mail().replace(b"\r\n", line_end)
        letter = read_letter(content)

        found = [(a.name, a.content_type, a.size, a.sha256) for a in letter.attachments]
        put = [f for f in tree.leaves() if isinstance(f, File)]
        data = [f.data.replace(b"\r\n", line_end) if f.encoding == "8bit" else f.data for f in put]
        digests = [(len(d), hashlib.sha256(d).hexdigest()) for d in data]
        assert found == [(f.name, f.content_type, *d) for f, d in zip(put, digests, strict=True)]
        said = [line for text in tree.seen() for line in text.lines] + [line for f in put for line in f.says]
        assert [line for line in letter.text.split("\n") if line.strip()] == said
        assert letter.defects == ()
        path = tmp_path_factory.getbasetemp() / "tree.eml"
        path.write_bytes(content)
        assert read_letter_file(str(path)) == letter

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(trees(), st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=4), st.integers(0, 1000))
    def test_damage_to_it_is_survived(self, tree: Tree, mutations: list[Mutation], seed: int) -> None:
        content, rng = tree.as_mail(), random.Random(seed)
        for mutation in mutations:
            content = mutation(rng, content)[: 400 * KB]
        letter = read_letter(content)

        is_storable(letter)
        assert letter.sha256 == hashlib.sha256(content).hexdigest()
        assert letter.text.strip() or any(d.startswith("no text: ") for d in letter.defects)
        assert not any(d.startswith("could not be read") for d in letter.defects)
