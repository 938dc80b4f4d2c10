"""Bind the aggregator: blocks of lines in, batches of summaries out."""

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from logstats.native.batch import Record, records
from logstats.native.breakdown import NOTHING, Kept
from logstats.native.library import (
    HASH_KEY,
    Bytes,
    Function,
    Output,
    Pointer,
    Signed,
    Size,
    Unsigned,
    bind,
    checked,
)
from logstats.native.program import native_program

REASONS = tuple(
    "too_long encoding layout timestamp customer_id request_path status_code duration".split()  # noqa: SIM905 - a table
)
"""The rejection reasons in the kernel's numbering, which is the order in which they are tested."""
_REJECT = struct.Struct("=QII")
_DRAINING = -2
_FOREVER = (1 << 63) - 1


class _LineCounts(ctypes.Structure):
    _fields_ = (
        ("physical_lines", Unsigned),
        ("accepted", Unsigned),
        ("skipped", Unsigned),
        ("rejected", Unsigned * len(REASONS)),
    )


class _LineFormat(ctypes.Structure):
    _fields_ = (
        ("program", Bytes),
        ("columns", Bytes),
        ("program_length", Size),
        ("columns_length", Size),
        ("latest", Signed),
        ("parts", Unsigned),
        ("routes", Bytes),
        ("routes_length", Size),
    )


class _BatchKey(ctypes.Structure):
    _fields_ = (("shard", ctypes.c_uint32), ("day", ctypes.c_int32))


_new = bind(
    "aggregator_new",
    ctypes.c_int,
    ctypes.POINTER(_LineFormat),
    Unsigned,
    Unsigned,
    Unsigned,
    Unsigned,
    Output,
    brief=True,
)
_free = bind("aggregator_free", None, Pointer)
_feed = bind("aggregator_feed", ctypes.c_int, Pointer, Pointer, Size)
_memory = bind("aggregator_memory", Unsigned, Pointer, brief=True)
_counts = bind("aggregator_counts", None, Pointer, ctypes.POINTER(_LineCounts), brief=True)
_columns = bind("aggregator_columns", Signed, Pointer, Output, brief=True)
_drain = bind("aggregator_drain", Signed, Pointer, ctypes.c_uint32, ctypes.POINTER(_BatchKey), Output)
_rejects = bind("aggregator_rejects", Signed, Pointer, Output)


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Counts of the lines that an aggregator has read: `lines` are physical ones, blank lines included."""

    lines: int
    accepted: int
    skipped: int
    rejected_by_reason: dict[str, int]


class Aggregator:
    """Lines in, one summary per (customer, day) out; memory follows the summaries, not the lines.

    One thread at a time may use it: the GIL is released while the kernel works. `max_rejects` rejected lines are kept, and
    `max_reject_bytes` of each. `program` is what `compile_format` returns, by default that of the native format; requests
    later than `latest` (seconds since 1970) are rejected; `columns` is the `#Fields:` line before the first one. `kept` says what
    is broken down, by default nothing.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a range of a log object is read with
        self,
        max_rejects: int = 0,
        max_reject_bytes: int = 0,
        program: bytes | None = None,
        latest: int | None = None,
        columns: bytes = b"",
        kept: Kept = NOTHING,
    ) -> None:
        code = native_program() if program is None else program
        end = _FOREVER if latest is None else max(min(latest, _FOREVER), -1)
        line_format = _LineFormat(code, columns, len(code), len(columns), end, *kept, len(kept.routes))
        handle = Pointer()
        checked(
            _new(ctypes.byref(line_format), max_rejects, max_reject_bytes, *HASH_KEY, ctypes.byref(handle))
        )
        self._handle = handle

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _free(self._handle)

    def feed(self, lines: bytes | bytearray | memoryview, length: int | None = None) -> None:
        """Read a block of whole lines (only the last may lack its LF), or its first bytes.

        A memoryview must be of a writable buffer.
        """
        size = len(lines) if length is None else length
        if not 0 <= size <= len(lines):
            raise ValueError(f"the block has {len(lines)} bytes, not {size}")
        pointer: ctypes.Array[ctypes.c_char] | bytes
        pointer = lines if isinstance(lines, bytes) else (ctypes.c_char * len(lines)).from_buffer(lines)
        failed = _feed(self._handle, pointer, size)
        if failed == _DRAINING:
            raise RuntimeError("take all batches before more lines are fed")
        if failed:
            raise MemoryError

    @property
    def columns(self) -> bytes:
        """The `#Fields:` line in force, which names the columns; empty if there was none."""
        return self._take(_columns)

    @property
    def memory(self) -> int:
        """Bytes held for summaries."""
        held: int = _memory(self._handle)
        return held

    @property
    def counts(self) -> LineCounts:
        """All lines read so far."""
        counts = _LineCounts()
        _counts(self._handle, ctypes.byref(counts))
        rejected = {reason: n for reason, n in zip(REASONS, counts.rejected, strict=True) if n}
        return LineCounts(counts.physical_lines, counts.accepted, counts.skipped, rejected)

    def drain_batches(self, shards: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield and forget the summaries, those of a shard of the customers and a day together.

        Each comes as its shard, from 0, its day (days since 1970-01-01), and the encoded batch, sorted by customer. The
        shard follows from a hash of the customer's bytes, the same on every machine.
        """
        if not 0 < shards < 1 << 32:
            raise ValueError(f"{shards} shards are impossible")
        key = _BatchKey()
        while batch := self._take(_drain, shards, ctypes.byref(key)):
            yield key.shard, key.day, batch

    def drain(self) -> Iterator[Record]:
        """Yield and forget the summaries one by one, as `records` does."""
        for _, _, batch in self.drain_batches(1):
            yield from records(batch)

    def rejects(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield and forget the rejected lines that were kept: line number from 1, reason, text."""
        data = self._take(_rejects)
        at, end = 0, len(data)
        while at < end:
            line_number, reason, length = _REJECT.unpack_from(data, at)
            at += _REJECT.size
            yield line_number, REASONS[reason], data[at : at + length]
            at += length

    def _take(self, function: Function, *arguments: object) -> bytes:
        """Copy what a function returns, which stays the aggregator's memory."""
        out = Pointer()
        length = function(self._handle, *arguments, ctypes.byref(out))
        if length < 0:
            raise MemoryError
        return ctypes.string_at(out, length) if length else b""
