"""docs/cost.md has the figures that the script gives, and they add up."""

import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import cost
from benchmarks.cost import ALARMS, DASHBOARDS, LOADS, PAGE, Prices, backfill, monthly, tables
from benchmarks.figures import rewritten
from cdk.database import AuroraParameters
from cdk.processor import IDLE_SESSION_SECONDS, ProcessorParameters
from tests.infrastructure.templates import resources


def test_the_page_is_what_the_script_writes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert rewritten(page, tables(Prices())) == page, "run: python -m benchmarks.cost --write"


def test_idle_nothing_has_a_price_by_the_hour() -> None:
    idle, *_ = LOADS
    month = monthly(idle, Prices())
    assert month["Aurora: capacity"] == month["CloudWatch: metrics"] == month["X-Ray"] == 0
    assert sum(month.values()) - DASHBOARDS * Prices().dashboard_month < 3


def test_each_object_keeps_the_database_awake_for_little_more_than_its_pause() -> None:
    """24 objects a day: their sessions end after seconds, and no longer after six minutes."""
    assert (
        IDLE_SESSION_SECONDS,
        AuroraParameters().pause_after_seconds,
    ) == (cost.IDLE_SESSION_SECONDS, cost.PAUSE_SECONDS)
    quiet = replace(LOADS[1], request_hours=0)
    assert quiet.awake_hours == pytest.approx(24 * (300 + 10 + 1.5) / 3600 + 10 / 3600)


def test_a_terabyte_is_counted_by_hand() -> None:
    """730 h x 4 ACU x 0.12; 30 TB x 0.023; a million requests a day."""
    month = monthly(LOADS[2], Prices())
    assert month["Aurora: capacity"] == pytest.approx(350.40)
    assert month["S3: log objects kept"] == pytest.approx(690)
    archived = monthly(LOADS[3], Prices())["S3: log objects kept"]
    assert archived == pytest.approx(90 * 23 + 1005 * 4 + 8 * 365 / 12 * 0.02), (
        "of 1095 TB, 90 in S3 Standard"
    )
    assert month["API Gateway"] == pytest.approx(30.4167, abs=1e-3)


@pytest.mark.parametrize("price", list(Prices.__dataclass_fields__))
def test_every_price_counts(price: str) -> None:
    def total(prices: Prices) -> float:
        return sum(monthly(LOADS[-1], prices).values()) + sum(backfill(prices))

    assert total(replace(Prices(), **{price: getattr(Prices(), price) * 2})) > total(Prices())


def test_it_assumes_the_memory_that_is_deployed() -> None:
    assert f"({ProcessorParameters().memory_mib} MiB)" in PAGE.read_text(encoding="utf-8")


def test_a_price_and_a_load_of_ones_own() -> None:
    command = [sys.executable, "-m", "benchmarks.cost", "--s3_gb_month", "1", "--gb-per-day", "10"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "| S3: log objects kept | 0.00 | 30.00 | 30000.00 | 94024.87 | 300.00 |" in printed


def test_alarms_and_dashboards_are_those_of_the_template() -> None:
    looked_at = sum(
        len(
            [
                query
                for query in alarm["Properties"].get("Metrics", [{"MetricStat": {}}])
                if "MetricStat" in query
            ]
        )
        for alarm in resources("prod", "AWS::CloudWatch::Alarm").values()
    )
    assert looked_at == ALARMS
    assert len(resources("prod", "AWS::CloudWatch::Dashboard")) == DASHBOARDS
