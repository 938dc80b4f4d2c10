"""`logstats watch`: ingest what is new in files and folders, or has grown, until it is stopped."""

import json
import sys
import time
from dataclasses import replace
from functools import cache
from itertools import takewhile
from typing import Annotated

import psycopg
import sqlalchemy as sa
import typer

from local import pipes
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.reading import (
    CustomerOption,
    FormatOption,
    NameOption,
    RotatedOption,
    SummariesOption,
    ZoneOption,
    not_empty,
)
from local.display import visible
from local.errors import UsageError
from local.ingestion import Naming, line_of, settings_of
from local.many import AT_ONCE, stoppable
from local.termination import noticed
from local.watching import Watch
from logstats import failures
from logstats.database import create_engine
from processor.bulk import ingest_all
from processor.ingest import Ingestor
from processor.ledger.delivery import Outcome
from processor.reading.s3 import create_client

_COUNTS = (Outcome.INGESTED, Outcome.REPLACED)
_LISTENED_SECONDS = 0.2


def watch(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Files, folders, or patterns.", callback=not_empty),
    ],
    every: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="From one round to the next.")
    ] = 60,
    database_url: DatabaseUrlOption = None,
    read_as: FormatOption = None,
    customer: CustomerOption = None,
    zone: ZoneOption = None,
    name: NameOption = None,
    *,
    rotated: RotatedOption = False,
    as_json: SummariesOption = False,
) -> None:
    """Ingest the files that are new or have grown, until Ctrl-C.

    SIGTERM ends it, too. It looks at sizes and times only, and forgets them when it ends: the ledger knows what counts. A file that cannot be read is
    told once, and read again when it changes.
    """
    if unfit := [source for source in sources if source.startswith("s3://") or pipes.is_pipe(source)]:
        raise UsageError(f"{unfit[0]}: only files can be watched; an S3 bucket tells the stack by itself")
    if name is not None and not rotated:
        raise UsageError(
            "--name is for --rotated: it stands for the folder of files that are known by how they begin"
        )
    settings = settings_of(read_as, customer, zone)
    watched = Watch(sources, Naming(name, rotated), settings.ignore, _tell)
    with open_database(database_url) as database, noticed(_tell_of_the_end) as signals:
        engine = create_engine(database, pool_size=2 * AT_ONCE, max_overflow=-1)
        configured = Ingestor.configured(settings, engine, cache(create_client))
        ingestor = replace(configured, progress=stoppable(signals))
        try:
            while not signals:
                _go_round(watched, ingestor, signals, as_json=as_json)
                _wait(every, signals)
        finally:
            engine.dispose()


def _go_round(watched: Watch, ingestor: Ingestor, signals: list[int], *, as_json: bool) -> None:
    """Ingest what has changed; a database that is away is told, and the next round tries again."""
    wanted = takewhile(lambda _: not signals, watched.changed())
    try:
        for result in ingest_all(wanted, lambda _: ingestor, AT_ONCE):
            watched.end(result)
            if result.summary and result.summary.outcome in _COUNTS:
                print(json.dumps(result.summary.as_dict()) if as_json else line_of(result), flush=True)
    except (sa.exc.DBAPIError, psycopg.OperationalError) as error:
        _tell(f"the database does not answer, the next round tries again: {failures.describe(error)}")


def _wait(seconds: float, signals: list[int]) -> None:
    until = time.monotonic() + seconds
    while not signals and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LISTENED_SECONDS))


def _tell(line: str) -> None:
    print(f"logstats: {visible(line)}", file=sys.stderr, flush=True)


def _tell_of_the_end() -> None:
    _tell("ending after the log objects at hand")
