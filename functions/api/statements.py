"""The statements of the API, composed from the models."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from logstats import rows
from logstats.models import Customer, CustomerId, DailyStatistics, LogObject

Statement = sa.Select[*tuple[Any, ...]]
_LIMIT = sa.bindparam("limit", type_=sa.Integer)


_SHOWN = rows.columns(DailyStatistics, rows.SHOWN)


def _days(*columns: InstrumentedAttribute[Any]) -> Statement:
    """Return a customer's days from `first` to `last`, both included, in the order of the dates.

    With each the customer's revision: a customer without days between the dates has one row, without a date; an
    unknown one has none.
    """
    day = DailyStatistics
    joined = sa.and_(
        day.customer_id == Customer.customer_id, day.date.between(sa.bindparam("first"), sa.bindparam("last"))
    )
    return (
        sa.select(
            *(Customer.customer_id, Customer.revision, DailyStatistics.date, *columns),
        )
        .outerjoin_from(Customer, day, joined)
        .where(Customer.customer_id == sa.bindparam("customer_id"))
        .order_by(day.date)
    )


DAILY_STATISTICS = _days(*_SHOWN)
DAILY_SUMMARIES = _days(*rows.columns(DailyStatistics, (*rows.NUMBERS, "histogram")))
"""The same days with what is needed to merge them."""
DAILY_BREAKDOWNS = _days(DailyStatistics.breakdown).limit(_LIMIT)
"""The first of the same days, at most `limit`, with what is needed to divide them."""

ALL_DAILY_STATISTICS = (
    sa.select(DailyStatistics.customer_id, DailyStatistics.date, *_SHOWN)
    .where(DailyStatistics.date.between(sa.bindparam("first"), sa.bindparam("last")))
    .order_by(DailyStatistics.customer_id, DailyStatistics.date)
)
"""The days of all customers from `first` to `last`, by customer and date."""

REVISIONS = sa.select(Customer.customer_id, Customer.revision).where(
    Customer.customer_id == sa.any_(sa.bindparam("customers", type_=sa.ARRAY(CustomerId)))
)
"""The revisions of customers; a customer without statistics has no row."""


def wanted() -> sa.TableValuedAlias:
    """Return the parameter `customers`, a list of ids, as a table: each `customer_id` with its `number`, from 1 on."""
    ids = sa.bindparam("customers", type_=sa.ARRAY(CustomerId))
    columns = sa.column("customer_id", CustomerId)
    return sa.func.unnest(ids).table_valued(columns, with_ordinality="number").render_derived("wanted")


def starting(column: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    """Compare ids, in byte order, with the parameters `prefix` and `end`, the first after all that start with it."""
    return sa.and_(column >= sa.bindparam("prefix"), column < sa.bindparam("end"))


CUSTOMERS = (
    sa.select(Customer.customer_id, Customer.first_date, Customer.last_date, Customer.total_requests)
    .where(Customer.customer_id > sa.bindparam("after"), starting(Customer.customer_id))
    .order_by(Customer.customer_id)
    .limit(_LIMIT)
)
"""Customers after one, from a prefix to before the end of what starts so, in byte order."""

_INGESTION = sa.select(LogObject.__table__).where(LogObject.committed_at.is_not(None))

INGESTIONS = (
    _INGESTION.where(
        sa.tuple_(LogObject.committed_at, LogObject.id)
        < sa.tuple_(
            sa.bindparam("committed_at", type_=sa.DateTime(timezone=True)),
            sa.bindparam("id", type_=sa.BigInteger),
        )
    )
    .order_by(LogObject.committed_at.desc(), LogObject.id.desc())
    .limit(_LIMIT)
)
"""Rows of the ledger before a commit's time and id, newest first."""

INGESTION_OF_OBJECT = _INGESTION.where(
    LogObject.bucket == sa.bindparam("bucket"), LogObject.key == sa.bindparam("key")
)
INGESTION = _INGESTION.where(LogObject.id == sa.bindparam("id"))

SCHEMA_VERSION: Statement = sa.select(sa.column("version_num")).select_from(sa.table("alembic_version"))
"""The revision of the schema (Alembic's)."""
