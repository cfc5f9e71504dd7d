"""Which rules are in force: found at the start, read again on a reload, put there with `ticketd rules apply`.

What comes in: the folder of the rules, and the versions that the database keeps. What goes out: a rulebook that was
read as a whole, its number, and what is wrong with the files where they had to be passed over. The last version in the
database is the truth: what a crash left unfinished in the folder is finished from it (docs/decisions/0014).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from daemon.errors import ConfigError, Problem, TicketdError, problem_at
from daemon.placing import is_locked, locked, remove, write_whole
from daemon.proving import Tried, run_tests, try_rules
from daemon.routing.changes import changed
from daemon.routing.loader import MIXED, TESTS, RuleFiles, load_partly, load_rulebook
from daemon.rulebook import Rulebook
from daemon.service import Service
from daemon.store import Store
from daemon.store.versions import Version
from daemon.trials import Verdict

log = structlog.get_logger()

DAEMON = "ticketd"
LOCK = "lock"
"""The file within the folder of the state that a running daemon holds."""
_ASIDE = "set-aside"
_TAKEN = "rules in force"
_REFUSED = "rules refused"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A version whose files are in the folder; `aside`: where those are kept now that were there and never applied."""

    number: int
    aside: tuple[Path, ...] = ()


def at_start(places: Places, store: Store, now: datetime) -> InForce:
    """Return the rules to start with: those in the folder or, where they are broken, the last that were in force.

    Mail must be answered: only a first start with broken files is refused. Raises ConfigError then.
    """
    last = store.versions.last()
    with _locked(places):
        faults = _finished(places, store)
        try:
            found = _at_first(places, last, now) if not faults else None
        except ConfigError as e:
            found, faults = None, tuple(e.problems)
    if found is None:
        return _kept(last, store, faults)
    wish = Wish(who=DAEMON, how="start", at=now, trial={})
    number = put_in_force(found.rulebook, found.files, wish, store, last.id if last else _FIRST)
    return InForce(rulebook=found.rulebook, number=number)


def _at_first(places: Places, last: Version | None, now: datetime) -> Found:
    """Return what is in the folder; it is looked at more closely where there is something to fall back on."""
    rulebook = load_rulebook(places.rules)
    if last is not None and last.version != rulebook.version:
        rulebook = sound(places.rules, places, now).rulebook
    return Found(rulebook=rulebook, files=files_of(places.rules, rulebook))


@contextlib.contextmanager
def _told_if_unreadable() -> Iterator[None]:
    """Say of a file beside the rules that cannot be read what is said of a rule file: it is no reason to stop work."""
    try:
        yield
    except OSError as e:
        what = f"cannot be read ({e.strerror}); give it to the user that runs ticketd, or take it away"
        raise ConfigError([Problem(str(e.filename), 0, what)]) from e


@_told_if_unreadable()
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
    files = {name: content for name, content in store.versions.files(version.id).items() if _is_read(name)}
    return load_rulebook(RuleFiles(Path(f"version {version.version}"), files))


