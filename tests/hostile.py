"""Hostile mails by the thousand: read as the daemon reads, measured, and every one accounted for.

What comes in: a seed and how many (tests/hostile_mails.py makes them). What goes out: a table by family, the worst
ten, and what was wrong: a mail that raised, hung, took more than LIMIT_SECONDS or LIMIT_BYTES without being refused
whole, was empty without a reason, or could not be stored or shown. The exit status is 1 where anything was wrong.

  python -m tests.hostile --seed 7 --count 10000           a campaign; faulty mails are kept under build/hostile
  python -m tests.hostile --seed 7 --only 4711 --out x.eml  one mail again (with the same tests/mails)
  python -m tests.hostile --desk --count 3000              the same mails at a desk: handled, answered with bounds
  python -m tests.hostile --growth                         each bomb at n and 4n: what grows faster than its mail?
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import logging
import multiprocessing
import os
import pickle
import re
import resource
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from daemon.cli import run_command
from daemon.intake.letter import Letter
from daemon.intake.mailbox import LARGE
from daemon.intake.reader import ReadingFailedError, ReadsInChild
from tests.desk import TestDesk, write
from tests.hostile_mails import KB, Bomb, Hostile, bombs, hostile_mail

KEPT = Path("build") / "hostile"
LIMIT_SECONDS, LIMIT_BYTES = 1.0, 256 << 20
LETTER_BYTES = 16 << 20  # no Letter needs more on its way from the child
HANGS = 20  # seconds for one `ticketd read` in this process
GROWTH = [8 * KB, 32 * KB, 128 * KB, 512 * KB, 2048 * KB]
SLOW = 0.1  # seconds; what is quicker is not measured well


# --- reading one as the daemon reads it, and measuring ---


@dataclasses.dataclass(slots=True)
class Account:
    """What became of one mail: `outcome` is read, "read with defects" or refused; `faults` are what must not be."""

    mail: Hostile
    outcome: str = ""
    seconds: float = 0.0
    wall: float = 0.0
    peak: int = 0
    letter_bytes: int = 0
    shown_seconds: float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list)
    faults: list[str] = dataclasses.field(default_factory=list)

    @property
    def is_slow(self) -> bool:
        """Whether it took too long without being refused."""
        return self.outcome != "refused" and self.seconds > LIMIT_SECONDS

    @property
    def is_fat(self) -> bool:
        """Whether it took too much memory without being refused."""
        return self.outcome != "refused" and self.peak > LIMIT_BYTES

    @property
    def wrong(self) -> list[str]:
        """What must not be, the clock's verdict included."""
        return [*self.faults, *([f"{self.seconds:.1f} s"] if self.is_slow else [])]


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One mail as the daemon's reader wants it."""

    id: int
    content: bytes | None
    path: str


