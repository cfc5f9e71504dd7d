"""Who really sent a letter. From alone proves nothing.

What comes in: a Letter, the address that a genuine reply token in it was issued to, and whose
Authentication-Results we believe. What goes out: a Proof and the reason in words. The only importer of authres.
Source: RFC 8601 §5 (believe only the topmost field of our own border), RFC 7489 §3.1 (alignment).
"""

from __future__ import annotations

from collections.abc import Collection

from authres import AuthenticationResultsHeader, FeatureContext, arc, core, dmarc
from authres.core import AuthResError

from daemon.intake.letter import Letter
from daemon.words import Proof, domain_of

_FIELDS = FeatureContext(core, dmarc, arc)


def prove(
    letter: Letter, token_for: str | None, own_addresses: Collection[str], authserv_ids: Collection[str]
) -> tuple[Proof, str]:
    """Return how sure we are of the sender, and why.

    `own_addresses` are all addresses (lower-case) that this sender may have been given a token at: the address in
    From, the other addresses of the same person, and the addresses of their teams.
    """
    if len(letter.senders) != 1:
        return Proof.FAILED, "From does not name exactly one sender"
    verdict, why = _server_says(letter, authserv_ids)
    if verdict is not Proof.NONE:
        return verdict, why
    if token_for is None:
        return Proof.NONE, "no reply token of ours, and no verdict of a trusted mail server"
    if token_for.lower() not in own_addresses:
        return Proof.NONE, "the reply token in it was given to somebody else"
    return Proof.TOKEN, "the reply token in it was given to this sender"


def _server_says(letter: Letter, authserv_ids: Collection[str]) -> tuple[Proof, str]:
    """Return the verdict of the topmost Authentication-Results field of a server that we trust."""
    field = _topmost_trusted(letter, {i.lower() for i in authserv_ids})
    if field is None:
        return Proof.NONE, ""
    domain = domain_of(letter.senders[0].address)
    for result in field.results:
        verdict = str(result.result).lower()
        if result.method == "dmarc" and verdict == "fail":
            return Proof.FAILED, f"{field.authserv_id} says that the sender is forged (dmarc=fail)"
        if result.method == "dmarc" and verdict == "pass" and _named(result, "from") in ("", domain):
            return Proof.VERIFIED, f"{field.authserv_id} vouches for the sender (dmarc=pass)"
    if any(r.method == "dkim" and str(r.result).lower() == "pass" and _signs(r, domain) for r in field.results):
        return Proof.VERIFIED, f"{field.authserv_id} vouches for the sender (dkim=pass, {domain})"
    return Proof.NONE, ""


def _topmost_trusted(letter: Letter, trusted: Collection[str]) -> AuthenticationResultsHeader | None:
    """Return the first field of a trusted server; the sender can only have written those further below."""
    if not trusted:
        return None
    for value in letter.header_all("Authentication-Results"):
        try:
            field = _FIELDS.parse(f"Authentication-Results: {value}")
        except AuthResError:
            if _may_be_of(value, trusted):
                return None
            continue
        if str(field.authserv_id).lower() in trusted:
            return field
    return None


def _may_be_of(value: str, trusted: Collection[str]) -> bool:
    """Whether a field that cannot be read may be a trusted server's own: then nothing below it is believed either.

    Otherwise a sender could make the true field unreadable, and a forged one further down would count.
    """
    server = value.partition(";")[0].split()[:1]
    return not server or server[0].lower() in trusted or "=" in server[0]


def _named(result: object, name: str) -> str:
    """Return the value of property header.NAME of one result, lower-cased, or ""."""
    found = [p.value for p in getattr(result, "properties", ()) if p.type == "header" and p.name == name]
    return str(found[0]).lower() if found else ""


def _signs(result: object, domain: str) -> bool:
    """Whether a DKIM signature is by the very domain in From (or by a parent of it: relaxed alignment)."""
    signer = _named(result, "d") or domain_of(_named(result, "i"))
    return bool(signer) and (domain == signer or domain.endswith("." + signer)) and "." in signer
