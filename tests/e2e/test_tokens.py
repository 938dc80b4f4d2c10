"""A deployment with auth=jwt: the emulated API Gateway verifies tokens of a real issuer, and the app their claims."""

import base64
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cdk import outputs
from cdk.api import OPEN_ROUTES, PROTECTED_ROUTES
from local.cloud import cloud as cloud_
from local.cloud.cloud import Checks, Cloud
from local.cloud.issuer import AUDIENCE, Issuer
from local.cloud.state import State
from local.cloud.uploads import upload
from tests import oracle
from tests.integration.local.cloud.conftest import free_port
from tests.logs import as_bytes, random_lines

STATS = "/customers/cust_1/stats?from=2024-09-01"
LINES = random_lines(5, 60)
STRANGER = rsa.generate_private_key(public_exponent=65_537, key_size=2048)


class Answer:
    """What the emulated API Gateway says."""

    def __init__(self, cloud: Cloud, path: str, authorization: str | None) -> None:
        address = urlsplit(cloud.outputs[outputs.API_URL])
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        sent = {"Authorization": authorization} if authorization is not None else {}
        connection.request("GET", path, headers={"Host": address.netloc, **sent})
        response = connection.getresponse()
        self.status = response.status
        self.challenge = response.headers.get("WWW-Authenticate", "")
        self.body = response.read()
        connection.close()

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


@pytest.fixture(scope="module")
def cloud(postgres_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    state = State(postgres_folder / "tokens")
    state.logs.mkdir(parents=True)
    log = tmp_path_factory.mktemp("tokens") / "tokens.log"
    log.write_bytes(as_bytes(LINES))
    with cloud_.running(state, free_port(), free_port(), lambda _: None, Checks(tokens=True)) as running:
        assert list(upload(running, log))[-1]
        yield running


@pytest.fixture(scope="module")
def issuer(cloud: Cloud) -> Issuer:
    assert cloud.issuer
    return cloud.issuer


def get(cloud: Cloud, token: str | None, path: str = STATS) -> Answer:
    return Answer(cloud, path, None if token is None else f"Bearer {token}")


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_of_the_customer_reads_its_statistics_and_no_others(cloud: Cloud, issuer: Issuer) -> None:
    token = issuer.for_customer("cust_1")
    answer = get(cloud, token)
    assert answer.status == 200
    expected = [
        {"customer_id": "cust_1", "date": day, **numbers}
        for (customer, day), numbers in sorted(oracle.statistics(LINES).items())
        if customer == "cust_1"
    ]
    assert expected
    assert answer.json == expected
    for path in ("/customers/cust_2/stats?from=2024-09-01", "/customers", "/ingestions", "/ingestions/1"):
        assert get(cloud, token, path).status == 403, path


def test_a_token_without_bearer_before_it_is_taken_too(cloud: Cloud, issuer: Issuer) -> None:
    assert Answer(cloud, STATS, issuer.for_customer("cust_1")).status == 200


@pytest.mark.parametrize(
    "scope",
    [
        {"scope": "stats:read"},
        {"scope": "openid stats:read profile"},
        {"scp": ["openid", "stats:read"]},
        {"scp": "stats:read"},
    ],
    ids=str,
)
def test_the_scope_of_all_customers_reads_everything(
    cloud: Cloud, issuer: Issuer, scope: dict[str, Any]
) -> None:
    token = issuer.token(**scope)
    slash = "/customers/a%2Fb/stats?from=2024-09-01"
    for path in (
        STATS,
        "/customers/cust_2/stats?from=2024-09-01",
        slash,
        "/customers",
        "/ingestions",
        "/docs",
    ):
        assert get(cloud, token, path).status == 200, path


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": "stats:write"},
        {"scope": "stats:reader"},
        {"scope": "xstats:read"},
        {"scope": "STATS:READ"},
        {"scope": ""},
        {"customer_id": "cust_2"},
        {"customer_id": "cust_1 "},
        {"customer_id": "CUST_1"},
        {"customer_id": "*"},
        {"customer_id": ""},
        {"customer_id": ["cust_1"]},
        {"customer_id": {"cust_1": True}},
        {"customer_id": True},
    ],
    ids=str,
)
def test_a_token_that_grants_something_else_is_forbidden(
    cloud: Cloud, issuer: Issuer, claims: dict[str, Any]
) -> None:
    assert get(cloud, issuer.token(**claims)).status == 403


NOW = int(time.time())
REFUSED = {
    "wrong audience": {"aud": "another"},
    "audiences without ours": {"aud": ["another", "third"]},
    "no audience": {"aud": None},
    "another client": {"aud": None, "client_id": "another"},
    "an audience that is not ours and a client that is": {"aud": "another", "client_id": AUDIENCE},
    "wrong issuer": {"iss": "https://elsewhere.example"},
    "issuer with a slash more": {"iss": "+/"},
    "no issuer": {"iss": None},
    "expired": {"exp": NOW - 1},
    "expired long ago": {"exp": 0, "iat": 0},
    "no expiry": {"exp": None},
    "expiry that is no number": {"exp": "tomorrow"},
    "expiry without end": {"exp": float("inf")},
    "no time of issue but a list": {"iat": []},
    "a beginning that is an object": {"nbf": {}},
    "not yet valid": {"nbf": NOW + 3600},
    "issued in the future": {"iat": NOW + 3600},
}


