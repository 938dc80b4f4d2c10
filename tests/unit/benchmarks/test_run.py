"""The tables of docs/performance.md compare each contender with the first."""

from benchmarks.run import section


def run(seconds: float, busy: float = 0.0) -> dict[str, float]:
    return {"seconds": seconds, "cpu": 2 * seconds, "peak": 50_000_000 * seconds, "busy": busy}


def test_a_section_has_medians_and_says_how_many_times_as_long_the_others_took() -> None:
    results = {
        ("ours", 2): [run(0.1), run(0.3), run(0.2)],
        ("duckdb_query", 2): [run(2), run(1, 0.5), run(0.7)],
    }
    assert section("Peers", 1_000_000, results).splitlines() == [
        "### Peers, 1,000,000 lines",
        "",
        "3 runs of each; other processes used up to 50% of the machine.",
        "",
        "|  | threads | seconds | times the first | best | CPU seconds | million lines/s | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        "| logstats, result in memory | 2 | 0.200 | 1.0 | 0.100 | 0.40 | 5.0 | 15 |",
        "| DuckDB 2 | 2 | 1.000 | 5.0 | 0.700 | 2.00 | 1.0 | 100 |",
    ]


def test_a_section_of_several_logs_has_their_names_and_compares_within_each() -> None:
    logs = {("ours", 2): [run(0.1)]}, {("ours", 2): [run(0.2)], ("duckdb_query", 2): [run(0.8, 0.1)]}
    assert section("Each log", 1_000_000, *logs, names=["a", "b"]).splitlines()[2:] == [
        "1 run of each; other processes used up to 10% of the machine.",
        "",
        "|  | threads | seconds | times the first | best | CPU seconds | million lines/s | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        "| **a** |  |  |  |  |  |  |  |",
        "| logstats, result in memory | 2 | 0.100 | 1.0 | 0.100 | 0.20 | 10.0 | 5 |",
        "| **b** |  |  |  |  |  |  |  |",
        "| logstats, result in memory | 2 | 0.200 | 1.0 | 0.200 | 0.40 | 5.0 | 10 |",
        "| DuckDB 2 | 2 | 0.800 | 4.0 | 0.800 | 1.60 | 1.2 | 40 |",
    ]
