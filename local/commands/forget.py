"""`logstats forget`: take a log object out of the statistics."""

import json
import time
from typing import Annotated

import typer

from local.commands.database import DatabaseUrlOption, open_engine
from local.commands.folder import LOCAL_FOLDER
from local.commands.reading import SourceArgument
from local.display import visible
from local.errors import UserError
from local.ledger import find
from logstats.settings import load
from processor.ledger.delivery import Withdrawal
from processor.ledger.horizon import SealedError
from processor.ledger.withdrawal import withdraw
from processor.reading.s3 import create_client
from processor.reject_stores import reject_store
from processor.settings import ProcessorSettings


def forget(
    source: SourceArgument,
    database_url: DatabaseUrlOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one line of JSON.")] = False,
) -> None:
    """Withdraw a log object from the daily statistics.

    The object itself stays where it is. Deliveries that come late, or again, do not bring it back. A newer upload does, and so does `logstats ingest`.
    """
    started = time.monotonic()
    with open_engine(database_url) as engine:
        row = find(engine, source)
        settings = load(ProcessorSettings, rejects_folder=LOCAL_FOLDER / "rejected")
        rejects = reject_store(settings, create_client)
        try:
            outcome = str(withdraw(engine, Withdrawal(row.bucket, row.key), rejects).outcome)
        except SealedError as error:
            raise UserError(f"{error}.") from None
    seconds = round(time.monotonic() - started, 6)
    if as_json:
        print(json.dumps({"source": source, "outcome": outcome, "seconds": seconds}))
    else:
        typer.echo(f"{outcome} {visible(source)}")
