"""`logstats rejects`: the rejected lines that were kept of a log object."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from local.commands.database import DatabaseUrlOption, open_engine
from local.commands.reading import SourceArgument
from local.display import visible
from local.errors import UserError
from local.ledger import find
from processor.reading.objects import s3_location
from processor.reading.s3 import create_client


def rejects(
    source: SourceArgument,
    database_url: DatabaseUrlOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all as one line of JSON.")] = False,
) -> None:
    """Show the lines of a log object that could not be read.

    A line has the number, the reason and the text of each; the first 10,000 of a log object are kept.
    """
    with open_engine(database_url) as engine:
        row = find(engine, source)
    kept = [json.loads(line) for line in _read(row.rejects_uri).splitlines()] if row.rejects_uri else []
    if as_json:
        print(json.dumps({"source": source, "rejected": row.rejected, "kept": kept}))
        return
    for entry in kept:
        typer.echo(
            f"{entry['line']}\t{entry['reason']}\t{visible(entry['text'])}{'...' if entry['cut'] else ''}"
        )
    print(f"{row.rejected:,} rejected, {len(kept):,} kept", file=sys.stderr)


def _read(uri: str) -> bytes:
    """Return the document: its lines end with LF, and texts in it may have other separators."""
    try:
        location = s3_location(uri)
        if location is None:
            return Path(uri).read_bytes()
        bucket, key = location
        return create_client().get_object(Bucket=bucket, Key=key)["Body"].read()
    except (OSError, BotoCoreError, ClientError) as error:
        raise UserError(f"the rejected lines cannot be read from {uri}: {error}") from error
