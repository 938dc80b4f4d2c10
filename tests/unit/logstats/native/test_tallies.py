"""Breakdowns of many requests: lists that are taken up, routes that are left out, memory that is bounded."""

import random
from collections.abc import Iterable, Sequence

import pytest

from logstats.domain.batch import SummaryBatch
from logstats.domain.breakdown import MAX_ROUTES, Breakdown
from logstats.domain.route import parse_routes
from logstats.native import EVERYTHING, Aggregator, Kept, compile_routes
from tests import reference
from tests.breakdowns import NOT_FOUND, Seen, encode
from tests.reference import ROUTES, aggregate, by_kernel

KEPT = Kept(7, compile_routes(ROUTES))


def line(path: str, *, second: int = 0, status: int = 200, ms: int = 5, customer: str = "c") -> bytes:
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"2024-09-03 {clock} {customer} {path} {status} {ms // 1000}.{ms % 1000:03}\n".encode()


def requests(seed: int, count: int, paths: Sequence[str], spread: float = 1.0) -> list[bytes]:
    choose = random.Random(seed)
    return [
        line(
            choose.choice(paths),
            second=choose.randrange(86_400),
            status=choose.choice([200] * 8 + [404, 429, 500, 503]),
            ms=min(int(choose.lognormvariate(4.5, spread)), 86_399_000),
        )
        for _ in range(count)
    ]


def broken_down(lines: Iterable[bytes], kept: Kept = KEPT) -> Breakdown:
    aggregator = Aggregator(kept=kept)
    aggregator.feed(b"".join(lines))
    [(*_, encoded)] = aggregator.drain()
    return Breakdown(encoded)


@pytest.mark.parametrize("spread", [0.01, 1, 3])
@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 513, 6_000])
def test_however_many_requests_a_day_has(count: int, spread: float) -> None:
    """A list of requests that is full, and lists of durations that are taken up."""
    lines = requests(count, count, ["/a", "/b", "/v1/orders/7", "/x/%"], spread)
    assert by_kernel([b"".join(lines)]).summaries == aggregate(b"".join(lines)).summaries


@pytest.mark.parametrize("declared", [0, 3, 450, 700])
@pytest.mark.parametrize("routes", [400, 600, 1_100, 2_500])
def test_routes_are_bounded_whatever_the_order_and_the_parts(routes: int, declared: int) -> None:
    known = [f"/declared/r{number}x" for number in range(declared)]
    paths = [f"/found/r{number}x" for number in range(routes)] + known
    lines = requests(1, 2, paths) + [line(path, second=number) for number, path in enumerate(paths)] * 2
    kept = Kept(7, compile_routes(parse_routes(known)))
    names = {path: path.encode() for path in paths} | {path: f"={path}".encode() for path in known}
    whole = broken_down(lines, kept)
    assert whole.encoded == encode(named(lines, names))
    own = [name for name in whole.routes if not name.startswith("(")]
    assert len(own) == min(routes + declared, max(MAX_ROUTES, declared))
    choose = random.Random(2)
    for _ in range(3):
        choose.shuffle(lines)
        assert broken_down(lines, kept) == whole
        cut = choose.randrange(len(lines))
        parts = [batch(lines[:cut], kept), batch(lines[cut:], kept)]
        [(_, summary)] = parts[0] + parts[1] if choose.random() < 0.5 else parts[1] + parts[0]
        assert summary.breakdown == whole


def named(lines: Sequence[bytes], names: dict[str, bytes]) -> list[Seen]:
    """Return what is known of requests whose routes are their paths."""
    return [
        reference.seen(each, ())._replace(
            route=NOT_FOUND if each.status_code == 404 else names[each.path or ""]
        )
        for each in reference.requests(lines)
    ]


def batch(lines: Sequence[bytes], kept: Kept) -> SummaryBatch:
    aggregator = Aggregator(kept=kept)
    aggregator.feed(b"".join(lines))
    return SummaryBatch(b"".join(encoded for _, _, encoded in aggregator.drain_batches(1)))


def scan(count: int, status: int) -> list[bytes]:
    choose = random.Random(3)
    alphabet = "ghijklmnopqrstuvwxyz"  # not hexadecimal
    return [
        line(
            "/" + "".join(choose.choices(alphabet, k=12)),
            second=choose.randrange(86_400),
            status=status,
            ms=choose.randrange(900),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_a_scan_takes_little(count: int) -> None:
    """Random paths that are not found."""
    aggregator = Aggregator(kept=EVERYTHING)
    aggregator.feed(b"".join(scan(count, 404)))
    assert aggregator.memory < 2 << 20
    [(*_, encoded)] = aggregator.drain()
    assert len(encoded) < 64 << 10
    assert list(Breakdown(encoded).routes) == ["(not found)"]


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_a_scan_that_finds_everything_takes_little(count: int) -> None:
    lines = scan(count, 200)
    aggregator = Aggregator(kept=EVERYTHING)
    aggregator.feed(b"".join(lines))
    assert aggregator.memory < 2 << 20
    [(*_, encoded)] = aggregator.drain()
    assert len(encoded) < 64 << 10
    routes = Breakdown(encoded).routes
    assert len(routes) == MAX_ROUTES + 1
    assert sum(cell.total_requests for cell in routes.values()) == count
    random.Random(4).shuffle(lines)
    assert broken_down(lines, EVERYTHING).encoded == encoded


def test_memory_is_given_back() -> None:
    aggregator = Aggregator(kept=KEPT)
    aggregator.feed(b"".join(requests(5, 3_000, [f"/p{number}x" for number in range(1_500)])))
    assert aggregator.memory > 100_000
    list(aggregator.drain())
    assert aggregator.memory == 0


def test_memory_follows_the_customers() -> None:
    """A customer's day of one request takes a few hundred bytes."""
    aggregator = Aggregator(kept=KEPT)
    aggregator.feed(b"".join(line("/a", customer=f"c{number}") for number in range(10_000)))
    assert 100 < aggregator.memory / 10_000 < 500


@pytest.mark.parametrize("parts", range(8))
def test_only_what_is_kept_is_broken_down(parts: int) -> None:
    lines = requests(6, 500, ["/a", "/b"])
    aggregator = Aggregator(kept=Kept(parts))
    aggregator.feed(b"".join(lines))
    [(*_, encoded)] = aggregator.drain()
    seen = [reference.seen(each, ()) for each in reference.requests(lines)]
    assert encoded == (encode(seen, parts) if parts else b"")


def test_parts_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="malformed"):
        Aggregator(kept=Kept(8))


def test_an_aggregator_counts_again_after_it_was_drained() -> None:
    aggregator, lines = Aggregator(kept=KEPT), requests(7, 400, ["/a", "/b/7"])
    drained = []
    for _ in range(2):
        aggregator.feed(b"".join(lines))
        drained.append(list(aggregator.drain()))
    assert drained[0] == drained[1]
