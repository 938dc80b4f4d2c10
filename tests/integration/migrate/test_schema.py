"""Migrations against a real PostgreSQL: complete, repeatable, concurrent, all or nothing."""

import asyncio
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from api.app import create_app
from api.routes.health import SCHEMA
from api.settings import ApiSettings
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.models import Base
from logstats.settings import DatabaseSettings
from migrate import partitions, schema
from migrate.revision import HEAD, MIGRATION_LOCK
from processor.ledger import duplicates
from tests import tables

PARTITION = re.compile(r"_\d{4}_\d\d")
"""In the names of partitions, and of what belongs to them; the models have none."""


def everything(engine: sa.Engine) -> list[tuple[object, ...]]:
    """All that a migration may have made: tables with their columns, indexes, constraints, sequences, functions."""
    queries = (
        (
            "SELECT attrelid::regclass::text, attname, attnum, format_type(atttypid, atttypmod), attnotnull, attidentity,"
            " attcollation::regcollation::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0"
            " AND NOT attisdropped"
        ),
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)'",
    )
    with engine.connect() as connection:
        return sorted(
            (
                tuple(row)
                for query in queries
                for row in connection.execute(sa.text(query))
                if not PARTITION.search(repr(row))
            ),
            key=repr,
        )


def add_migrations(folder: Path, monkeypatch: pytest.MonkeyPatch, **bodies: str) -> None:
    """Let there be further migrations, one after the other: revision and what it does."""
    before = schema.head()
    for revision, body in bodies.items():
        text = f"import sqlalchemy as sa\nfrom alembic import op\nrevision = {revision!r}\ndown_revision = {before!r}\n"
        (folder / f"{revision}.py").write_text(f"{text}def upgrade():\n    {body}\n")
        before = revision
    original = schema._config

    def extended() -> Config:
        config = original()
        versions = Path(schema.__file__).parent / "versions"
        config.set_main_option("version_locations", os.pathsep.join(map(str, (versions, folder))))
        return config

    monkeypatch.setattr(schema, "_config", extended)


def test_a_fresh_database_gets_the_whole_schema_and_a_second_run_changes_nothing(empty: sa.Engine) -> None:
    assert tables.schema_revision(empty) is None
    assert schema.upgrade(empty) == (None, schema.head())
    assert tables.schema_revision(empty) == schema.head() == HEAD
    assert set(Base.metadata.tables) < set(sa.inspect(empty).get_table_names())
    before = everything(empty)
    assert schema.upgrade(empty) == (schema.head(), schema.head())
    assert everything(empty) == before


