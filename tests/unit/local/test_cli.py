"""The command line as a whole: what it lists, what it imports for that, and how it behaves where it is called."""

import os
import pty
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import cli

LOGSTATS = str(Path(sys.executable).parent / "logstats")
SAMPLE = str(Path(__file__).parents[2] / "samples" / "nginx-timed.log")
HEAVY = {
    "alembic",
    "api",
    "asyncpg",
    "aws_cdk",
    "boto3",
    "botocore",
    "bytewax",
    "fastapi",
    "jwt",
    "processor",
    "psycopg",
    "sqlalchemy",
}
IMPORTED = """
import atexit, sys
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr))
from local.cli import main
main()
"""


def imported(*arguments: str) -> set[str]:
    """The packages that a command has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_the_list_of_commands_imports_none_of_them() -> None:
    assert imported("--help") & {*HEAVY, "pydantic"} == set()


@pytest.mark.parametrize(
    "arguments", [["generate", "--lines", "10"], ["down", "--quiet", "--state", "nowhere"], ["formats"]]
)
def test_what_needs_no_database_imports_none(arguments: list[str]) -> None:
    assert imported(*arguments) & HEAVY == set()


@pytest.mark.parametrize("command", ["ingest", "stats"])
def test_a_command_does_not_import_the_local_cloud(command: str) -> None:
    found = imported(command, "--help")
    assert "sqlalchemy" in found
    assert found & {"alembic", "aws_cdk", "boto3", "fastapi", "jwt"} == set()


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says(command: str) -> None:
    assert cli.load(command).help.splitlines()[0] == cli.COMMANDS[command]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'? (see: logstats --help)"),
        (["--verbose"], "No such option: --verbose"),
        (["stats"], "Missing argument 'CUSTOMER' (see: logstats stats --help)"),
        (["stats", "c"], "Missing option '--from' (see: logstats stats --help)"),
        (["generate", "--days", "0"], "Invalid value for '--days': "),
        (["formats", "tyr"], "No such command 'tyr'. Did you mean 'try'? (see: logstats formats --help)"),
    ],
)
def test_a_usage_error_is_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli.app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"logstats: {message}")
    assert result.stderr.count("\n") == 1


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(cli.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"logstats {version('logstats')}\n")


@pytest.mark.parametrize("command", ["", "formats try", "formats show", *cli.COMMANDS])
def test_help_has_room_in_80_columns_and_words_for_people(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(cli.app, [*command.split(), "--help"], prog_name="logstats")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert not re.search(r"<\w+|default: \(|\{|╭", result.stdout), "a type, or a box"
    assert not re.search(r"^  \w+ .*\.\.\.$", result.stdout, re.MULTILINE), "a sentence that is cut"
    assert f"Usage: logstats {command}".strip() in result.stdout


def test_without_a_command_it_shows_its_help() -> None:
    assert CliRunner().invoke(cli.app, []).stdout == CliRunner().invoke(cli.app, ["--help"]).stdout


def on_a_terminal(columns: int, *arguments: str, **variables: str) -> list[str]:
    """Return what a command writes to a terminal, line by line."""
    terminal, ours = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)} | variables
    subprocess.run([LOGSTATS, *arguments], stdout=ours, env=environment, check=True)
    os.close(ours)
    with os.fdopen(terminal, "rb") as output:
        return os.read(output.fileno(), 65536).decode().splitlines()


def test_a_table_has_no_colours_where_nobody_wants_any() -> None:
    lines = on_a_terminal(80, "formats", "try", SAMPLE, NO_COLOR="1")
    bold = re.compile("\x1b\\[[01]m")
    assert any(bold.search(line) for line in lines), "it is a terminal"
    plain = [bold.sub("", line).rstrip() for line in lines]
    assert "\x1b" not in "".join(plain)
    assert max(map(len, plain)) <= 80
    assert [plain[9].split()[column] for column in (1, 2, -1)] == [
        "2024-09-03T12:34:58",
        "initech",
        "30.000000",
    ]


@pytest.mark.parametrize("arguments", [["formats"], ["formats", "show", "kong"], ["--help"]])
def test_a_reader_that_has_gone_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([LOGSTATS, *arguments], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode in {1, 141}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("logstats mig", {"migrate"}),
        (
            "logstats stats --",
            {"--from", "--to", "--by", "--tz", "--sort", "--limit", "--json", "--database-url", "--help"},
        ),
    ],
)
def test_the_shell_completes_what_is_typed(typed: str, offered: set[str], tmp_path: Path) -> None:
    environment = os.environ | {
        "HOME": str(tmp_path),
        "PATH": f"{Path(LOGSTATS).parent}:{os.environ['PATH']}",
    }
    complete = f"""
logstats --install-completion && source ~/.bash_completions/logstats.sh
COMP_WORDS=({typed}) COMP_CWORD={typed.count(" ")}
_logstats_completion logstats
printf 'offered %s\\n' "${{COMPREPLY[@]}}"
"""
    shell = ["bash", "--norc", "-c", complete]
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=True)
    assert set(re.findall("^offered (.*)$", done.stdout, re.MULTILINE)) == offered


def test_an_error_shows_control_characters_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(cli, "LOCAL_FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["logstats", "ingest", "[red] \x1b[2J\u2028.log"])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    assert capsys.readouterr().err == "logstats: [red] \\x1b[2J\\u2028.log: no file matches it\n"


@pytest.mark.parametrize("argument", ["x\x1b[2J", "--x\x1b[2J"])
def test_a_usage_error_shows_control_characters_escaped(argument: str) -> None:
    result = CliRunner().invoke(cli.app, ["migrate", argument])
    assert result.exit_code == 2
    assert "x\\x1b[2J" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["formats"], ["formats", "show", "kong"], ["generate", "--lines", "9"]]
)
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([LOGSTATS, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert re.match(rb"logstats: stdout.*: No space left on device\n", done.stderr)


def test_an_output_that_is_not_utf_8_has_what_it_cannot_say_escaped(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("2024-09-03 10:00:00 €é /v1/orders 200 0.1\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}

    def output(*arguments: str) -> bytes:
        command = [LOGSTATS, "formats", *arguments]
        return subprocess.run(command, capture_output=True, env=environment, check=True).stdout

    assert b"\\u20ac\xe9" in output("try", str(log))
    assert "{…}".encode() in output("show", "combined"), "which is a file of TOML"


def test_a_closed_output_is_one_line_and_a_closed_error_output_goes_without() -> None:
    closed = subprocess.run(["sh", "-c", '"$0" formats >&-', LOGSTATS], capture_output=True, check=False)
    assert (closed.returncode, closed.stderr) == (
        1,
        b"logstats: standard output is closed; to see none, send it to /dev/null\n",
    )
    silent = subprocess.run(
        ["sh", "-c", '"$0" formats show none 2>&-', LOGSTATS], capture_output=True, check=False
    )
    assert (silent.returncode, silent.stdout) == (1, b"")
