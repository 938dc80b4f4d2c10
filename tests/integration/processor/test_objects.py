"""Any object: what it is called does not matter, and each kind has one clear outcome."""

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from backports import zstd

from processor.context import Context
from processor.dataflow import staging
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.reading import lines as lines_module
from processor.reading.objects import LocalFile
from processor.reading.rules import FormatRule
from tests import oracle, tables
from tests.ingests import ingest, log_file
from tests.logs import as_bytes, random_lines

LINES = random_lines(seed=1, count=4_000)
PLAIN = as_bytes(LINES)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 40
ARRAY = json.dumps([{"time": "2024-09-03T10:00:00Z", "status": 200}] * 100_000).encode()


@pytest.fixture
def ingestor(ingestor: Ingestor) -> Ingestor:
    """An ingestor that goes by the content."""
    return replace(ingestor, formats=())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("app.log.1", PLAIN),
        ("no-suffix", PLAIN),
        ("r.log", gzip.compress(PLAIN)),
        ("access.log-20240904.gz", gzip.compress(PLAIN)),
        ("plain.gz", PLAIN),
        ("a.txt", zstd.compress(PLAIN)),
        ("b.log.gz", bz2.compress(PLAIN)),
        ("c", lzma.compress(PLAIN)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_do_not_matter(ingestor: Ingestor, tmp_path: Path, name: str, data: bytes) -> None:
    summary = ingest(ingestor, tmp_path / name, data)
    assert (summary.outcome, summary.format, summary.accepted) == ("ingested", "logstats", len(LINES))
    tables.check(ingestor.engine, LINES)


@pytest.mark.parametrize(
    ("name", "data", "outcome"),
    [
        ("picture.log", JPEG, "unrecognised"),
        ("table.log", b"PAR1\x15\x04\x15" + bytes(range(256)) * 300 + b"PAR1", "unrecognised"),
        ("table.parquet", b"PAR1", "ignored"),
        ("ELBAccessLogTestFile", b"Enable AccessLog for ELB", "ignored"),
        ("empty.log", b"", "ingested"),
        ("empty.gz", gzip.compress(b""), "ingested"),
        ("blank.log", b"\n\r\n\n", "ingested"),
        ("zeros.log", b"\0" * (64 << 10), "unrecognised"),
        ("array.json", ARRAY, "unrecognised"),
        ("array.json.gz", gzip.compress(ARRAY), "unrecognised"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_object_has_one_clear_outcome(
    ingestor: Ingestor, tmp_path: Path, name: str, data: bytes, outcome: str
) -> None:
    for _ in range(2):
        context = Context()
        summary = ingestor.ingest_file(log_file(tmp_path / name, data), context)
        assert (summary.outcome, summary.accepted) == (outcome, 0)
        assert summary.lines == summary.rejected
        assert bool(summary.lines) is bool(context.first_line) is (outcome == "unrecognised")
        row = tables.ledger(ingestor.engine, str(tmp_path / name))
        assert (row.outcome, row.size_bytes) == (outcome, len(data))
        outcome = "unchanged" if outcome == "ingested" else outcome
        if outcome == "unchanged":
            break
    assert tables.statistics(ingestor.engine) == {}
    assert set(tables.leftovers(ingestor.engine).values()) == {0}


def test_what_is_not_recognised_counts_nothing_and_is_read_again(ingestor: Ingestor, tmp_path: Path) -> None:
    path, odd = tmp_path / "a.log", b"no format at all\n"
    assert ingest(ingestor, path, as_bytes([*LINES, "broken"])).outcome == "ingested"
    assert ingest(ingestor, path, odd).outcome == "unrecognised"
    assert tables.statistics(ingestor.engine) == {}
    row = tables.ledger(ingestor.engine, str(path))
    assert (row.format, row.lines, row.rejected_by_reason) == (None, 1, {"layout": 1})
    (kept,) = [each for each in (tmp_path / "rejected").rglob("*") if each.is_file()]
    assert json.loads(kept.read_text())["text"] == "no format at all"
    assert ingest(ingestor, path, odd).outcome == "unrecognised"

    declared = replace(ingestor, formats=(FormatRule(format="logstats"),))
    summary = ingest(declared, path, odd)
    assert (summary.outcome, summary.rejected_by_reason) == ("ingested", {"layout": 1})
    assert ingest(ingestor, path, odd).outcome == "unchanged"
    assert ingest(ingestor, path, LINES).outcome == "replaced"
    tables.check(ingestor.engine, LINES)


def test_an_object_that_is_ignored_from_now_on_counts_until_it_changes(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    ingest(ingestor, path, LINES)
    ignoring = replace(ingestor, ignore=("*/a.log",))
    assert ingest(ignoring, path, LINES[:10]).outcome == "ignored"
    assert tables.statistics(ingestor.engine) == {}
    assert ingest(ingestor, path, LINES).outcome == "ingested"
    tables.check(ingestor.engine, LINES)


def test_what_is_not_recognised_can_be_forgotten(ingestor: Ingestor, tmp_path: Path) -> None:
    ingest(ingestor, tmp_path / "a", JPEG)
    assert ingestor.withdraw(Withdrawal("file", str(tmp_path / "a"))).outcome == "withdrawn"


def test_a_rule_of_a_prefix_says_format_and_customer(ingestor: Ingestor, tmp_path: Path) -> None:
    """The longest prefix counts, and what it says of auto is for the format that is found."""
    sample = (Path(__file__).parents[2] / "samples/aws-alb.log").read_bytes()
    rules = (
        FormatRule(prefix="alb/", customer="@target host[2]"),
        FormatRule(prefix="alb/native/", format="logstats"),
    )
    ruled = replace(ingestor, formats=rules)
    path = log_file(tmp_path / "x", sample).path
    found = {}
    for name in ("alb/x", "alb/native/x", "x"):
        summary = ruled.ingest_file(LocalFile.at(Path(path), name))
        found[name] = (summary.source, summary.format, summary.accepted > 0)
    assert found == {
        "alb/x": ("alb/x", "aws-alb", True),
        "alb/native/x": ("alb/native/x", "logstats", False),
        "x": ("x", "aws-alb", True),
    }
    assert "example" in {customer for customer, _ in tables.statistics(ingestor.engine)}


def test_requests_of_the_future_are_rejected(ingestor: Ingestor, tmp_path: Path) -> None:
    """More than a day after the object was last written."""
    path = tmp_path / "a.log"
    lines = ["2024-09-04 10:00:00 c /a 200 0.1", "2024-09-04 10:00:01 c /a 200 0.1"]
    log_file(path, [*lines, "2099-01-01 00:00:00 c /a 200 0.1"])
    written = 1_725_357_600  # 2024-09-03 10:00:00
    os.utime(path, (written, written))
    summary = ingestor.ingest_file(LocalFile.at(path))
    assert (summary.accepted, summary.rejected_by_reason) == (1, {"timestamp": 2})
    assert tables.statistics(ingestor.engine) == oracle.statistics(lines[:1])


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even a small log have many byte ranges."""
    monkeypatch.setattr(lines_module, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr("processor.dataflow.source.CHUNK_BYTES", 1 << 12)


FIRST = b"#Fields: date time cs-host sc-status time-taken cs-uri-stem cs-method\n"
SECOND = b"#Fields: date time sc-status cs-host time-taken cs-uri-stem cs-method\n"
W3C = """layout = "columns"
separator = "space"
skip = ["#"]
timestamp = {value = ["date", "time"], form = "iso8601"}
customer = {value = "cs-host"}
status = {value = "sc-status"}
duration = {value = "time-taken", unit = "ms"}
request = {method = "cs-method", target = "cs-uri-stem"}
"""


def w3c(order: Callable[[str, str], str], count: int) -> bytes:
    lines = (
        f"2024-09-03 12:00:{number % 60:02} {order(f'customer_{number % 3}', '200')} 7 /a GET\n"
        for number in range(count)
    )
    return "".join(lines).encode()


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("changes", [False, True])
def test_columns_that_change_within_a_log_are_read_as_by_one(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, changes: bool
) -> None:
    """Ranges are told the names at the head of the log; where others are in force, all is read again by one worker."""
    runs = []
    stage = staging.stage

    def counted(*arguments: object) -> object:
        runs.append(arguments)
        return stage(*arguments)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr("processor.ingest.stage", counted)
    first = FIRST + w3c(lambda customer, status: f"{customer} {status}", 3_000)
    rest = w3c(lambda customer, status: f"{status} {customer}", 3_000)
    data = first + (SECOND + rest if changes else FIRST + first.removeprefix(FIRST))
    rule = FormatRule(format="own", declaration=W3C)
    dividing = replace(ingestor, workers=3, formats=(rule,))
    summary = ingest(dividing, tmp_path / "a.log", data)
    assert (summary.outcome, summary.accepted, summary.skipped) == ("ingested", 6_000, 2)
    assert len(runs) == (2 if changes else 1)
    assert {customer for customer, _ in tables.statistics(ingestor.engine)} == {
        "customer_0",
        "customer_1",
        "customer_2",
    }
    assert set(tables.leftovers(ingestor.engine).values()) == {0}
