"""Look up what the ledger knows of a source that a command names."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from local.errors import UserError
from logstats.models import LogObject
from logstats.settings import load
from processor.reading.objects import FILE_BUCKET, LocalFile, SourceError, s3_location
from processor.reading.rotation import known_by_beginning
from processor.settings import ProcessorSettings


def bucket_and_key(source: str) -> tuple[str, str]:
    """Return the ledger's key of a file or an S3 URI; the file need not exist any more."""
    try:
        return s3_location(source) or (FILE_BUCKET, str(Path(source).resolve()))
    except SourceError as error:
        raise UserError(str(error)) from None


def find(engine: sa.Engine, source: str) -> LogObject:
    """Return the ledger's row of a source: a file, an S3 URI, or the name under which a file was ingested.

    A file that was ingested with ``--rotated`` is found as long as it is there.

    Raises
    ------
    UserError
        If it was never ingested.
    """
    found = row(engine, *bucket_and_key(source)) or row(engine, FILE_BUCKET, source)
    if found is None and Path(source).is_file():
        found = _rotated(engine, Path(source))
    if found is None:
        raise UserError(f"{source}: it has never been ingested")
    return found


def _rotated(engine: sa.Engine, path: Path) -> LogObject | None:
    try:
        known = known_by_beginning(LocalFile.at(path), None, load(ProcessorSettings).log_formats)
    except SourceError as error:
        raise UserError(str(error)) from None
    return row(engine, FILE_BUCKET, known.key) if known else None


def row(engine: sa.Engine, bucket: str, key: str) -> LogObject | None:
    """Return the ledger's row of a log object, if it has one."""
    with Session(engine) as session:
        return session.scalar(sa.select(LogObject).where(LogObject.bucket == bucket, LogObject.key == key))
