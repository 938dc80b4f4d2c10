"""Small log objects in a group: the same tables and summaries as one by one, and what is wrong with one is its own."""

import gzip
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from logstats.models import Base
from processor import bulk, sources
from processor.bulk import Result, ingest_all
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger import commit, delivery, transaction
from processor.ledger.change import IntegrityError
from processor.ledger.delivery import Withdrawal
from processor.ledger.horizon import SealedError
from processor.reading.objects import LocalFile, SourceError
from processor.reading.s3 import S3Object, create_client
from processor.sources import Source, file_source, object_source
from tests import oracle, tables
from tests.ingests import log_file
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

BUCKET = "logs"
_KINDS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "broken lines": lambda data: data + b"broken\n" + data[:100],
    "compressed": lambda data: gzip.compress(data, mtime=0),
    "corrupt": lambda data: gzip.compress(data, mtime=0)[:-9],
    "foreign": lambda _: b"these are notes\nand no log\n",
    "empty": lambda _: b"",
    "the same": lambda _: as_bytes(random_lines(99, 20)),
}
_LEDGER_ONLY = ("id", "attempt_id", "rejects_uri", "seconds", "committed_at")


def some_files(folder: Path, seed: int) -> list[Path]:
    """So many files of all kinds, in random order; one has gone, and one is no log object."""
    rng = random.Random(seed)
    paths = []
    for number in range(14):
        kind = rng.choice(list(_KINDS)[: len(_KINDS) - (number < 4)])
        name = f"{number}.parquet" if rng.random() < 0.1 else f"{number}.log"
        data = as_bytes(random_lines(seed * 100 + number, rng.choice([1, 5, 60]), customers=4))
        paths.append(folder / name)
        paths[-1].write_bytes(_KINDS[kind](data))
    return paths


def ingested(ingestor: Ingestor, paths: list[Path]) -> list[Result]:
    """The first is gone when it is read; three count already: one has grown, one is another log now."""
    found = [file_source(path, None, is_rotated=False) for path in paths]
    paths[0].unlink()
    for path in paths[1:4]:
        with suppress(SourceError):
            ingestor.ingest_file(LocalFile.at(path))
    with paths[2].open("ab") as grown:
        grown.write(b"2024-09-04 01:02:03 cust_1 /a 200 1\n")
    paths[3].write_bytes(b"2024-09-04 01:02:03 cust_2 /a 200 1\n")
    return list(ingest_all(found, lambda _: ingestor))


def state(engine: sa.Engine) -> dict[str, Any]:
    """All rows, without ids and times, attempts by what they are of; rejected lines by their content."""
    with engine.connect() as connection:
        names = {
            row.id: (row.bucket, row.key, row.committed)
            for row in connection.execute(sa.text("SELECT id, bucket, key, committed FROM attempts"))
        }
        found: dict[str, Any] = {"attempts": sorted(names.values()), "rejects": {}}
        for key, uri in connection.execute(sa.text("SELECT key, rejects_uri FROM log_objects")):
            found["rejects"][key] = uri and Path(uri).read_bytes()
        for table in ("log_objects", "contributions", "daily_statistics", "customers"):
            rows = []
            for values in connection.execute(sa.select(Base.metadata.tables[table])).mappings():
                row = dict(values)
                kept = {
                    name: value
                    for name, value in row.items()
                    if name not in (*_LEDGER_ONLY, "part", "revision")
                }
                rows.append(sorted({**kept, "of": str(names.get(row.get("attempt_id")))}.items()))
            found[table] = sorted(rows, key=str)
    return found


def told(results: list[Result]) -> list[object]:
    return [
        (result.source.name, result.context.first_line, str(result.problem))
        + ((str(_timeless(result.summary)),) if result.summary else ())
        for result in results
    ]


def _timeless(summary: IngestSummary) -> IngestSummary:
    """Of several objects with the same content, any may be named."""
    return replace(summary, seconds=0, same_content_as=summary.same_content_as and "another")


@pytest.mark.parametrize("seed", range(6))
def test_a_group_comes_to_the_same_as_its_objects_one_by_one(
    ingestor: Ingestor, tmp_path: Path, seed: int
) -> None:
    found = []
    for most in (1, 64):
        for path in tmp_path.glob("*.*"):
            path.unlink()
        with mock.patch.object(bulk, "MOST_OBJECTS", most):
            results = ingested(replace(ingestor, formats=()), some_files(tmp_path, seed))
        found.append({"told": told(results), **state(ingestor.engine)})
        with ingestor.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "TRUNCATE log_objects, attempts, attempt_parts, contributions, daily_statistics, customers"
                )
            )
    for name, rows in found[0].items():
        assert rows == found[1][name], name


def files(folder: Path, count: int) -> tuple[list[Source], list[str]]:
    logs = [random_lines(number, 30) for number in range(count)]
    paths = [log_file(folder / f"{number}.log", lines).path for number, lines in enumerate(logs)]
    sources = [file_source(Path(path), None, is_rotated=False) for path in paths]
    return sources, [line for lines in logs for line in lines]


