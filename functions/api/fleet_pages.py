"""Customers over a range of days as the API writes them: a page, or all of them as CSV."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from api.fleet import Selection, batches, page
from api.reader import Reader
from api.representation import Changes, CustomerStatistics, Format, csv_rows
from api.revisions import revision_of_all
from api.statistics import RenderedAnswer

CSV_HEADER = (*CustomerStatistics.model_fields, *Changes.model_fields)


@dataclass(frozen=True, slots=True)
class RankingQuery:
    """A page of at most `limit` customers."""

    selection: Selection
    limit: int
    form: Format = Format.JSON

    async def revision(self, connection: AsyncConnection) -> str:
        """Return the revision of all data."""
        return await revision_of_all(connection)

    async def answer(self, connection: AsyncConnection, revision: str) -> RenderedAnswer:
        """Return the page; its errors are those of `fleet.page`."""
        rows, cursor = await page(connection, self.selection, self.limit)
        following = None if cursor is None else cursor.write()
        if self.form is Format.CSV:
            body = csv_rows([CSV_HEADER, *_cells(rows)])
        else:
            body = orjson.dumps({"customers": rows, "next": following})
        return RenderedAnswer(body, revision, self.form, following)


async def csv_of_all(reader: Reader, selection: Selection) -> AsyncGenerator[bytes]:
    """Yield all customers as CSV, a piece at a time: memory does not grow with their number.

    The first piece is the revision of all data, which is no part of the document; the second has a header. The errors are those of `fleet.page`,
    and `DatabaseUnavailableError`.
    """
    async with reader.snapshot() as connection:
        yield (await revision_of_all(connection)).encode()
        header: tuple[tuple[str, ...], ...] = (CSV_HEADER,)
        async for rows in batches(connection, selection):
            yield csv_rows([*header, *_cells(rows)])
            header = ()
        if header:
            yield csv_rows(header)


def _cells(rows: Iterable[dict[str, Any]]) -> Iterable[Iterable[Any]]:
    return ([row[name] for name in CSV_HEADER] for row in rows)
