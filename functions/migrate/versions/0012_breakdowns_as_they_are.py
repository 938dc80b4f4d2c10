"""Store the breakdown of a day as it is: dense bytes, which a commit would try to compress under the locks, in vain.

Contributions, whose routes' names do compress, stay as they are. Nothing is rewritten, and old rows are read as before.
"""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE daily_statistics ALTER COLUMN breakdown SET STORAGE EXTERNAL")
