"""What our own mail server says of a sender: its Authentication-Results, where nobody else can have written them.

What comes in: the trail of a mail, the domain in its From, and whom we trust. What goes out: a Proof and the reason in
words. The only importer of authres.
Source: RFC 8601 (the syntax; §5 and §7: which field to believe), RFC 7489 (DMARC), RFC 8617 (ARC).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from authres import FeatureContext, arc, core, dmarc
from authres.core import AuthResError

from daemon.intake.signatures import may_speak_for
from daemon.service import Trust
from daemon.words import Proof, domain_of

_FIELDS = FeatureContext(core, dmarc, arc)
_MICROSOFT = ("*.outlook.com", "*.office365.com", "*.partner.outlook.cn")
"""Behind "by" in the Received fields of Microsoft 365, which stand above its Authentication-Results."""
_OUTSIDE = re.compile(r'[^"()\\]+|"(?:[^"\\]|\\.)*"|\(')
_INSIDE = re.compile(r"[^()\\]+|\\.|[()]")
_PART = re.compile(r'(?:[^";]|"(?:[^"\\]|\\.)*")+')
_BY = re.compile(r'(?:^|\s)by\s+\[?([^\s;"\]]+)', re.I)
_TAG = re.compile(r"\s*([a-z]+)\s*=\s*([^;]*?)\s*(?:;|$)", re.I)
_VERSIONS: tuple[list[str], ...] = ([], ["1"])
_MOST_PARTS = 100


Result = tuple[str, str, dict[str, str]]
"""(method, result, properties of the header), all in lower case."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One Authentication-Results: who wrote it ("" where it does not say), and its parts, not read yet."""

    server: str
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The server as people are told of it."""
        return self.server or "Microsoft 365"


def border_says(trail: Iterable[tuple[str, str]], domain: str, trust: Trust) -> tuple[Proof, str]:
    """Return what our server has found out about the sender, whose From names this domain.

    NONE with a reason where it says nothing that counts, or where what it says cannot be believed.
    """
    fields = tuple(trail)
    said = _believed(fields, trust)
    if isinstance(said, str):
        return Proof.NONE, said
    results = _results(said)
    proof, why = _verdict(results, domain)
    if proof is not Proof.VERIFIED and (sealer := _passed_on(results, fields, domain, trust)):
        return Proof.VERIFIED, f"{said.name} vouches for the sender (arc=pass; {sealer} saw the original)"
    return proof, f"{said.name} {why}"


def stamped_by(trail: Iterable[tuple[str, str]]) -> str | None:
    """Return who wrote the topmost Authentication-Results, unproved: "" where it does not say, None without one."""
    top = next((value for name, value in trail if name == "authentication-results"), None)
    field = _parsed(top) if top is not None else None
    return field.server if field else None


def why_not_believed(trail: Iterable[tuple[str, str]], trust: Trust) -> str:
    """Return why no Authentication-Results of this mail counts, or "" where one does."""
    said = _believed(tuple(trail), trust)
    return said if isinstance(said, str) else ""


# --- which field counts ---


def _believed(trail: tuple[tuple[str, str], ...], trust: Trust) -> _Field | str:
    """Return the topmost Authentication-Results of a server that we trust, or why there is none to believe.

    The sender can only write below the first Received that is not ours.
    """
    if not trust.authserv_ids and not trust.microsoft365:
        return "no mail server is trusted to tell senders apart"
    ours, stranger = _Ours(trust), ""
    for name, value in trail:
        if name == "received" and not stranger:
            by = _written_by(value)
            stranger = "" if ours.wrote(by) else by or "a server that does not give its name"
        elif name == "authentication-results":
            found = _judged_field(value, trust, stranger)
            if found is not None:
                return found
    return "no mail server that we trust says who wrote it"


def _judged_field(value: str, trust: Trust, stranger: str) -> _Field | str | None:
    """Return this field if it counts, why nothing below it does, or None where it is somebody else's."""
    field = _parsed(value)
    if field is not None and field.server and field.server not in trust.authserv_ids:
        return None
    if stranger and (field is None or not (field.server or trust.microsoft365)):
        return None
    if field is None:
        return "the Authentication-Results at its top cannot be read"
    if not field.server and not trust.microsoft365:
        return "the Authentication-Results at its top names no server (Microsoft 365 writes such: [trust] microsoft365)"
    if stranger:
        where = f"the Authentication-Results of {field.name} stands below a Received of {stranger}"
        return f"{where}: anybody may have written it"
    return field


class _Ours:
    """Which Received fields are ours: each name as often as it is listed, each pattern any number of times."""

    def __init__(self, trust: Trust) -> None:
        listed = trust.authserv_ids if trust.received_by is None else trust.received_by
        patterns = [n for n in listed if "*" in n] + list(_MICROSOFT if trust.microsoft365 else ())
        self.left = Counter(n for n in listed if "*" not in n)
        self.patterns = [re.compile(re.escape(p).replace(r"\*", ".*")) for p in patterns]

    def wrote(self, by: str) -> bool:
        """Whether the next Received from above, which this server has written, is still one of ours."""
        if self.left[by] > 0:
            self.left[by] -= 1
            return True
        return any(pattern.fullmatch(by) for pattern in self.patterns)


