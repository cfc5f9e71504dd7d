"""Every mail of our own corpus is read as its expectation says (tests/mails; tests/corpus.py tells the form)."""

from __future__ import annotations

import pytest

from tests.corpus import MAILS, Case, cases

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_a_mail_is_read_as_expected(case: Case) -> None:
    assert case.differences() == []


def test_every_mail_has_an_expectation() -> None:
    told = {c.path for c in CASES}
    assert [str(p.relative_to(MAILS)) for p in sorted(MAILS.rglob("*.eml")) if p not in told] == []
