"""Find the attempts that do not count without looking at all others; let each know its rejected lines."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("rejects_uri", sa.Text()))
    op.add_column("attempts", sa.Column("committed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE attempts SET committed = true, rejects_uri = log_objects.rejects_uri"
        " FROM log_objects WHERE log_objects.attempt_id = attempts.id"
    )
    op.create_index("uncommitted_attempts", "attempts", ["id"], postgresql_where=sa.text("NOT committed"))
