"""Log objects: what the dataflow reads, and local files. `processor.reading.s3` has those on S3."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

FILE_BUCKET = "file"


class SourceError(Exception):
    """A log object cannot be read, or is not what it was; the message is for people."""


class TransientSourceError(SourceError):
    """A log object cannot be read now; trying again may help."""


def s3_location(source: str) -> tuple[str, str] | None:
    """Return bucket and key of an S3 URI, a `SourceError` if one is missing; None for anything else, which is a path."""
    if not source.startswith("s3://"):
        return None
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise SourceError(f"{source}: an S3 object is named s3://bucket/key")
    return bucket, key


class ByteRange(Protocol):
    """A stretch of a log object, read from its start to its end."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as bytes are left; return how many were read, 0 at the end."""

    def close(self) -> None:
        """Let go of the file or connection."""


class StoredObject(Protocol):
    """One version of a log object, where it is stored."""

    @property
    def bucket(self) -> str:
        """The bucket, `file` for a local one."""

    @property
    def key(self) -> str:
        """The key; of a local file the resolved path, or the name that it was given."""

    @property
    def size(self) -> int:
        """Bytes, as stored."""

    @property
    def modified_ns(self) -> int:
        """When it was last written, in nanoseconds since 1970."""

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to, but not including, `end`."""


def source_of(bucket: str, key: str) -> str:
    """Return the name by which people know a log object."""
    return key if bucket == FILE_BUCKET else f"s3://{bucket}/{key}"


def fill(opened: ByteRange, buffer: memoryview) -> int:
    """Read until the buffer is full or the range ends; return how many bytes were read."""
    filled = 0
    while filled < len(buffer) and (count := opened.readinto(buffer[filled:])):
        filled += count
    return filled


class HeldRange:
    """Bytes that are in memory already."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as bytes are left."""
        data = self._data[self._at : self._at + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Keep the bytes: they are the object's."""


class _FileRange:
    def __init__(self, path: str, start: int, end: int) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._at, self._end = start, end

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._end - self._at)
        count = os.preadv(self._descriptor, [buffer[:wanted]], self._at) if wanted else 0
        if wanted and not count:
            raise SourceError("the file became shorter while it was read")
        self._at += count
        return count

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file, as it was when it was found; its bytes beyond `size` do not matter.

    One `is_by_beginning` has a key that says how it begins (`processor.reading.rotation`), and the content of such a log
    object is its plain text.
    """

    path: str
    key: str
    size: int
    modified_ns: int
    inode: int = field(repr=False)
    is_by_beginning: bool = False
    bucket: str = FILE_BUCKET

    @classmethod
    def at(cls, path: Path, name: str | None = None) -> "LocalFile":
        """Find a file, whose key is its path, or a name; a `SourceError` if there is none that can be read."""
        try:
            found = str(path.resolve())
            found.encode()
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                raise SourceError(f"{path}: it is neither a file nor a folder")
            with path.open("rb"):
                pass
        except UnicodeEncodeError:
            raise SourceError(f"{str(path)!a}: the name is not valid UTF-8") from None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        key = found if name is None else name
        return cls(found, key, status.st_size, status.st_mtime_ns, status.st_ino)

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to `end`."""
        return _FileRange(self.path, start, end)

    def is_here(self, status: os.stat_result) -> bool:
        """Tell whether what is at the path now is this file, unchanged."""
        return (status.st_size, status.st_mtime_ns, status.st_ino) == (
            self.size,
            self.modified_ns,
            self.inode,
        )

    def has_grown(self, status: os.stat_result) -> bool:
        """Tell whether what is at the path now is this file, with more bytes."""
        return status.st_ino == self.inode and status.st_size > self.size
