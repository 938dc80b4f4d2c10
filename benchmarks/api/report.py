"""Figures into docs/performance-api.md, and a chart beside it."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.api import load
from benchmarks.api.servers import Server

PAGE = Path("docs/performance-api.md")
CHART = Path("docs/performance-api.svg")
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(slots=True)
class Case:
    """One way to ask one server, and what its runs have measured."""

    name: str
    server: Server
    options: tuple[str, ...] = ()
    wrk: list[load.Measured] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    siege: list[dict[str, float]] = field(default_factory=list)


def figures(cases: list[Case], machine: str) -> str:
    """Return the tables; each case is compared with the textbook's case of the same kind."""
    rows = [
        "| wrk | answers/s | times the textbook | p50 ms | p99 ms | worst run's p99 ms | CPU µs per answer |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for case in cases:
        rate, cpu = _rate(case), median(case.cpu_us)
        rows.append(
            f"| {case.name} | {rate:,.0f} | {rate / _rate(_peer(case, cases)):.1f} "
            f"| {median(run.p50_ms for run in case.wrk):.2f} | {median(run.p99_ms for run in case.wrk):.2f} "
            f"| {max(run.p99_ms for run in case.wrk):.2f} | {cpu:.0f} |"
        )
    sieged = [
        "| siege, a connection for each request | answers/s | availability | failed | longest, s |",
        "|---|--:|--:|--:|--:|",
    ]
    sieged += [
        f"| {case.name} | {median(run['transaction_rate'] for run in case.siege):,.0f} "
        f"| {min(run['availability'] for run in case.siege):.2f} % "
        f"| {sum(run['failed_transactions'] for run in case.siege):.0f} "
        f"| {max(run['longest_transaction'] for run in case.siege):.2f} |"
        for case in cases
        if case.siege
    ]
    return f"Machine: {machine}. Medians of the runs.\n\n" + "\n".join(rows) + "\n\n" + "\n".join(sieged)


def write(page: str, cases: list[Case]) -> None:
    """Replace the figures of the page, and draw its chart."""
    before, _, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{page}\n\n{_END}{rest.partition(_END)[2]}", "utf-8")
    CHART.write_text(_chart("25 users on one URL: answers per second, more is better", cases[:4]), "utf-8")


def _rate(case: Case) -> float:
    return median(run.per_second for run in case.wrk)


def _peer(case: Case, cases: list[Case]) -> Case:
    kind = ", 50 customers"
    return next(
        peer
        for peer in cases
        if peer.name.startswith("textbook") and peer.name.endswith(kind) == case.name.endswith(kind)
    )


def _chart(title: str, cases: list[Case]) -> str:
    """Draw bars as SVG."""
    scale = 400 / max(map(_rate, cases))
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {50 + 30 * len(cases)}" '
            'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="#fff"/>'
        ),
        f'<text x="10" y="24" font-weight="bold">{title}</text>',
    ]
    for number, case in enumerate(cases):
        y, width = 40 + 30 * number, max(1, _rate(case) * scale)
        colour = "#aaa" if case.name.startswith("textbook") else "#1f77b4"
        lines.append(
            f'<text x="200" y="{y + 16}" text-anchor="end">{case.name}</text>'
            f'<rect x="210" y="{y}" width="{width:.0f}" height="22" fill="{colour}"/>'
            f'<text x="{216 + width:.0f}" y="{y + 16}">{_rate(case):,.0f}</text>'
        )
    return "\n".join([*lines, "</svg>\n"])
