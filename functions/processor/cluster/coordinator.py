"""Coordinate the processes of a cluster, or take part in one: see `processor.cluster.__main__`."""

import json
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from logstats.settings import DatabaseSettings, load
from processor.cluster.members import POLL_SECONDS, ClusterError, Layout, Members, open_log, s3_client
from processor.dataflow.report import PartReport, in_order, receive
from processor.dataflow.source import Progress, byte_ranges
from processor.dataflow.staging import usable_cores
from processor.ingest import Ingestor
from processor.ledger import membership
from processor.reading.objects import LocalFile, s3_location
from processor.reading.readable import ReadableLog
from processor.reading.rules import FormatRule
from processor.reading.s3 import S3Object
from processor.settings import ProcessorSettings

JOIN_SECONDS = 120
"""How long processes may take to start; tasks on Fargate need about a minute."""


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Runs the dataflow of an attempt on a cluster; members open the `source`, a path or an S3 URI.

    The processes `here` are started, the others join by themselves. The `environment` tells members the database; by
    default they have this process' own.
    """

    engine: sa.Engine
    source: str
    layout: Layout
    here: range
    progress: Progress = lambda _: None
    environment: dict[str, str] | None = None

    def __call__(self, log: ReadableLog, attempt_id: int) -> list[PartReport]:
        """Stage all contributions; a `ClusterError` if a process has failed, or has not come in time."""
        membership.announce(self.engine, attempt_id, self.layout.name(log))
        processes = len(self.layout.addresses)
        deadline, joined = time.monotonic() + JOIN_SECONDS, 0

        def check() -> None:
            nonlocal joined
            if joined < processes:
                joined = max(joined, membership.count_members(self.engine, attempt_id))
                if joined < processes and time.monotonic() > deadline:
                    raise ClusterError(f"only {joined} of {processes} processes have come")

        environment = self.environment and self.environment | {"LOG_FORMATS": _only(log.rule)}
        members = Members(self.source, self.layout, attempt_id, log.size, self.progress, environment)
        members.run(self.here, check)
        membership.wait_for_members(self.engine, attempt_id)
        with self.engine.begin() as connection:
            reports = receive(connection, attempt_id)
        return in_order(reports, len(byte_ranges(log, self.layout.workers * processes)))


def _only(rule: FormatRule | None) -> str:
    """Return the setting by which members read the object as it is read here, whatever its name there."""
    return json.dumps([each.model_dump() | {"prefix": ""} for each in (rule,) if each])


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
    """Take part in the attempt that process 0 begins; a `ClusterError` if it begins too late, or ends too early."""
    log = open_log(source)
    deadline = time.monotonic() + JOIN_SECONDS
    while not (attempt_id := membership.find(engine, log.bucket, log.key, layout.name(log))):
        if time.monotonic() > deadline:
            raise ClusterError("process 0 has not begun an attempt on this version of the object")
        time.sleep(POLL_SECONDS)

    def check() -> None:
        if not membership.is_alive(engine, attempt_id):
            raise ClusterError("process 0 has given up")

    Members(source, layout, attempt_id, log.size, lambda _: None, None).run([process_id], check)


def coordinate(engine: sa.Engine, source: str, layout: Layout, here: range) -> dict[str, object]:
    """Ingest a log object with a cluster, and return the summary."""
    alone = Ingestor.configured(load(ProcessorSettings), engine, s3_client)
    ingestor = replace(alone, cluster=Coordinator(engine, source, layout, here))
    if location := s3_location(source):
        return ingestor.ingest_current(partial(S3Object.head, s3_client(), *location)).as_dict()
    return ingestor.ingest_file(LocalFile.at(Path(source))).as_dict()
