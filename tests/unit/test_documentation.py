"""The documents tell the truth: commands, options, make targets, tests and links."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local import cli
from tests import walkthrough
from tests.walkthrough import Block

ROOT = Path(__file__).parents[2]
DOCUMENTS = walkthrough.documents()
COMMANDS = {name: cli.load(name) for name in cli.COMMANDS}

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def section(command: str) -> str:
    """What `docs/cli.md` says of a command."""
    text = (ROOT / "docs/cli.md").read_text()
    found = re.search(rf"^## logstats {command}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/cli.md has no section on {command}"
    return found[1]


def parameters(command: str) -> list[Any]:
    """The parameters of a command, or of the commands of a group."""
    found = COMMANDS[command]
    return [each for one in getattr(found, "commands", {"": found}).values() for each in one.params]


def options(command: str) -> set[str]:
    return {name for each in parameters(command) for name in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_explains_every_option_and_the_page_names_no_other(command: str) -> None:
    assert [each.name for each in parameters(command) if not each.help] == []
    named = {
        name
        for code in re.findall(r"`(-[^`]*)`", section(command))
        for name in re.findall(r"^--?[a-z][a-z-]*", code)
    }
    assert named - {"-"} <= options(command)


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    text = (ROOT / "README.md").read_text().partition("## How fast")[2].partition("\n## ")[0]
    measured = "".join((ROOT / f"docs/{name}.md").read_text() for name in ("performance", "performance-api"))
    figures = re.findall(r"\d+\.\d+|\d+(?:,\d{3})+", text)
    assert len(figures) >= 4
    assert [figure for figure in figures if f" {figure} " not in measured] == []


def test_no_other_command_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    assert re.findall(r"^## logstats (\w+)$", text, re.MULTILINE) == list(COMMANDS)


@documents
def test_commands_that_are_shown_exist_with_their_options(document: Path) -> None:
    for code in code_of(document):
        for command, rest in re.findall(r"(?:^|[\s/])logstats ([a-z]+)([^|;&]*)", code, re.MULTILINE):
            assert command in COMMANDS, code
            named = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", unquoted(rest).split("#")[0].split("\n")[0])
            assert set(named) <= options(command), code


@documents
def test_modules_that_are_run_exist(document: Path) -> None:
    for code in code_of(document):
        for module in re.findall(r"python3? -m ([\w.]+)", code):
            assert importlib.util.find_spec(module), code


def code_of(document: Path) -> list[str]:
    """All code in a document: blocks, continued lines joined, and what stands in backticks."""
    text = document.read_text()
    fenced = [
        block.body.replace("\\\n", " ")
        for block in walkthrough.blocks(document)
        if block.language in {"console", "sh"}
    ]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*fenced, *(" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))]


def unquoted(code: str) -> str:
    """Code without its quoted arguments, in which anything may stand."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "_", code)


# ---- What is shown is run, or says why not -------------------------------------------------------------


LANGUAGES = {"console", "sh", "text", "json", "mermaid", "python", "toml", "yaml"}
COMMAND_LINE = re.compile(
    r"^\s*(\$ |(make|aws|curl|npx|docker|git|pip|python3?|logstats|\.venv/bin/\S+) [\w.'\"-])", re.MULTILINE
)


@documents
def test_commands_are_in_blocks_that_are_looked_at(document: Path) -> None:
    """No command hides in a block of text, or in one without a language."""
    assert document.read_text().count("\n```") % 2 == 0
    for block in walkthrough.blocks(document):
        assert block.language in LANGUAGES, block.body
        if block.language not in {"console", "sh"}:
            drawing = "──" in block.body
            assert drawing or not COMMAND_LINE.search(block.body), block.body


def judge(block: Block) -> None:
    """A block that the walk-through does not run has a reason, or a test that takes its text from the document."""
    kind, _, reason = block.comment.partition(": ")
    assert kind in {"not run", "run by"}, f"neither run nor a reason: {block.body}"
    if kind == "not run":
        assert len(reason.split()) > 2, f"no reason: {block.body}"
        for name in re.findall(r"test_\w+(?!\w*[./])", reason):
            assert f"def {name}(" in all_tests() or [*(ROOT / "tests").rglob(f"{name}.py")], reason
        return
    code = re.search(rf"^def {reason}\(.*?(?=^\S|\Z)", all_tests(), re.MULTILINE | re.DOTALL)
    assert code, f"no such test: {reason}"
    taken = re.findall(r"= walkthrough\.shown\(.*, (\".*\"|'.*')\)", code[0])
    assert any(block.body.startswith(ast.literal_eval(start)) for start in taken), (
        f"{reason} does not take this block: {block.body}"
    )


