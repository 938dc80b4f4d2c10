"""The page's arithmetic against Python's."""

import datetime as dt
import math
import random
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from tests.node import call_page_module as call

EPOCH = dt.date(1970, 1, 1)
RANDOM = random.Random(8)


def day(date: dt.date) -> int:
    return (date - EPOCH).days


def starts(first: dt.date, last: dt.date, interval: str) -> list[str]:
    """The periods of a range, by walking its days."""
    found: list[str] = []
    for number in range((last - first).days + 1):
        date = first + dt.timedelta(number)
        if interval == "week":
            date -= dt.timedelta(date.weekday())
        if interval == "month":
            date = date.replace(day=1)
        if not found or found[-1] != str(date):
            found.append(str(date))
    return found


def test_periods_are_those_of_the_calendar() -> None:
    ranges = [
        (dt.date(1999, 12, 1) + dt.timedelta(RANDOM.randrange(20_000)), RANDOM.randrange(500), interval)
        for interval in ("day", "week", "month")
        for _ in range(100)
    ]
    ranges += [(dt.date(1970, 1, 1), 30, "week"), (dt.date(2024, 1, 31), 60, "month")]
    calls = [["periods", day(first), day(first) + days, interval] for first, days, interval in ranges]
    wanted = [starts(first, first + dt.timedelta(days), interval) for first, days, interval in ranges]
    assert call("periods.js", calls) == wanted


def test_days_are_numbers_and_texts_of_the_same_calendar() -> None:
    dates = [dt.date.min, dt.date(99, 12, 31), EPOCH, dt.date(2024, 2, 29), dt.date.max]
    assert call("periods.js", [["toDay", str(date)] for date in dates]) == [day(date) for date in dates]
    assert call("periods.js", [["toText", day(date)] for date in dates]) == [str(date) for date in dates]


def test_only_days_of_the_calendar_are_taken_from_an_address() -> None:
    days = ["2024-02-29", "0001-01-01", "9999-12-31"]
    others = "0000-01-01 2023-02-29 2024-04-31 2024-13-01 2024-1-1 20240101 2024-01-01T00:00".split()
    assert call("periods.js", [["isDay", text] for text in [*days, *others, ""]]) == [True] * 3 + [False] * 8


def test_axis_labels_never_crowd_and_always_say_something() -> None:
    first = dt.date(1987, 5, 12)
    cases = [
        (days, starts(first, first + dt.timedelta(days - 1), interval), limit)
        for interval in ("day", "week", "month")
        for days in (1, 2, 8, 31, 100, 400, 2800, 20_000)
        for limit in (4, 9, 20)
    ]
    answers = call("periods.js", [["axisLabels", periods, limit] for _, periods, limit in cases])
    for labels, (days, periods, limit) in zip(answers, cases, strict=True):
        assert len(labels) <= limit
        assert labels or days < 8
        assert all(0 <= index < len(periods) for index, _ in labels)


def test_names_of_periods() -> None:
    names = {
        ("2024-09-03", "day"): "Tue 3 Sep 2024",
        ("2024-09-02", "week"): "Week of 2 Sep 2024",
        ("2024-09-01", "month"): "Sep 2024",
    }
    assert call("periods.js", [["periodName", *period] for period in names]) == list(names.values())


def test_days_become_weeks_and_months_when_there_are_too_many() -> None:
    spans = [1, 400, 401, 2800, 2801]
    answers = call("periods.js", [["fittingInterval", 1000, 999 + span] for span in spans])
    assert answers == ["day", "day", "week", "week", "month"]


def test_durations_have_their_unit() -> None:
    texts = {
        0: "0 ms",
        0.000001: "1 µs",
        0.000999: "999 µs",
        0.001: "1 ms",
        0.0123: "12.3 ms",
        0.123: "123 ms",
    }
    texts |= {1.018875: "1,019 ms", 9.999: "9,999 ms", 10: "10 s", 12.345: "12.3 s", 86_400: "86,400 s"}
    shown = call("format.js", [["duration", seconds] for seconds in [*texts, None]])
    assert shown == [*(text.replace(" ", "\u00a0") for text in texts.values()), "\N{EN DASH}"]


def test_uptime_is_rounded_down_so_that_100_means_no_error_at_all() -> None:
    cases = [(RANDOM.randrange(1, 10**9), 0) for _ in range(5)]
    cases += [
        (total, RANDOM.randrange(total + 1)) for total in (1, 7, 1000, 10**6, 10**12) for _ in range(20)
    ]
    cases += [(10**9, 1), (1000, 1), (3, 3)]

    def text(total: int, errors: int) -> str:
        exact = Decimal(100 * (total - errors)) / Decimal(total)
        return "100\u00a0%" if not errors else f"{exact.quantize(Decimal('0.001'), ROUND_FLOOR)}\u00a0%"

    wanted = [text(*case) for case in cases]
    assert call("format.js", [["uptime", *case] for case in cases]) == wanted


