"""Everything under a prefix: in order, each once, with a cluster where it pays, and on past what fails."""

import gzip
import json
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from processor import backfill, sources
from processor.reading.s3 import list_objects
from tests import oracle, tables
from tests.integration.processor.conftest import REJECTS
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

BUCKET = "request-logs"
A, B, LARGE = random_lines(1, 300), random_lines(2, 200), random_lines(3, 3_000, customers=20) * 10
COPIES = 4


pytestmark = pytest.mark.usefixtures("database_variables")


def settled(out: str) -> list[tuple[str, str]]:
    summaries: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    return [(summary["source"], summary["outcome"]) for summary in summaries]


def test_all_under_the_prefix_and_nothing_else(
    s3: S3Double, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over several pages of the listing, with a key that has to be encoded."""
    s3.put(BUCKET, "2024/b & c.log", as_bytes(B) + b"broken\n")
    s3.put(BUCKET, "2024/a.log", as_bytes(A))
    s3.put(BUCKET, "2024/c.parquet", b"PAR1")
    s3.put(BUCKET, "2025/c.log", as_bytes(LARGE))
    assert backfill.run(f"s3://{BUCKET}/2024/", processes=1) == 0
    assert settled(capsys.readouterr().out) == [
        (f"s3://{BUCKET}/2024/a.log", "ingested"),
        (f"s3://{BUCKET}/2024/b & c.log", "ingested"),
        (f"s3://{BUCKET}/2024/c.parquet", "ignored"),
    ]
    assert tables.statistics(engine) == oracle.statistics([*A, *B])
    ignored = tables.ledger(engine, "2024/c.parquet")
    assert (ignored.outcome, ignored.version, ignored.size_bytes) == ("ignored", "v1", len(b"PAR1"))
    assert [bucket for bucket, _ in s3.objects].count(REJECTS) == 1
    assert backfill.run(f"s3://{BUCKET}/2024", processes=1) == 0
    assert [outcome for _, outcome in settled(capsys.readouterr().out)] == [
        "unchanged",
        "unchanged",
        "ignored",
    ]
    assert tables.statistics(engine) == oracle.statistics([*A, *B])


def test_a_large_object_is_read_by_a_cluster(
    s3: S3Double, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put(BUCKET, "large.log", as_bytes(LARGE), COPIES)
    monkeypatch.setattr(backfill, "CLUSTER_BYTES", COPIES * len(as_bytes(LARGE)))
    small = [line.replace("cust_", "small_") for line in A]
    s3.put(BUCKET, "small.log", as_bytes(small))
    assert backfill.run(f"s3://{BUCKET}", processes=2) == 0
    assert [outcome for _, outcome in settled(capsys.readouterr().out)] == ["ingested", "ingested"]
    assert tables.statistics(engine) == oracle.repeated(LARGE, COPIES) | oracle.statistics(small)
    with engine.connect() as connection:
        clusters = connection.scalars(sa.text("SELECT cluster FROM attempts ORDER BY id")).all()
    assert [cluster is not None for cluster in clusters] == [True, False]


def test_what_fails_is_named_and_the_rest_goes_on(
    s3: S3Double, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here an object that is deleted between the listing and the reading, and a corrupt archive."""
    listed = list_objects
    monkeypatch.setattr(
        sources,
        "list_objects",
        lambda *arguments: iter([("a-gone.log", 5), *listed(*arguments), ("z-gone.log", 5)]),
    )
    s3.put(BUCKET, "b.log.gz", gzip.compress(as_bytes(A))[:-3])
    s3.put(BUCKET, "c.log", as_bytes(A))
    monkeypatch.setattr(sys, "argv", ["backfill", f"s3://{BUCKET}/"])
    assert backfill.main() == 1
    out, err = capsys.readouterr()
    assert settled(out) == [(f"s3://{BUCKET}/c.log", "ingested")]
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        f"s3://{BUCKET}/{key}" for key in ("a-gone.log", "b.log.gz", "z-gone.log")
    ]
    assert lines[-1].startswith("3 objects have failed")
    assert tables.statistics(engine) == oracle.statistics(A)


def test_what_is_not_recognised_has_failed_until_it_is_named_or_ignored(
    s3: S3Double, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.put(BUCKET, "notes.txt", b"secret notes")
    assert backfill.run(f"s3://{BUCKET}/", processes=1) == 1
    out, err = capsys.readouterr()
    assert [outcome for _, outcome in settled(out)] == ["ingested", "unrecognised"]
    assert err.startswith(f"s3://{BUCKET}/notes.txt: its format is not recognised")
    assert "secret" not in err
    monkeypatch.setenv("IGNORE", '["*.txt"]')
    assert backfill.run(f"s3://{BUCKET}/", processes=1) == 0
    assert [outcome for _, outcome in settled(capsys.readouterr().out)] == ["unchanged", "ignored"]
    monkeypatch.setenv("IGNORE", "[]")
    monkeypatch.setenv("LOG_FORMATS", '[{"prefix": "notes", "format": "logstats"}]')
    assert backfill.run(f"s3://{BUCKET}/", processes=1) == 0
    assert [outcome for _, outcome in settled(capsys.readouterr().out)] == ["unchanged", "ingested"]
    assert tables.ledger(engine, "notes.txt").rejected == 1


@pytest.mark.parametrize("uri", ["bucket/prefix", "s3:///prefix", "https://bucket/prefix"])
def test_another_address_is_one_clear_line(
    uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["backfill", uri])
    assert backfill.main() == 1
    assert capsys.readouterr().err == f"{uri} is not of the form s3://bucket/prefix\n"
