import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.daily import DailyStatistics, to_json

ROW = (
    "cust_1",
    dt.date(2024, 9, 3),
    8,
    2,
    1,
    "8151000",
    962_000,
    1_871_000,
    1_871_000,
    1_871_000,
    1_871_000,
)

LARGEST_US = 86_400 * 1_000_000


def test_the_fields_are_those_of_the_design_in_their_order() -> None:
    assert to_json([ROW]) == (
        '[{"customer_id":"cust_1","date":"2024-09-03","total_requests":8,"success_requests":5,"failed_requests":3,'
        '"client_errors":2,"server_errors":1,"uptime_percentage":87.5,"duration_mean":1.018875,'
        '"duration_p50":0.962,"duration_p90":1.871,"duration_p95":1.871,"duration_p99":1.871,"duration_max":1.871}]'
    )


def test_the_documented_fields_are_the_written_ones() -> None:
    [day] = json.loads(to_json([ROW]))
    assert list(DailyStatistics.model_fields) == list(day)
    examples = {name: field.examples for name, field in DailyStatistics.model_fields.items()}
    assert examples == {name: [value] for name, value in day.items()}
    DailyStatistics.model_validate(day)


def test_no_rows_are_an_empty_list() -> None:
    assert to_json([]) == "[]"


def test_rows_keep_their_order() -> None:
    later = (*ROW[:1], dt.date(2024, 9, 4), *ROW[2:])
    assert [day["date"] for day in json.loads(to_json([ROW, later]))] == ["2024-09-03", "2024-09-04"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.dates())
def test_any_text_and_any_date_are_written_on_one_line(customer_id: str, date: dt.date) -> None:
    text = to_json([(customer_id, date, *ROW[2:])])
    assert "\n" not in text
    [day] = json.loads(text)
    assert (day["customer_id"], day["date"]) == (customer_id, date.isoformat())


@st.composite
def rows(draw: st.DrawFn) -> tuple[Any, ...]:
    total = draw(st.integers(1, 10**18))
    server_errors = draw(st.integers(0, total))
    client_errors = draw(st.integers(0, total - server_errors))
    durations = draw(st.lists(st.integers(0, LARGEST_US), min_size=5, max_size=5))
    sum_us = draw(st.integers(0, total * LARGEST_US))
    return ("c", dt.date(2024, 9, 3), total, client_errors, server_errors, str(sum_us), *durations)


@given(rows())
def test_every_number_is_the_double_next_to_the_exact_value(row: tuple[Any, ...]) -> None:
    _, _, total, client_errors, server_errors, sum_us, *durations = row
    [day] = json.loads(to_json([row]))
    assert day["total_requests"] == total
    assert day["success_requests"] == total - client_errors - server_errors
    assert day["failed_requests"] == client_errors + server_errors
    assert day["uptime_percentage"] == float(100 * (1 - Fraction(server_errors, total)))
    assert day["duration_mean"] == float(Fraction(sum_us) / total / 1_000_000)
    shown = [day[f"duration_{name}"] for name in ("p50", "p90", "p95", "p99", "max")]
    assert shown == [float(Decimal(duration) / 1_000_000) for duration in durations]


@given(st.integers(0, LARGEST_US))
def test_seconds_carry_no_float_noise(duration_us: int) -> None:
    row = (*ROW[:6], *[duration_us] * 5)
    text = to_json([row]).rpartition('"duration_max":')[2].removesuffix("}]")
    assert Decimal(text) == Decimal(duration_us) / 1_000_000
