"""The revision of a schema, found without Alembic, which takes longer to import than most commands to run."""

from pathlib import Path

import sqlalchemy as sa

MIGRATION_LOCK = 0x6C6F6773  # "logs": any fixed number; concurrent deploys wait for each other
NEW_REVISIONS = sa.text(
    "SELECT setval('revisions', greatest(nextval('revisions'),"
    " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))"
)
"""A database restored from a snapshot must not give revisions again that clients know of other content."""

IS_PARTITIONED = sa.text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('contributions')")
"""Tells whether `migrate.partitions` has done its work."""

HEAD = max(path.name for path in Path(__file__).with_name("versions").glob("[0-9]*.py")).partition("_")[0]
"""The revision that this code needs."""


def current(connection: sa.Connection) -> str | None:
    """Return the revision that a database has, or None if it has no schema yet."""
    if connection.scalar(sa.text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def renew(connection: sa.Connection) -> bool:
    """Do what `migrate.schema.upgrade` does with a database that is up to date; return whether it is."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    if current(connection) != HEAD or not connection.scalar(IS_PARTITIONED):
        return False
    connection.execute(NEW_REVISIONS)
    return True
