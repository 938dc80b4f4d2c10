"""Daily summaries of many customers at once, packed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from logstats import native
from logstats.domain.breakdown import Breakdown
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import DailySummary


@dataclass(frozen=True, slots=True)
class SummaryBatch:
    """An immutable batch of the summaries of one day, sorted by customer; batches of the same day add up.

    One object stands for any number of customers: a million of them as Python objects would take gigabytes. It holds the
    kernel's records (`native/logstats.h`): about 80 bytes a customer, the histogram and the breakdown.
    """

    encoded: bytes

    def __add__(self, other: "SummaryBatch") -> "SummaryBatch":
        return SummaryBatch(native.add_batches(self.encoded, other.encoded))

    def __len__(self) -> int:
        """Return the number of summaries."""
        return native.count_summaries(self.encoded)

    def __iter__(self) -> Iterator[tuple[str, DailySummary]]:
        """Yield each customer and its summary."""
        for customer, _, numbers, histogram, breakdown in native.records(self.encoded):
            kept = Breakdown(breakdown) if breakdown else None
            summary = DailySummary(*numbers, LatencyHistogram(histogram), kept)  # type: ignore[call-arg]  # as many
            yield customer.decode(), summary

    def copy_rows(self, attempt_id: int, part: int) -> bytes:
        """Return rows for PostgreSQL's ``COPY ... (FORMAT BINARY)``, without its header and trailer.

        The columns are `logstats.rows.COPY`. Source: PostgreSQL documentation, "COPY", section "Binary Format".
        """
        return native.copy_rows(self.encoded, attempt_id, part)


@dataclass(slots=True)
class BatchSum:
    """A sum of batches that grows by one after the other.

    Adding each to the total at once would copy the total every time. So batches are kept until as much has
    come again (a log-structured merge), which copies each summary a logarithmic number of times.
    """

    runs: list[SummaryBatch] = field(default_factory=list)

    def add(self, batch: SummaryBatch) -> "BatchSum":
        """Add a batch; returns itself."""
        runs = self.runs
        runs.append(batch)
        while len(runs) > 1 and len(runs[-2].encoded) <= 2 * len(runs[-1].encoded):
            runs[-2:] = [runs[-2] + runs[-1]]
        return self

    def merge(self, other: "BatchSum") -> "BatchSum":
        """Add all of another sum; returns itself."""
        for batch in other.runs:
            self.add(batch)
        return self

    def total(self) -> SummaryBatch:
        """Return the sum."""
        while len(self.runs) > 1:
            self.runs[-2:] = [self.runs[-2] + self.runs[-1]]
        return self.runs[0] if self.runs else SummaryBatch(b"")
