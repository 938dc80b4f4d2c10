"""The API's SQL is text; here it is derived again from the models, which are the schema's one source."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from api import statements
from logstats.models import Customer, DailyStatistics


def compiled(statement: sa.Select[*tuple[Any, ...]]) -> str:
    text = str(statement.compile(dialect=PGDialect(paramstyle="numeric_dollar")))  # type: ignore[no-untyped-call] # SQLAlchemy's
    return " ".join(text.replace('COLLATE "C"', "").split())


def test_daily_statistics_is_what_the_models_say() -> None:
    day = DailyStatistics
    expected = (
        sa.select(
            day.customer_id,
            day.date,
            day.total_requests,
            day.client_errors,
            day.server_errors,
            sa.cast(day.duration_sum_us, sa.Text).label("duration_sum_us"),
            day.duration_p50_us,
            day.duration_p90_us,
            day.duration_p95_us,
            day.duration_p99_us,
            day.duration_max_us,
        )
        .where(day.customer_id == sa.bindparam("customer_id"))
        .where(day.date.between(sa.bindparam("first"), sa.bindparam("last")))
        .order_by(day.date)
    )
    assert compiled(expected) == " ".join(statements.DAILY_STATISTICS.split())


def test_revisions_is_what_the_models_say() -> None:
    expected = sa.select(Customer.customer_id, Customer.revision).where(
        Customer.customer_id == sa.any_(sa.bindparam("customers"))
    )
    assert compiled(expected) == " ".join(statements.REVISIONS.split())
