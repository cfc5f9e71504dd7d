"""The command line's commands for those who keep ticketd running: how it is, whether everything can be reached.

What comes in: arguments. What goes out: text, JSON and an exit status: 0 well, 1 trouble.
"""

from __future__ import annotations

import os
from contextlib import closing

import click

from daemon import app, health
from daemon.clock import Clock
from daemon.config import Config, find_config
from daemon.doctor import examine
from daemon.errors import TicketdError
from daemon.plain import to_plain
from daemon.terminal import OK, PROBLEMS, config_of, put_whole, safe


@click.command()
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> int:
    """Say how ticketd is, without asking any server; exits 1 where somebody has to look, and says at what."""
    config = config_of(ctx)
    data = health.health_data(_look(config), config)
    if as_json:
        put_whole(data)
    else:
        for line in health.health_lines(data):
            click.echo(safe(line))
    return OK if data["well"] else PROBLEMS


@click.command()
@click.option("--send", is_flag=True, default=False, help="Send a mail to ourselves, and see that it comes back.")
@click.option("--wait", default=60.0, type=click.FloatRange(1, 3600), help="Seconds that it may take (default: 60).")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object.")
@click.pass_context
def doctor(ctx: click.Context, send: bool, wait: float, as_json: bool) -> int:
    """Connect to everything that ticketd needs, and say what is not as it should be; exits 1 where something fails."""
    found = []
    for finding in examine(find_config(ctx.obj, os.environ), Clock(), send=send, patience=wait):
        found.append(finding)
        if not as_json:
            click.echo(safe(f"{finding.verdict:4}  {finding.subject}: {finding.said}"))
        if finding.cure and not as_json:
            click.echo(safe(f"      -> {finding.cure}"))
    failed = sum(f.verdict == "fail" for f in found)
    if as_json:
        put_whole({"well": not failed, "findings": [to_plain(f) for f in found]})
    else:
        click.echo(f"{failed} of {len(found)} checks failed" if failed else "everything can be reached")
    return PROBLEMS if failed else OK


def _look(config: Config) -> health.Health:
    now, running = Clock().now(), app.is_running(config)
    try:
        with closing(app.open_store(config)) as store:
            return health.look(config, store, now, running=running)
    except TicketdError as e:
        return health.blind_look(config, now, str(e), running=running)
