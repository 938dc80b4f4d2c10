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
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, ProcessorSettings, SettingsError, load
from processor import attempts
from processor.ingest import Ingestor, Log
from processor.monitor import Monitor, Progress
from processor.objects import LocalFile, SourceError
from processor.rejects import LocalRejectStore, RejectStore, S3RejectStore
from processor.s3 import S3Object
from processor.source import LogSource
from processor.staging import Running, stage, usable_cores

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

JOIN_SECONDS = 120
"""How long processes may take to start; tasks on Fargate need about a minute."""

_POLL_SECONDS = 0.05
_EXIT_SECONDS = 5.0
_READ, _ERROR = "read ", "error "  # what a member's lines on stdout start with; Bytewax writes others
_S3_URI = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)", re.DOTALL)


class ClusterError(Exception):
    """A process of the cluster has failed, or has not come; the message is for people."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The processes of a cluster; the same for all of them."""

    addresses: tuple[str, ...]
    workers: int

    def name(self, log: Log) -> str:
        """Return what tells the attempt of these processes and this version of the object from others."""
        version = f"{log.size} " + (
            str(log.modified_ns) if isinstance(log, LocalFile) else f"{log.version} {log.etag}"
        )
        return f"{','.join(self.addresses)} x {self.workers}: {version}"


# ---- Members: where the dataflow runs ------------------------------------------------------------


def run_member(source: str, layout: Layout, process_id: int, attempt_id: int) -> None:
    """Run one process' part of the dataflow; its progress goes to stdout."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    running = Running(
        layout.workers,
        load(ProcessorSettings).wait_for_system_duration,
        lambda count: print(f"{_READ}{count}", flush=True),
        process_id,
        layout.addresses,
    )
    settings = load(DatabaseSettings)
    engine = create_engine(settings, max_overflow=-1)
    # A member's lock is that of a transaction, which is idle for as long as the member reads.
    holder = create_engine(settings.model_copy(update={"idle_transaction_timeout_seconds": 0}))
    with attempts.membership(holder, attempt_id):
        stage(engine, open_log(source), attempt_id, running)


def _member(source: str, layout: Layout, process_id: int, attempt_id: int) -> int:
    try:
        run_member(source, layout, process_id, attempt_id)
    except Exception as error:
        print(f"{_ERROR}{' '.join(str(error).split())}", flush=True)
        if isinstance(error, SourceError):
            return 1
        raise
    return 0


def _end_with_parent(parent: int) -> None:
    """End this process when its parent has ended: nobody else would."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


class _Members:
    """Members started here; `end` leaves none."""

    def __init__(
        self,
        source: str,
        layout: Layout,
        attempt_id: int,
        progress: Progress,
        environment: dict[str, str] | None,
    ) -> None:
        addresses = ",".join(layout.addresses)
        self._command = [sys.executable, "-m", "processor.cluster", source, "--addresses", addresses]
        self._command += ["--workers", str(layout.workers), "--attempt", str(attempt_id)]
        self._progress, self._environment = progress, environment
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._readers: dict[int, threading.Thread] = {}
        self._errors: dict[int, str] = {}

    def start(self, number: int) -> None:
        """Start the member of a number; given an environment of its own, it keeps Bytewax's messages to itself."""
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [*self._command, "--process-id", str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if self._environment else None,
            env=os.environ | self._environment if self._environment else None,
            text=True,
        )
        self._processes[number] = process
        self._readers[number] = threading.Thread(target=self._read, args=(number, process), daemon=True)
        self._readers[number].start()

    def _read(self, number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout  # noqa: S101 - it is a pipe
        with process.stdout as lines:
            for line in lines:
                if line.startswith(_ERROR):
                    self._errors[number] = line.removeprefix(_ERROR).strip()
                elif line.startswith(_READ):
                    self._progress(int(line.removeprefix(_READ)))

    def watch(self, check: Callable[[], None]) -> None:
        """Wait until all have ended well; a `ClusterError` as soon as one has not."""
        left = dict(self._processes)
        while left:
            try:
                check()
            except ClusterError:
                if not self._end_well():
                    raise
                return
            time.sleep(_POLL_SECONDS)
            for number, process in list(left.items()):
                status = process.poll()
                if status:
                    raise ClusterError(self._reason(status))
                if status is not None:
                    del left[number]

    def _end_well(self) -> bool:
        """Whether all end by themselves: the coordinator may be done before a member's process has ended."""
        deadline = time.monotonic() + _EXIT_SECONDS
        with suppress(subprocess.TimeoutExpired):
            return not any(
                process.wait(max(0.0, deadline - time.monotonic())) for process in self._processes.values()
            )
        return False

    def _reason(self, status: int) -> str:
        """Say why, if a member has said it; one that only misses another ends, too."""
        for number, process in self._processes.items():
            if process.poll():
                self._readers[number].join()
        if self._errors:
            return next(iter(self._errors.values()))
        ended = [
            f"process {number} ended with {f'signal {-code}' if code < 0 else f'status {code}'}"
            for number, process in self._processes.items()
            if (code := process.poll())
        ]
        return f"the cluster failed: {', '.join(ended) or f'status {status}'}; nothing was committed"

    def end(self) -> None:
        """Kill those that still run."""
        for number, process in self._processes.items():
            process.kill()
            process.wait()
            self._readers[number].join()


# ---- The coordinator, and those who join it -------------------------------------------------------


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

        members = _Members(self.source, self.layout, attempt_id, self.progress, self.environment)
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
        time.sleep(_POLL_SECONDS)

    def check() -> None:
        if not attempts.is_alive(engine, attempt_id):
            raise ClusterError("process 0 has given up")

    members = _Members(source, layout, attempt_id, lambda _: None, None)
    try:
        members.start(process_id)
        members.watch(check)
    finally:
        members.end()


def open_log(source: str) -> Log:
    """Look at a log object: a path, or an S3 URI."""
    if on_s3 := _S3_URI.fullmatch(source):
        return S3Object.head(_s3(), on_s3["bucket"], on_s3["key"])
    return LocalFile.at(Path(source))


@lru_cache(maxsize=1)
def _s3() -> "S3Client":
    """Return the only client: objects seen through different ones are not equal."""
    import boto3  # noqa: PLC0415 - slow to import, and a local file needs none

    return boto3.client("s3")


def coordinate(engine: sa.Engine, source: str, layout: Layout, here: range) -> dict[str, object]:
    """Ingest a log object with a cluster, and return the summary."""
    settings = load(ProcessorSettings)
    rejects: RejectStore = LocalRejectStore(settings.rejects_folder)
    if settings.rejects_bucket:
        rejects = S3RejectStore(_s3(), settings.rejects_bucket)
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
            return _member(options.source, layout, options.process_id, options.attempt)
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
