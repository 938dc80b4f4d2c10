"""Breakdowns are what counting requests one by one comes to, however they were added up."""

import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats import native
from logstats.domain.breakdown import MAX_ROUTES, Breakdown, Cell, bounded_routes, route_hash
from logstats.domain.histogram import nearest_rank
from tests.breakdowns import NOT_FOUND, OTHER, Seen, encode, encode_cell, leb128

NAMES = [
    NOT_FOUND,
    OTHER,
    b"=GET /v1/orders/{orderId}",
    b"/a",
    b"/a/b",
    *(b"GET /r/%d" % i for i in range(12)),
]
DURATIONS = st.none() | st.integers(0, 600) | st.integers(0, 86_400_000_000) | st.integers(10_000, 12_000)
REQUESTS = st.lists(
    st.builds(
        Seen, st.integers(0, 47), st.sampled_from(NAMES), st.sampled_from([0, 200, 404, 499, 503]), DURATIONS
    ),
    max_size=60,
)
PARTS = st.integers(1, 7)


def many(seed: int, count: int, *, routes: int = 20, spread: float = 1.0) -> list[Seen]:
    """As many requests as property tests cannot draw."""
    choose = random.Random(seed)
    names = [NOT_FOUND, b"=GET /declared", *(b"GET /v1/%d/x" % i for i in range(routes))]
    return [
        Seen(
            choose.randrange(48),
            choose.choice(names),
            choose.choice([200, 201, 404, 429, 500]),
            min(int(choose.lognormvariate(11, spread)), 86_400_000_000) if choose.random() < 0.9 else None,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("parts", range(1, 8))
def test_a_bounded_sum_of_no_requests_has_its_parts(parts: int) -> None:
    nothing = encode([], parts)
    assert native.combine_breakdowns(nothing, nothing, bounded=True) == nothing


@given(REQUESTS, REQUESTS, PARTS, PARTS)
def test_breakdowns_add_up_and_are_subtracted(
    left: list[Seen], right: list[Seen], left_parts: int, right_parts: int
) -> None:
    a, b = Breakdown(encode(left, left_parts)), Breakdown(encode(right, right_parts))
    assert (a.parts, b.parts) == (left_parts, right_parts)
    shared = left_parts & right_parts
    total = a + b
    if not shared:
        assert total is None
        return
    assert total is not None
    assert total.encoded == encode(left + right, shared)
    assert native.sum_breakdowns([a.encoded, b.encoded]) == total.encoded
    if shared == left_parts:
        assert (total - b).encoded == a.encoded
    if not left_parts & ~right_parts or not left:
        return
    with pytest.raises(ValueError, match="does not hold"):
        a - b  # keeps what the other does not: the other cannot have been added


@pytest.mark.parametrize("spread", [0.001, 0.3, 1, 4])
@pytest.mark.parametrize("count", [2, 17, 100, 3_000])
def test_histograms_of_any_shape_are_canonical(count: int, spread: float) -> None:
    left, right = many(1, count, routes=3, spread=spread), many(2, count, routes=4, spread=spread)
    total = native.combine_breakdowns(encode(left), encode(right))
    assert total == encode(left + right)
    assert native.combine_breakdowns(total, encode(right), subtract=True) == encode(left)


def test_a_cell_tells_its_numbers() -> None:
    requests = many(3, 2_000, routes=1)
    breakdown = Breakdown(encode(requests))
    by_slot, by_route = defaultdict[int, list[Seen]](list), defaultdict[str, list[Seen]](list)
    names = {NOT_FOUND: "(not found)", b"=GET /declared": "GET /declared"}
    for seen in requests:
        by_slot[seen.slot].append(seen)
        by_route[names.get(seen.route) or seen.route.decode()].append(seen)
    assert list(breakdown.slots) == sorted(by_slot)
    assert list(breakdown.routes) == ["GET /declared", "GET /v1/0/x", "(not found)"]
    assert breakdown.statuses == {
        status: sum(seen.status == status for seen in requests) for status in (200, 201, 404, 429, 500)
    }
    for slot, group in by_slot.items():
        check_cell(breakdown.slots[slot], group)
    for route, group in by_route.items():
        check_cell(breakdown.routes[route], group)
    whole = breakdown.slots[0] + breakdown.slots[1]
    check_cell(whole, by_slot[0] + by_slot[1])
    assert whole.encoded == encode_cell(by_slot[0] + by_slot[1])


def check_cell(cell: Cell, requests: list[Seen]) -> None:
    durations = sorted(seen.duration_us for seen in requests if seen.duration_us is not None)
    assert cell.total_requests == len(requests)
    assert cell.numbers.counts == (
        len(requests),
        sum(400 <= seen.status < 500 for seen in requests),
        sum(seen.status >= 500 for seen in requests),
        len(requests) - len(durations),
    )
    assert cell.timed_requests == len(durations)
    assert cell.duration_sum_us == sum(durations)
    ranks = [nearest_rank(percent, len(durations)) for percent in (50, 90, 95, 99, 100)]
    exact = [durations[rank - 1] for rank in ranks]
    assert [*cell.percentiles_us(), cell.duration_max_us] == pytest.approx(exact, rel=0.004)


def test_a_single_duration_is_exact_and_none_is_none() -> None:
    one, none = Seen(0, b"/a", 200, 86_400_000_000 - 1), Seen(1, b"/a", 200, None)
    slots = Breakdown(encode([one, none])).slots
    assert slots[0].percentiles_us() == (86_400_000_000 - 1,) * 4
    assert slots[0].duration_max_us == 86_400_000_000 - 1
    assert (slots[1].percentiles_us(), slots[1].duration_max_us) == ((None,) * 4, None)


@pytest.mark.parametrize("middle", [0, 1, 255, 256, 257, 511, 512, 513, 10_000_000, 86_400_000_000])
def test_every_bucket_is_within_its_bounds(middle: int) -> None:
    for duration in range(max(middle - 3, 0), min(middle + 3, 86_400_000_000) + 1):
        cell = Breakdown(encode([Seen(0, b"/a", 200, duration)] * 2)).slots[0]
        assert cell.percentiles_us() == pytest.approx((duration,) * 4, rel=0.004)


def test_a_declared_and_an_undeclared_route_of_one_name_are_one() -> None:
    requests = [Seen(0, b"=GET /a", 200, 5), Seen(0, b"GET /a", 500, 7)]
    [(name, cell)] = Breakdown(encode(requests)).routes.items()
    assert (name, cell.total_requests, cell.duration_sum_us) == ("GET /a", 2, 12)


# ---- The bound ---------------------------------------------------------------------------------------


def scan(names: list[bytes], seed: int) -> list[Seen]:
    """A request or two to each route, in some order."""
    choose = random.Random(seed)
    requests = [Seen(choose.randrange(48), name, 200, choose.randrange(10**6)) for name in names * 2]
    choose.shuffle(requests)
    return requests


@pytest.mark.parametrize("pieces", [2, 3, 7])
def test_united_parts_keep_the_routes_of_the_whole(pieces: int) -> None:
    names = [b"GET /%d" % i for i in range(1_200)] + [b"=GET /declared/%d" % i for i in range(30)]
    requests = scan(names, pieces)
    whole = encode(requests)
    assert len(Breakdown(whole).routes) == MAX_ROUTES + 1
    assert sum(name.startswith("GET /declared/") for name in Breakdown(whole).routes) == 30
    total = Breakdown(encode(requests[::pieces]))
    for piece in range(1, pieces):
        united = total.unite(Breakdown(encode(requests[piece::pieces])))
        assert united is not None
        total = united
    assert total.encoded == whole


def test_all_declared_routes_are_kept() -> None:
    requests = scan([b"=GET /%d" % i for i in range(600)] + [b"GET /other"], 1)
    total = Breakdown(encode(requests[::2])).unite(Breakdown(encode(requests[1::2])))
    assert total is not None
    assert total.encoded == encode(requests)
    assert len(total.routes) == 601
    assert total.routes["(other)"].total_requests == 2


def test_a_sum_of_objects_is_not_bounded() -> None:
    left, right = ([b"/%d/%s" % (i, who) for i in range(400)] for who in (b"a", b"b"))
    total = Breakdown(encode(scan(left, 1))) + Breakdown(encode(scan(right, 2)))
    assert total is not None
    assert len(total.routes) == 800
    assert (total - Breakdown(encode(scan(right, 2)))).encoded == encode(scan(left, 1))


def test_the_hash_is_the_same_everywhere() -> None:
    assert route_hash(b"") == 0
    assert route_hash(b"GET /v1/orders/{id}") == 15148531803894558708
    assert bounded_routes([b"/b", b"/a", b"/a"]) == {b"/a", b"/b"}


# ---- Sums of many ------------------------------------------------------------------------------------


def test_many_are_summed_up_at_once() -> None:
    days = [many(seed, 40) for seed in range(200)]
    rows = [encode(day) for day in days]
    everything = encode([seen for day in days for seen in day], bounded=False)
    assert native.sum_breakdowns(rows) == everything
    assert native.sum_breakdowns(rows[:1]) == rows[0]
    assert native.sum_breakdowns([]) == b""
    assert native.sum_breakdowns([rows[0], encode(days[1], 4)]) == encode(days[0] + days[1], 4)


def test_one_route_is_summed_up_alone() -> None:
    days = [many(seed, 40) for seed in range(50)]
    rows = [encode(day) for day in days]
    for route in (b"GET /v1/7/x", b"GET /declared"):
        wanted = [seen for day in days for seen in day if seen.route.removeprefix(b"=") == route]
        assert native.sum_breakdowns(rows, route) == encode(wanted, 2)
    assert native.sum_breakdowns(rows, b"GET /nobody") == encode([], 2)


# ---- Sizes -------------------------------------------------------------------------------------------


def lognormal(choose: random.Random) -> int:
    return min(int(choose.lognormvariate(11.5, 1)), 86_400_000_000)


def uniform(choose: random.Random) -> int:
    return choose.randrange(10_000, 2_000_000)


@pytest.mark.parametrize("durations", [lognormal, uniform])
@pytest.mark.parametrize(
    ("requests", "limit"), [(1, 16), (17, 60), (100, 120), (10_000, 650), (50_000, 1_000)]
)
def test_cells_are_small(requests: int, limit: int, durations: Callable[[random.Random], int]) -> None:
    choose = random.Random(7)
    seen = [Seen(0, b"/a", choose.choice([200, 404, 500]), durations(choose)) for _ in range(requests)]
    assert len(encode_cell(seen)) <= limit


# ---- What is malformed -------------------------------------------------------------------------------


def malformed() -> dict[str, bytes]:
    def slot(cell: bytes, total: int = 1) -> bytes:
        part = b"\0" + cell
        return bytes([1, 1]) + leb128(total) + leb128(len(part)) + part

    def routes(*items: bytes, total: int = 1) -> bytes:
        part = b"".join(items)
        return bytes([1, 2]) + leb128(total) + leb128(len(part)) + part

    one = b"\0\1\5"  # of 5 microseconds
    return {
        "nothing": b"",
        "another version": b"\2" + encode([])[1:],
        "no part": b"\1\0\0",
        "an unknown part": b"\1\x08\0",
        "more behind": encode([]) + b"\0",
        "a number of two bytes that needs one": b"\1\1\x80\0\0",
        "a part that is too long": b"\1\1\0\1",
        "another total": slot(one, 2),
        "a slot twice": b"\1\1\2\x08" + (b"\3" + one) * 2,
        "slot 48": b"\1\1\1\4\x30" + one,
        "no requests": slot(b"\0\0", 0),
        "an unknown flag": slot(b"\x10\1\5"),
        "a count of zero": slot(b"\1\1\0\5"),
        "more errors than requests": slot(b"\3\1\1\1\5"),
        "more untimed than requests": slot(b"\4\1\2"),
        "a sum of more than a day each": slot(b"\0\1" + leb128(86_400_000_001)),
        "a run of one": slot(b"\x08\1\5"),
        "a list that is cut": slot(b"\0\2\5\2", 2),
        "a list that counts too many": slot(b"\0\2\5\1\1", 2),
        "a list beyond a day": slot(b"\0\2\5" + leb128(3_873 << 1 | 1) + b"\0", 2),
        "a run of no buckets": slot(b"\x08\2\5\0\0", 2),
        "a run whose first bucket is empty": slot(b"\x08\2\x02\0\2" + bytes([0b00100001]), 2),
        "a run of which little is used": slot(b"\x08\2\2\1\x09" + bytes([0b00000100]) * 9, 2),
        "a run that ends in ones": slot(b"\x08\2\2\1\1" + bytes([0b11110000]), 2),
        "a run that is cut": slot(b"\x08\2\2\1\1" + bytes([0]), 2),
        "an empty name": routes(b"\0\0" + one),
        "a name that is no route": routes(b"\0\1a" + one),
        "a name with a control character": routes(b"\0\2/\x07" + one),
        "names out of order": routes(b"\0\2/b" + one, b"\1\1a" + one, total=2),
        "a name twice": routes(b"\0\2/b" + one, b"\0\2/b" + one, total=2),
        "a name that shares too much": routes(b"\1\1/" + one),
        "a name that is too long": routes(b"\0\xff/" + b"a" * 254 + one, b"\xff\1a" + one, total=2),
        "a status twice": b"\1\4\2\4\1\1\0\1",
        "status 1000": b"\1\4\1\3" + leb128(1_001) + b"\1",
        "a status without requests": b"\1\4\0\2\1\0",
    }


@pytest.mark.parametrize("problem", malformed())
def test_what_is_malformed_is_refused(problem: str) -> None:
    data, good = malformed()[problem], encode([])
    for read in (
        lambda: Breakdown(data).slots,
        lambda: native.combine_breakdowns(good, data),
        lambda: native.combine_breakdowns(data, good, bounded=True),
        lambda: native.sum_breakdowns([good, data]),
    ):
        with pytest.raises(ValueError, match="malformed breakdown"):
            read()


def test_the_examples_are_malformed_in_that_alone() -> None:
    """Read what they are made from."""
    assert Breakdown(b"\1\1\1\4\0\0\1\5").slots[0].duration_sum_us == 5
    assert Breakdown(b"\1\1\2\7\0\x08\2\2\1\1" + bytes([0b00010000])).slots[0].duration_max_us == 1
    assert list(Breakdown(b"\1\2\2\x0d\0\2/b\0\1\5\1\1c\0\1\5").routes) == ["/b", "/c"]
    assert Breakdown(b"\1\4\2\4\1\1\1\1").statuses == {0: 1, 1: 1}


@given(REQUESTS, st.data())
def test_whatever_is_read_is_added_up(requests: list[Seen], data: st.DataObject) -> None:
    encoded = bytearray(encode(requests))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = Breakdown(bytes(encoded))
        statuses = read.statuses
    except ValueError:
        return
    other = Breakdown(encode([Seen(5, b"/a", 200, 7)]))
    total = read + other
    if total and not read.parts & ~7:
        assert Breakdown((total - other).encoded).statuses == statuses


@pytest.mark.parametrize(
    "right",
    [
        [Seen(1, b"/a", 200, 5)],
        [Seen(0, b"/b", 200, 5)],
        [Seen(0, b"/a", 404, 5)],
        [Seen(0, b"/a", 200, 6)],
        [Seen(0, b"/a", 200, None)],
        [Seen(0, b"/a", 200, 5)] * 3,
    ],
)
def test_what_was_not_added_is_not_subtracted(right: list[Seen]) -> None:
    left = [Seen(0, b"/a", 200, 5), Seen(0, b"/a", 200, 5)]
    with pytest.raises(ValueError, match="does not hold what is subtracted"):
        Breakdown(encode(left)) - Breakdown(encode(right))


def test_more_requests_than_can_be_counted_are_refused() -> None:
    huge = b"\1\4" + leb128(2**63 - 1) + b"\x0a\1" + leb128(2**63 - 1)
    assert Breakdown(huge).statuses == {0: 2**63 - 1}
    with pytest.raises(ValueError, match="more requests than can be counted"):
        native.combine_breakdowns(huge, huge)
    with pytest.raises(ValueError, match="more requests than can be counted"):
        native.sum_breakdowns([huge, huge])
