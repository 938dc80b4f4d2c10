"""Processes that read another version, or otherwise, or share the work otherwise, are another cluster."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from processor.cluster.members import Layout, member
from processor.dataflow.staging import Running
from processor.reading.objects import LocalFile, SourceError
from processor.reading.rules import FormatRule
from tests.ingests import log_file, readable

LAYOUT = Layout(("a:1", "b:1"), 4)


def test_a_cluster_is_named_after_its_processes_the_version_of_the_object_and_its_format(
    tmp_path: Path,
) -> None:
    stored: LocalFile = log_file(tmp_path / "a.log", ["a line"])
    log = readable(stored)
    names = [
        LAYOUT.name(log),
        LAYOUT.name(replace(log, stored=replace(stored, modified_ns=2))),
        LAYOUT.name(replace(log, stored=replace(stored, size=1_001))),
        LAYOUT.name(replace(log, rule=FormatRule(format="nginx"))),
        replace(LAYOUT, workers=5).name(log),
        replace(LAYOUT, addresses=("b:1", "a:1")).name(log),
    ]
    assert len(set(names)) == len(names)
    assert Layout(("a:1", "b:1"), 4).name(replace(log)) == names[0]


def test_what_a_worker_tells_is_written_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    def stage(_engine: object, _logs: object, running: Running) -> None:
        running.progress(7)
        raise SourceError("gone\nsince")

    pieces: list[str] = []
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@/nothing?host=/nowhere")
    monkeypatch.setattr("processor.cluster.members.stage", stage)
    monkeypatch.setattr("processor.cluster.members.open_log", lambda *_: None)
    monkeypatch.setattr("processor.cluster.members.membership.join", lambda *_: nullcontext())
    monkeypatch.setattr("sys.stdout.write", pieces.append)
    assert member("a.log", LAYOUT, 0, 1) == 1
    assert pieces == ["read 7\n", "error gone since\n"]
