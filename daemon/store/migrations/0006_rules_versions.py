"""Every set of rules that was ever in force is kept, with who put it there, when and why."""

import peewee as pw


def up(_migrator, db):  # noqa: D103
    class RulesVersion(pw.Model):
        id = pw.AutoField()
        version = pw.TextField(index=True)
        at = pw.TextField()
        who = pw.TextField()
        how = pw.TextField()
        note = pw.TextField()
        files = pw.TextField()
        diff = pw.TextField()
        trial = pw.TextField()
        placed = pw.BooleanField()

        class Meta:
            database = db
            table_name = "rules_version"

    db.create_tables([RulesVersion], safe=False)


def down(_migrator, _db):  # noqa: D103
    raise RuntimeError("the schema never goes backwards: restore a backup made before the upgrade instead")
