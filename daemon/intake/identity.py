"""Who really sent a letter. From alone proves nothing.

What comes in: a Letter, the address that a genuine reply token in it was issued to, and whose word counts. What goes
out: a Proof and the reason in words.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass

from daemon.intake.border import border_says
from daemon.intake.heading import ONCE
from daemon.intake.letter import Letter
from daemon.intake.signatures import may_speak_for
from daemon.service import Trust
from daemon.words import Proof, domain_of


@dataclass(frozen=True, slots=True)
class Signed:
    """Which domain's DKIM signature on a mail was found good when it was first read, "" and why where none was.

    Keys change, so this is written down with the mail and never found out again.
    """

    by: str = ""
    why: str = ""

    def __str__(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def signed_from(text: str) -> Signed | None:
    """Return what was written down of a mail's signatures, None where they were not checked."""
    return Signed(**json.loads(text)) if text else None


def prove(
    letter: Letter,
    token_for: str | None,
    own_addresses: Collection[str],
    trust: Trust,
    signed: Signed | None = None,
) -> tuple[Proof, str]:
    """Return how sure we are of the sender, and why.

    `own_addresses` are all addresses (lower-case) that this sender may have been given a token at: the address in
    From, the other addresses of the same person, and the addresses of their teams.
    """
    if len(letter.senders) != 1:
        return Proof.FAILED, "From does not name exactly one sender"
    if twice := _twice(letter):
        return Proof.NONE, f"it has more than one {twice} header, so that another program may read it otherwise"
    domain = domain_of(letter.senders[0].address)
    verdict, why = border_says(letter.trail, domain, trust)
    if verdict is not Proof.NONE:
        return verdict, why
    if signed and signed.by and may_speak_for(signed.by, domain):
        return Proof.VERIFIED, f"its DKIM signature by {signed.by} is good"
    if token_for is None:
        return Proof.NONE, "; ".join(["no reply token of ours", why, *([signed.why] if signed else [])])
    if token_for.lower() not in own_addresses:
        return Proof.NONE, "the reply token in it was given to somebody else"
    return Proof.TOKEN, "the reply token in it was given to this sender"


def _twice(letter: Letter) -> str:
    """Return the header that stands in it more than once and may not, or ""."""
    counted = Counter(name.lower() for name, _ in letter.headers)
    return next((name for name in ONCE if counted[name] > 1), "")
