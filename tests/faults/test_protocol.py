"""The protocol as a state machine: Hypothesis looks for a history after which tables and model differ.

The schedules of `test_schedules` are longer and crash; here every step is checked, and a failure is shrunk.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from processor.ingest import Ingestor
from processor.ledger import attempts
from processor.ledger.delivery import Withdrawal
from processor.ledger.withdrawal import withdraw
from processor.reading.s3 import MissingError, S3Object
from processor.reject_stores import LocalRejectStore
from tests import oracle, tables
from tests.faults.bucket import VersionedBucket
from tests.faults.runner import Countdown, body_of, cut, process, wired
from tests.faults.schedule import Event
from tests.ingests import NATIVE
from tests.logs import as_bytes, random_lines

CONTENTS = [tuple(random_lines(seed, count, customers=2, days=2)) for seed, count in enumerate((0, 3, 5, 5))]


@dataclass(frozen=True)
class Known:
    """What the model knows of a key: the place in the key's true history that events have told, and what counts.

    Attributes
    ----------
    place
        Of the newest upload or delete marker that was delivered; a backfill tells none.
    version
        The last one that counted.
    is_withdrawn
        Deleted, or forgotten; then nothing counts.
    is_confirmed
        Last ingested by a backfill, which knows no sequencer: only what is current can then be told to be newer.
    """

    place: int = -1
    version: str | None = None
    lines: tuple[str, ...] = ()
    is_withdrawn: bool = False
    is_confirmed: bool = False


class Protocol(RuleBasedStateMachine):
    """Two keys; uploads, deletions, deliveries in any order and number, operators, cut sessions, dead attempts."""

    engine: sa.Engine
    side: sa.Engine
    folder: Path
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.bucket = VersionedBucket()
        self.prefix = f"{next(self.numbers)}"  # a database for all examples; each has its keys and customers
        self.events: list[Event] = []
        self.removed: list[Event] = []
        self.known: dict[str, Known] = {}
        self.ingestor = Ingestor(self.engine, LocalRejectStore(self.folder), workers=1, formats=NATIVE)
        self.countdown = Countdown(self.engine)
        self.wiring = wired(self.bucket)
        self.wiring.__enter__()

    def teardown(self) -> None:
        self.wiring.__exit__(None, None, None)
        self.countdown.remove()
        with self.engine.connect() as connection:
            while attempts.garbage_collect(connection, self.ingestor.rejects):
                pass
        assert set(tables.leftovers(self.engine).values()) == {0}

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}.log"

    def _sequencer(self, pad: int) -> str:
        """Ever greater numbers; some are longer than others that are greater."""
        return f"{9 + len(self.events) + len(self.removed):X}".rjust(4, "0") + "F" * pad

    def _current(self, key: str) -> Event | None:
        """What a GET would find: the last upload that was not deleted for good, unless a marker hides it."""
        left = [event for event in self.events if event.key == key and event not in self._gone()]
        return left[-1] if left and left[-1].lines is not None else None

    def _gone(self) -> list[Event]:
        return [event for event in self.events for gone in self.removed if gone.version == event.version
                and gone.key == event.key]  # fmt: skip

    @rule(
        name=st.sampled_from("ab"),
        content=st.one_of(st.none(), st.sampled_from(CONTENTS)),
        pad=st.integers(0, 2),
    )
    def upload(self, name: str, content: tuple[str, ...] | None, pad: int) -> None:
        """A new version, or with no content a delete marker; nobody is told yet."""
        lines = content and tuple(line.replace("cust_", f"{self.prefix}-") for line in content)
        data = None if lines is None else as_bytes(list(lines))
        key = self._key(name)
        self.events.append(Event(key, self._sequencer(pad), lines, data, self.bucket.put(key, data)))

    @precondition(lambda self: any(event.lines for event in self.events))
    @rule(data=st.data(), pad=st.integers(0, 2))
    def bring_back(self, data: st.DataObject, pad: int) -> None:
        """What a key once held is uploaded again, and told; what was in between may still be announced."""
        event = data.draw(st.sampled_from([each for each in self.events if each.lines]))
        version = self.bucket.put(event.key, event.data)
        self.events.append(Event(event.key, self._sequencer(pad), event.lines, event.data, version))
        self.known[event.key] = self._after(self.events[-1])
        process(body_of(self.events[-1]), self.ingestor)

    @precondition(lambda self: len(self._gone()) < len(self.events))
    @rule(data=st.data(), pad=st.integers(0, 2))
    def delete_for_good(self, data: st.DataObject, pad: int) -> None:
        """A version, or a delete marker, is gone; nobody is told yet."""
        event = data.draw(st.sampled_from([each for each in self.events if each not in self._gone()]))
        self.bucket.remove(event.key, event.version)
        self.removed.append(Event(event.key, self._sequencer(pad), None, None, event.version))

    @precondition(lambda self: self.events)
    @rule(data=st.data(), times=st.integers(1, 2), at=st.one_of(st.just(-1), st.integers(0, 25)))
    def deliver(self, data: st.DataObject, times: int, at: int) -> None:
        """Any event that ever was, once or twice; the server may end the session before a statement."""
        event = data.draw(st.sampled_from(self.events))
        for _ in range(times):
            expected = self._after(event)
            self.countdown.arm(at, lambda connection: cut(self.side, connection))
            try:
                process(body_of(event), self.ingestor)
            except MissingError:
                assert event in self._gone()
                assert expected != self.known.get(event.key, Known())
                return
            finally:
                self.countdown.arm(-1, None)
            self.known[event.key] = expected

    def _after(self, event: Event) -> Known:
        """What the model knows after an upload or a delete marker is delivered."""
        known = self.known.get(event.key, Known())
        place = self.events.index(event)
        is_marker, current = event.lines is None, self._current(event.key)
        if is_marker and known.is_withdrawn:
            return Known(max(place, known.place), known.version, is_withdrawn=True)
        if not is_marker and event.version == known.version:
            if known.is_withdrawn:
                return known
            return Known(max(place, known.place), event.version, known.lines)
        is_current = current is None if is_marker else event == current
        is_late = place < known.place or ((known.is_confirmed or place == known.place) and not is_current)
        if is_late:
            return known
        version = known.version if is_marker else event.version
        return Known(place, version, event.lines or (), is_withdrawn=is_marker)

    @precondition(lambda self: self.removed)
    @rule(data=st.data())
    def deliver_deletion(self, data: st.DataObject) -> None:
        """Only the deletion of the version that counts matters."""
        gone = data.draw(st.sampled_from(self.removed))
        body = body_of(gone)
        body["Records"][0]["eventName"] = "ObjectRemoved:Delete"
        process(body, self.ingestor)
        known = self.known.get(gone.key, Known())
        if gone.version == known.version:
            self.known[gone.key] = Known(known.place, known.version, (), True, known.is_confirmed)  # noqa: FBT003 - a field of a tuple

    @precondition(lambda self: self.events)
    @rule(name=st.sampled_from("ab"))
    def backfill(self, name: str) -> None:
        """Somebody ingests the current version, which no event has named."""
        key = self._key(name)
        current, known = self._current(key), self.known.get(key, Known())

        def head() -> S3Object:
            client: Any = self.bucket
            return S3Object.head(client, "logs", key)

        if current is None:
            with pytest.raises(MissingError):
                head()
            return
        self.ingestor.ingest_current(head)
        confirmed = known.is_confirmed or current.version != known.version
        self.known[key] = Known(known.place, current.version, current.lines or (), is_confirmed=confirmed)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """An operator's word; late and repeated events do not undo it."""
        key = data.draw(st.sampled_from(sorted(self.known)))
        withdraw(self.engine, Withdrawal("logs", key), self.ingestor.rejects)
        known = self.known[key]
        self.known[key] = Known(known.place, known.version, (), True, known.is_confirmed)  # noqa: FBT003 - a field of a tuple

    @rule(name=st.sampled_from("ab"))
    def abandon(self, name: str) -> None:
        """An attempt begins, and its session dies."""
        with self.engine.connect() as connection:
            attempts.begin(connection, [("logs", self._key(name))])
            connection.invalidate()

    @invariant()
    def the_tables_are_the_models(self) -> None:
        lines = [line for known in self.known.values() for line in known.lines]
        expected = oracle.statistics(lines)
        ours = f"{self.prefix}-"
        assert tables.statistics(self.engine, ours) == expected
        assert tables.customers(self.engine, ours) == oracle.customers(expected)

    @invariant()
    def the_ledger_tells_what_counts(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT key, accepted FROM log_objects WHERE key LIKE :ours AND accepted > 0"),
                {"ours": f"{self.prefix}/%"},
            )
            found = {row.key: row.accepted for row in rows}
        assert found == {key: len(known.lines) for key, known in self.known.items() if known.lines}


def make_machine(engine: sa.Engine, folder: Path) -> type[Protocol]:
    side = sa.create_engine(engine.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with_what = {"engine": engine, "side": side, "folder": folder, "numbers": itertools.count()}
    return type("Machine", (Protocol,), with_what)


def run(machine: type[Protocol], examples: int, steps: int, **more: Any) -> None:  # noqa: ANN401 - Hypothesis'
    checks = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )
    run_state_machine_as_test(machine, settings=checks)


def test_random_histories_follow_the_model(engine: sa.Engine, tmp_path: Path) -> None:
    run(make_machine(engine, tmp_path), examples=20, steps=15)


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_many_long_histories_follow_the_model(engine: sa.Engine, tmp_path: Path) -> None:
    run(make_machine(engine, tmp_path), examples=1_000, steps=40)
