"""Decisions wait for whoever changes the row of the same log object in the ledger, and see what it has become."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import LogObject
from processor.ledger.commit import decide_unread
from processor.ledger.delivery import Delivery, Withdrawal
from processor.ledger.withdrawal import withdraw
from processor.reject_stores import LocalRejectStore
from tests import tables

FOLDER = LocalRejectStore(Path("/nowhere"))


def test_a_version_that_is_announced_again_advances_the_sequencer(engine: sa.Engine) -> None:
    """A backfill knew none; what is older than the announcement is then late."""
    with Session(engine) as session, session.begin():
        session.add(
            LogObject(bucket="b", key="a.log", outcome="ingested", version="v1", confirmed_current=True)
        )
    known = decide_unread(engine, Delivery("b", "a.log", "v1", "02"))
    assert known is not None
    assert known.outcome == "unchanged"
    row = tables.ledger(engine, "a.log")
    assert (row.sequencer, row.confirmed_current) == ("02", False)
    late = decide_unread(engine, Delivery("b", "a.log", "v0", "01"))
    assert late is not None
    assert late.outcome == "stale"
    assert tables.ledger(engine, "a.log").version == "v1"


@pytest.mark.parametrize(
    "decide",
    [
        lambda engine: decide_unread(engine, Delivery("b", "a.log", "v1", "02")),
        lambda engine: withdraw(engine, Withdrawal("b", "a.log", sequencer="02"), FOLDER),
    ],
    ids=["a repeated delivery", "a withdrawal"],
)
def test_what_a_commit_has_just_superseded_is_stale(
    engine: sa.Engine, decide: Callable[[sa.Engine], LogObject]
) -> None:
    """Version 1 counts when they ask, and version 2 when they get an answer."""
    with Session(engine) as session, session.begin():
        session.add(LogObject(bucket="b", key="a.log", outcome="ingested", version="v1", sequencer="01"))
    with ThreadPoolExecutor(1) as threads:
        with engine.begin() as holder:
            holder.execute(sa.update(LogObject).values(version="v2", sequencer="03"))
            deciding = threads.submit(decide, engine)
            tables.wait_for_waiting(engine)
        assert deciding.result(20).outcome == "stale"
    row = tables.ledger(engine, "a.log")
    assert (row.outcome, row.version, row.sequencer) == ("ingested", "v2", "03")
