"""How reports say things: names for keys, times and amounts, in one language.

What comes in: the word lists of the mail templates, the Rulebook and the zone. What goes out: texts for people. What no
list and no rule file knows is shown as it stands. Whoever draws a report that is counted already needs no Rulebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from daemon.rulebook import Rulebook

_HOUR, _DAY = 60, 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One language and one zone: the words of the lists, times and amounts."""

    words: Mapping[str, Any]
    zone: ZoneInfo

    @property
    def language(self) -> str:
        """The language that was found, which may not be the one asked for."""
        return str(self.words["language"])

    def say(self, name: str, **details: object) -> str:
        """Return a word or sentence of the list `report`, filled in."""
        return self.word("report", name).format(**details) if details else self.word("report", name)

    def word(self, group: str, key: object) -> str:
        """Return the word for a key of a group, or the key itself."""
        known = self.words.get(group)
        return str(known.get(str(key), key)) if isinstance(known, Mapping) else str(key)

    def word_at(self, name: str) -> str:
        """Return a word that stands by itself in the lists."""
        return str(self.words.get(name, ""))

    def named(self, names: Mapping[str, str]) -> str:
        """Return the name in this language, else in English, else any."""
        return names.get(self.language) or names.get("en") or next(iter(names.values()), "")

    # --- times and amounts ---

    def moment(self, at: datetime | None) -> str:
        """Return a time in the service's zone, to the minute."""
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}" if at else ""

    def minutes(self, amount: float) -> str:
        """Return an amount of minutes in at most two units."""
        days, rest = divmod(round(amount), _DAY)
        return self._amount((days, "day"), (rest // _HOUR, "hour"), (rest % _HOUR, "minute"))

    def hours(self, amount: float) -> str:
        """Return an amount of minutes in hours and minutes, however many."""
        return self._amount((round(amount) // _HOUR, "hour"), (round(amount) % _HOUR, "minute"))

    def _amount(self, *parts: tuple[int, str]) -> str:
        used = [(n, unit) for n, unit in parts if n][:2] or [(0, "minute")]
        return self.say("joint").join(self.say(unit).format(n) for n, unit in used)

    def span(self, amount: timedelta) -> str:
        """Return a length of time in hours and minutes: of working time, a day would be read as a working day."""
        return self.hours(amount.total_seconds() / 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording(Speech):
    """The same, with the names that the rule files give."""

    rulebook: Rulebook

    def category(self, key: str) -> str:
        """Return the path of a category in words: 网络 / VPN."""
        parts = key.split("/")
        paths = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        known = self.rulebook.categories
        return " / ".join(
            self.named(known[p].name) if p in known else part for p, part in zip(paths, parts, strict=True)
        )

    def customer(self, key: str) -> str:
        """Return the name of a customer."""
        found = self.rulebook.customers.get(key)
        return found.name if found else key

    def person(self, key: str) -> str:
        """Return the name of one of ours; an address stays one."""
        found = self.rulebook.people.get(key)
        return found.name if found else self.word("who", key)

    def team(self, key: str) -> str:
        """Return the name of a team."""
        found = self.rulebook.teams.get(key)
        return self.named(found.name) if found else key
