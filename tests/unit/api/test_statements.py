"""The API's SQL is text; here it is derived again from the models, which are the schema's one source."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from api import statements
from logstats.models import Customer, DailyStatistics, LogObject


def compiled(statement: sa.Select[*tuple[Any, ...]]) -> str:
    text = str(statement.compile(dialect=PGDialect(paramstyle="numeric_dollar")))  # type: ignore[no-untyped-call] # SQLAlchemy's
    return " ".join(text.replace('COLLATE "C"', "").split())


def days(*columns: Any) -> sa.Select[*tuple[Any, ...]]:  # noqa: ANN401 - columns
    """One customer's days with these columns, and with the customer's revision."""
    day = DailyStatistics
    joined = sa.and_(
        day.customer_id == Customer.customer_id,
        day.date.between(sa.bindparam("first"), sa.bindparam("last")),
    )
    return (
        sa.select(
            Customer.customer_id,
            day.date,
            day.total_requests,
            day.client_errors,
            day.server_errors,
            sa.cast(day.duration_sum_us, sa.Text).label("duration_sum_us"),
            *columns,
            Customer.revision,
        )
        .outerjoin_from(Customer, day, joined)
        .where(Customer.customer_id == sa.bindparam("customer_id"))
        .order_by(day.date)
    )


def same(statement: sa.Select[*tuple[Any, ...]], text: str, order: str = "") -> None:
    """Compare, with the parameters in another order: SQLAlchemy numbers them as they come."""
    numbers = iter(order)
    expected = re.sub(
        r"\$\d(?:::\w+)?", lambda found: f"${next(numbers)}" if order else found[0], compiled(statement)
    )
    assert expected == " ".join(text.split())


def test_daily_statistics_is_what_the_models_say() -> None:
    day = DailyStatistics
    percentiles = (day.duration_p50_us, day.duration_p90_us, day.duration_p95_us, day.duration_p99_us)
    same(days(*percentiles, day.duration_max_us), statements.DAILY_STATISTICS, "231")


def test_daily_summaries_is_what_the_models_say() -> None:
    day = DailyStatistics
    same(days(day.duration_min_us, day.duration_max_us, day.histogram), statements.DAILY_SUMMARIES, "231")


def test_customers_is_what_the_models_say() -> None:
    customer = Customer.customer_id
    same(
        sa.select(customer, Customer.first_date, Customer.last_date, Customer.total_requests)
        .where(
            customer > sa.bindparam("after"),
            customer >= sa.bindparam("prefix"),
            customer < sa.bindparam("end"),
        )
        .order_by(customer)
        .limit(sa.bindparam("limit")),
        statements.CUSTOMERS,
        "1234",
    )


def ingestions(*conditions: Any) -> sa.Select[*tuple[Any, ...]]:  # noqa: ANN401 - conditions
    row = LogObject
    return sa.select(
        row.id,
        row.bucket,
        row.key,
        row.version,
        row.outcome,
        row.lines,
        row.accepted,
        row.rejected,
        row.rejected_by_reason,
        row.expired,
        row.customer_days,
        row.seconds,
        row.committed_at,
        row.rejects_uri,
    ).where(row.committed_at.is_not(None), *conditions)


def test_ingestions_is_what_the_models_say() -> None:
    position = sa.tuple_(LogObject.committed_at, LogObject.id)
    before = position < sa.tuple_(sa.bindparam("at"), sa.bindparam("id"))
    same(
        ingestions(before)
        .order_by(LogObject.committed_at.desc(), LogObject.id.desc())
        .limit(sa.bindparam("limit")),
        statements.INGESTIONS,
        "123",
    )
    same(ingestions(LogObject.id == sa.bindparam("number")), statements.INGESTION, "1")
    of_object = (LogObject.bucket == sa.bindparam("bucket"), LogObject.key == sa.bindparam("name"))
    same(ingestions(*of_object), statements.INGESTION_OF_OBJECT, "12")


def test_revisions_is_what_the_models_say() -> None:
    expected = sa.select(Customer.customer_id, Customer.revision).where(
        Customer.customer_id == sa.any_(sa.bindparam("customers"))
    )
    assert compiled(expected) == " ".join(statements.REVISIONS.split())
