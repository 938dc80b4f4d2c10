"""What docs/performance.md says of its tables follows from them."""

from benchmarks.report import BROKEN, Result, ratios


def result(peer: str, threads: int, lines: int, seconds: float, peak: int = 50_000_000) -> Result:
    return Result(peer, threads, lines, 3, seconds, seconds, seconds, peak, 0.0)


def test_ratios_compare_what_belongs_together() -> None:
    sections = {
        f"Peers, {lines:,} lines": [
            result("ours", 2, lines, times * 0.1),
            result("ours", 1, lines, times * 0.18),
            result("committed", 2, lines, times * 0.1 + 0.01, peak=120_000_000),
            result("committed_first", 2, lines, times * 0.1 + 0.05),
            result("duckdb_query", 2, lines, times * 0.4, peak=900_000_000),
            result("polars_query", 2, lines, times * 0.8),
        ]
        for lines, times in ((1_000, 1), (10_000, 10))
    }
    sections[BROKEN] = [result("ours", 1, 10_000, 3.6)]
    sections["Textbook flow, 100 lines"] = [result("textbook", 1, 100, 9), result("ours", 1, 100, 0.1)]
    sections["1,000 customers, 1 day"] = [result("committed", 2, 5_000, 7.26, peak=600_000_000)]
    assert dict(ratios(sections)) == {
        "1,000 lines, DuckDB with 2 threads against 2 workers": "0.40 s / 0.100 s: 4.0 times as fast",
        "1,000 lines, Polars with 2 threads against 2 workers": "0.80 s / 0.100 s: 8.0 times as fast",
        "1,000 lines, DuckDB, which writes nothing, against ingest with commit": "0.40 s / 0.110 s: 3.6 times as fast",
        "1,000 lines, the commit's share": "0.010 s: 10% on top",
        "1,000 lines, the commit's share, first ingest of a process": "0.050 s: 50% on top",
        "1,000 lines, 2 workers against 1": "0.18 s / 0.100 s: 1.8 times as fast",
        "10,000 lines, DuckDB with 2 threads against 2 workers": "4.00 s / 1.000 s: 4.0 times as fast",
        "10,000 lines, Polars with 2 threads against 2 workers": "8.00 s / 1.000 s: 8.0 times as fast",
        "10,000 lines, DuckDB, which writes nothing, against ingest with commit": "4.00 s / 1.010 s: 4.0 times as fast",
        "10,000 lines, the commit's share": "0.010 s: 1% on top",
        "10,000 lines, the commit's share, first ingest of a process": "0.050 s: 5% on top",
        "10,000 lines, 2 workers against 1": "1.80 s / 1.000 s: 1.8 times as fast",
        "from 1,000 to 10,000 lines, 2 workers": "100,000.0 ms for each million more",
        "highest peak memory at these sizes": "120 MB",
        "10,000 lines, every tenth broken, 1 worker": "2.00 times the time",
        "100 lines, textbook flow against 1 worker": "9.00 s / 0.100 s: 90 times as fast",
        "1,000 customers, 1 day, with commit, 2 workers": "7.3 s, 600 MB",
    }
