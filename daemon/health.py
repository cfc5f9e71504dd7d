"""How ticketd is: what `ticketd status` says and the metrics count.

What comes in: the configuration, the store, the signs of life that the daemon left. What goes out: a Health, and the
troubles in it, each in words. Nothing is changed, no server is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from daemon.config import Config
from daemon.disk import Room, room_in
from daemon.errors import TicketdError
from daemon.plain import iso
from daemon.pulse import Loop, Signs, mailbox_loop, read_signs, this_version
from daemon.store import Store
from daemon.store.vitals import Heap
from daemon.words import MailStatus, NoticeState

SILENT = timedelta(minutes=3)
"""A running daemon says how it is every 20 seconds."""
UNANSWERED = timedelta(minutes=15)
TROUBLED = timedelta(minutes=10)
UNHANDLED = timedelta(minutes=15)
UNSENT = timedelta(hours=1)
"""A mail may be put off for a while by its server (greylisting); longer is trouble."""
_NONE = Heap()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How things stand at a moment. `failed`: why the database could not be asked, "" where it could."""

    at: datetime
    running: bool
    signs: Signs | None
    waiting: Mapping[str, Heap] = field(default_factory=dict)
    owed: Heap = _NONE
    mails: Mapping[tuple[str, str], int] = field(default_factory=dict)
    notices: Mapping[str, int] = field(default_factory=dict)
    rules: tuple[int, str] = (0, "")
    room: Room | None = None
    failed: str = ""

    def with_status(self, status: MailStatus) -> int:
        """Return how many mails have this status."""
        return sum(n for (_, s), n in self.mails.items() if s == status)

    def loop(self, name: str) -> Loop | None:
        """Return what the daemon says of one of its loops."""
        return next((x for x in self.signs.loops if x.name == name), None) if self.signs else None


def look(config: Config, store: Store, now: datetime, *, running: bool) -> Health:
    """Return how things stand."""
    seen = blind_look(config, now, "", running=running)
    try:
        version = store.versions.last()
        return replace(
            seen,
            waiting=store.vitals.waiting(),
            owed=store.vitals.owed(),
            mails=store.vitals.mails(),
            notices=store.outbox.counts(),
            rules=(version.id, version.version) if version else (0, ""),
        )
    except TicketdError as e:
        return replace(seen, failed=str(e))


def blind_look(config: Config, now: datetime, why: str, *, running: bool) -> Health:
    """Return what can be said where the database cannot even be opened."""
    state = Path(config.service.state_dir)
    return Health(at=now, running=running, signs=read_signs(state), room=_room(state), failed=why)


def _room(state: Path) -> Room | None:
    try:
        return room_in(state)
    except OSError:
        return None


# --- what is wrong ---


def troubles(health: Health, config: Config) -> list[str]:
    """Return what somebody has to look at, in words; nothing where all is well."""
    found = [*_of_the_process(health), *_of_the_loops(health, config), *_of_the_work(health, config)]
    lack = health.room.lacks(config.limits.disk_reserve_mb) if health.room else ""
    return [*found, *([f"{config.service.state_dir}: {lack}; no mail is fetched"] if lack else [])]


def _of_the_process(health: Health) -> Iterator[str]:
    if not health.running:
        yield "ticketd is not running: start it"
    elif health.signs is None or health.at - health.signs.at > SILENT:
        since = f" since {_ago(health.at, health.signs.at)}" if health.signs else ""
        yield f"ticketd runs, but gives no sign of life{since}: look at its log, restart it"
    if health.failed:
        yield f"the database cannot be asked: {health.failed}"
    for fault in health.signs.faults if health.running and health.signs else ():
        yield f"the rule files are broken, older rules count: {fault}"


def _of_the_loops(health: Health, config: Config) -> Iterator[str]:
    if not health.running or health.signs is None:
        return
    for loop in health.signs.loops:
        if loop.trouble and loop.trouble_since and health.at - loop.trouble_since > TROUBLED:
            yield f"{loop.name}: in trouble for {_ago(health.at, loop.trouble_since)}: {loop.trouble}"
    for box in config.mailbox:
        limit = UNANSWERED + timedelta(seconds=box.poll_seconds)
        found = health.loop(mailbox_loop(box.name))
        last = found.last_ok if found else None
        if health.at - (last or health.signs.started) > limit:
            said = f"for {_ago(health.at, last)}" if last else "since ticketd was started"
            why = f": {found.trouble}" if found and found.trouble else ""
            yield f"mailbox {box.name}: its server has not answered a command in good order {said}{why}"


