"""Compute what a month on AWS costs: ``python -m benchmarks.cost [--PRICE USD ...] [--gb-per-day N ...] [--write]``.

Prices and loads are inputs; `--write` renews the tables of docs/cost.md. A month has 730 hours. One module, though long: it is one
sum, whose prices, loads and lines are read side by side.
"""

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.figures import renew, table

PAGE = Path(__file__).parents[1] / "docs" / "cost.md"
HOURS, DAYS = 730.0, 730.0 / 24


@dataclass(frozen=True)
class Prices:
    """List prices of us-east-1 in USD, without any free tier."""

    aurora_acu_hour: float = 0.12
    aurora_storage_gb_month: float = 0.10
    aurora_million_ios: float = 0.20
    lambda_arm_gb_second: float = 0.0000133334
    lambda_million_requests: float = 0.20
    s3_gb_month: float = 0.023
    s3_archive_gb_month: float = 0.004
    s3_thousand_transitions: float = 0.02
    s3_thousand_puts: float = 0.005
    s3_thousand_gets: float = 0.0004
    sqs_million_requests: float = 0.40
    http_api_million_requests: float = 1.00
    logs_gb: float = 0.50
    alarm_month: float = 0.10
    metric_month: float = 0.30
    dashboard_month: float = 3.00
    million_traces: float = 5.00
    secret_month: float = 0.40
    ecr_gb_month: float = 0.10
    endpoint_hour: float = 0.01
    fargate_arm_cpu_hour: float = 0.03238
    fargate_arm_gb_hour: float = 0.00356


@dataclass(frozen=True)
class Load:
    """Describe a day, and what is assumed of it; `_MEANINGS` says what each field is.

    A contribution has about 4 kB. The database is awake while objects are ingested and the API is asked, and after either until it
    has been idle for long enough to pause.
    """

    name: str
    gb: float = 0
    objects: int = 0
    requests: int = 0
    request_hours: float = 0
    acu: float = 1
    customers: int = 50
    kept_days: int = 30
    archive_days: int = 0
    mb_per_second: float = 100
    seconds_per_object: float = 1.5

    @property
    def ingest_seconds(self) -> float:
        """Seconds of the processor."""
        return self.gb * 1000 / self.mb_per_second + self.objects * self.seconds_per_object

    @property
    def awake_hours(self) -> float:
        """Hours that the database is awake, if no object comes while it still is for another or for the API."""
        seconds = self.ingest_seconds + self.objects * (IDLE_SESSION_SECONDS + PAUSE_SECONDS)
        return min(24, self.request_hours + seconds / 3600)


PROCESSOR_GB, API_GB = 3008 / 1024, 1769 / 1024
CONTRIBUTION_GB = 4e-6
IOS_PER_CONTRIBUTION = 4
GETS_PER_OBJECT = 16
ALARMS = 19  # metrics that alarms look at
DASHBOARDS = 2
PROCESSOR_METRICS, API_METRICS = 14, 10  # with a value in an hour with uploads, and with requests
SAMPLED = 0.05  # of the traces, beyond the first of each second
IMAGE_GB = 0.27
POLLS_MONTH = 5 * 3 * 60 * HOURS  # five pollers of the event source mapping, each asking every 20 s
LOG_GB_PER_INVOCATION = 2e-6
IDLE_SESSION_SECONDS = 10  # after an ingest, until its session ends
PAUSE_SECONDS = 300  # and then, until the database pauses

_LARGE = Load("1 TB a day", gb=1000, objects=8000, requests=1_000_000, request_hours=24, acu=4)
LOADS = (
    Load("idle"),
    Load("1 GB a day", gb=1, objects=24, requests=10_000, request_hours=4),
    _LARGE,
    replace(_LARGE, name="the same in prod, third year", kept_days=1095, archive_days=90),
)


def monthly(load: Load, prices: Prices) -> dict[str, float]:
    """Return the parts of a month's cost in USD, data of `kept_days` being stored."""
    objects, requests = load.objects * DAYS, load.requests * DAYS
    ingest_seconds = load.ingest_seconds * DAYS
    contributions = objects * load.customers
    return {
        "Aurora: capacity": load.awake_hours * DAYS * load.acu * prices.aurora_acu_hour,
        "Aurora: storage and I/O": contributions * CONTRIBUTION_GB * prices.aurora_storage_gb_month
        + contributions * IOS_PER_CONTRIBUTION / 1e6 * prices.aurora_million_ios,
        "S3: log objects kept": _kept(load, prices),
        "S3: requests": objects
        / 1000
        * (prices.s3_thousand_puts + GETS_PER_OBJECT * prices.s3_thousand_gets),
        "Lambda: processor": ingest_seconds * PROCESSOR_GB * prices.lambda_arm_gb_second
        + objects / 1e6 * prices.lambda_million_requests,
        "Lambda: API": requests * 0.02 * API_GB * prices.lambda_arm_gb_second
        + requests / 1e6 * prices.lambda_million_requests,
        "API Gateway": requests / 1e6 * prices.http_api_million_requests,
        "SQS": (POLLS_MONTH + 4 * objects) / 1e6 * prices.sqs_million_requests,
        "CloudWatch: logs": (objects + requests) * LOG_GB_PER_INVOCATION * prices.logs_gb,
        "CloudWatch: metrics": _busy(load.objects) * PROCESSOR_METRICS * prices.metric_month
        + _busy(load.requests) * API_METRICS * prices.metric_month,
        "CloudWatch: alarms and dashboards": ALARMS * prices.alarm_month
        + DASHBOARDS * prices.dashboard_month,
        "X-Ray": (_traced(load.objects) + _traced(load.requests)) * DAYS / 1e6 * prices.million_traces,
        "Secret and image": prices.secret_month + IMAGE_GB * prices.ecr_gb_month,
    }


