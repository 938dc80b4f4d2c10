"""The Lambda handler: API Gateway HTTP API events (payload 2.0) through Mangum.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""
# ruff: noqa: E402 - the imports come after the collector is told to let them be

import gc

gc.disable()  # an import leaves hardly any garbage, but a tenth of its time goes into looking for it

import asyncio
from typing import Any

from aws_lambda_powertools import Logger
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from api.app import app_from_environment
from api.problems import ProblemResponse
from api.requests import RequestIdFilter
from api.settings import ApiSettings
from logstats.settings import load

logger = Logger(service="api")
logger.addFilter(RequestIdFilter())

_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
_app = app_from_environment()
_adapter = Mangum(
    _app,
    lifespan="off",
    api_gateway_base_path=load(ApiSettings).root_path or "/",
    text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, ProblemResponse.media_type],
)

gc.freeze()  # what is here now stays: no collection looks at it again
gc.enable()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's
    """Answer one request, on the one event loop that owns the database connection."""
    asyncio.set_event_loop(_loop)  # any asyncio.run() takes it away
    return _adapter(event, context)
