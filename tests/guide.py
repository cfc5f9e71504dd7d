"""Plays docs/rules-guide.md: its commands are typed at a desk where its story happens, and their output is compared.

python -m tests.guide --write puts the real output into the guide.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import time_machine

from daemon import inforce
from daemon.app import places_of
from daemon.cli import run_command
from tests.desk import BEIJING, ROOT, Sent, TestDesk, reply, write

GUIDE = ROOT / "docs" / "rules-guide.md"
BEGINNING = datetime(2026, 11, 23, 9, 30, tzinfo=BEIJING)
LIU = "刘洋 <liu.yang@huaxin.example>"
STEP = re.compile(r"<!-- play: (\w+) -->|```console\n(.*?)```", re.DOTALL)
_VERSION = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b")
_COUNT = re.compile(r"(?<=\.yaml:)\d+|\d+(?= in all| tests)|\+\d+ -\d+ *")
TEST = """
# --- 从投诉来的 from complaints ---

- name: ERP 里打印不出单据归应用组 what cannot be printed from the ERP goes to application
  mail: ERP 打印不出发货单
  expect: {category: software/application, team: application, not_rules: [打印机 printer]}
"""
OLD = """\
      subject contains: [打印机, 打印不, 卡纸, printer, paper jam]
    then: {category: hardware/printer, team: desktop}
"""
NEW = """\
      subject contains: [打印机, 打印不, 卡纸, printer, paper jam]
      not: {subject mentions: {list: 业务系统 business systems}}
    then: {category: hardware/printer, team: desktop}
    examples: [打印机卡纸, "Printer on floor 3: paper jam"]
    counter_examples: [ERP 打印不出发货单]
"""


class Story:
    """The desk of the guide, and what happens there between its commands."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "rules", folder / "rules")
        self.folder = folder
        self.desk = TestDesk(folder, now=BEGINNING)
        inforce.at_start(places_of(self.desk.config), self.desk.desk.store, BEGINNING)
        self.sent: list[Sent] = []

    def mails(self) -> None:
        """Some mails come in the morning; one of them goes to the wrong team."""
        for subject in (
            "VPN 连不上",
            "打印机卡纸",
            "ERP 打印不出发货单",
            "Printer on floor 3: paper jam",
            "OA 系统很慢",
        ):
            self.sent += self.desk.receives(write(LIU, "请看一下。", subject=subject))
            self.sent += self.desk.waits(minutes=10)

    def correction(self) -> None:
        """The customer complains, and the engineer who has it puts it right by mail."""
        given = next(s for s in self.sent if "发货单" in s.subject and s.mail.to.endswith("@example.com"))
        self.desk.receives(reply(given, f"<{given.to}>", "#分类 software/application\n#转派 应用组"))

    def test(self) -> None:
        """Somebody writes a test."""
        with (self.folder / "draft" / "tests" / "routing.yaml").open("a", encoding="utf-8") as file:
            file.write(TEST)

    def change(self) -> None:
        """Somebody changes the rule."""
        routing = self.folder / "draft" / "routing.yaml"
        text = routing.read_text("utf-8")
        assert text.count(OLD) == 1
        routing.write_text(text.replace(OLD, NEW), "utf-8")

    def week(self) -> None:
        """A week goes by."""
        self.desk.clock.at += timedelta(days=7)


def played(text: str, folder: Path) -> str:
    """Return the guide with what its commands really say."""
    story = Story(folder)

    def step(match: re.Match[str]) -> str:
        if match[1]:
            getattr(story, match[1])()
            return match[0]
        commands = [line[2:] for line in match[2].splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"$ {c}\n{_typed(c, story)}" for c in commands) + "```"

    with _at(folder):
        return STEP.sub(step, text)


def same(text: str) -> str:
    """Return a guide without what every change of the starter rules changes: versions, lines of files, their number."""
    return _COUNT.sub("N", _VERSION.sub("VERSION", text))


def _typed(command: str, story: Story) -> str:
    words = shlex.split(command)
    if words[:2] == ["cp", "-r"]:
        shutil.copytree(story.folder / words[2], story.folder / words[3])
        return ""
    assert words[0] == "ticketd", command
    said = io.StringIO()
    stand = story.desk.clock.at
    with time_machine.travel(stand, tick=False), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        run_command(["--log-level", "error", *words[1:]])
    lines = (line.rstrip() for line in said.getvalue().replace(f"{story.folder}/", "").splitlines())
    return "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def _at(folder: Path) -> Iterator[None]:
    """Be in this folder, as the person of the guide."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with patch.dict(os.environ, {"SUDO_USER": "wang.wei"}):
            yield
    finally:
        os.chdir(before)


def main() -> int:
    """Write the real output into the guide, or say whether it differs."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true")
    args = asked.parse_args()
    text = GUIDE.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        real = played(text, Path(folder).resolve())
    if args.write:
        GUIDE.write_text(real, "utf-8")
    return 0 if args.write or same(real) == same(text) else 1


if __name__ == "__main__":
    sys.exit(main())
