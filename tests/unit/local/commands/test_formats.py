"""`logstats formats`: what can be read, and how a file is."""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local import cli, pipes, trial
from local.errors import UserError
from logstats.formats import presets, source_of

SAMPLES = Path(__file__).parents[3] / "samples"
ALB = str(SAMPLES / "aws-alb.log")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["formats", *arguments])


def tried(*arguments: str) -> dict[str, Any]:
    result = run("try", *arguments, "--json")
    assert result.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refusal(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, UserError)
    return str(result.exception)


def test_a_line_for_each_preset() -> None:
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(presets())
    assert all(declared.summary in line for line, declared in zip(lines, presets().values(), strict=True))


def test_a_declaration_is_shown_as_it_is() -> None:
    assert run("show", "kong").stdout == source_of("kong")
    assert refusal("show", "apache").startswith("'apache' is no preset: logstats, ")


def test_how_the_lines_of_a_file_are_read() -> None:
    result = run("try", ALB, "--lines", "14")
    assert result.exit_code == 0
    assert result.stdout.startswith("aws-alb reads 19 of 19 lines, 13 with a duration, and skips 0: taken\n")
    rows = [line.split() for line in result.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert rows[1] == ["2", "2024-09-03T08:15:02.417", "acme", "GET", "/v1/orders/4711", "200", "0.048000"]
    assert rows[13] == ["14", "2024-09-04T18:50:01", "acme", "GET", "/v1/x", "503"]
    assert len(rows) == 14


def test_a_log_without_customers_says_what_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text((SAMPLES / "nginx-timed.log").read_text().replace(" - acme [", " - - ["))
    said = run("try", str(path), "--lines", "3").stderr
    assert said.startswith("No line has a customer; say with --customer where it is: client, user, time, ")
    assert said.endswith(", @target, @path.\n")
    assert run("try", str(path), "--lines", "3", "--customer", "client").stderr == ""
    path.write_text(
        '{"ts":1725351302.4,"msg":"handled request","request":{"method":"GET","host":"h","uri":"/a"},"duration":1,"status":200}\n'
    )
    assert run("try", str(path)).stderr.endswith("where it is: the name of a value, @target, @path.\n")


def test_what_others_read_is_said() -> None:
    lines = run("try", str(SAMPLES / "nginx-timed.log")).stdout.splitlines()
    assert lines[:2] == [
        "combined reads 16 of 16 lines, 0 with a duration, and skips 0",
        "nginx reads 16 of 16 lines, 16 with a duration, and skips 0: taken",
    ]


def test_json_has_every_line(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(
        b"\xef\xbb\xbf2024-09-03 12:00:00.25 c /a 200 0.1\n\n2024-09-03 12:00:00 c a 200 0.1\n# x\n"
        b"2024-09-03 12:00:00 - /a - -"
    )
    own = tmp_path / "own.toml"
    own.write_text('skip = ["#"]\n' + source_of("logstats"))
    assert tried(str(path), "--format", str(own)) == {
        "format": "own",
        "lines": [
            {
                "line": 1, "timestamp": "2024-09-03T12:00:00.25Z", "customer": "c", "method": None, "path": "/a", "status": 200,
                "duration_us": 100_000,
            },
            {"line": 3, "rejected": "request_path"},
            {"line": 4, "skipped": True},
            {
                "line": 5, "timestamp": "2024-09-03T12:00:00Z", "customer": "-", "method": None, "path": "/a", "status": 499,
                "duration_us": None,
            },
        ],
    }  # fmt: skip


def test_another_customer_and_zone() -> None:
    found = tried(str(SAMPLES / "haproxy.log"), "--customer", "frontend", "--zone", "+02:00")
    assert found["format"] == "haproxy"
    assert (found["lines"][1]["timestamp"], found["lines"][1]["customer"]) == (
        "2024-09-02T23:59:59.988Z",
        "api~",
    )


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        lambda log: gzip.compress(log[:99]) + gzip.compress(log[99:]),
        bz2.compress,
        lzma.compress,
    ],
)
@pytest.mark.parametrize("stdin", [False, True])
def test_a_compressed_file_is_read_whatever_its_name(
    compress: Callable[[bytes], bytes], tmp_path: Path, *, stdin: bool
) -> None:
    log = compress(Path(ALB).read_bytes())
    (tmp_path / "log").write_bytes(log)
    result = CliRunner().invoke(
        cli.app, ["formats", "try", "-" if stdin else str(tmp_path / "log"), "--json"], input=log
    )
    assert json.loads(result.stdout) == tried(ALB)


