"""Ten minutes of siege while logs are ingested: ``python -m benchmarks.api.soak`` (``make soak``).

One process serves, 25 users ask without pause, each request on a connection of its own. Meanwhile logs are ingested, one
after the other, for the same customers: new ones, and new content for earlier ones. Ends with 1 unless every
request is answered with 200 and the server's memory stays flat.
"""

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.api import fixture, load
from benchmarks.api.run import TARGET
from benchmarks.api.servers import CACHED, UNCACHED, Server, running
from benchmarks.report import END
from local.generator import Traffic

FILES = 20
LINES = 20_000
FLAT = 1.05
"""The last quarter's memory may be this much of the second quarter's; the first warms up."""


@dataclass
class Watch:
    """What happens beside the load: logs are ingested, and the server's memory is noted every second."""

    server: Server
    url: str
    over: threading.Event = field(default_factory=threading.Event)
    ingested: int = 0
    resident: list[int] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)

    def ingest(self) -> None:
        """Ingest until it is over."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                while not self.over.is_set():
                    path = Path(folder) / f"{self.ingested % FILES}.log"
                    path.write_bytes(b"".join(Traffic(self.ingested, END, 30, 50).log(LINES)))
                    fixture.ingest(path, self.url)
                    self.ingested += 1
        except BaseException as error:
            self.failed.append(error)
            raise

    def look(self) -> None:
        """Note the memory until it is over."""
        while not self.over.wait(1):
            self.resident.append(self.server.resident_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--seconds", type=int, default=600, help="length (default: 600)")
    parser.add_argument("--users", type=int, default=25, help="users (default: 25)")
    parser.add_argument("--cache-off", action="store_true", help="read the statistics for every request")
    options = parser.parse_args()
    load.require(["siege"])
    with (
        fixture.prepared() as url,
        running(UNCACHED if options.cache_off else CACHED, url) as server,
    ):
        watch = Watch(server, url)
        threads = [threading.Thread(target=target) for target in (watch.ingest, watch.look)]
        for thread in threads:
            thread.start()
        cpu, started = server.cpu_seconds(), time.monotonic()
        try:
            report = load.siege(server.url(TARGET), options.users, options.seconds)
        finally:
            watch.over.set()
            for thread in threads:
                thread.join()
        cpu, seconds = server.cpu_seconds() - cpu, time.monotonic() - started
    _judge(report, watch, cpu / seconds)


def _judge(report: dict[str, float], watch: Watch, busy: float) -> None:
    quarter = max(1, len(watch.resident) // 4)
    early, late = median(watch.resident[quarter : 2 * quarter]), median(watch.resident[-quarter:])
    print(
        f"{report['transactions']:,.0f} answers in {report['elapsed_time']:.0f} s "
        f"({report['transaction_rate']:,.0f}/s), availability {report['availability']:.2f} %, "
        f"{report['failed_transactions']:.0f} failed, longest {report['longest_transaction']:.2f} s; "
        f"{watch.ingested} logs of {LINES:,} lines ingested meanwhile; server's memory {early / 1e6:.1f} MB in the "
        f"second quarter, {late / 1e6:.1f} MB in the last, at most {max(watch.resident) / 1e6:.1f} MB; "
        f"server's CPU {busy:.0%} of a core"
    )
    if watch.failed:
        raise SystemExit(f"an ingest failed: {watch.failed[0]}")
    if (
        report["availability"] < 100
        or report["failed_transactions"]
        or report["transactions"] != report["successful_transactions"]
    ):
        raise SystemExit("not every request was answered")
    if late > early * FLAT:
        raise SystemExit("memory has grown")


if __name__ == "__main__":
    main()