def _kept(load: Load, prices: Prices) -> float:
    """Return what a month of all kept log objects costs: in S3 Standard, and after `archive_days` in Glacier Instant Retrieval."""
    if not load.archive_days:
        return load.gb * load.kept_days * prices.s3_gb_month
    archived = load.kept_days - load.archive_days
    return (
        load.gb * load.archive_days * prices.s3_gb_month
        + load.gb * archived * prices.s3_archive_gb_month
        + load.objects * DAYS / 1000 * prices.s3_thousand_transitions
    )


def _busy(events: int) -> float:
    """Return the share of a day's hours in which a metric has a value: a metric is paid for by the hour."""
    return min(events, 24) / 24


def _traced(events: int) -> float:
    """Return how many events of a day are traced, if they are spread evenly: one a second, and 5 % of the others."""
    first = min(events, 86_400)
    return first + SAMPLED * (events - first)


def backfill(prices: Prices) -> tuple[float, float]:
    """Return what the backfill costs: a month of its endpoints, and an hour of a task (4 CPUs, 8 GB), in USD."""
    task = 4 * prices.fargate_arm_cpu_hour + 8 * prices.fargate_arm_gb_hour
    return 3 * HOURS * prices.endpoint_hour, task


def tables(prices: Prices, loads: tuple[Load, ...] = LOADS) -> str:
    """Return the figures as Markdown."""
    months, assumed = [monthly(load, prices) for load in loads], [asdict(load) for load in loads]
    names, awake = [load.name for load in loads], [_plain(round(load.awake_hours, 1)) for load in loads]
    bill = [[part, *(f"{month[part]:.2f}" for month in months)] for part in months[0]]
    bill += [["**together**", *(f"**{sum(month.values()):.2f}**" for month in months)]]
    day = [[meaning, *(_plain(load[name]) for load in assumed)] for name, meaning in _MEANINGS.items()]
    day += [["so the database is awake, hours", *awake]]
    return "\n\n".join(
        (
            table(["USD a month", *names], *bill),
            _BACKFILL.format(*backfill(prices)),
            table(["assumed of a day", *names], *day),
        )
    )


def _plain(number: float) -> str:
    """Write a number without exponent or trailing zeros."""
    return f"{number:,.10f}".rstrip("0").rstrip(".")


_BACKFILL = (
    "With `-c backfill=true`, {:.2f} USD a month more for its endpoints while they are there, and {:.2f} USD for each"
    " hour of a task with 4 virtual CPUs."
)

_MEANINGS = {
    "gb": "GB of logs",
    "objects": "log objects",
    "customers": "customers in each object",
    "requests": "requests to the API",
    "request_hours": "hours with requests, and a few minutes after each",
    "acu": "its mean capacity then, ACU",
    "kept_days": "days that log objects are kept",
    "archive_days": "days after which they are archived",
    "mb_per_second": "MB/s of the processor (3008 MiB)",
    "seconds_per_object": "seconds for each object besides",
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cost", description=(__doc__ or "").split(":")[0]
    )
    for name, price in asdict(Prices()).items():
        parser.add_argument(
            f"--{name}", type=float, default=price, metavar="USD", help="default: %(default)s"
        )
    parser.add_argument("--gb-per-day", type=float, action="append", default=[], help="a load of your own")
    parser.add_argument("--write", action="store_true", help="renew docs/cost.md")
    options = parser.parse_args()
    prices = Prices(**{name: getattr(options, name) for name in asdict(Prices())})
    _, small, large, _ = LOADS
    own = [
        replace(
            large if gb > 100 else small,
            name=f"{gb:g} GB a day",
            gb=gb,
            objects=round(gb * 8) if gb > 100 else 24,
        )
        for gb in options.gb_per_day
    ]
    figures = tables(prices, (*LOADS, *own))
    if options.write:
        renew(PAGE, figures)
    print(figures)


if __name__ == "__main__":
    main()
