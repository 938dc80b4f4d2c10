"""Retention on a real PostgreSQL: what is closed stays closed, what is open is exact, in any order."""

import datetime as dt
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import sqlalchemy as sa

from logstats.models import Retention
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger import commit, stripes, transaction
from processor.ledger.delivery import Withdrawal
from processor.ledger.merge import IntegrityError
from processor.reading.objects import FILE_BUCKET
from processor.retention import expiry
from tests import oracle, tables
from tests.ingests import ingest
from tests.logs import random_lines

DAYS = [dt.date(2024, 9, 4) + dt.timedelta(day) for day in range(6)]
HORIZON = DAYS[3]


def lines_of(seed: int, count: int = 400) -> list[str]:
    return random_lines(seed, count, customers=7, days=len(DAYS))


def from_day(lines: Iterable[str], horizon: dt.date) -> list[str]:
    return [line for line in lines if line[:10] >= horizon.isoformat()]


Put = Callable[[str, list[str]], IngestSummary]


@pytest.fixture
def put(ingestor: Ingestor, tmp_path: Path) -> Put:
    return lambda name, lines: ingest(ingestor, tmp_path / name, lines)


def check(engine: sa.Engine, lines: list[str], horizon: dt.date) -> None:
    """The tables are those of the open days, and nothing else is left."""
    kept = from_day(lines, horizon)
    tables.check(engine, kept)
    assert tables.customers(engine) == oracle.customers(oracle.statistics(kept))
    with engine.connect() as connection:
        closed = sa.text("SELECT count(*) FROM contributions WHERE date < :horizon")
        assert connection.scalar(closed, {"horizon": horizon}) == 0


def test_what_is_behind_the_horizon_goes_and_the_rest_stays(engine: sa.Engine, put: Put) -> None:
    first, second = lines_of(1), lines_of(2)
    put("a.log", first)
    put("b.log", second)
    previewed = expiry.preview(engine, HORIZON)
    assert tables.statistics(engine) == oracle.statistics(first + second), "a preview changes nothing"
    assert expiry.current_horizon(engine) == dt.date(1970, 1, 1)
    removed = expiry.expire(engine, HORIZON)
    assert removed == previewed == expiry.Expiry(HORIZON, 3 * 7, 2 * 3 * 7)
    check(engine, first + second, HORIZON)
    assert expiry.expire(engine, HORIZON) == expiry.Expiry(HORIZON), "a second run finds nothing"


def test_later_lines_of_closed_days_are_counted_as_expired(engine: sa.Engine, put: Put) -> None:
    expiry.expire(engine, HORIZON)
    lines = lines_of(1)
    open_lines = from_day(lines, HORIZON)
    summary = put("a.log", [*lines, "broken"])
    assert (summary.outcome, summary.lines, summary.accepted, summary.rejected) == ("ingested", 401, 400, 1)
    assert summary.expired == len(lines) - len(open_lines) > 0
    assert summary.customer_days == len(oracle.statistics(open_lines))
    check(engine, lines, HORIZON)
    again = put("a.log", [*lines, "broken"])
    assert (again.outcome, again.expired) == ("unchanged", summary.expired)
    closed = [line for line in lines if line not in open_lines]
    summary = put("a.log", closed)
    assert (summary.outcome, summary.expired, summary.customer_days) == ("replaced", len(closed), 0)
    check(engine, [], HORIZON)


def test_what_was_removed_is_not_subtracted_again(
    engine: sa.Engine, put: Put, ingestor: Ingestor, tmp_path: Path
) -> None:
    """By a replacement, and by a withdrawal."""
    first, second, other = lines_of(1), lines_of(2, 300), lines_of(3)
    put("a.log", first)
    put("b.log", other)
    expiry.expire(engine, HORIZON)
    summary = put("a.log", second)
    expired = len(second) - len(from_day(second, HORIZON))
    assert (summary.outcome, summary.expired) == ("replaced", expired)
    check(engine, second + other, HORIZON)
    ingestor.withdraw(Withdrawal(FILE_BUCKET, str(tmp_path / "a.log")))
    check(engine, other, HORIZON)
    row = tables.ledger(engine, str(tmp_path / "a.log"))
    assert (row.outcome, row.accepted, row.expired) == ("withdrawn", 0, 0)


