"""One log object, several processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor import cluster
from processor.cluster import ClusterError, Coordinator, Layout, on_this_machine
from processor.ingest import Ingestor
from processor.monitor import Progress
from processor.objects import LocalFile, SourceError
from processor.rejects import LocalRejectStore
from tests import oracle, tables
from tests.logs import as_bytes, random_lines

LINES = random_lines(seed=7, count=40_000, customers=40)
COPIES = 10  # 20 MB: several chunks for each worker


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(LINES) * COPIES + b"not a line\n")
    return path


@pytest.fixture
def ingestor(engine: sa.Engine, tmp_path: Path) -> Ingestor:
    return Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=2)


def clustered(
    ingestor: Ingestor, database: DatabaseSettings, path: Path, progress: Progress = lambda _: None
) -> Ingestor:
    coordinator = on_this_machine(ingestor.engine, database, str(path), 2, 1, progress)


def test_processes_find_each_other_through_the_database(
    database: DatabaseSettings, engine: sa.Engine, log: Path
) -> None:
    addresses = free_addresses(2)
    joining = start(database, log, addresses, 1)
    coordinating = start(database, log, addresses, 0)
    out, err = coordinating.communicate(timeout=100)
    assert coordinating.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["outcome"], summary["accepted"]) == ("ingested", COPIES * len(LINES))
    joining.communicate(timeout=100)
    assert joining.returncode == 0
    assert tables.statistics(engine) == oracle.statistics(LINES * COPIES)


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda c: [*c, "--process-id", "2"], "--process-id must be 0 to 1"), (lambda c: c, "--process-id")],
)
def test_wrong_options_are_one_clear_error(change: Callable[[list[str]], list[str]], message: str) -> None:
    command = [sys.executable, "-m", "processor.cluster", "a.log", "--addresses", "a:1,b:1"]
    result = subprocess.run(change(command), capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
