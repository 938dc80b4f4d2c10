"""Measure the processor's image as Lambda would run it: size, cold start, warm invoke, peak memory.

Needs Docker and an image (`make image`). Every number is the median of several runs.
"""

import argparse
import statistics
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks import database
from tests.docker.containers import docker, lambda_container, relay
from tests.events import created, sqs_event
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

BUCKET = "request-logs"
ROUNDS = 5
MEMORY_MIB = 512
LINES = as_bytes(random_lines(1, 10_000, customers=50, days=30))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.image", description=__doc__)
    parser.add_argument("image", nargs="?", default="logstats/processor")
    image = parser.parse_args().image
    with (
        database.running() as (server, _),
        S3Double() as s3,
        relay(Path(str(sa.make_url(server.url()).query["host"])) / ".s.PGSQL.5432") as port,
    ):
        variables = {
            "AWS_ENDPOINT_URL": s3.endpoint,
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{port}/logstats",
            "DATABASE_TLS": "disable",
            "DATABASE_IAM_AUTH": "false",
            "REJECTS_BUCKET": "rejected-lines",
        }
        report(image, s3, variables)


def report(image: str, s3: S3Double, variables: dict[str, str]) -> None:
    measured: dict[str, list[float]] = {}
    for round_number in range(ROUNDS):
        asked = time.time()
        with lambda_container(image, variables, MEMORY_MIB) as processor:

            def ingest(name: str, repeats: int = 1) -> float:
                key = f"{round_number}/{name}.log"  # noqa: B023 - called in the same round
                version = s3.put(BUCKET, key, LINES, repeats)
                result = processor.invoke(sqs_event(created(BUCKET, key, version.version_id, "01")))
                assert result.payload == {"batchItemFailures": []}, result
                return result.seconds

            first = ingest("first")
            now = time.time()
            assert processor.api.ready_at
            for name, value in {
                "`docker run` to first response, s": now - asked,
                "of it, start of the process to ready (Lambda's init phase), s": processor.api.ready_at
                - processor.started_at(),
                "of it, first invocation, s": first,
                "warm invocation, s": ingest("warm"),
                "100 MB log, s": ingest("large", -(-100_000_000 // len(LINES))),
                "peak memory after it, MiB": processor.peak_memory() / 2**20,
            }.items():
                measured.setdefault(name, []).append(value)
    print(f"{int(docker('image', 'inspect', '--format', '{{.Size}}', image)) / 1e6:8.0f}  image, MB")
    print(docker("history", "--format", "          {{.Size}}\t{{.CreatedBy}}", image).rstrip())
    for name, values in measured.items():
        print(f"{statistics.median(values):8.2f}  {name}")


if __name__ == "__main__":
    main()
