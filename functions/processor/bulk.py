"""Ingest many log objects: each on its own, several at a time, and on past those that fail."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from processor.cluster.members import ClusterError
from processor.context import Context
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.horizon import SealedError
from processor.ledger.merge import IntegrityError
from processor.reading.objects import SourceError
from processor.sources import Source

Problem = SourceError | ClusterError | IntegrityError | SealedError
"""Say what is wrong with one log object; anything else is wrong with all, and is raised."""
_PROBLEMS = (SourceError, ClusterError, IntegrityError, SealedError)


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what came of a source: a summary, or what was wrong with it."""

    source: Source
    context: Context
    summary: IngestSummary | None
    problem: Problem | None = None


def ingest_all(
    sources: Iterable[Source], ingestor_of: Callable[[Source], Ingestor], at_once: int = 1
) -> Iterator[Result]:
    """Ingest sources, and yield what came of each as it ends; of one `at_once` in their order, in this thread.

    Who stops asking waits for those that have been begun. An error that is no `Problem` is raised, after the same.
    """

    def run(source: Source) -> Result:
        context = Context()
        try:
            return Result(source, context, source.ingest(ingestor_of(source), context))
        except _PROBLEMS as problem:
            return Result(source, context, None, problem)

    if at_once == 1:
        yield from map(run, sources)
        return
    waiting = iter(sources)
    with ThreadPoolExecutor(at_once) as threads:
        running: set[Future[Result]] = set()
        while True:
            running |= {threads.submit(run, source) for source in islice(waiting, at_once - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
