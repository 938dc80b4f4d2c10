"""The locks of customers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from processor.ledger import stripes
from tests import tables

CUSTOMERS = [f"cust_{number}" for number in range(5_000)]
"""Some on each stripe."""
HELD = f"SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = {stripes._CLASS} AND granted"


def lock_customers(engine: sa.Engine) -> None:
    with Session(engine) as session, session.begin():
        stripes.lock_customers(session, CUSTOMERS)


@pytest.mark.parametrize("taken", [0, 17, stripes.STRIPES - 1])
def test_stripes_are_taken_in_ascending_order(engine: sa.Engine, taken: int) -> None:
    """Whoever waits for one has those before it, and none behind it: so nobody waits for each other."""
    with ThreadPoolExecutor(1) as threads:
        with engine.connect() as holder:
            holder.execute(sa.select(stripes.lock(taken)))
            waiting = threads.submit(lock_customers, engine)
            tables.wait_for_waiting(engine)
            assert sorted(holder.scalars(sa.text(HELD))) == list(range(taken + 1))
        waiting.result(20)


def test_whoever_locks_all_leaves_no_stripe_to_others(engine: sa.Engine) -> None:
    with Session(engine) as session, session.begin(), engine.connect() as other:
        stripes.lock_all(session)
        assert sorted(other.scalars(sa.text(HELD))) == list(range(stripes.STRIPES))
