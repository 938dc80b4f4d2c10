"""An index for the API's list of ingestions, newest first; revisions that no other database has had.

Clients keep answers by the revision. A database that starts from 1 again, after a reset or a restore, would call other
content by an old name; so revisions start from the microsecond of the clock.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index(
        "log_objects_by_commit", "log_objects", [sa.text("committed_at DESC"), sa.text("id DESC")]
    )
    op.execute(
        "SELECT setval('revisions', greatest(nextval('revisions'),"
        " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))"
    )
