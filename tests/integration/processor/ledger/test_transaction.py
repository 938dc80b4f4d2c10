"""Transactions that PostgreSQL asks to try again, and others."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from processor.ledger.transaction import in_transaction


def failing(state: str, times: int, calls: list[int]) -> "sa.TextClause":
    """A statement that fails so often, with an SQLSTATE."""
    calls.append(len(calls))
    if len(calls) > times:
        return sa.text("SELECT 'done'")
    return sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '{state}'; END $$")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processor.ledger.transaction.time.sleep", lambda _: None)


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_deadlock_or_serialization_failure_is_tried_again(engine: sa.Engine, state: str) -> None:
    calls: list[int] = []

    def work(session: Session) -> str:
        return str(session.execute(failing(state, 4, calls)).scalar_one())

    with engine.connect() as connection:
        assert in_transaction(connection, work) == "done"
    assert len(calls) == 5


def test_so_is_one_within_a_copy_which_is_an_error_of_the_driver(engine: sa.Engine) -> None:
    calls: list[int] = []

    def work(session: Session) -> int:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        driver.execute(str(failing("40P01", 4, calls)))
        return len(calls)

    with engine.connect() as connection:
        assert in_transaction(connection, work) == 5


@pytest.mark.parametrize(("state", "tries"), [("40P01", 5), ("57P01", 1)])
def test_after_five_tries_or_a_lost_connection_the_error_is_raised(
    engine: sa.Engine, state: str, tries: int
) -> None:
    """Nobody knows whether the COMMIT of a lost connection went through."""
    calls: list[int] = []
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match="as told"):
        in_transaction(connection, lambda session: session.execute(failing(state, 99, calls)))
    assert len(calls) == tries
