"""Ingest one log object with a Bytewax cluster: several processes, on one machine or on many.

``python -m processor.cluster SOURCE --addresses HOST:PORT,HOST:PORT --process-id I [--workers N]``

Every process is started alike, except for its number; number 0 coordinates. It begins the attempt, and commits
it once, after all processes have ended. The others find the attempt in the database, by the addresses and the
version of the object, so they need to know nothing else of each other. The database is the one of the
environment (`DatabaseSettings`).

Each process hands the dataflow to a member, a process of its own that can be killed: Bytewax waits without end
for processes that do not come. A member that dies fails the attempt, and nothing of it becomes visible.
"""

import argparse
import json
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass

import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, ProcessorSettings, SettingsError, load
from processor import attempts
from processor.ingest import Ingestor, Log
from processor.members import POLL_SECONDS, ClusterError, Layout, Members, member, open_log, s3_client
from processor.monitor import Monitor, Progress
from processor.objects import LocalFile, SourceError
from processor.rejects import reject_store
from processor.s3 import S3Object
from processor.source import LogSource
from processor.staging import usable_cores

JOIN_SECONDS = 120
"""How long processes may take to start; tasks on Fargate need about a minute."""


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Runs the dataflow of an attempt on a cluster.

    Attributes
    ----------
    source
        The log object, as a member can open it: a path or an S3 URI.
    here
        The numbers of the processes that are started here; the others join by themselves.
    environment
        Variables that tell members the database; by default they have this process' own.
    """

    engine: sa.Engine
    source: str
    layout: Layout
    here: range
    progress: Progress = lambda _: None
    environment: dict[str, str] | None = None

    def stage(self, log: Log, attempt_id: int) -> int:
        """Stage all contributions, and return the number of byte ranges that must have reported.

        Raises
        ------
        ClusterError
            If a process has failed, or has not come in time.
        """
        attempts.announce(self.engine, attempt_id, self.layout.name(log))
        processes = len(self.layout.addresses)
        deadline, joined = time.monotonic() + JOIN_SECONDS, 0

        def check() -> None:
            nonlocal joined
            if joined < processes:
                joined = max(joined, attempts.count_members(self.engine, attempt_id))
                if joined < processes and time.monotonic() > deadline:
                    raise ClusterError(f"only {joined} of {processes} processes have come")

        members = Members(self.source, self.layout, attempt_id, self.progress, self.environment)
        try:
            for number in self.here:
                members.start(number)
            members.watch(check)
        finally:
            members.end()
        attempts.wait_for_members(self.engine, attempt_id)
        return len(LogSource(log, self.layout.workers * processes, Monitor()).ranges)


def on_this_machine(  # noqa: PLR0913, PLR0917 - the options of the command line
    engine: sa.Engine,
    database: DatabaseSettings,
    source: str,
    processes: int,
    workers: int | None,
    progress: Progress,
) -> Coordinator:
    """Return a cluster of processes that are all started here; by default they share the usable cores."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(processes)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        addresses = tuple(f"127.0.0.1:{free.getsockname()[1]}" for free in sockets)
    layout = Layout(addresses, workers or max(1, usable_cores() // processes))
    environment = {
        "DATABASE_URL": database.url,
        "DATABASE_TLS": database.tls,
        "DATABASE_IAM_AUTH": str(database.iam_auth),
    }
    return Coordinator(engine, source, layout, range(processes), progress, environment)


def join(engine: sa.Engine, source: str, layout: Layout, process_id: int) -> None:
    """Take part in the attempt that process 0 begins.

    Raises
    ------
    ClusterError
        If it does not begin in time, or ends too early.
    """
    log = open_log(source)
    deadline = time.monotonic() + JOIN_SECONDS
    while not (attempt_id := attempts.find(engine, log.bucket, log.key, layout.name(log))):
        if time.monotonic() > deadline:
            raise ClusterError("process 0 has not begun an attempt on this version of the object")
        time.sleep(POLL_SECONDS)

    def check() -> None:
        if not attempts.is_alive(engine, attempt_id):
            raise ClusterError("process 0 has given up")

    members = Members(source, layout, attempt_id, lambda _: None, None)
    try:
        members.start(process_id)
        members.watch(check)
    finally:
        members.end()


def coordinate(engine: sa.Engine, source: str, layout: Layout, here: range) -> dict[str, object]:
    """Ingest a log object with a cluster, and return the summary."""
    rejects = reject_store(load(ProcessorSettings), s3_client)
    ingestor = Ingestor(engine, rejects, cluster=Coordinator(engine, source, layout, here))
    log = open_log(source)
    if isinstance(log, LocalFile):
        return ingestor.ingest_file(log).as_dict()

    def look() -> S3Object:
        found = open_log(source)
        assert isinstance(found, S3Object)  # noqa: S101 - it was one before
        return found

    return ingestor.ingest_current(look).as_dict()


def main() -> int:
    """Run the command line: status 0 when the object is committed, and 1 with one line on stderr if not."""
    parser = argparse.ArgumentParser(
        prog="python -m processor.cluster", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("source", help="a file that every process sees, or s3://bucket/key")
    parser.add_argument("--addresses", required=True, help="host:port of every process, separated by commas")
    parser.add_argument(
        "--process-id", required=True, type=int, help="this process' place in the addresses, from 0"
    )
    parser.add_argument(
        "--workers", type=int, default=usable_cores(), help="worker threads, the same everywhere"
    )
    parser.add_argument("--attempt", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    layout = Layout(tuple(options.addresses.split(",")), options.workers)
    if not 0 <= options.process_id < len(layout.addresses):
        parser.error(f"--process-id must be 0 to {len(layout.addresses) - 1}")
    try:
        if options.attempt:
            return member(options.source, layout, options.process_id, options.attempt)
        engine = create_engine(load(DatabaseSettings), max_overflow=-1)
        if options.process_id:
            join(engine, options.source, layout, options.process_id)
        else:
            print(json.dumps(coordinate(engine, options.source, layout, range(1))))
    except (SourceError, ClusterError, SettingsError) as error:
        print(f"process {options.process_id}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
