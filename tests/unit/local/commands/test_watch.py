"""Run what `docs/watch.md` shows."""

import re
import shlex
from pathlib import Path

import yaml

from local import cli
from tests import walkthrough

PAGE = Path(__file__).parents[4] / "docs/watch.md"


def parsed(arguments: list[str]) -> dict[str, object]:
    command, *rest = arguments
    return dict(cli.load(command).make_context(command, rest).params)


def test_what_the_page_shows_is_a_valid_call() -> None:
    (unit, service) = (
        next(block.body for block in walkthrough.blocks(PAGE) if block.language == language)
        for language in ("text", "yaml")
    )
    started = re.search(r"^ExecStart=\S+/logstats (.*)$", unit, re.MULTILINE)
    assert started
    found = parsed(shlex.split(started[1]))
    assert (found["sources"], found["rotated"]) == (["/var/log/nginx/access.log*"], True)
    python, flag, module, *arguments = yaml.safe_load(service)["services"]["watch"]["command"]
    assert (python, flag, module) == ("python3", "-m", "local")
    assert parsed(arguments)["sources"] == ["/logs/access.log*"]
