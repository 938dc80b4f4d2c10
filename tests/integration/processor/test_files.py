"""Try what a local file's name and content come to: growth, conflicts, names that move, logs that are being written."""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from processor.context import Context
from processor.dataflow import staging
from processor.ingest import Ingestor
from processor.ledger.delivery import Outcome, Withdrawal
from processor.reading import content, lines
from processor.reading.objects import LocalFile, SourceError
from processor.reading.rules import FormatRule
from tests import tables
from tests.ingests import log_file
from tests.logs import as_bytes, random_lines

OLD, NEW = random_lines(1, 300), random_lines(2, 400)


@pytest.fixture(params=[4 << 20, 1 << 12])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk, and several of which the last is cut."""
    for name in ("processor.dataflow.source.CHUNK_BYTES", "processor.reading.content.CHUNK_BYTES"):
        monkeypatch.setattr(name, request.param)
    monkeypatch.setattr(lines, "CHUNK_BYTES", request.param)
    monkeypatch.setattr(lines, "BLOCK_BYTES", min(request.param, 1 << 10))


def ingest(ingestor: Ingestor, path: Path, data: bytes | Sequence[str] | None = None) -> str:
    file = LocalFile.at(path) if data is None else log_file(path, data)
    return ingestor.ingest_file(file).outcome


@pytest.mark.usefixtures("chunks")
def test_what_has_grown_counts_and_another_log_under_the_same_name_is_a_conflict(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    assert ingest(ingestor, path, b"") == "ingested"
    assert ingest(ingestor, path, OLD) == "replaced"
    others: tuple[bytes | list[str], ...] = (NEW, OLD[:200], [*NEW, *OLD], b"")
    for other in (each for each in others for _ in range(2)):
        assert ingest(ingestor, path, other) == "conflict"
        tables.check(ingestor.engine, OLD)
    row = tables.ledger(ingestor.engine, str(path))
    assert (row.outcome, row.accepted) == ("replaced", len(OLD))
    assert ingest(ingestor, path, [*OLD, *NEW]) == "replaced"
    assert ingest(replace(ingestor, replaces=True), path, NEW) == "replaced"
    tables.check(ingestor.engine, NEW)
    assert ingest(replace(ingestor, force=True), path, OLD) == "conflict"
    assert ingest(replace(ingestor, force=True), path, NEW) == "replaced"
    ingestor.withdraw(Withdrawal("file", str(path)))
    assert ingest(ingestor, path, OLD) == "ingested"
    tables.check(ingestor.engine, OLD)


def test_a_conflict_tells_what_counts(ingestor: Ingestor, tmp_path: Path) -> None:
    path, context = tmp_path / "a.log", Context()
    first = ingestor.ingest_file(log_file(path, OLD))
    summary = ingestor.ingest_file(log_file(path, NEW), context)
    assert summary == replace(first, outcome="conflict", seconds=summary.seconds)
    assert context.counts_since == tables.ledger(ingestor.engine, str(path)).committed_at


def test_content_that_is_known_is_not_read_line_by_line(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the same, nor what is shorter; whatever the name, and compressed or not."""
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(OLD))
    assert ingestor.ingest_file(LocalFile.at(path)).outcome == "ingested"
    assert ingestor.ingest_rotated(partial(LocalFile.at, path)).outcome == "ingested"
    monkeypatch.setattr("processor.ingest.stage", None)
    assert ingest(ingestor, path) == "unchanged"
    assert ingest(ingestor, path, OLD[:10]) == "conflict"
    assert ingestor.ingest_rotated(partial(LocalFile.at, path)).outcome == "stale"
    (tmp_path / "a.log.2.gz").write_bytes(gzip.compress(as_bytes(OLD)))
    assert ingestor.ingest_rotated(partial(LocalFile.at, tmp_path / "a.log.2.gz")).outcome == "unchanged"


