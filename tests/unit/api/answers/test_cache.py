import asyncio
import datetime as dt
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

from api.answers.cache import LARGEST_SHARE, OVERHEAD_BYTES, LRUCache
from api.answers.representation import Format, RenderedAnswer
from api.answers.revisions import REVISIONS, Revisions
from api.database.reader import DatabaseUnavailableError, Reader
from api.statistics.periods import Interval
from api.statistics.query import CachedStatistics, StatisticsQuery
from api.statistics.statements import DAILY_STATISTICS

DEADLINE = 1e12


class Gate(Reader):
    """A database whose statements take their snapshot when they begin, and answer when they are let go."""

    def __init__(self) -> None:
        self.revisions: dict[str, int] = {}
        self.begun: list[tuple[Sequence[str], float, asyncio.Future[None]]] = []

    async def rows(
        self, statement: object, parameters: Mapping[str, Any] | None = None, *, deadline: float | None = None
    ) -> Sequence[Any]:
        assert statement is REVISIONS
        assert deadline is not None
        assert parameters is not None
        customers = parameters["customers"]
        snapshot = [
            (customer, self.revisions[customer]) for customer in customers if customer in self.revisions
        ]
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun.append((sorted(customers), deadline, released))
        await released
        return list(snapshot)

    def release(self, number: int) -> None:
        self.begun[number][2].set_result(None)


def current(revisions: Revisions, customer: str, deadline: float = DEADLINE) -> asyncio.Future[int | None]:
    """A request that arrives now."""
    return asyncio.ensure_future(revisions.current(customer, deadline))


async def turns() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def within_a_loop(test: Callable[[Gate, Revisions], Awaitable[None]]) -> Callable[[], None]:
    async def main() -> None:
        gate = Gate()
        await asyncio.wait_for(test(gate, Revisions(gate)), 5)

    return lambda: asyncio.run(main())


@within_a_loop
async def test_requests_that_arrive_together_share_one_statement(gate: Gate, revisions: Revisions) -> None:
    gate.revisions = {"a": 1, "b": 2}
    futures = [current(revisions, customer) for customer in ("a", "b", "a", "nobody")]
    await turns()
    assert [customers for customers, _, _ in gate.begun] == [["a", "b", "nobody"]]
    gate.release(0)
    assert await asyncio.gather(*futures) == [1, 2, 1, None]


@within_a_loop
async def test_a_statement_begun_before_a_request_arrived_is_not_shared_with_it(
    gate: Gate, revisions: Revisions
) -> None:
    """A commit between the two would be missed."""
    gate.revisions = {"a": 1}
    early = current(revisions, "a")
    await turns()
    gate.revisions = {"a": 2}  # the commit
    late = [current(revisions, "a") for _ in range(3)]
    await turns()
    gate.release(0)
    assert await early == 1
    await turns()
    assert not any(futures.done() for futures in late)
    gate.release(1)
    assert await asyncio.gather(*late) == [2, 2, 2]
    assert len(gate.begun) == 2


def test_every_statement_begins_after_the_requests_it_answers() -> None:
    """However the arrivals, commits and answers follow one another."""

    @given(st.lists(st.sampled_from(["arrive", "commit", "answer", "turn"]), max_size=40))
    def property_of(schedule: list[str]) -> None:
        @within_a_loop
        async def test(gate: Gate, revisions: Revisions) -> None:
            gate.revisions, futures, answered = {"a": 0}, [], 0
            for step in [*schedule, *["turn", "answer"] * 3]:
                match step:
                    case "arrive":
                        futures.append((gate.revisions["a"], current(revisions, "a")))
                    case "commit":
                        gate.revisions["a"] += 1
                    case "answer" if len(gate.begun) > answered:
                        gate.release(answered)
                        answered += 1
                    case "turn":
                        await turns()
            for at_arrival, revision in futures:
                found = await revision
                assert found is not None
                assert found >= at_arrival

        test()

    property_of()


@within_a_loop
async def test_the_earliest_deadline_is_that_of_the_statement(gate: Gate, revisions: Revisions) -> None:
    futures = [current(revisions, "a", deadline) for deadline in (100.0, 101.0)]
    await turns()
    assert gate.begun[0][1] == 100.0
    gate.release(0)
    await asyncio.gather(*futures)


@within_a_loop
async def test_a_request_given_up_takes_nobody_with_it(gate: Gate, revisions: Revisions) -> None:
    gate.revisions = {"a": 1}
    given_up, staying = (current(revisions, "a") for _ in range(2))
    await turns()
    given_up.cancel()
    await turns()
    gate.release(0)
    assert await staying == 1
    assert given_up.cancelled()


