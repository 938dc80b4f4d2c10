import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.pool import NullPool

from local.commands import database as command
from local.commands.database import open_database
from local.errors import UserError
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import schema
from tests.tables import schema_revision


def revision(settings: DatabaseSettings) -> str | None:
    return schema_revision(create_engine(settings, poolclass=NullPool))


@pytest.fixture
def new_folder(postgres_folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=postgres_folder))


def test_a_migrated_database_is_used_as_it_is(database: DatabaseSettings) -> None:
    with open_database(database.url) as settings:
        assert revision(settings) == schema.head()


@pytest.fixture
def empty_url(server: EmbeddedPostgres) -> str:
    return server.create_database("without_schema")


def test_a_database_without_schema_is_not_migrated_by_surprise(empty_url: str) -> None:
    with pytest.raises(UserError, match="no schema yet; run: logstats migrate"), open_database(empty_url):
        pass
    with open_database(empty_url, migrated=False) as settings:
        assert revision(settings) is None


def test_a_database_with_another_schema_is_not_used(database: DatabaseSettings) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    with (
        pytest.raises(UserError, match=r"has schema 0000, .* run: logstats migrate"),
        open_database(database.url),
    ):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@127.0.0.1:1/n",  # pragma: allowlist secret - of nobody
        "postgresql://u:secret@/n?host=/nowhere",  # pragma: allowlist secret - of nobody
        "postgresql://u:secret@no-such-host.invalid/n",  # pragma: allowlist secret - of nobody
    ],
)
def test_a_database_that_does_not_answer_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(UserError) as raised, open_database(url):
        pass
    assert "does not answer" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_database_is_one_line(server: EmbeddedPostgres) -> None:
    with pytest.raises(UserError, match="does not exist"), open_database(server.url("nobody_made_it")):
        pass


def test_the_embedded_database_is_migrated_and_let_go_after_an_error_too(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LOCAL_FOLDER", new_folder)
    with suppress(KeyboardInterrupt), open_database(None) as settings:
        assert revision(settings) == schema.head()
        assert (new_folder / "postgres" / "postmaster.pid").exists()
        raise KeyboardInterrupt
    assert not (new_folder / "postgres" / "postmaster.pid").exists()


def test_a_folder_that_cannot_hold_a_database_is_one_line(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (new_folder / "postgres").write_text("a file")
    monkeypatch.setattr(command, "LOCAL_FOLDER", new_folder)
    with pytest.raises(UserError, match="does not start") as raised, open_database(None):
        pass
    assert "\n" not in str(raised.value)
