"""Detect the format of a log by its first lines: what each preset reads of them."""

from dataclasses import dataclass
from itertools import islice

from logstats.domain.format import Format
from logstats.domain.layouts import LayoutError, reach
from logstats.domain.reader import Reader, RejectReason, Request, Skipped
from logstats.formats.declarations import NATIVE, presets
from logstats.native import Aggregator
from logstats.native.program import compile_format

SAMPLE_BYTES = 64 * 1024
SAMPLE_LINES = 100
_FORMLESS = (RejectReason.TOO_LONG, RejectReason.ENCODING, RejectReason.LAYOUT)
_YEAR_DAYS = 365
_YEAR_NS = _YEAR_DAYS * 86_400 * 10**9
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Reading:
    """Tell what one preset reads of a sample.

    Attributes
    ----------
    accepted, skipped, rejected
        How many lines it takes for requests, for none, and for broken requests.
    timed
        How many of the requests have a duration.
    whole
        Whether the durations are in seconds, and none has a point: then they are in another unit.
    divided
        How many of the rejected lines have the declared form, so that only a value is wrong.
    length
        How many values it finds in the first line that it accepts, or else in the first that it rejects.
    problem
        The first line that it rejects: its number, its bytes, and why.
    """

    name: str
    accepted: int
    skipped: int
    rejected: int
    timed: int
    whole: bool
    divided: int
    length: int
    problem: tuple[int, bytes, RejectReason] | None

    @property
    def fits(self) -> bool:
        """Return whether it reads something, and at least half of what it does not skip."""
        return 0 < self.accepted >= self.rejected

    @property
    def timing(self) -> int:
        """Return 1 if it gives durations, 0 if it gives none, and -1 if they are in another unit."""
        return -1 if self.whole else int(self.timed > 0)


def detect(sample: bytes, *, complete: bool) -> str | None:
    """Return the preset that reads the first lines of an object best; None if none does.

    It reads the most lines of all, and at least half of those that it does not skip. Of equals it is the one that gives
    durations (but not where all are whole seconds), then the one that finds more values in a line, then the native one.

    Parameters
    ----------
    sample
        The first bytes of the object's plain text; of more than 64 KiB or 100 lines, blank ones apart, the rest does not
        matter.
    complete
        Whether the object ends with the sample. If not, its last line may be cut, and does not count.
    """
    lines = _sampled(sample, complete=complete)
    if lines and _accepted(presets()[NATIVE], lines) == len(lines):
        return NATIVE  # no other preset reads any of its lines
    return best(_readings(lines))


def best(found: list[Reading]) -> str | None:
    """Return the name of the preset that `detect` takes."""
    fitting = [reading for reading in found if reading.fits]
    return max(fitting, key=lambda it: (it.accepted, it.timing, it.length)).name if fitting else None


def nearest(found: list[Reading]) -> Reading:
    """Return the reading that comes nearest to a fitting one, where none fits."""
    return max(found, key=lambda it: (it.accepted, it.divided, it.length))


def readings(sample: bytes, *, complete: bool) -> list[Reading]:
    """Return what each preset reads of a sample, in the order of `presets`."""
    return _readings(_sampled(sample, complete=complete))


def _sampled(sample: bytes, *, complete: bool) -> list[tuple[int, bytes]]:
    """Return the lines that are looked at, none of them blank, with their numbers."""
    complete = complete and len(sample) <= SAMPLE_BYTES
    numbered = enumerate(whole_lines(sample[:SAMPLE_BYTES], complete=complete), 1)
    return list(
        islice(((number, line) for number, line in numbered if line.removesuffix(b"\r")), SAMPLE_LINES)
    )


def _readings(lines: list[tuple[int, bytes]]) -> list[Reading]:
    return [_read(name, declared, lines) for name, declared in presets().items()]


def whole_lines(text: bytes, *, complete: bool) -> list[bytes]:
    """Return the lines of the start of a file, without its byte order mark; if it goes on, without the last one."""
    lines = text.removeprefix(_BOM).split(b"\n")
    if not complete or not lines[-1]:
        lines.pop()
    return lines


def _accepted(declared: Format, lines: list[tuple[int, bytes]]) -> int:
    """Return how many lines a preset takes for requests, as `_read` does, but by the kernel, in a hundredth of the time."""
    aggregator = Aggregator(program=compile_format(declared))
    aggregator.feed(b"\n".join(line for _, line in lines))
    return sum(numbers[0] for _, day, numbers, *_ in aggregator.drain() if day >= _YEAR_DAYS)


def _read(name: str, declared: Format, lines: list[tuple[int, bytes]]) -> Reading:
    reader = Reader(declared)
    verdicts = [(number, line, _plausible(reader.read(line))) for number, line in lines]
    requests = [(line, verdict) for _, line, verdict in verdicts if isinstance(verdict, Request)]
    rejects = [(n, line, verdict) for n, line, verdict in verdicts if isinstance(verdict, RejectReason)]
    read = [line for line, _ in requests] or [line for _, line, _ in rejects]
    timed = [line for line, request in requests if request.duration_us is not None]
    return Reading(
        name,
        accepted=len(requests),
        skipped=sum(isinstance(verdict, Skipped) for *_, verdict in verdicts),
        rejected=len(rejects),
        timed=len(timed),
        whole=_are_whole(declared, reader, timed),
        divided=sum(reason not in _FORMLESS for *_, reason in rejects),
        length=_length(declared, reader, read[0]) if read else 0,
        problem=rejects[0] if rejects else None,
    )


def _plausible(verdict: Request | RejectReason | Skipped | None) -> Request | RejectReason | Skipped | None:
    """Return what a line comes to; a request of 1970 has its time in another unit, such as seconds read as nanoseconds."""
    if isinstance(verdict, Request) and verdict.timestamp_ns < _YEAR_NS:
        return RejectReason.TIMESTAMP
    return verdict


def _are_whole(declared: Format, reader: Reader, timed: list[bytes]) -> bool:
    if not timed or declared.duration is None or declared.duration.unit != "s":
        return False
    names = declared.duration.value or ()
    try:
        return not any("." in (reader.values(line).get(name) or "") for line in timed for name in names)
    except LayoutError:  # its columns were named by a line before the last that names them
        return False


def _length(declared: Format, reader: Reader, line: bytes) -> int:
    try:
        line.decode()
        return sum(value is not None for value in reader.values(line).values())
    except UnicodeDecodeError:
        return 0
    except LayoutError:
        return max((reach(template, line) for template in declared.template), default=0)
