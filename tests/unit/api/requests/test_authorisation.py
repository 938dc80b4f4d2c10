"""Who may read what: every route, every kind of caller, and what a client might try."""

import asyncio
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from mangum import Mangum

from api.app import create_app
from api.database.reader import Reader
from api.requests import authorisation
from api.requests.authorisation import RuledRoute, caller
from api.routes.health import SCHEMA_VERSION
from api.settings import ApiSettings, Auth
from logstats.settings import DatabaseSettings
from tests.asgi import get
from tests.events import api_event

NOWHERE = DatabaseSettings(url="postgresql://nobody@127.0.0.1:9/nothing", tls="disable", iam_auth=False)

IAM = {"iam": {"accessKey": "AKIA", "userArn": "arn:aws:iam::123456789012:user/a"}}


def token(claims: object, scopes: object = None) -> dict[str, Any]:
    return {"jwt": {"claims": claims, "scopes": scopes}}


OPERATOR = token({"sub": "operator", "scope": "openid stats:read"})
CUST_1 = token({"sub": "a", "customer_id": "cust_1", "scope": "openid"})

TARGETS = {
    "/customers/{customer_id}/stats": ("/customers/cust_1/stats", "from=2024-09-03"),
    "/customers/{customer_id}/routes": ("/customers/cust_1/routes", "from=2024-09-03"),
    "/customers/{customer_id}/statuses": ("/customers/cust_1/statuses", "from=2024-09-03"),
    "/routes": ("/routes", "from=2024-09-03"),
    "/routes/customers": ("/routes/customers", "from=2024-09-03&route=GET%20/"),
    "/statuses": ("/statuses", "from=2024-09-03"),
    "/customers": ("/customers", ""),
    "/overview": ("/overview", ""),
    "/ingestions": ("/ingestions", ""),
    "/ingestions/{id}": ("/ingestions/1", ""),
    "/health": ("/health", ""),
    "/ready": ("/ready", ""),
    "/docs": ("/docs", ""),
    "/openapi.json": ("/openapi.json", ""),
    "/": ("/", ""),
    "/static/{version}/{name}": ("/static/any/page.css", ""),
}
OPEN = {"/health", "/ready", "/", "/static/{version}/{name}"}
CUSTOMERS_OWN = {f"/customers/{{customer_id}}/{what}" for what in ("stats", "routes", "statuses")}


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is let in finds an empty database."""

    async def rows(_self: Reader, statement: object, *_: object, **__: object) -> list[tuple[str]]:
        return [("9999",)] if statement is SCHEMA_VERSION else []

    monkeypatch.setattr(Reader, "rows", rows)


@cache
def app(auth: Auth) -> FastAPI:
    return create_app(NOWHERE, ApiSettings(auth=auth))


def invoke(
    auth: Auth,
    path: str,
    query: str = "",
    authorizer: object = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Answer an event of API Gateway."""
    event = api_event(path, query)
    event["headers"] |= headers or {}
    if authorizer is not None:
        event["requestContext"]["authorizer"] = authorizer
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    try:
        answer: dict[str, Any] = Mangum(app(auth), lifespan="off")(event, None)  # type: ignore[arg-type]  # no context is needed
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return answer


def routes() -> Iterator[str]:
    """The paths of all routes, as a gateway would write them."""
    for context in iter_route_contexts(app("iam").routes):
        assert context.path
        yield context.path.replace(":customer", "")


def test_every_route_is_tried_here() -> None:
    assert set(routes()) == TARGETS.keys()


@pytest.mark.parametrize(
    ("auth", "authorizer", "allowed"),
    [
        ("none", None, set(TARGETS)),
        ("none", CUST_1, set(TARGETS)),
        ("iam", IAM, set(TARGETS)),
        ("jwt", OPERATOR, set(TARGETS)),
        ("jwt", token({"scope": "x"}, ["stats:read"]), set(TARGETS)),
        ("jwt", token({"scp": "openid stats:read"}), set(TARGETS)),
        ("jwt", token({"scp": "[openid stats:read]"}), set(TARGETS)),  # a list, as API Gateway hands it on
        ("jwt", token({"scp": "[stats:readonly]"}), OPEN),
        ("jwt", CUST_1, CUSTOMERS_OWN | OPEN),
        ("jwt", token({"customer_id": "CUST_1"}), OPEN),
        ("jwt", token({"customer_id": "cust_1 "}), OPEN),
        ("jwt", token({"customer_id": ["cust_1"]}), OPEN),
        ("jwt", token({"customer_id": ""}), OPEN),
        ("jwt", token({"customer_id": "*"}), OPEN),
        ("jwt", token({"scope": "STATS:READ"}), OPEN),
        ("jwt", token({"scope": ["stats:read"]}), OPEN),
        ("jwt", token({"sub": "a"}, "stats:read"), OPEN),
    ],
)
def test_callers_get_in_where_they_may(auth: Auth, authorizer: object, allowed: set[str]) -> None:
    for path, target in TARGETS.items():
        status = invoke(auth, *target, authorizer)["statusCode"]
        assert (status != 403) == (path in allowed), path
        assert status != 401, path


