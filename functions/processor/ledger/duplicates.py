"""Find log objects that hold the same bytes: two servers may log the same, or one log may have been ingested twice."""

import sqlalchemy as sa

from logstats.models import LogObject
from processor.ledger.delivery import Outcome

_OTHER = (
    sa.select(LogObject.bucket, LogObject.key)
    .where(
        LogObject.content_digest == sa.bindparam("digest"),
        LogObject.size_bytes > sa.literal_column("0"),  # as the index says it
        LogObject.attempt_id.is_not(None),
        LogObject.outcome != Outcome.UNRECOGNISED,
        LogObject.id != sa.bindparam("own"),
    )
    .limit(1)
)


def find_same_content(connection: sa.Connection, row: LogObject) -> tuple[str, str] | None:
    """Return bucket and key of another object that counts and has the same content, if that is not empty.

    Of two that are committed at once, at least one finds the other: each looks after its commit.
    """
    if row.outcome not in (Outcome.INGESTED, Outcome.REPLACED, Outcome.UNCHANGED) or not row.size_bytes:
        return None
    with connection.begin():
        found = connection.execute(_OTHER, {"digest": row.content_digest, "own": row.id}).one_or_none()
    return (found.bucket, found.key) if found else None
