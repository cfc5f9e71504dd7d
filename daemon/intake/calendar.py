"""From a calendar object to what an invitation says in words, for mails that say it in no other way.

What comes in: the text of a text/calendar part (RFC 5545). What goes out: text. This file alone knows iCalendar.
"""

from __future__ import annotations

import re

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r"^(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION)(?:;[^:\n]{0,200})?:(.*)$", re.M)
_ESCAPED = re.compile(r"\\([\\;,nN])")
_TIMES = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_MOST = 64_000


def invitation_text(calendar: str) -> str:
    """Return summary, time, place and description of the first event, a line each; "" where there is none."""
    _, begin, event = calendar[:_MOST].partition("BEGIN:VEVENT")
    found: dict[str, str] = {}
    for match in _LINE.finditer(_FOLD.sub("", event)):
        found.setdefault(match[1], _plain(match[2]))
    times = " – ".join(_moment(found[k]) for k in ("DTSTART", "DTEND") if k in found)
    said = (found.get("SUMMARY", ""), times, found.get("LOCATION", ""), found.get("DESCRIPTION", ""))
    return "\n".join(x for x in said if x.strip()) if begin else ""


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], value.strip())


def _moment(value: str) -> str:
    match = _TIMES.match(value)
    if not match:
        return value[:40]
    day, zone = "-".join(match.group(1, 2, 3)), " UTC" if match[6] else ""
    return f"{day} {match[4]}:{match[5]}{zone}" if match[4] else day