@pytest.mark.parametrize(
    ("auth", "authorizer"),
    [
        ("iam", None),
        ("iam", {}),
        ("iam", {"iam": {}}),
        ("iam", {"iam": "AKIA"}),
        ("iam", OPERATOR),
        ("jwt", None),
        ("jwt", IAM),
        ("jwt", {"jwt": "token"}),
        ("jwt", token(None, ["stats:read"])),
        ("jwt", token({})),
        ("jwt", token("scope")),
        ("jwt", {"lambda": {"scope": "stats:read"}}),
    ],
)
def test_whom_the_gateway_has_not_named_is_unknown(auth: Auth, authorizer: object) -> None:
    for path, target in TARGETS.items():
        answer = invoke(auth, *target, authorizer)
        assert (answer["statusCode"] != 401) == (path in OPEN), path
        if path not in OPEN:
            assert answer["headers"]["content-type"] == "application/problem+json"
            assert answer["headers"]["www-authenticate"] == {"iam": "AWS4-HMAC-SHA256", "jwt": "Bearer"}[auth]


@pytest.mark.parametrize(
    "customer", ["cust_2", "cust_1%2F", "cust_1/", "./cust_1", "%63ust_2", "cust_1%00", "Cust_1"]
)
def test_no_way_of_writing_a_path_reaches_another_customer(customer: str) -> None:
    answer = invoke("jwt", f"/customers/{customer}/stats", "from=2024-09-03", CUST_1)
    assert answer["statusCode"] == 403, answer


def test_refused_before_the_request_is_judged() -> None:
    """Nobody learns from an error what they may not read."""
    assert invoke("jwt", "/customers/cust_2/stats", "from=never", CUST_1)["statusCode"] == 403
    assert invoke("iam", "/customers/cust_2/stats", "from=never")["statusCode"] == 401
    assert invoke("jwt", "/ingestions/none", "", CUST_1)["statusCode"] == 403


@pytest.mark.parametrize("auth", ["iam", "jwt"])
def test_neither_headers_nor_a_missing_gateway_make_anybody_a_caller(auth: Auth) -> None:
    claims = '{"iam":{"accessKey":"AKIA"},"jwt":{"claims":{"scope":"stats:read"}}}'
    forged = {
        "authorization": "Bearer x",
        "x-amzn-request-context": claims,
        "x-apigateway-authorizer": claims,
    }
    for path in TARGETS.keys() - OPEN:
        assert invoke(auth, *TARGETS[path], headers=forged)["statusCode"] == 401
        assert get(app(auth), "?".join(TARGETS[path])).status_code == 401


def test_a_route_without_a_rule_does_not_start() -> None:
    bare = app("none")
    authorisation.check(bare)

    @bare.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(TypeError, match="/forgotten declares no rule"):
        authorisation.check(bare)


def test_a_ruled_route_without_its_rule_does_not_start() -> None:
    bare = FastAPI(openapi_url=None)
    bare.router.routes.append(
        type("Lax", (RuledRoute,), {"auth": "none", "rule": None})("/lax", lambda: None)
    )
    with pytest.raises(TypeError, match="/lax"):
        authorisation.check(bare)


def test_authorisation_is_on_unless_the_deployment_says_otherwise() -> None:
    assert ApiSettings().auth == "iam"


@pytest.mark.parametrize(
    "event", [None, {}, [], "x", {"requestContext": None}, {"requestContext": {"authorizer": []}}]
)
def test_an_event_of_another_form_names_nobody(event: object) -> None:
    assert caller("iam", event) is None
    assert caller("jwt", event) is None
