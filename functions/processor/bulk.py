"""Ingest many log objects: large ones each on its own, small ones in groups, several at a time, and on past those that fail."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from processor.cluster.members import ClusterError
from processor.context import Context
from processor.group import LARGEST_BYTES, MOST_BYTES, MOST_OBJECTS, Candidate, ingest_group
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.change import IntegrityError
from processor.ledger.horizon import SealedError
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
    """Ingest sources, small ones in groups, and yield what came of each as it ends; of one `at_once` in their order, in this thread.

    Who stops asking waits for those that have been begun. An error that is no `Problem` is raised, after the same.
    """
    waiting = _groups(sources)
    if at_once == 1:
        for group in waiting:
            yield from _ingest(group, ingestor_of)
        return
    with ThreadPoolExecutor(at_once) as threads:
        running: set[Future[list[Result]]] = set()
        while True:
            new = islice(waiting, at_once - len(running))
            running |= {
                threads.submit(lambda group: list(_ingest(group, ingestor_of)), group) for group in new
            }
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()


def _groups(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """Divide sources, in their order, into groups: of small ones, or of one."""
    group: list[Source] = []
    for source in sources:
        is_small = source.candidate is not None and source.size <= LARGEST_BYTES
        if group and not (is_small and sum(each.size for each in group) + source.size <= MOST_BYTES):
            yield group
            group = []
        if is_small:
            group.append(source)
        if len(group) == MOST_OBJECTS or not is_small:
            yield group or [source]
            group = []
    if group:
        yield group


def _ingest(sources: list[Source], ingestor_of: Callable[[Source], Ingestor]) -> Iterator[Result]:
    ingestors, contexts = [ingestor_of(source) for source in sources], [Context() for _ in sources]
    summaries = _ingest_together(sources, ingestors[0], contexts)
    for source, ingestor, context, summary in zip(sources, ingestors, contexts, summaries, strict=True):
        try:
            if not summary and len(sources) > 1:
                ingestor.progress(0)  # raises what ends all, if that is why
            yield Result(source, context, summary or source.ingest(ingestor, context))
        except _PROBLEMS as problem:
            yield Result(source, context, None, problem)


def _ingest_together(
    sources: list[Source], ingestor: Ingestor, contexts: list[Context]
) -> list[IngestSummary | None]:
    """Ingest a group as far as it can be; return None for each that must be ingested by itself."""
    summaries: list[IngestSummary | None] = [None] * len(sources)
    candidates: dict[int, Candidate] = {}
    if len(sources) > 1 and not ingestor.cluster:
        for number, source in enumerate(sources):
            with suppress(SourceError):
                if source.candidate:
                    candidates[number] = source.candidate(ingestor)
    if len(candidates) > 1:
        with suppress(SourceError):
            chosen = [contexts[number] for number in candidates]
            found = ingest_group(ingestor, list(candidates.values()), chosen)
            for number, summary in zip(candidates, found, strict=True):
                summaries[number] = summary
    return summaries
