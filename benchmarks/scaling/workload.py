"""What is ingested to measure costs, and what that took."""

from dataclasses import dataclass

from benchmarks.scaling.child import Times
from local.generator import DURATIONS_MS


@dataclass(frozen=True, slots=True)
class Workload:
    """Log objects of one day, all with the same customers.

    Attributes
    ----------
    objects
        How many.
    lines, customers
        Of each.
    """

    objects: int
    lines: int
    customers: int

    @property
    def rows(self) -> int:
        """Customer-days that each object touches (nearly all customers occur)."""
        return self.customers

    def buckets(self, objects: int = 1) -> float:
        """Return the used buckets of the histograms of all customers once so many objects are merged.

        The expected number of different durations among those that the generator draws from.
        """
        return self.rows * len(DURATIONS_MS) * self._used(objects)

    def gaps(self, objects: int) -> float:
        """Return how many of those have an unused one behind them: a histogram with gaps takes longer to add to."""
        return self.buckets(objects) * (1 - self._used(objects))

    def _used(self, objects: int) -> float:
        used: float = 1 - (1 - 1 / len(DURATIONS_MS)) ** (objects * self.lines / self.customers)
        return used


@dataclass(frozen=True, slots=True)
class Measured:
    """What a workload took.

    Attributes
    ----------
    seconds
        From the first ingest to the end of the last.
    ingests
        Of each process, in order.
    database_cpu
        CPU seconds of PostgreSQL.
    row_bytes
        Of a contribution on disk, with its share of the indexes.
    others
        CPU seconds per second that other processes took meanwhile.
    """

    seconds: float
    ingests: list[list[Times]]
    database_cpu: float
    row_bytes: float
    others: float
