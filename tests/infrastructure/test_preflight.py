"""The preflight: whatever would stop a deployment is one line with its remedy, and what is well is silent.

AWS is played by botocore's stubs, which hold answers to AWS's own models of requests and responses.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from cdk import first_deployment, preflight
from cdk.account import Finding
from cdk.parameters import Parameters
from cdk.preflight import Docker, check_account
from tests.infrastructure.templates import parameters

NOT_FOUND = {"code": "404", "status": 404}
NO_STACK = {"code": "ValidationError", "message": "Stack with id logstats-dev does not exist"}
Answers = dict[tuple[str, str], list[dict[str, Any]]]
WELL: Answers = {
    ("sts", "get_caller_identity"): [{"Account": "111122223333"}],
    ("cloudformation", "describe_stacks"): [{"error": NO_STACK}],
    ("ssm", "get_parameter"): [{"Parameter": {"Value": "30"}}],
    ("lambda", "get_account_settings"): [{"AccountLimit": {"UnreservedConcurrentExecutions": 1_000}}],
    ("rds", "describe_db_engine_versions"): [
        {"DBEngineVersions": [{"ServerlessV2FeaturesSupport": {"MinCapacity": 0.0, "MaxCapacity": 256.0}}]}
    ],
    ("s3", "head_bucket"): [{"error": NOT_FOUND}, {"error": NOT_FOUND}],
}
"""Answer as a new account does that has everything."""


class Session:
    """A session of boto3 whose clients answer what a test wants; no request leaves this process."""

    def __init__(self, answers: Answers, region: str | None = "eu-west-1") -> None:
        self.region_name, self._answers = region, answers

    def client(self, service: str) -> Any:  # noqa: ANN401 - as boto3's
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
        client = boto3.client(service, region_name="eu-west-1", **keys)  # type: ignore[call-overload]  # no literal
        stubber = Stubber(client)
        for (of, operation), responses in self._answers.items():
            for response in responses if of == service else []:
                if error := response.get("error"):
                    stubber.add_client_error(
                        operation,
                        service_error_code=error["code"],
                        service_message=error.get("message", "it failed"),
                        http_status_code=error.get("status", 400),
                    )
                else:
                    stubber.add_response(operation, response)
        stubber.activate()
        return client


def found(answers: Answers, of: Parameters | None = None) -> list[Finding]:
    """Return what the checks say, of dev if nothing else is asked, where an account answers as `WELL` but for this."""
    return list(check_account(Session(WELL | answers), of or parameters("dev")))  # type: ignore[arg-type]  # a double


def stack(status: str) -> Answers:
    described = {"StackName": "s", "CreationTime": "2024-09-03T00:00:00Z", "StackStatus": status}
    return {("cloudformation", "describe_stacks"): [{"Stacks": [described]}]}


def test_an_account_that_has_everything_is_silent() -> None:
    assert found({}) == []


@pytest.mark.parametrize(
    ("answers", "variant", "line"),
    [
        (
            {("ssm", "get_parameter"): [{"error": {"code": "ParameterNotFound"}}]},
            "dev",
            "bootstrap: it has not been done: make cdk CDK='bootstrap aws://111122223333/eu-west-1'",
        ),
        (
            {("ssm", "get_parameter"): [{"Parameter": {"Value": "5"}}]},
            "dev",
            "bootstrap: its version is 5: make cdk CDK='bootstrap aws://111122223333/eu-west-1'",
        ),
        (
            {("lambda", "get_account_settings"): [{"AccountLimit": {"UnreservedConcurrentExecutions": 10}}]},
            "dev",
            (
                "concurrency: the API would reserve 50 of 10 executions, and 100 must stay unreserved: "
                '"api": {"maximum_concurrency": null} in cdk.json, or a higher quota (Service Quotas, Lambda, L-B99A9384)'
            ),
        ),
        (
            {("rds", "describe_db_engine_versions"): [{"DBEngineVersions": []}]},
            "dev",
            (
                "engine: eu-west-1 does not offer Aurora PostgreSQL 18.4: "
                '"database": {"engine_version": …} in cdk.json, or another region'
            ),
        ),
        (
            {
                ("rds", "describe_db_engine_versions"): [
                    {
                        "DBEngineVersions": [
                            {"ServerlessV2FeaturesSupport": {"MinCapacity": 0.5, "MaxCapacity": 128.0}}
                        ]
                    }
                ]
            },
            "dev",
            'engine: it has at least 0.5 ACU there: "database": {"minimum_acu": 0.5} in cdk.json',
        ),
        (
            {("s3", "head_bucket"): [{}, {"error": NOT_FOUND}]},
            "dev",
            (
                "buckets: logstats-dev-logs-111122223333-eu-west-1 is there already: "
                "empty and delete it, or name the environment otherwise"
            ),
        ),
        (
            {("s3", "head_bucket"): [{"error": NOT_FOUND}, {"error": {"code": "403", "status": 403}}]},
            "dev",
            (
                "buckets: logstats-dev-rejects-111122223333-eu-west-1 is there already: "
                "empty and delete it, or name the environment otherwise"
            ),
        ),
        (
            {("s3", "head_bucket"): [], ("s3", "get_bucket_notification_configuration"): [{}]},
            "prod, existing bucket",
            (
                "buckets: request-logs-of-a-company does not send its events to EventBridge: "
                "switch it on among the bucket's properties (docs/deploy.md, An existing bucket)"
            ),
        ),
        (
            {
                ("s3", "head_bucket"): [],
                ("s3", "get_bucket_notification_configuration"): [
                    {"error": {"code": "NoSuchBucket", "status": 404}}
                ],
            },
            "prod, existing bucket",
            (
                "buckets: request-logs-of-a-company cannot be looked at (NoSuchBucket): "
                "logs_bucket must name a bucket of this account"
            ),
        ),
        (
            stack("UPDATE_ROLLBACK_FAILED"),
            "dev",
            "stack: it is UPDATE_ROLLBACK_FAILED: aws cloudformation continue-update-rollback --stack-name logstats-dev",
        ),
        (
            stack("UPDATE_IN_PROGRESS"),
            "dev",
            "stack: it is UPDATE_IN_PROGRESS: wait until that is over",
        ),
    ],
)
def test_what_would_stop_a_deployment_is_a_line_with_its_remedy(
    answers: Answers, variant: str, line: str
) -> None:
    assert [finding.text for finding in found(answers, parameters(variant)) if finding.fails] == [line]


def test_what_is_deployed_already_is_not_in_its_own_way() -> None:
    there: Answers = {
        **stack("UPDATE_COMPLETE"),
        ("lambda", "get_account_settings"): [{"AccountLimit": {"UnreservedConcurrentExecutions": 100}}],
        ("s3", "head_bucket"): [],
    }
    assert found(there) == []


def test_a_region_that_the_template_refuses_is_known_before() -> None:
    (line,) = check_account(Session(WELL, region="il-central-1"), parameters("dev"))  # type: ignore[arg-type]  # a double
    assert line.text.startswith("region: the stack cannot be in il-central-1: choose one of ")
    assert line.fails


def test_what_does_not_stop_it_is_a_note() -> None:
    notes = found({**stack("ROLLBACK_COMPLETE")}, parameters("prod"))
    assert [note.fails for note in notes] == [False, False]
    assert notes[0].text.startswith(
        "stack: its first deployment has failed (ROLLBACK_COMPLETE); make deploy deletes it"
    )
    assert notes[1].text.startswith("alarms: they reach nobody")
    (unknown,) = found({("ssm", "get_parameter"): [{"error": {"code": "AccessDeniedException"}}]})
    assert not unknown.fails
    assert unknown.text.startswith("bootstrap: not looked up: ")


def test_more_memory_than_new_accounts_have_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parameters("dev").processor.memory_mib <= 3008
    monkeypatch.setattr("cdk.account._MEMORY_OF_NEW_ACCOUNTS", 2048)
    (note,) = found({})
    assert note.text.startswith("memory: processor.memory_mib is 3008")
    assert not note.fails


def test_without_credentials_or_region_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = check_account(Session(WELL, region=None), parameters("dev"))  # type: ignore[arg-type]  # a double
    assert line.text.startswith("region: none is chosen: export AWS_REGION=")
    for error in ("ExpiredToken", "InvalidClientTokenId"):
        (line,) = found({("sts", "get_caller_identity"): [{"error": {"code": error}}]})
        assert error in line.text
        assert line.text.endswith("run aws configure or aws sso login, or choose AWS_PROFILE")

    def nobody(*_: object) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(Session, "client", nobody)
    (line,) = found({})
    assert line.text.startswith("credentials: Unable to locate credentials: run aws configure")


def docker(
    info: dict[str, str] | str, architecture: str = "arm64", platforms: str = "linux/amd64"
) -> list[str]:
    """Return what is said of a Docker that answers so to `info`."""

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        if command[1] == "buildx":
            return subprocess.CompletedProcess(command, 0, f"Platforms: {platforms}\n", "")
        if isinstance(info, str):
            return subprocess.CompletedProcess(command, 1, "", info)
        return subprocess.CompletedProcess(command, 0, json.dumps(info), "")

    return [finding.text for finding in Docker("docker", run).check(architecture)]


def test_docker_must_answer_and_build_for_the_architecture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(preflight, "_BINFMT", tmp_path)
    intel, arm = ({"OSType": "linux", "Architecture": machine} for machine in ("x86_64", "aarch64"))
    assert docker("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n") == [
        "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Start the daemon."
    ]
    assert docker({"OSType": "windows", "Architecture": "x86_64"}) == [
        "docker: its containers are windows's: switch it to Linux containers"
    ]
    assert docker(arm) == docker(intel, "x86_64") == []
    assert docker(intel) == [
        (
            "docker: this machine is x86_64, and the image is for arm64: docker run --privileged --rm tonistiigi/binfmt"
            ' --install arm64, or "architecture": "x86_64" in cdk.json'
        )
    ]
    assert docker(arm, "x86_64", "linux/arm64") == [
        (
            "docker: this machine is aarch64, and the image is for x86_64: docker run --privileged --rm tonistiigi/binfmt"
            ' --install amd64, or "architecture": "arm64" in cdk.json'
        )
    ]
    assert docker(intel, platforms="linux/amd64, linux/arm64") == []
    (tmp_path / "qemu-aarch64").touch()
    assert docker(intel) == []
    (nothing,) = Docker(str(tmp_path / "docker")).check("arm64")
    assert nothing.text.startswith("docker: there is no program ")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Docker, credentials or a region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "CDK_DOCKER"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "PATH"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("nowhere")
def test_the_command_line_says_all_of_it_and_its_status_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(sys, "argv", ["preflight", "dev"])
    with pytest.raises(SystemExit) as raised:
        preflight.main()
    assert raised.value.code == 1
    there_is_no_docker, there_are_no_credentials = capsys.readouterr().out.splitlines()
    assert there_is_no_docker.startswith("docker: there is no program docker")
    assert there_are_no_credentials.startswith("credentials: Unable to locate credentials")


@pytest.mark.parametrize(
    ("module", "environment", "line"),
    [
        ("preflight", "qa", "error: environment 'qa' is unknown; there are: dev, prod, local"),
        ("preflight", "local", "error: environment 'local' is a laptop's: make run"),
        ("first_deployment", "prod", "error: You must specify a region."),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_what_cannot_be_asked_is_one_clear_line(
    module: str, environment: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [module, environment])
    with pytest.raises(SystemExit) as raised:
        {"preflight": preflight.main, "first_deployment": first_deployment.main}[module]()
    assert raised.value.code == line


def test_only_a_first_deployment_that_has_failed_loses_its_protection() -> None:
    for state, failed in {
        "ROLLBACK_COMPLETE": True,
        "ROLLBACK_FAILED": True,
        "UPDATE_ROLLBACK_COMPLETE": False,
    }.items():
        answers = stack(state)
        if failed:
            answers["cloudformation", "update_termination_protection"] = [{"StackId": "s"}]
        client = Session(answers).client("cloudformation")
        assert first_deployment.permit_repetition(client, "logstats-prod") is failed
