"""The retention: a function that a schedule invokes every day. Only when `retention_days` or `seal_days` is set."""

from aws_cdk import Duration
from constructs import Construct

from cdk.database import Database, database_function
from cdk.environment import LogRetention
from cdk.layers import Layers
from cdk.schedules import keep_failures, schedule
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
        retention_days: int | None,
        seal_days: int | None,
        log_retention: LogRetention,
    ) -> None:
        super().__init__(scope, construct_id)
        wanted = {"RETENTION_DAYS": retention_days, "SEAL_DAYS": seal_days}
        self.function = database_function(
            self,
            "processor",
            "processor.retention.handler.handler",
            database=database,
            user=USER,
            log_retention=log_retention,
            environment={name: str(days) for name, days in wanted.items() if days is not None},
            description="Seals old months, and removes statistics that are older than they are to be kept",
            architecture=layers.architecture,
            layers=[layers.logstats, layers.migrate],
            memory_size=512,
            timeout=TIMEOUT,
        )
        self.failures = keep_failures(self, self.function)
        self.schedule = schedule(self, self.function, self.failures, DAILY, minutes=30)
