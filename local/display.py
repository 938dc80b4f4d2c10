"""Show on a terminal: texts of users without control sequences, and progress."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def visible(text: str) -> str:
    r"""Return a text with all that does not print escaped, as `repr` escapes it.

    That is every control and format character and every separator but the space: they could steer a terminal, or
    look like the end of a line.

    Examples
    --------
    >>> visible("[red] \x1b[2J\u2028")
    '[red] \\x1b[2J\\u2028'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def progress_console() -> "Console":
    """Return where progress is drawn: standard error, if it is a terminal that can draw a line again; else nowhere."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    return Console(stderr=True, quiet=not _draws())


@contextmanager
def progress_bar(
    what: str, total: int | None = None, *, of_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Count on a terminal, up to a total if there is one, and bytes with their speed; show nothing in a pipe."""
    if not _draws():
        yield lambda _: None
        return
    from rich import progress as bars  # noqa: PLC0415 - slow to import

    counted = (
        (bars.DownloadColumn(), bars.TransferSpeedColumn()) if of_bytes else (bars.MofNCompleteColumn(),)
    )
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), *counted, bars.TimeRemainingColumn())
    shown = bars.Progress(
        *columns, console=progress_console(), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with shown as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _draws() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
