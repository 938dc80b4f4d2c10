"""Benchmarks whose figures are in documents still run; here in small, for the figures mean nothing then."""

import sys
from pathlib import Path

import pytest

from benchmarks import database, fleet
from benchmarks.scaling import Laboratory, Workload

pytestmark = pytest.mark.nightly


def test_an_object_s_cost(tmp_path: Path) -> None:
    with database.running() as (server, _):
        seconds, cost = Laboratory(server, tmp_path).run(Workload(4, 200, 5), 2)
    assert seconds > cost.commit > 0
    assert min(cost.outside, cost.cpu, cost.database) > 0


def test_questions_about_all_customers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--customers", "20", "--days", "8", "--many", "30", "--runs", "1"]
    monkeypatch.setattr(sys, "argv", ["-", *sizes, "--dry"])
    fleet.main()
    found = capsys.readouterr().out
    assert found.count("| overview of") == 4
