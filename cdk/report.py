"""The morning report: a function that a schedule invokes every day, and its topic. Only when `report` is set."""

from decimal import Decimal
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from pydantic import Field
from pydantic.dataclasses import dataclass

from cdk import outputs
from cdk.api import Api
from cdk.environment import STRICT, Environment
from cdk.functions import Placement, common_options, grant, zip_function
from cdk.layers import function_architecture
from cdk.schedules import keep_failures, schedule
from logstats.settings import Objective

TIMEOUT = Duration.minutes(5)
"""Answers take seconds; a paused database takes half a minute to resume."""


@dataclass(frozen=True, config=STRICT)
class ReportParameters:
    """The morning report.

    Attributes
    ----------
    hour, time_zone
        When it comes, every day: an hour of a zone of the IANA database. It reports the last UTC day that is over then.
    objective
        Customers whose uptime is below it are listed: percent, with up to three decimals.
    email
        Gets the report, once its owner has confirmed it; more can subscribe to the topic `ReportTopic`.
    """

    hour: Annotated[int, Field(ge=0, le=23)] = 6
    time_zone: ZoneInfo = Field(default_factory=partial(ZoneInfo, "UTC"))  # some images have no zones
    objective: Objective = Decimal("99.9")
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None


class Report(Construct):
    """A function that asks the API's function about yesterday and publishes what it answers, and its schedule.

    Who is in the network reaches the database and not SNS; so this one is outside, and reaches the database through the API
    only. It may invoke that one function, and publish to that one topic.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        api: Api,
        parameters: ReportParameters,
        auth: str,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        # AWS's own key: every principal of the account that may publish may use it, and it costs nothing.
        key = kms.Alias.from_alias_name(self, "Key", "alias/aws/sns")
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        if parameters.email:
            self.topic.add_subscription(subscriptions.EmailSubscription(parameters.email))
        self.function = zip_function(
            self,
            "report",
            "report.handler.handler",
            environment={
                "API_FUNCTION": api.target.function_arn,
                "API_AUTH": auth,
                "ENVIRONMENT": environment.environment,
                "OBJECTIVE": str(parameters.objective),
                "TOPIC": self.topic.topic_arn,
            },
            description="Publishes the morning report",
            architecture=function_architecture(environment.architecture),
            memory_size=256,
            timeout=TIMEOUT,
            **common_options(self, Placement(), environment.log_retention),
        )
        grant(self.function, api.target.function_arn, "lambda:InvokeFunction")
        grant(self.function, self.topic.topic_arn, "sns:Publish")
        self.failures = keep_failures(self, self.function)
        schedule(
            self,
            self.function,
            self.failures,
            f"cron(0 {parameters.hour} * * ? *)",
            time_zone=parameters.time_zone.key,
            event={"scheduled_time": "<aws.scheduler.scheduled-time>"},
        )
        CfnOutput(Stack.of(self), outputs.REPORT_TOPIC, value=self.topic.topic_arn)
