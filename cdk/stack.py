"""One environment's stack."""

from aws_cdk import Stack
from constructs import Construct

from cdk import parameters as parameters_
from cdk.api import Api
from cdk.backfill import Backfill
from cdk.database import AuroraDatabase, create_database
from cdk.ingest import Ingest
from cdk.layers import Layers
from cdk.migration import Migration
from cdk.monitoring import FIVE_MINUTES, Monitoring
from cdk.outputs import stack_name
from cdk.parameters import Parameters
from cdk.retention import Retention


class LogstatsStack(Stack):
    """Everything of one environment; for any account and region."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        super().__init__(
            scope,
            stack_name(parameters.environment),
            description="Daily API statistics from request logs",
            analytics_reporting=False,
            tags={
                "application": "logstats",
                "environment": parameters.environment,
            },  # for the bill, by CloudFormation
            termination_protection=parameters.retain_data,
        )
        layers = Layers(self, "Layers", parameters.architecture)
        database = create_database(self, "Database", parameters)
        migration = Migration(self, "Migration", database, layers, parameters.log_retention)
        ingest = Ingest(self, "Ingest", database, parameters)
        api = Api(self, "Api", database, layers, parameters)
        for function in (ingest.processor.function, api.function):
            function.node.add_dependency(migration.applied)
        if parameters.backfill.enabled:
            assert isinstance(database, AuroraDatabase)  # noqa: S101 - the parameters have been checked
            Backfill(self, "Backfill", database, (ingest.logs, ingest.rejects), parameters)
        monitoring = self._watch(ingest, api, parameters.monitoring)
        if parameters.retention_days is not None:
            retention = Retention(self, "Retention", database, layers, parameters)
            # A processor of older code knows no horizon.
            retention.schedule.node.add_dependency(migration.applied, ingest.processor.function)
            monitoring.alarm(
                "Retention",
                retention.failures.metric_approximate_number_of_messages_visible(
                    statistic="Maximum", period=FIVE_MINUTES
                ),
                above=0,
                meaning="Statistics that are too old could not be removed; the log of the function says why. The next"
                " daily run does what is left, and so does `logstats expire`.",
            )

    def _watch(self, ingest: Ingest, api: Api, limits: parameters_.Monitoring) -> Monitoring:
        monitoring = Monitoring(self, "Monitoring", limits)
        monitoring.alarm(
            "DeadLetters",
            ingest.dead_letters.metric_approximate_number_of_messages_visible(
                statistic="Maximum", period=FIVE_MINUTES
            ),
            above=0,
            meaning="Log objects could not be ingested. The processor's log says why; mend the cause, then run"
            " `logstats redrive`.",
        )
        monitoring.alarm(
            "Backlog",
            ingest.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=FIVE_MINUTES),
            above=limits.oldest_message_minutes * 60,
            meaning="Log objects wait too long: more arrive than are ingested, or one fails again and again.",
        )
        monitoring.alarm(
            "ProcessorErrors",
            ingest.processor.function.metric_errors(statistic="Sum", period=FIVE_MINUTES),
            above=0,
            periods=3,
            meaning="The processor crashes, runs out of memory or of time; its log says which.",
        )
        monitoring.alarm(
            "ServerErrors",
            api.gateway.metric_server_error(statistic="Sum", period=FIVE_MINUTES),
            above=limits.server_errors,
            periods=2,
            meaning="The API fails, or its database does not answer; the function's log says which.",
        )
        return monitoring
