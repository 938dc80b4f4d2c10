"""The API's way to PostgreSQL: connections that survive a freeze, and an end to waiting."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import asyncpg

from api import iam
from api.settings import ApiSettings
from logstats import failures
from logstats.settings import DatabaseSettings

T = TypeVar("T")
Row = Sequence[Any]
"""An `asyncpg.Record`."""

_PREFETCH = 100  # rows of up to 400 kB, mostly of 5

_BROKEN = (
    OSError,  # refused, unreachable, reset; TimeoutError too
    asyncpg.InterfaceError,  # the connection or the pool is closed
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InsufficientResourcesError,  # class 53: too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutdown, starting up, ended when idle, statement timeout
)

_STALE = (*_BROKEN, asyncpg.InternalClientError)
"""A kept connection may also have read PostgreSQL's farewell, but not yet the end of the stream."""


class DatabaseAwayError(Exception):
    """The database does not answer, or not in time."""


class Database:
    """Reads from PostgreSQL on the event loop that first uses it.

    A few connections, kept for the next statement; none is opened before the first. Unlike asyncpg's own pool
    it judges by the wall clock how long a connection has been unused, since in a frozen Lambda the monotonic
    one may stand still, and it never waits for a server that has fallen silent.
    """

    def __init__(self, database: DatabaseSettings, api: ApiSettings) -> None:
        self._api = api
        self._arguments = _connect_arguments(database, api)
        self._slots = asyncio.Semaphore(api.pool_size)
        self._unused: list[tuple[float, asyncpg.Connection]] = []

    def deadline(self) -> float:
        """Return when a request that arrives now must be answered, by the clock of the event loop."""
        return asyncio.get_running_loop().time() + self._api.answer_seconds

    async def fetch(self, statement: str, *arguments: object, deadline: float | None = None) -> list[Row]:
        """Return the rows of a statement that only reads.

        Parameters
        ----------
        deadline
            When to give up, by the clock of the event loop; without one, after `ApiSettings.answer_seconds`.

        Raises
        ------
        DatabaseAwayError
            If there is no answer, or none in time.
        """

        def fetch(connection: asyncpg.Connection) -> Awaitable[list[Row]]:
            rows: Awaitable[list[Row]] = connection.fetch(statement, *arguments)
            return rows

        return await self._use(fetch, deadline)

    async def fold(
        self,
        start: Callable[[], T],
        add: Callable[[T, Row], None],
        statement: str,
        *arguments: object,
        deadline: float | None = None,
    ) -> T:
        """Add the rows of a statement to something, one by one: however many there are, few are in memory.

        Parameters
        ----------
        start
            Makes what they are added to; a second time when a kept connection turns out to be dead.
        deadline
            As for `fetch`.

        Raises
        ------
        DatabaseAwayError
            If there is no answer, or none in time.
        """

        async def fold(connection: asyncpg.Connection) -> T:
            total = start()
            async with connection.transaction(readonly=True):
                async for row in connection.cursor(statement, *arguments, prefetch=_PREFETCH):
                    add(total, row)
            return total

        return await self._use(fold, deadline)

    async def _use(self, run: Callable[[asyncpg.Connection], Awaitable[T]], deadline: float | None) -> T:
        try:
            async with asyncio.timeout_at(deadline or self.deadline()), self._slots:
                connection = self._connected()
                if connection is not None:
                    try:
                        return await self._run(connection, run)
                    except _STALE:
                        await self.close()  # if one has been ended, so have the others
                return await self._run(await asyncpg.connect(**self._arguments), run)
        except _BROKEN as error:
            raise DatabaseAwayError(failures.describe(error)) from error

    async def close(self) -> None:
        """Close the connections that are not in use."""
        while self._unused:
            self._unused.pop()[1].terminate()

    def _connected(self) -> asyncpg.Connection | None:
        while self._unused:
            since, connection = self._unused.pop()
            if not connection.is_closed() and time.time() - since < self._api.idle_seconds:
                return connection
            connection.terminate()
        return None

    async def _run(
        self, connection: asyncpg.Connection, run: Callable[[asyncpg.Connection], Awaitable[T]]
    ) -> T:
        try:
            result = await run(connection)
        except BaseException:
            connection.terminate()
            raise
        self._unused.append((time.time(), connection))
        return result


def _connect_arguments(settings: DatabaseSettings, api: ApiSettings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "dsn": settings.url,
        "timeout": settings.connect_timeout_seconds,
        "ssl": ssl.create_default_context(cafile=settings.ca_file)
        if settings.tls == "verify-full"
        else settings.tls,
        "server_settings": {
            "application_name": "logstats-api",
            "default_transaction_read_only": "on",
            "statement_timeout": f"{round(api.answer_seconds * 1000)}ms",
            "idle_session_timeout": f"{api.idle_seconds}s",
        },
    }
    if settings.iam_auth:
        arguments["password"] = partial(iam.database_token, settings.url)  # a fresh one for each connection
    return arguments