def test_a_horizon_never_returns_and_is_not_in_the_future(engine: sa.Engine) -> None:
    today = expiry.horizon_of(engine, 0)
    assert abs(today - dt.datetime.now(dt.UTC).date()) <= dt.timedelta(1)
    tomorrow = today + dt.timedelta(1)
    for run in (expiry.expire, expiry.preview):
        with pytest.raises(expiry.RetentionError, match=f"{tomorrow} is in the future"):
            run(engine, tomorrow)
    assert expiry.current_horizon(engine) == dt.date(1970, 1, 1)
    assert expiry.expire(engine, today).horizon == today
    for run in (expiry.expire, expiry.preview):
        assert run(engine, HORIZON).horizon == today
    assert expiry.horizon_of(engine, 30) == today - dt.timedelta(30)


def test_customers_without_a_day_left_are_gone_and_revisions_advance(engine: sa.Engine, put: Put) -> None:
    line = "{} 12:00:00 {} /a 200 0.1".format
    put("a.log", [line(DAYS[0], "old"), line(DAYS[2], "both"), line(HORIZON, "both"), line(DAYS[5], "new")])
    before = tables.revisions(engine)
    previewed = expiry.preview(engine, HORIZON)
    removed = expiry.expire(engine, HORIZON)
    assert removed == previewed
    assert (removed.customer_days, removed.customers) == (2, 1)
    after = tables.revisions(engine)
    assert after.keys() == {"both", "new"}
    assert after["both"] > max(before.values())
    assert after["new"] == before["new"], "nothing of it has changed"
    assert tables.customers(engine)["both"] == (HORIZON.isoformat(), HORIZON.isoformat(), 1)


def test_what_is_staged_is_left_to_its_commit(engine: sa.Engine, put: Put) -> None:
    """The run comes between staging and commit: closed lines expire, and none is missing."""
    put("b.log", lines_of(2))
    real = commit._commit
    calls: list[expiry.Expiry] = []

    def after_a_run(*arguments: object) -> object:
        if not calls:
            calls.append(expiry.expire(engine, HORIZON))
        return real(*arguments)  # type: ignore[arg-type]  # passed on as they come

    with mock.patch.object(commit, "_commit", after_a_run):
        summary = put("a.log", lines_of(1))
    assert calls[0].contributions == 3 * 7
    assert summary.expired == 400 - len(from_day(lines_of(1), HORIZON))
    check(engine, lines_of(1) + lines_of(2), HORIZON)


