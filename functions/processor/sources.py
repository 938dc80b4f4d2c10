"""Sources of log objects: a file, all files of a folder, those that a pattern matches, an S3 object, or all under a prefix."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from processor.context import Context
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.reading.objects import LocalFile, SourceError, source_of
from processor.reading.s3 import S3Object, list_objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Source:
    """One log object to ingest: its name for people, its bytes as far as they are known, and what ingests it.

    Of one that cannot be ingested, the `problem` is known already.
    """

    name: str
    size: int
    ingest: Callable[[Ingestor, Context], IngestSummary] = field(repr=False)
    problem: SourceError | None = None


def broken(name: str, problem: SourceError) -> Source:
    """Return a source that cannot be ingested."""

    def fail(_ingestor: Ingestor, _context: Context) -> IngestSummary:
        raise problem

    return Source(name, 0, fail, problem)


def file_source(path: Path, name: str | None, *, is_rotated: bool) -> Source:
    """Return a file, which is known by its path, or a name, and if it `is_rotated` by how it begins."""
    find = partial(LocalFile.at, path)

    def ingest(ingestor: Ingestor, context: Context) -> IngestSummary:
        if is_rotated:
            return ingestor.ingest_rotated(find, name, context)
        return ingestor.ingest_file(LocalFile.at(path, name), context)

    try:
        return Source(str(path), path.stat().st_size, ingest)
    except OSError as error:
        return broken(str(path), SourceError(f"{path}: {error.strerror}"))


def object_source(client: "S3Client", bucket: str, key: str, size: int) -> Source:
    """Return an S3 object, of which the version counts that is current when it is read."""

    def ingest(ingestor: Ingestor, context: Context) -> IngestSummary:
        return ingestor.ingest_current(partial(S3Object.head, client, bucket, key), context)

    return Source(source_of(bucket, key), size, ingest)


def objects_under(client: "S3Client", bucket: str, prefix: str) -> Iterator[Source]:
    """Yield the objects under a prefix, in the order of their keys; a `SourceError` if they cannot be listed."""
    for key, size in list_objects(client, bucket, prefix):
        yield object_source(client, bucket, key, size)


def is_pattern(source: str) -> bool:
    """Tell whether a source is a pattern, which the shell has left as it is, and no file of that name."""
    return glob.has_magic(source) and not os.path.lexists(source)


def files_of(source: str, ignore: Sequence[str]) -> Iterator[Path | SourceError]:
    """Yield the files that a path or a pattern names, and what is wrong on the way to others.

    Of a folder these are all files within it, at any depth, but those that are hidden, and those whose path matches a pattern
    of `ignore`; of a pattern (``**`` is any number of folders) the same, and some may come twice. A path that is not there is
    yielded as it is.
    """
    if is_pattern(source):
        for found in sorted(glob.iglob(source, recursive=True)):  # noqa: PTH207 - of a path, pathlib would hide errors
            if Path(found).is_dir():
                yield from _files_in(found, ignore)
            elif not _is_ignored(found, ignore):
                yield Path(found)
    elif Path(source).is_dir():
        yield from _files_in(source, ignore)
    else:
        yield Path(source)


def _files_in(folder: str, ignore: Sequence[str]) -> Iterator[Path | SourceError]:
    problems: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(parent, name)  # noqa: PTH118 - ten times as fast as pathlib
            if not name.startswith(".") and not _is_ignored(path, ignore):
                yield Path(path)
    for error in problems:
        yield SourceError(f"{error.filename}: {error.strerror}")


def _is_ignored(path: str, ignore: Sequence[str]) -> bool:
    absolute = os.path.abspath(path)  # noqa: PTH100 - as above
    return any(fnmatchcase(absolute, pattern) for pattern in ignore)
