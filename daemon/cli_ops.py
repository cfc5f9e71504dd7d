"""The command line's commands for those who keep ticketd running: how it is, whether everything can be reached.

What comes in: arguments. What goes out: text, JSON and an exit status: 0 well, 1 trouble.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from daemon import app, health
from daemon.backup import lay_out_files, make_backup, unpack, verify
from daemon.clock import Clock
from daemon.config import Config, find_config
from daemon.doctor import examine
from daemon.errors import TicketdError
from daemon.plain import iso, to_plain
from daemon.restore import restore
from daemon.store import Store
from daemon.terminal import OK, PROBLEMS, config_of, moment_of, put_table, put_whole, safe
from daemon.words import NoticeState


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


# --- backup and restore ---

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("target", type=_PATH)
@click.option(
    "--verify", "only_verify", is_flag=True, default=False, help="Make nothing: read the backup TARGET whole."
)
@click.pass_context
def backup(ctx: click.Context, target: Path, only_verify: bool) -> int:
    """Write everything into one file (or into a folder, under a name with the time), also while ticketd runs.

    The database, large mails, ticketd.toml, rules and templates are in it. Secrets are not: keep copies of the secret
    file and of the passwords elsewhere; without the secret file answers to older mails prove nothing.
    """
    if only_verify:
        return _verified(target)
    file = find_config(ctx.obj, os.environ)
    config = config_of(ctx)
    with closing(app.open_store(config)) as store:
        path = make_backup(config, file, store, target, Clock().now())
    click.echo(f"wrote {path} and verified it")
    click.echo("not in it, keep them elsewhere: the secret file, the passwords")
    return OK


def _verified(path: Path) -> int:
    manifest, faults = verify(path)
    for fault in faults:
        click.echo(fault, err=True)
    if faults or manifest is None:
        return PROBLEMS
    when = manifest.made_at.isoformat(timespec="seconds")
    click.echo(f"{path} is whole: made {when} by ticketd {manifest.version}, {len(manifest.files)} files")
    return OK


@click.command("restore")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--files", default=None, type=_PATH, metavar="DIR",
              help="Only lay out ticketd.toml, rules and templates in DIR; nothing is overwritten.")  # fmt: skip
@click.option("--offline", is_flag=True, default=False, help="Do not look for mail that was handled after the backup.")
@click.option("--lost-at", default=None, metavar="TIME", help="When the old ticketd stopped, as ISO 8601 with offset.")
@click.pass_context
def restore_command(ctx: click.Context, source: Path, files: Path | None, offline: bool, lost_at: str | None) -> int:
    """Put a backup back into an empty state directory, and live through what was handled since, in silence."""
    if files is not None:
        return _lay_out(source, files)
    config = config_of(ctx, servers=not offline)
    until = moment_of(lost_at) if lost_at else None
    done = restore(config, source, Clock().now(), servers=not offline, lost_at=until)
    click.echo(
        f"restored to {done.made_at.isoformat(timespec='seconds')}; {done.again} mails handled since then, again"
    )
    if done.held:
        click.echo(f"{done.held} mails are held, as they may have been sent before: ticketd outbox list")
    return OK


def _lay_out(source: Path, target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ticketd-", dir=target) as folder:
        _, faults = unpack(source, Path(folder))
        for fault in faults:
            click.echo(fault, err=True)
        made = lay_out_files(target, Path(folder)) if not faults else []
    for path in made:
        click.echo(f"made {path}")
    return PROBLEMS if faults else OK


# --- what is owed ---


@click.group()
def outbox() -> None:
    """Mails that a restore holds, those that are owed, and those that were given up."""


@outbox.command("list")
@click.option(
    "--state", default="held", type=click.Choice([str(s) for s in NoticeState]), help="Which (default: held)."
)
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON array.")
@click.pass_context
def outbox_list(ctx: click.Context, state: str, as_json: bool) -> int:
    """List mails in one state."""
    config = config_of(ctx)
    zone = ZoneInfo(config.service.timezone)
    with closing(app.open_store(config)) as store:
        found = store.outbox.in_state(NoticeState(state))
        rows = [{**n, "created_at": iso(n["created_at"], zone)} for n in found]
    if as_json:
        put_whole(rows)
    else:
        put_table(("id", "ticket", "to", "template", "created at", "last reply"), [tuple(r.values()) for r in rows])
    return OK


@outbox.command("release")
@click.argument("notices", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, default=False, help="All that are held.")
@click.pass_context
def outbox_release(ctx: click.Context, notices: tuple[int, ...], everything: bool) -> int:
    """Send held mails after all: those that never went out before the loss."""
    now = Clock().now()
    return _each_held(
        ctx, notices, everything, lambda store, notice: store.outbox.release(notice, now), "is owed again"
    )


@outbox.command("drop")
@click.argument("notices", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, default=False, help="All that are held.")
@click.pass_context
def outbox_drop(ctx: click.Context, notices: tuple[int, ...], everything: bool) -> int:
    """Give held mails up: those that went out before the loss."""
    return _each_held(ctx, notices, everything, lambda store, notice: store.outbox.drop(notice), "is dropped")


def _each_held(
    ctx: click.Context, notices: tuple[int, ...], everything: bool, deed: Callable[[Store, int], bool], done: str
) -> int:
    if everything == bool(notices):
        raise click.UsageError("name the mails by their ids, or --all")
    missing = 0
    with closing(app.open_store(config_of(ctx))) as store:
        chosen = notices or tuple(n["id"] for n in store.outbox.in_state(NoticeState.HELD))
        for notice in chosen:
            good = deed(store, notice)
            missing += not good
            click.echo(f"mail {notice} {done if good else 'is not held'}", err=not good)
    return PROBLEMS if missing else OK


def _look(config: Config) -> health.Health:
    now, running = Clock().now(), app.is_running(config)
    try:
        with closing(app.open_store(config)) as store:
            return health.look(config, store, now, running=running)
    except TicketdError as e:
        return health.blind_look(config, now, str(e), running=running)
