"""Compute the daily statistics and the customers anew, from the contributions that count.

Those of the attempts that the ledger points to are the truth. What is still stored of closed days
(`processor.ledger.horizon`) is about to be removed, and takes no part.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import add
from typing import Any

import sqlalchemy as sa

from logstats import rows
from logstats.models import Contribution, Customer, DailyStatistics, LogObject
from processor.ledger.horizon import is_open

CUSTOMER = ("first_date", "last_date", "total_requests")
"""The columns of a customer that follow from its days."""

Days = dict[dt.date, Any]
"""A customer's days: the values of `rows.COLUMNS`, or the text of what is wrong with a contribution."""


def contributions(customers: Sequence[str] | None = None) -> sa.Select[Any]:
    """Select what counts on open days, by customer and day: these two, and `rows.SUMMARY`."""
    counting = (
        sa.select(*rows.columns(Contribution, (*rows.KEY, *rows.SUMMARY)))
        .join(LogObject, LogObject.attempt_id == Contribution.attempt_id)
        .where(is_open(Contribution.date))
        .order_by(Contribution.customer_id, Contribution.date)
    )
    return counting if customers is None else counting.where(Contribution.customer_id.in_(customers))


def stored_days() -> sa.Select[Any]:
    """Select the daily statistics, by customer and day: these two, and `rows.COLUMNS`."""
    day = DailyStatistics
    columns = rows.columns(day, (*rows.KEY, *rows.COLUMNS))
    return sa.select(*columns).order_by(day.customer_id, day.date)


def stored_customers() -> sa.Select[Any]:
    """Select the customers by their ids: these, and `CUSTOMER`."""
    columns = rows.columns(Customer, ("customer_id", *CUSTOMER))
    return sa.select(*columns).order_by(Customer.customer_id)


def days(found: Iterable[Any]) -> Iterator[rows.Row]:
    """Add `contributions` up: customer, day and `rows.COLUMNS`, or what is wrong with a contribution."""
    for (customer, date), group in groupby(found, key=lambda row: (row[0], row[1])):
        try:
            total = reduce(add, (rows.to_summary(row[2:]) for row in group))
            yield customer, date, *rows.from_summary(total)
        except ValueError as error:
            yield customer, date, str(error)


def customer_of(days: Days) -> rows.Row:
    """Return the values of `CUSTOMER` for a customer that has days, all of which could be read."""
    total = rows.COLUMNS.index("total_requests")
    return min(days), max(days), sum(values[total] for values in days.values())


def is_readable(days: Days) -> bool:
    """Tell whether all contributions to the days could be read."""
    return not any(isinstance(values, str) for values in days.values())


def by_customer(found: Iterable[Any]) -> Iterator[tuple[str, list[rows.Row]]]:
    """Group rows that begin with the customer."""
    for customer, group in groupby(found, key=lambda row: row[0]):
        yield customer, [tuple(row) for row in group]


def by_date(found: Iterable[rows.Row]) -> Days:
    """Return a customer's rows by their days."""
    return {row[1]: row[2] if isinstance(row[2], str) else row[2:] for row in found}
