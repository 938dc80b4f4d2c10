"""A cold start pays for every module; the time itself depends on the machine."""

import functools
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

IMPORT = """
import gc, json, sys
before = set(sys.modules)
import {}.handler
state = [gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects(generation=2))]
print(json.dumps([sorted(set(sys.modules) - before), *state]))
"""

HEAVY = {
    *"alembic boto3 botocore.auth botocore.session httpx jinja2 logstats.database multipart multiprocessing".split(),
    *"numpy psycopg requests rich typer unittest urllib3 uvicorn uvloop xml".split(),
}


def run(code: str) -> str:
    """Return what code prints in a process of its own, with the function's environment."""
    environment = {
        **os.environ,
        "DATABASE_URL": "postgresql://reader@db.example/logstats",
        "PYTHONPATH": f"{CHECKOUT / 'layers'}:{CHECKOUT / 'functions'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@functools.cache
def started(function: str = "api") -> tuple[list[str], bool, int, int]:
    modules, collecting, frozen, watched = json.loads(run(IMPORT.format(function)))
    return modules, collecting, frozen, watched


def test_the_handler_starts_without_what_is_heavy() -> None:
    prefixes = {
        name[: len(heavy)] for name in started()[0] for heavy in HEAVY if f"{name}.".startswith(f"{heavy}.")
    }
    assert prefixes == set()
    assert {"fastapi.routing", "asyncpg.connection", "sqlalchemy.ext.asyncio"} <= set(started()[0])


@pytest.mark.parametrize("function", ["api", "processor"])
def test_what_has_been_imported_is_left_alone_by_the_garbage_collector(function: str) -> None:
    """A full collection took 50 ms each time, the processor's under the lock of the customers: docs/decisions/0009."""
    _, collecting, frozen, watched = started(function)
    assert collecting
    assert frozen > 50_000
    assert watched < frozen / 10


def test_trap_06_the_handler_needs_nothing_but_its_layer() -> None:
    locked = (CHECKOUT / "layers" / "dependencies" / "requirements.txt").read_text("utf-8")
    in_layer = {name.lower().replace("_", "-") for name in re.findall(r"(?m)^([\w.-]+)==", locked)}
    distributions = importlib.metadata.packages_distributions()
    needed = {
        distribution.lower().replace("_", "-").replace(".", "-")
        for package in {name.partition(".")[0] for name in started()[0]}
        for distribution in distributions.get(package, [])
    }
    runtime_has = {"botocore"}  # Powertools looks whether it is there
    assert needed - in_layer - runtime_has <= {"logstats"}


def test_a_server_leaves_what_it_has_imported_alone_too() -> None:
    """A full collection of half a million objects stops all requests for some 70 ms."""
    code = """
import asyncio, gc
from api.app import app_from_environment
async def serve():
    app = app_from_environment()
    async with app.router.lifespan_context(app):
        print(gc.get_freeze_count(), len(gc.get_objects()))
asyncio.run(serve())
"""
    frozen, watched = map(int, run(code).split())
    assert frozen > 50_000
    assert watched < 1_000
