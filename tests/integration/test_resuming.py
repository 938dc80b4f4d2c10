"""Everybody but the API waits for a database that resumes, and says why when it does not come.

The seconds are a fiftieth of the true ones, for which the nightly test waits.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, load
from migrate import schema
from migrate.handler import handler as migrate_handler
from processor import backfill
from processor.context import Context
from processor.deadline import Deadline, DeadlineError
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.reading.objects import FILE_BUCKET
from processor.reject_stores import LocalRejectStore
from processor.retention.handler import RetentionFailedError
from processor.retention.handler import handler as retention_handler
from tests.events import context
from tests.ingests import ingest, log_file
from tests.logs import random_lines
from tests.resuming import resuming
from tests.unit.migrate.test_custom_resource import Listener, listener

__all__ = ["listener"]  # a fixture

USUAL, AFTER_A_DAY = 15.0, 40.0
"""Seconds that Aurora takes to resume."""
SCALE = 50


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An attempt to connect takes a fiftieth of its ten seconds (psycopg's shortest is two), and so does all else."""
    monkeypatch.setattr("psycopg.connection.timeout_from_conninfo", lambda _: 10 / SCALE)
    monkeypatch.setattr("logstats.availability._PAUSES", (0.5 / SCALE, 2 / SCALE, 5 / SCALE))
    monkeypatch.setattr("logstats.availability.PATIENCE_SECONDS", 120 / SCALE)
    return monkeypatch


USERS = ["migration", "retention", "verify", "ingest", "withdrawal"]
Visit = Callable[[str, float], None]


@pytest.fixture
def visit(
    database_variables: DatabaseSettings, monkeypatch: pytest.MonkeyPatch, listener: Listener, tmp_path: Path
) -> Visit:
    """Do what a function or task does, with a database that takes so many seconds to resume."""

    def visit(user: str, seconds: float) -> None:
        with resuming(database_variables, seconds) as url:
            monkeypatch.setenv("DATABASE_URL", url)
            monkeypatch.setenv("RETENTION_DAYS", "30")
            if user == "migration":
                migrate_handler(listener.event("Update"), context(300))
                (answer,) = listener.answers
                assert (answer["Status"], answer["Data"]) == ("SUCCESS", {"Revision": schema.head()}), answer
            elif user == "retention":
                assert retention_handler({}, context(900))["finished"] is True
            elif user == "verify":
                assert backfill.verify(mending=False) == 0
            else:
                engine = create_engine(load(DatabaseSettings))
                ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
                if user == "ingest":
                    summary = ingest(ingestor, tmp_path / "a.log", random_lines(1, 50))
                else:
                    summary = ingestor.withdraw(Withdrawal(FILE_BUCKET, "a.log"))
                assert summary.outcome == {"ingest": "ingested", "withdrawal": "withdrawn"}[user]
                engine.dispose()

    return visit


@pytest.mark.usefixtures("scaled")
@pytest.mark.parametrize("user", USERS)
def test_who_comes_to_a_paused_database_waits(
    visit: Visit, caplog: pytest.LogCaptureFixture, user: str
) -> None:
    visit(user, AFTER_A_DAY / SCALE)
    assert "The database does not answer (OperationalError: connection timeout expired)" in caplog.text


@pytest.mark.nightly
@pytest.mark.parametrize("seconds", [USUAL, AFTER_A_DAY])
@pytest.mark.parametrize("user", USERS)
def test_who_comes_to_a_paused_database_waits_for_as_long_as_it_takes(
    visit: Visit, user: str, seconds: float
) -> None:
    visit(user, seconds)


def test_what_never_resumes_is_an_error_with_its_reason(
    scaled: pytest.MonkeyPatch,
    database_variables: DatabaseSettings,
    listener: Listener,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For CloudFormation, for Lambda and for the task's log; an ingest leaves it to the next delivery when its time is up."""
    scaled.setattr("logstats.availability.PATIENCE_SECONDS", 0.3)
    scaled.setenv("RETENTION_DAYS", "30")
    reason = "OperationalError: connection timeout expired"
    with resuming(database_variables, 3_600) as url:
        scaled.setenv("DATABASE_URL", url)
        migrate_handler(listener.event("Update"), context(300))
        (answer,) = listener.answers
        assert answer["Reason"] == f"The schema migration has failed: {reason}"
        with pytest.raises(RetentionFailedError, match=reason):
            retention_handler({}, context(900))
        scaled.setattr("sys.argv", ["backfill", "--verify"])
        assert backfill.main() == 1
        assert capsys.readouterr().err.splitlines()[-1] == reason
        ingestor = Ingestor(create_engine(load(DatabaseSettings)), LocalRejectStore(tmp_path))
        scaled.setattr("logstats.availability.PATIENCE_SECONDS", 120.0)
        with pytest.raises(DeadlineError):
            ingestor.ingest_file(log_file(tmp_path / "a.log", b""), Context(Deadline.after(5.5)))
