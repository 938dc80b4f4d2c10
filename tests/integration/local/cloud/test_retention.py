"""The retention in the local cloud: the schedule is deployed, and its function removes what is too old."""

import copy
import datetime as dt
import json
import time
from pathlib import Path

import sqlalchemy as sa

from cdk import ROOT
from cdk.app import synthesise
from local.cloud.deployment import Deployer
from local.cloud.emulator import Emulator
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from processor.retention import expiry
from tests import tables
from tests.integration.local.cloud.assemblies import changed
from tests.integration.local.cloud.test_deployment import database, function, parameters
from tests.logs import as_bytes, random_lines

__all__ = ["database"]  # a fixture

_TICKS_SECONDS = 60.0
"""The emulator looks for schedules every ten seconds."""


def test_a_schedule_removes_what_is_too_old(
    emulator: Emulator, database: tuple[str, sa.Engine], tmp_path: Path
) -> None:
    url, engine = database
    context = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    context["environments"]["local"]["retention_days"] = 30
    synthesise(context | {"environment": "local"}, tmp_path / "synthesised")
    assembly = changed(tmp_path / "synthesised", tmp_path / "changed")
    once = f"at({dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20):%Y-%m-%dT%H:%M:%S})"
    assembly.change("Retention", "AWS::Scheduler::Schedule", ScheduleExpression=once)
    deployer = Deployer(emulator)
    deployer.deploy(assembly.write(), parameters(url))
    try:
        log = tmp_path / "a.log"
        log.write_bytes(as_bytes(random_lines(1, 100)))
        ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
        assert ingestor.ingest_file(LocalFile.at(log)).expired == 0
        deadline = time.monotonic() + _TICKS_SECONDS
        while tables.customers(engine) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert tables.statistics(engine) == {}
        assert expiry.current_horizon(engine) == expiry.horizon_of(engine, 30)
        told = emulator.client("lambda").invoke(
            FunctionName=function(emulator, "RetentionFunction")["FunctionName"]
        )
        assert "FunctionError" not in told
        assert json.loads(told["Payload"].read())["finished"]
    finally:
        deployer.destroy()
