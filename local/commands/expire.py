"""`logstats expire`: remove what is older than the statistics are to be kept, and seal what can no longer be corrected."""

import datetime as dt
import json
import time
from typing import Annotated, Any

import typer

from api.requests.parameters import CalendarDate
from local.commands.database import DatabaseUrlOption, open_engine
from local.commands.values import valid
from local.errors import UsageError, UserError
from logstats.settings import MAX_RETENTION_DAYS
from processor.retention import expiry
from processor.retention.expiry import Expiry


def _age(help_text: str) -> Any:  # noqa: ANN401 - Typer's, of no public type
    return typer.Option(metavar="N", min=1, max=MAX_RETENTION_DAYS, show_default=False, help=help_text)


def expire(
    *,
    days: Annotated[int | None, _age("Remove months all of whose days are older than so many days.")] = None,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            show_default=False,
            help="Or remove the months before the one of this day, YYYY-MM-DD.",
        ),
    ] = None,
    seal_days: Annotated[
        int | None,
        _age(
            "Seal months all of whose days are older than so many days: nothing of them can be replaced or withdrawn any more."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    database_url: DatabaseUrlOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as one line of JSON.")] = False,
) -> None:
    """Close the months that are too old, or seal them.

    Closing removes their statistics, sealing what is kept for corrections.

    A closed month stays closed, a sealed one sealed. Later lines of a closed day are counted as expired, and change nothing; those of a
    sealed day are added. An interrupted run is finished by the next.
    """
    first: dt.date | None = valid("--before", CalendarDate, before) if before is not None else None
    if days is not None and first is not None:
        raise UsageError("Give either --days or --before.")
    if days is None and first is None and seal_days is None:
        raise UsageError("Give --days, --before or --seal-days.")
    started = time.monotonic()
    try:
        with open_engine(database_url) as engine:
            horizon = first or expiry.horizon_of(engine, days)
            run = expiry.preview if dry_run else expiry.expire
            found = run(engine, horizon, expiry.horizon_of(engine, seal_days))
    except expiry.RetentionError as error:
        raise UserError(f"{error}.") from None
    seconds = round(time.monotonic() - started, 6)
    if as_json:
        print(json.dumps({**found.as_dict(), "dry_run": dry_run, "seconds": seconds}))
    else:
        typer.echo(_line(found, dry_run=dry_run))


def _line(found: Expiry, *, dry_run: bool) -> str:
    counts = f"{found.partitions:,} partitions ({found.bytes / 1e6:,.1f} MB)"
    if found.customer_days:
        counts += f" and {found.customer_days:,} customer-days"
    would, have = ("would remove", "would have") if dry_run else ("removed", "have")
    closed = f"closed before {found.horizon}, sealed before {found.sealed}"
    return f"{would} {counts}; {found.customers:,} customers {have} no day left; {closed}"
