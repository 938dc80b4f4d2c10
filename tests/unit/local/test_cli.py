"""The command line as a whole: what it lists, and what it imports for that."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from local import cli

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


def test_an_unknown_command_is_an_error() -> None:
    result = CliRunner().invoke(cli.app, ["verfy"])
    assert result.exit_code == 2
    assert "Did you mean 'verify'?" in result.stderr


def test_an_error_shows_control_characters_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["logstats", "ingest", "[red] \x1b[2J\u2028.log"])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    assert capsys.readouterr().err == "logstats: [red] \\x1b[2J\\u2028.log: no file matches it\n"


@pytest.mark.parametrize("argument", ["x\x1b[2J", "--x\x1b[2J"])
def test_a_usage_error_shows_control_characters_escaped(argument: str) -> None:
    result = CliRunner().invoke(cli.app, ["migrate", argument])
    assert result.exit_code == 2
    assert "x\\x1b[2J" in result.stderr
