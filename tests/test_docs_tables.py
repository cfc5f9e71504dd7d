"""The tables of docs/ are what the code and the starter rules say."""

from pathlib import Path

import pytest

from scripts.make_docs import MARKED, ROOT, TABLES_OF, renewed


@pytest.mark.parametrize("file", TABLES_OF)
def test_tables_are_up_to_date(file: str) -> None:
    text = (ROOT / "docs" / file).read_text("utf-8")
    assert renewed(file, text) == text, "run: python scripts/make_docs.py"


@pytest.mark.parametrize("file", TABLES_OF)
def test_every_table_has_its_place(file: str) -> None:
    text = Path(ROOT / "docs" / file).read_text("utf-8")
    assert {m[2] for m in MARKED.finditer(text)} == set(TABLES_OF[file])


def test_a_table_that_differs_is_noticed() -> None:
    text = (ROOT / "docs" / "keywords.md").read_text("utf-8")
    assert renewed("keywords.md", text.replace("#accept", "#acept")) == text
