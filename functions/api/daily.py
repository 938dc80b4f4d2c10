"""Statistics of one customer and day, or longer period, as the API shows them: fields, definitions, JSON."""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, Field

_MICROSECONDS = 1_000_000

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class DailyStatistics(BaseModel):
    """Requests of one customer on one UTC day, or in the longer period that was asked for.

    The model documents the answer; `to_json` writes it.
    """

    customer_id: str = Field(description="The customer.", examples=["cust_1"])
    date: dt.date = Field(
        description="The UTC day; of a longer period the first one, and of the total the first with requests.",
        examples=["2024-09-03"],
    )
    total_requests: Count = Field(description="Requests on that day, or in that period.", examples=[8])
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


def to_json(rows: Iterable[Sequence[Any]]) -> str:
    """Write rows of `statements.DAILY_STATISTICS` as a JSON list on one line.

    Every number is the double next to the exact value: divisions are of integers, and done once.

    Examples
    --------
    >>> to_json([("a", dt.date(2024, 9, 3), 2, 1, 0, "300000", 123_000, 177_000, 177_000, 177_000, 177_000)])[-60:]
    '"duration_p95":0.177,"duration_p99":0.177,"duration_max":0.177}]'
    """
    return f"[{','.join([_object(row) for row in rows])}]"


def _object(row: Sequence[Any]) -> str:
    customer_id, date, total, client_errors, server_errors, sum_us, p50_us, p90_us, p95_us, p99_us, max_us = (
        row
    )
    failed = client_errors + server_errors
    return (
        f'{{"customer_id":{_quoted(customer_id)},"date":"{_day(date)}"'
        f',"total_requests":{total},"success_requests":{total - failed},"failed_requests":{failed}'
        f',"client_errors":{client_errors},"server_errors":{server_errors}'
        f',"uptime_percentage":{100 * (total - server_errors) / total}'
        f',"duration_mean":{int(sum_us) / (total * _MICROSECONDS)}'
        f',"duration_p50":{_seconds(p50_us)},"duration_p90":{_seconds(p90_us)}'
        f',"duration_p95":{_seconds(p95_us)},"duration_p99":{_seconds(p99_us)}'
        f',"duration_max":{_seconds(max_us)}}}'
    )


# Writing a double as text takes longer than everything else here, and durations are mostly whole milliseconds,
# days mostly recent ones: what was written is kept. The sizes bound the memory to about 3 MB.


@lru_cache(maxsize=16_384)
def _seconds(duration_us: int) -> str:
    return repr(duration_us / _MICROSECONDS)


@lru_cache(maxsize=4_096)
def _day(date: dt.date) -> str:
    return date.isoformat()


@lru_cache(maxsize=1_024)
def _quoted(customer_id: str) -> str:
    return json.dumps(customer_id, ensure_ascii=False)
