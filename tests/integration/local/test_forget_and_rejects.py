"""`forget` and `rejects`, as commands."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from local.cli import app
from logstats.models import Attempt, LogObject
from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

LINES = random_lines(1, 300)


def run(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def ingested(database: DatabaseSettings, folder: Path) -> tuple[Path, tuple[str, str]]:
    """Ingest a log with a rejected line; return its path and the option that names the database."""
    path, url = folder / "a.log", ("--database-url", database.url)
    path.write_bytes(as_bytes(LINES) + b"broken\n")
    run("ingest", str(path), *url)
    return path, url


def test_what_is_forgotten_no_longer_counts(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    path, url = ingested(database, tmp_path)
    shown = run("rejects", str(path), *url)
    assert (shown["rejected"], [line["line"] for line in shown["kept"]]) == (1, [301])
    assert [line["text"] for line in shown["kept"]] == ["broken"]
    assert run("forget", str(path), *url)["outcome"] == "withdrawn"
    assert tables.statistics(engine) == {}
    assert run("forget", str(path), *url)["outcome"] == "unchanged"
    assert run("ingest", str(path), *url)["outcome"] == "ingested"
    assert tables.statistics(engine) == oracle.statistics(LINES)


def test_forgetting_on_a_laptop_asks_no_bucket(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rejected lines that another ingest has kept in a bucket are left to one that has this bucket."""
    path, url = ingested(database, tmp_path)
    kept = "s3://rejected-lines/1.jsonl"
    with engine.begin() as connection:
        connection.execute(sa.update(Attempt).values(rejects_uri=kept))
        connection.execute(sa.update(LogObject).values(rejects_uri=kept))
    with S3Double() as s3:
        for name, value in s3.variables.items():
            monkeypatch.setenv(name, value)
        s3.put("rejected-lines", "1.jsonl", b"broken")
        assert run("forget", str(path), *url)["outcome"] == "withdrawn"
        assert s3.objects["rejected-lines", "1.jsonl"]
        assert tables.leftovers(engine)["attempts"] == 1
        monkeypatch.setenv("REJECTS_BUCKET", "rejected-lines")
        run("ingest", str(path), *url)
        assert not s3.objects.get(("rejected-lines", "1.jsonl"))
    assert set(tables.leftovers(engine).values()) == {0}


def show(*arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_rejected_lines_with_other_separators_are_read_and_shown_escaped(
    database: DatabaseSettings, tmp_path: Path
) -> None:
    """Kept lines end with LF only; what does not print reaches no terminal."""
    texts = [
        "x \u2028 y",
        "x \u2029 y",
        "x \x85 y",
        "x \x00 \x0b\x0c\x1c\x1d\x1e y",
        "x \x1b]0;title\x07 \x1b[2J\t y",
        "[red]x",
    ]
    path = tmp_path / "a.log"
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="\n")
    url = ("--database-url", database.url)
    run("ingest", str(path), "--format", "logstats", *url)
    assert [line["text"] for line in run("rejects", str(path), *url)["kept"]] == texts
    shown = show("rejects", str(path), *url).stdout
    lines = [line.split("\t") for line in shown.removesuffix("\n").split("\n")]
    assert [line[2] for line in lines] == [ascii(text)[1:-1] for text in texts]


@pytest.mark.parametrize("name", ["[red]x.log", "[/prod].log", "\x1b[2J.log", "\u2028.log"])
def test_the_name_of_a_log_is_neither_markup_nor_control(
    database: DatabaseSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(as_bytes(LINES))
    url = ("--database-url", database.url)
    shown = ascii(name)[1:-1]
    assert show("ingest", str(path), *url).stdout.splitlines()[0].split() == ["source", f"{tmp_path}/{shown}"]
    assert show("forget", str(path), *url).stdout == f"withdrawn {tmp_path}/{shown}\n"
