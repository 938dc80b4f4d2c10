"""The compiled kernel, bound with `ctypes`. The C sources stand beside this file; `build.py` compiles them.

Its work is done without the GIL. Calls that take less time than it does to get the GIL back hold it.
"""

import ctypes
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from logstats.native.build import library_name

REASONS = (
    "too_long",
    "encoding",
    "field_count",
    "timestamp",
    "customer_id",
    "request_path",
    "status_code",
    "duration",
)
"""The rejection reasons in the kernel's numbering, which is the order in which they are tested."""

_SUMMARY = struct.Struct("=iIII7Q")
_REJECT = struct.Struct("=QII")
_DRAINING = -2
_HISTOGRAM_VERSIONS = (1, 2)
"""See `encoding.h`."""
_MAX_DURATION_US = 86_400_000_000
_ERRORS = {
    -1: "malformed histogram",
    -2: "the histogram holds fewer values than are subtracted",
    -3: "the histograms hold more values than can be counted",
    -4: "malformed batch of summaries",
}
_NO_MEMORY = -5


class _LineCounts(ctypes.Structure):
    _fields_ = (
        ("physical_lines", ctypes.c_uint64),
        ("accepted", ctypes.c_uint64),
        ("rejected", ctypes.c_uint64 * len(REASONS)),
    )


class _BatchKey(ctypes.Structure):
    _fields_ = (("shard", ctypes.c_uint32), ("day", ctypes.c_int32))


