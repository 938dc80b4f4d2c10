"""Waiting for a database that is away."""

import math
import time
from unittest.mock import Mock

import pytest

from logstats import availability
from logstats.availability import wait_for


class AwayError(Exception):
    """The database does not answer."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses made; the clock goes on by them alone."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    monkeypatch.setattr(time, "monotonic", lambda: 1_000 + sum(made))
    return made


def is_away(error: Exception) -> bool:
    return isinstance(error, AwayError)


def test_attempts_are_made_with_growing_pauses_until_one_succeeds(pauses: list[float]) -> None:
    attempt = Mock(side_effect=[*[AwayError] * 5, "there"])
    assert wait_for(attempt, is_away, math.inf) == "there"
    assert pauses == [0.5, 2.0, 5.0, 5.0, 5.0]


def test_another_error_is_raised_at_once(pauses: list[float]) -> None:
    with pytest.raises(ValueError, match="no such role"):
        wait_for(Mock(side_effect=ValueError("no such role")), is_away, math.inf)
    assert pauses == []


@pytest.mark.parametrize(("until", "waited"), [(999, 0), (1_003, 2.5), (math.inf, 117.5)])
def test_no_attempt_begins_later_than_it_may(pauses: list[float], until: float, waited: float) -> None:
    """But the first; and nobody waits longer than patience lasts."""
    with pytest.raises(AwayError):
        wait_for(Mock(side_effect=AwayError), is_away, until)
    assert sum(pauses) == waited
    assert availability.PATIENCE_SECONDS == 120


def test_each_wait_is_logged_with_its_reason(pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    wait_for(Mock(side_effect=[ConnectionRefusedError(111, "refused"), None]), lambda _: True, math.inf)
    assert caplog.messages == [
        "The database does not answer (ConnectionRefusedError: [Errno 111] refused); trying again in 0.5 s"
    ]
