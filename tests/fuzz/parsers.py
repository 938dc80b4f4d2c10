"""Fuzz targets of the parsers in Python, for Atheris: ``python -m tests.fuzz.parsers address|event [libFuzzer options]``."""

import json
import sys
from random import Random
from typing import Any

import atheris

with atheris.instrument_imports(
    include=["logstats.address", "processor.announcements", "aws_lambda_powertools.utilities.data_classes"]
):
    from logstats import address
    from processor import announcements

STRANGE: tuple[Any, ...] = (None, True, 0, -1.5, "", "a%2Fb+c", "\0", [], {}, [{}], "aws.s3", "Notification")


def parse_address(data: bytes) -> None:
    """A URL has one meaning for both drivers, or is refused."""
    try:
        parsed = address.parse(data.decode("utf-8", "surrogateescape"))
    except address.AddressError:
        return
    psycopg, asyncpg = parsed.for_psycopg(), parsed.for_asyncpg()
    for name in ("host", "port", "user"):
        assert psycopg[name] == asyncpg[name]
    assert psycopg["dbname"] == asyncpg["database"]
    assert 0 < parsed.port < 65_536
    texts = (parsed.host, parsed.user, parsed.database, *parsed.options.values())
    assert parsed.host
    assert all("\0" not in text for text in texts)


def parse_event(data: bytes) -> None:
    """A message announces objects, each with a bucket and a key, or is refused."""
    try:
        found = announcements.announcements(data.decode("utf-8", "surrogateescape"))
    except announcements.UnknownMessageError:
        return
    for each in found:
        for text in (each.kind, each.bucket, each.key):
            assert isinstance(text, str), text
        for optional in (each.version, each.sequencer, each.time):
            assert optional is None or isinstance(optional, str)


def replace_a_value(data: bytes, max_size: int, seed: int) -> bytes:
    """Replace, drop or move one value of a JSON document; bytes that are none are mutated as bytes."""
    random = Random(seed)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return bytes(atheris.Mutate(data, max_size))
    places = list(_places(document))
    if not places or random.random() < 0.1:
        return bytes(atheris.Mutate(data, max_size))
    owner, key = random.choice(places)
    kind = random.randrange(3)
    if kind == 0:
        owner[key] = random.choice(STRANGE)
    elif kind == 1:
        del owner[key]
    else:
        other, at = random.choice(places)
        owner[key] = json.loads(json.dumps(other[at]))
    return json.dumps(document).encode()[:max_size]


def _places(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Every value of a document, as what holds it and its key."""
    keys = (
        document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    )
    for key in keys:
        yield document, key
        yield from _places(document[key])


if __name__ == "__main__":
    target = {"address": parse_address, "event": parse_event}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target, custom_mutator=replace_a_value if target is parse_event else None)
    atheris.Fuzz()
