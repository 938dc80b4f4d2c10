"""Every customer and day of a range as CSV, in pieces: memory does not grow with their number."""

import datetime as dt
from collections.abc import AsyncGenerator

from api.reader import Reader
from api.representation import CustomerStatistics, csv_rows, fields
from api.statements import ALL_DAILY_STATISTICS

_ROWS = 5_000
"""Of a piece: about 600 kB."""


async def csv_of_days(reader: Reader, first: dt.date, last: dt.date) -> AsyncGenerator[bytes]:
    """Yield the rows of `GET /customers/{customer_id}/stats` of all customers, in the order of their ids, then of the days.

    The first piece is the header. All rows are of one moment.

    Raises
    ------
    DatabaseUnavailableError
        If the database does not answer.
    """
    async with reader.snapshot() as connection:
        await connection.execution_options(yield_per=_ROWS)
        async with connection.stream(ALL_DAILY_STATISTICS, {"first": first, "last": last}) as found:
            yield csv_rows([CustomerStatistics.model_fields])
            async for rows in found.partitions():
                yield csv_rows(fields(row[0], row[1:]).values() for row in rows)
