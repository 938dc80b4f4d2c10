"""The commands that the documents show are run, in a clone in which `make run` serves."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import clone as clones
from tests import walkthrough
from tests.clone import Clone
from tests.walkthrough import Command

pytestmark = pytest.mark.timeout(900)
marked = pytest.mark.walkthroughs


@pytest.fixture(scope="module")
def served() -> Iterator[Clone]:
    with clones.running() as clone:
        yield clone


@pytest.fixture
def clone(served: Clone) -> Clone:
    served.reset()
    return served


FIRST_HOUR = [walkthrough.ROOT / "README.md", walkthrough.ROOT / "docs" / "tutorial.md"]
"""Are read by a new user, one after the other."""
OTHERS = [[document] for document in walkthrough.documents("console") if document not in FIRST_HOUR]


@marked
@pytest.mark.parametrize("read", [FIRST_HOUR, *OTHERS], ids=lambda read: "-".join(path.stem for path in read))
def test_the_commands_do_what_the_documents_show(read: list[Path], clone: Clone) -> None:
    for document in read:
        commands = [
            Command(clone.here(command.text), clone.here(command.shown))
            for block in walkthrough.blocks(document)
            if block.language == "console"
            for command in block.commands()
        ]
        for command, status, output in walkthrough.run(commands, clone.folder, clone.environment):
            command.check(status, output)


@marked
def test_make_run_is_what_the_clone_runs(served: Clone) -> None:
    for document in ("README.md", "docs/tutorial.md"):
        shown = walkthrough.shown(document, "make run")
        assert served.started == clones.recipe(shown.split()[1])
    with urllib.request.urlopen(f"http://127.0.0.1:{served.ports[clones.PORT]}/customers?limit=1") as answer:
        assert answer.status == 200


def test_within_make_the_recipe_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    outside = clones.recipe("run")
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.setenv("MAKEFLAGS", "w")
    assert clones.recipe("run") == outside


FAKES = """
aws() { if [[ "$*" == *describe-stacks* ]]; then printf '%s\\n' "$ANSWER"; else printf '%s\\n' "$@"; fi; }
curl() { printf '%s\\n' "$@"; }
"""
BACKFILL_COMMAND = (
    "aws ecs run-task --region eu-west-1 --cluster c --task-definition t --launch-type FARGATE"
    " --network-configuration 'awsvpcConfiguration={subnets=[s],securityGroups=[a,b],assignPublicIp=DISABLED}'"
    """ --overrides '{"containerOverrides": [{"name": "backfill", "command": ["s3://logs/"]}]}'"""
)


def bash(script: str, **variables: str) -> list[str]:
    given = {"PATH": "/usr/bin:/bin", "PWD": "/", **variables}
    done = subprocess.run(["bash", "-c", script], env=given, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_on_aws_the_same_words_mean_the_same() -> None:
    """`aws` and `curl` say what they are called with, and the stack's outputs are as `cdk.backfill` writes them."""
    words = walkthrough.shown("docs/runbook.md", 'export PATH="$PWD/.venv/bin:$PATH" STACK=logstats-prod')
    called = bash(f"{FAKES}{words}task 's3://logs/a b.log' --withdraw", ANSWER=BACKFILL_COMMAND)
    assert called[:3] == ["ecs", "run-task", "--region"]
    assert "awsvpcConfiguration={subnets=[s],securityGroups=[a,b],assignPublicIp=DISABLED}" in called
    assert json.loads(called[called.index("--overrides") + 1]) == {
        "containerOverrides": [{"name": "backfill", "command": ["s3://logs/a b.log", "--withdraw"]}]
    }
    keys = {
        "AWS_REGION": "r",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "t",
    }
    asked = bash(f"{FAKES}{words}ask '/customers?limit=2'", ANSWER="https://api/", **keys)
    assert asked[-1] == "https://api/customers?limit=2"
    assert "aws:amz:r:execute-api" in asked


def check(shown: str, output: str, status: int = 0) -> None:
    Command("command", shown).check(status, output)


def test_a_difference_is_noticed() -> None:
    check("", "anything")
    check("a ... c", "a b c\n")
    check("a\n...\nd", "a\nb\nc\nd\n\n")
    check("a\n...", "a\nb\nc\n\n")
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


def test_a_command_without_an_end_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough, "_PATIENCE_SECONDS", 0.5)
    commands = [Command("echo begun; while true; do sleep 0.1; done", "")]
    with pytest.raises(AssertionError, match="it did not end"):
        list(walkthrough.run(commands, tmp_path, {"PATH": "/usr/bin:/bin"}))
