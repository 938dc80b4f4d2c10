"""What is ingested to measure costs, and what that took."""

from dataclasses import dataclass
from math import comb, exp

from benchmarks.scaling.child import Times
from local.generator import DURATIONS_MS

PAGE, DENSE_FROM = 64, 8
"""Milliseconds in a page of a histogram, and how many of them must have occurred before it is packed (`encoding.h`)."""
_PAGES = len(DURATIONS_MS) / PAGE


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

    def pages(self, objects: int = 1) -> float:
        """Return the packed pages in the histograms of all customers once so many objects are merged (decision 2).

        The expected number of pages of which at least `DENSE_FROM` of `PAGE` milliseconds have occurred, among those
        that the generator draws from.
        """
        return self.rows * _PAGES * sum(self._used_in_a_page(objects)[DENSE_FROM:])

    def listed(self, objects: int = 1) -> float:
        """Return the other entries of these histograms: those of durations that are in no packed page."""
        used = self._used_in_a_page(objects)[:DENSE_FROM]
        return self.rows * _PAGES * sum(count * share for count, share in enumerate(used))

    def packed_bytes(self) -> float:
        """Return the size of the packed pages of one object."""
        return self.pages() * PAGE / 8 * _bits(self.lines / self.customers / len(DURATIONS_MS))

    def _used_in_a_page(self, objects: int) -> list[float]:
        """Return how probable it is that 0, 1, 2, ... milliseconds of a page have occurred: a binomial distribution."""
        free = (1 - 1 / len(DURATIONS_MS)) ** (objects * self.lines / self.customers)
        return [comb(PAGE, used) * (1 - free) ** used * free ** (PAGE - used) for used in range(PAGE + 1)]


def _bits(mean: float) -> int:
    """Return the bits to a count that a page needs more often than not, when counts have this mean (Poisson)."""
    for bits in (1, 2, 4, 8):
        term = at_most = exp(-mean)
        for count in range(1, 1 << bits):
            term *= mean / count
            at_most += term
        if at_most**PAGE > 0.5:
            return bits
    return 16


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
    machine_cpu
        CPU seconds that the machine has spent on anything meanwhile.
    """

    seconds: float
    ingests: list[list[Times]]
    database_cpu: float
    row_bytes: float
    machine_cpu: float

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes and of PostgreSQL."""
        return self.database_cpu + sum(one.cpu for ingests in self.ingests for one in ingests)

    @property
    def others(self) -> float:
        """CPU seconds per second that other processes took meanwhile."""
        return max(0.0, self.machine_cpu - self.cpu) / self.seconds
