"""A private Postfix on loopback for one test session: takes mail on a port of its own and relays all of it to one server.

What comes in: the port to relay to, and what to refuse. What goes out: a running mail server. This file alone knows how
Postfix is configured; configuration, queue and data are its own. It needs the package postfix and root, because Postfix
changes to its own users; `why_not` says what is missing.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 30.0

MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}/log
myhostname = mx.test
mydestination =
local_recipient_maps =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{relay_port}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {refusals} }}, permit_mynetworks, reject
message_size_limit = {size_limit}
minimal_backoff_time = 1s
smtpd_peername_lookup = no
disable_dns_lookups = yes
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def why_not() -> str:
    """Return why Postfix cannot run here, or "" if it can."""
    if shutil.which("postfix", path="/usr/sbin:/usr/local/sbin") is None:
        return "Postfix is not installed (Debian: postfix)"
    if os.getuid() != 0:
        return "Postfix can only be started by root"
    try:
        pwd.getpwnam("postfix"), grp.getgrnam("postdrop")
    except KeyError as e:
        return f"Postfix's own user or group is missing: {e}"
    return ""


class Postfix:
    """A Postfix that runs from `start` to `stop`; mail goes in at `port` and comes out at the relay's."""

    def __init__(self, relay_port: int, *, refuse: dict[str, str] | None = None, size_limit: int = 10_000_000) -> None:
        """Prepare a server; `refuse` maps a recipient to the answer it gets, as in "550 5.1.1 no such user"."""
        self.host, self.port = "127.0.0.1", _free_port()
        self.root = Path(tempfile.mkdtemp(prefix="tpf"))
        self._relay_port, self._refuse, self._size_limit = relay_port, refuse or {}, size_limit

    def start(self) -> None:
        """Start the server and return when it greets; raises RuntimeError with its log when it does not."""
        self._write_files()
        done = self._control("start")
        give_up = time.monotonic() + START_SECONDS
        while not self._greets():
            if time.monotonic() > give_up or done.returncode:
                raise RuntimeError(f"Postfix does not start:\n{done.stdout}{done.stderr}\n{self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server at once and remove everything it left."""
        if (self.root / "etc" / "main.cf").exists():
            self._control("abort")
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self) -> str:
        """Return what the server logged so far."""
        path = self.root / "log" / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _control(self, command: str) -> subprocess.CompletedProcess[str]:
        call = ["/usr/sbin/postfix", "-c", str(self.root / "etc"), command]
        return subprocess.run(call, capture_output=True, text=True, timeout=60, cwd="/")

    def _write_files(self) -> None:
        self.root.chmod(0o755)
        for name in ("etc", "queue", "data", "log"):
            (self.root / name).mkdir()
        os.chown(self.root / "data", pwd.getpwnam("postfix").pw_uid, -1)
        refusals = ", ".join(f"{{ {address} = {answer} }}" for address, answer in self._refuse.items())
        main = MAIN.format(
            root=self.root, daemons=_daemons(), relay_port=self._relay_port, size_limit=self._size_limit,
            refusals=refusals or "{ nobody@nowhere.test = 550 no }",
        )  # fmt: skip
        (self.root / "etc" / "main.cf").write_text(main)
        (self.root / "etc" / "master.cf").write_text(MASTER.format(port=self.port))

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 1) as sock:
                sock.settimeout(5)
                return sock.recv(64).startswith(b"220")
        except OSError:
            return False


@contextlib.contextmanager
def running_postfix(relay_port: int, **options: object) -> Iterator[Postfix]:
    """Yield a running Postfix, and stop it whatever happens."""
    server = Postfix(relay_port, **options)  # type: ignore[arg-type]
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _daemons() -> str:
    return next(str(p) for p in map(Path, ("/usr/lib/postfix/sbin", "/usr/libexec/postfix")) if p.is_dir())


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
