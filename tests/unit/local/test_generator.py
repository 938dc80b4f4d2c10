"""The generator: the same bytes for the same arguments.

The digest stands for what was found once of these bytes: well-formed, uniform, in random order.
"""

import datetime as dt
import hashlib
import tracemalloc
from pathlib import Path

import pytest

from local.generator import Traffic

COMMITTED = Path(__file__).parents[3] / "api_requests.log"


def log(lines: int, traffic: Traffic | None = None) -> bytes:
    return b"".join((traffic or Traffic()).log(lines))


def test_the_committed_file_is_the_default_output_whose_bytes_never_change() -> None:
    """The committed file could be generated anew with a change; this digest is written down."""
    assert COMMITTED.read_bytes() == log(10_000)
    digest = hashlib.sha256(log(10_000)).hexdigest()
    # pragma: allowlist nextline secret - a digest
    assert digest == "11d6c7b82604bc34f16702edb6c6c892d61b91d120ab619ab2ef63fc9dd1e43c"


@pytest.mark.parametrize("lines", [0, 1, 8191, 8192, 8193, 20_000])
def test_blocks_hold_whole_lines_and_a_shorter_log_is_a_prefix(lines: int) -> None:
    blocks = list(Traffic().log(lines))
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks).count(b"\n") == lines
    assert log(20_000).startswith(b"".join(blocks))


def test_the_days_end_with_the_last_one() -> None:
    dates = {line[:10] for line in log(10_000).splitlines()}
    last = dt.date(2024, 10, 3)
    assert dates == {str(last - dt.timedelta(days=back)).encode() for back in range(30)}
    leap_day = log(500, Traffic(end=dt.date(2024, 2, 29), days=1))
    assert {line[:10] for line in leap_day.splitlines()} == {b"2024-02-29"}


def test_memory_does_not_depend_on_the_number_of_lines() -> None:
    def peak(lines: int) -> int:
        tracemalloc.start()
        for _ in Traffic().log(lines):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(32_768) < 1.05 * peak(16_384)
