"""The database's roles on a real PostgreSQL: what each may do, all that it must, and nothing else."""

import datetime as dt
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy.dialects.postgresql import asyncpg

import api
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.models import Base
from logstats.settings import DatabaseSettings
from migrate import grants
from migrate.roles import EXPIRER, MIGRATOR, OWNER, READER, ROLES, USERS, WRITER
from processor.cluster.coordinator import on_this_machine
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.reading.objects import FILE_BUCKET
from processor.reject_stores import LocalRejectStore
from processor.retention import expiry
from tests import tables
from tests.database_roles import MASTER, NAME, as_user, create_roles, database_with_roles, execute, migrate
from tests.ingests import ingest
from tests.logs import as_bytes, random_lines


@pytest.fixture(scope="module")
def migrated(server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    with database_with_roles(server):
        yield server


@pytest.fixture
def reader(migrated: EmbeddedPostgres) -> DatabaseSettings:
    return as_user(migrated, READER)


@pytest.fixture
def writer(migrated: EmbeddedPostgres) -> DatabaseSettings:
    return as_user(migrated, WRITER)


def rights(server: EmbeddedPostgres) -> set[tuple[object, ...]]:
    """Every right on tables, sequences, the schema and the database; and who is a member of what."""
    query = (
        "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION ALL SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = 'public'"
        " UNION ALL SELECT datname, datacl::text FROM pg_database WHERE datname = current_database()"
        " UNION ALL SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members"
        " UNION ALL SELECT rolname, rolconfig::text FROM pg_roles"
    )
    with psycopg.connect(server.url(NAME)) as connection:
        return set(connection.execute(query.encode()).fetchall())


def test_a_second_run_changes_nothing(migrated: EmbeddedPostgres) -> None:
    before = rights(migrated)
    create_roles(migrated)
    migrate(migrated)
    assert rights(migrated) == before


def test_no_role_is_more_than_a_role(migrated: EmbeddedPostgres) -> None:
    with psycopg.connect(migrated.url(NAME)) as connection:
        rows = connection.execute(
            "SELECT rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname = ANY(%s)",
            [list(ROLES)],
        ).fetchall()
        members = connection.execute(
            "SELECT member::regrole::text FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole"
        ).fetchall()
    assert sorted(rows) == sorted((role, role != OWNER, *[False] * 5) for role in ROLES)
    assert {name for (name,) in members} == {*USERS, MASTER}


def test_the_master_user_goes_on_signing_in_with_its_password(migrated: EmbeddedPostgres) -> None:
    """It would need a token if a role that it may use were one of `rds_iam` (here it administers that role itself)."""
    reached = (
        "WITH RECURSIVE reached AS ("
        " SELECT roleid FROM pg_auth_members WHERE member = %s::regrole AND (inherit_option OR set_option)"
        " AND roleid <> 'rds_iam'::regrole"
        " UNION SELECT further.roleid FROM pg_auth_members AS further JOIN reached ON further.member = reached.roleid"
        ") SELECT roleid::regrole::text FROM reached"
    )
    with psycopg.connect(migrated.url(NAME)) as connection:
        assert connection.execute(reached, [MASTER]).fetchall() == [(OWNER,)]


def test_the_tables_belong_to_the_owner(migrated: EmbeddedPostgres) -> None:
    owners = (
        "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(migrated.url(NAME)) as connection:
        assert connection.execute(owners).fetchall() == [(OWNER,)]


def test_what_somebody_else_has_put_beside_the_tables_is_left_alone(migrated: EmbeddedPostgres) -> None:
    """An extension's view, such as that of pg_stat_statements: nobody but its owner may revoke rights on it."""
    with psycopg.connect(migrated.url(NAME), autocommit=True) as superuser:
        superuser.execute("CREATE TABLE theirs (id int)")
        superuser.execute(f"GRANT SELECT ON theirs TO {READER}".encode())
        superuser.execute("CREATE SEQUENCE their_numbers")
        try:
            migrate(migrated)
            execute(as_user(migrated, READER), "SELECT * FROM theirs")
        finally:
            superuser.execute("DROP TABLE theirs")
            superuser.execute("DROP SEQUENCE their_numbers")


def test_nobody_else_may_connect(migrated: EmbeddedPostgres) -> None:
    with psycopg.connect(migrated.url("postgres"), autocommit=True) as superuser:
        superuser.execute("CREATE ROLE stranger LOGIN")
        try:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                execute(as_user(migrated, "stranger"), "SELECT 1")
        finally:
            superuser.execute("DROP ROLE stranger")


def test_every_table_and_sequence_is_thought_of() -> None:
    """The writer, which fills the tables, has something to do with each."""
    assert set(grants.TABLES[WRITER]) == set(Base.metadata.tables)
    assert set(grants.SEQUENCES[WRITER]) == set(Base.metadata._sequences)


def test_the_roles_have_the_listed_rights_and_no_other(migrated: EmbeddedPostgres) -> None:
    listed = {
        (role, table, right)
        for role, tables in grants.TABLES.items()
        for table, allowed in tables.items()
        for right in allowed.split(", ")
    }
    with psycopg.connect(migrated.url(NAME)) as connection:
        granted = connection.execute(
            "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants"
            " WHERE grantee = ANY(%s)",
            [list(grants.TABLES)],
        ).fetchall()
    assert set(granted) == listed


def test_a_right_that_is_no_longer_listed_is_taken_away(
    migrated: EmbeddedPostgres, reader: DatabaseSettings
) -> None:
    execute(as_user(migrated, MIGRATOR), f"GRANT SELECT ON attempts TO {READER}")
    execute(reader, "SELECT * FROM attempts")
    migrate(migrated)
    with pytest.raises(InsufficientPrivilege):
        execute(reader, "SELECT * FROM attempts")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM {}", "TRUNCATE {}", "ALTER TABLE {} ADD x int", "DROP TABLE {}"]
)
def test_the_reader_cannot_write(reader: DatabaseSettings, statement: str) -> None:
    for table in (*Base.metadata.tables, "alembic_version"):
        with pytest.raises((InsufficientPrivilege, ReadOnlySqlTransaction)):
            execute(reader, statement.format(table))
        with pytest.raises(InsufficientPrivilege):  # nor when it says that it wants to
            execute(reader, f"BEGIN READ WRITE; {statement.format(table)}")


STATEMENTS = {
    f"{module.name}.{name}": str(found.compile(dialect=asyncpg.dialect()))  # type: ignore[no-untyped-call] # SQLAlchemy's
    for module in pkgutil.walk_packages(api.__path__, "api.")
    if module.name != "api.handler"  # it starts with its import
    for name, found in inspect.getmembers(
        importlib.import_module(module.name), lambda each: isinstance(each, sa.Select)
    )
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_reader_may_do_what_the_api_does(reader: DatabaseSettings, name: str) -> None:
    """A plan is made only for who has the rights."""
    execute(reader, f"EXPLAIN (GENERIC_PLAN) {STATEMENTS[name]}")


FORBIDDEN = {
    WRITER: [
        "CREATE TABLE own (id int)",
        "CREATE TEMPORARY TABLE own (id int)",
        "CREATE SCHEMA own",
        "CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE own",
        "ALTER TABLE customers ADD own int",
        "DROP TABLE contributions",
        "CREATE INDEX own ON customers (revision)",
        "TRUNCATE daily_statistics",
        "DELETE FROM log_objects",
        "UPDATE alembic_version SET version_num = 'x'",
        "UPDATE retention SET horizon = '2000-01-01'",
        "DELETE FROM retention",
        "SELECT setval('revisions', 1)",
        f"SET ROLE {OWNER}",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
    EXPIRER: [
        "INSERT INTO daily_statistics SELECT * FROM daily_statistics",
        "UPDATE daily_statistics SET total_requests = 1",
        "UPDATE contributions SET total_requests = 1",
        "SELECT make_partitions(ARRAY[date '2024-09-01'])",
        "DROP TABLE contributions",
        "DELETE FROM contributions",
        "DELETE FROM log_objects",
        "UPDATE log_objects SET accepted = 1",
        "DELETE FROM attempts",
        "DELETE FROM retention",
        "INSERT INTO retention VALUES (1, '2024-01-01')",
        "TRUNCATE daily_statistics",
        "CREATE TABLE own (id int)",
        f"SET ROLE {WRITER}",
    ],
    MIGRATOR: ["CREATE ROLE own", "CREATE DATABASE own", f"SET ROLE {MASTER}", f"SET ROLE {WRITER}"],
}


@pytest.mark.parametrize(
    ("role", "statement"), [(role, each) for role in FORBIDDEN for each in FORBIDDEN[role]]
)
def test_a_role_can_do_no_more_than_it_needs(migrated: EmbeddedPostgres, role: str, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        execute(as_user(migrated, role), statement)


def test_the_writer_may_do_all_that_the_processor_does(writer: DatabaseSettings, tmp_path: Path) -> None:
    engine = create_engine(writer)
    ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=2)
    log, other, text = tmp_path / "a.log", tmp_path / "b.log", as_bytes(random_lines(1, 200, customers=3))
    outcomes = [ingest(ingestor, log, content).outcome for content in (text, text, text + b"not a line\n")]
    coordinator = on_this_machine(engine, writer, str(other), 2, 1, lambda _: None)
    clustered = Ingestor(engine, ingestor.rejects, cluster=coordinator)
    outcomes.append(ingest(clustered, other, text * 2).outcome)
    abandoned = "INSERT INTO attempts (bucket, key, started_at) VALUES ('b', 'k', now())"
    execute(writer, abandoned)
    outcomes.append(ingest(ingestor, log, text).outcome)
    outcomes += [ingestor.withdraw(Withdrawal(FILE_BUCKET, str(path))).outcome for path in (log, other)]
    with engine.connect() as connection:
        left = {
            table: connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
            for table in ("daily_statistics", "customers", "attempts")
        }
    engine.dispose()
    assert outcomes == ["ingested", "unchanged", "replaced", "ingested", "replaced", "withdrawn", "withdrawn"]
    assert left["daily_statistics"] == left["attempts"] == 0


def test_the_expirer_may_do_all_that_the_retention_does(
    migrated: EmbeddedPostgres, writer: DatabaseSettings, tmp_path: Path
) -> None:
    log = tmp_path / "a.log"
    owner, engine = create_engine(writer), create_engine(as_user(migrated, EXPIRER))
    ingestor = Ingestor(owner, LocalRejectStore(tmp_path / "rejected"), workers=1)
    ingest(ingestor, log, random_lines(seed=1, count=200, customers=3))
    sealed = dt.date(2024, 10, 1)
    for horizon, left in ((dt.date(2024, 9, 1), 12), (sealed, 0)):  # sealed, then closed
        preview = expiry.preview(engine, horizon, sealed)
        assert expiry.expire(engine, horizon, sealed) == preview
        assert preview.partitions == 1
        assert len(tables.statistics(owner)) == left
    assert tables.customers(owner) == {}
    assert ingest(ingestor, log, random_lines(seed=2, count=200, customers=3)).expired == 200
    ingestor.withdraw(Withdrawal(FILE_BUCKET, str(log)))
    for each in (owner, engine):
        each.dispose()


def test_a_database_without_the_roles_is_left_as_it_is(engine: sa.Engine) -> None:
    """On a laptop one user does everything."""
    statement = sa.text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl IS NOT NULL"
    )
    with engine.connect() as connection:
        assert connection.scalars(statement).all() == []


def test_the_statements_are_printed_for_a_database_of_ones_own() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "migrate.roles"], env=os.environ, capture_output=True, text=True, check=True
    ).stdout
    assert printed.startswith("DO $$ BEGIN CREATE ROLE logstats_owner NOLOGIN;")
    assert "rds_iam" not in printed
