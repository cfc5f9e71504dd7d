"""Large raw mails in files named after what they contain: durable before anybody refers to them.

What comes in: bytes, piece by piece. What goes out: a path, the SHA-256 and the size. This file alone knows
how a file becomes durable: written under a passing name, fsynced, renamed to <folder>/<aa>/<sha256>, and the
folder fsynced. Keeping the same bytes twice is harmless. Errors of the disk are OSError, as they come.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

PASSING = "incoming-"
READ_SIZE = 1 << 20


class Kept(NamedTuple):
    """A file that is durable: where it is, the SHA-256 of its bytes in hex, and how many they are."""

    path: Path
    sha256: str
    size: int


class Incoming:
    """A file being written; it is nothing until `keep` has returned."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        handle, name = tempfile.mkstemp(prefix=PASSING, dir=folder)
        self._file = os.fdopen(handle, "wb")
        self._passing = Path(name)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def keep(self) -> Kept:
        """Make the bytes durable under their final name and return it.

        A file of that name is replaced, not trusted: the bytes are the same unless the disk has harmed them.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        sha256 = self._digest.hexdigest()
        target = place(self._folder, sha256)
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)
        self._passing.replace(target)
        sync_folder(target.parent)
        return Kept(target, sha256, self.size)

    def discard(self) -> None:
        """Close the file, and remove it if it was not kept."""
        with contextlib.suppress(OSError):  # a full disk fails again on close; what matters is that it goes
            self._file.close()
        self._passing.unlink(missing_ok=True)


class Spool:
    """The folder of large mails; made when it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Yield a file to write to; unless it is kept inside, nothing of it stays."""
        file = Incoming(self.folder)
        try:
            yield file
        finally:
            file.discard()

    def open(self, path: str | Path) -> IO[bytes]:
        """Open a kept mail for reading; refuses a path that is not in the spool."""
        return self._inside(path).open("rb")

    def verify(self, path: str | Path, sha256: str) -> bool:
        """Tell whether the file is there and still has these bytes; reads it whole, a piece at a time."""
        digest = hashlib.sha256()
        try:
            with self.open(path) as file:
                while piece := file.read(READ_SIZE):
                    digest.update(piece)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == sha256

    def sweep(self) -> int:
        """Remove what a crash left half written and return how many; only before anybody writes."""
        orphans = list(self.folder.glob(PASSING + "*"))
        for orphan in orphans:
            orphan.unlink(missing_ok=True)
        return len(orphans)

    def _inside(self, path: str | Path) -> Path:
        whole = Path(path).resolve()
        if not whole.is_relative_to(self.folder.resolve()):
            raise ValueError(f"{path} is not in the spool {self.folder}")
        return whole


def place(folder: Path, sha256: str) -> Path:
    """Return where the bytes with this digest lie, or would lie."""
    return folder / sha256[:2] / sha256


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: without it a power cut may take the name and leave the bytes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
