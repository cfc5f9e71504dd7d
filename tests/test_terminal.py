"""What people see on a terminal: long lines go on further in, and no word of them is lost."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.text import Text

from daemon.terminal import _hanging


@pytest.mark.parametrize(
    "line",
    [
        "",
        "short",
        "      ✗ subject contains: 密码 | 账号锁定 | 帐号锁定 | 无法登录 password locked in «x»",
        "  " + "a" * 100,
        " " * 30 + "abc def " * 10,
    ],
)
def test_a_long_line_goes_on_further_in_and_loses_no_word(line: str) -> None:
    parts = [p.plain for p in _hanging(Text(line), Console(width=40))]
    assert "".join("".join(parts).split()) == "".join(line.split())
    assert all(Text(part).cell_len <= 40 for part in parts)
    margin = min(len(line) - len(line.lstrip()) + 2, 20)
    assert all(part.startswith(" " * margin) and part[margin] != " " for part in parts[1:])
