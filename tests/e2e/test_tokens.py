"""A deployment with auth=jwt: the emulated API Gateway verifies an issuer's tokens, and the app decides by their claims.

How a token is verified is the gateway's business, and the emulator's; here each claim that is ours is tried once.
`tests/unit/api/test_authorisation.py` has the claims' other forms.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api.requests.authorisation import ALL_CUSTOMERS_SCOPE
from cdk import outputs
from cdk.api import OPEN_ROUTES, PROTECTED_ROUTES
from local.cloud import cloud as cloud_
from local.cloud.cloud import Cloud
from local.cloud.issuer import Issuer
from local.cloud.state import State
from local.cloud.uploads import upload
from tests import oracle
from tests.e2e import enforced
from tests.e2e.enforced import Answer
from tests.integration.local.cloud.conftest import free_port
from tests.logs import as_bytes, random_lines

pytestmark = pytest.mark.walkthroughs  # its template names the issuer's port: it is synthesised each time
STATS = "/customers/cust_1/stats?from=2024-09-01"
OF_ALL = (
    "/customers",
    "/overview",
    "/routes",
    "/routes/customers",
    "/statuses",
    "/ingestions",
    "/ingestions/1",
)
PATHS = (STATS, *OF_ALL, "/docs", "/openapi.json")
LINES = random_lines(5, 60)


@pytest.fixture(scope="session")  # several workers may take turns at this module
def cloud(postgres_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    state = State(postgres_folder / "tokens")
    state.logs.mkdir(parents=True)
    log = tmp_path_factory.mktemp("tokens") / "tokens.log"
    log.write_bytes(as_bytes(LINES))
    with cloud_.running(state, (free_port(), free_port()), lambda _: None, tokens=True) as running:
        upload(running, log)
        yield running


@pytest.fixture(scope="session")
def issuer(cloud: Cloud) -> Issuer:
    assert cloud.issuer
    return cloud.issuer


def get(cloud: Cloud, token: str, path: str = STATS) -> Answer:
    return enforced.get(cloud.outputs[outputs.API_URL], path, {"Authorization": f"Bearer {token}"})


def test_a_token_of_the_customer_reads_its_statistics_and_no_others(cloud: Cloud, issuer: Issuer) -> None:
    token = issuer.token(customer_id="cust_1")
    answer = get(cloud, token)
    assert answer.status == 200
    expected = [
        {"customer_id": "cust_1", "date": day, **numbers}
        for (customer, day), numbers in sorted(oracle.answers(LINES).items())
        if customer == "cust_1"
    ]
    assert expected
    assert answer.body == expected
    for path in ("/customers/cust_2/stats?from=2024-09-01", *OF_ALL):
        assert get(cloud, token, path).status == 403, path


@pytest.mark.parametrize(
    "scope", [{"scope": "openid stats:read"}, {"scp": ["openid", "stats:read"]}], ids=str
)
def test_the_scope_of_all_customers_reads_everything(
    cloud: Cloud, issuer: Issuer, scope: dict[str, Any]
) -> None:
    token = issuer.token(**scope)
    slash = "/customers/a%2Fb/stats?from=2024-09-01"
    for path in (STATS, slash, "/customers", "/ingestions", "/docs"):
        assert get(cloud, token, path).status == 200, path


@pytest.mark.parametrize("claims", [{}, {"scope": "stats:write"}, {"customer_id": ["cust_1"]}], ids=str)
def test_a_token_that_grants_something_else_is_forbidden(
    cloud: Cloud, issuer: Issuer, claims: dict[str, Any]
) -> None:
    assert get(cloud, issuer.token(**claims)).status == 403


@pytest.mark.parametrize("claims", [{"aud": "another"}, {"iss": "https://elsewhere.example"}], ids=str)
def test_a_token_for_another_audience_or_of_another_issuer_is_refused(
    cloud: Cloud, issuer: Issuer, claims: dict[str, Any]
) -> None:
    answer = get(cloud, issuer.token(scope="stats:read", **claims))
    assert (answer.status, answer.body) == (401, {"message": "Unauthorized"})


def test_the_issuer_s_key_must_have_signed_it(cloud: Cloud, issuer: Issuer) -> None:
    stranger = replace(issuer, key=rsa.generate_private_key(public_exponent=65_537, key_size=2048))
    assert get(cloud, stranger.token(scope=ALL_CUSTOMERS_SCOPE)).status == 401


@pytest.mark.parametrize("authorization", [None, "Bearer x", "Basic Y3VzdF8xOg=="])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_token_no_route_with_data_answers(
    cloud: Cloud, method: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert len(PATHS) == len(PROTECTED_ROUTES)
    for path in PATHS:
        answer = enforced.get(cloud.outputs[outputs.API_URL], path, headers, method=method)
        assert answer.status == 401, path


def test_head_is_get_without_the_body(cloud: Cloud, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(customer_id='cust_1')}"}
    for path, status in ((STATS, 200), ("/customers", 403), ("/", 200), ("/static/any/page.js", 200)):
        answer = enforced.get(cloud.outputs[outputs.API_URL], path, headers, method="HEAD")
        assert (answer.status, answer.content) == (status, b""), path


def test_what_has_no_data_is_open(cloud: Cloud) -> None:
    assert set(OPEN_ROUTES) == {"/", "/static/{proxy+}"}
    page = enforced.get(cloud.outputs[outputs.API_URL], "/", {})
    assert page.status == 200
    assert b"cust_" not in page.content
