"""Bytewax source: a log object in byte ranges, each pre-aggregated as it is read."""

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from logstats.domain.batch import SummaryBatch
from logstats.native import Aggregator
from processor.dataflow.flow import PartReport, ShardDay
from processor.dataflow.monitor import Monitor
from processor.dataflow.shards import count_shards
from processor.reading.lines import CHUNK_BYTES, feed_lines
from processor.reading.objects import LogObject, is_gzip

MAX_REJECTS = 10_000
"""Rejected lines kept per log object; all are counted."""
MAX_REJECT_BYTES = 1_024
"""Bytes kept of a rejected line."""

MAX_SUMMARY_BYTES = 64 << 20
"""Held per worker before partial summaries are handed on."""

_HANDED_ON_BYTES = 4 << 20  # at a time: each hand-over costs as much as many items

_AT_ONCE: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_Item = ShardDay | PartReport


class LogPartition(StatefulSourcePartition[_Item, None]):
    """One byte range of a log object."""

    def __init__(
        self, log: LogObject, part: int, bounds: tuple[int, int], workers: int, monitor: Monitor
    ) -> None:
        start, end = bounds
        self._part, self._size, self._workers, self._monitor = part, end - start, workers, monitor
        self._most_held = 0
        self._aggregator = Aggregator(MAX_REJECTS, MAX_REJECT_BYTES)
        self._digests = bytearray()
        self._items = self._read(log, start, end)

    def _read(self, log: LogObject, start: int, end: int) -> Iterator[list[_Item]]:
        for digest in feed_lines(log, start, end, self._aggregator):
            self._digests += digest
            self._monitor.progress(CHUNK_BYTES)
            if self._aggregator.memory > MAX_SUMMARY_BYTES:
                yield from self._drain()
            yield []
        yield from self._drain()
        counts = self._aggregator.counts
        yield [
            PartReport(
                self._part,
                counts.lines,
                counts.accepted,
                counts.rejected_by_reason,
                self._size,
                bytes(self._digests),
                list(self._aggregator.rejects()),
            )
        ]

    def _drain(self) -> Iterator[list[_Item]]:
        items: list[_Item] = []
        size = 0
        self._most_held = max(self._most_held, self._aggregator.memory)
        shards = count_shards(self._workers, self._most_held)
        for shard, day, batch in self._aggregator.drain_batches(shards):
            items.append(ShardDay(shard, day, SummaryBatch(batch)))
            size += len(batch)
            if size > _HANDED_ON_BYTES:
                yield items
                items, size = [], 0
        yield items

    def next_batch(self) -> list[_Item]:
        """Read one chunk, or hand on summaries that are due."""
        if self._monitor.error:
            raise StopIteration
        try:
            return next(self._items)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._monitor.fail(error)
            raise StopIteration from None

    def next_awake(self) -> dt.datetime:
        """Ask to be called again at once; without this, Bytewax pauses 1 ms after every empty batch."""
        return _AT_ONCE

    def snapshot(self) -> None:
        """Keep nothing: an attempt that fails starts again."""

    def close(self) -> None:
        """Close the file or connection."""
        self._items.close()  # type: ignore[attr-defined]


class LogSource(FixedPartitionedSource[_Item, None]):
    """A log object, divided into byte ranges.

    Parameters
    ----------
    log
        The object; a compressed one is a single range.
    workers
        Those of all processes: as many ranges are wanted; a small object gives fewer.
    monitor
        Takes progress and errors.
    """

    def __init__(self, log: LogObject, workers: int, monitor: Monitor) -> None:
        self._log, self._workers, self._monitor = log, workers, monitor
        chunks = -(-log.size // CHUNK_BYTES)
        count = 1 if is_gzip(log.key) else max(1, min(workers, chunks))
        bounds = [chunks * i // count * CHUNK_BYTES for i in range(count)] + [log.size]
        self.ranges = list(pairwise(bounds))

    def list_parts(self) -> list[str]:
        """Name the ranges by number."""
        return [str(part) for part in range(len(self.ranges))]

    def build_part(self, _step_id: str, for_part: str, _resume_state: None) -> LogPartition:
        """Open a range; called on the worker that reads it."""
        part = int(for_part)
        return LogPartition(self._log, part, self.ranges[part], self._workers, self._monitor)
