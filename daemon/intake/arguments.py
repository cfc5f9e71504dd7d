"""What stands behind a keyword: grades, dates, people, in Chinese and English.

What comes in: the argument as written, and now in local time where a date may be relative. What goes out: a value,
or None where it cannot be understood. Nothing here knows tickets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta

from daemon.intake.keywords import fold
from daemon.rulebook import Category, Person, Rulebook, Team
from daemon.words import HoldReason, Level, Severity

_LEVELS: Mapping[str, Level] = {
    "high": Level.HIGH, "高": Level.HIGH, "medium": Level.MEDIUM, "mid": Level.MEDIUM, "中": Level.MEDIUM,
    "low": Level.LOW, "低": Level.LOW,
}  # fmt: skip
_SEVERITIES: Mapping[str, Severity] = {
    "一": Severity.CRITICAL, "二": Severity.HIGH, "三": Severity.MEDIUM, "四": Severity.LOW,
    "critical": Severity.CRITICAL, "high": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW,
}  # fmt: skip
HOLD_WORDS: Mapping[str, HoldReason] = {
    "customer": HoldReason.CUSTOMER, "客户": HoldReason.CUSTOMER, "用户": HoldReason.CUSTOMER,
    "vendor": HoldReason.VENDOR, "厂商": HoldReason.VENDOR, "供应商": HoldReason.VENDOR,
    "change": HoldReason.CHANGE, "变更": HoldReason.CHANGE, "date": HoldReason.DATE, "日期": HoldReason.DATE,
}  # fmt: skip
_DATE = re.compile(
    r"(?:(?P<y>\d{4})[-/.年])?(?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
    r"(?:[T ]*(?P<H>\d{1,2})(?:[:：点时](?P<M>\d{1,2})?分?)?)?"
)
_UNTIL = re.compile(r"^(?:until|till|直到|等到|到|至)\s*", re.IGNORECASE)
_DAY_WORDS: Mapping[str, int] = {"today": 0, "今天": 0, "tomorrow": 1, "明天": 1, "后天": 2}
_START_OF_WORK = time(9, 0)


def first_word(argument: str) -> tuple[str, str]:
    """Return the first word and the rest of the argument."""
    parts = argument.split(maxsplit=1)
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def severity_in(argument: str) -> tuple[Severity | None, str]:
    """Return the severity that the argument begins with, and the words after it (the reason)."""
    word, rest = first_word(argument)
    name = fold(word).strip("级:,，。")
    if name.isdigit() and int(name) in set(map(int, Severity)):
        return Severity(int(name)), rest.strip()
    if name in _SEVERITIES:
        return _SEVERITIES[name], rest.strip()
    return None, argument


def level_in(argument: str) -> Level | None:
    """Return the level that the argument names."""
    return _LEVELS.get(fold(first_word(argument)[0]))


def hold_in(argument: str, now_local: datetime) -> tuple[HoldReason | None, datetime | None, str]:
    """Return what a hold waits for, until when (aware, or None), and the words left over.

    `#hold customer until 2026-11-25 10:00 text`; without a reason but with a date, it waits for the date.
    """
    reason, rest = _hold_reason(argument.strip())
    until, rest = date_in(rest, now_local)
    if reason is None and until is not None:
        reason = HoldReason.DATE
    return reason, until, rest.strip(" ,，:：")


def _hold_reason(argument: str) -> tuple[HoldReason | None, str]:
    folded = fold(argument)
    for word, reason in HOLD_WORDS.items():
        if folded.startswith(word):
            return reason, argument[len(word) :].strip(" \t:：,，")
    return None, argument


def date_in(text: str, now_local: datetime) -> tuple[datetime | None, str]:
    """Return the moment that `text` begins with, in the zone of `now_local`, and the words after it.

    A day without a time means nine in the morning; a date without a year means the next such day.
    """
    rest = _UNTIL.sub("", text.strip(), count=1)
    for word, days in _DAY_WORDS.items():
        if fold(rest).startswith(word):
            day = now_local.date() + timedelta(days=days)
            return datetime.combine(day, _START_OF_WORK, now_local.tzinfo), rest[len(word) :].strip()
    found = _DATE.match(rest)
    moment = _moment(found, now_local) if found else None
    return (moment, rest[found.end() :].strip()) if found and moment else (None, text)


def _moment(found: re.Match[str], now_local: datetime) -> datetime | None:
    hour, minute = int(found["H"] or _START_OF_WORK.hour), int(found["M"] or 0)
    try:
        moment = datetime(
            int(found["y"] or now_local.year), int(found["m"]), int(found["d"]), hour, minute,
            tzinfo=now_local.tzinfo,
        )  # fmt: skip
        past = not found["y"] and moment < now_local - timedelta(days=1)
        return moment.replace(year=moment.year + 1) if past else moment
    except ValueError:
        return None


def person_in(argument: str, rulebook: Rulebook) -> Person | None:
    """Return the person named by key, name, alias or address."""
    wanted = fold(argument)
    return next((p for p in rulebook.people.values() if wanted in _names(p.key, p.name, p.aliases, p.addresses)), None)


def team_in(argument: str, rulebook: Rulebook) -> Team | None:
    """Return the team named by key, name in any language, alias or address."""
    wanted = fold(argument)
    return next(
        (t for t in rulebook.teams.values() if wanted in _names(t.key, *t.name.values(), t.aliases, [t.address])), None
    )


def category_in(argument: str, rulebook: Rulebook) -> Category | None:
    """Return the category named by key, name in any language or alias."""
    wanted = fold(argument)
    return next((c for c in rulebook.categories.values() if wanted in _names(c.key, *c.name.values(), c.aliases)), None)


def numbers_in(argument: str, tag: str) -> tuple[int, ...]:
    """Return the ticket numbers in the argument, written 12, #12 or TAG-12."""
    return tuple(int(n) for n in re.findall(rf"(?:{re.escape(tag)}-|#)?(\d{{1,9}})", argument, re.IGNORECASE))


def _names(*groups: str | Iterable[str]) -> set[str]:
    flat = [g if isinstance(g, str) else list(g) for g in groups]
    return {fold(n) for g in flat for n in ([g] if isinstance(g, str) else g) if n}
