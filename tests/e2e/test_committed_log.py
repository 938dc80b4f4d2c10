"""The committed log, ingested and served: every answer of the API equals brute force."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstats.settings import DatabaseSettings
from tests import oracle
from tests.e2e.test_ingest_command import run
from tests.e2e.test_serve_command import Serving, serving

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "api_requests.log"


@pytest.fixture
def api(database: DatabaseSettings) -> Iterator[Serving]:
    assert run("ingest", str(LOG), DATABASE_URL=database.url).returncode == 0
    with serving(DATABASE_URL=database.url) as running:
        yield running


def expected() -> dict[str, list[dict[str, object]]]:
    """Per customer, the list that the API must answer."""
    days = defaultdict(list)
    for (customer, date), fields in sorted(oracle.answers(LOG.read_text().splitlines()).items()):
        days[customer].append({"customer_id": customer, "date": date, **fields})
    return days


def test_every_answer_equals_brute_force(api: Serving) -> None:
    answers = {
        f"cust_{number}": api.client.get(f"/customers/cust_{number}/stats?from=2024-01-01").json()
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
