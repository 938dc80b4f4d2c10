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
from processor.ledger.change import IntegrityError
from processor.ledger.delivery import Withdrawal
from processor.ledger.verify import Verification
from processor.reading.objects import FILE_BUCKET
from processor.retention import expiry
from tests import oracle, tables
from tests.ingests import ingest
from tests.logs import random_lines

DAYS = [dt.date(2024, 9, 28) + dt.timedelta(day) for day in range(6)]
HORIZON = DAYS[3]
"""The first of a month."""


def lines_of(seed: int, count: int = 400) -> list[str]:
    return random_lines(seed, count, customers=7, days=len(DAYS), first=DAYS[0])


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
    assert expiry.horizons(engine)[0] == dt.date(1970, 1, 1)
    removed = expiry.expire(engine, HORIZON)
    assert removed == previewed
    assert (removed.horizon, removed.sealed, removed.partitions) == (HORIZON, HORIZON, 4), (
        "August's, and September's"
    )
    check(engine, first + second, HORIZON)
    assert expiry.expire(engine, DAYS[5]) == expiry.Expiry(HORIZON, HORIZON), "a second run finds nothing"


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
    today = expiry._today(engine)
    assert abs(today - dt.datetime.now(dt.UTC).date()) <= dt.timedelta(1)
    tomorrow = today + dt.timedelta(1)
    for run in (expiry.expire, expiry.preview):
        with pytest.raises(expiry.RetentionError, match=f"{tomorrow} is in the future"):
            run(engine, tomorrow)
        with pytest.raises(expiry.RetentionError, match=f"{tomorrow} is in the future"):
            run(engine, sealed=tomorrow)
    assert expiry.horizons(engine)[0] == dt.date(1970, 1, 1)
    assert expiry.expire(engine, today).horizon == today.replace(day=1)
    for run in (expiry.expire, expiry.preview):
        assert run(engine, HORIZON).horizon == today.replace(day=1)


