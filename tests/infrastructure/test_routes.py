"""The gateway's routes and the app's are the same, and so is who may use them; its access log is one that we read."""

import json
import re

from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.requests.authorisation import Rule, RuledRoute
from api.settings import ApiSettings
from cdk.access_log import FIELDS
from cdk.api import OPEN_ROUTES, PROTECTED_ROUTES
from logstats.domain.reader import Reader, Request
from logstats.formats import detect, presets
from logstats.settings import DatabaseSettings

NOT_ROUTED = {"/health", "/ready"}
"""What only `logstats serve` offers: a load balancer asks for them, and the gateway needs none."""


def in_the_gateway(path: str) -> str:
    """A path, or the greedy route of the gateway that takes it."""
    greedy = [route for route in (*OPEN_ROUTES, *PROTECTED_ROUTES) if route.endswith("{proxy+}")]
    return next((route for route in greedy if path.startswith(route.removesuffix("{proxy+}"))), path)


def routes() -> dict[str, Rule]:
    """The app's routes in API Gateway's notation, and who may use them."""
    app = create_app(DatabaseSettings(url="postgresql://u@h/n"), ApiSettings())
    found = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        assert isinstance(route, RuledRoute)
        assert context.path
        found[in_the_gateway(re.sub(r"\{(\w+):\w+\}", r"{\1}", context.path))] = route.rule
    return {path: rule for path, rule in found.items() if path not in NOT_ROUTED}


def test_the_gateway_guards_what_the_app_guards_and_lets_through_what_is_open() -> None:
    assert {path for path, rule in routes().items() if rule is not Rule.OPEN} == set(PROTECTED_ROUTES)
    assert {path for path, rule in routes().items() if rule is Rule.OPEN} == set(OPEN_ROUTES)


def test_a_preset_reads_the_access_log_of_the_gateway() -> None:
    logged = {
        "requestTime": "03/Sep/2024:08:15:02 +0000",
        "httpMethod": "GET",
        "status": "200",
        "responseLatency": "48",
    }
    line = json.dumps(
        {name: logged.get(variable.rpartition(".")[2], "-") for name, variable in FIELDS.items()}
    )
    assert detect(line.encode(), complete=True) == "aws-apigateway"
    request = Reader(presets()["aws-apigateway"]).read(line.encode())
    assert request == Request(1_725_351_302 * 10**9, "-", "GET", None, 200, 48_000)
