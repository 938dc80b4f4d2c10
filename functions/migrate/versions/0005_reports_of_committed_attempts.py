"""Reports of committed attempts, which held rejected lines: they now leave with the commit, and the old ones go."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        "DELETE FROM attempt_parts USING attempts WHERE attempts.id = attempt_parts.attempt_id AND committed"
    )
