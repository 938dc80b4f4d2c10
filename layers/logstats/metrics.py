"""Every metric of our own: name, unit and dimensions, for the code that measures and for what looks at it.

Functions, alarms, dashboards and tests take them from here, so none of them can spell one differently. A metric costs
money in every hour in which it has a value, for each value of its dimensions (docs/cost.md): so there are few, and what
only explains a case is in the logs.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["Count", "Bytes", "Bytes/Second", "Seconds", "Milliseconds"]
"""Those of CloudWatch that are used (CloudWatch API reference, `MetricDatum`)."""
Service = Literal["processor", "api"]

NAMESPACE_VARIABLE = "POWERTOOLS_METRICS_NAMESPACE"
"""Powertools' own name of the environment variable; without it nothing is measured."""

SERVICE, OUTCOME, ROUTE = "service", "outcome", "route"
"""Dimensions."""

FAILED = "failed"
"""The outcome of a delivery that comes again, beside those of the ledger (`processor.ledger.delivery.Outcome`)."""
OUTCOMES = ("ingested", "replaced", "unchanged", "stale", "ignored", "withdrawn", "unrecognised", FAILED)

ROUTES = {
    "/customers/{proxy+}": "stats",
    "/customers": "customers",
    "/overview": "customers",
    "/routes": "customers",
    "/routes/customers": "customers",
    "/statuses": "customers",
    "/ingestions": "ingestions",
    "/ingestions/{id}": "ingestions",
    "/docs": "page",
    "/openapi.json": "page",
    "/": "page",
    "/static/{proxy+}": "page",
}
"""The paths of API Gateway's routes, in the groups that are told apart."""
OTHER_ROUTE = "other"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, as CloudWatch has it: `service` is the value of its first dimension, `by` the name of its second."""

    name: str
    unit: Unit
    service: Service
    by: str | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of its dimensions."""
        return (SERVICE,) if self.by is None else (SERVICE, self.by)


LOG_OBJECTS = Metric("LogObjects", "Count", "processor", OUTCOME)
"""Deliveries, by what came of them."""
ACCEPTED_LINES = Metric("AcceptedLines", "Count", "processor")
REJECTED_LINES = Metric("RejectedLines", "Count", "processor")
"""Of the objects that were committed; the reasons are in the log."""
EXPIRED_LINES = Metric("ExpiredLines", "Count", "processor")
"""Accepted lines that do not count, because their days were behind the retention horizon; only when there are any."""
INGESTED_BYTES = Metric("IngestedBytes", "Bytes", "processor")
"""As stored."""
THROUGHPUT = Metric("Throughput", "Bytes/Second", "processor")
"""Stored bytes over the time from opening the object to its commit."""
PARSE_TIME = Metric("ParseTime", "Milliseconds", "processor")
"""The dataflow: downloading, parsing and staging, which overlap."""
COMMIT_TIME = Metric("CommitTime", "Milliseconds", "processor")
QUEUE_AGE = Metric("QueueAge", "Seconds", "processor")
"""From the sending of a message to its handling; longer when it comes again."""
FRESHNESS = Metric("Freshness", "Seconds", "processor")
"""From S3's event to the moment when the object's statistics can be read."""
REDELIVERIES = Metric("Redeliveries", "Count", "processor")
"""Messages that come again."""
LOST_CONNECTIONS = Metric("LostConnections", "Count", "processor")
"""Ingests begun again because the database's connection was lost."""
PROCESSOR_COLD_STARTS = Metric("ColdStarts", "Count", "processor")

LATENCY = Metric("Latency", "Milliseconds", "api", ROUTE)
"""Of the function, without API Gateway and without the start of an execution environment."""
CLIENT_ERRORS = Metric("ClientErrors", "Count", "api", ROUTE)
"""Answers of 4xx."""
SERVER_ERRORS = Metric("ServerErrors", "Count", "api", ROUTE)
"""Answers of 5xx, those without a database among them."""
DATABASE_AWAY = Metric("DatabaseAway", "Count", "api")
"""Answers of 503: the database did not answer in time, or is resuming."""
API_COLD_STARTS = Metric("ColdStarts", "Count", "api")

METRICS = tuple(value for value in list(vars().values()) if isinstance(value, Metric))


def namespace(environment: str) -> str:
    """Return CloudWatch's namespace of an environment's metrics: two in one account stay apart."""
    return f"logstats-{environment}"
