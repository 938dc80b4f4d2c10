"""Write the daily statistics of customers anew, and the customers themselves."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats import rows
from logstats.models import REVISIONS, Customer, DailyStatistics
from processor.ledger import recompute, stripes
from processor.ledger.horizon import SEALED, is_unsealed
from processor.ledger.recompute import Days, by_customer, by_date

_PAGE = 250
_BATCH = 10
"""Customers that one transaction mends; commits that share a stripe with them wait meanwhile."""


def mend(engine: sa.Engine, customers: Iterable[str]) -> int:
    """Write customers' rows anew from their contributions; return how many customers that were.

    A customer with a contribution that cannot be read stays as it is. Answers that clients have kept are invalidated.
    """
    wanted, mended = sorted(set(customers)), 0
    for start in range(0, len(wanted), _BATCH):
        with Session(engine) as session, session.begin():
            batch = wanted[start : start + _BATCH]
            stripes.lock_customers(session, batch)
            mended += _mend(session, batch)
    return mended


def _mend(session: Session, customers: Sequence[str]) -> int:
    found = session.execute(recompute.contributions(customers), execution_options={"yield_per": _PAGE})
    expected = {customer: by_date(days) for customer, days in by_customer(recompute.days(found))}
    behind = session.execute(
        recompute.stored_days().where(
            DailyStatistics.customer_id.in_(customers), ~is_unsealed(DailyStatistics.date)
        )
    )
    alone = {customer: by_date(days) for customer, days in by_customer(behind)}
    readable = [customer for customer in customers if recompute.is_readable(expected.get(customer, {}))]
    for customer in readable:
        _write(session, customer, expected.get(customer, {}), alone.get(customer, {}))
    return len(readable)


def _write(session: Session, customer: str, days: Days, alone: Days) -> None:
    its_own = DailyStatistics.customer_id == customer
    session.execute(sa.delete(DailyStatistics).where(its_own, DailyStatistics.date >= SEALED))
    session.execute(sa.delete(Customer).where(Customer.customer_id == customer))
    columns = (*rows.KEY, *rows.COLUMNS)
    new = [dict(zip(columns, (customer, date, *values), strict=True)) for date, values in days.items()]
    if new:
        session.execute(sa.insert(DailyStatistics), new)
    if days or alone:
        own = dict(zip(recompute.CUSTOMER, recompute.customer_of(alone | days), strict=True))
        revision = REVISIONS.next_value()
        session.execute(sa.insert(Customer).values(customer_id=customer, revision=revision, **own))
