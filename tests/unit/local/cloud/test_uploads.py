"""What is told of an upload that fails."""

import json

import pytest

from local.cloud.uploads import failed_keys, last_line


def message(*keys: str) -> dict[str, str]:
    return {"body": json.dumps({"Records": [{"s3": {"object": {"key": key}}} for key in keys]})}


def test_the_keys_are_decoded() -> None:
    assert failed_keys({"Records": [message("a+b%C3%A4.log", "c.log")]}) == ["a bä.log", "c.log"]


def test_a_test_event_has_no_keys() -> None:
    assert failed_keys({"Records": [{"body": json.dumps({"Event": "s3:TestEvent"})}]}) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one", "one"),
        ("All records failed.\n\nTraceback ...\nValueError: no\n\n", "ValueError: no"),
        ("", "no message"),
    ],
)
def test_the_last_line_is_the_one_that_tells(text: str, line: str) -> None:
    assert last_line(text) == line