def _written_by(received: str) -> str:
    """Return the name behind "by" of a Received field, "" where it gives none or cannot be read."""
    found = _BY.search(_without_comments(received) or "")
    return found[1].lower().rstrip(".") if found else ""


# --- reading one field ---


def _parsed(value: str) -> _Field | None:
    """Return the field, None where it is not written as RFC 8601 wants it."""
    text = (_without_comments(value) or "").replace("\t", " ")
    if not text or not text.isascii() or not text.isprintable():
        return None
    head, *rest = _PART.findall(text) or [""]
    if "=" in head:
        return _Field("", (head, *rest)[:_MOST_PARTS])
    server, *version = head.split() or [""]
    if not server or version not in _VERSIONS:
        return None
    return _Field(server.strip('"').lower(), tuple(rest[:_MOST_PARTS]))


def _results(field: _Field) -> list[Result]:
    """Return what the field says; a part that cannot be read says nothing, save that of DMARC: that may mean "fail"."""
    found: list[Result] = []
    for part in field.parts:
        try:
            parsed = _FIELDS.parse(f"Authentication-Results: x; {part.strip() or 'none'}").results
        except AuthResError:
            method = part.partition("=")[0].partition("/")[0].strip().lower()
            parsed, found = [], [*found, (method, "unreadable", {})]
        found += _plain(parsed)
    return found


def _plain(results: Iterable[Any]) -> Iterator[Result]:
    for r in results:
        named = {p.name: str(p.value or "").lower() for p in reversed(r.properties) if p.type == "header"}
        yield str(r.method).lower(), str(r.result).lower(), named


def _without_comments(value: str) -> str | None:
    """Return a structured value with a space for each comment; None where a bracket or a quote is not closed."""
    out: list[str] = []
    depth = place = 0
    while place < len(value):
        found = (_INSIDE if depth else _OUTSIDE).match(value, place)
        if found is None:
            return None
        token, place = found[0], found.end()
        if not depth:
            out.append(" " if token == "(" else token)
        depth += (token == "(") - (token == ")")
    return None if depth else "".join(out)


# --- what it says ---


def _verdict(results: Iterable[Result], domain: str) -> tuple[Proof, str]:
    said = list(results)
    about = [(result, props.get("from", "")) for method, result, props in said if method == "dmarc"]
    if any(result == "fail" for result, _ in about):
        return Proof.FAILED, "says that the sender is forged (dmarc=fail)"
    if about and all(result == "pass" and sender in ("", domain) for result, sender in about):
        return Proof.VERIFIED, "vouches for the sender (dmarc=pass)"
    if any(result == "unreadable" for result, _ in about):
        return Proof.NONE, "says something of DMARC that cannot be read"
    if any(m == "dkim" and r == "pass" and may_speak_for(_signer(props), domain) for m, r, props in said):
        return Proof.VERIFIED, f"vouches for the sender (dkim=pass, {domain})"
    return Proof.NONE, "does not vouch for the sender"


def _signer(props: dict[str, str]) -> str:
    return props.get("d", "") or domain_of(props.get("i", ""))


# --- passed on ---


def _passed_on(results: list[Result], trail: tuple[tuple[str, str], ...], domain: str, trust: Trust) -> str:
    """Return who passed the mail on and vouches for its sender, if our server finds the whole chain sound (arc=pass)
    and we trust everybody who has sealed it; or ""."""
    if not trust.arc_sealers or not any(m == "arc" and r == "pass" for m, r, _ in results):
        return ""
    seals = _by_number((tags.get("i", ""), tags.get("d", "").lower()) for tags in _tags(trail))
    reports = _by_number(
        (value.partition(";")[0].replace(" ", "")[2:], value.partition(";")[2]) for value in _reports(trail)
    )
    if not seals or seals.keys() != reports.keys() or not set(seals.values()) <= trust.arc_sealers:
        return ""
    first = _parsed(reports[1])
    return seals[1] if first and _verdict(_results(first), domain)[0] is Proof.VERIFIED else ""


def _tags(trail: tuple[tuple[str, str], ...]) -> Iterator[dict[str, str]]:
    for name, value in trail:
        if name == "arc-seal":
            yield {k.lower(): v for k, v in _TAG.findall(value)}


def _reports(trail: tuple[tuple[str, str], ...]) -> Iterator[str]:
    return (value.strip() for name, value in trail if name == "arc-authentication-results")


def _by_number(instances: Iterable[tuple[str, str]]) -> dict[int, str]:
    """Return what stands under each number of the chain; nothing where one is missing or stands twice."""
    found = list(instances)
    numbered = {int(number): what for number, what in found if re.fullmatch(r"[1-9]\d?", number)}
    whole = len(numbered) == len(found) and sorted(numbered) == list(range(1, len(found) + 1))
    return numbered if whole else {}