@contextmanager
def paused(target: object, name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let the first call of a function wait after its work: the events that it is there, and may go on."""
    real, reached, go_on = getattr(target, name), threading.Event(), threading.Event()

    def call(*arguments: object) -> object:
        result = real(*arguments)
        if not reached.is_set():
            reached.set()
            assert go_on.wait(20)
        return result

    with mock.patch.object(target, name, call):
        yield reached, go_on


def test_a_commit_that_holds_its_locks_is_wholly_before_the_horizon(
    engine: sa.Engine, put: Put, tmp_path: Path
) -> None:
    """The run waits for it, and then removes what it has added."""
    with paused(stripes, "lock_touched") as (reached, go_on), ThreadPoolExecutor() as threads:
        ingest: Future[IngestSummary] = threads.submit(put, "a.log", lines_of(1))
        assert reached.wait(20)
        run = threads.submit(expiry.expire, engine, HORIZON)
        tables.wait_for_waiting(engine)
        assert expiry.current_horizon(engine) == dt.date(1970, 1, 1)
        go_on.set()
        assert ingest.result(20).expired == 0
        assert run.result(20).customer_days == 3 * 7
    check(engine, lines_of(1), HORIZON)


def test_a_commit_that_waits_for_its_locks_is_wholly_after_the_horizon(engine: sa.Engine, put: Put) -> None:
    """The statement that takes them began before the horizon; those that merge must not use its snapshot."""
    with paused(stripes, "lock_all") as (reached, go_on), ThreadPoolExecutor() as threads:
        run = threads.submit(expiry.expire, engine, HORIZON)
        assert reached.wait(20)
        ingest = threads.submit(put, "a.log", lines_of(1))
        tables.wait_for_waiting(engine)
        go_on.set()
        assert run.result(20).horizon == HORIZON
        assert ingest.result(20).expired == 400 - len(from_day(lines_of(1), HORIZON))
    check(engine, lines_of(1), HORIZON)


def test_the_horizon_never_goes_back_when_two_runs_overlap(engine: sa.Engine, put: Put) -> None:
    """The earlier run has seen that its horizon is newer than the current one; then the later run closes more days."""
    put("a.log", lines_of(1))
    with paused(expiry, "current_horizon") as (reached, go_on), ThreadPoolExecutor() as threads:
        earlier = threads.submit(expiry.expire, engine, DAYS[1])
        assert reached.wait(20)
        assert expiry.expire(engine, HORIZON).horizon == HORIZON
        go_on.set()
        assert earlier.result(20).horizon == HORIZON
    assert expiry.current_horizon(engine) == HORIZON
    check(engine, lines_of(1), HORIZON)


def test_runs_and_ingests_at_once_need_no_second_try(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No deadlock, whatever meets; small transactions, so that much does."""
    monkeypatch.setattr(transaction, "_TRIES", 1)
    monkeypatch.setattr(expiry, "_ROWS", 5)
    monkeypatch.setattr(expiry, "_CUSTOMERS", 3)
    for number in range(4):
        put(f"{number}.log", lines_of(number))
    rng = random.Random(1)
    final = {number: lines_of(10 * number + rng.randrange(9)) for number in range(8)}

    def ingest(number: int) -> None:
        for seed in rng.sample(range(9), 2):
            put(f"{number}.log", lines_of(10 * number + seed))
        put(f"{number}.log", final[number])

    with ThreadPoolExecutor(12) as threads:
        ingests = [threads.submit(ingest, number) for number in final]
        horizons = (DAYS[1], DAYS[2], HORIZON, HORIZON)
        runs = [threads.submit(expiry.expire, engine, horizon) for horizon in horizons]
        for ingested in ingests:
            ingested.result(60)
        for run in runs:
            run.result(60)
    expiry.expire(engine, HORIZON)
    check(engine, [line for lines in final.values() for line in lines], HORIZON)


def test_every_transaction_is_small_and_leaves_the_tables_consistent(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader sees each day whole or not at all, and a customer that agrees with its days."""
    monkeypatch.setattr(expiry, "_ROWS", 4)
    monkeypatch.setattr(expiry, "_CUSTOMERS", 3)
    lines = lines_of(1) + lines_of(2)
    put("a.log", lines_of(1))
    put("b.log", lines_of(2))
    whole = oracle.statistics(lines)
    steps: list[int] = []

    def look(customer_days: int) -> None:
        steps.append(customer_days)
        found = tables.statistics(engine)
        assert found == {key: whole[key] for key in found}
        assert tables.customers(engine) == oracle.customers(found)

    total = expiry.expire(engine, HORIZON, progress=look)
    assert max(steps) == 4
    assert sum(steps) == total.customer_days == 3 * 7
    check(engine, lines, HORIZON)


def test_a_run_stops_between_two_transactions_when_its_time_is_up(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All customers are one batch, whose days need many transactions."""
    monkeypatch.setattr(expiry, "_ROWS", 4)
    put("a.log", lines_of(1))
    clock = [0.0]
    monkeypatch.setattr(expiry, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    stopped = expiry.expire(engine, HORIZON, until=2.5, progress=lambda _: clock.append(clock.pop() + 1))
    assert (stopped.finished, stopped.contributions) == (False, 3 * 4)
    finished = expiry.expire(engine, HORIZON, until=99, progress=lambda _: None)
    assert (finished.finished, finished.contributions) == (True, 3 * 7 - 3 * 4)
    check(engine, lines_of(1), HORIZON)


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Pacific/Kiritimati"])
def test_today_is_the_day_in_utc(engine: sa.Engine, zone: str) -> None:
    """Whatever the database's zone is; at any time, one of these two has another day."""
    with engine.begin() as connection:
        name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
        connection.execute(sa.text(f"ALTER DATABASE {name} SET timezone = '{zone}'"))
    engine.dispose()
    before = dt.datetime.now(dt.UTC).date()
    assert expiry.horizon_of(engine, 0) in (before, dt.datetime.now(dt.UTC).date())


def test_without_a_horizon_nothing_is_guessed(engine: sa.Engine, put: Put) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(Retention))
    with pytest.raises(IntegrityError, match="horizon is missing"):
        put("a.log", lines_of(1))
    assert tables.statistics(engine) == {}
