"""When an ingest is run again, and when not."""

import time
from unittest.mock import Mock

import psycopg
import pytest
import sqlalchemy as sa

from processor import reconnection
from processor.context import Context
from processor.deadline import NEVER, Deadline
from processor.ledger.attempts import LostAttemptError

ENGINE = sa.create_engine("postgresql+psycopg://", poolclass=sa.NullPool)
LOST = psycopg.OperationalError("server closed the connection unexpectedly")


def losing(times: int, error: Exception = LOST) -> Mock:
    """Work that loses its connection so often."""
    return Mock(side_effect=[*[error] * times, "done"])


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr("processor.reconnection.time.sleep", made.append)
    return made


@pytest.mark.parametrize(
    "error",
    [
        LOST,
        LostAttemptError("collected"),
        psycopg.errors.ConnectionFailure("a proxy has lost the server"),
        psycopg.errors.AdminShutdown("terminating connection"),
        psycopg.errors.CrashShutdown("terminating connection"),
        psycopg.errors.CannotConnectNow("the database system is starting up"),
    ],
)
def test_a_lost_connection_is_tried_again_with_growing_pauses(pauses: list[float], error: Exception) -> None:
    context = Context(NEVER)
    assert reconnection.run(losing(3, error), ENGINE, context) == "done"
    assert pauses == list(reconnection._PAUSES)
    assert context.lost_connections == 3


@pytest.mark.parametrize(
    ("error", "tries"), [(LOST, 4), (psycopg.errors.LockNotAvailable("lock timeout"), 1)]
)
def test_in_the_end_or_if_it_is_another_the_error_is_raised(
    pauses: list[float], error: Exception, tries: int
) -> None:
    work = losing(99, error)
    with pytest.raises(type(error), match=str(error)):
        reconnection.run(work, ENGINE, Context())
    assert work.call_count == 1 + len(pauses) == tries


def test_no_pause_goes_beyond_the_deadline(pauses: list[float]) -> None:
    """The first fits into the time, the second does not."""
    work = losing(99)
    between = (reconnection._PAUSES[0] + reconnection._PAUSES[1]) / 2
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        reconnection.run(work, ENGINE, Context(Deadline(time.monotonic() + between, between)))
    assert (work.call_count, pauses) == (2, [reconnection._PAUSES[0]])
