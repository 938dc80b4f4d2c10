"""The committed log, ingested and served: every answer of the API equals brute force."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from logstats.settings import DatabaseSettings
from tests import oracle

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "api_requests.log"
COMMAND = str(Path(sys.executable).parent / "logstats")


@pytest.fixture
def environment(database: DatabaseSettings) -> dict[str, str]:
    environment = {**os.environ, "DATABASE_URL": database.url}
    subprocess.run(
        [COMMAND, "ingest", str(LOG)], env=environment, check=True, capture_output=True, timeout=60
    )
    return environment


@pytest.fixture
def address(environment: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    yield process.stderr.readline().split("/customers/")[0]
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def expected() -> dict[str, list[dict[str, object]]]:
    """Per customer, the list that the API must answer."""
    days = defaultdict(list)
    for (customer, date), fields in sorted(oracle.statistics(LOG.read_text().splitlines()).items()):
        days[customer].append({"customer_id": customer, "date": date, **fields})
    return days


def test_every_answer_equals_brute_force(address: str) -> None:
    answers = {
        f"cust_{number}": httpx.get(f"{address}/customers/cust_{number}/stats?from=2024-01-01").json()
        for number in range(1, 51)
    }
    wanted = expected()
    assert {customer: len(days) for customer, days in answers.items()} == {
        customer: len(days) for customer, days in wanted.items()
    }
    for customer, days in answers.items():
        for answered, computed in zip(days, wanted[customer], strict=True):
            assert answered.pop("duration_mean") == pytest.approx(computed.pop("duration_mean"), abs=1e-9)
            assert answered.pop("uptime_percentage") == pytest.approx(
                computed.pop("uptime_percentage"), abs=1e-9
            )
            assert answered == computed
    assert sum(day["total_requests"] for days in answers.values() for day in days) == 10_000


def test_stats_prints_what_the_api_answers(address: str, environment: dict[str, str]) -> None:
    answer = httpx.get(f"{address}/customers/cust_7/stats?from=2024-09-10&to=2024-09-20")
    printed = subprocess.run(
        [COMMAND, "stats", "cust_7", "--from", "2024-09-10", "--to", "2024-09-20", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert printed == answer.text + "\n"
    assert len(json.loads(printed)) == 11
