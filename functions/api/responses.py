"""Responses to queries whose answers a client may keep: parameters that several routes share, headers, the next page."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import Response

from api import conditional
from api.cursors import Cursor, parse
from api.negotiation import preferred
from api.parameters import CalendarDate
from api.problems import refuse
from api.representation import MEDIA_TYPES, Format
from api.revisions import CachedAnswers
from api.revisions import Query as AnyQuery

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


def form_of(request: Request, asked: Format | None) -> Format:
    """Return the form of the answer: the one asked for, or else the one that `Accept` prefers."""
    return asked or preferred(request.headers.get("accept", ""))


def cursor(text: str, field: str) -> Cursor | None:
    """Return the cursor that a text is, in the order of a field; without one, that of the first page."""
    try:
        return parse(text, field) if text else None
    except ValueError as error:
        refuse("cursor", "after", str(error), text)


def attached(request: Request) -> str:
    """Return the header by which a browser saves CSV, in a file named like the last part of the path."""
    return f'attachment; filename="{request.url.path.rsplit("/", 1)[-1]}.csv"'


async def respond(request: Request, answers: CachedAnswers, query: AnyQuery) -> Response:
    """Answer a query with the address of the next page, or say that the client's answer is still right."""
    tag, answer = await answers.answer(query, request.headers.get("if-none-match"))
    headers = {"ETag": tag, **conditional.HEADERS}
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
