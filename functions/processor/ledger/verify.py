"""Compare the daily statistics and the customers with the contributions they are made of, and mend what differs.

The contributions of the attempts that the ledger points to are the truth: statistics and customers follow from them. What
is still stored of closed days (`processor.ledger.horizon`) is on its way out, and is taken as it is.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby
from operator import add
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import PERCENTILES, DailySummary
from logstats.models import REVISIONS, Contribution, Customer, DailyStatistics, LogObject, Retention
from processor.ledger.horizon import HORIZON, is_open
from processor.ledger.merge import lock_customers

_PAGE = 1_000
_BATCH = 100
"""Customers that one transaction mends; commits that share a stripe with them wait meanwhile."""
_SUMMARY = (
    "total_requests",
    "client_errors",
    "server_errors",
    "duration_sum_us",
    "duration_min_us",
    "duration_max_us",
    "histogram",
)
_DAY = (*_SUMMARY, *(f"duration_p{percent}_us" for percent in PERCENTILES))
_CUSTOMER = ("first_date", "last_date", "total_requests")

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the tables are not what the contributions say.

    Attributes
    ----------
    date
        The day; None for the customer's own row.
    problem
        What differs, for people.
    """

    customer_id: str
    date: dt.date | None
    problem: str

    def __str__(self) -> str:
        return f"{self.customer_id} {self.date or '(customer)'}: {self.problem}"


@dataclass(slots=True)
class Verification:
    """Compares all of the tables, as they are at one moment; ingests may go on.

    Attributes
    ----------
    customers, customer_days
        How many have been compared so far.
    """

    engine: sa.Engine
    customers: int = 0
    customer_days: int = 0

    def differences(self) -> Iterator[Difference]:
        """Yield the differences in the order of customers and days; memory holds one customer at a time."""
        snapshot = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True, yield_per=_PAGE
        )
        with snapshot.connect() as connection:
            streams = (_expected(connection.execute(_contributions())), connection.execute(_days()))
            own = connection.execute(_customers())
            horizon = connection.scalars(sa.select(Retention.horizon)).one()
            for customer, (parts, rows, its_own) in _side_by_side(*map(_by_customer, (*streams, own))):
                days = _by_date(rows)
                closed = {date: values for date, values in days.items() if date < horizon}
                expected = closed | _by_date(parts)
                self.customers += 1
                self.customer_days += len(expected)
                yield from _of_customer(customer, expected, days, its_own)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison has found.

    Attributes
    ----------
    customers, customer_days
        How many were compared.
    differences
        How many there are; after mending, those that are left.
    mended
        Customers whose rows were written anew.
    """

    customers: int
    customer_days: int
    differences: int
    mended: int = 0

    def __str__(self) -> str:
        found = f"{self.customers:,} customers, {self.customer_days:,} customer days: {self.differences:,} differences"
        return f"{found}, {self.mended:,} customers mended" if self.mended else found


def check(engine: sa.Engine, tell: Callable[[Difference], object], *, mending: bool = False) -> Verdict:
    """Compare everything, tell of each difference, and if asked to, mend and compare again."""
    verification, differing, count = Verification(engine), set(), 0
    for difference in verification.differences():
        tell(difference)
        differing.add(difference.customer_id)
        count += 1
    if not mending or not differing:
        return Verdict(verification.customers, verification.customer_days, count)
    mended = mend(engine, differing)
    return replace(check(engine, tell), mended=mended)


def mend(engine: sa.Engine, customers: Iterable[str]) -> int:
    """Write customers' rows anew from their contributions; return how many customers that were.

    A customer with a contribution that cannot be read stays as it is. Answers that clients have kept are invalidated.
    """
    wanted, mended = sorted(set(customers)), 0
    for start in range(0, len(wanted), _BATCH):
        with Session(engine) as session, session.begin():
            batch = wanted[start : start + _BATCH]
            lock_customers(session, batch)
            mended += _mend(session, batch)
    return mended


def _mend(session: Session, customers: Sequence[str]) -> int:
    rows = session.execute(_contributions(customers), execution_options={"yield_per": _PAGE})
    expected = {customer: _by_date(days) for customer, days in _by_customer(_expected(rows))}
    left = session.execute(
        _days().where(DailyStatistics.customer_id.in_(customers), ~is_open(DailyStatistics.date))
    )
    closed = {customer: _by_date(days) for customer, days in _by_customer(left)}
    mended = 0
    for customer in customers:
        days = expected.get(customer, {})
        if not any(isinstance(values, str) for values in days.values()):
            _write(session, customer, days, closed.get(customer, {}))
            mended += 1
    return mended


def _write(
    session: Session, customer: str, days: dict[dt.date, Values], closed: dict[dt.date, Values]
) -> None:
    its_own = DailyStatistics.customer_id == customer
    session.execute(sa.delete(DailyStatistics).where(its_own, DailyStatistics.date >= HORIZON))
    session.execute(sa.delete(Customer).where(Customer.customer_id == customer))
    rows = [
        {"customer_id": customer, "date": date, **dict(zip(_DAY, values, strict=True))}
        for date, values in days.items()
    ]
    if rows:
        session.execute(sa.insert(DailyStatistics), rows)
    if days or closed:
        own = dict(zip(_CUSTOMER, _expected_customer(closed | days), strict=True))
        revision = REVISIONS.next_value()
        session.execute(sa.insert(Customer).values(customer_id=customer, revision=revision, **own))


def _of_customer(
    customer: str, expected: dict[dt.date, Any], days: dict[dt.date, Any], own: list[Values]
) -> Iterator[Difference]:
    for date in sorted(expected.keys() | days.keys()):
        if problem := _compare(_DAY, expected.get(date), days.get(date)):
            yield Difference(customer, date, problem)
    if any(isinstance(values, str) for values in expected.values()):
        return
    row = own[0][1:] if own else None
    if problem := _compare(_CUSTOMER, _expected_customer(expected) if expected else None, row):
        yield Difference(customer, None, problem)


def _contributions(customers: Sequence[str] | None = None) -> sa.Select[Any]:
    """Select what counts on open days: customer, day and the summary's columns, in order."""
    columns = (getattr(Contribution, name) for name in _SUMMARY)
    counting = (
        sa.select(Contribution.customer_id, Contribution.date, *columns)
        .join(LogObject, LogObject.attempt_id == Contribution.attempt_id)
        .where(is_open(Contribution.date))
        .order_by(Contribution.customer_id, Contribution.date)
    )
    return counting if customers is None else counting.where(Contribution.customer_id.in_(customers))


