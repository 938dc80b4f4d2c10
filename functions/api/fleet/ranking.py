"""A page of customers over a range of days, worst first or in another order."""

from dataclasses import dataclass

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.pages import Cursor
from api.answers.ranges import resolve_from
from api.answers.representation import Format, RenderedAnswer, csv_rows
from api.answers.revisions import revision_of_all
from api.fleet.ranks import Selection, ranks
from api.fleet.rows import CSV_HEADER, cells, read


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
        """Return the page; its errors are those of `ranks`."""
        days = await resolve_from(connection, self.selection.first, self.selection.last)
        found = [
            rank async for batch in ranks(connection, self.selection, days, self.limit + 1) for rank in batch
        ]
        kept = found[: self.limit]
        following = Cursor(kept[-1][1], kept[-1][0]).write() if len(found) > self.limit else None
        rows = await read(connection, [rank[0] for rank in kept], days, charted=self.selection.charted)
        if self.form is Format.CSV:
            body = csv_rows([CSV_HEADER, *cells(rows)])
        else:
            body = orjson.dumps({"customers": rows, "next": following})
        return RenderedAnswer(body, revision, self.form, following)
