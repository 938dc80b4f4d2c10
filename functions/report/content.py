"""The content of the report of a day: what the API answers about it, in sections.

The day is one of UTC, as all days here.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from report.document import Document, Line, Section, Verbatim, cut, plural
from report.files import files_section

Ask = Callable[[str, Mapping[str, str]], Any]
"""Returns what the API answers to GET with a path and a query; raises a `ReportError` if it does not."""
Row = Mapping[str, Any]
"""A customer's day as `GET /customers` answers it, or the total of a day as `GET /overview` does."""

CHANGES = 5
"""Customers in each list of the largest changes."""
PAGES = 10
"""Of customers below the objective, that are counted; each has 1,000."""


def compose(ask: Ask, date: dt.date, objective: Decimal) -> Document:
    """Return the report of a UTC day.

    Parameters
    ----------
    objective
        The uptime that each customer shall have, in percent, with at most three decimals.

    Raises
    ------
    ReportError
        If the API does not answer.
    """
    day = {"from": str(date), "to": str(date)}

    def changed(sort: str) -> list[Row]:
        found: list[Row] = ask("/customers", {**day, "sort": sort, "limit": str(CHANGES)})["customers"]
        return found

    overview = ask("/overview", day)
    title = f"API report of {date:%A}, {date} (UTC)"
    rest = [_silent(overview["silent_customers"], date), files_section(ask, overview["ledger"], date)]
    if not overview["total"]["total_requests"]:
        return Document(title, "no requests", [_nothing(ask("/overview", {})), *rest])
    worst, least = _below(ask, day, objective)
    count = f"{least}{len(worst):,} of {plural(overview['total']['active_customers'], 'customer')}"
    heading = f"Customers below {objective} % uptime, worst first"
    sections = [
        _total(overview),
        Section(heading, f"{count}.", cut([_failing(row) for row in worst], least=least)),
    ]
    if overview["before"]:
        sections += [
            _changes("Largest rises in requests", changed("-change_requests"), "change_requests", 1),
            _changes("Largest falls in requests", changed("change_requests"), "change_requests", -1),
            _changes("Largest rises in p99", changed("-change_p99"), "change_p99", 1),
        ]
    return Document(title, f"{count} below {objective} %", [*sections, *rest])


def _below(ask: Ask, day: Mapping[str, str], objective: Decimal) -> tuple[list[Row], str]:
    """Return the customers below an objective, worst first, and `at least ` if there may be even more."""
    query, worst = {**day, "sort": "uptime_percentage", "limit": "1000"}, []
    for _ in range(PAGES):
        page = ask("/customers", query)
        failing = [row for row in page["customers"] if _misses(row, objective)]
        worst += failing
        if len(failing) < len(page["customers"]) or page["next"] is None:
            return worst, ""
        query["after"] = page["next"]
    return worst, "at least "


def _misses(row: Row, objective: Decimal) -> bool:
    """Tell whether a day's uptime is below an objective; in integers, so that 99.9 % of 1,000 are 999."""
    served = row["total_requests"] - row["server_errors"]
    return bool(served * 100_000 < int(objective * 1_000) * row["total_requests"])


def _nothing(last: Row) -> Section:
    """Return what is to say of a day without requests; `last` is the overview of the last day with any."""
    lead = "No request on this day has been counted."
    if last["total"]["total_requests"]:
        lead += f" The last day with requests is {last['from']}."
    return Section("Totals", lead)


def _total(overview: Row) -> Section:
    total, before = overview["total"], overview["before"]
    lead = (
        f"The changes are against {before['from']}."
        if before
        else "There is nothing on the day before to compare with."
    )
    slowest = f"p99 {_seconds(total['duration_p99'])}{_change(overview['change_p99'])}, median {_seconds(total['duration_p50'])}"
    items: list[Line] = [
        (plural(total["total_requests"], "request") + _change(overview["change_requests"]),),
        (
            f"{plural(total['active_customers'], 'active customer')}, {overview['new_customers']:,} of them new",
        ),
        (f"uptime {_uptime(total)}{_points(overview['change_uptime_percentage'])}",),
        (
            f"{plural(total['server_errors'], 'server error')}, {plural(total['client_errors'], 'client error')}",
        ),
        (slowest if total["timed_requests"] else "no durations",),
    ]
    return Section("Totals", lead, items)


def _failing(row: Row) -> Line:
    failures = f"{plural(row['server_errors'], 'server error')} in {plural(row['total_requests'], 'request')}"
    return Verbatim(row["customer_id"]), f": uptime {_uptime(row)}, {failures}"


def _changes(heading: str, rows: Sequence[Row], field: str, sign: int) -> Section:
    """Return the customers whose change has a sign, of rows in its order; those without a day before have none."""
    items: list[Line] = [
        (
            Verbatim(row["customer_id"]),
            f": {plural(row['total_requests'], 'request')}{_change(row['change_requests'])}",
            f", p99 {_seconds(row['duration_p99'])}{_change(row['change_p99'])}",
        )
        for row in rows
        if (row[field] or 0) * sign > 0
    ]
    return Section(heading, "" if items else "None.", items)


def _silent(silent: Row, date: dt.date) -> Section:
    items: list[Line] = [
        (Verbatim(each["customer_id"]), f": {plural(each['requests_before'], 'request')} before")
        for each in silent["customers"]
    ]
    lead = f"{plural(silent['count'], 'customer')} with requests on the day before and none on {date}."
    return Section("Silent customers", lead, cut(items, silent["count"] - len(items)))


def _uptime(row: Row) -> str:
    """Round down, so that what misses an objective does not look as if it met it."""
    total = row["total_requests"]
    thousandths = (total - row["server_errors"]) * 100_000 // total
    return f"{thousandths // 1_000}.{thousandths % 1_000:03} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"


def _change(ratio: float | None) -> str:
    return "" if ratio is None else f" ({100 * ratio:+,.1f} %)"


def _points(difference: float | None) -> str:
    return "" if difference is None else f" ({difference:+.3f} points)"
