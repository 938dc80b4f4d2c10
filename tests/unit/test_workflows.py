"""What holds for the project's automation: workflows, hooks, issue forms."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pre_commit.clientlib import load_config

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

workflows = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506 - texts only: it is the safest
    return content


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


@workflows
def test_actions_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    for line in re.findall(r"uses: (.*)", path.read_text()):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@workflows
def test_jobs_may_only_read_unless_they_say_so_and_have_an_end(path: Path) -> None:
    content = load(path)
    assert content["permissions"] == {"contents": "read"}
    assert all(int(job["timeout-minutes"]) <= 240 for job in content["jobs"].values())


@workflows
def test_what_they_run_exists(path: Path) -> None:
    runs = [step["run"] for step in steps(path) if "run" in step]
    named = {target for run in runs for target in re.findall(r"\bmake ([a-z-]+)", run)}
    for job in load(path)["jobs"].values():
        named |= set(job.get("strategy", {}).get("matrix", {}).get("target", []))
    assert named <= TARGETS
    assert all((ROOT / run).exists() for run in runs if run.startswith(".ci/"))


def test_both_supported_pythons_are_tested() -> None:
    job = load(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]
    supported = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert supported
    assert job["strategy"]["matrix"]["python"] == [
        f"3.{minor}" for minor in range(*map(int, supported.groups()))
    ]


def test_the_hooks_are_valid_and_what_they_call_exists() -> None:
    hooks = [
        hook for repo in load_config(str(ROOT / ".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]
    ]
    for hook in hooks:
        program, *rest = hook["entry"].split()
        assert program == "make" or program.startswith(".venv/bin/")
        assert program != "make" or rest[0] in TARGETS
        assert all((ROOT / word).exists() for word in rest if word.startswith("tests/"))


def test_folders_with_a_dockerfile_are_kept_up_to_date() -> None:
    updates = load(ROOT / ".github/dependabot.yml")["updates"]
    watched = next(update["directories"] for update in updates if update["package-ecosystem"] == "docker")
    found = {
        "/" + str(path.parent.relative_to(ROOT))
        for folder in ("functions", "local")
        for path in (ROOT / folder).rglob("Dockerfile*")
    }
    assert set(watched) == found
