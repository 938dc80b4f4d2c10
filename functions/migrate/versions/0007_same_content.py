"""An index by which a log object finds another one with the same content.

It is one of `migrate.indexes`, which builds it once this transaction is over: while it is built, everybody goes on writing.
A hash index: only equality is asked for, and digests in order would be written all over a tree.
"""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Change nothing by itself: this revision says that the index is wanted."""
