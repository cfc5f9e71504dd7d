"""Puts a backup back, and goes on from there without telling anybody anything twice.

    verify -> lay out -> look on the servers for what was handled since -> live through it again, in silence -> hold

What comes in: a Config, a backup. What goes out: a state that is safe to start with. Between the backup and the loss
mail was handled and answered; those mails lie in the folder of handled mail. They are handled again as of the time when
they came, so that tickets get the numbers that people know, and what was owed, then and since, is held: it has most
likely been sent. Mail that was not handled before the loss still lies in the inbox: the daemon answers it as ever.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from daemon import flow
from daemon.app import UNFINISHED, instance_lock, open_for_work
from daemon.backup import POSTGRES, SQLITE, BackupError, Manifest, unpack
from daemon.clock import Clock
from daemon.config import Config, MailboxConfig
from daemon.flow import Desk
from daemon.intake.letter import RawMail
from daemon.intake.mailbox import Mailbox
from daemon.intake.reader import ReadsInChild
from daemon.spool import Spool
from daemon.store import SPOOL
from daemon.store.base import Database, sqlite_file
from daemon.store.copying import put_back

log = structlog.get_logger()

_MARGIN = timedelta(days=2)
"""So far back the server's folders are looked through: its days are not our days, and what is known is passed over."""
_NUMBERS = 10_000
_HELD = "held by a restore: it may have been sent before the loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore has done: of when the backup was, how many mails were lived through again, how many are held."""

    made_at: datetime
    again: int
    held: int


def restore(
    config: Config, source: Path, now: datetime, *, servers: bool = True, lost_at: datetime | None = None
) -> Restored:
    """Put a backup back; raises TicketdError before anything is written, where it cannot be done.

    Without `servers` nobody is asked for what was handled since: what they still have is not looked at. `lost_at` is
    when the old ticketd stopped: what fell due until then has been told.
    """
    state = Path(config.service.state_dir)
    with instance_lock(config):
        _refuse_what_is_there(config, state)
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".restoring-", dir=state))
            manifest = _unpacked(source, Path(folder), config)
            links = [stack.enter_context(_handled(m, state)) for m in config.mailbox if servers]
            (state / UNFINISHED).write_text(f"{source}\n", "utf-8")
            _put_in_place(config, state, Path(folder))
            done = _relive(config, manifest, links, now, lost_at)
        (state / UNFINISHED).unlink()
    return done


def _refuse_what_is_there(config: Config, state: Path) -> None:
    database = sqlite_file(config.database.url, state)
    if database is None:
        with closing(Database(config.database.url, state, migrate=False)) as base:
            there = base.tables()
        if there:
            raise BackupError("the database is not empty: make a new one (createdb), and name it in [database] url")
    elif database.exists():
        raise BackupError(f"{database} is there already: move it away first; nothing was touched")
    if any((state / SPOOL).glob("??/*")):
        raise BackupError(f"{state / SPOOL} is not empty: move it away first; nothing was touched")


def _unpacked(source: Path, folder: Path, config: Config) -> Manifest:
    manifest, faults = unpack(source, folder)
    if manifest is None or faults:
        raise BackupError(f"the backup is not whole, nothing was touched: {'; '.join(faults[:5])}")
    sqlite = config.database.url.startswith("sqlite:")
    if sqlite != (manifest.database == SQLITE):
        raise BackupError(f"the backup is of {manifest.database}, and [database] url names another kind of database")
    return manifest


@contextmanager
def _handled(settings: MailboxConfig, state: Path) -> Iterator[Mailbox]:
    """Yield a link to where a mailbox's handled mails lie: to be had before anything is written."""
    folder = settings.handled_folder or settings.folder
    there = settings.model_copy(update={"folder": folder, "handled_folder": "", "quarantine_folder": ""})
    link = Mailbox(there, Spool(state / SPOOL), Clock().now)
    with closing(link):
        link.connect()
        yield link


def _put_in_place(config: Config, state: Path, folder: Path) -> None:
    database = sqlite_file(config.database.url, state)
    if (folder / SPOOL).is_dir():
        shutil.copytree(folder / SPOOL, state / SPOOL, dirs_exist_ok=True)
    if database is not None:
        (folder / SQLITE).replace(database)
        return
    with closing(Database(config.database.url, state, migrate=False)) as base:
        put_back(base, folder / POSTGRES)


# --- living through it again ---


def _relive(
    config: Config, manifest: Manifest, links: list[Mailbox], now: datetime, lost_at: datetime | None
) -> Restored:
    desk, _ = open_for_work(config, Clock(manifest.made_at), unfinished=True)
    desk.reader = ReadsInChild()
    try:
        mails = sorted(_unknown(links, manifest, desk), key=lambda m: m.received_at)
        _again(mails, manifest, desk)
        if lost_at:
            desk.clock = Clock(lost_at)
            flow.handle_tick(desk)
        held = desk.store.outbox.hold(_HELD)
        desk.store.outbox.skip_numbers(_NUMBERS, now)
    finally:
        desk.reader.close()
        desk.store.base.let_go()
        desk.store.close()
    return Restored(made_at=manifest.made_at, again=len(mails), held=held)


def _unknown(links: list[Mailbox], manifest: Manifest, desk: Desk) -> Iterator[RawMail]:
    """Return the mails that were handled after the backup, as far as the servers still have them."""
    for link in links:
        for thing in link.fetch(link.uids(since=(manifest.made_at - _MARGIN).date())):
            if isinstance(thing, RawMail) and not desk.store.ledger.has(thing.sha256):
                # Numbers of another folder: they must never be taken for those of the inbox.
                yield replace(thing, uidvalidity=-link.uidvalidity)


def _again(mails: list[RawMail], manifest: Manifest, desk: Desk) -> None:
    """Handle what was kept but not handled at the backup, then each mail at the time when it came."""
    while flow.handle_waiting(desk):
        pass
    for mail in mails:
        desk.clock = Clock(max(mail.received_at, manifest.made_at))
        flow.handle_tick(desk)
        desk.store.ledger.keep([(mail, False)])
        while flow.handle_waiting(desk):
            pass
        log.info("mail.again", mailbox=mail.mailbox, received_at=mail.received_at.isoformat())
