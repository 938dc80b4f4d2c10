"""Responses to queries whose answers a client may keep (RFC 9110, 13): shared parameters, headers, the next page."""

import datetime as dt
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import StringConstraints

from api.answers.cache import CachedAnswers
from api.answers.cache import Query as AnyQuery
from api.answers.negotiation import preferred
from api.answers.pages import Cursor, parse
from api.answers.representation import MEDIA_TYPES, Format
from api.requests.parameters import NO_CONTROL_CHARACTERS, CalendarDate, check_order
from api.requests.problems import REFUSALS, refuse
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

LastDay = Annotated[
    CalendarDate | None,
    Query(
        alias="to",
        description="Last UTC day, included; without it, the last day with data.",
        examples=["2024-10-03"],
    ),
]
AskedForm = Annotated[
    Format | None,
    Query(alias="format", description="JSON or CSV; without it, what `Accept` prefers.", examples=["csv"]),
]


CACHE_CONTROL = "private, no-cache"
"""A client may keep an answer, and asks each time whether it is still right."""
HEADERS = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept"}


NEXT_PAGE: dict[str, Any] = {
    "Link": {"description": 'The next page, `rel="next"`, if there is one.', "schema": {"type": "string"}}
}
WITHOUT_BREAKDOWN: dict[str, Any] = {
    "Days-Without-Breakdown": {
        "description": "UTC days with requests that are missing from the answer: they were ingested before days were divided, or "
        "without this part. Only where days are divided: by hour, zone, route or status code.",
        "schema": {"type": "integer"},
    }
}
_REQUEST_HEADERS = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": text,
        "schema": {"type": "string", "examples": [example]},
    }
    for name, text, example in (
        ("accept", "`text/csv` for CSV.", "text/csv"),
        ("If-None-Match", "The `ETag` of an earlier answer.", '"17-3-json"'),
    )
]
"""Documented only: having FastAPI read them would cost a tenth of a cached answer's CPU time."""


def documented(
    description: str, changes_with: str, *headers: dict[str, Any], csv: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a route documents of an answer that clients may keep, beside its model.

    Parameters
    ----------
    changes_with
        What changes its `ETag`.
    headers
        Others that it has.
    csv
        What is special about its CSV; None if there is none.
    """
    described = {
        "ETag": {"description": f"Changes with {changes_with}.", "schema": {"type": "string"}},
        "Cache-Control": {"description": f"`{CACHE_CONTROL}`", "schema": {"type": "string"}},
    }
    for each in headers:
        described |= each
    answer: dict[str, Any] = {"description": description, "headers": described}
    if csv is not None:
        answer["content"] = {"text/csv": {"schema": {"type": "string"}, **csv}}
    unchanged = "Unchanged: the `ETag` of `If-None-Match` is still right."
    return {
        "responses": {200: answer, 304: {"description": unchanged, "headers": described}, **REFUSALS},
        "tags": ["statistics"],
        "openapi_extra": {"parameters": _REQUEST_HEADERS if csv is not None else _REQUEST_HEADERS[1:]},
    }


After = Annotated[
    str,
    StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS + 40, pattern=NO_CONTROL_CHARACTERS),
    Query(description="The `next` of the page before; without it, the first page."),
]


def form_of(request: Request, asked: Format | None) -> Format:
    """Return the form of the answer: the one asked for, or else the one that `Accept` prefers."""
    return asked or preferred(request.headers.get("accept", ""))


def cursor(text: str, field: str) -> Cursor | None:
    """Return the cursor that a text is, in the order of a field; without one, that of the first page."""
    try:
        return parse(text, field) if text else None
    except ValueError as error:
        refuse("cursor", "after", str(error), text)


def check_range(first: dt.date, last: dt.date | None) -> None:
    """Refuse a range that ends before it begins."""
    try:
        check_order(first, last or dt.date.max)
    except ValueError as error:
        refuse("date_order", "to", str(error), str(last))


def attached(request: Request) -> str:
    """Return the header by which a browser saves CSV, in a file named like the last part of the path."""
    return f'attachment; filename="{request.url.path.rsplit("/", 1)[-1]}.csv"'


async def respond(request: Request, answers: CachedAnswers, query: AnyQuery) -> Response:
    """Answer a query with the address of the next page, or say that the client's answer is still right."""
    tag, answer = await answers.answer(query, request.headers.get("if-none-match"))
    headers = {"ETag": tag, **HEADERS}
    if answer is None:
        return Response(status_code=304, headers=headers)
    if answer.days_without_breakdown is not None:
        headers["Days-Without-Breakdown"] = str(answer.days_without_breakdown)
    if answer.following is not None:
        asked = [pair for pair in request.query_params.multi_items() if pair[0] != "after"]
        headers["Link"] = f'<?{urlencode([*asked, ("after", answer.following)])}>; rel="next"'
    if query.form is Format.CSV:
        headers["Content-Disposition"] = attached(request)
    return Response(answer.body, headers=headers, media_type=MEDIA_TYPES[query.form])
