"""Rows of daily statistics for tests that read them."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats import rows
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import DailySummary
from logstats.models import REVISIONS, Customer, DailyStatistics


def insert_day(
    engine: sa.Engine,
    customer_id: str,
    date: dt.date,
    durations_us: Sequence[int] = (123_000,),
    *,
    untimed: int = 0,
    client_errors: int = 0,
    server_errors: int = 0,
) -> None:
    """Store one day of one customer, as the processor would."""
    summary = DailySummary(
        total_requests=len(durations_us) + untimed,
        client_errors=client_errors,
        server_errors=server_errors,
        untimed_requests=untimed,
        duration_sum_us=sum(durations_us),
        duration_min_us=min(durations_us, default=None),
        duration_max_us=max(durations_us, default=None),
        histogram=LatencyHistogram.of(durations_us),
    )
    values = dict(zip(rows.COLUMNS, rows.from_summary(summary), strict=True))
    with Session(engine) as session:
        session.execute(sa.text("SELECT make_partitions(ARRAY[:day])"), {"day": date})
        session.add(DailyStatistics(customer_id=customer_id, date=date, **values))
        session.flush()
        _refresh(session, customer_id)
        session.commit()


def _refresh(session: Session, customer_id: str) -> None:
    """Bring the customer's row up to date, with a new revision."""
    day = DailyStatistics
    first, last, total = session.execute(
        sa.select(sa.func.min(day.date), sa.func.max(day.date), sa.func.sum(day.total_requests)).where(
            day.customer_id == customer_id
        )
    ).one()
    revision = session.scalars(sa.select(REVISIONS.next_value())).one()
    session.merge(
        Customer(
            customer_id=customer_id,
            revision=revision,
            first_date=first,
            last_date=last,
            total_requests=int(total),
        )
    )
