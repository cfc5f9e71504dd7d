"""Looks at everything that ticketd needs: files, disk, database, clock, mailboxes, SMTP, and the way a mail takes.

What comes in: where the configuration is. What goes out: Findings, one by one, each with its cure where there is one.
Nothing is changed but what a start would change too (the two folders are made), and with `send` two mails of our own go
out, which come back as what they are: nobody is told of them, and they open nothing.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from daemon.access import TokenSources, bearer_of, token_sources
from daemon.app import is_running, open_store, read_keys, service_of
from daemon.clock import Clock
from daemon.config import Config, MailboxConfig, load_config
from daemon.disk import room_in
from daemon.errors import ConfigError, TicketdError, UnreachableError
from daemon.inspection import check_everything
from daemon.intake.border import stamped_by, why_not_believed
from daemon.intake.letter import Letter, RawMail, read_letter
from daemon.intake.mailbox import Mailbox
from daemon.notify import mime
from daemon.notify.envelope import Keys, echo_marker, reply_address
from daemon.notify.notice import OutgoingMail
from daemon.notify.postman import Postman, greet
from daemon.spool import Spool
from daemon.store import KeptMail, Store
from daemon.words import MailStatus, domain_of

Verdict = Literal["ok", "warn", "fail"]
_SOON_DAYS = 14
_LOOKED_AT = 30
_WRONG_CLOCK = 90.0
_LOOK_AGAIN = 0.5
_CANARY = """\
This is a test mail that ticketd doctor has sent to itself. Nobody has to do anything about it.
这是 ticketd doctor 发给自己的测试邮件，请忽略。
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it."""

    subject: str
    verdict: Verdict
    said: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class _Shop:
    """What the examination works with."""

    config: Config
    store: Store
    clock: Clock
    spool: Spool = field(repr=False)
    tokens: TokenSources = field(repr=False)


def examine(path: Path, clock: Clock, *, send: bool = False, patience: float = 60.0) -> Iterator[Finding]:
    """Look at everything; a canary may take `patience` seconds to come back."""
    yield from _files(path, clock)
    try:
        config = load_config(path)
    except ConfigError:
        return  # every problem in it has been told
    yield from _machine(config, clock)
    try:
        store = open_store(config)
    except TicketdError as e:
        yield Finding("database", "fail", str(e), "see [database] url; or restore a backup")
        return
    with closing(store), tempfile.TemporaryDirectory() as folder:
        yield from _services(
            _Shop(config, store, clock, Spool(Path(folder)), token_sources(config)), send=send, patience=patience
        )


def _services(shop: _Shop, *, send: bool, patience: float) -> Iterator[Finding]:
    yield _database(shop)
    for settings in shop.config.mailbox:
        yield from _mailbox(settings, shop)
    yield _trust(shop)
    sound = True
    for finding in _smtp(shop):
        sound = sound and finding.verdict != "fail"
        yield finding
    if send and sound:
        yield from _canaries(shop, patience)


# --- this machine ---


def _files(path: Path, clock: Clock) -> Iterator[Finding]:
    """Read configuration, secrets, rules and templates as `ticketd check` does."""
    errors, remarks = check_everything(path, clock.now().date())
    for problem in errors:
        yield Finding("files", "fail", str(problem))
    if remarks:
        yield Finding("files", "warn", f"{len(remarks)} remarks on rules and templates", "read them: ticketd check")
    if not errors and not remarks:
        yield Finding("files", "ok", "configuration, rules and templates are sound; secrets are readable by us alone")


def _machine(config: Config, clock: Clock) -> Iterator[Finding]:
    state = Path(config.service.state_dir)
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        room = room_in(state)
        lack = room.lacks(config.limits.disk_reserve_mb)
        yield Finding("disk", "fail", lack, f"make room on the disk of {state}") if lack else (
            Finding("disk", "ok", f"{room.megabytes} MB free"))  # fmt: skip
    except OSError as e:
        yield Finding("disk", "fail", f"{state}: {e.strerror}", "make the folder, and give it to the user of ticketd")
    cure = "run chrony or systemd-timesyncd: times in mails, promises and tokens are taken from this clock"
    match clock.kept_right():
        case True:
            yield Finding("clock", "ok", f"kept right by the system: {clock.now():%Y-%m-%d %H:%M:%S} UTC")
        case False:
            yield Finding("clock", "warn", "nothing keeps this machine's clock right", cure)
        case None:
            yield Finding("clock", "warn", "the system does not say whether its clock is kept right", cure)
    running = is_running(config)
    yield Finding("daemon", "ok", "it runs") if running else Finding("daemon", "warn", "it does not run", "start it")


def _database(shop: _Shop) -> Finding:
    try:
        damage = shop.store.vitals.damage()
    except UnreachableError as e:
        return Finding("database", "fail", str(e))
    if damage:
        return Finding("database", "fail", f"the file is damaged: {damage}", "restore a backup")
    return Finding("database", "ok", "it answers, and is whole")


# --- a mailbox ---


def _mailbox(settings: MailboxConfig, shop: _Shop) -> Iterator[Finding]:
    name = f"mailbox {settings.name}"
    link = _link(settings, shop)
    with closing(link):
        try:
            link.connect()
            count = len(link.uids())
            ends = link.certificate_ends
        except (UnreachableError, OSError) as e:
            yield Finding(name, "fail", str(e), "mend host, port, tls, username or password in its [[mailbox]]")
            return
        yield Finding(name, "ok", f"logged in to {settings.host}; {count} mails in {settings.folder}")
        for folder, problem in link.problems.items():
            yield Finding(name, "fail", f"the folder {folder}: {problem}", "make it in a mail program, or name another")
        yield from _abilities(name, link.capabilities, settings)
        yield from _certificate(name, ends, shop)
        yield from _numbering(name, link.uidvalidity, settings, shop)


def _link(settings: MailboxConfig, shop: _Shop) -> Mailbox:
    return Mailbox(settings, shop.spool, shop.clock.now, bearer_of(settings, shop.config, shop.tokens))


def _abilities(name: str, able: frozenset[str], settings: MailboxConfig) -> Iterator[Finding]:
    said = ", ".join(sorted(able & {"MOVE", "UIDPLUS", "IDLE"})) or "none of MOVE, UIDPLUS, IDLE"
    if "MOVE" not in able and "UIDPLUS" not in able:
        yield Finding(name, "warn", f"{said}: mails are only marked as handled, and stay in {settings.folder}")
    elif settings.idle and "IDLE" not in able:
        yield Finding(name, "warn", f"{said}, no IDLE: new mail is found every {settings.poll_seconds:g} s only")
    else:
        yield Finding(name, "ok", said)


def _numbering(name: str, uidvalidity: int, settings: MailboxConfig, shop: _Shop) -> Iterator[Finding]:
    known = shop.store.ledger.generations(settings.name)
    if known and uidvalidity not in known:
        said = f"the server has numbered it anew (UIDVALIDITY {uidvalidity}); the next start imports it quietly"
        yield Finding(name, "warn", said, "see docs/operations.md: you move to another mail server")
    else:
        yield Finding(name, "ok", f"UIDVALIDITY {uidvalidity}{'' if known else ', seen for the first time'}")


def _certificate(name: str, ends: datetime | None, shop: _Shop) -> Iterator[Finding]:
    if ends is None:
        return
    days = (ends - shop.clock.now()).days
    verdict: Verdict = "ok" if days >= _SOON_DAYS else "warn"
    cure = "" if verdict == "ok" else "renew it on the server: without it nothing is fetched or sent"
    yield Finding(name, verdict, f"the certificate is good for {days} more days", cure)


# --- whom we believe ---


def _trust(shop: _Shop) -> Finding:
    """Look at the last mails that came: does a server that we trust say who wrote them, and is it on top?"""
    letters = [x for m in shop.store.ledger.latest(_LOOKED_AT) if (x := _letter_of(m)) and not _ours(x)]
    trust = service_of(shop.config).trust
    stamped = Counter(server for x in letters if (server := stamped_by(x.trail)) is not None)
    top = stamped.most_common(1)[0][0] if stamped else ""
    cure = f'in [trust] write authserv_ids = ["{top}"], if that is your own server' if top else ""
    if not trust.authserv_ids and not trust.microsoft365:
        return Finding("trust", "warn", _TRUSTLESS, cure or "see docs/security.md")
    whys = Counter(why for x in letters if (why := why_not_believed(x.trail, trust)))
    if not letters:
        return Finding("trust", "warn", "no mail has come yet to look at: ask again after the first ones")
    if whys.total() == len(letters):
        return Finding("trust", "fail", f"none of the last {len(letters)} mails: {whys.most_common(1)[0][0]}", cure)
    said = f"{len(letters) - whys.total()} of the last {len(letters)} mails have a verdict that counts"
    return Finding("trust", "ok", said)


_TRUSTLESS = "no server is trusted to tell senders apart: commands need the reply token in each mail"


def _letter_of(mail: KeptMail) -> Letter | None:
    """Return a mail as read; a large one is left out: there are enough others."""
    return read_letter(mail.content, thorough=False) if mail.content else None


def _ours(letter: Letter) -> bool:
    return bool(letter.header("X-Ticketd-Id"))


# --- sending ---


def _smtp(shop: _Shop) -> Iterator[Finding]:
    settings = shop.config.smtp
    said = greet(settings, bearer_of(settings, shop.config, shop.tokens))
    if said.fault:
        yield Finding("smtp", "fail", said.fault, "mend host, port, tls, username or password in [smtp]")
        return
    who = f", logged in as {settings.username}" if settings.username else ", without a login"
    size = f", takes mails up to {said.largest >> 20} MB" if said.largest else ""
    yield Finding("smtp", "ok", f"{settings.host}:{settings.port} greets us ({settings.tls}){who}{size}")
    yield from _certificate("smtp", said.certificate_ends, shop)


# --- a canary: a mail of ours that goes out by SMTP and has to come back by IMAP ---


@dataclass(frozen=True, slots=True)
class _Found:
    """A canary that came back: where, what became of it, and when the server says that it came."""

    mailbox: str
    status: MailStatus | None = None
    ticket: int = 0
    received_at: datetime | None = None


def _canaries(shop: _Shop, patience: float) -> Iterator[Finding]:
    """Send one to our address, and one to an address such as answers to our mails go to."""
    keys, service = read_keys(Path(shop.config.service.secret_file)), shop.config.service
    targets = [service.address]
    if service.reply_addresses == "plus":
        targets.append(reply_address(service.address, "canary"))
    for target in targets:
        yield from _canary(_canary_mail(target, keys, shop), shop, patience)


def _canary_mail(target: str, keys: Keys, shop: _Shop) -> OutgoingMail:
    service = shop.config.service
    name = secrets.token_hex(8)
    identifier = f"<canary.{name}@{domain_of(service.address)}>"
    headers = (
        mime.address_header("From", service.name, service.address),
        mime.address_header("To", "", target),
        mime.text_header("Subject", f"ticketd canary {name}"),
        f"Date: {mime.format_datetime(shop.clock.now())}\r\n",
        f"Message-ID: {identifier}\r\n",
        "Auto-Submitted: auto-generated\r\n",
        f"X-Ticketd-Id: {echo_marker(identifier, keys)}\r\n",
    )
    content = mime.build(headers, _CANARY, f"<p>{_CANARY}</p>", f"canary{name}")
    return OutgoingMail(message_id=identifier, envelope_from=service.address, to=target, content=content)


def _canary(mail: OutgoingMail, shop: _Shop, patience: float) -> Iterator[Finding]:
    """Send one and wait for it: in the ledger of the running daemon, else in the mailboxes themselves."""
    subject, postman = (
        f"canary to {mail.to}",
        Postman(shop.config.smtp, bearer=bearer_of(shop.config.smtp, shop.config, shop.tokens)),
    )
    with closing(postman):
        began = Clock.monotonic()
        fate = postman.send(mail)
    if fate.outcome != "sent":
        yield Finding(subject, "fail", f"it was not taken: {fate.code or ''} {fate.text}".strip())
        return
    sent_at, found = shop.clock.now(), _awaited(mail.message_id, shop, began + patience)
    seconds = Clock.monotonic() - began
    if found is None:
        plus = '; if your server knows no such addresses: reply_addresses = "none"' if "+" in mail.to else ""
        cure = f"see that your mail server delivers {mail.to} into the mailbox that is configured{plus}"
        yield Finding(subject, "fail", f"sent, but after {seconds:.0f} s it is in no mailbox of ours", cure)
        return
    yield _judged(subject, found, seconds)
    if found.received_at and abs((found.received_at - sent_at).total_seconds()) > _WRONG_CLOCK:
        apart = abs((found.received_at - sent_at).total_seconds())
        yield Finding(
            "clock", "warn", f"the mail server's clock and ours are {apart:.0f} s apart", "mend the wrong one"
        )


def _judged(subject: str, found: _Found, seconds: float) -> Finding:
    if found.ticket or found.status not in (None, MailStatus.IGNORED):
        said = f"it came back, but was taken for a stranger's mail ({found.status}, ticket {found.ticket})"
        return Finding(subject, "fail", said, "something on the way takes the header X-Ticketd-Id away, or changes ids")
    how = "and the daemon knew it for its own" if found.status else "and lies there until ticketd is started"
    return Finding(subject, "ok", f"came back to {found.mailbox} after {seconds:.1f} s, {how}")


def _awaited(message_id: str, shop: _Shop, until: float) -> _Found | None:
    found = None
    while found is None and Clock.monotonic() < until:
        Clock.pause(_LOOK_AGAIN)
        known = shop.store.ledger.known_as(message_id)
        found = _Found(*known) if known else None
        if found is None and not is_running(shop.config):
            found = _in_mailboxes(message_id, shop)
    return found


def _in_mailboxes(message_id: str, shop: _Shop) -> _Found | None:
    """Look for it on the servers ourselves; it is left there: the next start knows it for our own, and files it."""
    for settings in shop.config.mailbox:
        link = _link(settings, shop)
        with closing(link):
            try:
                link.connect()
                mails = link.fetch(link.uids()[-_LOOKED_AT:])
                if mail := _among(mails, message_id):
                    return _Found(settings.name, received_at=mail.received_at)
            except UnreachableError:
                continue
    return None


def _among(mails: Iterable[object], message_id: str) -> RawMail | None:
    for mail in mails:
        if isinstance(mail, RawMail) and mail.content and message_id.encode() in mail.content[:4096]:
            return mail
    return None
