"""What stands behind a keyword: grades, dates, people, in Chinese and English.

What comes in: the argument as written, and now in local time where a date may be relative. What goes out: a value,
or None where it cannot be understood. Nothing here knows tickets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta

from daemon.errors import nearest
from daemon.intake.addresses import parse_addresses
from daemon.intake.keywords import fold
from daemon.rulebook import Category, Customer, Person, Rulebook, Team, WarningLevel
from daemon.words import Address, HoldReason, Level, Role, Severity, Source

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
_SOURCES: Mapping[str, Source] = {
    "电话": Source.PHONE, "传真": Source.FAX, "巡检": Source.INSPECTION, "告警": Source.ALERT, "邮件": Source.MAIL,
    "自查": Source.FINDING, "telephone": Source.PHONE, "call": Source.PHONE, "monitoring": Source.ALERT,
    "email": Source.MAIL, **{str(s): s for s in Source},
}  # fmt: skip
_DATE = re.compile(
    r"(?:(?P<y>\d{4})[-/.年])?(?P<m>\d{1,2})[-/月](?P<d>\d{1,2})日?"
    r"(?:[T ]*(?P<H>\d{1,2})[:：点时](?P<M>\d{1,2})?分?)?(?!\d|[-/.])"
)
_ENGLISH_DATE = re.compile(
    r"(?P<d>\d{1,2})\s+(?P<name>[A-Za-z]{3})[a-z]*\.?(?:\s+(?P<y>\d{4}))?(?:[ ,]+(?P<H>\d{1,2}):(?P<M>\d{2}))?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = re.compile(r"(?P<H>\d{1,2})(?:[:：](?P<M>\d{2})|[点时](?P<m>\d{1,2})?(?:分|(?P<half>半))?)(?!\d)")
_PAST_DAYS: Mapping[str, int] = {"today": 0, "今天": 0, "yesterday": 1, "昨天": 1, "前天": 2}
_HALF_A_YEAR, _MONTHS_OF_A_YEAR = 6, 12
_NOON = 12
_OVER = frozenset({"off", "over", "end", "stop", "解除", "结束", "终止", "取消"})
_FIRST_PART = re.compile(r"\s*([^\s:：,，。.!！、;；(（]*)[\s:：,，。.!！、;；]*(.*)", re.DOTALL)
_COLOURS = frozenset({
    "amber", "black", "blue", "brown", "crimson", "gold", "gray", "green", "grey", "orange", "pink", "purple", "red",
    "scarlet", "violet", "white", "yellow", *"红橙黄绿青蓝紫粉黑白灰金褐棕",
})  # fmt: skip
_GRADE = re.compile(r"\w{1,3}[色级]")
_OF_A_LEVEL = re.compile(r"(?<=.)(?:预警|级别)$")
_TASK = re.compile(
    r"\s*(?:第|任务|task\s*|no\.?\s*|№|#)*\s*(\d{1,3})(?!\d)\s*(?:号|项)?[\s:：,，、.。-]*", re.IGNORECASE
)
_UNTIL = re.compile(r"^(?:until|till|直到|等到|到|至)\s*", re.IGNORECASE)
_DAY_WORDS: Mapping[str, int] = {"today": 0, "今天": 0, "tomorrow": 1, "明天": 1, "后天": 2}
_WEEKDAYS: Mapping[str, int] = {
    **{
        name: n for n, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    },
    **{f"{lead}{day}": n for lead in ("周", "星期", "礼拜") for n, day in enumerate("一二三四五六日")},
}
_DAY_PARTS: Mapping[str, int] = {
    "上午": 9,
    "中午": 12,
    "下午": 14,
    "晚上": 18,
    "morning": 9,
    "noon": 12,
    "afternoon": 14,
}
_START_OF_WORK = 9


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


def hold_in(argument: str, now_local: datetime) -> tuple[HoldReason | None, datetime | None, str, bool]:
    """Return what a hold waits for, until when (aware, or None), the words left over, and whether all was clear.

    `#hold customer until 2026-11-25 10:00 text`; without a reason but with a date, it waits for the date. Not clear is
    an "until" behind which no date can be found: better to ask than to wait for ever.
    """
    reason, rest = _hold_reason(argument.strip())
    named = _UNTIL.match(rest) is not None
    until, rest = date_in(rest, now_local)
    if reason is None and until is not None:
        reason = HoldReason.DATE
    return reason, until, rest.strip(" ,，:：。"), until is not None or not named


def _hold_reason(argument: str) -> tuple[HoldReason | None, str]:
    folded = fold(argument)
    for word, reason in HOLD_WORDS.items():
        if folded.startswith(word):
            return reason, argument[len(word) :].strip(" \t:：,，")
    return None, argument


def date_in(text: str, now_local: datetime) -> tuple[datetime | None, str]:
    """Return the moment that `text` begins with, in the zone of `now_local`, and the words after it.

    Behind "until" (到, 至 …) a date may be short: 25 Nov, 11-25, Friday, 周五, 明天下午. Without it only a date with
    its year counts, since "3-5 days" or "10/12 disks" are no dates. A day without a time means nine in the morning.
    """
    rest = _UNTIL.sub("", text.strip(), count=1)
    spoken = _spoken_day(rest, now_local)
    if spoken:
        return spoken
    named = rest != text.strip()
    for pattern in (_DATE, _ENGLISH_DATE):
        found = pattern.match(rest)
        if found and (named or found["y"]) and (moment := _moment(found, now_local)):
            return moment, rest[found.end() :].strip()
    return None, text


def _spoken_day(rest: str, now_local: datetime) -> tuple[datetime, str] | None:
    """Return the day that a word names: today, tomorrow, a weekday, perhaps with a part of the day."""
    folded = fold(rest)
    days = {**_DAY_WORDS, **{w: (n - now_local.weekday() - 1) % 7 + 1 for w, n in _WEEKDAYS.items()}}
    word = next((w for w in sorted(days, key=len, reverse=True) if folded.startswith(w)), None)
    if word is None or (word.isascii() and folded[len(word) : len(word) + 1].isalpha()):
        return None
    behind = rest[len(word) :].strip()
    part = next((p for p in _DAY_PARTS if fold(behind).startswith(p)), "")
    hour = _DAY_PARTS.get(part, _START_OF_WORK)
    day = now_local.date() + timedelta(days=days[word])
    return datetime.combine(day, time(hour), now_local.tzinfo), behind[len(part) :].strip()


def _moment(found: re.Match[str], now_local: datetime) -> datetime | None:
    named = found.groupdict().get("name")
    month = (
        _MONTHS.index(named.lower()) + 1 if named and named.lower() in _MONTHS else int(found.groupdict().get("m") or 0)
    )
    hour, minute = int(found["H"] or _START_OF_WORK), int(found["M"] or 0)
    try:
        moment = datetime(
            int(found["y"] or now_local.year), month, int(found["d"]), hour, minute, tzinfo=now_local.tzinfo
        )
        # Said in December, "5 Jan" is next year's; said in November, "20 Nov" is over and nobody means to wait a year.
        ahead = _MONTHS_OF_A_YEAR - now_local.month + month
        turns = not found["y"] and month < now_local.month and ahead <= _HALF_A_YEAR
        return moment.replace(year=moment.year + 1) if turns else moment
    except ValueError:
        return None


def _first_part(argument: str) -> tuple[str, str]:
    """Return the first word, folded, and what stands behind it; a comma or colon ends a word too: `红色：五个城市`."""
    found = _FIRST_PART.match(argument)
    return (fold(found[1]), found[2].strip()) if found else ("", "")


def ending_in(argument: str) -> tuple[bool, str]:
    """Return whether the argument begins with a word for "it is over", and the words after it."""
    word, rest = _first_part(argument)
    return word in _OVER, rest


def warning_in(argument: str, levels: Iterable[WarningLevel]) -> tuple[WarningLevel | None, str, str]:
    """Return the warning level that the argument begins with, the words after it, and what may have been meant."""
    name, rest = _first_level(argument)
    known = {fold(name): level for level in levels for name in (level.key, *level.name.values(), *level.words)}
    if name in known:
        return known[name], rest, ""
    near = nearest(name, known) if name.isascii() else ""
    return None, argument.strip(), near


def _first_level(argument: str) -> tuple[str, str]:
    """Return the first word without what people add to a level, `红色预警`, and what stands behind it."""
    word, rest = _first_part(argument)
    return _OF_A_LEVEL.sub("", word), rest


def names_a_level(argument: str) -> bool:
    """Whether the argument begins with what can only be meant as a level: a colour, a grade, a single word or number.

    `全国断网` and `Internet down everywhere` are reasons; `purple`, `紫色 全国断网`, `一级` and `P1` are not.
    """
    name, rest = _first_level(argument)
    return name in _COLOURS or _GRADE.fullmatch(name) is not None or (name.isascii() and name != "" and not rest)


def task_in(argument: str) -> tuple[int | None, str]:
    """Return the number of the task that the argument begins with, and the words after it."""
    found = _TASK.match(argument)
    return (int(found[1]), argument[found.end() :].strip()) if found else (None, argument.strip())


def source_in(argument: str) -> Source | None:
    """Return how a report came, as the argument's first word says."""
    return _SOURCES.get(fold(first_word(argument)[0]).strip(":：,，。."))


