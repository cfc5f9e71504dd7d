"""One IMAP mailbox: lists what is there, brings mails as bytes, and moves them away when told to.

What comes in: settings, and UIDs from the caller's ledger. What goes out: RawMails and what happened to the
rest. This file alone knows imapclient, what servers can and cannot do, and how folders are spelt. It decides
nothing about a mail and keeps nothing but files in the spool. Until `file` is called, no mail on the server
changes; `connect` makes the two folders that mails are filed to.

Errors: UnreachableError means weather. The link is already closed then; wait (daemon.backoff) and `connect`
again. An OSError comes from our own disk. Mails' bytes never get into messages or logs.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, NoReturn, Protocol, TypeAlias

from imapclient import DELETED, IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, ProtocolError

from daemon.backoff import Trouble, suggested_wait
from daemon.bearer import AccessToken, Bearer, answers_for
from daemon.certificate import good_until
from daemon.errors import TokenRefusedError, UnreachableError
from daemon.intake.letter import RawMail
from daemon.intake.wire import USUAL_ALLOWANCE, Lifeline, Wire
from daemon.spool import Incoming, Spool

# imapclient writes whole mails to its debug loggers, whatever level the root has.
logging.getLogger("imapclient").setLevel(logging.CRITICAL + 1)

MAILS_PER_LIST = 500
MAILS_PER_COMMAND = 50
BYTES_PER_COMMAND = 8 << 20
LARGE = 1 << 20
"""A mail above this many bytes goes to the spool in pieces and is never whole in memory."""
PIECE = 2 << 20
SLACK = 2 << 20
"""Bytes that an answer may have beyond twice what was announced: what the server says beside it."""
HEADER_BYTES = 256 << 10
SLOWEST_LINK = 64 << 10
"""Bytes a second; a body gets the read timeout and the time it takes at this speed."""
LONGEST_IDLE = 9 * 60.0
LISTEN_SLICE = 0.4
"""Seconds: how soon a stop is noticed while listening."""
STOP_PATIENCE = 2.0
"""Seconds that leaving IDLE may take when we are in a hurry; a server that answers takes milliseconds."""
LOGOUT_PATIENCE = 2.0
DOUBTS = 3
"""After so many broken links in a row over one and the same mail, the mail is called unreadable."""

# What the library raises over a server's nonsense: beside its own errors, whatever int() and decode() say.
_NONSENSE = (ProtocolError, ValueError, LookupError, TypeError)
_THROTTLED = re.compile(
    r"backoff|throttl|too many|not connected|overquota|exceeded|try again later|\[(LIMIT|INUSE)\]",
    re.IGNORECASE,
)
_QUOTED_BYTES = re.compile(r"[\s:(]*\bb['\"]")

Where = Literal["handled", "quarantine"]
_KEYWORDS: Mapping[Where, str] = {"handled": "$TicketdHandled", "quarantine": "$TicketdQuarantine"}


class MailboxSettings(Protocol):
    """What a Mailbox has to be told; daemon.config.MailboxConfig is one."""

    # fmt: off
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def host(self) -> str: ...  # noqa: D102
    @property
    def port(self) -> int: ...  # noqa: D102
    @property
    def tls(self) -> str: ...  # noqa: D102
    @property
    def username(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> str: ...  # noqa: D102
    @property
    def handled_folder(self) -> str: ...  # noqa: D102
    @property
    def quarantine_folder(self) -> str: ...  # noqa: D102
    @property
    def idle(self) -> bool: ...  # noqa: D102
    @property
    def connect_timeout(self) -> float: ...  # noqa: D102
    @property
    def read_timeout(self) -> float: ...  # noqa: D102
    @property
    def max_mail_bytes(self) -> int: ...  # noqa: D102
    @property
    def ca_file(self) -> str: ...  # noqa: D102
    def secret(self) -> str: ...  # noqa: D102
    # fmt: on


@dataclass(frozen=True, slots=True)
class Vanished:
    """The server says that there is no such mail (any more)."""

    uid: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The mail is there, but the server does not hand it out; may be tried again."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The mail is above max_mail_bytes: only its header was fetched, cut at HEADER_BYTES."""

    uid: int
    size: int
    received_at: datetime
    header: bytes


