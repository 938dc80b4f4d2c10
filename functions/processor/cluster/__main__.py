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
import sys

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, SettingsError, load
from processor.cluster.coordinator import coordinate, join
from processor.cluster.members import ClusterError, Layout, member
from processor.dataflow.staging import usable_cores
from processor.reading.objects import SourceError


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
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    layout = Layout(tuple(options.addresses.split(",")), options.workers)
    if not 0 <= options.process_id < len(layout.addresses):
        parser.error(f"--process-id must be 0 to {len(layout.addresses) - 1}")
    try:
        if options.attempt:
            return member(options.source, layout, options.process_id, options.attempt, options.size)
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
