"""Who really sent a letter. From alone proves nothing.

What comes in: a Letter, the address that a genuine reply token in it was issued to, and whose word counts. What goes
out: a Proof and the reason in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from daemon.intake.border import border_says
from daemon.intake.heading import ONCE
from daemon.intake.letter import Letter
from daemon.service import Trust
from daemon.words import Proof, domain_of


def prove(letter: Letter, token_for: str | None, own_addresses: Collection[str], trust: Trust) -> tuple[Proof, str]:
    """Return how sure we are of the sender, and why.

    `own_addresses` are all addresses (lower-case) that this sender may have been given a token at: the address in
    From, the other addresses of the same person, and the addresses of their teams.
    """
    if len(letter.senders) != 1:
        return Proof.FAILED, "From does not name exactly one sender"
    if twice := _twice(letter):
        return Proof.NONE, f"it has more than one {twice} header, so that another program may read it otherwise"
    verdict, why = border_says(letter.trail, domain_of(letter.senders[0].address), trust)
    if verdict is not Proof.NONE:
        return verdict, why
    if token_for is None:
        return Proof.NONE, f"no reply token of ours; {why}"
    if token_for.lower() not in own_addresses:
        return Proof.NONE, "the reply token in it was given to somebody else"
    return Proof.TOKEN, "the reply token in it was given to this sender"


def _twice(letter: Letter) -> str:
    """Return the header that stands in it more than once and may not, or ""."""
    counted = Counter(name.lower() for name, _ in letter.headers)
    return next((name for name in ONCE if counted[name] > 1), "")
