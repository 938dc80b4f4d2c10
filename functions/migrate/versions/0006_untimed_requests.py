"""Requests without a duration; lines that are no requests, and the format that read an object, with its columns.

Of the rows that are there every request has a duration, and what older code writes has one too: so the count is of
those without. Its default needs no table to be rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NULL_WITHOUT_DURATIONS = ("min", "max", "p50", "p90", "p95", "p99")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def upgrade() -> None:
    for table in ("contributions", "daily_statistics"):
        op.add_column(table, _count("untimed_requests"))
        for name in _NULL_WITHOUT_DURATIONS:
            op.alter_column(table, f"duration_{name}_us", nullable=True)
    op.add_column("log_objects", sa.Column("format", sa.Text()))
    for table in ("log_objects", "attempt_parts"):
        op.add_column(table, _count("skipped"))
    op.add_column("attempt_parts", sa.Column("columns", sa.LargeBinary(), nullable=False, server_default=""))
