"""From what authority.yaml says to permits: who is believed how much.

What comes in: an Item and Complaints. What goes out: Permits, in the order of the file; what is wrong is complained of.
A file that would let somebody command whom nothing proves is refused: that is no matter of taste.
"""

from __future__ import annotations

from daemon.authority import every_claim
from daemon.routing.items import Choice, Complaints, Item, Known, Table, as_choice, as_list
from daemon.rulebook import Claim, Permit
from daemon.words import Party, Risk, Ruling, Standing, TokenSeen, Verdict

KEYS = {"who": Party, "ticket": Standing, "verdict": Verdict, "token": TokenSeen}
"""What a row may speak of, and the words for it; what it does not name may be anything."""
_CURE = "write confirm or refuse there, or name under 'verdict' or 'token' what proves them"


def permits_from(item: Item, _known: Known, bad: Complaints) -> tuple[Permit, ...]:
    """Return the rows in the order of the file: of those that cover a case the first one counts."""
    rows = [(entry, _permit(entry, bad)) for entry in as_list(item, bad, "'authority'")]
    left = set(every_claim())
    for entry, permit in rows:
        covered = {claim for claim in left if permit.covers(claim)}
        if not covered:
            bad.add(entry, "never counts: the rows above it speak of all its cases; put it higher, or take it out")
        _not_too_free(permit, covered, entry, bad)
        left -= covered
    if left and rows:
        bad.add(item, f"says nothing of {_told(min(left, key=str))}; add a last row that says 'then: refuse'")
    return tuple(permit for _, permit in rows)


def _permit(item: Item, bad: Complaints) -> Permit:
    table = Table(item, (*KEYS, "then"), bad, "a row")
    return Permit(
        parties=_named(table, "who", Party),
        standings=_named(table, "ticket", Standing),
        verdicts=_named(table, "verdict", Verdict),
        tokens=_named(table, "token", TokenSeen),
        rulings=_rulings(table, bad),
        where=item.where,
    )


def _named(table: Table, key: str, kind: type[Choice]) -> frozenset[Choice]:
    return frozenset(table.choices(key, kind)) or frozenset(kind)


def _rulings(table: Table, bad: Complaints) -> dict[Risk, Ruling]:
    """Return what becomes of commands of each risk; one word counts for all."""
    said = table.need("then", "refuse")
    if said is None or not isinstance(said.value, dict):
        one = as_choice(said, Ruling, bad, "then") if said else None
        return dict.fromkeys(Risk, one or Ruling.REFUSE)
    by_risk = Table(said, list(Risk), bad, "'then'")
    found = {risk: by_risk.need(risk, Ruling.REFUSE) for risk in Risk}
    return {risk: (as_choice(i, Ruling, bad, risk) if i else None) or Ruling.REFUSE for risk, i in found.items()}


def _not_too_free(permit: Permit, covered: set[Claim], item: Item, bad: Complaints) -> None:
    """Complain of a row that lets something be changed by a mail that nothing proves, or believes a forged one."""
    changes = {ruling for risk, ruling in permit.rulings.items() if risk is not Risk.ASK}
    unproved = {c for c in covered if c.verdict is not Verdict.VERIFIED and c.token is not TokenSeen.OWN}
    if Ruling.ALLOW in changes and unproved:
        bad.add(item, f"lets commands be carried out of {_told(min(unproved, key=str))}, whom nothing proves; {_CURE}")
    forged = any(c.verdict is Verdict.FAILED for c in covered)
    if forged and set(permit.rulings.values()) != {Ruling.REFUSE}:
        bad.add(item, "speaks of 'verdict: failed' too, and such mail is forged: a row above must say 'then: refuse'")


def _told(claim: Claim) -> str:
    words = {"who": claim.party, "ticket": claim.standing, "verdict": claim.verdict, "token": claim.token}
    return ", ".join(f"{key}: {word}" for key, word in words.items())
