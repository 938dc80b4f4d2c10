"""An index of the daily statistics by date, with the counts, for what is asked of all customers on some days.

It is one of `migrate.indexes`, which builds it once this transaction is over: while it is built, everybody goes on writing.
"""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Change nothing by itself: this revision says that the index is wanted."""
