"""Asking the DNS for the keys of signers, and so who has really signed a mail.

What comes in: letters and when they came. What goes out: a Signed for each. Where the DNS is slow or away, mails are
judged without it: no handful of them waits for long. The only importer of dnspython.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from daemon.intake.identity import Signed
from daemon.intake.letter import Letter
from daemon.intake.signatures import Signature, is_by

Ask = Callable[[str, float], bytes | None]
"""Gives the one text record of this name, None where there is none; the second is how many seconds it may take.
Raises NoAnswerError."""
HANDFUL_SECONDS = 5.0
"""How long all mails of one handful together may wait for the DNS."""
QUERY_SECONDS = 2.0
SILENT_SECONDS = 60.0
"""So long a domain is not asked again after it has not answered; others are, or one could silence all."""
_MOST_SILENT = 1000
_SILENT = "the DNS did not answer, so that nobody knows who has signed it"


class NoAnswerError(Exception):
    """The DNS did not answer, or not in time."""


class Signers:
    """Knows whom to ask, and how much patience is left."""

    def __init__(self, ask: Ask | None = None, seconds: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask or _Dns().text
        self._seconds = seconds
        self._silent: dict[str, float] = {}

    def judge(self, letters: Iterable[tuple[Letter, datetime]]) -> list[Signed]:
        """Return for each letter, which came at that time, whose signature of it is good."""
        end = self._seconds() + HANDFUL_SECONDS
        return [self._judged(letter, came, end) for letter, came in letters]

    def _judged(self, letter: Letter, came: datetime, end: float) -> Signed:
        why = letter.signatures.why
        for signature in letter.signatures.some:
            why = self._fault(signature, came, end)
            if not why:
                return Signed(by=signature.domain)
        return Signed(why=why)

    def _fault(self, signature: Signature, came: datetime, end: float) -> str:
        if signature.until is not None and came.timestamp() > signature.until:
            return "its signature had expired when it came (x=)"
        left = min(end - self._seconds(), QUERY_SECONDS)
        if left <= 0 or self._silent.get(signature.domain, 0.0) > self._seconds():
            return _SILENT
        try:
            record = self._ask(signature.place, left)
        except NoAnswerError:
            self._silent = dict(list(self._silent.items())[-_MOST_SILENT:])
            self._silent[signature.domain] = self._seconds() + SILENT_SECONDS
            return _SILENT
        return is_by(signature, record) if record else f"{signature.domain} has no such key"


class _Dns:
    """The resolver of this machine; answers are kept as long as they say."""

    def __init__(self) -> None:
        self._resolver: Any = None

    def text(self, name: str, seconds: float) -> bytes | None:
        """Return the one text record of this name, None where there is none or several. Raises NoAnswerError."""
        from dns.exception import DNSException  # it takes its time to load, and few commands need it
        from dns.resolver import NXDOMAIN, LRUCache, NoAnswer, Resolver

        try:
            if self._resolver is None:
                self._resolver = Resolver()
                self._resolver.cache = LRUCache(1000)
            answer = self._resolver.resolve(name, "TXT", lifetime=seconds, search=False)
        except (NXDOMAIN, NoAnswer):
            return None
        except (DNSException, OSError, UnicodeError) as e:
            raise NoAnswerError(type(e).__name__) from e
        records = [b"".join(record.strings) for record in answer]
        return records[0] if len(records) == 1 else None
