"""The migration function, as CloudFormation calls it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from local.postgres import EmbeddedPostgres
from migrate import schema
from migrate.handler import PHYSICAL_ID, handler
from migrate.revision import MIGRATION_LOCK
from tests.integration.migrate.test_schema import add_migrations
from tests.unit.migrate.test_custom_resource import Listener, listener

__all__ = ["listener"]  # a fixture


@dataclass
class Context:
    seconds: float = 300.0
    function_name: str = "migrate"
    memory_limit_in_mb: str = "512"
    invoked_function_arn: str = "arn"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture
def empty(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without a schema, in the environment as Lambda's settings."""
    name = f"unmigrated_{time.monotonic_ns()}"
    url = server.create_database(name)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_TLS", "disable")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "false")
    yield url
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def call(listener: Listener, kind: str, seconds: float = 300.0) -> dict[str, object]:
    handler(listener.event(kind), Context(seconds))  # type: ignore[arg-type]  # a stand-in of Lambda's
    answer = listener.answers[-1]
    return {
        "Status": answer["Status"],
        "Reason": answer["Reason"],
        "Data": answer["Data"],
        "Id": answer["PhysicalResourceId"],
    }


def succeeded(**data: str) -> dict[str, object]:
    return {"Status": "SUCCESS", "Reason": "", "Data": data, "Id": PHYSICAL_ID}


def test_create_and_update_migrate(listener: Listener, empty: str) -> None:
    assert call(listener, "Create") == succeeded(Revision=schema.head())
    assert call(listener, "Update") == succeeded(Revision=schema.head())


def test_delete_keeps_the_data(listener: Listener, empty: str) -> None:
    call(listener, "Create")
    assert call(listener, "Delete") == succeeded()
    with psycopg.connect(empty) as connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert revision == (schema.head(),)


def test_delete_needs_no_database(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed creation there may be none, and the rollback deletes."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@/x?host=/does/not/exist")
    assert call(listener, "Delete") == succeeded()


def test_a_failure_is_answered_with_its_reason(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@/x?host=/does/not/exist")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "false")
    answer = call(listener, "Create")
    assert answer["Status"] == "FAILED"
    assert "/does/not/exist" in str(answer["Reason"])


def test_a_failing_migration_is_answered_with_its_reason_and_changes_nothing(
    listener: Listener, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT count(*) FROM daily_statistics").fetchone() == (0,)


def test_wrong_settings_are_answered_with_their_reason(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://elsewhere")
    answer = call(listener, "Update")
    assert answer["Status"] == "FAILED"
    assert "DATABASE_URL" in str(answer["Reason"])


def test_a_rollback_to_older_code_leaves_the_newer_schema(listener: Listener, empty: str) -> None:
    call(listener, "Create")
    with psycopg.connect(empty) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert call(listener, "Update") == succeeded(Revision="9999")


def test_a_migration_that_waits_too_long_is_answered_before_lambda_ends_it(
    listener: Listener, empty: str
) -> None:
    with psycopg.connect(empty) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        started = time.monotonic()
        answer = call(listener, "Create", seconds=6)
    assert answer["Status"] == "FAILED"
    assert "longer than 1 seconds" in str(answer["Reason"])
    assert time.monotonic() - started < 5
