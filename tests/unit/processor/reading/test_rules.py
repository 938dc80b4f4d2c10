"""Which format the log objects under a prefix have."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from processor.reading.rules import FormatRule, rule_of

OWN = """layout = "json"
timestamp = {value = "t", form = "epoch_s"}
customer = {value = "c"}
status = {value = "s"}
"""


def test_the_longest_prefix_counts_and_without_one_the_content() -> None:
    rules = [FormatRule(prefix=prefix, format="aws-alb") for prefix in ("a", "alb/", "alb")]
    assert rule_of(rules, "alb/x").prefix == "alb/"
    assert rule_of(rules, "albatross").prefix == "alb"
    assert rule_of(rules, "x").format == "auto"
    assert rule_of([FormatRule(format="caddy")], "x").format == "caddy"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_is_read_when_the_rule_is_made(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding=encoding)
    rule = FormatRule(format=str(path), customer="d host", zone="-01:30")
    path.unlink()
    assert rule.format == "own"
    assert FormatRule.model_validate(rule.model_dump()) == rule
    assert rule.load().customer.value == ("d",)
    assert rule.load().timestamp.zone == -5_400


def test_any_value_may_be_the_customer_of_a_format_that_is_not_known_yet() -> None:
    assert FormatRule(customer="@target host[0]", zone="+02:00").format == "auto"
    assert FormatRule(customer='"a.b".c').customer == '"a.b".c'


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "nope"}, "'nope' is neither a file nor a preset"),
        ({"format": "/"}, "is neither a file nor a preset"),
        ({"format": "own", "declaration": "x = "}, "this is not TOML"),
        ({"declaration": OWN}, "a declaration needs a name"),
        ({"format": "aws-alb", "customer": "nope"}, "customer.value: no template has {nope}"),
        ({"format": "aws-alb", "zone": "2"}, "'2' is no offset"),
        ({"zone": "CET"}, "'CET' is no offset"),
        ({"customer": "user hosts"}, "customer.part: 'hosts' is none of"),
    ],
)
def test_what_is_wrong_is_told_when_the_rule_is_made(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        FormatRule.model_validate(values)
    assert message in raised.value.errors()[0]["msg"]
