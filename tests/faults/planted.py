"""Bugs that are planted to see whether the campaign would find them: each as a real one would read, none of them named
to the checker.

What comes in: the name of a bug. What goes out: a daemon that has it, for as long as the context lasts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import jinja2
import structlog

from daemon import decide, flow, silence, spool
from daemon.errors import UnreachableError
from daemon.events import Noted, ProgressTold
from daemon.intake import identity, mailbox
from daemon.intake.mailbox import Mailbox
from daemon.intake.understand import NewIncident
from daemon.notify.render import Renderer
from daemon.store import base, ledger, lookup, register, tables
from daemon.store import outbox as outbox_module
from daemon.store.base import Database
from daemon.store.ledger import Ledger
from daemon.store.lookup import Lookup
from daemon.store.outbox import Outbox
from daemon.words import MailStatus, State

Patch = Callable[..., None]
"""(owner, attribute, wrapper): the wrapper gets what was there, and then the arguments."""

PLANTED: dict[str, Callable[[Patch], None]] = {}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have this bug; the owner must have the attribute, or the bug is planted in a daemon that is no more."""
    with ExitStack() as stack:

        def patch(owner: Any, attribute: str, wrapper: Callable[..., Any]) -> None:
            there = getattr(owner, attribute)

            def replaced(*args: Any, **more: Any) -> Any:
                return wrapper(there, *args, **more)

            stack.enter_context(mock.patch.object(owner, attribute, replaced))

        if name:
            PLANTED[name](patch)
        yield


