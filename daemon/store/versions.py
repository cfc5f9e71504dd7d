"""The rules that were ever in force: each version with its files, and who put it there, when, how and why.

What comes in: the files of a version. What goes out: versions, the last being the one that counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.errors import RulesChangedError, TicketdError
from daemon.routing.changes import diff_of
from daemon.store.base import Database
from daemon.store.tables import stamp, unstamp

_LINE = "SELECT id, version, at, who, how, note, diff, trial, placed FROM rules_version"
_NAME = 10
"""No number has so many digits; the name of a version may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One set of rules that was put in force. `how` is start, reload or apply; `trial` what its back-test had said.

    `id` counts the times that rules were put in force: the same `version` may come again.
    """

    id: int
    version: str
    at: datetime
    who: str
    how: str
    note: str = ""
    diff: str = ""
    trial: Mapping[str, Any] = field(default_factory=dict)
    placed: bool = True


class Versions:
    """Which rules counted when."""

    def __init__(self, base: Database) -> None:
        self._base = base

    def last_id(self) -> int:
        """Return the number of the version that is in force, 0 before there was any."""
        return int(self._base.one("SELECT MAX(id) FROM rules_version")[0] or 0)

    def last(self) -> Version | None:
        """Return the version that is in force."""
        return self.get(self.last_id())

    def get(self, number: int) -> Version | None:
        """Return one version by its number."""
        row = self._base.one(f"{_LINE} WHERE id = ?", (number,))
        return _version(row) if row else None

    def history(self) -> list[Version]:
        """Return every version, the newest first."""
        return [_version(row) for row in self._base.rows(f"{_LINE} ORDER BY id DESC")]

    def named(self, name: str) -> Version:
        """Return the latest version of this name, which may be shortened, or number; raise TicketdError for none."""
        if name.isascii() and name.isdecimal() and len(name) < _NAME and (found := self.get(int(name))):
            return found
        pattern = "".join(c for c in name if c.isalnum())
        rows = self._base.rows(f"{_LINE} WHERE version LIKE ? ORDER BY id DESC", (f"{pattern}%",)) if pattern else []
        if not rows or pattern != name:
            raise TicketdError(f"no version of the rules is called '{name}': 'ticketd rules history' lists them all")
        several = sorted({row[1] for row in rows})
        if len(several) > 1:
            raise TicketdError(f"'{name}' may be any of {', '.join(several)}: write more of it")
        return _version(rows[0])

    def files(self, number: int) -> dict[str, bytes]:
        """Return the files of a version, by their names within the folder of the rules."""
        row = self._base.one("SELECT files FROM rules_version WHERE id = ?", (number,))
        texts = json.loads(row[0]).items() if row else ()
        return {name: text.encode("utf-8", "surrogateescape") for name, text in texts}

    def put_in_force(self, version: Version, files: Mapping[str, bytes], after: int) -> int:
        """Write down that these files are in force from now on; return the number.

        Raises RulesChangedError where the rules before them are not those of number `after` any more.
        """
        with self._base.transaction():
            if self.last_id() != after:
                raise RulesChangedError("somebody else has put rules in force meanwhile: look at them, then try again")
            diff = diff_of(self.files(after), files)
            # A mail among the tests may be in any charset: its bytes come back as they were.
            text = json.dumps({name: content.decode("utf-8", "surrogateescape") for name, content in files.items()})
            sql = """INSERT INTO rules_version (version, at, who, how, note, files, diff, trial, placed)
             VALUES (?,?,?,?,?,?,?,?,?)"""
            trial = json.dumps(dict(version.trial), ensure_ascii=False)
            values = (version.version, stamp(version.at), version.who, version.how, version.note, text, diff, trial)
            return self._base.insert(sql, (*values, version.placed))

    def before(self, number: int) -> int:
        """Return the number of the version before this one, 0 where there is none."""
        return int(self._base.one("SELECT MAX(id) FROM rules_version WHERE id < ?", (number,))[0] or 0)

    def placed(self, number: int, done: bool) -> None:
        """Write down whether the files of this version are in the folder of the rules."""
        self._base.run("UPDATE rules_version SET placed = ? WHERE id = ?", (done, number))


def _version(row: Any) -> Version:
    number, version, at, who, how, note, diff, trial, placed = row
    return Version(
        id=int(number), version=version, at=unstamp(at), who=who, how=how, note=note, diff=diff,
        trial=json.loads(trial), placed=bool(placed),
    )  # fmt: skip
