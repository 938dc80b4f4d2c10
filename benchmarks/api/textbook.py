"""The textbook peer: FastAPI with a response model, an ORM session for each request, psycopg.

What the tutorials of FastAPI and SQLAlchemy come to for the same endpoint and the same tables:
``DATABASE_URL=postgresql://… uvicorn benchmarks.api.textbook:app``.
"""

import datetime as dt
import os
from collections.abc import Iterator
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Query
from sqlalchemy.orm import Session, defer, sessionmaker

from api.answers.representation import CustomerStatistics as Day
from logstats.models import DailyStatistics

sessions = sessionmaker(
    sa.create_engine(sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg"))
)
app = FastAPI()


def session() -> Iterator[Session]:
    with sessions() as opened:
        yield opened


@app.get("/customers/{customer_id}/stats", response_model=list[Day])
def stats(
    customer_id: str,
    first: Annotated[dt.date, Query(alias="from")],
    session: Annotated[Session, Depends(session)],
) -> list[Day]:
    rows = session.scalars(
        sa.select(DailyStatistics)
        .where(DailyStatistics.customer_id == customer_id, DailyStatistics.date >= first)
        .order_by(DailyStatistics.date)
        .options(defer(DailyStatistics.histogram))
    )
    return [_day(row) for row in rows]


def _day(row: DailyStatistics) -> Day:
    failed, timed = row.client_errors + row.server_errors, row.total_requests - row.untimed_requests
    return Day(
        customer_id=row.customer_id,
        date=row.date,
        total_requests=row.total_requests,
        timed_requests=timed,
        success_requests=row.total_requests - failed,
        failed_requests=failed,
        client_errors=row.client_errors,
        server_errors=row.server_errors,
        uptime_percentage=100 * (row.total_requests - row.server_errors) / row.total_requests,
        duration_mean=int(row.duration_sum_us) / (timed * 1_000_000) if timed else None,
        duration_p50=_seconds(row.duration_p50_us),
        duration_p90=_seconds(row.duration_p90_us),
        duration_p95=_seconds(row.duration_p95_us),
        duration_p99=_seconds(row.duration_p99_us),
        duration_max=_seconds(row.duration_max_us),
    )


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1_000_000
