"""`logstats generate`: write a random, reproducible request log."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

from typer import Option

from local.commands.output import open_output
from local.display import progress_bar
from local.errors import UsageError
from local.generator import Traffic

_END = dt.datetime(2024, 10, 3)  # noqa: DTZ001 - only its date counts


def generate(
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="PATH", help="The file to write; by default stdout.")
    ] = None,
    lines: Annotated[int, Option(metavar="N", min=0, help="The number of lines.")] = 10_000,
    seed: Annotated[int, Option(metavar="N", min=0, help="The same seed gives the same log.")] = 42,
    end: Annotated[
        dt.datetime,
        Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            show_default=False,
            help="The last day that has requests. [default: 2024-10-03]",
        ),
    ] = _END,
    days: Annotated[int, Option(metavar="N", min=1, help="The number of days, the last one included.")] = 30,
    customers: Annotated[
        int, Option(metavar="N", min=1, help="The number of customers, cust_1 and so on.")
    ] = 50,
) -> None:
    """Write a random request log; the same options repeat it.

    The lines are in random order. The same options give the same bytes on every machine.
    """
    try:
        traffic = Traffic(seed, end.date(), days, customers)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with open_output(output) as file:
        show = bool(output) or not file.isatty()
        with progress_bar("Generating", lines) if show else nullcontext(lambda _: None) as progress:
            _write(traffic.log(lines), file, progress)


def _write(blocks: Iterator[bytes], file: BinaryIO, progress: Callable[[int], None]) -> None:
    for block in blocks:
        file.write(block)
        progress(block.count(b"\n"))
