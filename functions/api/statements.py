"""The statements of the API, composed from the models."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Integer,
    Select,
    and_,
    any_,
    bindparam,
    column,
    select,
    table,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute

from logstats.models import Customer, CustomerId, DailyStatistics, LogObject

Statement = Select[*tuple[Any, ...]]
_LIMIT = bindparam("limit", type_=Integer)


def _days(*columns: InstrumentedAttribute[Any]) -> Statement:
    """Return a customer's days from `first` to `last`, both included, in the order of the dates.

    With each the customer's revision: a customer without days between the dates has one row, without a date; an
    unknown one has none.
    """
    day = DailyStatistics
    joined = and_(
        day.customer_id == Customer.customer_id, day.date.between(bindparam("first"), bindparam("last"))
    )
    return (
        select(
            *(Customer.customer_id, Customer.revision, day.date, day.total_requests),
            *(day.client_errors, day.server_errors, day.duration_sum_us, *columns),
        )
        .outerjoin_from(Customer, day, joined)
        .where(Customer.customer_id == bindparam("customer_id"))
        .order_by(day.date)
    )


DAILY_STATISTICS = _days(
    DailyStatistics.duration_p50_us,
    DailyStatistics.duration_p90_us,
    DailyStatistics.duration_p95_us,
    DailyStatistics.duration_p99_us,
    DailyStatistics.duration_max_us,
)
DAILY_SUMMARIES = _days(
    DailyStatistics.duration_min_us, DailyStatistics.duration_max_us, DailyStatistics.histogram
)
"""The same days with what is needed to merge them."""

REVISIONS = select(Customer.customer_id, Customer.revision).where(
    Customer.customer_id == any_(bindparam("customers", type_=ARRAY(CustomerId)))
)
"""The revisions of customers; a customer without statistics has no row."""

CUSTOMERS = (
    select(Customer.customer_id, Customer.first_date, Customer.last_date, Customer.total_requests)
    .where(
        Customer.customer_id > bindparam("after"),
        Customer.customer_id >= bindparam("prefix"),
        Customer.customer_id < bindparam("end"),
    )
    .order_by(Customer.customer_id)
    .limit(_LIMIT)
)
"""Customers after one, from a prefix to before the end of what starts so, in byte order."""

_INGESTION = select(
    LogObject.id,
    LogObject.bucket,
    LogObject.key,
    LogObject.version,
    LogObject.outcome,
    LogObject.lines,
    LogObject.accepted,
    LogObject.rejected,
    LogObject.rejected_by_reason,
    LogObject.expired,
    LogObject.customer_days,
    LogObject.seconds,
    LogObject.committed_at,
    LogObject.rejects_uri,
).where(LogObject.committed_at.is_not(None))

INGESTIONS = (
    _INGESTION.where(
        tuple_(LogObject.committed_at, LogObject.id)
        < tuple_(bindparam("committed_at", type_=DateTime(timezone=True)), bindparam("id", type_=BigInteger))
    )
    .order_by(LogObject.committed_at.desc(), LogObject.id.desc())
    .limit(_LIMIT)
)
"""Rows of the ledger before a commit's time and id, newest first."""

INGESTION_OF_OBJECT = _INGESTION.where(
    LogObject.bucket == bindparam("bucket"), LogObject.key == bindparam("key")
)
INGESTION = _INGESTION.where(LogObject.id == bindparam("id"))

SCHEMA_VERSION: Statement = select(column("version_num")).select_from(table("alembic_version"))
"""The revision of the schema (Alembic's)."""
