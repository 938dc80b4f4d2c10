"""The protocol as a state machine: Hypothesis looks for a history after which tables and model differ.

The schedules of `test_schedules` are longer and crash; here every step is checked, and a failure is shrunk.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from processor import attempts, handler
from processor.commit import withdraw
from processor.ingest import Ingestor
from processor.ledger import Withdrawal
from processor.rejects import LocalRejectStore
from tests import oracle, tables
from tests.faults.bucket import VersionedBucket
from tests.faults.runner import body_of, wired
from tests.faults.schedule import Event
from tests.logs import as_bytes, random_lines

CONTENTS = [tuple(random_lines(seed, count, customers=2, days=2)) for seed, count in enumerate((0, 3, 5, 5))]


@dataclass
class Known:
    """What the model knows of a key: the newest event, and what counts."""

    order: str = ""
    is_forgotten: bool = False
    version: str | None = None
    lines: tuple[str, ...] = ()


class Protocol(RuleBasedStateMachine):
    """Two keys; uploads, deletions, deliveries in any order and number, operators, dead attempts."""

    engine: sa.Engine
    folder: Path
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.bucket = VersionedBucket()
        self.prefix = f"{next(self.numbers)}"  # a database for all examples; each has its keys and customers
        self.events: list[Event] = []
        self.known: dict[str, Known] = {}
        self.ingestor = Ingestor(self.engine, LocalRejectStore(self.folder), workers=1)
        self.wiring = wired(self.bucket)
        self.wiring.__enter__()

    def teardown(self) -> None:
        self.wiring.__exit__(None, None, None)

    def _lines(self, content: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return content and tuple(line.replace("cust_", f"{self.prefix}-") for line in content)

    @rule(
        name=st.sampled_from("ab"),
        content=st.one_of(st.none(), st.sampled_from(CONTENTS)),
        pad=st.integers(0, 2),
    )
    def upload(self, name: str, content: tuple[str, ...] | None, pad: int) -> None:
        """A new version, or with no content a delete marker; nobody is told yet."""
        lines = self._lines(content)
        data = None if lines is None else as_bytes(list(lines))
        key = f"{self.prefix}/{name}.log"
        sequencer = f"{9 + len(self.events):X}".rjust(4, "0") + "F" * pad
        self.events.append(Event(key, sequencer, lines, data, self.bucket.put(key, data)))

    @precondition(lambda self: self.events)
    @rule(data=st.data(), times=st.integers(1, 2))
    def deliver(self, data: st.DataObject, times: int) -> None:
        """Any event that ever was, once or twice."""
        event = data.draw(st.sampled_from(self.events))
        known = self.known.setdefault(event.key, Known())
        for _ in range(times):
            handler._handle(body_of(event), self.ingestor)
            if event.order > known.order and not (known.is_forgotten and event.version == known.version):
                self.known[event.key] = known = Known(
                    event.order, version=event.version, lines=event.lines or ()
                )

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """An operator's word; late and repeated events do not undo it."""
        key = data.draw(st.sampled_from(sorted(self.known)))
        withdraw(self.engine, Withdrawal("logs", key))
        known = self.known[key]
        self.known[key] = Known(known.order, is_forgotten=True, version=known.version)

    @rule(name=st.sampled_from("ab"))
    def abandon(self, name: str) -> None:
        """An attempt begins, and its session dies."""
        with self.engine.connect() as connection:
            attempts.begin(connection, "logs", f"{self.prefix}/{name}.log")
            connection.invalidate()

    @invariant()
    def the_tables_are_the_models(self) -> None:
        lines = [line for known in self.known.values() for line in known.lines]
        found = {
            key: numbers
            for key, numbers in tables.statistics(self.engine).items()
            if key[0].startswith(f"{self.prefix}-")
        }
        assert found == oracle.statistics(lines)


@pytest.fixture
def machine(engine: sa.Engine, tmp_path: Path) -> type[Protocol]:
    return type("Machine", (Protocol,), {"engine": engine, "folder": tmp_path, "numbers": itertools.count()})


def run(machine: type[Protocol], examples: int, steps: int) -> None:
    checks = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=checks)


def test_random_histories_follow_the_model(machine: type[Protocol]) -> None:
    run(machine, examples=15, steps=12)


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_many_long_histories_follow_the_model(machine: type[Protocol]) -> None:
    run(machine, examples=1_000, steps=40)
