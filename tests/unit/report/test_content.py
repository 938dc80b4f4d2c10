"""Make the report from answers of the API."""

from decimal import Decimal
from typing import Any

import pytest

from report.content import PAGES, compose
from report.document import Document, Section
from report.files import PAGES as PAGES_OF_FILES
from report.render import text
from tests.unit.report.answers import DATE, Api, Row, counts, file, row


def report(api: Api, objective: str = "99.9") -> Document:
    return compose(api, DATE, Decimal(objective))


def section(document: Document, heading: str) -> Section:
    (found,) = (each for each in document.sections if each.heading.startswith(heading))
    return found


def lines(found: Section) -> list[str]:
    return ["".join(item) for item in found.items]


def test_the_day_alone_is_asked_for() -> None:
    api = Api([row("a", change_requests=0.5)], before=counts(1), files=[file("x", 10, 1)])
    report(api)
    day = {"from": "2024-10-03", "to": "2024-10-03"}
    assert [query for path, query in api.asked if path == "/overview"] == [day]
    customers = [query for path, query in api.asked if path == "/customers"]
    assert [query["sort"] for query in customers] == [
        *("uptime_percentage", "-change_requests", "change_requests", "-change_p99")
    ]
    assert all(query.items() >= day.items() for query in customers)


def test_the_totals_have_their_change_against_the_day_before() -> None:
    api = Api(
        [row("a", 1_200, 12), row("b", 34, client_errors=7)],
        before=counts(1_000),
        change_requests=0.234,
        change_uptime_percentage=-0.5,
        change_p99=0.1,
        new_customers=1,
    )
    found = section(report(api), "Totals")
    assert found.lead == "The changes are against 2024-10-02."
    assert lines(found) == [
        "1,234 requests (+23.4 %)",
        "2 active customers, 1 of them new",
        "uptime 99.027 % (-0.500 points)",
        "12 server errors, 7 client errors",
        "p99 0.990 s (+10.0 %), median 0.400 s",
    ]


def test_without_a_day_before_nothing_is_compared() -> None:
    document = report(Api([row("a", 1)]))
    found = section(document, "Totals")
    assert found.lead == "There is nothing on the day before to compare with."
    assert lines(found)[:2] == ["1 request", "1 active customer, 0 of them new"]
    assert [
        each.heading
        for each in document.sections
        if "requests" in each.heading or "Largest rises in p99" in each.heading
    ] == []


def test_without_durations_there_are_none_to_show() -> None:
    none = {name: None for name in counts(1) if name.startswith("duration")} | {"timed_requests": 0}
    total = counts(5) | none | {"active_customers": 1}
    api = Api([row("a", 5, 1, **none, change_requests=0.25)], before=counts(4), total=total)
    assert lines(section(report(api), "Totals"))[-1] == "no durations"
    assert lines(section(report(api), "Largest rises in requests"))[0] == "a: 5 requests (+25.0 %), p99 -"


@pytest.mark.parametrize(
    ("objective", "below"),
    [("99.9", []), ("99.901", ["exact"]), ("100", ["exact"]), ("0", [])],
)
def test_an_objective_is_met_exactly_or_missed(objective: str, below: list[str]) -> None:
    """99.9 % of 1,000 requests are 999; as binary fractions, 100 * (1 - 1/1000) is less."""
    found = section(report(Api([row("exact", 1_000, 1), row("good", 5)]), objective), "Customers below")
    assert [item[0] for item in found.items] == below


def test_what_misses_the_objective_narrowly_does_not_look_as_if_it_met_it() -> None:
    found = section(report(Api([row("a", 1_000_000, 1_001)])), "Customers below")
    assert lines(found) == ["a: uptime 99.899 %, 1,001 server errors in 1,000,000 requests"]


def test_the_worst_come_first_and_the_rest_is_counted() -> None:
    customers = [row(f"c{number:02}", 100, number) for number in range(13)]
    document = report(Api(customers))
    found = section(document, "Customers below 99.9 % uptime")
    assert found.lead == "12 of 13 customers."
    assert [item[0] for item in found.items] == [
        *(f"c{number:02}" for number in range(12, 2, -1)),
        "and 2 more",
    ]
    assert document.summary == "12 of 13 customers below 99.9 %"


@pytest.mark.parametrize(("failing", "asked"), [(999, 1), (1_000, 2), (2_345, 3)])
def test_pages_of_customers_are_followed_until_one_meets_the_objective(failing: int, asked: int) -> None:
    api = Api([*(row(f"c{number}", 1, 1) for number in range(failing)), row("good"), row("better")])
    assert report(api).summary == f"{failing:,} of {failing + 2:,} customers below 99.9 %"
    assert len([query for path, query in api.asked if path == "/customers"]) == asked


