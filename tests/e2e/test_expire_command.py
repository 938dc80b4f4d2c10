"""`logstats expire` as a user runs it, killed at any moment."""

import random
import signal
import subprocess
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.e2e.test_ingest_command import COMMAND, run
from tests.logs import as_bytes, random_lines


def test_kill_9_at_random_moments_leaves_nothing_wrong(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    """The next run does what is left."""
    lines = random_lines(1, 20_000, customers=100, days=30, first=date(2024, 9, 15))
    log = tmp_path / "a.log"
    log.write_bytes(as_bytes(lines))
    assert run("ingest", str(log), DATABASE_URL=database.url).returncode == 0
    whole = oracle.statistics(lines)
    rng = random.Random(1)
    command = [COMMAND, "expire", "--before", "2024-10-01", "--database-url", database.url]
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=rng.uniform(0.6, 1.6))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        found = tables.statistics(engine)
        assert found == {key: whole[key] for key in found}, "each day is whole or gone"
    assert run(*command[1:]).returncode == 0
    assert tables.statistics(engine) == {key: whole[key] for key in whole if key[1] >= "2024-10-01"}
    assert set(tables.leftovers(engine).values()) == {0}
