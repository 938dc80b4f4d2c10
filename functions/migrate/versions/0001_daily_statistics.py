"""Ledger, attempts, contributions and daily statistics."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def _summary_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("total_requests", sa.BigInteger(), nullable=False),
        sa.Column("client_errors", sa.BigInteger(), nullable=False),
        sa.Column("server_errors", sa.BigInteger(), nullable=False),
        sa.Column("duration_sum_us", sa.Numeric(38, 0), nullable=False),
        sa.Column("duration_min_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_max_us", sa.BigInteger(), nullable=False),
        sa.Column("histogram", sa.LargeBinary(), nullable=False),
        sa.Column("duration_p50_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_p90_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_p95_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_p99_us", sa.BigInteger(), nullable=False),
    ]


def _attempt_id() -> sa.Column[int]:
    attempt = sa.ForeignKey("attempts.id", ondelete="CASCADE")
    return sa.Column("attempt_id", sa.BigInteger(), attempt, primary_key=True)


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text()),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "log_objects",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Text()),
        sa.Column("sequencer", sa.Text()),
        sa.Column("confirmed_current", sa.Boolean(), nullable=False),
        sa.Column("content_digest", sa.Text()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("attempt_id", sa.BigInteger(), sa.ForeignKey("attempts.id"), unique=True),
        sa.Column("outcome", sa.Text()),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("rejected_by_reason", postgresql.JSONB(), nullable=False),
        sa.Column("rejects_uri", sa.Text()),
        sa.Column("customer_days", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double()),
        sa.Column("committed_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("bucket", "key"),
    )
    op.create_table(
        "attempt_parts",
        _attempt_id(),
        sa.Column("part", sa.Integer(), primary_key=True),
        sa.Column("physical_lines", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("rejected_by_reason", postgresql.JSONB(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.Column("rejects", postgresql.JSONB(), nullable=False),
    )
    op.create_table(
        "contributions",
        sa.Column("attempt_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("date", sa.Date(), primary_key=True),
        sa.Column("part", sa.BigInteger(), primary_key=True),
        *_summary_columns(),
    )
    op.create_index("contributions_by_customer_day", "contributions", ["customer_id", "date"])
    op.create_table(
        "daily_statistics",
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("date", sa.Date(), primary_key=True),
        *_summary_columns(),
    )
    op.execute(sa.schema.CreateSequence(sa.Sequence("revisions")))
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column("total_requests", sa.BigInteger(), nullable=False),
    )
    for table in ("contributions", "daily_statistics"):  # dense bytes: compressing them only costs time
        op.execute(f"ALTER TABLE {table} ALTER COLUMN histogram SET STORAGE EXTERNAL")
