import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([1, 4, None, 8], 10, "▁▄·█"),
        ([0, 0], 10, "▁▁"),
        ([5], 10, "█"),
        ([None], 10, "·"),
        ([], 10, ""),
        ([8, 8, 4, 4, None, None], 3, "█▄·"),
        ([8, None], 1, "█"),
        ([0.001, 1000], 10, "▁█"),
    ],
)
def test_heights_follow_the_values(values: list[float | None], width: int, line: str) -> None:
    assert sparkline(values, width) == line


@given(st.lists(st.none() | st.floats(0, 1e9)), st.integers(1, 100))
def test_the_line_fits_and_its_highest_bar_is_full(values: list[float | None], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(width, len(values))
    if len(values) <= width and any(values):
        assert "█" in line