def _load(loader: type[ctypes.CDLL]) -> ctypes.CDLL:
    path = Path(__file__).parent / library_name()
    try:
        library = loader(str(path))
    except OSError as error:
        raise ImportError(f"{error}; compile it with `make setup`") from error
    pointer, size, signed, unsigned = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, ctypes.c_uint64
    out = ctypes.POINTER(pointer)
    for name, result, arguments in (
        ("kernel_free", None, (pointer,)),
        ("histogram_encode", signed, (pointer, size, out)),
        ("histogram_combine", signed, (ctypes.c_char_p, size, ctypes.c_char_p, size, ctypes.c_int, out)),
        ("histogram_values_at", signed, (ctypes.c_char_p, size, pointer, size, pointer)),
        ("aggregator_new", pointer, (unsigned, unsigned)),
        ("aggregator_free", None, (pointer,)),
        ("aggregator_feed", ctypes.c_int, (pointer, pointer, size)),
        ("aggregator_memory", unsigned, (pointer,)),
        ("aggregator_counts", None, (pointer, ctypes.POINTER(_LineCounts))),
        ("aggregator_drain", signed, (pointer, ctypes.c_uint32, ctypes.POINTER(_BatchKey), out)),
        ("aggregator_rejects", signed, (pointer, out)),
        ("batch_add", signed, (ctypes.c_char_p, size, ctypes.c_char_p, size, out)),
        ("batch_count", signed, (ctypes.c_char_p, size)),
        ("batch_percentiles", signed, (ctypes.c_char_p, size, pointer)),
        ("batch_copy_rows", signed, (ctypes.c_char_p, size, signed, signed, out)),
        ("classify_line", ctypes.c_int, (ctypes.c_char_p, size)),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


_kernel, _brief = _load(ctypes.CDLL), _load(ctypes.PyDLL)


def classify(line: bytes) -> str | None:
    """Return the rejection reason of one line (without its LF), or None if it is valid or blank."""
    verdict: int = _brief.classify_line(line, len(line))
    return None if verdict < 0 else REASONS[verdict]


def encode(values: Sequence[int]) -> bytes:
    """Return the canonical histogram encoding of durations in microseconds.

    Raises
    ------
    ValueError
        If a duration is not within 0 to 86 400 000 000.
    """
    if values and not 0 <= min(values) <= max(values) <= _MAX_DURATION_US:
        raise ValueError(f"a duration is not within 0 to {_MAX_DURATION_US} microseconds")
    return _returned(_kernel.histogram_encode, (ctypes.c_uint64 * len(values))(*values), len(values))


def combine(left: bytes, right: bytes, *, subtract: bool = False) -> bytes:
    """Return the encoded sum or difference of two encoded histograms.

    Raises
    ------
    ValueError
        If an encoding is malformed, `right` is to be subtracted but holds values that `left` does not, or the
        sum would hold 2^63 values or more.
    """
    try:
        return _returned(_kernel.histogram_combine, left, len(left), right, len(right), -1 if subtract else 1)
    except ValueError as error:
        raise ValueError(_unknown_version(left) or _unknown_version(right) or str(error)) from None


def values_at(encoded: bytes, ranks: Sequence[int]) -> tuple[int, list[int]]:
    """Return the number of values of an encoded histogram, and the values at ascending 1-based ranks.

    Raises
    ------
    ValueError
        If the encoding is malformed.
    """
    values = (ctypes.c_uint64 * len(ranks))()
    wanted = (ctypes.c_uint64 * len(ranks))(*ranks)
    total: int = _kernel.histogram_values_at(encoded, len(encoded), wanted, len(ranks), values)
    if total < 0:
        raise ValueError(_unknown_version(encoded) or _ERRORS[total])
    return total, list(values)


def _unknown_version(encoded: bytes) -> str | None:
    """Say what is wrong with a histogram that other code has written."""
    if not encoded or encoded[0] in _HISTOGRAM_VERSIONS:
        return None
    return f"a histogram of version {encoded[0]}, which this code does not know"


Numbers = tuple[int, int, int, int, int, int]
"""Requests, client errors, server errors; sum, minimum and maximum of the durations in microseconds."""


def add_batches(left: bytes, right: bytes) -> bytes:
    """Return the sum of two encoded batches of summaries of the same day.

    Raises
    ------
    ValueError
        If an encoding is malformed.
    """
    return _returned(_kernel.batch_add, left, len(left), right, len(right))


def count_summaries(batch: bytes) -> int:
    """Return how many summaries an encoded batch holds; a `ValueError` if it is malformed."""
    return _checked(_brief.batch_count(batch, len(batch)))


def percentiles(batch: bytes) -> list[int]:
    """Return p50, p90, p95 and p99 of each summary of an encoded batch, in microseconds, one after the other.

    Raises
    ------
    ValueError
        If the encoding is malformed.
    """
    values = (ctypes.c_uint64 * (4 * count_summaries(batch)))()
    _checked(_kernel.batch_percentiles(batch, len(batch), values))
    return values[:]


def copy_rows(batch: bytes, attempt_id: int, part: int) -> bytes:
    """Return an encoded batch as rows of PostgreSQL's binary COPY format (columns: see `batch.COLUMNS`).

    Raises
    ------
    ValueError
        If the encoding is malformed.
    """
    return _returned(_kernel.batch_copy_rows, batch, len(batch), attempt_id, part)


def records(batch: bytes) -> Iterator[tuple[bytes, int, Numbers, bytes]]:
    """Yield the summaries of an encoded batch.

    Yields
    ------
    tuple
        The customer (UTF-8), the day (days since 1970-01-01), the numbers and the encoded histogram.
    """
    at, end = 0, len(batch)
    while at < end:
        day, customer_length, histogram_length, _, total, client, server, low, high, least, most = (
            _SUMMARY.unpack_from(batch, at)
        )
        at += _SUMMARY.size
        customer = batch[at : at + customer_length]
        at += customer_length
        histogram = batch[at : at + histogram_length]
        at += histogram_length
        yield customer, day, (total, client, server, high << 64 | low, least, most), histogram


def _checked(length: int) -> int:
    if length == _NO_MEMORY:
        raise MemoryError
    if length < 0:
        raise ValueError(_ERRORS[length])
    return length


def _returned(function: "ctypes._NamedFuncPointer", *arguments: object) -> bytes:
    """Call a function that allocates what it returns; take it, and give the memory back."""
    out = ctypes.c_void_p()
    try:
        return ctypes.string_at(out, _checked(function(*arguments, ctypes.byref(out))))
    finally:
        _brief.kernel_free(out)


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What an aggregator has read: `lines` are physical ones, blank lines included."""

    lines: int
    accepted: int
    rejected_by_reason: dict[str, int]


class Aggregator:
    """Lines in, one summary per (customer, day) out; memory follows the summaries, not the lines.

    One thread at a time may use it: the GIL is released while the kernel works.

    Parameters
    ----------
    max_rejects, max_reject_bytes
        How many rejected lines are kept, and how many bytes of each.
    """

    def __init__(self, max_rejects: int = 0, max_reject_bytes: int = 0) -> None:
        self._handle = _brief.aggregator_new(max_rejects, max_reject_bytes)
        if not self._handle:
            raise MemoryError

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _kernel.aggregator_free(self._handle)

    def feed(self, lines: bytes | bytearray | memoryview, length: int | None = None) -> None:
        """Read a block of whole lines (only the last may lack its LF).

        Parameters
        ----------
        lines
            The block; a memoryview must be of a writable buffer.
        length
            How many of its bytes count; by default all.
        """
        size = len(lines) if length is None else length
        if not 0 <= size <= len(lines):
            raise ValueError(f"the block has {len(lines)} bytes, not {size}")
        pointer: ctypes.Array[ctypes.c_char] | bytes
        pointer = lines if isinstance(lines, bytes) else (ctypes.c_char * len(lines)).from_buffer(lines)
        failed = _kernel.aggregator_feed(self._handle, pointer, size)
        if failed == _DRAINING:
            raise RuntimeError("take all batches before more lines are fed")
        if failed:
            raise MemoryError

    @property
    def memory(self) -> int:
        """Bytes held for summaries."""
        held: int = _brief.aggregator_memory(self._handle)
        return held

    @property
    def counts(self) -> LineCounts:
        """All lines read so far."""
        counts = _LineCounts()
        _brief.aggregator_counts(self._handle, ctypes.byref(counts))
        rejected = {reason: n for reason, n in zip(REASONS, counts.rejected, strict=True) if n}
        return LineCounts(counts.physical_lines, counts.accepted, rejected)

    def drain_batches(self, shards: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield and forget the summaries, those of a shard of the customers and a day together.

        A customer's shard follows from a hash of its bytes, the same on every machine.

        Yields
        ------
        tuple
            The shard, from 0; the day (days since 1970-01-01); the encoded batch, sorted by customer.
        """
        if not 0 < shards < 1 << 32:
            raise ValueError(f"{shards} shards are impossible")
        key = _BatchKey()
        while batch := self._take(_kernel.aggregator_drain, shards, ctypes.byref(key)):
            yield key.shard, key.day, batch

    def drain(self) -> Iterator[tuple[bytes, int, Numbers, bytes]]:
        """Yield and forget the summaries one by one, as `records` does."""
        for _, _, batch in self.drain_batches(1):
            yield from records(batch)

    def rejects(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield and forget the rejected lines that were kept: line number from 1, reason, text."""
        data = self._take(_kernel.aggregator_rejects)
        at, end = 0, len(data)
        while at < end:
            line_number, reason, length = _REJECT.unpack_from(data, at)
            at += _REJECT.size
            yield line_number, REASONS[reason], data[at : at + length]
            at += length

    def _take(self, function: "ctypes._NamedFuncPointer", *arguments: object) -> bytes:
        out = ctypes.c_void_p()
        length = function(self._handle, *arguments, ctypes.byref(out))
        if length < 0:
            raise MemoryError
        return ctypes.string_at(out, length) if length else b""
