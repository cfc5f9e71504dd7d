"""`ticketd demo`: one day at a service desk, played on real servers by the real daemon at an accelerated clock.

What comes in: the folder to leave everything in. What goes out: the conversation as it goes, every mail as a file, one
HTML page, and 0 where everything held that has to hold. This file alone knows what the folder looks like.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING
from unicodedata import east_asian_width

from daemon.errors import TicketdError

if TYPE_CHECKING:
    from daemon.demo.chronicle import Scene, Shown, Summary
    from daemon.demo.office import Office

Say = Callable[[str], None]
_MARKER = ".ticketd-demo"
_OURS = ("mails", "office", "story.html")
_EXTRA = ("pymap", "aiosmtpd", "proxyprotocol", "pysasl")
_PAUSE = 1.2
_WIDTH = 96


def play(out: Path, *, serve: bool, quick: bool, say: Say) -> int:
    """Play the day into the folder `out`; return 0 where all held, 1 where something did not."""
    _need_the_extra()
    from daemon.demo.office import open_office
    from daemon.demo.story import CAST, SCENES

    pause = _PAUSE if not quick and sys.stdout.isatty() else 0.0
    with _claimed(out):
        (out / "office").mkdir()
        (out / "mails").mkdir()
        with open_office(out / "office", out / "mails", CAST, SCENES[0].moment) as office:
            status = _play_all(office, pause, say)
            _finish(office, out, say)
            if serve:
                _serve(office, say)
    return status


def _need_the_extra() -> None:
    try:
        import daemon.demo.servers  # noqa: F401
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise TicketdError(f"the demo needs {e.name}: pip install 'ticketd[demo]'") from e


@contextlib.contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Hold the folder, emptied of a former demo; refuse one that holds anything else."""
    with _opened_marker(out) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise TicketdError(f"another demo is playing in {out}: end it, or name another folder with --out") from e
        for name in _OURS:
            _remove(out / name)
        yield


def _opened_marker(out: Path) -> IO[str]:
    """Open the file that says: this folder is a demo's. It is made only in a folder that is new or empty."""
    marker = out / _MARKER
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise TicketdError(f"{out} is no folder; name another with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()) and not marker.is_file():
            raise TicketdError(f"{out} is not empty and not a former demo: name another folder with --out")
        return marker.open("a")
    except OSError as e:
        raise TicketdError(f"{out} cannot be used ({e.strerror}): name another folder with --out") from e


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# --- the day ---


def _play_all(office: Office, pause: float, say: Say) -> int:
    from daemon.demo.office import BrokenPromiseError
    from daemon.demo.story import SCENES

    for number, plot in enumerate(SCENES, 1):
        office.begin(plot.moment, plot.title)
        try:
            plot.play(office)
        except BrokenPromiseError as e:
            office.scene.broken = str(e)
        _tell(office.scene, f"[{number:2}/{len(SCENES)}]", say)
        if office.scene.broken:
            return 1
        time.sleep(pause)
    return 0


def _tell(scene: Scene, progress: str, say: Say) -> None:
    say(f"\n{progress} {scene.at:%H:%M}  {scene.title}")
    for mail in scene.mails:
        _tell_mail(mail, say)
    for change in scene.changes:
        sign = {"state": "●", "clock": "◷"}.get(change.kind, "✕" if change.refused else "·")
        say(f"        {sign} INC-{change.ticket} {_short(change.text)}")
    for what in scene.held:
        say(f"        ✓ {what}")
    if scene.broken:
        say(f"        ✕ DOES NOT HOLD: {scene.broken}")


def _tell_mail(mail: Shown, say: Say) -> None:
    from daemon.demo.page import gist

    say(f"        {mail.sender} → {mail.to}: {_short(mail.subject)}")
    lines = mail.words.split("\n") if mail.incoming else [gist(mail.words)]
    for line in [line for line in lines if line.strip()][:4]:
        say(f"          │ {_short(line)}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


# --- the end of the day ---


def _finish(office: Office, out: Path, say: Say) -> None:
    from daemon.demo.page import page

    summary = office.summary()
    (out / "story.html").write_text(page(office.scenes, summary), "utf-8")
    broken = any(scene.broken for scene in office.scenes)
    say("\nThe day ended early: see ✕ above\n" if broken else "\nThe day is over, and all held 一天结束\n")
    _tell_summary(summary, say)
    say(f"\nThe story as a page: {out / 'story.html'}")
    say(f"Every mail as a file: {out / 'mails'}")
    say(f"The office itself: ticketd --config {out / 'office' / 'ticketd.toml'} ticket show 1")


def _tell_summary(summary: Summary, say: Say) -> None:
    for name, value in summary.numbers:
        say(f"  {value:>4}  {name}")
    say("")
    rows = [summary.columns, *summary.tickets]
    widths = [max(_cells(row[i]) for row in rows) for i in range(len(summary.columns))]
    for row in rows:
        padded = (cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=True))
        say(f"  {'  '.join(padded).rstrip()}")
    say("")
    for line in summary.refused:
        say(f"  ✕ {_short(line)}")


def _cells(text: str) -> int:
    """Return how many columns of a terminal the text takes: Chinese characters take two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _serve(office: Office, say: Say) -> None:
    """Keep the servers and the daemon at work until Ctrl-C, with a clock that runs on from the end of the story."""
    from daemon.demo.office import PASSWORD
    from daemon.demo.story import CAST

    servers = office.servers
    say("\nThe servers stay up; ticketd answers within a second or two. Ctrl-C ends it.")
    say(f"  IMAP  127.0.0.1 port {servers.imap_port}, no encryption, password “{PASSWORD}”; log in as one of:")
    for person in CAST:
        say(f"          {person.address}  ({person.name})")
    say(f"  SMTP  127.0.0.1 port {servers.smtp_port}, no encryption, no login")
    say("  Answer a mail as its reader, or write a new one to support@example.com.")
    office.clock.run()
    for ending in (signal.SIGINT, signal.SIGTERM):  # also where it was started in the background, deaf to Ctrl-C
        signal.signal(ending, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for mail in office.goes_on():
                _tell_mail(mail, say)
            time.sleep(1)
    say("\nclosed")
