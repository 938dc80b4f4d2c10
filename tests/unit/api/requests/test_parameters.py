import datetime as dt
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.requests.parameters import CalendarDate, CustomerId
from logstats.domain.reader import Reader, Request
from logstats.formats import presets

customer_ids: TypeAdapter[str] = TypeAdapter(CustomerId)
dates: TypeAdapter[dt.date] = TypeAdapter(CalendarDate)


@pytest.mark.parametrize("text", ["0001-01-01", "1970-01-01", "2024-02-29", "9999-12-31"])
def test_a_calendar_date_is_taken(text: str) -> None:
    assert dates.validate_python(text).isoformat() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2024-9-3",
        "2024-09-03T00:00:00",
        "2024-09-03 ",
        " 2024-09-03",
        "2024-09-03\n",
        "20240903",
        "2024-W36-2",
        "2023-02-29",
        "2024-13-01",
        "0000-01-01",
        "10000-01-01",
        "-2024-09-03",
        "1725321600",
        "٢٠٢٤-٠٩-٠٣",
        "2024-09-03,2024-09-04",
        1725321600,
        None,
    ],
)
def test_nothing_else_is_a_date(text: object) -> None:
    with pytest.raises(ValidationError, match="Input should be a calendar date, YYYY-MM-DD"):
        dates.validate_python(text)


def test_exactly_the_control_characters_are_refused() -> None:
    refused = set()
    for point in [*range(0xD800), *range(0xE000, sys.maxunicode + 1, 7)]:
        try:
            customer_ids.validate_python(chr(point))
        except ValidationError:
            refused.add(point)
    assert refused == {point for point in range(256) if unicodedata.category(chr(point)) == "Cc"}


@given(st.text(min_size=1, max_size=300))
def test_every_customer_of_a_log_line_can_be_asked_for(text: str) -> None:
    request = Reader(presets()["logstats"]).read(
        f"2024-09-03 00:00:00 {text} / 200 1".encode(errors="surrogatepass")
    )
    if isinstance(request, Request):
        customer_ids.validate_python(request.customer_id)
