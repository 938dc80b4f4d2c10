"""`logstats ingest`: one log object, from a file or from S3."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from local.commands.database import DatabaseUrlOption, open_database
from local.commands.folder import LOCAL_FOLDER
from local.commands.reading import CustomerOption, FormatOption, ZoneOption
from local.display import progress_bar, visible
from local.errors import UserError
from logstats.database import create_engine
from logstats.settings import load
from processor.cluster.members import ClusterError
from processor.context import Context
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.delivery import Outcome
from processor.ledger.merge import IntegrityError
from processor.reading.objects import LocalFile, SourceError, s3_location
from processor.reading.rules import FormatRule
from processor.reading.s3 import S3Object, create_client
from processor.reject_stores import reject_store
from processor.settings import ProcessorSettings

_SHOWN = 80
"""Characters of the first line of what is not recognised."""


def ingest(
    source: Annotated[str, typer.Argument(help="A file, or s3://bucket/key; compressed or not.")],
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Worker threads. [default: the usable cores]")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Processes: a Bytewax cluster on this machine.")
    ] = 1,
    database_url: DatabaseUrlOption = None,
    read_as: FormatOption = None,
    customer: CustomerOption = None,
    zone: ZoneOption = None,
    name: Annotated[
        str | None, typer.Option(help="The file's name in the ledger. [default: its path]")
    ] = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Read it again, though this content counts already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Ingest a log object into the daily statistics.

    However often the same content is ingested, it counts once. New content under the same name replaces the old.
    Status 1 also when its format is not recognised; then nothing of it counts.
    """
    settings, context = load(ProcessorSettings, rejects_folder=LOCAL_FOLDER / "rejected"), Context()
    changes = {"format": read_as, "customer": customer, "zone": zone}
    rules = _rules(settings.log_formats, {key: value for key, value in changes.items() if value is not None})
    settings = settings.model_copy(update={"log_formats": rules})
    try:
        summary = _ingest(source, name, workers, processes, database_url, settings, context, again=again)
    except (SourceError, ClusterError) as error:
        raise UserError(str(error)) from error
    except IntegrityError as error:
        raise UserError(f"nothing was changed: {error}; see: logstats verify") from error
    if as_json:
        print(json.dumps(summary.as_dict()))
    if summary.outcome == Outcome.UNRECOGNISED:
        raise UserError(_unrecognised(source, context.first_line))
    if not as_json:
        _show(summary)
    if summary.outcome == Outcome.IGNORED:
        typer.echo("Its name matches IGNORE, a list of patterns of names that are no log objects.", err=True)


def _rules(declared: Sequence[FormatRule], changes: dict[str, str]) -> tuple[FormatRule, ...]:
    """Return the rules with what the options change; a format that they name is that of any object."""
    changed = () if "format" in changes else declared
    try:
        return tuple(
            FormatRule.model_validate(rule.model_dump() | changes) for rule in (*changed, FormatRule())
        )
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _ingest(
    source: str,
    name: str | None,
    workers: int | None,
    processes: int,
    database_url: str | None,
    settings: ProcessorSettings,
    context: Context,
    *,
    again: bool,
) -> IngestSummary:
    client = cache(create_client)
    run: Callable[[Ingestor], IngestSummary]
    if location := s3_location(source):
        if name is not None:
            raise UserError("--name is for files: an object on S3 has its key")
        head = partial(S3Object.head, client(), *location)
        size, run = head().size, lambda ingestor: ingestor.ingest_current(head, context)
    else:
        file = LocalFile.at(Path(source), name)
        size, run = file.size, lambda ingestor: ingestor.ingest_file(file, context)
    with open_database(database_url) as database, progress_bar("Bytes", size) as progress:
        engine = create_engine(database, max_overflow=-1)
        ingestor = Ingestor(
            engine,
            reject_store(settings, client),
            settings.wait_for_system_duration,
            workers,
            progress,
            force=again,
            formats=settings.log_formats,
            ignore=settings.ignore,
            kept=settings.kept,
        )
        if processes > 1:
            from processor.cluster.coordinator import on_this_machine  # noqa: PLC0415 - slow to import, rarely asked for

            cluster = on_this_machine(engine, database, source, processes, workers, progress)
            ingestor = replace(ingestor, cluster=cluster)
        try:
            return run(ingestor)
        finally:
            engine.dispose()


def _unrecognised(source: str, first_line: bytes) -> str:
    start = visible(first_line[: 4 * _SHOWN].decode(errors="backslashreplace"))[:_SHOWN]
    return (
        f'{source}: its format is not recognised, and nothing of it counts; it begins with "{start}";'
        f" name its format with --format, or see: logstats formats try {source}"
    )


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
