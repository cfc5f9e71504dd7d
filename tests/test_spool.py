"""The spool: what it has said to have kept is there, and nothing else is."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.spool import Kept, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "state" / "spool")


def keep(spool: Spool, *pieces: bytes) -> Kept:
    return keep_lazily(spool, iter(pieces))


def keep_lazily(spool: Spool, pieces: Iterator[bytes]) -> Kept:
    with spool.incoming() as file:
        for piece in pieces:
            file.write(piece)
        return file.keep()


def files(spool: Spool) -> list[Path]:
    return sorted(path for path in spool.folder.rglob("*") if path.is_file())


def test_bytes_are_kept_under_the_name_of_their_digest(spool: Spool) -> None:
    kept = keep(spool, b"From: a\r\n", b"\r\nhello")
    digest = hashlib.sha256(b"From: a\r\n\r\nhello").hexdigest()
    assert kept == (spool.folder / digest[:2] / digest, digest, 16)
    with spool.open(kept.path) as file:
        assert file.read() == b"From: a\r\n\r\nhello"


def test_what_is_not_kept_leaves_nothing(spool: Spool) -> None:
    with spool.incoming() as file:
        file.write(b"half a mail")
    assert files(spool) == []


def test_an_error_while_writing_leaves_nothing_and_comes_through(spool: Spool) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half a mail"
        raise RuntimeError("link lost")

    with pytest.raises(RuntimeError, match="link lost"):
        keep_lazily(spool, pieces())
    assert files(spool) == []


def test_the_same_bytes_twice_are_one_file(spool: Spool) -> None:
    assert keep(spool, b"same") == keep(spool, b"sa", b"me")
    assert len(files(spool)) == 1


def test_a_torn_file_is_healed_by_the_same_mail(spool: Spool) -> None:
    kept = keep(spool, b"whole mail")
    kept.path.write_bytes(b"whole")
    assert not spool.verify(kept.path, kept.sha256)
    keep(spool, b"whole mail")
    assert spool.verify(kept.path, kept.sha256)


def test_verify_says_no_for_a_lost_file(spool: Spool) -> None:
    kept = keep(spool, b"mail")
    kept.path.unlink()
    assert not spool.verify(kept.path, kept.sha256)


def test_sweep_removes_orphans_and_nothing_else(spool: Spool) -> None:
    kept = keep(spool, b"mail")
    (spool.folder / "incoming-crashed").write_bytes(b"half")
    assert spool.sweep() == 1
    assert files(spool) == [kept.path]


def test_only_files_of_the_spool_are_opened(spool: Spool) -> None:
    for elsewhere in ("/etc/hostname", spool.folder / ".." / "secret"):
        with pytest.raises(ValueError, match="not in the spool"):
            spool.open(elsewhere)


def test_nobody_else_may_read_a_mail(spool: Spool) -> None:
    kept = keep(spool, b"mail")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (kept.path, kept.path.parent, spool.folder)]
    assert modes == [0o600, 0o700, 0o700]


def test_the_bytes_are_synced_before_the_name_and_the_name_before_the_answer(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        steps.append("sync " + ("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"))
        real_fsync(handle)

    def replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    keep(spool, b"mail")
    assert steps == ["sync file", "sync folder", "rename", "sync folder"]


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_disk_that_fails_is_an_error_and_leaves_no_name(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with spool.incoming() as file:
        file.write(b"mail")
        monkeypatch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left"):
            file.keep()
        monkeypatch.undo()
    assert files(spool) == []
