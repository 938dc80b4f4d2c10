import json
import re
import tomllib
from pathlib import Path
from typing import Any

import api
from api.openapi import document

CHECKOUT = Path(__file__).parents[3]
CHECKED_IN = CHECKOUT / "functions" / "api" / "openapi.json"


def test_the_checked_in_document_is_that_of_the_code() -> None:
    assert CHECKED_IN.read_text("utf-8") == document(), (
        "the API has changed; renew its document: make openapi"
    )


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    assert api.__version__ == project["version"]


def operations() -> list[dict[str, Any]]:
    paths = json.loads(document())["paths"]
    return [operation for path in paths.values() for operation in path.values()]


def test_every_operation_and_parameter_is_described_with_an_example() -> None:
    assert operations()
    for operation in operations():
        assert operation["summary"]
        assert operation["description"]
        for parameter in operation.get("parameters", []):
            assert parameter["description"], parameter["name"]
            assert parameter["schema"].keys() & {"examples", "default"}, parameter["name"]


def test_every_operation_that_reads_the_database_says_when_to_ask_again() -> None:
    asked = [operation for operation in operations() if operation["operationId"] != "health"]
    assert len(asked) == len(operations()) - 1
    for operation in asked:
        unavailable = operation["responses"]["503"]
        assert "Retry-After" in unavailable["headers"]
        assert "application/problem+json" in unavailable["content"]


def test_every_operation_that_carries_data_says_who_is_refused() -> None:
    for operation in operations():
        if "operation" not in operation["tags"]:
            assert operation["responses"].keys() >= {"200", "401", "403"}
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


def test_fields_name_their_units() -> None:
    fields = json.loads(document())["components"]["schemas"]["CustomerStatistics"]["properties"]
    assert all("seconds" in field["description"] for name, field in fields.items() if "duration" in name)
    assert "percent" in fields["uptime_percentage"]["description"]
    assert "UTC" in fields["date"]["description"]


def test_every_form_that_is_referred_to_is_there_and_every_form_is_referred_to() -> None:
    text = document()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert "Problem" in named
    assert named == json.loads(text)["components"]["schemas"].keys()
