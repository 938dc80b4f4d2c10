"""Functions that a schedule invokes every day, and what becomes of a run that fails."""

import json
from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.checks import acknowledge
from cdk.functions import grant


def keep_failures(scope: Construct, function: lambda_.Function) -> sqs.Queue:
    """Return a queue that gets a message, for a day, about an invocation that has failed three times.

    By then the next day's run has succeeded or failed too, and an alarm on the queue has ended by itself or not.
    """
    failures = sqs.Queue(
        scope,
        "Failures",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(1),
    )
    acknowledge(failures, "SQS3", "It is a queue of failures itself")
    function.configure_async_invoke(retry_attempts=2, on_failure=destinations.SqsDestination(failures))
    return failures


def schedule(
    scope: Construct,
    function: lambda_.Function,
    failures: sqs.Queue,
    expression: str,
    *,
    time_zone: str | None = None,
    minutes: int = 0,
    event: Mapping[str, str] | None = None,
) -> scheduler.CfnSchedule:
    """Invoke a function by a schedule, with a role that may do only this.

    Parameters
    ----------
    failures
        Gets a message about an invocation that could not be made within an hour.
    expression
        Such as ``cron(17 2 * * ? *)``.
    time_zone
        Of the expression: a name of the IANA database; by default UTC.
    minutes
        How late it may come, so that not all come at once.
    event
        What the function gets, where it matters.
    """
    role = iam.Role(
        scope,
        "SchedulerRole",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        ),
    )
    grant(role, function.function_arn, "lambda:InvokeFunction")
    grant(role, failures.queue_arn, "sqs:SendMessage")
    made = scheduler.CfnSchedule(
        scope,
        "Daily",
        schedule_expression=expression,
        schedule_expression_timezone=time_zone,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
            mode="FLEXIBLE" if minutes else "OFF", maximum_window_in_minutes=minutes or None
        ),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function_arn,
            role_arn=role.role_arn,
            input=json.dumps(event) if event else None,
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=failures.queue_arn),
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_event_age_in_seconds=3_600, maximum_retry_attempts=10
            ),
        ),
    )
    made.node.add_dependency(role)
    return made
