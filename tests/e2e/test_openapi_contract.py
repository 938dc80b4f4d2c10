"""schemathesis asks the live API what its OpenAPI document allows, and what it does not; all checks are on."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from tests.e2e.test_ingest_command import COMMAND
from tests.e2e.test_serve_command import Serving
from tests.logs import as_bytes, random_lines

SCHEMATHESIS = str(Path(sys.executable).parent / "schemathesis")


@pytest.fixture
def serving(database: DatabaseSettings, engine: sa.Engine, tmp_path: Path) -> Iterator[Serving]:
    """The API with a few files in its database, one of them with rejected lines."""
    ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
    for number in range(3):
        path = tmp_path / f"{number}.log"
        path.write_bytes(as_bytes([*random_lines(number, 300), "broken"]))
        ingestor.ingest_file(LocalFile.at(path))
    serving = Serving([COMMAND, "serve"], {"DATABASE_URL": database.url})
    yield serving
    serving.stop()


def run(serving: Serving, folder: Path, examples: int) -> int:
    """Run schemathesis, and return how many requests it has made."""
    url = f"http://127.0.0.1:{serving.port}"
    options = {
        "--url": url,
        "--max-examples": str(examples),
        "--generation-database": "none",
        "--suppress-health-check": "all",
        "--seed": os.environ.get("SCHEMATHESIS_SEED", "1"),
    }
    done = subprocess.run(
        [
            SCHEMATHESIS,
            "run",
            f"{url}/openapi.json",
            "--no-color",
            *(word for pair in options.items() for word in pair),
        ],
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=3_000,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: 12" in done.stdout, done.stdout
    found = re.search(r"([\d,]+) generated", done.stdout)
    assert found, done.stdout
    return int(found[1].replace(",", ""))


def test_the_live_api_keeps_to_its_document(serving: Serving, tmp_path: Path) -> None:
    assert run(serving, tmp_path, examples=5) >= 80


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_the_live_api_keeps_to_its_document_at_length(serving: Serving, tmp_path: Path) -> None:
    assert run(serving, tmp_path, examples=3_500) >= 20_000
