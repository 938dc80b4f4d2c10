"""Find the format of a log object: by the rule for its key, and otherwise by what its first lines look like."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from logstats.domain.format import validate_format
from logstats.domain.notation import FormatError, Hole, Template
from logstats.formats import NATIVE
from logstats.formats.detection import detect
from logstats.native import Aggregator
from logstats.native.program import compile_format
from processor.reading.head import Head
from processor.reading.objects import ByteRange, HeldRange, LocalFile, SourceError, StoredObject, source_of
from processor.reading.rules import AUTO, FormatRule, rule_of

LATE = timedelta(days=1)
"""How long after an object was written its lines may be, for clocks and zones that are wrong."""


_FITS_NOTHING = compile_format(
    validate_format(
        {
            "layout": "text",
            "template": Template(b"\n", (Hole("value", quoted=False, until=b""),), rest=False, separator=b""),
            "timestamp": {"value": "value", "form": "iso8601"},
            "customer": {"value": "value"},
            "status": {"value": "value"},
        }
    )
)
"""No line holds an LF: so each of an object whose format is not recognised is rejected, counted and kept."""


@dataclass(frozen=True, slots=True)
class ReadableLog:
    """A log object, and how its lines are read.

    Attributes
    ----------
    rule
        The format, by name; None if none is recognised.
    program
        The same, compiled.
    columns
        The line with the names of the columns that is in force behind the head; empty if the format has none.
    """

    stored: StoredObject
    head: Head
    rule: FormatRule | None
    program: bytes
    columns: bytes

    @property
    def bucket(self) -> str:
        """The bucket, `file` for a local one."""
        return self.stored.bucket

    @property
    def key(self) -> str:
        """The key."""
        return self.stored.key

    @property
    def size(self) -> int:
        """Bytes, as stored."""
        return self.stored.size

    @property
    def modified_ns(self) -> int:
        """When it was last written, in nanoseconds since 1970."""
        return self.stored.modified_ns

    @property
    def is_content_decompressed(self) -> bool:
        """Tell whether the content is the plain text, though it is stored compressed: of a log that is known by its beginning."""
        is_by_beginning = isinstance(self.stored, LocalFile) and self.stored.is_by_beginning
        return is_by_beginning and self.head.compression is not None

    @property
    def latest(self) -> int:
        """The last second, since 1970, that a request in it can have."""
        return self.modified_ns // 1_000_000_000 + int(LATE.total_seconds())

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to `end`; those of a small object were read with its head."""
        if len(self.head.stored) == self.size:
            return HeldRange(self.head.stored[start:end])
        return self.stored.open_range(start, end)


def recognise(stored: StoredObject, head: Head, rules: Iterable[FormatRule]) -> ReadableLog:
    """Return a log object with its format, if one fits what it begins with.

    One that begins with nothing is in the native one. A `SourceError` if the rule for it does not go with the format.
    """
    rule = rule_of(rules, stored.key)
    if rule.format == AUTO:
        sample = head.sample
        found = detect(sample, complete=head.is_complete) if sample.strip() else NATIVE
        if found is None:
            return ReadableLog(stored, head, None, _FITS_NOTHING, b"")
        rule = rule.model_copy(update={"format": found})
    try:
        program = compile_format(rule.load())
    except FormatError as error:
        raise SourceError(f"{source_of(stored.bucket, stored.key)}, as {rule.format}: {error}") from error
    return ReadableLog(stored, head, rule, program, _columns(program, head.sample))


def _columns(program: bytes, sample: bytes) -> bytes:
    aggregator = Aggregator(program=program)
    aggregator.feed(sample, sample.rfind(b"\n") + 1)
    return aggregator.columns
