"""Routes: which segments look generated, what declared ones match, and that the kernel says the same."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstats.domain.breakdown import Breakdown
from logstats.domain.format import parse_format
from logstats.domain.route import Declared, RouteError, parse_routes, route_of
from logstats.native import Aggregator, Kept, compile_format, compile_routes

FORMAT = compile_format(
    parse_format("""
layout = "json"
timestamp = { value = "t", form = "epoch_s" }
customer = { value = "c" }
status = { value = "s" }
request = { method = "m", target = "p" }
""")
)
GENERATED = (
    "1", "4711", "2024-09-03", "1.2.3", "10:30", "1,2", "12_34", "-1",
    "deadbeef01", "DEADBEEF01", "0000000a", "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "cust_17", "order-4", "v.1", "a:9", "a~1", "ISO-8601",
    "aB3xY9kQw2", "0h2k4j6s8d0f2g4h6j8k", "AAAAAAAAAAAAAAAA1111",
    "anna@example.com", "a%20b", "%", "größe", "a b", "\x7f", "\ud800", "x" * 41,
)  # fmt: skip
STATIC = (
    "", "v1", "v1beta1", "orders", "oauth2", "OAuth2", "resource1", "api-v2", "feed", "deadbeef", "dead-beef", "bad0000", "2fa",
    "{id}", "*", "a_b", "_", "-", ".", "report.pdf", "aB3xY9kQ1", "ABCDEFGHI12", "s" * 17 + "123", "x" * 40, "~1", "a-1b", "1-a",
)  # fmt: skip


def by_kernel(
    method: str | None, target: str | None, status: int = 200, declared: Declared = ()
) -> dict[str, int]:
    """The routes that the kernel finds for one request, and their requests."""
    return routes_of([line(method, target, status)], declared)


def routes_of(lines: Sequence[bytes], declared: Declared = ()) -> dict[str, int]:
    aggregator = Aggregator(program=FORMAT, kept=Kept(2, compile_routes(declared)))
    for each in lines:
        aggregator.feed(each)
    assert aggregator.counts.accepted == len(lines)
    [(*_, encoded)] = aggregator.drain()
    return {name: cell.total_requests for name, cell in Breakdown(encoded).routes.items()}


def line(method: str | None, target: str | None, status: int = 200) -> bytes:
    fields = {"t": "1725364801", "c": "acme", "s": str(status), "m": method, "p": target}
    document = ",".join(f'"{key}":"{escaped(value)}"' for key, value in fields.items() if value is not None)
    return b"{%b}\n" % document.encode()


def escaped(value: str) -> str:
    """A text in JSON; what is not ASCII, and half a surrogate pair, is escaped."""
    return "".join(
        each if " " <= each <= "~" and each not in '"\\' else f"\\u{ord(each):04x}" for each in value
    )


def template_of(path: str) -> str:
    return route_of(None, path, 200).decode("utf-8", "surrogatepass")


@pytest.mark.parametrize("segment", GENERATED)
def test_generated_segments_become_a_placeholder(segment: str) -> None:
    assert template_of(f"/v1/{segment}/x") == "/v1/{id}/x"
    assert by_kernel(None, f"/v1/{segment}/x") == {"/v1/{id}/x": 1}


@pytest.mark.parametrize("segment", STATIC)
def test_other_segments_stay(segment: str) -> None:
    assert template_of(f"/v1/{segment}/x") == f"/v1/{segment}/x"
    assert by_kernel(None, f"/v1/{segment}/x") == {f"/v1/{segment}/x": 1}


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/", "/"),
        ("//", "//"),
        ("/a/", "/a/"),
        ("/a?b=/c", "/a"),
        ("/a#b", "/a"),
        ("/?", "/"),
        ("https://example.com/a/7?b", "/a/{id}"),
        ("https://example.com", "/"),
        ("*", "(not found)"),
        ("example.com:443", "(not found)"),
        (None, "(not found)"),
        ("-", "(not found)"),
        ("/" + "a/" * 99 + "b", "/" + "a/" * 99 + "b"),
        ("/" + "a/" * 99 + "bc", "(other)"),
        ("/" + "4/" * 60, "(other)"),
        ("/" + "x" * 5_000, "/{id}"),
        ("/" + "/" * 5_000, "(other)"),
    ],
)
def test_what_a_target_comes_to(target: str | None, route: str) -> None:
    assert by_kernel(None, target) == {route: 1}
    assert by_kernel("GET", target) == {f"GET {route}" if route.startswith("/") else route: 1}


@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "GET /a"), ("A" * 16, "A" * 16 + " /a"), ("A" * 17, "(other)"), ("get", "(other)"), ("G T", "(other)"),
     ("G\u00e9", "(other)"), ("-", "/a"), (None, "/a")],
)  # fmt: skip
def test_a_strange_method_has_no_route(method: str | None, route: str) -> None:
    assert by_kernel(method, "/a") == {route: 1}
    if method != "-":  # which the reader takes for none
        assert route_of(method, "/a", 200) == (b"\x02" if route == "(other)" else route.encode())
    assert by_kernel(method, "/a", 404) == by_kernel(method, None) == {"(not found)": 1}


# ---- Declared routes ---------------------------------------------------------------------------------

DECLARED = parse_routes([
    "/v1/orders/{orderId}", "/v1/orders/latest", "POST /v1/orders/{newId}", "GET /v1/orders/{id}/lines",
    "/v1/{kind}/latest", "/v1/files/{name}.json", "/v1/files/{name}.tar.json", "/v1/files/{whole}",
    "/v1/compare/{base}...{head}", "/{tenant}:cancel", "/", "/v2/orders/",
])  # fmt: skip


@pytest.mark.parametrize(
    ("method", "target", "route"),
    [
        ("GET", "/v1/orders/abc", "GET /v1/orders/{orderId}"),
        ("POST", "/v1/orders/abc", "POST /v1/orders/{newId}"),
        (None, "/v1/orders/abc?x", "/v1/orders/{orderId}"),
        ("GET", "/v1/orders/latest", "GET /v1/orders/latest"),
        ("POST", "/v1/orders/latest", "POST /v1/orders/latest"),
        ("GET", "/v1/users/latest", "GET /v1/{kind}/latest"),
        ("GET", "/v1/orders/7/lines", "GET /v1/orders/{id}/lines"),
        (None, "/v1/orders/7/lines", "/v1/orders/{id}/lines"),
        ("DELETE", "/v1/orders/7/lines", "DELETE /v1/orders/{id}/lines"),
        ("GET", "/v1/files/a.json", "GET /v1/files/{name}.json"),
        ("GET", "/v1/files/a.tar.json", "GET /v1/files/{name}.tar.json"),
        ("GET", "/v1/files/.json", "GET /v1/files/{whole}"),
        ("GET", "/v1/compare/a...b", "GET /v1/compare/{base}...{head}"),
        ("GET", "/v1/compare/a..b", "GET /v1/compare/a..b"),
        ("GET", "/7:cancel", "GET /{tenant}:cancel"),
        ("GET", "/", "GET /"),
        ("GET", "/v1/orders/", "GET /v1/orders/"),
        ("GET", "/v2/orders/", "GET /v2/orders/"),
        ("GET", "/v2/orders", "GET /v2/orders"),
        ("BREW", "/v1/orders/abc", "BREW /v1/orders/{orderId}"),
        ("brew", "/v1/orders/abc", "(other)"),
    ],
)
def test_declared_routes_go_before(method: str | None, target: str, route: str) -> None:
    assert by_kernel(method, target, declared=DECLARED) == {route: 1}


def test_declared_routes_are_stored_as_such_but_for_methods_that_nobody_knows() -> None:
    declared = parse_routes(["/a/{b}", "BREW /c"])
    assert route_of("GET", "/a/7", 200, declared) == b"=GET /a/{b}"
    assert route_of("BREW", "/a/7", 200, declared) == b"BREW /a/{b}"
    assert route_of("BREW", "/c", 200, declared) == b"=BREW /c"
    assert route_of(None, "/c", 200, declared) == b"=/c"
    assert route_of("GET", "/c", 200, declared) == b"GET /c"


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["orders"], "neither /PATH nor METHOD /PATH"),
        (["get /orders"], "method is not"),
        (["GET orders"], "neither"),
        (["GET  /orders"], "neither"),
        (["/a b"], "printable ASCII"),
        (["/é"], "printable ASCII"),
        (["/a?b"], "without spaces"),
        (["/a/*"], "without spaces"),
        (["/{a"], "placeholder"),
        (["/a}"], "placeholder"),
        (["/{}"], "placeholder"),
        (["/{a/b}"], "placeholder"),
        (["/{a}{b}"], "nothing between"),
        (["/" + "a" * 200], "longer than 200"),
        (["/a/{b}", "/a/{c}"], "match the same requests"),
        (["GET /a/{b}", "GET /a/{c}"], "match the same requests"),
    ],
)
def test_what_is_no_route_is_one_clear_error(texts: list[str], problem: str) -> None:
    with pytest.raises(RouteError, match=problem) as raised:
        parse_routes(texts)
    assert "\n" not in str(raised.value)


# ---- The kernel and the definition -------------------------------------------------------------------

PIECES = (
    *GENERATED,
    *STATIC,
    "a",
    "Z",
    "0",
    "9",
    "-",
    "_",
    ".",
    ":",
    "~",
    ",",
    "abc",
    "ABC",
    "123",
    "f",
    "é",
    "%2F",
    "=",
)
TEMPLATES = ("{x}", "{x}.json", "v{x}", "{x}-{y}", "a", "orders", "v1", "")
SEGMENTS = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=8)
METHODS = st.none() | st.sampled_from(["GET", "POST", "BREW", "get", "", "-", "A" * 17])
STATUSES = st.sampled_from([200, 201, 404, 500])


@given(
    METHODS,
    st.lists(SEGMENTS, max_size=6),
    STATUSES,
    st.integers(0, 2**32),
    st.sampled_from(["", "?a=/1", "#b"]),
)
@example(None, ["\ud800"], 200, 0, "")
def test_the_kernel_finds_the_same_route(
    method: str | None, segments: list[str], status: int, seed: int, rest: str
) -> None:
    path = "/" + "/".join(segment.replace("?", "").replace("#", "") for segment in segments)
    declared = some_routes(random.Random(seed))
    known = method if method not in ("", "-") else None
    name = route_of(known, path, status, declared)
    expected = {b"\x01": "(not found)", b"\x02": "(other)"}.get(name) or name.decode().removeprefix("=")
    several = [line(method, path + rest, status), line("GET", "/x", 200), line(method, path, status)] * 2
    found = routes_of(several, declared)
    assert found[expected] >= 4, (found, expected)
    assert sum(found.values()) == 6


def some_routes(choose: random.Random) -> Declared:
    """A few templates that do not contradict each other."""
    texts: list[str] = []
    for _ in range(choose.randrange(6)):
        segments = [choose.choice(TEMPLATES) for _ in range(choose.randrange(1, 4))]
        text = choose.choice(["", "GET ", "BREW "]) + "/" + "/".join(segments)
        try:
            parse_routes([*texts, text])
        except RouteError:
            continue
        texts.append(text)
    return parse_routes(texts)


def test_a_template_is_its_own_template() -> None:
    """The kernel finds what it knows by the path as written: no path may be a route that its own template is not."""
    choose = random.Random(1)
    for _ in range(2_000):
        path = "/" + "/".join(choose.choice(PIECES) for _ in range(choose.randrange(1, 4)))
        declared = some_routes(choose)
        name = route_of("GET", path, 200, declared)
        if len(name) > 1:
            again = name.removeprefix(b"=").decode().removeprefix("GET ")
            assert route_of("GET", again, 200, declared) == name


@pytest.mark.parametrize("cut", range(1, 38))
def test_declared_routes_that_are_cut_are_refused(cut: int) -> None:
    code = compile_routes(parse_routes(["GET /a/{b}.c/{d}"]))
    assert len(code) == 38
    with pytest.raises(ValueError, match="malformed"):
        Aggregator(kept=Kept(2, code[:cut]))
