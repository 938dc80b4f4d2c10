"""Figures into docs/performance.md, and a chart beside it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.ratios import ratios
from benchmarks.results import Result

END = dt.date(2024, 10, 3)
PAGE = Path("docs/performance.md")
CHART = Path("docs/performance.svg")
NAMES = {
    "ours": "logstats, result in memory",
    "committed": "logstats, committed to PostgreSQL",
    "committed_first": "the same, first ingest of a process",
    "duckdb_query": "DuckDB 2",
    "polars_query": "Polars 2",
    "textbook": "textbook Bytewax flow",
    "arrow_numpy": "pyarrow CSV + numpy",
    "numpy_words": "numpy word loads",
}
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def write(sections: Mapping[str, Sequence[Result]], machine: str) -> None:
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
