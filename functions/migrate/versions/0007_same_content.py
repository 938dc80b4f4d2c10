"""An index by which a log object finds another one with the same content.

A hash index: only equality is asked for, and digests in order would be written all over a tree. It is built while commits
wait, which takes a second or two for a million log objects; `CONCURRENTLY` cannot be part of the one transaction that
migrations run in.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index(
        "log_objects_by_content",
        "log_objects",
        ["content_digest"],
        postgresql_using="hash",
        postgresql_where=sa.text("attempt_id IS NOT NULL AND size_bytes > 0"),
    )
