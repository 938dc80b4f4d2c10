"""Attempts: what they leave when they end, and how that is collected."""

import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.ledger import attempts
from processor.ledger.rejects import DeletionError
from processor.reject_stores import LocalRejectStore
from tests.ingests import ingest
from tests.logs import random_lines

LINES = random_lines(1, 100)


def advisory_locks(engine: sa.Engine) -> int:
    held = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    with engine.connect() as connection:
        count: int = connection.execute(
            sa.text(f"{held} WHERE locktype = 'advisory' AND datname = current_database()")
        ).scalar_one()
    return count


@pytest.mark.parametrize("problem", [None, RuntimeError("of the dataflow")])
def test_an_attempt_that_has_ended_holds_no_lock(ingestor: Ingestor, problem: Exception | None) -> None:
    """Its session lives on in the pool: with the lock, nobody else could ever collect what is left of it."""
    with ingestor.engine.connect() as connection:
        with (
            pytest.raises(RuntimeError) if problem else nullcontext(),
            attempts.begun(connection, [("b", "a.log")], ingestor.rejects),
        ):
            assert advisory_locks(ingestor.engine) == 1
            if problem:
                raise problem
        assert advisory_locks(ingestor.engine) == 0


def test_an_attempts_session_may_be_silent_and_afterwards_ends_as_others_do(
    database: DatabaseSettings, tmp_path: Path
) -> None:
    """While a log object is read; then it would keep Aurora awake if the function were frozen."""
    limit, rejects = 0.2, LocalRejectStore(tmp_path)
    engine = create_engine(database.model_copy(update={"idle_session_timeout_seconds": limit}))
    pid = sa.text("SELECT pg_backend_pid()")
    with engine.connect() as connection, attempts.begun(connection, [("b", "a.log")], rejects):
        with connection.begin():
            session = connection.scalar(pid)
        time.sleep(3 * limit)
        with connection.begin():
            assert connection.scalar(pid) == session
    time.sleep(3 * limit)
    with engine.connect() as connection:
        assert connection.scalar(pid) != session
    engine.dispose()


def test_what_counts_is_off_the_list_of_those_that_may_be_collected(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    """Otherwise the few that a collection looks at would mostly be those that count."""
    for lines in (LINES[:50], LINES):
        ingest(ingestor, tmp_path / "a.log", lines)
    with ingestor.engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT committed FROM attempts")).all() == [True]


class PartlyStubborn(LocalRejectStore):
    """A store that never deletes one document."""

    def delete(self, uri: str) -> None:
        if uri.endswith("stubborn.jsonl"):
            raise DeletionError(f"{uri} is stubborn")
        super().delete(uri)


def test_rejected_lines_that_can_never_be_deleted_do_not_keep_others_from_it(
    engine: sa.Engine, tmp_path: Path
) -> None:
    """A collection stops at them, so they must not be the first every time."""
    store = PartlyStubborn(tmp_path)
    begun = []
    for name in ("stubborn.jsonl", "a.jsonl", "b.jsonl"):
        with engine.connect() as dying:
            begun.append(attempts.begin(dying, [("b", name)])[0])
            attempts.note_rejects(dying, {begun[-1]: store.uri(name)})
            store.put(name, b"{}\n")
            dying.invalidate()
    collected: set[int] = set()
    deadline = time.monotonic() + 20
    with engine.connect() as connection:
        while len(collected) < 2 and time.monotonic() < deadline:
            collected.update(attempts.garbage_collect(connection, store))
    assert collected == set(begun[1:])
    assert [path.name for path in tmp_path.iterdir()] == ["stubborn.jsonl"]
