"""A message announces objects: anything but an event of S3 is refused, whatever it is (`tests/fuzz` looks for more)."""

import json
from typing import Any

import pytest

from processor.announcements import UnknownMessageError, announcements
from tests.events import created


@pytest.mark.parametrize("value", [None, True, 5, {}, [], ""])
@pytest.mark.parametrize("path", [["s3", "bucket", "name"], ["s3", "object", "key"], ["eventName"]])
def test_a_name_that_is_no_text_is_no_event(path: list[str], value: object) -> None:
    record = created("logs", "a.log", "v1", "01")
    holder: Any = record
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    if (path, value) == (["eventName"], ""):
        assert announcements(json.dumps({"Records": [record]}))[0].kind == ""  # of no kind that is handled
        return
    with pytest.raises(UnknownMessageError):
        announcements(json.dumps({"Records": [record]}))


def test_a_document_nested_too_deeply_is_no_event() -> None:
    with pytest.raises(UnknownMessageError):
        announcements("[" * 100_000)


@pytest.mark.parametrize("prefix", ["", "s3:"])
def test_an_events_name_may_have_the_prefix_of_the_notifications_configuration(prefix: str) -> None:
    """S3 sends it without, other stores with the same interface as it was configured."""
    record = created("logs", "a.log", "v1", "01")
    record["eventName"] = f"{prefix}ObjectCreated:Put"
    assert announcements(json.dumps({"Records": [record]}))[0].kind == "ObjectCreated:Put"
