"""A database as on Aurora: its roles are made by a master user that is no superuser, its schema by the migrator."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.pool import NullPool

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import schema
from migrate.roles import MIGRATOR, ROLES, statements

MASTER = "master"
"""It may create roles and owns the database, and is no superuser."""
NAME = "with_roles"


def as_user(server: EmbeddedPostgres, user: str) -> DatabaseSettings:
    url = server.url(NAME).replace("//postgres@", f"//{user}@")
    return DatabaseSettings(url=url, tls="disable", iam_auth=False)


def execute(settings: DatabaseSettings, statement: str) -> None:
    with psycopg.connect(settings.url, autocommit=True) as connection:
        connection.execute(statement.encode())


def create_roles(server: EmbeddedPostgres) -> None:
    for statement in statements(NAME):
        execute(as_user(server, MASTER), statement)


def migrate(server: EmbeddedPostgres) -> None:
    schema.upgrade(create_engine(as_user(server, MIGRATOR), poolclass=NullPool))


@contextmanager
def database_with_roles(server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """Make it, and remove it with its roles, which all databases of a server share."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE {MASTER} LOGIN CREATEROLE".encode())
        superuser.execute("CREATE ROLE rds_iam")
        superuser.execute(f"GRANT rds_iam TO {MASTER} WITH ADMIN OPTION".encode())
        superuser.execute(f"CREATE DATABASE {NAME} OWNER {MASTER}".encode())
    create_roles(server)
    migrate(server)
    yield server
    with psycopg.connect(server.url("postgres"), autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())
        for role in (*ROLES, "rds_iam", MASTER):
            superuser.execute(f"DROP ROLE {role}".encode())
