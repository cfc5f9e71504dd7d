"""Forwarded mails in the forms of many clients and languages: who wrote the mail inside, and what it says.

They stand in tests/texts/forwarded: a line `=== client | subject | address` ("-" where the client shows none), and the
text beneath, each line behind a space.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.intake.forward import find_forwarded
from daemon.intake.prose import read_prose

SOURCE = Path(__file__).parent / "texts" / "forwarded" / "clients.txt"
FORMS = [form.split("\n") for form in f"\n{SOURCE.read_text(encoding='utf-8')}".split("\n=== ")[1:]]


@pytest.mark.parametrize("form", FORMS, ids=[form[0].partition(" | ")[0] for form in FORMS])
def test_who_wrote_the_mail_inside(form: list[str]) -> None:
    _, subject, address = form[0].split(" | ")
    split = read_prose([("\n".join(line[1:] for line in form[1:]), None)]).words(subject)
    found = find_forwarded(subject, split.new, split.rest)
    assert found is not None
    assert found.sender.address == address.strip("-")
    assert address != "-" or found.sender.name in ("Anna Lee", "安娜")
    assert "fire" in found.text and "anna@partner.example" not in found.text
    assert "fire" not in split.new and "partner.example" not in split.new


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("VS: tulostin", "Hei\n\nLähettäjä: Anna <anna@partner.example>\nLähetetty: 20.11.2026\nAihe: tulostin\n\nx"),
        ("Re: zones", "ok\n\n=== forward zone ===\ndb-01 A 10.0.0.1\n"),
        ("printer", "See the table:\n| From | Berlin |\n| To | Munich |\n"),
    ],
)
def test_what_only_looks_like_a_forward(subject: str, text: str) -> None:
    split = read_prose([(text, None)]).words(subject)
    assert find_forwarded(subject, split.new, split.rest) is None
