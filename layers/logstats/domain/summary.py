"""The statistics of one customer on one UTC day, or of a part of it."""

from dataclasses import dataclass

from logstats.domain.histogram import LatencyHistogram, nearest_rank

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class DailySummary:
    """Requests of one customer on one day; summaries of parts add up to the summary of the whole.

    The one place in Python that names the columns of a summary, in their order: tables, statements and COPY derive
    from the fields (`logstats.rows`). Requests are valid lines, errors those with a status 4xx and 5xx; durations are
    integer microseconds.
    """

    total_requests: int
    client_errors: int
    server_errors: int
    duration_sum_us: int
    duration_min_us: int
    duration_max_us: int
    histogram: LatencyHistogram

    def __add__(self, other: "DailySummary") -> "DailySummary":
        return DailySummary(
            self.total_requests + other.total_requests,
            self.client_errors + other.client_errors,
            self.server_errors + other.server_errors,
            self.duration_sum_us + other.duration_sum_us,
            min(self.duration_min_us, other.duration_min_us),
            max(self.duration_max_us, other.duration_max_us),
            self.histogram + other.histogram,
        )

    def subtract(self, other: "DailySummary", extremes_us: tuple[int, int]) -> "DailySummary":
        """Take out what was added before; a `ValueError` if these durations were not.

        The extremes are minimum and maximum of what is left, which subtraction cannot tell.
        """
        return DailySummary(
            self.total_requests - other.total_requests,
            self.client_errors - other.client_errors,
            self.server_errors - other.server_errors,
            self.duration_sum_us - other.duration_sum_us,
            *extremes_us,
            self.histogram - other.histogram,
        )

    def percentiles_us(self) -> tuple[int, ...]:
        """Return the nearest-rank p50, p90, p95 and p99 of the durations, in microseconds.

        The ⌈p·n/100⌉-th smallest duration, as the histogram knows it, kept within minimum and maximum.
        """
        ranks = [nearest_rank(percent, self.total_requests) for percent in PERCENTILES]
        return tuple(
            min(max(value, self.duration_min_us), self.duration_max_us)
            for value in self.histogram.values_at(ranks)
        )
