"""Values of options that the API takes too, with its messages."""

import datetime as dt
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from api.requests.parameters import CalendarDate, check_order
from local.errors import UsageError


def valid(name: str, kind: Any, text: str) -> Any:  # noqa: ANN401 - an annotated type, and its value
    """Return the value that a text stands for; a `UsageError` names the option."""
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise UsageError(f"{name}: {error.errors()[0]['msg']}.") from None


FirstDayOption = Annotated[str, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD.")]
NewestDayOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="DATE", show_default=False, help="First day; without it, the last day with data."
    ),
]
LastDayOption = Annotated[
    str | None,
    typer.Option("--to", metavar="DATE", show_default=False, help="Last day; without it, all later days."),
]
AnswerOption = Annotated[bool, typer.Option("--json", help="Print one line: exactly what the API answers.")]


def days(first: str, last: str | None) -> tuple[dt.date, dt.date | None]:
    """Return the days that `--from` and `--to` stand for; a `UsageError` names the option that is wrong."""
    first_day: dt.date = valid("--from", CalendarDate, first)
    last_day: dt.date | None = None if last is None else valid("--to", CalendarDate, last)
    try:
        check_order(first_day, last_day or dt.date.max)
    except ValueError as error:
        raise UsageError(f"--to: {error}.") from None
    return first_day, last_day


def newest_days(first: str | None, last: str | None) -> tuple[dt.date | None, dt.date | None]:
    """Return the same where `--from` may be missing: then both are None, for the last day with data."""
    if first is not None:
        return days(first, last)
    if last is not None:
        raise UsageError("--to: give --from too.")
    return None, None
