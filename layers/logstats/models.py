"""The database schema, and its one source.

A log object's *contributions* are staged under an attempt, where nothing reads them. The commit makes the
attempt the one of the object's row in the *ledger* and brings the merged *daily statistics* up to date, in
one transaction.

The whole schema is in this module, so that each table is read beside those that it refers to.
"""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logstats import rows

# Byte order: the same everywhere, fast, and a prefix search can use the index.
CustomerId = sa.Text(collation="C")


class WholeNumber(sa.types.TypeDecorator[int]):
    """An integer of up to 38 digits: a sum that is exact whatever is added up."""

    impl = sa.Numeric(38, 0)
    cache_ok = True

    def result_processor(self, _dialect: sa.Dialect, _coltype: object) -> Callable[[Any], int | None]:
        """Return how the driver's value, a `Decimal`, becomes an integer."""
        return lambda value: None if value is None else int(value)


class Base(DeclarativeBase):
    """The declarative base."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: sa.BigInteger,
        str: sa.Text,
        bytes: sa.LargeBinary,
        float: sa.Double,
        dt.date: sa.Date,
        dt.datetime: sa.DateTime(timezone=True),
        dict[str, int]: JSONB,
    }


class LogObject(Base):
    """The ledger: one row per log object, which never expires.

    `version` is the S3 version id, or for a local file the digest of its content. `sequencer` orders the
    S3 events of a key. A `confirmed_current` row was last written without a sequencer, from a version that
    was the key's current one at the commit. `lines` are `accepted`, `rejected` and `skipped`: the last are
    no requests by the `format` that read them. Of the accepted, `expired` did not count, because their days were closed
    (see `Retention`) when it was committed. `days` are the others' days; null in rows of before revision 0010.
    """

    __tablename__ = "log_objects"
    __table_args__ = (sa.UniqueConstraint("bucket", "key"),)

    id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
    bucket: Mapped[str]
    key: Mapped[str]
    version: Mapped[str | None]
    sequencer: Mapped[str | None]
    confirmed_current: Mapped[bool] = mapped_column(default=False)
    content_digest: Mapped[str | None]
    size_bytes: Mapped[int | None]
    attempt_id: Mapped[int | None] = mapped_column(sa.ForeignKey("attempts.id"), unique=True)
    outcome: Mapped[str | None]
    format: Mapped[str | None]
    lines: Mapped[int] = mapped_column(default=0)
    accepted: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    rejected_by_reason: Mapped[dict[str, int]] = mapped_column(default=dict)
    skipped: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    expired: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    days: Mapped[Any | None] = mapped_column(DATEMULTIRANGE)
    rejects_uri: Mapped[str | None]
    customer_days: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float | None]
    committed_at: Mapped[dt.datetime | None]


sa.Index("log_objects_by_commit", LogObject.committed_at.desc(), LogObject.id.desc())
sa.Index(
    "log_objects_by_content",
    LogObject.content_digest,
    postgresql_using="hash",
    postgresql_where=sa.text("attempt_id IS NOT NULL AND size_bytes > 0"),
)


class Attempt(Base):
    """One try at reading a log object; its session holds an advisory lock on the id while it lives.

    `cluster` says which processes are to take part, if several are; they find the attempt by it. `rejects_uri`
    is where its rejected lines are, or are about to be, kept. `committed` copies what the ledger says, so that
    those who collect the others need not look at all attempts there ever were.
    """

    __tablename__ = "attempts"
    __table_args__ = (sa.Index("uncommitted_attempts", "id", postgresql_where=sa.text("NOT committed")),)

    id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
    bucket: Mapped[str]
    key: Mapped[str]
    cluster: Mapped[str | None]
    started_at: Mapped[dt.datetime]
    rejects_uri: Mapped[str | None]
    committed: Mapped[bool] = mapped_column(default=False, server_default=sa.false())


class AttemptPart(Base):
    """The report of one partition of a log object. A commit needs all of them.

    `digests` are the 32-byte digests of the partition's chunks; `columns` the line with the names of the columns at its end,
    if the format has one; `rejects` the kept rejected lines, as
    (line number within the partition, reason, text in base64).
    """

    __tablename__ = "attempt_parts"

    attempt_id: Mapped[int] = mapped_column(
        sa.ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True
    )
    part: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    physical_lines: Mapped[int]
    accepted: Mapped[int]
    skipped: Mapped[int] = mapped_column(server_default=sa.text("0"))
    rejected_by_reason: Mapped[dict[str, int]]
    size_bytes: Mapped[int]
    digests: Mapped[bytes]
    columns: Mapped[bytes] = mapped_column(server_default=sa.text("''"))
    rejects: Mapped[list[Any]] = mapped_column(JSONB)


class SummaryColumns:
    """The columns of a daily summary; durations are integer microseconds.

    Percentiles cannot be added. Those of a contribution are its own: a commit that finds nothing to merge it
    with takes them as they are.
    """

    if TYPE_CHECKING:  # those that code names; what there is, follows from `rows.COLUMNS` below
        total_requests: Mapped[int]
        client_errors: Mapped[int]
        server_errors: Mapped[int]
        untimed_requests: Mapped[int]
        duration_sum_us: Mapped[int]
        duration_min_us: Mapped[int | None]
        duration_max_us: Mapped[int | None]
        histogram: Mapped[bytes]
        breakdown: Mapped[bytes | None]
        duration_p50_us: Mapped[int | None]
        duration_p90_us: Mapped[int | None]
        duration_p95_us: Mapped[int | None]
        duration_p99_us: Mapped[int | None]


_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "duration_sum_us": WholeNumber(),
    "histogram": sa.LargeBinary(),
    "breakdown": sa.LargeBinary(),
}
_FIRST = {"total_requests", "client_errors", "server_errors", "duration_sum_us"}
"""The sums of the first schema; a later one is 0 in the rows of code that does not know it."""
for _name in rows.COLUMNS:
    _type = _TYPES.get(_name, sa.BigInteger())
    _default = sa.text("0") if _name in rows.SUMS and _name not in _FIRST else None
    _column = mapped_column(_type, nullable=_name in rows.NULLABLE, server_default=_default)
    setattr(SummaryColumns, _name, _column)


BY_MONTH = "RANGE (date)"
"""How the tables of customer-days are partitioned: one partition a month, which `make_partitions` of revision 0011 makes."""


class Contribution(SummaryColumns, Base):
    """The daily summary that one attempt adds to one (customer, day); it may come in several parts."""

    __tablename__ = "contributions"
    __table_args__ = (
        sa.Index("contributions_by_customer_day", "customer_id", "date"),
        {"postgresql_partition_by": BY_MONTH},
    )

    # No foreign key: checking one would cost a look-up for every row staged.
    attempt_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    customer_id: Mapped[str] = mapped_column(CustomerId, primary_key=True)
    date: Mapped[dt.date] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)


class DailyStatistics(SummaryColumns, Base):
    """The merged summary of one customer's day."""

    __tablename__ = "daily_statistics"
    __table_args__ = ({"postgresql_partition_by": BY_MONTH},)

    customer_id: Mapped[str] = mapped_column(CustomerId, primary_key=True)
    date: Mapped[dt.date] = mapped_column(primary_key=True)