def test_migrations_and_models_agree(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        options = {
            "compare_server_default": True,
            "include_name": lambda name, *_: not PARTITION.search(name or ""),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_and_models_agree_on_what_alembic_does_not_compare(
    engine: sa.Engine, server: EmbeddedPostgres
) -> None:
    """Collations, identities, primary keys and their order: all that the catalogue says of the columns. Functions are the migrations' alone."""
    server.create_database("from_models")
    by_models = create_engine(server.settings("from_models"), poolclass=NullPool)
    Base.metadata.create_all(by_models)

    def without_version(rows: list[tuple[object, ...]]) -> set[str]:
        # The order of the columns is the migrations' own affair.
        return {
            repr(row[:2] + row[3:] if len(row) == 7 else row)
            for row in rows
            if "alembic" not in repr(row) and "partition" not in repr(row)
        }

    assert without_version(everything(engine)) == without_version(everything(by_models))


def test_concurrent_runs_wait_for_each_other(empty: sa.Engine, server: EmbeddedPostgres) -> None:
    """Processes, as deployments are: all wait for the lock, held here, until each has come to it."""
    program = (
        "import sys; from logstats.database import create_engine;"
        "from logstats.settings import DatabaseSettings; from migrate import schema;"
        "settings = DatabaseSettings(url=sys.argv[1], tls='disable', iam_auth=False);"
        "print(schema.upgrade(create_engine(settings)))"
    )
    url = server.url(str(empty.url.database))
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", program, url]
    with empty.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        tables.wait_for_waiting(empty, len(runs))
    results = sorted(run.communicate(timeout=60)[0].strip() for run in runs)
    assert results == [f"('{schema.head()}', '{schema.head()}')"] * 2 + [f"(None, '{schema.head()}')"]


def test_a_run_waits_for_another_longer_than_for_a_table(empty: sa.Engine, server: EmbeddedPostgres) -> None:
    """A migration may take minutes; who waits for it must not be cut off by the limit on other locks."""
    settings = server.settings(str(empty.url.database)).model_copy(update={"lock_timeout_seconds": 0.1})
    hurried = create_engine(settings, poolclass=NullPool)
    with empty.connect() as other:
        other.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        threading.Timer(0.6, other.invalidate).start()
        assert schema.upgrade(hurried) == (None, schema.head())
    with empty.begin() as other:
        other.execute(sa.text("LOCK alembic_version"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            schema.upgrade(hurried)


def test_a_failing_migration_leaves_nothing_behind(
    empty: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what the migrations before it did in the same run; and the next run can succeed."""
    nothing = everything(empty)
    with monkeypatch.context() as patch:
        add_migrations(
            tmp_path,
            patch,
            more="op.create_table('more', sa.Column('id', sa.Integer()))",
            broken="op.execute('CREATE TABLE half (id int)'); op.execute('SELECT 1/0')",
        )
        with pytest.raises(sa.exc.DBAPIError, match="division by zero"):
            schema.upgrade(empty)
    assert everything(empty) == nothing
    assert schema.upgrade(empty) == (None, schema.head())


def test_the_path_may_hold_a_percent_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic's configuration would take it for an interpolation."""
    folder = tmp_path / "100%s" / "migrate"
    shutil.copytree(Path(schema.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    expected = schema.head()
    monkeypatch.setattr(schema, "__file__", str(folder / "schema.py"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert schema.head() == expected


def upgrade_to(empty: sa.Engine, revision: str) -> None:
    """Bring a database to an earlier schema, as older code has."""
    with empty.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_0004_keeps_what_is_there_and_lets_older_code_go_on(empty: sa.Engine) -> None:
    """The ledger's rows get a count of expired lines, and no day is closed."""
    upgrade_to(empty, "0003")
    row = (
        "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, rejected_by_reason,"
        " customer_days) VALUES ('b', '{}', false, 3, 2, 1, '{{}}', 1)"
    )
    with empty.begin() as connection:
        connection.execute(sa.text(row.format("before")))
        file = sa.text("SELECT pg_relation_filenode('log_objects')")
        before = connection.scalar(file)
    assert schema.upgrade(empty) == ("0003", schema.head())
    with empty.begin() as connection:
        connection.execute(sa.text(row.format("after")))  # as a processor of older code does
        rows = connection.execute(
            sa.text("SELECT key, lines, accepted, rejected, expired FROM log_objects ORDER BY id")
        ).all()
        assert connection.scalar(file) == before, "the table was not rewritten"
        horizon = connection.scalar(sa.text("SELECT horizon FROM retention"))
    assert [tuple(each) for each in rows] == [("before", 3, 2, 1, 0), ("after", 3, 2, 1, 0)]
    assert horizon == dt.date(1970, 1, 1)


def test_0005_removes_the_reports_of_committed_attempts_and_no_others(empty: sa.Engine) -> None:
    """They hold rejected lines, which are promised to go after 90 days."""
    upgrade_to(empty, "0004")
    with empty.begin() as connection:
        for attempt, committed in ((1, True), (2, False)):
            connection.execute(
                sa.text(
                    "INSERT INTO attempts (id, bucket, key, started_at, committed) OVERRIDING SYSTEM VALUE"
                    " VALUES (:attempt, 'b', 'k', now(), :committed)"
                ),
                {"attempt": attempt, "committed": committed},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO attempt_parts (attempt_id, part, physical_lines, accepted, rejected_by_reason,"
                    " size_bytes, digests, rejects) VALUES (:attempt, 0, 1, 0, '{}', 1, '', '[]')"
                ),
                {"attempt": attempt},
            )
    schema.upgrade(empty)
    with empty.connect() as connection:
        assert connection.scalars(sa.text("SELECT attempt_id FROM attempt_parts")).all() == [2]


def test_0006_keeps_what_is_there_and_lets_older_code_go_on(empty: sa.Engine) -> None:
    """Older code writes requests with durations only, and none of its lines are skipped; no table is rewritten."""
    upgrade_to(empty, "0005")
    day = (
        "INSERT INTO {} (customer_id, date, total_requests, client_errors, server_errors, duration_sum_us, duration_min_us,"
        " duration_max_us, histogram, duration_p50_us, duration_p90_us, duration_p95_us, duration_p99_us{})"
        " VALUES ('{}', '2024-09-03', 5, 0, 0, 5, 1, 1, '', 1, 1, 1, 1{})"
    )
    file = (
        "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, rejected_by_reason,"
        " customer_days) VALUES ('b', '{}', false, 3, 2, 1, '{{}}', 1)"
    )

    def write(connection: sa.Connection, name: str) -> None:
        connection.execute(sa.text(day.format("daily_statistics", "", name, "")))
        connection.execute(sa.text(day.format("contributions", ", attempt_id, part", name, ", 1, 0")))
        connection.execute(sa.text(file.format(name)))

    files = sa.text(
        "SELECT pg_relation_filenode(coalesce(to_regclass(name || '_before'), to_regclass(name)))"
        " FROM unnest(ARRAY['daily_statistics', 'contributions', 'log_objects']) AS name"
    )
    with empty.begin() as connection:
        write(connection, "before")
        before = connection.scalars(files).all()
    assert schema.upgrade(empty) == ("0005", schema.head())
    with empty.begin() as connection:
        write(connection, "after")
        assert connection.scalars(files).all() == before
        for table in ("daily_statistics", "contributions"):
            counts = connection.execute(sa.text(f"SELECT total_requests, untimed_requests FROM {table}"))
            assert [tuple(row) for row in counts] == [(5, 0), (5, 0)]
        rows = connection.execute(sa.text("SELECT format, skipped FROM log_objects")).all()
    assert [tuple(row) for row in rows] == [(None, 0), (None, 0)]


def test_0007_keeps_what_is_there_and_finds_equal_content_by_an_index(empty: sa.Engine) -> None:
    """And older code goes on writing its rows."""
    upgrade_to(empty, "0006")
    row = (
        "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, rejected_by_reason,"
        " customer_days, content_digest, size_bytes) VALUES ('b', '{}', false, 3, 2, 1, '{{}}', 1, 'digest', 5)"
    )
    with empty.begin() as connection:
        connection.execute(sa.text(row.format("before")))
    schema.upgrade(empty)
    statement = duplicates._OTHERS.compile(dialect=empty.dialect)
    with empty.begin() as connection:
        connection.execute(sa.text(row.format("after")))
        assert connection.scalar(sa.text("SELECT count(*) FROM log_objects")) == 2
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        parameters = statement.construct_params({"digests": ["digest"], "own": [1]})
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    assert any("log_objects_by_content" in line for line in plan)


def test_0009_rewrites_nothing_and_lets_older_code_go_on(empty: sa.Engine) -> None:
    """Leave without a breakdown what is there, and what older code writes."""
    upgrade_to(empty, "0008")
    day = sa.text(
        "INSERT INTO daily_statistics (customer_id, date, total_requests, client_errors, server_errors, duration_sum_us,"
        " histogram) VALUES (:name, '2024-09-03', 5, 0, 0, 5, '')"
    )
    file = sa.text(
        "SELECT pg_relation_filenode(coalesce(to_regclass(name || '_before'), to_regclass(name)))"
        " FROM unnest(ARRAY['daily_statistics', 'contributions']) AS name"
    )
    with empty.begin() as connection:
        connection.execute(day, {"name": "before"})
        before = connection.scalars(file).all()
    schema.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(day, {"name": "after"})
        assert connection.scalars(file).all() == before
        assert connection.scalars(sa.text("SELECT breakdown FROM daily_statistics")).all() == [None, None]
        assert connection.scalars(sa.text("SELECT breakdown FROM contributions")).all() == []


def test_0012_rewrites_nothing_and_compresses_no_breakdown_of_a_day_any_more(empty: sa.Engine) -> None:
    upgrade_to(empty, "0011")
    partitions.build(empty)
    breakdown = os.urandom(100) * 100
    day = sa.text(
        "INSERT INTO daily_statistics (customer_id, date, total_requests, client_errors, server_errors, duration_sum_us,"
        " histogram, breakdown) VALUES (:name, '2024-09-03', 5, 0, 0, 5, '', :breakdown)"
    )
    stored = sa.text(
        "SELECT breakdown, pg_column_size(breakdown) >= :length, pg_relation_filenode(tableoid)"
        " FROM daily_statistics ORDER BY customer_id"
    )
    found = []
    with empty.begin() as connection:
        connection.execute(sa.text("SELECT make_partitions('{2024-09-03}')"))
    for name in ("a", "b"):
        with empty.begin() as connection:
            connection.execute(day, {"name": name, "breakdown": breakdown})
            found = [tuple(row) for row in connection.execute(stored, {"length": len(breakdown)})]
        schema.upgrade(empty)
    assert found == [(breakdown, False, found[0][2]), (breakdown, True, found[0][2])]


async def _statuses(database: DatabaseSettings) -> set[int]:
    """Return with which statuses the API answers what it reads from the tables."""
    app = create_app(database, ApiSettings(auth="none"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    lists = (
        "/customers",
        "/overview",
        "/routes",
        "/statuses",
        "/customers/a/routes",
        "/customers/a/statuses",
    )
    intervals = [f"/customers/a/stats?from=2024-09-03&interval={each}" for each in ("day", "month", "hour")]
    targets = ("/customers", "/ingestions", *(f"{each}?from=2024-09-03" for each in lists), *intervals)
    client = httpx.AsyncClient(transport=transport, base_url="http://test")
    async with app.router.lifespan_context(app), client as http:
        return {(await http.get(target)).status_code for target in targets}


def test_the_oldest_schema_that_the_api_can_read_is_the_one_it_says(
    server: EmbeddedPostgres, empty: sa.Engine
) -> None:
    """`/ready` is 503 before it."""
    assert empty.url.database
    settings = server.settings(empty.url.database)
    before = ScriptDirectory.from_config(schema._config()).get_revision(SCHEMA).down_revision
    assert isinstance(before, str)
    upgrade_to(empty, before)
    assert 500 in asyncio.run(_statuses(settings))
    upgrade_to(empty, SCHEMA)
    assert asyncio.run(_statuses(settings)) == {200}
