"""How long a server's certificate is still good. What comes in: a connection. What goes out: a moment, or None."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime


def good_until(sock: object) -> datetime | None:
    """Return when the certificate ends that the other side has shown and we have verified; None without TLS."""
    shown = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    ends = (shown or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None
