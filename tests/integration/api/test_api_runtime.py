"""The API under the real `awslambdaric`, as Lambda runs it: one event loop, one connection."""

import json
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from tests.execution import execution_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric runs on Linux only")

HANDLER = "api.handler.handler"


@pytest.fixture
def variables(database: DatabaseSettings) -> dict[str, str]:
    return {
        "DATABASE_URL": database.url,
        "DATABASE_TLS": "disable",
        "DATABASE_IAM_AUTH": "false",
        "API_AUTH": "none",
    }


def request(customer: str, query: str) -> dict[str, Any]:
    """An API Gateway event, payload version 2.0."""
    path = f"/customers/{customer}/stats"
    return {
        "version": "2.0",
        "routeKey": "GET /customers/{proxy+}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.example.com"},
        "requestContext": {
            "domainName": "api.example.com",
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


def backends(engine: sa.Engine) -> set[int]:
    query = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        return set(connection.scalars(sa.text(query)))


def test_invocations_share_the_event_loop_and_the_connection(
    variables: dict[str, str], engine: sa.Engine
) -> None:
    seen = []
    with execution_environment(HANDLER, variables) as api:
        for _ in range(3):
            result = api.invoke(request("cust_1", "from=2024-09-03"))
            assert result.kind == "response", "".join(result.payload["stackTrace"])
            assert result.payload["statusCode"] == 200
            assert json.loads(result.payload["body"]) == []
            seen.append(backends(engine))
        assert api.invoke(request("cust_1", "from=never")).payload["statusCode"] == 422
    assert seen[0] == seen[1] == seen[2] != set()


def test_a_missing_setting_is_an_init_error(variables: dict[str, str]) -> None:
    del variables["DATABASE_URL"]
    with execution_environment(HANDLER, variables) as api:
        result = api.invoke(request("cust_1", "from=2024-09-03"))
    assert result.kind == "init_error"
    assert "DATABASE_URL" in result.payload["errorMessage"]
