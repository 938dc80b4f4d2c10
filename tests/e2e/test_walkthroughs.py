"""Every command that the README, the tutorial and the runbook show is run, or says why it is not."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from logstats.settings import DatabaseSettings
from tests import walkthrough
from tests.integration.local.cloud.conftest import free_port
from tests.walkthrough import Command

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *(path for path in (ROOT / "docs/tutorial.md", ROOT / "docs/runbook.md") if path.exists()),
]
LOGSTATS = """#!{python}
from pathlib import Path
import local.commands.database
local.commands.database.LOCAL_FOLDER = Path("{folder}", ".local")
from local.cli import main
main()
"""
HOME = "/home/you/logstats"
"""The clone in the documents."""
PORT = "8889"
"""The port in the documents; a test takes a free one."""

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)


@documents
def test_the_commands_do_what_the_document_shows(
    document: Path, database: DatabaseSettings, tmp_path: Path
) -> None:
    install(tmp_path)
    shutil.copy(ROOT / "api_requests.log", tmp_path)
    environment = {**os.environ, "DATABASE_URL": database.url, "COLUMNS": "160"}
    port = str(free_port())
    commands = [
        Command(
            command.text.replace(PORT, port), command.shown.replace(PORT, port).replace(HOME, str(tmp_path))
        )
        for block in walkthrough.blocks(document)
        if block.language == "console"
        for command in block.commands()
    ]
    for command, status, output in walkthrough.run(commands, tmp_path, environment):
        command.check(status, output)


def install(folder: Path) -> None:
    """Put a `logstats` into a folder as `make setup` does, which keeps its files there."""
    command = folder / ".venv/bin/logstats"
    command.parent.mkdir(parents=True)
    command.write_text(LOGSTATS.format(python=sys.executable, folder=folder))
    command.chmod(0o755)


@documents
def test_what_is_not_run_says_why(document: Path) -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for block in walkthrough.blocks(document):
        if block.language == "sh":
            kind, _, reason = block.comment.partition(": ")
            assert kind in {"not run", "run by"}, block.body
            assert reason, block.body
            if kind == "run by":
                assert all(f"def {name}(" in tests for name in re.findall(r"\w+", reason)), reason
        else:
            assert block.language in {"console", "text", "json", "mermaid"}, block.body


def check(shown: str, output: str, status: int = 0) -> None:
    Command("command", shown).check(status, output)


def test_a_difference_is_noticed() -> None:
    check("", "anything")
    check("a ... c", "a b c\n")
    check("a\n...\nd", "a\nb\nc\nd\n\n")
    check("error: no", "error: no\n", 1)
    for shown, output, status in (
        ("a", "b", 0),
        ("a", "a\nb", 0),
        ("a ... c", "a b", 0),
        ("", "", 1),
        ("a", "a", 1),
        ("error: no", "error: no", 0),
    ):
        with pytest.raises(AssertionError):
            check(shown, output, status)
