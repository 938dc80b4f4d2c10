"""An index for the API's list of ingestions, newest first."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index(
        "log_objects_by_commit", "log_objects", [sa.text("committed_at DESC"), sa.text("id DESC")]
    )
