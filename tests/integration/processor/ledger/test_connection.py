"""Waits for the database end in time."""

import time

import pytest
import sqlalchemy as sa

from processor.ledger.connection import cancel_at


def test_a_statement_is_cancelled_and_its_session_goes_on(engine: sa.Engine) -> None:
    """Only what cannot be cancelled loses its connection: its server would go on waiting for nobody."""
    with engine.connect() as connection:
        session = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    with cancel_at(engine, time.monotonic() + 2) as bounded, bounded.connect() as connection:
        with pytest.raises(sa.exc.OperationalError, match="canceling statement due to user request"):
            connection.execute(sa.text("SELECT pg_sleep(60)"))
        connection.rollback()
        assert connection.scalar(sa.text("SELECT pg_backend_pid()")) == session
