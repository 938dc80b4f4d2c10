"""The retention horizon, which closes no day yet; how many lines of an object came too late for it.

Nothing is rewritten and no index is built: the lock on the ledger is held for an instant, whatever its size.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    retention = op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("horizon", sa.Date(), nullable=False),
        sa.CheckConstraint("id = 1", name="retention_is_one_row"),
    )
    # The first day that a log line may have.
    op.execute(sa.insert(retention).values(id=1, horizon=sa.text("DATE '1970-01-01'")))
    op.add_column("log_objects", sa.Column("expired", sa.BigInteger(), nullable=False, server_default="0"))
