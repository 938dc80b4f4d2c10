"""`logstats ingest`: log objects from files, folders, pipes and S3."""

import json
from dataclasses import replace
from functools import cache
from itertools import chain, islice
from typing import Annotated

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
from local.display import progress_bar, visible
from local.errors import UsageError, UserError
from local.ingestion import Naming, find_all, is_single, problem_of, settings_of
from local.many import AT_ONCE, ingest_many
from logstats.database import create_engine
from processor.bulk import Result, ingest_all
from processor.dataflow.source import Progress
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.delivery import Outcome
from processor.reading.s3 import create_client
from processor.sources import Source


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Files, folders, patterns, s3://bucket/key, s3://bucket/prefix/, or - for standard input.",
            callback=not_empty,
        ),
    ],
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=256, help="Worker threads. [default: the usable cores]"),
    ] = None,
    processes: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Processes: a Bytewax cluster on this machine.")
    ] = 1,
    database_url: DatabaseUrlOption = None,
    read_as: FormatOption = None,
    customer: CustomerOption = None,
    zone: ZoneOption = None,
    name: NameOption = None,
    *,
    rotated: RotatedOption = False,
    replaces: Annotated[
        bool, typer.Option("--replace", help="Count it instead of what its name counted before.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Read it again, though this content counts already.")
    ] = False,
    as_json: SummariesOption = False,
) -> None:
    """Ingest log objects into the daily statistics.

    However often the same content is ingested, it counts once. A file that has grown counts with what was added. Another log
    under a name that counts already is a conflict: status 1, and nothing changes. Status 1 also when the format of a log is
    not recognised; then nothing of it counts.
    """
    alone = len(sources) == 1 and is_single(sources[0])
    _check(sources, name, processes, alone=alone, rotated=rotated)
    settings = settings_of(read_as, customer, zone)
    client = cache(create_client)
    found = find_all(sources, Naming(name, rotated), settings.ignore, client)
    first = list(islice(found, 2))
    if len(first) == 1 and first[0].problem:
        raise UserError(str(first[0].problem))
    only = first[0] if alone else None
    with open_database(database_url) as database:
        engine = create_engine(database, pool_size=2 * AT_ONCE, max_overflow=-1)
        configured = Ingestor.configured(settings, engine, client)
        ingestor = replace(configured, workers=workers, force=again, replaces=replaces)

        def ingestor_of(source: Source, progress: Progress) -> Ingestor:
            made = replace(ingestor, progress=progress)
            if processes == 1:
                return made
            from processor.cluster.coordinator import on_this_machine  # noqa: PLC0415 - slow to import, rarely asked for

            cluster = on_this_machine(engine, database, source.name, processes, workers, progress)
            return replace(made, cluster=cluster)

        try:
            if only is None:
                ingest_many(
                    chain(first, found), ingestor_of, at_once=1 if processes > 1 else AT_ONCE, as_json=as_json
                )
                return
            with progress_bar("", only.size or None, of_bytes=True) as progress:
                (result,) = ingest_all([only], lambda source: ingestor_of(source, progress))
        finally:
            engine.dispose()
    _tell_one(result, as_json=as_json)
    is_read_anew = (read_as, customer, zone) != (None, None, None)
    if is_read_anew and result.summary and result.summary.outcome == Outcome.UNCHANGED:
        typer.echo("It counts as it was read before; --again reads it with these options.", err=True)


def _check(sources: list[str], name: str | None, processes: int, *, alone: bool, rotated: bool) -> None:
    """Raise a `UsageError` if the options do not go with the sources."""
    piped = [source for source in sources if pipes.is_pipe(source)]
    if name is not None and any(source.startswith("s3://") for source in sources):
        raise UsageError("--name is for files: an object on S3 has its key")
    if name is not None and not alone and not rotated:
        raise UsageError(
            "--name is for one file: several would be one log object; with --rotated it stands for their folder"
        )
    if name is None and (nameless := [source for source in piped if pipes.needs_name(source)]):
        raise UsageError(f"{nameless[0]}: give what comes through it a name: --name NAME")
    if processes > 1 and piped:
        raise UsageError(f"{piped[0]}: --processes is for files, which all of them can read")


def _tell_one(result: Result, *, as_json: bool) -> None:
    """Show what came of the only source; a `UserError` if that is a problem."""
    summary = result.summary
    if summary and as_json:
        print(json.dumps(summary.as_dict()))
    if problem := problem_of(result):
        raise UserError(problem)
    if summary and not as_json:
        _show(summary)
    if summary and summary.outcome == Outcome.IGNORED:
        typer.echo("Its name matches IGNORE, a list of patterns of names that are no log objects.", err=True)


def _show(summary: IngestSummary) -> None:
    from rich.table import Table  # noqa: PLC0415 - slow to import, needed only here
    from rich.text import Text  # noqa: PLC0415 - slow to import, needed only here

    from local.tables import console  # noqa: PLC0415 - it imports all of these

    table = Table(show_header=False, box=None)
    shown = summary.as_dict()
    if summary.same_content_as is None:
        del shown["same_content_as"]
    for name, value in shown.items():
        if isinstance(value, dict):
            for reason, count in value.items():
                table.add_row(f"  {reason}", f"{count:,}")
        elif isinstance(value, int):
            table.add_row(name, f"{value:,}")
        else:
            table.add_row(name, Text("-" if value is None else visible(str(value))))
    console().print(table)
