"""The statistics of one customer on one UTC day, or of a part of it."""

from collections.abc import Callable
from dataclasses import dataclass

from logstats.domain.breakdown import Breakdown
from logstats.domain.histogram import LatencyHistogram, nearest_rank

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class DailySummary:
    """Requests of one customer on one day; summaries of parts add up to the summary of the whole.

    The one place in Python that names the columns of a summary, in their order: tables, statements and COPY derive
    from the fields (`logstats.rows`). Requests are valid lines, errors those with a status 4xx and 5xx, untimed those
    without a duration. Durations are integer microseconds, of the timed requests only; without any, minimum and maximum
    are None. There may be no breakdown: of a sum there is one if each of its terms has one.
    """

    total_requests: int
    client_errors: int
    server_errors: int
    untimed_requests: int
    duration_sum_us: int
    duration_min_us: int | None
    duration_max_us: int | None
    histogram: LatencyHistogram
    breakdown: Breakdown | None = None

    def __add__(self, other: "DailySummary") -> "DailySummary":
        """Add the summaries of two log objects."""
        return self._sum(other, Breakdown.__add__)

    def unite(self, other: "DailySummary") -> "DailySummary":
        """Add the summaries of two parts of one log object, whose routes are bounded together."""
        return self._sum(other, Breakdown.unite)

    def _sum(
        self, other: "DailySummary", add: Callable[[Breakdown, Breakdown], Breakdown | None]
    ) -> "DailySummary":
        return DailySummary(
            self.total_requests + other.total_requests,
            self.client_errors + other.client_errors,
            self.server_errors + other.server_errors,
            self.untimed_requests + other.untimed_requests,
            self.duration_sum_us + other.duration_sum_us,
            _extreme(min, self.duration_min_us, other.duration_min_us),
            _extreme(max, self.duration_max_us, other.duration_max_us),
            self.histogram + other.histogram,
            add(self.breakdown, other.breakdown) if self.breakdown and other.breakdown else None,
        )

    def subtract(self, other: "DailySummary", extremes_us: tuple[int | None, int | None]) -> "DailySummary":
        """Take out what was added before; a `ValueError` if these durations were not.

        The extremes are minimum and maximum of what is left, which subtraction cannot tell.
        """
        return DailySummary(
            self.total_requests - other.total_requests,
            self.client_errors - other.client_errors,
            self.server_errors - other.server_errors,
            self.untimed_requests - other.untimed_requests,
            self.duration_sum_us - other.duration_sum_us,
            *extremes_us,
            self.histogram - other.histogram,
            self.breakdown - other.breakdown if self.breakdown and other.breakdown else None,
        )

    @property
    def timed_requests(self) -> int:
        """How many requests have a duration."""
        return self.total_requests - self.untimed_requests

    def percentiles_us(self) -> tuple[int | None, ...]:
        """Return the nearest-rank p50, p90, p95 and p99 of the durations, in microseconds; None without durations.

        The ⌈p·n/100⌉-th smallest duration, as the histogram knows it, kept within minimum and maximum.
        """
        if self.duration_min_us is None or self.duration_max_us is None:
            return (None,) * len(PERCENTILES)
        least, most = self.duration_min_us, self.duration_max_us
        ranks = [nearest_rank(percent, self.timed_requests) for percent in PERCENTILES]
        return tuple(min(max(value, least), most) for value in self.histogram.values_at(ranks))


def _extreme(of: Callable[[int, int], int], left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return of(left, right)
