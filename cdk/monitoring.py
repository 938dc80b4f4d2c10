"""Monitoring of the stack: a topic, the alarms that tell it, the dashboards."""

from typing import Annotated, Any, Literal

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from pydantic import Field
from pydantic.dataclasses import dataclass

from cdk import outputs
from cdk.environment import STRICT

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, config=STRICT)
class MonitoringParameters:
    """When to raise an alarm and whom to tell; what to log and to trace.

    Attributes
    ----------
    email
        Gets every alarm, once its owner has confirmed it; more can subscribe to the topic `AlarmTopic`. ``none`` says
        that nobody does by email, which an environment that retains data must say in so many words.
    runbook
        Where docs/runbook.md can be read: every alarm's description ends with this and the anchor of its section.
    log_level, debug_sample_rate
        Of our own code; and the share of invocations that log at DEBUG whatever the level is, 0 to 1.
    traces
        Whether the processor and the API are traced: a request in a second and 5 % of the others, by X-Ray's default.
    dashboards
        Whether there are the two dashboards: three US dollars each a month, beyond an account's first three.
    oldest_message_minutes
        How old the oldest waiting message may get. One that failed once waits half an hour, so more than that.
    freshness_minutes
        How long after its upload an object may be visible (the 90th percentile). Reading one takes at most five
        minutes; a single one that came again is no alarm.
    rejected_percent, rejected_lines
        The share of lines that may be rejected in a quarter of an hour, and from how many rejected lines on it
        counts: half of a file of ten lines is a typing error, 5 % of a day are a change of format.
    duration_percent
        Of the function's timeout that an ingest may take. What takes longer soon fails, and must be backfilled.
    server_errors
        How many answers of the API may be 5xx in five minutes: while Aurora resumes, a few are.
    latency_seconds
        What the 99th percentile of the API may take, a quarter of an hour long: longer than a cold start, which with
        few requests is the 99th percentile.
    capacity_percent
        Of the database's `maximum_acu` that may be used, a quarter of an hour long.
    client_errors_percent, client_errors
        The share of answers that may be 4xx in a quarter of an hour (401, 403, 404, 422, 429), and from how many on it
        counts.
    silent_hours
        How many hours in a row may pass without a log object. None is no limit: only who uploads knows it.
    failed_logins
        How many sign-ins by IAM the database may refuse in five minutes: functions connect a few times a minute.
    """

    email: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+|none)$")] | None = None
    runbook: Annotated[str, Field(pattern=r"^[^#\s]+$", max_length=200)] = "docs/runbook.md"
    log_level: LogLevel = "INFO"
    debug_sample_rate: Annotated[float, Field(ge=0, le=1)] = 0
    traces: bool = True
    dashboards: bool = True
    oldest_message_minutes: Annotated[int, Field(ge=1, le=20_160)] = 60
    freshness_minutes: Annotated[int, Field(ge=1, le=20_160)] = 10
    rejected_percent: Annotated[float, Field(gt=0, lt=100)] = 5
    rejected_lines: Annotated[int, Field(ge=1)] = 100
    duration_percent: Annotated[int, Field(ge=1, le=99)] = 80
    server_errors: Annotated[int, Field(ge=0)] = 10
    latency_seconds: Annotated[float, Field(gt=0, le=29)] = 3
    capacity_percent: Annotated[int, Field(ge=1, le=99)] = 90
    client_errors_percent: Annotated[float, Field(gt=0, lt=100)] = 50
    client_errors: Annotated[int, Field(ge=1)] = 100
    silent_hours: Annotated[int, Field(ge=1, le=168)] | None = None
    failed_logins: Annotated[int, Field(ge=0)] = 5


class Monitoring(Construct):
    """A topic, and alarms that tell it when they begin and when they end.

    Messages are not encrypted with a key of ours: they say which alarm it is, and CloudWatch could not use AWS's own
    key for SNS (CloudWatch user guide, "Notifying users on alarm changes"). The topic takes TLS only.
    """

    def __init__(self, scope: Construct, construct_id: str, parameters: MonitoringParameters) -> None:
        super().__init__(scope, construct_id)
        self._runbook = parameters.runbook
        self.topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        self._action = actions.SnsAction(self.topic)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if parameters.email not in (None, "none"):
            self.topic.add_subscription(subscriptions.EmailSubscription(parameters.email))
        CfnOutput(Stack.of(self), outputs.ALARM_TOPIC, value=self.topic.topic_arn)

    def alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        meaning: str,
        above: float | None = None,
        below: float = 0,
        periods: int = 1,
        of: int | None = None,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        """Raise an alarm.

        Parameters
        ----------
        name
            Also the heading of its section in docs/runbook.md.
        above, below
            The threshold: one of them.
        meaning
            What has happened, for whoever is woken by it; the section's address is added.
        periods, of
            In so many periods, of the last so many; without `of` in so many on end.
        missing
            What a period without data means: by default that nothing has happened, as most metrics are published
            only when something does.
        """
        comparison = cloudwatch.ComparisonOperator
        self._add(
            name,
            meaning,
            metric=metric,
            threshold=below if above is None else above,
            comparison_operator=comparison.LESS_THAN_THRESHOLD
            if above is None
            else comparison.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=periods,
            evaluation_periods=of or periods,
            treat_missing_data=missing,
        )

    def silence(self, name: str, metric: cloudwatch.IMetric, *, periods: int, meaning: str) -> None:
        """Raise an alarm when a metric is not published any more that is published in every period, and above 0.

        Its state is then `INSUFFICIENT_DATA`. That is a new alarm's as well, but only a change of state tells the topic.

        Parameters
        ----------
        periods
            At least so many without data, on end: CloudWatch looks some further back before it says that all is missing
            (user guide, "Configuring how CloudWatch alarms treat missing data").
        """
        alarm = self._add(
            name,
            meaning,
            metric=metric,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
            datapoints_to_alarm=periods,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )
        alarm.add_insufficient_data_action(self._action)

    def _add(self, name: str, meaning: str, **options: Any) -> cloudwatch.Alarm:  # noqa: ANN401 - CDK's
        description = f"{meaning} Runbook: {self._runbook}#{name.lower()}"
        alarm = cloudwatch.Alarm(self, name, alarm_description=description, **options)
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        return alarm
