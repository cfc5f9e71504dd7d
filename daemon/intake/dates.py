"""From a Date header to a moment, whatever its sender's program made of RFC 5322.

What comes in: the raw value. What goes out: a moment in UTC, or None. The date of a mail is shown and never trusted:
our own clock measures. This file alone knows how dates are written and how they go wrong.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from daemon.intake.headers import decode_header

_COMMENT = re.compile(r"\s?\([^()]*\)?")
_IN_COMMENT = re.compile(r"\(([+-]\d{4}|[A-Z]{3,4})\)")
_GAPS = re.compile(r"(?<=\d) ?: ?(?=\d)")
_NUMBERED_ZONE = re.compile(r"\b(?:GMT|UTC|UT)\s?([+-])(\d{1,2}):?(\d{2})?(?!\d)")
_COLON_ZONE = re.compile(r"(?<=\s)([+-])(\d{1,2}):(\d\d)(?=\s|$)")
_BEHIND_ZONE = re.compile(r"(?<=:\d\d )([+-]\d{4})(?!\d).+")
_SHORT_ZONE = re.compile(r"(?<=:\d\d )([+-]\d\d)(?: (\d\d))?(?= ?$| \()")
_TIME = re.compile(
    r"(?:(上午|凌晨|午前|오전)|(下午|晚上|午後|오후))?\s?"
    r"(\d{1,2})[:.h时時시]\s?(\d{2})(?:[:.分분]\s?(\d{2}))?(?:[.,]\d{1,9})?[秒초]?\s?(?:([Aa]\.?[Mm])|([Pp]\.?[Mm]))?"
)
_YEAR = re.compile(r"(?<![\d:.])(?:19|20)\d\d(?![\d:])")
_NAMED = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|\.|\sde)?[\s-]{1,3}([^\W\d_]{3,12})\.?(?:\sde)?(?=[\s,-]|$)")
_NAMED_FIRST = re.compile(r"\b([^\W\d_]{3,12})\.?\s{1,2}(\d{1,2})(?=[\s,]|$)")
_NUMBERS = re.compile(r"(?<!\d)(\d{4})[-/.年년]\s?(\d{1,2})[-/.月월]\s?(\d{1,2})[日일]?")
_NUMBERS_FIRST = re.compile(r"(?<!\d)(\d{1,2})([/.])(\d{1,2})\2(\d{4})(?!\d)")
_SECONDS = re.compile(r"\d{9,10}")
_NUMBERED_MONTH = re.compile(r"(?<!\d)(\d{1,2}),?\s(\d{1,2})月\s(\d{4})")
_OFFSET = re.compile(r"(?<=[\s\d])([+-])(\d{2}):?(\d{2})\b")
_ZONE = re.compile(r"\b([A-Z]{3,4})\b")
# Only names that mean one zone in mail; hours east of Greenwich.
_ZONES = {
    "JST": 9.0, "KST": 9.0, "HKT": 8.0, "SGT": 8.0, "IST": 5.5, "MSK": 3.0, "MSD": 4.0, "EET": 2.0, "EEST": 3.0,
    "CET": 1.0, "CEST": 2.0, "MET": 1.0, "MEST": 2.0, "MEZ": 1.0, "MESZ": 2.0, "WET": 0.0, "WEST": 1.0, "BST": 1.0,
    "AEST": 10.0, "AEDT": 11.0, "ACST": 9.5, "AWST": 8.0, "NZST": 12.0, "NZDT": 13.0, "EST": -5.0, "EDT": -4.0,
    "CDT": -5.0, "MST": -7.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0, "AKST": -9.0, "HST": -10.0, "BRT": -3.0,
}  # fmt: skip
# How the months begin in the languages of the clients we meet; English first.
_BEGINNINGS = (
    "jan|ene|gen|janv|ocak|oca|sty|led|янв|січ|一月",
    "feb|fev|fév|şub|lut|úno|фев|лют|二月",
    "mar|mars|mär|mrz|mrt|maa|březen|мар|бер|三月",
    "apr|abr|avr|nis|kwi|dub|апр|кві|四月",
    "may|mai|maj|mei|mag|tou|kvě|мая|май|тра|五月",
    "jun|juin|giu|haz|cze|kes|чер|июн|六月",
    "jul|juil|lug|tem|lip|hei|июл|лип|七月",
    "aug|aoû|ago|ağu|sie|elo|авг|сер|八月",
    "sep|set|eyl|wrz|syy|zář|сен|вер|九月",
    "oct|okt|out|ott|eki|paź|lok|říj|окт|жов|十月",
    "nov|kas|lis|ноя|лис|十一月",
    "dec|dez|dic|déc|des|ara|gru|jou|pro|дек|гру|十二月",
)
_MONTHS = {begin: number for number, names in enumerate(_BEGINNINGS, 1) for begin in names.split("|")}
_NOON, _MIDNIGHT, _LAST_MONTH = 12, 24, 12
_COUNTED_FROM_1900, _FIRST_YEAR = 99, 200


def parse_date(raw: str) -> datetime | None:
    """Return the moment that a Date header names, in UTC, or None where it names none."""
    text = re.sub(r"\s+", " ", decode_header(raw))[:200].strip()
    text = _COLON_ZONE.sub(lambda m: f"{m[1]}{m[2]:0>2}{m[3]}", text)
    text = _SHORT_ZONE.sub(lambda m: f"{m[1]}{m[2] or '00'}", text)
    text = _NUMBERED_ZONE.sub(lambda m: f"{m[1]}{int(m[2]):02}{m[3] or '00'}", text)
    plain = _BEHIND_ZONE.sub(r"\1", _GAPS.sub(":", _without_comments(text)))
    for attempt in (plain, plain.replace(".", ":")) if not _is_odd(plain) else ():
        try:
            return _in_utc(_in_our_times(parsedate_to_datetime(attempt)))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return _by_pieces(plain)


def _without_comments(text: str) -> str:
    """A comment says nothing, unless it is the only place that tells the zone."""
    told = _IN_COMMENT.search(text)
    plain = _COMMENT.sub("", text).strip()
    return f"{plain} {told[1]}" if told and not _OFFSET.search(plain) and not _ZONE.search(plain) else plain


def _is_odd(text: str) -> bool:
    """Whether the standard library would read it, but overlook what it does not know."""
    zone = next((z for z in _ZONE.findall(text) if z in _ZONES), "")
    time = _TIME.search(text)
    return bool(zone or _NUMBERS_FIRST.search(text) or (time and _is_half(time)))


def _is_half(time: re.Match[str]) -> bool:
    """Whether the hours are counted to twelve."""
    return any(time.group(1, 2, 6, 7))


def _in_our_times(moment: datetime) -> datetime:
    """Old programs count the years from 1900."""
    return moment.replace(year=moment.year + 1900) if _COUNTED_FROM_1900 < moment.year < _FIRST_YEAR else moment


def _in_utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _by_pieces(text: str) -> datetime | None:
    """Day, month, year, time and zone, wherever in the text they stand."""
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text), UTC)
        return _in_utc(datetime.fromisoformat(text)).replace(microsecond=0)
    except (ValueError, OverflowError):
        pass  # no ISO date: look for the pieces
    day = _day(text)
    if day is None:
        return None
    time = _TIME.search(_NUMBERS.sub(" ", _NUMBERS_FIRST.sub(" ", text)))
    hour, minute, second = (int(x or 0) for x in time.group(3, 4, 5)) if time else (0, 0, 0)
    if time and _is_half(time):
        hour = hour % _NOON + (_NOON if time[2] or time[7] else 0)
    try:
        moment = datetime(*day, hour % _MIDNIGHT, minute, min(second, 59), tzinfo=_zone(text))
        return _in_utc(moment + timedelta(days=hour == _MIDNIGHT))
    except (ValueError, OverflowError):
        return None


def _day(text: str) -> tuple[int, int, int] | None:
    """Return (year, month, day)."""
    if match := _NUMBERS.search(text):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _NUMBERS_FIRST.search(text):
        one, other, year = int(match[1]), int(match[3]), int(match[4])
        return (year, other, one) if match[2] == "." or one > _LAST_MONTH else (year, one, other)
    if match := _NUMBERED_MONTH.search(text):
        return int(match[3]), int(match[2]), int(match[1])
    years = _YEAR.search(text)
    named = [(m[1], m[2]) for m in _NAMED.finditer(text)] + [(m[2], m[1]) for m in _NAMED_FIRST.finditer(text)]
    for day, name in named if years else ():
        month = _month(name.lower())
        if years and month:
            return int(years[0]), month, int(day)
    return None


def _zone(text: str) -> timezone:
    if match := _OFFSET.search(text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(offset if match[1] == "+" else -offset)
    hours = next((_ZONES[z] for z in _ZONE.findall(text) if z in _ZONES), 0.0)
    return timezone(timedelta(hours=hours))


def _month(name: str) -> int | None:
    """Longer beginnings tell more: juin and juil, sep and september."""
    return next((_MONTHS[name[:length]] for length in (4, 3, 2) if name[:length] in _MONTHS), None)