def address_in(argument: str) -> Address | None:
    """Return the one mailbox that the argument names: ann@acme.example, or Ann Lee <ann@acme.example>."""
    shown = argument.replace("[mailto:", "<").replace("]", ">").strip(" ：:，。;；")
    people = [a for a in parse_addresses(shown.replace("，", " ")) if "." in a.address.rpartition("@")[2]]
    return people[0] if len(people) == 1 else None


def occurred_in(argument: str, now_local: datetime) -> datetime | None:
    """Return when something happened, in the zone of `now_local`: 2026-11-23 08:30, 11-22, 昨天 18:00, 8:30.

    A date without its year is the one nearest to today, a time without a date is today's, a date alone begins the day.
    """
    text = argument.strip().replace("昨晚", "昨天晚上").replace("今早", "今天早上")
    folded = fold(text)
    word = next((w for w in _PAST_DAYS if folded.startswith(w)), None)
    if word:
        day = (now_local - timedelta(days=_PAST_DAYS[word])).date()
        return _at_time(datetime.combine(day, time(0), now_local.tzinfo), text[len(word) :])
    if found := _DATE.match(text) or _ENGLISH_DATE.match(text):
        return _past_moment(found, text[found.end() :], now_local)
    midnight = datetime.combine(now_local.date(), time(0), now_local.tzinfo)
    return _at_time(midnight, text) if _TIME.match(text) else None


