"""Shared by the commands that read logs: the options that say in which format they are, and how they are named."""

from typing import Annotated

import typer

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
    str | None, typer.Option("--name", help="The file's name in the ledger. [default: its path]")
]
RotatedOption = Annotated[
    bool,
    typer.Option("--rotated", help="Know files by how they begin: for logs that are renamed, or compressed."),
]
