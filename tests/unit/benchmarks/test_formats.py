"""All formats of a generated log have the same requests, compressed or not."""

from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.formats import AIMS, gzipped, log_of
from benchmarks.peers import ours, ours_zlib
from processor.reading import compression


@pytest.mark.parametrize("suffix", AIMS)
def test_every_format_comes_to_the_rows_of_the_native_one(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    monkeypatch.setattr(compression, "COMPRESSIONS", compression.COMPRESSIONS)  # puts them back
    expected = sorted(ours.aggregate(run.log(300), 1))
    path = log_of(suffix, AIMS[suffix][0], 300)
    zipped = gzipped(path)
    assert sum(row[2] for row in expected) == 300
    assert sorted(ours.aggregate(path, 2)) == sorted(ours.aggregate(zipped, 2)) == expected
    assert sorted(ours_zlib.aggregate(zipped, 2)) == expected
