"""One URL, two drivers: both reach the same database, with the same settings."""

import asyncio
from urllib.parse import quote

import asyncpg
import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings

QUESTION = (
    "SELECT current_database(), current_user::text, current_setting('search_path'),"
    " current_setting('application_name')"
)


def asked_by_psycopg(settings: DatabaseSettings) -> tuple[object, ...]:
    engine = create_engine(settings, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return tuple(connection.execute(sa.text(QUESTION)).one())


def asked_by_asyncpg(settings: DatabaseSettings) -> tuple[object, ...]:
    async def ask() -> tuple[object, ...]:
        connection = await asyncpg.connect(**settings.address.for_asyncpg(), ssl=settings.tls)
        try:
            return tuple(await connection.fetchrow(QUESTION))
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "form",
    [
        "postgresql://postgres@/{name}?host={quoted}&{options}",
        "postgresql+asyncpg://postgres@{quoted}/{name}?{options}",
    ],
)
def test_both_drivers_read_an_address_alike(
    database: DatabaseSettings, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGUSER", "somebody")
    monkeypatch.setenv("PGDATABASE", "another")
    monkeypatch.setenv("PGOPTIONS", "-c search_path=another")
    folder, name = database.address.host, database.address.database
    options = "port=5432&application_name=a%20b&connect_timeout=7&options=-c%20search_path%3Dx,y"
    settings = database.model_copy(
        update={"url": form.format(name=name, quoted=quote(folder, safe=""), options=options)}
    )
    assert asked_by_psycopg(settings) == asked_by_asyncpg(settings) == (name, "postgres", "x,y", "a b")
