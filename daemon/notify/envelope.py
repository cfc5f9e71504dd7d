"""What stands on the outside of our mails: reply tokens, Message-IDs, bounce addresses, tags, references.

What comes in: ticket and notice numbers, addresses, header values as strangers sent them, the secret Keys.
What goes out: strings that are safe to write into a header, and verdicts on those that come back to us.
This file alone knows how a token is spelt and proved. A token is good for one ticket and one address.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from daemon.errors import ConfigError, Problem

SECRET_BYTES = 16
"""The shortest secret that we accept."""

_MAC_CHARS = 20  # base32: 100 bits
_NUMBER = r"(0|[1-9][0-9]{0,11})"
_MAC = f"[a-z2-7]{{{_MAC_CHARS}}}"
# Mail systems change the case of local parts, so we read any case; ASCII keeps look-alike letters out.
_TOKEN = re.compile(rf"([a-z]){_NUMBER}-({_MAC})", re.ASCII | re.IGNORECASE)
# One letter longer than a token (the key id follows the dash), so that neither can be taken for the other.
_BOUNCE = re.compile(rf"b{_NUMBER}-([a-z])({_MAC})", re.ASCII | re.IGNORECASE)
_MARKER = re.compile(rf"([a-z])-({_MAC})", re.ASCII | re.IGNORECASE)
_OWN_ID = re.compile(r"<?n[0-9]{1,15}\.([a-z0-9-]+)@[^@<>\s]+>?", re.ASCII | re.IGNORECASE)
_VALID_ID = re.compile(r"<[\x21-\x3b\x3d\x3f\x41-\x7e]+@[\x21-\x3b\x3d\x3f\x41-\x7e]+>")
_ID_CHARS = 250


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets that tokens are made with: key id (one letter a-z) → secret; new tokens use `current`."""

    current: str
    secrets: Mapping[str, bytes] = field(repr=False)


def parse_keys(text: str, file: str = "secret") -> Keys:
    """Read the secret file: lines `ID:BASE64`, the first is current, the others stay valid.

    A bare line is key a. Empty lines and lines that begin with # do not count.
    Raises ConfigError, which never quotes a secret.
    """
    secrets: dict[str, bytes] = {}
    problems = []
    for number, line in _key_lines(text):
        name, secret, what = _parse_key(line)
        if not what and name in secrets:
            what = f"key {name!r} stands here twice: give the new key another letter"
        if what:
            problems.append(Problem(file, number, what))
        secrets.setdefault(name, secret)
    if not secrets:
        problems.append(Problem(file, 0, "holds no key: write a line ID:BASE64, e.g. with `ticketd new-key`"))
    if problems:
        raise ConfigError(problems)
    return Keys(next(iter(secrets)), secrets)


def _key_lines(text: str) -> Iterator[tuple[int, str]]:
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return ((number, line) for number, line in lines if line and not line.startswith("#"))


def _parse_key(line: str) -> tuple[str, bytes, str]:
    """Return the key id, the secret, and what is wrong with the line ("" when nothing is)."""
    name, colon, encoded = line.rpartition(":")
    name = name.strip() if colon else "a"
    if not re.fullmatch("[a-z]", name):
        return name, b"", "a key is written ID:BASE64, where ID is one letter a-z"
    try:
        secret = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return name, b"", f"the secret of key {name!r} is not base64"
    if len(secret) < SECRET_BYTES:
        return name, b"", f"the secret of key {name!r} is too short: {SECRET_BYTES} bytes at least"
    return name, secret, ""


def new_key_line(random_bytes: bytes, name: str = "a") -> str:
    """Return a line for the secret file, made of bytes that the caller drew from the system's randomness."""
    return f"{name}:{base64.b64encode(random_bytes).decode('ascii')}"


# ---- reply tokens ------------------------------------------------------------------------------------------


def reply_token(ticket: int, address: str, keys: Keys) -> str:
    """Return the token that proves: we wrote about this ticket (0 for none) to this address."""
    return f"{keys.current}{ticket}-{_mac(keys, keys.current, 'reply', ticket, address.lower())}"


