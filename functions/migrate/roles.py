"""The database's roles: one for each kind of function, each with no more rights than it needs.

The master user creates them once, before anything else connects (`python -m migrate.roles` prints the
statements for a database of your own). What they may do with a table is the migration's business: see
`migrate.grants`. Source: Amazon Aurora user guide, "Creating a database account using IAM authentication".
"""

from typing import Final

OWNER: Final = "logstats_owner"
"""Runs the migrations, and owns what they create."""
WRITER: Final = "logstats_writer"
"""Ingests."""
READER: Final = "logstats_reader"
"""Answers requests."""
EXPIRER: Final = "logstats_expirer"
"""Removes what is behind the retention horizon, and advances it."""

ROLES: Final = (OWNER, WRITER, READER, EXPIRER)


def statements(database: str, *, iam: bool = True) -> list[str]:
    """Return the statements that create the roles; each may be run again and changes nothing then.

    They need the right to create roles and to own the database, and no superuser. The roles sign in with IAM tokens, as on
    Aurora; without, they have no way to sign in yet.
    """
    everyone = ", ".join(ROLES)
    return [
        *(_create(role) for role in ROLES),
        *([f"GRANT rds_iam TO {everyone}"] if iam else []),
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{database}" TO {everyone}',
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {everyone}",
        f"GRANT CREATE ON SCHEMA public TO {OWNER}",
        f"ALTER ROLE {READER} SET default_transaction_read_only = on",
    ]


def _create(role: str) -> str:
    """Create a role unless it exists: PostgreSQL has no CREATE ROLE IF NOT EXISTS."""
    return f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"


if __name__ == "__main__":
    print(";\n".join(statements("logstats", iam=False)) + ";")
