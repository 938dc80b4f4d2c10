"""GET /ingestions and GET /ingestions/{id}: the ledger."""

import datetime as dt
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.answers.representation import Count
from api.database.reader import Reader
from api.requests.authorisation import Rule, ruled
from api.requests.parameters import DEFAULT_LIMIT, Limit
from api.requests.problems import NOT_FOUND, REFUSALS
from api.settings import Auth
from logstats.models import LogObject

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_MAX_ID = (1 << 63) - 1
_FIRST_PAGE = f"{'9' * 17}.0"


_INGESTION = sa.select(LogObject.__table__).where(LogObject.committed_at.is_not(None))

INGESTIONS = (
    _INGESTION.where(
        sa.tuple_(LogObject.committed_at, LogObject.id)
        < sa.tuple_(
            sa.bindparam("committed_at", type_=sa.DateTime(timezone=True)),
            sa.bindparam("id", type_=sa.BigInteger),
        )
    )
    .order_by(LogObject.committed_at.desc(), LogObject.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
"""Rows of the ledger before a commit's time and id, newest first."""

INGESTION_OF_OBJECT = _INGESTION.where(
    LogObject.bucket == sa.bindparam("bucket"), LogObject.key == sa.bindparam("key")
)
INGESTION = _INGESTION.where(LogObject.id == sa.bindparam("id"))


class Ingestion(BaseModel, from_attributes=True):
    """Show what came of a log object: its row in the ledger."""

    id: int = Field(description="The log object's number in the ledger.", examples=[1])
    bucket: str = Field(description="The bucket; `file` for a local file.", examples=["logstats-dev-logs"])
    key: str = Field(description="The key, or the path.", examples=["api_requests.log"])
    version: str | None = Field(description="The S3 version, or the digest of a local file's content.")
    outcome: str | None = Field(
        description="What the object's last commit has done: `ingested`, `replaced`, `withdrawn`, `ignored` or `unrecognised`.",
        examples=["ingested"],
    )
    format: str | None = Field(
        description="The format that has read it; null if none has, or it was read before there were several.",
        examples=["logstats"],
    )
    lines: Count = Field(description="Lines, accepted, rejected and skipped.", examples=[10_000])
    accepted: Count = Field(
        description="Lines that can be read. They count, except those that are `expired`.", examples=[9_998]
    )
    rejected: Count = Field(description="Lines that cannot be read.", examples=[2])
    rejected_by_reason: dict[str, int] = Field(
        description="Rejected lines by the first reason that applies.", examples=[{"duration": 2}]
    )
    skipped: Count = Field(
        description="Lines that are no requests by the format, such as comments.", examples=[0]
    )
    expired: Count = Field(
        description="Accepted lines that do not count, because their days were behind the retention horizon when it was committed.",
        examples=[0],
    )
    customer_days: Count = Field(
        description="Customers times days that it has counted requests of.", examples=[1_500]
    )
    seconds: float | None = Field(description="From opening the object to the commit.", examples=[0.3])
    committed_at: dt.datetime = Field(description="When it became visible.")


class IngestionDetails(Ingestion):
    """Show what came of a log object, and where its rejected lines are."""

    rejects_uri: str | None = Field(
        description="Where the rejected lines are kept, with line number, reason and text; `logstats rejects` shows them."
    )


class IngestionPage(BaseModel):
    """A page of the ledger."""

    ingestions: list[Ingestion] = Field(description="Newest commit first.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


def router(reader: Reader, auth: Auth) -> APIRouter:
    """Return the routes, answered from a database."""
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth), tags=["ledger"])

    @routes.get("/ingestions", summary="Ingested log objects", responses=REFUSALS)
    async def ingestions(
        uri: Annotated[
            str | None,
            Query(
                alias="object",
                description="Only this log object, as `s3://bucket/key` (percent-encoded as a query).",
                examples=["s3://logstats-dev-logs/api_requests.log"],
                max_length=2_048,
                pattern=r"^s3://[^/\x00]+/[^\x00]+$",
            ),
        ] = None,
        limit: Limit = DEFAULT_LIMIT,
        after: Annotated[
            str,
            Query(
                description="The `next` of the page before; without it, the first page.",
                pattern=r"^[0-9]{1,17}\.[0-9]{1,18}$",  # no greater than PostgreSQL's types
            ),
        ] = _FIRST_PAGE,
    ) -> IngestionPage:
        """List the ledger, the newest commit first. An object that is committed again moves to the front."""
        if uri is not None:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            rows = await reader.rows(INGESTION_OF_OBJECT, {"bucket": bucket, "key": key})
        else:
            microseconds, number = map(int, after.split("."))
            position = {"committed_at": _EPOCH + microseconds * _MICROSECOND, "id": number}
            rows = await reader.rows(INGESTIONS, position | {"limit": limit + 1})
        found = [Ingestion.model_validate(row) for row in rows[:limit]]
        return IngestionPage(ingestions=found, next=_cursor(found[-1]) if len(rows) > limit else None)

    @routes.get("/ingestions/{id}", summary="One log object", responses={**REFUSALS, **NOT_FOUND})
    async def ingestion(
        number: Annotated[
            int, Path(alias="id", ge=1, le=_MAX_ID, description="`id` in the list.", examples=[1])
        ],
    ) -> IngestionDetails:
        """Say whether a log object counts, and what was rejected."""
        rows = await reader.rows(INGESTION, {"id": number})
        if not rows:
            raise HTTPException(404, "The ledger has no such log object.")
        return IngestionDetails.model_validate(rows[0])

    return routes


def _cursor(last: Ingestion) -> str:
    return f"{(last.committed_at - _EPOCH) // _MICROSECOND}.{last.id}"
