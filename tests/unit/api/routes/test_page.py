import functools

import pytest
from fastapi import FastAPI

from api.assets import assets
from api.requests import problems
from api.routes import page
from api.settings import ApiSettings
from tests import asgi

APP = FastAPI()
APP.include_router(page.router("iam"))
problems.install(APP, ApiSettings())

STATIC = f"/static/{assets().version}"
EVERYTHING = pytest.mark.parametrize(
    ("path", "media_type"),
    [("/", "text/html"), (f"{STATIC}/page.js", "text/javascript"), (f"{STATIC}/page.css", "text/css")],
)


get = functools.partial(asgi.get, APP)


@EVERYTHING
def test_everything_is_sent_with_its_type_and_a_strict_policy(path: str, media_type: str) -> None:
    response = get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@EVERYTHING
def test_everything_is_compressed_for_those_who_take_it(path: str, media_type: str) -> None:
    plain = get(path)
    response = get(path, Accept_Encoding="gzip, br")
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-type"].startswith(media_type)
    assert response.content == plain.content  # httpx has decompressed it
    assert int(response.headers["content-length"]) < len(plain.content) / 2
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == response.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != response.headers["etag"]


@EVERYTHING
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_a_browser_has_is_not_sent_again(path: str, media_type: str, encoding: str) -> None:
    etag = get(path, Accept_Encoding=encoding).headers["etag"]
    response = get(path, Accept_Encoding=encoding, If_None_Match=f'"other", W/{etag}')
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == etag
    assert get(path, Accept_Encoding=encoding, If_None_Match='"other"').status_code == 200


def test_the_document_is_always_asked_for_again_and_its_files_never() -> None:
    assert get("/").headers["cache-control"] == "no-cache"
    assert get(f"{STATIC}/page.js").headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_file_of_another_version_is_not_kept() -> None:
    response = get("/static/0123456789abcdef/page.js")
    assert response.content == assets().files["page.js"].body
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["app.js", "index.html", "none.js", "..%2Fhandler.py", "%2e%2e/handler.py"])
def test_there_is_nothing_else(name: str) -> None:
    response = get(f"{STATIC}/{name}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
