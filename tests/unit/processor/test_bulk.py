"""Many sources, each on its own."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from processor.bulk import ingest_all
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.change import IntegrityError
from processor.reading.objects import SourceError
from processor.sources import Source

NOBODY = cast("Ingestor", None)


def source(number: int, run: Callable[[], object]) -> Source:
    def ingest(*_: object) -> IngestSummary:
        run()
        return IngestSummary(str(number), "ingested")

    return Source(str(number), 0, ingest)


def fail(error: Exception) -> Callable[[], Any]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize("at_once", [1, 3])
def test_what_is_wrong_with_one_does_not_keep_the_others(at_once: int) -> None:
    wrong = {2: SourceError("gone"), 5: IntegrityError("contradiction")}
    sources = [source(n, fail(wrong[n]) if n in wrong else lambda: None) for n in range(8)]
    results = {result.source.name: result for result in ingest_all(sources, lambda _: NOBODY, at_once)}
    assert {int(name): result.problem for name, result in results.items() if result.problem} == wrong
    assert sum(result.summary is not None for result in results.values()) == 6


def test_so_many_at_once_and_no_more_is_taken_than_is_begun() -> None:
    together, taken = threading.Barrier(3), list[int]()

    def sources() -> Iterator[Source]:
        for number in range(6):
            taken.append(number)
            yield source(number, lambda: together.wait(timeout=60))

    results = ingest_all(sources(), lambda _: NOBODY, 3)
    next(results)
    assert len(taken) == 3
    assert len(list(results)) == 5


def test_what_is_wrong_with_all_ends_it_after_those_that_were_begun() -> None:
    begun, ended, go_on = list[int](), list[int](), threading.Event()

    def wait(number: int) -> Callable[[], None]:
        def run() -> None:
            begun.append(number)
            go_on.wait(timeout=60)
            ended.append(number)

        return run

    def broken() -> None:
        threading.Timer(0.1, go_on.set).start()
        raise OSError("the database is away")

    sources = [source(0, broken), *(source(number, wait(number)) for number in range(1, 9))]
    with pytest.raises(OSError, match="away"):
        list(ingest_all(sources, lambda _: NOBODY, 2))
    assert begun == ended
    assert len(begun) < 8
