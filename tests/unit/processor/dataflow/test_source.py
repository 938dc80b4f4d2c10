"""Byte ranges hand on each item once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from processor.dataflow import source
from processor.dataflow.flow import Report, ShardDay
from processor.dataflow.worker_errors import WorkerErrors
from processor.reading.objects import LocalFile
from tests.ingests import readable
from tests.logs import as_bytes, random_lines

LINES = random_lines(3, 2_000, customers=300)


def batches(part: source.LogPartition) -> Iterator[list[ShardDay | Report]]:
    while True:
        try:
            yield part.next_batch()
        except StopIteration:
            return


def test_many_summaries_are_handed_on_piece_by_piece_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_HANDED_ON_BYTES", 10_000)
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(LINES))
    errors = WorkerErrors()
    part = source.LogSource([readable(LocalFile.at(path))], 4, errors).build_part("read", "0", None)
    handed_on = list(batches(part))
    assert errors.error is None
    pieces = [[item for item in items if isinstance(item, ShardDay)] for items in handed_on]
    assert len([piece for piece in pieces if piece]) > 2
    assert all(sum(len(item.summaries.encoded) for item in piece[:-1]) <= 10_000 for piece in pieces)
    lines: Counter[str] = Counter()
    for piece in pieces:
        for item in piece:
            for customer, summary in item.summaries:
                lines[customer] += summary.total_requests
    assert lines == Counter(line.split()[2] for line in LINES)
    (last,) = handed_on[-1]
    assert isinstance(last, tuple)
    report = last[1]
    assert report.accepted == len(LINES)


def test_a_range_is_not_read_on_when_another_has_failed(tmp_path: Path) -> None:
    path, read = tmp_path / "a.log", list[int]()
    path.write_bytes(as_bytes(LINES))
    errors = WorkerErrors()
    part = source.LogSource([readable(LocalFile.at(path))], 4, errors, read.append).build_part(
        "read", "0", None
    )
    errors.fail(OSError("of another worker"))
    assert list(batches(part)) == []
    assert read == []