def commits(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        times = connection.execute(sa.text("SELECT count(DISTINCT xmin::text) FROM log_objects"))
        return int(times.scalar_one())


def test_small_objects_are_committed_together(ingestor: Ingestor, tmp_path: Path) -> None:
    """Up to a number, and a size; a larger one by itself."""
    found, lines = files(tmp_path, 9)
    size = found[0].size
    with mock.patch.multiple(bulk, MOST_OBJECTS=4, LARGEST_BYTES=size + 200):
        results = list(ingest_all(found, lambda _: ingestor))
    assert [result.source for result in results] == found
    assert commits(ingestor.engine) == 3
    tables.check(ingestor.engine, lines)
    ingestor.withdraw(Withdrawal("file", found[0].name))
    with mock.patch.multiple(bulk, MOST_BYTES=3 * size, LARGEST_BYTES=size - 1):
        groups = [len(group) for group in bulk._groups(found)]
    assert sum(groups) == 9
    assert 1 in groups


@pytest.mark.parametrize("error", [SealedError("sealed"), IntegrityError("wrong"), SourceError("full")])
def test_what_is_wrong_with_one_is_its_own_and_the_others_go_on_together(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    found, lines = files(tmp_path, 8)
    bad, decide = found[5].name, delivery.decide

    def decide_or_fail(row: Any, wanted: Any) -> Any:  # noqa: ANN401 - passed on
        if wanted.key == bad:
            raise error
        return decide(row, wanted)

    monkeypatch.setattr(commit, "decide", decide_or_fail)
    results = list(ingest_all(found, lambda _: ingestor))
    assert [(result.source.name, result.problem) for result in results if result.problem] == [(bad, error)]
    assert commits(ingestor.engine) < 5
    tables.check(ingestor.engine, lines[: 5 * 30] + lines[6 * 30 :])


def test_what_is_no_longer_new_under_the_lock_is_decided_as_ever(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others ingest the same while the group is read: the first wins, and nothing counts twice."""
    found, lines = files(tmp_path, 4)
    lock_rows = transaction.lock_rows

    def lock_late(*arguments: Any) -> Any:  # noqa: ANN401 - passed on
        monkeypatch.setattr(commit, "lock_rows", lock_rows)
        for source in found[1:3]:
            assert ingestor.ingest_file(LocalFile.at(Path(source.name))).outcome == "ingested"
        return lock_rows(*arguments)

    monkeypatch.setattr(commit, "lock_rows", lock_late)
    outcomes = [result.summary and result.summary.outcome for result in ingest_all(found, lambda _: ingestor)]
    assert outcomes == ["ingested", "unchanged", "unchanged", "ingested"]
    tables.check(ingestor.engine, lines)


def test_two_groups_that_share_objects_do_not_wait_for_each_other(ingestor: Ingestor, tmp_path: Path) -> None:
    found, lines = files(tmp_path, 12)
    with mock.patch.object(transaction, "_TRIES", 1):  # the order of locks alone must prevent deadlocks
        threads = [
            threading.Thread(target=lambda these: list(ingest_all(these, lambda _: ingestor)), args=[these])
            for these in (found, found[::-1], found[6:] + found[:6])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tables.check(ingestor.engine, lines)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Double]:
    with S3Double() as double:
        for name, value in double.variables.items():
            monkeypatch.setenv(name, value)
        yield double


def test_objects_are_fetched_by_one_request_and_are_current_at_the_commit(
    ingestor: Ingestor, s3: S3Double
) -> None:
    """One is replaced while the group is read, one has become large since it was listed, one is gone."""
    requests: list[str] = []
    logs = {f"{number}.log": random_lines(number, 40) for number in range(6)}
    for key, lines in logs.items():
        s3.put(BUCKET, key, as_bytes(lines))
    client = create_client()
    found = [object_source(client, BUCKET, key, 1_000) for key in [*logs, "gone.log"]]

    def note(method: str) -> str:
        requests.append(method)
        if method == "HEAD" and len(s3.objects[BUCKET, "2.log"]) == 1:
            logs["2.log"] = random_lines(77, 40)
            s3.put(BUCKET, "2.log", as_bytes(logs["2.log"]))
        return ""

    s3.fault = note
    with mock.patch.object(sources, "LARGEST_BYTES", len(as_bytes(logs["4.log"])) - 1):
        logs_within = [
            key for key, lines in logs.items() if len(as_bytes(lines)) < len(as_bytes(logs["4.log"]))
        ]
        results = {result.source.name: result for result in ingest_all(found, lambda _: ingestor)}
    assert requests.count("GET") < 7 + 2 * (7 - len(logs_within)) + 4
    assert isinstance(results[f"s3://{BUCKET}/gone.log"].problem, SourceError)
    assert tables.ledger(ingestor.engine, "2.log").version == "v2"
    tables.check(ingestor.engine, [line for lines in logs.values() for line in lines])
    client.close()


def test_an_object_that_has_become_large_is_not_fetched(s3: S3Double) -> None:
    s3.put(BUCKET, "a.log", b"x" * 11)
    client = create_client()
    with pytest.raises(SourceError, match="it has 11 bytes by now"):
        S3Object.fetch(client, BUCKET, "a.log", 10)
    assert S3Object.fetch(client, BUCKET, "a.log", 11).content == b"x" * 11
    client.close()


def test_a_stop_ends_a_group_at_once(ingestor: Ingestor, tmp_path: Path) -> None:
    found, _ = files(tmp_path, 6)

    def stop(_count: int) -> None:
        raise SourceError("stopped")

    results = list(ingest_all(found, lambda _: replace(ingestor, progress=stop)))
    assert [str(result.problem) for result in results] == ["stopped"] * 6
    assert set(tables.leftovers(ingestor.engine).values()) == {0}
    assert tables.statistics(ingestor.engine) == oracle.statistics([])
