"""Automatic answers of the last hour and day are counted with every mail."""


def up(_migrator, db):  # noqa: D103
    db.execute_sql('CREATE INDEX "notice_automatic" ON "notice" ("created_at") WHERE "automatic"')


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
