"""Benchmarks whose figures are in documents still run; here in small, for the figures mean nothing then."""

import sys

import pytest

from benchmarks import database, deadline, retention
from benchmarks.scaling import Laboratory, Workload

pytestmark = pytest.mark.nightly


def test_a_day_s_removal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["-", "--customers", "5", "--days", "4", "--objects", "2"])
    retention.main()
    assert capsys.readouterr().out.startswith("10 contributions of a day: ")


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
    workload = Workload(4, 200, 5)
    with database.running() as place:
        lab = Laboratory(*place)
        runs = lab.run(workload, 2), lab.run(workload, 1)
    for seconds, cost in runs:  # each in a database of its own: else the second would find all ingested
        assert 0 < cost.commit < cost.outside + cost.commit < seconds
        assert cost.cpu > 0
        assert cost.database >= 0  # counted in ticks of 10 ms, which so few ingests may not fill
