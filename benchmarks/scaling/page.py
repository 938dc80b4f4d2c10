"""The tables of docs/scaling.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.scaling import limits as limit
from benchmarks.scaling.costs import Costs
from benchmarks.scaling.loads import DAY, VCPU_PER_ACU, Load, use
from benchmarks.scaling.query import QueryCosts
from benchmarks.scaling.runs import Check
from benchmarks.scaling.simulate import Sharing
from benchmarks.scaling.workload import Workload

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
CUSTOMERS = (100, 1_000, 10_000)
LOADS = (
    Load("1 GB, an object every hour", 1e9, 1e9 / 24, 100, queries=10_000, query_hours=6),
    Load("1 GB, an object every minute", 1e9, 1e9 / 1440, 100, queries=10_000, query_hours=6),
    Load("1 TB, objects of 64 MB", 1e12, 64e6, 1_000, queries=1e6),
    Load("1 TB, objects of 64 MB", 1e12, 64e6, 10_000, queries=1e6),
    Load("1 TB, objects of 1 GB", 1e12, 1e9, 10_000, queries=1e6),
    Load("100 TB, objects of 64 MB", 1e14, 64e6, 10_000, queries=1e8),
    Load("100 TB, objects of 1 GB", 1e14, 1e9, 10_000, queries=1e8),
    Load(
        "100 TB, merged by the hour, 10 databases",
        1e14,
        1e14 / 24,
        10_000,
        queries=1e8,
        databases=10,
        cluster=True,
    ),
)


def rewritten(text: str, tables: Mapping[str, str]) -> str:
    """Return a page with new tables between their marks."""
    for mark, content in tables.items():
        before, rest = text.split(f"<!-- {mark} -->")
        _, after = rest.split(f"<!-- end of {mark} -->")
        text = f"{before}<!-- {mark} -->\n\n{content}\n\n<!-- end of {mark} -->{after}"
    return text


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def simulation(checks: Sequence[Check], sharing: Sharing) -> str:
    """Return the comparison with measured runs."""
    rows = [
        [
            name(check.workload),
            str(check.processes),
            f"{check.measured:.2f}",
            f"{check.simulated:.2f}",
            f"{check.error:+.0%}",
        ]
        for check in checks
    ]
    return (
        _table(["workload", "processes", "measured, s", "simulated, s", "off by"], rows)
        + "\n\nIngests that share nothing but the cores: "
        + "; ".join(
            f"when they want {wanted:.0%} of the CPU, they take {slowdown:.2f} times as long"
            for wanted, slowdown in sharing.points
        )
        + f". In one database, a commit takes {sharing.commit:.2f} times as long as that while another ingest runs."
    )


def name(workload: Workload) -> str:
    """Return a workload in words."""
    return f"{workload.objects} objects of {workload.lines:,} lines, {workload.customers:,} customers"


def costs(found: Costs, queries: QueryCosts) -> str:
    """Return the measured costs."""
    read, commit, stored = found.read, found.commit, found.stored
    rows = {
        "**Outside the lock**, per object": f"{read['object'] * 1e3:.1f} ms",
        "per line": f"{read['line'] * 1e9:.0f} ns",
        "per customer-day": f"{read['row'] * 1e6:.1f} µs",
        "per packed page of a histogram; per entry that is in none": f"{read['page'] * 1e9:.0f} ns; {read['listed'] * 1e9:.0f} ns",
        "CPU of the processor and of PostgreSQL, per second": _shares(found.read_shares),
        "**Holding the lock**, per object": f"{commit['object'] * 1e3:.1f} ms",
        "per customer-day that has statistics; that has none": f"{commit['row'] * 1e6:.1f} µs; {commit['first row'] * 1e6:.1f} µs",
        "per packed page, of what comes and of what is stored; per entry in none": f"{commit['page'] * 1e9:.0f} ns; {commit['listed'] * 1e9:.0f} ns",
        "per packed page of a customer-day that has no statistics": f"{commit['first page'] * 1e9:.0f} ns",
        "CPU of the processor and of PostgreSQL, per second of it": _shares(found.commit_shares),
        "**Storage** of a contribution with its indexes": f"{stored['row']:,.0f} bytes",
        "for each byte of a packed page; for each entry in none": f"{stored['packed byte']:.2f} bytes; {stored['listed']:.1f} bytes",
        "**Answer of the API**, not kept, on one connection; for each day in it": f"{queries.request * 1e3:.2f} ms; {queries.row * 1e6:.1f} µs",
        "CPU of PostgreSQL, per second of answers": f"{queries.database_share:.2f} s",
    }
    return _table(["", ""], list(rows.items()))


def _shares(shares: tuple[float, float]) -> str:
    return f"{shares[0]:.2f} s; {shares[1]:.2f} s"


def limits(found: Costs, queries: QueryCosts) -> str:
    """Return how far one database goes."""
    most = [limit.most_objects_per_second(found, customers) for customers in CUSTOMERS]
    rows = {
        "objects a second": [f"{one:.2g}" for one in most],
        "customer-days merged in a day, millions": [
            f"{one * DAY * customers / 1e6:,.0f}" for one, customers in zip(most, CUSTOMERS, strict=True)
        ],
        "processors at once that help": [
            f"{limit.useful_processors(found, limit.objects(customers)):.1f}" for customers in CUSTOMERS
        ],
        "days of contributions in a table of 32 TiB": [
            f"{limit.days_of_contributions(found, customers):,.0f}" for customers in CUSTOMERS
        ],
    }
    table = _table(
        ["customers in each object", *(f"{customers:,}" for customers in CUSTOMERS)],
        [[title, *values] for title, values in rows.items()],
    )
    customers = limit.most_customers(found, limit.LOCK_TIMEOUT / 10)
    customer_days = limit.most_customer_days(found)
    acu = VCPU_PER_ACU / queries.database_share * queries.per_second
    return f"""{table}

* Customers in an object that ten processors at once can still commit, so that none waits for the nine others for more
  than the {limit.LOCK_TIMEOUT:.0f} s of the lock's time-out: {customers:,}.
* Statistics that fill 128 TiB: {customer_days / 1e9:.0f} billion customer-days, or ten years of {customer_days / 3652 / 1e6:,.1f} million customers.
* Answers of 30 days: {queries.per_second:,.0f} a second on one connection, {acu:,.0f} a second with the CPU of one ACU."""


def customers_of(customer_days: float) -> float:
    """Return how many millions of customers have so many days in ten years."""
    return customer_days / 3652 / 1e6


def loads(found: Costs, queries: QueryCosts) -> str:
    """Return what a day's logs need, and cost."""
    rows = []
    for load in LOADS:
        needs = use(found, queries, load)
        rows.append(
            [
                f"{load.name}, {load.customers:,} customers",
                _short(load.objects / DAY),
                _short(needs.processors),
                _bold(needs.commits, 1),
                _short(needs.acu),
                f"{needs.connections:,}",
                _bold(needs.terabytes, limit.TABLE_BYTES / 1e12 * load.databases),
                f"{needs.usd:,.0f}",
                f"{needs.usd_database:,.0f}",
                f"{needs.usd_logs:,.0f}",
            ]
        )
    head = "a day's logs; commits/s; processors; lock; ACU; connections; TB; USD a month; of it database; logs in S3"
    return _table(head.split("; "), rows)


def _short(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _bold(value: float, most: float) -> str:
    return _short(value) if value <= most else f"**{_short(value)}**"
