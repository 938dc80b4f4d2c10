"""The function that creates the roles: patient with a database that starts, plain about one that fails."""

import subprocess
import sys
import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from migrate.roles import statements
from migrate.roles_handler import PHYSICAL_ID, handler
from tests.events import context
from tests.unit.migrate.test_custom_resource import Listener, listener

__all__ = ["listener"]  # a fixture

# pragma: allowlist nextline secret - a name
PROPERTIES = {"Cluster": "arn:cluster", "Secret": "arn:secret", "Database": "logstats"}


class DataApi:
    """Takes statements; fails with the given codes, or errors, first."""

    def __init__(self, *failures: str | Exception) -> None:
        self.failures = list(failures)
        self.calls: list[dict[str, str]] = []

    def execute_statement(self, **call: str) -> dict[str, Any]:
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            error = {"Error": {"Code": failure, "Message": "says the database"}}
            raise ClientError(error, "ExecuteStatement")  # type: ignore[arg-type]  # botocore reads no more of it
        self.calls.append(call)
        return {}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def call(
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    api: DataApi,
    kind: str = "Create",
    seconds: float = 300,
) -> tuple[str, str]:
    monkeypatch.setattr(boto3, "client", {"rds-data": api}.__getitem__)
    handler(listener.event(kind) | {"ResourceProperties": PROPERTIES}, context(seconds))
    answer = listener.answers[-1]
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    return answer["Status"], answer["Reason"]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_every_statement_goes_to_the_cluster_as_the_master_user(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    api = DataApi()
    assert call(listener, monkeypatch, api, kind) == ("SUCCESS", "")
    assert [made["sql"] for made in api.calls] == statements("logstats")
    assert {(made["resourceArn"], made["secretArn"], made["database"]) for made in api.calls} == {
        ("arn:cluster", "arn:secret", "logstats")
    }


def test_no_statement_has_what_the_data_api_takes_for_a_parameter() -> None:
    assert not [statement for statement in statements("logstats") if ":" in statement]


def test_delete_leaves_the_roles(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    api = DataApi()
    assert call(listener, monkeypatch, api, "Delete") == ("SUCCESS", "")
    assert api.calls == []


def test_a_database_that_starts_or_resumes_is_waited_for(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    silent = ReadTimeoutError(endpoint_url="https://rds-data")
    api = DataApi("DatabaseUnavailableException", "DatabaseResumingException", "ThrottlingException", silent)
    assert call(listener, monkeypatch, api) == ("SUCCESS", "")
    assert len(pauses) == 4
    assert [made["sql"] for made in api.calls] == statements("logstats")


def test_a_database_that_never_answers_is_given_up_in_time_for_an_answer(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    status, reason = call(listener, monkeypatch, DataApi(*["DatabaseResumingException"] * 9), seconds=11.5)
    assert (status, pauses) == ("FAILED", [0.5])
    assert "DatabaseResumingException" in reason


def test_a_failure_says_why(listener: Listener, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    status, reason = call(listener, monkeypatch, DataApi("DatabaseErrorException"))
    assert (status, pauses) == ("FAILED", [])
    assert reason.startswith("The database roles were not created: ")
    assert "says the database" in reason


def test_it_needs_no_package_that_lambdas_runtime_does_not_have() -> None:
    """It has no layer of packages, but that of `logstats`."""
    packages = ("pydantic", "pydantic_settings", "sqlalchemy", "psycopg", "alembic", "aws_lambda_powertools")
    missing = "".join(f"sys.modules[{name!r}] = None; " for name in packages)
    program = f"import sys; {missing}import migrate.roles_handler"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
