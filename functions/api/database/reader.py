"""The API's way to PostgreSQL: SQLAlchemy on asyncpg, connections that survive a freeze, and an end to waiting.

One module, though long: most of it says when a connection may be used again, which must agree.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Executable, Row, Select, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from api.database import iam
from api.settings import ApiSettings
from logstats import failures
from logstats.settings import DatabaseSettings

T = TypeVar("T")
Statement = Select[*tuple[Any, ...]]

_UNAVAILABLE = (
    OSError,  # refused, unreachable, reset; TimeoutError too
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # PostgreSQL's farewell has been read, but not yet the end of the stream
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InsufficientResourcesError,  # class 53: too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutdown, starting up, ended when idle, statement timeout
)


_ERRORS = (OSError, StatementError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""May be raised by a statement: the last two only if the driver is called without SQLAlchemy (`api.database.copying`)."""


class DatabaseUnavailableError(Exception):
    """The database does not answer, or not in time."""


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise `DatabaseUnavailableError` instead of the driver's many errors that mean it."""
    try:
        yield
    except _ERRORS as error:
        if isinstance(_cause(error), _UNAVAILABLE):
            raise DatabaseUnavailableError(failures.describe(_cause(error))) from error
        raise


class Reader:
    """Reads from PostgreSQL on the event loop that first uses it.

    A few connections, opened when they are first needed and kept. One is used for `ApiSettings.idle_seconds` by the
    wall clock: in a frozen Lambda the monotonic one may stand still, and PostgreSQL has ended what was unused.
    """

    def __init__(self, database: DatabaseSettings, api: ApiSettings) -> None:
        self._answer_seconds = api.answer_seconds
        self._turns = asyncio.Semaphore(api.pool_size)  # the pool's own queue lets others overtake
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(asyncpg.connect, **connect_arguments(database, api)),
            isolation_level="AUTOCOMMIT",  # a statement needs no BEGIN and ROLLBACK around it
            pool_size=api.pool_size,
            max_overflow=0,
            pool_recycle=api.idle_seconds,
            hide_parameters=True,
        )
        event.listen(self._engine.sync_engine, "handle_error", _recognise_disconnect)

    def deadline(self) -> float:
        """Return when a request that arrives now must be answered, by the clock of the event loop."""
        return asyncio.get_running_loop().time() + self._answer_seconds

    async def rows(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        deadline: float | None = None,
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Return the rows of a statement; the rest as for `run`."""

        async def rows(connection: AsyncConnection) -> Sequence[Row[*tuple[Any, ...]]]:
            return (await connection.execute(statement, parameters)).all()

        return await self.run(rows, deadline)

    async def run(self, read: Callable[[AsyncConnection], Awaitable[T]], deadline: float | None = None) -> T:
        """Return what is read on one connection.

        Parameters
        ----------
        read
            Called a second time when its connection turns out to be dead, and has been replaced.
        deadline
            When to give up, by the clock of the event loop; without one, after `ApiSettings.answer_seconds`.

        Raises
        ------
        DatabaseUnavailableError
            If there is no answer, or none in time.
        """
        with _translated_errors():
            async with (
                asyncio.timeout_at(deadline or self.deadline()),
                self._turns,
                self._engine.connect() as connection,
            ):
                try:
                    return await read(connection)
                except _ERRORS:
                    if not connection.invalidated:
                        raise
                await connection.rollback()  # and it connects anew
                return await read(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Provide a connection on which all statements see the same, for as long as it takes to read it all.

        There is no deadline but that of each statement. The rest is as for `run`.
        """
        await self.rows(_NOTHING)  # a dead connection is replaced
        with _translated_errors():
            async with self._turns, self._engine.connect() as connection:
                await begin_snapshot(connection)
                yield connection

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self._engine.dispose()


_NOTHING = text("SELECT 1")
_FOR_MANY_ROWS = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"
)


async def begin_snapshot(connection: AsyncConnection) -> None:
    """Let all statements that follow on a connection see the same, until it is closed.

    They read many rows: so each is planned for its own parameters, as a plan for any would not fit.
    """
    await connection.execution_options(isolation_level="REPEATABLE READ")
    await connection.execute(_FOR_MANY_ROWS)


def connect_arguments(settings: DatabaseSettings, api: ApiSettings) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect` for a database."""
    address = settings.address.for_asyncpg()
    server_settings = {
        "application_name": "logstats-api",
        **address["server_settings"],
        "default_transaction_read_only": "on",
        "statement_timeout": f"{round(api.answer_seconds * 1000)}ms",
        "idle_session_timeout": f"{api.idle_seconds}s",
        "idle_in_transaction_session_timeout": f"{api.idle_seconds}s",  # of who does not read what is streamed
    }
    arguments: dict[str, Any] = {
        "connection_class": _Connection,
        "timeout": settings.connect_timeout_seconds,
        "ssl": ssl.create_default_context(cafile=settings.ca_file)
        if settings.tls == "verify-full"
        else settings.tls,
        **address,
        "server_settings": server_settings,
    }
    if settings.iam_auth:
        # A fresh one for each connection.
        arguments["password"] = partial(iam.database_token, settings.address)
    return arguments


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - asyncpg's
        """Close at once: a farewell to a server that has fallen silent would be waited for."""
        self.terminate()


def _cause(error: BaseException) -> BaseException:
    """Return the error of asyncpg or of the system: a statement that reconnects wraps that of the connection."""
    if isinstance(error, DBAPIError):
        return error.driver_exception
    return (error.orig or error) if isinstance(error, StatementError) else error


def _recognise_disconnect(context: ExceptionContext) -> None:
    """Have the pool replace its connections, all of them: if one has been ended, so have the others."""
    if is_disconnect(_cause(context.sqlalchemy_exception or context.original_exception)):
        context.is_disconnect = True


def is_disconnect(error: BaseException) -> bool:
    """Tell whether an error of the driver means that its connection has ended."""
    return isinstance(error, _UNAVAILABLE) and not isinstance(error, asyncpg.QueryCanceledError)
