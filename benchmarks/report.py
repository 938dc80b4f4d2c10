"""Figures into docs/performance.md, with what follows from them, and a chart beside it."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

END = dt.date(2024, 10, 3)
PAGE = Path("docs/performance.md")
CHART = Path("docs/performance.svg")
BROKEN = "Every tenth line broken"
"""The title of that table."""
NAMES = {
    "ours": "logstats, result in memory",
    "committed": "logstats, committed to PostgreSQL",
    "committed_first": "the same, first ingest of a process",
    "duckdb_query": "DuckDB 2",
    "polars_query": "Polars 2",
    "textbook": "textbook Bytewax flow",
}
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True)
class Result:
    """Several runs of a peer on one file: medians of seconds and CPU seconds, the best time, the highest peak in bytes."""

    peer: str
    threads: int
    lines: int
    runs: int
    seconds: float
    best: float
    cpu: float
    peak: int
    busy: float
    """The share of the machine that others used just before, at most."""


Sections = Mapping[str, Sequence[Result]]
"""Results by the title of their table."""


def ratios(sections: Sections) -> Iterator[tuple[str, str]]:
    """Yield what is compared, and how it came out; always of one run of the benchmark."""
    peers = [
        {(one.peer, one.threads): one for one in results}
        for title, results in sections.items()
        if title.startswith("Peers")
    ]
    for table in peers:
        ours, alone, whole = table["ours", 2], table["ours", 1], table["committed", 2]
        lines = f"{ours.lines:,} lines"
        for peer, name in (("duckdb_query", "DuckDB"), ("polars_query", "Polars")):
            theirs = table[peer, 2].seconds
            yield f"{lines}, {name} with 2 threads against 2 workers", _times(theirs, ours.seconds)
        duckdb = table["duckdb_query", 2].seconds
        yield (
            f"{lines}, DuckDB, which writes nothing, against ingest with commit",
            _times(duckdb, whole.seconds),
        )
        for peer, when in (("committed", ""), ("committed_first", ", first ingest of a process")):
            more = table[peer, 2].seconds - ours.seconds
            yield f"{lines}, the commit's share{when}", f"{more:.3f} s: {more / ours.seconds:.0%} on top"
        yield f"{lines}, 2 workers against 1", _times(alone.seconds, ours.seconds)
    for small, large in pairwise(table["ours", 2] for table in peers):
        each = (large.seconds - small.seconds) / (large.lines - small.lines) * 1e9
        yield (
            f"from {small.lines:,} to {large.lines:,} lines, 2 workers",
            f"{each:,.1f} ms for each million more",
        )
    peaks = [one.peak for table in peers for (peer, _), one in table.items() if "query" not in peer]
    yield "highest peak memory at these sizes", f"{max(peaks) / 1e6:.0f} MB"
    for title, results in sections.items():
        first = results[0]
        if title == BROKEN:
            sound = next(table["ours", 1] for table in peers if table["ours", 1].lines == first.lines)
            yield (
                f"{first.lines:,} lines, every tenth broken, 1 worker",
                f"{first.seconds / sound.seconds:.2f} times the time",
            )
        elif title.startswith("Textbook"):
            yield (
                f"{first.lines:,} lines, textbook flow against 1 worker",
                _times(first.seconds, results[1].seconds),
            )
        elif "customers" in title:
            yield f"{title}, with commit, 2 workers", f"{first.seconds:.1f} s, {first.peak / 1e6:.0f} MB"


def _times(theirs: float, ours: float) -> str:
    ratio = theirs / ours
    return f"{theirs:.2f} s / {ours:.3f} s: {ratio:.{0 if ratio > 20 else 1}f} times as fast"


def write(sections: Sections, machine: str) -> None:
    """Replace the figures of the page, and draw its chart: of the largest size."""
    parts = [
        f"Machine: {machine}. Seconds and CPU seconds are medians; CPU is that of the process alone, without the database's.",
        "### What follows\n\n| | |\n|---|---|\n"
        + "\n".join(f"| {claim} | {figure} |" for claim, figure in ratios(sections)),
    ]
    for title, results in sections.items():
        rows = [
            "| | threads | lines | seconds | best | CPU seconds | million lines/s | peak MB | runs |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        rows += [
            f"| {NAMES[result.peer]} | {result.threads} | {result.lines:,} | {result.seconds:.3f} | {result.best:.3f} | {result.cpu:.2f} "
            f"| {result.lines / result.seconds / 1e6:.1f} | {result.peak / 1e6:.0f} | {result.runs} |"
            for result in results
        ]
        parts.append(f"### {title}\n\n" + "\n".join(rows))
        if (busy := max(result.busy for result in results)) > 0.1:
            parts.append(f"Other processes used up to {busy:.0%} of the machine meanwhile.")
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(f"{before}{_BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{_END}{after}")
    largest = max(
        (title for title in sections if title.startswith("Peers")), key=lambda title: sections[title][0].lines
    )
    CHART.write_text(
        _chart(f"{sections[largest][0].lines:,} lines: seconds, less is better", sections[largest])
    )


def _chart(title: str, results: Sequence[Result]) -> str:
    """Draw bars as SVG."""
    scale = 380 / max(result.seconds for result in results)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {50 + 30 * len(results)}" '
            'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="#fff"/>'
        ),
        f'<text x="10" y="24" font-weight="bold">{title}</text>',
    ]
    for number, result in enumerate(results):
        y, width = 40 + 30 * number, max(1, result.seconds * scale)
        colour = "#1f77b4" if result.peer.startswith(("ours", "committed")) else "#aaa"
        threads = f"{result.threads} thread{'s' if result.threads > 1 else ''}"
        lines.append(
            f'<text x="280" y="{y + 16}" text-anchor="end">{NAMES[result.peer]}, {threads}</text>'
            f'<rect x="290" y="{y}" width="{width:.0f}" height="22" fill="{colour}"/>'
            f'<text x="{296 + width:.0f}" y="{y + 16}">{result.seconds:.2f}</text>'
        )
    return "\n".join([*lines, "</svg>\n"])