def plant(name: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def remember(bug: Callable[[Patch], None]) -> Callable[[Patch], None]:
        PLANTED[name] = bug
        return bug

    return remember


# --- at the IMAP server ---


@plant("fetching marks a mail as seen")
def _(patch: Patch) -> None:
    patch(Mailbox, "_items", lambda there, self, uids, items, size: there(
        self, uids, [i.replace("BODY.PEEK[", "BODY[") for i in items], size))  # fmt: skip


@plant("mails are moved before they are kept")
def _(patch: Patch) -> None:
    def fetch(there: Any, self: Mailbox, uids: Any) -> Any:
        got = list(there(self, uids))
        self.file([g.uid for g in got], "handled", uidvalidity=self.uidvalidity)
        return iter(got)

    patch(Mailbox, "fetch", fetch)


@plant("only unseen mails are listed")
def _(patch: Patch) -> None:
    patch(Mailbox, "uids", lambda _, self: sorted(self._ask(self._live().search, "UNSEEN")))


@plant("only mails above the highest known UID are fetched")
def _(patch: Patch) -> None:
    patch(Ledger, "uids", lambda there, *args: set(range(1, max(there(*args), default=0) + 1)))


@plant("plain EXPUNGE")
def _(patch: Patch) -> None:
    def copy_and_remove(_: Any, self: Mailbox, uids: Any, folder: str) -> set[int]:
        if self._into(folder, self._client.copy, uids):
            self._try(self._client.add_flags, uids, [mailbox.DELETED], True)
            self._try(self._client.expunge)
        return set(uids)

    patch(Mailbox, "_copy_and_remove", copy_and_remove)


@plant("a mail is removed though its copy was refused")
def _(patch: Patch) -> None:
    def into(there: Any, *args: Any) -> bool:
        there(*args)
        return True

    patch(Mailbox, "_into", into)


@plant("a line that is cut counts as an empty inbox")
def _(patch: Patch) -> None:
    def swallowing(otherwise: Any) -> Any:
        def call(there: Any, *args: Any, **more: Any) -> Any:
            try:
                return there(*args, **more)
            except UnreachableError:
                return otherwise

        return call

    patch(Mailbox, "uids", swallowing([]))
    patch(Mailbox, "wait", swallowing(False))
    patch(Mailbox, "file", swallowing(set()))


@plant("a body that is missing becomes an empty mail")
def _(patch: Patch) -> None:
    patch(mailbox, "_body", lambda there, answer: there(answer) or b"\r\n")


@plant("filing that failed is written down as done")
def _(patch: Patch) -> None:
    def file(there: Any, self: Mailbox, uids: Any, *args: Any, **more: Any) -> set[int]:
        with suppress(UnreachableError):
            there(self, uids, *args, **more)
        return set(uids)

    patch(Mailbox, "file", file)


# --- the ledger ---


@plant("mails are known by Message-ID alone")
def _(patch: Patch) -> None:
    def seen_before(_: Any, self: Lookup, letter: Any, mail: Any) -> tuple[int, bool]:
        sql = "SELECT id FROM mail WHERE message_id = ? AND id <> ? AND status = 'handled' LIMIT 1"
        row = self._base.one(sql, (letter.message_id, mail.id))
        return (int(row[0]) if row else 0), False

    patch(Lookup, "_seen_before", seen_before)


@plant("copies are not recognised")
def _(patch: Patch) -> None:
    patch(Lookup, "_seen_before", lambda *_: (0, False))


@plant("UIDs are known without their UIDVALIDITY")
def _(patch: Patch) -> None:
    def uids(_: Any, self: Ledger, name: str, uidvalidity: int) -> set[int]:
        return {int(row[0]) for row in self._base.rows("SELECT uid FROM mail WHERE mailbox = ?", (name,))}

    patch(Ledger, "uids", uids)


@plant("no unique key on the ledger")
def _(patch: Patch) -> None:
    def migrate(there: Any, self: Database) -> None:
        there(self)
        found = self.db.execute_sql(
            "SELECT name FROM sqlite_master WHERE type='index' AND tbl_name='mail' AND sql LIKE '%UNIQUE%'"
        )
        for (name,) in found.fetchall():
            self.db.execute_sql(f'DROP INDEX "{name}"')

    patch(Database, "_migrate", migrate)
    patch(
        Database, "_spelt", lambda there, self, sql: there(self, re.sub(r"ON CONFLICT \(mailbox.*? NOTHING", "", sql))
    )


@plant("an attempt is counted in the transaction that it is about")
def _(patch: Patch) -> None:
    patch(Ledger, "attempt", lambda *_: None)

    def take(there: Any, self: Ledger, mail: int) -> bool:
        self._base.run("UPDATE mail SET attempts = attempts + 1 WHERE id = ?", (mail,))
        return there(self, mail)

    patch(Ledger, "take", take)


@plant("a mail is tried for ever")
def _(patch: Patch) -> None:
    patch(flow, "_worth_a_try", lambda _, mails, desk: list(mails))


@plant("what a mail became is committed after what it did")
def _(patch: Patch) -> None:
    later: list[Callable[[], None]] = []
    patch(Ledger, "take", lambda *_: True)
    patch(Ledger, "finish", lambda there, *args, **more: later.append(lambda: there(*args, **more)))

    def handle_all(there: Any, *args: Any) -> None:
        later.clear()
        there(*args)
        for finish in later:
            finish()

    patch(flow, "_handle_all", handle_all)


@plant("no transaction around a mail")
def _(patch: Patch) -> None:
    @contextmanager
    def transaction(_: Any, self: Database) -> Iterator[None]:
        with self._weather():
            self.db.connect(reuse_if_open=True)
            yield

    patch(Database, "transaction", transaction)


@plant("quarantine forgets the bytes")
def _(patch: Patch) -> None:
    def finish(there: Any, self: Ledger, mail: int, status: MailStatus, *args: Any, **more: Any) -> None:
        there(self, mail, status, *args, **more)
        if status is MailStatus.QUARANTINED:
            self._base.run("DELETE FROM raw WHERE mail = ?", (mail,))

    patch(Ledger, "finish", finish)


@plant("quarantine says no reason")
def _(patch: Patch) -> None:
    patch(flow, "_quarantine", lambda there, mail, reason, desk: there(mail, "", desk))


@plant("line ends are tidied up before a mail is kept")
def _(patch: Patch) -> None:
    def keep(there: Any, self: Ledger, mail: Any, *args: Any, **more: Any) -> int:
        if mail.content is not None:
            mail = replace(mail, content=mail.content.replace(b"\r\n", b"\n"))
        return there(self, mail, *args, **more)

    patch(Ledger, "_keep", keep)


@plant("local times in the database")
def _(patch: Patch) -> None:
    for module in (register, ledger, outbox_module, lookup, tables):
        patch(module, "stamp", lambda there, moment: there(moment + timedelta(hours=8))[:-1] + "+08:00")


# --- the disk ---


@plant("large mails are not synced to disk")
def _(patch: Patch) -> None:
    patch(spool.os, "fsync", lambda *_: None)


@plant("SQLite does not sync a commit")
def _(patch: Patch) -> None:
    def opened(there: Any, *args: Any) -> Any:
        db = there(*args)
        db._pragmas = [(k, "off" if k == "synchronous" else v) for k, v in db._pragmas]
        return db

    patch(base, "_open_sqlite", opened)


@plant("SQLite syncs a commit now and then (NORMAL)")
def _(patch: Patch) -> None:
    def opened(there: Any, *args: Any) -> Any:
        db = there(*args)
        db._pragmas = [(k, "normal" if k == "synchronous" else v) for k, v in db._pragmas]
        return db

    patch(base, "_open_sqlite", opened)


# --- the outbox ---


@plant("mails are sent inside a transaction")
def _(patch: Patch) -> None:
    def deliver(there: Any, desk: Any, *args: Any) -> Any:
        with desk.store.transaction():
            return there(desk, *args)

    patch(flow, "deliver_outbox", deliver)


@plant("a new Message-ID for every try")
def _(patch: Patch) -> None:
    def rendered(there: Any, owed: Any, desk: Any) -> Any:
        return [_renamed(mail) for mail in there(owed, desk)]

    def _renamed(mail: Any) -> Any:
        name = f"<try{random.randrange(10**9)}@example.com>".encode()
        content = re.sub(rb"(?im)^message-id: *<[^>]*>", b"Message-ID: " + name, mail.content, count=1)
        return replace(mail, content=content, message_id=name.decode())

    patch(flow, "_rendered", rendered)


@plant("a mail counts as sent before it is sent")
def _(patch: Patch) -> None:
    def rendered(there: Any, owed: Any, desk: Any) -> Any:
        mails = there(owed, desk)
        for item in owed:
            desk.store.outbox.sent(item.id, "", desk.clock.now())
        return mails

    patch(flow, "_rendered", rendered)


@plant("a passing refusal is taken for the last word")
def _(patch: Patch) -> None:
    def settle(there: Any, item: Any, fate: Any, desk: Any) -> None:
        if fate.outcome == "temporary":
            desk.store.outbox.dead(item.id, fate.text)
        else:
            there(item, fate, desk)

    patch(flow, "settle", settle)


@plant("a mail without an answer is sent again at once, and again")
def _(patch: Patch) -> None:
    def settle(there: Any, item: Any, fate: Any, desk: Any) -> None:
        if fate.outcome == "uncertain":
            desk.store.outbox.retry(item.id, fate.text, desk.clock.now())
        else:
            there(item, fate, desk)

    patch(flow, "settle", settle)


@plant("a lease never ends")
def _(patch: Patch) -> None:
    patch(Outbox, "claim", lambda there, self, now, lease, limit: there(self, now, timedelta(days=900), limit))
    patch(Outbox, "release_leases", lambda *_: None)


@plant("a mail that is given up is told to nobody")
def _(patch: Patch) -> None:
    patch(flow, "_give_up", lambda _, item, reply, desk, now: desk.store.outbox.dead(item.id, reply))


@plant("our mails do not say that they are automatic")
def _(patch: Patch) -> None:
    patch(Renderer, "_headers", lambda there, *args: [h for h in there(*args) if "auto-submitted" not in h.lower()])


# --- who may what ---


@plant("reply tokens are not proved")
def _(patch: Patch) -> None:
    patch(lookup, "check_token", lambda _, token, candidates, keys: next(iter(candidates), None))


@plant("the last Authentication-Results counts")
def _(patch: Patch) -> None:
    def border_says(there: Any, trail: Any, domain: str, trust: Any) -> Any:
        return there([x for x in trail if x[0] == "authentication-results"][::-1], domain, trust)

    patch(identity, "border_says", border_says)


@plant("everybody may command")
def _(patch: Patch) -> None:
    patch(decide, "_no_authority", lambda *_: "")


@plant("a number in the subject opens every ticket")
def _(patch: Patch) -> None:
    patch(lookup, "_on_record", lambda *_: True)


@plant("notes are told like progress")
def _(patch: Patch) -> None:
    def choose(there: Any, change: Any, scene: Any) -> Any:
        told = tuple(ProgressTold(by=e.by, text=e.text) if isinstance(e, Noted) else e for e in change.events)
        return there(replace(change, events=told), scene)

    patch(flow, "choose_notices", choose)


# --- robots ---


@plant("automatic mail is answered")
def _(patch: Patch) -> None:
    patch(decide, "may_answer", lambda *_, **__: "")


@plant("no cap on answers")
def _(patch: Patch) -> None:
    patch(silence, "_too_many", lambda *_, **__: "")


@plant("a bounce opens a ticket")
def _(patch: Patch) -> None:
    def understood(there: Any, letter: Any, *args: Any) -> Any:
        return NewIncident(letter) if letter.bounce else there(letter, *args)

    patch(flow, "understand", understood)


@plant("our own mail is not recognised")
def _(patch: Patch) -> None:
    patch(lookup, "is_echo", lambda *_: False)


# --- what is said ---


@plant("a subject is a template")
def _(patch: Patch) -> None:
    def handle(there: Any, mail: Any, letter: Any, desk: Any, now: Any) -> Any:
        subject = jinja2.Template(letter.subject).render(ticket=State.NEW)
        return there(mail, replace(letter, subject=subject), desk, now)

    patch(flow, "handle_mail", handle)


@plant("mails are logged")
def _(patch: Patch) -> None:
    def handle(there: Any, mail: Any, letter: Any, *args: Any) -> Any:
        structlog.get_logger().debug("mail.read", text=letter.new_text)
        return there(mail, letter, *args)

    patch(flow, "handle_mail", handle)


@plant("passwords are logged")
def _(patch: Patch) -> None:
    def login(there: Any, self: Mailbox) -> None:
        structlog.get_logger().debug("mailbox.login", user=self.settings.username, secret=self.settings.secret())
        there(self)

    patch(Mailbox, "_login", login)
