"""The SQL of the API.

It is text, not SQLAlchemy expressions, because importing SQLAlchemy costs more than everything else that a cold
start does (docs/decisions/0009). The models stay the schema's one source: a test compiles each statement
from them and compares.
"""

DAILY_STATISTICS = """
SELECT customers.customer_id, daily_statistics.date, daily_statistics.total_requests,
    daily_statistics.client_errors, daily_statistics.server_errors,
    CAST(daily_statistics.duration_sum_us AS TEXT) AS duration_sum_us,
    daily_statistics.duration_p50_us, daily_statistics.duration_p90_us, daily_statistics.duration_p95_us,
    daily_statistics.duration_p99_us, daily_statistics.duration_max_us, customers.revision
FROM customers
LEFT OUTER JOIN daily_statistics ON daily_statistics.customer_id = customers.customer_id
    AND daily_statistics.date BETWEEN $2 AND $3
WHERE customers.customer_id = $1
ORDER BY daily_statistics.date
"""
"""One customer's days ($1) from a date ($2) to a date ($3), both included, in the order of the dates.

With each the customer's revision: a customer without days between the dates has one row, without a date; an unknown
one has none. The sum is text: it may exceed 64 bits, and text becomes an `int` faster than a `Decimal` is made.
"""

DAILY_SUMMARIES = """
SELECT customers.customer_id, daily_statistics.date, daily_statistics.total_requests,
    daily_statistics.client_errors, daily_statistics.server_errors,
    CAST(daily_statistics.duration_sum_us AS TEXT) AS duration_sum_us,
    daily_statistics.duration_min_us, daily_statistics.duration_max_us, daily_statistics.histogram,
    customers.revision
FROM customers
LEFT OUTER JOIN daily_statistics ON daily_statistics.customer_id = customers.customer_id
    AND daily_statistics.date BETWEEN $2 AND $3
WHERE customers.customer_id = $1
ORDER BY daily_statistics.date
"""
"""The same days with what is needed to merge them."""

CUSTOMERS = """
SELECT customers.customer_id, customers.first_date, customers.last_date, customers.total_requests
FROM customers
WHERE customers.customer_id > $1 AND customers.customer_id >= $2 AND customers.customer_id < $3
ORDER BY customers.customer_id
LIMIT $4
"""
"""At most so many customers ($4) after one ($1), from an id ($2) to before another ($3), in byte order."""

_INGESTION = """
SELECT log_objects.id, log_objects.bucket, log_objects.key, log_objects.version, log_objects.outcome,
    log_objects.lines, log_objects.accepted, log_objects.rejected, log_objects.rejected_by_reason,
    log_objects.expired, log_objects.customer_days, log_objects.seconds, log_objects.committed_at, log_objects.rejects_uri
FROM log_objects
WHERE log_objects.committed_at IS NOT NULL AND"""

INGESTIONS = f"""{_INGESTION} (log_objects.committed_at, log_objects.id) < ($1, $2)
ORDER BY log_objects.committed_at DESC, log_objects.id DESC
LIMIT $3
"""
"""At most so many rows of the ledger ($3) before a commit's time and id ($1, $2), newest first."""

INGESTION_OF_OBJECT = f"{_INGESTION} log_objects.bucket = $1 AND log_objects.key = $2\n"
"""The ledger's row of a log object ($1 its bucket, $2 its key)."""

INGESTION = f"{_INGESTION} log_objects.id = $1\n"
"""One row of the ledger."""

SCHEMA_VERSION = "SELECT alembic_version.version_num FROM alembic_version"
"""The revision of the schema (Alembic's)."""

REVISIONS = """
SELECT customers.customer_id, customers.revision
FROM customers
WHERE customers.customer_id = ANY ($1)
"""
"""The revisions of customers ($1, an array); a customer without statistics has no row."""