def _of_the_work(health: Health, config: Config) -> Iterator[str]:
    for mailbox, heap in health.waiting.items():
        if heap.oldest and health.at - heap.oldest > UNHANDLED:
            oldest = _ago(health.at, heap.oldest)
            yield f"mailbox {mailbox}: {heap.count} mails wait to be handled, the oldest for {oldest}"
    if health.owed.oldest and health.at - health.owed.oldest > UNSENT:
        oldest = _ago(health.at, health.owed.oldest)
        yield f"{health.owed.count} mails are owed, the oldest for {oldest}: {config.smtp.host} may not take them"
    if quarantined := health.with_status(MailStatus.QUARANTINED):
        yield f"{quarantined} mails are in quarantine: ticketd quarantine list"


def _ago(now: datetime, then: datetime) -> str:
    """Return how long ago that was, roughly, in words."""
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 2:  # noqa: PLR2004
        return f"{int((now - then).total_seconds())} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"  # noqa: PLR2004


# --- as data ---


def health_data(health: Health, config: Config) -> dict[str, Any]:
    """Return what `ticketd status --json` puts out (docs/json.md)."""
    zone, said, signs = ZoneInfo(config.service.timezone), troubles(health, config), health.signs
    return {
        "well": not said,
        "troubles": said,
        "at": iso(health.at, zone),
        "version": this_version(),
        "running": health.running,
        "running_version": signs.version if signs and health.running else "",
        "pid": signs.pid if signs and health.running else 0,
        "started_at": iso(signs.started, zone) if signs and health.running else None,
        "last_sign_at": iso(signs.at, zone) if signs else None,
        "rules": {"number": health.rules[0], "version": health.rules[1]},
        "mailboxes": [_mailbox(box.name, health, zone) for box in config.mailbox],
        "loops": [_loop(x, zone) for x in signs.loops] if signs else [],
        "backlog": sum(h.count for h in health.waiting.values()),
        "owed": {"mails": health.owed.count, **_age(health, health.owed)},
        "dead": health.notices.get(str(NoticeState.DEAD), 0),
        "quarantine": health.with_status(MailStatus.QUARANTINED),
        "disk": {"free_mb": health.room.megabytes if health.room else None,
                 "reserve_mb": config.limits.disk_reserve_mb},
    }  # fmt: skip


def _mailbox(name: str, health: Health, zone: ZoneInfo) -> dict[str, Any]:
    loop, heap = health.loop(mailbox_loop(name)), health.waiting.get(name, _NONE)
    last = loop.last_ok if loop else None
    return {
        "name": name,
        "last_ok_at": iso(last, zone),
        "last_ok_seconds": int((health.at - last).total_seconds()) if last else None,
        "trouble": loop.trouble if loop else "",
        "backlog": heap.count,
        **_age(health, heap),
    }


def _age(health: Health, heap: Heap) -> dict[str, int | None]:
    return {"oldest_seconds": int((health.at - heap.oldest).total_seconds()) if heap.oldest else None}


def _loop(loop: Loop, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "name": loop.name,
        "last_sign_at": iso(loop.last_sign, zone),
        "trouble": loop.trouble,
        "trouble_since": iso(loop.trouble_since, zone),
    }


def health_lines(data: Mapping[str, Any]) -> Iterator[str]:
    """Return what `ticketd status` shows a person."""
    runs = f"running since {data['started_at']}, process {data['pid']}" if data["running"] else "not running"
    yield f"ticketd {data['running_version'] or data['version']}: {runs}"
    yield f"rules: version {data['rules']['number']} ({data['rules']['version'] or 'none yet'})"
    for box in data["mailboxes"]:
        last = "no answer of its server known" if box["last_ok_seconds"] is None else (
            f"its server answered {box['last_ok_seconds']} s ago")  # fmt: skip
        yield f"mailbox {box['name']}: {last}; {box['backlog']} mails to be handled{_waits(box)}"
    yield f"owed: {data['owed']['mails']} mails{_waits(data['owed'])}; given up so far: {data['dead']}"
    yield f"quarantine: {data['quarantine']} mails"
    yield f"disk: {data['disk']['free_mb']} MB free, {data['disk']['reserve_mb']} MB in reserve"
    yield "all is well" if data["well"] else "trouble:"
    yield from (f"  {trouble}" for trouble in data["troubles"])


def _waits(heap: Mapping[str, Any]) -> str:
    return "" if heap["oldest_seconds"] is None else f", the oldest for {heap['oldest_seconds']} s"
