"""The whole app on a real PostgreSQL, filled by real ingests."""

import asyncio
import csv
import datetime as dt
import io
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.database.reader import Statement
from api.fleet.statements import CUSTOMERS
from api.routes.ingestions import INGESTIONS
from api.settings import ApiSettings
from logstats.settings import DatabaseSettings
from migrate import schema
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from processor.retention import expiry
from tests import oracle
from tests.asgi import ask
from tests.days import insert_day
from tests.logs import as_bytes, random_lines


class Client:
    """The app, and one event loop for all requests."""

    def __init__(self, database: DatabaseSettings) -> None:
        self._runner = asyncio.Runner()
        self._app = create_app(database, ApiSettings(auth="none"))

    def get(self, target: str, method: str = "GET", /, **headers: str) -> httpx.Response:
        return self._runner.run(ask(self._app, target, method, **headers))

    def json(self, target: str) -> Any:  # noqa: ANN401 - any JSON
        response = self.get(target)
        assert response.status_code == 200, response.text
        return response.json()

    def close(self) -> None:
        self._runner.run(self._app.state.reader.close())
        self._runner.close()


@pytest.fixture
def client(database: DatabaseSettings) -> Iterator[Client]:
    with closing(Client(database)) as client:
        yield client


class Folder:
    """Log files and the ingestor that reads them."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self._path = path
        self.ingestor = Ingestor(engine, LocalRejectStore(path / "rejected"), workers=1)

    def put(self, name: str, lines: list[str]) -> Path:
        file = self._path / name
        file.write_bytes(as_bytes(lines))
        self.ingestor.ingest_file(LocalFile.at(file))
        return file


@pytest.fixture
def folder(tmp_path: Path, engine: sa.Engine) -> Folder:
    return Folder(tmp_path, engine)


def periods(lines: list[str], customer: str, interval: str, first: str, last: str) -> list[dict[str, Any]]:
    """What the API must answer, by brute force over the lines."""
    starts: dict[str, str] = {}
    renamed = []
    for line in lines:
        day, rest = line.split(" ", 1)
        if rest.split(" ")[1] != customer or not first <= day <= last:
            continue
        date = dt.date.fromisoformat(day)
        start = {
            "day": date,
            "week": date - dt.timedelta(days=date.weekday()),
            "month": date.replace(day=1),
            "total": dt.date(2000, 1, 1),
        }[interval]
        starts[str(start)] = min(starts.get(str(start), day), day)
        renamed.append(f"{start} {rest}")
    found = oracle.answers(renamed)
    return [
        {"customer_id": customer, "date": starts[day] if interval == "total" else day, **found[customer, day]}
        for _, day in sorted(found)
    ]


@pytest.mark.parametrize("interval", ["day", "week", "month", "total"])
@pytest.mark.parametrize(
    ("first", "last"),
    [("2024-09-01", "2024-12-31"), ("2024-09-10", "2024-10-02"), ("2024-10-01", "2024-10-01")],
)
def test_every_interval_equals_brute_force(
    client: Client, folder: Folder, interval: str, first: str, last: str
) -> None:
    lines = random_lines(seed=11, count=4_000, customers=2, days=60)
    folder.put("a.log", lines[:1_500])
    folder.put("b.log", lines[1_500:])
    for customer in ("cust_1", "cust_2"):
        answered = client.json(f"/customers/{customer}/stats?from={first}&to={last}&interval={interval}")
        assert answered == periods(lines, customer, interval, first, last)
        assert answered


@pytest.mark.parametrize("interval", ["day", "week", "month", "total"])
def test_days_without_durations_are_null_and_merge_with_others(
    client: Client, engine: sa.Engine, interval: str
) -> None:
    """A day with none, one with some, a month with none."""
    lines = []
    for day, milliseconds, untimed in (
        (dt.date(2024, 9, 3), [], 2),
        (dt.date(2024, 9, 4), [120, 4_000, 120], 1),
        (dt.date(2024, 10, 1), [], 3),
    ):
        insert_day(engine, "a", day, [1_000 * ms for ms in milliseconds], untimed=untimed)
        durations = [*(f"{ms / 1000:.3f}" for ms in milliseconds), *["-"] * untimed]
        lines += [f"{day} 12:00:00 a / 200 {duration}" for duration in durations]
    target = f"/customers/a/stats?from=2024-09-01&interval={interval}"
    answered = client.json(target)
    assert answered == periods(lines, "a", interval, "2024-09-01", "2024-12-31")
    nulls = [day["date"] for day in answered if day["duration_p99"] is None]
    assert nulls == {
        "day": ["2024-09-03", "2024-10-01"],
        "week": ["2024-09-30"],
        "month": ["2024-10-01"],
    }.get(interval, [])
    rows = csv.DictReader(io.StringIO(client.get(f"{target}&format=csv").text, newline=""))
    assert [row["date"] for row in rows if row["duration_mean"] == row["duration_max"] == ""] == nulls


def test_csv_shows_the_same(client: Client, folder: Folder) -> None:
    folder.put("a.log", random_lines(1, 500))
    target = "/customers/cust_1/stats?from=2024-09-01"
    for response in (client.get(f"{target}&format=csv"), client.get(target, accept="text/csv")):
        assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
        assert rows == [{name: str(value) for name, value in day.items()} for day in client.json(target)]
        assert response.headers["content-disposition"].startswith('attachment; filename="cust_1.csv"')
    assert (
        client.get(f"{target}&format=json", accept="text/csv").headers["content-type"] == "application/json"
    )


@pytest.mark.parametrize("variant", ["", "&interval=week", "&interval=total&format=csv"])
def test_a_validator_holds_until_a_commit_touches_the_customer(
    client: Client, folder: Folder, variant: str
) -> None:
    target = f"/customers/cust_1/stats?from=2024-09-01{variant}"
    folder.put("a.log", random_lines(1, 200))
    first = client.get(target)
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Accept"
    unchanged = client.get(target, if_none_match=first.headers["etag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == first.headers["etag"]
    folder.put("others.log", [line.replace(" cust_", " other_") for line in random_lines(2, 100)])
    assert client.get(target, if_none_match=first.headers["etag"]).status_code == 304
    folder.put("b.log", random_lines(3, 200))
    changed = client.get(target, if_none_match=first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.content != first.content


def test_no_validator_ever_means_two_contents(client: Client, folder: Folder, engine: sa.Engine) -> None:
    """Also when the last of a customer is withdrawn, and when it returns."""
    target = "/customers/cust_1/stats?from=2024-09-01"
    seen: dict[str, bytes] = {}
    file = folder.put("a.log", random_lines(0, 50))
    for step in range(6):
        if step % 2:
            folder.put("a.log", random_lines(step, 50))
        else:
            folder.ingestor.withdraw(Withdrawal("file", str(file)))
        response = client.get(target)
        etag = response.headers["etag"]
        assert seen.setdefault(etag, response.content) == response.content
    assert len(seen) == 4
    assert seen['"0-3-json"'] == b"[]"


def test_a_range_without_days_has_the_customers_validator(client: Client, folder: Folder) -> None:
    folder.put("a.log", random_lines(1, 50))
    response = client.get("/customers/cust_1/stats?from=2030-01-01")
    assert response.text == "[]"
    assert response.headers["etag"] != client.get("/customers/nobody/stats?from=2030-01-01").headers["etag"]


def test_customers_come_in_pages(client: Client, folder: Folder) -> None:
    names = sorted({f"c{n}" for n in range(25)} | {"é", "%_", "c\\", "😀", "\ud7ff", "Z"}, key=str.encode)
    folder.put("a.log", [f"2024-09-0{n % 9 + 1} 00:00:00 {name} / 200 1" for n, name in enumerate(names)])
    seen, after = [], ""
    while True:
        page = client.json(f"/customers?limit=10{after}")
        seen += [customer["customer_id"] for customer in page["customers"]]
        if page["next"] is None:
            break
        assert len(page["customers"]) == 10
        after = f"&after={quote(page['next'])}"
    assert seen == names
    assert client.json("/customers?limit=31")["next"] is None


@pytest.mark.parametrize(
    "prefix", ["c", "c1", "c%", "%", "_", "\\", "c\\", "é", "😀", "\ud7ff", "C", "zz", "'"]
)
def test_a_prefix_is_text_and_no_pattern(client: Client, folder: Folder, prefix: str) -> None:
    names = ["c1", "c10", "c2", "c%x", "c\\y", "%a", "_b", "éa", "😀b", "\ud7ffz", "C", "'; --"]
    folder.put("a.log", [f"2024-09-01 00:00:00 {name.replace(' ', '_')} / 200 1" for name in names])
    found = [each["customer_id"] for each in client.json(f"/customers?prefix={quote(prefix)}")["customers"]]
    wanted = [name.replace(" ", "_") for name in names if name.replace(" ", "_").startswith(prefix)]
    assert found == sorted(wanted, key=str.encode)


def test_a_customer_is_shown_with_its_days(client: Client, folder: Folder) -> None:
    folder.put("a.log", ["2024-09-01 00:00:00 a / 200 1", "2024-09-05 00:00:00 a / 500 1"])
    assert client.json("/customers") == {
        "customers": [
            {"customer_id": "a", "first_date": "2024-09-01", "last_date": "2024-09-05", "total_requests": 2}
        ],
        "next": None,
    }


def test_the_ledger_is_shown_newest_first(client: Client, folder: Folder) -> None:
    files = [
        folder.put(f"{n}.log", [*random_lines(n, 10), "broken"] if n == 3 else random_lines(n, 10))
        for n in range(5)
    ]
    first = client.json("/ingestions?limit=2")
    second = client.json(f"/ingestions?limit=2&after={first['next']}")
    third = client.json(f"/ingestions?limit=2&after={second['next']}")
    assert third["next"] is None
    shown = [row for page in (first, second, third) for row in page["ingestions"]]
    assert [row["key"] for row in shown] == [str(file) for file in reversed(files)]
    broken = client.json(f"/ingestions/{shown[1]['id']}")
    assert broken["rejects_uri"].endswith(".jsonl")
    del broken["rejects_uri"]
    assert broken == shown[1]
    assert (broken["lines"], broken["accepted"], broken["rejected"]) == (11, 10, 1)
    assert broken["rejected_by_reason"] == {"layout": 1}
    assert (broken["bucket"], broken["outcome"]) == ("file", "ingested")
    assert (broken["format"], broken["skipped"]) == ("logstats", 0)


def test_removed_days_are_gone_from_answers_and_validators(
    client: Client, engine: sa.Engine, folder: Folder
) -> None:
    """Also from those that are kept; and what comes too late is shown in the ledger."""
    lines = random_lines(1, 200, customers=2, first=dt.date(2024, 9, 29))
    folder.put("a.log", lines)
    target = "/customers/cust_1/stats?from=2024-09-01"
    before = client.get(target)
    assert [day["date"] for day in before.json()] == ["2024-09-29", "2024-09-30", "2024-10-01", "2024-10-02"]
    assert client.get(target, if_none_match=before.headers["etag"]).status_code == 304
    expiry.expire(engine, dt.date(2024, 10, 1))
    after = client.get(target, if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert after.json() == before.json()[2:]
    assert client.json("/customers")["customers"][0]["first_date"] == "2024-10-01"
    folder.put("b.log", lines)
    late = client.json("/ingestions?limit=1")["ingestions"][0]
    assert (late["lines"], late["accepted"]) == (200, 200)
    assert late["expired"] == sum(line[:10] < "2024-10-01" for line in lines) > 0
    assert late["customer_days"] == 4
    expiry.expire(engine, dt.date(2024, 11, 1))
    assert client.json(target) == client.json("/customers")["customers"] == []


def test_an_object_is_found_by_its_uri(client: Client, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, rejected_by_reason,"
                " skipped, customer_days, committed_at) VALUES ('b', 'a b/c.log', false, 3, 0, 0, '{}', 3, 0, now())"
            )
        )
    (row,) = client.json("/ingestions?object=s3%3A%2F%2Fb%2Fa%20b%2Fc.log")["ingestions"]
    assert (row["bucket"], row["key"], row["outcome"]) == ("b", "a b/c.log", None)
    assert (row["format"], row["lines"], row["skipped"]) == (None, 3, 3)
    assert client.json("/ingestions?object=s3://b/c.log")["ingestions"] == []


@pytest.mark.parametrize(
    "target",
    [
        "/customers?limit=0",
        "/customers?limit=1001",
        "/customers?limit=x",
        "/customers?limit=1&limit=2",
        "/customers?after=%00",
        f"/customers?after={'x' * 256}",
        "/customers?prefix=%00",
        f"/customers?prefix={'x' * 256}",
        "/ingestions?after=nonsense",
        "/ingestions?after=0.0.0",
        "/ingestions?after=0.-1",
        "/ingestions?after=0.9999999999999999999",
        "/ingestions?after=999999999999999999.1",
        "/ingestions?object=file.log",
        "/ingestions?object=s3://b",
        "/ingestions?object=s3://b/%00",
        "/ingestions/0",
        "/ingestions/x",
        "/ingestions/9223372036854775808",
        "/customers/a/stats?from=2024-09-03&interval=year",
        "/customers/a/stats?from=2024-09-03&interval=day&interval=day",
        "/customers/a/stats?from=2024-09-03&format=xml",
        "/customers?tz=Europe/Berlin",
        "/ingestions?tz=Europe/Berlin",
        "/ingestions/1?tz=Europe/Berlin",
    ],
)
def test_bad_input_is_refused_in_fastapis_form(client: Client, target: str) -> None:
    response = client.get(target)
    assert response.status_code == 422, response.text
    assert response.json()["detail"][0]["loc"]


def test_the_greatest_cursor_is_taken(client: Client) -> None:
    after = f"{'9' * 17}.{'9' * 18}"
    assert client.json(f"/ingestions?after={after}") == {"ingestions": [], "next": None}


def test_an_unknown_ingestion_is_a_problem(client: Client) -> None:
    response = client.get("/ingestions/1")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_ready_says_the_schema(client: Client, engine: sa.Engine) -> None:
    assert client.json("/ready") == {"status": "ready", "schema_version": schema.head()}
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    assert client.get("/ready").status_code == 503
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE alembic_version RENAME TO elsewhere"))
    response = client.get("/ready")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO alembic_version"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "10")
    assert client.json("/health") == {"status": "ok"}


def test_without_a_database_only_the_process_is_well() -> None:
    nowhere = DatabaseSettings(url="postgresql://nobody@127.0.0.1:9/nothing", tls="disable", iam_auth=False)
    with closing(Client(nowhere)) as away:
        assert away.get("/health").status_code == 200
        for target in (
            "/ready",
            "/customers",
            "/ingestions",
            "/customers/a/stats?from=2024-01-01&interval=total",
        ):
            response = away.get(target)
            assert (response.status_code, response.headers["retry-after"]) == (503, "10")
            assert response.json()["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (CUSTOMERS, {"after": "a", "prefix": "c", "end": "d", "limit": 11}, "customers_pkey"),
        (
            INGESTIONS,
            {"committed_at": dt.datetime.now(dt.UTC), "id": 5, "limit": 11},
            "log_objects_by_commit",
        ),
    ],
)
def test_an_index_serves_the_pages(
    engine: sa.Engine, statement: Statement, values: dict[str, object], index: str
) -> None:
    literal = statement.params(values).compile(engine, compile_kwargs={"literal_binds": True})
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO customers SELECT 'c' || n, n, '2024-01-01', '2024-01-01', 1 FROM generate_series(1, 5000) n"
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, rejected_by_reason,"
                " customer_days, committed_at)"
                " SELECT 'b', n, false, 0, 0, 0, '{}', 0, now() - n * interval '1 s' FROM generate_series(1, 5000) n"
            )
        )
        connection.execute(sa.text("ANALYZE customers, log_objects"))
        plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN {literal}")))
    assert index in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    "target",
    ["/", "/health", "/ready", "/customers", "/customers/a/stats?from=2024-01-01", "/docs", "/nothing"],
)
def test_head_is_get_without_the_body(client: Client, target: str) -> None:
    got, head = client.get(target), client.get(target, "HEAD")
    assert head.content == b""
    assert head.status_code == got.status_code
    per_request = {"x-request-id"}
    assert {name: text for name, text in head.headers.items() if name not in per_request} == {
        name: text for name, text in got.headers.items() if name not in per_request
    }


def test_the_documentation_comes_from_nowhere_else_and_has_every_route_and_field(client: Client) -> None:
    page, shown = client.get("/"), client.get("/docs")
    assert shown.headers["content-security-policy"] == page.headers["content-security-policy"]
    assert "<script" not in shown.text
    assert "src=" not in shown.text
    stylesheet, _ = re.findall(r'href="((?:static/[^"]+\.css)|openapi\.json)"', shown.text)
    assert shown.text.count("href=") == 2
    assert client.get(f"/{stylesheet}").headers["content-type"].startswith("text/css")
    document = client.json("/openapi.json")
    assert [server["url"] for server in document["servers"]] == ["."], "it holds behind any path"
    for path in document["paths"]:
        assert f"<h2>GET {path}</h2>" in shown.text
    for component in document["components"]["schemas"].values():
        for field in component.get("properties", {}):
            assert f'<th scope="row">{field}</th>' in shown.text
