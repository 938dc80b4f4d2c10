"""The Lambda function behind the deployment's custom resource."""

from typing import Any

from aws_lambda_powertools import Logger

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, load
from migrate import schema

logger = Logger(service="migrate")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Migrate on create and update; keep the data on delete. A failure fails the deployment."""
    if event.get("RequestType") == "Delete":
        return {"PhysicalResourceId": event["PhysicalResourceId"]}
    before, after = schema.upgrade(create_engine(load(DatabaseSettings)))
    logger.info("Schema migrated", extra={"before": before, "after": after})
    return {"PhysicalResourceId": "logstats-schema", "Data": {"Revision": after}}
