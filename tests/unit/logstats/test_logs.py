"""The functions' loggers: levels, sampling, libraries."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]
PROGRAM = """
import logging
logging.getLogger().addHandler(logging.StreamHandler())  # as Lambda's runtime does
logging.getLogger().setLevel({root!r})
from logstats import logs
logger = logs.create_logger("processor")
module, library = logging.getLogger("processor.ingest"), logging.getLogger("botocore.auth")
for level in ("debug", "info", "warning"):
    getattr(module, level)("ours %s", level)
    getattr(library, level)("theirs %s\\nAuthorization: secret", level)
try:
    raise ValueError("secret")
except ValueError:
    module.exception("It failed", extra={{"object": {{"key": "a.log"}}}})
    library.exception("It failed")
"""


def written(root: str = "INFO", **variables: str) -> list[dict[str, Any]]:
    """What a function with these variables writes, on both streams."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(root=root)],
        env={
            "PATH": os.defpath,
            "PYTHONPATH": f"{CHECKOUT / 'layers'}",
            "AWS_LAMBDA_FUNCTION_NAME": "processor",
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def messages(lines: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in lines]


def test_libraries_are_heard_from_warnings_upwards_and_nothing_is_written_twice() -> None:
    expected = ["ours info", "ours warning", "theirs warning", "It failed", "It failed"]
    assert messages(written()) == expected
    assert messages(written(root="DEBUG", AWS_LAMBDA_LOG_LEVEL="DEBUG")) == expected


@pytest.mark.parametrize(
    ("variables", "ours"),
    [
        ({"POWERTOOLS_LOG_LEVEL": "DEBUG"}, ["ours debug", "ours info", "ours warning"]),
        ({"POWERTOOLS_LOG_LEVEL": "WARNING"}, ["ours warning"]),
        ({"POWERTOOLS_LOG_LEVEL": "ERROR"}, []),
        (
            {"POWERTOOLS_LOG_LEVEL": "ERROR", "POWERTOOLS_LOGGER_SAMPLE_RATE": "1"},
            ["ours debug", "ours info", "ours warning"],
        ),
        ({"POWERTOOLS_LOG_LEVEL": "ERROR", "POWERTOOLS_LOGGER_SAMPLE_RATE": "0"}, []),
    ],
)
def test_level_and_sampling_are_the_variables_whatever_lambda_s_filter_is(
    variables: dict[str, str], ours: list[str]
) -> None:
    found = messages(written(root="DEBUG", AWS_LAMBDA_LOG_LEVEL="DEBUG", **variables))
    assert [message for message in found if message.startswith("ours")] == ours
    assert "theirs debug" not in found


def test_errors_show_where_and_not_what() -> None:
    ours, theirs = written()[-2:]
    assert (ours["level"], ours["service"], ours["exception_name"]) == ("ERROR", "processor", "ValueError")
    assert ours["object"] == {"key": "a.log"}
    assert ours["exception"].endswith("in <module>\nValueError")
    assert "library" not in ours
    assert (theirs["library"], theirs["service"]) == ("botocore.auth", "processor")
    assert "secret" not in json.dumps(written())
    assert "stack_trace" not in ours, "it has the error's text"