def _at_time(midnight: datetime, behind: str) -> datetime | None:
    """Return the moment of the day that `behind` begins with; nothing behind is the whole day."""
    rest = re.sub(r"^[\s,，]*(?:at|上午|早上|凌晨|中午)?\s*", "", behind, count=1, flags=re.IGNORECASE)
    later = re.match(r"(?:下午|晚上|晚)\s*", rest)
    found = _TIME.match(rest[later.end() :] if later else rest)
    if found is None:
        return None if rest else midnight
    hour, minute = int(found["H"]), 30 if found["half"] else int(found["M"] or found["m"] or 0)
    try:
        return midnight.replace(hour=hour + (_NOON if later and hour < _NOON else 0), minute=minute)
    except ValueError:
        return None


def _past_moment(found: re.Match[str], behind: str, now_local: datetime) -> datetime | None:
    try:
        named = found.groupdict().get("name")
        month = _MONTHS.index(named.lower()) + 1 if named else int(found["m"])
        year = int(found["y"] or now_local.year)
        year -= not found["y"] and month - now_local.month > _HALF_A_YEAR
        midnight = datetime(year, month, int(found["d"]), tzinfo=now_local.tzinfo)
        if not found["H"]:
            return _at_time(midnight, behind)
        return midnight.replace(hour=int(found["H"]), minute=int(found["M"] or 0))
    except ValueError:
        return None


def vendor_in(argument: str, rulebook: Rulebook) -> tuple[Person | Team | None, str, str]:
    """Return the vendor, a person or a team of such, that the argument names; else as `target_in`."""
    target, rest, near = target_in(argument, rulebook)
    return (target, rest, near) if target is None or is_vendor(target, rulebook) else (None, argument, "")


def is_vendor(target: Person | Team, rulebook: Rulebook) -> bool:
    """Whether this person works for a vendor, or everybody in this team does."""
    members = [target] if isinstance(target, Person) else [p for k, p in rulebook.people.items() if k in target.members]
    return bool(members) and all(Role.VENDOR in p.roles for p in members)


