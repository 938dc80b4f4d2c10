"""Ingest every log object under a prefix: ``python -m processor.backfill s3://bucket/prefix [--processes N] [--again]``.

In the order of the keys, each object in its current version. A large one is read by a Bytewax
cluster of several processes on this machine, others by the worker threads of this process, and small ones in groups. What is known already
is `unchanged`, so a run that was stopped can simply be started again, and several may run at once. Each object's summary
is a line of JSON on stdout; an object that fails is a line on stderr, and the others go on. One whose format is not
recognised has failed too (``LOG_FORMATS`` names it). With ``--again``, what counts
already is read again and replaced.

Where no command line reaches the database, the same task also does what an operator would do there:
``s3://bucket/key --withdraw`` takes one log object out of the statistics, ``--verify [--mend]`` compares all tables.

On AWS this is a task on Fargate (docs/decisions/0005).
"""

import argparse
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats import failures
from logstats.database import create_engine, wait_for_database
from logstats.models import LogObject
from logstats.settings import DatabaseSettings, SettingsError, load
from processor.bulk import ingest_all
from processor.cluster.coordinator import on_this_machine
from processor.ingest import Ingestor
from processor.ledger.delivery import Outcome, Withdrawal
from processor.ledger.horizon import SealedError
from processor.ledger.verify import check
from processor.ledger.withdrawal import withdraw
from processor.reading.objects import SourceError
from processor.reading.s3 import create_client
from processor.reject_stores import reject_store
from processor.settings import ProcessorSettings
from processor.sources import Source, objects_under

CLUSTER_BYTES = 256 * 1024 * 1024
"""From this size on, an object gets a cluster: starting one takes about a second."""

_UNRECOGNISED = "its format is not recognised; LOG_FORMATS can name it, or IGNORE leave it out"
_PREFIX = re.compile(r"s3://(?P<bucket>[^/]+)(/(?P<prefix>.*))?", re.DOTALL)


def run(uri: str, processes: int, *, force: bool = False) -> int:
    """Ingest what is under a prefix, with a cluster where it pays; return the number of objects that failed."""
    bucket, prefix = _bucket_and_prefix(uri)
    client, database, settings = create_client(), load(DatabaseSettings), load(ProcessorSettings)
    failed = 0
    with _engine() as engine:
        alone = replace(Ingestor.configured(settings, engine, lambda: client), force=force)

        def ingestor_of(source: Source) -> Ingestor:
            if processes == 1 or source.size < CLUSTER_BYTES:
                return alone
            cluster = on_this_machine(engine, database, source.name, processes, None, lambda _: None)
            return replace(alone, cluster=cluster)

        for result in ingest_all(objects_under(client, bucket, prefix), ingestor_of):
            problem = str(result.problem or "")
            if result.summary:
                print(json.dumps(result.summary.as_dict()), flush=True)
                problem = _UNRECOGNISED if result.summary.outcome == Outcome.UNRECOGNISED else ""
            if problem:
                failed += 1
                print(f"{result.source.name}: {problem}", file=sys.stderr, flush=True)
    return failed


def withdraw_object(uri: str) -> None:
    """Take one log object out of the statistics, which the ledger must know, and print what came of it."""
    bucket, key = _bucket_and_prefix(uri)
    with _engine() as engine:
        with Session(engine) as session:
            ids = sa.select(LogObject.id).where(LogObject.bucket == bucket, LogObject.key == key)
            if session.scalar(ids) is None:
                raise SettingsError(f"{uri}: the ledger does not know this log object")
        rejects = reject_store(load(ProcessorSettings), create_client)
        outcome = withdraw(engine, Withdrawal(bucket, key), rejects).outcome
    print(json.dumps({"source": uri, "outcome": outcome}), flush=True)


def verify(*, mending: bool) -> int:
    """Compare all tables, print each difference and a summary, and return the number of differences."""
    with _engine() as engine:
        verdict = check(engine, lambda difference: print(difference, flush=True), mending=mending)
    print(json.dumps(asdict(verdict)), flush=True)
    return verdict.differences


@contextmanager
def _engine() -> Iterator[sa.Engine]:
    """Provide an engine on a database that answers: it may have been paused until the task came."""
    engine = create_engine(load(DatabaseSettings))
    try:
        wait_for_database(engine)
        yield engine
    finally:
        engine.dispose()


def _bucket_and_prefix(uri: str) -> tuple[str, str]:
    found = _PREFIX.fullmatch(uri)
    if not found:
        raise SettingsError(f"{uri} is not of the form s3://bucket/prefix")
    return found["bucket"], found["prefix"] or ""


def main() -> int:
    """Run the command line: status 0 when every object has been ingested, or no difference found, and else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m processor.backfill", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("prefix", nargs="?", help="s3://bucket/prefix")
    parser.add_argument("--processes", type=int, default=1, help="processes of a large object's cluster")
    parser.add_argument("--mend", action="store_true", help="with --verify: write what differs anew")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--again", action="store_true", help="read what counts already again")
    what.add_argument("--withdraw", action="store_true", help="take the one log object out of the statistics")
    what.add_argument("--verify", action="store_true", help="compare the statistics with the contributions")
    options = parser.parse_args()
    if options.verify == bool(options.prefix) or (options.mend and not options.verify):
        parser.error("give either a prefix, or --verify [--mend]")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        if options.verify:
            return 1 if verify(mending=options.mend) else 0
        if options.withdraw:
            withdraw_object(options.prefix)
            return 0
        failed = run(options.prefix, options.processes, force=options.again)
    except (SettingsError, SourceError, SealedError) as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is: its own text may quote what was read
        print(failures.trace(error), file=sys.stderr)
        return 1
    if failed:
        print(f"{failed} objects have failed; run this again when the cause is mended", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
