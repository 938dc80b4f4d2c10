"""The emulator as the local cloud runs it."""

import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from local.cloud import emulator as emulator_
from local.cloud.emulator import Emulator
from local.cloud.environments import EMULATOR, PROCESSOR, interpreter
from local.errors import UserError
from tests.integration.local.cloud.conftest import free_port


def test_trap_17_it_listens_on_this_machine_only(emulator: Emulator) -> None:
    listening = [
        connection.laddr.ip
        for process in [
            psutil.Process(emulator.child.pid),
            *psutil.Process(emulator.child.pid).children(recursive=True),
        ]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize("requirements", [EMULATOR, PROCESSOR], ids=["emulator", "processor"])
def test_trap_17_nothing_of_the_project_is_installed_beside_it(requirements: Path, tmp_path: Path) -> None:
    """Or a package that lacks a dependency would work here, and fail on AWS."""
    code = (
        "import importlib.util as u; print([n for n in ('logstats', 'processor', 'local', 'fastapi', 'aws_cdk')"
        " if u.find_spec(n)])"
    )
    command = [str(interpreter(requirements)), "-I", "-c", code]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_user_s_aws_configuration_and_proxy_do_not_matter(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(name, "does-not-exist")
    for name in ("AWS_ENDPOINT_URL", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = Emulator(emulator.endpoint, emulator.child, Path()).client("sts")
    assert client.get_caller_identity()["Account"] == "000000000000"


def test_functions_do_not_see_the_user_s_environment_and_old_files_are_removed(
    emulator_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    old = emulator_folder / "another" / "tmp" / "old"
    old.mkdir(parents=True)
    with emulator_.running(emulator_folder / "another", free_port(), emulator_folder / "logs") as started:
        environment = psutil.Process(started.child.pid).environ()
        assert not old.exists()
    assert {"DATABASE_URL", "PYTHONPATH", "AWS_PROFILE"}.isdisjoint(environment)


def test_objects_and_their_versions_survive_a_kill(emulator_folder: Path) -> None:
    folder, port = emulator_folder / "killed", free_port()
    with emulator_.running(folder, port, folder / "logs") as started:
        started.wait_until_healthy()
        s3 = started.client("s3")
        s3.create_bucket(Bucket="kept")
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        versions = [
            s3.put_object(Bucket="kept", Key="a/b c.log", Body=body)["VersionId"] for body in (b"1", b"2")
        ]
        started.child.kill()
    with emulator_.running(folder, port, folder / "logs") as started:
        started.wait_until_healthy()
        s3 = started.client("s3")
        bodies = [s3.get_object(Bucket="kept", Key="a/b c.log", VersionId=v)["Body"].read() for v in versions]
    assert bodies == [b"1", b"2"]


def test_what_does_not_start_is_one_clear_error(emulator_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        folder = emulator_folder / "taken"
        with (
            emulator_.running(folder, port, folder / "logs") as started,
            pytest.raises(UserError, match=r"does not start; see .*emulator\.log"),
        ):
            started.wait_until_healthy()
        assert "already in use" in (folder / "logs" / "emulator.log").read_text()
