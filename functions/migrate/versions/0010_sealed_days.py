"""The days that are sealed, none yet; the days of a log object, null for those that are there.

Nothing is rewritten: the locks are held for an instant.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("log_objects", sa.Column("days", DATEMULTIRANGE()))
    sealed = sa.Column("sealed", sa.Date(), nullable=False, server_default=sa.text("'1970-01-01'"))
    op.add_column("retention", sealed)
    op.execute("UPDATE retention SET sealed = horizon")
