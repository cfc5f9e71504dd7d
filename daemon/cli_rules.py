"""The command line's group `ticketd rules`: looking at, trying and changing the rules of a live system.

What comes in: arguments. What goes out: text, JSON and an exit status.
"""

from __future__ import annotations

from pathlib import Path

import click

from daemon.app import service_of
from daemon.errors import Problem
from daemon.proving import run_tests
from daemon.routing.loader import load_rulebook
from daemon.terminal import OK, PROBLEMS, config_of, put_whole, safe
from daemon.trials import Verdict, verdict_data


@click.group()
def rules() -> None:
    """Look at the rules that count, try new ones, and put them into force."""


@rules.command("test")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rules", "folder", default=None, metavar="DIR", type=click.Path(exists=True, path_type=Path),
              help="Try the rules in this folder, not those of the configuration.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@click.pass_context
def rules_test(ctx: click.Context, paths: tuple[Path, ...], folder: Path | None, as_json: bool) -> int:
    """Run the tests of the rules: each is a mail, and what is to become of it.

    Without PATHS all files in the folder `tests` beside the rules are run. Exits 1 if a test fails.
    """
    config = config_of(ctx)
    folder = folder or Path(config.paths.rules)
    verdicts, problems = run_tests(folder, load_rulebook(folder), service_of(config), paths)
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
    click.echo(f"{len(verdicts)} tests, {said}" if verdicts else "there are no tests", err=not verdicts)


@rules.command("schema")
@click.argument("name", default="", type=click.Choice(["", *SCHEMAS]), metavar="[NAME]")
@click.option("--out", default=None, type=click.Path(path_type=Path), help="Write them all to this folder.")
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