def target_in(argument: str, rulebook: Rulebook) -> tuple[Person | Team | None, str, str]:
    """Return the person or team that the argument begins with, the words behind, and where none is known a suggestion.

    The longest beginning that names somebody counts: `Wang Wei, please look`, `给王伟`, `@zhao.min`.
    """
    head = re.sub(r"^(?:@|给|to\s+)\s*", "", argument.strip(), count=1)
    known = _everybody(rulebook)
    ends = sorted({m.start() for m in re.finditer(r"[\s,，、。;；:：]|$", head)}, reverse=True)
    for end in ends:
        if found := known.get(_bare(head[:end])):
            return found, head[end:].strip(" ,，、。;；:：\n"), ""
    tried = [head[:end] for end in ends if end]
    near = next((n for t in reversed(tried) if (n := nearest(_bare(t), known))), "")
    return None, argument, known[near].key if near else ""


def _everybody(rulebook: Rulebook) -> dict[str, Person | Team]:
    named: dict[str, Person | Team] = {}
    for team in rulebook.teams.values():
        named |= {_bare(n): team for n in (team.key, *team.name.values(), *team.aliases, team.address) if n}
    for person in rulebook.people.values():
        named |= {_bare(n): person for n in (person.key, person.name, *person.aliases, *person.addresses) if n}
    return named


def _bare(name: str) -> str:
    """Return a name as it is compared: spaces and dots do not count."""
    return re.sub(r"[\s.]+", "", fold(name))


def category_in(argument: str, rulebook: Rulebook) -> Category | None:
    """Return the category named by key, name in any language or alias."""
    wanted = fold(argument)
    return next((c for c in rulebook.categories.values() if wanted in _names(c.key, *c.name.values(), c.aliases)), None)


def category_near(word: str, rulebook: Rulebook) -> str:
    """Return the category that was probably meant, or ""."""
    names = {n: c.key for c in rulebook.categories.values() for n in _names(c.key, *c.name.values(), c.aliases)}
    near = nearest(fold(word), names)
    return names[near] if near else ""


def customer_in(argument: str, rulebook: Rulebook) -> Customer | None:
    """Return the customer named by key or name."""
    wanted = fold(argument)
    return next((c for c in rulebook.customers.values() if wanted in _names(c.key, c.name)), None)


def customer_near(word: str, rulebook: Rulebook) -> str:
    """Return the customer that was probably meant, or ""."""
    names = {n: c.key for c in rulebook.customers.values() for n in _names(c.key, c.name)}
    near = nearest(fold(word), names)
    return names[near] if near else ""


def leading_numbers(argument: str, tag: str) -> tuple[tuple[int, ...], str, bool]:
    """Return the ticket numbers that the argument begins with, the words behind, and whether it is clear that they are.

    `12 13`, `12, 13: why` and `INC-12 why` are; `3 servers are down` may be no number of a ticket.
    """
    sign = rf"(?:{re.escape(tag)}-|[#＃])"
    found = re.match(rf"(?:\s*{sign}?\d{{1,9}}(?![\w.])[\s,，、;；]*)*", argument, re.IGNORECASE | re.ASCII)
    head = found[0] if found else ""
    rest = argument[len(head) :]
    numbers = tuple(dict.fromkeys(int(n) for n in re.findall(r"\d+", head)))
    marked = re.search(rf"{sign}\d+[\s,，、;；]*$", head, re.IGNORECASE) is not None
    clear = not rest or marked or rest[0] in ":：" or head.endswith("\n")
    return numbers, rest.lstrip(" :：\n"), clear


def numbers_in(argument: str, tag: str) -> tuple[int, ...]:
    """Return the ticket numbers in the argument: those it begins with, and those written #12 or TAG-12 anywhere."""
    bare = re.match(r"(?:\s*#?\d{1,9}(?=[\s,，、]|$)[\s,，、]*)*", argument)
    marked = re.findall(rf"(?:\b{re.escape(tag)}-|#)(\d{{1,9}})", argument, re.IGNORECASE) if tag else ()
    return tuple(dict.fromkeys(int(n) for n in (*re.findall(r"\d+", bare[0] if bare else ""), *marked)))


def _names(*groups: str | Iterable[str]) -> set[str]:
    flat = [g if isinstance(g, str) else list(g) for g in groups]
    return {fold(n) for g in flat for n in ([g] if isinstance(g, str) else g) if n}
