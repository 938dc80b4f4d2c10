"""A database without a schema."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine

_numbers = count()


@pytest.fixture
def empty(server: EmbeddedPostgres) -> Iterator[sa.Engine]:
    """An engine on a database in which there is nothing."""
    name = f"empty_{next(_numbers)}"
    server.create_database(name)
    yield create_engine(server.settings(name), poolclass=NullPool)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