Fetched: TypeAlias = RawMail | Vanished | Unreadable | TooLarge


class MailboxUnreachableError(UnreachableError):
    """The server does not serve us: `kind` says how to wait, `wish` how long it asked us to stay away."""

    def __init__(self, what: str, kind: Trouble, wish: float | None = None) -> None:
        super().__init__(what)
        self.kind: Trouble = kind
        self.wish = wish


class _RefusedError(Exception):
    """The server answered NO, in order; the link is good."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a mail before it is fetched; a size of 0 means that the server did not say."""

    size: int
    received_at: datetime


class Mailbox:
    """One mailbox on one server, over one connection; for one thread. It may be connected again and again."""

    def __init__(
        self,
        settings: MailboxSettings,
        spool: Spool,
        now: Callable[[], datetime],
        bearer: Bearer | None = None,
        clock: Callable[[], float] = time.monotonic,
        dial: Callable[..., Any] | None = None,
    ) -> None:
        """Remember what is needed, without connecting; `dial` opens the line to the server.

        With a `bearer` a token takes the password's place.
        """
        self._dial = dial or _Client
        self.settings = settings
        self.uidvalidity = 0
        self.last_ok: float | None = None
        self.problems: dict[str, str] = {}
        self._spool, self._now, self._clock = spool, now, clock
        self._bearer = bearer
        self._token: AccessToken | None = None
        self._client: Any = None
        self._lifeline = Lifeline()
        self._able: frozenset[bytes] = frozenset()
        self._folders: dict[Where, str] = {}
        self._prefix = self._delimiter = ""
        self._selected = self._keywords_last = False
        self._news = True
        self._idle_refused = False
        # These outlive a connection: which mails broke it, and which were copied but not yet removed.
        self._doubts: Counter[int] = Counter()
        self._copied: set[int] = set()

    # ---- the link

    def connect(self) -> None:
        """Log in, make sure of the folders and select the mailbox; an old connection is dropped first.

        Raises MailboxUnreachableError. There is no fallback to less security than the settings ask for.
        `problems` then says what is not as it should be but does not stop us: folder → reason.
        """
        self._drop()
        self._open()
        if self.settings.tls == "starttls":
            self._ask(lambda: self._client.starttls(self._context()))
        self._login()
        self._able = frozenset(self._ask(self._client.capabilities))
        self._find_folders()
        self._select()

    @property
    def connected(self) -> bool:
        """Whether there is a link that we do not doubt."""
        return self._client is not None

    @property
    def stale(self) -> bool:
        """Whether the token that we logged in with is about to end, and the session with it: connect anew."""
        return self._life_left() <= 0

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server has said that it can do."""
        return frozenset(name.decode("ascii", "replace").upper() for name in self._able)

    @property
    def certificate_ends(self) -> datetime | None:
        """Until when the server's certificate is good; None without TLS."""
        return good_until(self._live().wire.sock)

    def noop(self) -> None:
        """Ask for a sign of life."""
        self._ask(self._live().noop)

    def close(self) -> None:
        """Say goodbye and disconnect; never waits longer than LOGOUT_PATIENCE and never raises."""
        if self._client is not None:
            with contextlib.suppress(UnreachableError, _RefusedError):
                self._call(self._client.logout, seconds=LOGOUT_PATIENCE)
        self._drop()

    def _open(self) -> None:
        wanted = self.settings
        self._lifeline = Lifeline()
        self._idle_refused = False
        with self._watched(wanted.connect_timeout + wanted.read_timeout):
            self._client = self._dial(wanted, self._lifeline, self._context if wanted.tls == "implicit" else None)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.settings.ca_file or None)

    def _login(self) -> None:
        try:
            if self._bearer is not None:
                self._show_token(self._bearer)
            else:
                self._say_password(self.settings.username, self.settings.secret())
        except _RefusedError as no:
            self._lose(str(no), otherwise="transport" if "[UNAVAILABLE]" in str(no) else "login")

    def _say_password(self, user: str, secret: str) -> None:
        if (user + secret).isascii() and (user + secret).isprintable():
            self._call(self._client.login, _quoted(user), secret)
        else:  # LOGIN can carry neither; PLAIN carries any bytes
            self._call(self._client.plain_login, user, secret)

    def _show_token(self, bearer: Bearer) -> None:
        """Log in with a token; one that the server does not take is not shown to it again."""
        try:
            self._token = token = bearer.tokens.fresh()
        except UnreachableError as e:
            self._give_up(str(e), "transport")
        except TokenRefusedError as e:
            self._give_up(str(e), "login")
        answers = answers_for(bearer.mechanism, self.settings.username, token)
        try:
            self._call(self._client.sasl_login, bearer.mechanism, answers)
        except _RefusedError:
            bearer.tokens.refused(token)
            raise

    def _give_up(self, what: str, kind: Trouble) -> NoReturn:
        self._drop()
        raise MailboxUnreachableError(f"{self.settings.host}: {what}", kind) from None

    def _life_left(self) -> float:
        """Return for how many seconds this session may still last."""
        if self._bearer is None or self._token is None:
            return math.inf
        return self._bearer.tokens.seconds_left(self._token)

    def _select(self) -> None:
        answer = self._ask(self._client.select_folder, self._spelt(self.settings.folder))
        validity = answer.get(b"UIDVALIDITY", 0)
        if not validity:
            self._lose("the server does not say UIDVALIDITY: its UIDs cannot be trusted")
        if validity != self.uidvalidity:
            self._doubts.clear()
            self._copied.clear()
        self.uidvalidity, self._selected = validity, True
        self._keywords_last = rb"\*" in answer.get(b"PERMANENTFLAGS", ())

    # ---- looking

    def uids(self, since: date | None = None) -> list[int]:
        """Return every UID in the folder, ascending; a flag that somebody set hides no mail from us.

        `since`: only what came on that day of the server or later, for looking back; never for the daily work.
        """
        live = self._live()
        self._news = False  # what is announced from here on may be missing in the answer
        found = self._ask(live.search, ["SINCE", since] if since else "ALL")
        return sorted({uid for uid in found if uid > 0})

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait for news for at most so many seconds (and 9 minutes) and return whether there may be some.

        It never outlasts the token that we logged in with: ask `stale` afterwards.
        With IDLE, False only means that the server told us nothing: look all the same. Returns soon after
        `stop` is set. Raises MailboxUnreachableError when the link is found dead.
        """
        live = self._live()
        seconds = max(0.0, min(seconds, LONGEST_IDLE, self._life_left()))
        if self._idles() and self._ask(live.enter_idle):
            return self._listen(self._clock() + seconds, stop)
        self._idle_refused = self._idles()
        return not stop.wait(seconds)

    def _idles(self) -> bool:
        return self.settings.idle and b"IDLE" in self._able and not self._idle_refused

    def _listen(self, until: float, stop: threading.Event) -> bool:
        """Listen in IDLE, then leave it. What came with the answer to IDLE itself is looked at first."""
        self._call(self._client.wire.take_lines, False)
        while not (self._news or stop.is_set()) and self._clock() < until:
            if self._client.wire.poll(max(0.0, min(LISTEN_SLICE, until - self._clock()))):
                self._call(self._client.wire.take_lines, True)
        if not stop.is_set():
            self._ask(self._client.idle_done)
            return self._news
        with contextlib.suppress(UnreachableError):
            self._ask(self._client.idle_done, seconds=STOP_PATIENCE)
        return self._news

    # ---- fetching

    def fetch(self, uids: Iterable[int]) -> Iterator[Fetched]:
        """Bring these mails, one at a time, leaving no trace on the server (BODY.PEEK).

        Ascending by UID, but mails that broke a link before come last and alone. received_at is the server's
        INTERNALDATE in UTC, or now where it is missing or in the future.
        """
        wanted = sorted(set(uids), key=lambda uid: (self._doubts[uid], uid))
        for some in _slices(wanted, MAILS_PER_LIST):
            trusted = [uid for uid in some if not self._doubts[uid]]
            with self._blaming(trusted):
                facts = self._facts(trusted)
            for group in self._groups(some, facts):
                if len(group) == 1 and self._goes_alone(group[0], facts):
                    yield self._alone(group[0], facts.get(group[0]))
                else:
                    yield from self._together(group, facts)

    def _facts(self, uids: Sequence[int]) -> dict[int, _Facts]:
        answers = self._items(uids, ["RFC822.SIZE", "INTERNALDATE"], 200 * len(uids))
        return {uid: self._fact(answer) for uid, answer in answers.items()}

    def _fact(self, answer: Mapping[bytes, Any]) -> _Facts:
        size = answer.get(b"RFC822.SIZE")
        return _Facts(size if isinstance(size, int) else 0, self._received(answer.get(b"INTERNALDATE")))

    def _received(self, stated: object) -> datetime:
        now = self._now()
        if not isinstance(stated, datetime) or stated.tzinfo is None:
            return now
        return min(stated.astimezone(UTC), now)

    def _groups(self, uids: Sequence[int], facts: Mapping[int, _Facts]) -> Iterator[list[int]]:
        """Part UIDs into what is asked for in one command; a mail that goes alone is a group of its own."""
        group: list[int] = []
        size = 0
        for uid in uids:
            alone = self._goes_alone(uid, facts)
            more = 0 if alone else facts[uid].size
            if group and (alone or len(group) == MAILS_PER_COMMAND or size + more > BYTES_PER_COMMAND):
                yield group
                group, size = [], 0
            if alone:
                yield [uid]
            else:
                group.append(uid)
                size += more
        if group:
            yield group

    def _goes_alone(self, uid: int, facts: Mapping[int, _Facts]) -> bool:
        return self._doubts[uid] > 0 or uid not in facts or not 0 < facts[uid].size <= self._largest_in_batch

    @property
    def _largest_in_batch(self) -> int:
        return min(LARGE, self.settings.max_mail_bytes)

    def _together(self, group: Sequence[int], facts: Mapping[int, _Facts]) -> Iterator[Fetched]:
        size = sum(facts[uid].size for uid in group)
        with self._blaming(group):
            answers = self._items(group, ["BODY.PEEK[]"], size)
        for uid in group:
            body = _body(answers.pop(uid, {}))
            if body:
                yield self._mail(uid, facts[uid].received_at, body)
            else:  # NIL, nothing or "": asked once more, alone
                yield self._alone(uid, facts[uid])

    def _mail(self, uid: int, received_at: datetime, body: bytes) -> RawMail:
        return RawMail(
            mailbox=self.settings.name,
            uidvalidity=self.uidvalidity,
            uid=uid,
            received_at=received_at,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            content=body,
        )

    def _alone(self, uid: int, facts: _Facts | None) -> Fetched:
        if self._doubts[uid] > DOUBTS:
            return Unreadable(uid, f"the connection broke {self._doubts[uid]} times over this mail")
        with self._blaming([uid]):
            if facts is None and self._doubts[uid] <= 1:  # more than that: perhaps over this very question
                facts = self._facts([uid]).get(uid)
            facts = facts or _Facts(0, self._now())
            if facts.size > self.settings.max_mail_bytes:
                return self._too_large(uid, facts, facts.size)
            fetched = self._in_pieces(uid, facts)
        del self._doubts[uid]
        return fetched

    def _in_pieces(self, uid: int, facts: _Facts) -> Fetched:
        with self._spool.incoming() as file:
            failed = self._pour(uid, facts, file)
            if failed is not None:
                return failed
            kept = file.keep()
        return RawMail(
            mailbox=self.settings.name,
            uidvalidity=self.uidvalidity,
            uid=uid,
            received_at=facts.received_at,
            size=kept.size,
            sha256=kept.sha256,
            path=str(kept.path),
        )

    def _pour(self, uid: int, facts: _Facts, file: Incoming) -> Fetched | None:
        """Write the mail into the file, or return why not.

        RFC822.SIZE is a hint: servers err both ways. The end is a piece that is short where the size says so,
        or one that is empty.
        """
        while file.size <= self.settings.max_mail_bytes:
            piece = self._piece(uid, f"BODY.PEEK[]<{file.size}.{PIECE}>")
            ended = 0 < facts.size <= file.size or facts.size == 0 < file.size
            if piece is None and not ended:
                return self._missing(uid, "the server does not hand out this mail")
            if piece:
                file.write(piece)
            if not piece or (len(piece) < PIECE and file.size >= facts.size):
                return None if file.size else self._missing(uid, "the server hands out an empty mail")
        return self._too_large(uid, facts, file.size)

    def _piece(self, uid: int, item: str) -> bytes | None:
        return _body(self._items([uid], [item], PIECE).get(uid, {}))

    def _too_large(self, uid: int, facts: _Facts, size: int) -> Fetched:
        header = self._piece(uid, f"BODY.PEEK[HEADER]<0.{HEADER_BYTES}>")
        if header is None:
            return self._missing(uid, "the server does not hand out the header of this mail")
        return TooLarge(uid, size, facts.received_at, header)

    def _missing(self, uid: int, reason: str) -> Vanished | Unreadable:
        return Unreadable(uid, reason) if self._present([uid]) else Vanished(uid)

    def _items(self, uids: Sequence[int], items: list[str], size: int) -> dict[int, dict[bytes, Any]]:
        """FETCH; a refusal is an empty answer, since one bad mail may be the reason for it."""
        live = self._live()
        seconds = self.settings.read_timeout + size / SLOWEST_LINK
        try:
            answers: dict[int, dict[bytes, Any]] = self._call(
                live.fetch, uids, items, seconds=seconds, allowance=2 * size + SLACK
            )
        except _RefusedError:
            return {}
        return answers

    def _present(self, uids: Collection[int]) -> set[int]:
        """Return those of the UIDs that the server still has."""
        asked = ",".join(map(str, sorted(uids)))
        return set(uids) & set(self._ask(self._live().search, ["UID", asked]))

    @contextlib.contextmanager
    def _blaming(self, uids: Iterable[int]) -> Iterator[None]:
        """Remember which mails were fetched when the link broke: next time they come last, and alone."""
        try:
            yield
        except MailboxUnreachableError as lost:
            if lost.kind == "transport":
                self._doubts.update(uids)
            raise

    # ---- filing

    def file(self, uids: Iterable[int], where: Where, *, uidvalidity: int) -> set[int]:
        """Move mails away, only ever after our own commit; return those that need no more filing.

        Nothing happens if `uidvalidity` is not the folder's any more: those UIDs would be other mails. What
        was not done may be asked for again; what the server refused is in `problems`.
        """
        self._live()
        if uidvalidity != self.uidvalidity:
            return set()
        done: set[int] = set()
        for batch in _slices(sorted(set(uids)), MAILS_PER_COMMAND):
            done |= self._file_some(batch, where)
        return done

    def _file_some(self, uids: Sequence[int], where: Where) -> set[int]:
        """File as well as this server can, but never with a plain EXPUNGE: it takes others' mails along."""
        folder = self._folders.get(where, "")
        if folder and b"MOVE" in self._able:
            self._into(folder, self._client.move, uids)
            return set(uids) - self._present(uids)
        if folder and b"UIDPLUS" in self._able:
            return self._copy_and_remove(uids, folder)
        if self._keywords_last:
            self._try(self._client.add_flags, uids, [_KEYWORDS[where]], True)
        return set(uids)  # the ledger knows what was done

    def _copy_and_remove(self, uids: Sequence[int], folder: str) -> set[int]:
        """Remove only what was copied for certain; what was copied once is not copied again."""
        fresh = [uid for uid in uids if uid not in self._copied]
        if not fresh or self._into(folder, self._client.copy, fresh):
            self._copied.update(fresh)
        copied = [uid for uid in uids if uid in self._copied]
        if copied and not self._try(self._client.add_flags, copied, [DELETED], True):
            self._try(self._client.uid_expunge, copied)
        self._copied.difference_update(copied)
        return set(copied)

    def _into(self, folder: str, how: Callable[..., Any], uids: Sequence[int]) -> bool:
        """Move or copy to a folder, making it again if somebody removed it; return whether it was done."""
        refusal = self._try(how, uids, folder)
        if "TRYCREATE" in refusal and self._ensure(folder):
            refusal = self._try(how, uids, folder)
        if refusal:
            self.problems[folder] = refusal
        else:
            self.problems.pop(folder, None)
        return not refusal

    # ---- folders

    def _find_folders(self) -> None:
        self.problems.clear()
        self._prefix, self._delimiter = self._namespace()
        self._folders = {
            "handled": self._ensure(self._spelt(self.settings.handled_folder)),
            "quarantine": self._ensure(self._spelt(self.settings.quarantine_folder)),
        }

    def _namespace(self) -> tuple[str, str]:
        """Return what our folders' names begin with, and what stands between a folder and its parent."""
        if b"NAMESPACE" in self._able:
            spaces = self._ask(self._client.namespace).personal
            if spaces:
                return _text(spaces[0][0]), _text(spaces[0][1])
        rows = self._ask(self._client.list_folders, "", "")
        return "", _text(rows[0][1]) if rows else ""

    def _spelt(self, name: str) -> str:
        """Spell a folder as this server wants it; in the settings a slash parts folder and parent."""
        if not name or name.upper() == "INBOX":
            return name
        if self._delimiter and self._delimiter != "/":
            name = name.replace("/", self._delimiter)
        return name if name.startswith(self._prefix) else self._prefix + name

    def _ensure(self, name: str) -> str:
        """Make the folder unless it is there; return its name, or "" when it cannot be had."""
        if not name or self._exists(name):
            return name
        refusal = self._try(self._client.create_folder, name)
        if self._exists(name):
            self._try(self._client.subscribe_folder, name)  # so that people see it in their mail program
            return name
        self.problems[name] = refusal or "the server does not show this folder after making it"
        return ""

    def _exists(self, name: str) -> bool:
        rows = self._ask(self._client.list_folders, "", name)
        barred = {b"\\noselect", b"\\nonexistent"}
        return any(
            row[2].casefold() == name.casefold() and not barred & {flag.lower() for flag in row[0]} for row in rows
        )

    # ---- one command

    def _live(self) -> Any:
        if self._client is None:
            raise MailboxUnreachableError(f"{self.settings.host}: not connected", "transport")
        return self._client

    def _ask(self, call: Callable[..., Any], *args: Any, seconds: float | None = None) -> Any:
        """Run a command that has to succeed; a refusal counts as a lost link."""
        try:
            return self._call(call, *args, seconds=seconds)
        except _RefusedError as no:
            self._lose(str(no))

    def _try(self, call: Callable[..., Any], *args: Any) -> str:
        """Run a command that may be refused; return the refusal or ""."""
        try:
            self._call(call, *args)
        except _RefusedError as no:
            return str(no)
        return ""

    def _call(
        self,
        call: Callable[..., Any],
        *args: Any,
        seconds: float | None = None,
        allowance: int = USUAL_ALLOWANCE,
    ) -> Any:
        """Run one library call under a total deadline; whatever casts doubt on the link ends it."""
        client = self._client
        client.wire.allowance, client.wire.answered = allowance, ""
        with self._watched(seconds or self.settings.read_timeout):
            answer = client.run(call, *args)
        if client.wire.answered == "OK":
            self.last_ok = self._clock()
        self._take_note(client.wire.untagged_responses)
        return answer

    def _take_note(self, untagged: dict[str, list[Any]]) -> None:
        """Look at what the server said beside its answer, and forget it: imaplib would hoard it for ever."""
        self._news = self._news or "EXISTS" in untagged
        validity = untagged.get("UIDVALIDITY", [None])[-1]
        untagged.clear()
        if self._selected and validity not in (None, str(self.uidvalidity).encode()):
            self._lose("UIDVALIDITY changed")

    @contextlib.contextmanager
    def _watched(self, seconds: float) -> Iterator[None]:
        try:
            with self._lifeline.within(seconds):
                yield
        except (IMAPClientError, OSError, *_NONSENSE) as trouble:
            if self._lifeline.expired:
                self._lose(f"no complete answer within {seconds:.0f} s")
            if isinstance(trouble, _NONSENSE) and not isinstance(trouble, ssl.SSLError):
                self._lose("an answer of the server makes no sense")
            self._lose(str(trouble) or type(trouble).__name__)

    def _lose(self, what: str, otherwise: Trouble = "transport") -> NoReturn:
        """Close the link and raise; nothing that the server sent inside a mail gets into the message."""
        self._drop()
        wish = suggested_wait(what)
        barred = "[AUTHENTICATIONFAILED]" not in what and _THROTTLED.search(what)
        kind: Trouble = "throttled" if barred or wish is not None else otherwise
        # No mail can be in an answer to LOGIN, and its words are what an operator needs most.
        said = what if "BAD" in what or otherwise == "login" else _QUOTED_BYTES.split(what)[0]
        said = f"the login of {self.settings.username} was refused: {said}" if otherwise == "login" else said
        raise MailboxUnreachableError(f"{self.settings.host}: {said[:200]}", kind, wish) from None

    def _drop(self) -> None:
        client, self._client, self._selected = self._client, None, False
        self._lifeline.cut()
        if client is not None:
            with contextlib.suppress(OSError, ValueError):
                client.shutdown()


