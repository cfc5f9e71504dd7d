"""Whether rules may be put in force: they are read, checked across their files, and their own examples are tried.

What comes in: a folder of rule files, or files at hand. What goes out: the Rulebook, as far as it can be read, and
Problems. `check`, a reload and `rules apply` ask this same function. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from daemon.config import shipped
from daemon.errors import ConfigError, Problem
from daemon.routing.check import (
    check_calendars,
    check_contracts,
    check_languages,
    check_rulebook,
    check_templates_named,
    is_warning,
)
from daemon.routing.loader import RuleFiles, load_partly
from daemon.rulebook import Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rulebook, as far as it could be read, and everything that is to be said of it."""

    rulebook: Rulebook
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What has to be mended first."""
        return tuple(p for p in self.problems if not is_warning(p))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may be meant so."""
        return tuple(p for p in self.problems if is_warning(p))

    def sound(self) -> Rulebook:
        """Return the rulebook; raise ConfigError with everything that has to be mended first."""
        if self.errors:
            raise ConfigError(list(self.errors))
        return self.rulebook


def try_rules(source: Path | RuleFiles, templates: Path, today: date | None) -> Tried:
    """Read rules and say everything that is wrong with them; whether calendars know the holidays is judged by today."""
    rulebook, unread = load_partly(source)
    folder = str(source if isinstance(source, Path) else source.folder)
    further = _across_files(rulebook, folder, templates, today, whole=not unread)
    return Tried(rulebook=rulebook, problems=tuple(sorted({*unread, *further})))


def _across_files(
    rulebook: Rulebook, folder: str, templates: Path, today: date | None, *, whole: bool
) -> list[Problem]:
    """Return what is wrong across the rule files; of a rulebook that is not whole, what can be said all the same."""
    found = [p for where in (shipped("templates") / "email", templates) for p in where.glob("*/*.txt")]
    further = check_rulebook if whole else check_templates_named
    by_date = (check_calendars, check_contracts) if today else ()
    dated = [problem for check in by_date if today for problem in check(rulebook, today, folder)]
    spoken = check_languages(rulebook, {p.parent.name for p in found}, folder)
    return [*further(rulebook, {p.stem for p in found}, folder), *dated, *spoken]