# What is asked of all customers on some days is read from this index alone, unless it needs a percentile.
sa.Index(
    "daily_statistics_by_date",
    DailyStatistics.date,
    postgresql_include=["customer_id", *rows.NUMBERS],
)


REVISIONS = sa.Sequence("revisions", metadata=Base.metadata)
"""Numbers the commits. Taken under the locks of the touched customers, so a customer's revisions ascend in the
order in which its commits become visible."""


class Customer(Base):
    """One customer with statistics: its last revision, its first and last day, its requests.

    Every change of the customer's statistics takes a new revision.
    """

    __tablename__ = "customers"

    customer_id: Mapped[str] = mapped_column(CustomerId, primary_key=True)
    revision: Mapped[int]
    first_date: Mapped[dt.date]
    last_date: Mapped[dt.date]
    total_requests: Mapped[int]


class Retention(Base):
    """One row: the days before the `horizon` are closed, those before `sealed` are sealed; both only ever advance.

    What is stored of a closed day is about to be removed, and nothing is added to it or subtracted from it. A sealed day has
    statistics without contributions: something may be added, nothing subtracted. `sealed` is never before the `horizon`. Every
    commit reads both after it has locked its stripes; whoever advances them holds all stripes. So a commit is
    wholly before the advance, or wholly after.
    """

    __tablename__ = "retention"
    __table_args__ = (sa.CheckConstraint("id = 1", name="retention_is_one_row"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    horizon: Mapped[dt.date]
    sealed: Mapped[dt.date] = mapped_column(server_default=sa.text("'1970-01-01'"))


Base.registry.configure()  # now, while a function starts, rather than at its first statement
