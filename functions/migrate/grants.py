"""Give each role its rights on each table: those named here, and no others.

A migration that creates a table names it here: a test compares this with the models.
"""

from typing import Final

import sqlalchemy as sa

from migrate.roles import EXPIRER, READER, WRITER

TABLES: Final[dict[str, dict[str, str]]] = {
    READER: {
        "daily_statistics": "SELECT",
        "customers": "SELECT",
        "log_objects": "SELECT",
        "alembic_version": "SELECT",
    },
    WRITER: {
        "daily_statistics": "SELECT, INSERT, UPDATE, DELETE",
        "customers": "SELECT, INSERT, UPDATE, DELETE",
        "log_objects": "SELECT, INSERT, UPDATE",  # the ledger's rows never go
        "attempts": "SELECT, INSERT, UPDATE, DELETE",
        "attempt_parts": "SELECT, INSERT, DELETE",  # a coordinator takes what members have sent
        "contributions": "SELECT, INSERT, DELETE",  # what is staged is never changed
        "retention": "SELECT",
    },
    EXPIRER: {
        "retention": "SELECT, UPDATE",
        "daily_statistics": "SELECT, DELETE",
        "customers": "SELECT, UPDATE, DELETE",
        "log_objects": "SELECT",
    },
}
SEQUENCES: Final[dict[str, dict[str, str]]] = {
    READER: {},
    WRITER: {"revisions": "USAGE"},
    EXPIRER: {"revisions": "USAGE"},
}
FUNCTIONS: Final[dict[str, dict[str, str]]] = {
    READER: {},
    WRITER: {"make_partitions(date[])": "EXECUTE"},
    EXPIRER: {"drop_expired_partition(text)": "EXECUTE"},
}
"""They run with the rights of the tables' owner."""


_OURS = sa.text("""
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', nspname, relname)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role(relowner, 'USAGE')
    UNION ALL
    SELECT 'FUNCTION', oid::regprocedure::text
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND pg_has_role(proowner, 'USAGE')
""")
"""Finds what is in the schema, and belongs to the connection's user or to a role of which it is a member."""


def apply(connection: sa.Connection) -> None:
    """Give the roles exactly these rights; a database without the roles, as on a laptop, stays as it is.

    The connection's user must own the tables. What else somebody has put beside them, such as an extension's view, is
    theirs, and stays as it is.
    """
    known = sa.text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)")
    roles = sorted(connection.scalars(known, {"roles": list(TABLES)}))
    if not roles:
        return
    ours = connection.execute(_OURS).all()
    for role in roles:
        for kind, name in ours:
            connection.execute(sa.text(f"REVOKE ALL ON {kind} {name} FROM {role}"))
        for kind, rights in (
            ("TABLE", TABLES[role]),
            ("SEQUENCE", SEQUENCES[role]),
            ("FUNCTION", FUNCTIONS[role]),
        ):
            for name, allowed in rights.items():
                connection.execute(sa.text(f"GRANT {allowed} ON {kind} {name} TO {role}"))
