"""Read what PostgreSQL writes to its log with the parameters of the template: the statements, and nothing of customers."""

import contextlib
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from cdk import server as aurora
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.dataflow.report import send
from processor.ingest import Ingestor
from processor.ledger import attempts
from processor.reject_stores import LocalRejectStore
from processor.retention import expiry
from tests.ingests import NATIVE, ingest
from tests.integration.processor.dataflow.test_report import report

REJECTED = "a-line-that-breaks-the-format"
OURS = {name: value for name, value in aurora.PARAMETERS.items() if not name.startswith("rds.")}
DEFAULTS = {"log_parameter_max_length": "-1", "log_error_verbosity": "default"}


def what_is_logged(
    server: EmbeddedPostgres, database: DatabaseSettings, folder: Path, customer: str, **changes: str
) -> str:
    """Do everything with a customer's data, every statement being slow enough for the log; return what is in it then."""
    parameters = OURS | changes | {"log_min_duration_statement": "0"}
    with psycopg.connect(database.url, autocommit=True) as superuser:
        for name, value in parameters.items():
            superuser.execute(f"ALTER DATABASE {database.address.database} SET {name} = '{value}'".encode())
    log = server.folder / "log"
    before = log.stat().st_size
    engine = create_engine(database)
    lines = [f"2024-09-03 12:00:00 {customer} /a 200 0.1", f"{REJECTED} {customer}"]
    ingestor = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1, formats=NATIVE)
    for content in (lines, lines[:1]):
        ingest(ingestor, folder / "a.log", content)
    with engine.connect() as connection:
        attempt = attempts.begin(connection, [("b", "k")])[0]
        with connection.begin():
            send(connection, attempt, [report(0)])
    expiry.expire(engine, expiry.horizon_of(engine, 0))
    with contextlib.suppress(sa.exc.IntegrityError), engine.begin() as connection:
        twice = sa.text("INSERT INTO customers SELECT :id, 1, now(), now(), 1 FROM generate_series(1, 2)")
        connection.execute(twice, {"id": customer})
    engine.dispose()
    return log.read_bytes()[before:].decode(errors="replace")


def test_statements_and_errors_are_logged_and_nothing_of_customers(
    server: EmbeddedPostgres, database: DatabaseSettings, tmp_path: Path
) -> None:
    logged = what_is_logged(server, database, tmp_path, "customer-of-the-log")
    assert "INSERT INTO daily_statistics" in logged
    assert "COPY contributions" in logged
    assert "COPY attempt_parts" in logged
    assert "duplicate key value violates unique constraint" in logged
    assert "customer-of-the-log" not in logged
    assert REJECTED not in logged


@pytest.mark.parametrize("changes", [{"log_error_verbosity": "default"}, DEFAULTS])
def test_each_of_the_parameters_keeps_something_out(
    server: EmbeddedPostgres, database: DatabaseSettings, tmp_path: Path, changes: dict[str, str]
) -> None:
    """Without the one, what an error is about; without the other too, all values. Rejected lines are never among them."""
    logged = what_is_logged(server, database, tmp_path, "customer-by-default", **changes)
    assert "Key (customer_id)=(customer-by-default) already exists" in logged
    assert ("DETAIL:  Parameters: $1 = " in logged) == (changes is DEFAULTS)
    assert REJECTED not in logged
