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
from processor.group import LARGEST_BYTES, Candidate
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.reading.objects import LocalFile, SourceError, source_of
from processor.reading.s3 import S3Object, list_objects
from processor.requests import CurrentVersionRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Source:
    """One log object to ingest: its name for people, its bytes as far as they are known, and what ingests it.

    Of one that cannot be ingested, the `problem` is known already. One that has a `candidate` may be ingested in a group; a
    `SourceError` if it is not there.
    """

    name: str
    size: int
    ingest: Callable[[Ingestor, Context], IngestSummary] = field(repr=False)
    problem: SourceError | None = None
    candidate: Callable[[Ingestor], Candidate] | None = field(default=None, repr=False)


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

    def candidate(ingestor: Ingestor) -> Candidate:
        file = LocalFile.at(path, name)
        return Candidate(file.bucket, file.key, lambda: ingestor.file_request(file))

    try:
        size = path.stat().st_size
        return Source(str(path), size, ingest, candidate=None if is_rotated else candidate)
    except OSError as error:
        return broken(str(path), SourceError(f"{path}: {error.strerror}"))


def object_source(client: "S3Client", bucket: str, key: str, size: int) -> Source:
    """Return an S3 object, of which the version counts that is current when it is read."""
    head = partial(S3Object.head, client, bucket, key)

    def ingest(ingestor: Ingestor, context: Context) -> IngestSummary:
        return ingestor.ingest_current(head, context)

    def candidate(ingestor: Ingestor) -> Candidate:
        def request() -> CurrentVersionRequest:
            return CurrentVersionRequest(
                head, S3Object.fetch(client, bucket, key, LARGEST_BYTES), ingestor.force
            )

        return Candidate(bucket, key, request)

    return Source(source_of(bucket, key), size, ingest, candidate=candidate)


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
        yield from _matching(source, ignore)
    elif os.path.isdir(source):  # noqa: PTH112 - pathlib raises where a name is too long, or its folder may not be read
        yield from _files_in(source, ignore)
    else:
        yield Path(source)


def _matching(pattern: str, ignore: Sequence[str]) -> Iterator[Path | SourceError]:
    """Yield what a pattern matches. Links to folders are not followed by ``**``, for they may lead back to where they are."""
    head, recursive, tail = f"/{pattern}/".partition("/**/")
    if recursive:
        roots = glob.iglob(head[1:] or ("/" if pattern.startswith("/") else "."))  # noqa: PTH207 - a text as it was given
        for root in sorted(filter(os.path.isdir, roots)):
            if tail:
                yield from _matching_within(root, tail.removesuffix("/"), ignore)
            else:
                yield from _files_in(root, ignore)
        return
    for found in sorted(glob.iglob(pattern)):  # noqa: PTH207 - as above
        if os.path.isdir(found):  # noqa: PTH112 - as above
            yield from _files_in(found, ignore)
        elif not _is_ignored(found, ignore):
            yield Path(found)


def _matching_within(root: str, pattern: str, ignore: Sequence[str]) -> Iterator[Path | SourceError]:
    problems: list[OSError] = []
    for folder, folders, _ in os.walk(root, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from _matching(os.path.join(glob.escape(folder), pattern), ignore)  # noqa: PTH118 - as below
    yield from map(_problem_of, problems)


def _problem_of(error: OSError) -> SourceError:
    return SourceError(f"{error.filename}: {error.strerror}")


def _files_in(folder: str, ignore: Sequence[str]) -> Iterator[Path | SourceError]:
    problems: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(parent, name)  # noqa: PTH118 - ten times as fast as pathlib
            if not name.startswith(".") and not _is_ignored(path, ignore):
                yield Path(path)
    yield from map(_problem_of, problems)


def _is_ignored(path: str, ignore: Sequence[str]) -> bool:
    absolute = os.path.abspath(path)  # noqa: PTH100 - as above
    return any(fnmatchcase(absolute, pattern) for pattern in ignore)
