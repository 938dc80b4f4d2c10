"""The database's roles: one for each kind of function, each with no more rights than it needs.

The master user creates them once, before anything else connects (`python -m migrate.roles` prints the
statements for a database of your own). What they may do with a table is the migration's business: see
`migrate.grants`. Source: Amazon Aurora user guide, "Creating a database account using IAM authentication".
"""

from typing import Final

OWNER: Final = "logstats_owner"
"""Owns the tables. Nobody signs in as it: the migrator and the master user are its members. It must not be one of `rds_iam`:
whoever is, also through another role, signs in with tokens only, and the master user has a password (the same guide, "IAM database
authentication")."""
MIGRATOR: Final = "logstats_migrator"
"""Runs the migrations, as the owner."""
WRITER: Final = "logstats_writer"
"""Ingests."""
READER: Final = "logstats_reader"
"""Answers requests."""
EXPIRER: Final = "logstats_expirer"
"""Removes what is behind the retention horizon, and advances it."""

USERS: Final = (MIGRATOR, WRITER, READER, EXPIRER)
"""Those who sign in."""
ROLES: Final = (OWNER, *USERS)


def statements(database: str, *, iam: bool = True) -> list[str]:
    """Return the statements that create the roles; each may be run again and changes nothing then.

    They need the right to create roles and to own the database, and no superuser. The roles sign in with IAM tokens, as on
    Aurora; without, they have no way to sign in yet. Who runs them becomes a member of the owner: since PostgreSQL 16, who has
    created a role may administer it, and no more.
    """
    users = ", ".join(USERS)
    return [
        _create(OWNER, "NOLOGIN"),
        *(_create(role, "LOGIN") for role in USERS),
        f"GRANT {OWNER} TO CURRENT_USER, {MIGRATOR}",
        f"ALTER ROLE {MIGRATOR} SET role = {OWNER}",
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{database}" TO {users}',
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {OWNER}, {users}",
        f"GRANT CREATE ON SCHEMA public TO {OWNER}",
        f"ALTER ROLE {READER} SET default_transaction_read_only = on",
        *([f"GRANT rds_iam TO {users}"] if iam else []),
    ]


def _create(role: str, options: str) -> str:
    """Create a role unless it exists: PostgreSQL has no CREATE ROLE IF NOT EXISTS."""
    return f"DO $$ BEGIN CREATE ROLE {role} {options}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"


if __name__ == "__main__":
    print(";\n".join(statements("logstats", iam=False)) + ";")
