"""The command line's group `ticketd rules`: looking at, trying and changing the rules of a live system.

What comes in: arguments. What goes out: text, JSON and an exit status: 0 done, 1 refused, or something would change.
"""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from datetime import time as midnight
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from daemon import app, inforce
from daemon.backtest import Question, Trial, back_test, trial_data, trial_lines
from daemon.clock import Clock
from daemon.config import Config
from daemon.errors import ConfigError, Problem, TicketdError
from daemon.inforce import Found, Placed, Places, Wish
from daemon.overruled import CATEGORY, TEAM, standing
from daemon.placing import write_whole
from daemon.plain import iso
from daemon.proving import run_tests
from daemon.routing.changes import changed, diff_of
from daemon.routing.loader import PLANS, TESTS, load_rulebook
from daemon.routing.schema import SCHEMAS, schema_text
from daemon.rulebook import Rulebook
from daemon.store import Store
from daemon.store.versions import Version
from daemon.terminal import OK, PROBLEMS, config_of, day_of, in_words, put_table, put_whole, safe
from daemon.trials import Verdict, verdict_data
from daemon.views import stats_data

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_SINCE = click.option("--since", default=None, metavar="DATE", help="Only what came since that day (default: all).")
_TRIED_AT_APPLY = 2000
"""So many of the newest mails are tried before rules are applied; `rules backtest` tries all."""
_NONE_YET = "no rules were put in force yet: the first start does that, or 'ticketd rules apply'"
_PATIENCE = 20.0
_CANNOT_SAY = 2
_SHOWN = 5


@click.group()
def rules() -> None:
    """Look at the rules that count, try new ones, and put them into force."""


@dataclass(frozen=True, slots=True)
class _Shop:
    """What these commands work with."""

    config: Config
    places: Places
    store: Store
    zone: ZoneInfo


def _shop(ctx: click.Context) -> _Shop:
    return _shop_of(ctx, config_of(ctx))


def _shop_of(ctx: click.Context, config: Config) -> _Shop:
    zone = ZoneInfo(config.service.timezone)
    shop = _Shop(config, app.places_of(config), app.open_store(config), zone)
    ctx.call_on_close(shop.store.close)
    return shop


# --- what was in force ---


@rules.command()
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@click.pass_context
def history(ctx: click.Context, as_json: bool) -> int:
    """List every version of the rules that was in force: when, by whom, why. The first line is the one that counts."""
    shop = _shop(ctx)
    versions = shop.store.versions.history()
    if as_json:
        put_whole([_version_data(v, shop.zone) for v in versions])
        return OK
    if not versions:
        click.echo(_NONE_YET)
        return OK
    heads = ("number", "version", "since", "by", "how", "changed", "why")
    put_table(heads, [(v.id, v.version, iso(v.at, shop.zone), v.who, v.how, _size(v.diff), v.note) for v in versions])
    if half := inforce.unfinished(shop.places, shop.store):
        click.echo(safe(_half_done(half, shop)))
    elif names := inforce.never_applied(shop.places, shop.store):
        click.echo(safe(f"not in force yet: what differs in {', '.join(names)} (ticketd rules diff)"))
    return OK


def _half_done(version: Version, shop: _Shop) -> str:
    return (
        f"{version.who}'s apply of version {version.version} was interrupted: it is in force, but not all of its files "
        f"are in {shop.places.rules} yet; 'ticketd rules apply', or the next start or reload, puts them there"
    )


@rules.command()
@click.argument("version")
@click.argument("file", default="")
@click.option("--out", default=None, type=click.Path(file_okay=False, path_type=Path),
              help="Write its files to this new folder, as 'rules apply' takes them.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object, with all files.")
@click.pass_context
def show(ctx: click.Context, version: str, file: str, out: Path | None, as_json: bool) -> int:
    """Show a version that was in force: who put it there and what changed; or one FILE of it, as it was."""
    shop = _shop(ctx)
    found = shop.store.versions.named(version)
    files = shop.store.versions.files(found.id)
    if file and file not in files:
        raise TicketdError(f"there is no file '{file}' in version {found.version}; there are {', '.join(files)}")
    if out is not None:
        _write_files({name: content for name, content in files.items() if file in ("", name)}, out)
        return OK
    if as_json:
        told = {name: content.decode("utf-8", "replace") for name, content in files.items() if file in ("", name)}
        put_whole({**_version_data(found, shop.zone), "diff": found.diff, "trial": dict(found.trial), "files": told})
        return OK
    if file:
        _put_file(files[file])
        return OK
    rows = [(k, v) for k, v in _version_data(found, shop.zone).items() if v not in ("", None)]
    put_table(("", ""), [*rows, ("files", ", ".join(files))])
    click.echo(f"\n{safe(found.diff)}" if found.diff else "", nl=False)
    return OK


