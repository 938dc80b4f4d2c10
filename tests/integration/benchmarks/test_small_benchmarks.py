"""Benchmarks whose figures are in documents still run; here in small, for the figures mean nothing then."""

import sys

import pytest

from benchmarks import concurrent_ingests, deadline

pytestmark = pytest.mark.nightly


def test_ingests_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["-", "--files", "2", "--lines", "200", "--runs", "1"])
    concurrent_ingests.main()
    assert "times the throughput" in capsys.readouterr().out


def test_ingests_against_the_deadline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "set by the benchmark")
    monkeypatch.setattr(deadline, "_LINES", 500)
    monkeypatch.setattr(sys, "argv", ["-", "--megabytes", "0", "--runs", "2"])
    deadline.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if " customers.log" in line]
    assert len(rows) == 2 * len(deadline.CASES)
