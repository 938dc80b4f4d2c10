"""Bring a database to the schema of this code."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from migrate import grants, indexes, partitions
from migrate.revision import MIGRATION_LOCK, NEW_REVISIONS, current


class NewerSchemaError(Exception):
    """The database has a schema that this code does not know: that of newer code."""

    def __init__(self, revision: str) -> None:
        super().__init__(f"the database's schema, revision {revision}, is newer than this code")
        self.revision = revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def head() -> str:
    """Return the revision that this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 - there is a first migration
    return revision


def upgrade(engine: sa.Engine) -> tuple[str | None, str]:
    """Run the missing migrations and grant the roles their rights, in one transaction, one caller at a time.

    Then build the indexes and the partitions that others need not wait for (`migrate.indexes`, `migrate.partitions`). Return the
    revisions before and after.
    """
    before, after = _migrate(engine)
    indexes.build(engine)
    partitions.build(engine)
    return before, after


def _migrate(engine: sa.Engine) -> tuple[str | None, str]:
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # a big table takes its time
        connection.execute(sa.text("SET LOCAL lock_timeout = 0"))  # and so does waiting for another run
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))
        before = current(connection)
        config = _config()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if before is not None and before not in known:
            raise NewerSchemaError(before)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(NEW_REVISIONS)
        grants.apply(connection)
        return before, head()