@documents
def test_what_is_not_run_says_why(document: Path) -> None:
    for block in walkthrough.blocks(document):
        if block.language == "sh":
            judge(block)


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "not run: because",
        "not run: test_that_does_not_exist does it on the emulator",
        "run by: test_that_does_not_exist",
        "run by: test_on_aws_the_same_words_mean_the_same",
    ],
)
def test_a_marker_that_is_not_true_is_noticed(comment: str) -> None:
    with pytest.raises(AssertionError):
        judge(Block("sh", comment, "make run\n"))


# ---- The AWS command line -------------------------------------------------------------------------------


AWS_WORDS = re.compile(
    r"(?:^|[\s($`])aws (?:--endpoint-url(?:=| )\S+ )?([a-z][a-z0-9-]+(?: [a-z][a-z0-9-]+){0,2})((?:(?![\s($`]aws )[^|;&)\n])*)",
    re.MULTILINE,
)
ASK_AWS = """
import json, sys
from awscli.clidriver import create_clidriver
driver, found = create_clidriver(), {}
for words in json.loads(sys.argv[1]):
    command, table, known = None, driver._get_command_table(), []
    for word in words.split():
        if word not in table:
            break
        command, known = table[word], [*known, word]
        table = getattr(command, "subcommand_table", None) or getattr(command, "_get_command_table", dict)()
    complete = command is not None and not table
    found[words] = [len(known), sorted(command.arg_table)] if complete else None
print(json.dumps({"general": sorted(driver._get_argument_table()), "found": found}))
"""


def aws_calls(code: str) -> list[tuple[str, list[str]]]:
    """The operations of `aws` in some code, with their options."""
    return [
        (words, re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", rest))
        for words, rest in AWS_WORDS.findall(unquoted(code))
    ]


def wrong_aws_calls(calls: list[tuple[str, list[str]]]) -> list[str]:
    """Ask the AWS command line itself."""
    asked = json.dumps(sorted({words for words, _ in calls}))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_AWS, asked], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    wrong = []
    for words, given in calls:
        found = answer["found"][words]
        if found is None:
            wrong.append(f"aws {words}: there is no such operation")
        else:
            unknown = {*given} - {*answer["general"], *found[1]}
            wrong += [f"aws {words}: there is no option --{name}" for name in sorted(unknown)]
    return wrong


def test_aws_operations_and_options_exist() -> None:
    calls = [call for document in DOCUMENTS for code in code_of(document) for call in aws_calls(code)]
    assert len(calls) > 30
    assert wrong_aws_calls(calls) == []


def test_an_aws_call_that_does_not_exist_is_noticed() -> None:
    code = "x=$(aws rds describe-clusters) && aws sqs list-queues --queue-name-prefix a --prefix 'b' | aws s3 cp a b"
    assert wrong_aws_calls(aws_calls(code)) == [
        "aws rds describe-clusters: there is no such operation",
        "aws sqs list-queues: there is no option --prefix",
    ]


@documents
def test_make_targets_tests_and_files_that_are_named_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(), re.MULTILINE)
    assert set(named) <= targets
    for name in re.findall(r"`(test_\w+)`", document.read_text()):
        assert f"def {name}(" in all_tests(), name
    folders = "benchmarks|cdk|docs|functions|layers|local|tests"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", document.read_text()):
        assert (ROOT / name).exists(), name


@cache
def all_tests() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))


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
    for said, linked in re.findall(r"\[[Dd]ecision (\d+)\]\((?:[\w./]*/)?(\d{4})-", document.read_text()):
        assert int(said) == int(linked), (said, linked)


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    folder = ROOT / "docs/decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == [*range(1, len(records) + 1)]
    titles = [path.read_text().splitlines()[0].removeprefix("# ").partition(". ") for path in records]
    lines = [
        f"{number}. [{title}]({path.name})" for (number, _, title), path in zip(titles, records, strict=True)
    ]
    assert lines == re.findall(r"^\d+\. .*$", (folder / "README.md").read_text(), re.MULTILINE)


def test_decisions_that_are_named_exist() -> None:
    numbers = {int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    folders = ("benchmarks", "cdk", "functions", "layers", "local", "tests")
    code = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    named = {
        int(number)
        for path in [*DOCUMENTS, *code, ROOT / "pyproject.toml"]
        for number in re.findall(r"decisions/(\d{4})|[Dd]ecision (\d+)", path.read_text())
        for number in number
        if number
    }
    assert named
    assert named <= numbers


def test_every_document_is_linked() -> None:
    linked = {
        (document.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    }
    folders = {path for path in linked if path.is_dir()}
    for document in ROOT.glob("docs/**/*.md"):
        assert document in linked or document.parent in folders, document
