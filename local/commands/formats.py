"""`logstats formats`: the presets, the declaration of one, and how a file is read."""

import json
from typing import Annotated

import typer

from local.commands.reading import CustomerOption, FormatOption, ZoneOption
from local.errors import UserError
from local.plain import Command, Group
from local.tables import console
from local.trial import latest_of, read_start, table_of, try_lines
from logstats.domain.format import PATH, TARGET, Format
from logstats.domain.reader import Request
from logstats.formats import FormatError, customised, load, presets, source_of
from logstats.formats.detection import SAMPLE_BYTES, Reading, best, nearest, readings
from logstats.native.program import compile_format

_NOBODY = "-"
_TEXT_SHOWN = 200

formats = typer.Typer(
    name="formats",
    cls=Group,
    add_completion=False,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@formats.callback()
def list_presets(context: typer.Context) -> None:
    """Show the formats that can be read, and how a file is read."""
    if context.invoked_subcommand is None:
        width = max(map(len, presets()))
        for name, declared in presets().items():
            typer.echo(f"{name:{width}}  {declared.summary}")


@formats.command(cls=Command)
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A preset.")]) -> None:
    """Print the declaration of a preset: the start of one's own."""
    try:
        typer.echo(source_of(name).encode(), nl=False)  # TOML is UTF-8 everywhere
    except FormatError as error:
        raise UserError(str(error)) from None


@formats.command("try", cls=Command)
def try_format(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A log, compressed or not; - is stdin.")],
    name: FormatOption = None,
    customer: CustomerOption = None,
    zone: ZoneOption = None,
    lines: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many lines are shown.")] = 10,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all as one line of JSON.")] = False,
) -> None:
    """Show how the first lines of a log are read, or why not.

    Without --format it says how much each preset reads, and takes the best. Status 1 when no preset reads the log, or the format that is named reads none of the lines.
    """
    start, complete = read_start(file, lines)
    try:
        chosen, declared = load(name or _detect(file, start, complete=complete, quiet=as_json))
        read_as = customised(declared, customer, zone)
        compile_format(read_as)  # which refuses what the kernel cannot hold
        tried = try_lines(read_as, start, lines, latest_of(file), complete=complete)
    except FormatError as error:
        raise UserError(str(error)) from None
    if as_json:
        typer.echo(json.dumps({"format": chosen, "lines": [each.as_json() for each in tried]}))
    else:
        console().print(table_of(tried))
    customers = {each.verdict.customer_id for each in tried if isinstance(each.verdict, Request)}
    if not customers and name:
        raise typer.Exit(1)
    if customers == {_NOBODY}:
        typer.echo(f"No line has a customer; say with --customer where it is: {_places(read_as)}.", err=True)


def _places(declared: Format) -> str:
    """Return the values that a customer can be."""
    named = [*dict.fromkeys(name for template in declared.template for name in template.names)]
    return ", ".join((named or ["the name of a value"]) + ([TARGET, PATH] if declared.request else []))


def _detect(file: str, start: bytes, *, complete: bool, quiet: bool) -> str:
    """Return the preset that reads a log best, after saying what each of them reads."""
    found = readings(start, complete=complete)
    chosen = best(found)
    if chosen is None:
        raise UserError(f"{file}: no preset reads it; {_nearest(found) if start.strip() else 'it is empty'}")
    for reading in found:
        if reading.accepted and not quiet:
            said = f"{reading.name} {_reads(reading)}, {reading.timed} with a duration, and skips {reading.skipped}"
            typer.echo(f"{said}: taken" if reading.name == chosen else said)
    return chosen


def _reads(reading: Reading) -> str:
    return f"reads {reading.accepted} of {reading.accepted + reading.rejected} lines"


def _nearest(found: list[Reading]) -> str:
    reading = nearest(found)
    if reading.problem is None:
        return f"its first {SAMPLE_BYTES // 1024} KiB have no whole line"
    number, line, reason = reading.problem
    text = line[:_TEXT_SHOWN].decode(errors="replace")
    return f"the nearest, {reading.name}, {_reads(reading)}; line {number} is rejected ({reason}): {text}"
