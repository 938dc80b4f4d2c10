"""The retention in the local cloud: a schedule is deployed, and what it calls removes what is too old."""

import copy
import json
from pathlib import Path

import sqlalchemy as sa

from cdk import ROOT
from cdk.app import synthesise
from local.cloud.deployment import deploy
from local.cloud.emulator import Emulator
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from processor.retention import expiry
from tests import tables
from tests.integration.local.cloud.test_deployment import database, destroy, parameters
from tests.logs import as_bytes, random_lines

__all__ = ["database"]  # a fixture


def test_what_the_schedule_calls_removes_what_is_too_old(
    emulator: Emulator, database: tuple[str, sa.Engine], tmp_path: Path
) -> None:
    """The emulator would call it within the day: its target is called here, as the schedule's role may."""
    url, engine = database
    context = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    context["environments"]["local"]["retention_days"] = 30
    synthesise(context | {"environment": "local"}, tmp_path / "synthesised")
    deploy(emulator, tmp_path / "synthesised", parameters(url))
    try:
        log = tmp_path / "a.log"
        log.write_bytes(as_bytes(random_lines(1, 100)))
        ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
        assert ingestor.ingest_file(LocalFile.at(log)).expired == 0
        scheduler = emulator.client("scheduler")
        (listed,) = scheduler.list_schedules()["Schedules"]
        schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
        assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", "cron(17 2 * * ? *)")
        told = emulator.client("lambda").invoke(FunctionName=schedule["Target"]["Arn"])
        assert "FunctionError" not in told
        assert json.loads(told["Payload"].read())["finished"]
        assert tables.statistics(engine) == {}
        assert tables.customers(engine) == {}
        assert expiry.horizons(engine)[0] == expiry.horizon_of(engine, 30)
    finally:
        destroy(emulator)
