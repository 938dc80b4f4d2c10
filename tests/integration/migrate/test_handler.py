"""The migration function, as CloudFormation calls it."""

import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from migrate import schema
from migrate.handler import PHYSICAL_ID, handler
from migrate.revision import MIGRATION_LOCK
from tests.events import context
from tests.integration.migrate.test_schema import add_migrations
from tests.unit.migrate.test_custom_resource import Listener, listener

__all__ = ["listener"]  # a fixture


@pytest.fixture
def url(empty: sa.Engine, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database without a schema, in the environment as Lambda's settings."""
    url = server.url(str(empty.url.database))
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_TLS", "disable")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "false")
    return url


def call(listener: Listener, kind: str, seconds: float = 300.0) -> dict[str, object]:
    handler(listener.event(kind), context(seconds))
    answer = listener.answers[-1]
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    return {key: answer[key] for key in ("Status", "Reason", "Data")}


def succeeded(**data: str) -> dict[str, object]:
    return {"Status": "SUCCESS", "Reason": "", "Data": data}


def test_create_and_update_migrate(listener: Listener, url: str) -> None:
    assert call(listener, "Create") == succeeded(Revision=schema.head())
    assert call(listener, "Update") == succeeded(Revision=schema.head())


def test_delete_needs_no_database(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed creation there may be none, and the rollback deletes."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@/x?host=/does/not/exist")
    assert call(listener, "Delete") == succeeded()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://postgres@/x?host=/does/not/exist", "/does/not/exist"),
        ("mysql://elsewhere", "DATABASE_URL"),
    ],
)
def test_a_failure_is_answered_with_its_reason(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_IAM_AUTH", "false")
    monkeypatch.setattr("logstats.availability.PATIENCE_SECONDS", 0.1)
    answer = call(listener, "Create")
    assert answer["Status"] == "FAILED"
    assert reason in str(answer["Reason"])


def test_a_failing_migration_is_answered_with_its_reason_and_changes_nothing(
    listener: Listener, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(listener, "Create")
    before = schema.head()
    with monkeypatch.context() as patch:
        add_migrations(
            tmp_path, patch, bad="op.execute('DROP TABLE daily_statistics'); op.execute('SELECT 1/0')"
        )
        answer = call(listener, "Update")
    assert answer["Status"] == "FAILED"
    assert str(answer["Reason"]).startswith("The schema migration has failed: ")
    assert "division by zero" in str(answer["Reason"])
    assert call(listener, "Update") == succeeded(Revision=before)  # the rollback's own
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM daily_statistics").fetchone() == (0,)


def test_a_rollback_to_older_code_leaves_the_newer_schema(listener: Listener, url: str) -> None:
    call(listener, "Create")
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert call(listener, "Update") == succeeded(Revision="9999")


def test_a_migration_that_waits_too_long_is_answered_before_lambda_ends_it(
    listener: Listener, url: str
) -> None:
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        started = time.monotonic()
        answer = call(listener, "Create", seconds=6)
    assert answer["Status"] == "FAILED"
    assert "longer than 1 seconds" in str(answer["Reason"])
    assert time.monotonic() - started < 5
