"""Who may read what. A gateway has authenticated the caller; what it says of them decides here.

Nothing that an HTTP client sends is trusted: the caller is read from the Lambda event alone, which only those write who may
invoke the function: API Gateway, and the morning report (`report.client`). Every route declares a rule, by its class; the app refuses to start with one that has none.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException

from api.requests.problems import check_query
from api.settings import Auth

ALL_CUSTOMERS_SCOPE = "stats:read"
"""The OAuth scope that reads every customer."""
SCOPE_CLAIMS = ("scope", "scp")
"""Where issuers put scopes: RFC 9068 has the first, Okta and Microsoft Entra the other; API Gateway knows both."""
CUSTOMER_CLAIM = "customer_id"
"""The claim that limits a token to one customer."""

_CHALLENGES: Mapping[Auth, str] = {"iam": "AWS4-HMAC-SHA256", "jwt": "Bearer"}


class Rule(Enum):
    """Name what a route asks of its callers."""

    OPEN = "carries no data: everybody"
    CUSTOMER = "the customer in its path, and who reads every customer"
    ALL_CUSTOMERS = "who reads every customer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: one who reads every customer, or else one customer, or nobody's data."""

    all_customers: bool = False
    customer_id: str | None = None

    def may(self, rule: Rule, customer_id: str | None) -> bool:
        """Tell whether they may use a route of this rule, for the customer in its path."""
        if rule is Rule.OPEN or self.all_customers:
            return True
        return rule is Rule.CUSTOMER and customer_id is not None and customer_id == self.customer_id


EVERYBODY = Caller(all_customers=True)
"""The caller where the deployment has switched authorisation off."""


def caller(auth: Auth, event: object) -> Caller | None:
    """Return who calls according to a Lambda event (payload 2.0); None if it does not say.

    An IAM caller reads every customer: its policy narrows what it may call, by path.
    """
    if auth == "none":
        return EVERYBODY
    authorizer = _field(_field(event, "requestContext"), "authorizer")
    if auth == "iam":
        return EVERYBODY if _field(authorizer, "iam") else None
    token = _field(authorizer, "jwt")
    claims = _field(token, "claims")
    return _of_token(claims, token) if claims else None


def _of_token(claims: Mapping[str, Any], token: Mapping[str, Any]) -> Caller:
    scopes, customer_id = token.get("scopes"), claims.get(CUSTOMER_CLAIM)
    granted = [scope for name in SCOPE_CLAIMS for scope in _scopes(claims.get(name))]
    if isinstance(scopes, list):
        granted += scopes
    if not isinstance(customer_id, str) or not customer_id:
        customer_id = None
    return Caller(ALL_CUSTOMERS_SCOPE in granted, customer_id)


def _scopes(claim: object) -> list[str]:
    """Return the scopes in a claim; API Gateway hands a list on as a string, `[one two]`."""
    return claim.removeprefix("[").removesuffix("]").split(" ") if isinstance(claim, str) else []


def _field(value: object, name: str) -> Mapping[str, Any]:
    """Return an object in an object; an empty one if there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


class RuledRoute(APIRoute):
    """A route that lets in only those whom its rule lets in, and refuses parameters that it does not know."""

    rule: ClassVar[Rule]
    auth: ClassVar[Auth]

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return what answers a request."""
        answer = super().get_route_handler()
        if self.rule is Rule.OPEN:
            return answer
        asked = (self.dependant, *self.dependant.dependencies)
        parameters = {field.alias for each in asked for field in each.query_params}

        async def checked(request: Request) -> Response:
            if self.auth != "none":
                self.authorise(request)
            check_query(request.query_params, parameters)
            answered: Response = await answer(request)
            return answered

        return checked

    def authorise(self, request: Request) -> None:
        """Raise 401 for a caller whom no gateway has named, and 403 for one who may not."""
        found = caller(self.auth, request.scope.get("aws.event"))
        if found is None:
            raise HTTPException(
                401,
                "No gateway has authenticated this request.",
                {"WWW-Authenticate": _CHALLENGES[self.auth]},
            )
        if not found.may(self.rule, request.path_params.get("customer_id")):
            raise HTTPException(403, "The caller may not read this.")


def ruled(rule: Rule, auth: Auth) -> type[RuledRoute]:
    """Return the class of routes with a rule."""
    return type(f"{rule.name.title()}Route", (RuledRoute,), {"rule": rule, "auth": auth})


def check(app: FastAPI) -> None:
    """Refuse an app that has a route without a rule, by a `TypeError` that names it."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, RuledRoute) or not isinstance(getattr(route, "rule", None), Rule):
            raise TypeError(f"{context.path or route} declares no rule: see {__name__}")
