"""Contributions added to statistics: rows in and arrays out, held against sums of `DailySummary`."""

import datetime as dt
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from itertools import groupby, product
from operator import add
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format
from psycopg.types.numeric import Int8

from logstats import rows
from logstats.domain.breakdown import Breakdown
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import DailySummary
from logstats.models import DailyStatistics
from logstats.native import Merged, merge_rows
from tests.breakdowns import Seen, encode

TRAILER = b"\xff\xff"
OIDS = {"TEXT": 1009, "DATE": 1182, "BIGINT": 1016, "NUMERIC(38, 0)": 1231, "BLOB": 1001}
"""Arrays of a type, by the type."""
DATE = dt.date(2024, 9, 4)

Key = tuple[str, dt.date]
Row = tuple[int, Key, DailySummary, DailySummary | None]
"""An attempt, the customer and day, its contribution, and the day's statistics."""


def encoded(found: Iterable[Row]) -> bytes:
    """Rows as PostgreSQL's COPY writes them."""
    return b"".join(row_of(*row) for row in found) + TRAILER


def row_of(attempt: int, key: Key, contribution: DailySummary, statistics: DailySummary | None) -> bytes:
    values = [Int8(attempt), *key, *values_of(contribution), *values_of(statistics)]
    return struct.pack(">h", len(values)) + b"".join(map(cell, values))


def values_of(summary: DailySummary | None) -> list[Any]:
    if summary is None:
        return [None] * len(rows.SUMMARY)
    numbers = [(name, getattr(summary, name)) for name in rows.NUMBERS]
    return [
        *(
            value if value is None else Decimal(value) if name == "duration_sum_us" else Int8(value)
            for name, value in numbers
        ),
        summary.histogram.encoded,
        summary.breakdown and summary.breakdown.encoded,
    ]


def cell(value: object) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    data = Transformer().get_dumper(value, PyFormat.BINARY).dump(value)
    assert data is not None
    return struct.pack(">i", len(data)) + data


def decoded(names: Sequence[str], arrays: Sequence[bytes]) -> list[tuple[Any, ...]]:
    """The rows of columns that are arrays of the types of the table's columns."""
    columns = []
    for name, array in zip(names, arrays, strict=True):
        sql_type = str(DailyStatistics.__table__.c[name].type).partition(" COLLATE")[0]
        columns.append(Transformer().get_loader(OIDS[sql_type], Format.BINARY).load(array) if array else [])
    return list(zip(*columns, strict=True))


def days_of(merged: Merged) -> dict[Key, tuple[Any, ...]]:
    found = {row[:2]: row[2:] for row in decoded((*rows.KEY, *rows.COLUMNS), merged.columns)}
    assert len(found) == merged.days
    return found


def summary(rng: Random, parts: int = 7) -> DailySummary:
    """Summarise some requests of one object, with these parts of a breakdown, or none."""
    seen = [
        Seen(
            rng.randrange(48),
            b"/r%d" % rng.randrange(700),
            rng.choice((200, 404, 503)),
            rng.choice((None, rng.randrange(10**9), 1_000 * rng.randrange(100))),
        )
        for _ in range(rng.choice((1, 2, 5, 600)))
    ]
    timed = [each.duration_us for each in seen if each.duration_us is not None]
    return DailySummary(
        len(seen),
        sum(each.status == 404 for each in seen),
        sum(each.status == 503 for each in seen),
        len(seen) - len(timed),
        sum(timed),
        min(timed, default=None),
        max(timed, default=None),
        LatencyHistogram.of(timed),
        Breakdown(encode(seen, parts)) if parts else None,
    )


def added_up(
    contributions: Iterable[tuple[int, DailySummary]], statistics: DailySummary | None
) -> DailySummary:
    """The sum as `DailySummary` has it: parts of an attempt are united."""
    attempts = (
        reduce(DailySummary.unite, (each for _, each in group))
        for _, group in groupby(contributions, lambda pair: pair[0])
    )
    return reduce(add, attempts if statistics is None else (statistics, *attempts))


@given(st.integers(0, 2**64 - 1))
def test_days_are_added_up_as_summaries_are(seed: int) -> None:
    rng = Random(seed)
    keys = sorted(
        set(
            product(
                rng.sample(["a", "ab", "b", "ü" * 255], 3),
                rng.sample([DATE, dt.date(1970, 1, 1), dt.date(2999, 12, 31)], 2),
            )
        )
    )
    found: list[Row] = []
    expected, repeated = {}, dict.fromkeys((3, 7, 11), 0)
    for key in keys:
        kept = [rng.choice((0, 1, 6, 7, 7, 7)) for _ in range(2)]
        statistics = rng.choice((None, summary(rng, kept[0])))
        attempts = sorted(rng.choices((3, 7, 11), k=rng.randrange(1, 5)))
        contributions = [(attempt, summary(rng, kept[1])) for attempt in attempts]
        for attempt in set(attempts):
            repeated[attempt] += attempts.count(attempt) - 1
        found += [(attempt, key, each, statistics) for attempt, each in contributions]
        expected[key] = rows.from_summary(added_up(contributions, statistics))
    merged = merge_rows(encoded(found), [3, 7, 11])
    assert days_of(merged) == expected
    assert merged.postponed == (b"", b"")
    assert merged.repeated == list(repeated.values())


@pytest.mark.parametrize("total", [0, 1, 9_999, 10_000, 10**8, 2**63, 2**64 - 1, 2**64, 10**12 + 1, 10**37])
def test_sums_of_durations_are_exact(total: int) -> None:
    one = replace(summary(Random(1)), duration_sum_us=total)
    merged = merge_rows(encoded([(1, ("a", DATE), one, replace(one, duration_sum_us=10**37))]), [1])
    (values,) = days_of(merged).values()
    assert values[rows.COLUMNS.index("duration_sum_us")] == total + 10**37


