"""Breakdowns without cleverness: requests counted one by one, and encoded as `native/breakdown.h` and `native/cell.h` say."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from logstats.domain.breakdown import bounded_routes

SLOTS, ROUTES, STATUSES = 1, 2, 4
NOT_FOUND, OTHER = b"\x01", b"\x02"


class Seen(NamedTuple):
    """Hold what a breakdown knows of one request; the route is its stored name."""

    slot: int
    route: bytes
    status: int
    duration_us: int | None


def encode(requests: Iterable[Seen], parts: int = 7, *, bounded: bool = True) -> bytes:
    """The breakdown of requests of one object, or of several (`bounded` is off)."""
    requests = list(requests)
    names = {seen.route for seen in requests if len(seen.route) > 1}
    kept = bounded_routes(names) | {NOT_FOUND} if bounded else names | {NOT_FOUND}
    slots, routes = defaultdict[int, list[Seen]](list), defaultdict[bytes, list[Seen]](list)
    for seen in requests:
        slots[seen.slot].append(seen)
        routes[seen.route if seen.route in kept else OTHER].append(seen)
    out = bytes([1, parts]) + leb128(len(requests))
    if parts & SLOTS:
        out += _part(b"".join(bytes([slot]) + encode_cell(slots[slot]) for slot in sorted(slots)))
    if parts & ROUTES:
        out += _part(_routes(routes))
    if parts & STATUSES:
        counts, before, listed = Counter(seen.status for seen in requests), -1, b""
        for status in sorted(counts):
            listed += leb128(status - before) + leb128(counts[status])
            before = status
        out += _part(listed)
    return out


def _part(data: bytes) -> bytes:
    return leb128(len(data)) + data


def _routes(routes: dict[bytes, list[Seen]]) -> bytes:
    out, before = b"", b""
    for name in sorted(routes):
        shared = 0
        while shared < min(len(name), len(before)) and name[shared] == before[shared]:
            shared += 1
        out += bytes([shared, len(name) - shared]) + name[shared:] + encode_cell(routes[name])
        before = name
    return out


def encode_cell(requests: Sequence[Seen]) -> bytes:
    """One cell."""
    durations = [seen.duration_us for seen in requests if seen.duration_us is not None]
    optional = (
        sum(400 <= seen.status <= 499 for seen in requests),
        sum(500 <= seen.status <= 599 for seen in requests),
        len(requests) - len(durations),
    )
    flags = sum(1 << i for i, count in enumerate(optional) if count)
    out = leb128(len(requests)) + b"".join(leb128(count) for count in optional if count)
    if durations:
        out += leb128(sum(durations))
    if len(durations) > 1:
        buckets = Counter(map(bucket, durations))
        listed, run = _list(buckets), _run(buckets)
        if run and len(run) < len(listed):
            return bytes([flags | 8]) + out + run
        return bytes([flags]) + out + listed
    return bytes([flags]) + out


def bucket(us: int) -> int:
    """The bucket of a duration: the 8 leading bits of the number, in the order of their octaves."""
    shift = max(us.bit_length() - 8, 0)
    return (shift << 7) + (us >> shift)


def middle(number: int) -> int:
    """Return the duration that a bucket stands for."""
    if number < 256:
        return number
    shift = number // 128 - 1
    return ((number - shift * 128) << shift) + (1 << shift) // 2


def _list(buckets: Counter[int]) -> bytes:
    out, passed = b"", 0
    for number in sorted(buckets):
        many = buckets[number] > 1
        out += leb128((number - passed) << 1 | many)
        if many:
            out += leb128(buckets[number] - 2)
        passed = number + 1
    return out


def _run(buckets: Counter[int]) -> bytes:
    first, last = min(buckets), max(buckets)
    if 4 * len(buckets) <= last - first:
        return b""
    bits, spread, before, earlier = "", 0, 0, 0
    for count in (buckets[number] for number in range(first, last + 1)):
        difference = count - (before + earlier) // 2
        z = 2 * difference if difference >= 0 else -2 * difference - 1
        bits += _rice(z, next(k for k in range(50) if 4 << k >= spread))
        spread += min(z, 1 << 40) - spread // 4
        before, earlier = count, before
    packed = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    return leb128(first) + leb128(last - first + 1) + packed


def _rice(z: int, k: int) -> str:
    if z >> k < 20:
        return "0" * (z >> k) + "1" + _lowest_first(z, k)
    return "0" * 20 + "1" + _lowest_first(z.bit_length() - 1, 6) + _lowest_first(z, z.bit_length())


def _lowest_first(value: int, count: int) -> str:
    return "".join(str(value >> i & 1) for i in range(count))


def leb128(value: int) -> bytes:
    """A number, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
