"""Requests without a duration in the tables: commits, replacements and withdrawals, and what verification says."""

import datetime as dt
import random
from collections import defaultdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from blake3 import blake3

from logstats.domain.batch import SummaryBatch
from processor.dataflow.report import PartReport
from processor.dataflow.sink import StagingSink
from processor.dataflow.staging import Running
from processor.dataflow.worker_errors import WorkerErrors
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.ledger.verify import Verdict, check
from processor.reading.objects import LocalFile
from tests import oracle, tables
from tests.batches import packed
from tests.breakdowns import NOT_FOUND, Seen, encode
from tests.ingests import ingest
from tests.logs import random_lines
from tests.reference import EPOCH

COMMENT = "# no request"


def stage(
    engine: sa.Engine, logs: dict[int, LocalFile], _running: Running, connection: sa.Connection
) -> list[list[PartReport]]:
    """Stage a log in two parts, as the dataflow does: `-` is no duration, and a comment is skipped."""
    ((attempt_id, log),) = logs.items()
    content = Path(log.key).read_bytes()
    lines = content.decode().splitlines()
    requests = [line for line in lines if line != COMMENT]
    sink = StagingSink(engine, [attempt_id], WorkerErrors())
    half = len(requests) // 2
    sink.build("stage", 0, 1).write_batch(
        [(0, each) for each in (*batches(requests[:half]), *batches(requests[half:]))]
    )
    sink.finish(connection)
    skipped = len(lines) - len(requests)
    digest = blake3(content).digest()
    return [[PartReport(0, len(lines), len(requests), skipped, {}, len(content), digest, b"", [])]]


def batches(lines: list[str]) -> list[SummaryBatch]:
    requests = defaultdict(list)
    for line in lines:
        day, time, customer, path, status, duration = line.split(" ")
        us = None if duration == "-" else round(float(duration) * 1e6)
        slot = 2 * int(time[:2]) + int(time[3:5]) // 30
        route = NOT_FOUND if status == "404" else path.encode()
        requests[day, customer].append(Seen(slot, route, int(status), us))
    found: dict[str, bytes] = defaultdict(bytes)
    for (day, customer), entries in sorted(requests.items()):
        durations = [seen.duration_us for seen in entries if seen.duration_us is not None]
        errors = {
            f"{kind}_errors": sum(seen.status // 100 == hundreds for seen in entries)
            for kind, hundreds in (("client", 4), ("server", 5))
        }
        number = (dt.date.fromisoformat(day) - EPOCH).days
        untimed = len(entries) - len(durations)
        found[day] += packed(
            customer.encode(), number, durations, untimed=untimed, breakdown=encode(entries), **errors
        )
    return [SummaryBatch(encoded) for encoded in found.values()]


def some_lines(rng: random.Random) -> list[str]:
    """Lines of four customer days, each of them with durations, with some or with none."""
    lines = random_lines(rng.randrange(1 << 30), rng.randrange(1, 25), customers=2, days=2)
    share = defaultdict[str, float](lambda: rng.choice([0, 0.5, 1]))
    return [
        f"{line.rpartition(' ')[0]} -" if rng.random() < share[line[:10] + line.split(" ")[2]] else line
        for line in lines
    ]


@pytest.fixture
def ingestor(ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch) -> Ingestor:
    monkeypatch.setattr("processor.ingest.stage", stage)
    return ingestor


@pytest.mark.parametrize("seed", range(5))
def test_the_tables_equal_brute_force_whatever_comes_and_goes(
    ingestor: Ingestor, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    files: dict[str, list[str]] = {}
    for _ in range(10):
        name = rng.choice(["a.log", "b.log", "c.log"])
        if files.pop(name, None) and rng.random() < 0.3:
            ingestor.withdraw(Withdrawal("file", str(tmp_path / name)))
        else:
            files[name] = some_lines(rng)
            ingest(ingestor, tmp_path / name, files[name])
        lines = [line for each in files.values() for line in each]
        tables.check(ingestor.engine, lines)
        verdict = check(ingestor.engine, print)
        assert verdict == Verdict(verdict.customers, len(oracle.statistics(lines)), differences=0)


def test_skipped_lines_are_lines_of_the_ledger_and_of_the_summary(ingestor: Ingestor, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    summary = ingest(ingestor, path, [COMMENT, "2024-09-04 12:00:00 cust_1 /a 200 -", COMMENT])
    row = tables.ledger(ingestor.engine, str(path))
    for found in (summary, row):
        assert (found.lines, found.accepted, found.rejected, found.skipped) == (3, 1, 0, 2)
        assert found.format == "logstats"
    ingestor.withdraw(Withdrawal("file", str(path)))
    row = tables.ledger(ingestor.engine, str(path))
    assert (row.outcome, row.lines, row.skipped, row.format) == ("withdrawn", 0, 0, None)


@pytest.mark.parametrize("column", ["untimed_requests = 0", "duration_min_us = 0", "duration_p50_us = 0"])
def test_a_number_where_there_is_none_is_found_and_mended(
    ingestor: Ingestor, tmp_path: Path, column: str
) -> None:
    ingest(ingestor, tmp_path / "a.log", ["2024-09-04 12:00:00 cust_1 /a 200 -"])
    right = tables.merged_rows(ingestor.engine)
    with ingestor.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE daily_statistics SET {column}"))
    told: list[object] = []
    assert check(ingestor.engine, told.append, mending=True) == Verdict(1, 1, differences=0, mended=1)
    name = column.partition(" ")[0]
    wanted = 1 if name == "untimed_requests" else None
    assert [str(each) for each in told] == [f"cust_1 2024-09-04: {name} is 0, not {wanted}"]
    assert tables.merged_rows(ingestor.engine) == right