@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED)
def test_what_the_issuer_has_signed_for_others_or_other_times_is_refused(
    cloud: Cloud, issuer: Issuer, claims: dict[str, Any]
) -> None:
    if claims.get("iss") == "+/":
        claims = {"iss": issuer.url + "/"}
    answer = get(cloud, issuer.token(scope="stats:read", **claims))
    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})
    assert answer.challenge.startswith('Bearer scope="" error="invalid_token" error_description="')


ACCEPTED = {
    "one of several audiences": {"aud": [AUDIENCE, "another"]},
    "no audience but a client": {"aud": None, "client_id": AUDIENCE},
    "valid for a minute": {"nbf": NOW - 60},
}


@pytest.mark.parametrize("claims", ACCEPTED.values(), ids=ACCEPTED)
def test_other_forms_of_the_right_audience_are_taken(
    cloud: Cloud, issuer: Issuer, claims: dict[str, Any]
) -> None:
    assert get(cloud, issuer.token(scope="stats:read", **claims)).status == 200


def test_a_token_expires_while_it_is_in_use(cloud: Cloud, issuer: Issuer) -> None:
    until = int(time.time()) + 3
    token = issuer.token(scope="stats:read", exp=until)
    assert get(cloud, token).status == 200
    time.sleep(max(0.0, until + 0.1 - time.time()))
    answer = get(cloud, token)
    assert answer.status == 401
    assert "expired" in answer.challenge


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer W10.W10.W10",
        "Bearer ..",
        "Bearer " + base64.urlsafe_b64encode(b"[" * 4000).decode() + ".e30.e30",
        "Basic Y3VzdF8xOg==",
        "AWS4-HMAC-SHA256 Credential=test/20240903/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0",
    ],
)
@pytest.mark.parametrize(
    "path", [STATS, "/customers", "/ingestions", "/ingestions/1", "/docs", "/openapi.json"]
)
def test_what_is_no_token_is_refused_on_every_route_with_data(
    cloud: Cloud, path: str, authorization: str | None
) -> None:
    assert Answer(cloud, path, authorization).status == 401
    assert len(PROTECTED_ROUTES) == 6  # those above


def test_a_token_elsewhere_than_in_the_header_is_not_looked_at(cloud: Cloud, issuer: Issuer) -> None:
    token = issuer.for_every_customer()
    assert get(cloud, None, f"{STATS}&Authorization={token}&access_token={token}").status == 401


def test_a_wrong_signature_is_refused(cloud: Cloud, issuer: Issuer) -> None:
    head, claims, signature = issuer.for_every_customer().split(".")
    _, others, _ = issuer.for_customer("cust_1").split(".")
    middle = len(signature) // 2
    flipped = signature[:middle] + ("A" if signature[middle] != "A" else "B") + signature[middle + 1 :]
    for token in (
        f"{head}.{claims}.{flipped}",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{head}.{others}.{signature}",  # claims that were not signed
        issuer.token(STRANGER, scope="stats:read"),
        issuer.token(STRANGER, "another-key", scope="stats:read"),
        issuer.token(key_id="", scope="stats:read"),
    ):
        assert get(cloud, token).status == 401, token


def test_the_algorithm_is_not_the_client_s_choice(cloud: Cloud, issuer: Issuer) -> None:
    claims = jwt.decode(issuer.for_every_customer(), options={"verify_signature": False})
    key_id = jwt.get_unverified_header(issuer.for_every_customer())["kid"]
    public = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm in ("none", "None", "NONE"):
        head = encoded({"alg": algorithm, "typ": "JWT", "kid": key_id})
        assert get(cloud, f"{head}.{encoded(claims)}.").status == 401
        signature = issuer.for_every_customer().rpartition(".")[2]
        assert get(cloud, f"{head}.{encoded(claims)}.{signature}").status == 401
    signing = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    unsigned = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': key_id})}.{encoded(claims)}"
    signature = base64.urlsafe_b64encode(signing.sign(unsigned.encode(), public)).rstrip(b"=").decode()
    assert get(cloud, f"{unsigned}.{signature}").status == 401


def test_what_has_no_data_is_open(cloud: Cloud) -> None:
    assert set(OPEN_ROUTES) == {"/", "/static/{proxy+}"}
    page = get(cloud, None, "/")
    assert page.status == 200
    assert b"cust_" not in page.body


def test_a_caller_cannot_name_itself(cloud: Cloud) -> None:
    """What decides is the gateway's event, and no header of the client's."""
    address = urlsplit(cloud.outputs[outputs.API_URL])
    claims = json.dumps({"jwt": {"claims": {"scope": "stats:read"}}})
    forged = {"x-amzn-request-context": claims, "authorizer": claims, "x-customer-id": "cust_1"}
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
    connection.request("GET", STATS, headers={"Host": address.netloc, **forged})
    assert connection.getresponse().status == 401
    connection.close()


def test_the_port_of_its_own_passes_tokens_on(cloud: Cloud, issuer: Issuer) -> None:
    address = urlsplit(cloud.api_url)
    for token, status in ((issuer.for_customer("cust_1"), 200), (issuer.for_customer("cust_2"), 403)):
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        connection.request("GET", STATS, headers={"Authorization": f"Bearer {token}"})
        assert connection.getresponse().status == status
        connection.close()
