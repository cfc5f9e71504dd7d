"""Which rules are in force: found at the start, read again on a reload, put there with `ticketd rules apply`.

What comes in: the folder of the rules, and the versions that the database keeps. What goes out: a rulebook that was
read as a whole, its number, and what is wrong with the files where they had to be passed over. The last version in the
database is the truth: what a crash left unfinished in the folder is finished from it (docs/decisions/0014).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from daemon.errors import ConfigError, Problem, TicketdError, problem_at
from daemon.proving import Tried, run_tests, try_rules
from daemon.routing.changes import changed
from daemon.routing.loader import TESTS, RuleFiles, load_partly, load_rulebook
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.store import Store
from daemon.store.versions import Version
from daemon.trials import Verdict

log = structlog.get_logger()

DAEMON = "ticketd"
_TAKEN = "rules in force"
_FIRST = 0


@dataclass(frozen=True, slots=True)
class Places:
    """Where rules and templates are, the folder of the state, which holds the lock on changing them, and whose."""

    rules: Path
    templates: Path
    state: Path
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rules that count, with the number of their version; `faults`: why the files in the folder do not."""

    rulebook: Rulebook
    number: int
    faults: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who wants rules in force, how and why, and what their back-test has said."""

    who: str
    how: str
    at: datetime
    note: str = ""
    trial: Mapping[str, Any]


def at_start(places: Places, store: Store, now: datetime) -> InForce:
    """Return the rules to start with: those in the folder or, where they are broken, the last that were in force.

    Mail must be answered: only a first start with broken files is refused. Raises ConfigError then.
    """
    last = store.versions.last()
    with _locked(places):
        faults = _finished(places, store, last)
        try:
            rulebook = _at_first(places, last, now) if not faults else None
        except ConfigError as e:
            rulebook, faults = None, tuple(e.problems)
    if rulebook is None:
        return _kept(last, store, faults)
    wish = Wish(who=DAEMON, how="start", at=now, trial={})
    files = files_of(places.rules, rulebook)
    return InForce(rulebook=rulebook, number=put_in_force(rulebook, files, wish, store, last.id if last else _FIRST))


def _at_first(places: Places, last: Version | None, now: datetime) -> Rulebook:
    """Return what is in the folder; it is looked at more closely where there is something to fall back on."""
    rulebook = load_rulebook(places.rules)
    if last is None or last.version == rulebook.version:
        return rulebook
    return sound(places.rules, places, now).rulebook


def sound(folder: Path, places: Places, now: datetime) -> Tried:
    """Return the rules in this folder that may be put in force: read, checked, with all of their tests passed.

    Raises ConfigError with everything that has to be mended first.
    """
    tried = try_rules(folder, places.templates, now.date(), places.service)
    verdicts, problems = run_tests(folder, tried.sound(), places.service)
    failed = [_failure(v, folder) for v in verdicts if not v.passed]
    if problems or failed:
        raise ConfigError([*problems, *failed])
    return tried


def _failure(verdict: Verdict, folder: Path) -> Problem:
    why = verdict.problem or "; ".join(map(str, verdict.misses))
    return problem_at(verdict.test.where, f"the test '{verdict.test.name}' fails: {why}", str(folder / TESTS))


def _kept(last: Version | None, store: Store, faults: tuple[Problem, ...]) -> InForce:
    if last is None:
        raise ConfigError(list(faults))
    log.error("rules.kept", version=last.version, problems=[str(p) for p in faults])
    return InForce(rulebook=load_kept(last, store), number=last.id, faults=faults)


def load_kept(version: Version, store: Store) -> Rulebook:
    """Return the rulebook of a version that was in force. Raises ConfigError."""
    files = {name: content for name, content in store.versions.files(version.id).items() if not _is_test(name)}
    return load_rulebook(RuleFiles(Path(f"version {version.version}"), files))


def _is_test(name: str) -> bool:
    return name.startswith(f"{TESTS}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rules that may be put in force, with all files that belong to them, and what is doubtful about them."""

    rulebook: Rulebook
    files: Mapping[str, bytes]
    warnings: tuple[Problem, ...] = ()


def found_in(folder: Path, places: Places, store: Store, now: datetime) -> Found:
    """Return the rules in a folder, while nobody changes that of the rules. Raises ConfigError with all problems."""
    with _locked(places):
        if faults := _finished(places, store, store.versions.last()):
            raise ConfigError(list(faults))
        tried = sound(folder, places, now)
        return Found(rulebook=tried.rulebook, files=files_of(folder, tried.rulebook), warnings=tried.warnings)


