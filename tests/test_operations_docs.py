"""docs/operations.md knows every alarm, and every trouble that the log can tell of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.desk import ROOT

DOCS = (ROOT / "docs" / "operations.md").read_text("utf-8")


def calls(name: str) -> Iterator[ast.Call]:
    for path in sorted(Path(ROOT / "daemon").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and name in (getattr(node.func, "attr", ""), getattr(node.func, "id", "")):
                yield node


def said(title: ast.expr) -> str:
    """Return the words of a title, with … for what differs from alarm to alarm."""
    if isinstance(title, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in title.values)
    assert isinstance(title, ast.Constant), f"line {title.lineno}: write the title of an alarm where it is raised"
    return str(title.value)


def test_every_alarm_stands_in_the_docs_with_what_to_do() -> None:
    table = DOCS.partition("## Alarms")[2].partition("\n## ")[0]
    documented = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")} - {"alarm"}
    raised = {said(call.args[2]) for call in calls("raise_alarm") if not isinstance(call.args[2], ast.Name)}
    raised |= {said(call.args[0]) for call in calls("_alarm")}
    assert len(raised) > 10
    assert raised - documented == set(), "these alarms are not in docs/operations.md"
    assert documented - raised == set(), "docs/operations.md speaks of alarms that nobody raises"


def test_every_trouble_of_the_log_stands_in_the_docs() -> None:
    table = DOCS.partition("## Logs")[2].partition("\n## ")[0]
    for level in ("error", "critical"):
        for call in calls(level):
            if call.args and isinstance(call.args[0], ast.Constant) and "." in str(call.args[0].value):
                assert f"`{call.args[0].value}`" in table, f"{call.args[0].value} is not in docs/operations.md"
