"""Answers of the API, as the report gets them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

DATE = dt.date(2024, 10, 3)

Row = dict[str, Any]


def row(customer: str, requests: int = 100, server_errors: int = 0, **more: object) -> Row:
    """A customer's day, as `GET /customers` answers it."""
    return {
        "customer_id": customer,
        "date": str(DATE),
        **counts(requests, server_errors),
        "change_requests": None,
        "change_uptime_percentage": None,
        "change_p99": None,
        **more,
    }


def counts(requests: int, server_errors: int = 0) -> Row:
    return {
        "total_requests": requests,
        "timed_requests": requests,
        "success_requests": requests - server_errors,
        "failed_requests": server_errors,
        "client_errors": 0,
        "server_errors": server_errors,
        "uptime_percentage": 100 * (1 - server_errors / requests) if requests else None,
        "duration_mean": 0.5,
        "duration_p50": 0.4,
        "duration_p90": 0.9,
        "duration_p95": 0.95,
        "duration_p99": 0.99,
        "duration_max": 1.5,
    }


def file(key: str, lines: int = 100, rejected: int = 0, **more: object) -> Row:
    """A log object, as `GET /ingestions` answers it."""
    return {
        "bucket": "logs",
        "key": key,
        "outcome": "ingested",
        "lines": lines,
        "accepted": lines - rejected,
        "rejected": rejected,
        "rejected_by_reason": {"layout": rejected} if rejected else {},
        "committed_at": f"{DATE}T12:00:00Z",
        **more,
    }


class Api:
    """Answers from rows, as the API does from the database, and remembers what it was asked."""

    def __init__(
        self,
        customers: Sequence[Row] = (),
        *,
        before: Row | None = None,
        silent: Sequence[Row] = (),
        files: Sequence[Row] = (),
        **overview: object,
    ) -> None:
        self.customers, self.files = customers, files
        self.asked: list[tuple[str, dict[str, str]]] = []
        total = {
            name: sum(each[name] for each in customers)
            for name in counts(1)
            if name.endswith(("requests", "errors"))
        }
        self.overview = {
            "from": str(DATE),
            "to": str(DATE),
            "total": {**counts(1), **total, "active_customers": len(customers)},
            "before": before and {"from": "2024-10-02", "to": "2024-10-02", **before},
            "change_requests": None,
            "change_uptime_percentage": None,
            "change_p99": None,
            "new_customers": 0,
            "silent_customers": {"count": len(silent), "customers": list(silent)},
            "ledger": {
                "objects": len(files),
                **{name: sum(each[name] for each in files) for name in ("lines", "accepted", "rejected")},
                "unrecognised": sum(each["outcome"] == "unrecognised" for each in files),
            },
            **overview,
        }

    def __call__(self, path: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        self.asked.append((path, dict(query)))
        if path == "/overview":
            return self.overview
        if path == "/ingestions":
            return {"ingestions": list(self.files), "next": None}
        assert path == "/customers"
        field, descending = query["sort"].removeprefix("-"), query["sort"].startswith("-")
        known = [each for each in self.customers if each[field] is not None]
        found = sorted(known, key=lambda each: each[field], reverse=descending)
        found += [each for each in self.customers if each[field] is None]
        first, limit = int(query.get("after", 0)), int(query["limit"])
        following = first + limit
        return {
            "customers": found[first:following],
            "next": str(following) if following < len(found) else None,
        }
