"""The Lambda handler: API Gateway HTTP API events (payload 2.0) through Mangum.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""
# ruff: noqa: E402 - the imports come after the collector is told to let them be

import gc

gc.disable()  # an import leaves hardly any garbage, but a tenth of its time goes into looking for it

import asyncio
import time
from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from api import telemetry
from api.app import app_from_environment
from api.requests.ids import RequestIdFilter
from api.requests.problems import ProblemResponse
from api.settings import ApiSettings
from logstats import failures, logs
from logstats.settings import load

logger = logs.create_logger("api")
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


class UnansweredError(Exception):
    """A request got no answer; the text says why, and shows nothing of the request."""


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's
    """Answer one request, on the one event loop that owns the database connection.

    Raises
    ------
    UnansweredError
        Of any error that leaves the app, and without it: Lambda writes its text and its causes to the log.
    """
    asyncio.set_event_loop(_loop)  # any asyncio.run() takes it away
    started = time.perf_counter()
    try:
        answer: dict[str, Any] = _adapter(event, context)
    except Exception as error:  # noqa: BLE001 - see above
        raise UnansweredError(failures.describe(error)) from None
    telemetry.answered(event, answer["statusCode"], time.perf_counter() - started)
    return answer
