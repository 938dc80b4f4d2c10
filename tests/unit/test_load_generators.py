"""What wrk and siege print, as the load tests read it."""

import pytest

from benchmarks.api import load

WRK = """Running 3s test @ http://127.0.0.1:8102/customers/cust_1/stats?from=2024-09-03
  1 threads and 25 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.29ms    1.08ms  27.13ms   97.92%
    Req/Sec     4.78k   305.30     5.26k    62.50%
  Latency Distribution
     50%    511.00us
     75%    5.41ms
     90%    5.56ms
     99%    1.43s
  14755 requests in 3.10s, 129.33MB read
{failures}Requests/sec:   4759.37
Transfer/sec:     41.72MB
"""
FAILURES = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"


@pytest.mark.parametrize(("failures", "count"), [("", 0), (FAILURES, 15)])
def test_wrks_figures_are_read(monkeypatch: pytest.MonkeyPatch, failures: str, count: int) -> None:
    monkeypatch.setattr(load, "_output", lambda _command: WRK.format(failures=failures))
    assert load.wrk("http://x", 25, 3) == load.Measured(14755, 4759.37, 0.511, 1430.0, count)


def test_output_that_is_not_understood_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_output", lambda _command: "unable to connect")
    with pytest.raises(SystemExit, match="unable to connect"):
        load.wrk("http://x", 25, 3)


def test_sieges_report_is_read_among_what_else_it_says() -> None:
    report = load.siege_report('** SIEGE\n{\t"availability":\t100.00,\n"failed_transactions": 0\n}\n\nbye\n')
    assert report == {"availability": 100.0, "failed_transactions": 0}


def test_a_missing_load_generator_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"wrk and siege cannot be found.*apt-get install"):
        load.require(["wrk", "siege"])
