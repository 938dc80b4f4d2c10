"""A log, and a runner of schedules."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from logstats.settings import DatabaseSettings
from processor.reading.objects import LocalFile
from tests.faults.runner import Runner
from tests.ingests import log_file
from tests.logs import random_lines

LINES = random_lines(1, 2_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a cursor of a lost connection say so when it is collected."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture
def log(tmp_path: Path) -> LocalFile:
    """A file with `LINES`."""
    return log_file(tmp_path / "a.log", LINES)


@pytest.fixture
def runner(database: DatabaseSettings, tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(database, tmp_path)
    yield runner
    runner.close()
