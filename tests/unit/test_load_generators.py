"""What wrk and siege print, as the load tests read it."""

import subprocess

import pytest

from benchmarks.api import load


def test_a_report_is_read_among_what_else_a_load_generator_says(monkeypatch: pytest.MonkeyPatch) -> None:
    output = '** SIEGE\n{\t"availability":\t100.00,\n"failed_transactions": 0\n}\n\nbye\n'
    monkeypatch.setattr(subprocess, "check_output", lambda *_arguments, **_options: output)
    assert load.siege("http://x", 25, 3) == {"availability": 100.0, "failed_transactions": 0}


def test_a_missing_load_generator_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"wrk and siege cannot be found.*apt-get install"):
        load.require(["wrk", "siege"])
