"""A new key for the reply tokens: what the old one has signed stays good until its line is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon import app
from daemon.cli import run_command
from tests.desk import TestDesk, one, reply, write

ZHANG = "张三 <zhang.san@huaxin.example>"
WANG = "王伟 <wang.wei@example.com>"


def with_keys(desk: TestDesk, *lines: str) -> None:
    """Restart with these lines in the secret file."""
    path = desk.folder / "secret"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    desk.desk.keys = app.read_keys(path)
    desk.desk.renderer = app.open_renderer(desk.config, desk.desk.service, desk.desk.keys)


def test_old_tokens_are_good_until_their_key_is_deleted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    desk = TestDesk(tmp_path)
    first = one(desk.receives(write(ZHANG, "VPN 连不上。")), "wang.wei")
    second = one(desk.receives(write(ZHANG, "打印机卡纸。", subject="VPN 又断了")), "wang.wei")
    old = (desk.folder / "secret").read_text().strip()
    assert old.startswith("a:") and "+a1-" in first.reply_to

    capfd.readouterr()
    assert run_command(["new-key", "b"]) == 0
    new = capfd.readouterr().out.strip()
    with_keys(desk, new, old)
    answers = desk.receives(reply(first, WANG, "#受理"))
    assert desk.ticket(1).state == "in_progress", "what the old key has signed is still good"
    assert "+b1-" in one(answers, "zhang.san").reply_to, "what goes out now is signed by the new one"
    desk.receives(reply(one(answers, "wang.wei"), WANG, "#进展 正在更换证书"))
    assert "ProgressTold" in desk.history(1)

    with_keys(desk, new)
    desk.receives(reply(second, WANG, "#受理"))
    assert desk.ticket(2).state == "assigned", "the old key is gone, and what it has signed proves nothing"
    desk.receives(reply(one(answers, "wang.wei"), WANG, "#已解决 证书已更换"))
    assert desk.ticket(1).state == "resolved", "the new one counts"


@pytest.mark.parametrize("letter", ["B", "bb", "1", "é"])
def test_a_key_is_called_by_one_letter(letter: str) -> None:
    assert run_command(["new-key", letter]) == 64