def _write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a version into a folder of their own; nothing that is there already is written over."""
    if folder.exists() and any(folder.iterdir()):
        raise TicketdError(f"{folder} is not empty: name a new folder with --out")
    for name, content in files.items():
        write_whole(folder / name, content)
    click.echo(f"wrote {len(files)} files to {folder}; to put them in force: ticketd rules apply {folder}", err=True)


def _put_file(content: bytes) -> None:
    """Show a file to a person so that it cannot command the terminal; into a file or a pipe it goes as it was."""
    if sys.stdout.isatty():
        click.echo(safe(content.decode("utf-8", "replace")), nl=False)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


@rules.command()
@click.argument("old", default="")
@click.argument("new", default="")
@click.pass_context
def diff(ctx: click.Context, old: str, new: str) -> int:
    """Show what changed from version OLD to NEW; without NEW what the folder has instead, without OLD since it counts.

    The exit status is 1 where something differs, 2 where that cannot be said, since there is no such version.
    """
    config = config_of(ctx)
    try:
        said = _compared(_shop_of(ctx, config), old, new)
    except (TicketdError, OSError) as e:
        click.echo(f"ticketd: {in_words(e)}", err=True)
        return _CANNOT_SAY
    click.echo(safe(said), nl=False)
    return PROBLEMS if said else OK


def _compared(shop: _Shop, old: str, new: str) -> str:
    """Return what differs; of the folder too, and if it is in the middle of an `apply`, that is said first."""
    versions = shop.store.versions
    before = versions.files(versions.named(old).id if old else versions.last_id())
    if new:
        return diff_of(before, versions.files(versions.named(new).id))
    if half := inforce.unfinished(shop.places, shop.store):
        click.echo(safe(_half_done(half, shop)), err=True)
    return diff_of(before, inforce.files_here(shop.places))


def _version_data(version: Version, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "number": version.id, "version": version.version, "at": iso(version.at, zone), "by": version.who,
        "how": version.how, "note": version.note, "changed": _size(version.diff),
    }  # fmt: skip


def _size(diff: str) -> str:
    """Return how much changed, as in "+3 -1"."""
    lines = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    return f"+{sum(x.startswith('+') for x in lines)} -{sum(x.startswith('-') for x in lines)}" if lines else ""


# --- trying rules over stored mail ---


@rules.command()
@click.argument("folder", default=None, type=_FOLDER, required=False)
@click.option("--rules", "other", default=None, type=_FOLDER, help="The same as FOLDER.")
@_SINCE
@click.option("--limit", default=0, type=click.IntRange(0), help="Only so many of the newest mails (default: all).")
@click.option("--numbers", default=10, type=click.IntRange(1), help="So many ticket numbers in each line of the text.")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object, with all numbers.")
@click.pass_context
def backtest(
    ctx: click.Context,
    folder: Path | None,
    other: Path | None,
    since: str | None,
    limit: int,
    numbers: int,
    as_json: bool,
) -> int:
    """Try the rules in FOLDER (default: the folder of the rules) over stored mail, against those in force.

    The exit status is 0 where nothing would change, 1 where something would, 2 where that cannot be said: the rules
    cannot be read, or a mail could not be tried although nothing else would change. Nothing is written.
    """
    config = config_of(ctx)
    began = _beginning(since, ZoneInfo(config.service.timezone))
    try:
        shop = _shop_of(ctx, config)
        trial = _trial(shop, load_rulebook(folder or other or shop.places.rules), since=began, limit=limit)
    except (TicketdError, OSError) as e:
        click.echo(in_words(e), err=True)
        return _CANNOT_SAY
    if as_json:
        put_whole(trial_data(trial, shop.zone))
    else:
        for line in trial_lines(trial, numbers):
            click.echo(safe(line))
    return PROBLEMS if trial.differences else _CANNOT_SAY if trial.unread else OK


def _beginning(since: str | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day_of(since), midnight(), zone) if since else None


def _in_force(shop: _Shop) -> Rulebook:
    """Return the rules that count; those in the folder where none were ever put in force."""
    last = shop.store.versions.last()
    return inforce.load_kept(last, shop.store) if last else load_rulebook(shop.places.rules)


def _trial(shop: _Shop, new: Rulebook, since: datetime | None = None, limit: int = 0) -> Trial:
    question = Question(old=_in_force(shop), new=new, service=app.service_of(shop.config), since=since, limit=limit)
    return back_test(question, shop.store)


# --- the tests beside the rules ---


@rules.command("test")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rules", "folder", default=None, metavar="DIR", type=_FOLDER,
              help="Try the rules in this folder, not those of the configuration.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@click.pass_context
def rules_test(ctx: click.Context, paths: tuple[Path, ...], folder: Path | None, as_json: bool) -> int:
    """Run the tests of the rules: each is a mail, and what is to become of it.

    Without PATHS all files in the folder `tests` beside the rules are run. Exits 1 if a test fails.
    """
    config = config_of(ctx)
    folder = folder or Path(config.paths.rules)
    verdicts, problems = run_tests(folder, load_rulebook(folder), app.service_of(config), paths)
    failed = [v for v in verdicts if not v.passed]
    if as_json:
        put_whole({
            "tests": len(verdicts), "failed": len(failed), "problems": list(map(str, problems)),
            "results": [verdict_data(v) for v in verdicts],
        })  # fmt: skip
    else:
        _show_verdicts(verdicts, problems)
    return PROBLEMS if failed or problems else OK


def _show_verdicts(verdicts: list[Verdict], problems: list[Problem]) -> None:
    """Print what failed, with what was expected and which rule decided otherwise, and how many there were."""
    for problem in problems:
        click.echo(safe(str(problem)))
    failed = [v for v in verdicts if not v.passed]
    for verdict in failed:
        click.echo(safe(f"{verdict.test.where}: {verdict.test.name}"))
        for line in (verdict.problem,) if verdict.problem else map(str, verdict.misses):
            click.echo(safe(f"    {line}"))
    said = f"{len(failed)} failed" if failed else "all as expected"
    said += "; others could not be read, see above" if problems else ""
    none = "no test was run: mend what is said above" if problems else "there are no tests"
    click.echo(f"{len(verdicts)} tests, {said}" if verdicts else none, err=not verdicts)


@rules.command("schema")
@click.argument("name", default="", type=click.Choice(["", *SCHEMAS]), metavar="[NAME]")
@click.option("--out", default=None, type=click.Path(file_okay=False, path_type=Path),
              help="Write them all to this folder.")  # fmt: skip
def rules_schema(name: str, out: Path | None) -> int:
    """Print the JSON Schema of a rule file, by which editors complete and check it; or write all of them anew.

    Rule files name theirs in their first line: # yaml-language-server: $schema=schema/routing.json
    """
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for one in SCHEMAS:
            (out / f"{one}.json").write_text(schema_text(one), "utf-8")
        click.echo(f"wrote {len(SCHEMAS)} schemas to {out}", err=True)
    elif name:
        click.echo(schema_text(name), nl=False)
    else:
        click.echo("\n".join(SCHEMAS))
    return OK


# --- what became of their word ---


@rules.command()
@_SINCE
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object, with all numbers.")
@click.pass_context
def stats(ctx: click.Context, since: str | None, as_json: bool) -> int:
    """Say of each rule how often it matched, when last, and how often people decided otherwise afterwards."""
    shop = _shop(ctx)
    began = _beginning(since, shop.zone)
    data = stats_data(standing(shop.store.register.ruled(began), _in_force(shop)), began, shop.zone)
    if as_json:
        put_whole(data)
        return OK
    click.echo(
        f"{data['mails']} mails decided by rules; {data['missed']['count']} by none but a rule for everything else"
    )
    heads = ("rule", "hits", "share", "last hit", "category corrected", "team corrected", "tickets")
    put_table(heads, [_stats_row(rule) for rule in data["rules"]])
    for words, names in (("never matched", data["dead"]), ("in no file any more", [g["rule"] for g in data["gone"]])):
        if names:
            click.echo(safe(f"{words}: {', '.join(names)}"))
    return OK


def _stats_row(rule: dict[str, Any]) -> tuple[Any, ...]:
    said = [_corrected(rule["overruled"].get(fact, [])) for fact in (CATEGORY, TEAM)]
    shown = rule["tickets"][-_SHOWN:]
    more = "… " if len(rule["tickets"]) > _SHOWN else ""
    return (rule["rule"], rule["hits"], f"{rule['share']:.1%}", (rule["last_hit"] or "")[:16], *said,
            more + ", ".join(map(str, shown)))  # fmt: skip


def _corrected(ways: list[dict[str, Any]]) -> str:
    return "; ".join(f"{w['count']} → {w['to'] or '?'}" for w in ways)


# --- putting rules in force ---


@rules.command()
@click.argument("folder", default=None, type=_FOLDER, required=False)
@click.option("--note", default="", metavar="TEXT", help="Why; it is kept with the version.")
@click.option("--yes", is_flag=True, default=False, help="Do not ask.")
@click.option("--force", is_flag=True, default=False, help="Also over changes in the folder that were never applied.")
@click.pass_context
def apply(ctx: click.Context, folder: Path | None, note: str, yes: bool, force: bool) -> int:
    """Put the rules in FOLDER (default: the folder of the rules) in force: all of them, or none.

    They are read, checked, tried with their own examples and over stored mail; then you are asked. A running daemon
    takes them up within seconds, between two mails.
    """
    shop, now = _shop(ctx), Clock().now()
    _finish_first(shop)
    elsewhere = folder is not None and folder.resolve() != shop.places.rules.resolve()
    source, after = folder if folder and elsewhere else shop.places.rules, shop.store.versions.last_id()
    lost = inforce.never_applied(shop.places, shop.store) if elsewhere else ()
    if lost and not force:
        raise TicketdError(_would_lose(lost, shop))
    found = _found(source, shop, now)
    version, old = found.rulebook.version, shop.store.versions.files(after)
    if old == found.files and not lost:
        click.echo(f"version {version} is in force already: nothing to apply")
        return OK
    trial = _trial(shop, found.rulebook, limit=_TRIED_AT_APPLY)
    for line in (*_what_changes(old, found.files, lost), *trial_lines(trial)):
        click.echo(safe(line))
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: add --yes")
    if not yes:
        click.confirm(f"Put version {version} in force?", abort=True)
    data = trial_data(trial, shop.zone, most=20)
    placed = _put(source, found, Wish(who=_who(), how="apply", at=now, note=note, trial=data), shop, after, elsewhere)
    click.echo(f"version {version} is in force (number {placed.number})")
    _tell_where(placed)
    return _await_daemon(shop, placed.number)


def _finish_first(shop: _Shop) -> None:
    """Finish what a crash has interrupted, before anything is said about the folder."""
    if half := inforce.unfinished(shop.places, shop.store):
        placed = inforce.finish(shop.places, shop.store)
        click.echo(safe(f"finished {half.who}'s apply of version {half.version}, which was interrupted"))
        _tell_where(placed)


def _tell_where(placed: Placed | None) -> None:
    for path in placed.aside if placed else ():
        click.echo(safe(f"what was never applied is kept: {path}"))


def _found(source: Path, shop: _Shop, now: datetime) -> Found:
    """Return the rules that may be put in force; say everything that is to be said of them."""
    try:
        found = inforce.found_in(source, shop.places, shop.store, now)
    except ConfigError as e:
        raise ConfigError([*e.problems, Problem(str(source), 0, "was not applied: the rules in force stay")]) from e
    for problem in found.warnings:
        click.echo(str(problem), err=True)
    return found


def _would_lose(names: tuple[str, ...], shop: _Shop) -> str:
    """Return why nothing is put over what somebody has changed in the folder of the rules and never applied."""
    return (
        f"{shop.places.rules} holds changes that were never applied ({', '.join(names)}): look at them with "
        "'ticketd rules diff'; --force puts the other rules in their place, and keeps the changes aside"
    )


def _what_changes(old: Mapping[str, bytes], new: Mapping[str, bytes], lost: tuple[str, ...]) -> Iterator[str]:
    """Yield which files come, change and go, and what goes that somebody may not have meant."""
    differ = changed(old, new) if old else ()
    for words, names in (
        ("files that are new", [n for n in differ if n not in old]),
        ("files that change", [n for n in differ if n in old and n in new]),
        ("files that go", [n for n in differ if n not in new]),
        ("never applied, to be set aside", list(lost)),
    ):
        if names:
            yield f"{words}: {', '.join(names)}"
    for part, what in ((TESTS, "tests"), (PLANS, "emergency plans")):
        if _has(part, old) and not _has(part, new):
            yield f"warning: these rules have no {what}; those in force have"


def _has(part: str, files: Mapping[str, bytes]) -> bool:
    return any(name.startswith(f"{part}/") for name in files)


def _put(source: Path, found: Found, wish: Wish, shop: _Shop, after: int, elsewhere: bool) -> Placed:
    if elsewhere:
        return inforce.apply_from(source, found, wish, shop.places, shop.store, after)
    return Placed(number=inforce.put_in_force(found.rulebook, found.files, wish, shop.store, after))


def _who() -> str:
    """Return who types this; behind sudo, who they really are."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _await_daemon(shop: _Shop, number: int) -> int:
    """Wait until the running daemon works with this version, and say so; where none runs, say that."""
    give_up = time.monotonic() + _PATIENCE
    while runs := inforce.daemon_runs(shop.places, shop.store):
        if inforce.at_work_with(shop.store) == number:
            click.echo("the running daemon has taken it up")
            return OK
        if why := inforce.why_refused(shop.store, number):
            click.echo(safe(f"the running daemon cannot work with it, and keeps the rules before it: {why}"), err=True)
            return PROBLEMS
        if time.monotonic() > give_up:
            break
        time.sleep(0.2)
    if not runs:
        click.echo("no daemon is running: it counts from the next start")
        return OK
    if inforce.at_work_with(shop.store) == 0:
        click.echo("a daemon is starting or ending, or does a single round (run --once): it counts from the next one")
        return OK
    click.echo("the daemon has not taken it up yet: see its log (rules.applied, or why not)", err=True)
    return PROBLEMS
