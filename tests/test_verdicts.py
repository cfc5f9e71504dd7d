"""Whatever is said of a sender, wherever and by whom: the verdict is the policy's, and commands follow the verdict."""

import random
from collections import Counter
from itertools import islice

import pytest

from daemon.words import Proof
from tests import verdicts
from tests.desk import reply, write
from tests.test_conversations import ENGINEER, taken_up
from tests.test_trust import trusting  # noqa: F401


def test_the_verdict_is_in_every_cell_the_policys():
    assert list(islice(verdicts.differing(verdicts.few_cells()), 5)) == []


def test_so_it_is_in_cells_drawn_by_lot_from_all_of_them():
    lot = random.Random(20261124)
    every = [
        verdicts.SPF,
        verdicts.DKIM,
        verdicts.DMARC,
        verdicts.SIGNER,
        verdicts.PLACE,
        verdicts.FROM,
        verdicts.TOKEN,
        verdicts.CHECKED,
    ]
    drawn = (verdicts.Cell(*map(lot.choice, every)) for _ in range(3000))

    assert list(islice(verdicts.differing(drawn), 5)) == []


def test_the_table_is_neither_all_of_one_kind_nor_has_a_row_that_nothing_reaches():
    some = list(verdicts.few_cells())
    reached = Counter(
        next(at for at, (row, _) in enumerate(verdicts.POLICY) if all(getattr(c, n) in v for n, v in row.items()))
        for c in some
    )

    assert {verdicts.wanted(c) for c in some} == set(Proof)
    assert set(reached) == set(range(len(verdicts.POLICY)))
    assert sum(1 for _ in verdicts.cells()) == 4 * 4 * 4 * 5 * 8 * 7 * 3 * 4


def test_a_planted_fault_is_found(monkeypatch):
    """Signatures of strangers counting, and forged places believed: the cells show both."""
    monkeypatch.setattr("daemon.intake.border.may_speak_for", lambda signer, domain: True)
    assert any(c.signer == "stranger" and c.dkim == "pass" for c, _, _ in verdicts.differing(verdicts.few_cells()))
    monkeypatch.undo()
    monkeypatch.setattr("daemon.intake.border._Ours.wrote", lambda self, by: True)
    assert any(c.place == "below foreign" for c, _, _ in verdicts.differing(verdicts.few_cells()))


HERE = "mx.example.com; "
SAID = {
    "dmarc=pass header.from=example.com": True,
    "dkim=pass header.d=example.com": True,
    "dkim=pass header.d=example.com; dmarc=none header.from=example.com": True,
    "spf=pass smtp.mailfrom=example.com": False,
    "dkim=pass header.d=evil.example": False,
    "dmarc=fail header.from=example.com": False,
    "none": False,
}


@pytest.mark.parametrize("with_token", [False, True])
def test_a_command_is_carried_out_at_once_in_the_allowed_cells_only(trusting, with_token):  # noqa: F811
    _, to_engineer = taken_up(trusting)
    allowed = []
    for number, (said, verified) in enumerate(SAID.items()):
        words = f"#进展 第{number}步"
        if with_token:
            mail = reply(to_engineer, ENGINEER, words, authentication_results=HERE + said)
        else:
            mail = write(ENGINEER, words, subject="Re: [INC-1] VPN", authentication_results=HERE + said)
        trusting.receives(mail)
        allowed += [f"第{number}步"] if verified or (with_token and "fail" not in said) else []

    assert [e.text for e in trusting.events(1, "ProgressTold")] == allowed
