"""A real PostgreSQL for every test that wants one: `database_url` is a fresh, migrated database."""

import os
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import settings

from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import schema

settings.register_profile("default", deadline=None)  # a shared machine has its pauses
settings.register_profile("nightly", deadline=None, max_examples=2_500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_numbers = count()


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """A folder for a server's data.

    Not within pytest's: for root, the server runs as another user, and every pytest that starts makes its
    folders root's alone.
    """
    with tempfile.TemporaryDirectory(prefix="logstats-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def server(postgres_folder: Path) -> Iterator[EmbeddedPostgres]:
    """An empty server; its `migrated` database is a template."""
    folder = postgres_folder / "data"
    running = postgres.start(folder, "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
    try:
        running.create_database("migrated")
        engine = create_engine(running.settings("migrated"))
        schema.upgrade(engine)
        engine.dispose()
        yield running
    finally:
        running.stop()


@pytest.fixture
def database(server: EmbeddedPostgres) -> Iterator[DatabaseSettings]:
    """Settings of a fresh database with the current schema."""
    name = f"test_{next(_numbers)}"
    server.create_database(name, template="migrated")
    yield server.settings(name)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def engine(database: DatabaseSettings) -> Iterator[sa.Engine]:
    """An engine on the fresh database."""
    engine = create_engine(database)
    yield engine
    engine.dispose()
