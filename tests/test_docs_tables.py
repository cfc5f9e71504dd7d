"""The tables of docs/ are what the code and the starter rules say."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from daemon.lifecycle import CASE_STATES, NEXT_STATE
from scripts.make_docs import MARKED, PICTURES, ROOT, TABLES_OF, renewed


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


@pytest.mark.parametrize("file", PICTURES)
def test_pictures_are_up_to_date(file: str) -> None:
    assert (ROOT / "docs" / file).read_text("utf-8") == PICTURES[file](), "run: python scripts/make_docs.py"


def test_the_picture_of_the_lifecycle_shows_every_state_and_every_move() -> None:
    drawn = ElementTree.fromstring(PICTURES["lifecycle.svg"]())
    said = ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert set(said) >= CASE_STATES
    words = {word for text in said for word in re.split("[ ,→]+", text)}
    assert {verb.value for (old, verb), new in NEXT_STATE.items() if old is not new} <= words
