"""Look up what the ledger knows of a source that a command names."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from local.errors import UserError
from logstats.models import LogObject
from processor.reading.objects import FILE_BUCKET, SourceError, s3_location


def bucket_and_key(source: str) -> tuple[str, str]:
    """Return the ledger's key of a file or an S3 URI; the file need not exist any more."""
    try:
        return s3_location(source) or (FILE_BUCKET, str(Path(source).resolve()))
    except SourceError as error:
        raise UserError(str(error)) from None


def find(engine: sa.Engine, source: str) -> LogObject:
    """Return the ledger's row of a source: a file, an S3 URI, or the name under which a file was ingested.

    Raises
    ------
    UserError
        If it was never ingested.
    """
    found = row(engine, *bucket_and_key(source)) or row(engine, FILE_BUCKET, source)
    if found is None:
        raise UserError(f"{source}: it has never been ingested")
    return found


def row(engine: sa.Engine, bucket: str, key: str) -> LogObject | None:
    """Return the ledger's row of a log object, if it has one."""
    with Session(engine) as session:
        return session.scalar(sa.select(LogObject).where(LogObject.bucket == bucket, LogObject.key == key))
