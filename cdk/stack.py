"""One environment's stack."""

from aws_cdk import Stack
from constructs import Construct

from cdk.api import Api
from cdk.database import create_database
from cdk.ingest import Ingest
from cdk.layers import Layers
from cdk.migration import Migration
from cdk.outputs import stack_name
from cdk.parameters import Parameters


class LogstatsStack(Stack):
    """Everything of one environment; for any account and region."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        super().__init__(
            scope,
            stack_name(parameters.environment),
            description="Daily API statistics from request logs",
            analytics_reporting=False,
        )
        layers = Layers(self, "Layers", parameters.architecture)
        database = create_database(self, "Database", parameters)
        migration = Migration(self, "Migration", database, layers, parameters.log_retention)
        ingest = Ingest(self, "Ingest", database, parameters)
        api = Api(self, "Api", database, layers, parameters)
        for function in (ingest.processor.function, api.function):
            function.node.add_dependency(migration.applied)
