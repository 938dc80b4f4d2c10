import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.daily import DailyStatistics, to_json
from api.formats import Format, disposition, preferred, write


def day(customer: str, *numbers: int) -> tuple[Any, ...]:
    total, client, server, *durations = numbers or (3, 1, 1, 1_000_001, 1, 2, 3, 4, 86_400_000_000)
    return (customer, dt.date(2024, 9, 3), total, client, server, *durations)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=5))
def test_csv_says_the_same_as_json(customers: list[str]) -> None:
    rows = [day(customer) for customer in customers]
    header, *lines = csv.reader(io.StringIO(write(rows, Format.CSV), newline=""), strict=True)
    assert header == list(DailyStatistics.model_fields)
    exact = json.loads(to_json(rows), parse_float=str, parse_int=str)
    assert [dict(zip(header, line, strict=True)) for line in lines] == exact


def test_csv_lines_end_as_in_rfc_4180() -> None:
    text = write([day('a,"b')], Format.CSV)
    assert text.endswith("\r\n")
    assert text.splitlines()[1].startswith('"a,""b",2024-09-03,3,1,2,1,1,')


def test_without_days_there_is_a_header() -> None:
    assert write([], Format.CSV).count("\r\n") == 1
    assert write([], Format.JSON) == "[]"


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