def _is_read(name: str) -> bool:
    """Whether this file says anything of its own: not the tests, nor the mails that rules name as their examples."""
    return name.endswith(("yaml", "yml")) and not name.startswith(f"{TESTS}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Rules that may be put in force, with all files that belong to them, and what is doubtful about them."""

    rulebook: Rulebook
    files: Mapping[str, bytes]
    warnings: tuple[Problem, ...] = ()


def found_in(folder: Path, places: Places, store: Store, now: datetime) -> Found:
    """Return the rules in a folder, while nobody changes that of the rules. Raises ConfigError with all problems."""
    with _locked(places):
        if faults := _finished(places, store):
            raise ConfigError(list(faults))
        tried = sound(folder, places, now)
        return Found(rulebook=tried.rulebook, files=files_of(folder, tried.rulebook), warnings=tried.warnings)


@_told_if_unreadable()
def files_of(folder: Path, rulebook: Rulebook) -> dict[str, bytes]:
    """Return the files of the rules, with their tests and the mails that they name, by their names in the folder."""
    examples = (e.file for r in (*rulebook.rules, *rulebook.switched_off) for e in (*r.examples, *r.counter_examples))
    names = {*files_within(folder / TESTS, folder), *(name for name in examples if _lies_in(folder, name))}
    return {**rulebook.files, **{name: (folder / name).read_bytes() for name in sorted(names)}}


def files_within(part: Path, folder: Path) -> Iterator[str]:
    """Yield the names, within the folder, of every file in this part of it that is not hidden."""
    names = (p.relative_to(folder) for p in part.rglob("*") if p.is_file())
    return (name.as_posix() for name in names if not any(x.startswith(".") for x in name.parts))


def _lies_in(folder: Path, name: str) -> bool:
    return bool(name) and (folder / name).is_file() and (folder / name).resolve().is_relative_to(folder.resolve())


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


def apply_from(folder: Path, found: Found, wish: Wish, places: Places, store: Store, after: int) -> Placed:
    """Put the rules of another folder in force, and their files into the folder of the rules.

    First the database: a crash behind that is made good by whoever looks at the folder next.
    """
    with _locked(places):
        _refuse_readonly(places.rules)
        number = put_in_force(found.rulebook, found.files, wish, store, after, placed=False)
        store.versions.placed(number, False)
        try:
            return _finish(places, store, number)
        except OSError as e:
            raise TicketdError(
                f"the rules of {folder} are in force, but not all of their files are in {places.rules}: "
                f"{e.strerror}: {e.filename}; mend that, then: ticketd rules apply"
            ) from e


def finish(places: Places, store: Store) -> Placed | None:
    """Put the last version's files in place where a crash has kept that from being done. Raises ConfigError."""
    with _locked(places):
        last = store.versions.last()
        if last is None or last.placed:
            return None
        try:
            return _finish(places, store, last.id)
        except OSError as e:
            raise ConfigError([_not_placed(e, places)]) from e


def unfinished(places: Places, store: Store) -> Version | None:
    """Return the version whose files a crash has kept from being put in place; None where all is as it should be."""
    with _locked(places):
        last = store.versions.last()
    return None if last is None or last.placed else last


def never_applied(places: Places, store: Store) -> tuple[str, ...]:
    """Return the names of the files in the folder that are not as they are in force: somebody is at work on them."""
    return changed(store.versions.files(store.versions.last_id()), files_here(places))


@_told_if_unreadable()
def files_here(places: Places) -> dict[str, bytes]:
    """Return the rule files as they are in their folder, right or wrong, also those that nothing includes."""
    names = (name for name in RuleFiles(places.rules).names() if not _is_hidden(name))
    others = {name: (places.rules / name).read_bytes() for name in names if (places.rules / name).is_file()}
    return {**others, **files_of(places.rules, load_partly(places.rules)[0])}


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


# --- the running daemon ---


def taken_up(store: Store, number: int, now: datetime) -> None:
    """Write down which version the running daemon works with, from its start on; 0: none that can be changed."""
    _note(store, _TAKEN, str(number), now)


def refused(store: Store, number: int, why: str, now: datetime) -> None:
    """Write down that the running daemon cannot work with this version."""
    _note(store, _REFUSED, f"{number} {why}", now)


def _note(store: Store, key: str, text: str, now: datetime) -> None:
    with store.transaction():
        store.write_note(key, text, now)


def at_work_with(store: Store) -> int:
    """Return the version that the running daemon works with, 0 where it is not one that takes up new ones."""
    note = store.note(_TAKEN)
    return int(note[0]) if note else 0


def why_refused(store: Store, number: int) -> str:
    """Return why the running daemon cannot work with this version, "" where it has not said so."""
    note = store.note(_REFUSED)
    about, _, why = note[0].partition(" ") if note else ("", "", "")
    return why if about == str(number) else ""


def daemon_runs(places: Places, store: Store) -> bool:
    """Whether a daemon is at work: its lock says so, which dies with it, never what it wrote down before it died."""
    return is_locked(places.state / LOCK) or store.base.at_work()


# --- the folder ---


@contextlib.contextmanager
def _locked(places: Places) -> Iterator[None]:
    """Keep everybody else from reading or changing the folder of the rules meanwhile."""
    with locked(places.state / "rules.lock"):
        yield


def _finished(places: Places, store: Store) -> tuple[Problem, ...]:
    """Put the files of the last version in place where a crash has kept that from being done; return why not."""
    last = store.versions.last()
    if last is None or last.placed:
        return ()
    try:
        placed = _finish(places, store, last.id)
    except OSError as e:
        return (_not_placed(e, places),)
    except ConfigError as e:
        return tuple(e.problems)
    log.warning("rules.finished", version=last.version, by=last.who, set_aside=list(map(str, placed.aside)))
    return ()


def _not_placed(error: OSError, places: Places) -> Problem:
    what = (
        f"cannot be written ({error.strerror}), but a 'rules apply' that was interrupted has to be finished; type "
        "'ticketd rules apply' as a user who may write here"
    )
    return Problem(str(error.filename or places.rules), 0, what)


def _finish(places: Places, store: Store, number: int) -> Placed:
    """Make the folder hold exactly the files of this version; doing it again is harmless."""
    files, before = store.versions.files(number), store.versions.files(store.versions.before(number))
    mark, here = places.rules / MIXED, files_here(places)
    write_whole(mark, f"version number {number}\n".encode())
    lost = [name for name, content in here.items() if content not in (before.get(name), files.get(name))]
    aside = tuple(_set_aside(name, here[name], places.state / _ASIDE / str(number)) for name in sorted(lost))
    for name, content in files.items():
        write_whole(places.rules / name, content)
    for name in sorted(here.keys() - files.keys()):
        remove(places.rules / name)
    remove(mark)
    store.versions.placed(number, True)
    return Placed(number=number, aside=aside)


def _set_aside(name: str, content: bytes, folder: Path) -> Path:
    """Keep what was never in force, and what nobody could bring back, beside what was kept before."""
    path = folder / name
    while path.exists() and path.read_bytes() != content:
        path = path.with_name(f"{path.name}~")
    write_whole(path, content)
    return path


def _refuse_readonly(folder: Path) -> None:
    """Refuse before anything is changed where the files could not be put in place."""
    closed = [p for p in (folder, *folder.glob("*/")) if p.is_dir() and not os.access(p, os.W_OK)]
    if closed:
        raise TicketdError(
            f"you may not write in {closed[0]}: copy the files there yourself, then run 'ticketd rules apply' without "
            "a folder"
        )
