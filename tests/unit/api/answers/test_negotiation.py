import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.answers.negotiation import accepts_gzip, disposition, matches, preferred
from api.answers.representation import Format


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/*", "csv"),
        ("text/csv, application/json", "json"),
        ("text/csv, application/json;q=0.9", "csv"),
        ("text/csv;q=0.5, */*;q=0.1", "csv"),
        ("text/csv;q=0.1, */*;q=0.5", "json"),
        ("text/csv;q=0", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("image/png", "json"),
        ("text/csv;q=2", "csv"),
        (";;,,;q=", "json"),
    ],
)
def test_accept_chooses(accept: str, form: str) -> None:
    assert preferred(accept) == form


@given(st.text())
def test_any_accept_is_understood_somehow(accept: str) -> None:
    assert preferred(accept) in Format


@pytest.mark.parametrize(
    ("customer", "header"),
    [
        ("cust_1", "attachment; filename=\"cust_1.csv\"; filename*=UTF-8''cust_1.csv"),
        ('a/../"b', "attachment; filename=\"a_..__b.csv\"; filename*=UTF-8''a%2F..%2F%22b.csv"),
        ("名", "attachment; filename=\"_.csv\"; filename*=UTF-8''%E5%90%8D.csv"),
    ],
)
def test_file_names_are_safe(customer: str, header: str) -> None:
    assert disposition(customer, Format.CSV) == header


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("gzippy", False),
    ],
)
def test_gzip_is_sent_to_whom_it_is_welcome(accept_encoding: str, *, accepted: bool) -> None:
    assert accepts_gzip(accept_encoding) == accepted


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ("", False),
        ('"7-1-json"', True),
        ('W/"7-1-json"', True),
        ('"6-1-json", "7-1-json"', True),
        ('"6-1-json","8-1-json"', False),
        ('"17-1-json"', False),
        ("7-1-json", False),
        (" * ", True),
    ],
)
def test_a_validator_is_found_in_its_list(header: str | None, *, same: bool) -> None:
    assert matches(header, '"7-1-json"') == same
