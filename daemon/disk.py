"""How much room a disk has left. What comes in: a folder. What goes out: bytes and files that still fit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_FEWEST_FILES = 200
"""Fewer free inodes than these are as bad as a full disk."""


@dataclass(frozen=True, slots=True)
class Room:
    """The room that is left for us: bytes, and further files (None: without limit)."""

    free: int
    files: int | None

    @property
    def megabytes(self) -> int:
        """The free room in MB."""
        return self.free >> 20

    def lacks(self, reserve_mb: int) -> str:
        """Return what is missing where the room is below this reserve, or ""."""
        if self.megabytes < reserve_mb:
            return f"only {self.megabytes} MB are free on its disk, and {reserve_mb} MB are kept in reserve"
        if reserve_mb and self.files is not None and self.files < _FEWEST_FILES:
            return f"only {self.files} more files fit on its disk (inodes)"
        return ""


def room_in(folder: Path) -> Room:
    """Return the room that is left on the disk of this folder. Raises OSError."""
    said = os.statvfs(folder)
    return Room(said.f_bavail * said.f_frsize, said.f_favail if said.f_files else None)
