"""How far one database and one function go, from the measured costs: what is full first."""

from benchmarks.scaling.costs import Costs
from benchmarks.scaling.workload import Workload

DAY = 86_400.0
LOCK_TIMEOUT = 60.0
"""Seconds: `DATABASE_LOCK_TIMEOUT_SECONDS`."""
STORAGE_BYTES, TABLE_BYTES = 128 << 40, 32 << 40
"""Of an Aurora cluster; of a PostgreSQL table that is not partitioned."""
OBJECTS_PER_DAY = 1_440
"""One a minute, of `LINES` lines."""
LINES = 100_000


def objects(customers: int) -> Workload:
    """Return a day's objects, each with all customers."""
    return Workload(OBJECTS_PER_DAY, LINES, customers)


def most_objects_per_second(costs: Costs, customers: int) -> float:
    """Return at how many small objects per second commits of the same customers follow each other without a pause."""
    workload = Workload(1000, customers, customers)  # a line of each customer; many were there before
    return 1 / costs.commit_phase(workload, workload.objects).seconds


def useful_processors(costs: Costs, workload: Workload) -> float:
    """Return how many processors keep the lock of their customers busy all the time: more would only wait."""
    commit = costs.commit_phase(workload, workload.objects // 2).seconds
    return (costs.read_phase(workload).seconds + commit) / commit


def most_customers(costs: Costs, seconds: float) -> int:
    """Return how many customers a commit can merge while it holds their lock for no longer than so many seconds."""
    each = Workload(1000, 1_000, 1_000)
    return int(seconds / costs.commit_phase(each, each.objects).seconds * each.customers)


def most_customer_days(costs: Costs) -> float:
    """Return how many customer-days of statistics fill the storage, each with every duration in its histogram."""
    return STORAGE_BYTES / costs.contribution_bytes(Workload(1, 1_000_000, 1))


def days_of_contributions(costs: Costs, customers: int) -> float:
    """Return how many days of contributions fill their table."""
    return TABLE_BYTES / (OBJECTS_PER_DAY * customers * costs.contribution_bytes(objects(customers)))