def files_of(folder: Path, rulebook: Rulebook) -> dict[str, bytes]:
    """Return the files of the rules and of their tests, by their names within the folder."""
    tests = (p for p in sorted((folder / TESTS).rglob("*")) if p.is_file() and not p.name.startswith("."))
    return {**rulebook.files, **{p.relative_to(folder).as_posix(): p.read_bytes() for p in tests}}


def put_in_force(
    rulebook: Rulebook, files: Mapping[str, bytes], wish: Wish, store: Store, after: int, *, placed: bool = True
) -> int:
    """Write down that these rules count from now on, unless they do already; return the number of the version."""
    last = store.versions.last()
    if last and last.id == after and store.versions.files(after) == files:
        return after
    version = Version(
        id=0, version=rulebook.version, at=wish.at, who=wish.who, how=wish.how, note=wish.note, trial=wish.trial,
        placed=placed,
    )  # fmt: skip
    return store.versions.put_in_force(version, files, after)


def apply_from(folder: Path, found: Found, wish: Wish, places: Places, store: Store, after: int) -> int:
    """Put the rules of another folder in force, and their files into the folder of the rules; return the number.

    First the database: a crash behind that is made good by whoever looks at the folder next.
    """
    with _locked(places):
        _refuse_readonly(places.rules)
        number = put_in_force(found.rulebook, found.files, wish, store, after, placed=False)
        store.versions.placed(number, False)
        try:
            _finish(places, store, number)
        except OSError as e:
            raise TicketdError(
                f"the rules of {folder} are in force, but not all of their files are in {places.rules}: "
                f"{e.strerror}: {e.filename}; mend that, then: ticketd rules apply"
            ) from e
    return number


def never_applied(places: Places, store: Store) -> tuple[str, ...]:
    """Return the names of the files in the folder that are not as they are in force: somebody is at work on them."""
    return changed(store.versions.files(store.versions.last_id()), files_here(places))


def files_here(places: Places) -> dict[str, bytes]:
    """Return the files of the rules as they are in their folder, right or wrong."""
    return files_of(places.rules, load_partly(places.rules)[0])


def taken_up(store: Store, number: int, now: datetime) -> None:
    """Write down which version the running daemon works with; 0 says that it has stopped."""
    with store.transaction():
        store.write_note(_TAKEN, str(number), now)


def at_work_with(store: Store) -> int:
    """Return the version that the running daemon works with, 0 where none is known to run."""
    note = store.note(_TAKEN)
    return int(note[0]) if note else 0


# --- the folder ---


@contextlib.contextmanager
def _locked(places: Places) -> Iterator[None]:
    """Keep everybody else from reading or changing the folder of the rules meanwhile."""
    with (places.state / "rules.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _finished(places: Places, store: Store, last: Version | None) -> tuple[Problem, ...]:
    """Put the files of the last version in place where a crash has kept that from being done; return why not."""
    if last is None or last.placed:
        return ()
    try:
        _finish(places, store, last.id)
    except OSError as e:
        what = f"cannot be written ({e.strerror}), but rules apply was not finished; let ticketd write here"
        return (Problem(str(e.filename or places.rules), 0, what),)
    log.warning("rules.finished", version=last.version)
    return ()


def _finish(places: Places, store: Store, number: int) -> None:
    """Make the folder hold exactly the files of this version; doing it again is harmless."""
    files, before = store.versions.files(number), store.versions.files(store.versions.before(number))
    for name, content in files.items():
        _write(places.rules / name, content)
    for name in before.keys() - files.keys():
        (places.rules / name).unlink(missing_ok=True)
    store.versions.placed(number, True)


def _write(path: Path, content: bytes) -> None:
    """Write one file, durably, whole or not at all; one that is so already is left alone."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        unfinished.chmod(path.stat().st_mode & 0o777)
    unfinished.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)


def _refuse_readonly(folder: Path) -> None:
    """Refuse before anything is changed where the files could not be put in place."""
    closed = [p for p in (folder, *folder.glob("*/")) if p.is_dir() and not os.access(p, os.W_OK)]
    if closed:
        raise TicketdError(
            f"you may not write in {closed[0]}: copy the files there yourself, then run 'ticketd rules apply' without "
            "a folder"
        )
