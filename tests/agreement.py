"""Does `ticketd explain` say what then happens? A desk gets mails of every sort; each is explained first, then handled.

As a module it tries as many as you like: python -m tests.agreement --count 1000 --seed 7
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from dataclasses import fields, replace
from email.message import EmailMessage
from email.policy import SMTP
from itertools import zip_longest
from pathlib import Path
from typing import Any

from daemon.events import Event, event_from
from daemon.explaining import explain_mail
from daemon.intake.letter import read_letter
from daemon.log import configure
from tests.desk import Sent, TestDesk, reply, write

SENDERS = (
    "张三 <zhang.san@huaxin.example>", "Anna <anna@acme.example>", "王伟 <wang.wei@example.com>",
    "孙莉 <sun.li@example.com>", "Stranger <x@nowhere.example>", "Zabbix <zabbix@example.com>",
    "noreply@shop.example", "赵敏 <zhao.min@example.com>",
)  # fmt: skip
SUBJECTS = (
    "VPN 连不上", "ＶＰＮ 又断了", "【紧急】打印机卡纸", "Re: printer", "代开发票 13800000000", "Network is down", "投诉",
    "Problem: CPU on web-01", "申请开通邮箱权限", "server crashed", "", "Outlook", "B 座机房火警", "自动回复：休假",
    "忘记密码了", "ERP 白屏", "钓鱼邮件", "磁盘空间不足", "question about our backups",
)  # fmt: skip
TEXTS = (
    "早上开始不行，错误 691。", "全公司都连不上，很急！", "Our whole department is affected since 9.", "谢谢，已解决。",
    "#受理", "#status", "#已解决 重启了交换机", "#级别 1", "#分类 network/vpn", "#备注 等客户", "", "ORA-12541 on login",
    "还是不行。", "no space left on device", "#转派 服务台", "#悬空 命令", "I forgot my password.", "#挂起 客户",
    "请尽快处理\n\n> 引用的话\n> VPN",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {}, {"x_priority": "1"}, {"importance": "high"}, {"auto_submitted": "auto-replied"},
    {"x_spam_flag": "YES"}, {"list_id": "<news.example>"},
)  # fmt: skip


def a_mail(luck: random.Random, known: list[Sent]) -> EmailMessage:
    """Return a mail to a desk that has sent these before: new, or an answer to one of them."""
    sender, text, headers = luck.choice(SENDERS), luck.choice(TEXTS), dict(luck.choice(HEADERS))
    headers["message_id"] = f"<{luck.getrandbits(48)}@mails.example>"
    if known and luck.random() < 0.45:
        answered = luck.choice(known[-30:])
        return reply(answered, luck.choice((answered.to, answered.to, sender)), text, **headers)
    return write(sender, text, subject=luck.choice(SUBJECTS), **headers)


def disagreements(folder: Path, count: int, seed: int, seen: Counter[str] | None = None) -> list[str]:
    """Return where what was explained and what then happened differ; `seen` counts the kinds of events."""
    luck, desk, known, found = random.Random(seed), TestDesk(folder), [], []
    for number in range(count):
        desk.waits(minutes=luck.choice((1, 7, 45)))
        content = a_mail(luck, known).as_bytes(policy=SMTP)
        said = explain_mail(read_letter(content), "m.eml", "support", desk.desk)
        desk.arrives(content)
        known += desk.works()
        came = _came(desk)
        (seen if seen is not None else Counter()).update(type(e).__name__ for e in came[2])
        if what := _differ(_said(said), came):
            found.append(f"mail {number}: {what}\n{content.decode()}")
    desk.desk.store.close()
    return found


Came = tuple[str, str, list[Event], list[tuple[str, str]]]


def _said(said: dict[str, Any]) -> Came:
    changes = sorted(said["changes"], key=lambda c: c["ticket"] or 10**9)  # new tickets get the next numbers
    events = [_bare(event_from(e["kind"], e["data"])) for c in changes for e in c["events"]]
    return said["status"], said["note"], events, sorted((n["to"], n["template"]) for n in said["notices"])


def _came(desk: TestDesk) -> Came:
    store = desk.desk.store
    mail, status, reason = store.base.one("SELECT id, status, reason FROM mail ORDER BY id DESC LIMIT 1")
    cause = f"mail:{mail}"
    rows = store.base.rows("SELECT DISTINCT ticket FROM event WHERE cause = ? ORDER BY ticket", (cause,))
    events = [_bare(e) for (number,) in rows for _, e, _, why in store.register.events(number) if why == cause]
    told = store.base.rows("SELECT recipient, template FROM notice WHERE cause = ?", (cause,))
    return status, reason, events, sorted((to, template) for to, template in told)


def _bare(event: Event) -> Event:
    """Return an event without the numbers that only recording gives."""
    numbers = {f.name: 0 for f in fields(event) if f.name in ("mail", "ticket")}
    return replace(event, **numbers) if numbers else event  # type: ignore[arg-type]


def _differ(said: Came, came: Came) -> str:
    """Return the first of all that differs."""
    for one, other in zip(said, came, strict=True):
        if isinstance(one, list) and isinstance(other, list):
            pairs = zip_longest(one, other)
            one, other = next(((a, b) for a, b in pairs if a != b), (one, other))
        if one != other:
            return f"said {one}\n came {other}"
    return ""


def main() -> int:
    """Try as many mails as asked for; exit with 1 where explain and the live path differ."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=1)
    args = asked.parse_args()
    configure("error", journal=False)
    with tempfile.TemporaryDirectory() as folder:
        found = disagreements(Path(folder) / "desk", args.count, args.seed)
    print(*found, f"{args.count} mails, {len(found)} disagreements", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
