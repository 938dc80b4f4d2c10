"""`logstats up` says where things are."""

import shlex
import sys
from pathlib import Path

import pytest
from rich.console import Console

from local.commands import up


def test_the_aws_line_works_as_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("aws")
    assert program.exists()
    monkeypatch.chdir(program.parents[2])
    assert up._program("aws") == str(program.relative_to(program.parents[2]))
    monkeypatch.chdir(tmp_path)
    assert shlex.split(up._program("aws")) == [str(program)]


def test_a_file_name_in_the_progress_is_neither_markup_nor_control(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Console(stderr=True).status("") as status:
        up._tell(status, "Uploading [red]x\x1b[2J.log")
    assert "Uploading [red]x\\x1b[2J.log" in capsys.readouterr().err
