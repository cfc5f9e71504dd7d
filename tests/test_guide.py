"""The guide to changing rules shows what its commands really say."""

from pathlib import Path

from tests.guide import GUIDE, NEW, TEST, played, same


def test_the_guide_is_what_happens(tmp_path: Path) -> None:
    text = GUIDE.read_text("utf-8")
    assert same(played(text, tmp_path.resolve())) == same(text), "run: python -m tests.guide --write"


def test_the_guide_shows_the_changes_that_are_made() -> None:
    text = GUIDE.read_text("utf-8")
    assert TEST.strip().split("\n\n")[1] in text
    assert NEW in text
