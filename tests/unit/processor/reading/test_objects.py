from pathlib import Path

import psutil
import pytest

from processor.reading.objects import LocalFile, SourceError, s3_location


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("s3://bucket/key", ("bucket", "key")),
        ("s3://bucket/a/b c.log", ("bucket", "a/b c.log")),
        ("s3://bucket//key", ("bucket", "/key")),
        ("a.log", None),
        ("/folder/s3://bucket/key", None),
    ],
)
def test_s3_uris_and_paths(source: str, location: tuple[str, str] | None) -> None:
    assert s3_location(source) == location


@pytest.mark.parametrize("source", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key"])
def test_a_uri_without_bucket_or_key_is_an_error_that_says_the_form(source: str) -> None:
    with pytest.raises(SourceError, match="is named s3://bucket/key"):
        s3_location(source)


def test_a_range_that_is_closed_leaves_no_descriptor(tmp_path: Path) -> None:
    path, process = tmp_path / "a.log", psutil.Process()
    path.write_bytes(b"0123456789")
    before = process.num_fds()
    opened = LocalFile.at(path).open_range(2, 8)
    buffer = bytearray(20)
    assert opened.readinto(memoryview(buffer)) == 6
    assert buffer[:6] == b"234567"
    assert process.num_fds() == before + 1
    opened.close()
    assert process.num_fds() == before


def test_a_file_that_becomes_shorter_while_it_is_read_has_not_simply_ended(tmp_path: Path) -> None:
    path, buffer = tmp_path / "a.log", memoryview(bytearray(6))
    path.write_bytes(b"0123456789")
    opened = LocalFile.at(path).open_range(0, 10)
    path.write_bytes(b"01234567")
    assert [opened.readinto(buffer), opened.readinto(buffer)] == [6, 2]
    with pytest.raises(SourceError, match="became shorter while it was read"):
        opened.readinto(buffer)
    opened.close()
