import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache import LARGEST_SHARE, OVERHEAD_BYTES, Kept, Revisions
from api.database import DatabaseAwayError, Row
from api.statements import REVISIONS

DEADLINE = 1e12


class Gate:
    """A database whose statements take their snapshot when they begin, and answer when they are let go."""

    def __init__(self) -> None:
        self.revisions: dict[str, int] = {}
        self.begun: list[tuple[Sequence[str], float, asyncio.Future[None]]] = []

    async def fetch(self, statement: str, /, *arguments: object, deadline: float) -> list[Row]:
        assert statement == REVISIONS
        [customers] = arguments
        assert isinstance(customers, list)
        snapshot = [
            (customer, self.revisions[customer]) for customer in customers if customer in self.revisions
        ]
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun.append((sorted(customers), deadline, released))
        await released
        return list(snapshot)

    def release(self, number: int) -> None:
        self.begun[number][2].set_result(None)


async def turns() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(test: Callable[[Gate, Revisions], Awaitable[None]]) -> None:
    async def main() -> None:
        gate = Gate()
        await asyncio.wait_for(test(gate, Revisions(gate.fetch)), 5)

    asyncio.run(main())


def test_requests_that_arrive_together_share_one_statement() -> None:
    async def test(gate: Gate, revisions: Revisions) -> None:
        gate.revisions = {"a": 1, "b": 2}
        told = [revisions.current(customer, DEADLINE) for customer in ("a", "b", "a", "nobody")]
        await turns()
        assert [customers for customers, _, _ in gate.begun] == [["a", "b", "nobody"]]
        gate.release(0)
        assert await asyncio.gather(*told) == [1, 2, 1, None]

    run(test)


def test_a_statement_begun_before_a_request_arrived_is_not_shared_with_it() -> None:
    """A commit between the two would be missed."""

    async def test(gate: Gate, revisions: Revisions) -> None:
        gate.revisions = {"a": 1}
        early = revisions.current("a", DEADLINE)
        await turns()
        gate.revisions = {"a": 2}  # the commit
        late = [revisions.current("a", DEADLINE) for _ in range(3)]
        await turns()
        gate.release(0)
        assert await early == 1
        await turns()
        assert not any(told.done() for told in late)
        gate.release(1)
        assert await asyncio.gather(*late) == [2, 2, 2]
        assert len(gate.begun) == 2

    run(test)


def test_every_statement_begins_after_the_requests_it_answers() -> None:
    """However the arrivals, commits and answers follow one another."""

    @given(st.lists(st.sampled_from(["arrive", "commit", "answer", "turn"]), max_size=40))
    def property_of(schedule: list[str]) -> None:
        async def test(gate: Gate, revisions: Revisions) -> None:
            gate.revisions, told, answered = {"a": 0}, [], 0
            for step in [*schedule, *["turn", "answer"] * 3]:
                match step:
                    case "arrive":
                        told.append((gate.revisions["a"], revisions.current("a", DEADLINE)))
                    case "commit":
                        gate.revisions["a"] += 1
                    case "answer" if len(gate.begun) > answered:
                        gate.release(answered)
                        answered += 1
                    case "turn":
                        await turns()
            for at_arrival, revision in told:
                found = await revision
                assert found is not None
                assert found >= at_arrival

        run(test)

    property_of()


def test_the_earliest_deadline_is_that_of_the_statement() -> None:
    async def test(gate: Gate, revisions: Revisions) -> None:
        told = [revisions.current("a", deadline) for deadline in (100.0, 101.0)]
        await turns()
        assert gate.begun[0][1] == 100.0
        gate.release(0)
        await asyncio.gather(*told)

    run(test)


def test_a_request_given_up_takes_nobody_with_it() -> None:
    async def test(gate: Gate, revisions: Revisions) -> None:
        gate.revisions = {"a": 1}
        given_up, staying = (
            asyncio.ensure_future(asyncio.wait_for(revisions.current("a", DEADLINE), 60)) for _ in range(2)
        )
        await turns()
        given_up.cancel()
        await turns()
        gate.release(0)
        assert await staying == 1
        assert given_up.cancelled()

    run(test)


def test_a_failure_reaches_all_who_share_it_and_nobody_else() -> None:
    async def test(gate: Gate, revisions: Revisions) -> None:
        gate.revisions = {"a": 1}
        told = [revisions.current("a", DEADLINE) for _ in range(2)]
        await turns()
        later = revisions.current("a", DEADLINE)
        gate.begun[0][2].set_exception(DatabaseAwayError("away"))
        for revision in told:
            with pytest.raises(DatabaseAwayError, match="away"):
                await revision
        await turns()
        gate.release(1)
        assert await later == 1

    run(test)


def test_a_statement_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def test(gate: Gate, revisions: Revisions) -> None:
        told = revisions.current("a", DEADLINE)
        await turns()
        gate.begun[0][2].cancel()
        with pytest.raises(asyncio.CancelledError):
            await told

    run(test)


def kept(max_answers: float, body_bytes: int = 1_000) -> Kept[str, str]:
    return Kept(int(max_answers * (body_bytes + OVERHEAD_BYTES)))


def test_the_answer_unused_for_longest_goes_first() -> None:
    answers = kept(LARGEST_SHARE)
    for number in range(LARGEST_SHARE):
        answers.keep(str(number), f"answer {number}", 1_000)
    assert answers.get("0") == "answer 0"
    answers.keep("one more", "another", 1_000)
    assert answers.get("0") == "answer 0"
    assert answers.get("1") is None
    assert answers.get("2") == "answer 2"


def test_a_later_answer_takes_the_place_of_the_earlier() -> None:
    answers = kept(LARGEST_SHARE)
    for body in range(100):
        answers.keep("a", str(body), body)
    assert answers.get("a") == "99"
    assert answers.bytes == 99 + OVERHEAD_BYTES


def test_an_answer_that_would_drive_out_many_is_not_kept_nor_what_it_replaces() -> None:
    answers = kept(LARGEST_SHARE)
    answers.keep("a", "small", 1_000)
    answers.keep("a", "large", 1_001)
    assert answers.get("a") is None
    assert answers.bytes == 0


def test_without_space_nothing_is_kept() -> None:
    answers: Kept[str, str] = Kept(0)
    answers.keep("a", "", 0)
    assert answers.get("a") is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2_000)), max_size=60))
def test_the_space_is_never_exceeded_and_always_accounted_for(steps: list[tuple[str, int]]) -> None:
    answers = kept(LARGEST_SHARE)
    sizes: dict[str, int] = {}
    for key, size in steps:
        answers.keep(key, key, size)
        sizes[key] = size + OVERHEAD_BYTES
        held = [key for key in sizes if answers.get(key)]
        assert answers.bytes == sum(sizes[key] for key in held) <= LARGEST_SHARE * (1_000 + OVERHEAD_BYTES)
