"""The command line's commands for those who keep ticketd running: how it is, whether everything can be reached.

What comes in: arguments. What goes out: text, JSON and an exit status: 0 well, 1 trouble.
"""

from __future__ import annotations

from contextlib import closing

import click

from daemon import app, health
from daemon.clock import Clock
from daemon.config import Config
from daemon.errors import TicketdError
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


def _look(config: Config) -> health.Health:
    now, running = Clock().now(), app.is_running(config)
    try:
        with closing(app.open_store(config)) as store:
            return health.look(config, store, now, running=running)
    except TicketdError as e:
        return health.blind_look(config, now, str(e), running=running)
