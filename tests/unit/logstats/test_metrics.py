"""Metrics: the definitions, the lines that are written, the page about them."""

import json
import re
from pathlib import Path

import pytest

from cdk.api import OPEN_ROUTES, PROTECTED_ROUTES
from logstats import emission, metrics
from logstats.metrics import METRICS
from processor.ledger.delivery import Outcome
from tests.cloudwatch import extracted

CHECKOUT = Path(__file__).parents[3]
TABLE = re.findall(
    r"^\| (`\w+`(?:, `\w+`)*) \| ([\w/]+) \| (`\w+`)? ?\|",
    (CHECKOUT / "docs/observability.md").read_text(),
    re.MULTILINE,
)


def test_the_page_has_every_metric_with_unit_and_dimension() -> None:
    documented = {
        (name, unit, by.strip("`") or None) for names, unit, by in TABLE for name in re.findall(r"\w+", names)
    }
    assert documented == {(metric.name, metric.unit, metric.by) for metric in METRICS}


def test_names_and_dimensions_tell_metrics_apart() -> None:
    assert len({(metric.name, metric.service) for metric in METRICS}) == len(METRICS)
    of_objects = {str(outcome) for outcome in Outcome} - {Outcome.CONFLICT}  # only files have conflicts
    assert set(metrics.OUTCOMES) == of_objects | {metrics.FAILED}


def test_every_route_of_the_gateway_has_its_group() -> None:
    assert set(metrics.ROUTES) == {*PROTECTED_ROUTES, *OPEN_ROUTES}


def test_without_a_namespace_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(metrics.NAMESPACE_VARIABLE, raising=False)
    emission.emit({metrics.ACCEPTED_LINES: 1})
    assert capsys.readouterr().out == ""


def test_metrics_of_the_same_dimensions_share_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(metrics.NAMESPACE_VARIABLE, "logstats-test")
    for _ in range(2):
        emission.emit(
            {metrics.LOG_OBJECTS: 1, metrics.ACCEPTED_LINES: 3, metrics.COMMIT_TIME: 0.5}, outcome="ingested"
        )
    written = capsys.readouterr().out
    assert len(written.splitlines()) == 4
    first, second = (json.loads(line) for line in written.splitlines()[:2])
    assert first["outcome"] == "ingested"
    assert "outcome" not in second, "the second line is without the first one's dimension"
    data = [(datum["MetricName"], datum["Unit"], datum["Values"]) for _, datum in extracted(written)]
    assert (
        data
        == [
            ("LogObjects", "Count", [1]),
            ("AcceptedLines", "Count", [3]),
            ("CommitTime", "Milliseconds", [0.5]),
        ]
        * 2
    )
