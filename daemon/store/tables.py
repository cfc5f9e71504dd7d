"""The tables, as peewee models without a database of their own; daemon.store.base binds them.

Every time is text in UTC of one fixed width, so that it sorts and compares alike on SQLite and PostgreSQL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import peewee as pw


def stamp(moment: datetime) -> str:
    """Return an aware moment as the database keeps it. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a naive time must not reach the database")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unstamp(text: str) -> datetime:
    """Return the moment that `stamp` was given, in UTC."""
    return datetime.fromisoformat(text)


class Moment(pw.TextField):
    """An aware datetime, kept by `stamp`."""

    def db_value(self, value: Any) -> Any:
        """Return the text for the database."""
        return stamp(value) if isinstance(value, datetime) else value

    def python_value(self, value: Any) -> Any:
        """Return the aware datetime."""
        return unstamp(value) if isinstance(value, str) else value


class Table(pw.Model):
    """What all tables have in common."""

    class Meta:
        legacy_table_names = False


class Mail(Table):
    """The ledger: one row for every UID that we ever saw, and what became of it."""

    id = pw.AutoField()
    mailbox = pw.TextField()
    uidvalidity = pw.BigIntegerField()
    uid = pw.BigIntegerField()
    received_at = Moment()
    size = pw.BigIntegerField()
    sha256 = pw.TextField()
    path = pw.TextField(default="")
    status = pw.TextField(default="received")
    reason = pw.TextField(default="")
    attempts = pw.IntegerField(default=0)
    retry_at = Moment(null=True)
    quiet = pw.BooleanField(default=False)
    filed = pw.BooleanField(default=False)
    message_id = pw.TextField(default="")
    core = pw.TextField(default="")
    ticket = pw.IntegerField(default=0)
    signed = pw.TextField(default="")

    class Meta:
        table_name = "mail"
        indexes = (
            (("mailbox", "uidvalidity", "uid"), True),
            (("status", "id"), False),
            (("filed", "mailbox"), False),
            (("message_id",), False),
            (("sha256",), False),
        )


class Raw(Table):
    """The bytes of the small mails; large ones lie in files (`mail.path`)."""

    mail = pw.IntegerField(primary_key=True)
    content = pw.BlobField()

    class Meta:
        table_name = "raw"


class MailboxSeen(Table):
    """Which generations of UIDs a mailbox has had; UIDs up to `baseline` are old and treated as `treat` says."""

    mailbox = pw.TextField()
    uidvalidity = pw.BigIntegerField()
    baseline = pw.BigIntegerField()
    treat = pw.TextField()
    since = Moment()

    class Meta:
        table_name = "mailbox_seen"
        primary_key = pw.CompositeKey("mailbox", "uidvalidity")


class TicketRow(Table):
    """A ticket as last drawn from its events; `picture` is the whole of it as JSON."""

    number = pw.IntegerField(primary_key=True)
    kind = pw.TextField()
    state = pw.TextField()
    severity = pw.IntegerField()
    category = pw.TextField()
    team = pw.TextField()
    assignee = pw.TextField()
    customer = pw.TextField()
    requester = pw.TextField()
    subject = pw.TextField()
    opened_at = Moment(null=True)
    next_due_at = Moment(null=True)
    queued_at = Moment(null=True)
    length = pw.IntegerField()
    picture = pw.TextField()
    alert = pw.TextField(default="")

    class Meta:
        table_name = "ticket"
        indexes = (
            (("alert", "number"), False),
            (("next_due_at",), False),
            (("queued_at",), False),
            (("state", "number"), False),
            (("assignee", "state"), False),
            (("requester", "opened_at"), False),
            (("category", "state", "number"), False),
        )


class EventRow(Table):
    """The history: append-only."""

    id = pw.AutoField()
    ticket = pw.IntegerField()
    seq = pw.IntegerField()
    kind = pw.TextField()
    data = pw.TextField()
    at = Moment()
    cause = pw.TextField()

    class Meta:
        table_name = "event"
        indexes = ((("ticket", "seq"), True),)


class Message(Table):
    """What people wrote on a ticket: the words that events refer to by mail number."""

    mail = pw.IntegerField(primary_key=True)
    ticket = pw.IntegerField()
    message_id = pw.TextField()
    sender = pw.TextField()
    sender_name = pw.TextField()
    recipients = pw.TextField()
    at = Moment()
    nature = pw.TextField()
    visibility = pw.TextField()
    subject = pw.TextField()
    text = pw.TextField()
    attachments = pw.TextField()

    class Meta:
        table_name = "message"
        indexes = ((("ticket", "mail"), False), (("message_id",), False))


class Participant(Table):
    """Who is on which record."""

    address = pw.TextField()
    ticket = pw.IntegerField()

    class Meta:
        table_name = "participant"
        primary_key = pw.CompositeKey("address", "ticket")


class NoticeRow(Table):
    """The outbox: every mail that we owe or owed, and its fate."""

    id = pw.AutoField()
    ticket = pw.IntegerField(default=0)
    template = pw.TextField()
    language = pw.TextField()
    recipient = pw.TextField()
    recipient_name = pw.TextField(default="")
    facts = pw.TextField()
    visibility = pw.TextField()
    automatic = pw.BooleanField(default=False)
    answers = pw.TextField(default="")
    thread = pw.TextField(default="[]")
    stem = pw.TextField(default="")
    cause = pw.TextField(default="")
    state = pw.TextField(default="owed")
    attempts = pw.IntegerField(default=0)
    handed = pw.IntegerField(default=0)
    created_at = Moment()
    next_try_at = Moment(null=True)
    leased_until = Moment(null=True)
    message_id = pw.TextField(default="")
    envelope_from = pw.TextField(default="")
    content = pw.BlobField(null=True)
    sent_at = Moment(null=True)
    last_reply = pw.TextField(default="")

    class Meta:
        table_name = "notice"
        indexes = (
            (("state", "next_try_at"), False),
            (("recipient", "created_at"), False),
            (("ticket",), False),
            (("message_id",), False),
        )


class Note(Table):
    """Small facts that must outlive a restart: alarms raised, the next number."""

    key = pw.TextField(primary_key=True)
    value = pw.TextField()
    at = Moment()

    class Meta:
        table_name = "note"


class DutyRow(Table):
    """What was done for which period; the row of recipient "" closes it."""

    duty = pw.TextField()
    period = pw.TextField()
    place = pw.TextField()
    recipient = pw.TextField()
    due_at = Moment()
    done_at = Moment()
    outcome = pw.TextField()
    tickets = pw.TextField()

    class Meta:
        table_name = "duty"
        primary_key = pw.CompositeKey("duty", "period", "place", "recipient")
        indexes = ((("due_at",), False),)


class RulesVersion(Table):
    """Every set of rules that was ever in force, the last row being the one that is; its files as JSON, by name.

    `placed`: whether the files are in the folder of the rules; where not, a crash came between, and they belong there.
    """

    id = pw.AutoField()
    version = pw.TextField(index=True)
    at = Moment()
    who = pw.TextField()
    how = pw.TextField()
    note = pw.TextField()
    files = pw.TextField()
    diff = pw.TextField()
    trial = pw.TextField()
    placed = pw.BooleanField()

    class Meta:
        table_name = "rules_version"


TABLES: tuple[type[Table], ...] = (
    Mail, Raw, MailboxSeen, TicketRow, EventRow, Message, Participant, NoticeRow, Note, DutyRow, RulesVersion,
)  # fmt: skip
