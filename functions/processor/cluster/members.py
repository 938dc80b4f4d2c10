"""Members of a cluster: the processes that run the dataflow, and can be killed.

Bytewax waits without end for processes that do not come; whoever starts a member watches it, and ends it. What a member says, and who
reads it, stand in one module, though it is long.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from logstats import failures
from logstats.database import create_engine
from logstats.settings import DatabaseSettings, load
from processor.dataflow.source import Progress
from processor.dataflow.staging import Running, stage
from processor.ledger import membership
from processor.reading.head import read_head
from processor.reading.objects import LocalFile, SourceError, StoredObject, s3_location
from processor.reading.readable import ReadableLog, recognise
from processor.reading.s3 import S3Object, create_client
from processor.settings import ProcessorSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EXIT_SECONDS = 5.0
POLL_SECONDS = 0.05
_READ, _ERROR = "read ", "error "  # what a member's lines on stdout start with; Bytewax writes others


class ClusterError(Exception):
    """A process of the cluster has failed, or has not come; the message is for people."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The processes of a cluster; the same for all of them."""

    addresses: tuple[str, ...]
    workers: int

    def name(self, log: ReadableLog) -> str:
        """Return what tells the attempt of these processes, this version of the object and its format from others."""
        return f"{','.join(self.addresses)} x {self.workers}: {log.stored} {log.rule}"


def open_log(source: str, size: int | None = None) -> ReadableLog:
    """Find a log object, a path or an S3 URI, and its format; a `SourceError` if there is none.

    A file that grows counts as far as its first bytes, as many as `size`.
    """
    if location := s3_location(source):
        stored: StoredObject = S3Object.head(s3_client(), *location)
    else:
        file = LocalFile.at(Path(source))
        stored = replace(file, size=file.size if size is None else size)
    log = recognise(stored, read_head(stored), load(ProcessorSettings).log_formats)
    if log.rule is None:  # it has changed since the coordinator looked
        raise SourceError(f"{source}: its format is not recognised")
    return log


@lru_cache(maxsize=1)
def s3_client() -> "S3Client":
    """Return the only client: objects seen through different ones are not equal."""
    return create_client()


def _run_member(source: str, layout: Layout, process_id: int, attempt_id: int, size: int | None) -> None:
    """Run one process' part of the dataflow; its progress goes to stdout."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    asked = load(ProcessorSettings)
    running = Running(
        layout.workers,
        asked.wait_for_system_duration,
        lambda count: _tell(f"{_READ}{count}"),
        asked.kept,
        process_id,
        layout.addresses,
    )
    settings = load(DatabaseSettings)
    engine = create_engine(settings, max_overflow=-1)
    # A member's lock is that of a transaction, which is idle for as long as the member reads.
    holder = create_engine(settings.model_copy(update={"idle_transaction_timeout_seconds": 0}))
    try:
        with membership.join(holder, attempt_id):
            stage(engine, {attempt_id: open_log(source, size)}, running)
    finally:
        engine.dispose()
        holder.dispose()


def _tell(line: str) -> None:
    """Write a line for the coordinator in one piece: `print` writes its end apart, and another worker's line may come between."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def member(source: str, layout: Layout, process_id: int, attempt_id: int, size: int | None = None) -> int:
    """Run a member, and return its exit status; its error goes to stdout too."""
    try:
        _run_member(source, layout, process_id, attempt_id, size)
    except SourceError as error:
        _tell(f"{_ERROR}{' '.join(str(error).split())}")
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must hear of it
        _tell(f"{_ERROR}{failures.describe(error)}")
        print(failures.trace(error), file=sys.stderr, flush=True)
        return 1
    return 0


def _end_with_parent(parent: int) -> None:
    """End this process when its parent has ended: nobody else would."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


class Members:
    """Members started here."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a member's command line says
        self,
        source: str,
        layout: Layout,
        attempt_id: int,
        size: int,
        progress: Progress,
        environment: dict[str, str] | None,
    ) -> None:
        addresses = ",".join(layout.addresses)
        self._command = [sys.executable, "-m", "processor.cluster", source, "--addresses", addresses]
        self._command += ["--workers", str(layout.workers)]
        self._command += ["--attempt", str(attempt_id), "--size", str(size)]
        self._progress, self._environment = progress, environment
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._readers: dict[int, threading.Thread] = {}
        self._errors: dict[int, str] = {}

    def run(self, numbers: Iterable[int], check: Callable[[], None]) -> None:
        """Run the members of some numbers until all have ended well, or else a `ClusterError`; none is left then."""
        try:
            for number in numbers:
                self._start(number)
            self._watch(check)
        finally:
            for number, process in self._processes.items():
                process.kill()
                process.wait()
                self._readers[number].join()

    def _start(self, number: int) -> None:
        """Start a member; given an environment of its own, it keeps Bytewax's messages to itself."""
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

    def _watch(self, check: Callable[[], None]) -> None:
        running = dict(self._processes)
        while running:
            try:
                check()
            except ClusterError:
                if not self._end_well():
                    raise
                return
            time.sleep(POLL_SECONDS)
            for number, process in list(running.items()):
                status = process.poll()
                if status:
                    raise ClusterError(self._reason(status))
                if status is not None:
                    del running[number]

    def _end_well(self) -> bool:
        """Tell whether all end by themselves: the coordinator may be done before a member's process has ended."""
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