class Bench:
    """Reads mails in the daemon's own child and looks at what that costs; Linux only."""

    def __init__(self, folder: Path, shows: bool = True) -> None:
        self.folder = folder
        self.shows = shows
        self.reads = ReadsInChild()
        self.store = sqlite3.connect(":memory:")
        self._warm()

    def close(self) -> None:
        """End the child."""
        self.reads.close()
        self.store.close()

    def renew(self) -> None:
        """Take a new child."""
        self.reads.close()
        self.reads = ReadsInChild()
        self._warm()

    def _warm(self) -> None:
        """Let the child load what reading needs."""
        self.reads.letter(Kept(0, b"Content-Type: text/html\r\n\r\n<p>hello", ""))

    def judge(self, mail: Hostile) -> Account:
        """Return what became of it; what is beyond the limits gets a second chance in a child of its own."""
        account = self._judged(mail)
        if account.is_slow or account.is_fat:
            self.renew()
            again = self._judged(mail)
            self.renew()
            account.seconds, account.peak = min(account.seconds, again.seconds), min(account.peak, again.peak)
        if account.is_fat:
            account.faults.append(f"{account.peak >> 20} MB")
        return account

    def _judged(self, mail: Hostile) -> Account:
        account = Account(mail)
        path = self.folder / "mail.eml"
        path.write_bytes(mail.content)
        large = len(mail.content) > LARGE
        kept = Kept(mail.number + 1, None if large else mail.content, str(path) if large else "")
        letter = self._letter(kept, account)
        if letter is not None:
            self._look(letter, account)
            if self.shows:
                self._show(path, account)
        return account

    def _letter(self, kept: Kept, account: Account) -> Letter | None:
        child = self.reads._child.process.pid
        _forget_peak(child)
        seconds, wall = _seconds_of(child), time.monotonic()
        try:
            letter = self.reads.letter(kept)
        except ReadingFailedError as e:
            account.outcome = "refused"
            account.wall = time.monotonic() - wall
            account.notes.append(str(e))
            self._warm()
            return None
        except Exception as e:
            account.faults.append(f"raised {type(e).__name__}: {e}"[:200])
            self.renew()
            return None
        account.wall = time.monotonic() - wall
        account.seconds, account.peak = _seconds_of(child) - seconds, _peak_of(child)
        return letter

    def _look(self, letter: Letter, account: Account) -> None:
        account.outcome = "read with defects" if letter.defects else "read"
        account.notes += letter.defects
        account.letter_bytes = len(pickle.dumps(letter))
        content, reasons = account.mail.content, [d for d in letter.defects if d.startswith("no text: ")]
        wrong = {
            "the letter is too large": account.letter_bytes > LETTER_BYTES,
            "empty without a reason": not letter.text.strip() and not reasons,
            "wrong size or digest": (letter.size, letter.sha256) != (len(content), hashlib.sha256(content).hexdigest()),
        }
        account.faults += [what for what, is_so in wrong.items() if is_so]
        account.faults += [d for d in letter.defects if d.startswith("could not be read")]
        account.faults += self._unstorable(letter)

    def _unstorable(self, letter: Letter) -> Iterator[str]:
        for text in _texts(dataclasses.asdict(letter)):
            try:
                if "\x00" in text or self.store.execute("select ?", (text,)).fetchone()[0] != text:
                    yield f"text that a database changes: {text[:60]!r}"
            except (UnicodeError, sqlite3.Error) as e:
                yield f"text that no database takes: {type(e).__name__} {text[:60]!a}"

    def _show(self, path: Path, account: Account) -> None:
        """Run `ticketd read` in both forms."""
        started = time.process_time()
        for options in (["--json"], []):
            try:
                said = _ticketd("read", *options, str(path))
                if options:
                    json.loads(said)
                elif hurt := re.search(
                    "[^\\S \n\t]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", said
                ):
                    account.faults.append(f"ticketd read prints {hurt[0]!a}")
            except BaseException as e:
                account.faults.append(f"ticketd read {' '.join(options)} raised {type(e).__name__}: {e}"[:200])
        account.shown_seconds = time.process_time() - started


class _HangsError(BaseException):
    """`ticketd read` took too long."""


def _hangs(*_: object) -> None:
    raise _HangsError


