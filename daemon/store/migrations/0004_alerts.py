"""By which monitoring alert a ticket was opened, so that a repeat finds it however many there are."""


def up(_migrator, db):  # noqa: D103
    db.execute_sql("ALTER TABLE ticket ADD COLUMN alert TEXT NOT NULL DEFAULT ''")
    db.execute_sql("CREATE INDEX ticket_alert_number ON ticket (alert, number)")


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
