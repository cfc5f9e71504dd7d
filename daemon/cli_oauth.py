"""The command line's group `ticketd oauth`: giving consent once, and seeing what tokens there are.

What comes in: arguments, and what a person pastes. What goes out: what to do, and what is there; never a token.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from daemon.access import provider_of, token_folder, users_of
from daemon.clock import Clock
from daemon.config import Config
from daemon.plain import iso
from daemon.terminal import OK, PROBLEMS, config_of, put_table, put_whole, safe
from daemon.tokens import Kept, kept_tokens, log_in


@click.group()
def oauth() -> None:
    """Log in to mail servers with tokens instead of passwords."""


@oauth.command()
@click.argument("name")
@click.pass_context
def login(ctx: click.Context, name: str) -> int:
    """Get the first token of [oauth.NAME]: says what to do, and keeps what comes. A running daemon takes it up."""
    config = config_of(ctx, servers=True)
    provider = provider_of(name, _section(config, name))

    def ask(what: str) -> str:
        return str(click.prompt(what))

    kept = log_in(provider, token_folder(config), Clock().now, lambda text: click.echo(safe(text)), ask)
    click.echo(f"A token for {', '.join(users_of(name, config)) or name} is kept, {_until(kept, config)}.")
    return OK


def _section(config: Config, name: str) -> Any:
    if name not in config.oauth:
        known = ", ".join(config.oauth) or "none yet; see docs/configuration.md"
        raise click.UsageError(f"there is no [oauth.{name}]; known: {known}")
    return config.oauth[name]


@oauth.command()
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> int:
    """Say for each [oauth.NAME] who uses it and what is kept; exit code 1 where a login is needed."""
    config = config_of(ctx)
    lines = [_line(name, config, Clock().now()) for name in config.oauth]
    if as_json:
        put_whole(lines)
    else:
        shown = ("name", "flow", "used_by", "renewed_at", "expires_at", "needs")
        put_table(shown, [tuple(_cell(line[key]) for key in shown) for line in lines])
    return PROBLEMS if any(line["needs"] for line in lines) else OK


def _line(name: str, config: Config, now: datetime) -> dict[str, Any]:
    settings, zone = config.oauth[name], ZoneInfo(config.service.timezone)
    kept = kept_tokens(provider_of(name, settings), token_folder(config))
    lacking = settings.flow == "refresh_token" and (kept is None or not kept.refresh_token)
    return {
        "name": name,
        "flow": settings.flow,
        "used_by": users_of(name, config),
        "renewed_at": iso(kept.renewed_at, zone) if kept else None,
        "expires_at": iso(kept.expires_at, zone) if kept else None,
        "good": kept is not None and kept.expires_at > now,
        "needs": f"ticketd oauth login {name}" if lacking else "",
    }


def _until(kept: Kept, config: Config) -> str:
    until = iso(kept.expires_at, ZoneInfo(config.service.timezone))
    return f"good until {until} and renewed by itself"


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
