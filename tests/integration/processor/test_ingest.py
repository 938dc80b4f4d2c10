"""Whole ingests of local files into a real PostgreSQL."""

import datetime as dt
import gzip
import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.scaling import CONNECTIONS_PER_PROCESSOR
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import load
from processor.dataflow.source import byte_ranges
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger import commit
from processor.ledger.change import IntegrityError
from processor.ledger.delivery import Withdrawal
from processor.ledger.rejects import DeletionError
from processor.reading import lines as lines_module
from processor.reading.objects import LocalFile, SourceError
from processor.reject_stores import LocalRejectStore
from processor.settings import ProcessorSettings
from tests import oracle, tables
from tests.ingests import ingest, log_file, readable
from tests.logs import as_bytes, random_lines

LINES = random_lines(seed=1, count=4_000)
LAST_DAY = dt.datetime(2199, 12, 31, tzinfo=dt.UTC).timestamp()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even a small log have many byte ranges."""
    monkeypatch.setattr(lines_module, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr("processor.dataflow.source.CHUNK_BYTES", 1 << 12)


def test_the_tables_equal_brute_force_and_the_same_file_again_changes_nothing(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    summary = ingest(ingestor, path, LINES)
    assert summary == IngestSummary(
        str(path), "ingested", "logstats", 4_000, 4_000, 0, {}, 0, 20, summary.seconds, 0
    )
    tables.check(ingestor.engine, LINES)
    before = tables.merged_rows(ingestor.engine)
    again = ingest(ingestor, path, LINES)
    assert again == replace(summary, outcome="unchanged", seconds=again.seconds)
    tables.check(ingestor.engine, LINES)
    assert tables.merged_rows(ingestor.engine) == before
    row = tables.ledger(ingestor.engine, str(path))
    assert (row.outcome, row.size_bytes) == ("ingested", path.stat().st_size)
    assert row.seconds is not None
    assert 0 < row.seconds < summary.seconds


@pytest.mark.usefixtures("small_chunks")
def test_an_ingest_takes_no_more_connections_than_it_says(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that hold much; with two of them, three connections (docs/scaling.md)."""
    monkeypatch.setattr("processor.dataflow.sink._BATCH_BYTES", 1)
    taken = [0]
    sa.event.listen(ingestor.engine, "checkout", lambda *_: taken.append(taken[-1] + 1))
    sa.event.listen(ingestor.engine, "checkin", lambda *_: taken.append(taken[-1] - 1))
    ingest(replace(ingestor, workers=2), tmp_path / "a.log", LINES)
    assert tables.statistics(ingestor.engine) == oracle.statistics(LINES)
    assert 2 <= max(taken) <= CONNECTIONS_PER_PROCESSOR


@pytest.mark.usefixtures("small_chunks")
def test_every_worker_reads_in_a_thread_of_its_own(ingestor: Ingestor, tmp_path: Path) -> None:
    readers: set[int] = set()
    noting = replace(ingestor, workers=3, progress=lambda _: readers.add(threading.get_ident()))
    ingest(noting, tmp_path / "a.log", LINES)
    assert len(readers) == 3


