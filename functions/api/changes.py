"""How a range of days differs from the range of the same length just before."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measures:
    """Hold what is compared: requests, those that failed with 5xx, and the p99 in microseconds if it is known."""

    total_requests: int
    server_errors: int
    p99_us: int | None = None

    @property
    def uptime_percentage(self) -> float:
        """As `representation.fields` has it; there must be requests."""
        return 100 * (self.total_requests - self.server_errors) / self.total_requests


def changes(now: Measures, before: Measures | None) -> dict[str, float | None]:
    """Return the fields `change_…`; null where either range has nothing to compare.

    Requests and p99 are compared as a ratio less one, the uptime as a difference in percentage points.
    """
    if before is None or not before.total_requests:
        return dict.fromkeys(("change_requests", "change_uptime_percentage", "change_p99"))
    return {
        "change_requests": (now.total_requests - before.total_requests) / before.total_requests,
        "change_uptime_percentage": now.uptime_percentage - before.uptime_percentage
        if now.total_requests
        else None,
        "change_p99": None
        if now.p99_us is None or not before.p99_us
        else (now.p99_us - before.p99_us) / before.p99_us,
    }
