"""Solved tickets of a category are found at once, for the assignment mails that name similar ones."""


def up(_migrator, db):  # noqa: D103
    db.execute_sql('CREATE INDEX "ticket_category_state_number" ON "ticket" ("category", "state", "number")')


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