def _ticketd(*arguments: str) -> str:
    """Run a command in this process and return what it printed."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, "utf-8", write_through=True)
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = run_command(list(arguments))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    said = raw.getvalue().decode("utf-8")
    assert status == 0, f"status {status}: {said[:100]}"
    return said


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _forget_peak(process: int) -> None:
    with contextlib.suppress(OSError):  # it may have died just now: whoever asks it to read will notice
        Path(f"/proc/{process}/clear_refs").write_text("5")


def _peak_of(process: int) -> int:
    """Return the most memory that a process has held since it was last asked to forget."""
    match = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(match[1]) * KB if match else 0


def _seconds_of(process: int) -> float:
    """Return the processor time of another process (Linux numbers the clock of each), 0 where it has died."""
    try:
        return time.clock_gettime((~process << 3) | 2)
    except OSError:
        return 0.0


# --- and as a desk handles it, in the process that must never stop ---

SENT_BYTES = 512 * KB
"""No mail of ours is larger, whatever was written to us."""
REQUESTER, ENGINEER, STRANGER = range(3)  # who writes: told by the number of the mail
_ADDRESSING = re.compile(rb"(?im)^(?:from|to|in-reply-to|references):.*\r?\n(?:[ \t].*\r?\n)*")


class Work:
    """A desk with one ticket: hostile mails arrive from strangers, from its requester and from its engineer."""

    def __init__(self, folder: Path) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self.desk = TestDesk(folder)
        sent = self.desk.receives(write("Ann <ann@customer.example>", "VPN is down"))
        self.desk.desk.reader = ReadsInChild()
        self.threads = [next(m for m in sent if m.to.startswith(who)) for who in ("ann@", "wang.wei@")]

    def close(self) -> None:
        """End the child that reads."""
        self.desk.desk.reader.close()

    def judge(self, mail: Hostile) -> Account:
        """Let it arrive and be handled; return what became of it and what is wrong."""
        account = Account(mail, outcome="?")
        self.desk.clock.at += timedelta(hours=3)  # nobody is over his allowance
        self.desk.arrives(self._addressed(mail))
        try:
            list(map(self.desk.desk.reader.letter, self.desk.desk.store.ledger.waiting(self.desk.clock.now(), 1)))
        except ReadingFailedError as e:
            account.notes.append(str(e))
        started = time.process_time()
        try:
            sent = self.desk.works()
        except Exception as e:
            account.faults.append(f"raised {type(e).__name__}: {e}"[:200])
            return account
        account.seconds = time.process_time() - started
        account.outcome, reason = self.desk.mail_status()[-1]
        account.letter_bytes = max((len(m.raw) for m in sent), default=0)
        if account.outcome == "received" and not account.notes:
            account.faults.append(reason or "still waiting")
        if account.letter_bytes > SENT_BYTES:
            account.faults.append(f"answered with {account.letter_bytes >> 10} KB")
        return account

    def _addressed(self, mail: Hostile) -> bytes:
        """Two of three become answers to mails of ours."""
        if mail.number % 3 == STRANGER:
            return mail.content
        thread = self.threads[mail.number % 3]
        head, blank, body = mail.content.partition(b"\r\n\r\n")
        start = f"From: {thread.to}\r\nTo: {thread.reply_to}\r\nIn-Reply-To: {thread.mail.message_id}\r\n"
        return start.encode() + _ADDRESSING.sub(b"", head) + blank + body


def handled(mails: Iterable[Hostile]) -> Iterator[Account]:
    """Let each mail arrive at a desk and account for it."""
    rest = iter(mails)
    while some := list(itertools.islice(rest, 50)):
        with tempfile.TemporaryDirectory() as folder:
            work = Work(Path(folder))
            try:
                yield from map(work.judge, some)
            finally:
                work.close()


# --- campaigns ---


@contextlib.contextmanager
def _bench(shows: bool = True) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), shows)
        try:
            yield bench
        finally:
            bench.close()


def campaign(mails: Iterable[Hostile]) -> Iterator[Account]:
    """Read each mail and account for it."""
    with _bench() as bench:
        yield from map(bench.judge, mails)


def _share(task: tuple[int, Sequence[int], bool]) -> list[Account]:
    """Be one of the workers."""
    seed, numbers, at_a_desk = task
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    accounts = list((handled if at_a_desk else campaign)(hostile_mail(seed, n) for n in numbers))
    for account in accounts:
        if not account.wrong:
            account.mail = dataclasses.replace(account.mail, content=account.mail.content[:0])
    return accounts


def run(seed: int, count: int, jobs: int, at_a_desk: bool) -> int:
    """Run a campaign, print what came of it, and return 1 where anything was wrong."""
    shares = [(seed, range(start, min(count, start + 250)), at_a_desk) for start in range(0, count, 250)]
    accounts: list[Account] = []
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=4) as pool:
        for some in pool.imap_unordered(_share, shares):
            accounts += some
            _keep(some)
            if sys.stderr.isatty():
                print(f"\r{len(accounts)} of {count}", end="", file=sys.stderr)
    return report(sorted(accounts, key=lambda a: a.mail.number), count)


def _keep(accounts: Iterable[Account]) -> None:
    for account in accounts:
        if account.wrong:
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"{account.mail.seed}-{account.mail.number}.eml").write_bytes(account.mail.content)


def report(accounts: Sequence[Account], count: int) -> int:
    """Print the table by family, the worst ten and everything wrong; return 1 where there is anything."""
    outcomes = sorted({a.outcome for a in accounts})
    print(f"{'family':40} {'mails':>6} {' '.join(f'{o[-12:]:>12}' for o in outcomes)} {'max s':>6} {'max MB':>6} wrong")
    families: dict[str, list[Account]] = {}
    for account in accounts:
        families.setdefault(account.mail.family, []).append(account)
    for family, some in [*sorted(families.items()), ("all", list(accounts))]:
        counts = Counter(a.outcome for a in some)
        worst = f"{max((a.seconds for a in some), default=0):6.2f} {max((a.peak for a in some), default=0) >> 20:6}"
        print(
            f"{family:40} {len(some):6} {' '.join(f'{counts[o]:12}' for o in outcomes)} {worst} {sum(bool(a.wrong) for a in some):5}"
        )
    _worst("slowest", accounts, lambda a: a.seconds, lambda a: f"{a.seconds:.2f} s")
    _worst("fattest", accounts, lambda a: a.peak, lambda a: f"{a.peak >> 20} MB")
    _worst("largest of what came of it", accounts, lambda a: a.letter_bytes, lambda a: f"{a.letter_bytes >> 10} KB")
    _worst("slowest to show", accounts, lambda a: a.shown_seconds, lambda a: f"{a.shown_seconds:.2f} s")
    notes = Counter(re.sub(r"'[^']*'|\d+", "…", note) for a in accounts for note in a.notes)
    print("\nnotes:", *(f"  {n:6} {note}" for note, n in notes.most_common(30)), sep="\n")
    faulty = [a for a in accounts if a.wrong]
    for account in faulty:
        print(f"WRONG {_called(account)}: {'; '.join(account.wrong)}")
    missing = count - sum(bool(a.outcome) for a in accounts)
    print(f"\n{len(accounts)} mails, {len(faulty)} with something wrong, {missing} not accounted for")
    return int(bool(faulty or missing))


def _called(account: Account) -> str:
    return f"{account.mail.seed}:{account.mail.number} [{account.mail.family}] {account.mail.name}"


def _worst(
    title: str, accounts: Sequence[Account], key: Callable[[Account], float], says: Callable[[Account], str]
) -> None:
    print(f"\n{title}:")
    for account in sorted((a for a in accounts if key(a)), key=key, reverse=True)[:10]:
        print(f"  {says(account):>9} {_called(account)}")


def grow(chosen: str, ratio: float, jobs: int) -> int:
    """Read each bomb at growing sizes and print those whose time grows faster than their size allows."""
    places = [i for i, bomb in enumerate(bombs()) if chosen in f"{bomb.family}: {bomb.name}"]
    found = 0
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for accounts in itertools.chain.from_iterable(pool.imap_unordered(_grown, [places[i::40] for i in range(40)])):
            steps = [b.seconds > SLOW and b.seconds > ratio * a.seconds for a, b in itertools.pairwise(accounts)]
            faults = [f for a in accounts for f in a.wrong]
            if any(steps) or faults:
                found += 1
                mail = accounts[0].mail
                times = " ".join(f"{a.mail.number >> 10}K:{a.seconds:.2f}s/{a.peak >> 20}MB" for a in accounts)
                print(f"[{mail.family}] {mail.name}: {times} {'; '.join(faults)[:200]}", flush=True)
    print(f"{found} of {len(places)} bombs grow too fast or are beyond the limits")
    return int(bool(found))


def _grown(places: Sequence[int]) -> list[list[Account]]:
    """Read these bombs at each size, up to the first that is beyond the limits."""
    with _bench(shows=False) as bench:
        return [list(_read_growing(bombs()[place], bench)) for place in places]


def _read_growing(bomb: Bomb, bench: Bench) -> Iterator[Account]:
    for size in GROWTH:
        account = bench.judge(Hostile(0, size, bomb.family, bomb.name, bomb.make(size)))
        account.mail = dataclasses.replace(account.mail, content=b"")
        yield account
        if account.outcome == "refused" or account.seconds > 3 * LIMIT_SECONDS:
            return


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--only", type=int, help="only this number: read it, or write it with --out")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--growth", nargs="?", const="", help="grow the bombs whose name holds this (default: all)")
    parser.add_argument("--ratio", type=float, default=6.0, help="how much dearer four times the size may be")
    parser.add_argument("--desk", action="store_true", help="let a desk handle each, and look at that")
    options = parser.parse_args()
    if options.growth is not None:
        return grow(options.growth, options.ratio, options.jobs)
    if options.only is None:
        return run(options.seed, options.count, options.jobs, options.desk)
    mail = hostile_mail(options.seed, options.only)
    if options.out:
        options.out.write_bytes(mail.content)
        return 0
    return report(list((handled if options.desk else campaign)([mail])), 1)


if __name__ == "__main__":
    sys.exit(main())
