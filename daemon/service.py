"""What the process must know about the service it runs for: its names, its addresses, its limits.

What comes in: values from the configuration. What goes out: plain facts that the pure floors may read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from daemon.words import bare_address, domain_of

LATE = timedelta(hours=24)
"""A mail found later than this gets no automatic answer, and its clocks start when it is found."""


_LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose word counts about a sender; all names in lower case.

    `received_by`: the servers of ours whose Received may stand above the Authentication-Results, each as often as it is
    listed (None: the `authserv_ids`). `microsoft365`: a field without a server's name is ours. `arc_sealers`: the
    domains whose word counts about mail that they passed on.
    """

    authserv_ids: frozenset[str] = frozenset()
    received_by: tuple[str, ...] | None = None
    microsoft365: bool = False
    arc_sealers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One support address and how it behaves. `own_addresses` are lower-cased and include `address`."""

    name: str
    address: str
    language: str
    timezone: str
    subject_tag: str
    own_addresses: frozenset[str]
    trust: Trust = Trust()
    plus_addresses: bool = True
    answers_per_address_per_hour: int = 20
    answers_per_subject_per_day: int = 3
    answers_per_domain_per_hour: int = 100
    answers_per_ticket_per_hour: int = 30
    answers_per_hour: int = 1000
    opens_per_address_per_hour: int = 60
    forwards_per_target_per_day: int = 300
    forwards_per_sender_per_day: int = 30
    forwards_per_subject_per_day: int = 30

    @property
    def domain(self) -> str:
        """The domain of the service address."""
        return domain_of(self.address)

    def answers_in(self, language: str) -> str:
        """Return the language to answer a mail of this language in: who writes neither of ours is told in English."""
        return language if language in _LANGUAGES else "en" if language else self.language

    def owns(self, address: str) -> bool:
        """Whether mail to this address comes back to us, plus-addresses included."""
        bare = bare_address(address)
        local, _, domain = bare.rpartition("@")
        return bare in self.own_addresses or f"{local.partition('+')[0]}@{domain}" in self.own_addresses
