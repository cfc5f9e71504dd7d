"""The DKIM signatures of a mail, checked against its bytes as far as that goes without the signer's key.

What comes in: the bytes of a mail and the address in its From. What goes out: the signatures for which only the key is
wanting, or why there are none. Reading only: whoever has the key asks `is_by`.
Source: RFC 6376 (DKIM; §8.2: no `l=`), RFC 8301 (no rsa-sha1, no key below 1024 bits).
"""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass
from typing import Any

from daemon.intake.addresses import parse_addresses
from daemon.words import domain_of

MOST_BYTES = 4_000_000
"""A larger mail is not checked: every signature costs a pass over all of it."""
_MOST_HEADING = 65_536
_MOST_SIGNATURES = 20
_MOST_CHECKED = 3
_MOST_KEY = 1024  # letters of a key in the DNS: more than 4096 bits
_LEAST_BITS = 1024
# The library takes time by the square of such a run of blanks.
_BLANKS = re.compile(rb"[\t ]{500}")
# Where programs do not agree on where a line ends, a header could be one thing to the signer and another to us.
_ODD_LINE_END = re.compile(rb"\r(?!\n)")
_HEADING_END = re.compile(rb"\r?\n\r?\n")
_MUST_BE_SIGNED = frozenset({b"from", b"subject", b"date", b"message-id"})
_LOG = logging.getLogger("dkimpy")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False  # it logs what people write


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature by a domain that may speak for From: what was signed (a SHA-256), the signature itself, which key
    of the domain fits it, until when it is good (seconds since 1970, or None), and the domain it is on behalf of."""

    domain: str
    selector: str
    digest: bytes
    value: bytes
    until: int | None = None
    behalf: str = ""

    @property
    def place(self) -> str:
        """Where its key stands in the DNS."""
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of a mail that may count, or why there are none."""

    some: tuple[Signature, ...] = ()
    why: str = ""


NOT_LOOKED_FOR = Signatures()


def may_speak_for(signer: str, domain: str) -> bool:
    """Whether a signature by this domain counts for a sender of that one: it is the same, or a parent of it.

    DMARC would also let sisters and children speak for a domain; to tell a sister from a stranger of the same registry
    takes the list of public suffixes.
    """
    return "." in signer and (domain == signer or domain.endswith("." + signer))


def read_signatures(content: bytes, sender: str) -> Signatures:
    """Return the signatures of this mail that may vouch for its sender; never raises, save MemoryError."""
    if fault := _unfit(content):
        return Signatures(why=fault)
    try:
        return _read(content, sender.lower())
    except MemoryError:
        raise  # the limit of the process that reads
    except Exception as e:  # noqa: BLE001  hostile bytes make the library raise whatever it likes
        return Signatures(why=f"its signatures cannot be read ({type(e).__name__})")


def _unfit(content: bytes) -> str:
    end = _HEADING_END.search(content, 0, _MOST_HEADING)
    if len(content) > MOST_BYTES or end is None:
        return "it is too large for its signature to be checked"
    if _ODD_LINE_END.search(content) or b"\nFrom " in content[: end.start()]:
        return "its lines end in ways that programs do not agree on"
    return "it has too many blanks for its signature to be checked" if _BLANKS.search(content) else ""


def _read(content: bytes, sender: str) -> Signatures:
    from dkim import DKIM  # it takes its time to load, and few commands need it

    mail = DKIM(content, logger=_LOG)
    froms = [value for name, value in mail.headers if name.lower() == b"from"]
    if len(froms) != 1 or _addresses(froms[0]) != [sender]:
        return Signatures(why="its From is read differently where signatures are checked")
    count = sum(name.lower() == b"dkim-signature" for name, _ in mail.headers)
    found: list[Signature] = []
    faults = [] if count else ["it is not signed"]
    for at in range(min(count, _MOST_SIGNATURES)):
        one = _checked(mail, at, domain_of(sender)) if len(found) < _MOST_CHECKED else ""
        if isinstance(one, Signature):
            found.append(one)
        elif one:
            faults.append(one)
    return Signatures(tuple(found), "" if found else faults[0])


def _addresses(value: bytes) -> list[str]:
    return [a.address for a in parse_addresses(value.decode("ascii", "surrogateescape").strip())]


