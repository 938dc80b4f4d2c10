"""The arithmetic of docs/scaling.md, where the answer is known without it, and the page itself."""

import re

import pytest

from benchmarks.figures import rewritten
from benchmarks.scaling import PAGE, PROCESSORS, SIZES, figures, limits
from cdk.processor import ProcessorParameters


def test_limits_are_computed_by_hand() -> None:
    """An object of 100 MB: a second from S3, which the parser waits for, and 0.6 s in the commit."""
    objects = [86_400 / 0.6, 10 * 86_400 / 1.6]
    assert limits((0.1, 0.6), 100) == pytest.approx([100e6 * each / 1e12 for each in objects])


def test_it_assumes_what_prod_has() -> None:
    assert ProcessorParameters().maximum_concurrency == PROCESSORS


def test_the_page_has_what_is_measured_and_marks_what_is_full_first() -> None:
    written = rewritten(PAGE.read_text(encoding="utf-8"), figures(dict.fromkeys(SIZES, (0.1, 0.6))))
    for page in (written, PAGE.read_text(encoding="utf-8")):
        rows = re.findall(r"^\| ([\d,]+), ([\d,]+) \|.*\*\*[\d.,]+\*\*.*$", page, re.MULTILINE)
        assert rows == [(f"{megabytes:,}", f"{customers:,}") for megabytes, customers in SIZES]
    assert "a commit of 1,000 customers takes 600 ms, so a day has room for 144,000." in written
