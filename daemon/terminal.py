"""What the command line's files share: exit codes, the configuration, and showing things to a person safely.

What comes in: click's context, plain data, rows. What goes out: a Config; text and JSON on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import click

from daemon.config import Config, find_config, load_config

OK, PROBLEMS, USAGE, CONFIGURATION = 0, 1, 64, 78
# JSON itself leaves these as they are; some programs break lines at them.
_LINE_ENDS = str.maketrans({c: f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"})
_PLAIN_SPACE = str.maketrans({"\u00a0": " ", "\u3000": "  ", "\ufeff": "", "\u200b": ""})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def config_of(ctx: click.Context, *, servers: bool = False) -> Config:
    """Load the configuration; the servers' passwords are asked for only by commands that talk to servers."""
    return load_config(find_config(ctx.obj, os.environ), check_secrets=servers)


def moment_of(text: str) -> datetime:
    """Return the moment that --as-of names; a usage error where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise click.UsageError(f"--as-of: '{text}' is no ISO 8601 time; write 2026-11-23T17:00:00+08:00") from e
    if moment.tzinfo is None:
        raise click.UsageError("--as-of: say the offset too, as in 2026-11-23T17:00:00+08:00")
    return moment


def day_of(text: str) -> date:
    """Return the day that an option names; a usage error where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as e:
        raise click.UsageError(f"'{text}' is no day; write 2026-09-28") from e


def put_whole(data: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))


def put_line(data: dict[str, Any]) -> None:
    """Print one object on one line, whatever a reader takes for the end of a line."""
    click.echo(json.dumps(data, ensure_ascii=False).translate(_LINE_ENDS))


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False, emoji=False)


_STYLES = {"": "", "head": "bold", "good": "green", "bad": "bold red", "quiet": "dim", "late": "yellow"}


def put_lines(lines: Iterable[Iterable[tuple[str, str]]]) -> None:
    """Print lines of words with their styles; without a terminal they are plain, and none is broken."""
    from rich.text import Text

    console = _console()
    for line in lines:
        text = Text.assemble(*((safe(words), _STYLES[style]) for words, style in line))
        if not sys.stdout.isatty():
            console.print(text, soft_wrap=True)
            continue
        for part in _hanging(text, console):
            console.print(part)


def _hanging(text: Any, console: Any) -> Iterator[Any]:
    """Yield a long line in parts that fit; those after the first stand two columns further in than the line began."""
    from rich.text import Text

    begins = len(text.plain) - len(text.plain.lstrip())
    margin = min(begins + 2, console.width // 2)
    first, *more = text.wrap(console, console.width)
    yield first
    if more:
        rest = text[len(text.plain) - len(text.plain[len(first.plain) :].lstrip()) :]
        yield from (Text(" " * margin) + part for part in rest.wrap(console, console.width - margin))


def put_table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Print rows under their columns; without a terminal 160 characters wide."""
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(safe(str(cell)) for cell in row))
    _console().print(table)


def safe(text: str) -> str:
    """Return text that cannot command the terminal or turn the reading direction."""
    return "".join(c if _is_harmless(c) else f"\\u{ord(c):04x}" for c in text.translate(_PLAIN_SPACE))


def _is_harmless(char: str) -> bool:
    return char in "\n\t" or (char.isprintable() and char not in _BIDI)


def indented(text: str) -> str:
    """Return the text as a block; runs of empty lines are shown as one."""
    lines = [safe(line).rstrip() for line in text.splitlines()]
    shown = [x for i, x in enumerate(lines) if x or (i and lines[i - 1])]
    return "\n".join(f"  {line}".rstrip() for line in shown) or "  (none)"
