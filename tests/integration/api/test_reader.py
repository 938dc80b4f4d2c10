import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa

from api.database.reader import DatabaseUnavailableError, Reader
from api.settings import ApiSettings
from local.postgres import EmbeddedPostgres
from logstats.settings import DatabaseSettings

pytestmark = pytest.mark.anyio
PID = sa.text("SELECT pg_backend_pid()")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def connected(settings: DatabaseSettings, **api: float) -> AsyncIterator[Reader]:
    reader = Reader(settings, ApiSettings.model_validate(api))
    try:
        yield reader
    finally:
        await reader.close()


async def pid(reader: Reader) -> int:
    [[number]] = await reader.rows(PID)
    return int(number)


def terminate_all(settings: DatabaseSettings) -> int:
    with psycopg.connect(settings.url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'logstats-api' "
            "AND datname = current_database()"
        )
        return ended.rowcount


@pytest.mark.parametrize("size", [1, 3])
async def test_trap_07_connections_that_died_in_the_freeze_are_replaced(
    database: DatabaseSettings, size: int
) -> None:
    async with connected(database, pool_size=size) as reading:
        before = set(await _pids_at_once(reading, size))
        assert terminate_all(database) == len(before) == size  # without a turn of the loop: it was frozen
        assert before.isdisjoint(await _pids_at_once(reading, size))


async def _pids_at_once(reading: Reader, count: int) -> list[int]:
    statement = sa.text("SELECT pg_backend_pid() FROM pg_sleep(0.2)")
    return [rows[0][0] for rows in await asyncio.gather(*(reading.rows(statement) for _ in range(count)))]


async def test_whoever_waits_is_not_overtaken_by_who_comes_when_a_connection_is_free(
    database: DatabaseSettings,
) -> None:
    answered: list[str] = []

    async def ask(reading: Reader, name: str, turns: int = 0) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await pid(reading)
        answered.append(name)

    async with connected(database, pool_size=1) as reading, asyncio.TaskGroup() as tasks:

        async def hold(_connection: object) -> None:
            tasks.create_task(ask(reading, "waits"))
            await asyncio.sleep(0.1)
            for turns in range(50):  # one of them comes just then
                tasks.create_task(ask(reading, "comes", turns))

        await reading.run(hold)
    assert answered == ["waits", *["comes"] * 50]


async def test_trap_07_postgresql_ends_what_a_frozen_process_keeps(database: DatabaseSettings) -> None:
    async with connected(database, idle_seconds=1) as reading:
        await pid(reading)
        time.sleep(2)  # noqa: ASYNC251 - frozen
        assert terminate_all(database) == 0
        await pid(reading)


async def test_trap_07_a_long_unused_connection_is_not_trusted(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent dead peer would cost the whole answer time; the monotonic clock may have slept too."""
    async with connected(database) as reading:
        before = await pid(reading)
        frozen = time.time() + 61
        monkeypatch.setattr(time, "time", lambda: frozen)
        assert await pid(reading) != before


@pytest.mark.parametrize(
    ("statement", "error"),
    [("SELECT * FROM nowhere", "nowhere"), ("DELETE FROM daily_statistics", "read-only")],
)
async def test_an_error_of_the_statement_is_not_the_databases_absence_and_nothing_can_be_written(
    database: DatabaseSettings, statement: str, error: str
) -> None:
    async with connected(database) as reading:
        with pytest.raises(sa.exc.DBAPIError, match=error):
            await reading.rows(sa.text(statement))
        await pid(reading)


async def test_a_slow_statement_ends_in_time_on_both_sides_and_so_does_its_connection(
    database: DatabaseSettings,
) -> None:
    """Its answer may still come; whoever had the connection next would take it for theirs."""
    async with connected(database, answer_seconds=0.5) as reading:
        before = await pid(reading)
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await reading.rows(sa.text("SELECT pg_sleep(30)"))
        assert time.monotonic() - started < 2
        assert await pid(reading) != before
        await asyncio.sleep(1)
        with psycopg.connect(database.url) as connection:
            there = connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%' OR pid = %s", [before]
            )
            assert there.fetchall() == []


async def test_waiting_for_a_connection_ends_in_time(database: DatabaseSettings) -> None:
    async with connected(database, answer_seconds=1) as reading:
        slow = asyncio.create_task(reading.rows(sa.text("SELECT pg_sleep(0.8)")))
        await asyncio.sleep(0.4)
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await reading.rows(sa.text("SELECT pg_backend_pid() FROM pg_sleep(0.8)"))
        assert time.monotonic() - started < 1.5
        await slow
        await pid(reading)


async def test_a_database_that_dies_and_does_not_return_is_unavailable(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is found to be dead, and the new one is refused."""
    async with connected(database) as reading:
        await pid(reading)
        assert terminate_all(database) == 1

        async def refuse(*_: object, **__: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(asyncpg.connect_utils, "_connect", refuse)
        with pytest.raises(DatabaseUnavailableError):
            await pid(reading)


class Wire:
    """A wire to PostgreSQL, from a TCP port, that can be cut without either side hearing of it."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.connected = threading.Event()
        self.connected.set()
        self._target = str(Path(server.server.get_postmaster_info().socket_dir) / ".s.PGSQL.5432")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        self.connected.set()
        for end in self._sockets:
            with suppress(OSError):  # its peer may have closed it
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is shut down
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._sockets += [near, far]
                for ends in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._carry, args=ends))
                    self._threads[-1].start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # either end is closed
            while data := source.recv(65536):
                self.connected.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(server: EmbeddedPostgres) -> Iterator[Wire]:
    wire = Wire(server)
    yield wire
    wire.close()


@pytest.mark.parametrize("established", [True, False])
async def test_trap_09_a_silent_database_is_given_up_in_time(
    wire: Wire, database: DatabaseSettings, *, established: bool
) -> None:
    name = sa.make_url(database.url).database
    url = f"postgresql://postgres@127.0.0.1:{wire.port}/{name}"
    async with connected(database.model_copy(update={"url": url}), answer_seconds=0.5) as reading:
        if established:
            await pid(reading)
        wire.connected.clear()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await pid(reading)
        assert 0.4 < time.monotonic() - started < 1
        wire.connected.set()
        await pid(reading)


async def read_slowly(reading: Reader, statement: sa.TextClause) -> None:
    async with reading.snapshot() as connection:
        await connection.execute(statement)
        await asyncio.sleep(1.5)
        await connection.execute(statement)


async def test_a_snapshot_sees_the_same_throughout_and_one_that_nobody_reads_is_ended(
    database: DatabaseSettings,
) -> None:
    """A client that has stopped reading must not keep PostgreSQL from cleaning up for ever."""
    count = sa.text("SELECT count(*) FROM retention")
    async with connected(database, idle_seconds=1) as reading:
        with psycopg.connect(database.url, autocommit=True) as other:
            async with reading.snapshot() as connection:
                before = (await connection.execute(count)).scalar_one()
                other.execute("DELETE FROM retention")
                assert (await connection.execute(count)).scalar_one() == before == 1
            async with reading.snapshot() as connection:
                assert (await connection.execute(count)).scalar_one() == 0
            with pytest.raises(DatabaseUnavailableError):
                await read_slowly(reading, count)
        assert await pid(reading)
