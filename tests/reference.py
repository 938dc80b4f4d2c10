"""Tell what the kernel must say about a block: the scalar reader, line by line, and a histogram without cleverness."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from logstats.domain.format import Format
from logstats.domain.reader import Reader, RejectReason, Request, Skipped
from logstats.domain.route import Declared, parse_routes, route_of
from logstats.formats import presets
from logstats.native import Aggregator, Kept, Numbers, compile_format, compile_routes
from tests import breakdowns
from tests.breakdowns import Seen, leb128

EPOCH = dt.date(1970, 1, 1)
DAY_NS = 86_400 * 10**9
MAX_REJECT_BYTES = 300
ROUTES = parse_routes(
    ["/v1/orders/{orderId}", "GET /v1/orders", "/api/v1/resource1", "/{any}/b/c", "/a/{x}.{y}", "/"]
)
"""Some that paths of the differential tests match."""

Summaries = dict[tuple[bytes, int], tuple[Numbers, bytes, bytes]]


@dataclass(frozen=True)
class Aggregate:
    summaries: Summaries
    lines: int
    accepted: int
    skipped: int
    rejected_by_reason: dict[str, int]
    rejects: list[tuple[int, str, bytes]]


def aggregate(
    block: bytes, max_rejects: int = 1 << 40, declared: Format | None = None, latest: int | None = None
) -> Aggregate:
    reader = Reader(declared or presets()["logstats"])
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    requests: dict[tuple[bytes, int], list[Request]] = defaultdict(list)
    rejects, skipped = [], 0
    for number, line in enumerate(lines, 1):
        verdict = reader.read(line, latest)
        if isinstance(verdict, Request):
            requests[verdict.customer_id.encode(), verdict.timestamp_ns // DAY_NS].append(verdict)
        elif isinstance(verdict, Skipped):
            skipped += 1
        elif isinstance(verdict, RejectReason):
            rejects.append((number, verdict.value, line.removesuffix(b"\r")[:MAX_REJECT_BYTES]))
    return Aggregate(
        {key: summary(entries) for key, entries in requests.items()},
        len(lines),
        sum(map(len, requests.values())),
        skipped,
        dict(Counter(reason for _, reason, _ in rejects)),
        rejects[:max_rejects],
    )


def requests(lines: Iterable[bytes]) -> list[Request]:
    """The requests of native lines, all of which are valid."""
    reader = Reader(presets()["logstats"])
    found = [reader.read(line.removesuffix(b"\n")) for line in lines]
    return [request for request in found if isinstance(request, Request)]


def seen(request: Request, declared: Declared = ROUTES) -> Seen:
    """Hold what a breakdown knows of a request."""
    name = route_of(request.method, request.path, request.status_code, declared)
    return Seen(
        request.timestamp_ns % DAY_NS // (1800 * 10**9), name, request.status_code, request.duration_us
    )


def summary(entries: list[Request]) -> tuple[Numbers, bytes, bytes]:
    durations = [entry.duration_us for entry in entries if entry.duration_us is not None]
    return (
        (
            len(entries),
            sum(400 <= entry.status_code <= 499 for entry in entries),
            sum(500 <= entry.status_code <= 599 for entry in entries),
            len(entries) - len(durations),
            sum(durations),
            min(durations, default=None),
            max(durations, default=None),
        ),
        encode(Counter(map(bucket, durations))),
        breakdowns.encode(map(seen, entries)),
    )


def keeping_all(max_rejects: int, program: bytes | None = None, latest: int | None = None) -> Aggregator:
    """An aggregator that keeps everything of a breakdown."""
    return Aggregator(max_rejects, MAX_REJECT_BYTES, program, latest, kept=Kept(7, compile_routes(ROUTES)))


def by_kernel(
    pieces: Iterable[bytes],
    max_rejects: int = 1 << 40,
    declared: Format | None = None,
    latest: int | None = None,
) -> Aggregate:
    """Feed an aggregator some pieces of whole lines, and ask it everything."""
    aggregator = keeping_all(max_rejects, compile_format(declared) if declared else None, latest)
    for piece in pieces:
        aggregator.feed(piece)
    return told_by(aggregator)


def told_by(aggregator: Aggregator) -> Aggregate:
    counts = aggregator.counts
    drained = [
        ((customer, day), (numbers, histogram, breakdown))
        for customer, day, numbers, histogram, breakdown in aggregator.drain()
    ]
    assert len(dict(drained)) == len(drained), "a customer's day came twice"
    return Aggregate(
        dict(drained),
        counts.lines,
        counts.accepted,
        counts.skipped,
        counts.rejected_by_reason,
        list(aggregator.rejects()),
    )


# ---- Histogram: 16 384 buckets an octave, as a Counter of bucket numbers ---------------------------


def bucket(us: int) -> int:
    """The bucket of a duration: the 15 leading bits of the number, in the order of their octaves."""
    shift = max(us.bit_length() - 15, 0)
    return (shift << 14) + (us >> shift)


MILLISECONDS = {bucket(ms * 1000): ms for ms in range(64 * 256)}
"""The whole millisecond of each bucket that has one which may be in a page."""


def encode(buckets: Counter[int]) -> bytes:
    """The canonical encoding: pages of 64 milliseconds where 8 are used, and a list of what is left."""
    pages = defaultdict[int, dict[int, int]](dict)
    for number, count in buckets.items():
        if number in MILLISECONDS:
            page, place = divmod(MILLISECONDS[number], 64)
            pages[page][place] = count
    dense = {
        page: counts for page, counts in pages.items() if len(counts) >= 8 and max(counts.values()) < 1 << 16
    }
    rest = {number: buckets[number] for number in buckets if MILLISECONDS.get(number, -1) // 64 not in dense}
    out = bytearray([2, len(dense) - 1] if dense else [1])
    for page in sorted(dense):
        bits = next(bits for bits in (1, 2, 4, 8, 16) if max(dense[page].values()) < 1 << bits)
        out += bytes([page, bits]) + packed(dense[page], bits)
    return bytes(out) + _list_of(rest)


def encode_without_pages(buckets: Counter[int]) -> bytes:
    """Version 1, which histograms had before there were pages."""
    return b"\x01" + _list_of(buckets)


def packed(counts: dict[int, int], bits: int) -> bytes:
    """Count i is in byte i modulo the page's bytes, above those that are there already."""
    size = 8 * bits
    if bits == 16:
        low, high = ([counts.get(i, 0) >> shift & 255 for i in range(64)] for shift in (0, 8))
        return bytes(low + high)
    out = bytearray(size)
    for i, count in counts.items():
        out[i % size] |= count << i // size * bits
    return bytes(out)


def _list_of(buckets: Mapping[int, int]) -> bytes:
    out, before = bytearray(), -1
    for number in sorted(buckets):
        out += leb128(number - before) + leb128(buckets[number])
        before = number
    return bytes(out)
