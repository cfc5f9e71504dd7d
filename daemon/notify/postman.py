"""Carries one mail at a time to the SMTP server: the only file that knows smtplib.

What comes in: an OutgoingMail. What goes out: its Fate, never an exception and never a secret. One connection is
kept for many mails. This file alone knows which reply in which phase of SMTP means what: before the final dot
everything may be repeated freely; once the dot has gone and no answer comes, nobody knows (RFC 1047).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from daemon.bearer import Bearer, answers_for
from daemon.certificate import good_until
from daemon.errors import TicketdError, UnreachableError
from daemon.notify.envelope import ascii_domain, clean_header, is_address
from daemon.notify.notice import OutgoingMail

_IDLE_SECONDS = 30.0
"""A connection unused for longer is not trusted to be alive still."""

_QUIT_SECONDS = 5.0
_REPLY_CHARS = 300
_CLOSING = 421
_GO_ON = 354
_FINE, _NEVER = 2, 5  # first digits of replies
_PHASES = ("MAIL", "RCPT", "DATA")
_DATA = 2
# Replies to MAIL that speak of us and not of the mail: log in first, wrong login, encryption needed.
_NOT_YOU = frozenset({530, 534, 535, 538})


class SmtpSettings(Protocol):
    """What has to be known of the server; `tls` is "implicit", "starttls" or "none" (loopback only)."""

    @property
    def host(self) -> str:
        """Name or address of the server."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def tls(self) -> str:
        """How the line is secured."""

    @property
    def username(self) -> str:
        """Whom to log in as, "" for nobody."""

    @property
    def timeout(self) -> float:
        """Seconds to wait for a connection or an answer."""

    @property
    def data_timeout(self) -> float:
        """Seconds to wait for the answer to a mail's last byte."""

    @property
    def ca_file(self) -> str:
        """Certificates to trust beside the system's, "" for none."""

    def secret(self) -> str:
        """Return the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one try. `code` is the server's last reply code, 0 where there was none.

    "temporary" may be tried again as often as you like, "permanent" never, "uncertain" (no answer to the final
    dot) sparingly: the mail may have arrived. `connection_lost`: no session could be had, which says nothing
    about this mail. `refused_us`: the server is there but will not have us; operators have to be told.
    """

    outcome: Literal["sent", "temporary", "permanent", "uncertain"]
    code: int = 0
    text: str = ""
    connection_lost: bool = False
    refused_us: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What the server says of itself once the line is secured and we are logged in; `fault`: why it did not come to it.

    `largest` is the size of a mail that it takes, in bytes, 0 where it does not say.
    """

    fault: str = ""
    able: frozenset[str] = frozenset()
    largest: int = 0
    certificate_ends: datetime | None = None


def greet(settings: SmtpSettings, bearer: Bearer | None = None) -> Greeting:
    """Open a session as for sending, look at the server and say goodbye; nothing is sent."""
    try:
        server = _connect(settings, _dial, bearer)
    except _NoSession as nothing:
        return Greeting(fault=f"{nothing.fate.code or ''} {nothing.fate.text}".strip())
    with contextlib.suppress(OSError):
        ends, able = good_until(server.sock), frozenset(server.esmtp_features)
        size = server.esmtp_features.get("size", "")
        server.quit()
    server.close()
    return Greeting(able=able, largest=int(size) if size.isdecimal() else 0, certificate_ends=ends)


class _NoSession(Exception):  # noqa: N818 - it is weather, and never leaves this file
    def __init__(self, code: int, text: str, *, refused_us: bool) -> None:
        super().__init__(text)
        self.fate = Fate(outcome="temporary", code=code, text=text, connection_lost=True, refused_us=refused_us)


class _LineCut(Exception):  # noqa: N818 - likewise
    """The connection broke before the final dot: nothing was handed over."""


class Postman:
    """Keeps one connection and sends mails over it; to be used by one thread at a time."""

    def __init__(
        self,
        settings: SmtpSettings,
        dial: Callable[[SmtpSettings], smtplib.SMTP] | None = None,
        bearer: Bearer | None = None,
    ) -> None:
        """Remember what is needed, without connecting; `dial` opens the line to the server.

        With a `bearer` a token takes the password's place.
        """
        self._settings, self._bearer, self._dial = settings, bearer, dial or _dial
        self._server: smtplib.SMTP | None = None
        self._used_at = 0.0
        self.last_ok: float | None = None

    def send(self, mail: OutgoingMail, at_the_end: Callable[[], None] | None = None) -> Fate:
        """Hand the mail to the server and return what became of it; never raises for anything of the network.

        `at_the_end` is called before the bytes leave that end with the final dot: from then on nobody knows what the
        server has, until it answers. What it raises passes through, and the mail has not left.
        """
        unfit = _unfit(mail)
        if unfit:
            return Fate(outcome="permanent", text=unfit)
        if self._server and time.monotonic() - self._used_at > _IDLE_SECONDS:
            self.close()
        kept = self._server is not None
        fate = self._try(mail, at_the_end)
        if fate.outcome == "temporary" and kept and self._server is None:
            # The kept connection was dead or said goodbye before it took the mail: that is no failure yet.
            fate = self._try(mail, at_the_end)
        return fate

    def close(self) -> None:
        """Say goodbye and hang up; a server that does not answer is not waited for."""
        server, self._server = self._server, None
        if server is None:
            return
        with contextlib.suppress(OSError):
            if server.sock:
                server.sock.settimeout(_QUIT_SECONDS)
            server.quit()
        server.close()

    def _try(self, mail: OutgoingMail, at_the_end: Callable[[], None] | None) -> Fate:
        try:
            if self._server is None:
                self._server = _connect(self._settings, self._dial, self._bearer)
            fate = self._transacted(self._server, mail, at_the_end)
        except _NoSession as nothing:
            return nothing.fate
        except _LineCut as cut:
            self._hang_up()
            return Fate(outcome="temporary", text=f"the connection broke before the mail was handed over: {cut}")
        self._used_at = time.monotonic()
        self.last_ok = self._used_at if fate.code else self.last_ok
        gone = self._server.sock is None or fate.code in (_CLOSING, -1)
        if gone or fate.outcome == "uncertain" or fate.connection_lost:
            self._hang_up()
        return fate

    def _transacted(self, server: smtplib.SMTP, mail: OutgoingMail, at_the_end: Callable[[], None] | None) -> Fate:
        try:
            return _transact(server, mail, self._settings, at_the_end)
        except _LineCut:
            raise
        except BaseException:  # the server waits for a mail that will not come
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._server:
            self._server.close()
        self._server = None


def _unfit(mail: OutgoingMail) -> str:
    """Return why no server may ever see this mail, "" where nothing is wrong."""
    for address in (mail.to, mail.envelope_from):
        if not is_address(address):
            return f"{clean_header(address, 100)!r} is not a mail address"
    if _has_bare_line_end(mail.content):
        return "the mail has line ends that are not CRLF"
    return ""


# A server may take a bare LF or CR for a line end and so read a second mail out of ours (SMTP smuggling).


def _has_bare_line_end(content: bytes) -> bool:
    """Whether a CR or LF stands alone: counting is a hundred times faster than a pattern that looks around."""
    return not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")


# ---- one session -----------------------------------------------------------------------------------------------


def _connect(
    settings: SmtpSettings, dial: Callable[[SmtpSettings], smtplib.SMTP], bearer: Bearer | None
) -> smtplib.SMTP:
    """Open a session that is encrypted, verified and logged in as configured, or raise _NoSession."""
    try:
        server = dial(settings)
    except smtplib.SMTPResponseException as error:
        raise _NoSession(error.smtp_code, f"greeting: {_text(error.smtp_error)}", refused_us=True) from None
    except ssl.SSLError as error:
        raise _NoSession(0, f"TLS with {settings.host}: {_text(error)}", refused_us=True) from None
    except (OSError, UnicodeError, ValueError) as error:
        raise _NoSession(0, f"{settings.host}:{settings.port}: {_text(error)}", refused_us=False) from None
    try:
        _secure_and_log_in(server, settings, bearer)
    except BaseException:
        server.close()
        raise
    return server


def _dial(settings: SmtpSettings) -> smtplib.SMTP:
    place = (settings.host, settings.port)
    server: smtplib.SMTP
    if settings.tls == "implicit":
        server = smtplib.SMTP_SSL(*place, timeout=settings.timeout, context=_context(settings))
    else:
        server = smtplib.SMTP(*place, timeout=settings.timeout)
    if server.sock:
        server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def _context(settings: SmtpSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    return context


def _secure_and_log_in(server: smtplib.SMTP, settings: SmtpSettings, bearer: Bearer | None) -> None:
    """Bring the open line to where mail may be sent. No secret is spoken before the line is safe."""
    step = "EHLO"
    try:
        server.ehlo_or_helo_if_needed()
        if settings.tls == "starttls":
            step = "STARTTLS"
            server.starttls(context=_context(settings))
            server.ehlo_or_helo_if_needed()
        elif settings.tls == "none" and not _at_home(server):
            raise _NoSession(0, f"{settings.host} is not this machine, and tls is 'none'", refused_us=True)
        if settings.username:
            step = "login"
            _log_in(server, settings, bearer)
    except smtplib.SMTPResponseException as error:
        closing = error.smtp_code == _CLOSING
        text = f"{step}: {_text(error.smtp_error)}"
        raise _NoSession(error.smtp_code, text, refused_us=not closing) from None
    except UnicodeError:  # its arguments hold the password
        raise _NoSession(0, "login: name and password have to be ASCII", refused_us=True) from None
    except UnreachableError as error:
        raise _NoSession(0, f"{step}: {_text(error)}", refused_us=False) from None
    except (smtplib.SMTPNotSupportedError, ssl.SSLError, TicketdError) as error:
        raise _NoSession(0, f"{step}: {_text(error)}", refused_us=True) from None
    except smtplib.SMTPException as error:
        lost = isinstance(error, smtplib.SMTPServerDisconnected)
        raise _NoSession(0, f"{step}: {_text(error)}", refused_us=not lost) from None
    except (OSError, ValueError) as error:
        raise _NoSession(0, f"{step}: {_text(error)}", refused_us=False) from None


def _log_in(server: smtplib.SMTP, settings: SmtpSettings, bearer: Bearer | None) -> None:
    """Log in with the password, or with a token; one that the server does not take is not shown to it again."""
    if bearer is None:
        server.login(settings.username, settings.secret())
        return
    token = bearer.tokens.fresh()
    try:
        answers: Any = answers_for(bearer.mechanism, settings.username, token)
        server.auth(bearer.mechanism, answers)
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code // 100 == _NEVER:
            bearer.tokens.refused(token)
        raise


def _at_home(server: smtplib.SMTP) -> bool:
    peer = server.sock.getpeername()[0] if server.sock else ""
    return ipaddress.ip_address(peer.partition("%")[0]).is_loopback


# ---- one mail --------------------------------------------------------------------------------------------------


def _transact(
    server: smtplib.SMTP, mail: OutgoingMail, settings: SmtpSettings, at_the_end: Callable[[], None] | None
) -> Fate:
    """Carry one mail through MAIL, RCPT, DATA and the dot; raise _LineCut if the line breaks before the dot."""
    sender, to = ascii_domain(mail.envelope_from), ascii_domain(mail.to)
    international = not (sender + to).isascii()
    if international and not server.has_extn("smtputf8"):
        return Fate(outcome="permanent", text=f"the server cannot carry the address {to} (no SMTPUTF8)")
    options = _options(server, mail.content, international=international)
    commands = [f"MAIL FROM:<{sender}>{options}", f"RCPT TO:<{to}>", "DATA"]
    try:
        refused = _announce(server, commands)
        if refused:
            return refused
    except (OSError, smtplib.SMTPException) as error:
        raise _LineCut(_text(error)) from None
    if at_the_end:
        at_the_end()
    try:
        _set_timeout(server, settings.timeout)
        _write(server, _dotted(mail.content))
    except (OSError, smtplib.SMTPException) as error:
        raise _LineCut(_text(error)) from None
    return _answer_to_the_dot(server, settings)


def _options(server: smtplib.SMTP, content: bytes, *, international: bool) -> str:
    options = f" SIZE={len(content)}" if server.has_extn("size") else ""
    if not content.isascii() and server.has_extn("8bitmime"):
        options += " BODY=8BITMIME"
    return options + (" SMTPUTF8" if international else "")


def _announce(server: smtplib.SMTP, commands: list[str]) -> Fate | None:
    """Say MAIL, RCPT and DATA, in one go where the server allows; return the refusal, None when all is well."""
    refusal = _say_at_once(server, commands) if server.has_extn("pipelining") else _say(server, commands)
    if refusal is None:
        return None
    # The refusal stands whatever comes now: some servers hang up right after it.
    with contextlib.suppress(OSError, smtplib.SMTPException):
        if refusal.code not in (_CLOSING, -1):
            _write(server, b"RSET\r\n")
            _reply(server)
    return refusal


def _say(server: smtplib.SMTP, commands: list[str]) -> Fate | None:
    for phase, command in enumerate(commands):
        _write(server, f"{command}\r\n".encode())
        refusal = _refusal(phase, *_reply(server))
        if refusal:
            return refusal
    return None


def _say_at_once(server: smtplib.SMTP, commands: list[str]) -> Fate | None:
    _write(server, "".join(f"{command}\r\n" for command in commands).encode())
    refusal, code = None, 0
    for phase in range(len(commands)):
        try:
            code, text = _reply(server)
        except (OSError, smtplib.SMTPException):
            if refusal:
                return refusal
            raise
        refusal = refusal or _refusal(phase, code, text)
    if refusal and code == _GO_ON:  # it waits for a mail without recipient: give it an empty one (RFC 2920)
        _write(server, b".\r\n")
        _reply(server)
    return refusal


def _refusal(phase: int, code: int, text: str) -> Fate | None:
    """Return what a reply to MAIL, RCPT or DATA means for the mail, None where it means: go on."""
    if code == _GO_ON or (phase < _DATA and code // 100 == _FINE):
        return None
    text = f"{_PHASES[phase]}: {text}"
    if code == _CLOSING:
        return Fate(outcome="temporary", code=code, text=text, connection_lost=True)
    if phase == 0 and (code in _NOT_YOU or re.search(r"\b5\.7\.\d", text)):
        return Fate(outcome="temporary", code=code, text=text, connection_lost=True, refused_us=True)
    return Fate(outcome="permanent" if code // 100 == _NEVER else "temporary", code=code, text=text)


def _answer_to_the_dot(server: smtplib.SMTP, settings: SmtpSettings) -> Fate:
    try:
        _set_timeout(server, settings.data_timeout)
        code, text = _reply(server)
        _set_timeout(server, settings.timeout)
    except (OSError, smtplib.SMTPException) as error:
        return Fate(outcome="uncertain", text=f"no answer to the mail's end: {_text(error)}")
    outcomes: dict[int, Literal["sent", "temporary", "permanent"]] = {2: "sent", 4: "temporary", 5: "permanent"}
    return Fate(outcome=outcomes.get(code // 100, "uncertain"), code=code, text=text)


def _dotted(content: bytes) -> bytes:
    """Return the mail as it goes over the line: dots doubled at line beginnings, and the final dot."""
    stuffed = content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def _write(server: smtplib.SMTP, data: bytes) -> None:
    """Write all of it. Where this raises, the last bytes, and with them a final dot, have not left."""
    if server.sock is None:
        raise smtplib.SMTPServerDisconnected("not connected")
    server.sock.sendall(data)


def _reply(server: smtplib.SMTP) -> tuple[int, str]:
    code, text = server.getreply()
    return code, _text(text)


def _set_timeout(server: smtplib.SMTP, seconds: float) -> None:
    if server.sock:
        server.sock.settimeout(seconds)


def _text(said: object) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return clean_header(words, _REPLY_CHARS)
