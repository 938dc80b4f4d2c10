"""Set up how a function is watched: the level of its log, its metrics' namespace, its traces."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from cdk.checks import acknowledge
from cdk.monitoring import MonitoringParameters
from logstats import metrics
from logstats.pseudonyms import KEY_VARIABLE

_SEND = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")


def observe(
    function: lambda_.Function, monitoring: MonitoringParameters, environment: str, *, traced: bool = False
) -> None:
    """Set up the log of a function, its metrics, and if so wished its traces.

    Lambda's own filter is at `INFO` or below, whatever the level: it drops lines below its level, and takes the
    metrics, which have none, for `INFO`. Powertools does the rest (`logstats.logs`).
    """
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - what an L2 function is made of
    detailed = monitoring.log_level == "DEBUG" or monitoring.debug_sample_rate > 0
    resource.add_property_override("LoggingConfig.ApplicationLogLevel", "DEBUG" if detailed else "INFO")
    for name, value in {
        "POWERTOOLS_LOG_LEVEL": monitoring.log_level,
        "POWERTOOLS_LOGGER_SAMPLE_RATE": f"{monitoring.debug_sample_rate:g}",
        metrics.NAMESPACE_VARIABLE: metrics.namespace(environment),
        # Random, the same as long as the stack exists, and not in any log.
        KEY_VARIABLE: Stack.of(function).stack_id,
    }.items():
        function.add_environment(name, value)
    if traced and monitoring.traces:
        resource.tracing_config = lambda_.CfnFunction.TracingConfigProperty(mode="Active")
        # X-Ray knows no resource that could be named (Service Authorization Reference, "AWS X-Ray").
        function.add_to_role_policy(iam.PolicyStatement(actions=list(_SEND), resources=["*"]))
        assert function.role  # noqa: S101 - it was made with one
        acknowledge(function.role, "IAM5[Resource::*]", "Traces are sent to no resource that could be named")
