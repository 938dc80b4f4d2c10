"""Statistics of customers on a day, or in a longer period, as the API shows them: fields, and how they are written."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

_MICROSECONDS = 1_000_000

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=86_400)] | None


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    CSV = "csv"


MEDIA_TYPES = {Format.JSON: "application/json", Format.CSV: "text/csv; charset=utf-8; header=present"}


REPRESENTATION_VERSION = 3
"""Raise it when the same statistics are written differently, so that no client keeps the old form as still valid."""


class RequestStatistics(BaseModel):
    """Requests: counts, uptime and latency percentiles.

    The models document the answers; `fields` makes the numbers.
    """

    total_requests: Count = Field(description="Requests.", examples=[8])
    timed_requests: Count = Field(
        description="Requests whose duration was logged: the durations are of these, and null when there are none.",
        examples=[8],
    )
    success_requests: Count = Field(description="Requests with a status below 400.", examples=[5])
    failed_requests: Count = Field(description="Requests with a status of 400 or more.", examples=[3])
    client_errors: Count = Field(description="Requests with a status 4xx.", examples=[2])
    server_errors: Count = Field(description="Requests with a status 5xx.", examples=[1])
    uptime_percentage: float = Field(
        description="100 * (1 - server_errors / total_requests), percent: a client's own mistakes are not downtime.",
        examples=[87.5],
        ge=0,
        le=100,
    )
    duration_mean: Seconds = Field(description="Mean duration, seconds.", examples=[1.018875])
    duration_p50: Seconds = Field(description="Median duration, nearest rank, seconds.", examples=[0.962])
    duration_p90: Seconds = Field(description="90th percentile, nearest rank, seconds.", examples=[1.871])
    duration_p95: Seconds = Field(description="95th percentile, nearest rank, seconds.", examples=[1.871])
    duration_p99: Seconds = Field(description="99th percentile, nearest rank, seconds.", examples=[1.871])
    duration_max: Seconds = Field(description="Longest duration, seconds.", examples=[1.871])


class _CustomerDay(BaseModel):
    customer_id: str = Field(description="The customer.", examples=["cust_1"])
    date: dt.date = Field(
        description="The UTC day; of a longer period the first one, and of the total the first with requests.",
        examples=["2024-09-03"],
    )


class CustomerStatistics(RequestStatistics, _CustomerDay):
    """Requests of one customer on one UTC day, or in the longer period that was asked for."""


class HourlyStatistics(CustomerStatistics):
    """Requests of one customer in one hour: counts and mean are exact, percentiles and the longest duration within 0.4 %."""

    date: dt.date = Field(description="The day of the hour in the time zone.", examples=["2024-09-03"])
    hour: dt.datetime = Field(
        description="The start of the hour in the time zone, with its offset.",
        examples=["2024-09-03T14:00:00+02:00"],
    )


class Changes(BaseModel):
    """How a range of days differs from the range of the same length just before; null where one has nothing to compare."""

    change_requests: float | None = Field(
        description="Requests, as a ratio less one: 0.25 is a quarter more.", examples=[0.25], ge=-1
    )
    change_uptime_percentage: float | None = Field(
        description="Uptime, as a difference in percentage points.", examples=[-0.5], ge=-100, le=100
    )
    change_p99: float | None = Field(
        default=None, description="99th percentile, as a ratio less one.", examples=[1.5], ge=-1
    )


def fields(customer_id: str, row: Sequence[Any]) -> dict[str, Any]:
    """Return the fields of a day or period from its columns: date, counts, sum, percentiles, maximum.

    Every number is the double next to the exact value: divisions are of integers, and done once. Without requests, which
    only all customers together may have, there is no uptime.
    """
    date, total, client_errors, server_errors, untimed, sum_us, *durations_us = row
    failed, timed = client_errors + server_errors, total - untimed
    p50, p90, p95, p99, longest = (None if us is None else us / _MICROSECONDS for us in durations_us)
    return {
        "customer_id": customer_id,
        "date": date,
        "total_requests": total,
        "timed_requests": timed,
        "success_requests": total - failed,
        "failed_requests": failed,
        "client_errors": client_errors,
        "server_errors": server_errors,
        "uptime_percentage": 100 * (total - server_errors) / total if total else None,
        "duration_mean": int(sum_us) / (timed * _MICROSECONDS) if timed else None,
        "duration_p50": p50,
        "duration_p90": p90,
        "duration_p95": p95,
        "duration_p99": p99,
        "duration_max": longest,
    }


NUMBERS = tuple(RequestStatistics.model_fields)
"""The fields that are numbers, in their order."""


FRACTIONS = frozenset({"uptime_percentage", "duration_mean", *Changes.model_fields})
"""The fields whose keys are doubles; those of the rest are integers, or ids."""


def render(days: Iterable[dict[str, Any]], form: Format) -> bytes:
    """Write `fields` of days or periods as a JSON list on one line, or as CSV (RFC 4180) with a header.

    In CSV, customer ids are written as they are: whoever joins by them needs them so. A spreadsheet may take one that
    starts with ``=`` for a formula; docs/api.md says so.
    """
    if form is Format.JSON:
        return orjson.dumps(list(days))
    return csv_rows([CustomerStatistics.model_fields, *(day.values() for day in days)])


def csv_rows(rows: Iterable[Iterable[Any]]) -> bytes:
    """Write rows as CSV (RFC 4180); None is an empty cell."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


@dataclass(frozen=True, slots=True)
class RenderedAnswer:
    """A written answer.

    Attributes
    ----------
    revision
        The customer's, at which or after which the statistics were read; None without statistics. Or that of all data
        (`api.answers.revisions`), if the answer is about all customers.
    following
        The cursor of what comes after it, if it is a page and not the last.
    days_without_breakdown
        The days with requests that could not be divided, and are missing from the answer; None where nothing is divided.
    """

    body: bytes
    revision: int | str | None
    form: Format
    following: str | None = None
    days_without_breakdown: int | None = None

    @property
    def etag(self) -> str:
        """The strong validator (RFC 9110, 8.8.3): every commit that touches the customer changes it."""
        return etag(self.revision, self.form)


def etag(revision: int | str | None, form: Format) -> str:
    """Return the validator of answers in a form at a revision; it need not tell apart what different addresses answer."""
    return f'"{revision or 0}-{REPRESENTATION_VERSION}-{form}"'
