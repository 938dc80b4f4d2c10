"""The breakdown of a customer's day by half-hour, route and status.

Rows that are there, and those that older code writes, have none. What older code adds to a day that has one does not reach it;
newer code sees that by the number of requests, and makes the breakdown anew with the next change of the day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for table in ("contributions", "daily_statistics"):
        op.add_column(table, sa.Column("breakdown", sa.LargeBinary()))
