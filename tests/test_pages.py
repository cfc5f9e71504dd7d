"""Replies as HTML in tests/texts/pages, as some forty clients write them: which of their words are new.

In each of them "New words" (and "New words two", where somebody answers between) is the sender's, "Old words" and the
keyword beneath are quoted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.intake.prose import read_prose

PAGES = sorted((Path(__file__).parent / "texts" / "pages").glob("*.html"))
WRAPPERS = [
    "{}",
    "<html><head><style>p{{margin:0}}</style></head><body>{}</body></html>",
    '<div class="x_outer">{}</div>',
]


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=["bare", "page", "within"])
@pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
def test_new_words_of_a_page(path: Path, wrapper: str) -> None:
    page = path.read_text(encoding="utf-8")
    split = read_prose([(None, wrapper.format(page))]).words("Re: x", reply=True)
    own = [line for line in split.new.split("\n") if line and not line.startswith(">")]
    wanted = ["New words", "as the manual says", "New words two"]
    assert own == [line for line in wanted if f"{line}<" in page]
    assert "Old words." in split.rest or "> Old words." in split.new or "manual" in page