def test_no_more_is_read_than_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"2024-09-03 12:00:00 c /a 200 0.1\n"
    endless = io.BufferedReader(Repeated(line))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(endless))
    text, complete = trial.read_start("-", 5_000)
    assert not complete
    assert 5_000 <= text.count(b"\n") < 10_000


class Repeated(io.RawIOBase):
    """The same bytes without end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a buffer
        count = min(len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:] + self._data[:count]
        return count


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello\n", "no preset reads it; the nearest, logstats, reads 0 of 1 lines; line 1 is rejected (layout): hello"),
        (b'{"started_at": 1, "response": {"status": 7}}', "the nearest, kong, reads 0 of 1 lines; line 1 is rejected (status_code)"),
        (b"\xff\xd8\xff\xe0", "line 1 is rejected (encoding): \ufffd\ufffd\ufffd\ufffd"),
        (b"", "it is empty"),
        (b"\n\r\n", "it is empty"),
        (b"[" + b"1," * 2_500_000, "its first 64 KiB have no whole line"),
        (b"\x1f\x8b\x08x", ": not valid gzip: "),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], ": not valid gzip: "),
    ],
)  # fmt: skip
def test_a_file_that_nothing_reads(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    said = refusal("try", str(path))
    assert said.startswith(f"{path}: ")
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "apache"], "'apache' is neither a file nor a preset"),
        (["--customer", "who"], "customer.value: no template has {who}"),
        (["--zone", "CET"], "timestamp.zone: 'CET' is no offset from UTC"),
    ],
)
def test_a_format_that_is_none(options: list[str], message: str) -> None:
    assert refusal("try", ALB, *options).startswith(message)


def test_a_file_that_is_not_there() -> None:
    assert refusal("try", "nowhere") == "nowhere: No such file or directory"
    assert refusal("try", "/") == "/: Is a directory"


def test_a_format_that_reads_none_of_the_lines_is_status_1() -> None:
    result = run("try", ALB, "--format", "nginx")
    assert result.exit_code == 1
    assert result.stdout.count("rejected: layout") == 10


def test_texts_of_users_are_neither_markup_nor_control(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes("2024-09-03 12:00:00 [red]c\u2028 /\ue000 200 0.1\n\x1b[2J [bold]\n".encode())
    shown = run("try", str(path)).stdout
    assert "[red]c\\u2028" in shown
    assert "/\\ue000" in shown
    assert "\\x1b[2J [bold]" in shown


def test_a_declaration_that_no_ingest_takes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(source_of("kong").replace('"json"\n', '"json"\nskip = [' + '"#", ' * 256 + "]\n"))
    assert refusal("try", str(SAMPLES / "kong-json.log"), "--format", str(path)).startswith(
        "a text or a list of the format is too long"
    )


def test_a_line_from_the_future_is_rejected_as_by_an_ingest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("2024-09-03 12:00:00 c /a 200 0.1\n2024-09-05 12:00:00 c /a 200 0.1\n")
    os.utime(path, (1_725_400_000, 1_725_400_000))  # 3 September
    assert tried(str(path))["lines"][1] == {"line": 2, "rejected": "timestamp"}
    result = CliRunner().invoke(cli.app, ["formats", "try", "-", "--json"], input=path.read_bytes())
    assert json.loads(result.stdout)["lines"][1]["customer"] == "c"


def test_a_pipe_without_a_writer_is_waited_for_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "_PATIENCE_SECONDS", 0.05)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Timer(0.5, path.write_bytes, [Path(ALB).read_bytes()])
    writer.start()
    result = run("try", str(path), "--json")
    writer.join()
    assert json.loads(result.stdout) == tried(ALB)
    assert result.stderr == f"{path}: it is a pipe that nobody writes to; waiting for somebody\n"


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input is closed"):
        trial.read_start("-", 10)


def test_a_log_that_is_recognised_may_begin_with_comments_only(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"# comment\n" * 10 + (SAMPLES / "iis-w3c.log").read_bytes())
    assert run("try", str(path)).exit_code == 0
    assert run("try", str(path), "--format", "iis").exit_code == 1  # it reads none of these lines
