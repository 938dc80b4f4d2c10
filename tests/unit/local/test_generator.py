"""The generator: reproducible, well-formed, uniform, in random order."""

import datetime as dt
import hashlib
import re
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from local.generator import DURATIONS_MS, PATHS, STATUS_CODES, Traffic
from logstats.domain.line import LogLine, parse_line

COMMITTED = Path(__file__).parents[3] / "api_requests.log"
LINE = re.compile(
    r"2024-(?:09|10)-\d\d \d\d:\d\d:\d\d cust_(?:[1-9]|[1-4]\d|50) /api/v1/resource[1-4]"
    r" (?:200|201|400|401|403|404|500) (?:0\.[1-9]\d\d|1\.\d{3}|2\.000)"
)


def log(lines: int, traffic: Traffic | None = None) -> bytes:
    return b"".join((traffic or Traffic()).log(lines))


def test_the_committed_file_is_the_default_output() -> None:
    assert COMMITTED.read_bytes() == log(10_000)


def test_the_bytes_never_change() -> None:
    """The committed file could be generated anew with a change; this digest is written down."""
    digest = hashlib.sha256(log(10_000)).hexdigest()
    # pragma: allowlist nextline secret - a digest
    assert digest == "11d6c7b82604bc34f16702edb6c6c892d61b91d120ab619ab2ef63fc9dd1e43c"


def test_a_seed_is_a_log() -> None:
    assert log(100, Traffic(seed=7)) == log(100, Traffic(seed=7))
    assert log(100, Traffic(seed=7)) != log(100, Traffic(seed=8))


@pytest.mark.parametrize("lines", [0, 1, 8191, 8192, 8193, 20_000])
def test_blocks_hold_whole_lines_and_a_shorter_log_is_a_prefix(lines: int) -> None:
    blocks = list(Traffic().log(lines))
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks).count(b"\n") == lines
    assert log(20_000).startswith(b"".join(blocks))


def test_every_line_has_the_shape_of_the_assignment_and_is_accepted() -> None:
    for line in log(10_000).decode("ascii").splitlines():
        assert LINE.fullmatch(line)
        assert isinstance(parse_line(line.encode()), LogLine)


def test_the_days_end_with_the_last_one() -> None:
    dates = {line[:10] for line in log(10_000).splitlines()}
    last = dt.date(2024, 10, 3)
    assert dates == {str(last - dt.timedelta(days=back)).encode() for back in range(30)}
    leap_day = log(500, Traffic(end=dt.date(2024, 2, 29), days=1))
    assert {line[:10] for line in leap_day.splitlines()} == {b"2024-02-29"}


def test_values_are_uniform() -> None:
    """Each value's count is within six standard deviations of its expectation."""
    lines = 200_000
    columns = list(zip(*(line.split() for line in log(lines).splitlines()), strict=True))
    expected = (30, None, 50, len(PATHS), len(STATUS_CODES), len(DURATIONS_MS))
    for column, values in zip(columns, expected, strict=True):
        if values is None:
            continue
        mean = lines / values
        counts = Counter(column)
        assert len(counts) == values
        assert all(abs(count - mean) < 6 * (mean * (1 - 1 / values)) ** 0.5 for count in counts.values())


def test_times_cover_the_day() -> None:
    hours = Counter(line[11:13] for line in log(24_000).splitlines())
    assert len(hours) == 24
    assert all(abs(count - 1000) < 6 * 1000**0.5 for count in hours.values())


def test_lines_are_in_random_order() -> None:
    stamps = [line[:19] for line in log(10_000).splitlines()]
    ascents = sum(a <= b for a, b in pairwise(stamps))
    assert 4_700 < ascents < 5_300


def test_memory_does_not_depend_on_the_number_of_lines() -> None:
    def peak(lines: int) -> int:
        tracemalloc.start()
        for _ in Traffic().log(lines):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(80_000) < 1.05 * peak(16_384)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"days": 0},
        {"customers": 0},
        {"end": dt.date(1970, 1, 5), "days": 6},
        {"end": dt.date(2200, 1, 1)},
        {"end": dt.date(1969, 12, 31), "days": 1},
    ],
)
def test_impossible_traffic_is_an_error(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|not all within"):
        Traffic(**options)  # type: ignore[arg-type]  # deliberately loose


def test_the_whole_calendar_of_log_lines_can_be_generated() -> None:
    traffic = Traffic(end=dt.date(2199, 12, 31), days=(dt.date(2199, 12, 31) - dt.date(1970, 1, 1)).days + 1)
    years = {line[:4] for line in log(20_000, traffic).splitlines()}
    assert min(years) == b"1970"
    assert max(years) == b"2199"
