"""How often a mail was handed over to its end without an answer: a third copy helps nobody."""


def up(_migrator, db):  # noqa: D103
    db.execute_sql('ALTER TABLE "notice" ADD COLUMN "handed" INTEGER NOT NULL DEFAULT 0')


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
