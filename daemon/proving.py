"""Whether rules may be put in force: they are read, checked across their files, and their own examples are tried.

What comes in: a folder of rule files, or files at hand. What goes out: the Rulebook, as far as it can be read, and
Problems. `check`, a reload and `rules apply` ask this same function. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from daemon.config import shipped
from daemon.errors import ConfigError, Problem
from daemon.notify.catalogue import ABOUT_A_TICKET, TEMPLATES
from daemon.routing.check import (
    check_calendars,
    check_contracts,
    check_languages,
    check_rulebook,
    check_templates_named,
    check_variants,
    is_warning,
)
from daemon.routing.loader import RuleFiles, load_partly, load_tests
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.trials import Bench, Verdict, failed_examples, run_test

STAND_IN = Service(
    name="ticketd", address="support@example.com", language="en", timezone="UTC", subject_tag="INC",
    own_addresses=frozenset({"support@example.com"}),
)  # fmt: skip
"""Whom examples are written to where the configuration cannot be read."""
_LARGEST_MAIL = 30_000_000


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


def try_rules(source: Path | RuleFiles, templates: Path, today: date | None, service: Service = STAND_IN) -> Tried:
    """Read rules, try their examples, and say everything that is wrong with them.

    Whether calendars know the holidays is judged by today; the examples are mails to this service.
    """
    rulebook, unread = load_partly(source)
    folder = str(source if isinstance(source, Path) else source.folder)
    further = _across_files(rulebook, folder, templates, today, whole=not unread)
    further += [] if unread else failed_examples(_bench(rulebook, Path(folder), service), folder)
    return Tried(rulebook=rulebook, problems=tuple(sorted({*unread, *further})))


def run_tests(
    folder: Path, rulebook: Rulebook, service: Service, paths: Iterable[Path] = ()
) -> tuple[list[Verdict], list[Problem]]:
    """Return what came of each test of the rules, and what is wrong with the files of tests.

    They are those of `paths`, else all in `tests/` in the folder of the rules. Mails that they name lie below that
    folder.
    """
    tests, problems = load_tests(folder, rulebook, paths)
    bench = _bench(rulebook, folder, service)
    return [run_test(test, bench) for test in tests], problems


def _bench(rulebook: Rulebook, folder: Path, service: Service) -> Bench:
    return Bench(rulebook=rulebook, service=service, fetch=partial(_fetch, folder))


def _fetch(folder: Path, name: str) -> bytes | None:
    """Return the bytes of a mail in the folder of the rules; nothing outside of it is looked at."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file() or path.stat().st_size > _LARGEST_MAIL:
        return None
    return path.read_bytes()


def _across_files(
    rulebook: Rulebook, folder: str, templates: Path, today: date | None, *, whole: bool
) -> list[Problem]:
    """Return what is wrong across the rule files; of a rulebook that is not whole, what can be said all the same."""
    found = [p for where in (shipped("templates") / "email", templates) for p in where.glob("*/*.txt")]
    further = check_rulebook if whole else check_templates_named
    by_date = (check_calendars, check_contracts) if today else ()
    dated = [problem for check in by_date if today for problem in check(rulebook, today, folder)]
    spoken = check_languages(rulebook, {p.parent.name for p in found}, folder)
    names = {
        language: {p.stem for p in found if p.parent.name == language} for language in {p.parent.name for p in found}
    }
    variants = check_variants(rulebook, names, {name: name in ABOUT_A_TICKET for name in TEMPLATES}, folder)
    return [*further(rulebook, {p.stem for p in found}, folder), *dated, *spoken, *variants]
