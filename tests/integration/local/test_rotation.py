"""A month of logrotate, in each of its ways, while logs are written and ingested at random moments: every line counts once."""

import datetime as dt
import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from local.ingestion import Naming
from local.watching import Watch
from processor.bulk import Result, ingest_all
from processor.ingest import Ingestor
from processor.reading.objects import SourceError
from processor.sources import file_source, files_of
from tests import tables

KEPT = 5
START = dt.datetime(2024, 9, 1, tzinfo=dt.UTC)


@dataclass
class Rotation:
    """A folder in which `app.log` is written and rotated, step by step.

    The tool itself loses lines in one case, which is left out: what is written between the copy and the truncation.
    """

    folder: Path
    rng: random.Random
    copies: bool
    is_dated: bool
    delays: bool
    lines: list[str] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.writer = (self.folder / "app.log").open("ab", buffering=0)

    def write(self, *, torn: bool) -> Iterator[None]:
        """Some lines; the last comes in two pieces."""
        new = []
        for _ in range(self.rng.randrange(1, 6)):
            self.number += 1
            time = START + dt.timedelta(seconds=self.number)
            new.append(
                f"{time:%Y-%m-%d %H:%M:%S} cust_{self.number % 3} /a {self.rng.choice([200, 500])} 0.{self.number % 10}"
            )
        data = "".join(f"{line}\n" for line in new).encode()
        self.lines += new
        at = len(data) - self.rng.randrange(1, 30) if torn else len(data)
        self.writer.write(data[:at])
        yield
        self.writer.write(data[at:])

    def rotate(self, day: int) -> Iterator[None]:
        """Shift, then move or copy, then compress; a moment between any two steps."""
        old = sorted(
            (path for path in self.folder.iterdir() if path.name != "app.log"), key=self._age, reverse=True
        )
        for path in old[: max(0, len(old) - KEPT + 1)]:
            path.unlink()
        if not self.is_dated:
            for path in (path for path in old if path.exists()):
                place = int(path.name.split(".")[2])
                path.rename(path.with_name(path.name.replace(f"log.{place}", f"log.{place + 1}")))
                yield
        name = f"app.log-{START.date() + dt.timedelta(day):%Y%m%d}" if self.is_dated else "app.log.1"
        live, moved = self.folder / "app.log", self.folder / name
        yield
        if self.copies:
            data = live.read_bytes()
            moved.write_bytes(data[: len(data) // 2])
            yield
            moved.write_bytes(data)
            yield
            live.open("wb").close()
        else:
            live.rename(moved)
            yield
            following = live.open("ab", buffering=0)
            yield
            yield from self.write(torn=False)  # the service has not been told yet
            self.writer.close()
            self.writer = following
        yield
        plain = [path for path in self.folder.iterdir() if path.suffix != ".gz" and path.name != "app.log"]
        for path in plain if not self.delays else [path for path in plain if path != moved]:
            packed = gzip.compress(path.read_bytes())
            target = path.with_name(f"{path.name}.gz")
            target.write_bytes(packed[: len(packed) // 2])
            yield
            target.write_bytes(packed)
            yield
            path.unlink()

    def _age(self, path: Path) -> int:
        name = path.name.removesuffix(".gz")
        return -int(name.rpartition("-")[2]) if self.is_dated else int(name.rpartition(".")[2])

    def month(self) -> Iterator[None]:
        """Daily, or by size: then several times on some days, which dates cannot tell apart."""
        for day in range(30):
            for _ in range(self.rng.randrange(1, 4)):
                yield from self.write(torn=self.rng.random() < 0.3)
            if self.is_dated or self.rng.random() < 0.8:
                yield from self.rotate(day)


def by_cron(ingestor: Ingestor, folder: Path) -> Iterator[Result]:
    for path in files_of(f"{folder}/app.log*", ()):
        assert isinstance(path, Path)
        yield from ingest_all([file_source(path, None, is_rotated=True)], lambda _: ingestor)


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("copies", [False, True], ids=["create", "copytruncate"])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 20))]
)
def test_a_month_of_logrotate_counts_every_line_once(
    ingestor: Ingestor, tmp_path: Path, seed: int, *, copies: bool, watched: bool
) -> None:
    """A month of cron jobs, or a watch that is restarted now and then."""
    rng = random.Random(f"{seed} {copies} {watched}")
    folder = tmp_path / "logs"
    folder.mkdir()
    rotation = Rotation(folder, rng, copies, rng.random() < 0.5, rng.random() < 0.7)
    said: list[str] = []
    make = partial(Watch, [str(folder)], Naming(None, is_rotated=True), (), said.append)
    watch, outcomes = make(), set[str]()

    def run() -> None:
        for result in (
            ingest_all(watch.changed(), lambda _: ingestor) if watched else by_cron(ingestor, folder)
        ):
            assert result.summary or isinstance(result.problem, SourceError)
            if watched:
                watch.end(result)
            if result.summary:
                outcomes.add(result.summary.outcome)

    waiting = 0
    for _ in rotation.month():
        waiting += 1
        if rng.random() < 0.15 or waiting > 12:
            waiting = 0
            watch = make() if rng.random() < 0.1 else watch
            run()
    rotation.writer.close()
    run()
    assert outcomes <= {"ingested", "replaced", "unchanged", "stale"}
    assert {"ingested", "replaced", "unchanged"} <= outcomes
    assert all("not valid gzip" in line for line in said)
    tables.check(ingestor.engine, rotation.lines)


def test_a_watch_keeps_nothing_of_what_is_gone_and_reads_nothing_again(tmp_path: Path) -> None:
    """Ten thousand rounds over a folder whose files come and go."""
    said: list[str] = []
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("x")
    watch = Watch([str(tmp_path)], Naming(), (), said.append)
    held = set[int]()
    for number in range(10_000):
        if number % 100 == 0:
            (tmp_path / f"{number - 100}.log").unlink(missing_ok=True)
            (tmp_path / f"{number}.log").write_text("x")
        found = [source.name for source in watch.changed()]
        assert len(found) == (3 if number == 0 else number % 100 == 0), number
        for name in found:
            state = watch._reading[name]
            watch._seen[state[0]] = state[1]
        held.add(len(watch._seen))
    assert held <= {3, 4}
    assert (said, watch._problems, watch._missing) == ([], {}, set())
