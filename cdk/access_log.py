"""The API's access log: which fields API Gateway writes."""

from typing import Final

FIELDS: Final = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "httpMethod": "$context.httpMethod",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
}
"""Under AWS's own names: the preset `aws-apigateway` reads it. The path is none of them: it holds a customer's id. The route's key
takes its place, and `formats/own-api.toml` reads it as what was asked for."""
