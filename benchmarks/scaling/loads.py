"""What a day's logs need on AWS: how busy each part is, and what it costs."""

from dataclasses import dataclass
from math import ceil

from benchmarks import cost
from benchmarks.scaling.costs import Costs
from benchmarks.scaling.query import QueryCosts
from benchmarks.scaling.workload import Workload

DAY = 86_400.0
BYTES_PER_LINE = 56
"""Of the generated logs."""
VCPU_PER_ACU = 0.25
"""An assumption: AWS gives memory only (2 GiB each), and the instance classes have 8 GiB for one vCPU."""
CONNECTIONS_PER_PROCESSOR = 3
"""One for the attempt, and one for each of two worker threads that hold much."""
DAYS_PER_QUERY = 30
PEAK = 2.0
"""An assumption: capacity is paid for at twice the mean."""
AWAKE_AFTER_OBJECT = 300 / 3600
"""Hours: Aurora pauses after five idle minutes."""


@dataclass(frozen=True, slots=True)
class Load:
    """A day's logs.

    Attributes
    ----------
    name
        For the table.
    bytes_per_day, object_bytes
        Uncompressed; the mean size of an object, or of the objects that are committed as one.
    customers
        That have requests in every object.
    queries, query_hours
        Requests to the API in a day, of 30 days each, and in how many of its hours they come.
    databases
        Each with a share of the customers; commits in different ones need not wait for each other.
    cluster
        Whether a cluster on Fargate reads, and not the function.
    retention_days
        How long contributions are kept.
    """

    name: str
    bytes_per_day: float
    object_bytes: float
    customers: int
    queries: float = 0
    query_hours: float = 24
    databases: int = 1
    cluster: bool = False
    retention_days: int = 90

    @property
    def objects(self) -> float:
        """Commits per day: each of the databases has its own."""
        return self.bytes_per_day / self.object_bytes * self.databases

    @property
    def workload(self) -> Workload:
        """What one commit adds to a day."""
        lines = round(self.object_bytes / BYTES_PER_LINE / self.databases)
        each = max(2, round(self.objects / self.databases))
        return Workload(each, lines, min(max(1, self.customers // self.databases), lines))


@dataclass(frozen=True, slots=True)
class Use:
    """How much of each part a load needs, on average over a day.

    Attributes
    ----------
    processors
        Processors at work; each reads no faster from S3 than `benchmarks.cost` assumes.
    commits
        The share of the time in which a commit holds the lock of its customers: above 1 the queue only grows.
    acu
        Capacity units of all databases.
    connections
        At once.
    terabytes
        Stored by all databases after `retention_days`.
    usd, usd_database, usd_logs
        A month of everything; of Aurora; and of the log objects, which S3 keeps for 30 days.
    """

    processors: float
    commits: float
    acu: float
    connections: int
    terabytes: float
    usd: float
    usd_database: float
    usd_logs: float


def use(costs: Costs, queries: QueryCosts, load: Load) -> Use:
    """Return what a load needs; commits are those of the middle of a day."""
    read, commit = (
        costs.read_phase(load.workload),
        costs.commit_phase(load.workload, load.workload.objects // 2),
    )
    fixed = read.seconds - costs.read["line"] * load.workload.lines + commit.seconds
    processors = (load.bytes_per_day / 1e6 / cost.Load.mb_per_second + load.objects * fixed) / DAY
    query = queries.request + queries.row * DAYS_PER_QUERY
    database_cpu = load.objects * (read.database_cpu + commit.database_cpu)
    acu = (database_cpu + load.queries * query * queries.database_share) / DAY / VCPU_PER_ACU
    contributions = load.objects * load.workload.rows
    gigabytes = contributions * costs.contribution_bytes(load.workload) * load.retention_days / 1e9
    month = _month(load, acu, gigabytes, fixed)
    return Use(
        processors=processors,
        commits=load.objects * commit.seconds / DAY / load.databases,
        acu=acu,
        connections=CONNECTIONS_PER_PROCESSOR * ceil(processors) + ceil(load.queries * query / DAY),
        terabytes=gigabytes / 1e3,
        usd=sum(month.values()),
        usd_database=month["Aurora: capacity"] + month["Aurora: storage and I/O"],
        usd_logs=month["S3: log objects kept"],
    )


def _month(load: Load, acu: float, gigabytes: float, seconds_per_object: float) -> dict[str, float]:
    """Return the parts of a month's bill, as `benchmarks.cost` computes it, with the storage of all days kept."""
    prices = cost.Prices()
    assumed = cost.Load(
        load.name,
        gb=load.bytes_per_day / 1e9,
        objects=round(load.objects),
        requests=round(load.queries),
        awake_hours=min(24, max(load.query_hours, load.objects * AWAKE_AFTER_OBJECT)),
        acu=max(1, PEAK * acu, 0.5 * load.databases),
        customers=load.workload.rows,
        seconds_per_object=seconds_per_object,
    )
    month = cost.monthly(assumed, prices)
    writes = load.objects * cost.DAYS * load.workload.rows * cost.IOS_PER_CONTRIBUTION
    month["Aurora: storage and I/O"] = (
        gigabytes * prices.aurora_storage_gb_month + writes / 1e6 * prices.aurora_million_ios
    )
    if load.cluster:
        endpoints, task_hour = cost.backfill(prices)
        seconds = assumed.gb * 1e3 / assumed.mb_per_second / 2  # a task has two functions' virtual CPUs
        month["Fargate"] = endpoints + seconds / 3600 * cost.DAYS * task_hour
        month["Lambda: processor"] = 0.0
    return month
