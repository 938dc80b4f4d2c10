import pytest

from processor.reading.objects import SourceError, s3_location


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
