"""Write the access log that API Gateway writes on AWS, and the emulated one does not."""

import json
import time
import uuid

from cdk.access_log import FIELDS
from logstats.metrics import ROUTES


def line(method: str, target: str, client: str, status: int, seconds: float) -> str:
    """Return the line of a request, with its end."""
    known = {
        "$context.requestId": str(uuid.uuid4()),
        "$context.requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
        "$context.identity.sourceIp": client,
        "$context.httpMethod": method,
        "$context.routeKey": _route_key(method, target.partition("?")[0]),
        "$context.status": str(status),
        "$context.responseLatency": str(round(seconds * 1_000)),
    }
    return json.dumps({name: known.get(variable, "-") for name, variable in FIELDS.items()}) + "\n"


def _route_key(method: str, path: str) -> str:
    """Return the route that takes a request: the exact one, or else the longest greedy one; ``-`` if there is none."""
    if path in ROUTES:
        return f"{method} {path}"
    greedy = [route for route in ROUTES if "{" in route and path.startswith(route.partition("{")[0])]
    return f"{method} {max(greedy, key=len)}" if greedy else "-"