class _Client(IMAPClient):  # type: ignore[misc]
    """imapclient on our own Wire: it can be cut, makes no debug text, and is patient when it enters IDLE."""

    def __init__(
        self, wanted: MailboxSettings, lifeline: Lifeline, context: Callable[[], ssl.SSLContext] | None
    ) -> None:
        self._wanted, self._lifeline, self._make_context = wanted, lifeline, context
        super().__init__(
            wanted.host,
            wanted.port,
            ssl=context is not None,
            timeout=SocketTimeout(wanted.connect_timeout, wanted.read_timeout),
        )
        self.normalise_times = False
        self._imap.debug = 0  # it would make a string of every byte, four times slower

    @property
    def wire(self) -> Wire:
        return self._imap  # type: ignore[no-any-return]

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call, and tell a refusal in good order from everything else."""
        try:
            return call(*args)
        except IMAPClientError as error:
            if self.wire.answered == "NO":
                raise _RefusedError(str(error)) from None
            raise

    def enter_idle(self) -> bool:
        """Enter IDLE and return whether the server let us; other answers may come before its consent."""
        tag = self._idle_tag = self._imap._command("IDLE")
        while self._imap._get_response() is not None:
            if self._imap.tagged_commands[tag]:
                del self._imap.tagged_commands[tag]
                return False
        return True

    def _create_IMAP4(self) -> Wire:  # noqa: N802
        context = self._make_context() if self._make_context else None
        only_loopback = self._wanted.tls == "none"
        timeout = self._wanted.connect_timeout
        return Wire(
            self.host,
            self.port,
            timeout=timeout,
            lifeline=self._lifeline,
            context=context,
            only_loopback=only_loopback,
        )

    def _consume_until_tagged_response(self, tag: bytes, command: str) -> Any:
        """The library's way for NOOP and DONE, which passes by our Wire's note of the answer."""
        answer = super()._consume_until_tagged_response(tag, command)
        self.wire.answered = "OK"
        return answer


def _body(answer: Mapping[bytes, Any]) -> bytes | None:
    """Return the literal of a FETCH answer: None where there is none, b"" where it is empty."""
    found = (value for key, value in answer.items() if key.startswith(b"BODY["))
    return next((value for value in found if isinstance(value, bytes)), None)


def _slices(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _quoted(text: str) -> str:
    """Quote a user name: imaplib quotes the password only."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: str | bytes | None) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value or ""
