"""A real PostgreSQL for every test that wants one: `database_url` is a fresh, migrated database."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

import botocore.session
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import settings
from xdist.remote import Producer

from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.models import Base
from logstats.settings import DatabaseSettings
from migrate import schema
from processor.ingest import Ingestor
from processor.reject_stores import LocalRejectStore
from tests.distribution import SharingScheduler
from tests.ingests import NATIVE

pytest.register_assert_rewrite("tests.tables")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and tests send it

# A shared machine has its pauses. The examples are the same in every run, so that what they cover is; the nightly ones are new ones.
settings.register_profile("default", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=2_500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

botocore.session.create_loader = cache(botocore.session.create_loader)  # services are read once

_numbers = count()
_WATCH = """
import os, pathlib, signal, shutil, sys
sys.stdin.read()
for file in pathlib.Path(sys.argv[1]).rglob("postmaster.pid"):
    os.kill(abs(int(file.read_text().split()[0])), signal.SIGQUIT)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
"""Stops every server in a folder, and removes it, when standard input closes: also where pytest was killed."""
_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_MAKE = "SELECT make_partitions(ARRAY['2024-08-01', '2024-09-01', '2024-10-01']::date[])"
"""The months in which most tests have their lines: making partitions takes longer than most ingests."""
_DROP_OTHER_PARTITIONS = """
DO $$ DECLARE each text; BEGIN
    FOR each IN SELECT partition FROM partitions_of('contributions') UNION ALL SELECT partition FROM partitions_of('daily_statistics') LOOP
        IF each !~ '_2024_(08|09|10)$' THEN EXECUTE format('DROP TABLE %s', each); COMMIT; END IF;
    END LOOP;
END $$
"""
_EMPTY = f"""
TRUNCATE {", ".join(Base.metadata.tables)} RESTART IDENTITY;
ALTER SEQUENCE revisions RESTART;
INSERT INTO retention VALUES (1, '1970-01-01')
"""
_STATE = """
SELECT string_agg(line, chr(10) ORDER BY line) FROM (
    SELECT concat(relname, relkind, relacl) AS line FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat(attrelid::regclass, attname, pg_attribute.xmin) FROM pg_attribute JOIN pg_class
        ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat(tgname, tgenabled) FROM pg_trigger
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat(conname, xmin) FROM pg_constraint
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting
    UNION ALL SELECT version_num FROM alembic_version
)
"""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector look at what tests make only: all that was imported takes it a tenth of their time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharingScheduler:
    return SharingScheduler(config, log)


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """A folder for a server's data.

    Not within pytest's: for root, the server runs as another user, and every pytest that starts makes its
    folders root's alone.
    """
    with tempfile.TemporaryDirectory(prefix="logstats-tests-", ignore_cleanup_errors=True) as folder:
        watch = subprocess.Popen([sys.executable, "-IS", "-c", _WATCH, folder], stdin=subprocess.PIPE)
        yield Path(folder)
        watch.communicate()


@pytest.fixture(scope="session")
def server(postgres_folder: Path) -> Iterator[EmbeddedPostgres]:
    """An empty server; its `migrated` database is a template."""
    folder = postgres_folder / "data"
    running = postgres.start(folder, "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
    try:
        running.create_database("migrated")
        engine = create_engine(running.settings("migrated"))
        schema.upgrade(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(_MAKE)
        engine.dispose()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def emptied() -> list[str]:
    """The names of databases that tests have left as good as new: making one takes ten times as long."""
    return []


@pytest.fixture(scope="session")
def migrated_state(server: EmbeddedPostgres) -> str:
    with psycopg.connect(server.url("migrated")) as connection:
        return _state(connection)


@pytest.fixture
def database(server: EmbeddedPostgres, migrated_state: str, emptied: list[str]) -> Iterator[DatabaseSettings]:
    """Settings of a database with the current schema, and nothing in it."""
    name = emptied.pop() if emptied else f"test_{next(_numbers)}"
    server.create_database(name, template="migrated")
    yield server.settings(name)
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        ended = all(ended for (ended,) in connection.execute(_OTHERS))
        with suppress(psycopg.errors.UndefinedTable):  # a test has taken a table away
            connection.execute(_DROP_OTHER_PARTITIONS)
        if ended and _state(connection) == migrated_state:
            connection.execute(_EMPTY.encode())
            emptied.append(name)
            return
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _state(connection: psycopg.Connection) -> str:
    """All that a test may have changed besides the rows."""
    return str(connection.execute(_STATE).fetchone())


@pytest.fixture
def engine(database: DatabaseSettings) -> Iterator[sa.Engine]:
    engine = create_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def ingestor(engine: sa.Engine, tmp_path: Path) -> Ingestor:
    """An ingestor of one worker on the fresh database, for logs in the native format."""
    return Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1, formats=NATIVE)


@pytest.fixture
def database_variables(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> DatabaseSettings:
    """The fresh database, in the environment as a function's settings are."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DATABASE_TLS", "disable")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "false")
    return database
