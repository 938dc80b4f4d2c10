"""All customers over a range of days: their CSV, and what is refused."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from api import conditional
from api.fleet import Selection
from api.fleet_pages import csv_of_all
from api.histograms import TooManyHistogramsError
from api.negotiation import matches
from api.parameters import check_order
from api.problems import refuse
from api.ranking import MERGED_FIELDS, SORT_FIELDS
from api.reader import Reader
from api.representation import MEDIA_TYPES, Format
from api.responses import attached
from api.statistics import etag


def check_range(first: dt.date, last: dt.date | None) -> None:
    """Refuse a range that ends before it begins."""
    try:
        check_order(first, last or dt.date.max)
    except ValueError as error:
        refuse("date_order", "to", str(error), str(last))


async def stream(reader: Reader, selection: Selection, request: Request) -> Response:
    """Answer with all customers as CSV; what can go wrong shows with the first of them, before the status is sent."""
    pieces = csv_of_all(reader, selection)
    tag = etag((await anext(pieces)).decode(), Format.CSV)
    headers = {"ETag": tag, **conditional.HEADERS}
    if matches(request.headers.get("if-none-match"), tag):
        await pieces.aclose()
        return Response(status_code=304, headers=headers)
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    headers["Content-Disposition"] = attached(request)
    return StreamingResponse(all_pieces(), headers=headers, media_type=MEDIA_TYPES[Format.CSV])


@contextmanager
def refusals(sort: str) -> Iterator[None]:
    """Refuse what turns out to be too much."""
    try:
        yield
    except TooManyHistogramsError as error:
        others = ", ".join(field for field in SORT_FIELDS if field not in MERGED_FIELDS)
        refuse("too_many_histograms", "sort", f"{error}; choose fewer days, or sort by one of {others}", sort)