@within_a_loop
async def test_a_failure_reaches_all_who_share_it_and_nobody_else(gate: Gate, revisions: Revisions) -> None:
    gate.revisions = {"a": 1}
    futures = [current(revisions, "a") for _ in range(2)]
    await turns()
    later = current(revisions, "a")
    gate.begun[0][2].set_exception(DatabaseUnavailableError("away"))
    for revision in futures:
        with pytest.raises(DatabaseUnavailableError, match="away"):
            await revision
    await turns()
    gate.release(1)
    assert await later == 1


@within_a_loop
async def test_a_statement_that_is_cancelled_leaves_nobody_waiting(gate: Gate, revisions: Revisions) -> None:
    futures = current(revisions, "a")
    await turns()
    gate.begun[0][2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await futures


def query(number: object) -> StatisticsQuery:
    return StatisticsQuery(str(number), dt.date.min, dt.date.max)


def answer(body_bytes: int = 1_000, revision: int | None = 1) -> RenderedAnswer:
    return RenderedAnswer(b"x" * body_bytes, revision, Format.JSON)


def room_for(answers: int) -> LRUCache:
    """Room for so many answers of the usual size."""
    return LRUCache(answers * (1_000 + OVERHEAD_BYTES))


def test_the_answer_unused_for_longest_goes_first() -> None:
    answers = room_for(LARGEST_SHARE)
    for number in range(LARGEST_SHARE):
        answers.put(query(number), answer())
    assert answers.get(query(0)) == answer()
    answers.put(query("one more"), answer())
    assert answers.get(query(0)) == answer()
    assert answers.get(query(1)) is None
    assert answers.get(query(2)) == answer()


@pytest.mark.parametrize("later", [answer(1_001), answer(revision=None)], ids=["large", "nothing"])
def test_what_is_not_worth_its_room_is_not_kept_nor_what_it_replaces(later: RenderedAnswer) -> None:
    answers = room_for(LARGEST_SHARE)
    answers.put(query("a"), answer())
    answers.put(query("a"), later)
    assert answers.get(query("a")) is None
    assert answers.bytes == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2_000)), max_size=60))
def test_the_room_is_never_exceeded_and_always_accounted_for(steps: list[tuple[str, int]]) -> None:
    answers = room_for(LARGEST_SHARE)
    sizes: dict[str, int] = {}
    for customer, size in steps:
        answers.put(query(customer), answer(size))
        sizes[customer] = size + OVERHEAD_BYTES
        assert answers.get(query(customer)) in (None, answer(size)), "not the earlier one"
        held = [customer for customer in sizes if answers.get(query(customer))]
        assert answers.bytes == sum(sizes[key] for key in held) <= LARGEST_SHARE * (1_000 + OVERHEAD_BYTES)


def test_the_room_counts_what_keeping_takes_beside_the_bodies() -> None:
    """With the longest customer ids, of the widest characters."""
    answers = LRUCache(4_000_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10_000):
        answers.put(query(f"{number:0>5}" + chr(0x1F600) * 250), answer(number % 50, number))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken <= 4_000_000 * 1.05


class Storing(Reader):
    """Stands in for a database with one customer, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def deadline(self) -> float:
        return DEADLINE

    async def rows(
        self, statement: object, parameters: Mapping[str, Any] | None = None, *, deadline: float | None = None
    ) -> Sequence[Any]:
        assert deadline == DEADLINE
        self.asked["revision" if statement is REVISIONS else "statistics"] += 1
        if statement is REVISIONS:
            assert parameters == {"customers": ["a"]}
            return [("a", 1)]
        names = SimpleResultMetaData([column.name for column in DAILY_STATISTICS.selected_columns])
        row = ("a", 1, dt.date(2024, 9, 3), 1, 0, 0, 0, 1, 1, 1, 1, 1, 1)
        return IteratorResult(names, iter([row])).all()


def ask(*queries: StatisticsQuery) -> Counter[str]:
    """How often what is read, to answer the queries twice."""
    storing = Storing()

    async def main() -> None:
        cached = CachedStatistics(storing, LRUCache(1_000_000))
        first = [await cached.answer(each) for each in queries]
        assert [await cached.answer(each) for each in queries] == first

    asyncio.run(main())
    return storing.asked


def test_an_unchanged_answer_is_read_once_and_its_revision_each_time() -> None:
    assert ask(*[query("a")] * 3) == {"statistics": 1, "revision": 5}


def test_other_days_intervals_and_formats_are_other_answers() -> None:
    queries = [
        query("a"),
        StatisticsQuery("a", dt.date(2024, 9, 3), dt.date.max),
        StatisticsQuery("a", dt.date.min, dt.date(2024, 9, 3)),
        StatisticsQuery("a", dt.date.min, dt.date.max, form=Format.CSV),
    ]
    assert ask(*queries) == {"statistics": 4, "revision": 4}
    assert len({*queries, StatisticsQuery("a", dt.date.min, dt.date.max, Interval.TOTAL)}) == 5
