"""Ingests at once against one after the other: the same logs, customers and days, one process per log.

``python -m benchmarks.concurrent_ingests [--files 16] [--lines 100000] [--runs 3]``

The peer is the same code, in one process, one log after the other. All processes have ingested a line before, as a warm
function has. Both end with the same statistics, or the benchmark stops.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks.peers.committed import WARM_UP
from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema
from processor.reading.objects import LocalFile
from tests import tables
from tests.faults.concurrent import Processes, an_ingestor, write


def migrated(server: EmbeddedPostgres, name: str) -> sa.Engine:
    server.create_database(name, template="migrated")
    return create_engine(server.settings(name))


def one_after_the_other(server: EmbeddedPostgres, name: str, paths: list[Path], warm_up: Path) -> float:
    with an_ingestor(server.settings(name), paths[0].parent / "rejected") as ingestor:
        ingestor.ingest_file(LocalFile.at(warm_up))
        started = time.perf_counter()
        for path in paths:
            assert ingestor.ingest_file(LocalFile.at(path)).outcome == "ingested"
        return time.perf_counter() - started


def at_once(server: EmbeddedPostgres, name: str, paths: list[Path], warm_up: Path) -> float:
    processes = Processes(server.settings(name), paths, warm_up)
    processes.ready()
    started = time.perf_counter()
    outcomes = processes.outcomes()
    seconds = time.perf_counter() - started
    assert set(outcomes) == {"ingested"}, outcomes
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--lines", type=int, default=100_000, help="of each file")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths, warm_up = write(Path(folder), options.files, options.lines), Path(folder) / "warm-up.log"
        warm_up.write_bytes(WARM_UP)
        server = postgres.start(Path(folder) / "data")
        try:
            server.create_database("migrated")
            engine = create_engine(server.settings("migrated"))
            schema.upgrade(engine)
            engine.dispose()
            times: dict[str, list[float]] = {"at once": [], "one after the other": []}
            for run in range(options.runs):
                found = []
                for way, ingest in (("at once", at_once), ("one after the other", one_after_the_other)):
                    name = f"{way.replace(' ', '_')}_{run}"
                    engine = migrated(server, name)
                    times[way].append(ingest(server, name, paths, warm_up))
                    found.append(tables.merged_rows(engine))
                    engine.dispose()
                assert found[0] == found[1] != [], "the results differ"
        finally:
            server.stop()
    total = options.files * options.lines
    for way, seconds in times.items():
        median = statistics.median(seconds)
        print(
            f"{options.files} logs of {options.lines:,} lines, {way}: {median:.2f} s, {total / median:,.0f} lines/s"
        )
    ratio = statistics.median(times["one after the other"]) / statistics.median(times["at once"])
    print(f"at once: {ratio:.2f} times the throughput")


if __name__ == "__main__":
    main()
