"""What the measured costs mean for a day's load on AWS: how busy each part is, and which is full first."""

from dataclasses import dataclass

from benchmarks.scaling.costs import Costs
from benchmarks.scaling.workload import Workload

DAY = 86_400.0
BYTES_PER_LINE = 56
"""Of the generated logs."""
VCPU_PER_ACU = 0.25
"""An assumption: AWS gives memory only (2 GiB each), and the instance classes have 8 GiB for one vCPU."""


@dataclass(frozen=True, slots=True)
class Load:
    """A day's logs.

    Attributes
    ----------
    name
        For the table.
    bytes_per_day, object_bytes
        Uncompressed; the mean size of an object.
    customers
        That have requests in every object.
    parallel
        Ingests whose commits need not wait for each other: 1 if every object has every customer.
    """

    name: str
    bytes_per_day: float
    object_bytes: float
    customers: int
    parallel: int = 1

    @property
    def objects(self) -> float:
        """Objects per day."""
        return self.bytes_per_day / self.object_bytes

    @property
    def workload(self) -> Workload:
        """One object."""
        lines = round(self.object_bytes / BYTES_PER_LINE)
        return Workload(1, lines, min(self.customers, lines))


@dataclass(frozen=True, slots=True)
class Use:
    """How much of each part a load needs, on average over a day.

    Attributes
    ----------
    processors
        Processors at work.
    commits
        The share of the time in which a commit holds the lock of its customers: above 1 the queue only grows.
    acu
        Capacity units of the database.
    gigabytes_per_year
        Storage for the contributions.
    """

    processors: float
    commits: float
    acu: float
    gigabytes_per_year: float


def use(costs: Costs, load: Load) -> Use:
    """Return what a load needs."""
    read, commit = costs.read(load.workload), costs.commit(load.workload)
    database_cpu = read.database_cpu + commit.database_cpu
    return Use(
        processors=load.objects * (read.seconds + commit.seconds) / DAY,
        commits=load.objects * commit.seconds / DAY / load.parallel,
        acu=load.objects * database_cpu / DAY / VCPU_PER_ACU,
        gigabytes_per_year=365 * load.objects * load.workload.rows * costs.row_bytes / 1e9,
    )


def most_objects_per_second(costs: Costs, customers: int) -> float:
    """Return at how many objects per second commits of the same customers are one after the other without a pause."""
    return 1 / costs.commit(Workload(1, customers, customers)).seconds
