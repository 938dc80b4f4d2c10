import csv
import datetime as dt
import io
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.answers.representation import CustomerStatistics, Format, fields, render

ROW = (
    dt.date(2024, 9, 3),
    8,
    2,
    1,
    0,
    Decimal(8151000),
    962_000,
    1_871_000,
    1_871_000,
    1_871_000,
    1_871_000,
)

Rows = list[tuple[str, tuple[Any, ...]]]


def written(rows: Rows, form: Format = Format.JSON) -> str:
    return render((fields(customer_id, row) for customer_id, row in rows), form).decode()


LARGEST_US = 86_400 * 1_000_000


def test_the_fields_are_those_of_the_design_in_their_order() -> None:
    assert written([("cust_1", ROW)]) == (
        '[{"customer_id":"cust_1","date":"2024-09-03","total_requests":8,"timed_requests":8,"success_requests":5,"failed_requests":3,'
        '"client_errors":2,"server_errors":1,"uptime_percentage":87.5,"duration_mean":1.018875,'
        '"duration_p50":0.962,"duration_p90":1.871,"duration_p95":1.871,"duration_p99":1.871,"duration_max":1.871}]'
    )


def test_the_documented_fields_are_the_written_ones() -> None:
    [day] = json.loads(written([("cust_1", ROW)]))
    assert list(CustomerStatistics.model_fields) == list(day)
    examples = {name: field.examples for name, field in CustomerStatistics.model_fields.items()}
    assert examples == {name: [value] for name, value in day.items()}
    CustomerStatistics.model_validate(day)


def test_no_rows_are_an_empty_list() -> None:
    assert written([]) == "[]"
    assert written([], Format.CSV).count("\r\n") == 1


@st.composite
def rows(draw: st.DrawFn) -> tuple[Any, ...]:
    total = draw(st.integers(1, 10**18))
    server_errors = draw(st.integers(0, total))
    client_errors = draw(st.integers(0, total - server_errors))
    timed = draw(st.sampled_from([0, total]) | st.integers(0, total))
    durations = st.lists(st.integers(0, LARGEST_US), min_size=5, max_size=5)
    sum_us = draw(st.integers(0, timed * LARGEST_US))
    counts = (total, client_errors, server_errors, total - timed)
    return (dt.date(2024, 9, 3), *counts, Decimal(sum_us), *(draw(durations) if timed else [None] * 5))


@given(rows())
def test_every_number_is_the_double_next_to_the_exact_value(row: tuple[Any, ...]) -> None:
    _, total, client_errors, server_errors, untimed, sum_us, *durations = row
    timed = total - untimed
    [day] = json.loads(written([("c", row)]))
    assert day["total_requests"] == total
    assert day["timed_requests"] == timed
    assert day["success_requests"] == total - client_errors - server_errors
    assert day["failed_requests"] == client_errors + server_errors
    assert day["uptime_percentage"] == float(100 * (1 - Fraction(server_errors, total)))
    shown = [day[f"duration_{name}"] for name in ("mean", "p50", "p90", "p95", "p99", "max")]
    if timed:
        mean = float(Fraction(int(sum_us)) / timed / 1_000_000)
        assert shown == [mean, *(float(Decimal(duration) / 1_000_000) for duration in durations)]
    else:
        assert shown == [None] * 6
    CustomerStatistics.model_validate(day)


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), rows()), max_size=5
    )
)
def test_csv_says_the_same_as_json(days: Rows) -> None:
    header, *lines = csv.reader(io.StringIO(written(days, Format.CSV), newline=""), strict=True)
    assert header == list(CustomerStatistics.model_fields)
    said = [
        {name: "" if value is None else str(value) for name, value in day.items()}
        for day in json.loads(written(days))
    ]
    assert [dict(zip(header, line, strict=True)) for line in lines] == said


def test_csv_lines_end_as_in_rfc_4180() -> None:
    text = written([('a,"b', ROW)], Format.CSV)
    assert text.endswith("\r\n")
    assert text.splitlines()[1].startswith('"a,""b",2024-09-03,8,8,5,3,2,1,87.5,')
