"""Logging in with a token instead of a password: what a mail server is told, and for how long the token is good.

What comes in: a token and a user name. What goes out: the words of XOAUTH2 (Google's and Microsoft's own) or
OAUTHBEARER (RFC 7628), the same for IMAP and SMTP. Where tokens come from is known to daemon.tokens alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

Mechanism = Literal["XOAUTH2", "OAUTHBEARER"]

_MARGIN = timedelta(minutes=5)
_SHORTEST = timedelta(minutes=1)
"""A token is taken to be good for at least so long, or a server that says 0 would be asked without end."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a server takes for a password, until `expires_at`."""

    value: str = field(repr=False)
    expires_at: datetime
    renew_at: datetime

    def seconds_left(self, now: datetime) -> float:
        """Return for how long this token should still be used; negative once a new one is due."""
        return (self.renew_at - now).total_seconds()


def access_token(value: str, issued_at: datetime, expires_at: datetime) -> AccessToken:
    """Return a token that is renewed five minutes before its end, or a tenth of its life where that is shorter."""
    life = max(expires_at - issued_at, _SHORTEST)
    return AccessToken(value, issued_at + life, issued_at + life - min(_MARGIN, life / 10))


class TokenSource(Protocol):
    """Where tokens come from; one source may serve several threads."""

    def fresh(self) -> AccessToken:
        """Return a good token. Raises UnreachableError (weather) or TokenRefusedError (a person has to act)."""

    def refused(self, token: AccessToken) -> None:
        """Hear that a server did not take this token, whatever is printed on it."""

    def seconds_left(self, token: AccessToken) -> float:
        """Return for how long this token should still be used."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """How one server is logged in to."""

    mechanism: Mechanism
    tokens: TokenSource


def answers_for(mechanism: Mechanism, user: str, token: AccessToken) -> Callable[[bytes | None], str]:
    """Return what answers the server's challenges: first who we are, then the nod that lets it say why not."""
    first = _oauthbearer(user, token.value) if mechanism == "OAUTHBEARER" else _xoauth2(user, token.value)
    nod = "\x01" if mechanism == "OAUTHBEARER" else ""
    said: list[str] = []

    def answer(_: bytes | None = None) -> str:
        said.append(nod if said else first)
        return said[-1]

    return answer


def _xoauth2(user: str, token: str) -> str:
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def _oauthbearer(user: str, token: str) -> str:
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01auth=Bearer {token}\x01\x01"
