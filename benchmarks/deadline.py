"""How fast an ingest from S3 is per core, against what `processor.deadline` takes for sure.

``python -m benchmarks.deadline [--megabytes 200] [--runs 3]``

One worker reads from an S3 double in a process of its own, into a PostgreSQL of its own. "CPU" is the time that the
ingest's own process has computed; on a quiet core, and with a database that keeps up, it is what passes by the
clock. The margin is the measured speed over the assumed one: below 1, an object may be begun that cannot be ended.
"""

import argparse
import gzip
import multiprocessing
import os
import statistics
import time
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import database
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from processor.capacity import BYTES_PER_SECOND
from processor.ingest import Ingestor
from processor.reading.compression import compression_of
from processor.reading.s3 import create_client
from processor.reject_stores import LocalRejectStore
from processor.requests import EventRequest
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

CASES = {"50 customers": (50, 30), "100,000 customers": (100_000, 30)}
_LINES = 200_000
_names = map("run_{}".format, count())


def serve(pipe: Connection, objects: dict[str, tuple[bytes, int]]) -> None:
    """In a process of its own: S3, until the other end closes."""
    with S3Double() as s3:
        for key, (block, repeats) in objects.items():
            s3.put("logs", key, block, repeats)
        pipe.send(s3.endpoint)
        pipe.recv()


def objects_of(plain_bytes: int) -> dict[str, tuple[bytes, int]]:
    """A block and how often it comes, for each key."""
    found = {}
    for name, (customers, days) in CASES.items():
        block = as_bytes(random_lines(1, _LINES, customers, days))
        repeats = max(1, plain_bytes // len(block))
        found[f"{name}.log"] = (block, repeats)
        found[f"{name}.log.gz"] = (gzip.compress(block), repeats)
    return found


def measure(server: EmbeddedPostgres, folder: Path, key: str) -> tuple[float, float]:
    """Ingest into a new database; return seconds by the clock, and of this process' computing."""
    client, name = create_client(region_name="eu-west-1"), next(_names)
    server.create_database(name, template="logstats")
    engine = create_engine(server.settings(name), max_overflow=-1)
    ingestor = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1)
    clock, cpu = time.perf_counter(), time.process_time()
    assert ingestor.ingest(EventRequest(client, "logs", key, "v1", "01")).outcome == "ingested"
    taken = time.perf_counter() - clock, time.process_time() - cpu
    engine.dispose()
    client.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--megabytes", type=int, default=200, help="of plain text in each object")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    objects = objects_of(options.megabytes * 1_000_000)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, objects), daemon=True)
    server.start()
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x")
    os.environ |= {"AWS_ENDPOINT_URL": here.recv(), **keys}
    with database.running() as place:
        print("| object | stored bytes | by the clock, MB/s | per second of CPU, MB | assumed | margin |")
        print("|---|---|---|---|---|---|")
        for key, (block, repeats) in objects.items():
            size = len(block) * repeats
            runs = [measure(*place, key) for _ in range(options.runs)]
            clock, cpu = (size / statistics.median(each) / 1e6 for each in zip(*runs, strict=True))
            compression = compression_of(block)
            assumed = (compression.bytes_per_second if compression else BYTES_PER_SECOND) / 1e6
            speeds = f"{clock:,.0f} | {cpu:,.0f} | {assumed:.0f} | {cpu / assumed:.1f}"
            print(f"| {key} | {size / 1e6:,.0f} MB | {speeds} |", flush=True)
    here.send("done")
    server.join()


if __name__ == "__main__":
    main()
