"""Since when a ticket waits for somebody of its team to become free; no ticket of before does."""


def up(_migrator, db):  # noqa: D103
    db.execute_sql("ALTER TABLE ticket ADD COLUMN queued_at TEXT")
    db.execute_sql("CREATE INDEX ticketrow_queued_at ON ticket (queued_at)")


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