def _checked(mail: Any, at: int, domain: str) -> Signature | str:
    """Return this signature if all but its key is in order, or what is wrong with it."""
    try:
        tags, signed, headers = mail.verify_headerprep(at)
        signer = tags[b"d"].decode("ascii").lower()
        if fault := _not_worth_it(tags, signed, mail, signer, domain):
            return fault
        paper = _Paper()
        mail.ktag, mail.pk, mail.keysize = b"ed25519", paper, _LEAST_BITS
        mail.verify_sig_process(tags, signed, headers[at], None)
    except (MemoryError, RecursionError):
        raise
    except Exception as e:  # noqa: BLE001  one bad signature must not hide a good one
        return f"its signature is not good ({type(e).__name__})"
    behalf = tags.get(b"i", b"@" + tags[b"d"]).decode("ascii", "replace").lower()
    until = int(tags[b"x"]) if b"x" in tags else None
    return Signature(signer, tags[b"s"].decode("ascii"), paper.digest, paper.value, until, domain_of(behalf))


def _not_worth_it(tags: dict[bytes, bytes], signed: list[bytes], mail: Any, signer: str, domain: str) -> str:
    """Return why this signature cannot count, whatever its key, or ""."""
    if not may_speak_for(signer, domain):
        return f"it is signed by {signer[:80]}, which does not speak for {domain[:80]}"
    if tags[b"a"] != b"rsa-sha256":
        return f"its signature is of a kind that does not count ({tags[b'a'].decode('ascii', 'replace')[:20]})"
    if b"l" in tags:
        return "its signature covers only a part of the text (l=)"
    there = {name.lower() for name, _ in mail.headers}
    if missing := sorted((_MUST_BE_SIGNED & there) - set(signed)):
        return f"its signature does not cover {missing[0].decode()}"
    return ""


class _Paper:
    """Stands where the library wants a key, and writes down what that key would have to have signed."""

    def __init__(self) -> None:
        self.digest = self.value = b""

    def verify(self, digest: bytes, value: bytes) -> None:
        """Note the digest and the signature."""
        self.digest, self.value = digest, value


# --- with the key at hand ---


def is_by(signature: Signature, record: bytes) -> str:
    """Return "" if the key in this DNS record made the signature, or why it is not good."""
    from dkim import RSASSA_PKCS1_v1_5_verify, parse_public_key
    from dkim.util import parse_tag_value

    try:
        tags = parse_tag_value(record)
        if fault := _key_fault(tags, signature):
            return fault
        key = parse_public_key(base64.b64decode(re.sub(rb"\s", b"", tags[b"p"])))
        if key["modulus"].bit_length() < _LEAST_BITS:
            return f"the key of {signature.domain} is too short"
        good = RSASSA_PKCS1_v1_5_verify(_Digest(signature.digest), signature.value, key)
        return "" if good else "its signature is not good"
    except Exception as e:  # noqa: BLE001  the signer's DNS may hold anything
        return f"the key of {signature.domain} cannot be read ({type(e).__name__})"


@dataclass(frozen=True, slots=True)
class _Digest:
    """A digest that was made elsewhere, as the library wants to have it."""

    value: bytes
    name: str = "sha256"

    def digest(self) -> bytes:
        """Return it."""
        return self.value


def _key_fault(tags: dict[bytes, bytes], signature: Signature) -> str:
    flags, services, hashes = (set(re.split(rb"\s*:\s*", tags.get(t, b""))) for t in (b"t", b"s", b"h"))
    if tags.get(b"v", b"DKIM1") != b"DKIM1" or tags.get(b"k", b"rsa") != b"rsa" or len(tags[b"p"]) > _MOST_KEY:
        return f"the key of {signature.domain} is of a kind that does not count"
    if not tags[b"p"]:
        return f"the key of {signature.domain} was revoked"
    if b"y" in flags:
        return f"{signature.domain} is only trying its signatures out (t=y)"
    if b"s" in flags and signature.behalf != signature.domain:
        return f"the key of {signature.domain} is not for its sub-domains"
    if services.isdisjoint({b"", b"*", b"email"}) or hashes.isdisjoint({b"", b"sha256"}):
        return f"the key of {signature.domain} is not for such mail"
    return ""
