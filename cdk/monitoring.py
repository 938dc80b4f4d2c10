"""Alarms on what nobody looks at until it is too late, sent to one SNS topic."""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk import outputs
from cdk.parameters import Monitoring as MonitoringParameters

FIVE_MINUTES = Duration.minutes(5)


class Monitoring(Construct):
    """A topic, and alarms that tell it when they begin and when they end.

    Messages are not encrypted with a key of ours: they say which alarm it is, and CloudWatch could not use AWS's own
    key for SNS (CloudWatch user guide, "Notifying users on alarm changes"). The topic takes TLS only.
    """

    def __init__(self, scope: Construct, construct_id: str, parameters: MonitoringParameters) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Alarms", enforce_ssl=True)
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

    def alarm(
        self, name: str, metric: cloudwatch.IMetric, *, above: float, meaning: str, periods: int = 1
    ) -> None:
        """Raise an alarm when a metric is above a threshold in so many periods on end; no data is well.

        Parameters
        ----------
        meaning
            What has happened and what to do, for whoever is woken by it.
        """
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=meaning,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        action = actions.SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
