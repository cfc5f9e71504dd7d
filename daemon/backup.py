"""One file with all that ticketd knows: made while it runs, verified, and laid out again.

What comes in: a Config, an open store, a path. What goes out: a tar file of the database, the spool, ticketd.toml,
rules and templates, with a manifest of the digests of all of them. Secrets are never in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from daemon.config import Config
from daemon.errors import TicketdError
from daemon.plain import from_plain, to_plain
from daemon.pulse import this_version
from daemon.spool import READ_SIZE
from daemon.store import SPOOL, Store
from daemon.store.copying import copy_database, faults_of_copy, files_of_copy

MANIFEST = "manifest.json"
SQLITE, POSTGRES = "ticketd.db", "ticketd.dump"
_CONFIG = "config/ticketd.toml"
_FORMAT = 1
_PASSWORD = re.compile(rb"(postgres(?:ql)?://[^\s:/@\"']*):[^\s/@\"']*@")


class BackupError(TicketdError):
    """The backup cannot be made, or is not whole; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds: the digest of each file, and when and by which version it was made."""

    made_at: datetime
    version: str
    database: str
    files: dict[str, str] = field(default_factory=dict)
    format: int = _FORMAT

    @property
    def mails(self) -> int:
        """How many large mails are in it as files."""
        return sum(name.startswith(f"{SPOOL}/") for name in self.files)


# --- making ---


def make_backup(config: Config, file: Path, store: Store, target: Path, now: datetime) -> Path:
    """Write a backup and return where it is; `file` is ticketd.toml, `target` a file, or a folder to name it in.

    It is written beside its place and takes it only when it is whole and verified.
    """
    path = target / f"ticketd-{now.astimezone(UTC):%Y%m%d-%H%M%S}.tar.gz" if target.is_dir() else target
    try:
        with tempfile.TemporaryDirectory(prefix=".ticketd-backup-", dir=path.parent) as folder:
            unfinished = _written(config, file, store, Path(folder), now)
            if faults := verify(unfinished)[1]:
                raise BackupError(f"the backup is not whole: {'; '.join(faults[:5])}")
            unfinished.replace(path)
    except OSError as e:
        raise BackupError(f"{path} cannot be written: {e.strerror or e}") from e
    return path


def _written(config: Config, file: Path, store: Store, folder: Path, now: datetime) -> Path:
    kind = SQLITE if store.base.sqlite else POSTGRES
    copy, unfinished = folder / kind, folder / "backup.tar.gz"
    copy_database(store.base, copy)
    members = [(kind, copy), *_spooled(copy, config, store), *_edited(config)]
    files: dict[str, str] = {}
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as tar:
            for name, source in members:
                files[name] = _add(tar, name, source)
            files[_CONFIG] = _add_bytes(tar, _CONFIG, _PASSWORD.sub(rb"\1@", file.read_bytes()))
            manifest = Manifest(made_at=now, version=this_version(), database=kind, files=files)
            _add_bytes(tar, MANIFEST, json.dumps(to_plain(manifest), indent=1).encode())
        out.flush()
        os.fsync(out.fileno())
    return unfinished


def _spooled(copy: Path, config: Config, store: Store) -> Iterator[tuple[str, Path]]:
    """Return the large mails: those that the copy of the database speaks of, or all of them."""
    spool = Path(config.service.state_dir) / SPOOL
    if store.base.sqlite:
        names = [f.path for f in files_of_copy(copy)]
    else:
        names = [str(p.relative_to(spool)) for p in spool.glob("??/*") if p.is_file()]
    return ((f"{SPOOL}/{name}", spool / name) for name in sorted(names))


def _edited(config: Config) -> Iterator[tuple[str, Path]]:
    """Return what operators edit: the rules and the templates."""
    for name, folder in (("rules", config.paths.rules), ("templates", config.paths.templates)):
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{name}/{path.relative_to(folder).as_posix()}", path


def _add(tar: tarfile.TarFile, name: str, source: Path) -> str:
    """Add a file and return the digest of what was added."""
    with source.open("rb") as opened:
        reader = _Reader(opened)
        info = tarfile.TarInfo(name)
        info.size, info.mode = os.fstat(opened.fileno()).st_size, 0o600
        tar.addfile(info, reader)
        return reader.digest.hexdigest()


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> str:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))
    return hashlib.sha256(content).hexdigest()


class _Reader:
    """Reads a file and remembers the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


