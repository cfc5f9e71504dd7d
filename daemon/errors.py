"""What can be wrong, as values: a Problem names the place and the cure, a daemon error carries Problems.

This file alone knows how a problem is spelt for a person: `file:line: what, and what to write instead`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that an operator has to mend; `line` is 0 where no line can be named."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}"


def problem_at(where: str, what: str, folder: str = "") -> Problem:
    """Return the problem at a place that rules name as file:line, or file alone; the file lies in this folder."""
    file, _, line = where.rpartition(":")
    name, number = (file, int(line)) if file and line.isdecimal() else (where, 0)
    return Problem(f"{folder.rstrip('/')}/{name}" if folder else name, number, what)


class TicketdError(Exception):
    """The root of every error that ticketd raises on purpose."""


class ConfigError(TicketdError):
    """The configuration or a rule file cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(TicketdError):
    """The database cannot be used as it is; the message says what to do."""


class RulesChangedError(TicketdError):
    """Somebody else has put rules in force meanwhile."""


class UnreachableError(TicketdError):
    """Weather: a server does not answer as it should. To be tried again later, never a mail's fault."""


class TokenRefusedError(TicketdError):
    """The token server will not have us: trying again helps nobody, a person has to act. The message says how."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known word, or "" where nothing is near."""
    near = nearest(word, known)
    return f" (did you mean '{near}'?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that looks most like this one, or "" where none does."""
    names = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return names[near[0]] if near else ""
