"""Every cell of the question who sent a mail, with the verdict that it must get and the one that it gets.

The table below is the policy, written down apart from the code that keeps it: from the top, the first row that fits counts.
`cells()` yields every combination; `few_cells()` those in which no two kinds of evidence are varied for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from daemon.intake.identity import Signed, prove
from daemon.intake.letter import Letter, read_letter
from daemon.service import Trust
from daemon.words import Proof

SPF = ("pass", "fail", "none", "absent")
DKIM = ("pass", "fail", "none", "absent")
DMARC = ("pass", "fail", "none", "absent")
SIGNER = ("same", "parent", "child", "sister", "stranger")
PLACE = ("top", "below own", "below foreign", "below a lesser one", "other server", "nameless", "garbled", "absent")
FROM = ("one", "two headers", "two addresses", "nobody", "read differently", "subject twice", "disguised")
TOKEN = ("own", "other", "none")
CHECKED = ("good", "by a child", "bad", "unchecked")

WHOM = "mail.example.com"
_DOMAINS = {
    "same": WHOM, "parent": "example.com", "child": f"a.{WHOM}", "sister": "www.example.com", "stranger": "evil.example",
}  # fmt: skip
_TRUST = Trust(authserv_ids=frozenset({"mx.example.org"}))
_OWN, _FOREIGN = ("received", "from a by mx.example.org; x"), ("received", "from a by b.example; x")


@dataclass(frozen=True)
class Cell:
    """One combination: what the server says, of whom, where; how From is; whose token; what our own check found."""

    spf: str = "absent"
    dkim: str = "absent"
    dmarc: str = "absent"
    signer: str = "same"
    place: str = "absent"
    sender: str = "one"
    token: str = "none"
    checked: str = "unchecked"


BELIEVED = ("top", "below own")
POLICY: tuple[tuple[dict[str, tuple[str, ...]], Proof], ...] = (
    ({"sender": ("two headers", "two addresses", "nobody", "read differently")}, Proof.FAILED),
    ({"place": BELIEVED, "dmarc": ("fail",)}, Proof.FAILED),
    ({"sender": ("subject twice", "disguised")}, Proof.NONE),
    ({"place": BELIEVED, "dmarc": ("pass",), "signer": ("same",)}, Proof.VERIFIED),
    ({"place": BELIEVED, "dkim": ("pass",), "signer": ("same", "parent")}, Proof.VERIFIED),
    ({"checked": ("good",)}, Proof.VERIFIED),
    ({"token": ("own",)}, Proof.TOKEN),
    ({}, Proof.NONE),
)


def wanted(cell: Cell) -> Proof:
    """Return the verdict of the policy."""
    fits = (proof for row, proof in POLICY if all(getattr(cell, name) in values for name, values in row.items()))
    return next(fits)


def got(cell: Cell) -> Proof:
    """Return the verdict of the code."""
    letter = replace(_letter(cell.sender), trail=_trail(cell))
    token = {"own": f"x@{WHOM}", "other": "y@example.com", "none": None}[cell.token]
    signed = {"good": Signed(by="example.com"), "by a child": Signed(by=f"a.{WHOM}"), "bad": Signed(why="no"),
              "unchecked": None}[cell.checked]  # fmt: skip
    looks = "wang.wei@example.com" if cell.sender == "disguised" else ""
    return prove(letter, token, (f"x@{WHOM}",), _TRUST, signed, looks)[0]


@cache
def _letter(sender: str) -> Letter:
    one = f"From: x@{WHOM}\r\n"
    heads = {
        "two headers": one + "From: y@evil.example\r\n",
        "two addresses": f"From: x@{WHOM}, y@evil.example\r\n",
        "nobody": "",
        "read differently": f"From: x@{WHOM} <y@evil.example>\r\n",
        "subject twice": one + "Subject: a\r\nSubject: b\r\n",
    }
    return read_letter((heads.get(sender, one) + "To: support@example.org\r\n\r\n#accept\r\n").encode())


def _trail(cell: Cell) -> tuple[tuple[str, str], ...]:
    domain = _DOMAINS[cell.signer]
    parts = [f"spf={cell.spf} smtp.mailfrom=x@{domain}" if cell.spf != "absent" else ""]
    parts += [f"dkim={cell.dkim} header.d={domain}" if cell.dkim != "absent" else ""]
    parts += [f"dmarc={cell.dmarc} header.from={domain}" if cell.dmarc != "absent" else ""]
    said = "; ".join(p for p in parts if p) or "none"
    field = ("authentication-results", f"mx.example.org; {said}")
    return {
        "top": (field, _OWN, _FOREIGN),
        "below own": (_OWN, field, _FOREIGN),
        "below foreign": (_OWN, _FOREIGN, field),
        "below a lesser one": (("authentication-results", "mx.example.org; none"), field),
        "other server": (("authentication-results", f"mx.evil.example; {said}"),),
        "nameless": (("authentication-results", said if said != "none" else "spf=none"),),
        "garbled": (("authentication-results", f"mx.example.org; {said} (open"), field),
        "absent": (_OWN, _FOREIGN),
    }[cell.place]


def cells() -> Iterator[Cell]:
    """Yield every cell there is: some two hundred thousand, for a campaign."""
    return (Cell(*values) for values in product(SPF, DKIM, DMARC, SIGNER, PLACE, FROM, TOKEN, CHECKED))


def few_cells() -> Iterator[Cell]:
    """Yield every word of the server with every place and nothing else, then a word of each kind with all else."""
    for values in product(SPF, DKIM, DMARC, SIGNER, PLACE):
        yield Cell(*values)
    spoken = [Cell(dmarc=d, place=p) for d in ("pass", "fail", "none") for p in ("top", "below foreign", "absent")]
    spoken += [Cell(dkim="pass", signer=s, place="top") for s in SIGNER]
    for base, sender, token, checked in product(spoken, FROM, TOKEN, CHECKED):
        yield replace(base, sender=sender, token=token, checked=checked)


def differing(some: Iterator[Cell]) -> Iterator[tuple[Cell, Proof, Proof]]:
    """Yield the cells whose verdict is not the policy's, with what it should be and what it is."""
    for cell in some:
        should, is_ = wanted(cell), got(cell)
        if should is not is_:
            yield cell, should, is_
