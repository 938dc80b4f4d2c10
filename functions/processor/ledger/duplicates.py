"""Find log objects that hold the same bytes: two servers may log the same, or one log may have been ingested twice."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from logstats.models import LogObject
from processor.ledger.delivery import Outcome

_COUNTING = (Outcome.INGESTED, Outcome.REPLACED, Outcome.UNCHANGED)

_WANTED = (
    sa.func.unnest(sa.bindparam("digests", type_=ARRAY(sa.Text))).table_valued("digest").render_derived()
)
_OTHER = (
    sa.select(LogObject.bucket, LogObject.key)
    .where(
        LogObject.content_digest == _WANTED.c.digest,
        LogObject.size_bytes > sa.literal_column("0"),  # as the index says it
        LogObject.attempt_id.is_not(None),
        LogObject.outcome != Outcome.UNRECOGNISED,
        LogObject.id != sa.all_(sa.bindparam("own", type_=ARRAY(sa.BigInteger))),
    )
    .limit(1)
    .lateral()
)
_OTHERS = sa.select(_WANTED.c.digest, _OTHER.c.bucket, _OTHER.c.key).join_from(_WANTED, _OTHER, sa.true())


def find_same_content(connection: sa.Connection, rows: Sequence[LogObject]) -> list[tuple[str, str] | None]:
    """Return bucket and key of another object that counts and has the same content, for each row with content that counts.

    The rows were committed at once, and count as one after the other: none finds a later one. Of two that others commit at the
    same time, at least one finds the other: each looks after its commit.
    """
    counting = [row for row in rows if row.outcome in _COUNTING and row.size_bytes]
    if not counting:
        return [None] * len(rows)
    wanted = {"digests": [row.content_digest for row in counting], "own": [row.id for row in counting]}
    with connection.begin():
        found = {digest: (bucket, key) for digest, bucket, key in connection.execute(_OTHERS, wanted)}
    same: list[tuple[str, str] | None] = []
    for row in rows:
        counts = row.outcome in _COUNTING and bool(row.size_bytes)
        same.append(found.get(row.content_digest) if counts else None)
        if counts:
            found.setdefault(row.content_digest, (row.bucket, row.key))
    return same
