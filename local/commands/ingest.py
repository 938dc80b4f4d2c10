"""`logstats ingest`: one log object, from a file or from S3."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer

from local.commands.database import DatabaseUrlOption, open_database
from local.commands.folder import LOCAL_FOLDER
from local.display import progress_bar, visible
from local.errors import UserError
from logstats.database import create_engine
from logstats.settings import ProcessorSettings, load
from processor.cluster.members import ClusterError
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.merge import IntegrityError
from processor.reading.objects import LocalFile, SourceError, s3_location
from processor.reading.s3 import S3Object, create_client
from processor.reject_stores import reject_store


def ingest(
    source: Annotated[str, typer.Argument(help="A file, or s3://bucket/key; .log or .log.gz.")],
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Worker threads. [default: the usable cores]")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Processes: a Bytewax cluster on this machine.")
    ] = 1,
    database_url: DatabaseUrlOption = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Read it again, though this content counts already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Ingest a log object into the daily statistics.

    However often the same content is ingested, it counts once. New content under the same name replaces the old.
    """
    try:
        summary = _ingest(source, workers, processes, database_url, again=again)
    except (SourceError, ClusterError) as error:
        raise UserError(str(error)) from error
    except IntegrityError as error:
        raise UserError(f"nothing was changed: {error}; see: logstats verify") from error
    if as_json:
        print(json.dumps(summary.as_dict()))
    else:
        _show(summary)


def _ingest(
    source: str, workers: int | None, processes: int, database_url: str | None, *, again: bool
) -> IngestSummary:
    settings = load(ProcessorSettings, rejects_folder=LOCAL_FOLDER / "rejected")
    client = cache(create_client)
    run: Callable[[Ingestor], IngestSummary]
    if location := s3_location(source):
        head = partial(S3Object.head, client(), *location)
        size, run = head().size, lambda ingestor: ingestor.ingest_current(head)
    else:
        file = LocalFile.at(Path(source))
        size, run = file.size, lambda ingestor: ingestor.ingest_file(file)
    with open_database(database_url) as database, progress_bar("Bytes", size) as progress:
        engine = create_engine(database, max_overflow=-1)
        rejects = reject_store(settings, client)
        ingestor = Ingestor(
            engine, rejects, settings.wait_for_system_duration, workers, progress, force=again
        )
        if processes > 1:
            from processor.cluster.coordinator import on_this_machine  # noqa: PLC0415 - slow to import, rarely asked for

            cluster = on_this_machine(engine, database, source, processes, workers, progress)
            ingestor = replace(ingestor, cluster=cluster)
        try:
            return run(ingestor)
        finally:
            engine.dispose()


def _show(summary: IngestSummary) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(show_header=False, box=None)
    for name, value in summary.as_dict().items():
        if isinstance(value, dict):
            for reason, count in value.items():
                table.add_row(f"  {reason}", f"{count:,}")
        elif isinstance(value, int):
            table.add_row(name, f"{value:,}")
        else:
            table.add_row(name, Text("-" if value is None else visible(str(value))))
    Console(file=sys.stdout).print(table)
    if summary.outcome == "ignored":
        typer.echo("Only names that end in .log or .log.gz are log objects.", err=True)
