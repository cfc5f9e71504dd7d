"""Layer "kills": the real process is killed with -9 again and again while a stream of mails comes in.

What comes in: how many kills, how many mails, a seed. What goes out: the judge's verdict, and a count: what was lost, what
happened twice. Dovecot is a real one, the SMTP server keeps what it takes, and every life is a whole process of its own
that runs as a service does; the mails of a life come while it starts.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from daemon.clock import Clock
from tests.faults import checker
from tests.faults.checker import Delivered, Evidence
from tests.faults.mails import Pen, delivered
from tests.faults.outcome import Outcome
from tests.forks import forks
from tests.office import Office
from tests.servers.dovecot import running_dovecot
from tests.servers.smtp_sink import SmtpSink, Taken

BOX = "support"
FOLDERS = ("INBOX", "Handled", "Quarantine")
_ROUNDS = 20
_LATER = timedelta(minutes=31)
"""So long a mail may be on its way in a process that is dead."""


@dataclass(frozen=True)
class Accepted:
    """A mail that the SMTP server took. When its bytes were committed cannot be seen from outside a real process."""

    n: int
    to: tuple[str, ...]
    raw: bytes
    committed: bool = True


@dataclass
class Stream:
    """Mails of so many customers, a few for each life of the process."""

    seed: int
    mails: int
    sent: list[Delivered] = field(default_factory=list)

    def next(self, count: int) -> list[bytes]:
        """Return the next mails; each is of another customer, so that no brake holds back its answer."""
        pen = Pen(Clock().now())
        fresh = []
        for n in range(len(self.sent), min(len(self.sent) + count, self.mails)):
            sender = f"kunde@firma-{n}.example"
            raw = pen.mail(sender, "VPN 连不上了。", name=f"kills {self.seed} {n}", subject=f"VPN 连不上 {n}")
            fresh.append(delivered(BOX, raw, "report", f"kills {self.seed} {n}"))
        self.sent += fresh
        return [m.raw for m in fresh]


def run(kills: int, mails: int, seed: int) -> Iterator[tuple[Outcome, str]]:
    """Play it, and yield what was broken, with the count in words."""
    dice, stream, log = random.Random(seed), Stream(seed, mails), list[str]()
    with (
        running_dovecot() as dovecot, SmtpSink() as sink, forks() as helper,
        tempfile.TemporaryDirectory(prefix="kills") as folder,
    ):  # fmt: skip
        place = Office(folder=Path(folder), dovecot=dovecot, sink=sink, user="kills", forks=helper)
        place.ticketd("run", "--once")  # the folders and tables are there
        at_work = 0
        for life in range(kills):
            dovecot.append("kills", *stream.next(_share(mails, kills, life)))
            ended = helper.run(place.arguments("run"), kill_after=place.last_seconds * dice.uniform(0.8, 4.0))
            log.append(ended.stderr)
            if not ended.killed:
                log.append(f"life {life} ended by itself with {ended.returncode}")
            at_work += not _rests(place.database, len(stream.sent))
        dovecot.append("kills", *stream.next(mails))
        rests = _settles(place, len(stream.sent), log)
        evidence = _evidence(place, stream, log, rests)
        found = [str(v) for v in checker.judge(evidence)]
        found += [line for line in log if line.startswith("life ")]
        replay = f"kills --kills {kills} --mails {mails} --seed {seed}"
        said = f"{mails} mails, {kills} kills, {at_work} of them at work: {checker.count(evidence)}"
        yield Outcome(replay, kills, found, "".join(log) if found else ""), said


def _share(mails: int, kills: int, life: int) -> int:
    """Return how many mails come in this life, so that all have come by the last."""
    return mails * (life + 1) // kills - mails * life // kills


def _rests(database: Path, mails: int) -> bool:
    """Return whether the dead process had done all that there was to do."""
    with closing(sqlite3.connect(database)) as db:
        kept, open_ones = db.execute(
            "SELECT count(*), coalesce(sum(status NOT IN ('handled', 'quarantined') OR NOT filed), 0) FROM mail"
        ).fetchone()
        owed = db.execute("SELECT count(*) FROM notice WHERE state NOT IN ('sent', 'dead')").fetchone()[0]
    return bool(kept == mails and not open_ones and not owed)


def _settles(place: Office, mails: int, log: list[str]) -> bool:
    """Let it work undisturbed until it rests."""
    for n in range(_ROUNDS):
        later = Clock().now() + (_LATER if n else timedelta(0))
        log.append(place.ticketd("run", "--once", "--as-of", later.isoformat()).stderr)
        if _rests(place.database, mails):
            return True
    return False


def _evidence(place: Office, stream: Stream, log: list[str], rests: bool) -> Evidence:
    return Evidence(
        database=place.database,
        spool=place.folder / "state" / "spool",
        delivered=stream.sent,
        folders={BOX: {f: list(place.dovecot.raw_mails("kills", f).values()) for f in FOLDERS if _there(place, f)}},
        accepted=[_accepted(n, taken) for n, taken in enumerate(place.sink.mails, 1)],
        filing={BOX},
        log="".join(log),
        quiet=rests,
    )


def _there(place: Office, folder: str) -> bool:
    return folder in place.dovecot.folders("kills")


def _accepted(n: int, taken: Taken) -> Accepted:
    return Accepted(n=n, to=taken.rcpt_tos, raw=taken.content)
