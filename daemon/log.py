"""The log: one JSON line for one event, with a journald priority in front. The only place that configures structlog.

What comes in: event names and plain values. What goes out: lines on standard error. No mail bodies, no secrets, and
never the local variables of a traceback, which would hold both.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

_PRIORITY = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_LONGEST = 2000


def configure(level: str = "info", *, journal: bool = False) -> None:
    """Set up logging for the process. `journal` writes the <N> prefix that systemd reads as a priority."""
    structlog.configure(
        cache_logger_on_first_use=False,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            _short,
            structlog.processors.JSONRenderer(ensure_ascii=True),
            *([_prefixed] if journal else []),  # type: ignore[list-item]  # it takes the finished line
        ],
    )


def _short(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut long values: one event stays one line that journald does not split."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            event[key] = value[:_LONGEST] + "…"
    return event


def _prefixed(_: Any, name: str, line: str) -> str:
    return f"<{_PRIORITY.get(name, 6)}>{line}"
