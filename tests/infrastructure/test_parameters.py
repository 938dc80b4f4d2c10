"""Parameters: typed, defaulted, and clear about what is wrong."""

import json
from typing import Any

import pytest

from cdk import ROOT
from cdk.database import AuroraParameters
from cdk.existing import ExistingParameters
from cdk.parameters import ParametersError, read

OWN = """layout = "json"
timestamp = {value = "t", form = "epoch_s"}
customer = {value = "c"}
status = {value = "s"}
"""


FOR_A_WHILE: dict[str, Any] = {"retain_data": False}
"""Said of an environment, it need not say who gets the alarms."""


def context(**environments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"environments": environments}


def api(**values: object) -> dict[str, Any]:
    return context(dev={"api": values, **FOR_A_WHILE})


def test_cdk_json_defines_dev_prod_and_local() -> None:
    committed = json.loads((ROOT / "cdk.json").read_text())["context"]
    assert [parameters.environment for parameters in read(committed)] == ["dev", "prod"]
    (local,) = read({**committed, "environment": "local"})
    assert isinstance(local.database, ExistingParameters)


def test_an_empty_environment_is_the_careful_one() -> None:
    (parameters,) = read(context(prod={"monitoring": {"email": "none"}}))
    assert parameters.api.auth == "iam"
    assert parameters.retain_data
    assert isinstance(parameters.database, AuroraParameters)
    assert parameters.database.deletion_protection


def test_auth_is_a_matter_of_the_environment_and_of_the_command_line_only_on_a_laptop() -> None:
    """A deployment to AWS without the option would silently turn back what one with it has done."""
    (jwt,) = read(api(auth="jwt", issuer="https://id.example", audience="stats"))
    assert (jwt.api.issuer, jwt.api.audience) == ("https://id.example", "stats")
    (open_,) = read(api(auth="none"))
    assert open_.api.auth == "none"
    (local,) = read({**context(local=FOR_A_WHILE), "environment": "local", "auth": "none"})
    assert local.api.auth == "none"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"environments": {}}, "the context has no environments"),
        ({**context(dev={}), "environment": "qa"}, "environment 'qa' is unknown; there are: dev"),
        (context(dev=[]), "environments.dev must be an object"),
        (context(dev={"architectur": "arm64"}), "environments.dev.architectur: Unexpected keyword argument"),
        (
            context(dev={"api": {"timeout_seconds": 31}}),
            "environments.dev.api.timeout_seconds: Input should be",
        ),
        (
            context(dev={"api": {"memory_mib": "big"}}),
            "environments.dev.api.memory_mib: Input should be a valid",
        ),
        (context(dev={"processor": {"timeout_seconds": 301}}), "environments.dev.processor.timeout_seconds"),
        (context(dev={"processor": {"maximum_concurrency": 1}}), "environments.dev.processor.maximum_conc"),
        (
            context(dev={"backfill": {"cpu_units": 4096, "memory_mib": 31 * 1024}}),
            "environments.dev.backfill: Value error, with 4096 units, Fargate has 8 to 30 GB of memory in steps of 1 GB",
        ),
        (
            context(dev={"backfill": {"cpu_units": 8192, "memory_mib": 18 * 1024}}),
            "environments.dev.backfill: Value error, with 8192 units, Fargate has 16 to 60 GB of memory in steps of 4 GB",
        ),
        *(
            (
                context(dev={"database": {"kind": "aurora", name: value}}),
                f"environments.dev.database.aurora.{name}: ",
            )
            for name, value in (
                ("engine_version", "18"),
                ("engine_version", "15.4"),
                ("maintenance_window", "sun:25:00-sun:26:00"),
                ("backup_window", "1-2"),
                ("snapshot_identifier", ""),
                ("zones", ["eu-west-1a"]),
            )
        ),
        (context(dev={"database": {"kind": "mysql"}}), "environments.dev.database: Input tag 'mysql'"),
        (
            context(dev={"formats": [{"format": "nope"}]}),
            "environments.dev.formats.0: Value error, 'nope' is neither a file nor a preset: logstats, ",
        ),
        (
            context(dev={"formats": [{"format": "own", "declaration": "layout = 'json'"}]}),
            "environments.dev.formats.0: Value error, timestamp: Field required",
        ),
        (context(dev={"formats": [{"prefx": "alb/"}]}), "environments.dev.formats.0.prefx: Extra inputs"),
        (
            context(dev={"formats": [{"format": "own", "declaration": OWN + "#" * 3_000}]}),
            "environments.dev: Value error, formats, with the text of their files, and routes have 3,",
        ),
        (context(dev={"architecture": "host"}), "are for the local environment only"),
        (context(dev={"processor": {"forwarded": True}}), "are for the local environment only"),
        (
            api(auth="open"),
            "environments.dev.api.auth: Input should be 'iam', 'jwt' or 'none'",
        ),
        (api(issuer="https://id.example"), "only used with auth=jwt"),
        *(
            (
                api(auth="jwt", issuer=issuer, audience="a"),
                "the issuer must be an https:// URL without query",
            )
            for issuer in (
                "http://id.example",
                "https://",
                "https:///x",
                "https://id.example/?a=b",
                "https://id.example/ x",
                "id.example",
            )
        ),
        (
            api(auth="jwt", issuer="https://id.example"),
            "needs an issuer and an audience",
        ),
        (api(auth="none", audience="a"), "only used with auth=jwt"),
        (
            {**context(dev=FOR_A_WHILE), "environment": "dev", "auth": "none"},
            "-c auth: say it in cdk.json, environments.dev.api, so that the next deployment keeps it",
        ),
        (
            context(dev={"api": {"auth": "none"}, "monitoring": {"email": "a@b"}}),
            "environments.dev: Value error, api.auth=none is for environments without data to keep",
        ),
        (
            context(dev={}),
            'environments.dev: Value error, monitoring.email: say who gets the alarms, or "none"',
        ),
        (
            context(dev={"monitoring": {"email": "nobody"}}),
            "environments.dev.monitoring.email: String should match",
        ),
        (
            context(dev={"archive_days": 30, "log_objects_days": 30}),
            "environments.dev: Value error, log objects expire before they are archived",
        ),
        *(
            (
                context(dev={"logs_bucket": "theirs", **change}),
                "environments.dev: Value error, log_objects_days, archive_days and deliveries change the stack's own bucket",
            )
            for change in ({"log_objects_days": 30}, {"archive_days": 30}, {"deliveries": ["alb"]})
        ),
        (context(dev={"logs_bucket": "S3://Theirs"}), "environments.dev.logs_bucket: String should match"),
        (
            context(dev={"deliveries": ["elb"]}),
            "environments.dev.deliveries.0: Input should be 'alb', 'cloudfront'",
        ),
        (
            context(dev={"base_image": "public.ecr.aws/x@sha256:12"}),
            "environments.dev.base_image: String should",
        ),
        (context(UPPER={}), "environments.UPPER.environment: String should match pattern"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParametersError) as raised:
        read(wrong)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