@pytest.mark.usefixtures("small_chunks")
def test_workers_need_not_agree_on_the_number_of_shards(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One holds much and divides its summaries more than the other does, which has the same customers and days."""
    numbers = [8, 2]
    monkeypatch.setattr("processor.dataflow.source.count_shards", lambda *_: numbers.pop())
    ingest(replace(ingestor, workers=2), tmp_path / "a.log", LINES)
    assert tables.statistics(ingestor.engine) == oracle.statistics(LINES)
    assert not numbers


def test_halves_compression_and_order_make_no_difference(
    ingestor: Ingestor, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    shuffled = random.Random(2).sample(LINES, len(LINES))
    variants: dict[str, dict[str, bytes]] = {
        "whole": {"a.log": as_bytes(LINES)},
        "halves": {"1.log": as_bytes(LINES[:1_234]), "2.log": as_bytes(LINES[1_234:])},
        "gzip": {"a.log.gz": gzip.compress(as_bytes(LINES))},
        "shuffled": {"a.log": as_bytes(shuffled)},
        "crlf": {"a.log": "\r\n".join(LINES).encode()},
    }
    found = {}
    for name, files in variants.items():
        server.create_database(f"variant_{name}", template="migrated")
        engine = create_engine(server.settings(f"variant_{name}"))
        for file, data in files.items():
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            ingest(replace(ingestor, engine=engine), folder / file, data)
        found[name] = tables.merged_rows(engine)
        engine.dispose()
    assert found["whole"]
    assert all(rows == found["whole"] for rows in found.values())


def test_new_content_replaces_the_old(ingestor: Ingestor, tmp_path: Path) -> None:
    """And the same content in another file counts once more."""
    other = random_lines(seed=4, count=3_000, customers=3, days=9)
    ingest(ingestor, tmp_path / "copy.log", LINES)
    ingest(ingestor, tmp_path / "a.log", LINES)
    tables.check(ingestor.engine, LINES * 2)
    assert ingest(ingestor, tmp_path / "a.log", other).outcome == "replaced"
    tables.check(ingestor.engine, other + LINES)
    summary = ingest(ingestor, tmp_path / "a.log", b"")
    assert (summary.outcome, summary.lines, summary.customer_days) == ("replaced", 0, 0)
    tables.check(ingestor.engine, LINES)


def rejects_of(ingestor: Ingestor, path: Path) -> list[dict[str, Any]]:
    uri = tables.ledger(ingestor.engine, str(path)).rejects_uri
    assert uri is not None
    return [json.loads(line) for line in Path(uri).read_text(encoding="utf-8").splitlines()]


def kept_by(ingestor: Ingestor, path: Path) -> list[tuple[int, str]]:
    return [(entry["line"], entry["text"]) for entry in rejects_of(ingestor, path)]


def test_rejected_lines_are_kept_as_long_as_they_count(ingestor: Ingestor, tmp_path: Path) -> None:
    def kept() -> list[str]:
        files = sorted(path for path in (tmp_path / "rejected").rglob("*") if path.is_file())
        return [json.loads(line)["text"] for path in files for line in path.read_bytes().splitlines()]

    ingest(ingestor, tmp_path / "a.log", b"first\n")
    ingest(ingestor, tmp_path / "b.log", b"other\n")
    ingest(ingestor, tmp_path / "a.log", b"second\n")
    ingest(ingestor, tmp_path / "a.log", b"second\n")
    assert sorted(kept()) == ["other", "second"]
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "a.log")))
    assert kept() == ["other"]
    assert set(tables.leftovers(ingestor.engine).values()) == {0}


def test_where_rejected_lines_are_kept_is_noted_before_they_are(ingestor: Ingestor, tmp_path: Path) -> None:
    """A crash between the two leaves them to those who collect, not to nobody."""
    noted: list[tuple[str, list[str | None]]] = []

    class Watching(LocalRejectStore):
        def put(self, name: str, data: bytes) -> None:
            with ingestor.engine.connect() as connection:
                uris = connection.scalars(sa.text("SELECT rejects_uri FROM attempts")).all()
            noted.append((self.uri(name), list(uris)))
            super().put(name, data)

    ingest(replace(ingestor, rejects=Watching(tmp_path / "rejected")), tmp_path / "a.log", b"broken\n")
    ((uri, uris),) = noted
    assert uris == [uri]


def test_rejected_lines_that_cannot_be_deleted_now_are_deleted_later(
    ingestor: Ingestor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory in the place of the file: even root cannot unlink it."""
    ingest(ingestor, tmp_path / "a.log", b"first\n")
    uri = tables.ledger(ingestor.engine, str(tmp_path / "a.log")).rejects_uri
    assert uri is not None
    Path(uri).unlink()
    Path(uri).mkdir()
    assert ingest(ingestor, tmp_path / "a.log", LINES).outcome == "replaced"
    assert f"The rejected lines in {uri} cannot be deleted" in caplog.text
    assert tables.leftovers(ingestor.engine)["attempts"] == 1
    Path(uri).rmdir()
    Path(uri).touch()
    ingest(ingestor, tmp_path / "b.log", LINES)
    assert not Path(uri).exists()
    assert set(tables.leftovers(ingestor.engine).values()) == {0}


@pytest.mark.parametrize(
    ("workers", "wait"), [(1, ""), (2, "0"), (3, "0"), (1, "PT1H"), (3, "86400"), (2, "0.5"), (3, "P400D")]
)
@pytest.mark.usefixtures("small_chunks")
def test_trap_04_waiting_and_workers_never_change_a_result(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, wait: str
) -> None:
    if wait:
        monkeypatch.setenv("WAIT_FOR_SYSTEM_DURATION", wait)
    monkeypatch.setattr(
        "processor.dataflow.source.MAX_SUMMARY_BYTES", 2_000
    )  # many partial summaries, many late
    ingestor = replace(
        ingestor,
        workers=workers,
        wait_for_system_duration=load(ProcessorSettings).wait_for_system_duration,
    )
    ingest(ingestor, tmp_path / "a.log", LINES)
    assert tables.statistics(ingestor.engine) == oracle.statistics(LINES)


def test_trap_18_the_first_and_last_days_fit_into_windows(ingestor: Ingestor, tmp_path: Path) -> None:
    lines = [
        "1970-01-01 00:00:00 c /a 200 0.001",
        "2199-12-31 23:59:59 c /a 200 0.002",
    ]
    outside = ["9999-12-31 00:00:00 c /a 200 0.001", "0001-01-01 00:00:00 c /a 200 0.001"]
    for wait in (dt.timedelta.max, dt.timedelta(0)):
        path = log_file(tmp_path / f"{wait.days}.log", lines + outside).path
        os.utime(path, (LAST_DAY, LAST_DAY))
        summary = replace(ingestor, wait_for_system_duration=wait).ingest_file(LocalFile.at(Path(path)))
        assert summary.rejected_by_reason == {"timestamp": 2}
    assert tables.statistics(ingestor.engine) == oracle.statistics(lines + lines)


REJECTS = {
    "too_long": b"2024-09-04 00:00:00 c /" + b"a" * 65_536 + b" 200 1",
    "encoding": b"2024-09-04 00:00:00 c\xff /a 200 1",
    "layout": b"2024-09-04 00:00:00 c /a 200",
    "timestamp": b"2024-09-31 00:00:00 c /a 200 1",
    "customer_id": b"2024-09-04 00:00:00 c\x7f /a 200 1",
    "request_path": b"2024-09-04 00:00:00 c a 200 1",
    "status_code": b"2024-09-04 00:00:00 c /a 600 1",
    "duration": b"2024-09-04 00:00:00 c /a 200 1,5",
}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("workers", [1, 3])
def test_rejected_lines_are_counted_and_kept_with_their_line_numbers(
    ingestor: Ingestor, tmp_path: Path, workers: int
) -> None:
    good = LINES[:300]
    data = [line.encode() for line in good]
    for at, broken in zip(range(10, 300, 35), REJECTS.values(), strict=False):
        data.insert(at, broken)
    data.insert(5, b"")  # blank: not counted, but it has a line number
    summary = ingest(replace(ingestor, workers=workers), tmp_path / "a.log", b"\n".join(data))
    assert (summary.lines, summary.accepted, summary.rejected) == (308, 300, 8)
    assert summary.rejected_by_reason == dict.fromkeys(REJECTS, 1)
    assert tables.statistics(ingestor.engine) == oracle.statistics(good)

    row = tables.ledger(ingestor.engine, str(tmp_path / "a.log"))
    assert (row.lines, row.accepted, row.rejected) == (308, 300, 8)
    assert row.rejected_by_reason == summary.rejected_by_reason
    kept = rejects_of(ingestor, tmp_path / "a.log")
    assert [entry["line"] for entry in kept] == [1 + data.index(broken) for broken in REJECTS.values()]
    assert [entry["reason"] for entry in kept] == list(REJECTS)
    assert [entry["cut"] for entry in kept] == [True] + [False] * 7
    assert len(kept[0]["text"]) == 1_024
    assert kept[1]["text"] == "2024-09-04 00:00:00 c\\xff /a 200 1"


def numbered(data: bytes) -> list[tuple[int, str]]:
    """The broken lines of a log and their numbers, counted as an editor does."""
    return [
        (number, line.removesuffix(b"\r").decode())
        for number, line in enumerate(data.split(b"\n"), start=1)
        if line.startswith(b"broken")
    ]


def mixed(seed: int, count: int) -> bytes:
    """A log with broken lines, blank lines, both line ends and some over-long lines in it."""
    rng = random.Random(seed)
    kinds: list[Callable[[int], bytes]] = [
        lambda number: f"broken {number}".encode(),
        lambda _: b"",
        lambda number: f"broken {number} ".encode() + b"x" * rng.choice([10, 5_000, 70_000]),
    ]
    lines = [line.encode() for line in random_lines(seed, count)]
    for number in range(count // 10):
        lines.insert(rng.randrange(len(lines) + 1), rng.choices(kinds, [8, 4, 1])[0](number))
    return b"".join(line + rng.choice([b"\n", b"\r\n"]) for line in lines) + b"broken at the end"


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(("workers", "seed"), [(1, 0), (2, 1), (7, 2), (50, 0), (50, 1)])
def test_line_numbers_are_right_however_a_log_is_divided(
    ingestor: Ingestor, tmp_path: Path, workers: int, seed: int
) -> None:
    """50 ranges of a log with lines longer than a range: some ranges own no line at all."""
    data = mixed(seed, 3_000)
    path = tmp_path / "a.log"
    ingest(replace(ingestor, workers=workers), path, data)
    assert len(byte_ranges(readable(LocalFile.at(path)), workers)) == workers
    assert kept_by(ingestor, path) == [(number, line[:1_024]) for number, line in numbered(data)]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("cuts", [[], [1], [7_000, 7_001, 60_000], list(range(100, 20_000, 997))])
def test_line_numbers_go_on_through_the_members_of_a_gzip(
    ingestor: Ingestor, tmp_path: Path, cuts: list[int]
) -> None:
    """Members end in the middle of lines, one is empty, and zeros pad the last."""
    data = mixed(5, 3_000)
    bounds = [0, *cuts, len(data)]
    members = [gzip.compress(data[start:end]) for start, end in pairwise(bounds)]
    members.insert(1, gzip.compress(b""))
    path = tmp_path / "a.log.gz"
    ingest(replace(ingestor, workers=3), path, b"".join(members) + b"\0" * 512)
    assert kept_by(ingestor, path) == [(number, line[:1_024]) for number, line in numbered(data)]


@pytest.mark.usefixtures("small_chunks")
def test_kept_rejects_are_capped_and_counted_all(ingestor: Ingestor, tmp_path: Path) -> None:
    summary = ingest(replace(ingestor, workers=3), tmp_path / "a.log", b"broken\n" * 12_345)
    assert summary.rejected_by_reason == {"layout": 12_345}
    kept = kept_by(ingestor, tmp_path / "a.log")
    assert kept == [(number, "broken") for number in range(1, 10_001)]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("small_chunks")
def test_a_failed_attempt_leaves_nothing_and_the_next_one_succeeds(
    ingestor: Ingestor, tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: int
) -> None:
    ingestor = replace(ingestor, workers=workers)
    data = gzip.compress(as_bytes(LINES))
    with pytest.raises(SourceError, match="not valid gzip"):
        ingest(ingestor, tmp_path / "a.log.gz", data[:-10])
    assert capfd.readouterr().err == "", "Bytewax must not print a backtrace"
    tables.check(ingestor.engine)
    assert ingest(ingestor, tmp_path / "a.log.gz", data).outcome == "ingested"
    tables.check(ingestor.engine, LINES)


def test_a_lost_batch_is_an_error_and_commits_nothing(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = commit._commit

    def after_a_loss(session: Session, *arguments: object) -> object:
        session.execute(
            sa.text("DELETE FROM contributions WHERE ctid = (SELECT min(ctid) FROM contributions)")
        )
        return real(session, *arguments)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(commit, "_commit", after_a_loss)
    with pytest.raises(IntegrityError, match=r"4000 lines were accepted, but \d+ are staged"):
        ingest(ingestor, tmp_path / "a.log", LINES)
    tables.check(ingestor.engine)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("total_requests = 1", "fewer requests are stored than are to be subtracted"),
        ("total_requests = total_requests + 1", "requests are stored that no log object contributed"),
    ],
)
def test_statistics_that_are_not_their_contributions_are_not_subtracted_from(
    ingestor: Ingestor, tmp_path: Path, change: str, problem: str
) -> None:
    """`logstats verify --mend` helps; until then nothing is made worse."""
    ingest(ingestor, tmp_path / "a.log", LINES)
    with ingestor.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE daily_statistics SET {change}"))
    before = tables.merged_rows(ingestor.engine)
    with pytest.raises(IntegrityError, match=problem):
        ingestor.withdraw(Withdrawal("file", str(tmp_path / "a.log")))
    assert tables.merged_rows(ingestor.engine) == before


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.log: No such file"):
        LocalFile.at(tmp_path / "missing.log")
    with pytest.raises(SourceError, match="Is a directory"):
        LocalFile.at(tmp_path)
    with pytest.raises(SourceError, match=r"udcff\.log': the name is not valid UTF-8"):
        LocalFile.at(tmp_path / "\udcff.log")


def test_two_databases_share_a_folder_of_rejected_lines(
    ingestor: Ingestor, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Their attempts have the same numbers, and even the path is the same."""
    server.create_database("another", template="migrated")
    other = create_engine(server.settings("another"))
    path = tmp_path / "a.log"
    ingest(ingestor, path, b"broken of the one\n")
    ingest(replace(ingestor, engine=other), path, b"broken of the other\n")
    assert kept_by(ingestor, path) == [(1, "broken of the one")]
    replace(ingestor, engine=other).withdraw(Withdrawal("file", str(path)))
    assert kept_by(ingestor, path) == [(1, "broken of the one")]
    other.dispose()


class Stubborn(LocalRejectStore):
    """A store that deletes nothing any more, until it is told to."""

    is_stubborn = True
    asked = 0

    def delete(self, uri: str) -> None:
        self.asked += 1
        if self.is_stubborn:
            raise DeletionError(f"{uri} is stubborn")
        super().delete(uri)


def test_what_cannot_be_deleted_costs_each_ingest_one_try(ingestor: Ingestor, tmp_path: Path) -> None:
    stubborn = Stubborn(tmp_path / "rejected")
    ingestor = replace(ingestor, rejects=stubborn)
    for number in range(30):
        ingest(ingestor, tmp_path / "a.log", f"broken {number}\n".encode())
    assert tables.leftovers(ingestor.engine)["attempts"] == 29
    stubborn.asked = 0
    ingest(ingestor, tmp_path / "b.log", LINES)
    assert stubborn.asked == 1
    stubborn.is_stubborn = False
    ingest(ingestor, tmp_path / "c.log", LINES)
    assert 1 < stubborn.asked < 29, "one ingest does not clear up after all others"
    for number in range(9):
        ingest(ingestor, tmp_path / f"{number}.log", LINES)
    assert set(tables.leftovers(ingestor.engine).values()) == {0}
    assert len([path for path in (tmp_path / "rejected").rglob("*") if path.is_file()]) == 1
