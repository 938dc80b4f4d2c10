"""All customers, or all their days, as CSV in pieces: memory does not grow with their number."""

import datetime as dt
from collections.abc import AsyncGenerator

from api.answers.ranges import resolve_from
from api.answers.representation import CustomerStatistics, csv_rows, fields
from api.answers.revisions import revision_of_all
from api.database.reader import Reader
from api.fleet.ranks import Selection, ranks
from api.fleet.rows import CSV_HEADER, cells, read
from api.fleet.statements import ALL_DAILY_STATISTICS

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


async def csv_of_all(reader: Reader, selection: Selection) -> AsyncGenerator[bytes]:
    """Yield all customers as CSV, a piece at a time: memory does not grow with their number.

    The first piece is the revision of all data, which is no part of the document; the second has a header. The errors are those of
    `ranks`, and `DatabaseUnavailableError`.
    """
    async with reader.snapshot() as connection:
        yield (await revision_of_all(connection)).encode()
        days = await resolve_from(connection, selection.first, selection.last)
        header = [CSV_HEADER]
        async for batch in ranks(connection, selection, days, None):
            rows = await read(connection, [customer_id for customer_id, _ in batch], days)
            yield csv_rows([*header, *cells(rows)])
            header = []
        if header:
            yield csv_rows(header)
