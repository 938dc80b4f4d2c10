"""Half-hours added up and written by the kernel, against cells added up in Python."""

import json
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.breakdown import Breakdown, Cell
from logstats.native import SLOTS, STATUSES, write_periods
from tests.breakdowns import Seen, encode

NAMES = (
    *("total", "timed", "success", "failed", "client", "server", "uptime", "mean"),
    *("p50", "p90", "p95", "p99", "max"),
)
TEXTS = [b'{"label":"', b'","total":', *(f',"{name}":'.encode() for name in NAMES[1:]), b"}", b",", b"null"]

durations = st.none() | st.sampled_from((0, 1, 86_400_000_000)) | st.integers(0, 86_400_000_000)
seen = st.builds(
    Seen, st.integers(0, 47), st.just(b"/a"), st.sampled_from((0, 200, 404, 499, 500, 599)), durations
)
days = st.lists(st.lists(seen, min_size=1, max_size=9), min_size=1, max_size=4)


def written(breakdowns: list[bytes], labels: list[bytes], key_length: int) -> list[dict[str, Any]]:
    text = write_periods(breakdowns, b"".join(labels), key_length, TEXTS)
    found: list[dict[str, Any]] = json.loads(b"[%b]" % text)
    return found


def row(label: bytes, cells: list[Cell]) -> dict[str, Any]:
    """Return what Python makes of cells: each quotient is of integers, and the double next to it."""
    whole = cells[0]
    for cell in cells[1:]:
        whole += cell
    total, client, server, untimed = whole.numbers.counts
    timed = total - untimed
    values = (*whole.percentiles_us(), whole.duration_max_us)
    return {
        "label": label.decode(),
        **dict(
            zip(
                NAMES[:6],
                (total, timed, total - client - server, client + server, client, server),
                strict=True,
            )
        ),
        "uptime": 100 * (total - server) / total,
        "mean": whole.duration_sum_us / (timed * 1_000_000) if timed else None,
        **{name: None if us is None else us / 1_000_000 for name, us in zip(NAMES[8:], values, strict=True)},
    }


@given(days, st.integers(1, 48), st.sets(st.integers(0, 47)))
def test_periods_are_those_of_cells_added_up(
    requests: list[list[Seen]], length: int, left_out: set[int]
) -> None:
    breakdowns = [encode(each) for each in requests]
    labels = [
        bytes(4) if number % 48 in left_out else b"%04d" % (number // length)
        for number in range(48 * len(breakdowns))
    ]
    cells = [
        (labels[48 * day + slot], cell)
        for day, each in enumerate(breakdowns)
        for slot, cell in Breakdown(each).slots.items()
        if slot not in left_out
    ]
    expected = [
        row(label, [cell for _, cell in group]) for label, group in groupby(cells, key=lambda pair: pair[0])
    ]
    assert written(breakdowns, labels, 4) == expected
    together = written(breakdowns, labels, 0)
    assert together == ([row(cells[0][0], [cell for _, cell in cells])] if cells else [])


@given(st.integers(1, 10**6), st.integers(0, 86_400_000_000))
def test_a_mean_is_as_short_as_pythons_and_the_same(count: int, us: int) -> None:
    """Of so many requests the first takes all the time."""
    one = encode([Seen(0, b"/a", 200, us), *[Seen(0, b"/a", 200, 0)] * (count % 50)])
    text = write_periods([one], b"x" * 48, 1, TEXTS)
    mean = text.split(b'"mean":')[1].split(b",")[0].decode()
    exact = us / ((count % 50 + 1) * 1_000_000)
    assert float(mean) == exact
    if exact >= 1e-4 or not exact:  # below, Python has an exponent
        assert mean == repr(exact)


@pytest.mark.parametrize(
    ("breakdown", "labels", "key_length", "texts", "message"),
    [
        (b"\x01", 48, 1, 17, "malformed breakdown"),
        (encode([Seen(0, b"/a", 200, 1)])[:-1], 48, 1, 17, "malformed breakdown"),
        (encode([Seen(0, b"/a", 200, 1)], STATUSES), 48, 1, 17, "malformed breakdown"),
        (encode([Seen(0, b"/a", 200, 1)], SLOTS), 47, 1, 17, "47 bytes are no labels of 48 half-hours"),
        (encode([Seen(0, b"/a", 200, 1)], SLOTS), 48, 2, 17, "48 bytes are no labels of 48 half-hours"),
        (encode([Seen(0, b"/a", 200, 1)], SLOTS), 48, 1, 16, "16 texts are not 17"),
    ],
)
def test_what_is_malformed_is_refused(
    breakdown: bytes, labels: int, key_length: int, texts: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_periods([breakdown], b"x" * labels, key_length, TEXTS[:texts])


def test_without_breakdowns_there_is_no_text() -> None:
    assert write_periods([], b"", 0, TEXTS) == b""
