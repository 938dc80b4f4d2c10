"""What watches the stack: a topic, the alarms that tell it, the dashboards."""

from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk import outputs
from cdk.parameters import Monitoring as MonitoringParameters


@dataclass(frozen=True, slots=True)
class Watched:
    """What the metrics of AWS's services are about, by the names that are their dimensions.

    Attributes
    ----------
    cluster
        Of the database; None if it is not ours.
    retention
        None without one.
    processor_timeout_seconds
        Of one invocation.
    """

    environment: str
    queue: str
    dead_letters: str
    processor: str
    processor_timeout_seconds: int
    api: str
    gateway: str
    cluster: str | None
    retention: "WatchedRetention | None"


@dataclass(frozen=True, slots=True)
class WatchedRetention:
    """The retention's function, and the queue of its runs that have failed."""

    function: str
    failures: str


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
        if parameters.email:
            self.topic.add_subscription(subscriptions.EmailSubscription(parameters.email))
        CfnOutput(Stack.of(self), outputs.ALARM_TOPIC, value=self.topic.topic_arn)

    def alarm(self, name: str, metric: cloudwatch.IMetric, when: "When", meaning: str) -> None:
        """Raise an alarm.

        Parameters
        ----------
        name
            Also the heading of its section in docs/runbook.md.
        meaning
            What has happened, for whoever is woken by it; the section's address is added.
        """
        self._add(
            name,
            meaning,
            metric=metric,
            threshold=when.above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=when.periods,
            evaluation_periods=when.of or when.periods,
            treat_missing_data=when.missing,
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


@dataclass(frozen=True, slots=True)
class When:
    """When a metric raises an alarm.

    Attributes
    ----------
    above
        The threshold.
    periods, of
        In so many periods, of the last so many; without `of` in so many on end.
    missing
        What a period without data means: by default that nothing has happened, as most metrics are published only
        when something does.
    """

    above: float
    periods: int = 1
    of: int | None = None
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING
