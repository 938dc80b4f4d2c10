"""Ten minutes of siege while logs are ingested: ``python -m benchmarks.api.soak`` (``make soak``).

One process serves, 25 users ask without pause, each request on a connection of its own. Meanwhile logs are ingested, one
after the other, for the same customers: new ones, and new content for earlier ones. Ends with 1 unless every
request is answered with 200 and the server's memory, looked at after each ingest, stays flat.
"""

import argparse
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median

from benchmarks.api import load, servers
from benchmarks.api.run import TARGET
from benchmarks.api.servers import CACHED, UNCACHED, Server, running
from local.generator import Traffic

FILES = 20
LINES = 20_000
FLAT = 1.05
"""The last quarter's memory may be this much of the second quarter's; the first warms up."""


def ingest(server: Server, url: str, siege: Future[dict[str, float]]) -> list[int]:
    """Ingest until the siege is over; return the server's memory after each log."""
    resident: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        while not siege.done():
            path = Path(folder) / f"{len(resident) % FILES}.log"
            path.write_bytes(b"".join(Traffic(len(resident)).log(LINES)))
            servers.ingest(path, url)
            resident.append(server.resident_bytes())
    return resident


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--seconds", type=int, default=600, help="length (default: 600)")
    parser.add_argument("--users", type=int, default=25, help="users (default: 25)")
    parser.add_argument("--cache-off", action="store_true", help="read the statistics for every request")
    options = parser.parse_args()
    load.require(["siege"])
    contender = UNCACHED if options.cache_off else CACHED
    with servers.prepared() as url, running(contender, url) as server, ThreadPoolExecutor(1) as pool:
        siege = pool.submit(load.siege, server.url(TARGET), options.users, options.seconds)
        resident = ingest(server, url, siege)
    report, quarter = siege.result(), max(1, len(resident) // 4)
    early, late = median(resident[quarter : 2 * quarter]), median(resident[-quarter:])
    print(
        f"{report['transactions']:,.0f} answers in {report['elapsed_time']:.0f} s "
        f"({report['transaction_rate']:,.0f}/s), availability {report['availability']:.2f} %, "
        f"{report['failed_transactions']:.0f} failed, longest {report['longest_transaction']:.2f} s; "
        f"{len(resident)} logs of {LINES:,} lines ingested meanwhile; server's memory {early / 1e6:.1f} MB in the "
        f"second quarter, {late / 1e6:.1f} MB in the last"
    )
    if report["failed_transactions"] or report["transactions"] != report["successful_transactions"]:
        raise SystemExit("not every request was answered")
    if late > early * FLAT:
        raise SystemExit("memory has grown")


if __name__ == "__main__":
    main()
