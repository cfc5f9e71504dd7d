"""The only place that asks the machine what time it is. Everything below the hands is told."""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime

_NOT_SYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)


class Clock:
    """The wall clock in UTC, or one that stands still where `run --as-of` put it."""

    def __init__(self, stands_at: datetime | None = None) -> None:
        self._stands_at = stands_at.astimezone(UTC) if stands_at else None

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return self._stands_at or datetime.now(UTC)

    @property
    def stands(self) -> bool:
        """Whether this clock was told to stand still."""
        return self._stands_at is not None

    @staticmethod
    def monotonic() -> float:
        """Return seconds that never jump, for deadlines and heartbeats."""
        return time.monotonic()

    @staticmethod
    def kept_right() -> bool | None:
        """Whether something (chrony, systemd-timesyncd …) keeps this machine's clock right; None: nobody can tell."""
        asked = ctypes.create_string_buffer(512)  # struct timex, all zero: a question that changes nothing
        try:
            said = ctypes.CDLL(None).adjtimex(asked)
        except (AttributeError, OSError):
            return None
        return None if said < 0 else said != _NOT_SYNCHRONISED

    @staticmethod
    def pause(seconds: float) -> None:
        """Let so many seconds pass."""
        time.sleep(seconds)
