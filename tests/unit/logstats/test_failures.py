"""Errors in words without data."""

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from botocore.exceptions import ClientError

from logstats import failures
from processor.reading.objects import SourceError

SECRET = "what-somebody-sent"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (SourceError("s3://bucket/a.log: gone"), "SourceError: s3://bucket/a.log: gone"),
        (
            FileNotFoundError(2, "No such file", "/a"),
            "FileNotFoundError: [Errno 2] No such file: '/a'",
        ),
        (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError: No module named 'x'"),
        (ValueError(SECRET), "ValueError"),
        (KeyError(SECRET), "KeyError"),
        (RuntimeError(SECRET), "RuntimeError"),
        (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "invalid"), "UnicodeDecodeError"),
        (asyncpg.DataError(f"invalid input for query argument $1: {SECRET}"), "DataError: (SQLSTATE 22000)"),
        (psycopg.ProgrammingError(SECRET), "ProgrammingError"),
        (
            psycopg.errors.ConnectionTimeout("connection timeout expired"),
            "ConnectionTimeout: connection timeout expired",
        ),
        (
            ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject"),
            "ClientError: An error occurred (404) when calling the HeadObject operation: Not Found",
        ),
        (SourceError("a\nb"), "SourceError: a"),
        (SourceError(), "SourceError"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_only_harmless_texts_are_shown(error: Exception, shown: str) -> None:
    assert failures.describe(error) == shown


def test_a_text_without_end_is_cut() -> None:
    assert len(failures.describe(SourceError("x" * 10_000))) < 1_100


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT CAST(:text AS int)", "invalid input syntax for type integer (SQLSTATE 22P02)"),
        ("SELECT 1 / 0 WHERE :text <> ''", "division by zero (SQLSTATE 22012)"),
        ("SELECT :text FROM nowhere", 'relation "nowhere" does not exist (SQLSTATE 42P01)'),
        ("INSERT INTO log_objects (bucket) VALUES (:text)", "(SQLSTATE 23502)"),
    ],
)
def test_postgresql_says_what_and_not_with_which_row(engine: sa.Engine, statement: str, shown: str) -> None:
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.execute(sa.text(statement), {"text": SECRET})
    assert shown in failures.describe(caught.value)
    text = failures.trace(caught.value)
    assert shown in text
    assert "test_failures.py" in text, "where it happened"
    assert SECRET not in text
    assert SECRET in str(caught.value.orig) or SECRET not in str(caught.value), "parameters are in no error"


def test_causes_are_told_oldest_first_and_without_their_data() -> None:
    error = SourceError("it cannot be read")
    error.__cause__ = ValueError(SECRET)
    assert failures.trace(error).splitlines() == ["ValueError", "SourceError: it cannot be read"]


def test_a_circle_of_causes_ends() -> None:
    first, second = SourceError("first"), SourceError("second")
    first.__cause__, second.__cause__ = second, first
    assert failures.trace(first).count("SourceError") == 2


def test_causes_that_were_cut_off_are_not_told() -> None:
    error = SourceError("shown")
    error.__context__ = SourceError("hidden")
    assert "hidden" in failures.trace(error)
    error.__suppress_context__ = True
    assert "hidden" not in failures.trace(error)
