"""Rule files of any length, to measure and to try limits with: half of the conditions are words, half are patterns.

What they ask for is what rules ask for in earnest; few of them meet a mail, as in a set that has grown over the years.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_CHARACTERS = "网络打印机服务器数据库密码邮箱系统电脑键盘鼠标显示器交换机路由专线无线账号权限安装升级补丁病毒告警温度电源机房磁盘内存"
_KINDS = (
    "any: [{{subject contains: [{a}, {b}, app{n}]}}, {{text contains: [{c}, srv-{n}]}}]",
    "any: [{{subject mentions: [svc{n}, {a}]}}, {{text matches: '{b}.{{0,10}}(失败|报错)|\\bservice{n}\\b.*(down|failed)'}}]",
    "{{sender domain in: [c{n}.example, d{n}.example], subject matches: '(error|fail).*{n}'}}",
    "any: [{{text matches: 'err(or)?[ -]?{n}\\b'}}, {{text mentions: [{a}, x{n}]}}, {{subject matches: '^\\[{n}\\]'}}]",
)


def many_rules(count: int) -> str:
    """Return a routing.yaml of so many rules."""
    return "rules:\n" + "".join(_rules(count))


def _rules(count: int) -> Iterator[str]:
    chance = random.Random(count)
    for n in range(count):
        a, b, c = ("".join(chance.choices(_CHARACTERS, k=3)) for _ in range(3))
        when = _KINDS[n % len(_KINDS)].format(n=n, a=a, b=b, c=c)
        when = when if when.startswith("{") else f"{{{when}}}"
        yield f"  - {{name: rule {n}, when: {when}, then: {{category: network, team: network}}}}\n"
