"""The output of commands that write much: a file, or stdout, which may be a pipe that somebody closes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from local.errors import UserError


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Provide a file to write, or else stdout; a `UserError` if it cannot be written."""
    try:
        with path.open("wb") if path else nullcontext(sys.stdout.buffer) as file:
            yield file
            file.flush()
    except BrokenPipeError:
        raise  # `local.plain.Command` ends quietly
    except OSError as error:
        raise UserError(f"{path or 'stdout'}: {error.strerror}") from None
