"""The mix of mails that speed is measured on: 70 % plain, 20 % HTML, 8 % with an attachment, 2 % with a large one."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

_WORDS = [
    "服务器",
    "网络",
    "无法",
    "访问",
    "今天",
    "上午",
    "办公室",
    "同事",
    "都",
    "不能",
    "登录",
    "系统",
    "提示",
    "错误",
    "请",
    "尽快",
    "处理",
    "谢谢",
    "打印机",
    "磁盘",
    "告警",
]
_LATIN = [
    "the",
    "server",
    "cannot",
    "be",
    "reached",
    "since",
    "this",
    "morning",
    "and",
    "everybody",
    "in",
    "our",
    "office",
    "waits",
    "please",
    "look",
    "at",
    "it",
]
_SIZES = ((0.70, "plain"), (0.90, "html"), (0.98, "attachment"), (1.0, "large"))


def mails(count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield `count` mails of the mix, each from a sender of its own, the same ones for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        share = chance.random()
        kind = next(name for limit, name in _SIZES if share < limit)
        yield _mail(number, kind, chance)


def _mail(number: int, kind: str, chance: random.Random) -> bytes:
    chinese = chance.random() < 0.6
    text = _text(chance, chance.randint(1500, 5000), chinese)
    charset = "gbk" if chinese and chance.random() < 0.2 else "utf-8"
    heading = _heading(number, chance, chinese)
    plain = _part("text/plain", text, charset)
    if kind == "plain":
        return heading + plain
    html = (
        "<html><body>"
        + "".join(f"<p style='margin:0'>{_text(chance, 300, chinese)}</p>" for _ in range(60))
        + "</body></html>"
    )
    alternative = _multi(
        "alternative", f"a{number}", [plain, _part("text/html", html[: chance.randint(15_000, 40_000)], "utf-8")]
    )
    if kind == "html":
        return heading + alternative
    size = chance.randint(75_000, 375_000) if kind == "attachment" else 3_750_000
    data = base64.encodebytes(chance.randbytes(size)).replace(b"\n", b"\r\n")
    file = b'Content-Type: application/pdf; name="report.pdf"\r\nContent-Disposition: attachment; filename="report.pdf"\r\n'
    file += b"Content-Transfer-Encoding: base64\r\n\r\n" + data
    return heading + _multi("mixed", f"m{number}", [alternative, file])


def _heading(number: int, chance: random.Random, chinese: bool) -> bytes:
    domain = f"customer{number % 200}.example.org"
    lines = [
        f"Received: from mta{n}.{domain} (mta{n}.{domain} [192.0.2.{n}]) by mx.example.com with ESMTPS id {chance.random()}"
        for n in range(1, chance.randint(3, 6))
    ]
    subject = (
        f"=?utf-8?B?{base64.b64encode(f'第 {number} 号 网络 故障'.encode()).decode()}?="
        if chinese
        else f"Problem number {number}"
    )
    lines += [
        f"Message-ID: <bench-{number}.{chance.randrange(10**12)}@{domain}>",
        f"From: User {number} <user{number}@{domain}>",
        "To: support@example.com",
        f"Subject: {subject}",
        "Date: Mon, 23 Nov 2026 09:00:00 +0800",
        f"References: <x{number}@{domain}> <y{number}@{domain}>",
        "MIME-Version: 1.0",
        "X-Mailer: Foxmail 7.2",
        "X-Priority: 3",
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def _text(chance: random.Random, size: int, chinese: bool) -> str:
    words, out, length = (_WORDS if chinese else _LATIN), [], 0
    while length < size:
        line = ("" if chinese else " ").join(chance.choice(words) for _ in range(12))
        out.append(line)
        length += len(line.encode())
    return "\r\n".join(out)


def _part(kind: str, text: str, charset: str) -> bytes:
    data = base64.encodebytes(text.encode(charset, "replace")).replace(b"\n", b"\r\n")
    return f"Content-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + data


def _multi(kind: str, boundary: str, parts: list[bytes]) -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(f"--{boundary}\r\n".encode() + p + b"\r\n" for p in parts) + f"--{boundary}--\r\n".encode()
