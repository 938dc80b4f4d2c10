"""What follows from the measured tables: the ratios that matter, each within one run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from benchmarks.results import BROKEN, Result

Sections = Mapping[str, Sequence[Result]]


def ratios(sections: Sections) -> list[tuple[str, str]]:
    """Return what was compared, and how it came out; medians of seconds."""
    return [*_peers(sections), *_growth(sections), *_workers(sections), *_other(sections)]


def _find(results: Sequence[Result], peer: str, threads: int) -> Result | None:
    return next((result for result in results if (result.peer, result.threads) == (peer, threads)), None)


def _of(sections: Sections, peer: str, threads: int) -> list[Result]:
    """A peer's results by size."""
    tables = [results for title, results in sections.items() if title.startswith("Peers")]
    return [found for results in tables if (found := _find(results, peer, threads))]


def _pairs(
    sections: Sections, one: tuple[str, int], other: tuple[str, int]
) -> Iterator[tuple[Result, Result]]:
    for left, right in zip(_of(sections, *one), _of(sections, *other), strict=False):
        if left.lines == right.lines:
            yield left, right


def _peers(sections: Sections) -> Iterator[tuple[str, str]]:
    for peer, name in (("duckdb_query", "DuckDB"), ("polars_query", "Polars")):
        for theirs, ours in _pairs(sections, (peer, 2), ("ours", 2)):
            yield (
                f"{ours.lines:,} lines, {name} with 2 threads against 2 workers",
                f"{theirs.seconds:.2f} s / {ours.seconds:.3f} s: {theirs.seconds / ours.seconds:.1f} times as fast",
            )
    for peer, when in (("committed", ""), ("committed_first", ", first ingest of a process")):
        for whole, ours in _pairs(sections, (peer, 2), ("ours", 2)):
            yield (
                f"{ours.lines:,} lines, the commit's share{when}",
                f"{whole.seconds - ours.seconds:.3f} s: {whole.seconds / ours.seconds - 1:.0%} on top",
            )
    for theirs, whole in _pairs(sections, ("duckdb_query", 2), ("committed", 2)):
        yield (
            f"{whole.lines:,} lines, DuckDB, which writes nothing, against ingest with commit",
            f"{theirs.seconds / whole.seconds:.1f} times as fast",
        )


def _growth(sections: Sections) -> Iterator[tuple[str, str]]:
    for workers in (1, 2):
        for small, large in pairwise(_of(sections, "ours", workers)):
            times, lines = large.seconds / small.seconds, large.lines / small.lines
            a_million = (large.seconds - small.seconds) / (large.lines - small.lines) * 1e6
            in_proportion = (
                f"{times:.2f} times the time for {lines:g} times the lines ({times / lines - 1:+.0%})"
            )
            yield (
                f"from {small.lines:,} to {large.lines:,} lines, {workers} worker{'s' if workers > 1 else ''}",
                f"{in_proportion}, {a_million * 1e3:,.1f} ms for each million more",
            )
    peaks = [
        result.peak for peer in ("ours", "committed") for n in (1, 2) for result in _of(sections, peer, n)
    ]
    if peaks:
        yield "highest peak memory at these sizes", f"{max(peaks) / 1e6:.0f} MB"


def _workers(sections: Sections) -> Iterator[tuple[str, str]]:
    for one, two in _pairs(sections, ("ours", 1), ("ours", 2)):
        yield f"{one.lines:,} lines, 2 workers against 1", f"{one.seconds / two.seconds:.2f} times as fast"


def _other(sections: Sections) -> Iterator[tuple[str, str]]:
    for broken in sections.get(BROKEN, ()):
        for whole in _of(sections, "ours", broken.threads):
            if whole.lines == broken.lines:
                yield (
                    f"{whole.lines:,} lines, every tenth broken, 1 worker",
                    f"{broken.seconds:.2f} s against {whole.seconds:.2f} s: {broken.seconds / whole.seconds:.2f} times the time",
                )
    for results in sections.values():
        theirs, ours = _find(results, "textbook", 1), _find(results, "ours", 1)
        if theirs and ours:
            yield (
                f"{ours.lines:,} lines, textbook flow against 1 worker",
                f"{theirs.seconds:.2f} s / {ours.seconds:.3f} s: {theirs.seconds / ours.seconds:.0f} times as fast",
            )
    for title, results in sections.items():
        if "customers" in title:
            yield (
                f"{title}, with commit, 2 workers",
                f"{results[0].seconds:.1f} s, {results[0].peak / 1e6:.0f} MB",
            )
