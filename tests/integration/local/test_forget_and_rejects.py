"""`forget` and `rejects`, as commands."""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from typer.testing import CliRunner

from local.cli import app
from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.logs import as_bytes, random_lines

LINES = random_lines(1, 300)


def run(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_what_is_forgotten_no_longer_counts(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(LINES) + b"broken\n")
    url = ("--database-url", database.url)
    run("ingest", str(path), *url)
    shown = run("rejects", str(path), *url)
    assert (shown["rejected"], [line["line"] for line in shown["kept"]]) == (1, [301])
    assert [line["text"] for line in shown["kept"]] == ["broken"]
    assert run("forget", str(path), *url)["outcome"] == "withdrawn"
    assert tables.statistics(engine) == {}
    assert run("forget", str(path), *url)["outcome"] == "unchanged"
    assert run("ingest", str(path), *url)["outcome"] == "ingested"
    assert tables.statistics(engine) == oracle.statistics(LINES)
