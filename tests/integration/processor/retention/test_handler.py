"""The retention's Lambda function, as the scheduler calls it."""

import datetime as dt
import threading
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import ANY

import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, SettingsError
from processor.ingest import Ingestor
from processor.ledger.horizon import SealedError
from processor.retention import expiry
from processor.retention import handler as retention_handler
from processor.retention.handler import RetentionFailedError, UnfinishedError, handler
from tests import tables
from tests.events import context
from tests.ingests import ingest


def invoke(seconds: float = 900.0) -> dict[str, object]:
    return handler({}, context(seconds))


@pytest.fixture
def environment(database_variables: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("RETENTION_DAYS", "30")
    return monkeypatch


def ingest_days(ingestor: Ingestor, path: Path, *days: dt.date) -> None:
    ingest(ingestor, path, [f"{day} 12:00:00 c /a 200 0.1" for day in days])


def test_days_older_than_the_setting_are_removed(
    ingestor: Ingestor, environment: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    horizon = expiry.horizon_of(ingestor.engine, 30)
    days = [horizon + dt.timedelta(day) for day in (-2, -1, 0, 1)]
    ingest_days(ingestor, tmp_path / "a.log", *days)
    told = invoke()
    assert told.pop("partitions") == 2 * len({"2024-08", "2024-09", "2024-10", f"{days[0]:%Y-%m}"})
    assert told.pop("bytes")
    assert told == {
        "horizon": horizon.isoformat(),
        "sealed": horizon.isoformat(),
        "customer_days": 0,
        "customers": 0,
        "finished": True,
    }
    assert {day for _, day in tables.statistics(ingestor.engine)} == {day.isoformat() for day in days[2:]}
    assert [(record.levelname, record.name, vars(record)["retention"]) for record in caplog.records] == [
        ("INFO", "retention", ANY)
    ]


def test_days_older_than_another_setting_are_sealed(
    ingestor: Ingestor, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.delenv("RETENTION_DAYS")
    environment.setenv("SEAL_DAYS", "35")
    ingest_days(ingestor, tmp_path / "a.log", dt.date(2024, 9, 4))
    before = tables.statistics(ingestor.engine)
    told = invoke()
    assert (told["horizon"], told["partitions"]) == ("1970-01-01", 3)
    assert told["sealed"] == expiry.horizon_of(ingestor.engine, 35).isoformat()
    assert tables.statistics(ingestor.engine) == before != {}
    with pytest.raises(SealedError):
        ingest_days(ingestor, tmp_path / "a.log", dt.date(2024, 9, 5))


def test_what_is_left_when_the_time_is_up_is_an_error_and_the_next_run_does_it(
    ingestor: Ingestor, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ingest_days(ingestor, tmp_path / "a.log", dt.date(2024, 9, 4))
    with pytest.raises(UnfinishedError, match=r"the time was not enough: \{'horizon': "):
        invoke(seconds=10)
    assert invoke()["customers"] == 1
    assert tables.statistics(ingestor.engine) == {}


@pytest.mark.parametrize("name", ["RETENTION_DAYS", "SEAL_DAYS"])
@pytest.mark.parametrize("wrong", ["", "0", "soon", "36501"])
def test_nonsense_is_refused(
    environment: pytest.MonkeyPatch, engine: sa.Engine, name: str, wrong: str
) -> None:
    environment.setenv(name, wrong)
    with pytest.raises(SettingsError, match=f"{name}: Input should be"):
        invoke()
    assert expiry.horizons(engine)[0] == dt.date(1970, 1, 1)


def test_a_database_that_comes_back_is_waited_for(
    environment: pytest.MonkeyPatch,
    database: DatabaseSettings,
    postgres_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As Aurora does when it resumes: at first nobody answers, as its socket is not there."""
    socket = postgres_folder / "resuming"
    url, _, sockets = database.url.partition("?host=")
    environment.setenv("DATABASE_URL", f"{url}?host={socket}")
    environment.setattr("logstats.availability._PAUSES", (0.1,))
    resuming = threading.Timer(0.5, socket.symlink_to, [sockets])
    resuming.start()
    assert invoke()["finished"]
    resuming.join()
    socket.unlink()
    assert "trying again in 0.1 s" in caplog.text


@pytest.mark.parametrize(("patience", "seconds"), [(0.5, 900), (5, 75.5)])
def test_a_database_that_does_not_come_back_is_an_error(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, patience: float, seconds: float
) -> None:
    """When patience is at its end, or the function's time but for the margin."""
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    environment.setattr("logstats.availability._PAUSES", (0.1,))
    environment.setattr("logstats.availability.PATIENCE_SECONDS", patience)
    with pytest.raises(RetentionFailedError, match="OperationalError: connection failed"):
        invoke(seconds)
    assert 1 <= caplog.text.count("trying again") <= 5


def test_another_error_of_the_database_is_not_waited_for(
    environment: pytest.MonkeyPatch, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE retention RENAME TO hidden"))
    with pytest.raises(RetentionFailedError, match=r'relation "retention" does not exist'):
        invoke()
    assert "trying again" not in caplog.text


@pytest.mark.parametrize("seconds", [900, 10])
def test_a_run_leaves_no_connection_that_would_keep_aurora_awake(
    ingestor: Ingestor, environment: pytest.MonkeyPatch, tmp_path: Path, seconds: float
) -> None:
    """Nor does one whose time was not enough."""
    ingest_days(ingestor, tmp_path / "a.log", dt.date(2024, 9, 4))
    made: list[sa.Engine] = []

    def create(settings: DatabaseSettings) -> sa.Engine:
        made.append(create_engine(settings))
        return made[-1]

    environment.setattr(retention_handler, "create_engine", create)
    with nullcontext() if seconds > 10 else pytest.raises(UnfinishedError):
        invoke(seconds)
    (engine,) = made
    assert isinstance(engine.pool, sa.QueuePool)
    assert engine.pool.checkedin() == engine.pool.checkedout() == 0
