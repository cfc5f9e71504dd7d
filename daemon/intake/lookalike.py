"""Whether a sender takes on the looks of somebody that we know, so that people are told.

What comes in: the sender of a letter, and addresses and domains that we know. What goes out: whom they look like, or
"". Looks prove nothing, and who is caught by them commands nothing. Source: Unicode TR 39 (confusables, the letters of
which in domains are much fewer).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

from daemon.words import Address, domain_of

_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:@＠|/]{1,64}[@＠][^\s<>()\[\]\"',;:@＠|/]{1,255}")
_TWINS = str.maketrans(
    {
        # Cyrillic
        "а": "a", "ь": "b", "с": "c", "ԁ": "d", "е": "e", "һ": "h", "і": "l", "ї": "l", "ј": "j", "к": "k", "ӏ": "l",
        "м": "m", "п": "n", "о": "o", "р": "p", "ԛ": "q", "г": "r", "ѕ": "s", "т": "t", "ц": "u", "ѵ": "v", "ԝ": "w",
        "х": "x", "у": "y", "в": "b", "н": "h",
        # Greek
        "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "l", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u",
        "χ": "x", "γ": "y", "ω": "w",
        # Latin and others
        "ı": "l", "ɑ": "a", "ɡ": "g", "ո": "n", "օ": "o", "ս": "u", "հ": "h", "0": "o", "1": "l", "i": "l",
    }
)  # fmt: skip
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
_LONGEST = 320


def looks_like(sender: Address, own: Collection[str], known: Iterable[str]) -> str:
    """Return the address or domain whose looks this sender takes on, or "".

    `own` are the addresses that are the sender's, `known` the addresses and domains of people, customers and ourselves.
    Such looks are a name that holds another address, letters that look the same as those of an address or domain that
    is known, and a domain of letters of several alphabets.
    """
    address, others = sender.address.lower(), tuple(known)
    return _shown(sender.name, {address, *own}) or _twin(address, others) or _mixture(domain_of(address))


def _twin(address: str, known: tuple[str, ...]) -> str:
    """Return whom of these an address is taken for, or "": rather the very address than its domain."""
    domain = domain_of(address)
    if address in known or not domain:
        return ""
    whole = next((one for one in known if "@" in one and image(one) == image(address)), "")
    domains = (domain_of(one) or one for one in known)
    return whole or next((d for d in domains if d != domain and image(d) == image(domain)), "")


def _mixture(domain: str) -> str:
    """Return what a domain of letters of several alphabets looks like, "" for others."""
    return image(domain) if any(_mixed(label) for label in _labels(domain)) else ""


def _shown(name: str, own: Collection[str]) -> str:
    """Return the address in a sender's name that is not theirs, or ""."""
    found = (m[0].replace("＠", "@").strip(".").lower() for m in _ADDRESS.finditer(name[:_LONGEST]))
    return next((a for a in found if a not in own and "." in domain_of(a)), "")


@lru_cache(maxsize=32_768)
def image(text: str) -> str:
    """Return what an address or domain looks like: texts with the same image are taken for each other."""
    seen = unicodedata.normalize("NFKD", ".".join(_labels(text[:_LONGEST]))).casefold()
    plain = "".join(c for c in seen if not unicodedata.combining(c)).translate(_TWINS)
    for pair, one in _PAIRS:
        plain = plain.replace(pair, one)
    return plain


def _labels(domain: str) -> list[str]:
    return [_shown_label(label) for label in domain.split(".")]


def _shown_label(label: str) -> str:
    """Return a label as mail programs show it: xn--… as the letters that it stands for."""
    local, at, first = label.rpartition("@")
    if not first.lower().startswith("xn--"):
        return label
    try:
        return local + at + first[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return label


def _mixed(label: str) -> bool:
    """Whether letters of several of the alphabets that look alike stand in one label."""
    names = {unicodedata.name(c, "").partition(" ")[0] for c in label if c.isalpha()}
    return len(names.intersection(_ALPHABETS)) > 1
