"""The documents tell the truth: commands, options, make targets, tests and links."""

import re
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from local.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # a group has commands

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def section(command: str) -> str:
    """What `docs/cli.md` says of a command."""
    text = (ROOT / "docs/cli.md").read_text()
    found = re.search(rf"^## logstats {command}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/cli.md has no section on {command}"
    return found[1]


def options(command: str) -> set[str]:
    return {
        name
        for parameter in COMMANDS[command].params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str) -> None:
    documented = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", section(command)))
    assert options(command) <= documented
    assert f"logstats {command}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_option_exists(command: str) -> None:
    rows = re.findall(r"^\| (`-.*?`) \|", section(command), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}
    assert named == options(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_variable_is_documented(command: str) -> None:
    page = (ROOT / "docs/cli.md").read_text()
    variables = {
        parameter.envvar for parameter in COMMANDS[command].params if getattr(parameter, "envvar", None)
    }
    assert all(f"`{variable}`" in page for variable in variables)


def test_no_other_command_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    assert re.findall(r"^## logstats (\w+)$", text, re.MULTILINE) == list(COMMANDS)


def test_the_readme_shows_no_option_that_does_not_exist() -> None:
    for command, rest in re.findall(r"logstats ([a-z]+)([^|\n]*)", (ROOT / "README.md").read_text()):
        assert command in COMMANDS, command
        code = rest.split("`")[0].split("#")[0]
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", code)) <= options(command), (command, rest)


@documents
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(), re.MULTILINE)
    assert set(named) <= targets


@cache
def all_tests() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))


@documents
def test_tests_that_are_named_exist(document: Path) -> None:
    for name in re.findall(r"`(test_\w+)`", document.read_text()):
        assert f"def {name}(" in all_tests(), name


@documents
def test_files_that_are_named_exist(document: Path) -> None:
    """A path in backticks, such as `layers/logstats/line.py`, is one of the repository."""
    folders = "benchmarks|cdk|docs|functions|layers|local|tests"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", document.read_text()):
        assert (ROOT / name).exists(), name


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@documents
def test_links_between_documents_resolve(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_document_is_linked() -> None:
    linked = {
        (document.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    }
    folders = {path for path in linked if path.is_dir()}
    for document in ROOT.glob("docs/**/*.md"):
        assert document in linked or document.parent in folders, document
