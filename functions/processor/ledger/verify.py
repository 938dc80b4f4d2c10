"""Compare the daily statistics and the customers with the contributions they are made of.

`processor.ledger.recompute` says what they should be, `processor.ledger.mend` writes it.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from logstats import rows
from logstats.models import Retention
from processor.ledger import recompute
from processor.ledger.mend import mend
from processor.ledger.recompute import CUSTOMER, Days, by_customer, by_date

_PAGE = 250
"""Rows at a time: a breakdown can have 200 kB."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the contributions say; without a date it is the customer's own."""

    customer_id: str
    date: dt.date | None
    problem: str

    def __str__(self) -> str:
        return f"{self.customer_id} {self.date or '(customer)'}: {self.problem}"


@dataclass(slots=True)
class Verification:
    """Compares all of the tables, as they are at one moment, and counts what it has compared; ingests may go on."""

    engine: sa.Engine
    customers: int = 0
    customer_days: int = 0

    def differences(self) -> Iterator[Difference]:
        """Yield the differences in the order of customers and days; memory holds one customer at a time."""
        snapshot = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True, yield_per=_PAGE
        )
        with snapshot.connect() as connection:
            streams = (
                recompute.days(connection.execute(recompute.contributions())),
                connection.execute(recompute.stored_days()),
                connection.execute(recompute.stored_customers()),
            )
            horizon, sealed = connection.execute(sa.select(Retention.horizon, Retention.sealed)).one()
            for customer, (parts, stored, own) in _side_by_side(*map(by_customer, streams)):
                days = by_date(stored)
                alone = {date: values for date, values in days.items() if date < sealed}
                expected = alone | by_date(parts)
                self.customers += 1
                self.customer_days += len(expected)
                pending = (
                    bool(own) and own[0][1] < horizon
                )  # its closed days are being removed, and it follows
                yield from _of_customer(customer, expected, days, None if pending else own)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was compared, and how many differences are left after mending the rows of some customers."""

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


def _of_customer(
    customer: str, expected: Days, days: Days, own: list[rows.Row] | None
) -> Iterator[Difference]:
    for date in sorted(expected.keys() | days.keys()):
        if problem := _compare(rows.COLUMNS, expected.get(date), days.get(date)):
            yield Difference(customer, date, problem)
    if own is None or not recompute.is_readable(expected):
        return
    row = own[0][1:] if own else None
    if problem := _compare(CUSTOMER, recompute.customer_of(expected) if expected else None, row):
        yield Difference(customer, None, problem)


def _side_by_side(
    *streams: Iterator[tuple[str, list[rows.Row]]],
) -> Iterator[tuple[str, list[list[rows.Row]]]]:
    """Join streams that are in the order of the customers: for each customer the rows of each stream, if any."""
    heads = [next(stream, None) for stream in streams]
    while customers := [head[0] for head in heads if head]:
        customer = min(customers)
        yield customer, [head[1] if head and head[0] == customer else [] for head in heads]
        heads = [
            next(stream, None) if head and head[0] == customer else head
            for head, stream in zip(heads, streams, strict=True)
        ]


def _compare(names: Sequence[str], expected: rows.Row | str | None, found: rows.Row | None) -> str | None:
    if isinstance(expected, str):
        return f"its contributions cannot be read: {expected}"
    if expected is None:
        return "nothing contributes to this row"
    if found is None:
        return "the row is missing"
    return "; ".join(rows.differences(names, expected, found)) or None
