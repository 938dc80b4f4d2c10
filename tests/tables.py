"""What the tables hold, in the oracle's form."""

import time
from collections.abc import Iterable
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.domain.breakdown import Breakdown
from logstats.models import Attempt, AttemptPart, Contribution, Customer, DailyStatistics, LogObject
from migrate.revision import current
from tests import oracle
from tests.oracle import Statistics


def check(engine: sa.Engine, lines: Iterable[str] = (), times: int = 1) -> None:
    """Assert that the tables are those of lines, several times over, and that nothing is left of attempts that do not count."""
    assert statistics(engine) == oracle.repeated(lines, times)
    assert set(leftovers(engine).values()) == {0}


def statistics(engine: sa.Engine, prefix: str = "") -> Statistics:
    """The daily statistics of customers with a prefix, as the oracle would state them."""
    with Session(engine) as session:
        return {
            (row.customer_id, row.date.isoformat()): {
                "total_requests": row.total_requests,
                "timed_requests": row.total_requests - row.untimed_requests,
                "success_requests": row.total_requests - row.client_errors - row.server_errors,
                "failed_requests": row.client_errors + row.server_errors,
                "client_errors": row.client_errors,
                "server_errors": row.server_errors,
                "uptime_percentage": float(100 * (1 - Fraction(row.server_errors, row.total_requests))),
                "duration_mean": _mean(row),
                "duration_p50": _seconds(row.duration_p50_us),
                "duration_p90": _seconds(row.duration_p90_us),
                "duration_p95": _seconds(row.duration_p95_us),
                "duration_p99": _seconds(row.duration_p99_us),
                "duration_max": _seconds(row.duration_max_us),
                "breakdown": row.breakdown and _breakdown(Breakdown(row.breakdown)),
            }
            for row in session.scalars(
                sa.select(DailyStatistics).where(
                    DailyStatistics.customer_id.startswith(prefix, autoescape=True)
                )
            )
        }


def _breakdown(found: Breakdown) -> oracle.Breakdown:
    told: oracle.Breakdown = {("status", code): (count,) for code, count in found.statuses.items()}
    for slot, cell in found.slots.items():
        told["slot", slot] = (*cell.numbers.counts, cell.duration_sum_us)
    for route, cell in found.routes.items():
        told["route", route] = (*cell.numbers.counts, cell.duration_sum_us)
    return told


def _mean(row: DailyStatistics) -> float | None:
    timed = row.total_requests - row.untimed_requests
    return float(Fraction(int(row.duration_sum_us), timed) / 1_000_000) if timed else None


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def customers(engine: sa.Engine, prefix: str = "") -> dict[str, tuple[str, str, int]]:
    with Session(engine) as session:
        return {
            row.customer_id: (row.first_date.isoformat(), row.last_date.isoformat(), row.total_requests)
            for row in session.scalars(
                sa.select(Customer).where(Customer.customer_id.startswith(prefix, autoescape=True))
            )
        }


def merged_rows(engine: sa.Engine) -> list[tuple[object, ...]]:
    """All of the daily statistics, byte for byte."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(DailyStatistics.__table__).order_by(DailyStatistics.customer_id, DailyStatistics.date)
        )
        return [tuple(row) for row in rows]


def ledger(engine: sa.Engine, key: str) -> LogObject:
    with Session(engine) as session:
        row = session.scalars(sa.select(LogObject).where(LogObject.key == key)).one()
        session.expunge(row)
        return row


def leftovers(engine: sa.Engine) -> dict[str, int]:
    """Rows of attempts that do not count: there must be none once all is done."""
    with Session(engine) as session:
        counting = sa.select(LogObject.attempt_id).where(LogObject.attempt_id.is_not(None))
        return {
            table.__tablename__: session.scalars(
                sa.select(sa.func.count()).select_from(table).where(column.not_in(counting))
            ).one()
            for table, column in (
                (Contribution, Contribution.attempt_id),
                (AttemptPart, AttemptPart.attempt_id),
                (Attempt, Attempt.id),
            )
        }


def wait_for_waiting(engine: sa.Engine, sessions: int = 1) -> None:
    """Return when so many sessions of the database wait for locks."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + 60
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(waiting) != sessions:
            assert time.monotonic() < deadline, f"{sessions} sessions never wait for locks"
            time.sleep(0.02)


def schema_revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return current(connection)


def revisions(engine: sa.Engine) -> dict[str, int]:
    with Session(engine) as session:
        return {row.customer_id: row.revision for row in session.scalars(sa.select(Customer))}
