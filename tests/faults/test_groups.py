"""Groups of small files, killed before a statement, and anywhere: run again, everything counts once. Nightly, before each."""

import multiprocessing
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.bulk import ingest_all
from processor.ingest import Ingestor
from processor.ledger import attempts
from processor.reject_stores import LocalRejectStore
from processor.sources import file_source
from tests import tables
from tests.faults.runner import Countdown, _die, die_at_instruction
from tests.ingests import NATIVE
from tests.logs import as_bytes, random_lines

FILES = 3
BROKEN = b"broken\n"


def ingest_folder(ingestor: Ingestor, folder: Path) -> set[str]:
    """Return the outcomes of a folder's files, ingested as a group."""
    sources = [file_source(path, None, is_rotated=False) for path in sorted(folder.iterdir())]
    results = list(ingest_all(sources, lambda _: ingestor))
    assert not [result.problem for result in results if result.problem]
    return {result.summary.outcome for result in results if result.summary}


def ingest_and_die(url: str, rejected: Path, folder: Path, fault: str, at: int) -> None:
    """In a process of its own: SIGKILL before a statement, or before an instruction."""
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False), max_overflow=-1)
    ingestor = Ingestor(engine, LocalRejectStore(rejected), workers=1, formats=NATIVE)
    if fault == "statement":
        Countdown(engine).arm(at, _die)
    else:
        die_at_instruction(at)
    ingest_folder(ingestor, folder)


@pytest.mark.parametrize(
    ("fault", "points"),
    [
        ("statement", range(0, 26, 3)),
        ("instruction", range(0, 9_000, 1_800)),
        pytest.param("statement", range(26), marks=pytest.mark.nightly),
        pytest.param("instruction", range(0, 9_000, 90), marks=pytest.mark.nightly),
    ],
)
def test_a_group_that_is_killed_and_run_again_counts_once(
    ingestor: Ingestor, database: DatabaseSettings, tmp_path: Path, fault: str, points: range
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.faults.runner"])
    rejected, expected, killed = tmp_path / "rejected", list[str](), 0
    for at in points:
        folder = tmp_path / str(at)
        folder.mkdir()
        for number in range(FILES):
            lines = random_lines(FILES * at + number, 20, customers=3)
            (folder / str(number)).write_bytes(as_bytes(lines) + BROKEN)
            expected += lines
        arguments = (database.url, rejected, folder, fault, at)
        victim = processes.Process(target=ingest_and_die, args=arguments)
        victim.start()
        victim.join()
        killed += victim.exitcode == -signal.SIGKILL
        assert ingest_folder(ingestor, folder) in ({"ingested"}, {"unchanged"})
    assert killed > 0.8 * len(points)
    with ingestor.engine.connect() as connection:
        while attempts.garbage_collect(connection, ingestor.rejects):
            pass
        kept = connection.scalars(sa.text("SELECT rejects_uri FROM log_objects")).all()
    tables.check(ingestor.engine, expected)
    assert sorted(map(str, rejected.iterdir())) == sorted(kept)