def test_equal_content_counts_again_and_says_so(ingestor: Ingestor, tmp_path: Path) -> None:
    found = {}
    logs: dict[str, list[str]] = {"a": OLD, "b": OLD, "empty": [], "e": [], "c": NEW}
    for name, data in logs.items():
        found[name] = ingestor.ingest_file(log_file(tmp_path / name, data)).same_content_as
    assert found == {"a": None, "b": str(tmp_path / "a"), "empty": None, "e": None, "c": None}
    assert ingestor.ingest_file(LocalFile.at(tmp_path / "a")).same_content_as == str(tmp_path / "b")
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "b")))
    assert ingestor.ingest_file(LocalFile.at(tmp_path / "a")).same_content_as is None
    tables.check(ingestor.engine, [*OLD, *NEW])


def when_read(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], times: int = 1) -> None:
    """Let something happen when a file has been read, the first times."""
    stage, left = staging.stage, [happens] * times

    def staged(*arguments: object) -> object:
        reports = stage(*arguments)  # type: ignore[arg-type]  # passed on as they come
        if left:
            left.pop()()
        return reports

    monkeypatch.setattr("processor.ingest.stage", staged)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize(
    ("start", "counts"),
    [(as_bytes(OLD), OLD), (as_bytes(OLD) + b"2024-09", OLD), (b"2024-09", [])],
    ids=["whole lines", "half a line", "only half a line"],
)
def test_a_file_that_grows_while_it_is_read_counts_up_to_its_last_whole_line(
    ingestor: Ingestor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: bytes,
    counts: list[str],
    *,
    rotated: bool,
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(start)
    rest = as_bytes([*OLD, *NEW])[len(start) :] if counts else as_bytes(OLD)[len(start) :]
    when_read(monkeypatch, lambda: append(path, rest))

    def run() -> str:
        find = partial(LocalFile.at, path)
        summary = ingestor.ingest_rotated(find) if rotated else ingestor.ingest_file(find())
        assert summary.lines == summary.accepted
        return summary.outcome

    assert run() == ("unchanged" if rotated and not counts else "ingested")
    tables.check(ingestor.engine, counts)
    if rotated and not counts:
        append(path, rest)
        assert run() == "ingested"
    else:
        assert run() == "replaced"
    tables.check(ingestor.engine, [*OLD, *NEW] if counts else OLD)


def test_a_last_line_without_an_end_counts_if_the_file_does_not_grow(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    assert ingest(ingestor, tmp_path / "a.log", as_bytes(OLD)[:-1]) == "ingested"
    tables.check(ingestor.engine, OLD)


def test_a_file_that_is_written_anew_while_it_is_read_is_read_anew(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truncated and longer than before, as by `copytruncate`; replaced by another; and again and again."""
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(OLD))
    when_read(monkeypatch, lambda: path.write_bytes(as_bytes([*NEW, *OLD])))
    assert ingest(ingestor, path) == "ingested"
    tables.check(ingestor.engine, [*NEW, *OLD])
    path = tmp_path / "b.log"
    path.write_bytes(as_bytes(OLD))

    def move() -> None:
        path.rename(tmp_path / "b.log.1")
        path.write_bytes(as_bytes([*OLD, *NEW]))  # it only looks as if it had grown

    when_read(monkeypatch, move)
    assert ingest(ingestor, path) == "ingested"
    tables.check(ingestor.engine, [*NEW, *OLD, *OLD, *NEW])
    when_read(monkeypatch, lambda: path.write_bytes(as_bytes(random_lines(5, 5))), times=9)
    with pytest.raises(SourceError, match="it changed 5 times while it was read"):
        ingest(replace(ingestor, replaces=True), path, NEW)
    tables.check(ingestor.engine, [*NEW, *OLD, *OLD, *NEW])


def test_a_file_that_becomes_shorter_while_it_is_read_is_read_anew(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.log"
    monkeypatch.setattr("processor.reading.head.HEAD_BYTES", 1 << 10)
    path.write_bytes(as_bytes(OLD))

    def truncated(log: object, *rest: object) -> object:
        monkeypatch.setattr("processor.ingest.stage", staging.stage)
        path.write_bytes(as_bytes(NEW[:100]))
        return staging.stage(*(log, *rest))  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr("processor.ingest.stage", truncated)
    assert ingest(ingestor, path) == "ingested"
    tables.check(ingestor.engine, NEW[:100])


def test_a_log_that_is_known_by_its_beginning_counts_once_whatever_it_is_called(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    """And whatever its state: growing, renamed, compressed, an older copy; an empty one is nothing yet."""

    def run(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return ingestor.ingest_rotated(partial(LocalFile.at, tmp_path / name)).outcome

    old, new = as_bytes(OLD), as_bytes(NEW)
    assert run("a.log", b"") == run("a.log", b"2024-09-03 not whole") == "unchanged"
    assert run("a.log", old[:5_000]) == "ingested"
    assert run("a.log", old) == "replaced"
    assert run("a.log.1", old[:6_000]) == "stale", "a copy under way"
    assert run("a.log.1", old) == run("a.log-20240903", old) == "unchanged"
    assert run("a.log", new[:5_000]) == "ingested"
    assert run("a.log.2.gz", gzip.compress(old)) == "unchanged"
    assert run("a.log-20240904-1725408000.gz", gzip.compress(new)) == "replaced"
    with pytest.raises(SourceError, match="ends in the middle"):
        run("a.log.3.gz", gzip.compress(new)[:-20])
    other = OLD[:1] + NEW
    assert run("a.log", as_bytes(other)) == "conflict"
    tables.check(ingestor.engine, [*OLD, *NEW])
    assert (
        ingestor.ingest_rotated(partial(LocalFile.at, tmp_path / "a.log.1"), "host/a.log").outcome
        == "ingested"
    )
    tables.check(ingestor.engine, [*OLD, *OLD, *NEW])


def test_what_is_before_the_first_request_is_no_beginning(ingestor: Ingestor, tmp_path: Path) -> None:
    """Headers that every log has; but a log without any request is not passed over."""
    by_content = replace(ingestor, formats=())
    declared = replace(ingestor, formats=(FormatRule(format="iis"),))
    path = tmp_path / "u_ex.log"
    path.write_text("#Version: 1.0\n#Fields: date time cs-host sc-status\n\n")
    assert declared.ingest_rotated(partial(LocalFile.at, path)).outcome == "unchanged"
    broken = tmp_path / "broken.log"
    broken.write_text("no request\n")
    summary = ingestor.ingest_rotated(partial(LocalFile.at, broken))
    assert (summary.outcome, summary.rejected) == ("ingested", 1)
    assert by_content.ingest_rotated(partial(LocalFile.at, broken)).outcome == Outcome.UNCHANGED
    broken.write_text("x" * 100_000)
    assert by_content.ingest_rotated(partial(LocalFile.at, broken)).outcome == Outcome.UNRECOGNISED
    empty = tmp_path / "a.log.1.gz"
    empty.write_bytes(gzip.compress(b""))
    assert ingestor.ingest_rotated(partial(LocalFile.at, empty)).outcome == "ingested"


def test_content_may_be_compressed_when_it_is_compared(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks are those of the plain text."""
    monkeypatch.setattr(content, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr("processor.dataflow.source.CHUNK_BYTES", 1 << 12)
    data = as_bytes([*OLD, *NEW])
    for end in (3_000, 4_096, 9_000, len(data)):
        size = data.rfind(b"\n", 0, end) + 1
        (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(data[:size]))
        outcome = ingestor.ingest_rotated(partial(LocalFile.at, tmp_path / "a.log.1.gz")).outcome
        assert outcome == ("ingested" if size < 3_000 else "replaced")
    tables.check(ingestor.engine, [*OLD, *NEW])
