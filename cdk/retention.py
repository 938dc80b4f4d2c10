"""The retention: a function that a schedule invokes every day. Only when `retention_days` is set."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.checks import acknowledge
from cdk.database import Database, database_function
from cdk.environment import LogRetention
from cdk.layers import Layers
from migrate.roles import EXPIRER

USER = EXPIRER
TIMEOUT = Duration.minutes(15)
"""The most that Lambda has; a usual day takes seconds."""
DAILY = "cron(17 2 * * ? *)"
"""UTC: when yesterday's logs have mostly come."""


class Retention(Construct):
    """A function with a database role of its own, and its schedule.

    An invocation that cannot be made, or has failed three times, leaves a message in `failures` for a day: by then the
    next one, which does all that was left, has succeeded or failed too.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: Database,
        layers: Layers,
        days: int,
        log_retention: LogRetention,
    ) -> None:
        super().__init__(scope, construct_id)
        self.failures = sqs.Queue(
            self,
            "Failures",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(1),
        )
        acknowledge(self.failures, "SQS3", "It is a queue of failures itself")
        self.function = database_function(
            self,
            "processor",
            "processor.retention.handler.handler",
            database=database,
            user=USER,
            log_retention=log_retention,
            environment={"RETENTION_DAYS": str(days)},
            description="Removes statistics that are older than they are to be kept",
            architecture=layers.architecture,
            layers=[layers.logstats, layers.migrate],
            memory_size=512,
            timeout=TIMEOUT,
        )
        self.function.configure_async_invoke(
            retry_attempts=2, on_failure=destinations.SqsDestination(self.failures)
        )
        self.schedule = self._schedule()

    def _schedule(self) -> scheduler.CfnSchedule:
        role = iam.Role(
            self,
            "SchedulerRole",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
        )
        for action, resource in (
            ("lambda:InvokeFunction", self.function.function_arn),
            ("sqs:SendMessage", self.failures.queue_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        schedule = scheduler.CfnSchedule(
            self,
            "Daily",
            schedule_expression=DAILY,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE", maximum_window_in_minutes=30
            ),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.function_arn,
                role_arn=role.role_arn,
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=self.failures.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=3_600, maximum_retry_attempts=10
                ),
            ),
        )
        schedule.node.add_dependency(role)
        return schedule
