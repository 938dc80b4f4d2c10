"""The HTTP API and its function."""

import json

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer, HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from cdk import outputs
from cdk import parameters as parameters_
from cdk.checks import acknowledge
from cdk.database import Database
from cdk.functions import database_function, log_group
from cdk.layers import Layers
from cdk.parameters import Parameters
from migrate.roles import READER

USER = READER
PROTECTED_ROUTES = (
    "/customers",
    "/customers/{proxy+}",  # greedy: an id may hold "/", which a gateway decodes before it matches
    "/ingestions",
    "/ingestions/{id}",
    "/docs",
    "/openapi.json",
)
"""Routes with data, which the gateway's authoriser guards and the app guards again."""
OPEN_ROUTES = ("/", "/static/{proxy+}")
"""Routes without data: the page's own files."""

ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latencyMs": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
}
"""The fields of the access log. The path is none of them: it holds a customer's id."""


class Api(Construct):
    """An HTTP API in front of the Mangum function; authorised, throttled, logged.

    Attributes
    ----------
    function
        The API function.
    gateway
        The HTTP API in front of it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: Database,
        layers: Layers,
        parameters: Parameters,
    ) -> None:
        super().__init__(scope, construct_id)
        api = parameters.api
        self.function = database_function(
            self,
            "api",
            "api.handler.handler",
            database=database,
            user=USER,
            log_retention=parameters.log_retention,
            environment={"API_AUTH": api.auth},
            description="Serves daily statistics",
            architecture=layers.architecture,
            layers=[layers.logstats, layers.api],
            memory_size=api.memory_mib,
            timeout=Duration.seconds(api.timeout_seconds),
            reserved_concurrent_executions=api.maximum_concurrency,
        )
        self.gateway = apigateway.HttpApi(
            self,
            "Gateway",
            api_name=f"logstats-{parameters.environment}",
            create_default_stage=False,
        )
        self._add_routes(api)
        self._add_stage(parameters)
        CfnOutput(Stack.of(self), outputs.API_URL, value=self.gateway.api_endpoint)
        CfnOutput(Stack.of(self), outputs.API_ID, value=self.gateway.api_id)

    def _add_routes(self, parameters: parameters_.Api) -> None:
        integration = HttpLambdaIntegration("Integration", self.function)
        authorizer = _authorizer(parameters)
        for path in PROTECTED_ROUTES:
            (route,) = self.gateway.add_routes(
                path=path,
                methods=[apigateway.HttpMethod.GET],
                integration=integration,
                authorizer=authorizer,
            )
            if parameters.auth == "none":
                acknowledge(
                    route, "APIG4", "The deployment says in so many words that anyone may call the API"
                )
        for path in OPEN_ROUTES:
            (route,) = self.gateway.add_routes(
                path=path,
                methods=[apigateway.HttpMethod.GET],
                integration=integration,
                authorizer=apigateway.HttpNoneAuthorizer(),
            )
            acknowledge(route, "APIG4", "It serves the page's own files, which hold no data")

    def _add_stage(self, parameters: Parameters) -> None:
        access_log = log_group(self, "AccessLog", parameters.log_retention)
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.gateway,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=parameters.api.throttle_rate, burst_limit=parameters.api.throttle_burst
            ),
        )
        resource = stage.node.default_child
        assert isinstance(resource, apigateway.CfnStage)  # noqa: S101 - what an L2 stage is made of
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=json.dumps(ACCESS_LOG)
        )


def _authorizer(parameters: parameters_.Api) -> apigateway.IHttpRouteAuthorizer:
    """Return what guards the protected routes; nothing does only where the parameters say so."""
    if parameters.auth == "none":
        return apigateway.HttpNoneAuthorizer()
    if parameters.issuer and parameters.audience:
        # No scopes: a token without `stats:read` may still read the customer that its claim names.
        return HttpJwtAuthorizer("Tokens", parameters.issuer, jwt_audience=[parameters.audience])
    return HttpIamAuthorizer()
