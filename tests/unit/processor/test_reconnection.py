"""When an ingest is run again, and when not."""

import time
from unittest.mock import Mock

import psycopg
import pytest
import sqlalchemy as sa

from processor import reconnection
from processor.context import Context
from processor.deadline import NEVER, Deadline, DeadlineError
from processor.ledger.attempts import LostAttemptError

ENGINE = sa.create_engine("postgresql+psycopg://", poolclass=sa.NullPool)
LOST = psycopg.OperationalError("server closed the connection unexpectedly")


def losing(times: int, error: Exception = LOST) -> Mock:
    """Work that loses its connection so often."""
    return Mock(side_effect=[*[error] * times, "done"])


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The calls that wait for the database, which is always there."""
    made = Mock()
    monkeypatch.setattr("processor.reconnection.wait_for_database", made)
    return made


@pytest.mark.parametrize(
    "error",
    [
        LOST,
        LostAttemptError("collected"),
        psycopg.errors.ConnectionTimeout("connection timeout expired"),
        psycopg.errors.ConnectionFailure("a proxy has lost the server"),
        psycopg.errors.AdminShutdown("terminating connection"),
        psycopg.errors.CrashShutdown("terminating connection"),
        psycopg.errors.CannotConnectNow("the database system is starting up"),
    ],
)
def test_a_lost_connection_is_tried_again_when_the_database_answers(waited: Mock, error: Exception) -> None:
    context = Context(NEVER)
    assert reconnection.run(losing(3, error), ENGINE, context) == "done"
    assert waited.call_count == context.lost_connections == 3


@pytest.mark.parametrize(
    ("error", "tries"), [(LOST, 4), (psycopg.errors.LockNotAvailable("lock timeout"), 1)]
)
def test_in_the_end_or_if_it_is_another_the_error_is_raised(
    waited: Mock, error: Exception, tries: int
) -> None:
    work = losing(99, error)
    with pytest.raises(type(error), match=str(error)):
        reconnection.run(work, ENGINE, Context())
    assert work.call_count == 1 + waited.call_count == tries


def test_nobody_waits_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt to connect takes ten seconds, and the function may have fewer left."""
    monkeypatch.setattr("processor.reconnection.wait_for_database", lambda *_: time.sleep(5))
    work, started = losing(99), time.monotonic()
    with pytest.raises(DeadlineError):
        reconnection.run(work, ENGINE, Context(Deadline(started + 0.2, 0.2)))
    assert work.call_count == 1
    assert time.monotonic() - started < 4
