"""One ingesting process: says "ready", waits for a line, ingests its files, prints what that took."""

import json
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import sqlalchemy as sa

import processor.ingest
from logstats.database import create_engine
from logstats.models import LogObject
from logstats.settings import DatabaseSettings
from processor.commit import Content, commit
from processor.ingest import Ingestor
from processor.ledger import Delivery
from processor.objects import LocalFile
from processor.rejects import LocalRejectStore


class Stopwatch:
    """Times commits. With one ingest at a time, that is how long each keeps others out."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def commit(
        self, connection: sa.Connection, delivery: Delivery, attempt_id: int, content: Content
    ) -> LogObject:
        started = time.monotonic()
        row = commit(connection, delivery, attempt_id, content)
        self.seconds += time.monotonic() - started
        return row


def main() -> None:
    url, *paths = sys.argv[1:]
    stopwatch = Stopwatch()
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False), max_overflow=-1)
    with (
        tempfile.TemporaryDirectory() as folder,
        engine.connect(),
        patch.object(processor.ingest, "commit", stopwatch.commit),
    ):
        ingestor = Ingestor(engine, LocalRejectStore(Path(folder)), workers=1)
        print("ready", flush=True)
        sys.stdin.readline()
        cpu = time.process_time()
        for path in paths:
            ingestor.ingest_file(LocalFile.at(Path(path)))
        cpu = time.process_time() - cpu
    print(json.dumps({"cpu": cpu, "commit_seconds": stopwatch.seconds}))


if __name__ == "__main__":
    main()