def _days() -> sa.Select[Any]:
    day = DailyStatistics
    columns = (getattr(day, name) for name in _DAY)
    return sa.select(day.customer_id, day.date, *columns).order_by(day.customer_id, day.date)


def _customers() -> sa.Select[Any]:
    columns = (getattr(Customer, name) for name in _CUSTOMER)
    return sa.select(Customer.customer_id, *columns).order_by(Customer.customer_id)


def _by_customer(rows: Iterable[Any]) -> Iterator[tuple[str, list[Values]]]:
    for customer, group in groupby(rows, key=lambda row: row[0]):
        yield customer, [tuple(row) for row in group]


def _by_date(rows: list[Values]) -> dict[dt.date, Any]:
    """Return a customer's rows by their days; those with contributions that cannot be read are text."""
    return {row[1]: row[2] if isinstance(row[2], str) else row[2:] for row in rows}


def _side_by_side(
    *streams: Iterator[tuple[str, list[Values]]],
) -> Iterator[tuple[str, list[list[Values]]]]:
    """Join streams that are in the order of the customers: what each has of a customer, if anything."""
    heads = [next(stream, None) for stream in streams]
    while customers := [head[0] for head in heads if head]:
        customer = min(customers)
        yield customer, [head[1] if head and head[0] == customer else [] for head in heads]
        heads = [
            next(stream, None) if head and head[0] == customer else head
            for head, stream in zip(heads, streams, strict=True)
        ]


def _expected(rows: Iterable[Any]) -> Iterator[Values]:
    """Add contributions up: customer, day and columns, or what is wrong with a contribution."""
    for (customer, date), group in groupby(rows, key=lambda row: (row[0], row[1])):
        try:
            yield customer, date, *_values(reduce(add, (_summary(row[2:]) for row in group)))
        except ValueError as error:
            yield customer, date, str(error)


def _summary(values: Values) -> DailySummary:
    total, client, server, duration_sum, least, most, histogram = values
    return DailySummary(total, client, server, int(duration_sum), least, most, LatencyHistogram(histogram))


def _values(summary: DailySummary) -> Values:
    return (
        summary.total_requests,
        summary.client_errors,
        summary.server_errors,
        summary.duration_sum_us,
        summary.duration_min_us,
        summary.duration_max_us,
        summary.histogram.encoded,
        *summary.percentiles_us(),
    )


def _expected_customer(days: dict[dt.date, Values]) -> Values:
    """Return first day, last day and requests."""
    return min(days), max(days), sum(values[0] for values in days.values())


def _compare(names: Sequence[str], expected: Values | str | None, found: Values | None) -> str | None:
    if isinstance(expected, str):
        return f"its contributions cannot be read: {expected}"
    if expected is None:
        return "nothing contributes to this row"
    if found is None:
        return "the row is missing"
    differing = (
        "the histogram is another" if name == "histogram" else f"{name} is {stored}, not {right}"
        for name, right, stored in zip(names, expected, found, strict=True)
        if right != stored and not (name == "histogram" and _are_equal(right, stored))
    )
    return "; ".join(differing) or None


def _are_equal(right: bytes, stored: bytes) -> bool:
    """Whether histograms hold the same, though their bytes differ: another version may have written one of them."""
    try:
        return not LatencyHistogram(stored) - LatencyHistogram(right)
    except ValueError:
        return False
