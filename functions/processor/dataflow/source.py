"""Bytewax source: a log object in byte ranges, each pre-aggregated as it is read."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from logstats.domain.batch import SummaryBatch
from logstats.native import EVERYTHING, Aggregator, Kept
from processor.dataflow.flow import Report, ShardDay
from processor.dataflow.report import MAX_REJECT_BYTES, MAX_REJECTS, PartReport
from processor.dataflow.shards import count_shards
from processor.dataflow.worker_errors import WorkerErrors
from processor.reading.lines import CHUNK_BYTES, ChunkDigests, feed_lines
from processor.reading.readable import ReadableLog

MAX_SUMMARY_BYTES = 64 << 20
"""Held per worker before partial summaries are handed on."""

_HANDED_ON_BYTES = 4 << 20  # at a time: each hand-over costs as much as many items

_AT_ONCE: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_Item = ShardDay | Report
Progress = Callable[[int], None]
Range = tuple[int, int, int, int]
"""A run's log, from 0; which one of its ranges, from 0; start and end."""


class LogPartition(StatefulSourcePartition[_Item, None]):
    """One byte range of a log object, or several small log objects, one after the other."""

    def __init__(self, source: "LogSource", part: int) -> None:
        self._source, self._errors = source, source.errors
        self._most_held = 0
        self._items = self._read_all(source.parts[part])

    def _read_all(self, ranges: Sequence[Range]) -> Iterator[list[_Item]]:
        for each in ranges:
            yield from self._read(*each)

    def _read(self, number: int, part: int, start: int, end: int) -> Iterator[list[_Item]]:
        source, log = self._source, self._source.logs[number]
        columns = log.columns if start else b""
        aggregator = Aggregator(MAX_REJECTS, MAX_REJECT_BYTES, log.program, log.latest, columns, source.kept)
        chunks, digests = ChunkDigests(of_plain_text=log.is_content_decompressed), bytearray()
        for digest in feed_lines(log, start, end, aggregator, log.head.compression, chunks):
            digests += digest
            source.progress(CHUNK_BYTES if digest else 0)
            if aggregator.memory > MAX_SUMMARY_BYTES:
                yield from self._drain(number, aggregator)
            yield []
        yield from self._drain(number, aggregator)
        counts = aggregator.counts
        report = PartReport(
            part,
            counts.lines,
            counts.accepted,
            counts.skipped,
            counts.rejected_by_reason,
            chunks.size,
            bytes(digests),
            aggregator.columns,
            list(aggregator.rejects()),
        )
        yield [(number, report)]

    def _drain(self, number: int, aggregator: Aggregator) -> Iterator[list[_Item]]:
        items: list[_Item] = []
        size = 0
        self._most_held = max(self._most_held, aggregator.memory)
        shards = count_shards(self._source.workers, self._most_held)
        for shard, day, batch in aggregator.drain_batches(shards):
            items.append(ShardDay(number, shard, day, SummaryBatch(batch)))
            size += len(batch)
            if size > _HANDED_ON_BYTES:
                yield items
                items, size = [], 0
        yield items

    def next_batch(self) -> list[_Item]:
        """Read one chunk, or hand on summaries that are due."""
        if self._errors.error:
            raise StopIteration
        try:
            return next(self._items)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._errors.fail(error)
            raise StopIteration from None

    def next_awake(self) -> dt.datetime:
        """Ask to be called again at once; without this, Bytewax pauses 1 ms after every empty batch."""
        return _AT_ONCE

    def snapshot(self) -> None:
        """Keep nothing: an attempt that fails starts again."""

    def close(self) -> None:
        """Close the file or connection."""
        self._items.close()  # type: ignore[attr-defined]  # it is a generator


class LogSource(FixedPartitionedSource[_Item, None]):
    """A log object, divided into a byte range for each worker of all processes; a small or compressed one into fewer.

    Or several `logs`, which are small: one worker reads them one after the other, since a part of its own costs more than one of them.
    `errors` takes what goes wrong, `progress` the number of bytes just read; the last one is rounded up. `kept` says what is
    broken down.
    """

    def __init__(
        self,
        logs: Sequence[ReadableLog],
        workers: int,
        errors: WorkerErrors,
        progress: Progress = lambda _: None,
        kept: Kept = EVERYTHING,
    ) -> None:
        self.logs, self.workers, self.errors, self.progress = logs, workers, errors, progress
        self.kept = kept
        ranges = [
            (number, part, start, end)
            for number, log in enumerate(logs)
            for part, (start, end) in enumerate(byte_ranges(log, workers))
        ]
        self.parts: list[list[Range]] = [[each] for each in ranges] if len(logs) == 1 else [ranges]

    def list_parts(self) -> list[str]:
        """Name the parts by number."""
        return [str(part) for part in range(len(self.parts))]

    def build_part(self, _step_id: str, for_part: str, _resume_state: None) -> LogPartition:
        """Open a part; called on the worker that reads it."""
        return LogPartition(self, int(for_part))


def byte_ranges(log: ReadableLog, workers: int) -> list[tuple[int, int]]:
    """Divide a log object among the workers of all processes; return start and end of each range."""
    chunks = -(-log.size // CHUNK_BYTES)
    count = 1 if log.head.compression else max(1, min(workers, chunks))
    bounds = [chunks * i // count * CHUNK_BYTES for i in range(count)] + [log.size]
    return list(pairwise(bounds))