def stale(one: DailySummary) -> DailySummary:
    """Statistics to which code that knows no breakdown has added requests without a duration."""
    more = {"total_requests": one.total_requests + 1, "untimed_requests": one.untimed_requests + 1}
    return replace(one, **more)  # type: ignore[arg-type]  # mypy does not know the names


ONE = summary(Random(5))
OTHER_HISTOGRAM = replace(ONE, histogram=LatencyHistogram(b"\x09\x01\x01"))
OTHER_BREAKDOWN = replace(ONE, breakdown=Breakdown(b"\x09\x01\x01"))
TOO_MANY = replace(
    ONE, total_requests=2**63 - 1, untimed_requests=2**63 - 1 - ONE.timed_requests, breakdown=None
)


@pytest.mark.parametrize(
    ("attempt", "contribution", "statistics"),
    [
        pytest.param(2, ONE, ONE, id="something is subtracted"),
        pytest.param(1, ONE, stale(ONE), id="the breakdown is stale"),
        pytest.param(1, OTHER_HISTOGRAM, ONE, id="a contribution's histogram is of another version"),
        pytest.param(1, ONE, OTHER_HISTOGRAM, id="the histogram is of another version"),
        pytest.param(1, OTHER_BREAKDOWN, ONE, id="a contribution's breakdown is of another version"),
        pytest.param(1, ONE, OTHER_BREAKDOWN, id="the breakdown is of another version"),
        pytest.param(
            1, ONE, replace(ONE, histogram=LatencyHistogram()), id="there are durations without a histogram"
        ),
        pytest.param(1, ONE, TOO_MANY, id="too many requests"),
    ],
)
def test_other_days_are_postponed(attempt: int, contribution: DailySummary, statistics: DailySummary) -> None:
    found: list[Row] = [
        (1, ("a", DATE), ONE, None),
        (attempt, ("b", DATE), contribution, statistics),
        (1, ("c", DATE), ONE, ONE),
    ]
    merged = merge_rows(encoded(found), [1])
    assert decoded(rows.KEY, merged.postponed) == [("b", DATE)]
    assert days_of(merged) == {("a", DATE): rows.from_summary(ONE), ("c", DATE): rows.from_summary(ONE + ONE)}


def test_what_is_postponed_still_counts_its_parts() -> None:
    found: list[Row] = [(attempt, ("a", DATE), ONE, stale(ONE)) for attempt in (1, 1, 1, 2, 2, 9, 9)]
    assert merge_rows(encoded(found), [2, 1]).repeated == [1, 2]


def test_no_rows_are_no_days() -> None:
    assert merge_rows(TRAILER, [1]) == Merged(0, (b"",) * (2 + len(rows.COLUMNS)), (b"", b""), [0])


SOME = encoded([(1, ("a", DATE), ONE, None), (1, ("b", DATE), ONE, ONE)])


def test_rows_that_are_cut_off_are_malformed() -> None:
    for length in range(len(SOME)):
        with pytest.raises(ValueError, match="malformed rows"):
            merge_rows(SOME[:length], [1])
    with pytest.raises(ValueError, match="malformed rows"):
        merge_rows(SOME + b"\0", [1])


@given(st.integers(0, len(SOME) - 1), st.integers(1, 255))
def test_any_byte_may_be_wrong(place: int, change: int) -> None:
    broken = bytearray(SOME)
    broken[place] ^= change
    try:
        merge_rows(bytes(broken), [1])
    except ValueError as error:
        assert str(error) == "malformed rows"  # noqa: PT017 - that there is none is right, too


UNTIMED = replace(
    ONE,
    untimed_requests=ONE.total_requests,
    duration_min_us=None,
    duration_max_us=None,
    histogram=LatencyHistogram(),
)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ONE, total_requests=-1),
        replace(ONE, duration_sum_us=-1),
        replace(ONE, duration_min_us=None),
        replace(ONE, duration_max_us=None),
        replace(ONE, untimed_requests=ONE.total_requests + 1),
        replace(UNTIMED, duration_max_us=1),
        replace(ONE, breakdown=Breakdown(b"")),
        replace(ONE, duration_sum_us=10**39),
    ],
)
def test_values_that_no_summary_has_are_malformed(wrong: DailySummary) -> None:
    merge_rows(encoded([(1, ("a", DATE), UNTIMED, ONE)]), [1])
    for found in ((1, ("a", DATE), wrong, ONE), (1, ("a", DATE), ONE, wrong)):
        with pytest.raises(ValueError, match="malformed rows"):
            merge_rows(encoded([found]), [1])


@pytest.mark.parametrize(
    "numeric",
    [
        b"",
        struct.pack(">HhHH", 0, 0, 0xC000, 0),
        struct.pack(">HhHHH", 1, 0, 0x4000, 0, 1),
        struct.pack(">HhHHH", 1, 0, 0, 1, 1),
        struct.pack(">HhHHH", 1, -1, 0, 0, 1),
        struct.pack(">HhHHH", 1, 10, 0, 0, 1),
        struct.pack(">HhHHHH", 2, 0, 0, 0, 1, 1),
        struct.pack(">HhHHH", 2, 1, 0, 0, 1),
        struct.pack(">HhHHH", 1, 0, 0, 0, 10_000),
    ],
)
def test_a_sum_that_is_no_whole_number_is_malformed(numeric: bytes) -> None:
    good = cell(Decimal(ONE.duration_sum_us))
    row = encoded([(1, ("a", DATE), ONE, None)])
    assert row.count(good) == 1
    with pytest.raises(ValueError, match="malformed rows"):
        merge_rows(row.replace(good, struct.pack(">i", len(numeric)) + numeric), [1])