def token_ticket(token: str) -> int | None:
    """Return the ticket that the token claims, unproved; None where it is no token."""
    found = _TOKEN.fullmatch(token)
    return int(found[2]) if found else None


def check_token(token: str, candidates: Iterable[str], keys: Keys) -> str | None:
    """Return the candidate address that the token was issued to, or None: then it proves nothing."""
    found = _TOKEN.fullmatch(token)
    if not found or found[1].lower() not in keys.secrets:
        return None
    key, ticket, mac = found[1].lower(), int(found[2]), found[3].lower()
    for candidate in candidates:
        if hmac.compare_digest(mac, _mac(keys, key, "reply", ticket, candidate.lower())):
            return candidate
    return None


def reply_address(service_address: str, token: str) -> str:
    """Return the address that answers shall go to: support+TOKEN@example.com."""
    local, _, domain = service_address.rpartition("@")
    return f"{local}+{token}@{domain}"


def message_id(notice_id: int, token: str, domain: str) -> str:
    """Return the Message-ID of a notice; it carries the token, so that a reply's references prove as much."""
    return f"<n{notice_id}.{token}@{domain}>"


def find_tokens(
    addresses: Iterable[str], message_ids: Iterable[str], service_address: str
) -> tuple[tuple[str, str], ...]:
    """Return every reply token, unproved, with where it stood: "address" or "message-id".

    Addresses come first, then ids, in the order given: In-Reply-To, then References, newest to oldest.
    """
    found: dict[str, str] = {}
    for suffix in _suffixes(addresses, service_address):
        if _TOKEN.fullmatch(suffix):
            found.setdefault(suffix.lower(), "address")
    for identifier in message_ids:
        own = _OWN_ID.fullmatch(identifier.strip())
        if own and _TOKEN.fullmatch(own[1]):
            found.setdefault(own[1].lower(), "message-id")
    return tuple((where, token) for token, where in found.items())


def _suffixes(addresses: Iterable[str], service_address: str) -> Iterator[str]:
    """Yield what stands between our local part's + and the @, of those addresses that are ours."""
    local, _, domain = service_address.lower().rpartition("@")
    for address in addresses:
        theirs, _, their_domain = address.strip().rpartition("@")
        if their_domain.lower() == domain and theirs.lower().startswith(f"{local}+"):
            yield theirs[len(local) + 1 :]


# ---- bounces and echoes ------------------------------------------------------------------------------------


def bounce_address(service_address: str, notice_id: int, keys: Keys) -> str:
    """Return the envelope sender of one notice: a bounce of any shape then names the notice that failed."""
    return reply_address(service_address, f"b{notice_id}-{keys.current}{_mac(keys, keys.current, 'bounce', notice_id)}")


def bounced_notice(addresses: Iterable[str], service_address: str, keys: Keys) -> int | None:
    """Return the notice whose bounce address is among these and is truly ours, or None."""
    for suffix in _suffixes(addresses, service_address):
        found = _BOUNCE.fullmatch(suffix)
        if found and _proved(keys, found[2], found[3], "bounce", int(found[1])):
            return int(found[1])
    return None


def echo_marker(message_id: str, keys: Keys) -> str:
    """Return the value of X-Ticketd-Id: with it we know our own mail when it comes back to us."""
    return f"{keys.current}-{_mac(keys, keys.current, 'echo', message_id.strip())}"


def is_echo(marker: str, message_id: str, keys: Keys) -> bool:
    """Tell whether the marker was made by us for this Message-ID."""
    found = _MARKER.fullmatch(marker.strip())
    return found is not None and _proved(keys, found[1], found[2], "echo", message_id.strip())


def _proved(keys: Keys, key: str, mac: str, purpose: str, *parts: object) -> bool:
    return key.lower() in keys.secrets and hmac.compare_digest(mac.lower(), _mac(keys, key.lower(), purpose, *parts))


