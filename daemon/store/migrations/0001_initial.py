"""The first schema: plain SQL-shaped definitions that never change again, whatever the models become."""

import peewee as pw


def up(_migrator, db):  # noqa: D103
    class Base(pw.Model):
        class Meta:
            database = db

    class Mail(Base):
        id = pw.AutoField()
        mailbox = pw.TextField()
        uidvalidity = pw.BigIntegerField()
        uid = pw.BigIntegerField()
        received_at = pw.TextField()
        size = pw.BigIntegerField()
        sha256 = pw.TextField(index=True)
        path = pw.TextField()
        status = pw.TextField()
        reason = pw.TextField()
        attempts = pw.IntegerField()
        retry_at = pw.TextField(null=True)
        quiet = pw.BooleanField()
        filed = pw.BooleanField()
        message_id = pw.TextField(index=True)
        core = pw.TextField()
        ticket = pw.IntegerField()

        class Meta:
            table_name = "mail"
            indexes = (
                (("mailbox", "uidvalidity", "uid"), True),
                (("status", "id"), False),
                (("filed", "mailbox"), False),
            )

    class Raw(Base):
        mail = pw.IntegerField(primary_key=True)
        content = pw.BlobField()

        class Meta:
            table_name = "raw"

    class MailboxSeen(Base):
        mailbox = pw.TextField()
        uidvalidity = pw.BigIntegerField()
        baseline = pw.BigIntegerField()
        treat = pw.TextField()
        since = pw.TextField()

        class Meta:
            table_name = "mailbox_seen"
            primary_key = pw.CompositeKey("mailbox", "uidvalidity")

    class Ticket(Base):
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
        opened_at = pw.TextField(null=True)
        next_due_at = pw.TextField(null=True, index=True)
        length = pw.IntegerField()
        picture = pw.TextField()

        class Meta:
            table_name = "ticket"
            indexes = (
                (("state", "number"), False),
                (("assignee", "state"), False),
                (("requester", "opened_at"), False),
            )

    class Event(Base):
        id = pw.AutoField()
        ticket = pw.IntegerField()
        seq = pw.IntegerField()
        kind = pw.TextField()
        data = pw.TextField()
        at = pw.TextField()
        cause = pw.TextField()

        class Meta:
            table_name = "event"
            indexes = ((("ticket", "seq"), True),)

    class Message(Base):
        mail = pw.IntegerField(primary_key=True)
        ticket = pw.IntegerField()
        message_id = pw.TextField(index=True)
        sender = pw.TextField()
        sender_name = pw.TextField()
        recipients = pw.TextField()
        at = pw.TextField()
        nature = pw.TextField()
        visibility = pw.TextField()
        subject = pw.TextField()
        text = pw.TextField()
        attachments = pw.TextField()

        class Meta:
            table_name = "message"
            indexes = ((("ticket", "mail"), False),)

    class Participant(Base):
        address = pw.TextField()
        ticket = pw.IntegerField()

        class Meta:
            table_name = "participant"
            primary_key = pw.CompositeKey("address", "ticket")

    class Notice(Base):
        id = pw.AutoField()
        ticket = pw.IntegerField(index=True)
        template = pw.TextField()
        language = pw.TextField()
        recipient = pw.TextField()
        recipient_name = pw.TextField()
        facts = pw.TextField()
        visibility = pw.TextField()
        automatic = pw.BooleanField()
        answers = pw.TextField()
        thread = pw.TextField()
        stem = pw.TextField()
        cause = pw.TextField()
        state = pw.TextField()
        attempts = pw.IntegerField()
        created_at = pw.TextField()
        next_try_at = pw.TextField(null=True)
        leased_until = pw.TextField(null=True)
        message_id = pw.TextField(index=True)
        envelope_from = pw.TextField()
        content = pw.BlobField(null=True)
        sent_at = pw.TextField(null=True)
        last_reply = pw.TextField()

        class Meta:
            table_name = "notice"
            indexes = ((("state", "next_try_at"), False), (("recipient", "created_at"), False))

    class Note(Base):
        key = pw.TextField(primary_key=True)
        value = pw.TextField()
        at = pw.TextField()

        class Meta:
            table_name = "note"

    db.create_tables([Mail, Raw, MailboxSeen, Ticket, Event, Message, Participant, Notice, Note], safe=False)


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
