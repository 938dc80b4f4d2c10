"""Parameters of a request: the customer and the days, checked the same way by the API and the command line."""

import contextlib
import datetime as dt
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _calendar_date(value: object) -> dt.date:
    """Take YYYY-MM-DD and nothing else: pydantic alone would take timestamps and numbers too."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        with contextlib.suppress(ValueError):  # not in the calendar
            return dt.date.fromisoformat(value)
    raise PydanticCustomError("date_parsing", "Input should be a calendar date, YYYY-MM-DD")


CalendarDate = Annotated[dt.date, BeforeValidator(_calendar_date)]

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"

CustomerId = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_CUSTOMER_ID_CHARACTERS, pattern=NO_CONTROL_CHARACTERS)
]
"""1 to 255 characters, none of them a control character (Unicode Cc), as in a log line."""


Limit = Annotated[int, Field(ge=1, le=1_000, description="At most so many entries.")]
DEFAULT_LIMIT = 100


def check_order(first: dt.date, last: dt.date) -> None:
    """Raise `ValueError` unless the first day is not after the last."""
    if first > last:
        raise ValueError("Input should not be before 'from'")


_LAST_CHARACTER = "\U0010ffff"
_SURROGATES = range(0xD800, 0xE000)
_END = _LAST_CHARACTER * (MAX_CUSTOMER_ID_CHARACTERS + 1)
"""After every customer."""


def end_of(prefix: str) -> str:
    """Return the first text that comes after all that start with a prefix, by code points, as UTF-8 sorts."""
    kept = prefix.rstrip(_LAST_CHARACTER)
    if not kept:
        return _END
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
