"""Files that somebody else must find whole and be able to read: rule files put in place, locks, a new database.

What comes in: paths and bytes. What goes out: files that are there whole or not at all, whoever typed the command: what
root makes belongs to whom the file before it, or the folder, belongs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from daemon.errors import TicketdError


def write_whole(path: Path, content: bytes) -> None:
    """Write one file, durably, whole or not at all; one that is so already is left alone."""
    if path.is_file() and path.read_bytes() == content:
        return
    make_folder(path.parent)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with _created(unfinished) as file:
        file.write(content)
        file.flush()
        _as_before(file.fileno(), path)
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def remove(path: Path) -> None:
    """Take a file away, durably; doing it again is harmless."""
    if path.parent.is_dir():
        path.unlink(missing_ok=True)
        _sync(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, for whom the folder that it lies in is for."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir()
    above = folder.parent.stat()
    folder.chmod(above.st_mode & 0o777)
    _give(folder, above)


def make_private(path: Path) -> None:
    """Make an empty file for the owner of its folder alone, unless it is there."""
    with contextlib.suppress(FileExistsError), _created(path) as file:
        _give(file.fileno(), path.parent.stat())


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file, which dies with the process however it ends.

    Raises BlockingIOError where it is not to be waited for and somebody has it.
    """
    with _opened(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX) if wait else _lock_at_once(file)
        yield


def is_locked(path: Path) -> bool:
    """Whether somebody holds this lock just now."""
    if not path.exists():
        return False
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _opened(path: Path) -> IO[bytes]:
    make_private(path)
    try:
        return path.open("rb")
    except PermissionError as e:
        cure = "give it to the user that runs ticketd (chown), and type commands as that user or as root"
        raise TicketdError(f"{path} cannot be opened: {cure}") from e


def _lock_at_once(file: IO[bytes], tries: int = 10) -> None:
    """Lock a file that nobody else holds; who only asks whether it is locked has it for a moment, and is waited for."""
    for left in reversed(range(tries)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(0.05)


def _created(path: Path) -> IO[bytes]:
    """Create a file that only we may read for now; a link that somebody has put there is never followed."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")


def _as_before(handle: int, path: Path) -> None:
    """Give a file the owner and the rights of the one that it takes the place of, or of its folder if it is new."""
    there = path.exists()
    before = (path if there else path.parent).stat()
    os.fchmod(handle, before.st_mode & (0o777 if there else 0o664))
    _give(handle, before)


def _give(what: int | Path, like: os.stat_result) -> None:
    """Let a file belong to whom another belongs, as far as we may: only root gives files away, others their group."""
    for owner in (like.st_uid, -1):
        with contextlib.suppress(PermissionError):
            os.chown(what, owner, like.st_gid)
            return


def _sync(folder: Path) -> None:
    """Make names in a folder durable."""
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)
