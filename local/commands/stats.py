"""logstats stats: one customer's statistics, by day or inside the days."""

import datetime as dt
import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from api.answers.pages import Order, Page
from api.answers.representation import NUMBERS
from api.breakdown.query import Days, RoutesQuery, StatusesQuery
from api.requests.parameters import CustomerId
from api.statistics.periods import Interval
from api.statistics.query import Statistics, StatisticsQuery
from api.statistics.zones import UTC, UnsupportedOffsetError, ZoneName, check_offsets
from local import divided
from local.commands.answers import read, with_reader
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.values import AnswerOption, FirstDayOption, LastDayOption, days, valid
from local.display import visible
from local.errors import UsageError
from local.sparklines import print_sparklines
from local.tables import print_days

_DEFAULT_SORT = "-total_requests"


class By(StrEnum):
    """Name what a customer's days are divided by, or merged into."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"
    ROUTE = "route"
    STATUS = "status"


def stats(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    first: FirstDayOption,
    last: LastDayOption = None,
    by: Annotated[By, typer.Option("--by", help=f"What the rows are of: {', '.join(By)}.")] = By.DAY,
    zone: Annotated[
        str,
        typer.Option("--tz", metavar="ZONE", help="The time zone of days and hours, such as Europe/Berlin."),
    ] = UTC,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="FIELD",
            show_default=False,
            help="What routes are ordered by: a field as the API names it, with - before it for descending.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many routes at most.")] = 100,
    as_json: AnswerOption = False,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Show a customer by day, by hour, by route or by status code."""
    customer_id: str = valid("CUSTOMER", CustomerId, customer)
    first_day, last_day = days(first, last)
    order = _order(by, sort)
    _check_zone(by, valid("--tz", ZoneName, zone), first_day, last_day)
    asked = Days(first_day, last_day, customer_id)
    with open_database(database_url) as database:
        if by in (By.ROUTE, By.STATUS):
            query = RoutesQuery(asked, Page(order, limit)) if by is By.ROUTE else StatusesQuery(asked)
            answer = read(database, lambda connection: query.answer(connection, ""))
        else:
            periods = StatisticsQuery(
                customer_id, first_day, last_day or dt.date.max, Interval(by), zone=zone
            )
            answer = with_reader(database, lambda reader: Statistics(reader).answer(periods))
    if as_json:
        typer.echo(answer.body)
    else:
        _show(customer_id, by, zone, json.loads(answer.body))
    _warn(answer.days_without_breakdown)


def _order(by: By, sort: str | None) -> Order:
    """Return the order of routes; a `UsageError` if it is none, or there are no routes."""
    if sort is not None and by is not By.ROUTE:
        raise UsageError("--sort: give --by route too.")
    order = Order.parse(sort or _DEFAULT_SORT)
    if order.field not in (fields := ("route", *NUMBERS)):
        raise UsageError(f"--sort {sort}: give one of {', '.join(fields)}, with - before it for descending.")
    return order


def _check_zone(by: By, zone: str, first: dt.date, last: dt.date | None) -> None:
    if zone == UTC:
        return
    if by in (By.ROUTE, By.STATUS):
        raise UsageError(f"--tz: with --by {by} days are those of UTC.")
    try:
        check_offsets(zone, first, last or dt.date.max)
    except UnsupportedOffsetError as error:
        raise UsageError(f"--tz: {error}.") from None


def _show(customer_id: str, by: By, zone: str, found: Any) -> None:  # noqa: ANN401 - a list, or a page of rows
    rows: list[dict[str, Any]] = found if isinstance(found, list) else found["rows"]
    if not rows:
        typer.echo(f"No requests of {visible(customer_id)} on these days.")
    elif by is By.ROUTE:
        divided.print_routes(customer_id, rows)
        if found["next"] is not None:
            typer.echo(f"only the first {len(rows):,} routes are shown", err=True)
    elif by is By.STATUS:
        divided.print_statuses(customer_id, rows)
    elif by is By.HOUR:
        divided.print_hours(customer_id, rows)
    else:
        print_days(customer_id, rows, zone=zone)
        if by is By.DAY:
            print_sparklines(rows)


def _warn(days_without_breakdown: int | None) -> None:
    if days_without_breakdown:
        typer.echo(
            f"{days_without_breakdown} days with requests are not in this: they were ingested without a breakdown. "
            "Ingest their logs again (--again) to have them.",
            err=True,
        )
