"""When an ingest is run again, and when not."""

import time

import psycopg
import pytest
import sqlalchemy as sa

from processor import reconnection
from processor.context import Context
from processor.deadline import NEVER, Deadline
from processor.ledger.attempts import LostAttemptError

ENGINE = sa.create_engine("postgresql+psycopg://", poolclass=sa.NullPool)


class Losing:
    """Work that loses its connection so often."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.runs, self._times = 0, times
        self._error = error or psycopg.OperationalError("server closed the connection unexpectedly")

    def __call__(self, _engine: sa.Engine) -> str:
        self.runs += 1
        if self.runs <= self._times:
            raise self._error
        return "done"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr("processor.reconnection.time.sleep", made.append)
    return made


@pytest.mark.parametrize("error", [None, LostAttemptError("collected")])
def test_a_lost_connection_is_tried_again_with_growing_pauses(
    pauses: list[float], error: Exception | None
) -> None:
    context = Context(NEVER)
    assert reconnection.run(Losing(3, error), ENGINE, context) == "done"
    assert pauses == list(reconnection._PAUSES)
    assert context.lost_connections == 3


def test_in_the_end_the_error_is_raised(pauses: list[float]) -> None:
    losing = Losing(99)
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        reconnection.run(losing, ENGINE, Context())
    assert losing.runs == 1 + len(pauses) == 4


def test_no_pause_goes_beyond_the_deadline(pauses: list[float]) -> None:
    """The first fits into the time, the second does not."""
    losing = Losing(99)
    between = (reconnection._PAUSES[0] + reconnection._PAUSES[1]) / 2
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        reconnection.run(losing, ENGINE, Context(Deadline(time.monotonic() + between, between)))
    assert (losing.runs, pauses) == (2, [reconnection._PAUSES[0]])


def test_another_error_is_not_tried_again(pauses: list[float]) -> None:
    losing = Losing(1, psycopg.errors.LockNotAvailable("lock timeout"))
    with pytest.raises(psycopg.errors.LockNotAvailable):
        reconnection.run(losing, ENGINE, Context())
    assert (losing.runs, pauses) == (1, [])
