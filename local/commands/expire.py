"""`logstats expire`: remove what is older than the statistics are to be kept."""

import datetime as dt
import json
import time
from typing import Annotated

import typer

from api.requests.parameters import CalendarDate
from local.commands.database import DatabaseUrlOption, open_engine
from local.commands.values import valid
from local.display import progress_bar
from local.errors import UsageError, UserError
from logstats.settings import MAX_RETENTION_DAYS
from processor.retention import expiry
from processor.retention.expiry import Expiry


def expire(
    *,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=MAX_RETENTION_DAYS,
            show_default=False,
            help="Remove days that are older than so many days.",
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", show_default=False, help="Or remove the days before this one, YYYY-MM-DD."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    database_url: DatabaseUrlOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as one line of JSON.")] = False,
) -> None:
    """Close the days that are too old, and remove their statistics.

    A closed day stays closed. Later lines of a closed day are counted as expired, and change nothing. An interrupted run is finished by the next.
    """
    first: dt.date | None = valid("--before", CalendarDate, before) if before is not None else None
    if (days is None) == (first is None):
        raise UsageError("Give either --days or --before.")
    started = time.monotonic()
    found = _expire(days, first, database_url, dry_run=dry_run)
    seconds = round(time.monotonic() - started, 6)
    if as_json:
        print(json.dumps({**found.as_dict(), "dry_run": dry_run, "seconds": seconds}))
    else:
        typer.echo(_line(found, dry_run=dry_run))


def _expire(days: int | None, first: dt.date | None, database_url: str | None, *, dry_run: bool) -> Expiry:
    try:
        with open_engine(database_url) as engine:
            horizon = first or expiry.horizon_of(engine, days or 0)
            if dry_run:
                return expiry.preview(engine, horizon)
            with progress_bar("customer-days removed") as progress:
                return expiry.expire(engine, horizon, progress=progress)
    except expiry.RetentionError as error:
        raise UserError(f"{error}.") from None


def _line(found: Expiry, *, dry_run: bool) -> str:
    counts = f"{found.customer_days:,} customer-days ({found.contributions:,} contributions)"
    if dry_run:
        return f"would remove {counts} before {found.horizon}; {found.customers:,} customers would have none left"
    return f"removed {counts} before {found.horizon}; {found.customers:,} customers have none left"
