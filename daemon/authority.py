"""May this command be carried out, for who comes with this proof? The one judgement that everything asks.

What comes in: what is Known of a mail, the Ticket, the commands, and the permits of rules/authority.yaml. What goes
out: a Ruling. Who may use which keyword on a ticket is another question: `who:` in keywords.yaml answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import product

from daemon.actors import of_ours
from daemon.intake.keywords import Command
from daemon.intake.understand import Known
from daemon.rulebook import Claim, Permit, Rulebook
from daemon.ticket import Ticket
from daemon.words import PROVED, Party, Proof, Risk, Role, Ruling, Standing, TokenSeen, Verdict

_STRICTEST = {ruling: at for at, ruling in enumerate(Ruling)}
_ALL = (frozenset(Verdict), frozenset(TokenSeen), frozenset(Party), frozenset(Standing))


def _permit(rulings: Ruling, **about: frozenset[object]) -> Permit:
    given = dict(zip(("verdicts", "tokens", "parties", "standings"), _ALL, strict=True)) | about
    return Permit(rulings=dict.fromkeys(Risk, rulings), **given)  # type: ignore[arg-type]  # each has its own kind


PROVED_ONLY: tuple[Permit, ...] = (
    _permit(Ruling.REFUSE, verdicts=frozenset({Verdict.FAILED})),
    _permit(Ruling.ALLOW, verdicts=frozenset({Verdict.VERIFIED})),
    _permit(Ruling.ALLOW, tokens=frozenset({TokenSeen.OWN})),
    _permit(Ruling.REFUSE),
)
"""What counts where there is no authority.yaml."""


def ruling_of(commands: Iterable[Command], ticket: Ticket | None, known: Known, rulebook: Rulebook) -> Ruling:
    """Return what becomes of the commands of one mail together: the strictest ruling on any of them."""
    claim = claim_of(known, ticket)
    rulings = {judged(claim, risk_of(c, rulebook), rulebook.permits) for c in commands}
    return min(rulings, key=_STRICTEST.__getitem__, default=Ruling.ALLOW)


def judged(claim: Claim, risk: Risk, permits: tuple[Permit, ...]) -> Ruling:
    """Return what the first permit that covers the claim says of this risk."""
    permit = next((p for p in permits or PROVED_ONLY if p.covers(claim)), None)
    return permit.rulings[risk] if permit else Ruling.REFUSE


def risk_of(command: Command, rulebook: Rulebook) -> Risk:
    """Return the risk that keywords.yaml gives a command; a word that is no keyword counts as high."""
    return next((k.risk for k in rulebook.keywords if k.verb is command.verb), Risk.HIGH)


def claim_of(known: Known, ticket: Ticket | None) -> Claim:
    """Return with what the sender of a mail comes; whoever opens a ticket is its requester."""
    return Claim(
        verdict=_verdict(known.proof),
        token=TokenSeen.OWN if known.proof is Proof.TOKEN else known.token,
        party=_party(known),
        standing=_standing(known.sender.address, ticket),
    )


def _verdict(proof: Proof) -> Verdict:
    if proof is Proof.FAILED:
        return Verdict.FAILED
    return Verdict.VERIFIED if proof in PROVED and proof is not Proof.TOKEN else Verdict.NONE


def _party(known: Known) -> Party:
    person = known.sender.person
    if of_ours(person):
        return Party.STAFF
    return Party.VENDOR if person and Role.VENDOR in person.roles else Party.OUTSIDER


def _standing(address: str, ticket: Ticket | None) -> Standing:
    if ticket is None or ticket.reported_by(address):
        return Standing.REQUESTER
    return Standing.ON_RECORD if ticket.concerns(address) else Standing.NOT_ON_IT


# --- the whole table, to look at and to try ---


def every_claim() -> Iterator[Claim]:
    """Yield every claim that there can be."""
    for party, standing, verdict, token in product(Party, Standing, Verdict, TokenSeen):
        yield Claim(verdict=verdict, token=token, party=party, standing=standing)


def cells(permits: tuple[Permit, ...]) -> Iterator[tuple[Claim, Risk, Ruling]]:
    """Yield every cell of the table with its ruling."""
    for claim, risk in product(every_claim(), Risk):
        yield claim, risk, judged(claim, risk, permits)


MATRIX_HEAD = ("who", "on the ticket", "verdict", "token", *map(str, Risk))
_COLUMNS = (Party, Standing, Verdict, TokenSeen)
_Key = tuple[frozenset[str], ...]


def matrix(permits: tuple[Permit, ...]) -> list[tuple[str, ...]]:
    """Return the table for people, under MATRIX_HEAD: lines that say the same are one line."""
    found: dict[_Key, tuple[str, ...]] = {}
    for claim in every_claim():
        words = (claim.party, claim.standing, claim.verdict, claim.token)
        found[tuple(frozenset({str(w)}) for w in words)] = tuple(str(judged(claim, r, permits)) for r in Risk)
    for column in (3, 2, 1, 0):
        found = _joined(found, column)
    return [(*map(_in_words, key, _COLUMNS), *rulings) for key, rulings in found.items()]


def _joined(rows: dict[_Key, tuple[str, ...]], column: int) -> dict[_Key, tuple[str, ...]]:
    """Return the rows, those as one that differ in this column only."""
    groups: dict[tuple[_Key, _Key, tuple[str, ...]], frozenset[str]] = {}
    for key, rulings in rows.items():
        alike = (key[:column], key[column + 1 :], rulings)
        groups[alike] = groups.get(alike, frozenset()) | key[column]
    return {(*before, words, *behind): rulings for (before, behind, rulings), words in groups.items()}


def _in_words(words: frozenset[str], known: type[StrEnum]) -> str:
    return "any" if len(words) == len(known) else ", ".join(str(word) for word in known if word in words)
