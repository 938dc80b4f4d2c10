"""The SQL of the API.

It is text, not SQLAlchemy expressions, because importing SQLAlchemy costs more than everything else that a cold
start does (docs/decisions/0009). The models stay the schema's one source: a test compiles each statement
from them and compares.
"""

DAILY_STATISTICS = """
SELECT daily_statistics.customer_id, daily_statistics.date, daily_statistics.total_requests,
    daily_statistics.client_errors, daily_statistics.server_errors,
    CAST(daily_statistics.duration_sum_us AS TEXT) AS duration_sum_us,
    daily_statistics.duration_p50_us, daily_statistics.duration_p90_us, daily_statistics.duration_p95_us,
    daily_statistics.duration_p99_us, daily_statistics.duration_max_us
FROM daily_statistics
WHERE daily_statistics.customer_id = $1 AND daily_statistics.date BETWEEN $2 AND $3
ORDER BY daily_statistics.date
"""
"""One customer's days ($1) from a date ($2) to a date ($3), both included, in the order of the dates.

The sum is text: it may exceed 64 bits, and text becomes an `int` faster than a `Decimal` is made.
"""

REVISIONS = """
SELECT customers.customer_id, customers.revision
FROM customers
WHERE customers.customer_id = ANY ($1)
"""
"""The revisions of customers ($1, an array); a customer without statistics has no row."""
