"""Ingest many log objects with one bar over all of them, a line for each, and an end that can be asked for."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import takewhile

import typer

from local.display import progress_bar, visible
from local.ingestion import line_of, problem_of
from local.termination import noticed
from processor.bulk import Result, ingest_all
from processor.dataflow.source import Progress
from processor.dataflow.staging import usable_cores
from processor.ingest import Ingestor
from processor.reading.objects import SourceError
from processor.sources import Source

_INTERRUPTED = 130


AT_ONCE = 2 * usable_cores()
"""While one log object waits for the database, another one is read."""


class _StoppedError(SourceError):
    """Somebody wants this to end at once."""


def stoppable(signals: list[int], advance: Progress = lambda _: None) -> Progress:
    """Return a progress that passes counts on, and ends an ingest at once when the second signal has come."""

    def read(count: int) -> None:
        if len(signals) > 1:
            raise _StoppedError("it was stopped")
        advance(count)

    return read


@dataclass(slots=True)
class _Part:
    """Track what is left of one source; reading tells whole chunks, and not of all that it reads."""

    left: int
    _advance: Progress = field(repr=False)

    def advance(self, count: int) -> None:
        """Tell that so many bytes, or fewer at the end, were read."""
        count = min(count, self.left)
        self.left -= count
        self._advance(count)


def ingest_many(
    sources: Iterable[Source],
    ingestor_of: Callable[[Source, Progress], Ingestor],
    *,
    at_once: int = AT_ONCE,
    as_json: bool,
) -> None:
    """Ingest sources, and tell what came of each: status 1 if one has failed.

    Ctrl-C ends it after the objects at hand, and at once when it comes again: status 130.
    """
    started, counts = time.monotonic(), Counter[str]()
    listed = list(sources) if sys.stderr.isatty() else None
    parts: dict[str, _Part] = {}
    size = sum(source.size for source in listed or ())
    with progress_bar("", size, of_bytes=True) as advance, noticed(_tell_of_the_end) as signals:

        def made(source: Source) -> Ingestor:
            part = parts[source.name] = _Part(source.size, advance)
            return ingestor_of(source, stoppable(signals, part.advance))

        wanted = takewhile(lambda _: not signals, sources if listed is None else listed)
        try:
            for result in ingest_all(wanted, made, at_once):
                part = parts.pop(result.source.name)
                part.advance(part.left)
                counts.update(tell(result, as_json=as_json))
        except KeyboardInterrupt:  # the second
            pass
    if signals:
        print(f"stopped: {counts['done']:,} log objects are done; run it again for the rest", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED)
    if listed is not None:
        print(_total(counts, time.monotonic() - started), file=sys.stderr)
    if counts["failed"]:
        raise typer.Exit(1)


def tell(result: Result, *, as_json: bool) -> Counter[str]:
    """Print what came of a source, and return its part of the total."""
    problem, summary = problem_of(result), result.summary
    if summary and as_json:
        print(json.dumps(summary.as_dict()), flush=True)
    if problem:
        print(f"logstats: {visible(problem)}", file=sys.stderr, flush=True)
        return Counter(failed=1, done=1)
    assert summary  # noqa: S101 - it has no problem
    if not as_json:
        print(line_of(result), flush=True)
    return Counter(
        {"done": 1, summary.outcome: 1, "accepted": summary.accepted, "rejected": summary.rejected}
    )


def _total(counts: Counter[str], seconds: float) -> str:
    outcomes = {name: n for name, n in counts.items() if name not in ("done", "accepted", "rejected")}
    return (
        f"{counts['done']:,} log objects in {seconds:.1f} s:"
        f" {', '.join(f'{count:,} {name}' for name, count in sorted(outcomes.items()))};"
        f" {counts['accepted']:,} requests, {counts['rejected']:,} rejected lines"
    )


def _tell_of_the_end() -> None:
    print("ending after the log objects at hand; once more ends at once", file=sys.stderr, flush=True)