def test_objectives_have_three_decimals() -> None:
    read = {"99.9": 99.9, "100": 100, "0": 0} | dict.fromkeys(["99.9999", "101", "-1", "", "1e1"])
    assert call("objective.js", [["readObjective", text] for text in read]) == list(read.values())


def test_an_objective_is_judged_exactly() -> None:
    """Also where floating point would not: 99.9 % of 1000 allows one error, and one error meets it."""
    cases = [(1000, 1, "99.9"), (1000, 2, "99.9"), (10**5, 1, "99.999"), (10**9, 0, "100"), (10**9, 1, "100")]
    cases += [
        (total, RANDOM.randrange(total // 50 + 1), RANDOM.choice(["99.9", "99.99", "98.765", "99.5"]))
        for total in (100, 1000, 10**4, 10**6)
        for _ in range(50)
    ]
    rows: list[dict[str, Any]] = [
        {"total_requests": total, "server_errors": errors} for total, errors, _ in cases
    ]
    missed = call(
        "objective.js", [["missed", row, float(goal)] for row, (_, _, goal) in zip(rows, cases, strict=True)]
    )
    assert missed == [100 * Fraction(total - errors, total) < Fraction(goal) for total, errors, goal in cases]
    allowed = call("objective.js", [["allowance", total, float(goal)] for total, _, goal in cases])
    assert allowed == [math.floor(total * (1 - Fraction(goal) / 100)) for total, _, goal in cases]


def test_an_address_reads_as_what_it_was_written_from() -> None:
    fields = (
        "customer",
        "from",
        "to",
        "sort",
        "prefix",
        "interval",
        "log",
        "objective",
        "route",
        "order",
        "tz",
        "measure",
    )
    states = [
        dict(zip(fields, (customer, *rest), strict=True))
        for customer in ("cust_1", "a/b?c#d&e=f%2F+", "<script>", "שלום", "x" * 255)
        for rest in [
            ("2024-09-01", "2024-10-03", None, None, None, False, 99.9, None, None, None, "total_requests"),
            (
                None,
                "2024-10-03",
                "-change_p99",
                "c&",
                "week",
                True,
                99.95,
                "GET /é{id}?",
                "-route",
                "Etc/GMT+3",
                "duration_p99",
            ),
        ]
    ]
    addresses = call("state.js", [["writeState", state] for state in states])
    assert call("state.js", [["readState", address] for address in addresses]) == states


def test_what_an_address_says_wrongly_is_left_out() -> None:
    (state,) = call(
        "state.js",
        [
            [
                "readState",
                "?customer=&from=soon&to=2024-02-30&sort=a;b&prefix=&interval=year&scale=x&objective=200&token=t&order=;&tz=a%20b&measure=x",
            ]
        ],
    )
    nothing = dict.fromkeys(("customer", "from", "to", "sort", "prefix", "interval", "route", "order", "tz"))
    assert state == {**nothing, "measure": "total_requests", "log": False, "objective": 99.9}
    assert call("state.js", [["writeState", state]]) == [""]


def test_scales_hold_their_values_between_round_ones() -> None:
    script = [["linear", high, {"least": 1}] for high in (1, 7, 332, 10_034, 10**9)]
    for answer, high in zip(call("scale.js", script), (1, 7, 332, 10_034, 10**9), strict=True):
        ticks = answer["ticks"]
        assert ticks[0] == 0
        assert ticks[-1] >= high
        assert 2 <= len(ticks) <= 7
        assert all(float(tick).is_integer() for tick in ticks)
    ranges = ((0.001, 0.002), (0.1, 2.0), (0.000001, 86_400), (0.5, 0.5))
    answers = call("scale.js", [["logarithmic", *between] for between in ranges])
    for answer, (lowest, _) in zip(answers, ranges, strict=True):
        assert answer["bottom"] <= lowest
        assert 1 <= len(answer["ticks"]) <= 12


def test_rounding_of_durations_agrees_with_decimal_arithmetic() -> None:
    values = [RANDOM.randrange(100_000, 9_999_000) / 1e6 for _ in range(200)]
    texts = call("format.js", [["duration", value] for value in values])
    for value, text in zip(values, texts, strict=True):
        rounded = Decimal(value * 1000).quantize(Decimal(1), ROUND_HALF_EVEN)
        assert text == f"{rounded:,}\u00a0ms"
