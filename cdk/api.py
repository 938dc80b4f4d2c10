"""The HTTP API and its function."""

import json
import re
from typing import Annotated, Literal

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer, HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from cdk import access_log, outputs
from cdk.checks import acknowledge
from cdk.database import Database, database_function
from cdk.environment import STRICT, Environment
from cdk.layers import Layers
from cdk.logs import log_group
from migrate.roles import READER

USER = READER
PROTECTED_ROUTES = (
    "/customers",
    "/overview",
    "/routes",
    "/routes/customers",
    "/statuses",
    "/customers/{proxy+}",  # greedy: an id may hold "/", which a gateway decodes before it matches
    "/ingestions",
    "/ingestions/{id}",
    "/docs",
    "/openapi.json",
)
"""Routes with data, which the gateway's authoriser guards and the app guards again."""
OPEN_ROUTES = ("/", "/static/{proxy+}")
"""Routes without data: the page's own files."""


@dataclass(frozen=True, config=STRICT)
class ApiParameters:
    """The HTTP API and its function.

    Attributes
    ----------
    auth
        Who may call: signed AWS requests (``iam``), bearers of tokens (``jwt``) or anyone (``none``).
    issuer, audience
        Of the tokens; both or neither.
    memory_mib
        1769 MiB come with one virtual CPU, which shortens cold starts; a request needs far less.
    timeout_seconds
        Below API Gateway's own 30 s, so that the function's answer is the one that arrives.
    snap_start
        Whether a cold start restores a snapshot of the initialised function instead of importing it again. Lambda
        takes one of each published version, and charges for keeping and restoring it.
    throttle_rate, throttle_burst
        Requests per second that all callers have together, and how many may come at once: the stage's default for its
        routes, a target that API Gateway keeps as well as it can (developer guide, "Throttle requests to your HTTP APIs").
        What comes beyond gets 429.
    maximum_concurrency
        Requests answered at once, each with one connection to the database: reserved, so that no other function of
        the account takes or gets them. None reserves nothing, as accounts must whose quota is below 200.
    """

    auth: Literal["iam", "jwt", "none"] = "iam"
    issuer: str | None = None
    audience: str | None = None
    memory_mib: Annotated[int, Field(ge=256, le=10_240)] = 1769
    timeout_seconds: Annotated[int, Field(ge=1, le=29)] = 29
    snap_start: bool = False
    throttle_rate: Annotated[int, Field(ge=1)] = 100
    throttle_burst: Annotated[int, Field(ge=1)] = 200
    maximum_concurrency: Annotated[int, Field(ge=1, le=1000)] | None = 50

    @model_validator(mode="after")
    def _tokens_have_an_issuer(self) -> "ApiParameters":
        if self.auth == "jwt" and not (self.issuer and self.audience):
            raise ValueError(
                'auth=jwt needs an issuer and an audience: {"auth": "jwt", "issuer": URL, "audience": NAME}'
            )
        if self.auth != "jwt" and (self.issuer or self.audience):
            raise ValueError("an issuer or audience is only used with auth=jwt")
        if self.issuer and not re.fullmatch(r"https://[^\s/?#]+[^\s?#]*", self.issuer):
            raise ValueError("the issuer must be an https:// URL without query, as its tokens name it")
        return self


class Api(Construct):
    """An HTTP API, the `gateway`, in front of the Mangum `function`; authorised, throttled, logged.

    `target` is what answers requests: the function, or the alias of its published version.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: Database,
        layers: Layers,
        parameters: ApiParameters,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = database_function(
            self,
            "api",
            "api.handler.handler",
            database=database,
            user=USER,
            log_retention=environment.log_retention,
            environment={"API_AUTH": parameters.auth},
            description="Serves daily statistics",
            architecture=layers.architecture,
            layers=[layers.logstats, layers.api],
            memory_size=parameters.memory_mib,
            timeout=Duration.seconds(parameters.timeout_seconds),
            reserved_concurrent_executions=parameters.maximum_concurrency,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if parameters.snap_start else None,
        )
        self.target = self._target(parameters)
        self.gateway = apigateway.HttpApi(
            self, "Gateway", api_name=f"logstats-{environment.environment}", create_default_stage=False
        )
        self._add_routes(parameters)
        self._add_stage(parameters, environment)
        CfnOutput(Stack.of(self), outputs.API_URL, value=self.gateway.api_endpoint)
        CfnOutput(Stack.of(self), outputs.API_ID, value=self.gateway.api_id)

    def _add_routes(self, parameters: ApiParameters) -> None:
        integration = HttpLambdaIntegration("Integration", self.target)
        anyone = apigateway.HttpNoneAuthorizer()
        chosen = _authorizer(parameters)
        told = "The deployment says in so many words that anyone may call the API"
        page = "It serves the page's own files, which hold no data"
        routes = [(path, chosen, told) for path in PROTECTED_ROUTES]
        for path, authorizer, reason in [*routes, *((path, anyone, page) for path in OPEN_ROUTES)]:
            for route in self.gateway.add_routes(
                path=path,
                methods=[apigateway.HttpMethod.GET, apigateway.HttpMethod.HEAD],
                integration=integration,
                authorizer=authorizer,
            ):
                if isinstance(authorizer, apigateway.HttpNoneAuthorizer):
                    acknowledge(route, "APIG4", reason)

    def _target(self, parameters: ApiParameters) -> lambda_.IFunction:
        """Return what is invoked: only a published version has a snapshot."""
        if not parameters.snap_start:
            return self.function
        return lambda_.Alias(self, "Live", alias_name="live", version=self.function.current_version)

    def _add_stage(self, parameters: ApiParameters, environment: Environment) -> None:
        # Under this prefix a new group does not lengthen the account's policy for delivered logs, which has a limit (API
        # Gateway developer guide, "Configure logging for HTTP APIs").
        name = f"/aws/vendedlogs/logstats-{environment.environment}/api"
        group = log_group(self, "AccessLog", environment.log_retention, name)
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.gateway,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=parameters.throttle_rate, burst_limit=parameters.throttle_burst
            ),
        )
        resource = stage.node.default_child
        assert isinstance(resource, apigateway.CfnStage)  # noqa: S101 - what an L2 stage is made of
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=group.log_group_arn, format=json.dumps(access_log.FIELDS)
        )


def _authorizer(parameters: ApiParameters) -> apigateway.IHttpRouteAuthorizer:
    """Return what guards the protected routes; nothing does only where the parameters say so."""
    if parameters.auth == "none":
        return apigateway.HttpNoneAuthorizer()
    if parameters.issuer and parameters.audience:
        # No scopes: a token without `stats:read` may still read the customer that its claim names.
        return HttpJwtAuthorizer("Tokens", parameters.issuer, jwt_audience=[parameters.audience])
    return HttpIamAuthorizer()
