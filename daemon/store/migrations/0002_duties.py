"""What was done for which period: day-end lists, review lists, follow-ups."""

import peewee as pw


def up(_migrator, db):  # noqa: D103
    class Duty(pw.Model):
        duty = pw.TextField()
        period = pw.TextField()
        place = pw.TextField()
        recipient = pw.TextField()
        due_at = pw.TextField()
        done_at = pw.TextField()
        outcome = pw.TextField()
        tickets = pw.TextField()

        class Meta:
            database = db
            table_name = "duty"
            primary_key = pw.CompositeKey("duty", "period", "place", "recipient")
            indexes = ((("due_at",), False),)

    db.create_tables([Duty], safe=False)


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
