"""The runbook's commands, run with a stand-in for `aws`: AWS has these services, operations, options and fields.

What it cannot say is whether they find what they are for: that needs an account.
"""

import dataclasses
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import botocore.session
import jmespath
import pytest
from botocore import xform_name

from cdk import outputs
from cdk.access_log import FIELDS
from cdk.api import ApiParameters
from cdk.backfill import BackfillParameters
from cdk.database import AuroraParameters
from cdk.monitoring import MonitoringParameters
from cdk.parameters import Parameters
from cdk.processor import ProcessorParameters
from cdk.report import ReportParameters
from logstats.metrics import METRICS, OUTCOME, ROUTE, SERVICE
from tests.infrastructure.templates import template
from tests.walkthrough import blocks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/runbook.md"
ALARMS = PAGE.read_text("utf-8").partition("\n## Procedures\n")[0]
COMMANDS = "".join(block.body for block in blocks(PAGE) if block.language == "sh" and block.body in ALARMS)
OF_CONSTRUCTS = {
    "processor": ProcessorParameters,
    "api": ApiParameters,
    "database": AuroraParameters,
    "monitoring": MonitoringParameters,
    "report": ReportParameters,
    "backfill": BackfillParameters,
}
STAND_IN = """#!{python}
import json, sys
with open({file!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
print("2024-10-03", "name")
"""
GLOBAL_OPTIONS = {"query", "output"}
QUERY_WORDS = set(
    "filter stats count latest max min sum avg pct by sort desc limit fields display bin and or in like as not"
    " ispresent requests".split()
)
PLATFORM = {"@timestamp", "@message", "type", "record.status"}
"""Of Lambda's own lines: developer guide, "Lambda Telemetry API Event schema reference"."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The arguments of every call of `aws` by the runbook's commands."""
    folder = tmp_path_factory.mktemp("runbook")
    aws, written = folder / "aws", folder / "calls"
    aws.write_text(STAND_IN.format(python=sys.executable, file=str(written)))
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    sleep = folder / "sleep"
    sleep.symlink_to("/bin/true")
    logstats = folder / ".venv/bin/logstats"
    logstats.parent.mkdir(parents=True)
    logstats.symlink_to("/bin/true")
    done = subprocess.run(
        ["bash", "-e", "-u", "-c", COMMANDS],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return [json.loads(line) for line in written.read_text().splitlines()]


def options(call: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word, following in zip(call, [*call[1:], ""], strict=True):
        if word.startswith("--"):
            found[word.removeprefix("--")] = "" if following.startswith("--") else following
    return found


def test_every_command_is_one_that_aws_has(calls: list[list[str]]) -> None:
    session = botocore.session.get_session()
    seen = set()
    for service, command, *rest in calls:
        if service == "s3":
            assert command in ("cp", "ls")
            continue
        model = session.get_service_model(service.removesuffix("api"))  # s3api is S3's own
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        assert command in operations, (service, command)
        shape = model.operation_model(operations[command]).input_shape
        assert shape
        members = {xform_name(name, "-"): name for name in shape.members}
        given = options(rest)
        assert given.keys() - GLOBAL_OPTIONS <= members.keys(), (service, command)
        required = {xform_name(name, "-") for name in shape.required_members}
        assert required <= given.keys(), (service, command)
        jmespath.compile(given.get("query", "@"))
        seen.add((service, command))
    assert len(seen) > 8


def test_outputs_and_resources_that_are_named_exist() -> None:
    named = set(re.findall(r"\$\(output (\w+)\)", COMMANDS))
    assert named
    assert named <= {value for name, value in vars(outputs).items() if name.isupper()}
    logical = [(name, each["Type"]) for name, each in template("prod")["Resources"].items()]
    for kind, start in re.findall(r"\$\(resource (\S+) (\w+)\)", COMMANDS):
        # Off by default: see tests/infrastructure/test_retention.py and test_report.py.
        if start.startswith(("Retention", "Report")):
            continue
        assert len([name for name, type_ in logical if type_ == kind and name.startswith(start)]) == 1, start


def fields(query: str) -> set[str]:
    """The names in a query of Logs Insights."""
    plain = re.sub(r"\"[^\"]*\"", "", query)
    return set(re.findall(r"@?[A-Za-z][\w.]*", plain)) - QUERY_WORDS - {"15m", "m"}


def test_fields_that_are_asked_for_are_logged() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    documented = set(re.findall(r"`([\w.]+)`", page.split("## Metrics")[0]))
    in_functions = documented | {metric.name for metric in METRICS} | {SERVICE, OUTCOME, ROUTE} | PLATFORM
    known = {"processor_log": in_functions, "api_log": in_functions, "access_log": set(FIELDS)}
    asked = re.findall(r"insights \$(\w+) '([^']*)'", COMMANDS)
    assert len(asked) > 10
    for log, query in asked:
        assert fields(query) <= known[log], query


def test_messages_that_are_asked_for_are_written() -> None:
    code = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    messages = set(re.findall(r'message = "([^"]*)"', COMMANDS)) | {
        "The database is unavailable",
        "The request failed",
    }
    assert messages > {"Log object processed"}
    assert all(message in code for message in messages)


def test_every_block_is_read_by_a_shell() -> None:
    scripts = [block.body for block in blocks(PAGE) if block.language == "sh"]
    assert len(scripts) > 20
    done = subprocess.run(
        ["bash", "-n"], input="\n".join(scripts), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def fields_of(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


PARAMETERS = {name: fields_of(kind) for name, kind in OF_CONSTRUCTS.items()}
ANY = fields_of(Parameters).union(*PARAMETERS.values())
OPERATING = [ROOT / "docs" / name for name in ("runbook.md", "deploy.md", "observability.md", "cost.md")]


def unknown(text: str) -> list[str]:
    """Return what a text names as a parameter of `cdk.json`, by its construct or as a key of JSON, and is none."""
    dotted = re.findall(rf"`({'|'.join(PARAMETERS)})\.(\w+)`", text)
    keys = [
        key
        for span in re.findall(r'`("\w+"[^`]*)`', text)
        for key in re.findall(r'(?<!: )"(\w+)"(?=:|$)', span)
    ]
    keyword = re.findall(
        r"`(\w+)=(?:True|False)`", text
    )  # an argument of a construct's, which nobody can check
    wrong = [f"{part}.{name}" for part, name in dotted if name not in PARAMETERS[part]]
    return [*wrong, *(key for key in keys if key not in ANY), *keyword]


@pytest.mark.parametrize("page", OPERATING, ids=lambda page: page.name)
def test_parameters_that_are_named_exist(page: Path) -> None:
    assert unknown(page.read_text("utf-8")) == []


def test_a_parameter_that_does_not_exist_is_noticed() -> None:
    text = '`database.engine` `"zone": 1` `"monitoring": {"mail": "x"}` `allow_major_version_upgrade=True`'
    assert unknown(text) == ["database.engine", "zone", "mail", "allow_major_version_upgrade"]