def test_more_customers_than_are_counted_are_said_to_be_more() -> None:
    document = report(Api([row(f"c{number}", 1, 1) for number in range(PAGES * 1_000 + 5)]))
    assert document.summary == "at least 10,000 of 10,005 customers below 99.9 %"
    assert lines(section(document, "Customers below"))[-1] == "and at least 9,990 more"


CHANGES: list[Row] = [
    row("up", 20, change_requests=4.0, change_p99=0.0),
    row("down", 5, change_requests=-0.5, change_p99=-0.25),
    row("same", 5, change_requests=0.0, change_p99=2.0),
    row("new", 500),
]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Largest rises in requests", ["up: 20 requests (+400.0 %), p99 0.990 s (+0.0 %)"]),
        ("Largest falls in requests", ["down: 5 requests (-50.0 %), p99 0.990 s (-25.0 %)"]),
        ("Largest rises in p99", ["same: 5 requests (+0.0 %), p99 0.990 s (+200.0 %)"]),
    ],
)
def test_changes_have_their_direction_and_new_customers_none(heading: str, expected: list[str]) -> None:
    assert lines(section(report(Api(CHANGES, before=counts(9))), heading)) == expected


def test_without_a_change_it_says_none() -> None:
    found = section(
        report(Api([row("a", change_requests=0.0, change_p99=0.0)], before=counts(9))),
        "Largest rises in requests",
    )
    assert (found.lead, lines(found)) == ("None.", [])


def test_silent_customers_are_counted_beyond_those_that_are_named() -> None:
    silent = [
        {"customer_id": f"s{number}", "last_date": "2024-10-02", "requests_before": 9 - number}
        for number in range(3)
    ]
    api = Api([row("a")], silent_customers={"count": 250, "customers": silent})
    found = section(report(api), "Silent customers")
    assert found.lead == "250 customers with requests on the day before and none on 2024-10-03."
    assert lines(found) == [
        "s0: 9 requests before",
        "s1: 8 requests before",
        "s2: 7 requests before",
        "and 247 more",
    ]


def test_a_day_without_requests_says_so_and_which_was_the_last() -> None:
    silent = [{"customer_id": "gone", "last_date": "2024-10-02", "requests_before": 9}]
    api = Api(before=counts(9), silent=silent)
    last = {"from": "2024-10-02", "total": {"total_requests": 9}}

    def ask(path: str, query: Any) -> Any:  # noqa: ANN401 - JSON
        return api(path, query) if query else last

    document = compose(ask, DATE, Decimal(99))
    assert document.summary == "no requests"
    assert [each.heading for each in document.sections] == ["Totals", "Silent customers", "Files"]
    assert document.sections[0].lead == (
        "No request on this day has been counted. The last day with requests is 2024-10-02."
    )
    assert "gone: 9 requests before" in text(document)


def test_an_empty_database_has_no_last_day() -> None:
    assert report(Api()).sections[0].lead == "No request on this day has been counted."


def test_files_that_were_not_read_are_named_the_worst_first() -> None:
    files = [
        file("good.log", 10),
        file("few.log", 1_000, 1),
        file("many.log", 1_000, 999),
        file("cat.jpg", 0, outcome="unrecognised", bucket="file"),
        file("later.log", 9, 9, committed_at="2024-10-04T00:00:00Z"),
        file("before.log", 9, 9, committed_at="2024-10-02T23:59:59.9Z"),
    ]
    found = section(report(Api([row("a")], files=files)), "Files")
    assert lines(found) == [
        "cat.jpg: not recognised",
        "s3://logs/many.log: 999 of 1,000 lines rejected (layout)",
        "s3://logs/few.log: 1 of 1,000 lines rejected (layout)",
    ]


def test_the_ledger_is_not_looked_through_without_a_reason() -> None:
    api = Api([row("a")], files=[file("good.log", 10)])
    found = section(report(api), "Files")
    assert found.lead == "1 file committed on this day: 10 lines, 0 rejected; 0 files not recognised."
    assert "/ingestions" not in [path for path, _ in api.asked]


def test_pages_of_the_ledger_are_followed_to_the_day_and_no_further_than_is_bearable() -> None:
    api = Api([row("a")], files=[file("bad.log", 10, 10)])
    asked = []

    def ask(path: str, query: Any) -> Any:  # noqa: ANN401 - JSON
        if path != "/ingestions":
            return api(path, query)
        asked.append(query.get("after"))
        return {
            "ingestions": [file("new.log", committed_at="2024-10-05T00:00:00Z")],
            "next": f"after {len(asked)}",
        }

    compose(ask, DATE, Decimal(99))
    assert asked == [None, *(f"after {number}" for number in range(1, PAGES_OF_FILES))]
