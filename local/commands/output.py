"""The output of commands that write much: a file, or stdout, which may be a pipe that somebody closes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from typer import Exit

from local.errors import UserError

_CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Provide a file to write, or else stdout.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    try:
        with path.open("wb") if path else nullcontext(sys.stdout.buffer) as file:
            yield file
            file.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing to flush at exit
        raise Exit(_CLOSED_PIPE) from None
    except OSError as error:
        raise UserError(f"{path or 'stdout'}: {error.strerror}") from None
