"""Benchmarks whose figures are in documents still run; here in small, for the figures mean nothing then."""

import sys

import pytest

from benchmarks import database, deadline, scaling

pytestmark = pytest.mark.nightly


def test_ingests_against_the_deadline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "set by the benchmark")
    monkeypatch.setattr(deadline, "_LINES", 500)
    monkeypatch.setattr(sys, "argv", ["-", "--megabytes", "0", "--runs", "1"])
    deadline.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if " customers.log" in line]
    assert len(rows) == 2 * len(deadline.CASES)


def test_every_ingest_is_measured() -> None:
    with database.running() as place:
        for _ in range(2):  # each in a database of its own: else the second would find all ingested
            outside, commit = scaling.run(*place, lines=200, customers=5, objects=4)
            assert outside > 0
            assert commit > 0
