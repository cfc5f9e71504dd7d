"""A private, real Dovecot on loopback for one test session.

What comes in: a few options. What goes out: a running IMAP and LMTP server that knows every user name with the
password PASSWORD, plus helpers to put mail in and to see what lies in a folder. This file alone knows how
Dovecot is configured: it shares nothing with the machine's own, and a wrong password costs no penalty of
seconds. It needs the packages dovecot-imapd and dovecot-lmtpd, and works as root and as a plain user.
"""

from __future__ import annotations

import contextlib
import ctypes
import grp
import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

PASSWORD = "open-sesame"
START_SECONDS = 20.0

CONFIG = """
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
mail_location = maildir:{root}/mail/%n
first_valid_uid = 1
auth_username_format = %Ln
auth_failure_delay = 0
disable_plaintext_auth = no
recipient_delimiter = +
postmaster_address = postmaster@localhost
hostname = localhost
mail_max_userip_connections = 200
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
{extra}
"""


class Dovecot:
    """A Dovecot that runs from `start` to `stop`; `host`, `port` and `lmtp_port` say where."""

    def __init__(
        self,
        *,
        tls: bool = False,
        prefix: str = "",
        separator: str = "/",
        capability: str = "",
        settings: str = "",
    ) -> None:
        """Prepare a server; `capability` replaces what it claims to be able to do after login."""
        self.host = "127.0.0.1"
        self.tls = tls
        self.prefix, self.separator = prefix, separator
        self.capability, self.settings = capability, settings
        self.root = Path(tempfile.mkdtemp(prefix="tdv"))
        self.port = self.tls_port = self.lmtp_port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> str:
        """The certificate that a client has to trust ("" without TLS)."""
        return str(self.root / "cert.pem") if self.tls else ""

    def start(self) -> None:
        """Start the server and return when it greets; raises RuntimeError with its log when it does not."""
        self._write_files()
        self._run()

    def _run(self) -> None:
        self._process = subprocess.Popen(
            [_program(), "-F", "-c", str(self.root / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        give_up = time.monotonic() + START_SECONDS
        while not self._greets():
            if time.monotonic() > give_up or self._process.poll() is not None:
                log = self.log()
                self.stop()
                raise RuntimeError(f"Dovecot does not start:\n{log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once and remove everything it left; harmless when it does not run.

        Its processes are a group of their own, so none of them is left over. An orderly end would take seconds.
        """
        self._kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Kill the server in the middle of whatever it does, and start it again on the same ports and mails."""
        self._kill()
        self._run()

    def number_anew(self, user: str, mails: Iterable[bytes]) -> None:
        """Give the inbox a new UIDVALIDITY and these mails, as a restore from a backup would."""
        folder = self.root / "mail" / user
        for path in (
            *folder.glob("dovecot.*"),
            *folder.glob("dovecot-uidlist*"),
            *folder.glob("cur/*"),
            *folder.glob("new/*"),
        ):
            path.unlink()
        self.append(user, *mails)

    def log(self) -> str:
        """Return what the server logged so far."""
        path = self.root / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def deliver(self, user: str, raw: bytes, sender: str = "sender@example.org") -> None:
        """Deliver one mail by LMTP, as a mail server would; `user` may carry a +detail."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            refused = lmtp.sendmail(sender, [f"{user}@example.com"], raw)
        if refused:
            raise RuntimeError(f"LMTP refused {refused}")

    def append(self, user: str, *mails: bytes, folder: str = "INBOX", when: str = "", flags: str = "") -> None:
        """Put mails straight into a folder by IMAP; `when` is an INTERNALDATE such as 1-Jan-2026 08:00:00 +0800."""
        with self.login(user) as imap:
            for raw in mails:
                date = f'"{when}"' if when else None
                _checked(imap.append(_quoted(folder), flags, date, raw))  # type: ignore[arg-type]

    def raw_mails(self, user: str, folder: str = "INBOX") -> dict[int, bytes]:
        """Return uid → bytes of every mail in a folder, without touching a flag."""
        return {uid: raw for uid, (raw, _) in self._look(user, folder).items()}

    def flags(self, user: str, folder: str = "INBOX") -> dict[int, set[str]]:
        """Return uid → flags of every mail in a folder."""
        return {uid: marks for uid, (_, marks) in self._look(user, folder).items()}

    def folders(self, user: str) -> list[str]:
        """Return the names of the folders of a user, as the server spells them."""
        with self.login(user) as imap:
            lines = _checked(imap.list())
        return sorted(line.decode().rpartition(" ")[2].strip('"') for line in lines if line)

    @contextlib.contextmanager
    def login(self, user: str) -> Iterator[imaplib.IMAP4]:
        """Yield a plain IMAP session of this user, as another mail program would have one."""
        imap = imaplib.IMAP4(self.host, self.port, timeout=20)
        try:
            imap.login(user, PASSWORD)
            yield imap
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                imap.logout()

    def _look(self, user: str, folder: str) -> dict[int, tuple[bytes, set[str]]]:
        with self.login(user) as imap:
            _checked(imap.select(_quoted(folder), readonly=True))
            uids = _checked(imap.uid("SEARCH", "ALL"))[0].split()
            return {int(uid): _one(imap, uid.decode()) for uid in uids}

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 1) as sock:
                return sock.recv(64).startswith(b"* OK")
        except OSError:
            return False

    def _write_files(self) -> None:
        self.root.chmod(0o755)
        (self.root / "mail").mkdir()
        uid, gid, extra = self._who()
        self.port, self.tls_port, self.lmtp_port = _free_ports(3)
        if self.tls:
            _make_certificate(self.root)
            extra += f"ssl = yes\nssl_cert = <{self.root}/cert.pem\nssl_key = <{self.root}/key.pem\n"
        else:
            extra += "ssl = no\n"
        if self.capability:
            extra += f"imap_capability = {self.capability}\n"
        text = CONFIG.format(
            root=self.root,
            password=PASSWORD,
            uid=uid,
            gid=gid,
            separator=self.separator,
            prefix=self.prefix,
            imap_port=self.port,
            imaps_port=self.tls_port if self.tls else 0,
            lmtp_port=self.lmtp_port,
            extra=extra + self.settings,
        )
        (self.root / "dovecot.conf").write_text(text)

    def _who(self) -> tuple[int, int, str]:
        """Dovecot refuses to keep mail as root, and to change to another user as anybody else."""
        if os.getuid() == 0:
            nobody = 65534
            os.chown(self.root / "mail", nobody, nobody)
            return nobody, nobody, ""
        me, ours = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        extra = f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {ours}\n"
        return os.getuid(), os.getgid(), extra


@contextlib.contextmanager
def running_dovecot(**options: object) -> Iterator[Dovecot]:
    """Yield a running Dovecot, and stop it whatever happens."""
    server = Dovecot(**options)  # type: ignore[arg-type]
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _one(imap: imaplib.IMAP4, uid: str) -> tuple[bytes, set[str]]:
    data = _checked(imap.uid("FETCH", uid, "(FLAGS BODY.PEEK[])"))
    head, raw = next(part for part in data if isinstance(part, tuple))
    return raw, {flag.decode() for flag in imaplib.ParseFlags(head)}


def _checked(answer: tuple[str, list[bytes]]) -> list[bytes]:
    kind, data = answer
    if kind != "OK":
        raise RuntimeError(f"{kind} {data}")
    return data


def _quoted(folder: str) -> str:
    return f'"{folder}"'


def _program() -> str:
    found = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError("these tests need Dovecot (Debian: dovecot-imapd dovecot-lmtpd)")
    return found


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago: all are held at once, so that no two are equal."""
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in socks]


def _make_certificate(folder: Path) -> None:
    """Make a self-signed certificate for localhost and 127.0.0.1, good for two days."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    ssl.create_default_context(cafile=str(folder / "cert.pem"))


def _die_with_parent() -> None:
    """Ask the kernel to end Dovecot even when the test run is killed and cannot."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
