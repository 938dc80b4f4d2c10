"""Peers of the ingest: each module computes the same rows from the same file."""

Row = tuple[str, str, int, int, int, int, int, int, int, int, int]
"""Customer, day, requests, client errors, server errors; then in microseconds: sum, p50, p90, p95, p99, maximum."""
Cells = list[tuple[object, ...]]
"""Customer, day, what they are divided by (`day`, `slot`, `route` or `status`), which, requests; but for statuses also client
errors, server errors and the sum in microseconds."""