def _mac(keys: Keys, key: str, purpose: str, *parts: object) -> str:
    words = "\0".join((purpose, *map(str, parts))).encode("utf-8", "surrogatepass")
    digest = hmac.digest(keys.secrets[key], words, hashlib.sha256)
    return base64.b32encode(digest)[:_MAC_CHARS].decode("ascii").lower()


# ---- subjects ----------------------------------------------------------------------------------------------

SUBJECT_CHARS = 200

_PREFIX = re.compile(
    r"\A\s*(?:re|aw|sv|antw|fwd?|wg|tr|rv|回复|回覆|答复|答覆|转发|轉寄|轉發|返信|转寄)"
    r"\s?(?:[\[(（][0-9]{1,3}[\])）])?\s?[:：]",
    re.IGNORECASE,
)


def find_tag(subject: str, tag: str) -> int | None:
    """Return the number of the first `[TAG-number]` in the subject, or None: a hint, never a proof."""
    found = _tag_pattern(tag).search(subject)
    return int(found[1]) if found else None


def strip_tags(subject: str, tag: str) -> str:
    """Return the subject without our tags anywhere and without stacked Re:, 回复: and the like before it."""
    left, before = subject, ""
    while left != before:  # what is cut out may bring two halves of a tag together
        before = left
        left = " ".join(_PREFIX.sub("", _tag_pattern(tag).sub(" ", left), count=1).split())
    return left


def with_tag(subject: str, tag: str, number: int) -> str:
    """Return one clean line `[TAG-number] subject` of at most 200 characters."""
    return clean_header(f"[{tag}-{number}] {strip_tags(clean_header(subject, 2000), tag)}")


@lru_cache(maxsize=16)
def _tag_pattern(tag: str) -> re.Pattern[str]:
    return re.compile(rf"[\[【]\s?{re.escape(tag)}\s?-\s?([0-9]{{1,12}})\s?[\]】]", re.IGNORECASE)


# ---- header values -----------------------------------------------------------------------------------------

# Every line break that str.splitlines knows, all other controls, lone surrogates and non-characters.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# Signs that show nothing and change how the rest is read. Joiners may stay: they hold emoji together.
_UNSEEN = re.compile(
    "[\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def clean_header(text: str, limit: int = SUBJECT_CHARS) -> str:
    """Return one line that is safe in any header: no controls, bidi signs or surrogates."""
    line = " ".join(_BREAKS.sub(" ", _UNSEEN.sub("", text[: 50 * limit])).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


# What may not stand in a mail's text: controls but tab and line break, surrogates, what turns reading round.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\x9f]{1,64}@[^\s@<>()\\,;\"\x00-\x20\x7f-\x9f]{1,253}")


def clean_text(text: str) -> str:
    """Return text of many lines with a visible sign where a control, a surrogate or a bidi override stood."""
    return _NO_TEXT.sub("\ufffd", text.replace("\r\n", "\n"))


def is_address(text: str) -> bool:
    """Tell whether this may stand between <> and in RCPT TO: one @, nothing that is syntax, no break."""
    return _ADDRESS.fullmatch(text) is not None and clean_header(text, 400) == text


def ascii_domain(address: str) -> str:
    """Return the address with its domain in ASCII (IDNA) where that is possible."""
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address


def is_message_id(text: str) -> bool:
    """Tell whether this may stand in References as it is: <left@right>, visible ASCII, not too long."""
    return len(text) <= _ID_CHARS and _VALID_ID.fullmatch(text) is not None


def trim_references(ids: Iterable[str], cap_ids: int = 20, cap_bytes: int = 3500) -> tuple[str, ...]:
    """Return the first and the last of a thread's ids, valid ones only, each once, within both caps."""
    good = list(dict.fromkeys(i for i in ids if is_message_id(i)))
    if len(good) > cap_ids:
        good = good[:1] + good[len(good) - cap_ids + 1 :]
    while len(good) > 1 and sum(len(i) + 1 for i in good) > cap_bytes:
        del good[1]
    return tuple(good)
