"""Customers in logs."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstats import pseudonyms
from logstats.pseudonyms import pseudonym
from tests import walkthrough

KEY = "arn:aws:cloudformation:eu-west-1:123456789012:stack/logstats-prod/5f6d1f60-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(pseudonyms.KEY_VARIABLE, KEY)
    pseudonyms._key.cache_clear()
    yield
    pseudonyms._key.cache_clear()


@pytest.mark.parametrize("customer_id", ["cust_1", "", "\ud800", "名前", "a" * 255])
def test_it_is_the_same_for_the_same_customer_and_tells_others_apart(customer_id: str) -> None:
    assert pseudonym(customer_id) == pseudonym(customer_id) != pseudonym("cust_2")
    assert re.fullmatch("[0-9a-f]{16}", pseudonym(customer_id))


@pytest.mark.parametrize("key", ["another", ""])
def test_it_is_another_in_another_deployment(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pseudonym("cust_1")
    monkeypatch.setenv(pseudonyms.KEY_VARIABLE, key)
    pseudonyms._key.cache_clear()
    assert pseudonym("cust_1") != before


def test_without_a_key_it_can_be_neither_looked_up_nor_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pseudonyms.KEY_VARIABLE)
    found = set()
    for _ in range(2):
        pseudonyms._key.cache_clear()
        found.add(pseudonym("cust_1"))
    assert len(found) == 2


def test_the_documented_command_makes_the_pseudonym(tmp_path: Path) -> None:
    """With a stand-in for `aws` that knows the stack's id."""
    aws = tmp_path / "aws"
    aws.write_text(f"#!/bin/sh\necho {KEY}\n")
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    command = walkthrough.shown("docs/observability.md", "key=$(aws cloudformation describe-stacks")
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == pseudonym("cust_1")
