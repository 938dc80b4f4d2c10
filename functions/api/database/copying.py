"""Copy rows out of PostgreSQL in its binary form, without making an object of a row or of a value."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from api.database.reader import is_disconnect

Sink = Callable[[bytes], Awaitable[None]]
"""Takes what is copied, piece by piece."""
HEADER_BYTES = 19
"""Of COPY ... (FORMAT BINARY): a signature, flags and the length of an extension, of which there is none."""


async def copy(
    connection: AsyncConnection, statement: Executable, parameters: Mapping[str, Any], sink: Sink
) -> None:
    """Hand the rows of a statement to a sink as ``COPY ... TO STDOUT (FORMAT BINARY)`` writes them.

    No object is made of a row, or of a value. A transaction must have begun, and goes on.
    """
    compiled = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]  # all that are used here are clauses
    values = compiled.construct_params(parameters)
    arguments = [values[name] for name in compiled.positiontup]
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.copy_from_query(str(compiled), *arguments, output=sink, format="binary")
    except asyncpg.PostgresError as error:
        if is_disconnect(error):
            await connection.invalidate()
        raise
    except BaseException:
        # A COPY that is left amid its rows, or by the deadline: asyncpg may wait for its end for ever.
        await connection.invalidate()
        raise
