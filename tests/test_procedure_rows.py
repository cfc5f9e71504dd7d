"""Every row of the procedure is shown by a test, and docs/procedure.md says by which."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.lifecycle import NEXT_STATE
from tests.procedure_rows import ROWS, SECTIONS, shown_by
from tests.two_languages import SHIPPED

TEST = """
import pytest
CASES = [pytest.param(1, marks=pytest.mark.procedure("b")), 2]
@pytest.mark.procedure("a")
@pytest.mark.parametrize("n", CASES)
def test_one(n): pass
@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.procedure("c", "d"))])
def test_two(n): pass
def helper(): pytest.mark.procedure("e")
"""


def test_every_row_is_shown_by_a_test() -> None:
    shown = shown_by()
    assert [row for row in ROWS if row not in shown] == []


def test_no_test_names_a_row_that_there_is_not() -> None:
    assert set(shown_by()) <= set(ROWS)


def test_the_rows_cover_what_the_product_has() -> None:
    states = {row.split("/")[1] for row in ROWS if row.startswith("3/")}
    assert set(NEXT_STATE.values()) <= states
    assert {f"7/{k.verb}" for k in SHIPPED.keywords} <= set(ROWS)
    assert {f"9/{t.duty}" for t in SHIPPED.duties.times} <= set(ROWS)
    assert {f"4/{impact}-{urgency}" for impact, urgency in SHIPPED.matrix} <= set(ROWS)
    assert {f"6/{int(s)}" for s in SHIPPED.service_levels["standard"].targets} <= set(ROWS)
    assert {row.section for row in ROWS.values()} == set(SECTIONS)


def test_marks_are_found_on_functions_on_cases_and_in_tables_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_x.py").write_text(TEST, "utf-8")
    monkeypatch.setattr("tests.procedure_rows.TESTS", tmp_path)
    one, two = "test_x.py::test_one", "test_x.py::test_two"
    assert shown_by() == {"a": [one], "b": [one], "c": [two], "d": [two]}
