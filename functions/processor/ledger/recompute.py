"""Compute the daily statistics and the customers anew, from the contributions that count.

Those of the attempts that the ledger points to are the truth, except for sealed days (`processor.ledger.horizon`), whose
statistics have none: what is still stored of theirs is about to be removed, and takes no part.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import add
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats import rows
from logstats.domain.breakdown import Breakdown
from logstats.domain.summary import DailySummary
from logstats.models import Contribution, Customer, DailyStatistics, LogObject
from processor.ledger.horizon import is_unsealed

_PAGE = 250
CUSTOMER = ("first_date", "last_date", "total_requests")
"""The columns of a customer that follow from its days."""

Days = dict[dt.date, Any]
"""A customer's days: the values of `rows.COLUMNS`, or the text of what is wrong with a contribution."""


def contributions(customers: Sequence[str] | None = None) -> sa.Select[Any]:
    """Select what counts on days that are not sealed, by customer, day and attempt: these three, and `rows.SUMMARY`."""
    counting = (
        sa.select(*rows.columns(Contribution, (*rows.KEY, "attempt_id", *rows.SUMMARY)))
        .join(LogObject, LogObject.attempt_id == Contribution.attempt_id)
        .where(is_unsealed(Contribution.date))
        .order_by(Contribution.customer_id, Contribution.date, Contribution.attempt_id)
    )
    return counting if customers is None else counting.where(Contribution.customer_id.in_(customers))


def breakdowns(
    session: Session, among: sa.ColumnElement[bool]
) -> dict[tuple[str, dt.date], Breakdown | None]:
    """Return the breakdowns of some days, by customer and day; None where one of the contributions that count has none."""
    found = session.execute(contributions().where(among), execution_options={"yield_per": _PAGE})
    return {
        key: reduce(add, map(_of_one_attempt, _by_attempt(group))).breakdown
        for key, group in groupby(found, key=lambda row: (row[0], row[1]))
    }


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
            total = reduce(add, map(_of_one_attempt, _by_attempt(group)))
            yield customer, date, *rows.from_summary(total)
        except ValueError as error:
            yield customer, date, str(error)


def _by_attempt(found: Iterable[Any]) -> Iterator[Iterator[Any]]:
    return (rows_of_attempt for _, rows_of_attempt in groupby(found, key=lambda row: row[2]))


def _of_one_attempt(found: Iterable[Any]) -> DailySummary:
    """Unite the parts of what one log object contributes to a customer's day."""
    return reduce(DailySummary.unite, (rows.to_summary(row[3:]) for row in found))


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
