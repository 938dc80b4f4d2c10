"""The Lambda function that creates the database's roles, through the RDS Data API.

It runs outside the network: the master user's password is in Secrets Manager, which the isolated subnets do not
reach, and the Data API takes it from there by itself. It uses the boto3 of Lambda's own runtime, and of the layers that of `logstats`.
"""

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError, HTTPClientError

from logstats.availability import wait_for
from migrate.custom_resource import respond
from migrate.roles import statements

if TYPE_CHECKING:
    from mypy_boto3_rds_data.client import RDSDataServiceClient

PHYSICAL_ID = "logstats-roles"

_AWAY = {
    "DatabaseResumingException",
    "DatabaseUnavailableException",
    "HttpEndpointNotEnabledException",
    "InternalServerErrorException",
    "ServiceUnavailableError",
    "ThrottlingException",
}
"""A new cluster takes a while to answer, and a paused one to resume (Data API reference, `ExecuteStatement`)."""
_MARGIN_SECONDS = 10.0

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: Any) -> None:  # noqa: ANN401 - Lambda's
    """Create the roles on create and update; leave them on delete, when the database goes or is kept whole."""
    try:
        if event["RequestType"] != "Delete":
            remaining = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
            create_roles(boto3.client("rds-data"), event["ResourceProperties"], time.monotonic() + remaining)
    except Exception as error:
        logger.exception("The roles were not created")
        respond(event, PHYSICAL_ID, failure=f"The database roles were not created: {error}")
    else:
        respond(event, PHYSICAL_ID)


def create_roles(client: "RDSDataServiceClient", properties: dict[str, str], deadline: float) -> None:
    """Run the statements, waiting for a database that starts or resumes until `time.monotonic()` is the deadline.

    The properties are `Cluster` and `Secret`, two ARNs, and `Database`, a name. A `ClientError` if a statement fails, or
    the database does not answer in time.
    """
    for statement in statements(properties["Database"]):
        execute = partial(
            client.execute_statement,
            resourceArn=properties["Cluster"],
            secretArn=properties["Secret"],
            database=properties["Database"],
            sql=statement,
        )
        wait_for(execute, _is_away, deadline)


def _is_away(error: Exception) -> bool:
    """Tell whether another attempt may help: each statement may be run again."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _AWAY
    return isinstance(error, HTTPClientError)  # no connection, or no answer
