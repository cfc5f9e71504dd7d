"""A private PostgreSQL cluster for one test session.

What comes in: nothing. What goes out: a running server on a socket and a loopback port of its own, and an empty database
for each test. This file alone knows how a cluster is made; it shares nothing with the machine's own, and needs no root,
but as root it runs the server as another user, because PostgreSQL refuses to be root. It needs the package postgresql.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # these tests end connections, not machines
    "shared_buffers": "16MB",
    "max_connections": "30",
    "log_min_messages": "fatal",
}


class Postgres:
    """A cluster that runs from `start` to `stop`."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tpg"))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def start(self) -> None:
        """Make the cluster and return when it answers; raises RuntimeError with its log when it does not."""
        self.root.chmod(0o755)
        data = self.root / "data"
        data.mkdir()
        _give_away(data)
        _as_server(str(_program("initdb")), "-D", str(data), "-U", "ticketd", "-A", "trust", "-E", "UTF8",
                   "--locale", "C.UTF-8", "--no-sync")  # fmt: skip
        self.resume()

    def resume(self) -> None:
        """Start the server on the cluster that is there."""
        options = [part for k, v in SETTINGS.items() for part in ("-c", f"{k}={v}")]
        command = [str(_program("postgres")), "-D", str(self.root / "data"), "-p", str(self.port), *options]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_prefix(), *command, "-k", str(self.root / "data")], stdout=log, stderr=log, start_new_session=True
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start:\n{(self.root / 'log').read_text(errors='replace')}")
            time.sleep(0.05)

    def halt(self) -> None:
        """Stop the server at once, as `pg_ctl stop -m immediate` does; the cluster stays."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(_postmaster(self.root / "data"), signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def stop(self) -> None:
        """Stop the server and remove everything it left."""
        self.halt()
        shutil.rmtree(self.root, ignore_errors=True)

    def new_database(self) -> str:
        """Return the URL of an empty database."""
        self._count += 1
        name = f"t{self._count}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://ticketd@127.0.0.1:{self.port}/{name}"

    def sql(self, text: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute a statement on a connection of its own and return its rows, if it has any."""
        import psycopg

        with psycopg.connect(f"postgresql://ticketd@127.0.0.1:{self.port}/{database}", autocommit=True) as db:
            cursor = db.execute(text)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def terminate(self, url: str) -> int:
        """End every connection to this database as an administrator does; return how many there were."""
        name = url.rpartition("/")[2]
        ended = self.sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        return len(ended)

    def _answers(self) -> bool:
        import psycopg

        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Yield a running PostgreSQL, and stop it whatever happens."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4].split(".")[0]))
    other = shutil.which(name)
    if not found and other is None:
        raise RuntimeError("these tests need PostgreSQL (Debian: postgresql)")
    return found[-1] if found else Path(str(other))


def _server_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _prefix() -> list[str]:
    """Return what changes the user when we are root: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    entry = pwd.getpwnam(_server_user())
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--pdeathsig", "QUIT"]


def _as_server(*command: str) -> None:
    done = subprocess.run([*_prefix(), *command], capture_output=True, text=True, timeout=60, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _give_away(folder: Path) -> None:
    folder.chmod(0o700)
    if os.getuid() == 0:
        entry = pwd.getpwnam(_server_user())
        os.chown(folder, entry.pw_uid, entry.pw_gid)


def _postmaster(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
