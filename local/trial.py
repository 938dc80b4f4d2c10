"""Try a format on the first lines of a file: read them, and show what each comes to."""

import datetime as dt
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal

from rich.table import Table
from rich.text import Text

from local.display import visible
from local.errors import UserError
from local.tables import plain_table
from logstats.domain.format import Format
from logstats.domain.line import MAX_LINE_BYTES
from logstats.domain.reader import Reader, RejectReason, Request, Skipped
from logstats.formats.detection import SAMPLE_BYTES, whole_lines

_COLUMNS = ("line", "time (UTC)", "customer", "method", "path", "status", "seconds")
_TEXT_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Tried:
    """A line of a file, by its number, and what it comes to."""

    number: int
    text: bytes
    verdict: Request | RejectReason | Skipped

    def as_json(self) -> dict[str, Any]:
        """Return the line as `--json` prints it."""
        if isinstance(self.verdict, RejectReason):
            return {"line": self.number, "rejected": self.verdict.value}
        if isinstance(self.verdict, Skipped):
            return {"line": self.number, "skipped": True}
        return {
            "line": self.number,
            "timestamp": iso8601(self.verdict.timestamp_ns),
            "customer": self.verdict.customer_id,
            "method": self.verdict.method,
            "path": self.verdict.path,
            "status": self.verdict.status_code,
            "duration_us": self.verdict.duration_us,
        }


def read_start(file: str, lines: int) -> tuple[bytes, bool]:
    """Return the plain text in which the first lines of a file are, and whether that is all of it; a `UserError` if it cannot be read."""
    from processor.reading.objects import SourceError  # noqa: PLC0415 - to list the presets, none of it is needed

    text, most = bytearray(), max(SAMPLE_BYTES, lines * (MAX_LINE_BYTES + 2))
    try:
        with _opened(file) as stored:
            for block in _plain_text(file, stored):
                text += block
                if len(text) > SAMPLE_BYTES and (len(text) > most or text.count(b"\n") >= lines):
                    return bytes(text), False
    except SourceError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from None
    return bytes(text), True


def _opened(file: str) -> AbstractContextManager[IO[bytes]]:
    from local.pipes import is_pipe, opened  # noqa: PLC0415 - slow to import: to list the presets, none of it is needed

    return opened(file) if is_pipe(file) else Path(file).open("rb")


def _plain_text(file: str, stored: IO[bytes]) -> Iterator[bytes]:
    """Yield the plain text of a file, or of stdin; its first bytes tell how it is compressed."""
    from processor.reading.compression import compression_of, decompress  # noqa: PLC0415 - to show or list, none of it is needed

    blocks = iter(partial(stored.read, SAMPLE_BYTES), b"")
    first = next(blocks, b"")
    compression, all_blocks = compression_of(first), chain([first], blocks)
    return decompress(compression, all_blocks, SAMPLE_BYTES, file) if compression else all_blocks


def latest_of(file: str) -> int:
    """Return the last second, since 1970, that a request in a file can have when it is ingested."""
    from processor.reading.readable import LATE  # noqa: PLC0415 - to list the presets, none of it is needed

    written = Path(file).stat().st_mtime if Path(file).is_file() else time.time()
    return int(written + LATE.total_seconds())


def try_lines(declared: Format, start: bytes, lines: int, latest: int, *, complete: bool) -> list[Tried]:
    """Return what the first lines come to, of which none is after `latest`; a blank line is none."""
    reader = Reader(declared)
    numbered = enumerate(whole_lines(start, complete=complete)[:lines], 1)
    verdicts = ((number, line, reader.read(line, latest)) for number, line in numbered)
    return [Tried(number, line, verdict) for number, line, verdict in verdicts if verdict is not None]


def table_of(tried: Iterable[Tried]) -> Table:
    """Return what lines come to, for a terminal."""
    table = plain_table()
    for heading in _COLUMNS:
        numeric = heading in ("line", "status", "seconds")
        justify: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(heading, justify=justify, overflow="fold", min_width=len(heading))
    for each in tried:
        table.add_row(*(Text(visible(cell)) for cell in _cells(each)))
    return table


def iso8601(timestamp_ns: int) -> str:
    """Return a moment as ``2024-09-03T00:00:00.25Z``, with as many digits as it needs."""
    seconds, nanoseconds = divmod(timestamp_ns, 10**9)
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=None).isoformat()
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    return f"{moment}{fraction}Z"


def _cells(tried: Tried) -> tuple[str, ...]:
    verdict = tried.verdict
    if not isinstance(verdict, Request):
        said = f"rejected: {verdict.value}" if isinstance(verdict, RejectReason) else "skipped"
        return str(tried.number), said, "", "", tried.text[:_TEXT_SHOWN].decode(errors="replace")
    seconds = "" if verdict.duration_us is None else f"{verdict.duration_us / 1e6:.6f}"
    return (
        str(tried.number),
        iso8601(verdict.timestamp_ns).removesuffix("Z"),
        verdict.customer_id,
        verdict.method or "",
        verdict.path or "",
        str(verdict.status_code),
        seconds,
    )
