"""The locks of customers."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from processor.ledger import stripes


def test_whoever_locks_all_leaves_no_stripe_to_others(engine: sa.Engine) -> None:
    """Of a few thousand customers, some are on each stripe."""
    numbers = sa.func.generate_series(1, 5_000).column_valued("number")
    found = sa.select(stripes.stripe_of(sa.func.concat("cust_", numbers))).distinct().subquery()
    free = sa.func.pg_try_advisory_xact_lock(stripes._CLASS, found.c.stripe)
    with Session(engine) as session, session.begin(), engine.connect() as other:
        stripes.lock_all(session)
        tried = other.execute(sa.select(found.c.stripe, free)).all()
    assert sorted(stripe for stripe, _ in tried) == list(range(stripes.STRIPES))
    assert not any(is_free for _, is_free in tried)
