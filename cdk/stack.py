"""One environment's stack."""

from aws_cdk import Stack
from constructs import Construct

from cdk.alarms import watch_api, watch_cluster, watch_ingest, watch_report, watch_retention
from cdk.api import Api
from cdk.backfill import Backfill
from cdk.dashboards import add_dashboards
from cdk.database import AuroraDatabase, AuroraParameters, create_database
from cdk.ingest import Ingest
from cdk.layers import Layers
from cdk.migration import Migration
from cdk.monitoring import Monitoring
from cdk.observation import observe
from cdk.outputs import stack_name
from cdk.parameters import Parameters
from cdk.protection import Protection
from cdk.report import Report
from cdk.retention import Retention


class LogstatsStack(Stack):
    """Everything of one environment; for any account and region."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        super().__init__(
            scope,
            stack_name(parameters.environment),
            description="Daily API statistics from request logs",
            analytics_reporting=False,
            # For the bill, by CloudFormation.
            tags={"application": "logstats", "environment": parameters.environment},
            termination_protection=parameters.retain_data,
        )
        layers = Layers(self, "Layers", parameters.architecture)
        database = create_database(self, "Database", parameters.database, layers, parameters)
        migration = Migration(self, "Migration", database, layers, parameters.log_retention)
        ingest = Ingest(self, "Ingest", database, parameters.processor, parameters)
        api = Api(self, "Api", database, layers, parameters.api, parameters)
        for function in (ingest.processor.function, api.function):
            function.node.add_dependency(migration.applied)
        if parameters.backfill.enabled:
            assert isinstance(database, AuroraDatabase)  # noqa: S101 - the parameters have been checked
            Backfill(
                self, "Backfill", database, (ingest.logs, ingest.rejects), parameters.backfill, parameters
            )
        retention = None
        days = parameters.retention_days, parameters.seal_days
        if days != (None, None):
            retention = Retention(self, "Retention", database, layers, *days, parameters.log_retention)
            # A processor of older code knows no horizon, and would subtract from sealed days.
            retention.schedule.node.add_dependency(migration.applied, ingest.processor.function)
            observe(retention.function, parameters.monitoring, parameters.environment)
        observe(migration.function, parameters.monitoring, parameters.environment)
        for function in (ingest.processor.function, api.function):
            observe(function, parameters.monitoring, parameters.environment, traced=True)
        monitoring = Monitoring(self, "Monitoring", parameters.monitoring)
        cluster = database.cluster if isinstance(database, AuroraDatabase) else None
        watch_ingest(monitoring, ingest, parameters)
        watch_api(monitoring, api, parameters.monitoring)
        if retention is not None:
            watch_retention(monitoring, retention)
        if parameters.report is not None:
            report = Report(self, "Report", api, parameters.report, parameters.api.auth, parameters)
            watch_report(monitoring, report)
        if cluster is not None:
            watch_cluster(monitoring, cluster, parameters.monitoring)
        if parameters.monitoring.dashboards:
            add_dashboards(monitoring, parameters.environment, ingest, api, cluster)
        if isinstance(database, AuroraDatabase) and isinstance(parameters.database, AuroraParameters):
            protected = parameters.database.deletion_protection
            Protection(self, "DatabaseProtection", database, enabled=protected, after=self.node.children)