# --- verifying and laying out ---


def verify(path: Path) -> tuple[Manifest | None, list[str]]:
    """Return the manifest of a backup and everything that is wrong with it; all of it is read."""
    with tempfile.TemporaryDirectory(prefix=".ticketd-verify-", dir=path.parent) as folder:
        return unpack(path, Path(folder), only=(SQLITE,))


def unpack(path: Path, folder: Path, only: Iterable[str] = ()) -> tuple[Manifest | None, list[str]]:
    """Lay a backup out in an empty folder (or only the members of these names) and return what `verify` does."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            manifest = _laid_out(tar, folder, frozenset(only), found)
    except (OSError, EOFError, tarfile.TarError, ValueError, TypeError, KeyError) as e:
        return None, [f"{path} cannot be read as a backup: {e}"]
    if manifest is None:
        return None, [f"{path} has no {MANIFEST}: it is no backup of ticketd, or was cut off"]
    faults = list(_differences(manifest, found))
    if not faults and manifest.database == SQLITE:
        faults = _faults_inside(folder / SQLITE, found)
    return manifest, faults


def _laid_out(tar: tarfile.TarFile, folder: Path, only: frozenset[str], found: dict[str, str]) -> Manifest | None:
    manifest = None
    for member in tar:
        if not member.isfile() or not _is_plain(member.name):
            raise ValueError(f"it holds {member.name!r}, which is no file of ours")
        content = tar.extractfile(member)
        if content is None:
            continue
        if member.name == MANIFEST:
            manifest = _manifest(content.read())
            continue
        keep = not only or member.name in only
        found[member.name] = _poured(content, folder / member.name if keep else None)
    return manifest


def _manifest(content: bytes) -> Manifest:
    said = json.loads(content)
    if not isinstance(said, dict):
        raise ValueError(f"its {MANIFEST} is not one of ours")
    return from_plain(Manifest, said)


def _is_plain(name: str) -> bool:
    """Whether a name in the archive stays within the folder that it is laid out in."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name


def _poured(content: IO[bytes], target: Path | None) -> str:
    """Write the bytes into this file, if one is given, and return their digest."""
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        out = None
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            out = stack.enter_context(os.fdopen(handle, "wb"))
        while piece := content.read(READ_SIZE):
            digest.update(piece)
            if out is not None:
                out.write(piece)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    return digest.hexdigest()


def _differences(manifest: Manifest, found: dict[str, str]) -> Iterator[str]:
    if manifest.format != _FORMAT:
        yield f"it is of format {manifest.format}, and this version reads format {_FORMAT}"
    for name in sorted(manifest.files.keys() - found.keys()):
        yield f"{name} is missing"
    for name in sorted(found.keys() - manifest.files.keys()):
        yield f"{name} does not belong to it"
    for name in sorted(manifest.files.keys() & found.keys()):
        if manifest.files[name] != found[name]:
            yield f"{name} is not what it was"


def _faults_inside(copy: Path, found: dict[str, str]) -> list[str]:
    faults = faults_of_copy(copy)
    for kept in [] if faults else files_of_copy(copy):
        if found.get(f"{SPOOL}/{kept.path}") != kept.sha256:
            faults.append(f"the mail {SPOOL}/{kept.path} is missing, or is not what it was")
    return faults


def lay_out_files(folder: Path, source: Path) -> list[Path]:
    """Copy configuration, rules and templates of an unpacked backup into a folder; what is there stays as it is."""
    made: list[Path] = []
    for name, target in ((_CONFIG, "ticketd.toml"), ("rules", "rules"), ("templates", "templates/email")):
        place = folder / target
        if (source / name).exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source / name, place) if (source / name).is_dir() else shutil.copy(source / name, place)
            made.append(place)
    return made
