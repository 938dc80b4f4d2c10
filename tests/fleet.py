"""All customers by brute force: every request kept, everything sorted. It shares no code with the project."""

import datetime as dt
import random
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from tests import oracle
from tests.days import insert_day

Request = tuple[int, Decimal | None]
"""Status and duration in seconds."""
Requests = Mapping[tuple[str, dt.date], list[Request]]

FIRST = dt.date(2024, 8, 30)
IDS = (
    "=SUM(A1)",
    "<b>",
    "a",
    "a,b",
    "aé",
    "a\U00010000",
    "b",
    "cust_1",
    "cust_10",
    "cust_2",
    "Z",
    "zz \u2028",
)
FIELDS = (
    "customer_id",
    *(
        "total_requests",
        "timed_requests",
        "success_requests",
        "failed_requests",
        "client_errors",
        "server_errors",
    ),
    *("uptime_percentage", "duration_mean", "duration_p50", "duration_p90", "duration_p95", "duration_p99"),
    *("duration_max", "change_requests", "change_uptime_percentage", "change_p99"),
)
"""Order customers."""


def random_requests(seed: int, days: int = 8) -> dict[tuple[str, dt.date], list[Request]]:
    """Few requests of few customers, so that there are ties, days without any and customers that fall silent."""
    rng = random.Random(seed)
    return {
        (customer, FIRST + dt.timedelta(day)): [
            (
                rng.choice((200, 200, 302, 404, 500, 503)),
                None if rng.random() < 0.2 else Decimal(rng.choice((0, 1, 5, rng.randrange(16_000)))) / 1000,
            )
            for _ in range(rng.choice((1, 1, 2, 7)))
        ]
        for customer in IDS
        for day in range(days)
        if rng.random() < 0.5
    }


def insert(engine: sa.Engine, requests: Requests) -> None:
    """Store the days of the requests, as the processor would."""
    for (customer, date), entries in requests.items():
        timed = [round(duration * 1_000_000) for _, duration in entries if duration is not None]
        insert_day(
            engine,
            customer,
            date,
            timed,
            untimed=len(entries) - len(timed),
            client_errors=sum(400 <= status <= 499 for status, _ in entries),
            server_errors=sum(status >= 500 for status, _ in entries),
        )


def ranking(requests: Requests, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
    """Every customer's row over a range, in no order."""
    before = {row["customer_id"]: row for row in _rows(requests, *_before(first, last))}
    return [row | _changes(row, before.get(row["customer_id"])) for row in _rows(requests, first, last)]


def ordered(rows: Iterable[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """Rows in an order of the API's: nulls last, ties by the bytes of the id."""
    field = sort.removeprefix("-")
    by_id = sorted(rows, key=lambda row: row["customer_id"].encode())
    valued = [row for row in by_id if row[field] is not None]
    # Python's sort is stable, backwards too: ties stay in the order of the ids.
    valued.sort(
        key=lambda row: row[field].encode() if field == "customer_id" else row[field], reverse=sort[0] == "-"
    )
    return valued + [row for row in by_id if row[field] is None]


def overview(requests: Requests, first: dt.date, last: dt.date) -> dict[str, Any]:
    """The overview of a range but for the ledger."""
    earliest, latest = _before(first, last)
    now, before = _within(requests, first, last), _within(requests, earliest, latest)
    total, total_before = _together(now), _together(before)
    silent = {customer for customer, _ in before} - {customer for customer, _ in now}
    oldest = {customer: min(day for each, day in requests if each == customer) for customer, _ in requests}
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "days": [
            {"date": day.isoformat(), **_together(_within(requests, day, day))}
            for day in sorted({day for _, day in now})
        ],
        "total": total,
        "before": {"from": earliest.isoformat(), "to": latest.isoformat(), **total_before}
        if before
        else None,
        **_changes(total, total_before if before else None),
        "silent_customers": {"count": len(silent), "customers": _silent(silent, before)[:100]},
        "new_customers": sum(first <= day <= last for day in oldest.values()),
    }


def _silent(customers: Iterable[str], before: Requests) -> list[dict[str, Any]]:
    found = []
    for customer in customers:
        days = {day: entries for (each, day), entries in before.items() if each == customer}
        found.append((-sum(map(len, days.values())), customer.encode(), customer, max(days).isoformat()))
    return [
        {"customer_id": customer, "last_date": last, "requests_before": -requests}
        for requests, _, customer, last in sorted(found)
    ]


def _before(first: dt.date, last: dt.date) -> tuple[dt.date, dt.date]:
    return first - (last - first) - dt.timedelta(1), first - dt.timedelta(1)


def _within(requests: Requests, first: dt.date, last: dt.date) -> Requests:
    return {key: entries for key, entries in requests.items() if first <= key[1] <= last}


def _rows(requests: Requests, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
    found = _within(requests, first, last)
    return [
        {
            "customer_id": customer,
            "date": min(day for each, day in found if each == customer).isoformat(),
            **oracle.of_entries(
                [entry for (each, _), entries in found.items() if each == customer for entry in entries]
            ),
        }
        for customer in {customer for customer, _ in found}
    ]


def _together(requests: Requests) -> dict[str, Any]:
    entries = [entry for entries in requests.values() for entry in entries]
    return {**oracle.of_entries(entries), "active_customers": len({customer for customer, _ in requests})}


def _changes(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, float | None]:
    return {
        "change_requests": _ratio(now, before, "total_requests"),
        "change_uptime_percentage": now["uptime_percentage"] - before["uptime_percentage"]
        if before and now["uptime_percentage"] is not None
        else None,
        "change_p99": _ratio(now, before, "duration_p99"),
    }


def _ratio(now: Mapping[str, Any], before: Mapping[str, Any] | None, field: str) -> float | None:
    if not before or now[field] is None or not before[field]:
        return None
    return float(Fraction(str(now[field])) / Fraction(str(before[field])) - 1)