def test_a_month_is_too_old_when_all_of_its_days_are(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_today", lambda _: dt.date(2024, 10, 31))
    assert [expiry.horizon_of(engine, days) for days in (30, 31, None)] == [
        dt.date(2024, 10, 1), dt.date(2024, 9, 1), dt.date(1970, 1, 1),
    ]  # fmt: skip


def test_customers_without_a_day_left_are_gone_and_revisions_advance(engine: sa.Engine, put: Put) -> None:
    line = "{} 12:00:00 {} /a 200 0.1".format
    put("a.log", [line(DAYS[0], "old"), line(DAYS[2], "both"), line(HORIZON, "both"), line(DAYS[5], "new")])
    before = tables.revisions(engine)
    previewed = expiry.preview(engine, HORIZON)
    removed = expiry.expire(engine, HORIZON)
    assert removed == previewed
    assert removed.customers == 1
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
    assert calls[0].partitions == 3, "one has what is staged"
    assert summary.expired == 400 - len(from_day(lines_of(1), HORIZON))
    assert expiry.expire(engine).partitions == 1
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
        assert expiry.horizons(engine)[0] == dt.date(1970, 1, 1)
        go_on.set()
        assert ingest.result(20).expired == 0
        assert run.result(20).partitions == 4
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
    with paused(expiry, "_checked") as (reached, go_on), ThreadPoolExecutor() as threads:
        earlier = threads.submit(expiry.expire, engine, dt.date(2024, 9, 1))
        assert reached.wait(20)
        assert expiry.expire(engine, HORIZON).horizon == HORIZON
        go_on.set()
        assert earlier.result(20).horizon == HORIZON
    assert expiry.horizons(engine)[0] == HORIZON
    check(engine, lines_of(1), HORIZON)


def test_runs_and_ingests_at_once_need_no_second_try(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No deadlock, whatever meets; small transactions, so that much does."""
    monkeypatch.setattr(transaction, "_TRIES", 1)
    monkeypatch.setattr(expiry, "_CUSTOMERS", 3)
    monkeypatch.setattr(expiry, "_PAUSE_SECONDS", 0.1)
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
        horizons = (dt.date(2024, 8, 1), dt.date(2024, 9, 1), HORIZON, HORIZON)
        runs = [threads.submit(expiry.expire, engine, horizon) for horizon in horizons]
        for ingested in ingests:
            ingested.result(60)
        for run in runs:
            run.result(60)
    expiry.expire(engine, HORIZON)
    check(engine, [line for lines in final.values() for line in lines], HORIZON)


def test_a_run_stops_between_two_transactions_when_its_time_is_up_and_the_next_goes_on(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see each day whole or not at all, and the customers follow when no day is left."""
    monkeypatch.setattr(expiry, "_CUSTOMERS", 3)
    lines = lines_of(1)
    put("a.log", lines)
    kept = oracle.statistics(from_day(lines, HORIZON))
    told: list[expiry.Expiry] = []
    while not told or not told[-1].finished:
        clock = iter([0, 0, 1])
        monkeypatch.setattr(expiry, "time", SimpleNamespace(monotonic=lambda clock=clock: next(clock)))
        told.append(expiry.expire(engine, HORIZON, until=0.5))
        assert tables.statistics(engine) in (oracle.statistics(lines), kept)
        if tables.customers(engine) != oracle.customers(oracle.statistics(lines)):
            assert tables.statistics(engine) == kept
        assert not list(Verification(engine).differences())
    check(engine, lines, HORIZON)


def test_a_reader_is_not_kept_waiting_and_the_partition_goes_when_it_has_read(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a verification of minutes: the run lets go of its place in the queue, and tries again."""
    put("a.log", lines_of(1))
    monkeypatch.setattr(expiry, "_PAUSE_SECONDS", 0.1)
    with engine.connect() as reader, ThreadPoolExecutor() as threads:
        reader.execute(sa.text("SELECT count(*) FROM daily_statistics"))
        run = threads.submit(expiry.expire, engine, HORIZON)
        tables.wait_for_waiting(engine)
        with engine.begin() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
            assert other.scalar(sa.text("SELECT count(*) FROM daily_statistics")) == 7 * len(DAYS)
        assert not run.done()
        reader.rollback()
        assert run.result(20).partitions == 4
    check(engine, lines_of(1), HORIZON)


def test_a_partition_that_reaches_over_the_horizon_loses_its_closed_days(
    engine: sa.Engine, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was full before there were months. Its contributions stay until the whole partition is sealed."""
    monkeypatch.setattr(expiry, "_ROWS", 5)
    make_one_partition(engine, dt.date(2024, 11, 1))
    put("a.log", lines_of(1))
    previewed = expiry.preview(engine, HORIZON)
    removed = expiry.expire(engine, HORIZON)
    assert removed == previewed
    assert (removed.partitions, removed.customer_days) == (0, 3 * 7)
    kept = from_day(lines_of(1), HORIZON)
    tables.check(engine, kept)
    assert tables.customers(engine) == oracle.customers(oracle.statistics(kept))
    assert expiry.expire(engine, dt.date(2024, 11, 1)).partitions == 2
    assert tables.customers(engine) == {}


def make_one_partition(engine: sa.Engine, until: dt.date) -> None:
    with engine.begin() as connection:
        for table in ("contributions", "daily_statistics"):
            for month in ("08", "09", "10"):
                connection.execute(sa.text(f"DROP TABLE {table}_2024_{month}"))
            connection.execute(
                sa.text(
                    f"CREATE TABLE {table}_before PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ('{until}')"
                )
            )


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Pacific/Kiritimati"])
def test_today_is_the_day_in_utc(engine: sa.Engine, zone: str) -> None:
    """Whatever the database's zone is; at any time, one of these two has another day."""
    with engine.begin() as connection:
        name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
        connection.execute(sa.text(f"ALTER DATABASE {name} SET timezone = '{zone}'"))
    engine.dispose()
    before = dt.datetime.now(dt.UTC).date()
    assert expiry._today(engine) in (before, dt.datetime.now(dt.UTC).date())


def test_without_a_horizon_nothing_is_guessed(engine: sa.Engine, put: Put) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(Retention))
    with pytest.raises(IntegrityError, match="horizon is missing"):
        put("a.log", lines_of(1))
    assert tables.statistics(engine) == {}
