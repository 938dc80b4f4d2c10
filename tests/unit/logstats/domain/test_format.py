"""A declaration and its errors: one line each, which names the key."""

import pytest

from logstats.domain.format import parse_format, validate_format
from logstats.domain.notation import FormatError

TEXT = """
layout = "text"
template = '{time} {who} {status} {ms}'
timestamp = { value = "time", form = "iso8601" }
customer = { value = "who" }
status = { value = "status" }
duration = { value = "ms", unit = "ms" }
"""
JSON = """
layout = "json"
timestamp = { value = "time", form = "epoch_ns" }
customer = { value = "who.id" }
status = { value = "status" }
duration = { from = "start", to = "end", form = "epoch_ns" }
request = { method = "method", target = "url" }
"""


def test_the_names_of_a_format_are_the_values_it_asks_for() -> None:
    assert parse_format(TEXT).names == ("time", "who", "status", "ms")
    assert parse_format(JSON).names == ("time", "who.id", "status", "start", "end", "method", "url")
    assert parse_format(JSON.replace('"who.id"', '["@path", "who.id"]')).names[1] == "who.id"


def test_the_fields_of_a_format_are_a_declaration() -> None:
    declared = parse_format(TEXT)
    assert validate_format(dict(declared)) == declared


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (TEXT, '"text"', '"csv"', "layout: Input should be 'text', 'json', 'logfmt' or 'columns'"),
        (TEXT, "{who} ", "{who", "template: '{' in '{time} {who{status} {ms}' is no hole"),
        (TEXT, "{who} ", "", "customer.value: no template has {who}"),
        (TEXT, "template = ", "summary = ", "template: a text layout needs one"),
        (TEXT, '"iso8601"', '"rfc3339"', "timestamp.form: Input should be 'iso8601', 'clf',"),
        (TEXT, '"iso8601"', '"clf", zone = "CET"', "timestamp.zone: 'CET' is no offset from UTC"),
        (TEXT, 'value = "who"', 'value = "who", part = "port"', "customer.part: 'port' is none of host"),
        (TEXT, 'value = "who"', "", "customer.value: Field required"),
        (TEXT, 'value = "who"', 'value = "@path"', "customer.value: @path needs a [request]"),
        (TEXT, 'value = "who"', "value = []", "customer.value: Value should have at least 1 item"),
        (TEXT, 'status = { value = "status"', 'status = { value = "@path"', "status.value: only a customer can be @path"),
        (TEXT, 'status = { value = "status"', "status = { value = 7", "status.value: Input should be a valid string"),
        (TEXT, 'value = "status"', 'value = "status", closed = "0"', "status.closed: Input should be a list"),
        (TEXT, ', unit = "ms"', "", "duration: give value and unit, or from, to and form"),
        (TEXT, 'unit = "ms"', 'unit = "m"', "duration.unit: Input should be 's', 'ms', 'us', 'ns' or 'suffix'"),
        (TEXT, "template = ", "template = [[]] # ", "template: [] is no text"),
        (TEXT, "layout", "skip = ['#', '']\nlayout", "skip: an empty text would skip every line"),
        (TEXT, "layout", "only = { who = [] }\nlayout", "only.who: "),
        (TEXT, "layout", "only = { why = ['x'] }\nlayout", "only: no template has {why}"),
        (TEXT, "layout", "prefix = '{a} '\nlayout", "prefix: only a logfmt layout has one"),
        (TEXT, "layout", "separator = 'tab'\nlayout", "separator: only a columns layout has one"),
        (TEXT, "layout", '"a\\nb" = 1\nlayout', "a b: Extra inputs are not permitted"),
        (TEXT, "layout", "layout =", "this is not TOML: "),
        (JSON, "who.id", "who..id", "customer.value: 'who..id' is no path such as a.b or a.list[0]"),
        (JSON, "from", "since", "duration.since: Extra inputs are not permitted"),
        (JSON, '"json"', '"columns"', "separator: a columns layout needs one"),
        (JSON, '"json"', '"logfmt"\nprefix = 7', "prefix: 7 is no text"),
        (JSON, '"json"', '"logfmt"\nprefix = "{a}"', "prefix: nothing ends {a}"),
        (JSON, '{ method = "method", target = "url" }', '{ method = "method" }', "request: give value, or target and perhaps method"),
        (JSON, 'method = "method", target', 'method = "method", value', "request: give value, or target and perhaps method"),
    ],
)  # fmt: skip
def test_a_broken_declaration_is_one_line_that_names_the_key(
    text: str, old: str, new: str, message: str
) -> None:
    assert old in text
    with pytest.raises(FormatError) as raised:
        parse_format(text.replace(old, new, 1))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
