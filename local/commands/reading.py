"""Shared by the commands that read logs: the options that say in which format they are, and how they are named."""

from typing import Annotated, Any

import typer


def not_empty(value: Any) -> Any:  # noqa: ANN401 - a text or a list of them
    """Return what was given; an empty text is a variable of a script that is not set, and means nothing."""
    if value == "" or (isinstance(value, list) and "" in value):
        raise typer.BadParameter("it is empty")
    return value


SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", help="A file, or s3://bucket/key, as it was ingested.", callback=not_empty
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME|FILE", help="A preset or a declaration; by default detected."),
]
CustomerOption = Annotated[
    str | None,
    typer.Option("--customer", metavar="'VALUE [PART]'", help="The customer, instead of the format's own."),
]
ZoneOption = Annotated[
    str | None, typer.Option("--zone", metavar="+HH:MM", help="The offset from UTC of times that say none.")
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", help="The file's name in the ledger. [default: its path]", callback=not_empty),
]
RotatedOption = Annotated[
    bool,
    typer.Option("--rotated", help="Know files by how they begin: for logs that are renamed, or compressed."),
]
SummariesOption = Annotated[bool, typer.Option("--json", help="Print each summary as one line of JSON.")]
