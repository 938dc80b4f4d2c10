"""The database goes away under load: 503 in the stated time, and answers again without a restart."""

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import psutil
import pytest

from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema
from tests.days import insert_day

COMMAND = str(Path(sys.executable).parent / "logstats")
USERS = 8
ANSWER_SECONDS = 1.0
MARGIN_SECONDS = 1.5
"""For a machine with other things to do; what waits without end would take far longer."""
_numbers = count()
TARGETS = [f"/customers/cust_{number}/stats?from=2024-09-03" for number in range(1, 6)]


@dataclass
class Load:
    """Users who ask without pause, each on a kept connection, and what they have seen in the current phase."""

    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, user: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        number = user
        while not self.over.is_set():
            started = time.monotonic()
            connection.request("GET", TARGETS[number % len(TARGETS)])
            answer = connection.getresponse()
            body = answer.read()
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.statuses[answer.status] += 1
            if answer.status == 200 and b'"total_requests":1,' not in body:
                self.faults.append(f"200 with {body!r}")
            if answer.status == 503 and answer.headers["Retry-After"] is None:
                self.faults.append("503 without Retry-After")
            number += 1
            time.sleep(0.02)
        connection.close()

    def phase(self, seconds: float) -> tuple[set[int], float]:
        """Forget the past, watch for a while, and return the statuses seen and the longest time to an answer."""
        self.statuses.clear()
        self.slowest = 0.0
        time.sleep(seconds)
        return set(self.statuses), self.slowest

    def until(self, seen: Callable[[set[int]], bool]) -> None:
        """Watch until a phase has seen this."""
        deadline = time.monotonic() + 30
        while not seen(self.phase(0.5)[0]):
            assert time.monotonic() < deadline, self.statuses


@contextmanager
def under_load(port: int) -> Iterator[Load]:
    load = Load(port)
    users = [threading.Thread(target=load.run, args=(number,)) for number in range(USERS)]
    for user in users:
        user.start()
    try:
        yield load
    finally:
        load.over.set()
        for user in users:
            user.join(30)
    assert load.faults == []
    assert not any(user.is_alive() for user in users)


@pytest.fixture
def folder(postgres_folder: Path) -> Path:
    """A short name: it holds the server's socket, which must be found again."""
    return postgres_folder.joinpath(f"away-{next(_numbers)}")


@pytest.fixture
def database(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = postgres.start(folder, "fsync = off\n")
    server.create_database("logstats")
    engine = create_engine(server.settings())
    schema.upgrade(engine)
    for number in range(1, 6):
        insert_day(engine, f"cust_{number}", dt.date(2024, 9, 3))
    engine.dispose()
    yield server
    postgres.start(folder).stop()


@pytest.fixture
def port(database: EmbeddedPostgres, cache_bytes: int, tmp_path: Path) -> Iterator[int]:
    settings = {"API_ANSWER_SECONDS": str(ANSWER_SECONDS), "API_CACHE_BYTES": str(cache_bytes)}
    said = tmp_path / "stderr"  # a pipe that nobody reads would stop it
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", "--database-url", database.url()],
            env={**os.environ, **settings},
            stderr=stderr,
        )
    try:
        while not (found := re.match(r"http://127\.0\.0\.1:([0-9]+)/", said.read_text())):
            assert process.poll() is None
            time.sleep(0.1)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in said.read_text()


@pytest.mark.parametrize("cache_bytes", [1 << 20])
def test_a_stopped_database_is_503_at_once_and_200_when_it_is_back(
    folder: Path, database: EmbeddedPostgres, port: int
) -> None:
    with under_load(port) as load:
        load.until(lambda seen: seen == {200})
        for _ in range(2):
            database.stop()
            load.until(lambda seen: seen == {503})
            _, slowest = load.phase(1)
            assert slowest < ANSWER_SECONDS
            database = postgres.start(folder)
            load.until(lambda seen: seen == {200})


@pytest.mark.parametrize("cache_bytes", [0])
def test_a_silent_database_is_503_in_the_stated_time_and_200_when_it_speaks(
    database: EmbeddedPostgres, port: int
) -> None:
    """It keeps its connections and says nothing, as behind a network that has lost them."""
    postmaster = psutil.Process(database.server.get_postmaster_info().pid)
    with under_load(port) as load:
        load.until(lambda seen: seen == {200})
        family = [postmaster, *postmaster.children(recursive=True)]
        _signal(family, signal.SIGSTOP)
        try:
            time.sleep(ANSWER_SECONDS)
            seen, slowest = load.phase(2.5 * ANSWER_SECONDS)
        finally:
            _signal(family, signal.SIGCONT)
        assert seen == {503}
        assert slowest < ANSWER_SECONDS + MARGIN_SECONDS
        load.until(lambda seen: seen == {200})


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)
