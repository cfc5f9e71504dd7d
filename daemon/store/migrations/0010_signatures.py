"""What a mail's DKIM signatures were worth when it was first read is kept with it: the keys may be gone tomorrow."""


def up(_migrator, db):  # noqa: D103
    db.execute_sql('ALTER TABLE "mail" ADD COLUMN "signed" TEXT NOT NULL DEFAULT \'\'')


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
